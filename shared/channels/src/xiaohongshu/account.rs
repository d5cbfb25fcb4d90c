//! The settings and secrets of a 小红书 account.

use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, api_base, max_age_secs, name, required};
use crate::wx::settings::aes_key;
use crate::wx_crypto::AesKey;
use serde_json::Value;

/// The protocol of the account, of the platform's two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 电商开放平台: the events of a shop.
    Shop,
    /// 小程序: the pushes of a mini program.
    MiniProgram,
}

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) app_id: String,
    pub(super) api_base: String,
    pub(super) max_age_secs: i64,
    pub(super) face: Face,
}

/// The parts that differ between the two protocols.
pub(super) enum Face {
    Shop { app_secret: String, push_path: String, seller_id: Option<String> },
    MiniProgram { token: String, key: AesKey, app_secret: Option<String> },
}

const SHOP_SETTINGS: &[&str] = &["kind", "app_id", "push_path", "seller_id", "api_base", "max_age_secs"];
const MINI_SETTINGS: &[&str] = &["kind", "app_id", "api_base", "max_age_secs"];

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        match settings.get("kind") {
            None | Some(Value::Null) => Self::shop(settings, secrets),
            Some(Value::String(kind)) if kind == "shop" => Self::shop(settings, secrets),
            Some(Value::String(kind)) if kind == "miniprogram" => Self::miniprogram(settings, secrets),
            Some(_) => Err(AccountError::new("kind", "must be shop or miniprogram")),
        }
    }

    fn shop(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, SHOP_SETTINGS, &["app_secret"])?;
        let path = fields.text("push_path")?.ok_or_else(|| AccountError::new("push_path", "is required for a shop"))?;
        let plain = path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'));
        if !path.starts_with('/') || path.len() > 256 || !plain {
            return Err(AccountError::new(
                "push_path",
                "must be the path of the address, from the first slash to the query",
            ));
        }
        let face = Face::Shop {
            app_secret: fields.required_secret("app_secret", 1..=128)?.to_owned(),
            push_path: path.to_owned(),
            seller_id: name(&fields, "seller_id", 64)?,
        };
        Self::with(&fields, face, "https://ark.xiaohongshu.com")
    }

    fn miniprogram(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, MINI_SETTINGS, &["app_secret", "token", "encoding_aes_key"])?;
        let face = Face::MiniProgram {
            token: fields.required_secret("token", 3..=64)?.to_owned(),
            key: required(aes_key(&fields)?, "encoding_aes_key")?,
            app_secret: fields.secret("app_secret", 1..=128)?.map(str::to_owned),
        };
        Self::with(&fields, face, "https://miniapp.xiaohongshu.com")
    }

    fn with(fields: &Fields<'_>, face: Face, host: &str) -> Result<Self, AccountError> {
        let app_id = required(name(fields, "app_id", 64)?, "app_id")?;
        Ok(Self { app_id, api_base: api_base(fields, host)?, max_age_secs: max_age_secs(fields)?, face })
    }

    /// The protocol of the account.
    pub fn kind(&self) -> Kind {
        match self.face {
            Face::Shop { .. } => Kind::Shop,
            Face::MiniProgram { .. } => Kind::MiniProgram,
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
        let shop = json!({ "app_id": "a", "push_path": "/channels/xiaohongshu/main" });
        let shop = read(shop, &[("app_secret", "s")]).ok().unwrap();
        assert_eq!(
            (shop.kind(), shop.api_base.as_str(), shop.max_age_secs),
            (Kind::Shop, "https://ark.xiaohongshu.com", 300)
        );
        let mini = json!({ "kind": "miniprogram", "app_id": "a" });
        let mini = read(mini, &[("token", "tok"), ("encoding_aes_key", KEY)]).ok().unwrap();
        assert_eq!((mini.kind(), mini.api_base.as_str()), (Kind::MiniProgram, "https://miniapp.xiaohongshu.com"));
    }

    #[test]
    fn errors_name_the_field() {
        let secret = ("app_secret", "s");
        assert_eq!(wrong_field(json!({ "push_path": "/x" }), &[secret]), "app_id");
        assert_eq!(wrong_field(json!({ "app_id": "a" }), &[secret]), "push_path");
        for path in ["x", "/x?y", "/x y", ""] {
            assert_eq!(wrong_field(json!({ "app_id": "a", "push_path": path }), &[secret]), "push_path");
        }
        assert_eq!(wrong_field(json!({ "app_id": "a", "push_path": "/x" }), &[]), "app_secret");
        assert_eq!(wrong_field(json!({ "app_id": "a", "push_path": "/x" }), &[secret, ("token", "t")]), "token");
        assert_eq!(wrong_field(json!({ "app_id": "a", "push_path": "/x", "max_age_secs": 1 }), &[secret]), "max_age_secs");
        assert_eq!(wrong_field(json!({ "kind": "note" }), &[secret]), "kind");
        let mini = json!({ "kind": "miniprogram", "app_id": "a" });
        assert_eq!(wrong_field(mini.clone(), &[("token", "tok")]), "encoding_aes_key");
        assert_eq!(wrong_field(mini.clone(), &[("encoding_aes_key", KEY)]), "token");
        let path = json!({ "kind": "miniprogram", "app_id": "a", "push_path": "/x" });
        assert_eq!(wrong_field(path, &[("token", "tok"), ("encoding_aes_key", KEY)]), "push_path");
    }
}
