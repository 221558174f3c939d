//! `config token ...`: what programs come with. The settings hold a token's scope and its SHA-256; the token is shown once.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use filamentbox_core::config::Source;
use serde_json::json;

use super::change::{refuse, who};
use super::{Installation, Usage, complain, say};
use crate::cli::{ScopeArg, TokenCommand};
use crate::settings::{Access, Change, SettingsError};
use crate::web::access::secrets::Digest;
use crate::web::access::tokens::{self, PREFIX, Scope, Stored};

pub(super) fn token(command: TokenCommand, installation: &Installation) -> Result<ExitCode> {
    match command {
        TokenCommand::Create { name, scope } => create(&name, scope, installation),
        TokenCommand::List { json } => list(json, installation),
        TokenCommand::Revoke { name } => revoke(&name, installation),
    }
}

fn create(name: &str, scope: ScopeArg, installation: &Installation) -> Result<ExitCode> {
    if !tokens::is_name(name) {
        return Err(
            Usage(format!("{name:?} is no name for a token; allowed: 1 to 64 of A-Z, a-z, 0-9, _, - and .")).into()
        );
    }
    let key = format!("{PREFIX}{name}");
    if source(&key, installation)?.is_some() {
        let hint = format!("`filamentbox config token revoke {name}` takes it back");
        return Err(Usage(format!("there is a token {name} already; {hint}")).into());
    }
    let scope = match scope {
        ScopeArg::Read => Scope::Read,
        ScopeArg::Control => Scope::Control,
    };
    let token = tokens::new().context("there are no random numbers")?;
    let text = Stored { scope, digest: Digest::of(&token) }.text();
    let code = change(Change { key, text: Some(text) }, "config token create", installation)?;
    if code == ExitCode::SUCCESS {
        say(&*token);
        complain(format_args!(
            "the token {name} may {}; it is shown this once: keep it where its program finds it (Authorization: Bearer ..)",
            if scope == Scope::Read { "read" } else { "read and switch" }
        ));
    }
    Ok(code)
}

fn list(json: bool, installation: &Installation) -> Result<ExitCode> {
    let sources = installation.open(Access::Existing, false)?;
    let survey = sources.survey(&sources.stored()?);
    let listed: Vec<_> = tokens::all(&survey.settings).collect();
    if json {
        let listed = listed.iter().map(|(name, stored)| json!({ "name": name, "scope": stored.scope.name() }));
        say(json!(listed.collect::<Vec<_>>()));
    } else if listed.is_empty() {
        complain("there are no tokens; `filamentbox config token create NAME` makes one");
    } else {
        let width = listed.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        listed.iter().for_each(|(name, stored)| say(format_args!("{name:width$}  {}", stored.scope)));
    }
    Ok(ExitCode::SUCCESS)
}

fn revoke(name: &str, installation: &Installation) -> Result<ExitCode> {
    let key = format!("{PREFIX}{name}");
    match source(&key, installation)? {
        None => Err(Usage(format!("there is no token {name:?}; `filamentbox config token list` lists them")).into()),
        Some(source) if source < Source::Store => {
            Err(Usage(format!("the token {name} comes from {source}; take it out there")).into())
        }
        Some(_) => {
            let code = change(Change { key, text: None }, "config token revoke", installation)?;
            if code == ExitCode::SUCCESS {
                say(format_args!("The token {name} is none any more; a running daemon refuses it within 2 s."));
            }
            Ok(code)
        }
    }
}

/// Where a key's value comes from, if it has one.
fn source(key: &str, installation: &Installation) -> Result<Option<Source>> {
    let sources = installation.open(Access::Existing, false)?;
    let survey = sources.survey(&sources.stored()?);
    Ok(survey.settings.get(key).map(|setting| setting.source))
}

fn change(change: Change, command: &str, installation: &Installation) -> Result<ExitCode> {
    let changes = [change];
    match installation.open(Access::Existing, false)?.mend(&changes, &who(command)) {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(SettingsError::Refused(problems)) => Ok(refuse(&changes, &problems)),
        Err(problem) => Err(problem.into()),
    }
}
