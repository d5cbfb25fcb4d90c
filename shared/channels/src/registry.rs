//! The adapters, for those who must ask something of a channel without being its component (the desk, before it takes an
//! account or a reply). A new channel adds its adapter to `registry!` and nothing else here.

use crate::alipay::AlipayAdapter;
use crate::app::AppAdapter;
use crate::doudian::DoudianAdapter;
use crate::douyin::DouyinAdapter;
use crate::email::EmailAdapter;
use crate::jd::JdAdapter;
use crate::kit::{AccountError, Adapter, Capabilities, Secrets};
use crate::kuaishou::KuaishouAdapter;
use crate::miniprogram::MiniprogramAdapter;
use crate::phone::PhoneAdapter;
use crate::pinduoduo::PinduoduoAdapter;
use crate::sms::SmsAdapter;
use crate::taobao::TaobaoAdapter;
use crate::webchat::WebchatAdapter;
use crate::wechat::WechatAdapter;
use crate::wecom::WecomAdapter;
use crate::weibo::WeiboAdapter;
use crate::xiaohongshu::XiaohongshuAdapter;
use serde_json::Value;

/// The names of the secrets that the system derives by itself, for adapters that want them.
pub const DERIVED_SECRETS: [&str; 2] = ["session_key", "session_audience"];

/// Adds the derived secrets: the key that signs the channel's sessions, and the account that they are for.
pub fn derive_secrets(secrets: &mut Secrets, key: &[u8; 32], channel: &str, account: &str) {
    secrets.insert("session_key".into(), hex::encode(key));
    secrets.insert("session_audience".into(), format!("{channel}/{account}"));
}

/// What the registry knows of an account that was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The sources that are to be asked again and again ([`crate::Pull::polled`]).
    pub polled: Vec<String>,
}

/// Something to be done with an adapter, whichever it is.
pub trait Visit {
    /// What comes of it.
    type Output;

    /// Does it.
    fn visit<A: Adapter>(self, adapter: A) -> Self::Output;
}

struct Check<'a> {
    settings: &'a Value,
    secrets: &'a Secrets,
}

impl Visit for Check<'_> {
    type Output = Result<Checked, AccountError>;

    fn visit<A: Adapter>(self, adapter: A) -> Self::Output {
        let mut secrets = self.secrets.clone();
        if let Some(name) = DERIVED_SECRETS.iter().find(|n| secrets.contains_key(**n)) {
            return Err(AccountError::new(name, "is derived by the system and cannot be set"));
        }
        if adapter.wants_derived_secrets() {
            derive_secrets(&mut secrets, &[0; 32], adapter.capabilities().channel, "check");
        }
        let account = adapter.account(self.settings, &secrets)?;
        Ok(Checked { polled: adapter.pull().map(|pull| pull.polled(&account)).unwrap_or_default() })
    }
}

/// Checks the settings and secrets of an account; `None` where no adapter serves the channel.
pub fn check_account(channel: &str, settings: &Value, secrets: &Secrets) -> Option<Result<Checked, AccountError>> {
    visit(channel, Check { settings, secrets })
}

macro_rules! registry {
    ($($adapter:expr),+ $(,)?) => {
        /// Does something with the adapter of a channel; `None` where there is none.
        pub fn visit<V: Visit>(channel: &str, visitor: V) -> Option<V::Output> {
            $(if $adapter.capabilities().channel == channel {
                return Some(visitor.visit($adapter));
            })+
            None
        }

        /// What each channel can carry.
        pub fn all() -> Vec<Capabilities> {
            vec![$($adapter.capabilities()),+]
        }
    };
}

registry![
    AlipayAdapter,
    AppAdapter,
    DoudianAdapter,
    DouyinAdapter,
    EmailAdapter,
    JdAdapter,
    KuaishouAdapter,
    MiniprogramAdapter,
    PhoneAdapter,
    PinduoduoAdapter,
    SmsAdapter,
    TaobaoAdapter,
    WebchatAdapter,
    WechatAdapter,
    WecomAdapter,
    WeiboAdapter,
    XiaohongshuAdapter,
];

/// What a channel can carry; `None` where no adapter serves it.
pub fn capabilities(channel: &str) -> Option<Capabilities> {
    all().into_iter().find(|c| c.channel == channel)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn derived_secrets_are_not_the_callers() {
        assert_eq!(check_account("webchat", &json!({}), &Secrets::new()), Some(Ok(Checked::default())));
        let own = [("session_key".to_owned(), "00".repeat(32))].into();
        assert!(check_account("webchat", &json!({}), &own).is_some_and(|r| r.is_err()));
        assert!(check_account("wechat", &json!({}), &Secrets::new()).is_some_and(|r| r.is_err()));
        assert_eq!(check_account("pigeon", &json!({}), &Secrets::new()), None);
    }

    #[test]
    fn every_channel_is_there_once_and_says_what_it_carries() {
        let all = all();
        assert_eq!(all.iter().map(|c| c.channel).collect::<BTreeSet<_>>().len(), all.len());
        for c in &all {
            assert_eq!(capabilities(c.channel).map(|c| c.name_zh), Some(c.name_zh));
            assert!(!c.name_zh.is_empty() && !c.name_en.is_empty(), "{}", c.channel);
            assert!(!c.kinds_in.is_empty(), "{}", c.channel);
            assert_eq!(c.kinds_out.contains(&"text"), c.text_limit > 0, "{}", c.channel);
        }
    }
}
