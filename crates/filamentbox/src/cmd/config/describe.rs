//! `config describe`

use std::process::ExitCode;

use anyhow::Result;

use super::{complain, say, unknown};
use crate::cli::DescribeArgs;
use crate::settings::{self, dialects, reference};

pub(super) fn describe(args: &DescribeArgs) -> Result<ExitCode> {
    let registry = settings::registry();
    if args.markdown {
        say(reference::markdown(&registry).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let given = args.key.as_deref().unwrap_or_default();
    let now = dialects::now_called(given, &|_| None).and_then(|keys| keys.into_iter().next());
    if let Some(now) = &now {
        complain(format_args!("{given} is called {now} now"));
    }
    let prefix = now.as_deref().unwrap_or(given);
    let specs: Vec<_> = match registry.find(prefix) {
        Some(spec) => vec![spec],
        None => registry.specs().iter().copied().filter(|spec| spec.key.starts_with(prefix)).collect(),
    };
    if specs.is_empty() {
        return Ok(unknown(&registry, prefix));
    }
    specs.into_iter().for_each(|spec| say(reference::describe(spec)));
    Ok(ExitCode::SUCCESS)
}
