//! The settings and secrets of a life account.

use super::rsa2::{PrivateKey, PublicKey};
use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, address_or, api_base, max_age_secs, name, required};
use serde_json::Value;

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) app_id: String,
    pub(super) platform: PublicKey,
    pub(super) key: PrivateKey,
    pub(super) api_base: String,
    pub(super) media_base: String,
    pub(super) max_age_secs: i64,
}

const SETTINGS: &[&str] = &["app_id", "alipay_public_key", "api_base", "media_base", "max_age_secs"];
const SECRETS: &[&str] = &["app_private_key"];
const API_BASE: &str = "https://openapi.alipay.com";
const MEDIA_BASE: &str = "https://openfile.alipay.com";

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, SETTINGS, SECRETS)?;
        let app_id = required(name(&fields, "app_id", 128)?, "app_id")?;
        let platform = required(fields.text("alipay_public_key")?, "alipay_public_key")?;
        let platform = PublicKey::read(platform).ok_or_else(|| {
            AccountError::new(
                "alipay_public_key",
                "must be the RSA2 key of 2,048 bits that the platform shows, in base64 or PEM",
            )
        })?;
        let key = PrivateKey::read(fields.required_secret("app_private_key", 1_000..=4_096)?).ok_or_else(|| {
            let problem =
                "must be the application's RSA2 private key of 2,048 bits, PKCS#8 or PKCS#1, in base64 on one line";
            AccountError::new("app_private_key", problem)
        })?;
        Ok(Self {
            app_id,
            platform,
            key,
            api_base: api_base(&fields, API_BASE)?,
            media_base: address_or(&fields, "media_base", MEDIA_BASE)?,
            max_age_secs: max_age_secs(&fields)?,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) const APP_KEY: &str = include_str!("../../tests/keys/alipay_app.pkcs8");
    pub(crate) const PLATFORM_KEY: &str = include_str!("../../tests/keys/alipay_platform.pkcs8");

    pub(crate) fn account() -> Account {
        let public = PrivateKey::read(PLATFORM_KEY).unwrap().public();
        let secrets = [("app_private_key".to_owned(), APP_KEY.to_owned())].into();
        Account::read(&json!({ "app_id": "2021", "alipay_public_key": public }), &secrets).ok().unwrap()
    }

    #[test]
    fn errors_name_the_field() {
        let public = PrivateKey::read(PLATFORM_KEY).unwrap().public();
        let field = |settings: Value, key: Option<&str>| {
            let secrets = key.map(|key| ("app_private_key".to_owned(), key.to_owned())).into_iter().collect();
            Account::read(&settings, &secrets).err().map(|e| e.field).unwrap_or_default()
        };
        assert_eq!(field(json!({ "app_id": "2021", "alipay_public_key": public }), Some(APP_KEY)), "");
        assert_eq!(field(json!({ "alipay_public_key": public }), Some(APP_KEY)), "app_id");
        assert_eq!(field(json!({ "app_id": "2021" }), Some(APP_KEY)), "alipay_public_key");
        assert_eq!(field(json!({ "app_id": "2021", "alipay_public_key": "x" }), Some(APP_KEY)), "alipay_public_key");
        assert_eq!(field(json!({ "app_id": "2021", "alipay_public_key": public }), None), "app_private_key");
        let broken = "A".repeat(1_200);
        assert_eq!(field(json!({ "app_id": "2021", "alipay_public_key": public }), Some(&broken)), "app_private_key");
        assert_eq!(field(json!({ "app_id": "2021", "alipay_public_key": public, "token": 1 }), Some(APP_KEY)), "token");
        assert_eq!(account().api_base, "https://openapi.alipay.com");
    }
}
