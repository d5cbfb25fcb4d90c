//! The settings and secrets of a mini program.

use super::outgoing::Outgoing;
use crate::kit::{AccountError, Secrets, Undeliverable};
use crate::settings::Fields;
use crate::wx::app::App;
use serde_json::Value;
use warmline_model::Content;

/// A checked account. It holds secrets, so it has no `Debug`.
pub struct Account {
    pub(super) app: App,
    link_picture: Option<String>,
}

const SETTINGS: &[&str] = &["app_id", "mode", "link_picture", "api_base", "max_age_secs"];

impl Account {
    pub(super) fn read(settings: &Value, secrets: &Secrets) -> Result<Self, AccountError> {
        let fields = Fields::new(settings, secrets, SETTINGS, &App::SECRETS)?;
        let app = App::read(&fields)?;
        let link_picture = match fields.text("link_picture")? {
            None => None,
            Some(url) if url.len() <= 1024 && (url.starts_with("https://") || url.starts_with("http://")) => {
                Some(url.to_owned())
            }
            Some(_) => return Err(AccountError::new("link_picture", "must be an http or https URL")),
        };
        Ok(Self { app, link_picture })
    }

    /// A reply's content in the platform's form.
    pub(super) fn outgoing<'a>(&'a self, content: &'a Content) -> Result<Outgoing<'a>, Undeliverable> {
        Outgoing::from_content(content, self.app.gate.app_id.as_deref(), self.link_picture.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

    fn wrong_field(settings: Value, secrets: &[(&str, &str)]) -> String {
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Account::read(&settings, &secrets).err().map(|e| e.field).unwrap_or_default()
    }

    #[test]
    fn errors_name_the_field() {
        let token = ("token", "test");
        assert_eq!(wrong_field(json!({}), &[token]), "");
        assert_eq!(wrong_field(json!({ "app_id": "wx1" }), &[token, ("encoding_aes_key", KEY), ("app_secret", "s")]), "");
        assert_eq!(wrong_field(json!({}), &[]), "token");
        assert_eq!(wrong_field(json!({ "reply": "passive" }), &[token]), "reply", "only official accounts have it");
        assert_eq!(wrong_field(json!({}), &[token, ("key", KEY)]), "key");
        assert_eq!(wrong_field(json!({ "mode": "safe", "app_id": "wx1" }), &[token]), "encoding_aes_key");
        assert_eq!(wrong_field(json!({}), &[token, ("encoding_aes_key", KEY)]), "app_id");
        assert_eq!(wrong_field(json!({}), &[token, ("app_secret", "s")]), "app_id");
        assert_eq!(wrong_field(json!({ "link_picture": "x" }), &[token]), "link_picture");
        assert_eq!(wrong_field(json!({ "api_base": "x" }), &[token]), "api_base");
    }
}
