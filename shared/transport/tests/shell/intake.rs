//! Webhooks: passive replies, and refusals.

use crate::wechat::{connect, deliver, says, webhook, works};
use crate::world::{Chunks, Environment, Part, admin, post, request};
use serde_json::json;
use warmline_channels::wechat::WechatAdapter;
use warmline_model::{AccountId, Channel};
use warmline_store::{immediate, refusals};
use warmline_transport::accounts;
use warmline_transport::incoming::Incoming;

const PASSIVE: &str = "passive";

fn refused(w: &Environment) -> Vec<(String, i64)> {
    refusals::totals(&w.0.db).unwrap().into_iter().map(|(_, reason, n)| (reason, n)).collect()
}

#[test]
fn a_reply_that_is_ready_in_time_is_the_answer_of_the_webhook_and_of_its_retry() {
    let w = Environment::new();
    connect(&w, PASSIVE);
    w.agent("{}");
    w.after(2_000, |w| w.reply_to_only("今天发货"));
    let answer = says(&w, "oUser", 1, "什么时候发货");
    assert!(answer.borrow().text().contains("今天发货"));
    assert!((2_000..2_200).contains(&answer.borrow().at), "{}", answer.borrow().at);
    assert_eq!(w.events("delivery.sent"), 1);
    // The platform did not receive the answer, and sends the webhook again.
    let again = says(&w, "oUser", 1, "什么时候发货");
    assert!(again.borrow().text().contains("今天发货"));
    assert_eq!(w.now(), answer.borrow().at, "the retry waits for nothing");
    deliver(&w);
    assert_eq!((w.events("delivery.sent"), w.events("message.received"), w.asked("")), (1, 1, 0));
}

#[test]
fn a_reply_that_is_late_goes_through_the_api() {
    let w = Environment::new();
    connect(&w, PASSIVE);
    w.agent("{}");
    works(&w);
    let answer = says(&w, "oUser", 1, "在吗");
    assert_eq!((answer.borrow().status, answer.borrow().text().as_str()), (200, "success"));
    assert!((4_500..4_700).contains(&answer.borrow().at), "{}", answer.borrow().at);
    w.reply_to_only("在的");
    deliver(&w);
    assert_eq!((w.asked("/message/custom/send"), w.events("delivery.sent")), (1, 1));
}

#[test]
fn a_message_that_wants_no_passive_reply_is_acknowledged_at_once() {
    let w = Environment::new();
    connect(&w, "api");
    w.agent("{}");
    let answer = says(&w, "oUser", 1, "在吗");
    assert_eq!((answer.borrow().at, answer.borrow().text().as_str()), (0, "success"));
    assert_eq!(w.conversations().len(), 1, "the router was woken after the answer");
}

#[test]
fn a_refused_webhook_is_counted_each_time_and_logged_once_a_minute() {
    let w = Environment::new();
    connect(&w, "api");
    let forged = || post("/channels/wechat/gh_rice?signature=00&timestamp=1700000000&nonce=1", "<xml/>");
    for n in 1..=3 {
        let answer = w.serve(&WechatAdapter, forged());
        assert_eq!((answer.borrow().status, answer.borrow().code().as_str()), (401, "signature_wrong"));
        assert_eq!(refused(&w), [("signature_wrong".to_owned(), n)]);
    }
    assert_eq!(w.0.log.borrow().len(), 1);
    assert!(w.0.log.borrow()[0].starts_with("refused wechat/gh_rice: 401 signature_wrong"), "{:?}", w.0.log.borrow());
    w.pass(60_000);
    w.serve(&WechatAdapter, forged());
    assert_eq!(w.0.log.borrow().len(), 2);
}

#[test]
fn a_setting_of_the_routers_that_cannot_be_read_stops_no_account() {
    let w = Environment::new();
    let odd = json!({ "app_id": "wx1", "mode": "plain", "group": 7, "most_waiting": 5, "new_sessions_per_minute": "many" });
    w.connect("wechat", "gh_rice", odd, &[("token", "test"), ("app_secret", "s3cret")]);
    w.agent("{}");
    let answer = w.serve(&WechatAdapter, webhook(&w, "oUser", 1, "在吗"));
    assert_eq!((answer.borrow().status, answer.borrow().text().as_str()), (200, "success"));
    assert_eq!(w.conversations().len(), 1);
    let place = (Channel::new("wechat").unwrap(), AccountId::new("gh_rice").unwrap());
    let routing = accounts::routing(&w.ctx(), &place.0, &place.1).unwrap().unwrap();
    assert_eq!((routing.group(), routing.most_waiting()), (None, 5));
    assert_eq!(routing.fault().map(|fault| fault.field).as_deref(), Some("group"));
}

#[test]
fn an_account_that_is_unknown_disabled_or_unfit_takes_nothing_and_says_why() {
    let w = Environment::new();
    connect(&w, "api");
    w.connect("wechat", "gh_old", json!({ "app_id": 5 }), &[("token", "test")]);
    let asked = |path: &str| {
        let answer = w.serve(&WechatAdapter, post(path, "<xml/>"));
        (answer.borrow().status, answer.borrow().code())
    };
    assert_eq!(asked("/channels/wechat/gh_none"), (404, "unknown_account".to_owned()));
    assert_eq!(asked("/channels/weibo/gh_rice"), (404, "unknown_account".to_owned()));
    assert_eq!(asked("/channels/wechat/gh_old"), (503, "account_unfit".to_owned()));
    let place = (Channel::new("wechat").unwrap(), AccountId::new("gh_rice").unwrap());
    immediate(&w.0.db, || accounts::disable(&w.ctx(), &admin(), &place.0, &place.1)).unwrap();
    let answer = w.serve(&WechatAdapter, webhook(&w, "oUser", 1, "在吗"));
    assert_eq!((answer.borrow().status, answer.borrow().code().as_str()), (403, "account_disabled"));
    let counted = [("account_disabled", 1), ("account_unfit", 1)];
    assert_eq!(refused(&w), counted.map(|(reason, n)| (reason.to_owned(), n)));
    // Strangers choose the names of unknown accounts, so these are counted together.
    let unknown = refusals::of_account(&w.0.db, "wechat", refusals::UNKNOWN).unwrap();
    assert_eq!(unknown.iter().map(|r| (r.reason.as_str(), r.count)).collect::<Vec<_>>(), [("unknown_account", 2)]);
    assert!(w.conversations().is_empty());
}

#[test]
fn a_body_that_is_too_long_too_slow_or_breaks_off_is_refused_and_counted() {
    let w = Environment::new();
    connect(&w, "api");
    let with = |body: Vec<Part>, length: &str| {
        let head = request(http::Method::POST, "/channels/wechat/gh_rice", &[("content-length", length)], b"").head;
        let answer = w.serve(&WechatAdapter, Incoming { head, body: Chunks(body.into()) });
        (answer.borrow().status, answer.borrow().code(), answer.borrow().at)
    };
    let long = vec![b'a'; 1_200_000];
    assert_eq!(with(Vec::new(), "1200000"), (413, "body_too_large".to_owned(), 0));
    assert_eq!(with(vec![Part::Bytes(long)], "5"), (413, "body_too_large".to_owned(), 0));
    assert_eq!(with(vec![Part::Bytes(b"<xm".to_vec()), Part::Break], "9"), (400, "body_broken".to_owned(), 0));
    assert_eq!(with(vec![Part::Nothing(w.clone())], "9"), (408, "body_timeout".to_owned(), 10_000));
    assert_eq!(
        refused(&w),
        [("body_broken", 1), ("body_timeout", 1), ("body_too_large", 2)].map(|(r, n)| (r.to_owned(), n))
    );
}

#[test]
fn a_visit_to_the_address_is_explained_and_is_no_refusal() {
    let w = Environment::new();
    connect(&w, "api");
    let answer = w.serve(&WechatAdapter, request(http::Method::GET, "/channels/wechat/gh_rice", &[], b""));
    assert_eq!((answer.borrow().status, answer.borrow().code().as_str()), (405, "webhook_address"));
    assert_eq!(answer.borrow().headers["allow"], "POST");
    assert!(refused(&w).is_empty());
}

#[test]
fn paths_for_components_need_the_token_and_are_served_only_where_calls_are_public() {
    let w = Environment::new();
    connect(&w, "api");
    let asked = |token: &str| {
        let bearer = format!("Bearer {token}");
        let path = "/internal/channel-wechat/deliver";
        let answer = w.serve(&WechatAdapter, request(http::Method::POST, path, &[("authorization", &bearer)], b""));
        let answer = answer.borrow();
        answer.status
    };
    assert_eq!(asked("none"), 404);
    w.0.variables.borrow_mut().insert("internal_calls", "public".to_owned());
    assert_eq!(asked("none"), 401);
    let masters = warmline_transport::keyring::masters(&w).unwrap();
    assert_eq!(asked(&hex::encode(masters.signing("internal"))), 202);
}

#[test]
fn another_method_at_the_address_is_told_those_that_it_takes_and_is_no_refusal() {
    let w = Environment::new();
    connect(&w, "api");
    for method in [http::Method::PUT, http::Method::DELETE, http::Method::PATCH] {
        let answer = w.serve(&WechatAdapter, request(method, "/channels/wechat/gh_rice", &[], b""));
        assert_eq!((answer.borrow().status, answer.borrow().code().as_str()), (405, "method_not_allowed"));
        assert_eq!(answer.borrow().headers["allow"], "GET, POST");
    }
    assert!(refused(&w).is_empty());
}
