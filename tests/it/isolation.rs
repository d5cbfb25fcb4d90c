//! An adapter that traps affects no other: every other channel keeps serving. Its own webhook is neither acknowledged nor
//! stored. After the repair, the platform's retry is handled as if nothing had happened.

use crate::harness::{Brand, Options, Server, act, on_spin, until, workspace};
use serde_json::json;
use std::path::PathBuf;
use warmline_simulate::channels;

/// The channel whose component has the defect (`tests/trapping`).
const BROKEN: &str = "weibo";

/// spin.toml with that component in the channel's place.
fn broken() -> PathBuf {
    let (root, sound) = (workspace(), format!("channel_{BROKEN}.wasm"));
    let manifest = std::fs::read_to_string(root.join("spin.toml")).unwrap();
    assert_eq!(manifest.matches(&sound).count(), 1);
    assert!(root.join("target/wasm32-wasip2/component/trapping.wasm").exists(), "run `cargo xtask test`, which builds it");
    let manifest = manifest
        .replace(&sound, "trapping.wasm")
        .replace("source = \"target/", &format!("source = \"{}/target/", root.display()));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("broken-{}.toml", std::process::id()));
    std::fs::write(&path, manifest).unwrap();
    path
}

#[test]
fn a_trap_in_one_adapter_leaves_all_others_serving_and_the_retry_is_handled_once_it_is_mended() {
    let manifest = broken();
    let server = Server::with("trap", &Options { manifest: Some(manifest.clone()), ..Options::default() });
    let platforms = channels::all().into_iter().map(|platform| (platform.channel().to_owned(), platform));
    let mut brand = Brand::on(&server, platforms);
    let (wechat, app, web) = (brand.shop.wechat(), brand.shop.app(), brand.shop.web(&[]));
    let line = &brand.lines[BROKEN];
    let webhook = line.stand.act(&act(1, "trap-here 还在吗")).unwrap();
    let trapped = |times| {
        for _ in 0..times {
            let answer = line.post(&webhook);
            // Spin's own answer is empty.
            let code = if on_spin() { "" } else { "internal" };
            assert_eq!((answer.status, answer.code().as_str()), (500, code));
            assert!(!line.stand.platform().acknowledged(answer.status, &answer.body));
        }
    };
    trapped(2);

    // Meanwhile all others accept messages, and so does the broken channel, if they do not break it.
    std::thread::scope(|scope| {
        let trapping = scope.spawn(|| trapped(20));
        brand.every(
            |line| line.carries.channel != BROKEN,
            |brand, line| {
                let words = format!("beside-{}", line.carries.channel);
                line.arrive(&act(2, &words), 1);
                until(&words, || line.find(brand, &words));
            },
        );
        let (jwt, visitor) = (app.jwt("m1", None, &[]), web.visitor());
        wechat.say("oAlice", "beside-wechat");
        app.say(&jwt, "beside-app");
        visitor.say("beside-webchat");
        for words in ["beside-wechat", "beside-app", "beside-webchat"] {
            let (id, _) = brand.shop.wait_text(words);
            brand.agent.reply(&id, &format!("答 {words}"));
        }
        until("the reply", || (brand.shop.platform.texts_to("oAlice") == ["答 beside-wechat"]).then_some(()));
        trapping.join().unwrap();
    });
    assert_eq!(server.stored(BROKEN), 0);
    assert!(line.find(&brand, "trap-here").is_none());
    let id = line.talk(&brand, 3, "beside-weibo");
    brand.agent.reply(&id, "答 beside-weibo");
    until("the reply", || line.stand.sent().contains(&line.sent(3, "答 beside-weibo")).then_some(()));
    assert_eq!(server.stored(BROKEN), 1);

    // The adapter is repaired. The platform never got an acknowledgement, and sends the message again.
    let server = server.restart(&Options::default());
    std::fs::remove_file(manifest).unwrap();
    brand.follow(&server);
    let line = &brand.lines[BROKEN];
    for _ in 0..2 {
        line.acknowledged(&webhook);
    }
    let (id, message) = until("the retry", || line.find(&brand, "trap-here"));
    assert_eq!(message["content"], json!({ "kind": "text", "text": "trap-here 还在吗" }));
    until("an agent", || (brand.shop.conversation(&id)["agent"] == brand.agent.id.as_str()).then_some(()));
    assert_eq!((brand.shop.messages(&id).len(), server.stored(BROKEN)), (1, 2));
    brand.agent.reply(&id, "在的");
    until("the reply", || line.stand.sent().contains(&line.sent(1, "在的")).then_some(()));
}
