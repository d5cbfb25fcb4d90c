//! Every kind of message by every protocol, through the real components: what a channel's manifest declares comes in, and nothing
//! else does.

use crate::harness::{Answer, Server, Shop, Visitor, Web, at_once, now, post_webhook, within};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use warmline_sim::channels::stand::Stand;
use warmline_sim::channels::ways::{self, Taken, Way};
use warmline_sim::channels::{self, Account, Request};

/// How long the slowest way may take: its platform is asked every few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shop with an account for every protocol.
struct Entrances {
    server: Server,
    shop: Shop,
    all: Vec<Entrance>,
}

/// A protocol with its account.
struct Entrance {
    way: Way,
    account: Account,
    /// The platform, where it keeps messages until it is asked.
    stand: Option<Stand>,
    /// The customer's session, where the server gives one.
    visitor: Option<Visitor>,
}

impl Entrance {
    /// Channel and account.
    fn address(&self) -> (&'static str, String) {
        (self.way.channel, self.account.id.clone())
    }
}

impl Entrances {
    fn open(name: &str) -> Self {
        let server = Server::start(name);
        let shop = Shop::on(&server, &json!({ "accept_secs": 0 }));
        let mut connected = BTreeSet::new();
        let all = ways::all().into_iter().map(|way| {
            let asked = !(way.kept)(now(), 1).is_empty();
            let platform = channels::all().into_iter().find(|platform| asked && platform.channel() == way.channel);
            let stand = platform.map(|platform| Stand::start(platform).unwrap());
            let account = stand.as_ref().map_or_else(|| way.account.clone(), Stand::account);
            // Some have an account together.
            if connected.insert((way.channel, account.id.clone())) {
                let secrets: BTreeMap<_, _> = account.secrets.iter().cloned().collect();
                shop.connect_as(way.channel, &account.id, account.settings.clone(), &json!(secrets));
            }
            let visitor = (way.channel == "webchat").then(|| Web::new(server.base(), &account.id).visitor());
            Entrance { way, account, stand, visitor }
        });
        let all = all.collect();
        Self { server, shop, all }
    }

    /// Runs a test for every protocol at once; what each returns, in order.
    fn every<T: Send>(&self, test: impl Fn(&Entrance) -> T + Sync) -> Vec<T> {
        at_once(self.all.len(), |i| test(&self.all[i]))
    }

    /// Posts what the platform would, and checks that it is answered as the adapter itself answers. Gives the keys of the messages
    /// in it.
    fn post(&self, entrance: &Entrance, payload: &[u8], at: i64) -> Vec<String> {
        let Entrance { way, account, visitor, .. } = entrance;
        let webhook = (way.seal.unwrap())(payload, at);
        let Ok(Taken::Messages(_, messages, reply)) = way.take(&webhook, at) else {
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
        messages.into_iter().map(|message| message.key).collect()
    }

    /// The messages of an entrance's account that came in.
    fn came(&self, entrance: &Entrance) -> impl Iterator<Item = (String, Value)> {
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
        for item in kept {
            entrance.stand.as_ref().unwrap().keep(item);
        }
        if way.seal.is_some() {
            // Each with a number of its own: two kinds of one message would be one message told twice.
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
