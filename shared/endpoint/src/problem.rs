//! The one mapping from errors to HTTP: RFC 9457 problem+json with a stable `code` and a sentence that tells the caller what
//! to do. It reveals nothing internal: no statement, no path, no secret, no part of a body.

use serde::Serialize;
use warmline_channels::Refusal;
use warmline_kernel::StepError;
use warmline_model::CustomerId;
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
    /// The stable code, which programs compare.
    pub code: &'static str,
    /// The fault, and the advice to the caller.
    pub detail: String,
    /// The field that it is about, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The customers that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub customers: Vec<CustomerId>,
    /// The numbers of the messages that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<i64>,
    /// The methods that the path accepts, if the method was the fault.
    #[serde(skip)]
    pub allow: Option<String>,
    /// Seconds after which trying again makes sense.
    #[serde(skip)]
    pub retry_after: Option<u32>,
    /// The text for the log. It is logged once, at the boundary, and never sent to the caller.
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
            customers: Vec::new(),
            messages: Vec::new(),
            allow: None,
            retry_after: None,
            internal: None,
        }
    }

    /// A field with a value that is not accepted: 422.
    pub fn field(code: &'static str, field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(422, code, problem) }
    }

    /// A method that the path does not accept: 405, with the accepted methods.
    pub fn method(allowed: &[&str]) -> Self {
        let allow = allowed.join(", ");
        let detail = format!("this path takes {allow}");
        Self { allow: Some(allow), ..Self::new(405, "method_not_allowed", detail) }
    }

    /// An internal failure: 500.
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
            StoreError::Lost => {
                let detail = "the store's file was removed, replaced or cut; nothing was acknowledged: put the file back and \
                              start the service again";
                Self::new(503, "store_lost", detail).later(30).logged(e)
            }
            StoreError::Incomplete(_) => {
                let detail = "a part of the store is missing, perhaps its keys; restore it and start the service again";
                Self::new(503, "store_incomplete", detail).later(30).logged(e)
            }
            // The tables are strict about types, so a value of another type means damaged bytes.
            StoreError::Damaged(_) | StoreError::Shape(_) => {
                let detail = "what is stored here cannot be read; the store must be restored from a back-up";
                Self::new(500, "store_damaged", detail).logged(e)
            }
            StoreError::Missing(_) | StoreError::Other(_) => Self::internal().logged(e),
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

impl From<StepError> for Problem {
    fn from(e: StepError) -> Self {
        match e {
            StepError::Store(e) => e.into(),
            StepError::Seal(e) => e.into(),
            StepError::NotFound(what) => {
                Self::new(404, "not_found", format!("there is no such {what}, or you may not see it"))
            }
            StepError::Forbidden(detail) => Self::new(403, "forbidden", detail),
            StepError::Conflict { code, detail } => Self::new(409, code, detail),
            StepError::MergedByHand(customers) => {
                let detail = "the erasure would take along these customers, who were merged by hand; undo the merges, or name all \
                              of them in `include`, separated by commas";
                Self { customers, field: Some("include".into()), ..Self::new(409, "merged_by_hand", detail) }
            }
            StepError::Invalid { code: code @ "bad_cursor", field, problem } => {
                Self { field: Some(field), ..Self::new(400, code, problem) }
            }
            StepError::Invalid { code, field, problem } => Self::field(code, field, problem),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match refusal {
            Refusal::SignatureMissing => (401, "signature_missing"),
            Refusal::SignatureWrong => (401, "signature_wrong"),
            Refusal::Stale(_) => (401, "stale"),
            Refusal::Expired => (401, "token_expired"),
            Refusal::ClaimsWrong(_) => (401, "claims_wrong"),
            Refusal::OriginDenied => (403, "origin_denied"),
            Refusal::WrongMode => (403, "wrong_mode"),
            Refusal::Undecryptable => (400, "undecryptable"),
            Refusal::WrongRecipient => (400, "wrong_recipient"),
            Refusal::Malformed(_) | Refusal::Field(_) => (400, "malformed"),
            Refusal::TooLong => (413, "text_too_long"),
            Refusal::TooMany => (413, "too_many_items"),
            Refusal::NotFound => (404, "not_found"),
        };
        Self::new(status, code, refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Response;

    #[test]
    fn nothing_internal_reaches_the_caller() {
        let problem = Problem::from(StoreError::Other("no such column: secret_column".into()));
        assert_eq!((problem.status, problem.code), (500, "internal"));
        let response = Response::from(problem);
        assert!(!String::from_utf8(response.body).unwrap().contains("secret_column"));
    }

    #[test]
    fn l2_a_refused_method_names_those_that_are_taken() {
        let response = Response::from(Problem::method(&["GET", "HEAD"]));
        assert_eq!(response.status, 405);
        assert!(response.headers.contains(&("allow", "GET, HEAD".to_owned())));
    }

    #[test]
    fn l7_a_damaged_store_and_one_that_is_not_there_have_codes_of_their_own() {
        for (message, status, code) in [
            ("database disk image is malformed", 500, "store_damaged"),
            ("file is not a database", 500, "store_damaged"),
            ("the database file was removed, replaced or cut while it was open", 503, "store_lost"),
            ("no such table: customer_keys", 503, "store_incomplete"),
            ("database or disk is full", 503, "store_full"),
        ] {
            let problem = Problem::from(StoreError::from_message(message));
            assert_eq!((problem.status, problem.code), (status, code), "{message}");
            assert_eq!(problem.retry_after.is_some(), status == 503, "{message}");
            assert!(problem.internal.is_some(), "{message} is logged");
        }
        assert_eq!(Problem::from(StoreError::Shape(3)).code, "store_damaged");
    }

    #[test]
    fn a_busy_store_asks_for_a_retry() {
        let response = Response::from(Problem::from(StoreError::Busy));
        assert_eq!(response.status, 503);
        assert!(response.headers.contains(&("retry-after", "1".to_owned())));
    }
}
