//! The adapters, for code outside of a channel's component (the desk, before it accepts an account or a reply). A new
//! channel adds its adapter to `registry!` and nothing else here.

use crate::account_settings::{self, RoutingSettings};
use crate::alipay::AlipayAdapter;
use crate::app::AppAdapter;
use crate::doudian::DoudianAdapter;
use crate::douyin::DouyinAdapter;
use crate::email::EmailAdapter;
use crate::jd::JdAdapter;
use crate::kit::{AccountError, Adapter, Call, Capabilities, Outbound, Secrets, Undeliverable, Window};
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
use warmline_model::Timestamp;

/// The names of the secrets that the system derives by itself, for adapters that want them.
pub const DERIVED_SECRETS: [&str; 2] = ["session_key", "session_audience"];

/// Adds the derived secrets: the key that signs the channel's sessions, and the account that they are for.
pub fn derive_secrets(secrets: &mut Secrets, key: &[u8; 32], channel: &str, account: &str) {
    secrets.insert("session_key".into(), hex::encode(key));
    secrets.insert("session_audience".into(), format!("{channel}/{account}"));
}

/// The registry's knowledge of an account that was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The sources to ask regularly ([`crate::Pull::polled`]).
    pub polled: Vec<String>,
}

/// An action on an adapter of any type.
pub trait Visit {
    /// The result of the action.
    type Output;

    /// Carries out the action.
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
        let (routing, settings) = account_settings::split(&adapter, self.settings.clone());
        if let Some(fault) = routing.fault() {
            return Err(fault);
        }
        let account = adapter.account(&settings, &secrets).map_err(AccountError::explained)?;
        Ok(Checked { polled: adapter.pull().map(|pull| pull.polled(&account)).unwrap_or_default() })
    }
}

/// The facts for an account's health that are not in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The proof of webhooks ([`Adapter::proof`]).
    pub proof: &'static str,
    /// The settings and secrets without which no reply leaves; empty on channels that take no replies.
    pub missing_for_sending: Vec<&'static str>,
    /// Whether anybody may write without proving their identity ([`Adapter::anonymous`]).
    pub anonymous: bool,
    /// Whether calls to the platform take an access token that is fetched.
    pub wants_token: bool,
    /// Where the stored settings and secrets do not fit: what stops the account, or else the router's setting that is passed
    /// over.
    pub unfit: Option<AccountError>,
    /// The router's part of the settings.
    pub routing: RoutingSettings,
}

struct Routing<'a> {
    settings: &'a Value,
}

impl Visit for Routing<'_> {
    type Output = RoutingSettings;

    fn visit<A: Adapter>(self, adapter: A) -> RoutingSettings {
        account_settings::split(&adapter, self.settings.clone()).0
    }
}

/// The router's part of an account's settings; `None` where no adapter serves the channel.
pub fn routing(channel: &str, settings: &Value) -> Option<RoutingSettings> {
    visit(channel, Routing { settings })
}

struct Inspect<'a> {
    settings: &'a Value,
    secrets: &'a Secrets,
    now: Timestamp,
}

impl Visit for Inspect<'_> {
    type Output = Inspected;

    fn visit<A: Adapter>(self, adapter: A) -> Inspected {
        let mut secrets = self.secrets.clone();
        if adapter.wants_derived_secrets() {
            derive_secrets(&mut secrets, &[0; 32], adapter.capabilities().channel, "check");
        }
        let (routing, settings) = account_settings::split(&adapter, self.settings.clone());
        let mut inspected = Inspected {
            proof: adapter.proof(),
            missing_for_sending: Vec::new(),
            anonymous: adapter.anonymous(),
            wants_token: false,
            unfit: routing.fault(),
            routing,
        };
        match adapter.account(&settings, &secrets) {
            Ok(account) => {
                let call = Call { token: None, now: self.now, nonce: &[0; 16] };
                inspected.wants_token = adapter.token_request(&account, false, &call).is_some();
                inspected.missing_for_sending = adapter.missing_for_sending(&account);
            }
            Err(unfit) => inspected.unfit = Some(unfit.explained()),
        }
        inspected
    }
}

/// Inspects a stored account; `None` if no adapter serves the channel.
pub fn inspect(channel: &str, settings: &Value, secrets: &Secrets, now: Timestamp) -> Option<Inspected> {
    visit(channel, Inspect { settings, secrets, now })
}

/// Checks the settings and secrets of an account; `None` if no adapter serves the channel.
pub fn check_account(channel: &str, settings: &Value, secrets: &Secrets) -> Option<Result<Checked, AccountError>> {
    visit(channel, Check { settings, secrets })
}

struct CheckReply<'a> {
    settings: &'a Value,
    secrets: &'a Secrets,
    reply: &'a Outbound<'a>,
}

impl Visit for CheckReply<'_> {
    type Output = Result<(), Undeliverable>;

    fn visit<A: Adapter>(self, adapter: A) -> Self::Output {
        let mut secrets = self.secrets.clone();
        if adapter.wants_derived_secrets() {
            derive_secrets(&mut secrets, &[0; 32], adapter.capabilities().channel, "check");
        }
        let (_, settings) = account_settings::split(&adapter, self.settings.clone());
        let account = adapter.account(&settings, &secrets).map_err(|_| Undeliverable::AccountMissing)?;
        adapter.check(&account, self.reply)
    }
}

/// Whether an account's adapter can carry a reply ([`Adapter::check`]); `None` if no adapter serves the channel.
pub fn check_reply(
    channel: &str,
    settings: &Value,
    secrets: &Secrets,
    reply: &Outbound<'_>,
) -> Option<Result<(), Undeliverable>> {
    visit(channel, CheckReply { settings, secrets, reply })
}

macro_rules! registry {
    ($($adapter:expr),+ $(,)?) => {
        /// Carries out an action on the adapter of a channel; `None` if there is none.
        pub fn visit<V: Visit>(channel: &str, visitor: V) -> Option<V::Output> {
            $(if $adapter.capabilities().channel == channel {
                return Some(visitor.visit($adapter));
            })+
            None
        }

        /// The capabilities of each channel.
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

/// The capabilities of a channel; `None` if no adapter serves it.
pub fn capabilities(channel: &str) -> Option<Capabilities> {
    all().into_iter().find(|c| c.channel == channel)
}

/// The time for which a reply is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The platform's window, if it has one.
    pub window: Option<Window>,
    /// The seconds otherwise.
    pub secs: i64,
}

impl Patience {
    /// The patience of an adapter.
    pub fn of(adapter: &impl Adapter) -> Self {
        Self { window: adapter.capabilities().window, secs: adapter.patience_secs() }
    }

    /// The time from which on a reply is not sent any more: the window's end for a customer who last wrote at `spoke_at`,
    /// or the end of the channel's seconds after it was written.
    pub fn ends_at(&self, written_at: Timestamp, spoke_at: Option<Timestamp>) -> Timestamp {
        match self.window {
            Some(window) => spoke_at.unwrap_or(written_at).plus_millis(window.secs.saturating_mul(1000)),
            None => written_at.plus_millis(self.secs.saturating_mul(1000)),
        }
    }
}

struct AskPatience;

impl Visit for AskPatience {
    type Output = Patience;

    fn visit<A: Adapter>(self, adapter: A) -> Patience {
        Patience::of(&adapter)
    }
}

/// The patience for replies of a channel. A channel without an adapter gets a day: its messages wait for one.
pub fn patience(channel: &str) -> Patience {
    visit(channel, AskPatience).unwrap_or(Patience { window: None, secs: 24 * 3600 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account_settings::NAMES;
    use crate::kit::{ApiResponse, Call, Outcome, Parsed, Verified};
    use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};
    use serde_json::json;
    use std::collections::BTreeSet;
    use warmline_model::{Content, Media, Timestamp};

    #[test]
    fn derived_secrets_are_not_the_callers() {
        assert_eq!(check_account("webchat", &json!({}), &Secrets::new()), Some(Ok(Checked::default())));
        let own = [("session_key".to_owned(), "00".repeat(32))].into();
        assert!(check_account("webchat", &json!({}), &own).is_some_and(|r| r.is_err()));
        assert!(check_account("wechat", &json!({}), &Secrets::new()).is_some_and(|r| r.is_err()));
        assert_eq!(check_account("pigeon", &json!({}), &Secrets::new()), None);
    }

    #[test]
    fn newcomer_an_account_says_what_it_lacks_to_send() {
        let look = |channel: &str, settings: Value, secrets: &[&str]| {
            let secrets = secrets.iter().map(|name| ((*name).to_owned(), "0123456789abcdef".to_owned())).collect();
            inspect(channel, &settings, &secrets, Timestamp::from_secs(0)).unwrap()
        };
        let missing = |channel: &str, settings: Value, secrets: &[&str]| {
            let inspected = look(channel, settings, secrets);
            assert_eq!(inspected.unfit, None, "{channel}");
            inspected.missing_for_sending
        };
        assert_eq!(missing("wechat", json!({}), &["token"]), ["app_id", "app_secret"]);
        assert!(missing("wechat", json!({ "app_id": "wx1" }), &["token", "app_secret"]).is_empty());
        assert_eq!(missing("miniprogram", json!({}), &["token"]), ["app_id", "app_secret"]);
        assert_eq!(missing("douyin", json!({}), &["client_secret"]), ["client_key"]);
        assert_eq!(missing("weibo", json!({}), &["app_secret"]), ["access_token"]);
        let mail = json!({ "provider": "mailgun" });
        assert_eq!(missing("email", mail, &["signing_key"]), ["api_key", "from", "domain"]);
        let sms = json!({ "provider": "aliyun" });
        assert_eq!(missing("sms", sms, &["address_token"]), ["access_key_id", "access_key_secret", "template_code"]);
        assert!(missing("webchat", json!({}), &[]).is_empty());
        assert!(look("wechat", json!({ "app_id": "wx1" }), &["token", "app_secret"]).wants_token);
        assert!(!look("wechat", json!({}), &["token"]).wants_token);
        let unfit = look("wechat", json!({ "modus": 1 }), &["token"]).unfit.map(|e| e.field);
        assert_eq!(unfit.as_deref(), Some("modus"), "it was stored by a version that knew the setting");
    }

    #[test]
    fn settings_of_every_channel_are_no_adapters() {
        let settings = json!({ "group": "g", "most_waiting": 5, "new_sessions_per_minute": 1 });
        assert!(NAMES.iter().all(|name| settings.get(name).is_some()));
        let secrets = [("token".to_owned(), "test".to_owned())].into();
        assert_eq!(check_account("wechat", &settings, &secrets), Some(Ok(Checked::default())));
        assert_eq!(inspect("wechat", &settings, &secrets, Timestamp::from_secs(0)).unwrap().unfit, None);
        let content = Content::text("在的");
        let reply = Outbound { to: "oAlice", id: "", content: &content, at: Timestamp::from_secs(0), reply_to: None };
        assert_eq!(check_reply("wechat", &settings, &secrets, &reply), Some(Ok(())));
    }

    /// A message of each chat channel, in each of its forms, that is a text by its kind and has no words.
    fn wordless() -> Vec<(&'static str, Value, Value, String)> {
        let key = "0123456789abcdef";
        let aes = "a".repeat(42) + "A";
        let (none, token) = (json!({}), json!({ "token": key }));
        let xml = |fields: &str| {
            format!("<xml><FromUserName>o1</FromUserName><CreateTime>5</CreateTime><MsgType>text</MsgType>{fields}</xml>")
        };
        let mut all = Vec::new();
        for content in ["", "<Content></Content>"] {
            all.push(("wechat", none.clone(), token.clone(), xml(&format!("<MsgId>1</MsgId>{content}"))));
            let wecom = (json!({ "corp_id": "ww1" }), json!({ "token": key, "encoding_aes_key": aes }));
            all.push(("wecom", wecom.0, wecom.1, xml(&format!("<MsgId>1</MsgId>{content}"))));
        }
        for empty in [json!({}), json!({ "Content": null }), json!({ "Content": "" })] {
            let with = |more: Value| {
                let mut all = json!({ "FromUserName": "o1", "CreateTime": 1_700_000_000, "MsgType": "text", "MsgId": 1 });
                for fields in [&empty, &more] {
                    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
                }
                all.to_string()
            };
            all.push(("miniprogram", none.clone(), token.clone(), with(json!({}))));
            let douyin = json!({ "kind": "miniapp", "app_id": "tt1" });
            all.push(("douyin", douyin, json!({ "token": key, "encoding_aes_key": aes }), with(json!({}))));
            let red = json!({ "kind": "miniprogram", "app_id": "a" });
            all.push(("xiaohongshu", red, json!({ "token": key, "encoding_aes_key": aes }), with(json!({}))));
        }
        for text in ["", r#","text":null"#, r#","text":"""#] {
            let content = format!(r#"{{"message_type":"text","server_message_id":"@m"{text}}}"#);
            let body = format!(r#"{{"event":"im_receive_msg","from_user_id":"u","content":{content}}}"#);
            all.push(("douyin", none.clone(), json!({ "client_secret": key }), body));
            let body = format!(
                r#"{{"sender_id":7,"receiver_id":9,"type":"text","created_at":"Mon Jul 16 18:09:20 +0800 2012"{text}}}"#
            );
            all.push(("weibo", none.clone(), json!({ "app_secret": key }), body));
        }
        for content in ["", r#","content":null"#, r#","content":"""#] {
            let body = format!(r#"[{{"phone_number":"13800138000","dest_code":"77","sequence_id":1{content}}}]"#);
            all.push(("sms", json!({ "provider": "aliyun" }), json!({ "address_token": key }), body));
        }
        let twilio =
            json!({ "provider": "twilio", "account_sid": "AC1", "public_url": "https://x/channels/sms/a", "from": "MG1" });
        for body in ["MessageSid=SM1&From=%2B1", "MessageSid=SM1&From=%2B1&Body="] {
            all.push(("sms", twilio.clone(), json!({ "auth_token": key }), body.to_owned()));
        }
        all
    }

    struct Read<'a> {
        settings: &'a Value,
        secrets: &'a Secrets,
        body: &'a str,
    }

    impl Visit for Read<'_> {
        type Output = Parsed;

        fn visit<A: Adapter>(self, adapter: A) -> Parsed {
            let settings = self.settings.clone().into();
            let account = adapter.account(&settings, self.secrets).unwrap_or_else(|e| panic!("{e}"));
            let body = Verified::new(self.body.as_bytes().to_vec()).with_time(Timestamp::from_secs(1_700_000_000));
            adapter.receive(&account, &body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
        }
    }

    #[test]
    fn f9_a_text_without_words_is_an_empty_one_on_every_channel() {
        for (channel, settings, of, body) in wordless() {
            let read = visit(channel, Read { settings: &settings, secrets: &secrets(&of), body: &body }).unwrap();
            let said: Vec<_> = read.messages.iter().map(|message| &message.content).collect();
            assert_eq!((said, read.odd.len()), (vec![&Content::text("")], 0), "{channel} {body}");
        }
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

    /// An account of each channel to which messages can be sent, in each of its forms, and its conversations' data for
    /// replies.
    fn faces() -> Vec<(&'static str, Value, Value, &'static str, Value)> {
        let key = "0123456789abcdef";
        let none = Value::Null;
        vec![
            ("app", none.clone(), json!({ "jwt_secret": key, "body_secret": key }), "m1", none.clone()),
            ("webchat", json!({}), json!({}), "vis_1", none.clone()),
            ("wechat", json!({ "app_id": "wx1" }), json!({ "token": key, "app_secret": "s" }), "o1", none.clone()),
            ("wechat", json!({}), json!({ "token": key }), "o1", none.clone()),
            ("miniprogram", json!({ "app_id": "wx1" }), json!({ "token": key, "app_secret": "s" }), "o1", none.clone()),
            (
                "wecom",
                json!({ "corp_id": "ww1" }),
                json!({ "token": key, "encoding_aes_key": "a".repeat(42) + "A", "secret": "s" }),
                "li",
                json!({ "agent_id": 7 }),
            ),
            (
                "wecom",
                json!({ "corp_id": "ww1" }),
                json!({ "token": key, "encoding_aes_key": "a".repeat(42) + "A", "secret": "s" }),
                "wm1",
                json!({ "open_kfid": "wk1" }),
            ),
            (
                "sms",
                json!({ "provider": "aliyun", "access_key_id": "i", "template_code": "SMS_1", "sign_name": "店" }),
                json!({ "address_token": key, "access_key_secret": "s" }),
                "13800138000",
                none.clone(),
            ),
            (
                "sms",
                json!({ "provider": "twilio", "account_sid": "AC1", "public_url": "https://x/channels/sms/a", "from": "MG1" }),
                json!({ "auth_token": key }),
                "+8613800138000",
                none.clone(),
            ),
            (
                "email",
                json!({ "provider": "sendgrid", "from": "service@rice.example" }),
                json!({ "address_token": key, "api_key": key }),
                "w@x.example",
                none.clone(),
            ),
            ("weibo", json!({}), json!({ "app_secret": key, "access_token": "t" }), "7", none),
        ]
    }

    fn secrets(of: &Value) -> Secrets {
        of.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
    }

    struct Render<'a> {
        settings: &'a Value,
        secrets: &'a Secrets,
        reply: &'a Outbound<'a>,
    }

    impl Visit for Render<'_> {
        type Output = Result<(), Undeliverable>;

        fn visit<A: Adapter>(self, adapter: A) -> Self::Output {
            let mut secrets = self.secrets.clone();
            if adapter.wants_derived_secrets() {
                derive_secrets(&mut secrets, &[7; 32], adapter.capabilities().channel, "a");
            }
            let (_, settings) = account_settings::split(&adapter, self.settings.clone());
            let account = adapter.account(&settings, &secrets).unwrap_or_else(|e| panic!("{e}"));
            let call = Call { token: Some("T"), now: Timestamp::from_secs(1_800_000_000), nonce: &[9; 16] };
            match adapter.render(&account, self.reply, &call) {
                Err(why) if why.is_of_account() => Ok(()),
                rendered => rendered.map(drop),
            }
        }
    }

    fn asked(
        channel: &str,
        settings: &Value,
        of: &Value,
        to: &str,
        reply_to: &Value,
        content: &Content,
    ) -> [Result<(), Undeliverable>; 2] {
        let (secrets, at) = (secrets(of), Timestamp::from_secs(1_700_000_000));
        let reply = Outbound { to, id: "msg_1", content, at, reply_to: Some(reply_to).filter(|to| !to.is_null()) };
        let rendered = visit(channel, Render { settings, secrets: &secrets, reply: &reply }).unwrap();
        [check_reply(channel, settings, &secrets, &reply).unwrap(), rendered]
    }

    fn contents() -> impl Strategy<Value = Content> {
        let text = || proptest::option::of("[a-z好 ]{0,12}");
        let media =
            || (text(), text(), text()).prop_map(|(id, url, thumb_id)| Media { id, url, thumb_id, ..Media::default() });
        let url = prop_oneof![
            Just("https://x.example/a".to_owned()),
            Just("miniprogram://wx1/p#M".to_owned()),
            Just("miniprogram://wx2/p#M".to_owned()),
            Just("miniprogram://wx1/p".to_owned()),
            Just("javascript:alert(1)".to_owned()),
            Just(String::new()),
            (0usize..4_000).prop_map(|n| format!("https://x.example/{}", "a".repeat(n))),
        ];
        prop_oneof![
            "[a-z好😀 ]{0,40}".prop_map(Content::text),
            (0usize..5_000).prop_map(|n| Content::text("好".repeat(n))),
            media().prop_map(|media| Content::Image { media }),
            media().prop_map(|media| Content::Voice { media, transcript: None }),
            media().prop_map(|media| Content::Video { media }),
            media().prop_map(|media| Content::File { media }),
            (-200.0f64..200.0, -400.0f64..400.0).prop_map(|(latitude, longitude)| Content::Location {
                latitude,
                longitude,
                scale: None,
                label: None
            }),
            ("[a-z]{0,9}", text(), url).prop_map(|(title, description, url)| Content::Link { title, description, url }),
            "[0-9]{0,9}".prop_map(|order_id| Content::OrderCard { order_id, title: None, status: None }),
            "[a-z]{0,9}".prop_map(|text| Content::Note { text }),
            "[a-z]{0,9}".prop_map(|event| Content::Event { event, key: None, data: Value::Null }),
            "[a-z]{0,9}".prop_map(|raw_kind| Content::Unknown { raw_kind, raw: Value::Null }),
        ]
    }

    #[test]
    fn f8_what_a_channel_cannot_carry_is_refused_when_it_is_sent() {
        let link = |url: &str| Content::Link { title: "t".into(), description: None, url: url.into() };
        let place = Content::Location { latitude: 31.2, longitude: 121.5, scale: None, label: None };
        let nowhere = Content::Location { latitude: 131.2, longitude: 121.5, scale: None, label: None };
        let bare = Content::Image { media: Media::default() };
        let refused = |channel: &str, to: &str, content: &Content| {
            let (channel, settings, of, to, reply_to) = faces().into_iter().find(|f| f.0 == channel && f.3 == to).unwrap();
            asked(channel, &settings, &of, to, &reply_to, content)[0].err()
        };
        assert_eq!(refused("wecom", "li", &place), Some(Undeliverable::KindNotSupported));
        assert_eq!(refused("wecom", "wm1", &place), None);
        assert_eq!(refused("wecom", "wm1", &nowhere), Some(Undeliverable::LocationImpossible));
        assert_eq!(refused("wecom", "li", &link("miniprogram://wx1/p#M")), Some(Undeliverable::KindNotSupported));
        assert_eq!(refused("wecom", "wm1", &link("miniprogram://wx1/p")), Some(Undeliverable::CoverMissing));
        assert_eq!(
            refused("wecom", "li", &link(&format!("https://x/{}", "a".repeat(2048)))),
            Some(Undeliverable::LinkTooLong)
        );
        assert_eq!(refused("miniprogram", "o1", &link("miniprogram://wx2/p#M")), Some(Undeliverable::PageOfAnotherApp));
        assert_eq!(refused("miniprogram", "o1", &link("miniprogram://wx1/p#M")), None);
        assert_eq!(refused("wechat", "o1", &link("miniprogram://wx1/p#M")), Some(Undeliverable::CardNotSupported));
        let film = |thumb_id: Option<&str>| {
            let thumb_id = thumb_id.map(str::to_owned);
            Content::Video { media: Media { id: Some("m".into()), thumb_id, ..Media::default() } }
        };
        assert_eq!(refused("wechat", "o1", &film(None)), Some(Undeliverable::ThumbMissing));
        assert_eq!(refused("wechat", "o1", &film(Some(""))), Some(Undeliverable::ThumbMissing));
        assert_eq!(refused("wechat", "o1", &film(Some("t"))), None);
        let (settings, of) = (json!({ "app_id": "wx1", "reply": "passive" }), json!({ "token": "test", "app_secret": "s" }));
        let passive = asked("wechat", &settings, &of, "o1", &Value::Null, &film(None));
        assert_eq!(passive, [Ok(()), Err(Undeliverable::ThumbMissing)], "the webhook's answer needs none");
        // Missing settings have to be added to the account: the delivery names them, and the reply is not refused.
        let (_, settings, of, to, reply_to) = faces().into_iter().find(|f| f.0 == "miniprogram").unwrap();
        assert_eq!(asked("miniprogram", &settings, &of, to, &reply_to, &link("https://x.example"))[0], Ok(()));
        for (channel, to) in [("wecom", "li"), ("wecom", "wm1"), ("miniprogram", "o1"), ("wechat", "o1")] {
            assert_eq!(refused(channel, to, &bare), Some(Undeliverable::MediaIdMissing), "{channel}");
        }
        assert_eq!(refused("webchat", "vis_1", &bare), Some(Undeliverable::MediaMissing));
        assert_eq!(refused("webchat", "vis_1", &link("javascript:alert(1)")), Some(Undeliverable::LinkNotWeb));
        assert_eq!(refused("weibo", "7", &nowhere), Some(Undeliverable::LocationImpossible));
        assert_eq!(refused("sms", "13800138000", &place), Some(Undeliverable::KindNotSupported));
    }

    proptest! {
        #[test]
        fn f8_what_was_let_through_is_never_refused_later(content in contents()) {
            for (channel, settings, of, to, reply_to) in faces() {
                let parts = capabilities(channel).unwrap().parts(content.clone()).unwrap_or_default();
                for part in parts {
                    let [checked, rendered] = asked(channel, &settings, &of, to, &reply_to, &part);
                    prop_assert_eq!(checked, rendered, "{} {:?}", channel, part);
                }
            }
        }
    }

    #[test]
    fn h3_a_reply_is_tried_until_its_window_closes_or_for_a_day_and_a_mail_for_three() {
        let (written, spoke) = (Timestamp::from_secs(1_000_000), Timestamp::from_secs(990_000));
        let ends = |channel: &str| patience(channel).ends_at(written, Some(spoke)).secs();
        assert_eq!(ends("wechat"), 990_000 + 48 * 3600);
        assert_eq!(ends("douyin"), 990_000 + 24 * 3600);
        assert_eq!(ends("sms"), 1_000_000 + 24 * 3600);
        assert_eq!(ends("email"), 1_000_000 + 72 * 3600);
        assert_eq!(patience("wechat").ends_at(written, None).secs(), 1_000_000 + 48 * 3600);
        assert_eq!(ends("pigeon"), 1_000_000 + 24 * 3600);
    }

    struct Answers(Vec<(u16, &'static str)>);

    impl Visit for Answers {
        type Output = Vec<Outcome>;

        fn visit<A: Adapter>(self, adapter: A) -> Vec<Outcome> {
            let read = |(status, body): (u16, &str)| adapter.read_answer(&ApiResponse { status, body: body.as_bytes() });
            self.0.into_iter().map(read).collect()
        }
    }

    /// The channels whose replies go to a platform.
    fn senders() -> Vec<&'static str> {
        let held = ["app", "webchat"];
        let sends = |c: &Capabilities| !c.kinds_out.is_empty() && !held.contains(&c.channel);
        all().iter().filter(|c| sends(c)).map(|c| c.channel).collect()
    }

    #[test]
    fn m1_an_answer_that_nobody_can_read_leaves_doubt_on_every_channel() {
        for channel in senders() {
            // Only 202 says that SendGrid accepted a mail.
            for body in ["", "<html>", "{", "{\"errcode\"", "null", "[]", "{}", "\"ok\"", "\u{fffd}"] {
                let read = visit(channel, Answers(vec![(200, body), (201, body), (504, body)])).unwrap();
                assert!(read.iter().all(Outcome::leaves_doubt), "{channel} {body:?}: {read:?}");
            }
        }
    }

    #[test]
    fn h3_a_platform_that_is_down_or_busy_leaves_no_doubt_on_any_channel() {
        for channel in senders() {
            for body in ["", "<html>down</html>", "{}"] {
                for status in [429, 500, 502, 503] {
                    let read = visit(channel, Answers(vec![(status, body)])).unwrap();
                    assert!(matches!(read[0], Outcome::Retry(_)), "{channel} {status}: {read:?}");
                    assert!(!read[0].leaves_doubt(), "{channel} {status}: {read:?}");
                }
            }
        }
    }
}
