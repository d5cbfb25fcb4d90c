//! Aliyun's two ways to sign an API call.
//!
//! * ACS3-HMAC-SHA256 (document "V3版本请求体&签名机制"): hex HMAC-SHA256(secret, "ACS3-HMAC-SHA256\n" ‖ hex SHA-256(canonical
//!   request)), over method, path, sorted query, the `host` and `x-acs-…` headers and the body's hash;
//! * RPC (document "RPC机制"): base64 HMAC-SHA1(secret ‖ "&", method ‖ "&%2F&" ‖ encoded(sorted parameters)).
//!
//! Both percent-encode like RFC 3986: everything but letters, digits, `-`, `_`, `.` and `~`.

use crate::digest::{hmac_sha1, hmac_sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Names and values, in any order.
pub type Pairs<'a> = [(&'a str, &'a str)];

/// Percent-encodes a text according to RFC 3986.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The parameters, encoded and sorted: a query string or a form.
pub fn canonical(params: &Pairs<'_>) -> String {
    let mut pairs: Vec<String> = params.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
    pairs.sort_unstable();
    pairs.join("&")
}

/// The RPC form's `Signature`.
pub fn rpc(method: &str, secret: &str, params: &Pairs<'_>) -> String {
    let text = format!("{method}&%2F&{}", encode(&canonical(params)));
    STANDARD.encode(hmac_sha1(format!("{secret}&").as_bytes(), &[text.as_bytes()]))
}

/// The hexadecimal SHA-256 of a body.
pub fn content_hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// A call to sign by ACS3.
pub struct Acs3<'a> {
    /// Method.
    pub method: &'a str,
    /// Path, encoded.
    pub path: &'a str,
    /// The query's parameters.
    pub query: &'a Pairs<'a>,
    /// The headers to sign, names in lower case: `host`, `x-acs-…`. They include `x-acs-content-sha256`.
    pub headers: &'a Pairs<'a>,
}

impl Acs3<'_> {
    fn sorted(&self) -> Vec<(&str, &str)> {
        let mut headers = self.headers.to_vec();
        headers.sort_unstable();
        headers
    }

    fn names(&self) -> String {
        self.sorted().iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";")
    }

    /// The hash of the canonical request.
    pub fn hash(&self) -> String {
        let headers = self.sorted();
        let body = headers.iter().find(|(name, _)| *name == "x-acs-content-sha256").map_or("", |(_, hash)| *hash);
        let mut text = format!("{}\n{}\n{}\n", self.method, self.path, canonical(self.query));
        for (name, value) in &headers {
            let _ = writeln!(text, "{name}:{}", value.trim());
        }
        let _ = write!(text, "\n{}\n{body}", self.names());
        content_hash(text.as_bytes())
    }

    /// The signature.
    pub fn signature(&self, secret: &str) -> String {
        hex::encode(hmac_sha256(secret.as_bytes(), &[b"ACS3-HMAC-SHA256\n", self.hash().as_bytes()]))
    }

    /// The value of the `Authorization` header.
    pub fn authorization(&self, key_id: &str, secret: &str) -> String {
        let (names, signature) = (self.names(), self.signature(secret));
        format!("ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={names},Signature={signature}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding() {
        assert_eq!(encode("a-_.~ +*/&=你"), "a-_.~%20%2B%2A%2F%26%3D%E4%BD%A0");
        assert_eq!(canonical(&[("b", "2"), ("a", "1 "), ("B", "")]), "B=&a=1%20&b=2");
    }

    #[test]
    fn authorization_names_what_is_signed() {
        let call = Acs3 {
            method: "POST",
            path: "/",
            query: &[],
            headers: &[("x-acs-content-sha256", "00"), ("host", "h"), ("x-acs-action", "A")],
        };
        let value = call.authorization("id", "secret");
        assert!(value.contains("Credential=id,SignedHeaders=host;x-acs-action;x-acs-content-sha256,Signature="));
        assert!(!value.contains("secret"));
    }
}
