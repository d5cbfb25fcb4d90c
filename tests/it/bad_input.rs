//! Forged, stale, misdirected, malformed and hostile webhooks. Each is refused with its status and code, nothing of it is
//! stored, and every refusal of a known account is counted. Nothing is ever answered with 500, and the server keeps
//! serving.

use crate::harness::{Answer, App, Server, Shop, Visitor, Wechat, at_once, embedded_only, now, send};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use warmline_channels::app::sign as app_sign;
use warmline_channels::wechat::sign;

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("bad-input"));

/// Refusals by code that must have been counted according to the answers.
#[derive(Default)]
struct Tally(BTreeMap<String, i64>);

impl Tally {
    /// Checks one row of the table and remembers that it must be counted.
    #[track_caller]
    fn row(&mut self, what: &str, answer: &Answer, status: u16, code: &str) {
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{what}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
        *self.0.entry(code.to_owned()).or_default() += 1;
    }

    /// Checks that the figures show exactly these refusals of the channel. Each is counted before it is answered.
    #[track_caller]
    fn counted(&self, shop: &Shop, channel: &str) {
        let wanted: BTreeMap<String, i64> = self.0.iter().map(|(code, n)| (format!("{channel}/{code}"), *n)).collect();
        let mut shown: BTreeMap<String, i64> =
            serde_json::from_value(shop.admin.get("/api/metrics").expect(200).json()["now"]["webhooks_refused"].take())
                .unwrap();
        shown.retain(|name, _| name.starts_with(&format!("{channel}/")));
        assert_eq!(shown, wanted);
    }
}

const BOMB: &str = "<!DOCTYPE lolz [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">\
                    <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]><xml><Content>&c;</Content></xml>";

/// Well-formed text messages with characters that no text can hold. These become U+FFFD.
fn mended_xml(wechat: &Wechat) -> Vec<(&'static str, Vec<u8>)> {
    let inside = |id: u64, bytes: &[u8]| {
        let good = wechat.text("oEve", id, "内容");
        let (before, after) = good.split_once("内容").unwrap();
        [before.as_bytes(), bytes, after.as_bytes()].concat()
    };
    let by_number =
        |id: u64, reference: &str| wechat.text("oEve", id, "内容").replace("<![CDATA[内容]]>", reference).into_bytes();
    vec![
        ("NUL", inside(11, b"a\0b")),
        ("NUL by number", by_number(12, "&#0;")),
        ("invalid UTF-8", inside(13, b"\xff\xfe")),
        ("a cut character", inside(14, "😀".as_bytes().split_at(3).0)),
        ("a surrogate in UTF-8", inside(15, b"\xed\xa0\x80")),
        ("a surrogate by number", by_number(16, "&#xD800;")),
    ]
}

/// Bodies that break the protocol, beside a well-formed text message.
fn malformed_xml(wechat: &Wechat) -> Vec<(&'static str, Vec<u8>)> {
    let good = wechat.text("oEve", 1, "内容");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to).into_bytes()
    };
    vec![
        ("nothing", Vec::new()),
        ("no XML", b"hello".to_vec()),
        ("cut off", good.as_bytes()[..good.len() - 9].to_vec()),
        ("crossed elements", with("</Content><MsgId>", "<MsgId></Content>")),
        ("another root", with("xml>", "html>")),
        ("two roots", [good.as_bytes(), good.as_bytes()].concat()),
        ("no sender", with("FromUserName", "Nobody")),
        ("no kind", with("MsgType", "Kind")),
        ("no id", with("MsgId", "Number")),
        ("a time that is none", with("<CreateTime>", "<CreateTime>x")),
        ("an entity bomb", BOMB.as_bytes().to_vec()),
        ("a document type", [b"<!DOCTYPE x SYSTEM \"file:///etc/passwd\">", good.as_bytes()].concat()),
        ("an unknown entity", with("<![CDATA[内容]]>", "&lol;")),
        ("deep nesting", "<xml>".repeat(60_000).into_bytes()),
        ("many elements", format!("<xml>{}</xml>", "<a/>".repeat(60_000)).into_bytes()),
        ("JSON cut off", b"{".to_vec()),
        ("deep JSON", "{\"a\":".repeat(60_000).into_bytes()),
        ("a lone surrogate in JSON", br#"{"FromUserName":"\ud800","MsgType":"text"}"#.to_vec()),
    ]
}

#[test]
fn wechat_webhooks() {
    let shop = Shop::on(&SERVER, &json!({}));
    let (wechat, mut tally) = (shop.wechat(), Tally::default());
    let good = wechat.text("oEve", 1, "不该存");
    let at = |time: i64| sign::plain_query(&wechat.token, &time.to_string(), "n");
    tally.row("no signature", &wechat.post("", &good), 401, "signature_missing");
    tally.row("half a signature", &wechat.post("signature=00&nonce=1", &good), 401, "signature_missing");
    let forged = sign::plain_query("another", &now().to_string(), "n");
    tally.row("wrong signature", &wechat.post(&forged, &good), 401, "signature_wrong");
    let moved = wechat.query().replace("timestamp=", "timestamp=1");
    tally.row("another time", &wechat.post(&moved, &good), 401, "signature_wrong");
    tally.row("an old time", &wechat.post(&at(now() - 3600), &good), 401, "stale");
    tally.row("a future time", &wechat.post(&at(now() + 3600), &good), 401, "stale");
    let word = sign::plain_query(&wechat.token, "yesterday", "n");
    tally.row("a time that is none", &wechat.post(&word, &good), 400, "malformed");
    // A body with a good signature is the platform's. It is kept although it is unreadable, and does not come again.
    for (number, (what, body)) in (1..).zip(malformed_xml(&wechat)) {
        for _ in 0..2 {
            assert_eq!(wechat.plain(&body).expect(200).text(), "success", "{what}");
            assert_eq!(SERVER.odd_of("wechat", &shop.name), number, "{what}");
        }
    }
    let asked = |method| send(method, &format!("{}?{}", wechat.url, wechat.query()), &[], "");
    tally.row("GET", &asked("GET"), 404, "not_found");
    // No platform does this, so nothing is counted.
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        asked(method).refused(405, "method_not_allowed");
    }
    let below = send("POST", &format!("{}/messages?{}", wechat.url, wechat.query()), &[], good.clone());
    tally.row("a path below", &below, 404, "not_found");
    // An unknown account is not counted by its name, since strangers could then fill the table.
    for url in [
        wechat.url.replace(&shop.name, "nobody"),
        wechat.url.replace(&shop.name, "%00"),
        wechat.url.replace(&shop.name, "..%2f.."),
    ] {
        send("POST", &format!("{url}?{}", wechat.query()), &[], good.clone()).refused(404, "unknown_account");
    }
    let pigeon = send("POST", &wechat.url.replace("/wechat/", "/pigeon/"), &[], good.clone());
    assert_eq!(pigeon.status, 404);
    tally.counted(&shop, "wechat");
    assert_eq!(SERVER.stored("wechat"), 0);
    // The server keeps serving, and stores unusual but good text.
    let text = "😀👨‍👩‍👧𠮷 &lt; ]]&gt; \u{202e}混\u{0301}";
    wechat.say("oEve", text);
    assert_eq!(shop.wait_text(text).1["content"]["text"], text);
    assert_eq!(SERVER.stored("wechat"), 1);
    // Half a character costs no customer their message.
    for (number, (what, body)) in (2..).zip(mended_xml(&wechat)) {
        assert_eq!(wechat.plain(body).expect(200).text(), "success", "{what}");
        assert_eq!(SERVER.stored("wechat"), number, "{what}");
    }
    shop.wait_text("a\u{FFFD}b");
    encrypted_webhooks(tally);
}

fn encrypted_webhooks(mut tally: Tally) {
    let shop = Shop::on(&SERVER, &json!({}));
    let wechat = shop.wechat_with(&json!({ "mode": "safe" }));
    let good = wechat.text("oEve", 1, "不该存");
    let time = now().to_string();
    tally.row("plain", &wechat.plain(&good), 403, "wrong_mode");
    let (query, body) = wechat.seal("wxAnother", &good);
    tally.row("another app", &wechat.post(&query, body), 400, "wrong_recipient");
    let mut other = wechat.clone();
    other.aes_key = "G".repeat(43);
    let (query, body) = other.seal(&wechat.app_id, &good);
    let answer = wechat.post(&query, body);
    tally.row("another key", &answer, 400, "undecryptable");
    assert!(!answer.text().to_lowercase().contains("padding") && !answer.text().contains(&wechat.aes_key));
    for rubbish in ["", "bm90IGFuIGVudmVsb3Bl", "&&&&"] {
        let (query, body) = sign::sealed(&wechat.token, rubbish, &time, "n");
        tally.row("rubbish", &wechat.post(&query, body), 400, "undecryptable");
    }
    let (query, body) = wechat.seal(&wechat.app_id, &good);
    let forged = query.replace("msg_signature=", "msg_signature=0");
    tally.row("wrong signature", &wechat.post(&forged, &body), 401, "signature_wrong");
    let bare: String = query.split("&msg_signature=").next().unwrap().to_owned();
    tally.row("no signature of the envelope", &wechat.post(&bare, &body), 401, "signature_missing");
    tally.row("no envelope", &wechat.post(&query, "<xml/>"), 400, "malformed");
    let (query, body) = wechat.seal(&wechat.app_id, BOMB);
    wechat.post(&query, body).expect(200);
    assert_eq!(SERVER.odd_of("wechat", &shop.name), 1, "a sealed bomb");
    tally.counted(&shop, "wechat");
    assert!(shop.conversations().is_empty());
    wechat.safe(&wechat.text("oEve", 2, "存")).expect(200);
    shop.wait_text("存");
}

/// Bodies that our own clients never send.
fn malformed_json() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| format!(r#"{{"id":"1","text":"{text}"}}"#).into_bytes();
    vec![
        ("nothing", Vec::new()),
        ("no JSON", b"hello".to_vec()),
        ("cut off", br#"{"id":"1","text":"x""#.to_vec()),
        ("a list", b"[]".to_vec()),
        ("no id", br#"{"text":"x"}"#.to_vec()),
        ("an empty id", br#"{"id":"","text":"x"}"#.to_vec()),
        ("a long id", format!(r#"{{"id":"{}","text":"x"}}"#, "x".repeat(129)).into_bytes()),
        ("neither text nor content", br#"{"id":"1"}"#.to_vec()),
        ("an empty text", text(" ")),
        ("content without a kind", br#"{"id":"1","content":{}}"#.to_vec()),
        ("a script for a link", br#"{"id":"1","content":{"kind":"link","title":"t","url":"javascript:alert(1)"}}"#.to_vec()),
        ("a note", br#"{"id":"1","content":{"kind":"text"}}"#.to_vec()),
        ("nowhere", br#"{"id":"1","content":{"kind":"location","latitude":91,"longitude":0}}"#.to_vec()),
        ("NUL", b"{\"id\":\"1\",\"text\":\"a\0b\"}".to_vec()),
        ("an escaped NUL", text(r"a\u0000b")),
        ("a hidden NUL", br#"{"id":"1","content":{"kind":"new","x":"\u0000"}}"#.to_vec()),
        ("a lone surrogate", text(r"\ud800")),
        ("surrogates the wrong way round", text(r"\ude00\ud83d")),
        ("invalid UTF-8", b"{\"id\":\"1\",\"text\":\"\xff\"}".to_vec()),
        ("deep nesting", format!(r#"{{"id":"1","content":{}"#, r#"{"a":"#.repeat(9_000)).into_bytes()),
        ("many values", format!(r#"{{"id":"1","content":[{}0]}}"#, "0,".repeat(30_000)).into_bytes()),
        ("more than 64 KiB", vec![b' '; 70_000]),
        ("a number too large", br#"{"id":"1","content":{"kind":"location","latitude":1e999,"longitude":0}}"#.to_vec()),
    ]
}

fn long_text() -> String {
    json!({ "id": "1", "text": "长".repeat(4_001) }).to_string()
}

#[test]
fn app_webhooks() {
    let shop = Shop::on(&SERVER, &json!({}));
    let (app, mut tally) = (shop.app(), Tally::default());
    let jwt = app.jwt("m1", None, &[]);
    let body = json!({ "id": "1", "text": "不该存" }).to_string();
    let post = |headers: Vec<(&'static str, String)>| send("POST", &app.url, &headers, body.clone());
    tally.row("no headers", &post(Vec::new()), 401, "signature_missing");
    let other = App { body_secret: "another-body-secret".into(), ..app.clone() };
    tally.row("another secret", &post(other.headers(&jwt, body.as_bytes())), 401, "signature_wrong");
    tally.row("another body", &post(app.headers(&jwt, b"x")), 401, "signature_wrong");
    tally.row("an old time", &post(app.headers_at(&jwt, body.as_bytes(), now() - 3600)), 401, "stale");
    tally.row("a future time", &post(app.headers_at(&jwt, body.as_bytes(), now() + 3600)), 401, "stale");
    let expired = app_sign::jwt(&app.jwt_secret, "m1", None, &[], now() - 600);
    tally.row("an old token", &post(app.headers(&expired, body.as_bytes())), 401, "token_expired");
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtMSIsImV4cCI6OTk5OTk5OTk5OX0.";
    for token in ["x", "a.b.c", unsigned] {
        let answer = post(app.headers(token, body.as_bytes()));
        assert_eq!(answer.status, 401, "{token}: {}", answer.text());
        tally.row(token, &answer, 401, &answer.code());
    }
    let nobody = app_sign::jwt(&app.jwt_secret, "", None, &[], now() + 60);
    tally.row("a token of nobody", &post(app.headers(&nobody, body.as_bytes())), 401, "claims_wrong");
    for (what, body) in malformed_json() {
        tally.row(what, &app.post(&jwt, body), 400, "malformed");
    }
    tally.row("a long text", &app.post(&jwt, long_text()), 413, "text_too_long");
    let unknown = App { url: app.url.replace(&shop.name, "nobody"), ..app.clone() };
    unknown.post(&jwt, &body).refused(404, "unknown_account");
    tally.counted(&shop, "app");
    assert_eq!(SERVER.stored("app"), 0);
    app.say(&jwt, "😀 \u{7f}");
    shop.wait_text("😀 \u{7f}");
}

#[test]
fn webchat_posts() {
    let shop = Shop::on(&SERVER, &json!({}));
    let (web, mut tally) = (shop.web(&[]), Tally::default());
    let visitor = web.visitor();
    let body = json!({ "id": "1", "text": "不该存" }).to_string();
    let bare = send("POST", &format!("{}/messages", web.url), &[], body.clone());
    tally.row("no token", &bare, 401, "signature_missing");
    let forged = Visitor { token: format!("{}x", visitor.token), ..visitor.clone() };
    let answer = forged.post(&body);
    tally.row("a changed token", &answer, 401, "signature_wrong");
    let headers = [("authorization", format!("Bearer {}", visitor.token)), ("origin", "https://evil.example".to_owned())];
    let foreign = send("POST", &format!("{}/messages", web.url), &headers, body.clone());
    tally.row("another page", &foreign, 403, "origin_denied");
    for (what, body) in malformed_json() {
        tally.row(what, &visitor.post(body), 400, "malformed");
    }
    tally.row("a long text", &visitor.post(long_text()), 413, "text_too_long");
    let unknown = Visitor { url: web.url.replace(&shop.name, "nobody"), ..visitor.clone() };
    unknown.post(&body).refused(404, "unknown_account");
    send("POST", &format!("{}/session", unknown.url), &[], "").refused(404, "unknown_account");
    tally.counted(&shop, "webchat");
    assert_eq!(SERVER.stored("webchat"), 0);
    visitor.say("😀");
    shop.wait_text("😀");
}

#[test]
fn a_body_of_ten_mebibytes_is_refused_by_every_channel_and_costs_no_memory() {
    embedded_only!("Spin closes on a client that is still sending, which then sees no answer");
    // This needs a server of its own: it measures memory, and one of its bodies counts as a refusal.
    let server = Server::start("large-bodies");
    let shop = Shop::on(&server, &json!({}));
    let (wechat, app, web) = (shop.wechat(), shop.app(), shop.web(&[]));
    let (visitor, jwt) = (web.visitor(), app.jwt("m1", None, &[]));
    let large = vec![b' '; 10 << 20];
    wechat.plain(&large).expect(413);
    let before = server.resident_mib();
    let answers = at_once(9, |i| match i % 3 {
        0 => wechat.plain(&large),
        1 => app.post(&jwt, &large),
        _ => visitor.post(&large),
    });
    for answer in &answers {
        assert_eq!(answer.status, 413, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    let grown = server.resident_mib() - before;
    assert!(grown < 64.0, "90 MiB of bodies took {grown} MiB of memory");
    // Just below the limit, the channel finds that it is unreadable.
    wechat.plain(vec![b' '; (1 << 20) - 1]).expect(200);
    app.post(&jwt, vec![b' '; (1 << 20) - 1]).refused(400, "malformed");
    wechat.say("oEve", "照常");
    shop.wait_text("照常");
}

#[test]
fn a_body_that_is_too_large_is_a_problem_with_a_code() {
    // Not the others' server: under Spin the component refuses, and counts that.
    let server = Server::start("large-body");
    let shop = Shop::on(&server, &json!({}));
    shop.wechat().plain(vec![b' '; 2 << 20]).refused(413, "body_too_large");
    shop.admin.send("POST", "/api/groups", &[], vec![b' '; 2 << 20]).refused(413, "body_too_large");
}
