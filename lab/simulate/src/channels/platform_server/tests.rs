//! A stand with real connections, as WeChat's API.

use super::super::wechat::Wechat;
use super::*;
use serde_json::json;
use warmline_client::Http;

struct Caller {
    platform: PlatformServer,
    runtime: tokio::runtime::Runtime,
    http: Http,
}

impl Caller {
    fn new() -> Self {
        Self::of(Wechat::of_any_app())
    }

    fn of(platform: Wechat) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { platform: PlatformServer::start(Box::new(platform)).unwrap(), runtime, http: Http::new() }
    }

    fn post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let url = format!("{}{path}", self.platform.url());
        let answer = self.runtime.block_on(self.http.send("POST", &url, &[], body.to_string())).ok()?;
        Some((answer.status, serde_json::from_slice(&answer.body).unwrap_or_default()))
    }

    fn token(&self, force: bool) -> String {
        let body = json!({ "grant_type": "client_credential", "appid": "wx1", "secret": "s", "force_refresh": force });
        let (_, answer) = self.post("/cgi-bin/stable_token", &body).unwrap();
        answer["access_token"].as_str().unwrap_or_default().to_owned()
    }

    fn send(&self, token: &str, text: &str) -> Option<(u16, Value)> {
        let body = json!({ "touser": "o1", "msgtype": "text", "text": { "content": text } });
        self.post(&format!("/cgi-bin/message/custom/send?access_token={token}"), &body)
    }

    fn code(&self, token: &str, text: &str) -> i64 {
        self.send(token, text).unwrap().1["errcode"].as_i64().unwrap()
    }
}

#[test]
fn takes_messages_with_a_valid_token_only_and_keeps_their_order() {
    let c = Caller::new();
    assert_eq!(c.code("made-up", "甲"), 40001);
    let token = c.token(false);
    assert_eq!(c.token(false), token, "the token is stable");
    assert_eq!((c.code(&token, "甲"), c.code(&token, "乙")), (0, 0));
    assert_eq!(c.platform.texts_to("o1"), ["甲", "乙"]);
    assert_eq!(c.platform.sent_after("o1", 1).len(), 1);
    assert_eq!(c.platform.sent_count(), 2);
    let counts = c.platform.counts();
    assert_eq!((counts.token_calls, counts.tokens_issued, counts.accepted, counts.refused), (2, 1, 2, 1));
}

#[test]
fn a_forced_or_expired_token_ends_the_old_one() {
    let c = Caller::new();
    let old = c.token(false);
    let new = c.token(true);
    assert_ne!(old, new);
    assert_eq!((c.code(&old, "甲"), c.code(&new, "甲")), (40001, 0));
    c.platform.expire_token();
    assert_eq!(c.code(&new, "乙"), 40001);
    let c = Caller::of(Wechat { token_secs: 0, ..Wechat::of_any_app() });
    assert_eq!(c.code(&c.token(true), "乙"), 40001);
}

#[test]
fn an_app_needs_its_secret() {
    let c = Caller::of(Wechat { app_id: "wx1".into(), app_secret: "other".into(), ..Wechat::default() });
    assert_eq!(c.token(false), "");
    let c = Caller::of(Wechat { app_id: "wx1".into(), app_secret: "s".into(), ..Wechat::default() });
    assert_ne!(c.token(false), "");
}

#[test]
fn errors_come_as_scripted_then_all_is_well() {
    let c = Caller::new();
    let token = c.token(false);
    c.platform.script(Rule::send(Behaviour::Error(45015)).once());
    c.platform.script(Rule::send(Behaviour::Status(500)).once());
    assert_eq!(c.code(&token, "甲"), 45015);
    assert_eq!(c.send(&token, "甲").unwrap().0, 500);
    assert_eq!(c.code(&token, "甲"), 0);
    c.platform.script(Rule::token(Behaviour::Error(-1)));
    assert_eq!(c.token(false), "");
    c.platform.clear_script();
    assert_eq!(c.token(false), token);
}

#[test]
fn a_dropped_connection_has_no_answer_whether_or_not_the_message_was_taken() {
    let c = Caller::new();
    let token = c.token(false);
    c.platform.script(Rule::send(Behaviour::DropBefore).once());
    c.platform.script(Rule::send(Behaviour::DropAfter).once());
    assert!(c.send(&token, "甲").is_none());
    assert!(c.platform.sent().is_empty());
    assert!(c.send(&token, "甲").is_none());
    assert_eq!(c.platform.texts_to("o1"), ["甲"]);
    assert!(!c.platform.taken_since(0)[0].answered);
    assert_eq!(c.code(&token, "甲"), 0);
    let counts = c.platform.counts();
    assert_eq!((counts.dropped_before, counts.dropped_after, counts.accepted), (1, 1, 2));
}

#[test]
fn a_delay_holds_the_answer_back() {
    let c = Caller::new();
    let token = c.token(false);
    c.platform.script(Rule::send(Behaviour::Delay(Duration::from_millis(120))).once());
    let begin = Instant::now();
    assert_eq!(c.code(&token, "甲"), 0);
    assert!(begin.elapsed() >= Duration::from_millis(120));
}

#[test]
fn what_is_not_a_message_is_refused() {
    let c = Caller::new();
    let token = c.token(false);
    let path = format!("/cgi-bin/message/custom/send?access_token={token}");
    assert_eq!(c.post(&path, &json!({ "msgtype": "text" })).unwrap().1["errcode"], 48001);
    assert_eq!(c.post("/cgi-bin/nothing", &json!({})).unwrap().0, 404);
}
