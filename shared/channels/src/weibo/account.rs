//! The settings and secrets of a fans-service account.

use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, address_or, api_base, max_age_secs, name};
use serde_json::Value;

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) app_secret: String,
    pub(super) access_token: Option<String>,
    pub(super) uid: Option<String>,
    pub(super) passive: bool,
    pub(super) api_base: String,
    pub(super) media_base: String,
    pub(super) max_age_secs: i64,
}

const SETTINGS: &[&str] = &["uid", "reply", "api_base", "media_base", "max_age_secs"];
const SECRETS: &[&str] = &["app_secret", "access_token"];
const API_BASE: &str = "https://m.api.weibo.com";
const MEDIA_BASE: &str = "https://upload.api.weibo.com";

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, SETTINGS, SECRETS)?;
        let passive = match fields.text("reply")? {
            None | Some("api") => false,
            Some("passive") => true,
            Some(_) => return Err(AccountError::new("reply", "must be passive or api")),
        };
        Ok(Self {
            app_secret: fields.required_secret("app_secret", 8..=128)?.to_owned(),
            access_token: fields.secret("access_token", 1..=512)?.map(str::to_owned),
            uid: name(&fields, "uid", 128)?,
            passive,
            api_base: api_base(&fields, API_BASE)?,
            media_base: address_or(&fields, "media_base", MEDIA_BASE)?,
            max_age_secs: max_age_secs(&fields)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(settings: Value, secrets: &[(&str, &str)]) -> Result<Account, AccountError> {
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Account::read(&settings, &secrets)
    }

    #[test]
    fn defaults_and_errors() {
        let secret = ("app_secret", "0123456789abcdef");
        let account = read(json!({}), &[secret]).ok().unwrap();
        assert_eq!((account.passive, account.max_age_secs), (false, 300));
        assert_eq!(account.api_base, "https://m.api.weibo.com");
        let field = |settings, secrets: &[_]| read(settings, secrets).err().map(|e| e.field).unwrap_or_default();
        assert_eq!(field(json!({}), &[]), "app_secret");
        assert_eq!(field(json!({}), &[("app_secret", "short")]), "app_secret");
        assert_eq!(field(json!({}), &[secret, ("token", "x")]), "token");
        assert_eq!(field(json!({ "app_id": "1" }), &[secret]), "app_id");
        assert_eq!(field(json!({ "reply": "never" }), &[secret]), "reply");
        assert_eq!(field(json!({ "uid": "a b" }), &[secret]), "uid");
        assert_eq!(field(json!({ "media_base": "ftp://x" }), &[secret]), "media_base");
    }
}
