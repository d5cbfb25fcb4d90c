//! The settings and secrets of a web chat account.

use super::origin::normal;
use crate::kit::{AccountError, Secrets};
use crate::settings::Fields;
use serde_json::Value;

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    /// Allowed origins in their normal form; `*` allows all.
    pub(super) origins: Vec<String>,
    pub(super) session_key: [u8; 32],
    pub(super) audience: String,
}

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, &["origins"], &["session_key", "session_audience"])?;
        let wrong = || AccountError::new("origins", "must be origins like https://www.example.com, or \"*\" alone");
        let origins = fields.texts("origins")?;
        if origins.len() > 1 && origins.contains(&"*") {
            return Err(wrong());
        }
        let normal = |origin: &str| if origin == "*" { Some("*".to_owned()) } else { normal(origin) };
        let origins = origins.into_iter().map(|o| normal(o).ok_or_else(wrong)).collect::<Result<_, _>>()?;
        let mut session_key = [0; 32];
        hex::decode_to_slice(fields.required_secret("session_key", 64..=64)?, &mut session_key)
            .map_err(|_| AccountError::new("session_key", "must be 64 hexadecimal digits"))?;
        let audience = fields.required_secret("session_audience", 1..=256)?.to_owned();
        Ok(Self { origins, session_key, audience })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub(in super::super) fn account(audience: &str, origins: &[&str]) -> Account {
        let secrets = [("session_key", "5a".repeat(32)), ("session_audience", audience.to_owned())];
        Account::read(&json!({ "origins": origins }), &secrets.map(|(k, v)| (k.to_owned(), v)).into()).ok().unwrap()
    }

    #[test]
    fn origins_are_checked() {
        let wrong = |origins: Value| {
            let secrets = [("session_key", "5a".repeat(32)), ("session_audience", "webchat/a".to_owned())];
            Account::read(&json!({ "origins": origins }), &secrets.map(|(k, v)| (k.to_owned(), v)).into())
                .err()
                .map(|e| e.field)
        };
        for good in [json!([]), json!(["*"]), json!(["https://a.example", "http://localhost:8080"]), Value::Null] {
            assert_eq!(wrong(good.clone()), None, "{good}");
        }
        for bad in [
            json!("*"),
            json!([1]),
            json!(["*", "https://a"]),
            json!(["a.example"]),
            json!(["https://a/b"]),
            json!(["null"]),
        ] {
            assert_eq!(wrong(bad.clone()).as_deref(), Some("origins"), "{bad}");
        }
    }

    #[test]
    fn the_session_key_is_needed() {
        let wrong = |secrets: &[(&str, &str)]| {
            let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Account::read(&Value::Null, &secrets).err().map(|e| e.field)
        };
        let key = "zz".repeat(32);
        assert_eq!(wrong(&[]).as_deref(), Some("session_key"));
        assert_eq!(wrong(&[("session_key", &key), ("session_audience", "a")]).as_deref(), Some("session_key"));
        assert_eq!(wrong(&[("session_key", &"00".repeat(32))]).as_deref(), Some("session_audience"));
    }
}
