//! What is trusted over TLS, and in words what is not.
//!
//! rustls with ring; the operating system's certificate authorities, and those of `ca_file` on top. All are loaded only where TLS is
//! used: reading them costs 0.4 MB and, unoptimised on a desktop, 20 ms.

use std::error::Error;
use std::io;
use std::sync::Arc;

use filamentbox_core::config::ConfigError;
use jiff::Timestamp;
use reqwest::Certificate;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, ClientConfig, RootCertStore};

use super::http::causes;

/// What to do when no certificate authority is known at all.
pub(crate) const NO_AUTHORITY: &str =
    "install the system's certificate authorities (apt install ca-certificates), or give a ca_file";

/// All TLS of the process is ring's.
pub(super) fn use_ring() {
    // An error means that another thread was first, with the same provider.
    let _ = ring::default_provider().install_default();
}

/// TLS settings that trust nobody, for a client that never uses TLS.
pub(crate) fn no_tls() -> ClientConfig {
    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

/// The certificates in the PEM file `path`, the value of `key`; none when it is not set.
pub(crate) fn authorities(path: &str, key: &str) -> Result<Vec<Certificate>, ConfigError> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let refused = |why: String| ConfigError {
        key: key.to_owned(),
        problem: format!("{path:?} is not allowed ({why}); allowed: a readable PEM file with at least one certificate"),
    };
    let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| refused(causes(&error)))?;
    if certificates.is_empty() { Err(refused("there is no certificate in it".to_owned())) } else { Ok(certificates) }
}

/// Why TLS with `server` failed and what to do, when `error` is about its certificate or its protocol. `ca_key` is the setting that can
/// hold its authority.
pub(super) fn distrust(error: &(dyn Error + 'static), server: &str, ca_key: &str) -> Option<String> {
    let problem = match find(error)? {
        rustls::Error::InvalidCertificate(problem) => problem,
        rustls::Error::InvalidMessage(_) => {
            return Some(format!("{server} does not speak TLS: must its URL begin with http://?"));
        }
        _ => return None,
    };
    let certificate = format!("the certificate of {server}");
    let by_this_clock = |now: Option<&UnixTime>| match now.and_then(date) {
        Some(now) => format!("by this machine's clock ({now}): is the clock right?"),
        None => "by this machine's clock: is the clock right?".to_owned(),
    };
    Some(match problem {
        CertificateError::ExpiredContext { time, not_after } => {
            let since = date(not_after).map_or(String::new(), |day| format!(" since {day}"));
            format!("{certificate} is expired{since} {}", by_this_clock(Some(time)))
        }
        CertificateError::Expired => format!("{certificate} is expired {}", by_this_clock(None)),
        CertificateError::NotValidYetContext { time, not_before } => {
            let until = date(not_before).map_or(String::new(), |day| format!(" before {day}"));
            format!("{certificate} is not valid yet{until} {}", by_this_clock(Some(time)))
        }
        CertificateError::NotValidYet => format!("{certificate} is not valid yet {}", by_this_clock(None)),
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "{certificate} is for another name ({}): use that name in the URL, or give the server a certificate for this one",
            names(presented)
        ),
        CertificateError::NotValidForName => format!("{certificate} is for another name"),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            format!("{certificate} is not trusted; put its authority into {ca_key}")
        }
        other if other.to_string().contains("CaUsedAsEndEntity") => format!(
            "{certificate} is that of an authority itself, which is not accepted; give the server one of its own, signed by it"
        ),
        other => format!("{certificate} is not accepted: {other}"),
    })
}

/// The TLS error among the causes.
fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error does not name as its source what it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

/// A day, as people write it.
pub(crate) fn date(time: &UnixTime) -> Option<String> {
    let time = Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()?;
    Some(time.strftime("%Y-%m-%d").to_string())
}

/// The names as webpki gives them, such as `DnsName("a.example")` and `IpAddress(127.0.0.1)`, without what is not the name.
fn names(presented: &[String]) -> String {
    let name =
        |text: &String| text.split(['(', ')', '"']).filter(|part| !part.is_empty()).nth(1).unwrap_or(text).to_owned();
    let names: Vec<String> = presented.iter().map(name).collect();
    if names.is_empty() { "it has none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_their_kind() {
        let presented = ["DnsName(\"nas.local\")", "IpAddress(10.0.0.1)", "DnsName(\"nas\")"].map(ToOwned::to_owned);
        assert_eq!(names(&presented), "nas.local, 10.0.0.1, nas");
        assert_eq!(names(&[]), "it has none");
    }
}
