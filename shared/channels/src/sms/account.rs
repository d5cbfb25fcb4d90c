//! The settings and secrets of an account, by provider.

use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, absent, address, api_base, name, required};
use crate::{secret_address, twilio};
use serde_json::Value;

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) api_base: String,
    pub(super) provider: Provider,
}

/// The provider whose protocol the account speaks.
pub(super) enum Provider {
    Aliyun(Aliyun),
    Twilio(Twilio),
}

/// The way in which calls to Aliyun are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignBy {
    Acs3,
    Rpc,
}

pub(super) struct Aliyun {
    pub(super) address_token: String,
    /// Id and secret, if both are present.
    pub(super) key: Option<(String, String)>,
    pub(super) sign_name: Option<String>,
    pub(super) template_code: Option<String>,
    pub(super) template_param: String,
    pub(super) sign_by: SignBy,
}

pub(super) struct Twilio {
    pub(super) account_sid: String,
    pub(super) auth_token: String,
    pub(super) public_url: String,
    pub(super) from: Option<String>,
}

const ALIYUN: &[&str] =
    &["provider", "api_base", "access_key_id", "sign_name", "template_code", "template_param", "signature"];
const TWILIO: &[&str] = &["provider", "api_base", "account_sid", "public_url", "from"];

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        match settings.get("provider").and_then(Value::as_str) {
            Some("aliyun") => {
                let fields = Fields::new(settings, secrets, ALIYUN, &[secret_address::NAME, "access_key_secret"])?;
                let api_base = api_base(&fields, "https://dysmsapi.aliyuncs.com")?;
                Ok(Self { api_base, provider: Provider::Aliyun(aliyun_account(&fields)?) })
            }
            Some("twilio") => {
                let fields = Fields::new(settings, secrets, TWILIO, &["auth_token"])?;
                let api_base = api_base(&fields, "https://api.twilio.com")?;
                Ok(Self { api_base, provider: Provider::Twilio(twilio_account(&fields)?) })
            }
            _ => Err(AccountError::new("provider", "must be aliyun or twilio")),
        }
    }

    /// The settings and secrets that sending needs and the account lacks. Twilio's replies leave from the number that the
    /// customer wrote to.
    pub(super) fn missing_for_sending(&self) -> Vec<&'static str> {
        match &self.provider {
            Provider::Aliyun(account) => absent(&[
                ("access_key_id", account.key.is_some()),
                ("access_key_secret", account.key.is_some()),
                ("template_code", account.template_code.is_some()),
            ]),
            Provider::Twilio(_) => Vec::new(),
        }
    }
}

fn aliyun_account(fields: &Fields<'_>) -> Result<Aliyun, AccountError> {
    let address_token = secret_address::read(fields)?;
    let (id, secret) = (name(fields, "access_key_id", 128)?, fields.secret("access_key_secret", 1..=128)?);
    let key = match (id, secret) {
        (Some(id), Some(secret)) => Some((id, secret.to_owned())),
        (None, None) => None,
        (Some(_), None) => return Err(AccountError::new("access_key_secret", "is required beside access_key_id")),
        (None, Some(_)) => return Err(AccountError::new("access_key_id", "is required beside access_key_secret")),
    };
    let sign_name = match fields.text("sign_name")? {
        Some(sign) if sign.is_empty() || sign.chars().count() > 64 || sign.chars().any(char::is_control) => {
            return Err(AccountError::new("sign_name", "must be the signature that the platform approved"));
        }
        sign => sign.map(str::to_owned),
    };
    let template_param = name(fields, "template_param", 64)?.unwrap_or_else(|| "content".to_owned());
    let sign_by = match fields.text("signature")? {
        None | Some("acs3") => SignBy::Acs3,
        Some("rpc") => SignBy::Rpc,
        Some(_) => return Err(AccountError::new("signature", "must be acs3 or rpc")),
    };
    let template_code = name(fields, "template_code", 64)?;
    Ok(Aliyun { address_token, key, sign_name, template_code, template_param, sign_by })
}

fn twilio_account(fields: &Fields<'_>) -> Result<Twilio, AccountError> {
    let account_sid = twilio::account_sid(fields)?;
    Ok(Twilio {
        account_sid,
        auth_token: fields.required_secret("auth_token", 5..=128)?.to_owned(),
        public_url: required(address(fields, "public_url")?, "public_url")?,
        from: name(fields, "from", 64)?,
    })
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
    fn aliyun() {
        let token = ("address_token", "0123456789abcdef");
        let wrong = |more: Value, secrets: &[(&str, &str)]| {
            let mut settings = json!({ "provider": "aliyun" });
            settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            wrong(settings, secrets)
        };
        assert_eq!(wrong(json!({}), &[token]), None);
        assert_eq!(wrong(json!({ "access_key_id": "id", "signature": "rpc" }), &[token, ("access_key_secret", "s")]), None);
        assert_eq!(wrong(json!({}), &[]).as_deref(), Some("address_token"));
        assert_eq!(wrong(json!({}), &[("address_token", "short")]).as_deref(), Some("address_token"));
        assert_eq!(wrong(json!({}), &[("address_token", "0123456789abcde/")]).as_deref(), Some("address_token"));
        assert_eq!(wrong(json!({ "access_key_id": "id" }), &[token]).as_deref(), Some("access_key_secret"));
        assert_eq!(wrong(json!({}), &[token, ("access_key_secret", "s")]).as_deref(), Some("access_key_id"));
        assert_eq!(wrong(json!({ "signature": "md5" }), &[token]).as_deref(), Some("signature"));
        assert_eq!(wrong(json!({ "sign_name": "" }), &[token]).as_deref(), Some("sign_name"));
        assert_eq!(wrong(json!({ "account_sid": "AC1" }), &[token]).as_deref(), Some("account_sid"));
        assert_eq!(wrong(json!({}), &[token, ("auth_token", "12345678")]).as_deref(), Some("auth_token"));
        assert_eq!(wrong(json!({ "api_base": "x" }), &[token]).as_deref(), Some("api_base"));
    }

    #[test]
    fn twilio() {
        let auth = ("auth_token", "0123456789abcdef");
        let full = json!({ "provider": "twilio", "account_sid": "AC1", "public_url": "https://x/channels/sms/main" });
        assert_eq!(wrong(full.clone(), &[auth]), None);
        assert_eq!(wrong(full.clone(), &[]).as_deref(), Some("auth_token"));
        for name in ["account_sid", "public_url"] {
            let mut less = full.clone();
            less.as_object_mut().unwrap().remove(name);
            assert_eq!(wrong(less, &[auth]).as_deref(), Some(name));
        }
        let mut more = full;
        more["template_code"] = json!("SMS_1");
        assert_eq!(wrong(more, &[auth]).as_deref(), Some("template_code"));
    }

    #[test]
    fn a_provider_is_needed() {
        for settings in [Value::Null, json!({}), json!({ "provider": "carrier-pigeon" }), json!({ "provider": 1 })] {
            assert_eq!(wrong(settings, &[]).as_deref(), Some("provider"));
        }
    }
}
