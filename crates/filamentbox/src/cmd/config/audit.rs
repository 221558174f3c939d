//! `config audit`

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::super::refuse_settings;
use super::say;
use crate::cli::AuditArgs;
use crate::cmd::status::moment;
use crate::settings::{self, Access, Audited, Places, Sources};

pub(super) fn audit(args: &AuditArgs, places: Places) -> Result<ExitCode> {
    let lines = Sources::open(places, Access::Existing, false, settings::variables())
        .and_then(|sources| sources.audit(args.limit));
    let lines = match lines {
        Ok(lines) => lines,
        Err(problem) => return refuse_settings(problem),
    };
    for Audited { at, who, key, old, new } in lines {
        if args.json {
            say(json!({"timestamp": at, "who": who, "key": key, "old": old, "new": new}));
        } else {
            let shown = |text: Option<String>| text.unwrap_or_else(|| "(not set)".to_owned());
            say(format_args!("{}  {key}: {} -> {}  ({who})", moment(at), shown(old), shown(new)));
        }
    }
    Ok(ExitCode::SUCCESS)
}
