//! The pages that may use an account. A browser names the page's origin on every request from another site's page. A client
//! that is no browser names none, and only needs the session token.

use super::account::Account;
use crate::kit::{Refusal, Request};

/// Whether a page of that origin is on the account's list, for the CORS headers.
pub fn allow_origin(account: &Account, origin: &str) -> bool {
    let origin = normal(origin);
    account.origins.iter().any(|allowed| allowed == "*" || Some(allowed) == origin.as_ref())
}

/// Checks the request's `Origin`. It may be missing, of the same host as the request, or on the account's list.
///
/// # Errors
/// It is another origin.
pub fn check_origin(account: &Account, request: &Request<'_>) -> Result<(), Refusal> {
    let Some(value) = request.headers.get(http::header::ORIGIN) else { return Ok(()) };
    let origin = value.to_str().map_err(|_| Refusal::OriginDenied)?;
    if allow_origin(account, origin) || same_host(origin, request) {
        return Ok(());
    }
    Err(Refusal::OriginDenied)
}

/// Compares host and port with the `Host` header. The scheme does not count, since a proxy may have removed TLS.
fn same_host(origin: &str, request: &Request<'_>) -> bool {
    let (Some(origin), Some(host)) = (normal(origin), request.header("host")) else { return false };
    let host = host.to_ascii_lowercase();
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    let bare = |text: &str| text.trim_end_matches(":443").trim_end_matches(":80").to_owned();
    !authority.is_empty() && bare(authority) == bare(&host)
}

/// `scheme://host[:port]` in lower case without a default port; `None` for anything else (`null` too).
pub(super) fn normal(origin: &str) -> Option<String> {
    let uri: http::Uri = origin.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let lower = origin.to_ascii_lowercase();
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    // Only scheme and authority are allowed: no path, not even a slash, and no user.
    if lower.len() != scheme.len() + 3 + authority.as_str().len()
        || authority.as_str().contains('@')
        || authority.host().is_empty()
    {
        return None;
    }
    Some(lower.strip_suffix(default_port).map_or_else(|| lower.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::account;
    use super::*;
    use http::{HeaderMap, Method};
    use proptest::prelude::*;

    fn check(origins: &[&str], origin: Option<&str>, host: &str) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().unwrap());
        }
        let request = Request { method: &Method::POST, rest: "", query: "", headers: &headers, body: b"" };
        check_origin(&account("webchat/a", origins), &request)
    }

    #[test]
    fn lists_hosts_and_strangers() {
        let denied = Err(Refusal::OriginDenied);
        assert_eq!(check(&[], None, "chat.example"), Ok(()));
        assert_eq!(check(&[], Some("https://chat.example"), "chat.example"), Ok(()));
        assert_eq!(check(&[], Some("http://127.0.0.1:3000"), "127.0.0.1:3000"), Ok(()));
        assert_eq!(check(&[], Some("http://127.0.0.1:3001"), "127.0.0.1:3000"), denied);
        assert_eq!(check(&[], Some("https://evil.example"), "chat.example"), denied);
        assert_eq!(check(&[], Some("null"), "null"), denied);
        assert_eq!(check(&["https://shop.example"], Some("https://SHOP.example:443"), "chat.example"), Ok(()));
        assert_eq!(check(&["https://shop.example"], Some("http://shop.example"), "chat.example"), denied);
        assert_eq!(check(&["https://shop.example"], Some("https://shop.example.evil.example"), "chat.example"), denied);
        assert_eq!(check(&["https://shop.example"], Some("https://shop.example@evil.example"), "chat.example"), denied);
        assert_eq!(check(&["*"], Some("null"), "chat.example"), Ok(()));
        assert!(!allow_origin(&account("webchat/a", &[]), "https://chat.example"));
    }

    proptest! {
        #[test]
        fn no_origin_panics(origin: String) {
            prop_assert!(!allow_origin(&account("webchat/a", &["https://shop.example"]), &origin));
        }
    }
}
