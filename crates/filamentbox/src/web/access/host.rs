//! Which hosts are this one, and which origins are this page.
//!
//! A web page elsewhere can let its own name point here ("DNS rebinding"); its visitor's browser then takes this daemon for that page. The
//! browser still says the name, and that is the defence: only our names and addresses are answered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest name there can be, in bytes.
const NAME_MAX: usize = 253;
/// What the page is called on every network with mDNS, whatever the machine is called.
const OWN_NAME: &str = "filamentbox.local";

/// What is before the port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Host {
    /// An IP address; IPv4 in IPv6 is IPv4.
    Address(IpAddr),
    /// A name in small letters, without a last dot.
    Name(String),
}

/// `HOST[:PORT]`, as in a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port, where it is said.
    pub port: Option<u16>,
}

/// A page's origin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Whether it is `https`.
    pub is_https: bool,
    /// The rest.
    pub authority: Authority,
}

impl Authority {
    /// From the text of a `Host`.
    pub fn parse(text: &str) -> Option<Self> {
        // What follows the host is nothing, or a colon and a port.
        let (host, tail) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, tail) = rest.split_once(']')?;
                let address: Ipv6Addr = address.parse().ok()?;
                (Host::Address(IpAddr::V6(address).to_canonical()), tail)
            }
            None => {
                let (name, tail) = text.split_at(text.find(':').unwrap_or(text.len()));
                (name_or_address(name)?, tail)
            }
        };
        let port = match tail.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => Some(digits.parse().ok()?),
            None if tail.is_empty() => None,
            _ => return None,
        };
        Some(Self { host, port })
    }
}

fn name_or_address(text: &str) -> Option<Host> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(Host::Address(address.into()));
    }
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
    let is_name = text.len() <= NAME_MAX && text.split('.').all(is_label);
    is_name.then(|| Host::Name(text.to_ascii_lowercase()))
}

impl Origin {
    /// From the text of an `Origin`; nothing for `null` and for what is no page of a web server.
    pub fn parse(text: &str) -> Option<Self> {
        let (is_https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return None,
        };
        Some(Self { is_https, authority: Authority::parse(rest)? })
    }

    /// Whether this is the page that `host`, where the request went, serves. Behind a reverse proxy a page may be `https` though the
    /// request is not; never the other way round.
    pub fn is_of(&self, host: &Authority, is_tls: bool) -> bool {
        let default = if self.is_https { 443 } else { 80 };
        let port = |authority: &Authority| authority.port.unwrap_or(default);
        self.authority.host == host.host && port(&self.authority) == port(host) && (self.is_https || !is_tls)
    }
}

/// Names and addresses that are this machine's, besides the address at which a connection arrived.
#[derive(Clone, Default, Debug)]
pub struct OwnNames {
    names: Vec<Host>,
}

impl OwnNames {
    /// With the machine's name and what `webui.allowed_hosts` lists.
    pub fn new(hostname: &str, listed: &str) -> Self {
        let mut names = vec![Host::Name(OWN_NAME.to_owned())];
        let short = hostname.split('.').next().unwrap_or_default();
        let own = [hostname.to_owned(), short.to_owned(), format!("{short}.local")];
        // `localhost` is a name of the loopback only, whatever the machine is called.
        let own = own.iter().filter_map(|name| name_or_address(name)).filter(|host| !is_loopback_name(host));
        names.extend(own);
        names.extend(items(listed).filter_map(|item| Authority::parse(item).map(|listed| listed.host)));
        Self { names }
    }

    /// Whether a request for `host` that arrived at the address `local` is for this machine.
    pub fn are(&self, host: &Host, local: IpAddr) -> bool {
        let local = local.to_canonical();
        match host {
            Host::Address(address) if *address == local => true,
            name if is_loopback_name(name) => local.is_loopback(),
            other => self.names.contains(other),
        }
    }
}

fn is_loopback_name(host: &Host) -> bool {
    *host == Host::Name("localhost".to_owned())
}

fn items(listed: &str) -> impl Iterator<Item = &str> {
    listed.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// The first of `webui.allowed_hosts` that is no host.
pub fn not_a_host(listed: &str) -> Option<&str> {
    items(listed).find(|item| Authority::parse(item).is_none_or(|authority| authority.port.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, local: &str, expected: bool) {
        let names = OwnNames::new("Pi-3.lan", " box.example , 198.51.100.7,");
        let found = Authority::parse(host)
            .is_some_and(|authority| names.are(&authority.host, local.parse().expect("an address")));
        assert_eq!(found, expected, "{host:?} at {local}");
    }

    #[test]
    fn an_address_is_ours_where_the_connection_arrived() {
        for (host, local) in [
            ("192.168.1.5", "192.168.1.5"),
            ("192.168.1.5:5000", "192.168.1.5"),
            ("192.168.1.5:80", "::ffff:192.168.1.5"),
            ("[::ffff:192.168.1.5]:5000", "192.168.1.5"),
            ("127.0.0.1:5000", "127.0.0.1"),
            ("127.0.0.2", "127.0.0.2"),
            ("[::1]:5000", "::1"),
            ("[2001:db8::5]", "2001:db8::5"),
            ("[2001:DB8:0::5]:1", "2001:db8::5"),
            ("198.51.100.7", "192.168.1.5"),
        ] {
            check(host, local, true);
        }
        for (host, local) in [
            ("192.168.1.6", "192.168.1.5"),
            ("127.0.0.1", "192.168.1.5"),
            ("[::1]", "192.168.1.5"),
            ("0.0.0.0:5000", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("[::]", "::1"),
            ("[fe80::1%eth0]", "fe80::1"),
            ("::1", "::1"),
        ] {
            check(host, local, false);
        }
    }

    #[test]
    fn our_names_are_ours_and_no_others() {
        for host in [
            "pi-3",
            "PI-3:5000",
            "pi-3.local",
            "Pi-3.LOCAL.:5000",
            "pi-3.lan",
            "filamentbox.local",
            "FilamentBox.local:80",
            "box.example",
            "BOX.example.:443",
        ] {
            check(host, "192.168.1.5", true);
        }
        for host in [
            "evil.example",
            "filamentbox.local.evil.example",
            "evil.filamentbox.local",
            "filamentbox",
            "pi-3.evil.example",
            "192.168.1.5.nip.io",
            "x.box.example",
            "localhost",
            "localhost:5000",
            "pi-3..",
        ] {
            check(host, "192.168.1.5", false);
        }
        for host in ["localhost", "LOCALHOST:5000", "localhost."] {
            check(host, "127.0.0.1", true);
            check(host, "::1", true);
        }
        check("x.localhost", "127.0.0.1", false);
    }

    #[test]
    fn a_machine_that_is_called_localhost_has_no_loopback_name_on_the_network() {
        let names = OwnNames::new("localhost.localdomain", "");
        assert!(!names.are(&Host::Name("localhost".to_owned()), IpAddr::from([192, 168, 1, 5])));
    }

    #[test]
    fn what_is_no_host() {
        for bad in [
            "",
            ":5000",
            "a b",
            "a:b",
            "a:70000",
            "a:1:2",
            "a:+1",
            "[::1",
            "[::1]x",
            "[::1]:x",
            "[]",
            "a/b",
            "a@b",
            "é",
            ".",
            "a..b",
            "a,b",
            "a\\b",
            "%31",
            "[1.2.3.4]",
        ] {
            assert_eq!(Authority::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Authority::parse(&"a".repeat(254)), None);
    }

    #[test]
    fn a_list_of_hosts_is_checked() {
        for good in ["", "a", " a, b.example ,192.0.2.1,[2001:db8::1]"] {
            assert_eq!(not_a_host(good), None, "{good}");
        }
        for (listed, bad) in [("a, *.b", "*.b"), ("http://a", "http://a"), ("a:80", "a:80"), ("a b", "a b")] {
            assert_eq!(not_a_host(listed), Some(bad));
        }
    }

    #[track_caller]
    fn check_origin(origin: &str, host: &str, is_tls: bool, expected: bool) {
        let host = Authority::parse(host).expect("a host");
        let found = Origin::parse(origin).is_some_and(|origin| origin.is_of(&host, is_tls));
        assert_eq!(found, expected, "{origin} at {host:?}");
    }

    #[test]
    fn the_page_itself_and_nobody_else() {
        check_origin("http://pi.local:5000", "PI.local.:5000", false, true);
        check_origin("http://pi.local", "pi.local", false, true);
        check_origin("http://pi.local", "pi.local:80", false, true);
        check_origin("https://pi.local", "pi.local", false, true);
        check_origin("https://pi.local", "pi.local:443", true, true);
        check_origin("http://[::1]:5000", "[::1]:5000", false, true);
        check_origin("http://pi.local", "pi.local", true, false);
        check_origin("http://pi.local:5001", "pi.local:5000", false, false);
        check_origin("http://pi.local", "pi.local:5000", false, false);
        check_origin("http://evil.example:5000", "pi.local:5000", false, false);
        check_origin("http://pi.local.evil.example", "pi.local", false, false);
        check_origin("http://evil.example@pi.local", "pi.local", false, false);
        check_origin("http://pi.local/", "pi.local", false, false);
        check_origin("null", "pi.local", false, false);
        check_origin("", "pi.local", false, false);
        check_origin("file://", "pi.local", false, false);
        check_origin("chrome-extension://pi.local", "pi.local", false, false);
    }
}
