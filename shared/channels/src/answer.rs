//! What a platform's HTTP status alone says about a call. Most platforms answer their own refusals with 200 and a code in the
//! body; where they use other statuses, the adapter looks at the body first.

use crate::kit::Outcome;

/// Nothing where the status is a success.
///
/// # Errors
/// What the status means for the outbox.
pub(crate) fn by_status(status: u16) -> Result<(), Outcome> {
    match status {
        200..=299 => Ok(()),
        408 | 429 => Err(Outcome::Retry("rate_limited")),
        400..=499 => Err(Outcome::Permanent("http_refused")),
        _ => Err(Outcome::Retry("platform_unavailable")),
    }
}
