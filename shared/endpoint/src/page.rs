//! Pages: a limit and an opaque cursor.

use crate::message::Request;
use crate::problem::Problem;
use std::str::FromStr;

pub use warmline_model::Page;

/// Items on a page when none is asked for.
pub const DEFAULT_LIMIT: i64 = 50;
/// The most items on a page.
pub const MAX_LIMIT: i64 = 200;

/// The longest value of a parameter. A list of many ids fits.
const LONGEST: usize = 8_192;

/// A parameter of the query.
///
/// # Errors
/// The parameter is given twice, so that readers would disagree about its value, or it is far too long.
pub fn param(request: &Request, name: &str) -> Result<Option<String>, Problem> {
    let mut values = request.params(name);
    let first = values.next();
    let refused = |detail: String| Err(Problem { field: Some(name.into()), ..Problem::new(400, "bad_parameter", detail) });
    if values.next().is_some() {
        return refused(format!("{name} stands twice in the query; say it once"));
    }
    if first.as_ref().is_some_and(|value| value.len() > LONGEST) {
        return refused(format!("{name} takes at most {LONGEST} bytes"));
    }
    Ok(first)
}

/// The `limit` parameter, at most `max`.
///
/// # Errors
/// The value is not a number from 1 to `max`, or the parameter is given twice.
pub fn limit(request: &Request, default: i64, max: i64) -> Result<i64, Problem> {
    match param(request, "limit")? {
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
/// The value is not a cursor that this list gave out, or the parameter is given twice.
pub fn after<T: FromStr>(request: &Request) -> Result<Option<T>, Problem> {
    match param(request, "after")?.filter(|t| !t.is_empty()) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| Problem {
            field: Some("after".into()),
            ..Problem::new(400, "bad_cursor", "after takes a cursor that this list gave out as `next`")
        }),
    }
}

/// A parameter of a type; `None` if it is not given. An empty value is not valid unless `parse` takes it.
///
/// # Errors
/// The value is not valid.
pub fn typed<T>(request: &Request, name: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
    match param(request, name)? {
        None => Ok(None),
        Some(text) => parse(&text).map(Some).ok_or_else(|| Problem {
            field: Some(name.into()),
            ..Problem::new(400, "bad_parameter", format!("{name} does not take this value"))
        }),
    }
}
