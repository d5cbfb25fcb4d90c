//! 微信客服's calls and answers.

use super::{KEY, NOW, account};
use crate::Vector;
use serde_json::{Value, json};
use warmline_channels::wecom::{Account, WecomAdapter};
use warmline_channels::{Adapter, ApiResponse, Asked, Call, Outbound, Outcome, Pull, Rendered};
use warmline_model::{Content, Media};

fn rendered(content: &Content, reply_to: &Value) -> Value {
    let account = account("wwcorp", "test", KEY);
    let reply = Outbound { to: "EXTERNAL_USERID", id: "MSGID", content, at: NOW, reply_to: Some(reply_to) };
    let call = Call { token: Some("T"), now: NOW, nonce: &[0; 16] };
    let Ok(Rendered::Call(call)) = WecomAdapter.render(&account, &reply, &call) else { panic!("not rendered") };
    serde_json::from_slice(&call.body).unwrap()
}

/// The official samples hold the fields of every kind at once.
pub(super) fn check(vector: &Vector) {
    let sample: Value = serde_json::from_str(vector.input("body")).unwrap();
    let account = account("wwcorp", "test", KEY);
    match vector.id() {
        "skit-CgibinKfSyncMessageRequest" => {
            let call = Call { token: Some("T"), now: NOW, nonce: &[0; 16] };
            let (source, cursor) = (sample["open_kfid"].as_str().unwrap(), sample["cursor"].as_str());
            let request = WecomAdapter.request(&account, source, cursor, &call).ok().unwrap();
            let made: Value = serde_json::from_slice(&request.body).unwrap();
            for name in ["cursor", "voice_format", "open_kfid"] {
                assert_eq!(made[name], sample[name], "{name}");
            }
        }
        "skit-CgibinKfSyncMessageResponse" => page(&account, vector.input("body"), &sample),
        "skit-CgibinKfSendMessageResponse" => {
            let answer = ApiResponse { status: 200, body: vector.input("body").as_bytes() };
            assert_eq!(WecomAdapter.read_answer(&answer), Outcome::Sent);
        }
        "skit-CgibinKfSendMessageRequest" => every_kind(&sample),
        "skit-CgibinKfSendMessageOnEventRequest" => {
            let reply_to = json!({ "open_kfid": "K", "welcome_code": "CODE", "welcome_until": NOW.secs() + 1 });
            let made = rendered(&Content::text("欢迎咨询"), &reply_to);
            assert_eq!((&made["code"], &made["text"]), (&sample["code"], &sample["text"]));
        }
        other => panic!("{other}: a sample that this test does not know"),
    }
}

fn page(account: &Account, body: &str, sample: &Value) {
    let source = "wkAJ2GCAAASSm4_FhToWMFea0xAFfd3Q";
    let asked = Asked { source, cursor: None, now: NOW };
    let page = WecomAdapter.read(account, &asked, &ApiResponse { status: 200, body: body.as_bytes() }).unwrap();
    assert_eq!((page.cursor.as_deref(), page.more), (sample["next_cursor"].as_str(), true));
    let list = sample["msg_list"].as_array().unwrap();
    // The entries that show a kind's fields have no sender in the sample. With the first one's sender, they are read as
    // well.
    let first = page.messages.first().unwrap();
    assert_eq!((crate::told_id(first), first.at.secs()), ("from_msgid_4622416642169452483", 1_615_478_585));
    assert_eq!(first.sender.open_id, "wmAJ2GCAAAme1XQRC-NI-q0_ZM9ukoAw");
    assert_eq!(first.content.kind(), "unknown");
    assert_eq!(first.reply_to, Some(json!({ "open_kfid": source })));
    let Content::Event { event, key, .. } = &page.messages[1].content else { panic!() };
    assert_eq!((event.as_str(), key.as_deref()), ("user_recall_msg", Some("RECALL_MSGID")));
    let named: Vec<Value> = list
        .iter()
        .map(|entry| {
            let mut entry = entry.clone();
            entry["external_userid"] = list[0]["external_userid"].clone();
            entry
        })
        .collect();
    let body = json!({ "errcode": 0, "msg_list": named }).to_string();
    let page = WecomAdapter.read(account, &asked, &ApiResponse { status: 200, body: body.as_bytes() }).unwrap();
    let kinds: Vec<&str> = page.messages.iter().map(|m| m.content.kind()).collect();
    assert_eq!(kinds, ["unknown", "event", "event", "unknown", "order_card", "unknown", "unknown"]);
    let order = Content::OrderCard {
        order_id: "ORDER_ID".into(),
        title: Some("PRODUCT_TITLES".into()),
        status: Some("STATE".into()),
    };
    assert_eq!(page.messages[4].content, order);
}

fn every_kind(sample: &Value) {
    let media = |kind: &str| Media { id: sample[kind]["media_id"].as_str().map(str::to_owned), ..Media::default() };
    let text = sample["text"]["content"].as_str().unwrap();
    let card = &sample["miniprogram"];
    let url = format!("miniprogram://{}/{}#{}", "APPID", "PAGE_PATH", "MEDIA_ID");
    let title = card["title"].as_str().unwrap().to_owned();
    for (kind, content) in [
        ("text", Content::text(text)),
        ("image", Content::Image { media: media("image") }),
        ("voice", Content::Voice { media: media("voice"), transcript: None }),
        ("video", Content::Video { media: media("video") }),
        ("file", Content::File { media: media("file") }),
        ("miniprogram", Content::Link { title, description: None, url }),
    ] {
        let made = rendered(&content, &json!({ "open_kfid": "OPEN_KFID" }));
        for name in ["touser", "open_kfid", "msgid", kind] {
            assert_eq!(made[name], sample[name], "{kind}: {name}");
        }
        assert_eq!(made["msgtype"], kind);
    }
}
