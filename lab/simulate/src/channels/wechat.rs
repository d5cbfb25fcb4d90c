//! WeChat official accounts. Every fifth message is encrypted, because an account in compatible mode may get either.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble, wx};
use serde_json::{Value, json};
use warmline_channels::wechat::sign;
use warmline_channels::wx_crypto::AesKey;

/// The platform, and the brand's account on it.
#[derive(Clone, Debug)]
pub struct Wechat {
    /// The account's id, the messages' `ToUserName`.
    pub account: String,
    /// AppID.
    pub app_id: String,
    /// AppSecret.
    pub app_secret: String,
    /// The token that signs webhooks.
    pub token: String,
    /// EncodingAESKey.
    pub aes_key: String,
    /// Whether any app may fetch a token, with any secret.
    pub any_app: bool,
    /// The seconds for which an access token is valid.
    pub token_secs: u64,
}

impl Wechat {
    /// The API alone, for accounts that are made elsewhere.
    pub fn of_any_app() -> Self {
        Self { any_app: true, ..Self::default() }
    }
}

impl Default for Wechat {
    fn default() -> Self {
        Self {
            account: "gh_simulated".into(),
            app_id: wx::APP_ID.into(),
            app_secret: wx::APP_SECRET.into(),
            token: wx::TOKEN.into(),
            aes_key: wx::AES_KEY.into(),
            any_app: false,
            token_secs: 7200,
        }
    }
}

impl Simulated for Wechat {
    fn channel(&self) -> &'static str {
        "wechat"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: self.account.clone(),
            settings: json!({ "app_id": self.app_id, "mode": "both", "reply": "api", "api_base": api_base }),
            secrets: vec![
                ("token", self.token.clone()),
                ("app_secret", self.app_secret.clone()),
                ("encoding_aes_key", self.aes_key.clone()),
            ],
        }
    }

    fn open_id(&self, customer: u64) -> String {
        format!("oSim{customer:024}")
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let xml = sign::text(&self.open_id(act.customer), &self.account, act.at, act.number, act.text);
        let (time, nonce) = (act.at.to_string(), act.number.to_string());
        let key = AesKey::decode(&self.aes_key).filter(|_| act.number.is_multiple_of(5));
        let (query, body) = match key {
            Some(key) => sign::safe(&self.token, &key, &self.app_id, &time, &nonce, &act.nonce, xml.as_bytes()),
            None => (sign::plain_query(&self.token, &time, &nonce), xml),
        };
        let headers = vec![("content-type".into(), "text/xml".into())];
        Arrival::Webhook(Request { method: "POST".into(), path: String::new(), query, headers, body: body.into_bytes() })
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        status == 200 && (body == b"success" || body.is_empty() || body.starts_with(b"<xml>"))
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        wx::endpoint(call)
    }

    fn check(&self, endpoint: Endpoint, call: &Request, token: &str) -> Result<Option<Sent>, Trouble> {
        let app = (self.app_id.as_str(), self.app_secret.as_str());
        wx::check(endpoint, call, token, (!self.any_app).then_some(app))
    }

    fn answer(&self, endpoint: Endpoint, call: &Request, token: &str, _kept: &[(u64, Value)]) -> Answer {
        wx::answer(endpoint, call, token, self.token_secs)
    }

    fn token_secs(&self) -> u64 {
        self.token_secs
    }

    fn renews(&self, call: &Request) -> bool {
        wx::renews(call)
    }

    fn error(&self, code: i64) -> Answer {
        wx::error(code)
    }

    fn refuse(&self, endpoint: Endpoint, trouble: Trouble) -> Answer {
        wx::refuse(endpoint, trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, NOW, act};
    use super::*;
    use warmline_channels::Outcome;
    use warmline_channels::wechat::WechatAdapter;

    #[test]
    fn plain_and_encrypted_messages_are_understood_and_replies_too() {
        let platform = Wechat::default();
        let driver = Driver::new(&WechatAdapter, &platform);
        for number in [41, 45] {
            let webhook = driver.pushed(&act(number, "在吗？😀"));
            assert_eq!(webhook.query.contains("encrypt_type=aes"), number == 45);
            let messages = driver.messages(&webhook).unwrap();
            assert_eq!((messages[0].earlier_key.clone(), messages[0].at), (Some(number.to_string()), NOW));
            assert_eq!(messages[0].sender.open_id, platform.open_id(7));
        }
        let message =
            driver.arrive_unless("退货怎么办？", |webhook| webhook.query = webhook.query.replace("ture=", "ture=0"));
        driver.fetch_token();
        driver.answer(
            &message,
            &[
                (Trouble::TokenRefused, Outcome::RefreshToken),
                (Trouble::WindowClosed, Outcome::Permanent("reply_window_closed")),
                (Trouble::RateLimited, Outcome::Retry("rate_limited")),
                (Trouble::SignatureRefused, Outcome::Permanent("api_not_authorized")),
            ],
        );
        driver.media("m1");
    }
}
