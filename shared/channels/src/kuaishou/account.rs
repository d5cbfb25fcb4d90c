//! The settings and secrets of a 快手 account.

use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, api_base, name};
use serde_json::Value;

/// A checked account. It holds a secret, so it has no `Debug`.
pub struct Account {
    pub(super) app_id: Option<String>,
    pub(super) app_secret: String,
    pub(super) api_base: String,
}

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, &["app_id", "api_base"], &["app_secret"])?;
        Ok(Self {
            app_id: name(&fields, "app_id", 64)?,
            app_secret: fields.required_secret("app_secret", 1..=128)?.to_owned(),
            api_base: api_base(&fields, "https://open.kuaishou.com")?,
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
            Account::read(&settings, &secrets).err().map(|e| e.field).unwrap_or_default()
        };
        let secret = ("app_secret", "s");
        assert_eq!(wrong(Value::Null, &[secret]), "");
        assert_eq!(wrong(Value::Null, &[]), "app_secret");
        assert_eq!(wrong(json!({ "app_id": "" }), &[secret]), "app_id");
        assert_eq!(wrong(json!({ "api_base": "/x" }), &[secret]), "api_base");
        assert_eq!(wrong(json!({ "shop": "1" }), &[secret]), "shop");
        assert_eq!(wrong(Value::Null, &[secret, ("token", "t")]), "token");
    }
}
