//! The settings and secrets of a 抖音 account.

use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, absent, api_base, max_age_secs, name, required};
use crate::wx::settings::aes_key;
use crate::wx_crypto::AesKey;
use serde_json::Value;

/// The protocol of the account, of the platform's two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 私信: private messages to an operator's account.
    Im,
    /// 小程序消息推送客服: the customer service of a mini app.
    Miniapp,
}

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) api_base: String,
    pub(super) face: Face,
}

/// The parts that differ between the two protocols.
pub(super) enum Face {
    Im(Im),
    Miniapp(Miniapp),
}

pub(super) struct Im {
    pub(super) client_key: Option<String>,
    pub(super) client_secret: String,
    pub(super) webhook_secret: Option<String>,
    pub(super) refresh_token: Option<String>,
}

pub(super) struct Miniapp {
    pub(super) app_id: String,
    pub(super) token: String,
    pub(super) key: AesKey,
    pub(super) app_secret: Option<String>,
    pub(super) max_age_secs: i64,
}

impl Im {
    /// The secret that signs webhooks.
    pub(super) fn signing_secret(&self) -> &str {
        self.webhook_secret.as_deref().unwrap_or(&self.client_secret)
    }
}

const IM_SETTINGS: &[&str] = &["kind", "client_key", "api_base"];
const IM_SECRETS: &[&str] = &["client_secret", "webhook_secret", "refresh_token"];
const MINIAPP_SETTINGS: &[&str] = &["kind", "app_id", "api_base", "max_age_secs"];
const MINIAPP_SECRETS: &[&str] = &["token", "encoding_aes_key", "app_secret"];

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        match settings.get("kind") {
            None | Some(Value::Null) => Self::im(settings, secrets),
            Some(Value::String(kind)) if kind == "im" => Self::im(settings, secrets),
            Some(Value::String(kind)) if kind == "miniapp" => Self::miniapp(settings, secrets),
            Some(_) => Err(AccountError::new("kind", "must be im or miniapp")),
        }
    }

    fn im(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, IM_SETTINGS, IM_SECRETS)?;
        let im = Im {
            client_key: name(&fields, "client_key", 64)?,
            client_secret: fields.required_secret("client_secret", 1..=128)?.to_owned(),
            webhook_secret: fields.secret("webhook_secret", 1..=128)?.map(str::to_owned),
            refresh_token: fields.secret("refresh_token", 1..=512)?.map(str::to_owned),
        };
        if im.refresh_token.is_some() && im.client_key.is_none() {
            return Err(AccountError::new("client_key", "is required beside refresh_token"));
        }
        Ok(Self { api_base: api_base(&fields, "https://open.douyin.com")?, face: Face::Im(im) })
    }

    fn miniapp(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, MINIAPP_SETTINGS, MINIAPP_SECRETS)?;
        let miniapp = Miniapp {
            app_id: name(&fields, "app_id", 64)?.ok_or_else(|| AccountError::new("app_id", "is required for a mini app"))?,
            token: fields.required_secret("token", 3..=32)?.to_owned(),
            key: required(aes_key(&fields)?, "encoding_aes_key")?,
            app_secret: fields.secret("app_secret", 1..=128)?.map(str::to_owned),
            max_age_secs: max_age_secs(&fields)?,
        };
        Ok(Self { api_base: api_base(&fields, "https://developer.toutiao.com")?, face: Face::Miniapp(miniapp) })
    }

    /// The settings and secrets that sending needs and the account lacks.
    pub(super) fn missing_for_sending(&self) -> Vec<&'static str> {
        match &self.face {
            Face::Im(im) => absent(&[("client_key", im.client_key.is_some())]),
            Face::Miniapp(app) => absent(&[("app_secret", app.app_secret.is_some())]),
        }
    }

    /// The protocol of the account.
    pub fn kind(&self) -> Kind {
        match self.face {
            Face::Im(_) => Kind::Im,
            Face::Miniapp(_) => Kind::Miniapp,
        }
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
    fn two_kinds_with_their_own_defaults() {
        let im = read(Value::Null, &[("client_secret", "s")]).ok().unwrap();
        assert_eq!((im.kind(), im.api_base.as_str()), (Kind::Im, "https://open.douyin.com"));
        let miniapp = json!({ "kind": "miniapp", "app_id": "tt1", "api_base": null });
        let miniapp = read(miniapp, &[("token", "tok"), ("encoding_aes_key", KEY)]).ok().unwrap();
        assert_eq!((miniapp.kind(), miniapp.api_base.as_str()), (Kind::Miniapp, "https://developer.toutiao.com"));
        let proxied = read(json!({ "api_base": "http://127.0.0.1:9/" }), &[("client_secret", "s")]).ok().unwrap();
        assert_eq!(proxied.api_base, "http://127.0.0.1:9");
    }

    #[test]
    fn errors_name_the_field_and_never_the_value() {
        let secret = ("client_secret", "s3cret");
        assert_eq!(wrong_field(json!({}), &[]), "client_secret");
        assert_eq!(wrong_field(json!({ "kind": "live" }), &[secret]), "kind");
        assert_eq!(wrong_field(json!({ "kind": 1 }), &[secret]), "kind");
        assert_eq!(wrong_field(json!({ "app_id": "tt1" }), &[secret]), "app_id");
        assert_eq!(wrong_field(json!({}), &[secret, ("token", "tok")]), "token");
        assert_eq!(wrong_field(json!({}), &[secret, ("refresh_token", "r")]), "client_key");
        assert_eq!(wrong_field(json!({ "client_key": "a b" }), &[secret]), "client_key");
        assert_eq!(wrong_field(json!({ "api_base": "ftp://x" }), &[secret]), "api_base");
        let miniapp = json!({ "kind": "miniapp", "app_id": "tt1" });
        let (token, key) = (("token", "tok"), ("encoding_aes_key", KEY));
        assert_eq!(wrong_field(miniapp.clone(), &[token]), "encoding_aes_key");
        assert_eq!(wrong_field(miniapp.clone(), &[key]), "token");
        assert_eq!(wrong_field(miniapp.clone(), &[token, ("encoding_aes_key", "short")]), "encoding_aes_key");
        assert_eq!(wrong_field(miniapp, &[token, key, secret]), "client_secret");
        assert_eq!(wrong_field(json!({ "kind": "miniapp" }), &[token, key]), "app_id");
        let error = read(json!({}), &[("client_secret", "s3 cret")]).err().unwrap();
        assert!(!error.to_string().contains("s3 cret"));
    }
}
