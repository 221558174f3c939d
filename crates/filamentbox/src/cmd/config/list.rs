//! `config list`

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Result;
use filamentbox_core::config::{ConfigError, Registry, Source};
use serde_json::json;

use super::{Installation, Usage, complain_of, keys_of, say, shown};
use crate::cli::ListArgs;
use crate::settings::{Access, Survey};

/// Shown instead of a value that is not allowed: the problem's text has it.
const REFUSED: &str = "(refused)";
/// Marks what is named in a problem.
const MARK: &str = "  !";
/// Columns of a terminal that does not tell.
const COLUMNS: usize = 80;
/// A value's column is not made narrower.
const NARROWEST_VALUE: usize = 12;
/// In a pipe a longer value pushes its source to the right.
const WIDEST_VALUE: usize = 40;

struct Row {
    key: String,
    /// Nothing where it is refused.
    value: Option<String>,
    source: Source,
    problem: Option<String>,
}

pub(super) fn list(args: &ListArgs, installation: &Installation) -> Result<ExitCode> {
    let sources = installation.open(Access::Existing, args.simulate)?;
    let survey = sources.survey(&sources.stored()?);
    let problems = &survey.problems;
    let mut rows = rows(&sources.registry, &survey, problems, args.reveal);
    let prefix = args.prefix.as_deref().unwrap_or_default();
    rows.retain(|row| row.key.starts_with(prefix));
    if rows.is_empty() {
        let hint = sources.registry.nearest(prefix).map_or(String::new(), |near| format!("; did you mean {near}?"));
        let text = format!("no key begins with {prefix:?}{hint} (`filamentbox config list` shows all keys)");
        return Err(Usage(text).into());
    }
    rows.retain(|row| !args.changed || row.source != Source::Default);
    if args.json {
        say(as_json(&rows)?)
    } else {
        say_table(&rows)
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { complain_of("no daemon starts like this", problems) })
}

/// Every key's value, and every value that is refused; by key.
fn rows(registry: &Registry, survey: &Survey, problems: &[ConfigError], reveal: bool) -> Vec<Row> {
    let mut rows: Vec<_> = survey
        .settings
        .iter()
        .map(|(key, setting)| Row {
            key: key.to_owned(),
            value: Some(shown(registry, key, setting.text.expose(), reveal)),
            source: setting.source,
            problem: None,
        })
        .collect();
    for (source, problem) in &survey.refused {
        // What stands below a refused value does not hold.
        rows.retain(|row| row.key != problem.key || row.source <= *source);
        rows.push(Row {
            key: problem.key.clone(),
            value: None,
            source: *source,
            problem: Some(problem.problem.clone()),
        });
    }
    let further = problems.iter().filter(|problem| !survey.refused.iter().any(|(_, refused)| refused == *problem));
    for problem in further {
        for row in rows.iter_mut().filter(|row| row.value.is_some() && keys_of(problem).any(|key| key == row.key)) {
            row.problem = Some(problem.problem.clone());
        }
    }
    rows.sort_by(|a, b| (&a.key, a.source).cmp(&(&b.key, b.source)));
    rows
}

fn as_json(rows: &[Row]) -> serde_json::Result<String> {
    let rows = rows.iter().map(|row| {
        let mut object = json!({"key": row.key, "value": row.value, "source": row.source.to_string()});
        if let Some(problem) = &row.problem {
            object["problem"] = json!(problem);
        }
        object
    });
    serde_json::to_string_pretty(&rows.collect::<Vec<_>>())
}

fn say_table(rows: &[Row]) {
    let value = |row: &Row| row.value.clone().unwrap_or_else(|| REFUSED.to_owned());
    let width = |column: &dyn Fn(&Row) -> usize| rows.iter().map(column).max().unwrap_or(0);
    let key_width = width(&|row| row.key.chars().count());
    let source_width = width(&|row| row.source.to_string().len() + row.problem.as_ref().map_or(0, |_| MARK.len()));
    let is_terminal = std::io::stdout().is_terminal();
    let columns = terminal_size::terminal_size().map_or(COLUMNS, |(width, _)| usize::from(width.0));
    let room = columns.saturating_sub(key_width + source_width + 4).max(NARROWEST_VALUE);
    let value_width = width(&|row| value(row).chars().count()).min(if is_terminal { room } else { WIDEST_VALUE });
    for row in rows {
        let text = if is_terminal { shortened(&value(row), value_width) } else { value(row) };
        let mark = row.problem.as_ref().map_or("", |_| MARK);
        say(format_args!("{:key_width$}  {text:value_width$}  {}{mark}", row.key, row.source));
    }
}

/// `text` in at most `width` characters.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}
