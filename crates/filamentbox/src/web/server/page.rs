//! Where the page is to be, and where it is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use filamentbox_core::config::{ConfigError, Settings, Source};
use serde::Serialize;
use utoipa::ToSchema;

use super::tls::Files;
use crate::web::access::outward;

/// Where the port is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Port {
    pub(super) address: SocketAddr,
    /// With TLS by these files.
    pub(super) tls: Option<Files>,
}

impl Port {
    /// What the settings say; `None` where there is to be no port.
    pub(super) fn of(settings: &Settings, is_open: bool) -> Result<Option<Self>, String> {
        if let Some(problem) = check(settings).into_iter().next() {
            return Err(problem.to_string());
        }
        let is_default = settings.get("webui.host").is_none_or(|setting| setting.source == Source::Default);
        let host = if is_open && is_default { "127.0.0.1" } else { settings.text("webui.host") };
        let (Some(host), true) = (host_of(host), settings.switch("webui.enabled")) else { return Ok(None) };
        let port = u16::try_from(settings.integer("webui.port")).unwrap_or_default();
        let [cert, key] = ["webui.tls_cert", "webui.tls_key"].map(|key| settings.text(key).to_owned());
        let tls = (!cert.is_empty()).then_some(Files { cert, key });
        Ok(Some(Self { address: SocketAddr::new(host, port), tls }))
    }
}

/// What is wrong with the settings of the port.
pub fn check(settings: &Settings) -> Vec<ConfigError> {
    let mut problems = Vec::new();
    let mut refuse = |key: &str, problem: String| problems.push(ConfigError { key: key.to_owned(), problem });
    let host = settings.text("webui.host");
    if host_of(host).is_none() {
        let allowed = "an IP address of this machine, localhost, 0.0.0.0 (every IPv4 address), :: (every address)";
        refuse("webui.host", format!("{host:?} is not allowed; allowed: {allowed}"));
    }
    if settings.text("webui.tls_cert").is_empty() != settings.text("webui.tls_key").is_empty() {
        let problem = "one without the other is not allowed; give both files (PEM), or neither for plain HTTP";
        refuse("webui.tls_cert, webui.tls_key", problem.to_owned());
    }
    problems
}

fn host_of(text: &str) -> Option<IpAddr> {
    if text == "localhost" { Some(Ipv4Addr::LOCALHOST.into()) } else { text.parse().ok() }
}

/// Where the page is, or why not; both when it is where it was before.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Page {
    pub(super) address: Option<SocketAddr>,
    pub(super) is_tls: bool,
    pub(super) error: Option<String>,
}

/// Where the page is, and what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct ShownPage {
    /// Such as `http://192.168.1.20:5000`; null where there is no page.
    pub url: Option<String>,
    /// What is wrong, and what to do; null while all is well. It may be wrong and yet served, where it was before.
    pub error: Option<String>,
}

impl Page {
    /// With an address that other machines reach, where there is one now.
    pub fn shown(&self) -> ShownPage {
        ShownPage { url: self.url(), error: self.error.clone() }
    }

    fn url(&self) -> Option<String> {
        let address = self.address?;
        let scheme = if self.is_tls { "https" } else { "http" };
        let host = match address.ip() {
            any if any.is_unspecified() => outward().map_or_else(own_name, |own| own.to_string()),
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        Some(format!("{scheme}://{host}:{}", address.port()))
    }
}

fn own_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Layers, load, registry};

    type Values<'a> = &'a [(&'a str, &'a str)];

    #[track_caller]
    fn check_port(values: Values<'_>, is_simulated: bool, expected: Result<Option<&str>, &str>) {
        let stored = values.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        match (load(&registry(), Layers { stored, ..Layers::default() }), expected) {
            (Ok(loaded), Ok(expected)) => {
                let port = Port::of(&loaded.settings, is_simulated).expect("checked");
                assert_eq!(port.map(|port| port.address), expected.map(|text| text.parse().expect("an address")));
            }
            (Err(refused), Err(word)) => assert!(refused[0].to_string().contains(word), "{refused:?}"),
            (loaded, expected) => panic!("{values:?}: {}, expected {expected:?}", loaded.is_ok()),
        }
    }

    #[test]
    fn where_the_port_is_to_be() {
        check_port(&[], false, Ok(Some("0.0.0.0:5000")));
        check_port(&[], true, Ok(Some("127.0.0.1:5000")));
        check_port(&[("webui.host", "0.0.0.0")], true, Ok(Some("0.0.0.0:5000")));
        check_port(&[("webui.host", "::"), ("webui.port", "80")], false, Ok(Some("[::]:80")));
        check_port(&[("webui.host", "localhost")], false, Ok(Some("127.0.0.1:5000")));
        check_port(&[("webui.enabled", "false")], false, Ok(None));
        check_port(&[("webui.host", "box.local")], false, Err("an IP address of this machine"));
        check_port(&[("webui.tls_cert", "/c.pem")], false, Err("give both files"));
        check_port(&[("webui.tls_key", "/k.pem")], false, Err("give both files"));
    }

    #[test]
    fn a_page_is_shown_where_it_is() {
        let page = |address: &str, is_tls| Page { address: address.parse().ok(), is_tls, error: None }.shown().url;
        assert_eq!(page("127.0.0.1:5000", false).as_deref(), Some("http://127.0.0.1:5000"));
        assert_eq!(page("[::1]:443", true).as_deref(), Some("https://[::1]:443"));
        let any = page("0.0.0.0:5000", false).expect("somewhere");
        assert!(!any.contains("0.0.0.0") && any.ends_with(":5000"), "{any}");
        assert_eq!(Page::default().shown(), ShownPage { url: None, error: None });
    }
}
