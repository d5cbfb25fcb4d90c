//! WeChat mini programs: encrypted JSON; every eighth message is a card of a page.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble, wx};
use serde_json::{Value, json};
use warmline_channels::miniprogram::sign;
use warmline_channels::wx_crypto::AesKey;

/// The platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Miniprogram;

impl Simulated for Miniprogram {
    fn channel(&self) -> &'static str {
        "miniprogram"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: "mini".into(),
            settings: json!({ "app_id": wx::APP_ID, "mode": "safe", "api_base": api_base }),
            secrets: vec![
                ("token", wx::TOKEN.into()),
                ("app_secret", wx::APP_SECRET.into()),
                ("encoding_aes_key", wx::AES_KEY.into()),
            ],
        }
    }

    fn open_id(&self, customer: u64) -> String {
        format!("oMini{customer:023}")
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let id = ("MsgId", json!(act.number));
        let (kind, fields) = if act.number % 8 == 7 {
            let card = [
                ("Title", json!(act.text)),
                ("AppId", json!(wx::APP_ID)),
                ("PagePath", json!(format!("pages/goods?id={}", act.number))),
                ("ThumbUrl", json!("https://mmbiz.example/cover")),
                ("ThumbMediaId", json!(format!("cover-{}", act.number))),
            ];
            ("miniprogrampage", [vec![id], card.to_vec()].concat())
        } else {
            ("text", vec![id, ("Content", json!(act.text))])
        };
        let message = sign::message_json(&self.open_id(act.customer), "gh_simulated", act.at, kind, &fields);
        let time = act.at.to_string();
        let Some(key) = AesKey::decode(wx::AES_KEY) else {
            return Arrival::Webhook(Request::default());
        };
        let nonce = act.number.to_string();
        let (query, body) = sign::safe_json(wx::TOKEN, &key, wx::APP_ID, &time, &nonce, &act.nonce, message.as_bytes());
        let headers = vec![("content-type".into(), "application/json".into())];
        Arrival::Webhook(Request { method: "POST".into(), path: String::new(), query, headers, body: body.into_bytes() })
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        status == 200 && (body == b"success" || body.is_empty())
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        wx::endpoint(call)
    }

    /// Mini programs send fewer kinds than official accounts.
    fn check(&self, endpoint: Endpoint, call: &Request, token: &str) -> Result<Option<Sent>, Trouble> {
        let sent = wx::check(endpoint, call, token, Some((wx::APP_ID, wx::APP_SECRET)))?;
        let kinds = ["text", "image", "link", "miniprogrampage"];
        if sent.is_some() && !call.json()["msgtype"].as_str().is_some_and(|kind| kinds.contains(&kind)) {
            return Err(Trouble::SignatureRefused);
        }
        Ok(sent)
    }

    fn answer(&self, endpoint: Endpoint, call: &Request, token: &str, _kept: &[(u64, Value)]) -> Answer {
        wx::answer(endpoint, call, token, self.token_secs())
    }

    fn refuse(&self, endpoint: Endpoint, trouble: Trouble) -> Answer {
        wx::refuse(endpoint, trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, TOKEN, act};
    use super::*;
    use warmline_channels::Outcome;
    use warmline_channels::miniprogram::MiniprogramAdapter;
    use warmline_model::Content;

    #[test]
    fn adapter_and_simulator_understand_each_other() {
        let driver = Driver::new(&MiniprogramAdapter, &Miniprogram);
        let message = driver.arrive("在吗？");
        assert_eq!(message.content, Content::text("在吗？"));
        assert!(!Miniprogram.acknowledged(403, b"success"));

        let troubles = [
            (Trouble::TokenRefused, Outcome::RefreshToken),
            (Trouble::WindowClosed, Outcome::Permanent("reply_window_closed")),
            (Trouble::RateLimited, Outcome::Retry("rate_limited")),
            (Trouble::SignatureRefused, Outcome::Permanent("api_not_authorized")),
        ];
        driver.answer(&message, &troubles);
        let card = driver.messages(&driver.pushed(&act(7, "这件"))).unwrap().remove(0);
        assert!(driver.reply(&card, &card.content, Some(TOKEN)).is_ok(), "a card goes back as it came");
        assert_eq!(driver.reply(&message, &Content::text("x"), Some("old")), Err(Outcome::RefreshToken));
    }

    #[test]
    fn tokens_and_media() {
        let driver = Driver::new(&MiniprogramAdapter, &Miniprogram);
        assert_eq!(driver.fetch_token().expires_in, 7200);
        driver.media("M");
    }
}
