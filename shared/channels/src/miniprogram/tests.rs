//! The whole way of a message and of a reply. Public vectors and messages are in `tests/vectors/wechat_miniapp.rs`.

use super::*;
use crate::kit::Fault;
use crate::wx_crypto::AesKey;
use http::{HeaderMap, Method};
use proptest::prelude::*;
use serde_json::{Value, json};
use warmline_model::{Content, Inbound};

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const TS: &str = "1700000000";

fn account(mode: &str) -> Account {
    let secrets = [("token", "test"), ("encoding_aes_key", KEY), ("app_secret", "s3")];
    let settings = json!({ "mode": mode, "app_id": "wxapp", "api_base": "http://127.0.0.1:9" });
    let secrets = secrets.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    MiniprogramAdapter.account(&settings.into(), &secrets).ok().unwrap()
}

fn receive(mode: &str, query: &str, body: &str) -> Result<Inbound, Refusal> {
    let request = Request { method: &Method::POST, rest: "", query, headers: &HeaderMap::new(), body: body.as_bytes() };
    let account = account(mode);
    let verified = MiniprogramAdapter.verify(&account, &request, NOW)?;
    assert_eq!(MiniprogramAdapter.acknowledge(&account, &verified), Reply::text("success"));
    MiniprogramAdapter.parse(&account, &verified).map(|mut parsed| parsed.messages.remove(0))
}

fn plain(body: &str) -> Result<Inbound, Refusal> {
    receive("plain", &sign::plain_query("test", TS, "n"), body)
}

fn key() -> AesKey {
    AesKey::decode(KEY).unwrap()
}

fn json_message(kind: &str, fields: &[(&str, Value)]) -> String {
    sign::message_json("oUser", "gh", 1_700_000_000, kind, fields)
}

#[test]
fn one_message_in_all_four_forms() {
    let xml = sign::text("oUser", "gh", 5, 42, "你好😀");
    let json = sign::message_json("oUser", "gh", 5, "text", &[("Content", json!("你好😀")), ("MsgId", json!(42))]);
    for body in [xml.as_str(), json.as_str()] {
        let inbound = plain(body).unwrap();
        assert_eq!((inbound.earlier_key.as_deref(), inbound.sender.open_id.as_str()), (Some("42"), "oUser"));
        assert_eq!((inbound.at.secs(), &inbound.content), (5, &Content::text("你好😀")));
        let (query, sealed) = sign::safe("test", &key(), "wxapp", TS, "n", &[9; 16], body.as_bytes());
        assert_eq!(receive("safe", &query, &sealed).unwrap(), inbound);
        let (query, sealed) = sign::safe_json("test", &key(), "wxapp", TS, "n", &[9; 16], body.as_bytes());
        assert_eq!(receive("safe", &query, &sealed).unwrap(), inbound);
        assert_eq!(receive("both", &query, &sealed).unwrap(), inbound);
        assert_eq!(receive("plain", &query, &sealed), Err(Refusal::WrongMode));
    }
}

#[test]
fn refusals() {
    let body = json_message("text", &[("Content", json!("x")), ("MsgId", json!("1"))]);
    assert_eq!(receive("plain", &sign::plain_query("tesT", TS, "n"), &body), Err(Refusal::SignatureWrong));
    assert_eq!(receive("plain", &sign::plain_query("test", "1699999699", "n"), &body), Err(Refusal::Stale(-301)));
    assert_eq!(receive("plain", "", &body), Err(Refusal::SignatureMissing));
    assert_eq!(receive("safe", &sign::plain_query("test", TS, "n"), &body), Err(Refusal::WrongMode));
    let (query, sealed) = sign::safe_json("test", &key(), "wxother", TS, "n", &[9; 16], body.as_bytes());
    assert_eq!(receive("safe", &query, &sealed), Err(Refusal::WrongRecipient));
    let (query, _) = sign::safe_json("test", &key(), "wxapp", TS, "n", &[9; 16], body.as_bytes());
    assert_eq!(receive("safe", &query, &sealed), Err(Refusal::SignatureWrong));
    assert_eq!(plain("[]"), Err(Refusal::Malformed(Fault::Xml(crate::xml::Error::Syntax))));
    assert_eq!(plain("{}"), Err(Refusal::Field("FromUserName")));
    assert_eq!(plain(r#"{"FromUserName":"\u0000"}"#), Err(Refusal::Field("FromUserName")));
    assert_eq!(plain(&json_message("miniprogrampage", &[("AppId", json!("wx"))])), Err(Refusal::Field("PagePath")));
    assert_eq!(plain(&json_message("miniprogrampage", &[("PagePath", json!("p"))])), Err(Refusal::Field("AppId")));
}

#[test]
fn a_card_that_came_can_be_sent_back() {
    let fields = [
        ("MsgId", json!("7")),
        ("Title", json!("大衣")),
        ("AppId", json!("wxapp")),
        ("PagePath", json!("pages/goods?id=1")),
        ("ThumbUrl", json!("https://x")),
        ("ThumbMediaId", json!("M1")),
    ];
    let inbound = plain(&json_message("miniprogrampage", &fields)).unwrap();
    let url = "miniprogram://wxapp/pages/goods?id=1#M1";
    assert_eq!(inbound.content, Content::Link { title: "大衣".into(), description: None, url: url.into() });
    assert_eq!(inbound.earlier_key.as_deref(), Some("7"));
    let card = json!({ "title": "大衣", "pagepath": "pages/goods?id=1", "thumb_media_id": "M1" });
    assert_eq!(body(&inbound.content).unwrap()["miniprogrampage"], card);
}

#[test]
fn events() {
    let enter = |from: &str| {
        plain(&json_message("event", &[("Event", json!("user_enter_tempsession")), ("SessionFrom", json!(from))])).unwrap()
    };
    let inbound = enter("商品页");
    let data = json!({ "SessionFrom": "商品页" });
    let event = "user_enter_tempsession".to_owned();
    assert_eq!(inbound.content, Content::Event { event, key: Some("商品页".into()), data });
    assert_eq!(enter("商品页").key, inbound.key);
    assert_ne!(enter("订单页").key, inbound.key);
    assert!(!inbound.key.contains("oUser"));
    for (fields, expected) in [
        ([("Event", json!("add_express_path")), ("OrderId", json!("A1"))], "A1"),
        ([("Event", json!("open_product_order_pay")), ("order_info", json!({ "order_id": 1_234_567 }))], "1234567"),
        ([("Event", json!("trade_manage_order_settlement")), ("merchant_trade_no", json!("T9"))], "T9"),
    ] {
        let Content::Event { key, data, .. } = plain(&json_message("event", &fields)).unwrap().content else { panic!() };
        assert_eq!(key.as_deref(), Some(expected));
        assert_eq!(data[fields[1].0], fields[1].1);
    }
    let unknown = plain(&json_message("hologram", &[("MsgId", json!("3")), ("Depth", json!(4))])).unwrap();
    let Content::Unknown { raw_kind, raw } = unknown.content else { panic!() };
    assert_eq!((raw_kind.as_str(), &raw["Depth"]), ("hologram", &json!(4)));
}

fn body(content: &Content) -> Result<Value, Undeliverable> {
    let reply = Outbound { to: "oUser", id: "msg_1", content, at: NOW, reply_to: None };
    let call = Call { token: Some("T"), now: NOW, nonce: &[0; 16] };
    match MiniprogramAdapter.render(&account("plain"), &reply, &call)? {
        Rendered::Call(call) => {
            assert_eq!(call.url, "http://127.0.0.1:9/cgi-bin/message/custom/send?access_token=T");
            Ok(serde_json::from_slice(&call.body).unwrap())
        }
        Rendered::Held => panic!("held"),
    }
}

#[test]
fn replies() {
    let expected = json!({ "touser": "oUser", "msgtype": "text", "text": { "content": "您好😀\"" } });
    assert_eq!(body(&Content::text("您好😀\"")), Ok(expected));
    let image = |id: Option<&str>| Content::Image { media: Media { id: id.map(str::to_owned), ..Media::default() } };
    assert_eq!(body(&image(Some("M"))).unwrap()["image"], json!({ "media_id": "M" }));
    assert_eq!(body(&image(None)), Err(Undeliverable::MediaIdMissing));
    let link = |url: &str| Content::Link { title: "t".into(), description: Some("d".into()), url: url.into() };
    assert_eq!(body(&link("https://x")), Err(Undeliverable::LinkPictureMissing));
    let secrets = [("token", "test"), ("app_secret", "s3")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let settings = json!({ "app_id": "wxapp", "link_picture": "https://p/1.png" });
    let pictured = Account::read(&settings, &secrets).ok().unwrap();
    let content = link("https://x");
    let reply = Outbound { to: "oUser", id: "msg_1", content: &content, at: NOW, reply_to: None };
    let call = Call { token: Some("T"), now: NOW, nonce: &[0; 16] };
    let Ok(Rendered::Call(call)) = MiniprogramAdapter.render(&pictured, &reply, &call) else { panic!("not rendered") };
    let expected = json!({ "title": "t", "description": "d", "url": "https://x", "thumb_url": "https://p/1.png" });
    assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap()["link"], expected);
    assert_eq!(body(&link("miniprogram://wxother/p#M")), Err(Undeliverable::PageOfAnotherApp));
    assert_eq!(body(&link("miniprogram://wxapp/p")), Err(Undeliverable::CoverMissing));
    assert_eq!(body(&Content::text("好".repeat(683))), Err(Undeliverable::TextTooLong));
    assert_eq!(body(&Content::Voice { media: Media::default(), transcript: None }), Err(Undeliverable::KindNotSupported));
    assert_eq!(MiniprogramAdapter.read_answer(&ApiResponse { status: 200, body: b"{\"errcode\":0}" }), Outcome::Sent);
}

#[test]
fn media_are_fetched_by_id() {
    let call = Call { token: Some("T"), now: NOW, nonce: &[0; 16] };
    let media = Media { id: Some("M".into()), ..Media::default() };
    let request = MiniprogramAdapter.media(&account("plain"), &media, &call).ok().unwrap();
    assert_eq!(request.url, "http://127.0.0.1:9/cgi-bin/media/get?access_token=T&media_id=M");
    assert_eq!(
        MiniprogramAdapter.media(&account("plain"), &Media::default(), &call).err(),
        Some(Undeliverable::MediaIdMissing)
    );
    let bare = Call { token: None, ..call };
    assert_eq!(MiniprogramAdapter.media(&account("plain"), &media, &bare).err(), Some(Undeliverable::TokenMissing));
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>, text: String) {
        let _ = parse::parse(&bytes);
        let _ = parse::parse(format!("{{\"MsgType\":\"miniprogrampage\",{text}").as_bytes());
    }

    #[test]
    fn a_changed_envelope_yields_no_other_message(at in 0usize..400, to: u8) {
        let message = json_message("text", &[("Content", json!("x")), ("MsgId", json!(1))]);
        let (query, sealed) = sign::safe_json("test", &key(), "wxapp", TS, "n", &[9; 16], message.as_bytes());
        let mut other = sealed.clone().into_bytes();
        let at = at % other.len();
        other[at] = to;
        if let Ok(text) = String::from_utf8(other) && let Ok(inbound) = receive("safe", &query, &text) {
            prop_assert_eq!(inbound, plain(&message).unwrap());
        }
    }

    #[test]
    fn cards_of_any_fields_do_not_panic(app in ".{0,8}", path in ".{0,8}", cover in ".{0,8}") {
        let fields = [("MsgId", json!(1)), ("AppId", json!(app)), ("PagePath", json!(path)), ("ThumbMediaId", json!(cover))];
        if let Ok(Inbound { content: Content::Link { url, .. }, .. }) = plain(&json_message("miniprogrampage", &fields)) {
            let [app, path, cover] = [app, path, cover].map(|text| text.replace('\0', "\u{FFFD}"));
            prop_assert!(crate::wx::page::Page::read(&url).is_some_and(|p| (p.app_id, p.path, p.cover) == (&app, &path, &cover)));
        }
    }
}
