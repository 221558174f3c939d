//! The description of every key, as text for a terminal and as Markdown for docs/CONFIGURATION.md.

use std::fmt::Write;

use filamentbox_core::config::{KeySpec, Registry, Standing};

use super::environment::variable_name;

/// One key for a terminal.
pub fn describe(spec: &KeySpec) -> String {
    let mut text = format!("{}\n  {}\n  allowed: {}\n", spec.key, spec.doc, spec.allowed());
    let default = if spec.default.is_empty() { "not set" } else { spec.default };
    let _ = writeln!(text, "  default: {default}{}{}", if spec.unit.is_empty() { "" } else { " " }, spec.unit);
    let _ = writeln!(text, "  environment: {}", variable_name(spec.key));
    if spec.at_start {
        text.push_str("  a change takes effect at the daemon's next start\n");
    }
    if spec.standing == Standing::Reserved {
        text.push_str("  the name is fixed and the value is checked, but this version does not act on it yet\n");
    }
    text
}

/// All keys as a page.
pub fn markdown(registry: &Registry) -> String {
    let mut page = String::from(
        "# Settings\n\n\
         *Generated from the program (`filamentbox config describe --markdown`); CI checks that it is up to date.*\n\n\
         A setting comes from the environment (`FILAMENTBOX_` + the key in capitals, `.` as `__`), from Vault or OpenBao ([VAULT.md](VAULT.md)),\n\
         from the encrypted store (`filamentbox config set KEY VALUE`, [SETTINGS.md](SETTINGS.md)), or from its default; the first that has it wins.\n\
         `run --simulate` sets `sensor.type` to `simulated` whatever else is set, and changes two defaults: heating and humidity\n\
         control are enabled. `filamentbox config list` shows every value with its source. An unknown\n\
         key, a value out of range, or two settings that contradict each other are refused, all at once, with exit code 2.\n\
         A running daemon applies a changed setting within 2 s, whoever changed the store. All settings are checked as a whole; on any\n\
         problem the last good ones hold, and log, events and `status` say why. The environment is read at start only. Keys marked *At\n\
         start.* take effect at the next start; so does `sensor.type` when it changes to or from `simulated`.\n",
    );
    let mut section = "";
    for spec in registry.specs() {
        let this = spec.key.split('.').next().unwrap_or_default();
        if this != section {
            section = this;
            let _ = write!(page, "\n## {section}\n\n| key | default | allowed | |\n|---|---|---|---|\n");
        }
        let later = if spec.standing == Standing::Reserved { " *No effect yet.*" } else { "" };
        let at_start = if spec.at_start { " *At start.*" } else { "" };
        let default = if spec.default.is_empty() { String::new() } else { format!("`{}` {}", spec.default, spec.unit) };
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {}{at_start}{later} |",
            spec.key,
            default.trim(),
            spec.allowed(),
            spec.doc
        );
    }
    page
}
