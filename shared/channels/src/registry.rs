//! The adapters by the id of their channel: for those who must ask something of a channel without being its component (the
//! desk, before it takes an account or a reply). A new channel adds its line here.

use crate::app::AppAdapter;
use crate::kit::{AccountError, Adapter, Capabilities, Secrets};
use crate::webchat::WebchatAdapter;
use crate::wechat::WechatAdapter;
use serde_json::Value;

/// The names of the secrets that the system derives by itself, for adapters that want them.
pub const DERIVED_SECRETS: [&str; 2] = ["session_key", "session_audience"];

/// Adds the derived secrets: the key that signs the channel's sessions, and the account that they are for.
pub fn derive_secrets(secrets: &mut Secrets, key: &[u8; 32], channel: &str, account: &str) {
    secrets.insert("session_key".into(), hex::encode(key));
    secrets.insert("session_audience".into(), format!("{channel}/{account}"));
}

fn check(adapter: &impl Adapter, settings: &Value, secrets: &Secrets) -> Result<(), AccountError> {
    let mut secrets = secrets.clone();
    if let Some(name) = DERIVED_SECRETS.iter().find(|n| secrets.contains_key(**n)) {
        return Err(AccountError::new(name, "is derived by the system and cannot be set"));
    }
    if adapter.wants_derived_secrets() {
        derive_secrets(&mut secrets, &[0; 32], adapter.capabilities().channel, "check");
    }
    adapter.account(settings, &secrets).map(|_| ())
}

/// Checks the settings and secrets of an account; `None` where no adapter serves the channel.
pub fn check_account(channel: &str, settings: &Value, secrets: &Secrets) -> Option<Result<(), AccountError>> {
    Some(match channel {
        "wechat" => check(&WechatAdapter, settings, secrets),
        "app" => check(&AppAdapter, settings, secrets),
        "webchat" => check(&WebchatAdapter, settings, secrets),
        _ => return None,
    })
}

/// What a channel can carry; `None` where no adapter serves it.
pub fn capabilities(channel: &str) -> Option<Capabilities> {
    Some(match channel {
        "wechat" => WechatAdapter.capabilities(),
        "app" => AppAdapter.capabilities(),
        "webchat" => WebchatAdapter.capabilities(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn derived_secrets_are_not_the_callers() {
        assert_eq!(check_account("webchat", &json!({}), &Secrets::new()), Some(Ok(())));
        let own = [("session_key".to_owned(), "00".repeat(32))].into();
        assert!(check_account("webchat", &json!({}), &own).is_some_and(|r| r.is_err()));
        assert!(check_account("wechat", &json!({}), &Secrets::new()).is_some_and(|r| r.is_err()));
        assert_eq!(check_account("pigeon", &json!({}), &Secrets::new()), None);
        for channel in ["wechat", "app", "webchat"] {
            assert_eq!(capabilities(channel).map(|c| c.channel), Some(channel));
        }
    }
}
