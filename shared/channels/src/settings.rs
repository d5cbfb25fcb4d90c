//! Reads an account's settings and secrets field by field. An unknown name is an error that names it and the known ones: a
//! misspelt `encoding_aes_key` must not leave an account in plain mode.

use crate::kit::{AccountError, KnownNames, Secrets};
use crate::registry::DERIVED_SECRETS;
use crate::values::is_id;
use crate::{account_settings, names};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// An account's settings and secrets, checked for unknown names.
pub(crate) struct Fields<'a> {
    settings: Option<&'a Map<String, Value>>,
    secrets: &'a Secrets,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(
        settings: &'a Value,
        secrets: &'a Secrets,
        known_settings: &[&'static str],
        known_secrets: &[&'static str],
    ) -> Result<Self, AccountError> {
        let settings = match settings {
            Value::Null => None,
            Value::Object(map) => Some(map),
            _ => return Err(AccountError::new("settings", "must be a JSON object")),
        };
        if let Some(name) = settings.and_then(|m| m.keys().find(|k| !known_settings.contains(&k.as_str()))) {
            return Err(unknown(name, false, known_settings, known_secrets));
        }
        if let Some(name) = secrets.keys().find(|k| !known_secrets.contains(&k.as_str())) {
            return Err(unknown(name, true, known_settings, known_secrets));
        }
        Ok(Self { settings, secrets })
    }

    /// A setting; `null` counts as absent.
    fn setting(&self, name: &str) -> Option<&'a Value> {
        self.settings?.get(name).filter(|v| !v.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, AccountError> {
        match self.setting(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(AccountError::new(name, "must be a text")),
        }
    }

    pub(crate) fn number(&self, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, AccountError> {
        let Some(value) = self.setting(name) else { return Ok(None) };
        match value.as_i64().filter(|n| range.contains(n)) {
            Some(number) => Ok(Some(number)),
            None => {
                let problem = format!("must be a whole number from {} to {}", range.start(), range.end());
                Err(AccountError::new(name, &problem))
            }
        }
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&'a str>, AccountError> {
        let wrong = || AccountError::new(name, "must be a list of texts");
        match self.setting(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(|v| v.as_str().ok_or_else(wrong)).collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// A secret of an allowed length, in visible ASCII.
    pub(crate) fn secret(&self, name: &str, length: RangeInclusive<usize>) -> Result<Option<&'a str>, AccountError> {
        let Some(secret) = self.secrets.get(name) else { return Ok(None) };
        if !length.contains(&secret.len()) || !secret.bytes().all(|b| b.is_ascii_graphic()) {
            let (from, to) = (length.start(), length.end());
            let problem = format!("must be {from} to {to} visible ASCII characters without spaces");
            return Err(AccountError::new(name, &problem));
        }
        Ok(Some(secret))
    }

    pub(crate) fn required_secret(&self, name: &str, length: RangeInclusive<usize>) -> Result<&'a str, AccountError> {
        required(self.secret(name, length)?, name)
    }
}

/// The right names are added where a person reads the error ([`AccountError::explained`]), so that adapters need not link
/// them.
#[cold]
fn unknown(name: &str, secret: bool, settings: &[&'static str], secrets: &[&'static str]) -> AccountError {
    let problem = if secret { "is not a secret of this channel" } else { "is not a setting of this channel" };
    let known = KnownNames { secret, settings: settings.to_vec(), secrets: secrets.to_vec() };
    AccountError { known: Some(known), ..AccountError::new(name, problem) }
}

impl AccountError {
    /// Adds the right names to an error about an unknown name.
    #[must_use]
    pub fn explained(mut self) -> Self {
        let Some(KnownNames { secret, settings, secrets }) = self.known.take() else { return self };
        let (other, elsewhere) = match secret {
            true => (settings.contains(&self.field.as_str()), "is a setting: it belongs in `settings`"),
            false => (secrets.contains(&self.field.as_str()), "is a secret: it belongs in `secrets`"),
        };
        if other {
            elsewhere.clone_into(&mut self.problem);
            return self;
        }
        let (kind, all): (_, Vec<&str>) = match secret {
            true => ("secrets", secrets.into_iter().filter(|name| !DERIVED_SECRETS.contains(name)).collect()),
            false => ("settings", settings.into_iter().chain(account_settings::NAMES).collect()),
        };
        self.problem = format!("{}; {}", self.problem, names::instead(&self.field, kind, &all));
        self
    }
}

/// The greatest age of a signed request: `max_age_secs`, 10 s to one day, five minutes by default. It is wide enough for a
/// platform's own retries and a slightly wrong clock, and narrow enough that a captured request is soon worthless. Inside
/// the window, the message's own key makes a replay harmless.
pub(crate) fn max_age_secs(fields: &Fields<'_>) -> Result<i64, AccountError> {
    Ok(fields.number("max_age_secs", 10..=86_400)?.unwrap_or(300))
}

/// A setting that is a web address, without a slash at its end.
pub(crate) fn address(fields: &Fields<'_>, name: &str) -> Result<Option<String>, AccountError> {
    fields.text(name)?.map(|text| read_address(name, text)).transpose()
}

/// The address of a platform's API: the setting `api_base`, else the platform's own host.
pub(crate) fn api_base(fields: &Fields<'_>, default: &str) -> Result<String, AccountError> {
    address_or(fields, "api_base", default)
}

/// The same for another of a platform's addresses.
pub(crate) fn address_or(fields: &Fields<'_>, name: &str, default: &str) -> Result<String, AccountError> {
    read_address(name, fields.text(name)?.unwrap_or(default))
}

fn read_address(name: &str, text: &str) -> Result<String, AccountError> {
    let wrong = || AccountError::new(name, "must be an http or https URL without user, query or fragment");
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let http = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.authority().is_some_and(|a| !a.as_str().contains('@') && !a.host().is_empty());
    if !http || !host || uri.query().is_some() || text.contains('#') {
        return Err(wrong());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A setting that is an id or a name of the platform: 1 to `max` visible ASCII characters.
pub(crate) fn name(fields: &Fields<'_>, name: &str, max: usize) -> Result<Option<String>, AccountError> {
    match fields.text(name)? {
        None => Ok(None),
        Some(text) if is_id(text, max) => Ok(Some(text.to_owned())),
        Some(_) => Err(AccountError::new(name, &format!("must be 1 to {max} visible ASCII characters without spaces"))),
    }
}

/// Of these names, each with whether there is a value, the ones without.
pub(crate) fn absent(names: &[(&'static str, bool)]) -> Vec<&'static str> {
    names.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect()
}

/// A setting or secret that is required.
pub(crate) fn required<T>(value: Option<T>, name: &str) -> Result<T, AccountError> {
    value.ok_or_else(|| AccountError::new(name, "is required"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn newcomer_a_wrong_name_is_refused_with_the_right_ones() {
        let wrong = |settings: Value, secrets: &[&str]| {
            let secrets = secrets.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
            let known = (&["app_id", "mode"], &["token", "session_key"]);
            Fields::new(&settings, &secrets, known.0, known.1).err().map(|e| e.explained().to_string()).unwrap_or_default()
        };
        assert_eq!(
            wrong(json!({ "appid": "wx1" }), &[]),
            "appid: is not a setting of this channel; did you mean `app_id`? The settings are `app_id`, `mode`, `group`, \
             `most_waiting`, `new_sessions_per_minute`"
        );
        assert_eq!(
            wrong(json!({}), &["tokn"]),
            "tokn: is not a secret of this channel; did you mean `token`? The secrets are `token`"
        );
        assert_eq!(wrong(json!({ "token": "x" }), &[]), "token: is a secret: it belongs in `secrets`");
        assert_eq!(wrong(json!({}), &["mode"]), "mode: is a setting: it belongs in `settings`");
    }

    #[test]
    fn addresses() {
        let read = |text: &str| {
            let (settings, secrets) = (json!({ "api_base": text }), Default::default());
            let fields = Fields::new(&settings, &secrets, &["api_base"], &[]).ok().unwrap();
            api_base(&fields, "https://api.example.com").ok()
        };
        assert_eq!(read("http://127.0.0.1:9/").as_deref(), Some("http://127.0.0.1:9"));
        assert_eq!(read("https://x/a/b/").as_deref(), Some("https://x/a/b"));
        for bad in ["ftp://x", "x", "https://u:p@x", "https://x/?a=1", "https://x/#a", "https://", "", "x y"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
