//! Twilio's request signature (document "Validating requests from Twilio"), which messages and calls share.
//!
//! `X-Twilio-Signature` is base64(HMAC-SHA1(auth token, url ‖ k₁v₁k₂v₂…)), with the parameters of the form sorted by name.
//! If a name comes several times, its different values are sorted. If the body is no form, `bodySHA256` in the URL covers
//! it, and only the URL is signed. The URL is the one that Twilio was given. A proxy hides it, so it is a setting. Twilio
//! signs it sometimes with its port and sometimes without, so both are tried.
//!
//! The protocol signs no time, and puts nothing between names and values. A captured request stays valid; its message's own
//! id makes that harmless.

use crate::digest::{hmac_sha1, same};
use crate::json;
use crate::kit::{AccountError, ApiRequest, Fault, Refusal, Reply, Request, Undeliverable, Verified};
use crate::requests::{authorized, basic, get};
use crate::settings::{Fields, name, required};
use crate::values::is_id;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use warmline_model::Media;

/// The longest body accepted: a message has at most 1,600 characters and ten addresses of media.
pub const MAX_BYTES: usize = 128 * 1024;
/// The most parameters taken.
const MAX_PARAMS: usize = 256;

const JSON: &str = "json";

/// Lower-case names of the header and the parameter.
const HEADER: &str = "x-twilio-signature";
const BODY_HASH: &str = "bodySHA256";

/// The signature of a form posted to a URL.
pub fn signature(auth_token: &str, url: &str, params: &[(String, String)]) -> String {
    let mut params: Vec<_> = params.iter().collect();
    params.sort();
    params.dedup();
    let mut parts = vec![url.as_bytes()];
    for (name, value) in params {
        parts.extend([name.as_bytes(), value.as_bytes()]);
    }
    STANDARD.encode(hmac_sha1(auth_token.as_bytes(), &parts))
}

/// The value of `bodySHA256` for a body that is no form.
pub fn body_hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// Whether a signature is valid for the URL, with or without its port.
pub fn matches(auth_token: &str, url: &str, params: &[(String, String)], given: &str) -> bool {
    let (with, without) = (with_port(url), without_port(url));
    let good = |url: &str| same(signature(auth_token, url, params).as_bytes(), given.as_bytes());
    good(&with) || good(&without)
}

/// Splits a URL at the end of its host and at the end of its port.
fn authority(url: &str) -> Option<(&str, &str, &str)> {
    let start = url.find("://")? + 3;
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    let host = &url[start..end];
    // An IPv6 host has colons of its own, inside brackets.
    let colon = host.rfind(':').filter(|at| !host[*at..].contains(']')).map_or(end, |at| start + at);
    Some((&url[..colon], &url[colon..end], &url[end..]))
}

fn with_port(url: &str) -> String {
    match authority(url) {
        Some((host, "", tail)) if host.starts_with("https") => format!("{host}:443{tail}"),
        Some((host, "", tail)) => format!("{host}:80{tail}"),
        _ => url.to_owned(),
    }
}

fn without_port(url: &str) -> String {
    match authority(url) {
        Some((host, _, tail)) => format!("{host}{tail}"),
        None => url.to_owned(),
    }
}

/// Verifies a webhook. `public_url` is the account's address as Twilio knows it.
pub(crate) fn verify(auth_token: &str, public_url: &str, request: &Request<'_>) -> Result<Verified, Refusal> {
    let given = request.header(HEADER).ok_or(Refusal::SignatureMissing)?;
    if request.body.len() > MAX_BYTES {
        return Err(Refusal::Malformed(Fault::TooLong));
    }
    let mut url = format!("{public_url}{}", request.rest);
    if !request.query.is_empty() {
        url.push('?');
        url.push_str(request.query);
    }
    let form = is_form(request);
    let params = if form { read_form(request.body)? } else { Vec::new() };
    if !matches(auth_token, &url, &params, given) {
        return Err(Refusal::SignatureWrong);
    }
    let verified = Verified::new(request.body.to_vec());
    if form {
        return Ok(verified);
    }
    let hash = request.param(BODY_HASH).ok_or(Refusal::SignatureMissing)?;
    if !same(body_hash(request.body).as_bytes(), hash.to_ascii_lowercase().as_bytes()) {
        return Err(Refusal::SignatureWrong);
    }
    Ok(verified.with(JSON, "1"))
}

fn is_form(request: &Request<'_>) -> bool {
    let kind = request.header("content-type").unwrap_or_default();
    kind.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

fn read_form(body: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let params: Vec<_> =
        form_urlencoded::parse(body).take(MAX_PARAMS + 1).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
    if params.len() > MAX_PARAMS {
        return Err(Refusal::Malformed(Fault::TooManyParameters));
    }
    Ok(params)
}

/// A parameter with U+FFFD for U+0000. The signature covered the original.
fn without_nul((name, value): (String, String)) -> (String, String) {
    let clean = |text: String| if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text };
    (clean(name), clean(value))
}

/// The parameters of a verified webhook.
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn read(body: &Verified) -> Result<Self, Refusal> {
        if body.context(JSON).is_none() {
            return Ok(Self(read_form(body.body())?.into_iter().map(without_nul).collect()));
        }
        let map = json::read_object(body.body(), MAX_BYTES)?;
        Ok(Self(map.into_iter().map(|(k, v)| (k, if let Value::String(v) = v { v } else { v.to_string() })).collect()))
    }

    /// A parameter, if it is present and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// An id or number of at most 128 visible characters.
    pub(crate) fn id(&self, name: &'static str) -> Result<&str, Refusal> {
        let good = |id: &&str| is_id(id, 128);
        self.get(name).filter(good).ok_or(Refusal::Field(name))
    }

    /// All parameters except the named ones, as JSON.
    pub(crate) fn without(&self, names: &[&str]) -> Value {
        let rest = self.0.iter().filter(|(k, v)| !v.is_empty() && !names.contains(&k.as_str()));
        Value::Object(rest.map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect::<Map<_, _>>())
    }
}

/// The acknowledgement: an empty TwiML document, which requests nothing.
pub(crate) fn nothing_to_do() -> Reply {
    let body = br#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#.to_vec();
    Reply { status: 200, content_type: "text/xml; charset=utf-8", body }
}

/// The setting `account_sid`, which is part of the API's paths.
pub(crate) fn account_sid(fields: &Fields<'_>) -> Result<String, AccountError> {
    let account_sid = required(name(fields, "account_sid", 64)?, "account_sid")?;
    if !account_sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(AccountError::new("account_sid", "must be the letters and digits that the platform shows"));
    }
    Ok(account_sid)
}

/// The `Authorization` of API calls.
pub fn authorization(sid: &str, auth_token: &str) -> String {
    basic(sid, auth_token)
}

/// The request for a medium's bytes. The credentials are sent only to the account's own part of the API.
pub(crate) fn media(api_base: &str, sid: &str, auth_token: &str, media: &Media) -> Result<ApiRequest, Undeliverable> {
    let url = media.url.as_deref().ok_or(Undeliverable::MediaUnknown)?;
    let path = url
        .strip_prefix(api_base)
        .and_then(|p| p.strip_prefix("/2010-04-01/Accounts/"))
        .ok_or(Undeliverable::MediaUnknown)?;
    let good = path.strip_prefix(sid).is_some_and(|p| p.starts_with('/') && !p.contains("..") && !p.contains(['\\', '@']));
    if !good || !path.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Undeliverable::MediaUnknown);
    }
    Ok(authorized(get(url.to_owned()), authorization(sid, auth_token)))
}

/// A form with Twilio's signature: the counterpart of the verifier.
pub fn signed_form(auth_token: &str, url: &str, params: &[(&str, &str)]) -> (String, String) {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    let owned: Vec<_> = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    (body, signature(auth_token, url, &owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, Method};
    use proptest::prelude::*;

    const URL: &str = "https://example.com/channels/sms/main";
    const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

    fn post(public: &str, query: &str, kind: &'static str, signature: &str, body: &[u8]) -> Result<Verified, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", http::HeaderValue::from_static(kind));
        headers.insert(HEADER, signature.parse().unwrap());
        verify("token", public, &Request { method: &Method::POST, rest: "", query, headers: &headers, body })
    }

    #[test]
    fn forms() {
        let (body, good) = signed_form("token", URL, &[("To", "+1"), ("Body", "你好 &=")]);
        let verified = post(URL, "", FORM, &good, body.as_bytes()).ok().unwrap();
        assert_eq!(Params::read(&verified).ok().unwrap().get("Body"), Some("你好 &="));
        // The signature covers the parameters, and not their spelling in the form.
        let spelt = post(URL, "", FORM, &good, body.replace("%2B", "%2b").as_bytes()).ok().unwrap();
        assert_eq!(Params::read(&spelt).ok().unwrap().get("To"), Some("+1"));
        assert!(post("https://example.com:443/channels/sms/main", "", FORM, &good, body.as_bytes()).is_ok());
        assert!(post("https://example.com:8443/channels/sms/main", "", FORM, &good, body.as_bytes()).is_ok());
        let refused = |url, query, body: &str| post(url, query, FORM, &good, body.as_bytes()).err();
        assert_eq!(refused("http://example.com/channels/sms/main", "", &body), Some(Refusal::SignatureWrong));
        assert_eq!(refused(URL, "a=1", &body), Some(Refusal::SignatureWrong));
        assert_eq!(refused(URL, "", &body.replace("To=", "Ta=")), Some(Refusal::SignatureWrong));
        assert_eq!(refused(URL, "", &"a&".repeat(300)), Some(Refusal::Malformed(Fault::TooManyParameters)));
        assert_eq!(refused(URL, "", "a=%00"), Some(Refusal::SignatureWrong));
        assert_eq!(refused(URL, "", &"a".repeat(MAX_BYTES + 1)), Some(Refusal::Malformed(Fault::TooLong)));
        let headers = HeaderMap::new();
        let bare = Request { method: &Method::POST, rest: "", query: "", headers: &headers, body: b"" };
        assert_eq!(verify("token", URL, &bare).err(), Some(Refusal::SignatureMissing));
    }

    #[test]
    fn other_bodies_need_their_hash_in_the_url() {
        let body = br#"{"MessageSid":"SM1","n":2}"#;
        let query = format!("bodySHA256={}", body_hash(body));
        let good = signature("token", &format!("{URL}?{query}"), &[]);
        let verified = post(URL, &query, "application/json", &good, body).ok().unwrap();
        let params = Params::read(&verified).ok().unwrap();
        assert_eq!((params.get("MessageSid"), params.get("n")), (Some("SM1"), Some("2")));
        assert_eq!(post(URL, &query, "application/json", &good, b"{}").err(), Some(Refusal::SignatureWrong));
        let bare = signature("token", URL, &[]);
        assert_eq!(post(URL, "", "application/json", &bare, body).err(), Some(Refusal::SignatureMissing));
    }

    #[test]
    fn credentials_go_to_the_account_only() {
        let ask = |url: &str| {
            let found = Media { url: Some(url.to_owned()), ..Media::default() };
            media("https://api.twilio.com", "AC1", "token", &found)
        };
        let good = ask("https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1").ok().unwrap();
        assert_eq!(good.headers, [("authorization", "Basic QUMxOnRva2Vu".to_owned())]);
        for bad in [
            "https://evil.example/2010-04-01/Accounts/AC1/x",
            "https://api.twilio.com.evil.example/2010-04-01/Accounts/AC1/x",
            "https://api.twilio.com@evil.example/2010-04-01/Accounts/AC1/x",
            "https://api.twilio.com/2010-04-01/Accounts/AC2/x",
            "https://api.twilio.com/2010-04-01/Accounts/AC1/../AC2/x",
            "https://api.twilio.com/2010-04-01/Accounts/AC12",
        ] {
            assert_eq!(ask(bad).err(), Some(Undeliverable::MediaUnknown), "{bad}");
        }
    }

    #[test]
    fn ports() {
        assert_eq!(with_port("https://a/b?c=:1"), "https://a:443/b?c=:1");
        assert_eq!(with_port("http://a:81?b"), "http://a:81?b");
        assert_eq!(without_port("http://a:81/b:2"), "http://a/b:2");
        assert_eq!(without_port("https://[::1]:8443/b"), "https://[::1]/b");
        assert_eq!(with_port("http://[::1]"), "http://[::1]:80");
        assert_eq!(with_port("nonsense"), "nonsense");
    }

    proptest! {
        #[test]
        fn nothing_unsigned_is_verified(body: Vec<u8>, signature in "[A-Za-z0-9+/]{27}=", query in "[a-zA-Z0-9=&%]{0,40}") {
            prop_assert!(post(URL, &query, FORM, &signature, &body).is_err());
            prop_assert!(post(URL, &query, "text/plain", &signature, &body).is_err());
        }

        // Nothing stands between names and values, so `a=b` and `a&b` have the same signature. No character is added, left
        // out or moved.
        #[test]
        fn a_changed_form_yields_nothing_else(at in 0usize..200, to: u8) {
            let (body, good) = signed_form("token", URL, &[("MessageSid", "SM1"), ("Body", "hello there"), ("From", "+1")]);
            let mut other = body.clone().into_bytes();
            let at = at % other.len();
            other[at] = to;
            if post(URL, "", FORM, &good, &other).is_ok() {
                let signed = |body: &[u8]| {
                    let mut params = read_form(body).ok().unwrap();
                    params.sort();
                    params.into_iter().flat_map(|(name, value)| [name, value]).collect::<String>()
                };
                prop_assert_eq!(signed(&other), signed(body.as_bytes()));
            }
        }
    }
}
