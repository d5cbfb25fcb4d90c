//! Nothing personal is readable: no message and no identity of customers or agents is in any file of the state or any line
//! of the log.

use crate::harness::{Agent, Brand, Options, PATIENCE, Server, Shop, Wechat, act, until, within};
use aho_corasick::AhoCorasick;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

// Each text is distinctive: nothing else contains it.
const OPEN_ID: &str = "oCanary7fQx91LmZtOpenId";
const MEMBER: &str = "member-canary-55812093";
const NAME: &str = "欧阳金丝雀";
const PHONE: &str = "13977712345";
const WORDS: &str = "水母吞下了灯塔";
const LATIN: &str = "canaryword8842";
const REPLY: &str = "海象签收了钢琴";
const NOTE: &str = "刺猬经理请回电";
const AGENT: &str = "客服小鹦鹉九号";
const CORRECTED: &str = "欧阳小金丝雀";
const ERASED: &str = "oErasedCanary5tY2";
const TRANSCRIPT: &str = "树懒要求加急";

fn files(at: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(at).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// A text's spellings: plain, in UTF-16, escaped in JSON, percent-encoded.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let wide: Vec<u16> = text.encode_utf16().collect();
    let mut all = vec![
        text.as_bytes().to_vec(),
        wide.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        wide.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
    ];
    if !text.is_ascii() {
        all.push(wide.iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>().into_bytes());
        all.push(form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().into_bytes());
    }
    all
}

/// Looks for texts in all their spellings.
struct Search {
    names: Vec<String>,
    spellings: AhoCorasick,
}

impl Search {
    fn new(texts: &[&str]) -> Self {
        let (mut names, mut all) = (Vec::new(), Vec::new());
        for text in texts {
            assert!(text.len() >= 8, "{text} is too short to be found by accident only");
            for spelling in spellings(text) {
                names.push((*text).to_owned());
                all.push(spelling);
            }
        }
        Self { names, spellings: AhoCorasick::new(all).unwrap() }
    }

    fn look(&self, place: &str, bytes: &[u8], found: &mut BTreeSet<String>) {
        for hit in self.spellings.find_overlapping_iter(bytes) {
            found.insert(format!("{} is in {place}", self.names[hit.pattern().as_usize()]));
        }
    }

    /// The places where they are found, in the files of a server and in its log.
    fn server(&self, server: &Server) -> BTreeSet<String> {
        let (mut paths, mut found) = (Vec::new(), BTreeSet::new());
        files(&server.state(), &mut paths);
        files(&server.keys(), &mut paths);
        assert!(paths.iter().any(|path| path.ends_with("sqlite.db")), "{paths:?}");
        for path in paths {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // A file may be renamed or removed meanwhile.
            self.look(&name, &std::fs::read(&path).unwrap_or_default(), &mut found);
        }
        self.look("the log", server.output().as_bytes(), &mut found);
        found
    }
}

#[test]
fn no_file_and_no_line_of_the_log_holds_a_name_a_number_a_word_or_a_secret() {
    let environment = vec![("RUST_LOG".to_owned(), "debug".to_owned())];
    let options = Options { arguments: vec!["--log".into(), "json".into()], environment, ..Options::default() };
    let mut server = Server::with("privacy", &options);
    let shop = Shop::on(&server, &json!({}));
    let (wechat, app, web) = (shop.wechat_with(&json!({ "mode": "both" })), shop.app(), shop.web(&[]));
    let agent = shop.hire(8, &json!({ "name": AGENT }));
    agent.is("available");
    let text = format!("{WORDS}，我叫{NAME}，电话{PHONE}，{LATIN}，要投诉");

    wechat.say(OPEN_ID, &text);
    wechat.safe(&wechat.text(OPEN_ID, 7, &format!("{text} 又"))).expect(200);
    wechat.plain(wechat.message(OPEN_ID, "voice", &[("MediaId", "m"), ("Recognition", TRANSCRIPT)])).expect(200);
    wechat.plain(wechat.message(OPEN_ID, "sticker", &[("Face", WORDS)])).expect(200);
    let jwt = app.jwt(MEMBER, Some(NAME), &[]);
    app.say(&jwt, &text);
    let visitor = web.visitor();
    visitor.say(&text);
    until("three conversations", || (shop.conversations().len() == 3).then_some(()));
    for conversation in shop.conversations() {
        let id = conversation["id"].as_str().unwrap();
        let reply = agent.reply(id, REPLY);
        shop.wait_delivery(id, &reply, "sent");
        // With a key, the answer is kept too.
        let (path, body) =
            (format!("/api/conversations/{id}/messages"), json!({ "content": { "kind": "text", "text": REPLY } }));
        agent.api.post_once(&path, &body, &format!("key {id}")).expect(201);
        agent.api.post_once(&path, &body, &format!("key {id}")).expect(201);
    }
    until("the alerts", || (shop.count("quality.alert") >= 3).then_some(()));
    let (id, _) = shop.wait_text(REPLY);
    agent.act(&id, "transfer", &json!({ "to": { "group": shop.name }, "note": NOTE })).expect(200);
    person(&shop, &agent, &wechat);
    // Refusals and unreadable items are logged, without their words.
    wechat.post("signature=0&timestamp=1&nonce=1", wechat.text(OPEN_ID, 8, WORDS)).refused(401, "signature_wrong");
    wechat.plain(format!("<xml><FromUserName>{OPEN_ID}</FromUserName><Content>{WORDS}")).expect(200);
    agent.api.post(&format!("/api/conversations/{id}/messages"), &json!({ "content": WORDS })).refused(422, "invalid_body");
    // An unreachable platform is logged, too.
    shop.platform
        .script(warmline_simulate::channels::Rule::send(warmline_simulate::channels::Behaviour::Status(500)).once());
    let late = agent.reply(&shop.wait_text(&text).0, REPLY);
    until("the last reply", || shop.wait_text(REPLY).1["delivery"]["state"].as_str().map(|_| ()));
    assert!(late["id"].is_string());

    let platform_token = format!("sim-token-{}", wechat.app_id);
    let search = Search::new(&[
        OPEN_ID,
        MEMBER,
        NAME,
        PHONE,
        WORDS,
        LATIN,
        REPLY,
        NOTE,
        AGENT,
        TRANSCRIPT,
        CORRECTED,
        ERASED,
        &wechat.token,
        &wechat.app_secret,
        &wechat.aes_key,
        &app.jwt_secret,
        &app.body_secret,
        &jwt,
        &visitor.token,
        &visitor.id,
        &platform_token,
    ]);
    // Searches once while it runs, with the write-ahead log full, and once after everything was written back.
    let mut found = search.server(&server);
    server.stop();
    found.extend(search.server(&server));
    assert!(server.output().lines().count() > 20, "there was a log to search");
    assert!(found.is_empty(), "{found:#?}");
}

/// A person's data: it is read, corrected and exported. Another person is erased.
fn person(shop: &Shop, agent: &Agent, wechat: &Wechat) {
    let customer = shop.conversation(&shop.wait_text(REPLY).0)["customer"]["id"].as_str().unwrap().to_owned();
    let of = |rest: &str| format!("/api/customers/{customer}{rest}");
    shop.admin.put(&of("/name"), &json!({ "name": CORRECTED })).expect(200);
    let number = json!({ "kind": "phone", "value": PHONE });
    shop.admin.post(&of("/identifiers"), &number).expect(200);
    // Twice: the second time comes from the cache beside the store.
    for _ in 0..2 {
        shop.admin.get(&of("/summary")).expect(200);
    }
    shop.admin.get(&of("/timeline")).expect(200);
    shop.admin.get(&of("/unmasked?reason=request")).expect(200);
    shop.admin.get(&of("/export")).expect(200);
    shop.admin.post(&of("/identifiers/remove"), &number).expect(200);
    agent.api.put(&of("/name"), &json!({ "name": CORRECTED })).refused(403, "role_not_allowed");
    let known = shop.conversations();
    wechat.say(ERASED, WORDS);
    let new = until("the one to be erased", || shop.conversations().into_iter().find(|c| !known.contains(c)));
    let gone = shop.conversation(new["id"].as_str().unwrap())["customer"]["id"].as_str().unwrap().to_owned();
    let erasure = shop.admin.delete(&format!("/api/customers/{gone}?reason=request")).expect(202).json();
    until("the receipt", || {
        let path = format!("/api/erasures/{}", erasure["id"].as_str().unwrap());
        shop.admin.get(&path).expect(200).json()["done_at"].as_str().map(drop)
    });
}

#[test]
fn no_channel_leaves_its_customers_or_their_words_in_the_open() {
    const CUSTOMER: u64 = 88_427_113;
    let environment = vec![("RUST_LOG".to_owned(), "debug".to_owned())];
    let mut server = Server::with("privacy-channels", &Options { environment, ..Options::default() });
    let platforms = warmline_simulate::channels::all().into_iter().map(|platform| (platform.channel().to_owned(), platform));
    let brand = Brand::on(&server, platforms);
    brand.every(
        |_| true,
        |brand, line| {
            let words = format!("{WORDS}{LATIN}");
            if line.carries.kinds_out.contains(&"text") {
                let talk = line.talk(brand, CUSTOMER, &words);
                brand.shop.wait_delivery(&talk, &brand.agent.reply(&talk, REPLY), "sent");
            } else {
                line.arrive(&act(CUSTOMER, &words), 1);
                within(PATIENCE * 2, &words, || line.find(brand, &words));
            }
        },
    );
    let ids: Vec<String> = brand.lines.values().map(|line| line.stand.platform().open_id(CUSTOMER)).collect();
    let mut texts: Vec<&str> = ids.iter().map(String::as_str).filter(|id| id.len() >= 8).collect();
    assert!(texts.len() >= 12 && brand.lines.len() >= 15, "{ids:?}");
    texts.extend([WORDS, LATIN, REPLY]);
    let search = Search::new(&texts);
    let mut found = search.server(&server);
    server.stop();
    found.extend(search.server(&server));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn an_agents_own_words_for_a_break_lie_nowhere_in_the_open() {
    const REASON: &str = "去接小鹦鹉的孩子";
    let mut server = Server::start("reasons");
    let shop = Shop::on(&server, &json!({}));
    let agent = shop.agent(1);
    let set =
        |reason| agent.api.put(&format!("/api/agents/{}/state", agent.id), &json!({ "state": "break", "reason": reason }));
    // The reason is stored in the event log, so it is a code of the brand's list and never a sentence.
    set(REASON).refused(422, "bad_code");
    set("lunch").expect(200);
    server.stop();
    let found = Search::new(&[REASON]).server(&server);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_search_finds_what_lies_open() {
    let search = Search::new(&[REPLY, LATIN]);
    for text in [REPLY, LATIN] {
        for spelling in spellings(text) {
            let mut found = BTreeSet::new();
            search.look("here", &[b"x".as_slice(), &spelling, b"y"].concat(), &mut found);
            assert_eq!(found, BTreeSet::from([format!("{text} is in here")]));
        }
    }
    let mut found = BTreeSet::new();
    search.look("here", "海象 签收了 canaryword".as_bytes(), &mut found);
    assert!(found.is_empty());
}
