//! How each configured backend is, found out from here: for `database test`, `doctor`, the editor and the page.

use std::fmt::Write;
use std::time::Duration;

use filamentbox_core::config::{Config, ConfigError, Settings};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Finding, Health, Labels};

/// HTTP dates are whole seconds, and an answer takes its time: less is no difference.
const CLOCK_SAME_MS: u64 = 2_000;
/// From here on, points are visibly at a wrong place on the server's charts.
const CLOCK_WRONG_MS: u64 = 60_000;

/// A backend that was looked at.
#[derive(Clone, Debug)]
pub struct Probed {
    /// Its word in `database.type`.
    pub name: &'static str,
    /// Its address, as set.
    pub server: String,
    /// What was found out.
    pub health: Health,
}

/// Looks at every backend of `config` at once, each for `limit` at most. Nothing is stored anywhere.
///
/// # Errors
/// When a backend cannot be opened with these settings.
pub async fn probe(settings: &Settings, config: &Config, limit: Duration) -> Result<Vec<Probed>, ConfigError> {
    let labels = Labels::of(config);
    let mut tests = JoinSet::new();
    for (index, kind) in config.backends.iter().filter_map(|name| super::find(name)).enumerate() {
        let mut sink = (kind.open)(settings, &labels)?;
        let server = server(settings, kind.name);
        tests.spawn(async move {
            let late = || {
                let reason = format!("no answer within {} s", limit.as_secs());
                Health { reachable: Finding::No(reason), ..Health::unknown() }
            };
            let health = timeout(limit, sink.test()).await.unwrap_or_else(|_| late());
            (index, Probed { name: kind.name, server, health })
        });
    }
    let mut probed = tests.join_all().await;
    probed.sort_by_key(|(index, _)| *index);
    Ok(probed.into_iter().map(|(_, probed)| probed).collect())
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

impl Probed {
    /// Whether points would be delivered.
    pub fn is_good(&self) -> bool {
        self.health.is_good()
    }

    /// What keeps points from being delivered.
    pub fn problem(&self) -> Option<String> {
        let looked_at = [&self.health.reachable, &self.health.authenticated, &self.health.may_write];
        let reason = looked_at.into_iter().find_map(|finding| match finding {
            Finding::No(reason) => Some(reason.clone()),
            Finding::Yes | Finding::Unknown => None,
        });
        reason.or_else(|| (!self.is_good()).then(|| "whether it takes points could not be found out".to_owned()))
    }

    /// All that was found out, without the name.
    pub fn line(&self) -> String {
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
        line
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
}
