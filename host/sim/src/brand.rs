//! The brand of the demo: its accounts on the channels and their secrets. The secrets are drawn once and kept with the
//! demo's state; they are worth nothing outside of it.

use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Names and secrets of the brand's accounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Brand {
    /// The official account's id.
    pub wechat_account: String,
    /// Its app id.
    pub wechat_app_id: String,
    /// Its app secret.
    pub wechat_app_secret: String,
    /// Its webhook token.
    pub wechat_token: String,
    /// Its EncodingAESKey.
    pub wechat_aes_key: String,
    /// The app's account.
    pub app_account: String,
    /// Signs the app's identity tokens.
    pub app_jwt_secret: String,
    /// Signs the app's bodies.
    pub app_body_secret: String,
    /// The web site's account.
    pub webchat_account: String,
}

fn word(rng: &mut Rng, length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..length).filter_map(|_| rng.pick(LETTERS)).map(|byte| char::from(*byte)).collect()
}

impl Brand {
    /// The demo's accounts, with secrets drawn from `rng`.
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            wechat_account: "gh_rice".into(),
            wechat_app_id: "wxrice0000000001".into(),
            wechat_app_secret: word(rng, 32),
            wechat_token: word(rng, 24),
            wechat_aes_key: word(rng, 43),
            app_account: "main".into(),
            app_jwt_secret: word(rng, 40),
            app_body_secret: word(rng, 40),
            webchat_account: "main".into(),
        }
    }

    /// The bodies that create the accounts, for an API of WeChat's at `api_base`.
    pub fn accounts(&self, api_base: &str) -> [Value; 3] {
        [
            json!({
                "channel": "wechat", "account": self.wechat_account, "name": "稻香公众号",
                "settings": { "app_id": self.wechat_app_id, "mode": "both", "reply": "api", "api_base": api_base },
                "secrets": {
                    "token": self.wechat_token, "app_secret": self.wechat_app_secret,
                    "encoding_aes_key": self.wechat_aes_key,
                },
            }),
            json!({
                "channel": "app", "account": self.app_account, "name": "稻香App", "settings": {},
                "secrets": { "jwt_secret": self.app_jwt_secret, "body_secret": self.app_body_secret },
            }),
            json!({
                "channel": "webchat", "account": self.webchat_account, "name": "稻香官网",
                "settings": { "origins": [] }, "secrets": {},
            }),
        ]
    }
}
