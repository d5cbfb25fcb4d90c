//! The brand's own clients, and WeChat's channels.

use super::super::miniprogram::Miniprogram;
use super::super::wecom::{self, Wecom};
use super::super::{Account, Request, Simulated, wx};
use super::{API, Protocol, WORDS};
use serde_json::{Value, json};
use warmline_channels::app::{AppAdapter, sign as app};
use warmline_channels::hs256;
use warmline_channels::miniprogram::{MiniprogramAdapter, sign as miniprogram};
use warmline_channels::webchat::WebchatAdapter;
use warmline_channels::wechat::{WechatAdapter, sign as wechat};
use warmline_channels::wecom::{WecomAdapter, sign as kf};
use warmline_channels::wx_crypto::AesKey;

const JWT_SECRET: &str = "jwt-secret-of-the-shop";
const BODY_SECRET: &str = "body-secret-of-the-shop";
const WEBCHAT: &str = "page";
const RANDOM: &[u8; 16] = b"0123456789abcdef";

/// The key that signs the sessions of the web chat, since no server derives one here.
pub(super) const SESSION_KEY: [u8; 32] = [7; 32];

pub(super) fn all() -> Vec<Protocol> {
    vec![
        Protocol::new(
            AppAdapter,
            own("shop", json!({}), &[("jwt_secret", JWT_SECRET), ("body_secret", BODY_SECRET)]),
            "app",
            chat,
        )
        .sealed(|body, at| {
            let jwt = app::jwt(JWT_SECRET, "member-7", Some("小米"), &["vip"], at + 3600);
            let headers = [
                ("authorization", format!("Bearer {jwt}")),
                ("x-warmline-timestamp", at.to_string()),
                ("x-warmline-signature", app::body(BODY_SECRET, at, body)),
            ];
            post("", "application/json", &headers, body)
        }),
        // The token identifies the author. The message itself is not signed.
        Protocol::new(WebchatAdapter, own(WEBCHAT, json!({}), &[]), "webchat", chat).bare().sealed(|body, at| {
            let audience = format!("webchat/{WEBCHAT}");
            let claims = json!({ "sub": "vis_07", "aud": audience, "iat": at, "exp": at + 3600 });
            let token = hs256::sign(&claims, &SESSION_KEY).unwrap_or_default();
            post("/messages", "application/json", &[("authorization", format!("Bearer {token}"))], body)
        }),
        Protocol::new(WechatAdapter, own("gh_rice", json!({}), &[("token", wx::TOKEN)]), "wechat", xml).bare().sealed(
            |body, at| Request {
                query: wechat::plain_query(wx::TOKEN, &at.to_string(), "n0nce"),
                ..post("", "text/xml", &[], body)
            },
        ),
        Protocol::new(
            WechatAdapter,
            own("gh_safe", json!({ "app_id": wx::APP_ID }), &[("token", wx::TOKEN), ("encoding_aes_key", wx::AES_KEY)]),
            "wechat-safe",
            xml,
        )
        .sealed(|message, at| {
            enveloped("text/xml", wechat::safe(wx::TOKEN, &key(), wx::APP_ID, &at.to_string(), "n0nce", RANDOM, message))
        }),
        Protocol::new(MiniprogramAdapter, Miniprogram.account(API), "miniprogram", cards).sealed(|message, at| {
            let sealed = miniprogram::safe_json(wx::TOKEN, &key(), wx::APP_ID, &at.to_string(), "n0nce", RANDOM, message);
            enveloped("application/json", sealed)
        }),
        Protocol::new(WecomAdapter, Wecom.account(API), "wecom", members).keeping(customers).sealed(|message, at| {
            enveloped("text/xml", kf::webhook(wx::TOKEN, &key(), wecom::CORP_ID, &at.to_string(), "n0nce", RANDOM, message))
        }),
    ]
}

/// An account that no simulated platform has.
pub(super) fn own(id: &str, settings: Value, secrets: &[(&'static str, &str)]) -> Account {
    let secrets = secrets.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Account { id: id.to_owned(), settings, secrets }
}

/// A webhook by POST.
pub(super) fn post(path: &str, kind: &str, headers: &[(&str, String)], body: &[u8]) -> Request {
    let mut all = vec![("content-type".to_owned(), kind.to_owned())];
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    Request { method: "POST".into(), path: path.into(), query: String::new(), headers: all, body: body.to_vec() }
}

fn enveloped(kind: &str, (query, body): (String, String)) -> Request {
    Request { query, ..post("", kind, &[], body.as_bytes()) }
}

#[expect(clippy::expect_used, reason = "the key is a constant")]
fn key() -> AesKey {
    AesKey::decode(wx::AES_KEY).expect("a key")
}

fn chat(_: i64, number: u64) -> Vec<Vec<u8>> {
    let message = |content: Value| json!({ "id": format!("c{number}"), "content": content }).to_string().into_bytes();
    let media = json!({ "url": "https://shop.example/a.jpg", "mime": "image/jpeg" });
    vec![
        json!({ "id": format!("c{number}"), "text": WORDS }).to_string().into_bytes(),
        message(json!({ "kind": "image", "media": media })),
        message(json!({ "kind": "voice", "media": media, "transcript": "你好" })),
        message(json!({ "kind": "video", "media": media })),
        message(json!({ "kind": "file", "media": media })),
        message(json!({ "kind": "location", "latitude": 31.2, "longitude": 121.5, "label": "上海" })),
        message(json!({ "kind": "link", "title": "商品", "url": "https://shop.example/1" })),
        message(json!({ "kind": "order_card", "order_id": "O1", "title": "订单" })),
        message(json!({ "kind": "event", "event": "Viewed", "data": { "page": 1 } })),
        message(json!({ "kind": "sticker", "id": 9 })),
    ]
}

fn xml(at: i64, number: u64) -> Vec<Vec<u8>> {
    let id = number.to_string();
    let said = |kind: &str, fields: &[(&str, &str)]| wechat::message("oCustomer", "gh_rice", at, kind, fields);
    let all = [
        wechat::text("oCustomer", "gh_rice", at, number, WORDS),
        said("image", &[("PicUrl", "https://mmbiz.example/1"), ("MediaId", "m1"), ("MsgId", &id)]),
        said("voice", &[("MediaId", "m2"), ("Format", "amr"), ("Recognition", "你好"), ("MsgId", &id)]),
        said("video", &[("MediaId", "m3"), ("ThumbMediaId", "m4"), ("MsgId", &id)]),
        said(
            "location",
            &[("Location_X", "31.2"), ("Location_Y", "121.5"), ("Scale", "15"), ("Label", "上海"), ("MsgId", &id)],
        ),
        said("link", &[("Title", "t"), ("Description", "d"), ("Url", "https://x.example"), ("MsgId", &id)]),
        said("sphinx", &[("Riddle", "?"), ("MsgId", &id)]),
        wechat::event("oCustomer", "gh_rice", at, "subscribe", "qrscene_7"),
        wechat::event("oCustomer", "gh_rice", at, "CLICK", "MENU_1"),
    ];
    all.map(String::into_bytes).to_vec()
}

fn cards(at: i64, number: u64) -> Vec<Vec<u8>> {
    let said = |kind: &str, fields: &[(&str, Value)]| {
        let fields: Vec<_> = [("MsgId", json!(number))].into_iter().chain(fields.iter().cloned()).collect();
        miniprogram::message_json("oCustomer", "gh_mini", at, kind, &fields).into_bytes()
    };
    let card = [("Title", json!("商品")), ("AppId", json!(wx::APP_ID)), ("PagePath", json!("pages/goods?id=1"))];
    vec![
        said("text", &[("Content", json!(WORDS))]),
        said("image", &[("PicUrl", json!("https://mmbiz.example/1")), ("MediaId", json!("m1"))]),
        said("miniprogrampage", &card),
        said("event", &[("Event", json!("user_enter_tempsession")), ("SessionFrom", json!("goods"))]),
        said("sphinx", &[("Riddle", json!("?"))]),
        wechat::text("oCustomer", "gh_mini", at, number, WORDS).into_bytes(),
    ]
}

fn members(at: i64, number: u64) -> Vec<Vec<u8>> {
    let (id, agent) = (number.to_string(), wecom::AGENT_ID.to_string());
    let said = |kind: &str, fields: &[(&str, &str)]| {
        let fields: Vec<_> = fields.iter().copied().chain([("MsgId", &*id), ("AgentID", &*agent)]).collect();
        kf::message("member-7", wecom::CORP_ID, at, kind, &fields).into_bytes()
    };
    vec![
        said("text", &[("Content", WORDS)]),
        said("image", &[("PicUrl", "https://wework.example/1"), ("MediaId", "m1")]),
        kf::hint(wecom::CORP_ID, at, wecom::OPEN_KFID).into_bytes(),
        said("event", &[("Event", "enter_agent"), ("EventKey", "")]),
    ]
}

/// Customers' messages to 微信客服.
fn customers(at: i64, number: u64) -> Vec<Value> {
    let entry = |(place, (kind, content)): (usize, (&str, Value))| {
        json!({ "msgid": format!("kf{number}-{place}"), "open_kfid": wecom::OPEN_KFID, "external_userid": "wmCustomer",
            "send_time": at, "origin": 3, "msgtype": kind, kind: content })
    };
    let entries = [
        ("text", json!({ "content": WORDS })),
        ("image", json!({ "media_id": "m1" })),
        ("voice", json!({ "media_id": "m2" })),
        ("video", json!({ "media_id": "m3" })),
        ("file", json!({ "media_id": "m4" })),
        ("location", json!({ "latitude": 31.2, "longitude": 121.5, "name": "上海", "address": "人民广场" })),
        ("link", json!({ "title": "t", "desc": "d", "url": "https://x.example", "pic_url": "" })),
        ("miniprogram", json!({ "title": "商品", "appid": wx::APP_ID, "pagepath": "pages/goods", "thumb_media_id": "m5" })),
        ("channels_shop_order", json!({ "order_id": "O1", "product_titles": "订单", "state": "待发货" })),
        ("event", json!({ "event_type": "enter_session", "open_kfid": wecom::OPEN_KFID, "external_userid": "wmCustomer" })),
        ("sphinx", json!({ "riddle": "?" })),
    ];
    entries.into_iter().enumerate().map(entry).collect()
}
