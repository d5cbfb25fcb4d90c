//! Pages: a limit and an opaque cursor.

use crate::message::Request;
use crate::problem::Problem;
use std::str::FromStr;

/// Items on a page when none is asked for.
pub const DEFAULT_LIMIT: i64 = 50;
/// The most items on a page.
pub const MAX_LIMIT: i64 = 200;

/// The `limit` parameter, at most `max`.
///
/// # Errors
/// It is not a number from 1 to `max`.
pub fn limit(request: &Request, default: i64, max: i64) -> Result<i64, Problem> {
    match request.param("limit") {
        None => Ok(default),
        Some(text) => text.parse().ok().filter(|n| (1..=max).contains(n)).ok_or_else(|| Problem {
            field: Some("limit".into()),
            ..Problem::new(400, "bad_limit", format!("limit is a number from 1 to {max}"))
        }),
    }
}

/// The `after` parameter.
///
/// # Errors
/// It is not a cursor that this list gave out.
pub fn after<T: FromStr>(request: &Request) -> Result<Option<T>, Problem> {
    match request.param("after").filter(|t| !t.is_empty()) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| Problem {
            field: Some("after".into()),
            ..Problem::new(400, "bad_cursor", "after takes a cursor that this list gave out as `next`")
        }),
    }
}

/// A parameter that must be of a type where it is present. One that is there and empty asks for nothing that exists.
///
/// # Errors
/// It is not.
pub fn typed<T>(request: &Request, name: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
    match request.param(name) {
        None => Ok(None),
        Some(text) => parse(&text).map(Some).ok_or_else(|| Problem {
            field: Some(name.into()),
            ..Problem::new(400, "bad_parameter", format!("{name} has a value that does not exist"))
        }),
    }
}
