//! `database test`: how each configured backend is, found out from here, with what a running daemon says of its backlog.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use filamentbox_core::config::{Config, Settings};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::status::moment;
use crate::cli::JsonArgs;
use crate::client::Client;
use crate::settings::Places;
use crate::sinks::{self, Finding, Health, Labels};

/// A server that says nothing for so long does not work.
const LIMIT: Duration = Duration::from_secs(15);
/// HTTP dates are whole seconds, and an answer takes its time: less is no difference.
const CLOCK_SAME_MS: u64 = 2_000;
/// From here on, points are visibly at a wrong place on the server's charts.
const CLOCK_WRONG_MS: u64 = 60_000;

/// A backend that was looked at.
#[derive(Clone, Debug)]
pub(super) struct Tested {
    /// Its word in `database.type`.
    pub(super) name: &'static str,
    /// Its address, as set.
    server: String,
    health: Health,
    /// The daemon's view of it: an object, or null.
    daemon: Value,
}

pub(super) fn test(args: &JsonArgs, places: Places) -> Result<ExitCode> {
    let data_dir = places.data_dir.clone();
    let loaded = match super::load_settings(places, false) {
        Ok(loaded) => loaded,
        Err(problem) => return super::refuse_settings(problem),
    };
    let backends = test_all(&loaded.settings, &loaded.config, &data_dir)?;
    let healthy = backends.iter().all(Tested::is_good);
    if args.json {
        let backends: Vec<Value> = backends.iter().map(Tested::json).collect();
        super::say(serde_json::to_string_pretty(&json!({ "healthy": healthy, "backends": backends }))?);
    } else if backends.is_empty() {
        super::say("no backend is configured (database.type is none); the history stays in the journal");
    } else {
        let width = backends.iter().map(|backend| backend.name.len()).max().unwrap_or(0);
        for backend in &backends {
            let word = if backend.is_good() { "ok" } else { "FAIL" };
            super::say(format_args!("{:width$}  {word:4}  {}", backend.name, backend.line()));
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Looks at every configured backend at once, and asks the daemon for the backlogs if one answers.
pub(super) fn test_all(settings: &Settings, config: &Config, data_dir: &Path) -> Result<Vec<Tested>> {
    let labels = Labels::of(config);
    super::block_on(async {
        let mut tests = JoinSet::new();
        for (index, kind) in config.backends.iter().filter_map(|name| sinks::find(name)).enumerate() {
            let mut sink = (kind.open)(settings, &labels)?;
            let server = server(settings, kind.name);
            tests.spawn(async move {
                let late = || {
                    let reason = format!("no answer within {} s", LIMIT.as_secs());
                    Health { reachable: Finding::No(reason), ..Health::unknown() }
                };
                let health = timeout(LIMIT, sink.test()).await.unwrap_or_else(|_| late());
                (index, Tested { name: kind.name, server, health, daemon: Value::Null })
            });
        }
        let mut tested = tests.join_all().await;
        tested.sort_by_key(|(index, _)| *index);
        let mut tested: Vec<Tested> = tested.into_iter().map(|(_, tested)| tested).collect();
        if !tested.is_empty()
            && let Ok(answer) = Client::new(data_dir)?.get("/api/database").await
        {
            for backend in &mut tested {
                let mut sinks = answer["sinks"].as_array().into_iter().flatten();
                backend.daemon = sinks.find(|sink| sink["type"] == backend.name).cloned().unwrap_or_default();
            }
        }
        Ok(tested)
    })
}

/// Where it is: its URL, or host and port.
fn server(settings: &Settings, name: &str) -> String {
    let text =
        |part: &str| settings.get(&format!("database.{name}.{part}")).map(|setting| setting.text.expose().to_owned());
    match (text("url"), text("host"), text("port")) {
        (Some(url), _, _) => url,
        (None, Some(host), Some(port)) => format!("{host}:{port}"),
        (None, host, _) => host.unwrap_or_default(),
    }
}

impl Tested {
    #[cfg(test)]
    pub(super) fn of(name: &'static str, health: Health) -> Self {
        Self { name, server: "http://s:1".to_owned(), health, daemon: Value::Null }
    }

    pub(super) fn is_good(&self) -> bool {
        self.health.is_good()
    }

    /// What keeps points from being delivered.
    fn problem(&self) -> Option<String> {
        let looked_at = [&self.health.reachable, &self.health.authenticated, &self.health.may_write];
        let reason = looked_at.into_iter().find_map(|finding| match finding {
            Finding::No(reason) => Some(reason.clone()),
            Finding::Yes | Finding::Unknown => None,
        });
        reason.or_else(|| (!self.is_good()).then(|| "whether it takes points could not be found out".to_owned()))
    }

    /// All that was found out, without the name.
    pub(super) fn line(&self) -> String {
        let mut line = match self.problem() {
            Some(reason) if reason.contains(&self.server) => reason,
            Some(reason) => format!("{}: {reason}", self.server),
            None => format!("{}: authenticated, may write", self.server),
        };
        let mut add = |part: &str| {
            let _infallible = write!(line, ", {part}");
        };
        self.health.version.iter().for_each(|version| add(version));
        self.health.clock_ahead_ms.iter().for_each(|ahead_ms| add(&clock(*ahead_ms)));
        self.backlog().iter().for_each(|backlog| line.push_str(backlog));
        line
    }

    fn backlog(&self) -> Option<String> {
        let mut text = format!("; backlog {} points", self.daemon.get("backlog_points")?);
        if let Some(oldest) = self.daemon["oldest_unsent"].as_f64() {
            let _infallible = write!(text, ", the oldest of {}", moment(oldest));
        }
        if let Some(error) = self.daemon["last_error"].as_str() {
            let _infallible = write!(text, ", last error: {error}");
        }
        Some(text)
    }

    /// For programs. Keys are never renamed or removed; new ones may come.
    fn json(&self) -> Value {
        let answer = |finding: &Finding| match finding {
            Finding::Yes => json!(true),
            Finding::No(_) => json!(false),
            Finding::Unknown => Value::Null,
        };
        let of_daemon = |key: &str| self.daemon.get(key).cloned().unwrap_or_default();
        json!({
            "type": self.name,
            "server": self.server,
            "ok": self.is_good(),
            "reachable": answer(&self.health.reachable),
            "authenticated": answer(&self.health.authenticated),
            "may_write": answer(&self.health.may_write),
            "reason": self.problem(),
            "version": self.health.version,
            "clock_ahead_ms": self.health.clock_ahead_ms,
            "backlog_points": of_daemon("backlog_points"),
            "oldest_unsent": of_daemon("oldest_unsent"),
            "last_error": of_daemon("last_error"),
        })
    }
}

/// The server's clock, compared with ours.
fn clock(ahead_ms: i64) -> String {
    let difference = ahead_ms.unsigned_abs();
    if difference < CLOCK_SAME_MS {
        return "same clock".to_owned();
    }
    let way = if ahead_ms > 0 { "ahead" } else { "behind" };
    let advice = if difference > CLOCK_WRONG_MS { "! set the wrong one of the two right (timedatectl)" } else { "" };
    format!("its clock {} s {way}{advice}", difference / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_on_both_sides_of_each_limit() {
        for (ahead_ms, expected) in [
            (0, "same clock"),
            (-1_999, "same clock"),
            (2_000, "its clock 2 s ahead"),
            (-60_000, "its clock 60 s behind"),
            (60_001, "its clock 60 s ahead! set the wrong one of the two right (timedatectl)"),
            (i64::MIN, "its clock 9223372036854775 s behind! set the wrong one of the two right (timedatectl)"),
        ] {
            assert_eq!(clock(ahead_ms), expected, "{ahead_ms}");
        }
    }

    #[test]
    fn a_line_says_what_was_found_out_and_no_more() {
        let tested = |health, daemon| Tested { daemon, ..Tested::of("x", health) };
        let good = Health {
            version: Some("X 1".to_owned()),
            clock_ahead_ms: Some(5_000),
            ..Health::unknown().of_write(&Ok(()))
        };
        let daemon = json!({ "backlog_points": 3, "oldest_unsent": null, "last_error": "no route" });
        assert_eq!(
            tested(good, daemon).line(),
            "http://s:1: authenticated, may write, X 1, its clock 5 s ahead; backlog 3 points, last error: no route"
        );
        let no = |reason: &str| Health { reachable: Finding::No(reason.to_owned()), ..Health::unknown() };
        assert_eq!(tested(no("dead"), Value::Null).line(), "http://s:1: dead");
        assert_eq!(
            tested(no("cannot connect to http://s:1: dead"), Value::Null).line(),
            "cannot connect to http://s:1: dead"
        );
        let unknown = tested(Health::unknown(), Value::Null);
        assert_eq!(unknown.line(), "http://s:1: whether it takes points could not be found out");
        assert!(!unknown.is_good());
    }
}
