//! Access tokens of a platform.

use crate::wechat::{ACCOUNT, connect, deliver, says, works};
use crate::world::{Environment, Platform, admin, post};
use warmline_channels::ApiRequest;
use warmline_channels::wechat::WechatAdapter;
use warmline_model::{AccountId, Channel};
use warmline_store::immediate;
use warmline_transport::host::all;
use warmline_transport::tokens::Place;
use warmline_transport::{accounts, adapter};

/// Two customers, each with a reply that waits.
fn two_replies(w: &Environment) {
    connect(w, "api");
    w.agent("{}");
    says(w, "oAnna", 1, "在吗");
    says(w, "oBert", 2, "在吗");
    w.conversations().iter().for_each(|conversation| w.reply(conversation, "在的"));
}

fn wants_token(request: &ApiRequest) -> bool {
    !request.url.contains("access_token=")
}

fn token(value: &str) -> String {
    format!("{{\"access_token\":\"{value}\",\"expires_in\":7200}}")
}

const TAKEN: &str = "{\"errcode\":0,\"errmsg\":\"ok\"}";

#[test]
fn a_token_is_fetched_once_and_again_before_it_ends() {
    let w = Environment::new();
    two_replies(&w);
    works(&w);
    deliver(&w);
    assert_eq!((w.asked("stable_token"), w.asked("access_token=t1")), (1, 2));
    // The token is renewed five minutes before its end.
    w.pass(7_200_000 - 300_000 - 1_000);
    w.reply(&w.conversations()[0], "还在");
    deliver(&w);
    assert_eq!((w.asked("stable_token"), w.asked("access_token=t1")), (1, 3));
    w.pass(1_000);
    w.reply(&w.conversations()[0], "再见");
    deliver(&w);
    assert_eq!((w.asked("stable_token"), w.asked("access_token=t2")), (2, 1));
}

#[test]
fn two_who_need_a_token_at_once_take_one_renewal() {
    let w = Environment::new();
    two_replies(&w);
    w.platform(|request| match wants_token(request) {
        true => Platform::Later(900, token("t1")),
        false => Platform::Says(200, TAKEN.to_owned()),
    });
    let run = || adapter::serve(&w, &WechatAdapter, post("/deliver", ""), crate::world::Out::default());
    w.run(all(vec![run(), run()]));
    assert_eq!((w.asked("stable_token"), w.asked("access_token=t1"), w.events("delivery.sent")), (1, 2, 2));
}

#[test]
fn a_token_that_the_platform_refuses_is_replaced_and_the_call_made_once_more() {
    let w = Environment::new();
    two_replies(&w);
    works(&w);
    deliver(&w);
    // Another instance renewed the token, so the platform refuses ours.
    w.platform(|request| match (wants_token(request), request.url.contains("access_token=t9")) {
        (true, _) => Platform::Says(200, token("t9")),
        (false, true) => Platform::Says(200, TAKEN.to_owned()),
        (false, false) => Platform::Says(200, "{\"errcode\":42001}".to_owned()),
    });
    w.reply(&w.conversations()[0], "还在");
    deliver(&w);
    assert_eq!((w.asked("access_token=t1"), w.asked("access_token=t9"), w.events("delivery.sent")), (3, 1, 3));
    assert_eq!(w.events("delivery.failed"), 0);
}

#[test]
fn a_platform_that_gives_no_token_is_left_alone_for_a_moment() {
    let w = Environment::new();
    two_replies(&w);
    w.platform(|_| Platform::Says(200, "{\"errcode\":-1}".to_owned()));
    deliver(&w);
    assert_eq!((w.asked("stable_token"), w.asked("access_token="), w.events("delivery.failed")), (1, 0, 2));
    let (channel, account) = (Channel::new("wechat").unwrap(), AccountId::new(ACCOUNT).unwrap());
    let credentials = accounts::credentials(&w.ctx(), &channel, &account).unwrap().unwrap();
    let problem = || Place::of(&channel, &account, &credentials).read(&w.ctx()).unwrap().1;
    assert_eq!(problem().map(|problem| problem.reason), Some("platform_busy".to_owned()));
    works(&w);
    w.pass(60_000);
    deliver(&w);
    assert_eq!((w.events("delivery.sent"), problem()), (2, None));
}

#[test]
fn a_token_that_was_asked_for_with_other_credentials_is_not_used() {
    let w = Environment::new();
    two_replies(&w);
    w.platform(|request| match wants_token(request) {
        true if String::from_utf8_lossy(&request.body).contains("wx2") => Platform::Says(200, token("new")),
        true => Platform::Later(900, token("old")),
        false => Platform::Says(200, TAKEN.to_owned()),
    });
    // While the platform is asked, the account gets another app.
    w.after(300, |w| {
        let (channel, account) = (Channel::new("wechat").unwrap(), AccountId::new(ACCOUNT).unwrap());
        let stored = accounts::load(&w.ctx(), &channel, &account).unwrap().unwrap();
        let mut settings = stored.settings.clone();
        settings["app_id"] = "wx2".into();
        let changed = accounts::Account { settings, ..stored };
        immediate(&w.0.db, || accounts::replace(&w.ctx(), &admin(), &changed, &[])).unwrap();
    });
    deliver(&w);
    w.reply(&w.conversations()[0], "还在");
    deliver(&w);
    assert_eq!((w.asked("access_token=new"), w.asked("access_token=old")), (1, 2));
}
