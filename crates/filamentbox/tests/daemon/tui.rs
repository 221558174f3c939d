//! `tui` in a pseudo-terminal, with a daemon on the other side: what a person does and sees.

use crate::support::terminal::{ESC, Terminal};
use crate::support::{Daemon, signal};

const UNICODE: (&str, &str) = ("LANG", "C.UTF-8");

fn tui(daemon: &Daemon, columns: u16, rows: u16, variables: &[(&str, &str)]) -> Terminal {
    Terminal::start(&["tui"], daemon.folder(), (columns, rows), variables)
}

/// Ends it by `q`, and asks whether the terminal is as it was.
#[track_caller]
fn quit(terminal: &mut Terminal) {
    terminal.press("q");
    assert!(terminal.end().success());
    terminal.wait_until_given_back();
}

#[test]
fn heater_and_fan_are_switched_and_told_why() {
    let mut daemon = Daemon::new();
    daemon.start();
    let mut terminal = tui(&daemon, 80, 24, &[UNICODE]);
    for text in ["SIMULATED", "Temperature", "°C", "g/m³", "Dew point", " s ago", "Heater", "Safety", "heat is allowed"]
    {
        terminal.wait_for(text);
    }
    terminal.wait_for("no backend").wait_for("started, process").wait_for("H/h/^H heater");
    terminal.press("H").wait_for("heater ON until").wait_for("by hand, 29 min").wait_for("heater: on by hand");
    daemon.wait_for_output("heater", true);
    terminal.press("h").wait_for("heater off; it is off").wait_for("by hand, until it is set to automatic");
    daemon.wait_for_output("heater", false);
    terminal.press("\x08").wait_for("heater automatic; it is ON").press("h").wait_for("it is off");
    terminal.press("\x7f").wait_for("heater automatic; it is ON");
    terminal.press("f").wait_for("fan off; it is off");
    daemon.wait_for_output("fan", false);
    terminal.press("F").wait_for("fan ON").press("\x06").wait_for("fan automatic");
    // Pasted text is no key.
    terminal.press("\x1b[200~hhhf\x1b[201~").wait_for("not taken for keys").wait_for("Fan     ON");
    terminal.press("r").wait_for("asking for everything anew").press("x").wait_for("Ctrl-H (or Backspace) automatic");
    assert!(daemon.ask(&["status"]).contains("heater   ON   auto"));
    quit(&mut terminal);
    let mut terminal = tui(&daemon, 40, 12, &[UNICODE]);
    terminal.wait_for("dew point").wait_for("Heater ON").wait_for("Safety").press("\x03");
    assert!(terminal.end().success());
    terminal.wait_until_given_back();
}

#[test]
fn a_refusal_says_its_reason() {
    let mut daemon = Daemon::new();
    daemon.set("simulation.fault", "unplugged").start_without_reading();
    let mut terminal = tui(&daemon, 80, 24, &[UNICODE, ("NO_COLOR", "1")]);
    terminal.wait_for("NO HEAT").wait_for("NO READING NOW").press("H").wait_for("heater NOT ON: ");
    assert!(!daemon.traced_output("heater").is_some_and(|(_, on)| on), "heat without a reading");
    quit(&mut terminal);
    assert!(!terminal.everything().contains("\x1b[38;"), "colours in spite of NO_COLOR");
}

#[test]
fn a_daemon_that_is_killed_is_missed_until_it_is_back() {
    let mut daemon = Daemon::new();
    daemon.start();
    let mut terminal = tui(&daemon, 80, 24, &[UNICODE]);
    terminal.wait_for("heat is allowed");
    daemon.kill();
    terminal.wait_for("NO DAEMON for").wait_for("this picture is ").press("h").wait_for("refused: no daemon answers");
    daemon.start();
    terminal.wait_for("the daemon answers again");
    terminal.wait("no banner", |screen| !screen.contains("NO DAEMON"));
    quit(&mut terminal);
}

#[test]
fn the_window_may_change_its_size_and_signals_give_it_back() {
    let mut daemon = Daemon::new();
    daemon.start();
    let mut terminal = tui(&daemon, 80, 24, &[]);
    terminal.wait_for("heat is allowed");
    for (columns, rows) in [(40, 12), (120, 50), (20, 6), (19, 5), (200, 10), (80, 24)] {
        terminal.resize(columns, rows);
        let expected = if rows == 5 { "window too small" } else { "FilamentBox" };
        terminal.wait(expected, |screen| screen.contains(expected) && screen.lines().count() <= usize::from(rows));
    }
    terminal.wait_for("heat is allowed");
    assert!(terminal.screen().is_ascii(), "not ASCII without a UTF-8 locale:\n{}", terminal.screen());
    terminal.press("\x1a").wait_until_stopped();
    terminal.wait_until_given_back();
    signal(&terminal.pid(), "-CONT");
    terminal.press(ESC).wait_for("Ctrl-H (or Backspace) automatic");
    signal(&terminal.pid(), "-TERM");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&terminal.end()), Some(15));
    terminal.wait_until_given_back();
}

#[test]
fn without_a_terminal_or_a_daemon_it_says_so() {
    let mut daemon = Daemon::new();
    let mut terminal = tui(&daemon, 80, 24, &[]);
    assert_eq!(terminal.end().code(), Some(3));
    terminal.wait_for("no daemon answers at").wait_for("filamentbox run");
    daemon.start();
    let output = daemon.cli(&["tui"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("needs a terminal") && error.contains("status --watch"), "{error}");
    let mut terminal = tui(&daemon, 80, 24, &[("TERM", "dumb")]);
    assert_eq!(terminal.end().code(), Some(2));
}
