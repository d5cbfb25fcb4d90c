//! WeCom's API: access tokens (`/cgi-bin/gettoken`), messages of an application (`/cgi-bin/message/send`) and of 微信客服
//! (`/cgi-bin/kf/send_msg`, `/cgi-bin/kf/send_msg_on_event`), and the meaning of its error codes for the outbox.
//!
//! The customer's newest message decides whether a reply is 微信客服's or an application's: it came from an `open_kfid` or from
//! an `agent_id`.

use super::CAPABILITIES;
use super::account::Account;
use super::outgoing::Outgoing;
use crate::answers;
use crate::kit::{ApiRequest, ApiResponse, Call, Outbound, Outcome, Rendered, Token, Undeliverable};
use crate::requests::{get, post_json};
use crate::wx::api::{token_answer, url};
use serde::Deserialize;
use serde_json::{Value, json};

/// The longest `msgid` that the platform accepts.
const MAX_MSGID: usize = 32;

/// The access token, or the code for its absence.
pub(super) fn token<'c>(account: &Account, call: &Call<'c>) -> Result<&'c str, Undeliverable> {
    call.token.ok_or(if account.secret.is_some() { Undeliverable::TokenMissing } else { Undeliverable::CredentialsMissing })
}

/// The platform issues one token until it ends. It cannot be asked for another.
pub(super) fn token_request(account: &Account) -> Option<ApiRequest> {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("corpid", &account.corp_id)
        .append_pair("corpsecret", account.secret.as_deref()?)
        .finish();
    let url = format!("{}/cgi-bin/gettoken?{query}", account.api_base);
    Some(get(url))
}

pub(super) fn render(account: &Account, reply: &Outbound<'_>, call: &Call<'_>) -> Result<Rendered, Undeliverable> {
    CAPABILITIES.check(reply.content)?;
    let message = Outgoing::from_content(reply.content)?;
    let to = recipient(reply.to)?;
    let reply_to = reply.reply_to.unwrap_or(&Value::Null);
    let (path, body) = match reply_to["open_kfid"].as_str() {
        Some(kf) => customer(reply, reply_to, to, kf, &message, call)?,
        None => {
            let (kind, content) = message.to_member()?;
            let agent = reply_to["agent_id"].as_i64().or(account.agent_id).ok_or(Undeliverable::AgentIdMissing)?;
            let mut body = json!({ "touser": to, "msgtype": kind, "agentid": agent });
            body[kind] = content;
            ("/cgi-bin/message/send", body)
        }
    };
    let url = url(&account.api_base, path, token(account, call)?);
    Ok(Rendered::Call(post_json(url, body.to_string())))
}

/// Checks a recipient: `@all` would be everybody, and `|` separates several.
fn recipient(to: &str) -> Result<&str, Undeliverable> {
    if to.contains('|') || to.starts_with('@') || to == "sys" { Err(Undeliverable::RecipientUnknown) } else { Ok(to) }
}

/// Before the customer has written anything, a text can be sent with the code of their entering, within 20 s and once. It
/// welcomes them.
fn customer(
    reply: &Outbound<'_>,
    reply_to: &Value,
    to: &str,
    kf: &str,
    message: &Outgoing<'_>,
    call: &Call<'_>,
) -> Result<(&'static str, Value), Undeliverable> {
    let (kind, content) = message.to_customer();
    if content["content"].as_str().is_some_and(|text| CAPABILITIES.text_unit.of(text) > CAPABILITIES.text_limit) {
        return Err(Undeliverable::TextTooLong);
    }
    let fresh = reply_to["welcome_until"].as_i64().is_some_and(|until| call.now.secs() < until);
    let code = reply_to["welcome_code"].as_str().filter(|_| fresh && kind == "text");
    let (path, mut body) = match code {
        Some(code) => ("/cgi-bin/kf/send_msg_on_event", json!({ "code": code, "msgtype": kind })),
        None => ("/cgi-bin/kf/send_msg", json!({ "touser": to, "open_kfid": kf, "msgtype": kind })),
    };
    body[kind] = content;
    // Our ids are a prefix and a UUID. The UUID alone fits, and is the same for each try.
    let id = reply.id.rsplit('_').next().unwrap_or_default().replace('-', "");
    if (1..=MAX_MSGID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        body["msgid"] = json!(id);
    }
    Ok((path, body))
}

#[derive(Deserialize)]
struct SendAnswer {
    errcode: i64,
    /// Receivers that do not exist or that the application may not see. There is at most one.
    #[serde(default)]
    invaliduser: Option<String>,
    #[serde(default)]
    unlicenseduser: Option<String>,
    #[serde(default)]
    errmsg: Option<String>,
}

/// Whether the platform refuses a message because it has one with this `msgid`. The document describes the refusal without
/// its code, so its words have to be read.
fn is_repeat(words: Option<&str>) -> bool {
    let words = words.unwrap_or_default().to_lowercase();
    words.contains("msgid")
        && ["exist", "duplicat", "repeat"].iter().any(|said| words.contains(said))
        && !words.contains("not exist")
}

pub(super) fn read_token(answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
    token_answer(answer, |code| match failure(code) {
        // A token was asked for, so none was refused: the secret is wrong.
        Outcome::RefreshToken => Outcome::Permanent("credentials_refused"),
        outcome => outcome,
    })
}

pub(super) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    if let Err(outcome) = answers::check_status(answer.status) {
        return outcome;
    }
    let Ok(read) = serde_json::from_slice::<SendAnswer>(answer.body) else {
        return Outcome::Retry("answer_unreadable");
    };
    let named = |list: Option<String>| list.is_some_and(|list| !list.is_empty());
    match read.errcode {
        0 if named(read.invaliduser) || named(read.unlicenseduser) => Outcome::Permanent("recipient_unknown"),
        0 => Outcome::Sent,
        // An earlier try whose answer was lost.
        _ if is_repeat(read.errmsg.as_deref()) => Outcome::Sent,
        code => failure(code),
    }
}

/// The meaning of an error code (全局错误码). The meanings of 微信客服's own codes come from their texts and from public reports:
/// 95001 "send msg count limit" (five messages sent, or the customer has not written yet), 95002 the 48 h are over, 95018
/// "send msg session status invalid" (a servicer of the platform has the conversation).
pub(super) fn failure(code: i64) -> Outcome {
    match code {
        40014 | 41001 | 42001 => Outcome::RefreshToken,
        -1 | 6000 => Outcome::Retry("platform_busy"),
        // The token of a callback, which is valid for ten minutes. The next try uses none.
        95007 => Outcome::Retry("hint_refused"),
        45009 | 45033 => Outcome::Retry("rate_limited"),
        95002 => Outcome::Permanent("reply_window_closed"),
        95001 => Outcome::Permanent("reply_quota_used"),
        95018 => Outcome::Permanent("conversation_held_elsewhere"),
        40001 | 40013 | 40091 | 41002 | 41004 => Outcome::Permanent("credentials_refused"),
        60020 => Outcome::Permanent("ip_not_allowed"),
        40003 | 40031 | 60111 | 81013 => Outcome::Permanent("recipient_unknown"),
        45002 => Outcome::Permanent("text_too_long"),
        40004..=40007 | 40009 | 40011 => Outcome::Permanent("media_refused"),
        40008 => Outcome::Permanent("kind_not_supported"),
        40056 | 48002 | 60011 | 301_002 => Outcome::Permanent("api_not_authorized"),
        50003 => Outcome::Permanent("account_blocked"),
        _ => Outcome::Permanent("platform_refused"),
    }
}
