//! The one mapping from errors to HTTP: RFC 9457 problem+json with a stable `code` and a sentence that tells the caller what to
//! do. Nothing internal stands in it: no statement, no path, no secret, nothing of a body.

use crate::message::Response;
use serde::Serialize;
use warmline_channels::Refusal;
use warmline_flow::FlowError;
use warmline_privacy::SealError;
use warmline_store::StoreError;

/// An error as the caller sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Problem {
    /// `urn:warmline:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Stable code: what programs compare.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub detail: String,
    /// The field it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Seconds after which trying again makes sense.
    #[serde(skip)]
    pub retry_after: Option<u32>,
    /// What goes to the log, once, at the boundary; never to the caller.
    #[serde(skip)]
    pub internal: Option<String>,
}

impl Problem {
    /// A problem.
    pub fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:warmline:problem:{code}"),
            title: http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Error"),
            status,
            code,
            detail: detail.into(),
            field: None,
            retry_after: None,
            internal: None,
        }
    }

    /// A field that cannot be taken: 422.
    pub fn field(code: &'static str, field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(422, code, problem) }
    }

    /// Something of ours failed: 500.
    pub fn internal() -> Self {
        Self::new(500, "internal", "something failed inside; the log has the reason")
    }

    fn logged(self, reason: impl ToString) -> Self {
        Self { internal: Some(reason.to_string()), ..self }
    }

    fn later(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl From<StoreError> for Problem {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::Busy => Self::new(503, "store_busy", "the store is busy; nothing was changed, try again").later(1),
            StoreError::Full => {
                Self::new(503, "store_full", "the store takes no writes; nothing was changed, try again later")
                    .later(30)
                    .logged("the store is full")
            }
            StoreError::Newer { .. } => {
                Self::new(503, "store_newer", "the store was migrated by a newer version; update this one")
                    .later(60)
                    .logged(e)
            }
            StoreError::Shape(_) | StoreError::Missing(_) | StoreError::Other(_) => Self::internal().logged(e),
        }
    }
}

impl From<SealError> for Problem {
    fn from(e: SealError) -> Self {
        if e == SealError::Erased {
            return Self::new(410, "erased", "the customer was erased: nothing of them can be read any more");
        }
        Self::new(500, "unreadable", "a stored value cannot be opened with the present key").logged(e)
    }
}

impl From<FlowError> for Problem {
    fn from(e: FlowError) -> Self {
        match e {
            FlowError::Store(e) => e.into(),
            FlowError::Seal(e) => e.into(),
            FlowError::NotFound(what) => {
                Self::new(404, "not_found", format!("there is no such {what}, or you may not see it"))
            }
            FlowError::Forbidden(detail) => Self::new(403, "forbidden", detail),
            FlowError::Conflict { code, detail } => Self::new(409, code, detail),
            FlowError::Invalid { code: code @ "bad_cursor", field, problem } => {
                Self { field: Some(field), ..Self::new(400, code, problem) }
            }
            FlowError::Invalid { code, field, problem } => Self::field(code, field, problem),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match refusal {
            Refusal::SignatureMissing => (401, "signature_missing"),
            Refusal::SignatureWrong => (401, "signature_wrong"),
            Refusal::Stale => (401, "stale"),
            Refusal::Expired => (401, "token_expired"),
            Refusal::OriginDenied => (403, "origin_denied"),
            Refusal::WrongMode => (403, "wrong_mode"),
            Refusal::Undecryptable => (400, "undecryptable"),
            Refusal::WrongRecipient => (400, "wrong_recipient"),
            Refusal::Malformed(_) => (400, "malformed"),
            Refusal::TooLong => (413, "text_too_long"),
            Refusal::NotFound => (404, "not_found"),
        };
        Self::new(status, code, refusal.to_string())
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response =
            Self { status: problem.status, headers: Vec::new(), content_type: "application/problem+json", body };
        if let Some(seconds) = problem.retry_after {
            response = response.with("retry-after", seconds.to_string());
        }
        if problem.status == 401 {
            response = response.with("www-authenticate", "Bearer");
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_internal_reaches_the_caller() {
        let problem = Problem::from(StoreError::Other("no such column: secret_column".into()));
        assert_eq!((problem.status, problem.code), (500, "internal"));
        let response = Response::from(problem);
        assert!(!String::from_utf8(response.body).unwrap().contains("secret_column"));
    }

    #[test]
    fn a_busy_store_asks_for_a_retry() {
        let response = Response::from(Problem::from(StoreError::Busy));
        assert_eq!(response.status, 503);
        assert!(response.headers.contains(&("retry-after", "1".to_owned())));
    }
}
