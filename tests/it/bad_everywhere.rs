//! Forged, stale, misdirected, malformed and hostile input, on every channel alike. None of it becomes a message. The
//! refusals of a known account are counted. Unreadable items with a platform's proof are kept and acknowledged. Nothing is
//! ever answered with 500, and the channel keeps serving. Tests for a single channel are in `bad_input.rs` and in the
//! channel's own tests.

use crate::harness::{
    Answer, Brand, Line, Server, Unsigned as _, act, at_once, now, on_spin, own, post_webhook, until, within,
};
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;
use warmline_channels::{Carries, json};
use warmline_simulate::channels::{self, Account, Act, Request, Simulated};

/// Platforms that post no webhooks. They are asked.
const SILENT: [&str; 2] = ["jd", "taobao"];

/// Channels whose signature covers a time. The other platforms sign no time, or none that is near the present.
const TIMED: [&str; 10] = [
    "alipay",
    "app",
    "email by Mailgun",
    "miniprogram",
    "phone",
    "phone by Huawei",
    "pinduoduo",
    "wechat",
    "wecom",
    "weibo",
];

/// The field of a message that names its app, and the setting that names the account's app.
const ADDRESSED: [(&str, &str); 9] = [
    ("alipay", "app_id"),
    ("doudian", "shop_id"),
    ("douyin", "client_key"),
    ("kuaishou", "app_id"),
    ("miniprogram", "app_id"),
    ("pinduoduo", "mall_id"),
    ("wecom", "corp_id"),
    ("weibo", "uid"),
    ("xiaohongshu", "seller_id"),
];

/// Apps of these, to which the platform pushes the events of every shop that uses them. An event of another shop is left
/// out, and acknowledged so that it does not come again.
const OF_SHOPS: [&str; 2] = ["doudian", "xiaohongshu"];

/// A valid post without a message: a frame by which PMC's bridge shows that it lives.
const HEARTBEAT: (&str, &str) = ("pinduoduo", "an empty object");

/// The brand's own clients. They correct a refused message.
const CLIENTS: [&str; 2] = ["app", "webchat"];

/// The platform whose signed time stands inside the body. The body must therefore be readable.
const TIME_INSIDE: &str = "alipay";

/// Lines whose messages can hold a NUL.
const NULS: [&str; 4] = ["alipay", "pinduoduo", "wechat", "wecom"];

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("bad-everywhere"));
static BRAND: LazyLock<Brand> = LazyLock::new(|| Brand::on(&SERVER, everywhere(SERVER.base())));
/// The tests that send good messages have a server and a brand of their own: the others count what is stored.
static GOOD_SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("good-everywhere"));
static GOOD: LazyLock<Brand> = LazyLock::new(|| Brand::on(&GOOD_SERVER, everywhere(GOOD_SERVER.base())));
/// Accounts with other secrets than those that the platforms sign with.
static STRANGERS: LazyLock<Brand> = LazyLock::new(|| {
    Brand::with(&SERVER, everywhere(SERVER.base()), |stand| {
        let account = stand.account();
        Account { id: format!("{}-2", account.id), ..strange(account) }
    })
});
/// Accounts of another app with the same secrets.
static OTHERS: LazyLock<Brand> = LazyLock::new(|| {
    let named = |name: &str| ADDRESSED.iter().find(|(line, _)| *line == name).map(|(_, setting)| *setting);
    let lines = everywhere(SERVER.base()).filter(|(name, _)| named(name).is_some());
    Brand::with(&SERVER, lines, |stand| {
        let mut account = stand.account();
        let id = &mut account.settings[named(stand.platform().channel()).unwrap()];
        let text = id.as_str().unwrap();
        let last = if text.ends_with('1') { "2" } else { "1" };
        *id = format!("{}{last}", &text[..text.len() - 1]).into();
        Account { id: format!("{}-3", account.id), ..account }
    })
});
/// Accounts with another key, on channels that encrypt.
static OTHER_KEYS: LazyLock<Brand> = LazyLock::new(|| {
    let lines = everywhere(SERVER.base()).filter(|(name, _)| ["miniprogram", "wecom"].contains(&name.as_str()));
    Brand::with(&SERVER, lines, |stand| {
        let mut account = stand.account();
        account
            .secrets
            .iter_mut()
            .filter(|(name, _)| *name == "encoding_aes_key")
            .for_each(|(_, key)| *key = "G".repeat(43));
        Account { id: format!("{}-4", account.id), ..account }
    })
});
/// Refusals that must have been counted according to the answers, by channel and code.
static TALLY: Mutex<BTreeMap<String, i64>> = Mutex::new(BTreeMap::new());

fn everywhere(base: &str) -> impl Iterator<Item = (String, Box<dyn Simulated>)> {
    let simulated = channels::all().into_iter().map(|platform| (platform.channel().to_owned(), platform));
    let further = channels::further().into_iter().map(|(name, platform)| (name.to_owned(), platform));
    simulated.chain(further).chain(own(base))
}

/// The same account with other secrets.
fn strange(mut account: Account) -> Account {
    for (name, value) in account.secrets.iter_mut().filter(|(name, _)| *name != "app_private_key") {
        // It changes the middle: the last characters of a key may be partly unused.
        let at = value.len() / 2;
        let other = if value.as_bytes()[at] == b'a' { "b" } else { "a" };
        value.replace_range(at..=at, other);
        assert!(!name.is_empty());
    }
    if !account.settings["alipay_public_key"].is_null() {
        let own = warmline_channels::alipay::PrivateKey::read(&account.secrets[0].1).unwrap();
        account.settings["alipay_public_key"] = own.public().into();
    }
    account
}

fn silent(line: &Line) -> bool {
    SILENT.contains(&line.carries.channel)
}

/// Remembers a refusal of a known account that must be counted.
fn counted(line: &Line, answer: &Answer) {
    let uncounted = ["unknown_account", "store_busy"];
    if !uncounted.contains(&answer.code().as_str()) {
        let key = format!("{}/{}", line.carries.channel, answer.code());
        *TALLY.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default() += 1;
    }
}

/// Checks that an answer is a refusal with a code, and that it is counted.
#[track_caller]
fn refused(line: &Line, what: &str, answer: &Answer, statuses: &[u16]) {
    let name = format!("{}: {what}: {} {}", line.account.id, answer.status, answer.text());
    assert!(statuses.contains(&answer.status), "{name}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{name}");
    assert!(!line.stand.platform().acknowledged(answer.status, &answer.body), "{name}");
    counted(line, answer);
}

/// The number of inbox rows that came by a line.
fn stored(line: &Line) -> i64 {
    SERVER.stored_of(line.carries.channel, &line.account.id)
}

const BOMB: &str = "<!DOCTYPE lolz [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">\
                    <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]><xml><Content>&c;</Content></xml>";

/// Bodies that no platform sends as a message.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing", Vec::new()),
        ("no form of any kind", b"hello".to_vec()),
        ("an empty object", b"{}".to_vec()),
        ("JSON cut off", br#"{"event":"im_receive_msg","#.to_vec()),
        ("another root", b"<html/>".to_vec()),
        ("XML cut off", b"<xml><MsgType>te".to_vec()),
        ("an entity bomb", BOMB.as_bytes().to_vec()),
        ("a document type", b"<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><xml><MsgType>text</MsgType></xml>".to_vec()),
        ("deep XML", "<xml>".repeat(60_000).into_bytes()),
        ("deep JSON", "{\"a\":".repeat(60_000).into_bytes()),
        ("deep lists", "[".repeat(60_000).into_bytes()),
        ("many values", format!("[{}0]", "0,".repeat(100_000)).into_bytes()),
        ("NUL", b"{\"a\":\"a\0b\"}".to_vec()),
        ("an escaped NUL", br#"{"a":"\u0000"}"#.to_vec()),
        ("invalid UTF-8", b"{\"a\":\"\xff\xfe\"}".to_vec()),
        ("a lone surrogate", br#"{"a":"\ud800"}"#.to_vec()),
        ("a surrogate in UTF-8", b"<xml>\xed\xa0\x80</xml>".to_vec()),
    ]
}

#[test]
fn nothing_bad_is_taken_and_every_refusal_is_counted() {
    LazyLock::force(&BRAND);
    BRAND.every(
        |_| true,
        |_, line| {
            let before = stored(line);
            nobody_known(line);
            too_large(line);
            if !silent(line) {
                forged(line);
                malformed(line);
                misdirected(line);
                if TIMED.contains(&line.name.as_str()) {
                    stale(line);
                }
            }
            assert_eq!(stored(line), before, "{}", line.name);
        },
    );
    let mut shown = SERVER.admin().get("/api/metrics").expect(200).json()["now"]["webhooks_refused"].take();
    let shown: BTreeMap<String, i64> = serde_json::from_value(shown.take()).unwrap();
    assert_eq!(shown, *TALLY.lock().unwrap());
    // Every channel keeps serving.
    BRAND.every(
        |_| true,
        |brand, line| {
            let words = format!("on-{}", line.carries.channel);
            line.arrive(&act(30, &words), 1);
            within(Duration::from_secs(60), &words, || line.find(brand, &words));
        },
    );
}

fn forged(line: &Line) {
    let webhook = line.stand.act(&act(1, "forged")).unwrap();
    refused(line, "no signature", &line.post(&webhook.unsigned()), &[401, 403, 404]);
    let stranger = &STRANGERS.lines[&line.name];
    refused(stranger, "another's signature", &stranger.post(&webhook), &[401, 403, 404]);
    assert_eq!(stored(stranger), 0);
}

fn stale(line: &Line) {
    for at in [now() - 7200, now() + 7200] {
        let webhook = line.stand.act(&Act { at, ..act(1, "stale") }).unwrap();
        let answer = line.post(&webhook);
        refused(line, "another time", &answer, &[401, 403]);
        assert_eq!(answer.code(), "stale", "{}", line.name);
    }
}

fn nobody_known(line: &Line) {
    let webhook = if silent(line) { None } else { line.stand.act(&act(1, "nobody")) };
    let webhook = webhook.unwrap_or_else(|| Request { method: "POST".into(), ..Request::default() });
    post_webhook(SERVER.base(), line.carries.channel, "nobody", &webhook).refused(404, "unknown_account");
}

fn too_large(line: &Line) {
    let is_mail = line.carries.channel == "email";
    // Spin closes on a client that is still sending. It has sent a body of one byte too many before that.
    let size = if on_spin() && !is_mail { (1 << 20) + 1 } else { 10 << 20 };
    let large = Request { method: "POST".into(), body: vec![b' '; size], ..Request::default() };
    let answer = line.post(&large).refused(413, "body_too_large");
    // A mail may be that large, so its component is called. Elsewhere the runner refuses, and the runner knows no accounts.
    if is_mail || on_spin() {
        counted(line, &answer);
    }
}

fn malformed(line: &Line) {
    for (what, body) in hostile() {
        let signed = line.signed(&body);
        let proved = signed.is_some() && !CLIENTS.contains(&line.carries.channel) && line.carries.channel != TIME_INSIDE;
        let (webhook, statuses): (_, &[u16]) = match signed {
            Some(webhook) => (webhook, &[400]),
            None => (Request { body: body.clone(), ..line.stand.act(&act(1, "x")).unwrap() }, &[400, 401]),
        };
        let before = SERVER.odd_of(line.carries.channel, &line.account.id);
        let answer = line.post(&webhook);
        let kept = SERVER.odd_of(line.carries.channel, &line.account.id) - before;
        if (line.name.as_str(), what) == HEARTBEAT {
            assert!(line.stand.platform().acknowledged(answer.status, &answer.body));
            continue;
        }
        if answer.status == 413 && answer.code() == "too_many_items" {
            // In fewer pieces, all of them can arrive.
            assert_eq!((what, kept), ("many values", 0), "{}", line.name);
            counted(line, &answer);
        } else if proved {
            assert_eq!((answer.status, kept), (200, 1), "{}: {what}: {}", line.name, answer.text());
        } else {
            refused(line, what, &answer, statuses);
            assert_eq!(kept, 0, "{}: {what}", line.name);
        }
    }
    // A NUL in otherwise good words.
    if CLIENTS.contains(&line.carries.channel) {
        let webhook = line.stand.act(&act(1, "a\0b")).unwrap();
        refused(line, "NUL in the words", &line.post(&webhook), &[400]);
    }
}

/// Messages that were signed for another app, or sealed with another key, than the account's.
fn misdirected(line: &Line) {
    let webhook = line.stand.act(&act(1, "misdirected")).unwrap();
    if let Some(other) = OTHERS.lines.get(&line.name) {
        let answer = other.post(&webhook);
        if OF_SHOPS.contains(&line.name.as_str()) {
            assert!(other.stand.platform().acknowledged(answer.status, &answer.body), "{}", answer.text());
        } else {
            refused(other, "another app", &answer, &[400]);
            assert_eq!(answer.code(), "wrong_recipient", "{}", line.name);
        }
        assert_eq!(stored(other), 0, "{}", line.name);
    }
    if let Some(other) = OTHER_KEYS.lines.get(&line.name) {
        let answer = other.post(&webhook);
        refused(other, "another key", &answer, &[400]);
        assert_eq!(answer.code(), "undecryptable", "{}", line.name);
    }
}

#[test]
fn unusual_words_arrive_as_they_were_written() {
    let unusual = "😀👨‍👩‍👧𠮷 &lt; ]]&gt; <b> \u{202e}混\u{0301}";
    GOOD.every(
        |line| line.carries.carries != Carries::Orders,
        |brand, line| {
            let words = format!("{} {unusual}", line.carries.channel);
            line.arrive(&act(40, &words), 1);
            let found = until(&words, || line.find(brand, "混"));
            let field = if found.1["content"]["kind"] == "link" { "title" } else { "text" };
            assert_eq!(found.1["content"][field], words.as_str());
        },
    );
}

#[test]
fn a_nul_is_refused_or_taken_out() {
    GOOD.every(
        |line| !silent(line) && NULS.contains(&line.name.as_str()),
        |brand, line| {
            let words = format!("nul-{}", line.carries.channel);
            line.arrive(&act(41, &format!("{words}\0")), 1);
            let (_, message) = until(&words, || line.find(brand, &words));
            assert!(!json::holds_nul(&message), "{}: {message}", line.name);
        },
    );
}

#[test]
fn a_webhook_that_comes_several_times_at_once_is_one_message() {
    GOOD.every(
        |line| !silent(line),
        |brand, line| {
            let words = format!("at-once-{}", line.carries.channel);
            let webhook = line.stand.act(&act(42, &words)).unwrap();
            at_once(6, |_| line.acknowledged(&webhook));
            let (id, _) = within(Duration::from_secs(60), &words, || line.find(brand, &words));
            // Every possible repeat has come by now: the next act is there.
            let next = format!("and-then-{}", line.carries.channel);
            line.arrive(&act(42, &next), 1);
            within(Duration::from_secs(60), &next, || line.find(brand, &next));
            let all = brand.shop.messages(&id);
            assert_eq!(all.iter().filter(|m| m["content"].to_string().contains(&words)).count(), 1, "{}", line.name);
        },
    );
}

#[test]
fn a_locked_store_acknowledges_nothing_on_any_channel_and_the_retry_is_one_message() {
    let server = Server::start("locked-everywhere");
    let brand = Brand::on(&server, everywhere(server.base()));
    let words = |line: &Line| format!("locked-{}", line.carries.channel);
    let webhooks: BTreeMap<_, _> = brand
        .lines
        .values()
        .filter(|line| !silent(line))
        .map(|line| (line.name.clone(), line.stand.act(&act(1, &words(line))).unwrap()))
        .collect();
    let mut db = server.store();
    let lock = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    brand.every(
        |line| !silent(line),
        |_, line| {
            let answer = line.post(&webhooks[&line.name]).refused(503, "store_busy");
            assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{}", line.name);
            assert!(!line.stand.platform().acknowledged(answer.status, &answer.body), "{}", line.name);
        },
    );
    lock.rollback().unwrap();
    brand.every(
        |line| !silent(line),
        |brand, line| {
            for _ in 0..2 {
                line.acknowledged(&webhooks[&line.name]);
            }
            let (id, _) = within(Duration::from_secs(60), &line.name, || line.find(brand, &words(line)));
            let all = brand.shop.messages(&id);
            assert_eq!(all.iter().filter(|m| m["content"].to_string().contains(&words(line))).count(), 1, "{}", line.name);
        },
    );
}
