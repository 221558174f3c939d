//! InfluxDB: one section with a version there, a section a version here.

use super::{Meaning, Others, one};

/// What the original takes when no version is set.
const VERSION: u8 = 2;

/// The version that `text` names.
pub(super) fn version_of(text: &str) -> Option<u8> {
    let text = text.trim().trim_start_matches(['v', 'V']);
    let major = text.split('.').next()?;
    major.parse().ok().filter(|version| (1..=3).contains(version))
}

/// The version in force: our word for the backend says it, or else the original's key.
pub(super) fn version(others: &Others<'_>) -> u8 {
    let backends = others("database.type").unwrap_or_default().to_ascii_lowercase();
    let in_word = backends.split(',').find_map(|word| version_of(word.trim().strip_prefix("influxdb_")?));
    in_word.or_else(|| version_of(&others("database.influxdb.version")?)).unwrap_or(VERSION)
}

/// What a key of the section `influxdb` (release 1) or `database.influxdb` means; `None` for any other.
pub(super) fn meaning(key: &str, text: &str, others: &Others<'_>) -> Option<Meaning> {
    if let Some(name) = key.strip_prefix("influxdb.") {
        return first_dialect(name, text, others);
    }
    let name = key.strip_prefix("database.influxdb.")?;
    let version = version(others);
    let section = format!("database.influxdb_v{version}");
    let now = |name: &str| Some(one(&format!("{section}.{name}"), text));
    let ignored = |reason: &str| Some(Meaning::Ignored(format!("InfluxDB {version} {reason}")));
    match (name, version) {
        ("url", _) => Some(one(&format!("{section}.url"), url(text, None, port(version)))),
        ("host" | "port", _) => Some(address("database.influxdb", &section, key, text, others, port(version))),
        ("token" | "password", 1) => now("password"),
        ("token", _) => now("token"),
        ("bucket" | "database", 2) => now("bucket"),
        ("bucket" | "database", _) => now("database"),
        ("org", 2) => now("org"),
        ("org", _) => ignored("has no organisations"),
        ("username", 1) => now("username"),
        ("username" | "password", _) => ignored("knows us by the token alone"),
        ("retention_policy", 1) => now("retention_policy"),
        _ => None,
    }
}

fn first_dialect(name: &str, text: &str, others: &Others<'_>) -> Option<Meaning> {
    let section = "database.influxdb_v1";
    match name {
        "host" | "port" => Some(address("influxdb", section, &format!("influxdb.{name}"), text, others, port(1))),
        // Without this key the original did not start; with it, this is where its points went.
        "database" => {
            let mut now = vec![(format!("{section}.database"), text.to_owned())];
            if others("database.type").is_none() {
                now.push(("database.type".to_owned(), "influxdb_v1".to_owned()));
            }
            Some(Meaning::Now(now))
        }
        _ => None,
    }
}

/// Host and port, which are one address here.
fn address(old: &str, section: &str, key: &str, text: &str, others: &Others<'_>, port: u16) -> Meaning {
    let part = |name: &str| {
        let name = format!("{old}.{name}");
        if name == key { Some(text.to_owned()) } else { others(&name) }
    };
    let host = part("host").filter(|host| !host.trim().is_empty());
    one(&format!("{section}.url"), url(host.as_deref().unwrap_or("localhost"), part("port").as_deref(), port))
}

fn port(version: u8) -> u16 {
    if version == 3 { 8181 } else { 8086 }
}

/// An address with its scheme and port. One that has a scheme is left as it is.
fn url(host: &str, port: Option<&str>, usual_port: u16) -> String {
    let host = host.trim();
    if host.is_empty() || host.contains("://") {
        return host.to_owned();
    }
    let is_bare_ipv6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    let has_port = !is_bare_ipv6 && !host.ends_with(']') && host.contains(':');
    let host = if is_bare_ipv6 { format!("[{host}]") } else { host.to_owned() };
    match port.map(str::trim) {
        None if has_port => format!("http://{host}"),
        None => format!("http://{host}:{usual_port}"),
        Some(port) => format!("http://{host}:{port}"),
    }
}
