//! `config get`

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::{Installation, complain_of, old_names, say, shown, unknown};
use crate::cli::GetArgs;
use crate::settings::Access;

pub(super) fn get(args: &GetArgs, installation: &Installation) -> Result<ExitCode> {
    let sources = installation.open(Access::Existing, false)?;
    let now = old_names::current(&args.key, installation)?;
    let key = now.as_deref().unwrap_or(args.key.as_str());
    if sources.registry.find(key).is_none() {
        return Ok(unknown(&sources.registry, key));
    }
    let survey = sources.survey(&sources.stored()?);
    let problems = &survey.problems;
    let is_about_key = |problem: &_| super::keys_of(problem).any(|named| named == key);
    match survey.settings.get(key) {
        _ if problems.iter().any(is_about_key) => {}
        Some(setting) => say(shown(&sources.registry, key, setting.text.expose(), args.reveal)),
        None => bail!("{key} is not set"),
    }
    // The value is right, but no daemon starts with these settings.
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { complain_of("no daemon starts like this", problems) })
}
