//! `outputs off`: without a daemon and without a guard. For `ExecStopPost=`, and for people in doubt.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use filamentbox_guard::{LineSpec, outputs_off, recorded_lines};

use crate::cli::OutputsOffArgs;
use crate::runtime::guard::{STATE_DIR, slots};
use crate::settings::Places;

pub(super) fn off(args: &OutputsOffArgs, places: Places) -> Result<ExitCode> {
    let state_dir = args.state_dir.clone().or_else(|| std::env::var_os("STATE_DIRECTORY").map(PathBuf::from));
    let state_dir = state_dir.unwrap_or_else(|| places.data_dir.join(STATE_DIR));
    let mut is_all_known = true;
    let mut lines: Vec<LineSpec> = match super::load_settings_offline(places) {
        Ok(loaded) => slots(&loaded.config).into_iter().map(|slot| slot.line).collect(),
        Err(problem) => {
            super::complain("the settings are not known, so only what a relay guard has held is switched off:");
            super::refuse_settings(problem).map_err(super::complain).ok();
            is_all_known = false;
            Vec::new()
        }
    };
    let recorded = recorded_lines(&state_dir).unwrap_or_else(|problem| {
        super::complain(format_args!("{}: {problem}; what a relay guard has held is not known", state_dir.display()));
        is_all_known = false;
        Vec::new()
    });
    for line in recorded {
        if !lines.iter().any(|known| known.gpio == line.gpio) {
            lines.push(line);
        }
    }
    if lines.is_empty() && !is_all_known {
        super::complain("nothing was switched off: which outputs there are is not known");
        return Ok(ExitCode::FAILURE);
    }
    if lines.is_empty() {
        super::say("There is no output to switch off: none is enabled, and no relay guard has held one.");
        return Ok(ExitCode::SUCCESS);
    }
    let mut code = ExitCode::SUCCESS;
    for (line, result) in outputs_off(&lines) {
        let level = if line.active_low { "high" } else { "low" };
        match result {
            Ok(()) => super::say(format_args!("{} (GPIO{}): inactive, driven {level}", line.name, line.gpio)),
            Err(problem) => {
                super::complain(format_args!("{} (GPIO{}): NOT switched off: {problem}", line.name, line.gpio));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
