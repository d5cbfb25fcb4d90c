//! The settings and secrets of an app account.

use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, max_age_secs};
use serde_json::Value;

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) jwt_secret: String,
    pub(super) body_secret: String,
    pub(super) max_age_secs: i64,
}

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, &["max_age_secs"], &["jwt_secret", "body_secret"])?;
        Ok(Self {
            jwt_secret: fields.required_secret("jwt_secret", 16..=512)?.to_owned(),
            body_secret: fields.required_secret("body_secret", 16..=512)?.to_owned(),
            max_age_secs: max_age_secs(&fields)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_secrets_are_needed_and_long() {
        let wrong = |settings: Value, secrets: &[(&str, &str)]| {
            let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Account::read(&settings, &secrets).err().map(|e| e.field)
        };
        let (jwt, body) = (("jwt_secret", "0123456789abcdef"), ("body_secret", "0123456789abcdef"));
        assert_eq!(wrong(json!({}), &[jwt, body]), None);
        assert_eq!(wrong(json!({}), &[jwt]).as_deref(), Some("body_secret"));
        assert_eq!(wrong(json!({}), &[("jwt_secret", "short"), body]).as_deref(), Some("jwt_secret"));
        assert_eq!(wrong(json!({ "push_url": "x" }), &[jwt, body]).as_deref(), Some("push_url"));
        assert_eq!(wrong(json!([]), &[jwt, body]).as_deref(), Some("settings"));
    }
}
