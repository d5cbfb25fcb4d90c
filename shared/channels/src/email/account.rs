//! The settings and secrets of an account, by provider.

use crate::kit::{AccountError, Secrets};
use crate::secret_address;
use crate::settings::{Fields, absent, api_base, max_age_secs, name};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::VerifyingKey;
use p256::pkcs8::DecodePublicKey;
use serde_json::Value;

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) provider: Provider,
    pub(super) api_base: String,
    pub(super) api_key: Option<String>,
    pub(super) from: Option<String>,
    pub(super) from_name: Option<String>,
    pub(super) max_age_secs: i64,
    /// Addresses of forms and lists, and domains after `@`. The writer of their mails is the address in `Reply-To`.
    pub(super) identity_from: Vec<String>,
}

/// The provider whose protocol the account speaks.
pub(super) enum Provider {
    Sendgrid { address_token: String, event_key: Option<Box<VerifyingKey>> },
    Mailgun { signing_key: String, domain: Option<String> },
}

const SENDGRID: &[&str] =
    &["provider", "from", "from_name", "api_base", "event_public_key", "max_age_secs", "identity_from"];
const MAILGUN: &[&str] = &["provider", "from", "from_name", "api_base", "domain", "max_age_secs", "identity_from"];

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        match settings.get("provider").and_then(Value::as_str) {
            Some("sendgrid") => {
                let fields = Fields::new(settings, secrets, SENDGRID, &[secret_address::NAME, "api_key"])?;
                let address_token = secret_address::read(&fields)?;
                let event_key = match fields.text("event_public_key")? {
                    None => None,
                    Some(text) => Some(Box::new(event_key(text).ok_or_else(|| {
                        AccountError::new("event_public_key", "must be the verification key that the platform shows")
                    })?)),
                };
                Self::common(settings, &fields, "https://api.sendgrid.com", Provider::Sendgrid { address_token, event_key })
            }
            Some("mailgun") => {
                let fields = Fields::new(settings, secrets, MAILGUN, &["signing_key", "api_key"])?;
                let signing_key = fields.required_secret("signing_key", 8..=256)?.to_owned();
                let domain = name(&fields, "domain", 253)?;
                if domain.as_ref().is_some_and(|d| !d.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')))
                {
                    return Err(AccountError::new("domain", "must be a domain's name"));
                }
                Self::common(settings, &fields, "https://api.mailgun.net", Provider::Mailgun { signing_key, domain })
            }
            _ => Err(AccountError::new("provider", "must be sendgrid or mailgun")),
        }
    }

    /// The settings and secrets that sending needs and the account lacks.
    pub(super) fn missing_for_sending(&self) -> Vec<&'static str> {
        let domain = match &self.provider {
            Provider::Mailgun { domain, .. } => domain.is_some(),
            Provider::Sendgrid { .. } => true,
        };
        absent(&[("api_key", self.api_key.is_some()), ("from", self.from.is_some()), ("domain", domain)])
    }

    fn common(settings: &Value, fields: &Fields<'_>, default: &str, provider: Provider) -> Result<Self, AccountError> {
        let from = name(fields, "from", 254)?;
        if from.as_deref().is_some_and(|from| !is_address(from)) {
            return Err(AccountError::new("from", "must be a mail address without a name"));
        }
        let from_name = fields.text("from_name")?.map(str::to_owned);
        // A name with these characters could be read as an address, or as another header.
        let odd = |c: char| c.is_control() || matches!(c, '"' | '<' | '>' | '\\');
        if from_name.as_deref().is_some_and(|n| n.is_empty() || n.chars().count() > 128 || n.contains(odd)) {
            return Err(AccountError::new("from_name", "must be 1 to 128 characters without quotes, < or >"));
        }
        Ok(Self {
            provider,
            api_base: api_base(fields, default)?,
            api_key: fields.secret("api_key", 1..=256)?.map(str::to_owned),
            from,
            from_name,
            max_age_secs: max_age_secs(fields)?,
            identity_from: identity_from(settings)?,
        })
    }

    /// Whether the brand declared that the `Reply-To` of mails from this address names their writer.
    pub(super) fn is_form(&self, address: &str) -> bool {
        let domain = address.rfind('@').and_then(|at| address.get(at..));
        self.identity_from.iter().any(|form| form == address || Some(form.as_str()) == domain)
    }
}

fn identity_from(settings: &Value) -> Result<Vec<String>, AccountError> {
    let wrong = || AccountError::new("identity_from", "must be a list of up to 50 mail addresses, or of domains after an @");
    let list = match settings.get("identity_from") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= 50 => list,
        Some(_) => return Err(wrong()),
    };
    let read = |item: &Value| {
        let text = item.as_str()?.trim().to_lowercase();
        let whole = if text.starts_with('@') { format!("x{text}") } else { text.clone() };
        is_address(&whole).then_some(text)
    };
    list.iter().map(|item| read(item).ok_or_else(wrong)).collect()
}

/// A public key in the form of the event webhook's settings: base64 of its DER.
fn event_key(text: &str) -> Option<VerifyingKey> {
    VerifyingKey::from_public_key_der(&STANDARD.decode(text.trim()).ok()?).ok()
}

/// Whether a text is one address without a name, to which a mail can be sent.
pub(super) fn is_address(text: &str) -> bool {
    let plain =
        |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>' | ',' | ';' | '"' | '(' | ')' | ':');
    text.len() <= 254
        && text.rsplit_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !local.contains('@'))
        && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong(settings: Value, secrets: &[(&str, &str)]) -> Option<String> {
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Account::read(&settings, &secrets).err().map(|e| e.field)
    }

    const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";

    #[test]
    fn sendgrid() {
        let token = ("address_token", "0123456789abcdef");
        let with = |name: &str, value: &str| wrong(json!({ "provider": "sendgrid", name: value }), &[token]);
        assert_eq!(wrong(json!({ "provider": "sendgrid" }), &[token, ("api_key", "SG.x")]), None);
        assert_eq!(wrong(json!({ "provider": "sendgrid" }), &[]).as_deref(), Some("address_token"));
        assert_eq!(with("event_public_key", KEY), None);
        assert_eq!(with("event_public_key", "AAAA").as_deref(), Some("event_public_key"));
        assert_eq!(with("from", "service@rice.example"), None);
        assert_eq!(with("from", "Rice<a@b>").as_deref(), Some("from"));
        assert_eq!(with("from_name", "暖线客服"), None);
        assert_eq!(with("from_name", "a\r\nBcc: x").as_deref(), Some("from_name"));
        assert_eq!(with("domain", "rice.example").as_deref(), Some("domain"));
        let forms = |list: Value| wrong(json!({ "provider": "sendgrid", "identity_from": list }), &[token]);
        assert_eq!(forms(json!(["no-reply@shop.example", "@forms.example"])), None);
        for bad in [json!("a@b"), json!(["a"]), json!([1]), json!(["@"]), json!(vec!["a@b"; 51])] {
            assert_eq!(forms(bad).as_deref(), Some("identity_from"));
        }
    }

    #[test]
    fn mailgun_and_strangers() {
        let key = ("signing_key", "key-0123456789");
        let with = |name: &str, value: &str| wrong(json!({ "provider": "mailgun", name: value }), &[key]);
        assert_eq!(with("domain", "mg.rice.example"), None);
        assert_eq!(with("domain", "a/b").as_deref(), Some("domain"));
        assert_eq!(with("api_base", "api").as_deref(), Some("api_base"));
        assert_eq!(wrong(json!({ "provider": "mailgun" }), &[]).as_deref(), Some("signing_key"));
        assert_eq!(wrong(json!({ "provider": "pigeon" }), &[key]).as_deref(), Some("provider"));
        assert_eq!(wrong(Value::Null, &[]).as_deref(), Some("provider"));
    }

    #[test]
    fn addresses() {
        for good in ["a@b", "a.b+c@d.example", "用户@例子.公司"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b,c@d", "<a@b>", "a@b\r\nBcc:x@y"] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
