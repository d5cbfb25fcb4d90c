//! Replies, tokens, and the platform's answers.

use super::*;

fn rendered(
    to: &str,
    content: &Content,
    reply_to: &Value,
    account: &Account,
    now: Timestamp,
) -> Result<(String, Value), Undeliverable> {
    let reply = Outbound { to, id: "018f0000-0000-7000-8000-000000000001", content, at: NOW, reply_to: Some(reply_to) };
    match WecomAdapter.render(account, &reply, &Call { now, ..call(Some("T")) })? {
        Rendered::Call(call) => {
            let path = call.url.strip_prefix("http://127.0.0.1:9/cgi-bin/").and_then(|p| p.strip_suffix("?access_token=T"));
            Ok((path.unwrap().to_owned(), serde_json::from_slice(&call.body).unwrap()))
        }
        Rendered::Held => panic!("held"),
    }
}

#[test]
fn replies_to_members() {
    let agent = json!({ "agent_id": 7 });
    let send = |content: &Content| rendered("zhangsan", content, &agent, &account(), NOW);
    let expected = json!({ "touser": "zhangsan", "msgtype": "text", "agentid": 7, "text": { "content": "您好" } });
    assert_eq!(send(&Content::text("您好")), Ok(("message/send".into(), expected)));
    let link = |url: &str| Content::Link { title: "t".into(), description: None, url: url.into() };
    let articles = json!({ "articles": [{ "title": "t", "description": "", "url": "https://x" }] });
    assert_eq!(send(&link("https://x")).unwrap().1["news"], articles);
    assert_eq!(send(&link("miniprogram://wx1/p#M")), Err(Undeliverable::KindNotSupported));
    assert_eq!(send(&Content::File { media: Media::default() }), Err(Undeliverable::MediaIdMissing));
    assert_eq!(send(&Content::text("好".repeat(683))), Err(Undeliverable::TextTooLong));
    assert_eq!(rendered("zhangsan", &Content::text("x"), &json!({}), &account(), NOW), Err(Undeliverable::AgentIdMissing));
    for to in ["@all", "a|b", "sys"] {
        assert_eq!(rendered(to, &Content::text("x"), &agent, &account(), NOW), Err(Undeliverable::RecipientUnknown), "{to}");
    }
    let own = Account { agent_id: Some(3), ..account() };
    assert_eq!(rendered("li", &Content::text("x"), &json!(null), &own, NOW).unwrap().1["agentid"], 3);
}

#[test]
fn replies_to_customers() {
    let kf = json!({ "open_kfid": "wk1" });
    let send = |content: &Content| rendered("wmA", content, &kf, &account(), NOW);
    let msgid = "018f0000000070008000000000000001";
    let expected =
        json!({ "touser": "wmA", "open_kfid": "wk1", "msgid": msgid, "msgtype": "text", "text": { "content": "您好" } });
    assert_eq!(send(&Content::text("您好")), Ok(("kf/send_msg".into(), expected)));
    let link = |url: &str| Content::Link { title: "t".into(), description: Some("d".into()), url: url.into() };
    assert_eq!(send(&link("https://x")).unwrap().1["text"], json!({ "content": "t\nd\nhttps://x" }));
    assert_eq!(send(&link(&format!("https://x/{}", "a".repeat(2048)))), Err(Undeliverable::TextTooLong));
    let card = json!({ "appid": "wx1", "title": "t", "pagepath": "p", "thumb_media_id": "M" });
    assert_eq!(send(&link("miniprogram://wx1/p#M")).unwrap().1["miniprogram"], card);
    assert_eq!(send(&link("miniprogram://wx1/p")), Err(Undeliverable::CoverMissing));
    let place = Content::Location { latitude: 1.5, longitude: 2.5, scale: None, label: Some("店".into()) };
    let expected = json!({ "name": "店", "address": "店", "latitude": 1.5, "longitude": 2.5 });
    assert_eq!(send(&place).unwrap().1["location"], expected);
    assert_eq!(send(&Content::Note { text: "x".into() }), Err(Undeliverable::KindNotSupported));
}

#[test]
fn who_has_just_entered_is_welcomed_with_the_code() {
    let reply_to = json!({ "open_kfid": "wk1", "welcome_code": "W", "welcome_until": NOW.secs() + 20 });
    let send = |content: &Content, now| rendered("wmA", content, &reply_to, &account(), now).unwrap();
    let (path, body) = send(&Content::text("欢迎"), NOW.plus_millis(19_000));
    assert_eq!(
        (path.as_str(), &body["code"], &body["text"]),
        ("kf/send_msg_on_event", &json!("W"), &json!({ "content": "欢迎" }))
    );
    assert!(body.get("touser").is_none() && body.get("open_kfid").is_none());
    assert_eq!(send(&Content::text("欢迎"), NOW.plus_millis(20_000)).0, "kf/send_msg");
    let image = Content::Image { media: Media { id: Some("M".into()), ..Media::default() } };
    assert_eq!(send(&image, NOW).0, "kf/send_msg", "only text can be sent with a code");
}

#[test]
fn tokens() {
    let request = WecomAdapter.token_request(&account(), false, &call(None)).unwrap();
    assert_eq!(request.url, "http://127.0.0.1:9/cgi-bin/gettoken?corpid=wwcorp&corpsecret=s3%26");
    let bare = Account { secret: None, ..account() };
    assert!(WecomAdapter.token_request(&bare, false, &call(None)).is_none());
    let media = Media { id: Some("M".into()), ..Media::default() };
    assert_eq!(WecomAdapter.media(&bare, &media, &call(None)).err(), Some(Undeliverable::CredentialsMissing));
    let url = WecomAdapter.media(&account(), &media, &call(Some("T"))).ok().unwrap().url;
    assert_eq!(url, "http://127.0.0.1:9/cgi-bin/media/get?access_token=T&media_id=M");
    let read = |body: &str| WecomAdapter.read_token(&ApiResponse { status: 200, body: body.as_bytes() });
    let token = read(r#"{"errcode":0,"errmsg":"ok","access_token":"T","expires_in":7200}"#).ok().unwrap();
    assert_eq!((token.value.as_str(), token.expires_in), ("T", 7200));
    for (code, outcome) in [
        (40001, Outcome::Permanent("credentials_refused")),
        (40013, Outcome::Permanent("credentials_refused")),
        (41001, Outcome::Permanent("credentials_refused")),
        (60020, Outcome::Permanent("ip_not_allowed")),
        (-1, Outcome::Retry("platform_busy")),
    ] {
        assert_eq!(read(&format!(r#"{{"errcode":{code}}}"#)).err(), Some(outcome));
    }
}

#[test]
fn answers() {
    let sent = |status, body: &str| WecomAdapter.read_answer(&ApiResponse { status, body: body.as_bytes() });
    assert_eq!(sent(200, r#"{"errcode":0,"errmsg":"ok","msgid":"x"}"#), Outcome::Sent);
    // F3: a repeat of a message that the platform has is no failure.
    assert_eq!(sent(200, r#"{"errcode":95999,"errmsg":"msgid exist, hint: [1]"}"#), Outcome::Sent);
    assert_eq!(sent(200, r#"{"errcode":95999,"errmsg":"Duplicate msgid"}"#), Outcome::Sent);
    assert_eq!(sent(200, r#"{"errcode":40058,"errmsg":"msgid exceed max length"}"#), Outcome::Permanent("platform_refused"));
    assert_eq!(sent(200, r#"{"errcode":0,"invaliduser":""}"#), Outcome::Sent);
    assert_eq!(sent(200, r#"{"errcode":0,"invaliduser":"zhangsan"}"#), Outcome::Permanent("recipient_unknown"));
    for (code, outcome) in [
        (40014, Outcome::RefreshToken),
        (42001, Outcome::RefreshToken),
        (-1, Outcome::Retry("platform_busy")),
        (45009, Outcome::Retry("rate_limited")),
        (95001, Outcome::Permanent("reply_quota_used")),
        (95002, Outcome::Permanent("reply_window_closed")),
        (95018, Outcome::Permanent("conversation_held_elsewhere")),
        (81013, Outcome::Permanent("recipient_unknown")),
        (40007, Outcome::Permanent("media_refused")),
        (301_002, Outcome::Permanent("api_not_authorized")),
        (99_999, Outcome::Permanent("platform_refused")),
    ] {
        assert_eq!(sent(200, &format!(r#"{{"errcode":{code}}}"#)), outcome, "{code}");
    }
    assert_eq!(sent(200, "<html>"), Outcome::Retry("answer_unreadable"));
    assert_eq!(sent(500, ""), Outcome::Retry("platform_unavailable"));
    assert_eq!(sent(429, ""), Outcome::Retry("rate_limited"));
    assert_eq!(sent(403, ""), Outcome::Permanent("http_refused"));
}

#[test]
fn f3_every_reply_to_a_customer_has_a_stable_msgid_that_fits() {
    let (content, kf) = (Content::text("您好"), json!({ "open_kfid": "wk1" }));
    let msgid = |id: &str| {
        let reply = Outbound { to: "wmA", id, content: &content, at: NOW, reply_to: Some(&kf) };
        let Ok(Rendered::Call(call)) = WecomAdapter.render(&account(), &reply, &call(Some("T"))) else { panic!() };
        serde_json::from_slice::<Value>(&call.body).unwrap()["msgid"].as_str().map(str::to_owned)
    };
    // The outbox names a message like this.
    let id = warmline_model::MessageId::from_bytes(&[0xab; 16]).unwrap().to_string();
    assert_eq!(id.len(), 36);
    assert_eq!(msgid(&id).as_deref(), Some("ab".repeat(16).as_str()));
    assert_eq!(msgid(&id), msgid(&id));
    let other = warmline_model::MessageId::from_bytes(&[0xac; 16]).unwrap().to_string();
    assert_ne!(msgid(&id), msgid(&other));
}
