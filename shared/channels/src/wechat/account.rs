//! The settings and secrets of an official account.

use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, api_base, max_age_secs};
use crate::wx_crypto::AesKey;
use serde_json::Value;

/// Which webhooks the account takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 明文模式: plain only.
    Plain,
    /// 安全模式: encrypted only.
    Safe,
    /// Either, while an account moves from one to the other. Of 兼容模式's doubled messages the encrypted half is read.
    Both,
}

/// How replies leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyBy {
    /// In the webhook's answer where one is ready in time.
    Passive,
    /// By the customer-service API.
    Api,
}

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) token: String,
    pub(super) mode: Mode,
    pub(super) reply: ReplyBy,
    pub(super) api_base: String,
    pub(super) app_id: Option<String>,
    pub(super) app_secret: Option<String>,
    pub(super) key: Option<AesKey>,
    pub(super) max_age_secs: i64,
}

const SETTINGS: &[&str] = &["app_id", "mode", "reply", "api_base", "max_age_secs"];
const SECRETS: &[&str] = &["token", "app_secret", "encoding_aes_key"];
const API_BASE: &str = "https://api.weixin.qq.com";

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, SETTINGS, SECRETS)?;
        let token = fields.required_secret("token", 3..=32)?.to_owned();
        let app_secret = fields.secret("app_secret", 1..=128)?.map(str::to_owned);
        let wrong_key =
            || AccountError::new("encoding_aes_key", "must be the 43 letters and digits that the platform shows");
        let key = match fields.secret("encoding_aes_key", 43..=43).map_err(|_| wrong_key())? {
            Some(encoded) => Some(AesKey::decode(encoded).ok_or_else(wrong_key)?),
            None => None,
        };
        let mode = match fields.text("mode")? {
            None if key.is_some() => Mode::Safe,
            None | Some("plain") => Mode::Plain,
            Some("safe") => Mode::Safe,
            Some("both") => Mode::Both,
            Some(_) => return Err(AccountError::new("mode", "must be plain, safe or both")),
        };
        let reply = match fields.text("reply")? {
            None | Some("api") => ReplyBy::Api,
            Some("passive") => ReplyBy::Passive,
            Some(_) => return Err(AccountError::new("reply", "must be passive or api")),
        };
        let app_id = match fields.text("app_id")? {
            None => None,
            Some(id) if (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
                Some(id.to_owned())
            }
            Some(_) => return Err(AccountError::new("app_id", "must be 1 to 64 letters and digits")),
        };
        if mode != Mode::Plain && key.is_none() {
            return Err(AccountError::new("encoding_aes_key", "is required in safe mode and where both are taken"));
        }
        if mode != Mode::Plain && app_id.is_none() {
            return Err(AccountError::new("app_id", "is required in safe mode and where both are taken"));
        }
        if app_secret.is_some() && app_id.is_none() {
            return Err(AccountError::new("app_id", "is required beside app_secret"));
        }
        let api_base = api_base(&fields, "api_base", API_BASE)?;
        Ok(Self { token, mode, reply, api_base, app_id, app_secret, key, max_age_secs: max_age_secs(&fields)? })
    }

    /// Which webhooks the account takes.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The app id and secret, where both are there.
    pub(super) fn credentials(&self) -> Option<(&str, &str)> {
        Some((self.app_id.as_deref()?, self.app_secret.as_deref()?))
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
        assert_eq!((account.mode, account.reply, account.max_age_secs), (Mode::Plain, ReplyBy::Api, 300));
        assert_eq!(account.api_base, "https://api.weixin.qq.com");
        let account = read(json!({ "app_id": "wx1" }), &[("token", "test"), ("encoding_aes_key", KEY)]).ok().unwrap();
        assert_eq!(account.mode, Mode::Safe);
        let account = read(json!({ "api_base": "http://127.0.0.1:9/" }), &[("token", "test")]).ok().unwrap();
        assert_eq!(account.api_base, "http://127.0.0.1:9");
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
