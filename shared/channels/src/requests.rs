//! The adapters' requests to platforms' APIs, and the forms of their parts.

use crate::kit::ApiRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A GET.
pub(crate) fn get(url: String) -> ApiRequest {
    ApiRequest { method: http::Method::GET, url, headers: Vec::new(), body: Vec::new() }
}

/// A POST with a JSON body.
pub(crate) fn post_json(url: String, body: impl Into<Vec<u8>>) -> ApiRequest {
    post(url, "application/json; charset=utf-8", body)
}

/// A POST of a form.
pub(crate) fn post_form(url: String, body: impl Into<Vec<u8>>) -> ApiRequest {
    post(url, "application/x-www-form-urlencoded", body)
}

/// A POST of a form to a gateway that takes forms in several charsets.
pub(crate) fn post_utf8_form(url: String, body: impl Into<Vec<u8>>) -> ApiRequest {
    post(url, "application/x-www-form-urlencoded; charset=utf-8", body)
}

fn post(url: String, content_type: &str, body: impl Into<Vec<u8>>) -> ApiRequest {
    let headers = vec![("content-type", content_type.to_owned())];
    ApiRequest { method: http::Method::POST, url, headers, body: body.into() }
}

/// The request with an `Authorization` header.
pub(crate) fn authorized(mut request: ApiRequest, value: String) -> ApiRequest {
    request.headers.push(("authorization", value));
    request
}

/// The value of an `Authorization` header (RFC 7617).
pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A value in the form of a query or a form.
pub(crate) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        assert_eq!(basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(encoded("a b&c/1"), "a+b%26c%2F1");
    }
}
