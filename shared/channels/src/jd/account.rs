//! The settings and secrets of a shop's application.

use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, api_base, name, required};
use serde_json::Value;

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) app_key: String,
    pub(super) app_secret: String,
    pub(super) access_token: String,
    /// The shop's number and the employee's account, for asking for after-sale services.
    pub(super) after_sales: Option<(String, String)>,
    pub(super) api_base: String,
}

const SETTINGS: &[&str] = &["app_key", "vender_id", "operator", "api_base"];
const SECRETS: &[&str] = &["app_secret", "access_token"];
const API_BASE: &str = "https://api.jd.com";

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, SETTINGS, SECRETS)?;
        let after_sales = match (name(&fields, "vender_id", 128)?, name(&fields, "operator", 128)?) {
            (Some(shop), Some(operator)) => Some((shop, operator)),
            (None, None) => None,
            (None, Some(_)) => return Err(AccountError::new("vender_id", "is required beside operator")),
            (Some(_), None) => return Err(AccountError::new("operator", "is required beside vender_id")),
        };
        Ok(Self {
            app_key: required(name(&fields, "app_key", 128)?, "app_key")?,
            app_secret: fields.required_secret("app_secret", 8..=128)?.to_owned(),
            access_token: fields.required_secret("access_token", 1..=512)?.to_owned(),
            after_sales,
            api_base: api_base(&fields, API_BASE)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_and_errors() {
        let read = |settings: Value, secrets: &[(&str, &str)]| {
            let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Account::read(&settings, &secrets)
        };
        let secrets = [("app_secret", "yourappSecret"), ("access_token", "yourtoken")];
        let account = read(json!({ "app_key": "k" }), &secrets).ok().unwrap();
        assert_eq!((account.api_base.as_str(), account.after_sales), ("https://api.jd.com", None));
        let both = json!({ "app_key": "k", "vender_id": "1", "operator": "pin" });
        assert_eq!(read(both, &secrets).ok().unwrap().after_sales, Some(("1".into(), "pin".into())));
        let field = |settings, secrets: &[_]| read(settings, secrets).err().map(|e| e.field).unwrap_or_default();
        assert_eq!(field(json!({}), &secrets), "app_key");
        assert_eq!(field(json!({ "app_key": "k" }), &secrets[..1]), "access_token");
        assert_eq!(field(json!({ "app_key": "k" }), &secrets[1..]), "app_secret");
        assert_eq!(field(json!({ "app_key": "k", "vender_id": "1" }), &secrets), "operator");
        assert_eq!(field(json!({ "app_key": "k", "operator": "1" }), &secrets), "vender_id");
        assert_eq!(field(json!({ "app_key": "k", "shop": "1" }), &secrets), "shop");
    }
}
