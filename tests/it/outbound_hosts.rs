//! The hosts that an adapter may reach: its own platform and the router. An account's settings cannot change this. The
//! runner refuses a call to any other host before a connection is made, and the agent sees the reason.

use crate::harness::{Brand, Line, Options, Server, act, until, workspace};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::TcpListener;
use warmline_channels::registry;
use warmline_simulate::channels::{self, Act};

/// The hosts of each channel's platform, as the platforms name them. Empty if it has no API of its own.
const HOSTS: [(&str, &[&str]); 17] = [
    ("alipay", &["openapi.alipay.com", "openfile.alipay.com"]),
    ("app", &[]),
    ("doudian", &["openapi-fxg.jinritemai.com"]),
    // Customers' pictures are on hosts whose first part changes.
    ("douyin", &["open.douyin.com", "developer.toutiao.com", "*.douyinpic.com", "*.byteimg.com", "*.bytemastatic.com"]),
    // Mailgun keeps attachments on hosts whose first part changes.
    ("email", &["api.sendgrid.com", "api.eu.sendgrid.com", "api.mailgun.net", "api.eu.mailgun.net", "*.api.mailgun.net"]),
    ("jd", &["api.jd.com"]),
    ("kuaishou", &["open.kuaishou.com"]),
    ("miniprogram", &["api.weixin.qq.com"]),
    ("phone", &["api.twilio.com"]),
    ("pinduoduo", &[]),
    ("sms", &["dysmsapi.aliyuncs.com", "api.twilio.com"]),
    ("taobao", &["eco.taobao.com"]),
    ("webchat", &[]),
    ("wechat", &["api.weixin.qq.com"]),
    ("wecom", &["qyapi.weixin.qq.com"]),
    ("weibo", &["m.api.weibo.com", "upload.api.weibo.com"]),
    ("xiaohongshu", &["ark.xiaohongshu.com", "miniapp.xiaohongshu.com"]),
];

fn texts(list: &toml::Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn an_adapter_is_granted_its_own_platform_and_the_store_and_nothing_else() {
    let manifest: toml::Value = toml::from_str(&std::fs::read_to_string(workspace().join("spin.toml")).unwrap()).unwrap();
    let hosts: BTreeMap<_, _> = HOSTS.into_iter().collect();
    let components = manifest["component"].as_table().unwrap();
    let adapters: BTreeSet<_> = components.keys().filter_map(|id| id.strip_prefix("channel-")).collect();
    let served: BTreeSet<_> = registry::all().iter().map(|c| c.channel).collect();
    assert_eq!(adapters, served);
    assert_eq!(adapters, hosts.keys().copied().collect());
    for channel in adapters {
        let component = &components[&format!("channel-{channel}")];
        let own = match channel {
            "app" | "webchat" => "{{ grip_control_url }}",
            _ => "{{ platform_proxy }}",
        };
        let platform: Vec<_> = hosts[channel].iter().map(|host| format!("https://{host}")).collect();
        let mut wanted: BTreeSet<_> = ["http://router.spin.internal", "{{ public_url }}", own].into();
        wanted.extend(platform.iter().map(String::as_str));
        assert_eq!(texts(&component["allowed_outbound_hosts"]), wanted, "{channel}");
        // A star may stand only for a changing first part below the platform's own name.
        for host in hosts[channel].iter().filter(|host| host.contains('*')) {
            let domain = host.strip_prefix("*.").unwrap();
            assert!(domain.contains('.') && !domain.contains('*'), "{channel}: {host}");
        }
        assert_eq!(texts(&component["sqlite_databases"]), ["default", "keys"].into(), "{channel}");
        let names = component.get("key_value_stores").map(texts).unwrap_or_default();
        assert!(names.iter().all(|name| *name == "default"), "{channel}: {names:?}");
        assert!(component.get("files").is_none() && component.get("ai_models").is_none(), "{channel}");
    }
}

/// Administrators choose the hosts of hooks, so any is granted, by https only. What the grant reaches is in the runner's tests.
#[test]
fn no_component_but_that_of_hooks_may_call_any_host_and_it_has_no_keys_of_customers() {
    let manifest: toml::Value = toml::from_str(&std::fs::read_to_string(workspace().join("spin.toml")).unwrap()).unwrap();
    let components = manifest["component"].as_table().unwrap();
    let any = |host: &&str| host.split("://").nth(1).is_some_and(|host| host.starts_with("*:") || host == "*");
    let hosts = |id: &str| components[id].get("allowed_outbound_hosts").map(texts).unwrap_or_default();
    for id in components.keys().filter(|id| *id != "hooks") {
        assert!(!hosts(id).iter().any(any), "{id}");
    }
    assert_eq!(hosts("hooks"), ["https://*:443", "*://{{ hook_private_hosts }}"].into());
    assert!(hosts("hooks").iter().any(any), "this test knows a grant of any host");
    assert_eq!(texts(&components["hooks"]["sqlite_databases"]), ["default"].into());
    assert!(components["hooks"].get("key_value_stores").is_none());
    let own: BTreeSet<_> = components["hooks"]["variables"].as_table().unwrap().keys().map(String::as_str).collect();
    assert_eq!(own, ["hook_private_hosts", "internal_calls", "master_key", "master_key_previous"].into());
    // Nothing private is granted unless the operator names it.
    assert_eq!(manifest["variables"]["hook_private_hosts"]["default"].as_str(), Some("hook-private-hosts.invalid:443"));
}

/// A foreign service on this machine. It counts connections.
struct Elsewhere(TcpListener);

impl Elsewhere {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// Whether it got a connection since the last call.
    fn reached(&self) -> bool {
        match self.0.accept() {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }
}

/// An act whose message comes by webhook, on every platform that has webhooks.
fn pushed(customer: u64, text: &str) -> Act<'_> {
    let act = act(customer, text);
    // WeCom pushes every eighth act. No other test uses numbers this large.
    Act { number: act.number * 8 + 7, ..act }
}

/// Platforms that are asked for kept messages, for every customer.
const KEEPING: [&str; 2] = ["jd", "taobao"];

/// Whether a channel's adapter calls its platform for a reply or for kept messages.
fn calls(channel: &str) -> bool {
    KEEPING.contains(&channel) || registry::capabilities(channel).unwrap().kinds_out.contains(&"text")
}

/// The reasons why an account's sources cannot be asked.
fn problems(server: &Server, line: &Line) -> BTreeSet<String> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(server.state().join("sqlite.db"), flags).unwrap();
    let mut rows = db.prepare("SELECT problem FROM pulls WHERE channel = ?1 AND account = ?2").unwrap();
    let rows = rows.query_map([line.carries.channel, line.account.id.as_str()], |row| row.get::<_, Option<String>>(0));
    rows.unwrap().filter_map(Result::unwrap).collect()
}

#[test]
fn an_account_whose_settings_name_another_host_reaches_nobody() {
    // Nothing is granted besides the hosts in spin.toml.
    let none = ("SPIN_VARIABLE_PLATFORM_PROXY".to_owned(), "https://platform-proxy.invalid".to_owned());
    let server = Server::with("grants", &Options { environment: vec![none], ..Options::default() });
    let elsewhere = Elsewhere::start();
    let (here, foreign) = (elsewhere.url(), |channel: &str| {
        let weixin =
            HOSTS.iter().any(|(name, hosts)| *name == channel && hosts.iter().any(|h| h.ends_with("weixin.qq.com")));
        format!("https://{}", if weixin { "openapi.alipay.com" } else { "api.weixin.qq.com" })
    });
    // A listener on this machine, and a host of another adapter.
    for to in [None, Some(foreign)] {
        let platforms = channels::all().into_iter().filter(|platform| calls(platform.channel()));
        let platforms = platforms.map(|platform| (platform.channel().to_owned(), platform));
        let brand = Brand::with(&server, platforms, |stand| {
            let platform = stand.platform();
            let mut account = platform.account(&to.as_ref().map_or_else(|| here.clone(), |to| to(platform.channel())));
            if to.is_some() {
                account.id.push_str("-2");
            }
            account
        });
        brand.every(
            |line| line.carries.kinds_out.contains(&"text"),
            |brand, line| {
                let channel = line.carries.channel;
                let words = format!("reach-{channel}");
                line.acknowledged(&line.stand.act(&pushed(1, &words)).unwrap());
                let (id, _) = until(&words, || line.find(brand, &words));
                until("an agent", || (brand.shop.conversation(&id)["agent"].is_string()).then_some(()));
                let reply = brand.agent.reply(&id, "您好");
                // The agent's own view shows the reason.
                let path = format!("/api/conversations/{id}/messages");
                let failed = until("a reason", || {
                    let all = brand.agent.api.all(&path);
                    all.into_iter().find(|m| m["id"] == reply["id"] && m["delivery"]["reason"].is_string())
                });
                assert_eq!(failed["delivery"]["reason"], "host_not_granted", "{channel}");
                assert_ne!(failed["delivery"]["state"], "sent", "{channel}");
            },
        );
        // Platforms that are asked for their messages are not asked at other hosts either.
        brand.every(
            |line| KEEPING.contains(&line.carries.channel),
            |_, line| {
                until("a problem", || {
                    (problems(&server, line) == BTreeSet::from(["host_not_granted".to_owned()])).then_some(())
                })
            },
        );
        for line in brand.lines.values() {
            assert_eq!((line.stand.sent().len(), line.stand.refused()), (0, 0));
        }
    }
    assert!(!elsewhere.reached());
    // The listener would have noticed a connection.
    std::net::TcpStream::connect(elsewhere.0.local_addr().unwrap()).unwrap();
    until("the listener", || elsewhere.reached().then_some(()));
}
