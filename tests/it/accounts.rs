//! Channel accounts, from the side of those who connect them: the traces of a refused webhook, the health of an account,
//! disabling and deleting one, and limits on strangers.

use crate::harness::{Answer, Server, Shop, at_once, now, on_spin, send, until};
use serde_json::{Value, json};
use std::sync::LazyLock;
use warmline_channels::wechat::sign;

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("accounts"));

fn path(shop: &Shop, channel: &str) -> String {
    format!("/api/accounts/{channel}/{}", shop.name)
}

fn health(shop: &Shop, channel: &str) -> Value {
    shop.admin.get(&format!("{}/health", path(shop, channel))).expect(200).json()
}

/// The log's lines about refused webhooks of an account.
fn lines(account: &str) -> Vec<String> {
    let wanted = format!("/{account}: ");
    SERVER.output().lines().filter(|l| l.contains("refused ") && l.contains(&wanted)).map(str::to_owned).collect()
}

#[test]
fn newcomer_a_refused_webhook_is_in_the_log_and_in_the_accounts_health_with_what_to_check() {
    let shop = Shop::on(&SERVER, &json!({}));
    let wechat = shop.wechat();
    let body = wechat.text("oSecretPerson", 1, "悄悄话");
    let forged = sign::plain_query("another-token", &now().to_string(), "n");
    for _ in 0..5 {
        wechat.post(&forged, &body).refused(401, "signature_wrong");
    }
    // Refusals are told apart by milliseconds, and a call may take less than one.
    std::thread::sleep(std::time::Duration::from_millis(5));
    let late = sign::plain_query(&wechat.token, &(now() - 7200).to_string(), "n");
    wechat.post(&late, &body).refused(401, "stale");
    let told = until("both reasons are in the log", || {
        let told = lines(&shop.name);
        let both = ["signature_wrong", "stale"].iter().all(|reason| told.iter().any(|line| line.contains(reason)));
        both.then_some(told)
    });
    // There are two, unless a new minute began meanwhile.
    assert!(told.len() <= 4, "{told:?}");
    // Spin passes lines on without their level.
    assert!(on_spin() || told.iter().all(|line| line.contains("INFO")), "{told:?}");
    assert!(told.iter().any(|line| line.contains("s behind this server's clock")), "{told:?}");
    assert!(told.iter().any(|line| line.contains("the secrets `token`")), "{told:?}");
    for secret in [&wechat.token, &wechat.app_secret, "oSecretPerson", "悄悄话", "another-token"] {
        assert!(!SERVER.output().contains(secret), "{secret} is in the log");
    }
    let seen = health(&shop, "wechat");
    assert_eq!(seen["last_webhook_at"], Value::Null);
    assert_eq!((&seen["last_refused"]["reason"], &seen["last_refused"]["count"]), (&json!("stale"), &json!(1)));
    assert!(seen["last_refused"]["check"].as_str().unwrap().contains("s behind this server's clock"));
    assert_eq!((&seen["refused"][1]["reason"], &seen["refused"][1]["count"]), (&json!("signature_wrong"), &json!(5)));
    // The log also names an unknown account. The figures do not count it.
    let other = wechat.url.replace(&shop.name, &format!("{}x", shop.name));
    send("POST", &format!("{other}?{}", wechat.query()), &[], body).refused(404, "unknown_account");
    until("the unknown name is in the log", || lines(&format!("{}x", shop.name)).pop());
    // A good webhook comes.
    wechat.say("oSecretPerson", "好了");
    until("the platform was heard", || health(&shop, "wechat")["last_webhook_at"].as_str().map(str::to_owned));
}

#[test]
fn newcomer_health_shows_what_is_missing_the_token_the_outbox_and_the_sources() {
    let shop = Shop::on(&SERVER, &json!({}));
    let secrets = json!({ "token": "test-token" });
    shop.connect("wechat", json!({}), &secrets);
    let seen = health(&shop, "wechat");
    assert_eq!((&seen["state"], &seen["missing_for_sending"]), (&json!("enabled"), &json!(["app_id", "app_secret"])));
    assert_eq!(seen["token"], json!({ "wanted": false, "expires_at": null, "problem": null }));
    assert_eq!((&seen["unfit"], &seen["last_refused"]), (&Value::Null, &Value::Null));
    assert_eq!(seen["outbox"], json!({ "waiting": 0, "given_up": 0 }));
    assert_eq!(seen["conversations"], json!({ "open": 0, "waiting": 0, "most_waiting": 10_000 }));
    // With the missing settings, a reply leaves and the token's end is known.
    let second = Shop::on(&SERVER, &json!({}));
    let (wechat, agent) = (second.wechat(), second.agent(2));
    wechat.say("oUser", "在吗");
    let id = second.wait_state("assigned");
    assert_eq!(health(&second, "wechat")["conversations"]["open"], 1);
    let message = agent.reply(&id, "在");
    second.wait_delivery(&id, &message, "sent");
    let token = health(&second, "wechat")["token"].take();
    assert!(token["wanted"] == true && token["expires_at"].is_string() && token["problem"].is_null(), "{token}");
    // A source that is fetched shows its state.
    let settings = json!({ "app_key": "12345678", "api_base": shop.platform.url() });
    shop.connect("taobao", settings, &json!({ "app_secret": "0123456789abcdef" }));
    let sources = until("the source was asked", || {
        let sources = health(&shop, "taobao")["sources"].take();
        sources[0]["asked_at"].is_string().then_some(sources)
    });
    assert!(sources[0]["polled"] == true && sources[0]["problem"].is_string(), "the platform speaks WeChat: {sources}");
    shop.admin.get("/api/accounts/wechat/nobody/health").refused(404, "not_found");
    agent.api.get(&format!("{}/health", path(&second, "wechat"))).refused(403, "role_not_allowed");
}

#[test]
fn newcomer_a_disabled_account_takes_and_sends_nothing_until_it_is_enabled() {
    let shop = Shop::on(&SERVER, &json!({}));
    let (wechat, web, agent) = (shop.wechat(), shop.web(&[]), shop.agent(4));
    wechat.say("oUser", "在吗");
    let id = shop.wait_state("assigned");
    let visitor = web.visitor();
    let by = |channel: &str, verb: &str| shop.admin.post(&format!("{}/{verb}", path(&shop, channel)), &json!({}));
    for channel in ["wechat", "webchat"] {
        let view = by(channel, "disable").expect(200).json();
        assert_eq!((&view["state"], view["disabled_at"].is_string()), (&json!("disabled"), true));
        by(channel, "disable").expect(200);
    }
    wechat.plain(wechat.text("oUser", 7, "收得到吗")).refused(403, "account_disabled");
    visitor.post(json!({ "id": "1", "text": "有人吗" }).to_string()).refused(403, "account_disabled");
    send("POST", &format!("{}/session", web.url), &[], "").refused(403, "account_disabled");
    let body = json!({ "content": { "kind": "text", "text": "在" } });
    agent.act(&id, "messages", &body).refused(409, "account_disabled");
    let seen = health(&shop, "wechat");
    assert_eq!((&seen["state"], &seen["last_refused"]["reason"]), (&json!("disabled"), &json!("account_disabled")));
    let listed = shop.admin.get("/api/accounts").expect(200).json();
    let mine = |a: &&Value| a["account"] == shop.name.as_str() && a["state"] == "disabled";
    assert_eq!(listed["items"].as_array().unwrap().iter().filter(mine).count(), 2);
    assert_eq!(by("wechat", "enable").expect(200).json()["state"], "enabled");
    by("webchat", "enable").expect(200);
    wechat.say("oUser", "又来了");
    visitor.say("有人吗");
    shop.wait_delivery(&id, &agent.reply(&id, "在"), "sent");
    agent.api.post(&format!("{}/disable", path(&shop, "wechat")), &json!({})).refused(403, "role_not_allowed");
    shop.admin.post("/api/accounts/wechat/nobody/disable", &json!({})).refused(404, "not_found");
    let entries = shop.admin.all("/api/audit");
    let named = format!("wechat/{}", shop.name);
    let mine = entries.iter().filter(|e| e["reason"] == named.as_str()).map(|e| e["action"].as_str().unwrap());
    let done = ["account.created", "account.disabled", "account.disabled", "account.enabled"];
    assert_eq!(mine.collect::<Vec<_>>(), done);
}

#[test]
fn newcomer_an_account_is_deleted_when_nothing_uses_it_and_a_new_one_starts_clean() {
    let shop = Shop::on(&SERVER, &json!({}));
    let (web, agent) = (shop.web(&[]), shop.agent(4));
    let visitor = web.visitor();
    visitor.say("有人吗");
    let id = shop.wait_state("assigned");
    let refused = shop.admin.delete(&path(&shop, "webchat")).refused(409, "account_in_use").json();
    assert!(refused["detail"].as_str().unwrap().starts_with("1 open conversations"), "{refused}");
    agent.close(&id);
    shop.admin.delete(&path(&shop, "webchat")).expect(200);
    shop.admin.delete(&path(&shop, "webchat")).refused(404, "not_found");
    visitor.post(json!({ "id": "2", "text": "还在吗" }).to_string()).refused(404, "unknown_account");
    // The messages stay readable.
    assert_eq!(shop.conversation(&id)["account"], shop.name.as_str());
    assert_eq!(shop.messages(&id)[0]["content"]["text"], "有人吗");
    // A new account with the same name accepts no session of the old one.
    let again = shop.web(&[]);
    visitor.post(json!({ "id": "3", "text": "旧会话" }).to_string()).refused(401, "signature_wrong");
    assert_eq!(health(&shop, "webchat")["last_refused"]["reason"], "signature_wrong");
    again.visitor().say("新会话");
    shop.wait_text("新会话");
}

#[test]
fn m4_a_flood_of_anonymous_visitors_is_bounded_and_those_who_talk_go_on() {
    let shop = Shop::on(&SERVER, &json!({}));
    shop.connect("webchat", json!({ "new_sessions_per_minute": 20, "most_waiting": 8 }), &json!({}));
    let web = crate::harness::Web::new(&shop.base, &shop.name);
    let first = web.visitor();
    first.say("我先来的");
    shop.wait_state("queued");
    let answers: Vec<Answer> =
        at_once(8, |_| (0..30).map(|_| send("POST", &format!("{}/session", web.url), &[], "")).collect::<Vec<_>>())
            .into_iter()
            .flatten()
            .collect();
    let begun = answers.iter().filter(|a| a.status == 201).count();
    assert!((10..=40).contains(&begun), "20 a minute, and perhaps a new minute: {begun}");
    for refused in answers.iter().filter(|a| a.status != 201) {
        let refused = refused.clone().refused(429, "too_many_sessions");
        assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() <= 60);
    }
    for (n, answer) in answers.iter().filter(|a| a.status == 201).enumerate() {
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        let headers = [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
        let body = json!({ "id": n.to_string(), "text": "在吗" }).to_string();
        let answer = send("POST", &format!("{}/messages", web.url), &headers, body);
        assert!(matches!(answer.status, 200 | 429), "{}", answer.text());
    }
    let queued = || shop.conversations().iter().filter(|c| c["state"] == "queued").count();
    until("as many wait as may", || (queued() == 8).then_some(()));
    first.say("我还在");
    shop.wait_text("我还在");
    let seen = health(&shop, "webchat");
    let reasons: Vec<&str> = seen["refused"].as_array().unwrap().iter().map(|r| r["reason"].as_str().unwrap()).collect();
    assert!(reasons.contains(&"too_many_sessions"), "{reasons:?}");
    assert_eq!(seen["conversations"]["most_waiting"], 8);
    assert!(queued() <= 8);
}

#[test]
fn newcomer_a_wrong_name_is_refused_with_the_right_ones() {
    let shop = Shop::on(&SERVER, &json!({}));
    let connect = |settings: Value, secrets: Value| {
        let body = json!({ "channel": "wechat", "account": "x", "name": "x", "settings": settings, "secrets": secrets });
        let answer = shop.admin.post("/api/accounts", &body).refused(422, "bad_account").json();
        (answer["field"].as_str().unwrap().to_owned(), answer["detail"].as_str().unwrap().to_owned())
    };
    let (field, detail) = connect(json!({ "appid": "wx1" }), json!({ "token": "test" }));
    assert_eq!(field, "appid");
    assert!(detail.contains("did you mean `app_id`?") && detail.contains("`max_age_secs`"), "{detail}");
    let (field, detail) = connect(json!({}), json!({ "tokn": "test" }));
    assert_eq!(field, "tokn");
    assert!(detail.contains("did you mean `token`?") && detail.contains("`encoding_aes_key`"), "{detail}");
    let group = json!({ "id": "g-wrong", "name": "客服", "settings": { "acceptSecs": 60 } });
    let refused = shop.admin.post("/api/groups", &group).refused(422, "invalid_body").json();
    assert!(refused["detail"].as_str().unwrap().contains("did you mean `accept_secs`?"), "{refused}");
    let rules = json!({ "rules": [{ "contain": ["退"], "group": shop.name }] });
    let refused = shop.admin.put("/api/routing/rules", &rules).refused(422, "invalid_body").json();
    assert!(refused["detail"].as_str().unwrap().contains("did you mean `contains`?"), "{refused}");
    let mut plan = shop.admin.get("/api/routing/plan").expect(200).json()["plan"].take();
    plan["presense"] = json!({});
    let refused = shop.admin.put("/api/routing/plan", &plan).refused(422, "invalid_body").json();
    assert!(refused["detail"].as_str().unwrap().contains("did you mean `presence`?"), "{refused}");
    let body = json!({ "channel": "wechat-mp", "account": "x", "name": "x" });
    let refused = shop.admin.post("/api/accounts", &body).refused(422, "unknown_channel").json();
    assert!(refused["detail"].as_str().unwrap().contains("`wechat`"), "{refused}");
}

#[test]
fn newcomer_a_webhooks_address_in_a_browser_says_what_it_is() {
    let shop = Shop::on(&SERVER, &json!({}));
    let wechat = shop.wechat();
    let page = send("GET", &wechat.url, &[("accept", "text/html,*/*".to_owned())], "").expect(405);
    assert_eq!(page.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(page.header("allow"), Some("POST"));
    let address = format!("/channels/wechat/{}", shop.name);
    assert!(page.text().contains(&address) && page.text().contains("`token`"), "{}", page.text());
    assert!(!page.text().contains(&wechat.token));
    let problem = send("GET", &wechat.url, &[], "").refused(405, "webhook_address").json();
    assert!(problem["detail"].as_str().unwrap().contains("messages are posted to it"), "{problem}");
    let unknown = send("GET", &wechat.url.replace(&shop.name, "nobody"), &[], "").refused(404, "unknown_account").json();
    assert!(unknown["detail"].as_str().unwrap().contains("GET /api/accounts"), "{unknown}");
    assert_eq!(health(&shop, "wechat")["refused"], json!([]), "a visit is no refusal");
    // A channel whose secret is in its address explains itself, and a visit does not reveal the address.
    shop.connect("sms", json!({ "provider": "aliyun" }), &json!({ "address_token": "0123456789abcdef" }));
    for rest in ["", "/0123456789abcdef", "?token=0123456789abcdef", "/wrong"] {
        let page = send("GET", &format!("{}{rest}", wechat.url.replace("/wechat/", "/sms/")), &[], "");
        let problem = page.refused(405, "webhook_address").json();
        assert!(problem["detail"].as_str().unwrap().contains("/<address_token>"), "{rest}: {problem}");
    }
    // The platform's own check of the address is answered as usual.
    let echo = format!("{}?{}&echostr=42", wechat.url, wechat.query());
    assert_eq!(send("GET", &echo, &[], "").expect(200).text(), "42");
}
