//! One person across channels, through the real components.

use crate::harness::{Api, App, PATIENCE, Received, Server, Shop, Stream, Visitor, at_once, now, send, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use warmline_channels::app::sign::token;
use warmline_channels::phone::sign;

const SIGNING: &str = "phone-signing-secret-of-the-shop";

/// A member of the app with a proved number.
fn member(app: &App, sub: &str, number: &str) -> String {
    let claims = json!({ "sub": sub, "exp": now() + 3600, "phone_number": number, "phone_number_verified": true });
    token(&app.jwt_secret, &claims)
}

/// A customer calls and says something.
#[track_caller]
fn calls(shop: &Shop, call: &str, number: &str, text: &str) {
    let mut segment = sign::segment(call, 1, "customer", text, true);
    segment["caller"] = number.into();
    told(shop, &segment);
}

#[track_caller]
fn told(shop: &Shop, what: &Value) {
    let (body, at) = (what.to_string(), now());
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("x-warmline-timestamp", at.to_string()),
        ("x-warmline-signature", sign::contract(SIGNING, at, body.as_bytes())),
    ];
    send("POST", &format!("{}/channels/phone/{}", shop.base, shop.name), &headers, body).expect(200);
}

/// The telephone system reports an event of a call.
#[track_caller]
fn rings(shop: &Shop, call: &str, seq: u64, event: &str, number: &str) {
    told(shop, &sign::event(call, seq, event, number));
}

/// A shop with the app and a telephone.
fn shop(server: Option<&Server>) -> (Shop, App) {
    let shop = server.map_or_else(Shop::open, |server| Shop::on(server, &json!({})));
    let app = shop.app();
    shop.connect("phone", json!({ "provider": "contract" }), &json!({ "signing_secret": SIGNING }));
    (shop, app)
}

fn customer(shop: &Shop, id: &Value) -> Value {
    shop.admin.get(&format!("/api/customers/{}", id.as_str().unwrap())).expect(200).json()
}

#[test]
fn who_writes_in_the_app_and_then_calls_is_one_person() {
    let (shop, app) = shop(None);
    let agent = shop.agent(9);
    shop.calls_are_chats();
    app.say(&member(&app, "member-4711", "138 0001 4711"), "米里有虫子，怎么办？");
    let (written, _) = shop.wait_text("米里有虫子，怎么办？");
    agent.reply(&written, "马上给您补发");
    calls(&shop, "call-of-4711", "+8613800014711", "喂，我刚才在应用里写过");
    let (called, _) = shop.wait_text("喂，我刚才在应用里写过");
    let [one, other] = [&written, &called].map(|id| shop.conversation(id)["customer"]["id"].clone());
    assert_eq!(one, other);

    let person = customer(&shop, &one);
    let known: Vec<_> = person["identities"].as_array().unwrap().iter().map(|i| i["channel"].as_str().unwrap()).collect();
    assert_eq!(known, ["app", "phone"]);
    let told: BTreeSet<_> = person["identifiers"].as_array().unwrap().iter().map(|i| i["value"].as_str().unwrap()).collect();
    assert_eq!(told, BTreeSet::from(["+86138****4711", "me****11"]));
    assert_eq!((&person["merges"][0]["kind"], person["merges"].as_array().unwrap().len()), (&json!("phone"), 1));

    // The summary for the agent who answers. Each line names its message.
    let path = format!("/api/customers/{}/summary", one.as_str().unwrap());
    let told = agent.api.get(&path).expect(200).json();
    let line = |list: &str, n: usize| (told[list][n]["text"].clone(), told[list][n]["message"].clone());
    let said = |talk: &str, n: usize| {
        let message = shop.messages(talk).swap_remove(n);
        (message["content"]["text"].clone(), message["id"].clone())
    };
    assert_eq!(line("promised", 0), said(&written, 1));
    assert_eq!(line("asked", 0), said(&written, 0));
    assert_eq!(line("open", 0), said(&written, 1));
    assert_eq!((&told["angry_now"], &told["channels"]), (&json!(false), &json!(["app", "phone"])));
    shop.agent(9).api.get(&path).refused(404, "not_found");

    // The agent who answers the call has the whole history at hand, also page by page. An agent who serves another customer
    // has not.
    let path = format!("/api/customers/{}/timeline", one.as_str().unwrap());
    let all = agent.api.get(&path).expect(200).json();
    let said: Vec<_> = all["items"].as_array().unwrap().iter().map(|m| m["content"]["text"].as_str().unwrap()).collect();
    assert_eq!(said, ["喂，我刚才在应用里写过", "马上给您补发", "米里有虫子，怎么办？"]);
    let first = agent.api.get(&format!("{path}?limit=2")).expect(200).json();
    let rest = agent.api.get(&format!("{path}?limit=2&after={}", first["next"].as_str().unwrap())).expect(200).json();
    assert_eq!((&rest["items"][0]["content"]["text"], rest.get("next")), (&json!("米里有虫子，怎么办？"), None));
    shop.agent(9).api.get(&path).refused(404, "not_found");
    for wrong in ["days=0", "days=x", "after=x", "limit=0"] {
        agent.api.get(&format!("{path}?{wrong}")).expect(400);
    }
}

#[test]
fn a_merge_sends_no_reply_elsewhere_and_can_be_undone_once() {
    let shop = Shop::open();
    let web = shop.web(&[]);
    let agent = shop.agent(9);
    let visitors: [Visitor; 2] = [web.visitor(), web.visitor()];
    visitors[0].say("我是甲");
    visitors[1].say("我是乙");
    let talks = ["我是甲", "我是乙"].map(|text| shop.wait_text(text).0);
    let [one, other] = talks.each_ref().map(|id| shop.conversation(id)["customer"]["id"].clone());
    assert_ne!(one, other);
    let path = |verb: &str| format!("/api/customers/{}/{verb}", one.as_str().unwrap());
    let merged = agent.api.post(&path("merge"), &json!({ "customer": other })).expect(200).json();
    assert_eq!(merged["identities"].as_array().unwrap().len(), 2);
    agent.api.post(&path("merge"), &json!({ "customer": other })).refused(409, "same_person");
    agent.reply(&talks[0], "给甲的");
    agent.reply(&talks[1], "给乙的");
    let heard = |n: usize| until("the reply", || Some(visitors[n].texts()).filter(|texts| !texts.is_empty()));
    assert_eq!([heard(0), heard(1)], [vec!["给甲的".to_owned()], vec!["给乙的".to_owned()]]);

    let undo = json!({ "merge": merged["merges"][0]["id"] });
    let parted = agent.api.post(&path("unmerge"), &undo).expect(200).json();
    assert_eq!(parted["identities"].as_array().unwrap().len(), 1);
    agent.api.post(&path("unmerge"), &undo).refused(409, "already_undone");
    assert_eq!(talks.each_ref().map(|id| shop.conversation(id)["customer"]["id"].clone()), [one.clone(), other.clone()]);
    // An unknown id gets its refusal.
    let nobody = format!("cus_{}", "0".repeat(32));
    agent.api.post(&path("merge"), &json!({ "customer": nobody })).refused(404, "not_found");
    agent.api.post(&path("unmerge"), &json!({ "merge": format!("mrg_{}", "0".repeat(32)) })).refused(404, "not_found");
    for (body, code) in [
        (json!({ "kind": "phone", "value": "12" }), "bad_identifier"),
        (json!({ "kind": "email", "value": "x".repeat(10_000) }), "bad_identifier"),
        (json!({ "kind": "nick", "value": "小米" }), "kind_of_a_platform"),
    ] {
        agent.api.post(&path("identifiers"), &body).refused(422, code);
    }
    // A number that staff typed joins customers only if it was proved, which a supervisor has to state. From an agent it
    // suggests.
    let number = |verified: bool| json!({ "kind": "phone", "value": "13800024712", "verified": verified });
    agent.api.post(&path("identifiers"), &number(false)).expect(200);
    let of_other = format!("/api/customers/{}/identifiers", other.as_str().unwrap());
    let shown = shop.admin.post(&of_other, &number(true)).expect(200).json();
    assert_eq!(shown["suggestions"], json!([{ "customer": one, "kinds": ["phone"] }]));
    agent.api.post(&path("identifiers"), &number(true)).expect(200);
    assert_eq!(customer(&shop, &other)["identities"].as_array().unwrap().len(), 1);
    shop.admin.post(&path("identifiers"), &number(true)).expect(200);
    assert_eq!(customer(&shop, &other)["identities"].as_array().unwrap().len(), 2);
}

#[test]
fn the_app_and_then_the_telephone_are_one_case_until_staff_or_an_unmerge_say_otherwise() {
    let (shop, app) = shop(None);
    let agent = shop.agent(9);
    shop.calls_are_chats();
    app.say(&member(&app, "member-4712", "138 0001 4712"), "我的订单A2024110，米里有虫子");
    let (written, _) = shop.wait_text("我的订单A2024110，米里有虫子");
    calls(&shop, "call-of-4712", "+8613800014712", "喂，还是订单a2024110");
    let (called, _) = shop.wait_text("喂，还是订单a2024110");
    calls(&shop, "other-call-of-4712", "+8613800014712", "另一个订单B2024999");
    let (other, _) = shop.wait_text("另一个订单B2024999");
    let case = |talk: &str| shop.conversation(talk)["case"].clone();
    let shows = |case: &Value, query: &str| {
        let shown = agent.api.get(&format!("/api/cases/{}{query}", case.as_str().unwrap())).expect(200).json();
        let ids = shown["conversations"].as_array().unwrap().iter();
        (ids.map(|c| c["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), shown["customer"].clone())
    };
    assert_eq!(shows(&case(&written), "").0, [written.clone(), called.clone()]);
    assert_eq!(shows(&case(&other), "").0, std::slice::from_ref(&other));
    assert_eq!((shop.count("case.linked"), shop.count("case.split")), (1, 0));

    let first = case(&written);
    let split = agent.act(&written, "case", &json!({ "case": null })).expect(200).json()["case"].clone();
    assert_eq!(shows(&split, "").0, std::slice::from_ref(&written));
    assert_eq!(shows(&first, "").0, std::slice::from_ref(&called));
    agent.act(&called, "case", &json!({ "case": split })).expect(200);
    assert_eq!(shows(&split, "").0, [written.clone(), called.clone()]);
    app.say(&member(&app, "member-4713", "138 0001 4713"), "我是别人");
    let (stranger, _) = shop.wait_text("我是别人");
    agent.act(&written, "case", &json!({ "case": case(&stranger) })).refused(409, "other_person");
    let nobody = format!("cas_{}", "0".repeat(32));
    agent.act(&written, "case", &json!({ "case": nobody })).refused(404, "not_found");
    agent.api.get(&format!("/api/cases/{nobody}")).refused(404, "not_found");

    // After they are parted, the shared case shows nothing of the other person.
    let one = shop.conversation(&written)["customer"]["id"].clone();
    let merges = customer(&shop, &one)["merges"].as_array().unwrap().clone();
    let path = format!("/api/customers/{}/unmerge", one.as_str().unwrap());
    for merge in merges {
        shop.admin.post(&path, &json!({ "merge": merge["id"] })).expect(200);
    }
    for talk in [&written, &called] {
        let who = shop.conversation(talk)["customer"]["id"].clone();
        assert_eq!(shows(&split, &format!("?customer={}", who.as_str().unwrap())), (vec![talk.clone()], who));
    }
}

/// Follows the event log like an agent's desk, and comes back where a stream ends.
struct Desk<'a> {
    api: &'a Api,
    stream: Stream,
    seq: String,
    last: Value,
}

impl<'a> Desk<'a> {
    fn open(api: &'a Api, seq: String) -> Self {
        let stream = api.stream(&format!("/api/events?after={seq}"), &[]);
        Self { api, stream, seq, last: Value::Null }
    }

    /// The next hand-over or event before that instant. A hand-over counts only once if a stream ended between it and its event.
    fn next(&mut self, end: Instant) -> Option<Received> {
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match self.stream.next_within(left) {
                Some(event) if event.kind == "handover" && event.data != self.last => {
                    self.last = event.data.clone();
                    return Some(event);
                }
                Some(event) if event.kind.is_empty() => {
                    self.seq.clone_from(&event.id);
                    return Some(event);
                }
                Some(_) => {}
                None => self.stream = Self::open(self.api, self.seq.clone()).stream,
            }
        }
        None
    }

    /// The next hand-over within that time.
    fn hand_over(&mut self, patience: Duration) -> Option<Value> {
        let end = Instant::now() + patience;
        std::iter::from_fn(|| self.next(end)).find(|event| event.kind == "handover").map(|event| event.data)
    }

    /// Reads on up to the event of a message in that conversation. No hand-over comes before it.
    fn reads_up_to(&mut self, conversation: &str) {
        let end = Instant::now() + PATIENCE;
        let read = std::iter::from_fn(|| self.next(end)).any(|event| {
            assert_ne!(event.kind, "handover", "told: {}", event.data);
            event.data["conversation"] == conversation && event.data["type"] == "message.received"
        });
        assert!(read, "no event of a message in {conversation}");
    }
}

#[test]
fn whoever_is_called_has_the_whole_story_before_they_answer() {
    let (shop, app) = shop(None);
    let agent = shop.agent(9);
    shop.calls_are_chats();
    let colleague = shop.hire(9, &json!({}));
    let seq = shop.opened_at.to_string();
    let (mut mine, mut theirs) = (Desk::open(&agent.api, seq.clone()), Desk::open(&colleague.api, seq));
    let jwt = member(&app, "member-4714", "138 0001 4714");
    app.say(&jwt, "米里有虫子，怎么办？");
    let (written, asked) = shop.wait_text("米里有虫子，怎么办？");
    let told = mine.hand_over(PATIENCE).unwrap();
    assert_eq!((&told["reason"], &told["conversation"]), (&json!("assigned"), &json!(written)));
    let promised = agent.reply(&written, "马上给您补发");

    let began = Instant::now();
    rings(&shop, "call-of-4714", 1, "ring", "+8613800014714");
    let told = mine.hand_over(PATIENCE).unwrap();
    println!("from the ring to the hand-over on the agent's stream: {:?}", began.elapsed());
    assert_eq!((&told["reason"], &told["channels"]), (&json!("calling"), &json!(["app", "phone"])));
    let line = |list: &str| (told[list][0]["text"].clone(), told[list][0]["message"].clone());
    assert_eq!(line("asked"), (json!("米里有虫子，怎么办？"), asked["id"].clone()));
    assert_eq!(line("promised"), (json!("马上给您补发"), promised["id"].clone()));
    assert_eq!(line("open"), line("promised"));
    let called = told["conversation"].as_str().unwrap().to_owned();
    let shown = shop.conversation(&called);
    assert_eq!((&shown["state"], &shown["case"]), (&json!("assigned"), &shop.conversation(&written)["case"]));
    // The log notes that this agent read it, and the event log holds nothing of it.
    let audit = shop.admin.all("/api/audit");
    let read = audit.iter().filter(|e| e["agent"] == agent.id.as_str() && e["action"] == "summary.read");
    let noted: Vec<_> = read.map(|e| (e["conversation"].clone(), e["reason"].clone())).collect();
    assert_eq!(noted, [(json!(written), json!("assigned")), (json!(called), json!("calling"))]);
    assert!(!json!(shop.events()).to_string().contains("虫子"));

    // After it was given up, nobody holds it. Then the customer writes on a channel that nobody serves yet, and the agent
    // who talks with them gets a hand-over.
    rings(&shop, "call-of-4714", 2, "hangup", "+8613800014714");
    until("the call is over", || (shop.conversation(&called)["disposition"] == "given_up").then_some(()));
    agent.is("busy");
    let visitor = shop.web(&[]).visitor();
    visitor.say("我也在网页上");
    let (other, _) = shop.wait_text("我也在网页上");
    // Only then are both the agent's customer: a stream that is behind would take this message for the next one.
    mine.reads_up_to(&other);
    let [one, another] = [&written, &other].map(|id| shop.conversation(id)["customer"]["id"].clone());
    let path = format!("/api/customers/{}/merge", one.as_str().unwrap());
    shop.admin.post(&path, &json!({ "customer": another })).expect(200);
    agent.reply(&written, "正在处理");
    visitor.say("还有人吗");
    let told = mine.hand_over(PATIENCE).unwrap();
    assert_eq!((&told["reason"], &told["conversation"]), (&json!("changed_channel"), &json!(other)));
    assert_eq!(told["asked"][0]["text"], "还有人吗");
    // The consulted agent is told. Before that, this agent was told nothing.
    agent.act(&written, "consult", &json!({ "agent": colleague.id })).expect(200);
    let told = theirs.hand_over(PATIENCE).unwrap();
    assert_eq!((&told["reason"], &told["conversation"]), (&json!("consulted"), &json!(written)));
    assert_eq!(mine.hand_over(Duration::from_secs(1)), None);
}

#[test]
fn first_messages_on_two_channels_at_once_are_one_person_each() {
    const CLIENTS: usize = 64;
    let server = Server::start("people");
    let (shop, app) = shop(Some(&server));
    at_once(CLIENTS, |i| {
        let (who, number) = (i / 2, format!("1380003{:04}", i / 2));
        if i % 2 == 0 {
            app.say(&member(&app, &format!("m{who}"), &number), "你好");
        } else {
            calls(&shop, &format!("call-{who}"), &number, "喂");
        }
    });
    let all = shop.wait_conversations(CLIENTS);
    assert_eq!(all.len(), CLIENTS);
    let persons: BTreeSet<_> = all.iter().map(|c| c["customer"]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(persons.len(), CLIENTS / 2);
    for person in persons {
        let shown = customer(&shop, &person.into());
        let known: BTreeSet<_> =
            shown["identities"].as_array().unwrap().iter().map(|i| i["channel"].clone().to_string()).collect();
        assert_eq!(known.len(), 2, "{shown}");
        assert_eq!(shown["merges"].as_array().unwrap().len(), 1, "{shown}");
    }
}
