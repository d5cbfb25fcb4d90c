//! Hooks: the real component sends to a receiver on this machine, which the operator has to name.

use crate::harness::{Api, Options, Server, Shop, embedded_only, until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request that came.
#[derive(Clone, Debug)]
struct Got {
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Whether it is signed by this secret, as a receiver checks it.
    fn is_signed(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let said = format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.body);
        let own = format!("v1,{}", STANDARD.encode(hmac(&key, said.as_bytes())));
        self.header("webhook-signature").split(' ').any(|signature| signature == own)
    }

    fn kind(&self) -> String {
        serde_json::from_str::<Value>(&self.body).unwrap()["type"].as_str().unwrap().to_owned()
    }
}

/// HMAC-SHA-256 (RFC 2104), for keys of at most a block.
fn hmac(key: &[u8], said: &[u8]) -> Vec<u8> {
    let pad = |with: u8| -> Vec<u8> { (0..64).map(|i| key.get(i).copied().unwrap_or(0) ^ with).collect() };
    let inner = Sha256::new_with_prefix(pad(0x36)).chain_update(said).finalize();
    Sha256::new_with_prefix(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

/// The next answers: a status, and a line of the head. After them 204.
pub(crate) type Answers = Vec<(u16, &'static str)>;

/// A system of the brand's own.
#[derive(Clone)]
pub(crate) struct Receiver {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<Answers>>,
}

impl Receiver {
    pub(crate) fn start(answers: Answers) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), answers)
    }

    fn at(address: SocketAddr, answers: Answers) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = Self { address, got: Arc::default(), answers: Arc::new(Mutex::new(answers)) };
        let own = receiver.clone();
        // It ends with the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let own = own.clone();
                std::thread::spawn(move || own.serve(stream.unwrap()));
            }
        });
        receiver
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let mut headers = Vec::new();
            loop {
                line.clear();
                reader.read_line(&mut line).unwrap();
                let Some((name, value)) = line.trim_end().split_once(':') else { break };
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            self.got.lock().unwrap().push(Got { path, headers, body });
            let mut answers = self.answers.lock().unwrap();
            let (status, head) = if answers.is_empty() { (204, "") } else { answers.remove(0) };
            drop(answers);
            let answer = format!("HTTP/1.1 {status} x\r\n{head}content-length: 0\r\n\r\n");
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/in", self.address)
    }
}

/// A server whose operator names these hosts. The harness names this machine.
fn naming(hosts: &str) -> Options {
    let named = ("SPIN_VARIABLE_HOOK_PRIVATE_HOSTS".to_owned(), hosts.to_owned());
    Options { environment: vec![named], ..Options::default() }
}

/// A hook and its secret.
pub(crate) fn hook(admin: &Api, url: &str, types: &[&str]) -> (String, String) {
    let new = json!({ "url": url, "types": types });
    // The desk knows what the operator names once the component has run for the first time.
    let made = until("the operator's list", || {
        let answer = admin.post("/api/hooks", &new);
        (answer.status == 201).then(|| answer.json())
    });
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (format!("/api/hooks/{}", text("id")), text("secret"))
}

fn deliveries(admin: &Api, path: &str) -> Vec<Value> {
    admin.all(&format!("{path}/deliveries"))
}

/// Long enough for several ticks.
fn a_while() {
    std::thread::sleep(Duration::from_secs(3));
}

#[test]
fn an_event_reaches_the_brands_system_once_signed_and_without_a_word() {
    let server = Server::start("hooks");
    let (shop, receiver) = (Shop::on(&server, &json!({})), Receiver::start(Vec::new()));
    let (path, secret) = hook(&shop.admin, &receiver.url(), &["conversation.*", "message.received", "quality.alert"]);
    let wechat = shop.wechat();
    wechat.say("oAlice", "我要投诉，我住在长安街一号");
    shop.wait_text("我要投诉，我住在长安街一号");
    let kinds = until("an alert", || {
        let kinds: BTreeSet<String> = receiver.got().iter().map(Got::kind).collect();
        kinds.contains("quality.alert").then_some(kinds)
    });
    assert!(kinds.contains("conversation.opened") && kinds.contains("message.received"), "{kinds:?}");
    a_while();
    let got = receiver.got();
    let ids: BTreeSet<&str> = got.iter().map(|got| got.header("webhook-id")).collect();
    assert_eq!(ids.len(), got.len(), "each once");
    for got in &got {
        assert!(got.is_signed(&secret) && !got.is_signed("whsec_AAAA"));
        assert!(!got.body.contains("投诉") && !got.body.contains("长安街") && !got.body.contains("oAlice"), "{}", got.body);
        assert_eq!((got.path.as_str(), got.header("content-type")), ("/in", "application/json"));
    }
    assert!(deliveries(&shop.admin, &path).iter().all(|d| d["state"] == "delivered" && d["status"] == 204));
    let figures = shop.admin.get("/metrics").expect(200).text();
    assert!(figures.contains("warmline_hooks_waiting 0\n"), "{figures}");
}

#[test]
fn what_failed_comes_again_with_its_id_and_a_redirect_is_not_followed() {
    let server = Server::start("hooks-again");
    let admin = server.admin();
    let receiver = Receiver::start(vec![(500, "")]);
    let (path, secret) = hook(&admin, &receiver.url(), &["message.sent"]);
    let made = admin.post(&format!("{path}/test"), &json!({})).expect(202).json();
    let got = until("another try", || Some(receiver.got()).filter(|got| got.len() == 2));
    assert!(got.iter().all(|got| got.header("webhook-id") == made["id"] && got.is_signed(&secret)));
    let tried = until("the note", || deliveries(&admin, &path).into_iter().find(|d| d["state"] == "delivered"));
    assert_eq!((&tried["tries"], &tried["status"]), (&json!(2), &json!(204)));

    let elsewhere = Receiver::start(Vec::new());
    let head: &'static str = format!("location: {}\r\n", elsewhere.url()).leak();
    let moved = Receiver::start(vec![(302, head), (307, head)]);
    let (path, _) = hook(&admin, &moved.url(), &["message.sent"]);
    admin.post(&format!("{path}/test"), &json!({})).expect(202);
    let told = until("the note", || deliveries(&admin, &path).into_iter().find(|d| d["reason"] == "redirected"));
    assert!(told["next_try"].is_string());
    a_while();
    assert_eq!(elsewhere.got().len(), 0);

    let gone = Receiver::start(vec![(410, "")]);
    let (path, _) = hook(&admin, &gone.url(), &["message.sent"]);
    admin.post(&format!("{path}/test"), &json!({})).expect(202);
    let view = until("the end", || Some(admin.get(&path).json()).filter(|view| view["enabled"] == false));
    assert_eq!(view["disabled_reason"], "gone");
}

#[test]
fn a_server_that_is_killed_keeps_what_waits_and_sends_it_afterwards() {
    embedded_only!("Spin's own processes are killed in another way");
    let mut server = Server::start("hooks-killed");
    let (shop, address) = (Shop::on(&server, &json!({})), crate::harness::free_address());
    let (path, secret) = hook(&shop.admin, &format!("http://{address}/in"), &["conversation.opened"]);
    let wechat = shop.wechat();
    wechat.say("oAlice", "在吗");
    let waits = until("a try", || deliveries(&shop.admin, &path).into_iter().find(|d| d["reason"] == "unreachable"));
    server.crash();
    let server = Server::start("hooks-killed");
    let receiver = Receiver::at(address, Vec::new());
    let got = until("the delivery", || receiver.got().first().cloned());
    assert!(got.is_signed(&secret));
    assert_eq!((got.header("webhook-id"), got.kind().as_str()), (waits["id"].as_str().unwrap(), "conversation.opened"));
    let admin = server.admin();
    let done = until("the note", || deliveries(&admin, &path).into_iter().find(|d| d["state"] == "delivered"));
    assert_eq!(done["id"], waits["id"]);
    a_while();
    assert_eq!(receiver.got().len(), 1);
}

#[test]
fn an_address_beside_the_server_is_neither_saved_nor_called() {
    let receiver = Receiver::start(Vec::new());
    let port = receiver.address.port();
    let server = Server::start("hooks-private");
    let (path, _) = hook(&server.admin(), &receiver.url(), &["message.sent"]);
    // The operator names another host from now on.
    let server = server.restart(&naming("crm.internal:443"));
    let admin = server.admin();
    admin.post(&format!("{path}/test"), &json!({})).expect(202);
    let told = until("the refusal", || deliveries(&admin, &path).into_iter().find(|d| d["reason"].is_string()));
    assert_eq!(told["reason"], "url_not_allowed");
    let save = |url: &str| admin.post("/api/hooks", &json!({ "url": url, "types": ["message.sent"] }));
    for url in [
        format!("http://127.0.0.1:{port}/"),
        "https://127.0.0.1/".into(),
        "https://localhost/".into(),
        "https://[::ffff:127.0.0.1]/".into(),
        "https://desk.spin.internal/".into(),
    ] {
        save(&url).refused(422, "url_not_allowed");
    }
    save("https://2130706433/").refused(422, "bad_url");
    a_while();
    assert!(receiver.got().is_empty());
}
