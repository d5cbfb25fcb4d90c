//! The settings and secrets of an application of Taobao's open platform.

use crate::kit::{AccountError, Secrets};
use crate::settings::{Fields, api_base, name, required};
use crate::values::is_id;
use serde_json::Value;

/// The way in which calls are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignMethod {
    /// MD5 with the secret around the parameters.
    Md5,
    /// HMAC-MD5.
    Hmac,
}

impl SignMethod {
    /// The platform's name for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Hmac => "hmac",
        }
    }
}

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) app_key: String,
    pub(super) app_secret: String,
    pub(super) sign_method: SignMethod,
    pub(super) groups: Vec<String>,
    pub(super) api_base: String,
}

const SETTINGS: &[&str] = &["app_key", "groups", "sign_method", "api_base"];
const SECRETS: &[&str] = &["app_secret"];
const API_BASE: &str = "https://eco.taobao.com";

/// The source for the group without a name.
pub(super) const DEFAULT_GROUP: &str = "default";
/// The most groups asked.
const MAX_GROUPS: usize = 16;

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, SETTINGS, SECRETS)?;
        let sign_method = match fields.text("sign_method")? {
            None | Some("hmac") => SignMethod::Hmac,
            Some("md5") => SignMethod::Md5,
            Some(_) => return Err(AccountError::new("sign_method", "must be hmac or md5")),
        };
        let mut groups: Vec<String> = fields.texts("groups")?.into_iter().map(str::to_owned).collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.is_empty() {
            groups.push(DEFAULT_GROUP.to_owned());
        }
        let good = |group: &String| is_id(group, 64);
        if groups.len() > MAX_GROUPS || !groups.iter().all(good) {
            return Err(AccountError::new("groups", "must be at most 16 names of 1 to 64 visible ASCII characters"));
        }
        Ok(Self {
            app_key: required(name(&fields, "app_key", 128)?, "app_key")?,
            app_secret: fields.required_secret("app_secret", 8..=128)?.to_owned(),
            sign_method,
            groups,
            api_base: api_base(&fields, API_BASE)?,
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
        let secret = ("app_secret", "helloworld");
        let account = read(json!({ "app_key": "12345678" }), &[secret]).ok().unwrap();
        assert_eq!((account.sign_method, account.groups), (SignMethod::Hmac, vec!["default".to_owned()]));
        assert_eq!(account.api_base, "https://eco.taobao.com");
        let account = read(json!({ "app_key": "1", "groups": ["b", "a", "b"] }), &[secret]).ok().unwrap();
        assert_eq!(account.groups, ["a", "b"]);
        let field = |settings, secrets: &[_]| read(settings, secrets).err().map(|e| e.field).unwrap_or_default();
        assert_eq!(field(json!({ "app_key": "1" }), &[]), "app_secret");
        assert_eq!(field(json!({}), &[secret]), "app_key");
        assert_eq!(field(json!({ "app_key": "1", "sign_method": "sha1" }), &[secret]), "sign_method");
        assert_eq!(field(json!({ "app_key": "1", "groups": [""] }), &[secret]), "groups");
        assert_eq!(field(json!({ "app_key": "1", "groups": "a" }), &[secret]), "groups");
        assert_eq!(field(json!({ "app_key": "1", "session": "x" }), &[secret]), "session");
        assert_eq!(field(json!({ "app_key": "1" }), &[secret, ("session", "x")]), "session");
    }
}
