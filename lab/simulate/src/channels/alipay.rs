//! Alipay 生活号, simulated. The keys of both sides are those of the adapter's tests.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use serde_json::{Value, json};
use std::sync::LazyLock;
use warmline_channels::alipay::{PrivateKey, PublicKey, sign, signed_text};
use warmline_channels::sorted_sign::read_form;

const APP_ID: &str = "2021000000000001";
const APP_KEY: &str = include_str!("../../../../shared/channels/tests/keys/alipay_app.pkcs8");
const PLATFORM_KEY: &str = include_str!("../../../../shared/channels/tests/keys/alipay_platform.pkcs8");

/// Reading a key costs milliseconds, and a simulator makes many signatures.
static KEYS: LazyLock<Option<(PrivateKey, PublicKey)>> = LazyLock::new(|| {
    let (platform, application) = (PrivateKey::read(PLATFORM_KEY)?, PrivateKey::read(APP_KEY)?);
    let public = PublicKey::read(&application.public())?;
    Some((platform, public))
});

/// The platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alipay;

fn webhook(service: &str, charset: &str, content: &str) -> Request {
    let body = KEYS.as_ref().map(|(platform, _)| sign::webhook(platform, service, charset, content)).unwrap_or_default();
    let headers = vec![("content-type".to_owned(), format!("application/x-www-form-urlencoded; charset={charset}"))];
    Request { method: "POST".into(), headers, body, ..Request::default() }
}

/// A message around this content.
pub(super) fn sealed(content: &str) -> Request {
    webhook(sign::MESSAGE, "UTF-8", content)
}

/// The contents of some messages and an event.
pub(super) fn contents(at: i64, number: u64) -> Vec<Vec<u8>> {
    let (millis, id, user) = (at.saturating_mul(1000), number.to_string(), Alipay.open_id(7));
    let event = [("EventType", "follow"), ("ActionParam", "{\"scene\":{\"sceneId\":\"1\"}}")];
    let all = [
        sign::text(APP_ID, &user, millis, &id, super::protocols::WORDS),
        sign::image(APP_ID, &user, millis, &id, "media-1"),
        sign::message(APP_ID, &user, millis, "event", &event),
        sign::message(APP_ID, &user, millis, "sphinx", &[("Riddle", "?"), ("MsgId", &id)]),
    ];
    all.map(String::into_bytes).to_vec()
}

impl Simulated for Alipay {
    fn channel(&self) -> &'static str {
        "alipay"
    }

    fn account(&self, api_base: &str) -> Account {
        let public = KEYS.as_ref().map(|(platform, _)| platform.public()).unwrap_or_default();
        Account {
            id: "sim".into(),
            settings: json!({ "app_id": APP_ID, "alipay_public_key": public, "api_base": api_base, "media_base": api_base }),
            secrets: vec![("app_private_key", APP_KEY.trim().into())],
        }
    }

    fn open_id(&self, customer: u64) -> String {
        format!("2088{customer:012}")
    }

    /// Every other act is in GBK, like that of old accounts. Text that GBK cannot write is always in UTF-8.
    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let id = format!("1603084644{:08}", act.number);
        let content = sign::text(APP_ID, &self.open_id(act.customer), act.at.saturating_mul(1000), &id, act.text);
        let gbk = act.number.is_multiple_of(2) && act.text.chars().all(|c| c.len_utf8() < 4);
        Arrival::Webhook(webhook(sign::MESSAGE, if gbk { "GBK" } else { "UTF-8" }, &content))
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        let Some((_, application)) = KEYS.as_ref() else { return false };
        let response = std::str::from_utf8(body).ok().and_then(|answer| sign::signed_response(application, answer));
        status == 200 && response.is_some_and(|response| response.contains("<MsgType><![CDATA[ack]]></MsgType>"))
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        match (call.method.as_str(), call.path.as_str()) {
            ("POST", "/gateway.do") => Some(Endpoint::Send),
            ("GET", "/chat/multimedia.do") => Some(Endpoint::Media),
            _ => None,
        }
    }

    fn check(&self, endpoint: Endpoint, call: &Request, _token: &str) -> Result<Option<Sent>, Trouble> {
        let params = match endpoint {
            Endpoint::Media => read_form(call.query.as_bytes()),
            _ => read_form(&call.body),
        };
        let value = |name: &str| params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).unwrap_or_default();
        let text = signed_text(params.iter().map(|(name, value)| (name.as_str(), value.as_bytes())), &["sign"]);
        let good = KEYS.as_ref().is_some_and(|(_, application)| application.verifies(&text, value("sign")));
        if !good || value("app_id") != APP_ID || value("sign_type") != "RSA2" || value("timestamp").len() != 19 {
            return Err(Trouble::SignatureRefused);
        }
        let content: Value = serde_json::from_str(value("biz_content")).unwrap_or_default();
        match (value("method"), content["to_user_id"].as_str()) {
            ("alipay.open.public.message.custom.send", Some(to)) => {
                let text = content["text"]["content"].as_str().unwrap_or_default().to_owned();
                Ok(Some(Sent { to: to.to_owned(), text }))
            }
            ("alipay.mobile.public.multimedia.download", _) if content["mediaId"].is_string() => Ok(None),
            _ => Err(Trouble::SignatureRefused),
        }
    }

    fn answer(&self, endpoint: Endpoint, _call: &Request, _token: &str, _kept: &[(u64, Value)]) -> Answer {
        match endpoint {
            Endpoint::Media => Answer::new(200, b"\xff\xd8\xff\xe0simulated".to_vec()),
            _ => response(&json!({ "code": "10000", "msg": "Success" })),
        }
    }

    fn refuse(&self, _endpoint: Endpoint, trouble: Trouble) -> Answer {
        let (code, sub_code) = match trouble {
            Trouble::TokenRefused => ("20001", "aop.invalid-auth-token"),
            Trouble::WindowClosed => ("40004", "MSG_SD_OVER_TIME"),
            Trouble::RateLimited => ("40005", "isv.app-call-limited"),
            Trouble::SignatureRefused => ("40002", "isv.invalid-signature"),
        };
        response(&json!({ "code": code, "msg": "refused", "sub_code": sub_code }))
    }
}

fn response(inner: &Value) -> Answer {
    Answer::json(&json!({ "alipay_open_public_message_custom_send_response": inner, "sign": "not looked at" }))
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, NOW, act};
    use super::*;
    use warmline_channels::alipay::AlipayAdapter;
    use warmline_channels::{Outcome, Refusal};
    use warmline_model::Content;

    #[test]
    fn a_talk() {
        let driver = Driver::new(&AlipayAdapter, &Alipay);
        let event = sign::message(APP_ID, "2088", NOW.millis(), "event", &[("EventType", "verifygw")]);
        let reply = driver.greeted(&webhook(sign::CHECK, "GBK", &event)).unwrap();
        let application = &KEYS.as_ref().unwrap().1;
        let response = sign::signed_response(application, std::str::from_utf8(&reply.body).unwrap()).unwrap();
        assert!(response.starts_with("<success>true</success><biz_content>MII"));

        for (number, text) in [(42, "在吗？"), (43, "在吗？"), (44, "😀")] {
            let arrival = driver.pushed(&act(number, text));
            let messages = driver.messages(&arrival).unwrap();
            assert_eq!((&messages[0].content, messages[0].at), (&Content::text(text), NOW));
            assert_eq!(messages[0].sender.open_id, Alipay.open_id(7));
            assert_eq!(messages[0].earlier_key.clone().unwrap(), format!("1603084644{number:08}"));
            let forged = Request { body: [&arrival.body[..], b"&x=1"].concat(), ..arrival };
            assert_eq!(driver.messages(&forged), Err(Refusal::SignatureWrong));
        }

        let message = driver.arrive("在吗？");
        let troubles = [
            (Trouble::TokenRefused, Outcome::Permanent("credentials_refused")),
            (Trouble::SignatureRefused, Outcome::Permanent("credentials_refused")),
            (Trouble::WindowClosed, Outcome::Permanent("reply_window_closed")),
            (Trouble::RateLimited, Outcome::Retry("rate_limited")),
        ];
        let call = driver.answer(&message, &troubles);
        let forged = Request { body: [&call.body[..], b"&x=1"].concat(), ..call };
        assert_eq!(Alipay.check(Endpoint::Send, &forged, ""), Err(Trouble::SignatureRefused));
        driver.media("L21p");
    }
}
