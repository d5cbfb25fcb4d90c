//! Webhooks that their platform does not sign. A secret in the address proves the sender, as the first segment below the
//! account's path (`/channels/sms/main/<token>`) or as the parameter `token`. Everybody who reads the address can send. It
//! must therefore always be an https address, and it can be replaced by setting another secret.

use crate::digest::same;
use crate::kit::{AccountError, Refusal, Request};
use crate::settings::Fields;

/// The secret's name.
pub(crate) const NAME: &str = "address_token";

/// Reads the secret. It is part of a URL, so it may contain only letters, digits, `-`, `_`, `.` and `~`, and must be too
/// long to guess.
pub(crate) fn read(fields: &Fields<'_>) -> Result<String, AccountError> {
    let token = fields.required_secret(NAME, 16..=128)?;
    if token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~')) {
        return Ok(token.to_owned());
    }
    Err(AccountError::new(NAME, "must be 16 to 128 letters, digits, -, _, . or ~: it is part of an address"))
}

/// Checks that the request came to the secret address.
pub(crate) fn check(expected: &str, request: &Request<'_>) -> Result<(), Refusal> {
    let given = match request.rest.trim_matches('/') {
        "" => request.param("token").filter(|t| !t.is_empty()).ok_or(Refusal::SignatureMissing)?,
        segment => segment.to_owned(),
    };
    if same(given.as_bytes(), expected.as_bytes()) { Ok(()) } else { Err(Refusal::SignatureWrong) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, Method};

    fn ask(rest: &str, query: &str) -> Result<(), Refusal> {
        let (method, headers) = (Method::POST, HeaderMap::new());
        check("0123456789abcdef", &Request { method: &method, rest, query, headers: &headers, body: b"" })
    }

    #[test]
    fn the_token_may_be_in_the_path_or_the_query() {
        assert_eq!(ask("/0123456789abcdef", ""), Ok(()));
        assert_eq!(ask("/0123456789abcdef/", "x=1"), Ok(()));
        assert_eq!(ask("", "a=b&token=0123456789abcdef"), Ok(()));
        assert_eq!(ask("", ""), Err(Refusal::SignatureMissing));
        assert_eq!(ask("/", "token="), Err(Refusal::SignatureMissing));
        assert_eq!(ask("/0123456789abcdeF", ""), Err(Refusal::SignatureWrong));
        assert_eq!(ask("/wrong", "token=0123456789abcdef"), Err(Refusal::SignatureWrong));
    }
}
