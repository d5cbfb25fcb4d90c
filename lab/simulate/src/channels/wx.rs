//! The API of api.weixin.qq.com, as official accounts and mini programs use it.

use super::{Answer, Endpoint, Request, Sent, Trouble};
use serde_json::json;

/// The common app id of the simulated accounts.
pub(super) const APP_ID: &str = "wx5imulat0r";
pub(super) const APP_SECRET: &str = "simulated-app-secret";
pub(super) const TOKEN: &str = "simulatedtoken";
/// Its last character has bits set that base64 leaves unused, as most real keys have.
pub(super) const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// The purpose of a path.
pub(super) fn endpoint(call: &Request) -> Option<Endpoint> {
    match (call.method.as_str(), call.path.as_str()) {
        ("POST", "/cgi-bin/stable_token") => Some(Endpoint::Token),
        ("POST", "/cgi-bin/message/custom/send") => Some(Endpoint::Send),
        ("GET", "/cgi-bin/media/get") => Some(Endpoint::Media),
        _ => None,
    }
}

/// Checks a call: the app's credentials (id and secret; any app's if none are given), or the access token and the message.
pub(super) fn check(
    endpoint: Endpoint,
    call: &Request,
    token: &str,
    app: Option<(&str, &str)>,
) -> Result<Option<Sent>, Trouble> {
    let body = call.json();
    if endpoint == Endpoint::Token {
        let known = app.is_none_or(|(app_id, secret)| body["appid"] == app_id && body["secret"] == secret);
        return if known && body["grant_type"] == "client_credential" { Ok(None) } else { Err(Trouble::SignatureRefused) };
    }
    if call.param("access_token").as_deref() != Some(token) {
        return Err(Trouble::TokenRefused);
    }
    if endpoint != Endpoint::Send {
        return Ok(None);
    }
    let (Some(to), Some(kind)) = (body["touser"].as_str(), body["msgtype"].as_str()) else {
        return Err(Trouble::SignatureRefused);
    };
    if !body[kind].is_object() || (kind == "text" && !body["text"]["content"].is_string()) {
        return Err(Trouble::SignatureRefused);
    }
    let text = body["text"]["content"].as_str().unwrap_or_default();
    Ok(Some(Sent { to: to.to_owned(), text: text.to_owned() }))
}

/// Whether a call wants another token than the valid one.
pub(super) fn renews(call: &Request) -> bool {
    call.json()["force_refresh"] == true
}

/// The answer to a good call. A medium's bytes are its id, unless it is `gone…`; `page…` is no picture.
pub(super) fn answer(endpoint: Endpoint, call: &Request, token: &str, token_secs: u64) -> Answer {
    match endpoint {
        Endpoint::Token => Answer::json(&json!({ "access_token": token, "expires_in": token_secs })),
        Endpoint::Media => {
            let id = call.param("media_id").unwrap_or_default();
            if id.is_empty() || id.starts_with("gone") {
                return error(40007);
            }
            let kind = if id.starts_with("page") { "text/html" } else { "image/jpeg" };
            Answer::new(200, id.into_bytes()).with("content-type", kind)
        }
        _ => error(0),
    }
}

/// The answer to a refused call.
pub(super) fn refuse(endpoint: Endpoint, trouble: Trouble) -> Answer {
    error(match (trouble, endpoint) {
        (Trouble::TokenRefused, _) => 40001,
        (Trouble::WindowClosed, _) => 45015,
        (Trouble::RateLimited, _) => 45009,
        (Trouble::SignatureRefused, Endpoint::Token) => 40125,
        (Trouble::SignatureRefused, _) => 48001,
    })
}

/// The answer with a code; 0 is good.
pub(super) fn error(code: i64) -> Answer {
    Answer::json(&json!({ "errcode": code, "errmsg": if code == 0 { "ok" } else { "refused by the simulator" } }))
}
