//! The settings and secrets of an account, by provider.

use crate::account_settings::EXTENSIONS;
use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, address, api_base, max_age_secs, required};
use crate::twilio;
use serde_json::Value;

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) provider: Provider,
}

/// The provider whose protocol the account speaks.
pub(super) enum Provider {
    Contract { signing_secret: String, max_age_secs: i64 },
    Huawei { app_secret: String, max_age_secs: i64 },
    Twilio { account_sid: String, auth_token: String, public_url: String, api_base: String },
}

/// The settings where calls name who is rung. `extensions` is the router's and never comes here; it stands among them for
/// the answer to a name that nobody knows.
const NAMING: [&str; 3] = ["provider", "max_age_secs", EXTENSIONS];

/// Which provider the settings name.
fn named(settings: &Value) -> &str {
    match settings.get("provider") {
        None | Some(Value::Null) => "contract",
        Some(name) => name.as_str().unwrap_or_default(),
    }
}

/// Whether the provider's reports of calls name who is rung.
pub(super) fn names_who_is_rung(settings: &Value) -> bool {
    matches!(named(settings), "contract" | "huawei")
}

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let provider = match named(settings) {
            "contract" => {
                let fields = Fields::new(settings, secrets, &NAMING, &["signing_secret"])?;
                let signing_secret = fields.required_secret("signing_secret", 16..=512)?.to_owned();
                Provider::Contract { signing_secret, max_age_secs: max_age_secs(&fields)? }
            }
            "huawei" => {
                let fields = Fields::new(settings, secrets, &NAMING, &["app_secret"])?;
                let app_secret = fields.required_secret("app_secret", 8..=256)?.to_owned();
                Provider::Huawei { app_secret, max_age_secs: max_age_secs(&fields)? }
            }
            "twilio" => {
                let known = ["provider", "account_sid", "public_url", "api_base"];
                let fields = Fields::new(settings, secrets, &known, &["auth_token"])?;
                let account_sid = twilio::account_sid(&fields)?;
                Provider::Twilio {
                    account_sid,
                    auth_token: fields.required_secret("auth_token", 5..=128)?.to_owned(),
                    public_url: required(address(&fields, "public_url")?, "public_url")?,
                    api_base: api_base(&fields, "https://api.twilio.com")?,
                }
            }
            _ => return Err(AccountError::new("provider", "must be contract, huawei or twilio")),
        };
        Ok(Self { provider })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong(settings: Value, secrets: &[(&str, &str)]) -> Option<String> {
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Account::read(&settings, &secrets).err().map(|e| e.field)
    }

    #[test]
    fn each_provider_takes_its_own() {
        let secret = "0123456789abcdef";
        assert_eq!(wrong(Value::Null, &[("signing_secret", secret)]), None);
        assert_eq!(wrong(json!({}), &[]).as_deref(), Some("signing_secret"));
        assert_eq!(wrong(json!({}), &[("signing_secret", "short")]).as_deref(), Some("signing_secret"));
        assert_eq!(wrong(json!({ "max_age_secs": 1 }), &[("signing_secret", secret)]).as_deref(), Some("max_age_secs"));
        let huawei = json!({ "provider": "huawei" });
        assert_eq!(wrong(huawei.clone(), &[("app_secret", secret)]), None);
        assert_eq!(wrong(huawei.clone(), &[]).as_deref(), Some("app_secret"));
        assert_eq!(wrong(huawei, &[("signing_secret", secret)]).as_deref(), Some("signing_secret"));
        let twilio = json!({ "provider": "twilio", "account_sid": "AC1", "public_url": "https://x/channels/phone/main" });
        assert_eq!(wrong(twilio.clone(), &[("auth_token", secret)]), None);
        assert_eq!(wrong(twilio.clone(), &[]).as_deref(), Some("auth_token"));
        for name in ["account_sid", "public_url"] {
            let mut less = twilio.clone();
            less.as_object_mut().unwrap().remove(name);
            assert_eq!(wrong(less, &[("auth_token", secret)]).as_deref(), Some(name));
        }
        let mut odd = twilio;
        odd["account_sid"] = json!("AC/1");
        assert_eq!(wrong(odd, &[("auth_token", secret)]).as_deref(), Some("account_sid"));
        assert_eq!(wrong(json!({ "provider": "tin cans" }), &[]).as_deref(), Some("provider"));
        assert_eq!(wrong(json!({ "provider": 1 }), &[]).as_deref(), Some("provider"));
        assert_eq!(wrong(json!([]), &[("signing_secret", secret)]).as_deref(), Some("settings"));
    }
}
