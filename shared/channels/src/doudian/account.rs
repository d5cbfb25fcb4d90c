//! The settings and secrets of a 抖店 account.

use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, api_base, name, required};
use serde_json::Value;

/// A checked account. It holds a secret, so it has no `Debug`.
pub struct Account {
    pub(super) app_key: String,
    pub(super) app_secret: String,
    pub(super) shop_id: Option<String>,
    pub(super) api_base: String,
}

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, &["app_key", "shop_id", "api_base"], &["app_secret"])?;
        let app_key = required(name(&fields, "app_key", 64)?, "app_key")?;
        let shop_id = name(&fields, "shop_id", 64)?;
        if shop_id.as_ref().is_some_and(|id| !id.bytes().all(|b| b.is_ascii_digit())) {
            return Err(AccountError::new("shop_id", "must be a number, as a text"));
        }
        Ok(Self {
            app_key,
            app_secret: fields.required_secret("app_secret", 1..=128)?.to_owned(),
            shop_id,
            api_base: api_base(&fields, "https://openapi-fxg.jinritemai.com")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_name_the_field() {
        let wrong = |settings: Value, secrets: &[(&str, &str)]| {
            let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Account::read(&settings, &secrets).err().map(|e| e.field)
        };
        let secret = ("app_secret", "s");
        let field = |name: &str| Some(name.to_owned());
        assert_eq!(wrong(json!({ "app_key": "1", "shop_id": "95250" }), &[secret]), None);
        assert_eq!(wrong(json!({}), &[secret]), field("app_key"));
        assert_eq!(wrong(json!({ "app_key": "1" }), &[]), field("app_secret"));
        assert_eq!(wrong(json!({ "app_key": "1", "shop_id": "a" }), &[secret]), field("shop_id"));
        assert_eq!(wrong(json!({ "app_key": "1", "token": "a" }), &[secret]), field("token"));
        assert_eq!(wrong(json!({ "app_key": "1", "api_base": "x" }), &[secret]), field("api_base"));
        assert_eq!(wrong(json!({ "app_key": "1" }), &[secret, ("app_key", "1")]), field("app_key"));
    }
}
