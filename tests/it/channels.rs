//! Every channel with a simulated platform, through its real component. A customer's act arrives once, an act without the
//! platform's signature does not arrive, replies reach the customer, and the platform's refusals are understood.

use crate::harness::{Brand, Line, Server, Unsigned as _, act, until, within};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;
use warmline_channels::{Carries, registry};
use warmline_simulate::channels::{self, Behaviour, Endpoint, Request, Rule, Simulated, Trouble};

/// Channels with tests of their own: they have no platform, but clients of the brand's own.
const ELSEWHERE: [&str; 2] = ["app", "webchat"];

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("channels"));
static BRAND: LazyLock<Brand> = LazyLock::new(|| Brand::on(&SERVER, everywhere()));

/// Every simulated platform, by its channel or its provider.
fn everywhere() -> impl Iterator<Item = (String, Box<dyn Simulated>)> {
    let further = channels::further().into_iter().map(|(name, platform)| (name.to_owned(), platform));
    channels::all().into_iter().map(|platform| (platform.channel().to_owned(), platform)).chain(further)
}

fn every(wanted: impl Fn(&Line) -> bool, test: impl Fn(&Brand, &Line) + Sync) {
    BRAND.every(wanted, test);
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
                // A customer of a mini program sometimes sends a card, with the words as its title.
                let field = if message["content"]["kind"] == "link" { "title" } else { "text" };
                assert_eq!(message["content"][field], words.as_str());
            }
            // Every possible repeat has come by now: the next act is there.
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
            // A platform that keeps its messages and announces nothing has no webhook that could be forged.
            let Some(webhook) = line.stand.act(&act(2, &words)) else { return };
            let bare = webhook.unsigned();
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
        // One after the other: a rule applies to the next call, whichever customer it is for.
        for (customer, what, misstep) in [
            (10, "fails", Behaviour::Status(500)),
            (11, "unavailable", Behaviour::Status(503)),
            (12, "busy", Behaviour::Say(Trouble::RateLimited)),
        ] {
            let id = talk(customer, what);
            line.stand.script(Rule::send(misstep).once());
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
        line.stand.script(Rule::send(Behaviour::Say(Trouble::WindowClosed)).once());
        let message = brand.agent.reply(&id, &format!("答 closed-{channel}"));
        let dead = brand.shop.wait_delivery(&id, &message, "dead");
        assert!(dead["delivery"]["reason"].is_string(), "{channel}: {dead}");
        assert!(!line.stand.sent().iter().any(|s| s.text == format!("答 closed-{channel}")));
        // A late answer leaves a doubt. It is counted, and the message is sent again.
        let id = talk(15, "late");
        line.stand.script(Rule::send(Behaviour::Late(Duration::from_secs(9))).once());
        let message = brand.agent.reply(&id, &format!("答 late-{channel}"));
        brand.shop.wait_delivery(&id, &message, "sent");
        let doubts = brand.shop.admin.events(0);
        let doubts = doubts.iter().filter(|e| e["type"] == "delivery.in_doubt" && e["data"]["message"] == message["id"]);
        assert_eq!(doubts.count(), 1, "{channel}");
    });
}
