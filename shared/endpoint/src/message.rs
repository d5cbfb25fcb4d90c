//! A request and a response as plain values, so that handlers can be tested natively.

use crate::problem::Problem;
use serde::Serialize;

/// A request. Its body was read in full and is within the limit.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method.
    pub method: http::Method,
    /// Path, as received.
    pub path: String,
    /// Query, without `?`, as received.
    pub query: String,
    /// Headers.
    pub headers: http::HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// A header as text; `None` if it is missing or not visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first query parameter of that name, decoded.
    pub fn param(&self, name: &str) -> Option<String> {
        self.params(name).next()
    }

    /// The names of the query's parameters, decoded.
    pub fn param_names(&self) -> impl Iterator<Item = String> {
        form_urlencoded::parse(self.query.as_bytes()).map(|(name, _)| name.into_owned())
    }

    /// All query parameters of that name, decoded.
    pub fn params(&self, name: &str) -> impl Iterator<Item = String> {
        form_urlencoded::parse(self.query.as_bytes()).filter(move |(k, _)| k == name).map(|(_, v)| v.into_owned())
    }

    /// Refuses a compressed or otherwise encoded body: signatures cover the plain bytes, and parsers read the plain
    /// bytes.
    ///
    /// # Errors
    /// `Content-Encoding` names a coding other than `identity`.
    pub fn plain_body(headers: &http::HeaderMap) -> Result<(), Problem> {
        let plain = |coding: &str| matches!(coding.trim(), "") || coding.trim().eq_ignore_ascii_case("identity");
        let all = headers.get_all(http::header::CONTENT_ENCODING);
        if all.iter().all(|value| value.to_str().is_ok_and(|codings| codings.split(',').all(plain))) {
            return Ok(());
        }
        let detail = "the body is encoded; send it as it is, without Content-Encoding (turn compression of requests off)";
        Err(Problem::new(415, "body_encoded", detail))
    }

    /// The token of `Authorization: Bearer …`.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
}

/// Headers for browsers on every answer of the API.
pub const SECURITY: [(&str, &str); 3] = [
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
];

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status.
    pub status: u16,
    /// Headers besides `content-type`.
    pub headers: Vec<(&'static str, String)>,
    /// Media type.
    pub content_type: &'static str,
    /// Body.
    pub body: Vec<u8>,
}

impl Response {
    /// A JSON response.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self { status, headers: Vec::new(), content_type: "application/json", body },
            // Serialising fails only for a map whose keys are not text, or in a `Serialize` that fails. Our types have
            // neither.
            Err(_) => Problem::internal().into(),
        }
    }

    /// A text response.
    pub fn text(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), content_type, body: body.into().into_bytes() }
    }

    /// An empty response.
    pub fn empty(status: u16) -> Self {
        Self::text(status, "text/plain; charset=utf-8", "")
    }

    /// Adds the headers of an API answer. It is not a page, no page may frame it, and browsers send its address to
    /// nobody. `Cache-Control: no-store` and `nosniff` are set on every response elsewhere.
    pub fn secured(mut self) -> Self {
        self.headers.extend(SECURITY.map(|(name, value)| (name, value.to_owned())));
        self
    }

    /// Adds one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
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
        if let Some(allow) = problem.allow {
            response = response.with("allow", allow);
        }
        // RFC 9110, section 15.5.16: say what would be accepted.
        match problem.code {
            "body_encoded" => response = response.with("accept-encoding", "identity"),
            "unsupported_media_type" => response = response.with("accept", "application/json"),
            _ => {}
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
    fn f9_an_encoded_body_is_refused_with_what_to_do() {
        let asked = |codings: &[&'static str]| {
            let mut headers = http::HeaderMap::new();
            for coding in codings {
                headers.append(http::header::CONTENT_ENCODING, http::HeaderValue::from_static(coding));
            }
            Request::plain_body(&headers)
        };
        for plain in [&[][..], &[""], &["identity"], &["Identity, identity"]] {
            assert!(asked(plain).is_ok(), "{plain:?}");
        }
        for encoded in
            [&["gzip"][..], &["GZIP"], &["deflate"], &["br"], &["x-gzip"], &["identity", "gzip"], &["identity, zstd"]]
        {
            let problem = asked(encoded).unwrap_err();
            assert_eq!((problem.status, problem.code), (415, "body_encoded"), "{encoded:?}");
            let response = Response::from(problem);
            assert!(response.headers.contains(&("accept-encoding", "identity".to_owned())));
            assert!(String::from_utf8(response.body).unwrap().contains("without Content-Encoding"));
        }
    }
}
