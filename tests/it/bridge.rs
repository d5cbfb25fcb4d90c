//! `warmline bridge pinduoduo` between a simulated PMC and the real component. Every frame is stored once and acknowledged
//! afterwards, whatever breaks in between.

use crate::harness::{PATIENCE, Pmc, Server, Shop, fresh, now, program, until, within};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use warmline_channels::pinduoduo::sign;
use warmline_model::Timestamp;

const CLIENT: &str = "pdd0client";
const CLIENT_SECRET: &str = "pdd0client0secret0000000";
const BRIDGE_SECRET: &str = "bridge-secret-of-the-shop";
const MALL: u64 = 171_504_183;
/// Words of a customer's order, which no log may hold.
const TITLE: &str = "顾客的一件商品";

/// A server of its own, because these tests lock its store from time to time.
static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("bridge"));

/// Ends the bridge by SIGTERM when its own input ends, even if the tests crash.
const GUARDIAN: &str = r#""$@" </dev/null & read -r word; kill -TERM $!; wait $!"#;

/// A shop with an account for a bridge. Everything has the account's name.
fn connected() -> Shop {
    let shop = Shop::on(&SERVER, &json!({}));
    let settings = json!({ "client_id": CLIENT, "mall_id": MALL.to_string() });
    shop.connect("pinduoduo", settings, &json!({ "bridge_secret": BRIDGE_SECRET }));
    shop
}

fn pmc(shop: &Shop) -> Pmc {
    let account = shop.name.clone();
    Pmc::start(CLIENT, CLIENT_SECRET, move || usize::try_from(SERVER.stored_of("pinduoduo", &account)).unwrap())
}

/// The nth frame, about one of several orders.
fn frame(n: u64) -> (u64, String) {
    of_mall(n, MALL)
}

fn of_mall(n: u64, mall: u64) -> (u64, String) {
    let content = json!({ "tid": format!("231115-{:04}", n % 12), "n": n, "title": TITLE });
    let id = 9_007_199_254_740_993 + n;
    (id, sign::frame(id, Timestamp::from_secs(now()), "pdd_trade_TradeConfirmed", mall, &content))
}

fn command(base: &str, account: &str, pmc: &str) -> Vec<String> {
    let words = ["bridge", "pinduoduo", "--url", base, "--account", account, "--client-id", CLIENT, "--platform", pmc];
    let program = program().to_str().unwrap().to_owned();
    std::iter::once(program).chain(words.map(str::to_owned)).collect()
}

/// A running bridge.
struct Bridge {
    guardian: Child,
    log: PathBuf,
}

impl Bridge {
    fn start(shop: &Shop, pmc: &Pmc, client_secret: &str, more: &[&str]) -> Self {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}.log", fresh("bridge"), std::process::id()));
        let guardian = Command::new("sh")
            .args(["-c", GUARDIAN, "sh"])
            .args(command(&shop.base, &shop.name, &pmc.url))
            .args(["--heartbeat", "1"])
            .args(more)
            .env("PINDUODUO_BRIDGE_SECRET", BRIDGE_SECRET)
            .env("PINDUODUO_CLIENT_SECRET", client_secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { guardian, log }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Asks it to end, waits for its end, and returns its output.
    fn stop(mut self) -> String {
        self.guardian.stdin.take().unwrap().write_all(b"stop\n").unwrap();
        let status = within(PATIENCE, "the bridge ends", || self.guardian.try_wait().unwrap());
        let said = self.said();
        assert_eq!(status.code(), Some(0), "{said}");
        for private in [BRIDGE_SECRET, CLIENT_SECRET, TITLE, "/message/", "231115-"] {
            assert!(!said.contains(private), "{private} in {said}");
        }
        said
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        drop(self.guardian.stdin.take());
        let _ = std::fs::remove_file(&self.log);
    }
}

/// The numbers of the frames in the shop's conversations, in the order of each conversation.
fn numbers(shop: &Shop) -> Vec<Vec<u64>> {
    let of = |conversation: &Value| {
        let messages = shop.messages(conversation["id"].as_str().unwrap());
        messages.iter().filter_map(|m| m["content"]["data"]["n"].as_u64()).collect()
    };
    shop.conversations().iter().map(of).collect()
}

/// Waits until this many frames are in the conversations. Each is there once, and the frames of an order are in their
/// order.
fn wait_kept(shop: &Shop, n: u64) {
    let kept =
        until("all in their conversations", || Some(numbers(shop)).filter(|all| all.iter().flatten().count() as u64 >= n));
    assert!(kept.iter().all(|order| order.is_sorted()), "{kept:?}");
    let mut all: Vec<u64> = kept.into_iter().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (0..n).collect::<Vec<_>>());
}

fn wait_acknowledged(pmc: &Pmc, n: usize) {
    within(Duration::from_secs(60), "all acknowledged", || (pmc.seen().acknowledged.len() >= n).then_some(()));
}

#[test]
fn every_frame_is_kept_once_and_acknowledged_after_that() {
    let shop = connected();
    let pmc = pmc(&shop);
    // The connection breaks during the first frames. Unacknowledged frames come again on the next.
    pmc.seen().break_after = Some(17);
    pmc.push((0..40).map(frame));
    let bridge = Bridge::start(&shop, &pmc, CLIENT_SECRET, &[]);
    wait_acknowledged(&pmc, 40);
    assert!(pmc.seen().connections >= 2);
    wait_kept(&shop, 40);

    // The platform has missed some acknowledgements.
    let before = pmc.seen().moments.len();
    pmc.push((30..40).map(frame));
    // These frames were sent on this connection already. On the next one they are sent again.
    pmc.seen().break_after = None;
    pmc.say(Message::Close(None));
    until("the doubles are acknowledged", || (pmc.seen().moments.len() >= before + 10).then_some(()));
    assert_eq!(SERVER.stored_of("pinduoduo", &shop.name), 40);

    // The store accepts nothing for a while.
    let mut db = SERVER.store();
    let lock = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let before = pmc.seen().moments.len();
    pmc.push((40..120).map(frame));
    until("the bridge was refused", || bridge.said().contains("503 store_busy").then_some(()));
    // Meanwhile the connection shows signs of life, and pings are answered while there is room to read.
    let heartbeats = pmc.seen().heartbeats;
    until("more heartbeats", || (pmc.seen().heartbeats > heartbeats + 1).then_some(()));
    assert_eq!(pmc.seen().moments.len(), before, "acknowledged and not stored");
    lock.rollback().unwrap();
    wait_acknowledged(&pmc, 120);
    wait_kept(&shop, 120);
    let early: Vec<_> = pmc.seen().moments.iter().copied().filter(|(acknowledged, stored)| acknowledged > stored).collect();
    assert!(early.is_empty(), "acknowledged before they were stored: {early:?}");
    assert_eq!(pmc.seen().strange, Vec::<String>::new());

    pmc.say(Message::Ping("are you there".into()));
    until("a pong", || pmc.seen().pongs.contains(&"are you there".into()).then_some(()));

    let closed = pmc.seen().closed;
    let said = bridge.stop();
    until("an orderly end", || (pmc.seen().closed > closed).then_some(()));
    assert!(said.contains("kept=1") && said.contains("stopped"), "{said}");
}

#[test]
fn what_can_never_be_kept_stops_nothing_else() {
    let shop = connected();
    let pmc = pmc(&shop);
    let bridge = Bridge::start(&shop, &pmc, CLIENT_SECRET, &[]);
    until("connected", || (pmc.seen().connections > 0).then_some(()));
    let no_message = json!({ "id": 7, "commandType": "Common", "time": 1, "sendTime": 2, "message": 3 }).to_string();
    pmc.push([(7, no_message), of_mall(500, MALL + 1)]);
    for hopeless in ["{", "[]", "\u{0}", r#"{"commandType":"Common"}"#, r#"{"commandType":"Fail","id":1}"#] {
        pmc.say(Message::text(hopeless));
    }
    pmc.say(Message::binary(vec![0, 1, 2]));
    // A frame stuck in one of the lanes would hold some of these.
    pmc.push((0..24).map(frame));
    wait_acknowledged(&pmc, 25);
    wait_kept(&shop, 24);
    let seen = pmc.seen();
    assert!(seen.acknowledged.contains(&7), "what Warmline cannot read is kept as it came and taken off the platform");
    assert_eq!(seen.pending.keys().copied().collect::<Vec<_>>(), [frame(500).0], "another shop's frame stays there");
    drop(seen);
    let said = bridge.stop();
    assert!(said.contains("400 wrong_recipient") && !said.contains("400 malformed"), "{said}");
    assert!(said.contains("unreadable=") && said.contains("left=1"), "{said}");
}

#[test]
fn a_platform_that_refuses_or_falls_silent_is_tried_again() {
    let shop = connected();
    let pmc = pmc(&shop);
    let bridge = Bridge::start(&shop, &pmc, "another0secret", &[]);
    until("tried again", || (pmc.seen().refused >= 2).then_some(()));
    let said = bridge.stop();
    assert!(said.contains("PMC answered 403") && !said.contains("another0secret"), "{said}");

    pmc.seen().mute = true;
    let bridge = Bridge::start(&shop, &pmc, CLIENT_SECRET, &["--silence", "2"]);
    until("another connection", || (pmc.seen().connections >= 2).then_some(()));
    assert!(bridge.stop().contains("PMC is silent"));
}

/// Runs a bridge that cannot begin, to its end.
fn ended(words: &[String], environment: &[(&str, &str)]) -> Output {
    Command::new(&words[0])
        .args(&words[1..])
        .env_remove("PINDUODUO_BRIDGE_SECRET")
        .env_remove("PINDUODUO_CLIENT_SECRET")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_bridge_that_cannot_begin_says_why() {
    let shop = connected();
    let good = command(&shop.base, &shop.name, "ws://127.0.0.1:9");
    let client = ("PINDUODUO_CLIENT_SECRET", CLIENT_SECRET);
    let (right, wrong) = (("PINDUODUO_BRIDGE_SECRET", BRIDGE_SECRET), ("PINDUODUO_BRIDGE_SECRET", "some-other-secret"));
    let nobody = command(&shop.base, "nobody", "ws://127.0.0.1:9");
    let plain = command(&shop.base, &shop.name, "ws://message-api.pinduoduo.com");
    let in_arguments = [&good[..], &["--client-secret".to_owned(), CLIENT_SECRET.to_owned()]].concat();
    for (words, environment, code, reason) in [
        (&good, &[client][..], 1, "PINDUODUO_BRIDGE_SECRET is not set"),
        (&good, &[right], 1, "PINDUODUO_CLIENT_SECRET is not set"),
        (&good, &[wrong, client], 1, "401 signature_wrong"),
        (&nobody, &[right, client], 1, "404 unknown_account"),
        (&plain, &[right, client], 1, "must be wss://"),
        (&in_arguments, &[right, client], 2, "--client-secret"),
    ] {
        let output = ended(words, environment);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(reason), "{reason} is not in {said}");
    }
    let help = ended(&[&good[..3], &["--help".to_owned()]].concat(), &[]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.contains("PINDUODUO_BRIDGE_SECRET") && help.contains("PINDUODUO_CLIENT_SECRET"), "{help}");
}
