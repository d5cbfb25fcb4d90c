//! A person's rights, through the real components: their data is exported; and it is erased, so that earlier copies of the
//! store reveal nothing either.

use crate::harness::{Options, Server, Shop, on_spin, program, until, workspace};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use warmline_customers::store::people;
use warmline_customers::timeline;
use warmline_kernel::memo::Memo;
use warmline_kernel::{Ctx, StepError, sealing, transient_keys};
use warmline_model::{Clock, CustomerId, Rng, Timestamp};
use warmline_privacy::{Keyring, Masters, SealError};
use warmline_store::native::{NativeDb, NoKv};
use warmline_store::{meta, vault};

/// The files of an export. Their hashes are compared with the manifest.
fn files(zip: &[u8]) -> BTreeMap<String, Value> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let mut files: BTreeMap<String, Value> = BTreeMap::new();
    let mut bytes = BTreeMap::new();
    for i in 0..archive.len() {
        let (mut file, mut text) = (archive.by_index(i).unwrap(), Vec::new());
        file.read_to_end(&mut text).unwrap();
        files.insert(file.name().unwrap().into_owned(), serde_json::from_slice(&text).unwrap());
        bytes.insert(file.name().unwrap().into_owned(), text);
    }
    let listed = files["manifest.json"]["files"].as_array().unwrap().clone();
    assert_eq!(listed.len() + 1, files.len());
    for file in listed {
        let hash: String =
            Sha256::digest(&bytes[file["name"].as_str().unwrap()]).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(file["sha256"], hash);
    }
    files
}

fn export(shop: &Shop, customer: &str) -> BTreeMap<String, Value> {
    files(&shop.admin.get(&format!("/api/customers/{customer}/export")).expect(200).body)
}

struct Still;
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }
}
impl Rng for Still {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

/// An attacker with a copy of the state, the master key, and a database of keys.
struct Thief {
    db: NativeDb,
    vault: NativeDb,
    keys: Keyring,
}

impl Thief {
    fn new(state: &Path, keys: &Path) -> Self {
        let db = NativeDb::open(&state.join("sqlite.db")).unwrap();
        let secrets = std::fs::read_to_string(state.join("secrets.env")).unwrap();
        let master = secrets.lines().find_map(|line| line.strip_prefix("SPIN_VARIABLE_MASTER_KEY=")).unwrap();
        let masters = Masters::from_base64(master.trim_matches(['"', '\'']), "").unwrap();
        let root = meta::get(&db, "root_key").unwrap().unwrap();
        Self { vault: NativeDb::open(keys).unwrap(), keys: Keyring::open(masters, &root).unwrap(), db }
    }

    /// A customer's messages, as far as they can be read.
    fn reads(&self, customer: &str) -> Result<Vec<String>, StepError> {
        let ctx = Ctx {
            db: &self.db,
            vault: &self.vault,
            kv: &NoKv,
            contexts: 0,
            clock: &Still,
            rng: &Still,
            keys: &self.keys,
            installed: &warmline_app::WHOLE,
            memo: &Memo::default(),
        };
        let id: CustomerId = customer.parse().unwrap();
        let person = people::person(&self.db, id)?.expect("the copy has the customer");
        let entries = timeline::page(&ctx, person, Timestamp::default(), None, 100)?;
        let said = entries.iter().filter(|e| e.conversation.customer == id).map(|entry| {
            let key = sealing::customer_key(&ctx, id)?;
            Ok(sealing::open_content(&key, &entry.message)?.words().unwrap_or_default().to_owned())
        });
        let said: Vec<Result<String, StepError>> = said.collect();
        assert!(!said.is_empty(), "the copy has the rows");
        said.into_iter().collect()
    }

    /// The number of transient keys that can be opened.
    fn passing(&self, upto: i64) -> usize {
        let ctx = Ctx {
            db: &self.db,
            vault: &self.vault,
            kv: &NoKv,
            contexts: 0,
            clock: &Still,
            rng: &Still,
            keys: &self.keys,
            installed: &warmline_app::WHOLE,
            memo: &Memo::default(),
        };
        (1..=upto).filter(|n| transient_keys::by_number(&ctx, *n).is_ok()).count()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        // A link is followed: under Spin the database's name here is one.
        if entry.path().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn an_erased_customer_cannot_be_read_from_a_copy_made_before() {
    let server = Server::start("erasure");
    let shop = Shop::on(&server, &json!({}));
    let (wechat, web, agent) = (shop.wechat(), shop.web(&[]), shop.agent(9));
    wechat.say("open-id-of-the-erased", "请把我的资料删掉");
    let (first, _) = shop.wait_text("请把我的资料删掉");
    web.visitor().say("我在网页上也写过");
    let (second, _) = shop.wait_text("我在网页上也写过");
    wechat.say("open-id-of-another", "我要留下");
    let (kept, _) = shop.wait_text("我要留下");
    let answered = agent.reply(&first, "好的，马上处理");
    shop.wait_delivery(&first, &answered, "sent");
    let body = json!({ "content": { "kind": "text", "text": "请稍等" } });
    let path = format!("/api/conversations/{first}/messages");
    agent.api.post_once(&path, &body, "a key of the erased").expect(201);
    let of = |id: &str| shop.conversation(id)["customer"]["id"].as_str().unwrap().to_owned();
    let (one, other, stays) = (of(&first), of(&second), of(&kept));
    shop.admin.post(&format!("/api/customers/{one}/merge"), &json!({ "customer": other })).expect(200);
    shop.admin.put(&format!("/api/customers/{one}/name"), &json!({ "name": "王晓明" })).expect(200);

    let whole = export(&shop, &other);
    let said: Vec<_> = whole["messages-0001.json"].as_array().unwrap().iter().map(|m| &m["content"]["text"]).collect();
    for text in ["请把我的资料删掉", "我在网页上也写过", "好的，马上处理", "请稍等"] {
        assert!(said.iter().any(|said| *said == text), "{text} of {said:?}");
    }
    assert!(whole["customer.json"].to_string().contains("open-id-of-the-erased"));
    assert_eq!(whole["customer.json"]["names"][0], "王晓明");
    assert!(!whole.values().any(|file| file.to_string().contains("我要留下")));

    let copies = server.state().parent().unwrap().join("copies");
    copy(&server.state(), &copies.join("state"));
    copy(&server.keys(), &copies.join("keys"));
    let before = Thief::new(&copies.join("state"), &copies.join("keys/keys.db"));
    assert!(before.reads(&one).unwrap().contains(&"好的，马上处理".to_owned()), "with the keys of then it can be read");
    let passed = vault::next(&before.vault).unwrap() - 1;
    assert!(before.passing(passed) >= 2);
    let wrapped = vault::get(&before.vault, one.parse().unwrap()).unwrap().unwrap().wrapped;

    shop.admin.delete(&format!("/api/customers/{one}")).refused(400, "reason_needed");
    agent.api.delete(&format!("/api/customers/{one}?reason=request")).refused(403, "role_not_allowed");
    // The two were merged by hand, so the call asks for the names of the included customers.
    let along = shop.admin.delete(&format!("/api/customers/{other}?reason=request")).refused(409, "merged_by_hand");
    assert_eq!(along.json()["customers"], json!([one]));
    let asked = shop.admin.delete(&format!("/api/customers/{other}?reason=request&include={one}")).expect(202).json();
    assert_eq!(asked["customer"], one);
    for id in [&one, &other] {
        for path in ["", "/timeline", "/summary", "/unmasked?reason=request"] {
            shop.admin.get(&format!("/api/customers/{id}{path}")).expect(404);
        }
    }
    let again = shop.admin.delete(&format!("/api/customers/{one}?reason=unlawful")).expect(202).json();
    assert_eq!((&again["id"], &again["reason"]), (&asked["id"], &json!("request")));
    let erasure = format!("/api/erasures/{}", asked["id"].as_str().unwrap());
    let done = until("the receipt", || {
        let erasure = shop.admin.get(&erasure).expect(200).json();
        (!erasure["receipt"].is_null()).then_some(erasure)
    });
    let shown = shop.conversation(&first);
    assert_eq!((&shown["messages"], &shown["kept"], &shown["customer"]["name"]), (&json!([]), &json!("gone"), &Value::Null));
    agent.api.post_once(&path, &body, "a key of the erased").refused(409, "answer_gone");

    let receipt = &done["receipt"];
    let der: String = receipt["public_key"].as_str().unwrap().lines().filter(|line| !line.starts_with('-')).collect();
    let key = VerifyingKey::from_public_key_der(&STANDARD.decode(der).unwrap()).unwrap();
    let signature = Signature::from_der(&STANDARD.decode(receipt["signature"].as_str().unwrap()).unwrap()).unwrap();
    key.verify(receipt["text"].as_str().unwrap().as_bytes(), &signature).unwrap();
    let text: Value = serde_json::from_str(receipt["text"].as_str().unwrap()).unwrap();
    assert_eq!(text["customers"], json!([one, other]));
    assert_eq!(shop.admin.get("/api/keys").expect(200).json()["receipts"], receipt["public_key"]);

    let empty = export(&shop, &one);
    assert_eq!(empty.keys().collect::<Vec<_>>(), ["manifest.json", "receipt.json"]);

    // An earlier copy of the state, the master key, and the present keys.
    let after = Thief::new(&copies.join("state"), &server.keys().join("keys.db"));
    for id in [&one, &other] {
        assert_eq!(after.reads(id), Err(StepError::Seal(SealError::Erased)));
    }
    assert_eq!(after.reads(&stays).unwrap(), ["我要留下"], "the others are still there after a restore");
    assert_eq!(after.passing(passed), 0, "nor what passed through");
    for file in ["keys.db", "keys.db-wal"] {
        let bytes = std::fs::read(server.keys().join(file)).unwrap_or_default();
        assert!(!bytes.windows(wrapped.len()).any(|at| at == wrapped), "the key is overwritten in {file}");
    }
    // A sender who writes again is a new customer.
    wechat.say("open-id-of-the-erased", "我又来了");
    let (new, _) = shop.wait_text("我又来了");
    assert_ne!(of(&new), one);
}

#[test]
fn another_master_key_takes_over_while_the_server_serves() {
    let new = STANDARD.encode([9; 32]);
    let mut server = Server::start("rotation");
    let (first, old_key) = {
        let shop = Shop::on(&server, &json!({}));
        let wechat = shop.wechat();
        for n in 0..12 {
            wechat.say(&format!("customer-{n}"), &format!("第{n}位客户的话"));
        }
        let talks: Vec<String> = (0..12).map(|n| shop.wait_text(&format!("第{n}位客户的话")).0).collect();
        (talks, shop.admin.get("/api/keys").expect(200).json()["master"].as_str().unwrap().to_owned())
    };
    let secrets = std::fs::read_to_string(server.state().join("secrets.env")).unwrap();
    let old = secrets
        .lines()
        .find_map(|l| l.strip_prefix("SPIN_VARIABLE_MASTER_KEY="))
        .unwrap()
        .trim_matches(['"', '\''])
        .to_owned();
    server.stop();
    let variable = |name: &str, value: &str| (format!("SPIN_VARIABLE_{name}"), value.to_owned());

    // Without the old key, it names the missing key and writes nothing.
    let database = std::fs::read(server.state().join("sqlite.db")).unwrap();
    let mut alone = Command::new(program());
    alone.args(["up", "--listen", "127.0.0.1:0", "--ready", "/readyz", "--manifest"]).arg(workspace().join("spin.toml"));
    alone.arg("--state").arg(server.state()).env("SPIN_VARIABLE_MASTER_KEY", &new);
    let refused = alone.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("wrong_master_key") && said.contains(&old_key), "{said}");
    assert!(std::fs::read(server.state().join("sqlite.db")).unwrap() == database, "nothing was written");

    // Keys without their store are not used for a new store. Spin does not compare the two.
    if !on_spin() {
        let mut strange = Command::new(program());
        strange.args(["up", "--listen", "127.0.0.1:0", "--manifest"]).arg(workspace().join("spin.toml"));
        strange.arg("--state").arg(server.state().with_file_name("other")).arg("--keys").arg(server.keys());
        let refused = strange.output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("keys of another store"), "{said}");
    }

    let both = vec![variable("MASTER_KEY", &new), variable("MASTER_KEY_PREVIOUS", &old)];
    let mut server = Server::with("rotation", &Options { environment: both, ..Options::default() });
    {
        let shop = Shop::on(&server, &json!({}));
        let wechat = shop.wechat();
        wechat.say("during", "换钥匙的时候");
        let mut rotate = Command::new(program());
        rotate.args(["keys", "rotate", "--url", server.base(), "--state"]).arg(server.state());
        let done = rotate.env_remove("SPIN_VARIABLE_ADMIN_TOKEN").output().unwrap();
        assert!(done.status.success(), "{done:?}");
        shop.wait_text("换钥匙的时候");
        let keys = shop.admin.get("/api/keys").expect(200).json();
        assert!(keys["master"] != old_key && keys["root"] == keys["master"]);
        assert_eq!(keys["customers"].as_object().unwrap().len(), 1, "{keys}");
    }
    server.stop();
    let alone = vec![variable("MASTER_KEY", &new)];
    let server = Server::with("rotation", &Options { environment: alone, ..Options::default() });
    for (n, talk) in first.iter().enumerate() {
        let said = server.admin().get(&format!("/api/conversations/{talk}/messages")).expect(200).json();
        assert_eq!(said["items"][0]["content"]["text"], format!("第{n}位客户的话"));
    }
}
