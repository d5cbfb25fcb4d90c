//! Every channel whose platform is simulated, through its real component: what a customer does arrives once, what the platform
//! did not sign does not, replies reach the customer, and what the platform says instead of yes is understood.

use crate::harness::{Agent, Answer, Server, Shop, now, send, until, within};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use warmline_channels::{Capabilities, Carries, registry};
use warmline_sim::channels::stand::{Misstep, Stand};
use warmline_sim::channels::{self, Account, Act, Endpoint, Request, Sent, Trouble};

/// Channels that have tests of their own: clients of the brand's own, and the platform that everything else is tried on.
const ELSEWHERE: [&str; 3] = ["app", "webchat", "wechat"];

/// One brand with an account on every platform and one untiring agent.
struct Brand {
    shop: Shop,
    agent: Agent,
    lines: BTreeMap<&'static str, Line>,
}

/// A platform and what its channel can carry.
struct Line {
    stand: Stand,
    account: Account,
    carries: Capabilities,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("channels"));
static BRAND: LazyLock<Brand> = LazyLock::new(|| {
    let shop = Shop::on(&SERVER, &json!({ "accept_secs": 0 }));
    let agent = shop.agent(1_000);
    let lines = channels::all().into_iter().map(|platform| {
        let carries = registry::capabilities(platform.channel()).unwrap();
        let stand = Stand::start(platform).unwrap();
        let account = stand.account();
        let secrets: BTreeMap<_, _> = account.secrets.iter().cloned().collect();
        shop.connect_as(carries.channel, &account.id, account.settings.clone(), &json!(secrets));
        (carries.channel, Line { stand, account, carries })
    });
    let lines = lines.collect();
    Brand { shop, agent, lines }
});
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// Runs a test for every line at once; a failure names its channel.
fn every(wanted: impl Fn(&Line) -> bool, test: impl Fn(&Brand, &Line) + Sync) {
    let brand = &*BRAND;
    let failed: Vec<&str> = std::thread::scope(|scope| {
        let running: Vec<_> = brand
            .lines
            .iter()
            .filter(|(_, line)| wanted(line))
            .map(|(channel, line)| (*channel, scope.spawn(|| test(brand, line))))
            .collect();
        assert!(!running.is_empty());
        running.into_iter().filter_map(|(channel, test)| test.join().is_err().then_some(channel)).collect()
    });
    assert!(failed.is_empty(), "failed for: {failed:?}");
}

/// A customer's act that no other test has.
fn act(customer: u64, text: &str) -> Act<'_> {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    Act { customer, number, at: now(), text, nonce }
}

impl Line {
    fn post(&self, webhook: &Request) -> Answer {
        let url = format!("{}/channels/{}/{}", BRAND.shop.base, self.carries.channel, self.account.id);
        let query = if webhook.query.is_empty() { String::new() } else { format!("?{}", webhook.query) };
        let headers: Vec<(&str, String)> = webhook.headers.iter().map(|(n, v)| (n.as_str(), v.clone())).collect();
        send(&webhook.method, &format!("{url}{}{query}", webhook.path), &headers, webhook.body.clone())
    }

    /// Posts a webhook that the platform must see acknowledged.
    fn acknowledged(&self, webhook: &Request) {
        let answer = self.post(webhook);
        assert!(
            self.stand.platform().acknowledged(answer.status, &answer.body),
            "{}: {} {}",
            self.carries.channel,
            answer.status,
            answer.text()
        );
    }

    /// Lets a customer act, once or as often as the platform tells it.
    fn arrive(&self, act: &Act<'_>, times: usize) {
        for _ in 0..times {
            if let Some(webhook) = self.stand.act(act) {
                self.acknowledged(&webhook);
            }
        }
    }

    /// The conversation and the message that hold these words, wherever the channel puts them.
    fn find(&self, brand: &Brand, words: &str) -> Option<(String, Value)> {
        let all = brand.shop.admin.all("/api/conversations");
        all.iter().filter(|c| c["channel"] == self.carries.channel).find_map(|c| {
            let id = c["id"].as_str().unwrap().to_owned();
            let message = brand.shop.messages(&id).into_iter().find(|m| m["content"].to_string().contains(words))?;
            Some((id, message))
        })
    }

    /// A customer's first words, in the agent's hands.
    fn talk(&self, brand: &Brand, customer: u64, words: &str) -> String {
        self.arrive(&act(customer, words), 1);
        let (id, _) = until(words, || self.find(brand, words));
        until("an agent", || (brand.shop.conversation(&id)["agent"].is_string()).then_some(()));
        id
    }

    fn sent(&self, customer: u64, text: &str) -> Sent {
        Sent { to: self.stand.platform().open_id(customer), text: text.into() }
    }
}

fn chats(line: &Line) -> bool {
    line.carries.kinds_out.contains(&"text")
}

#[test]
fn every_channel_is_tested() {
    let simulated: BTreeSet<_> = channels::all().iter().map(|platform| platform.channel()).collect();
    let served: BTreeSet<_> = registry::all().iter().map(|c| c.channel).filter(|c| !ELSEWHERE.contains(c)).collect();
    assert_eq!(simulated, served);
}

#[test]
fn what_a_customer_does_arrives_once() {
    every(
        |_| true,
        |brand, line| {
            let words = format!("once-{}", line.carries.channel);
            line.arrive(&act(1, &words), 3);
            let (id, message) = within(Duration::from_secs(60), &words, || line.find(brand, &words));
            assert_eq!((&message["direction"], &message["from"]), (&json!("in"), &json!("customer")));
            if line.carries.carries == Carries::Orders {
                assert_eq!(message["content"]["kind"], "event", "{message}");
            } else {
                assert_eq!(message["content"]["text"], words.as_str());
            }
            // Whatever was to come twice has come: the next act is there.
            let next = format!("next-{}", line.carries.channel);
            line.arrive(&act(1, &next), 1);
            within(Duration::from_secs(60), &next, || line.find(brand, &next));
            let all = brand.shop.messages(&id);
            let with = |words: &str| all.iter().filter(|m| m["content"].to_string().contains(words)).count();
            assert_eq!(with(&words), 1, "{}: {all:#?}", line.carries.channel);
            until("all confirmed", || (line.stand.kept() == 0 || line.stand.calls(Endpoint::Confirm) == 0).then_some(()));
        },
    );
}

#[test]
fn what_the_platform_did_not_sign_is_refused() {
    every(
        |_| true,
        |brand, line| {
            let words = format!("forged-{}", line.carries.channel);
            // A platform that keeps its messages and tells nobody has no webhook that could be forged.
            let Some(mut webhook) = line.stand.act(&act(2, &words)) else { return };
            // Some platforms sign in the body itself.
            let middle = webhook.body.len() / 2;
            if let Some(byte) = webhook.body.get_mut(middle) {
                *byte ^= 1;
            }
            let bare = Request {
                path: String::new(),
                query: String::new(),
                headers: webhook.headers.iter().filter(|(name, _)| name == "content-type").cloned().collect(),
                ..webhook
            };
            let answer = line.post(&bare);
            assert!((400..500).contains(&answer.status), "{}: {} {}", line.carries.channel, answer.status, answer.text());
            let get = line.post(&Request { method: "GET".into(), ..bare.clone() });
            assert!((400..500).contains(&get.status), "{}: {} {}", line.carries.channel, get.status, get.text());
            for body in [&b""[..], b"{", b"<xml>", b"[]", b"\0", b"\xff\xfe", &[b'['; 5_000], &[b' '; 1_000_000]] {
                let answer = line.post(&Request { body: body.to_vec(), ..bare.clone() });
                assert!((400..500).contains(&answer.status), "{}: {}", line.carries.channel, answer.status);
            }
            assert!(line.find(brand, &words).is_none() || line.stand.kept() > 0);
        },
    );
}

#[test]
fn replies_reach_the_customer_whom_they_were_written_for() {
    every(chats, |brand, line| {
        let words = |customer| format!("ask-{customer}-{}", line.carries.channel);
        let talks: Vec<_> = (3..6).map(|customer| (customer, line.talk(brand, customer, &words(customer)))).collect();
        let reply = |customer| format!("您好 {}", words(customer));
        for (customer, id) in &talks {
            brand.agent.reply(id, &reply(*customer));
        }
        for (customer, _) in &talks {
            let wanted = line.sent(*customer, &reply(*customer));
            until(&format!("{wanted:?}"), || line.stand.sent().contains(&wanted).then_some(()));
        }
        let sent = line.stand.sent();
        assert_eq!(sent.iter().filter(|sent| sent.text.starts_with("您好 ask-")).count(), talks.len(), "{sent:?}");
    });
}

#[test]
fn what_the_platform_says_instead_of_yes_is_understood() {
    every(chats, |brand, line| {
        let channel = line.carries.channel;
        let talk = |customer: u64, what: &str| line.talk(brand, customer, &format!("{what}-{channel}"));
        let delivered = |id: &str, what: &str| {
            let message = brand.agent.reply(id, &format!("答 {what}-{channel}"));
            brand.shop.wait_delivery(id, &message, "sent");
            let count = line.stand.sent().iter().filter(|s| s.text == format!("答 {what}-{channel}")).count();
            assert_eq!(count, 1, "{channel}: {what}");
        };
        // In turn: what is scripted is for the next call, whosever it is.
        for (customer, what, misstep) in [
            (10, "fails", Misstep::Status(500)),
            (11, "unavailable", Misstep::Status(503)),
            (12, "busy", Misstep::Say(Trouble::RateLimited)),
        ] {
            let id = talk(customer, what);
            line.stand.script(Endpoint::Send, misstep);
            delivered(&id, what);
        }
        let id = talk(13, "token");
        if line.stand.calls(Endpoint::Token) > 0 {
            let before = line.stand.calls(Endpoint::Token);
            line.stand.expire_token();
            delivered(&id, "token");
            assert!(line.stand.calls(Endpoint::Token) > before, "{channel}: no new token");
        }
        let id = talk(14, "closed");
        line.stand.script(Endpoint::Send, Misstep::Say(Trouble::WindowClosed));
        let message = brand.agent.reply(&id, &format!("答 closed-{channel}"));
        let dead = brand.shop.wait_delivery(&id, &message, "dead");
        assert!(dead["delivery"]["reason"].is_string(), "{channel}: {dead}");
        assert!(!line.stand.sent().iter().any(|s| s.text == format!("答 closed-{channel}")));
        // An answer that comes too late leaves doubt: it is counted, and the message sent again.
        let id = talk(15, "late");
        line.stand.script(Endpoint::Send, Misstep::Hang(Duration::from_secs(9)));
        let message = brand.agent.reply(&id, &format!("答 late-{channel}"));
        brand.shop.wait_delivery(&id, &message, "sent");
        let doubts = brand.shop.admin.events(0);
        let doubts = doubts.iter().filter(|e| e["type"] == "delivery.in_doubt" && e["data"]["message"] == message["id"]);
        assert_eq!(doubts.count(), 1, "{channel}");
    });
}
