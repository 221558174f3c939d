//! What is seen, at several sizes and with what goes wrong.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

use super::super::model::{Model, Report};
use super::super::state::{Entry, Picture};
use super::super::trail::Dot;
use super::*;

const PLAIN: Look = Look { has_colour: false, has_unicode: true, has_blocks: true };
/// A moment of the daemon's clock.
const CLOCK: f64 = 1_800_000_000.0;

fn status() -> Value {
    json!({
        "box": "main", "boxes": ["main"], "simulated": false, "version": "1.2.3", "uptime": 7325.0,
        "sensor": {
            "temperature_c": 21.27, "humidity": 11.42, "dew_point_c": -9.31, "absolute_humidity": 2.13, "pressure": null,
            "timestamp": CLOCK - 2.0, "age": 2.0, "error": null,
        },
        "controls": {
            "heater": {"on": true, "mode": "manual", "until": CLOCK + 1752.0, "reason": "switched on by hand", "enabled": true},
            "fan": {"on": false, "mode": "auto", "until": null, "reason": "11.42 % is within 10 to 15 %", "enabled": true},
        },
        "safety": {"heat_allowed": true, "reason": null, "faults": []},
        "journal": {"disk_error": null, "waiting_for_clock": false},
        "settings": {"problems": [], "restart_needed": []},
        "database": {"sinks": [
            {"type": "victoriametrics", "connected": true, "backlog_points": 0, "totals": {"delivered": 90}},
            {"type": "influxdb_v2", "connected": false, "consecutive_failures": 7, "backlog_points": 12, "last_error": "refused",
             "totals": {"delivered": 5}},
        ]},
    })
}

fn model(status: Value) -> Model {
    let picture: Picture = serde_json::from_value(status).expect("a picture");
    let mut model = Model::new("pi".to_owned(), picture.clone());
    let dot = |nth: u32| Dot {
        at: CLOCK - 7200.0 + 60.0 * f64::from(nth),
        temperature_c: 20.0 + f64::from(nth % 20) / 10.0,
        humidity_pct: 40.0 - f64::from(nth) / 4.0,
        heater_on: f64::from(nth % 2),
    };
    model.report(Report::History("main".to_owned(), (0..120).map(dot).collect()), Duration::ZERO);
    let event = |nth: u32| Entry {
        timestamp: Some(CLOCK - 10.0 * f64::from(nth)),
        r#box: Some("main".to_owned()),
        severity: if nth == 1 { "error" } else { "info" }.to_owned(),
        message: format!("event {nth}"),
    };
    model.report(Report::Events((0..40).map(event).collect()), Duration::ZERO);
    model
}

fn screen_of(model: &Model, (columns, rows): (u16, u16), seconds: u64, look: Look) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a screen");
    terminal.draw(|frame| draw(frame, model, Duration::from_secs(seconds), look)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let line = |y: u16| (0..columns).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..rows).map(line).collect()
}

#[track_caller]
fn check(model: &Model, size: (u16, u16), words: &[&str]) {
    let screen = screen_of(model, size, 3, PLAIN).join("\n");
    for word in words {
        assert!(screen.contains(word), "{word:?} is not on the screen of {size:?}:\n{screen}");
    }
}

#[test]
fn everything_is_seen_in_a_window_of_80_by_24() {
    let screen = screen_of(&model(status()), (80, 24), 3, PLAIN);
    // Local times differ from machine to machine.
    let screen: Vec<String> = screen.iter().map(|line| line.replace(|c: char| c.is_ascii_digit(), "0")).collect();
    let expected = " \
FilamentBox on pi  version 0.0.0, up 0 h 0 min
Temperature     Humidity        Water in air    Dew point       Last reading
00.00 °C        00.00 %         0.00 g/m³       -0.0 °C         0 s ago

Heater  ON   by hand, 00 min 0 s left, until 00:00:00: switched on by hand
Fan     off  automatic: 00.00 % is within 00 to 00 %
Safety       heat is allowed
── The last 0 h 00 min ─────────────────────────────────────────────────────────";
    assert_eq!(screen[..8].join("\n"), expected);
    let expected = "\
Heater on 00 %   ";
    assert!(screen[12].starts_with(expected), "{screen:#?}");
    let expected = "\
── Backends ────────────────────────────────────────────────────────────────────
influxdb_v0: FAILING (0 times): refused, 0 delivered, 00 waiting
victoriametrics: ok, 00 delivered, 0 waiting
── Events ──────────────────────────────────────────────────────────────────────
00:00:00   event 0
00:00:00 ! event 0
00:00:00   event 0
00:00:00   event 0
00:00:00   event 0
00:00:00   event 0
 H/h/^H heater on/off/auto  F/f/^F fan on/off/auto  R refresh  Q quit";
    assert_eq!(screen[13..].join("\n"), expected);
}

#[test]
fn what_matters_is_seen_in_every_window() {
    let words =
        ["FilamentBox", "21.27 °C", "11.42 %", "-9.3 °C", "Heater ", "ON", "by hand", "Fan ", "Safety", "allowed"];
    for size in [(200, 60), (120, 40), (80, 24), (60, 20), (40, 12)] {
        check(&model(status()), size, &words);
        check(&model(status()), size, &["H/h/^H", "FAILING", "event 0", "2.13 g/m³"]);
    }
    check(&model(status()), (80, 24), &["█", "20.1 to 21.9 °C", "10.4 to 39.9 %", "29 min 9 s left", "5 s ago"]);
    check(&model(status()), (200, 60), &["event 25"]);
    for size in [(1, 1), (19, 30), (30, 5), (20, 6), (25, 7)] {
        let screen = screen_of(&model(status()), size, 3, PLAIN).join("\n");
        assert!(screen.contains('w') || screen.contains("FilamentBox"), "{size:?}:\n{screen}");
    }
}

#[test]
fn what_needs_a_person_comes_first_and_says_what_to_do() {
    let mut ill = status();
    ill["simulated"] = json!(true);
    ill["safety"] =
        json!({"heat_allowed": false, "reason": "a fault is latched", "faults": ["the heater does not warm"]});
    ill["sensor"]["error"] = json!("the bus hangs");
    ill["journal"] = json!({"disk_error": "full", "waiting_for_clock": true});
    ill["settings"] = json!({"problems": ["queue.max_size: 7 is too little"], "restart_needed": ["webui.port"]});
    let ill = model(ill);
    let words = ["SIMULATED", "FAULT    the heater does not warm", "filamentbox reset", "the bus hangs"];
    check(&ill, (80, 24), &words);
    check(&ill, (40, 12), &words);
    check(
        &ill,
        (80, 24),
        &["NO HEAT: a fault is latched", "DISK    full", "queue.max_size", "CLOCK not set", "webui.port"],
    );
    check(&ill, (80, 24), &["Heater  ON", "Fan ", "21.27 °C"]);
}

#[test]
fn a_daemon_that_is_away_is_said_with_how_old_the_picture_is() {
    let mut model = model(status());
    model.report(Report::Away("no daemon answers at X".to_owned()), Duration::from_secs(2));
    model.report(Report::Away("no daemon answers at X".to_owned()), Duration::from_secs(3));
    check(&model, (80, 24), &["NO DAEMON for 1 s; this picture is 3 s old", "no daemon answers at X", "5 s ago"]);
    check(&model, (40, 12), &["NO DAEMON for 1 s", "21.27 °C"]);
}

#[test]
fn without_a_reading_nothing_is_made_up() {
    let mut blind = status();
    blind["sensor"] = json!({"temperature_c": null, "timestamp": null, "age": null, "error": "just asked"});
    blind["database"] = json!({"sinks": []});
    check(&model(blind), (80, 24), &["?               ?", "none yet", "just asked", "no backend"]);
    let empty: Picture = serde_json::from_value(json!({})).expect("a picture");
    check(&Model::new(String::new(), empty), (80, 24), &["none yet", "there is no heater"]);
}

#[test]
fn a_terminal_without_colours_and_letters_beyond_ascii_shows_the_same() {
    let look = |term: &str, lang: &str| {
        let (term, lang) = (term.to_owned(), lang.to_owned());
        Look::new(true, move |name| match name {
            "TERM" => Some(term.clone()),
            "LANG" => Some(lang.clone()),
            _ => None,
        })
    };
    let (xterm, console, old) = (look("xterm", "de_DE.UTF-8"), look("linux", "C.utf8"), look("vt100", "C.UTF-8"));
    assert!(xterm.has_colour && xterm.has_unicode && xterm.has_blocks);
    assert!(console.has_colour && console.has_unicode && !console.has_blocks);
    assert!(!old.has_colour && !old.has_unicode && !look("xterm", "C").has_unicode);
    let screen = screen_of(&model(status()), (80, 24), 3, old).join("\n");
    assert!(screen.is_ascii(), "{screen}");
    for word in ["21.27 C", "2.13 g/m3", "-- Events ---", "20.1 to 21.9 C", ".", ":", "#"] {
        assert!(screen.contains(word), "{word:?}:\n{screen}");
    }
}

#[test]
fn no_text_of_others_commands_the_terminal() {
    let mut evil = status();
    evil["database"]["sinks"][1]["last_error"] = json!("\u{1b}[2J\u{7}gone\nnew");
    let screen = screen_of(&model(evil), (80, 24), 3, PLAIN).join("\n");
    assert!(screen.contains("gone") && !screen.contains(['\u{1b}', '\u{7}']), "{screen}");
}

#[test]
fn a_long_reason_takes_some_lines_and_no_more() {
    let mut long = status();
    long["controls"]["heater"]["reason"] = json!("many words ".repeat(100));
    check(&model(long.clone()), (80, 24), &["many words..", "Fan ", "Safety"]);
    check(&model(long), (40, 12), &["..", "Fan ", "Safety"]);
}
