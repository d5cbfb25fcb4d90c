//! The parts of an API's answer that come before its codes: its status, and whether its body is JSON. Most platforms answer
//! their own refusals with 200 and a code in the body. If a platform uses other statuses, its adapter looks at the body
//! first.

use crate::civil;
use crate::kit::{ApiResponse, GATEWAY_TIMEOUT, Outcome, PLATFORM_UNAVAILABLE, Token, UNREADABLE};
use crate::values::whole;
use serde_json::Value;
use warmline_model::Timestamp;

/// Checks that the status is a success.
///
/// # Errors
/// It is not. The error is the meaning of the status for the outbox.
pub(crate) fn check_status(status: u16) -> Result<(), Outcome> {
    match status {
        200..=299 => Ok(()),
        408 | 429 => Err(Outcome::Retry("rate_limited")),
        400..=499 => Err(Outcome::Permanent("http_refused")),
        504 => Err(Outcome::Retry(GATEWAY_TIMEOUT)),
        _ => Err(Outcome::Retry(PLATFORM_UNAVAILABLE)),
    }
}

/// The same, for APIs that refuse credentials by their status.
///
/// # Errors
/// The errors of [`check_status`].
pub(crate) fn check_status_with_credentials(status: u16) -> Result<(), Outcome> {
    match status {
        401 | 403 => Err(Outcome::Permanent("credentials_refused")),
        _ => check_status(status),
    }
}

/// The body of a success, in JSON.
///
/// # Errors
/// The errors of [`check_status`]. A body that is not JSON may be different the next time.
pub(crate) fn read_json(answer: &ApiResponse<'_>) -> Result<Value, Outcome> {
    check_status(answer.status)?;
    serde_json::from_slice(answer.body).map_err(|_| Outcome::Retry(UNREADABLE))
}

/// The result of a request for a token. Its sender has no token that could be refreshed.
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
        _ => Err(Outcome::Retry(UNREADABLE)),
    }
}

/// The earliest time of the next request, by the header `Retry-After` of a platform's answer: seconds, or a date (RFC 9110,
/// 10.2.3). `None` if the header is neither.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Timestamp> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // A number that no integer can hold means never.
        let millis = value.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(1000);
        return Some(Timestamp::from_millis(now.millis().saturating_add(millis)));
    }
    civil::read_http_date(value).map(|at| at.max(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn statuses() {
        for check in [check_status, check_status_with_credentials] {
            assert_eq!(check(204), Ok(()));
            assert_eq!(check(429), Err(Outcome::Retry("rate_limited")));
            assert_eq!(check(404), Err(Outcome::Permanent("http_refused")));
            assert_eq!(check(502), Err(Outcome::Retry("platform_unavailable")));
            assert_eq!(check(503), Err(Outcome::Retry("platform_unavailable")));
            assert_eq!(check(504), Err(Outcome::Retry("gateway_timeout")));
        }
        assert_eq!(check_status(401), Err(Outcome::Permanent("http_refused")));
        assert_eq!(check_status_with_credentials(401), Err(Outcome::Permanent("credentials_refused")));
    }
    #[test]
    fn h3_retry_after_is_read_as_seconds_and_as_a_date() {
        let now = Timestamp::from_secs(784_111_700);
        assert_eq!(retry_after("120", now), Some(Timestamp::from_secs(784_111_820)));
        assert_eq!(retry_after(" 0 ", now), Some(now));
        let date = Timestamp::from_secs(784_111_777);
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(retry_after(text, now), Some(date), "{text}");
        }
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:40:00 GMT", now), Some(now), "a date that has passed is now");
        assert_eq!(retry_after("99999999999999999999", now).map(|at| at > date), Some(true));
        for text in ["", "-1", "1.5", "soon", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37"] {
            assert_eq!(retry_after(text, now), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn retry_after_is_never_before_now_and_does_not_panic(text in ".{0,40}", secs: u32, now in 0i64..4_000_000_000) {
            let now = Timestamp::from_secs(now);
            prop_assert!(retry_after(&text, now).is_none_or(|at| at >= now));
            prop_assert_eq!(retry_after(&secs.to_string(), now), Some(now.plus_millis(i64::from(secs) * 1000)));
        }
    }
}
