//! The settings and secrets of a shop's application and of its bridge.

use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, api_base, max_age_secs, name, required};
use serde_json::Value;

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) bridge_secret: String,
    pub(super) mall_id: Option<String>,
    pub(super) max_age_secs: i64,
}

const SETTINGS: &[&str] = &["client_id", "mall_id", "api_base", "max_age_secs"];
const SECRETS: &[&str] = &["bridge_secret", "client_secret"];
const API_BASE: &str = "https://gw-api.pinduoduo.com";

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, SETTINGS, SECRETS)?;
        // These belong to the bridge and the API. No reply is sent, so they are checked and not kept.
        required(name(&fields, "client_id", 128)?, "client_id")?;
        fields.secret("client_secret", 1..=128)?;
        api_base(&fields, API_BASE)?;
        Ok(Self {
            bridge_secret: fields.required_secret("bridge_secret", 16..=128)?.to_owned(),
            mall_id: name(&fields, "mall_id", 128)?,
            max_age_secs: max_age_secs(&fields)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_name_the_field() {
        let field = |settings: Value, secrets: &[(&str, &str)]| {
            let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Account::read(&settings, &secrets).err().map(|e| e.field).unwrap_or_default()
        };
        let secret = ("bridge_secret", "bridge-secret-012345");
        assert_eq!(field(json!({ "client_id": "app", "mall_id": "1" }), &[secret, ("client_secret", "s")]), "");
        assert_eq!(field(json!({}), &[secret]), "client_id");
        assert_eq!(field(json!({ "client_id": "app" }), &[]), "bridge_secret");
        assert_eq!(field(json!({ "client_id": "app" }), &[("bridge_secret", "short")]), "bridge_secret");
        assert_eq!(field(json!({ "client_id": "app", "api_base": "x" }), &[secret]), "api_base");
        assert_eq!(field(json!({ "client_id": "app", "shop": "x" }), &[secret]), "shop");
        assert_eq!(field(json!({ "client_id": "app" }), &[secret, ("access_token", "x")]), "access_token");
    }
}
