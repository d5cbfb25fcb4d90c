//! The fault of a document, with its place.

/// A fault that a check found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {detail}")]
pub struct Fault {
    /// Stable code.
    pub code: &'static str,
    /// The place in the document, such as `policies[0].targets`.
    pub path: String,
    /// The fault, in a sentence.
    pub detail: String,
}

impl Fault {
    pub(crate) fn new(code: &'static str, path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code, path: path.into(), detail: detail.into() }
    }
}
