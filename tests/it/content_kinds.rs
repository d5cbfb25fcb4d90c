//! Every kind of message by every protocol, through the real components. The kinds in a channel's manifest come in, and no
//! others do. A kind that no adapter knows is kept as it came, for the agent to see.

use crate::harness::{Agent, Answer, Server, Shop, Visitor, Web, at_once, now, post_webhook, until, within};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use warmline_channels::{
    alipay, doudian, douyin, kuaishou, miniprogram, pinduoduo, taobao, wechat, wecom, weibo, xiaohongshu,
};
use warmline_model::Timestamp;
use warmline_simulate::channels::platform_server::PlatformServer;
use warmline_simulate::channels::protocols::{self, Protocol, Taken};
use warmline_simulate::channels::{self, Account, Request};

/// The longest time of the slowest way: its platform is asked every few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A kind of message that no platform has.
const KIND: &str = "hologram";

/// A shop with an account for every protocol.
struct Entrances {
    server: Server,
    shop: Shop,
    agent: Agent,
    all: Vec<ChannelUnderTest>,
}

/// A protocol with its account.
struct ChannelUnderTest {
    way: Protocol,
    account: Account,
    /// The platform, if it keeps messages until it is asked.
    stand: Option<PlatformServer>,
    /// The customer's session, if the server gives one.
    visitor: Option<Visitor>,
}

impl ChannelUnderTest {
    /// Channel and account.
    fn address(&self) -> (&'static str, String) {
        (self.way.channel, self.account.id.clone())
    }
}

impl Entrances {
    fn open(name: &str) -> Self {
        let server = Server::start(name);
        let shop = Shop::on(&server, &json!({ "accept_secs": 0 }));
        shop.calls_are_chats();
        let agent = shop.agent(1_000);
        let mut connected = BTreeSet::new();
        let all = protocols::all().into_iter().map(|way| {
            let asked = !(way.kept)(now(), 1).is_empty();
            let platform = channels::all().into_iter().find(|platform| asked && platform.channel() == way.channel);
            let stand = platform.map(|platform| PlatformServer::start(platform).unwrap());
            let account = stand.as_ref().map_or_else(|| way.account.clone(), PlatformServer::account);
            // Some protocols share an account.
            if connected.insert((way.channel, account.id.clone())) {
                let secrets: BTreeMap<_, _> = account.secrets.iter().cloned().collect();
                shop.connect_as(way.channel, &account.id, account.settings.clone(), &json!(secrets));
            }
            let visitor = (way.channel == "webchat").then(|| Web::new(server.base(), &account.id).visitor());
            ChannelUnderTest { way, account, stand, visitor }
        });
        let all = all.collect();
        Self { server, shop, agent, all }
    }

    /// Runs a test for every protocol at once. Returns the results in order.
    fn every<T: Send>(&self, test: impl Fn(&ChannelUnderTest) -> T + Sync) -> Vec<T> {
        at_once(self.all.len(), |i| test(&self.all[i]))
    }

    /// Posts a payload like the platform, and checks that the answer is the adapter's own. Returns the keys of its
    /// messages.
    fn post(&self, entrance: &ChannelUnderTest, payload: &[u8], at: i64) -> Vec<String> {
        let ChannelUnderTest { way, account, visitor, .. } = entrance;
        let webhook = (way.seal.unwrap())(payload, at);
        let Ok(Taken::Messages(_, parsed, reply)) = way.take(&webhook, at) else {
            panic!("{}: not taken: {}", way.name, String::from_utf8_lossy(payload))
        };
        let webhook = match visitor {
            Some(Visitor { token, .. }) => {
                let headers = vec![("authorization".to_owned(), format!("Bearer {token}"))];
                Request { headers, ..webhook }
            }
            None => webhook,
        };
        let answer: Answer = post_webhook(self.server.base(), way.channel, &account.id, &webhook);
        assert_eq!(answer.status, reply.status, "{}: {}", way.name, answer.text());
        parsed.messages.into_iter().map(|message| message.key).collect()
    }

    /// A provider's report makes nobody a customer, so the person in it has to write first. Returns the keys of their
    /// messages.
    fn introduce(&self, entrance: &ChannelUnderTest, at: i64) -> Vec<String> {
        let writes = match entrance.way.name {
            "email-reports" => "email",
            "email-mailgun-reports" => "email-mailgun",
            _ => return Vec::new(),
        };
        let way = protocols::all().into_iter().find(|way| way.name == writes).unwrap();
        let mail = (way.payloads)(at, 9_000).remove(0);
        let Ok(Taken::Messages(_, parsed, _)) = way.take(&(way.seal.unwrap())(&mail, at), at) else {
            panic!("{writes}: not taken")
        };
        let words = parsed.messages.iter().find_map(|message| message.content.words()).unwrap().to_owned();
        let entrance = ChannelUnderTest { way, account: entrance.account.clone(), stand: None, visitor: None };
        let keys = self.post(&entrance, &mail, at);
        until("the customer of the reports", || {
            self.came(&entrance).find(|(_, message)| message["content"]["text"] == words)
        });
        keys
    }

    /// The received messages of an entrance's account.
    fn came(&self, entrance: &ChannelUnderTest) -> impl Iterator<Item = (String, Value)> {
        self.shop.said_on(entrance.way.channel, &entrance.account.id).filter(|(_, message)| message["direction"] == "in")
    }
}

#[test]
fn every_kind_that_a_channel_declares_comes_in_and_no_other() {
    let entrances = Entrances::open("kinds");
    let sent = entrances.every(|entrance| {
        let (way, at) = (&entrance.way, now());
        let kept = (way.kept)(at, 1);
        let mut keys: Vec<_> = (0..kept.len()).map(|place| format!("kept-{place}")).collect();
        keys.extend(entrances.introduce(entrance, at));
        for item in kept {
            entrance.stand.as_ref().unwrap().keep(item);
        }
        if way.seal.is_some() {
            // Each has a number of its own: two kinds with one number would be one message, sent twice.
            for place in 0..(way.payloads)(at, 1).len() {
                let number = 100 * (u64::try_from(place).unwrap() + 1);
                keys.extend(entrances.post(entrance, &(way.payloads)(at, number)[place], at));
            }
        }
        (entrance.address(), keys)
    });
    let mut expected: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
    for (account, keys) in sent {
        expected.entry(account).or_default().extend(keys);
    }

    let seen = entrances.every(|entrance| {
        let number = expected[&entrance.address()].len();
        let mut count = 0;
        let messages = within(PATIENCE, &format!("{}: {number} messages", entrance.way.name), || {
            let messages: Vec<_> = entrances.came(entrance).collect();
            if messages.len() != count {
                count = messages.len();
                eprintln!("{}: {count} of {number}", entrance.way.name);
            }
            (messages.len() >= number).then_some(messages)
        });
        assert_eq!(messages.len(), number, "{}: {messages:#?}", entrance.way.name);
        let kind = |message: &Value| message["content"]["kind"].as_str().unwrap().to_owned();
        (entrance.way.channel.to_owned(), messages.iter().map(|(_, message)| kind(message)).collect::<Vec<_>>())
    });
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (channel, seen) in seen {
        kinds.entry(channel).or_default().extend(seen);
    }

    let manifests = entrances.shop.admin.get("/api/channels").expect(200).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let declared: BTreeMap<String, BTreeSet<String>> = manifests["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|manifest| (text(&manifest["channel"]), manifest["kinds_in"].as_array().unwrap().iter().map(text).collect()))
        .collect();
    assert_eq!(kinds, declared, "left: what came in; right: what the manifests declare");
}

/// The fate of an unknown kind.
enum Unheard {
    /// It is posted, and kept as unknown.
    Posted(Vec<u8>),
    /// The platform keeps it until it is asked; it is kept as unknown.
    Fetched(Value),
    /// It is posted, and is an event with its own name: the protocol knows only events, with any name.
    Event(Vec<u8>),
    /// The protocol has no unknown kinds.
    Never(&'static str),
}

fn unheard(way: &Protocol, at: i64) -> Unheard {
    use Unheard::{Event, Fetched, Never, Posted};
    let setting = |name: &str| way.account.settings[name].as_str().unwrap();
    let (id, instant) = ("77", Timestamp::from_secs(at));
    let json = |value: Value| Posted(value.to_string().into_bytes());
    match way.name {
        "alipay" => Posted(
            alipay::sign::message(setting("app_id"), "2088000000000099", at * 1000, KIND, &[("MsgId", id)]).into_bytes(),
        ),
        "app" | "webchat" => json(json!({ "id": id, "content": { "kind": KIND } })),
        "doudian" => {
            // Its kinds are numbers.
            let data = json!({ "p_id": id, "shop_id": 95250, KIND: true });
            Event(Value::from(vec![doudian::sign::event(999, id, &data)]).to_string().into_bytes())
        }
        "douyin" => {
            let content = json!({ "conversation_short_id": "@c", "server_message_id": id, "create_time": at * 1000,
                "message_type": KIND });
            Posted(
                douyin::sign::event("im_receive_msg", setting("client_key"), "_000hologram", "operator", &content, false)
                    .into_bytes(),
            )
        }
        "douyin-miniapp" | "xiaohongshu-miniprogram" => json(json!({ "ToUserName": "mini", "FromUserName": "oHologram",
            "CreateTime": at, "MsgType": KIND, "MsgId": id })),
        "email" | "email-mailgun" => Never("a mail has no kinds: it is words and attachments of any type, else it is none"),
        "email-mailgun-reports" => Event(
            json!({ "event": KIND, "id": id, "timestamp": at, "recipient": "w@mail.example" }).to_string().into_bytes(),
        ),
        "email-reports" => {
            Event(json!([{ "email": "customer-7@mail.example", "event": KIND, "timestamp": at }]).to_string().into_bytes())
        }
        "jd" => {
            let mut order = (way.kept)(at, 1).remove(0);
            order["orderId"] = Value::Null;
            order[KIND] = true.into();
            Fetched(order)
        }
        "kuaishou" => Event(kuaishou::sign::event(setting("app_id"), KIND, id, at * 1000, &json!({})).into_bytes()),
        "miniprogram" => {
            Posted(miniprogram::sign::message_json("oHologram", "gh_mini", at, KIND, &[("MsgId", json!(id))]).into_bytes())
        }
        "phone" => json(json!({ "call_id": "call-99", "seq": 1, KIND: true })),
        "phone-huawei" => json(json!({ "callSerialNo": "call-99", KIND: "1" })),
        "phone-twilio" => Posted(format!("CallSid=CA99&{KIND}=1").into_bytes()),
        "pinduoduo" => {
            let mall = setting("mall_id").parse().unwrap();
            Posted(pinduoduo::sign::frame(77, instant, KIND, mall, &json!("later")).into_bytes())
        }
        "sms" => json(json!([{ "phone_number": "13900000099", KIND: 1 }])),
        "sms-twilio" => Posted(format!("MessageSid=SM99&From=%2B8613900000099&MessageType={KIND}").into_bytes()),
        "taobao" => Fetched(taobao::sign::message(77, KIND, instant, &json!("later"))),
        "wechat" | "wechat-safe" => {
            Posted(wechat::sign::message("oHologram", "gh_rice", at, KIND, &[("MsgId", id)]).into_bytes())
        }
        "wecom" => {
            let fields = [("MsgId", id), ("AgentID", "1000002")];
            Posted(wecom::sign::message("wmHologram", setting("corp_id"), at, KIND, &fields).into_bytes())
        }
        "weibo" => {
            let brand = setting("uid").parse().unwrap();
            Posted(weibo::sign::message(7, brand, instant, KIND, "", &json!({})).into_bytes())
        }
        "xiaohongshu" => {
            let data = json!({ "orderId": id });
            Event(Value::from(vec![xiaohongshu::sign::event(KIND, setting("seller_id"), &data)]).to_string().into_bytes())
        }
        other => panic!("what becomes of an unknown kind by {other}?"),
    }
}

#[test]
fn a_kind_that_nobody_knows_is_kept_as_it_came_and_the_agent_sees_it() {
    let entrances = Entrances::open("unknown-kinds");
    entrances.every(|entrance| {
        let (name, at) = (entrance.way.name, now());
        entrances.introduce(entrance, at);
        let is_event = match unheard(&entrance.way, at) {
            Unheard::Never(why) => return eprintln!("{name}: {why}"),
            Unheard::Fetched(item) => {
                entrance.stand.as_ref().unwrap().keep(item);
                false
            }
            Unheard::Posted(payload) => {
                assert_eq!(entrances.post(entrance, &payload, at).len(), 1, "{name}");
                false
            }
            Unheard::Event(payload) => {
                assert_eq!(entrances.post(entrance, &payload, at).len(), 1, "{name}");
                true
            }
        };
        let named = |message: &Value| message["content"].to_string().contains(KIND);
        let (conversation, message) = within(PATIENCE, name, || entrances.came(entrance).find(|(_, m)| named(m)));
        let content = &message["content"];
        if is_event {
            return assert_eq!(content["kind"], "event", "{name}: {message}");
        }
        assert_eq!(content["kind"], "unknown", "{name}: {message}");
        assert!(content["raw_kind"].is_string() && content["raw"].is_object(), "{name}: {message}");
        until("an agent", || entrances.shop.conversation(&conversation)["agent"].is_string().then_some(()));
        let seen = entrances.agent.api.all(&format!("/api/conversations/{conversation}/messages"));
        assert!(seen.iter().any(|m| m["content"] == *content), "{name}: {seen:?}");
    });
}
