//! WeChat official accounts, from the webhook to the agent's view, and the reply in the webhook's own answer.

use crate::harness::{Shop, Wechat, now, send, until};
use serde_json::{Value, json};
use warmline_channels::wechat::sign;
use warmline_channels::wx_crypto::{AesKey, WECHAT_PREFIX, decrypt, signature_matches};

/// The value of an element of a flat document.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.strip_prefix("<![CDATA[").and_then(|t| t.strip_suffix("]]>")).unwrap_or(text))
}

#[test]
fn the_address_check_echoes_what_is_signed_and_nothing_else() {
    let shop = Shop::open();
    let wechat = shop.wechat();
    let check = |query: &str| send("GET", &format!("{}?{query}", wechat.url), &[], "");
    let answer = check(&format!("{}&echostr=1234567890123456789", wechat.query())).expect(200);
    assert_eq!(answer.text(), "1234567890123456789");
    let forged = sign::plain_query("another", &now().to_string(), "n");
    check(&format!("{forged}&echostr=1")).refused(401, "signature_wrong");
    check("echostr=1").refused(401, "signature_missing");
}

#[test]
fn a_text_is_acknowledged_stored_assigned_and_visible() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.agent(2));
    wechat.say("oAlice", "你好，我的订单 A1 到哪了？😀");
    let id = shop.wait_state("assigned");
    let conversation = shop.conversation(&id);
    assert_eq!(conversation["agent"], agent.id.as_str());
    assert_eq!((&conversation["channel"], &conversation["group"]), (&json!("wechat"), &json!(shop.name)));
    let message = &conversation["messages"][0];
    assert_eq!(message["content"], json!({ "kind": "text", "text": "你好，我的订单 A1 到哪了？😀" }));
    assert_eq!((&message["direction"], &message["from"], &message["n"]), (&json!("in"), &json!("customer"), &json!(1)));
    assert_eq!(agent.view()["load"], 1);
    // The agent also sees it with the agent's own token.
    assert_eq!(agent.api.get(&format!("/api/conversations/{id}")).expect(200).json()["id"], id.as_str());
}

#[test]
fn an_encrypted_message_is_read_in_safe_mode_and_a_plain_one_is_not() {
    let shop = Shop::open();
    let wechat = shop.wechat_with(&json!({ "mode": "safe" }));
    shop.agent(2);
    assert_eq!(wechat.safe(&wechat.text("oAlice", 1, "加密")).expect(200).text(), "success");
    shop.wait_text("加密");
    wechat.plain(wechat.text("oAlice", 2, "明文")).refused(403, "wrong_mode");
    assert_eq!(shop.count("message.received"), 1);
}

#[test]
fn an_account_that_takes_both_reads_encrypted_and_plain_messages() {
    let shop = Shop::open();
    let wechat = shop.wechat_with(&json!({ "mode": "both" }));
    wechat.plain(wechat.text("oAlice", 1, "明文")).expect(200);
    wechat.safe(&wechat.text("oAlice", 2, "加密")).expect(200);
    shop.wait_text("明文");
    let (id, _) = shop.wait_text("加密");
    assert_eq!(shop.conversations().len(), 1, "one customer, one conversation");
    assert_eq!(shop.messages(&id).len(), 2);
}

/// Sends one message and returns the agent's view of it.
fn seen(shop: &Shop, wechat: &Wechat, from: &str, kind: &str, fields: &[(&str, &str)]) -> Value {
    let before = shop.conversations().len();
    assert_eq!(wechat.plain(wechat.message(from, kind, fields)).expect(200).text(), "success");
    let all =
        until(kind, || Some(shop.conversations()).filter(|all| all.len() > before && all[before]["message_count"] == 1));
    let id = all[before]["id"].as_str().unwrap();
    shop.messages(id)[0]["content"].clone()
}

#[test]
fn every_kind_of_message_is_visible_with_its_content() {
    let shop = Shop::open();
    let wechat = shop.wechat();
    let see = |from: &str, kind: &str, fields: &[(&str, &str)]| seen(&shop, &wechat, from, kind, fields);
    assert_eq!(
        see("o1", "image", &[("PicUrl", "http://pic.example/1"), ("MediaId", "m1")]),
        json!({ "kind": "image", "media": { "id": "m1", "url": "http://pic.example/1" } })
    );
    assert_eq!(
        see("o2", "voice", &[("MediaId", "m2"), ("Format", "amr"), ("Recognition", "我要退货")]),
        json!({ "kind": "voice", "media": { "id": "m2", "format": "amr" }, "transcript": "我要退货" })
    );
    assert_eq!(
        see("o3", "video", &[("MediaId", "m3"), ("ThumbMediaId", "t3")]),
        json!({ "kind": "video", "media": { "id": "m3", "thumb_id": "t3" } })
    );
    assert_eq!(
        see("o4", "shortvideo", &[("MediaId", "m4"), ("ThumbMediaId", "t4")]),
        json!({ "kind": "video", "media": { "id": "m4", "thumb_id": "t4", "format": "shortvideo" } })
    );
    let place = [("Location_X", "23.134521"), ("Location_Y", "113.358803"), ("Scale", "20"), ("Label", "广州")];
    assert_eq!(
        see("o5", "location", &place),
        json!({ "kind": "location", "latitude": 23.134521, "longitude": 113.358803, "scale": 20, "label": "广州" })
    );
    assert_eq!(
        see("o6", "link", &[("Title", "大米"), ("Description", "五常"), ("Url", "https://shop.example/1")]),
        json!({ "kind": "link", "title": "大米", "description": "五常", "url": "https://shop.example/1" })
    );
}

#[test]
fn events_are_kept_but_seek_nobodys_attention() {
    let shop = Shop::open();
    let wechat = shop.wechat();
    let agent = shop.agent(2);
    let xml = sign::message(
        "oFan",
        &wechat.account,
        now(),
        "event",
        &[("Event", "subscribe"), ("EventKey", "qrscene_7"), ("Ticket", "T")],
    );
    wechat.plain(xml).expect(200);
    wechat.plain(sign::event("oFan", &wechat.account, now(), "CLICK", "menu_orders")).expect(200);
    let id = shop.wait_state("open");
    let messages = until("both events", || Some(shop.messages(&id)).filter(|all| all.len() == 2));
    let expected =
        json!({ "kind": "event", "event": "subscribe", "key": "qrscene_7", "data": { "Ticket": "T", "scene": "7" } });
    assert_eq!(messages[0]["content"], expected);
    assert_eq!(messages[1]["content"]["key"], "menu_orders");
    assert_eq!((agent.view()["load"].clone(), shop.count("conversation.assigned")), (json!(0), 0));
    // Once the customer writes, an agent gets all of it.
    wechat.say("oFan", "有人吗");
    assert_eq!(shop.wait_state("assigned"), id);
}

#[test]
fn an_unknown_kind_is_acknowledged_and_visible_as_it_came() {
    let shop = Shop::open();
    let wechat = shop.wechat();
    let content = seen(&shop, &wechat, "oAlice", "sticker", &[("Face", "😀"), ("Weight", "7")]);
    assert_eq!((&content["kind"], &content["raw_kind"]), (&json!("unknown"), &json!("sticker")));
    assert_eq!((&content["raw"]["Face"], &content["raw"]["Weight"]), (&json!("😀"), &json!("7")));
}

#[test]
fn a_json_body_is_read_as_xml_is() {
    let shop = Shop::open();
    let wechat = shop.wechat();
    let body = json!({
        "ToUserName": wechat.account, "FromUserName": "oAlice", "CreateTime": now(), "MsgType": "text",
        "Content": "JSON 也行", "MsgId": u64::MAX,
    });
    assert_eq!(wechat.plain(body.to_string()).expect(200).text(), "success");
    shop.wait_text("JSON 也行");
}

#[test]
fn a_passive_reply_is_in_the_answer_and_in_the_answer_to_the_retry_and_nowhere_else() {
    let shop = Shop::with(&json!({ "greeting": "您好，稍等片刻" }));
    let wechat = shop.wechat_with(&json!({ "reply": "passive" }));
    shop.agent(2);
    let webhook = wechat.text("oAlice", 77, "在吗");
    let answer = wechat.plain(&webhook).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/xml; charset=utf-8"));
    let xml = answer.text();
    let field = |name| element(&xml, name).unwrap_or_default().to_owned();
    assert_eq!((field("ToUserName"), field("FromUserName")), ("oAlice".into(), wechat.account.clone()));
    assert_eq!((field("MsgType"), field("Content")), ("text".into(), "您好，稍等片刻".into()));
    // The platform did not receive the answer and sends the webhook again.
    let again = wechat.plain(&webhook).expect(200).text();
    assert_eq!(element(&again, "Content"), Some("您好，稍等片刻"));
    let (id, greeting) = shop.wait_text("您好，稍等片刻");
    assert_eq!((&greeting["from"], &greeting["delivery"]["state"]), (&json!("system"), &json!("sent")));
    assert_eq!(shop.count("delivery.sent"), 1);
    // Later replies go by the API. The greeting does not follow them there.
    let (agent_reply, holder) = ("有什么可以帮您", shop.conversation(&id)["agent"].as_str().unwrap().to_owned());
    assert!(!holder.is_empty());
    shop.admin
        .post(&format!("/api/conversations/{id}/messages"), &json!({ "content": { "kind": "text", "text": agent_reply } }))
        .expect(201);
    until("the later reply", || shop.platform.texts_to("oAlice").first().cloned());
    assert_eq!(shop.platform.texts_to("oAlice"), [agent_reply]);
}

#[test]
fn a_passive_reply_to_an_encrypted_webhook_is_encrypted() {
    let shop = Shop::with(&json!({ "greeting": "您好" }));
    let wechat = shop.wechat_with(&json!({ "mode": "safe", "reply": "passive" }));
    shop.agent(2);
    let xml = wechat.safe(&wechat.text("oAlice", 1, "在吗")).expect(200).text();
    let field = |name| element(&xml, name).unwrap_or_default();
    let mut parts = [wechat.token.as_str(), field("TimeStamp"), field("Nonce"), field("Encrypt")];
    assert!(signature_matches(field("MsgSignature"), &mut parts), "{xml}");
    let key = AesKey::decode(&wechat.aes_key).unwrap();
    let plain = decrypt(&key, WECHAT_PREFIX, field("Encrypt"), &wechat.app_id).unwrap();
    assert_eq!(element(std::str::from_utf8(&plain).unwrap(), "Content"), Some("您好"));
}

#[test]
fn without_a_reply_in_time_the_webhook_is_acknowledged_and_the_reply_goes_by_the_api() {
    let shop = Shop::open();
    let wechat = shop.wechat_with(&json!({ "reply": "passive" }));
    let agent = shop.agent(2);
    wechat.say("oAlice", "在吗");
    let id = shop.wait_state("assigned");
    agent.reply(&id, "在的");
    until("the reply by the API", || shop.platform.texts_to("oAlice").first().cloned());
}

#[test]
fn a_picture_is_fetched_when_somebody_looks_and_only_for_who_may() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.agent(9));
    let sees = |from: &str, id: &str| {
        wechat.plain(wechat.message(from, "image", &[("MediaId", id)])).expect(200);
        until(id, || {
            shop.conversations().iter().find_map(|c| {
                let messages = shop.messages(c["id"].as_str().unwrap());
                messages.into_iter().find(|m| m["content"]["media"]["id"] == id)?["media"].as_str().map(str::to_owned)
            })
        })
    };
    let picture = sees("oAlice", "picture-1");
    let answer = agent.api.get(&picture).expect(200);
    assert_eq!((answer.header("content-type"), &answer.body[..]), (Some("image/jpeg"), &b"picture-1"[..]));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    // The token is replaced if the platform refuses it.
    shop.platform.expire_token();
    agent.api.get(&picture).expect(200);
    // A page made by a stranger is bytes to save, and is not shown.
    let page = agent.api.get(&sees("oBob", "page-1")).expect(200);
    assert_eq!(page.header("content-type"), Some("application/octet-stream"));
    agent.api.get(&sees("oCarol", "gone-1")).refused(502, "media_unavailable");
    // Other agents cannot see it, and a missing one cannot be fetched.
    shop.hire(1, &json!({})).api.get(&picture).refused(404, "not_found");
    send("GET", &format!("{}{picture}", shop.base), &[], "").refused(401, "token_missing");
    let (conversation, _) = picture.rsplit_once('.').unwrap();
    for place in
        [format!("{conversation}.99"), format!("{conversation}.x"), "/api/media/x".into(), format!("{conversation}.0")]
    {
        agent.api.get(&place).refused(404, "not_found");
    }
    wechat.say("oAlice", "文字");
    let (_, text) = shop.wait_text("文字");
    assert!(text.get("media").is_none());
}
