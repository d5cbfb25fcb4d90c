//! Webhooks in the providers' forms, for tests and simulators: the counterpart of the verifier and the parser.

use crate::digest::hmac_sha256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::EncodePublicKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const BOUNDARY: &str = "warmline-9f3b6d2c7a";

/// A multipart form: its media type and its bytes. A file is the field's name, the file's name, and the content.
pub fn multipart(fields: &[(&str, &[u8])], files: &[(&str, &str, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    let mut part = |head: String, content: &[u8]| {
        body.extend_from_slice(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    };
    for (name, content) in fields {
        part(format!("name=\"{name}\""), content);
    }
    for (name, file, content) in files {
        part(format!("name=\"{name}\"; filename=\"{file}\"\r\nContent-Type: application/octet-stream"), content);
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

/// A mail as SendGrid's Inbound Parse posts it: media type and body. `id` and `answers` are message ids without brackets.
pub fn sendgrid_mail(id: &str, answers: Option<&str>, from: &str, to: &str, subject: &str, text: &str) -> (String, Vec<u8>) {
    let mut headers = format!("Message-ID: <{id}>\r\n");
    if let Some(answers) = answers {
        headers.push_str(&format!("In-Reply-To: <{answers}>\r\nReferences: <{answers}>\r\n"));
    }
    let envelope = json!({ "to": [to], "from": from }).to_string();
    let charsets = json!({ "from": "UTF-8", "to": "UTF-8", "subject": "UTF-8", "text": "UTF-8" }).to_string();
    let fields: [(&str, &[u8]); 8] = [
        ("headers", headers.as_bytes()),
        ("from", from.as_bytes()),
        ("to", to.as_bytes()),
        ("subject", subject.as_bytes()),
        ("text", text.as_bytes()),
        ("envelope", envelope.as_bytes()),
        ("charsets", charsets.as_bytes()),
        ("attachments", b"0"),
    ];
    multipart(&fields, &[])
}

/// The verification key of a private key, in SendGrid's form; `None` if the 32 bytes are not a key.
pub fn event_public_key(private: &[u8; 32]) -> Option<String> {
    let key = SigningKey::from_slice(private).ok()?;
    Some(STANDARD.encode(key.verifying_key().to_public_key_der().ok()?.as_bytes()))
}

/// The signature of SendGrid's event webhook; `None` if the 32 bytes are not a key.
pub fn sendgrid_reports(private: &[u8; 32], timestamp: &str, body: &[u8]) -> Option<String> {
    let digest = Sha256::new().chain_update(timestamp.as_bytes()).chain_update(body).finalize();
    let signature: Signature = SigningKey::from_slice(private).ok()?.sign_prehash(&digest).ok()?;
    Some(STANDARD.encode(signature.to_der().as_bytes()))
}

/// Mailgun's signature over time and token.
pub fn mailgun(signing_key: &str, timestamp: &str, token: &str) -> String {
    hex::encode(hmac_sha256(signing_key.as_bytes(), &[timestamp.as_bytes(), token.as_bytes()]))
}

/// A form as Mailgun's routes post it.
pub fn mailgun_form(signing_key: &str, timestamp: &str, token: &str, fields: &[(&str, &str)]) -> String {
    let signature = mailgun(signing_key, timestamp, token);
    let own = [("timestamp", timestamp), ("token", token), ("signature", signature.as_str())];
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).extend_pairs(own).finish()
}

/// A report as Mailgun's webhooks post it.
pub fn mailgun_report(signing_key: &str, timestamp: &str, token: &str, event: Value) -> Value {
    let signature = mailgun(signing_key, timestamp, token);
    json!({ "signature": { "timestamp": timestamp, "token": token, "signature": signature }, "event-data": event })
}
