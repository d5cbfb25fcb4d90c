//! Which addresses a hook may call. An administrator writes the address, and it must not lead to a machine beside the
//! server.
//!
//! The reader is stricter than browsers: a spelling that two programs could read differently is refused, so that what is
//! checked is what is called. After the reading, the address is written anew in one form, and only that form is stored and
//! called.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use warmline_address::is_public;

/// The longest address, in bytes.
pub const LONGEST: usize = 2_000;
/// The longest name of a host, in bytes (RFC 1035).
const LONGEST_NAME: usize = 253;
/// The longest part of a name, in bytes.
const LONGEST_LABEL: usize = 63;

/// Ends of names that are not on the public Internet, or that stand for the machine itself.
const PRIVATE_ENDS: [&str; 17] = [
    "arpa",
    "corp",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "localnet",
    "mail",
    "onion",
    "private",
    "test",
    // The metadata of one cloud, at a name that looks public.
    "metadata.tencentyun.com",
];

/// The reason why an address may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not an address, or not in the one form that is taken.
    Form,
    /// Its scheme is not `https`.
    Scheme,
    /// It holds a user's name or a password.
    User,
    /// Its port is not 443.
    Port,
    /// Its host is, or stands for, an address that is not public.
    Private,
}

impl Fault {
    /// What to do about it, for people.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Form => {
                "takes an address such as https://hooks.example.com/warmline: visible ASCII, without a fragment, with a \
                 name or an address in its usual spelling; write other scripts in the host as xn--"
            }
            Self::Scheme => "takes https; the operator's variable hook_private_hosts names the hosts that may use http",
            Self::User => "takes no user and no password in the address: the signature proves who sends",
            Self::Port => "takes port 443; the operator's variable hook_private_hosts names the hosts with other ports",
            Self::Private => {
                "takes hosts on the public Internet; the operator's variable hook_private_hosts names the others that may \
                 be called"
            }
        }
    }
}

/// The hosts that the operator allows although they are not public, or are not called by `https` at port 443.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateHosts(Vec<(String, Option<u16>)>);

impl PrivateHosts {
    /// Reads `host:port, host:*`. What is neither is left out.
    pub fn parse(text: &str) -> Self {
        let entries = text.split(',').filter_map(|entry| {
            let (host, port) = entry.trim().rsplit_once(':')?;
            let port = match port {
                "*" => None,
                port => Some(number(port)?),
            };
            let host = host.to_ascii_lowercase();
            (!host.is_empty()).then_some((host, port))
        });
        Self(entries.collect())
    }

    fn name(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|(named, at)| named == host && at.is_none_or(|at| at == port))
    }
}

/// The host of an address that may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// The operator names it. Its addresses are not looked at.
    Named,
    /// A public address.
    Address,
    /// A name, whose addresses are to be checked before it is called.
    Name(String),
}

/// An address that may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// In its one form.
    pub url: String,
    /// Its host.
    pub host: Host,
}

/// Reads an address, and checks it.
///
/// # Errors
/// It may not be called.
pub fn parse(text: &str, named: &PrivateHosts) -> Result<Target, Fault> {
    // RFC 3986 has no use for these outside of a fragment, and programs disagree about them.
    let odd = |b: u8| !b.is_ascii_graphic() || b"\"#<>\\^`{|}".contains(&b);
    if text.len() > LONGEST || text.bytes().any(odd) {
        return Err(Fault::Form);
    }
    let (scheme, rest) = text.split_once("://").ok_or(Fault::Form)?;
    let usual = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return Err(Fault::Scheme),
    };
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(Fault::User);
    }
    let (host, port) = split(authority)?;
    let port = match port {
        None => usual,
        Some(text) => number(text).ok_or(Fault::Form)?,
    };
    let (host, address) = read_host(host)?;
    let named = named.name(&host, port);
    if !named {
        if scheme != "https" {
            return Err(Fault::Scheme);
        }
        if port != 443 {
            return Err(Fault::Port);
        }
        if address.map_or_else(|| is_private_name(&host), |address| !is_public(address)) {
            return Err(Fault::Private);
        }
    }
    let mut url = format!("{scheme}://{host}");
    if port != usual {
        // Writing to a text does not fail.
        let _ = write!(url, ":{port}");
    }
    if !tail.starts_with('/') {
        url.push('/');
    }
    url.push_str(tail);
    let host = match (named, address) {
        (true, _) => Host::Named,
        (false, Some(_)) => Host::Address,
        (false, None) => Host::Name(host),
    };
    Ok(Target { url, host })
}

/// Whether all of these addresses of a name may be called.
pub fn are_public(addresses: &[IpAddr]) -> bool {
    addresses.iter().all(|address| is_public(*address))
}

/// The host and the port of an authority.
fn split(authority: &str) -> Result<(&str, Option<&str>), Fault> {
    let at = match authority.find(']') {
        Some(end) if authority.starts_with('[') => end + 1,
        Some(_) => return Err(Fault::Form),
        None => authority.find(':').unwrap_or(authority.len()),
    };
    match authority.split_at(at) {
        ("", _) => Err(Fault::Form),
        (host, "") => Ok((host, None)),
        (host, port) => Ok((host, Some(port.strip_prefix(':').ok_or(Fault::Form)?))),
    }
}

/// A port: a number in its only spelling.
fn number(text: &str) -> Option<u16> {
    let port: u16 = text.parse().ok()?;
    (port != 0 && port.to_string() == text).then_some(port)
}

/// A host in its one form, and the address if it is one.
fn read_host(text: &str) -> Result<(String, Option<IpAddr>), Fault> {
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().map_err(|_| Fault::Form)?;
        return Ok((format!("[{address}]"), Some(address.into())));
    }
    let host = text.to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or_default();
    // A host whose last part is a number is an address to most programs, in whatever spelling. Only the usual one is taken.
    if last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") {
        let address: Ipv4Addr = host.parse().map_err(|_| Fault::Form)?;
        return Ok((address.to_string(), Some(address.into())));
    }
    let fits = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match host.len() <= LONGEST_NAME && host.split('.').all(fits) {
        true => Ok((host, None)),
        false => Err(Fault::Form),
    }
}

/// Whether a name is not one of the public Internet.
fn is_private_name(host: &str) -> bool {
    // A single label is completed by the machine's own search list.
    !host.contains('.')
        || PRIVATE_ENDS.iter().any(|end| host.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, proptest};
    use warmline_cases::cases;

    fn read(text: &str) -> Result<Target, Fault> {
        parse(text, &PrivateHosts::default())
    }

    fn url(text: &str) -> String {
        read(text).unwrap().url
    }

    #[test]
    fn an_address_has_one_form() {
        assert_eq!(url("https://Hooks.Brand.CN"), "https://hooks.brand.cn/");
        assert_eq!(url("https://hooks.brand.cn:443/a/b?c=d&e=%20"), "https://hooks.brand.cn/a/b?c=d&e=%20");
        assert_eq!(url("https://hooks.brand.cn?a=b"), "https://hooks.brand.cn/?a=b");
        assert_eq!(url("https://[2606:4700:0:0::1]/"), "https://[2606:4700::1]/");
        assert_eq!(url("https://1.1.1.1/"), "https://1.1.1.1/");
        let target = read("https://hooks.brand.cn/a@b:c").unwrap();
        assert_eq!(target.host, Host::Name("hooks.brand.cn".into()));
        assert_eq!(read(&target.url).unwrap(), target);
    }

    #[test]
    fn what_is_no_public_https_address_is_refused_with_its_reason() {
        for (text, fault) in [
            ("", Fault::Form),
            ("https://", Fault::Form),
            ("https:///a", Fault::Form),
            ("hooks.brand.cn", Fault::Form),
            ("https:hooks.brand.cn", Fault::Form),
            ("HTTPS://hooks.brand.cn", Fault::Scheme),
            ("http://hooks.brand.cn", Fault::Scheme),
            ("file:///etc/passwd", Fault::Scheme),
            ("gopher://hooks.brand.cn/", Fault::Scheme),
            ("javascript://hooks.brand.cn/", Fault::Scheme),
            ("https://user@hooks.brand.cn/", Fault::User),
            ("https://hooks.brand.cn:443@127.0.0.1/", Fault::User),
            ("https://hooks.brand.cn:8443/", Fault::Port),
            ("https://hooks.brand.cn:22/", Fault::Port),
            ("https://hooks.brand.cn:0443/", Fault::Form),
            ("https://hooks.brand.cn:/", Fault::Form),
            ("https://hooks.brand.cn:x/", Fault::Form),
            ("https://hooks.brand.cn./", Fault::Form),
            ("https://hooks..brand.cn/", Fault::Form),
            ("https://-hooks.brand.cn/", Fault::Form),
            ("https://hooks%2ebrand.cn/", Fault::Form),
            ("https://hooks.brand.cn/#a", Fault::Form),
            ("https://hooks.brand.cn\\@127.0.0.1/", Fault::Form),
            ("https://hooks.brand.cn/ a", Fault::Form),
            ("https://hooks.brand.cn/\n", Fault::Form),
            ("https://客服.cn/", Fault::Form),
            ("https://ｌocalhost/", Fault::Form),
            ("https://①27.0.0.1/", Fault::Form),
            ("https://localhost/", Fault::Private),
            ("https://LOCALHOST/", Fault::Private),
            ("https://a.localhost/", Fault::Private),
            ("https://router.spin.internal/tick", Fault::Private),
            ("https://metadata.google.internal/", Fault::Private),
            ("https://metadata.tencentyun.com/", Fault::Private),
            ("https://metadata/", Fault::Private),
            ("https://printer.local/", Fault::Private),
            ("https://intranet/", Fault::Private),
            ("https://127.0.0.1/", Fault::Private),
            ("https://169.254.169.254/latest", Fault::Private),
            ("https://100.100.100.200/", Fault::Private),
            ("https://[::1]/", Fault::Private),
            ("https://[::]/", Fault::Private),
            ("https://[::ffff:127.0.0.1]/", Fault::Private),
            ("https://[64:ff9b::7f00:1]/", Fault::Private),
            ("https://[2002:7f00:1::]/", Fault::Private),
            ("https://[fe80::1%25eth0]/", Fault::Form),
            ("https://[::1/", Fault::Form),
            ("https://::1/", Fault::Form),
            ("https://2130706433/", Fault::Form),
            ("https://0x7f000001/", Fault::Form),
            ("https://0x7f.1/", Fault::Form),
            ("https://017700000001/", Fault::Form),
            ("https://0177.0.0.1/", Fault::Form),
            ("https://127.1/", Fault::Form),
            ("https://127.0.0.1./", Fault::Form),
            ("https://1.2.3.4.5/", Fault::Form),
            ("https://hooks.brand.0x1/", Fault::Form),
        ] {
            assert_eq!(read(text), Err(fault), "{text}");
        }
        assert_eq!(read(&format!("https://hooks.brand.cn/{}", "a".repeat(LONGEST))), Err(Fault::Form));
    }

    #[test]
    fn the_operator_names_hosts_that_are_called_all_the_same() {
        let named = PrivateHosts::parse("127.0.0.1:8080, crm.internal:*,[::1]:9000,hooks.brand.cn:8443, nonsense, :1, a:0");
        for good in [
            "http://127.0.0.1:8080/",
            "https://127.0.0.1:8080/",
            "https://crm.internal/",
            "http://CRM.internal:81/",
            "http://[::1]:9000/",
            "https://hooks.brand.cn:8443/",
        ] {
            assert_eq!(parse(good, &named).unwrap().host, Host::Named, "{good}");
        }
        for (bad, fault) in [
            ("http://127.0.0.1:8081/", Fault::Scheme),
            ("https://127.0.0.1/", Fault::Private),
            ("http://hooks.brand.cn/", Fault::Scheme),
            ("https://a.crm.internal/", Fault::Private),
            ("https://nonsense/", Fault::Private),
            ("http://user@127.0.0.1:8080/", Fault::User),
        ] {
            assert_eq!(parse(bad, &named), Err(fault), "{bad}");
        }
        assert!(matches!(parse("https://hooks.brand.cn/", &named).unwrap().host, Host::Name(_)));
    }

    /// Spellings of an address of IPv4 that programs read.
    fn spellings(address: Ipv4Addr) -> Vec<String> {
        let bits = address.to_bits();
        let [a, b, c, d] = address.octets();
        let low = bits & 0x00ff_ffff;
        let mut all = vec![
            address.to_string(),
            bits.to_string(),
            format!("{bits:#x}"),
            format!("0X{bits:X}"),
            format!("0{bits:o}"),
            format!("{a}.{low}"),
            format!("{a}.{b}.{}", bits & 0xffff),
            format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
            format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
            format!("{a:#x}.0{b:o}.{c}.{d}"),
            format!("{a:03}.{b:03}.{c:03}.{d:03}"),
            format!("{address}."),
            format!("%{:02x}{}", address.to_string().as_bytes()[0], &address.to_string()[1..]),
        ];
        let [h, l] = [bits >> 16, bits & 0xffff];
        for inside in [
            format!("::ffff:{address}"),
            format!("::ffff:{h:x}:{l:x}"),
            format!("0:0:0:0:0:ffff:{h:x}:{l:x}"),
            format!("::{address}"),
            format!("::ffff:0:{address}"),
            format!("64:ff9b::{address}"),
            format!("64:ff9b:1::{h:x}:{l:x}"),
            format!("2002:{h:x}:{l:x}::"),
            format!("2001:0:{h:x}:{l:x}::1"),
        ] {
            all.push(format!("[{inside}]"));
        }
        all
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn no_spelling_of_a_private_address_passes(
            (network, low) in (prop::sample::select(vec![
                0x0000_0000_u32, 0x0a00_0000, 0x6440_0000, 0x7f00_0000, 0xa9fe_0000, 0xac10_0000, 0xc0a8_0000, 0xe000_0000,
            ]), 0_u32..0x1_0000),
        ) {
            let address = Ipv4Addr::from_bits(network | low);
            for host in spellings(address) {
                for tail in ["", "/", ":443/a"] {
                    let text = format!("https://{host}{tail}");
                    assert!(read(&text).is_err(), "{text}");
                }
            }
        }

        /// Whatever passes and is an address to the standard library is a public one, and the form is stable.
        #[test]
        fn what_passes_is_public_and_reads_the_same_again(bits in any::<u32>(), which in any::<prop::sample::Index>()) {
            let all = spellings(Ipv4Addr::from_bits(bits));
            let text = format!("https://{}/", which.get(&all));
            if let Ok(target) = read(&text) {
                let host = target.url.trim_start_matches("https://").trim_end_matches('/');
                let address: IpAddr = host.trim_matches(['[', ']']).parse().unwrap();
                assert!(is_public(address), "{text} became {host}");
                assert_eq!(read(&target.url).unwrap(), target);
            }
        }

        #[test]
        fn no_text_panics_or_passes_without_a_public_host(text in "(https?://)?[-a-z0-9.:@/\\[\\]%_#?]{0,40}") {
            if let Ok(target) = read(&text) {
                assert!(target.url.starts_with("https://"));
                assert!(target.host != Host::Named);
                assert_eq!(read(&target.url).unwrap(), target);
            }
        }
    }
}
