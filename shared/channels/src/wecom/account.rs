//! The settings and secrets of a WeCom application or of 微信客服.

use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, api_base, max_age_secs, required};
use crate::wx::settings::{aes_key, id};
use crate::wx_crypto::AesKey;
use serde_json::Value;

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) corp_id: String,
    pub(super) agent_id: Option<i64>,
    pub(super) api_base: String,
    pub(super) max_age_secs: i64,
    pub(super) token: String,
    pub(super) key: AesKey,
    pub(super) secret: Option<String>,
}

const SETTINGS: &[&str] = &["corp_id", "agent_id", "api_base", "max_age_secs"];
const SECRETS: &[&str] = &["token", "encoding_aes_key", "secret"];
const API_BASE: &str = "https://qyapi.weixin.qq.com";

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, SETTINGS, SECRETS)?;
        Ok(Self {
            corp_id: required(id(&fields, "corp_id")?, "corp_id")?,
            agent_id: fields.number("agent_id", 0..=i64::from(u32::MAX))?,
            api_base: api_base(&fields, API_BASE)?,
            max_age_secs: max_age_secs(&fields)?,
            token: fields.required_secret("token", 3..=32)?.to_owned(),
            key: required(aes_key(&fields)?, "encoding_aes_key")?,
            secret: fields.secret("secret", 1..=128)?.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

    fn wrong_field(settings: Value, secrets: &[(&str, &str)]) -> String {
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Account::read(&settings, &secrets).err().map(|e| e.field).unwrap_or_default()
    }

    #[test]
    fn errors_name_the_field() {
        let (token, key) = (("token", "test"), ("encoding_aes_key", KEY));
        let corp = json!({ "corp_id": "ww1" });
        assert_eq!(wrong_field(corp.clone(), &[token, key]), "");
        assert_eq!(wrong_field(json!({ "corp_id": "ww1", "agent_id": 1_000_002 }), &[token, key, ("secret", "s")]), "");
        assert_eq!(wrong_field(json!({}), &[token, key]), "corp_id");
        assert_eq!(wrong_field(corp.clone(), &[key]), "token");
        assert_eq!(wrong_field(corp.clone(), &[token]), "encoding_aes_key");
        assert_eq!(wrong_field(corp.clone(), &[token, ("encoding_aes_key", "short")]), "encoding_aes_key");
        assert_eq!(wrong_field(corp, &[token, key, ("app_secret", "s")]), "app_secret");
        for (name, value) in
            [("agent_id", json!(-1)), ("agent_id", json!("1")), ("mode", json!("safe")), ("corp_id", json!("w w"))]
        {
            let mut settings = json!({ "corp_id": "ww1" });
            settings[name] = value;
            assert_eq!(wrong_field(settings, &[token, key]), name);
        }
    }
}
