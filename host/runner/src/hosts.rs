//! `allowed_outbound_hosts`: the hosts that a component may call.
//!
//! A pattern is `scheme://host[:port]`, where the scheme, the host and the port may each be `*`, and a host may
//! be `*.example.com` for any subdomain. Without a port the scheme's own port is meant. `self` is the runner. A pattern may
//! name several hosts, separated by commas, because a variable is one text; Spin takes one.
//!
//! A pattern for any host reaches public addresses only. Somebody else chose such a host, and it must not be one beside the
//! server. A private host has to be named.

use anyhow::{Context as _, bail, ensure};
use http::Uri;

/// The hosts that one component may call.
#[derive(Debug, Default)]
pub struct AllowedHosts(Vec<Pattern>);

#[derive(Debug, PartialEq, Eq)]
struct Pattern {
    /// The scheme; `None` for any.
    scheme: Option<String>,
    host: Host,
    /// The ports; `None` for any.
    port: Option<std::ops::RangeInclusive<u16>>,
}

/// The addresses that a call may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any address: the manifest names the host.
    Named,
    /// Public addresses: only a pattern for any host allows the call.
    Public,
}

#[derive(Debug, PartialEq, Eq)]
enum Host {
    Any,
    Own,
    Exact(String),
    /// The subdomains of a domain: `.example.com`
    Below(String),
}

impl AllowedHosts {
    /// Parses the patterns, variables already filled in.
    pub fn parse(patterns: &[String]) -> anyhow::Result<Self> {
        let parsed = patterns
            .iter()
            .flat_map(|pattern| each(pattern))
            .map(|pattern| Pattern::parse(&pattern).with_context(|| format!("allowed_outbound_hosts: {pattern:?}")));
        Ok(Self(parsed.collect::<anyhow::Result<_>>()?))
    }

    /// Whether `uri` may be called. `own` is the authority on which the runner itself listens.
    pub fn allows(&self, uri: &Uri, own: &str) -> bool {
        self.reach(uri, own).is_some()
    }

    /// The addresses that a call of `uri` may reach; `None` if it may not be called.
    pub fn reach(&self, uri: &Uri, own: &str) -> Option<Reach> {
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let port = authority.port_u16().or_else(|| default_port(scheme))?;
        let host = authority.host().to_ascii_lowercase();
        let fitting = self.0.iter().filter(|pattern| {
            let host_fits = match &pattern.host {
                Host::Any => true,
                Host::Own => return authority.as_str() == own,
                Host::Exact(exact) => *exact == host,
                Host::Below(suffix) => host.ends_with(suffix.as_str()) && host.len() > suffix.len(),
            };
            host_fits
                && pattern.scheme.as_deref().is_none_or(|wanted| wanted == scheme)
                && pattern.port.as_ref().is_none_or(|ports| ports.contains(&port))
        });
        let reaches = fitting.map(|pattern| if pattern.host == Host::Any { Reach::Public } else { Reach::Named });
        reaches.reduce(|one, other| if one == Reach::Named { one } else { other })
    }

    /// Whether any host may be called. Such a component may look names up, to see what it is about to call.
    pub fn any(&self) -> bool {
        self.0.iter().any(|pattern| pattern.host == Host::Any)
    }
}

/// The patterns of one text: one for each of its hosts.
fn each(text: &str) -> Vec<String> {
    match text.split_once("://") {
        Some((scheme, hosts)) => hosts.split(',').map(|host| format!("{scheme}://{}", host.trim())).collect(),
        None => vec![text.to_owned()],
    }
}

impl Pattern {
    fn parse(text: &str) -> anyhow::Result<Self> {
        if text == "self" {
            return Ok(Self { scheme: None, host: Host::Own, port: None });
        }
        ensure!(text != "insecure:allow-all", "insecure:allow-all was dropped with manifest version 2: use \"*://*:*\"");
        let (scheme, rest) = text.split_once("://").context("expected scheme://host[:port]")?;
        ensure!(!scheme.is_empty(), "the scheme is empty");
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        ensure!(!rest.contains(['/', '?', '#', '@']), "a path, a query or a user is not understood here");
        let scheme = (scheme != "*").then(|| scheme.to_ascii_lowercase());
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match port {
            Some("*") => None,
            Some(port) => Some(parse_ports(port)?),
            None => {
                let known = scheme.as_deref().and_then(default_port);
                match (known, &scheme) {
                    (Some(port), _) => Some(port..=port),
                    // Any scheme without a port: the own port of each scheme, so http and https.
                    (None, None) => None,
                    (None, Some(scheme)) => bail!("the scheme {scheme:?} has no port of its own: name one"),
                }
            }
        };
        let host = match host {
            "" => bail!("the host is empty"),
            "*" => Host::Any,
            "self" => Host::Own,
            host => match host.strip_prefix('*') {
                Some(suffix) => {
                    ensure!(suffix.starts_with('.') && !suffix.contains('*'), "* stands for whole labels: *.example.com");
                    Host::Below(suffix.to_ascii_lowercase())
                }
                None => {
                    ensure!(!host.contains('*'), "* is understood only at the beginning of a host");
                    Host::Exact(host.to_ascii_lowercase())
                }
            },
        };
        Ok(Self { scheme, host, port })
    }
}

fn parse_ports(text: &str) -> anyhow::Result<std::ops::RangeInclusive<u16>> {
    let number = |text: &str| text.parse::<u16>().with_context(|| format!("{text:?} is not a port"));
    match text.split_once("..") {
        // As in Spin, the end of a range is not part of it.
        Some((from, to)) => {
            let (from, to) = (number(from)?, number(to)?);
            ensure!(from < to, "the port range {text:?} is empty");
            Ok(from..=to - 1)
        }
        None => {
            let port = number(text)?;
            Ok(port..=port)
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(pattern: &str, uri: &str) -> bool {
        let hosts = AllowedHosts::parse(&[pattern.to_owned()]).expect("a pattern");
        hosts.allows(&uri.parse().expect("a uri"), "127.0.0.1:3000")
    }

    #[test]
    fn patterns_fit_as_in_spin() {
        for (pattern, uri, expected) in [
            ("https://api.example.com", "https://api.example.com/x", true),
            ("https://api.example.com", "https://API.example.com:443/x", true),
            ("https://api.example.com", "http://api.example.com/x", false),
            ("https://api.example.com", "https://api.example.com:8443/x", false),
            ("https://api.example.com:8443", "https://api.example.com:8443/x", true),
            ("https://*.example.com", "https://a.b.example.com/", true),
            ("https://*.example.com", "https://example.com/", false),
            ("https://*.example.com", "https://badexample.com/", false),
            ("http://127.0.0.1:*", "http://127.0.0.1:9/", true),
            ("http://127.0.0.1:8000..8010", "http://127.0.0.1:8009/", true),
            ("http://127.0.0.1:8000..8010", "http://127.0.0.1:8010/", false),
            ("*://*:*", "https://anything.test:1/", true),
            ("*://localhost", "http://localhost/", true),
            ("http://*:80", "http://anything.test/", true),
            ("http://router.spin.internal", "http://router.spin.internal/a", true),
            ("http://router.spin.internal", "http://other.spin.internal/a", false),
            ("http://*.spin.internal", "http://other.spin.internal/a", true),
            ("self", "http://127.0.0.1:3000/a", true),
            ("http://self", "http://127.0.0.1:3001/a", false),
        ] {
            assert_eq!(allows(pattern, uri), expected, "{pattern} {uri}");
        }
    }

    #[test]
    fn a_pattern_for_any_host_reaches_public_addresses_only_and_a_named_host_any() {
        let patterns = ["https://*:443", "*://127.0.0.1:8080, crm.example:*"].map(str::to_owned);
        let hosts = AllowedHosts::parse(&patterns).expect("patterns");
        let reach = |uri: &str| hosts.reach(&uri.parse().expect("a uri"), "");
        assert_eq!(reach("https://127.0.0.1/"), Some(Reach::Public));
        assert_eq!(reach("http://127.0.0.1:8080/"), Some(Reach::Named));
        assert_eq!(reach("https://crm.example/"), Some(Reach::Named));
        assert_eq!(reach("http://crm.example:81/"), Some(Reach::Named));
        assert_eq!(reach("http://127.0.0.1:8081/"), None);
        assert!(hosts.any());
        assert!(!AllowedHosts::parse(&["https://*.example.com".to_owned()]).expect("a pattern").any());
    }

    #[test]
    fn nonsense_is_refused() {
        for pattern in [
            "example.com",
            "https://",
            "https://a,",
            "https://a*b.com",
            "https://a/b",
            "https://a:x",
            "redis://a",
            "insecure:allow-all",
        ] {
            assert!(AllowedHosts::parse(&[pattern.to_owned()]).is_err(), "{pattern}");
        }
    }
}
