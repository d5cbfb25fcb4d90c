//! What an API's answer says before its codes are read: its status, and whether its body is JSON. Most platforms answer their own
//! refusals with 200 and a code in the body; where they use other statuses, the adapter looks at the body first.

use crate::kit::{ApiResponse, Outcome, Token};
use crate::values::whole;
use serde_json::Value;

/// Nothing where the status is a success.
///
/// # Errors
/// What the status means for the outbox.
pub(crate) fn check_status(status: u16) -> Result<(), Outcome> {
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
/// As of [`check_status`].
pub(crate) fn check_status_with_credentials(status: u16) -> Result<(), Outcome> {
    match status {
        401 | 403 => Err(Outcome::Permanent("credentials_refused")),
        _ => check_status(status),
    }
}

/// The body of a success, in JSON.
///
/// # Errors
/// As of [`check_status`]; a body that is no JSON may be another the next time.
pub(crate) fn read_json(answer: &ApiResponse<'_>) -> Result<Value, Outcome> {
    check_status(answer.status)?;
    serde_json::from_slice(answer.body).map_err(|_| Outcome::Retry("answer_unreadable"))
}

/// What was read of the answer to a request for a token: whoever asks for one has none that could be refreshed.
pub(crate) fn of_token_request<T>(read: Result<T, Outcome>) -> Result<T, Outcome> {
    read.map_err(|outcome| match outcome {
        Outcome::RefreshToken => Outcome::Permanent("credentials_refused"),
        other => other,
    })
}

/// A token in the fields `access_token` and `expires_in`, as most platforms name them.
pub(crate) fn token(fields: &Value) -> Result<Token, Outcome> {
    let value = fields.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    match (value, whole(fields.get("expires_in")).filter(|&seconds| seconds > 0)) {
        (Some(value), Some(expires_in)) => Ok(Token { value: value.to_owned(), expires_in }),
        _ => Err(Outcome::Retry("answer_unreadable")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for check in [check_status, check_status_with_credentials] {
            assert_eq!(check(204), Ok(()));
            assert_eq!(check(429), Err(Outcome::Retry("rate_limited")));
            assert_eq!(check(404), Err(Outcome::Permanent("http_refused")));
            assert_eq!(check(502), Err(Outcome::Retry("platform_unavailable")));
            assert_eq!(check(503), Err(Outcome::Retry("platform_unavailable")));
        }
        assert_eq!(check_status(401), Err(Outcome::Permanent("http_refused")));
        assert_eq!(check_status_with_credentials(401), Err(Outcome::Permanent("credentials_refused")));
    }
}
