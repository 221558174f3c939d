//! `config edit` in a pseudo-terminal: what a person does and sees.

use std::path::Path;

use crate::support::terminal::{DOWN, ENTER, ESC, F2, PAGE_DOWN, Terminal};
use crate::support::{BINARY, Daemon, InfluxV2Double, Server as _, TOKEN, signal, store_unchecked as store};

const STORE: &str = "config.db";

/// A folder where nothing is set, by environment or store.
fn daemon() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// `config get`, without the environment.
fn get(folder: &Path, key: &str) -> String {
    let mut command = std::process::Command::new(BINARY);
    command.env_clear().arg("--data-dir").arg(folder).args(["config", "get", key, "--reveal"]);
    let output = command.output().expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn fill_in(terminal: &mut Terminal, name: &str, text: &str) {
    terminal.wait_for(&format!("> {name}")).press(ENTER).wait_for("New value").press("\x15").press(text).press(ENTER);
}

#[test]
fn a_newcomer_sets_up_influxdb_2_and_it_works() {
    let server = InfluxV2Double::start().expect("a double");
    let folder = daemon();
    let mut terminal = Terminal::edit(folder.path(), 80, 24, &[]);
    terminal.wait_for("> Database").press(ENTER).wait_for("> type").press(ENTER);
    terminal.go_to("[ ] influxdb_v2").press(ENTER).wait_for("MISSING");
    fill_in(&mut terminal, "url", &server.url());
    fill_in(&mut terminal, "org", InfluxV2Double::ORG);
    fill_in(&mut terminal, "bucket", "no such bucket");
    fill_in(&mut terminal, "token", TOKEN);
    terminal.wait_for("> Test the connection").press(ENTER).wait_for("FAILED").wait_for("no such bucket");
    terminal.press(ESC).wait_for("> Test the connection").go_to("bucket").press(ENTER).wait_for("New value");
    terminal.press("\x15").press(InfluxV2Double::BUCKET).press(ENTER).wait_for("> Test the connection").press(ENTER);
    terminal.wait_for("It works").press("s").wait_for("Save 5 changes").press("s").wait_for("Saved 5 changes");
    terminal.press("q");
    assert!(terminal.end().success());
    terminal.wait_until_given_back();
    terminal.wait_for("5 changes saved");
    assert!(!terminal.everything().contains(TOKEN), "the token was on the screen");
    for (key, expected) in [
        ("database.type", "influxdb_v2"),
        ("database.influxdb_v2.url", &server.url()),
        ("database.influxdb_v2.bucket", InfluxV2Double::BUCKET),
        ("database.influxdb_v2.token", TOKEN),
    ] {
        assert_eq!(get(folder.path(), key), expected, "{key}");
    }
}

#[test]
fn a_stored_secret_is_never_shown_and_a_typed_one_on_demand() {
    let folder = daemon();
    store(folder.path(), &[("alerts.webhook_url", "http://stored-s3cret")]);
    let mut terminal = Terminal::edit(folder.path(), 80, 24, &[]);
    terminal.wait_for("Database").go_to("Alerts").press(ENTER).wait_for("> command").go_to("webhook_url").press(ENTER);
    terminal.wait_for("New value").press("http://typed").wait_for("New value: ************");
    terminal.press(F2).wait_for("New value: http://typed").press(F2).wait_for("New value: ************");
    terminal.press(ENTER).wait_for("1 change not saved").press("s").wait_for("another one");
    terminal.press("s").wait_for("Saved 1 change").press("q");
    assert!(terminal.end().success());
    assert!(!terminal.everything().contains("stored-s3cret"));
    assert_eq!(get(folder.path(), "alerts.webhook_url"), "http://typed");
}

#[test]
fn search_leads_to_a_value_and_tags_are_edited() {
    let folder = daemon();
    store(folder.path(), &[("data_collection.tags.old", "x")]);
    let mut terminal = Terminal::edit(folder.path(), 80, 24, &[("NO_COLOR", "1")]);
    terminal
        .wait_for("Database")
        .press("/")
        .wait_for("Search:")
        .press("from one reading")
        .wait_for("> data_collection.read_interval");
    terminal.press(ENTER).wait_for("New value (s)").press("\x15").press("12\r").wait_for("12 s");
    terminal.press("\x15tags").wait_for("Search: tags").wait_for("> data_collection.tags.old");
    terminal.go_to("data_collection.tags.NAME").press(ENTER);
    terminal.wait_for("+ add").press("a").wait_for("Name:").press("shelf\r").wait_for("New value").press("top left\r");
    terminal.wait_for("top left").go_to("old").press("n").wait_for("New name: old").press("\x15new\r");
    terminal.wait("the new name", |screen| screen.contains("  new") || screen.contains("> new"));
    terminal.press("s").wait_for("Save 4 changes").press("s").wait_for("Saved 4 changes").press("q");
    assert!(terminal.end().success());
    assert!(!terminal.everything().contains("\x1b[38;"), "colours in spite of NO_COLOR");
    for (key, expected) in [
        ("data_collection.tags.shelf", "top left"),
        ("data_collection.tags.new", "x"),
        ("data_collection.read_interval", "12"),
    ] {
        assert_eq!(get(folder.path(), key), expected, "{key}");
    }
}

#[test]
fn discarding_leaves_the_store_as_it_was_byte_for_byte() {
    let folder = daemon();
    let mut terminal = Terminal::edit(folder.path(), 80, 24, &[]);
    terminal.wait_for("Database").go_to("Heater").press(ENTER).wait_for("> enabled").press(" ").wait_for("changed");
    terminal.press("q").wait_for("Discard them and quit").press("d");
    assert!(terminal.end().success());
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "looking makes no store");

    store(folder.path(), &[("queue.max_size", "500")]);
    let before = std::fs::read(folder.path().join(STORE)).expect("a store");
    let mut terminal = Terminal::edit(folder.path(), 80, 24, &[]);
    terminal.wait_for("Database").go_to("Heater").press(ENTER).wait_for("> enabled").press(" ").wait_for("changed");
    terminal.press("s").wait_for("Save 1 change").go_to("Discard").press(ENTER).wait_for("Go back").press("d");
    terminal.wait_for("Discarded; nothing was saved").press("q");
    assert!(terminal.end().success());
    assert_eq!(std::fs::read(folder.path().join(STORE)).expect("a store"), before);
}

#[test]
fn what_is_not_allowed_is_mended_on_a_phone() {
    let folder = daemon();
    store(folder.path(), &[("data_collection.read_intervall", "7"), ("queue.max_size", "7")]);
    let mut terminal = Terminal::edit(folder.path(), 40, 15, &[]);
    terminal.wait_for("> Needs attention").press(ENTER).wait_for("unknown").press(ENTER).wait_for("> Rename it to");
    terminal
        .press(ENTER)
        .wait_for("> queue.max_size")
        .press(ENTER)
        .wait_for("> Change")
        .go_to("Remove it")
        .press(ENTER);
    terminal.wait_for("Everything stored is allowed").press("s").wait_for("> Save 3").press(ENTER);
    terminal.wait_for("Saved 3 changes").press("q");
    assert!(terminal.end().success());
    assert_eq!(get(folder.path(), "data_collection.read_interval"), "7");
    assert_eq!(get(folder.path(), "queue.max_size"), "10000");
}

#[test]
fn the_window_may_change_its_size_at_any_time() {
    let folder = daemon();
    let mut terminal = Terminal::edit(folder.path(), 80, 24, &[]);
    terminal.wait_for("Database").go_to("History").press(ENTER).wait_for("history.retention_days");
    for (columns, rows) in [(40, 15), (120, 50), (30, 5), (20, 8), (80, 24)] {
        terminal.resize(columns, rows);
        let expected = if rows == 5 { "window too small" } else { "> " };
        terminal.wait(expected, |screen| screen.contains(expected) && screen.lines().count() <= usize::from(rows));
    }
    terminal.wait_for("history.retention_days").press("?").wait_for("Ctrl-L").press(PAGE_DOWN).press(ESC);
    terminal.wait_for("> history.retention_days").press("q");
    assert!(terminal.end().success());
}

#[test]
fn another_programs_change_is_not_overwritten() {
    let folder = daemon();
    store(folder.path(), &[("queue.max_size", "500")]);
    let mut terminal = Terminal::edit(folder.path(), 80, 24, &[]);
    terminal
        .wait_for("Database")
        .press("/")
        .wait_for("Search:")
        .press("queue.max_size")
        .wait_for("Search: queue.max_size")
        .press(ENTER);
    terminal.wait_for("New value").press("\x15900\r").wait_for("900 points").press(ESC).wait_for("Review and save");
    terminal.press("s").wait_for("500 points -> 900 points");
    store(folder.path(), &[("queue.max_size", "600")]);
    terminal.press("s").wait_for("another program changed queue.max_size").wait_for("600 points -> 900 points");
    assert_eq!(get(folder.path(), "queue.max_size"), "600");
    terminal.press("s").wait_for("Saved 1 change").press("q");
    assert!(terminal.end().success());
    assert_eq!(get(folder.path(), "queue.max_size"), "900");
}

#[test]
fn a_signal_gives_the_terminal_back_and_saves_nothing() {
    for (name, number) in [("-TERM", 15), ("-INT", 2), ("-HUP", 1)] {
        let folder = daemon();
        store(folder.path(), &[("queue.max_size", "500")]);
        let before = std::fs::read(folder.path().join(STORE)).expect("a store");
        let mut terminal = Terminal::edit(folder.path(), 80, 24, &[]);
        terminal.wait_for("Database").go_to("Heater").press(ENTER).wait_for("> enabled").press(" ").wait_for("changed");
        signal(&terminal.pid(), name);
        let end = terminal.end();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&end), Some(number), "{name}: {end}");
        terminal.wait_for("ended by a signal; 1 change not saved");
        terminal.wait_until_given_back();
        assert_eq!(std::fs::read(folder.path().join(STORE)).expect("a store"), before, "{name}");
    }
}

#[test]
fn killed_in_the_middle_it_leaves_a_whole_store() {
    let folder = daemon();
    store(folder.path(), &[("queue.max_size", "500")]);
    let mut terminal = Terminal::edit(folder.path(), 80, 24, &[]);
    terminal.wait_for("Database").go_to("Heater").press(ENTER).wait_for("> enabled").press(" ").wait_for("changed");
    signal(&terminal.pid(), "-KILL");
    terminal.end();
    assert_eq!(get(folder.path(), "queue.max_size"), "500");
    assert_eq!(get(folder.path(), "heating_control.enabled"), "false");
}

#[test]
fn the_shell_gets_the_terminal_while_the_editor_is_stopped() {
    let folder = daemon();
    let mut terminal = Terminal::edit(folder.path(), 80, 24, &[]);
    terminal.wait_for("Database").go_to("Heater").press(ENTER).wait_for("> enabled").press(" ").wait_for("changed");
    terminal.press("\x1a").wait_until_stopped();
    terminal.wait_until_given_back();
    signal(&terminal.pid(), "-CONT");
    terminal
        .wait_for("> enabled")
        .press(DOWN)
        .wait_for("> min_temp_c")
        .press("q")
        .wait_for("Discard them and quit")
        .press("d");
    assert!(terminal.end().success());
    terminal.wait_until_given_back();
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let daemon = Daemon::new();
    let output = daemon.cli(&["config", "edit"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("needs a terminal") && error.contains("config set KEY VALUE"), "{error}");
    let mut terminal = Terminal::edit(daemon.folder(), 80, 24, &[("TERM", "dumb")]);
    assert_eq!(terminal.end().code(), Some(2));
    terminal.wait_for("config set KEY VALUE");
}
