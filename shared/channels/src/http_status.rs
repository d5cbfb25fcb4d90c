//! What an HTTP status alone says about a call. Most platforms answer their own refusals with 200 and a code in the body; where
//! they use other statuses, the adapter looks at the body first.

use crate::kit::Outcome;

/// Nothing where the status is a success.
///
/// # Errors
/// What the status means for the outbox.
pub(crate) fn check(status: u16) -> Result<(), Outcome> {
    match status {
        200..=299 => Ok(()),
        408 | 429 => Err(Outcome::Retry("rate_limited")),
        400..=499 => Err(Outcome::Permanent("http_refused")),
        _ => Err(Outcome::Retry("platform_unavailable")),
    }
}

/// The same for APIs that refuse credentials by their status.
///
/// # Errors
/// As of [`check`].
pub(crate) fn check_with_credentials(status: u16) -> Result<(), Outcome> {
    match status {
        401 | 403 => Err(Outcome::Permanent("credentials_refused")),
        _ => check(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for check in [check, check_with_credentials] {
            assert_eq!(check(204), Ok(()));
            assert_eq!(check(429), Err(Outcome::Retry("rate_limited")));
            assert_eq!(check(404), Err(Outcome::Permanent("http_refused")));
            assert_eq!(check(502), Err(Outcome::Retry("platform_unavailable")));
            assert_eq!(check(503), Err(Outcome::Retry("platform_unavailable")));
        }
        assert_eq!(check(401), Err(Outcome::Permanent("http_refused")));
        assert_eq!(check_with_credentials(401), Err(Outcome::Permanent("credentials_refused")));
    }
}
