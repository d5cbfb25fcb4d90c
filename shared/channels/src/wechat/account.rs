//! The settings and secrets of an official account.

use crate::kit::{AccountError, Secrets};
use crate::settings::Fields;
use crate::wx::app::App;
pub use crate::wx::settings::Mode;
use serde_json::Value;

/// The way in which replies leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyBy {
    /// In the webhook's answer, if one is ready in time.
    Passive,
    /// By the customer-service API.
    Api,
}

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) app: App,
    pub(super) reply: ReplyBy,
}

const SETTINGS: &[&str] = &["app_id", "mode", "reply", "api_base", "max_age_secs"];

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, SETTINGS, &App::SECRETS)?;
        let app = App::read(&fields)?;
        let reply = match fields.text("reply")? {
            None | Some("api") => ReplyBy::Api,
            Some("passive") => ReplyBy::Passive,
            Some(_) => return Err(AccountError::new("reply", "must be passive or api")),
        };
        Ok(Self { app, reply })
    }

    /// The kind of webhooks that the account accepts.
    pub fn mode(&self) -> Mode {
        self.app.gate.mode
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

    fn read(settings: Value, secrets: &[(&str, &str)]) -> Result<Account, AccountError> {
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Account::read(&settings, &secrets)
    }

    fn wrong_field(settings: Value, secrets: &[(&str, &str)]) -> String {
        read(settings, secrets).err().map(|e| e.field).unwrap_or_default()
    }

    #[test]
    fn defaults() {
        let account = read(Value::Null, &[("token", "test")]).ok().unwrap();
        assert_eq!((account.mode(), account.reply, account.app.gate.max_age_secs), (Mode::Plain, ReplyBy::Api, 300));
        assert_eq!(account.app.api_base, "https://api.weixin.qq.com");
        let account = read(json!({ "app_id": "wx1" }), &[("token", "test"), ("encoding_aes_key", KEY)]).ok().unwrap();
        assert_eq!(account.mode(), Mode::Safe);
        let account = read(json!({ "api_base": "http://127.0.0.1:9/" }), &[("token", "test")]).ok().unwrap();
        assert_eq!(account.app.api_base, "http://127.0.0.1:9");
    }

    #[test]
    fn errors_name_the_field_and_never_the_value() {
        let token = ("token", "test");
        assert_eq!(wrong_field(json!({}), &[]), "token");
        assert_eq!(wrong_field(json!({}), &[("token", "ab")]), "token");
        assert_eq!(wrong_field(json!({ "modus": "safe" }), &[token]), "modus");
        assert_eq!(wrong_field(json!({}), &[token, ("encoding_aeskey", KEY)]), "encoding_aeskey");
        assert_eq!(wrong_field(json!({ "mode": "open" }), &[token]), "mode");
        assert_eq!(wrong_field(json!({ "mode": 1 }), &[token]), "mode");
        assert_eq!(wrong_field(json!({ "mode": "safe", "app_id": "wx1" }), &[token]), "encoding_aes_key");
        assert_eq!(wrong_field(json!({ "mode": "both" }), &[token, ("encoding_aes_key", KEY)]), "app_id");
        assert_eq!(wrong_field(json!({}), &[token, ("encoding_aes_key", "short")]), "encoding_aes_key");
        assert_eq!(wrong_field(json!({}), &[token, ("app_secret", "s")]), "app_id");
        assert_eq!(wrong_field(json!({ "max_age_secs": 0 }), &[token]), "max_age_secs");
        for base in
            ["ftp://x", "api.weixin.qq.com", "https://u:p@x", "https://x/?a=1", "https://x/#a", "https://", "", "x y"]
        {
            assert_eq!(wrong_field(json!({ "api_base": base }), &[token]), "api_base", "{base}");
        }
        let error = read(json!({}), &[("token", "has space")]).err().unwrap();
        assert!(!error.to_string().contains("has space"));
    }
}
