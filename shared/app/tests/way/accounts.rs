//! Channel accounts: refused webhooks are reported and bounded; disabled and deleted accounts; and limits on strangers.

use crate::common::{World, claim, place, reply};
use crate::{actor, all, check, count, only};
use serde_json::{Value, json};
use warmline_app::tick;
use warmline_channels::account_settings::RoutingSettings;
use warmline_channels::{Outcome, Page};
use warmline_kernel::StepError;
use warmline_kernel::ctx::Actor;
use warmline_model::{AccountId, Channel, Content, ConversationState, DeliveryState, Role, Sender};
use warmline_store::{Db as _, audit, immediate, messages, refusals};
use warmline_transport::accounts::{self, Account, Standing};
use warmline_transport::deliver::{self, Attempt};
use warmline_transport::pull;
use warmline_transport::refused::{self, Webhook};
use warmline_transport::strangers::{self, Full};

const ADMIN: Actor = Actor { agent: None, role: Role::Admin };

/// Connects the account that the world's customers write to.
fn connect(w: &World, settings: Value, polled: &[&str]) {
    let (channel, account) = place();
    connect_as(w, &channel, &account, settings, polled);
}

fn connect_as(w: &World, channel: &Channel, account: &AccountId, settings: Value, polled: &[&str]) {
    let account = Account {
        channel: channel.clone(),
        account: account.clone(),
        name: "公众号".into(),
        settings,
        secrets: [("token".to_owned(), "the-token".to_owned())].into(),
        created_at: w.ctx().now(),
        standing: Standing::default(),
    };
    let polled: Vec<String> = polled.iter().map(|source| (*source).to_owned()).collect();
    immediate(&w.db, || accounts::create(&w.ctx(), &ADMIN, &account, &polled)).unwrap();
}

fn loaded(w: &World) -> Option<Account> {
    accounts::load(&w.ctx(), &place().0, &place().1).unwrap()
}

fn disable(w: &World) {
    immediate(&w.db, || accounts::disable(&w.ctx(), &ADMIN, &place().0, &place().1)).unwrap();
}

fn enable(w: &World) {
    immediate(&w.db, || accounts::enable(&w.ctx(), &ADMIN, &place().0, &place().1)).unwrap();
}

fn audited(w: &World) -> Vec<(String, String)> {
    let entries = audit::after(&w.db, 0, 100).unwrap();
    entries.into_iter().map(|e| (e.entry.action, e.entry.reason.unwrap_or_default())).collect()
}

fn done(action: &str) -> (String, String) {
    (action.to_owned(), "wechat/gh_rice".to_owned())
}

fn number(w: &World, sql: &'static str) -> i64 {
    w.db.0.execute(sql, &[]).unwrap()[0].int(0).unwrap()
}

fn refuse(w: &World, account: &str, known: bool, reason: &'static str, ahead_secs: Option<i64>) -> Option<String> {
    let account = AccountId::new(account).unwrap();
    let proof = "the secret `token`";
    let (channel, account) = (place().0, Some(&account));
    refused::note(&w.ctx(), &Webhook { channel: &channel, account, known, status: 401, reason, ahead_secs, proof }).unwrap()
}

#[test]
fn newcomer_a_refused_webhook_leaves_one_line_a_minute_that_says_what_to_check() {
    let w = World::new();
    let line = refuse(&w, "gh_rice", true, "signature_wrong", None).unwrap();
    assert!(line.starts_with("refused wechat/gh_rice: 401 signature_wrong: compare the secret `token` with"), "{line}");
    for _ in 0..9 {
        assert_eq!(refuse(&w, "gh_rice", true, "signature_wrong", None), None, "one line a minute");
    }
    // Another reason, and another account, have lines of their own.
    let stale = refuse(&w, "gh_rice", true, "stale", Some(-7200)).unwrap();
    assert!(stale.contains("7200 s behind this server's clock"), "{stale}");
    assert!(refuse(&w, "gh_other", true, "signature_wrong", None).is_some());
    w.pass(60_000);
    let again = refuse(&w, "gh_rice", true, "signature_wrong", None).unwrap();
    assert!(again.ends_with("(9 more like it in an earlier minute)"), "{again}");
    let told = refusals::of_account(&w.db, "wechat", "gh_rice").unwrap();
    let told: Vec<_> = told.iter().map(|r| (r.reason.as_str(), r.count, r.ahead_secs)).collect();
    assert_eq!(told, [("signature_wrong", 11, None), ("stale", 1, Some(-7200))]);
}

#[test]
fn newcomer_unknown_accounts_are_told_of_and_cannot_fill_the_log_or_the_store() {
    let w = World::new();
    let lines: Vec<_> = (0..200).filter_map(|n| refuse(&w, &format!("nobody{n}"), false, "unknown_account", None)).collect();
    assert_eq!(lines.len(), 5, "a fixed number a minute");
    assert!(lines[0].contains("wechat/nobody0") && lines[0].contains("GET /api/accounts"), "{}", lines[0]);
    w.pass(60_000);
    let next = refuse(&w, "nobody", false, "unknown_account", None).unwrap();
    assert!(next.contains("195 more like it"), "{next}");
    let stored = number(&w, "SELECT count(*) FROM refusals");
    assert_eq!(stored, 1, "their names make no rows");
    assert!(refusals::totals(&w.db).unwrap().is_empty(), "figures are of accounts that are connected");
}

#[test]
fn newcomer_a_flood_of_refusals_costs_few_writes() {
    let w = World::new();
    for _ in 0..256 {
        refuse(&w, "gh_rice", true, "signature_wrong", None);
    }
    let exact = refusals::of_account(&w.db, "wechat", "gh_rice").unwrap()[0].count;
    assert_eq!(exact, 256, "the first are counted one by one");
    let before = w.db.0.rows_written();
    for _ in 0..3_200 {
        assert_eq!(refuse(&w, "gh_rice", true, "signature_wrong", None), None);
    }
    let writes = i64::try_from(w.db.0.rows_written() - before).unwrap();
    assert!((100..=320).contains(&writes), "one in sixteen, by chance: {writes}");
    let counted = refusals::of_account(&w.db, "wechat", "gh_rice").unwrap()[0].count;
    assert_eq!(counted, 256 + 16 * writes);
}

#[test]
fn newcomer_a_disabled_account_holds_replies_and_sources_and_enabling_it_lets_them_go() {
    let w = World::new();
    connect(&w, json!({}), &["orders"]);
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 2, false);
    w.says("oUser1", "m1", "在吗");
    let c = only(&w);
    let reply = || immediate(&w.db, || reply(&w.ctx(), &actor(agent), c.id, &[Content::text("在")]));
    reply().unwrap();
    disable(&w);
    // The agent learns the reason, as a code.
    assert!(matches!(reply(), Err(StepError::Conflict { code: "account_disabled", .. })));
    // Messages under way wait, untried.
    let jobs = claim(&w, 16);
    deliver::park(&w.ctx(), &jobs[0]).unwrap();
    w.pass(3_600_000);
    assert!(claim(&w, 16).is_empty());
    let waits = messages::get(&w.db, c.id, 2).unwrap().unwrap();
    assert_eq!((waits.delivery, waits.reason.as_deref()), (Some(DeliveryState::Pending), Some("account_disabled")));
    assert!(pull::claim(&w.ctx(), &place().0, 8).unwrap().is_empty(), "its sources are not asked");
    assert!(warmline_store::pulls::due_channels(&w.db, w.ctx().now()).unwrap().is_empty());
    enable(&w);
    let jobs = claim(&w, 16);
    assert_eq!((jobs.len(), jobs[0].row.attempts), (1, 1), "as if it had not been tried");
    // A deliverer that saw the account disabled a moment ago does not strand the message.
    deliver::park(&w.ctx(), &jobs[0]).unwrap();
    let jobs = claim(&w, 16);
    deliver::record(&w.ctx(), &jobs[0], &Attempt::Answered(Outcome::Sent)).unwrap();
    assert_eq!(pull::claim(&w.ctx(), &place().0, 8).unwrap().len(), 1);
    reply().unwrap();
    assert_eq!(audited(&w), ["account.created", "account.disabled", "account.enabled"].map(done));
    check(&w);
}

#[test]
fn newcomer_an_account_in_use_is_not_deleted_and_a_new_one_of_its_name_starts_clean() {
    let w = World::new();
    connect(&w, json!({}), &["orders"]);
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 2, false);
    let (channel, account) = place();
    let delete = || immediate(&w.db, || accounts::delete(&w.ctx(), &ADMIN, &channel, &account));
    w.arrives("oUser1", "m1", Content::text("在吗"), &[]);
    assert_eq!(delete().unwrap().map(|used| (used.conversations, used.messages)), Some((0, 1)), "a message is on its way");
    w.drain();
    assert_eq!(delete().unwrap().map(|used| (used.conversations, used.messages)), Some((1, 0)));
    let c = only(&w);
    immediate(&w.db, || reply(&w.ctx(), &actor(agent), c.id, &[Content::text("在")])).unwrap();
    crate::close(&w, agent, c.id);
    refuse(&w, "gh_rice", true, "stale", Some(600));
    let mut turn = pull::claim(&w.ctx(), &channel, 8).unwrap().remove(0);
    let page = Page { cursor: Some("page-7".into()), ..Page::default() };
    pull::keep(&w.ctx(), &mut turn, &page).unwrap();
    accounts::heard(&w.ctx(), &channel, &account, None).unwrap();
    let before = loaded(&w).unwrap();
    assert!(before.standing.heard_at.is_some());
    assert_eq!(delete().unwrap(), None);
    assert!(loaded(&w).is_none());
    assert!(matches!(delete(), Err(StepError::NotFound("account"))));
    assert!(matches!(
        immediate(&w.db, || accounts::disable(&w.ctx(), &ADMIN, &channel, &account)),
        Err(StepError::NotFound("account"))
    ));
    // The messages stay, under the account's id.
    let kept = only(&w);
    assert_eq!((kept.account.clone(), kept.messages, kept.state), (account.clone(), 2, ConversationState::Closed));
    assert_eq!(audited(&w), ["account.created", "account.deleted"].map(done));
    // A new account with the same name has nothing of the old one.
    w.pass(1_000);
    connect(&w, json!({}), &["orders"]);
    let new = loaded(&w).unwrap();
    assert_eq!(new.standing.heard_at, None);
    assert_ne!(new.session_name(), before.session_name(), "sessions of the one before are no good");
    assert!(refusals::of_account(&w.db, "wechat", "gh_rice").unwrap().is_empty());
    assert_eq!(pull::claim(&w.ctx(), &channel, 8).unwrap()[0].claimed.cursor, None);
}

#[test]
fn newcomer_when_the_platform_was_heard_is_written_once_a_minute() {
    let w = World::new();
    connect(&w, json!({}), &[]);
    let (channel, account) = place();
    let hear = || {
        let before = loaded(&w).unwrap().standing.heard_at;
        accounts::heard(&w.ctx(), &channel, &account, before).unwrap();
        loaded(&w).unwrap().standing.heard_at
    };
    let first = hear();
    assert_eq!(first, Some(w.ctx().now()));
    w.pass(59_000);
    assert_eq!(hear(), first, "no write for each message");
    w.pass(1_000);
    assert_eq!(hear(), Some(w.ctx().now()));
}

#[test]
fn m4_one_accounts_flood_is_kept_out_of_the_queues_and_placed_as_they_grow_shorter() {
    let w = World::new();
    connect(&w, json!({ "most_waiting": 3 }), &[]);
    let other = Channel::new("email").unwrap();
    connect_as(&w, &other, &place().1, json!({}), &[]);
    let group = w.group("g", "{\"greeting\":\"您好\"}");
    for n in 0..10 {
        w.says(&format!("oFlood{n}"), &format!("m{n}"), "在吗");
    }
    let state = |state| all(&w).iter().filter(|c| c.state == state).count();
    assert_eq!((state(ConversationState::Queued), state(ConversationState::Open)), (3, 7));
    // A customer of another account joins the same group's queue as usual.
    let sender = Sender { open_id: "buyer@example.com".into(), ..Sender::default() };
    w.arrives_from(&other, sender, "e1", Content::text("发票"));
    w.drain();
    assert_eq!(state(ConversationState::Queued), 4);
    // Nothing is lost: a customer who waits outside can write on, comes in when there is room, and is greeted once.
    w.says("oFlood9", "m9b", "还在吗");
    assert_eq!(tick::tick(&w.ctx()).unwrap()["placed"], 0, "they are left where they are");
    assert_eq!(state(ConversationState::Queued), 4);
    w.agent(&group, 20, false);
    for _ in 0..5 {
        tick::tick(&w.ctx()).unwrap();
    }
    assert_eq!(state(ConversationState::Assigned), 11);
    assert_eq!(count(&w, "message.sent"), 11, "each was greeted once");
    check(&w);
}

#[test]
fn m4_strangers_are_bounded_by_account_and_minute_and_whoever_talks_goes_on() {
    let w = World::new();
    let (channel, account) = place();
    let routing = RoutingSettings::of;
    let begin = |settings: &RoutingSettings| strangers::begin(&w.ctx(), &channel, &account, settings).unwrap();
    let five = routing(json!({ "new_sessions_per_minute": 5, "most_waiting": 2 }));
    for _ in 0..5 {
        assert_eq!(begin(&five), None);
    }
    let Some(Full::Sessions(seconds)) = begin(&five) else { panic!("the sixth may not begin") };
    assert!((1..=60).contains(&seconds));
    // Another account has a count of its own, and the next minute begins with an empty count.
    let second = AccountId::new("gh_second").unwrap();
    assert_eq!(strangers::begin(&w.ctx(), &channel, &second, &five).unwrap(), None);
    w.pass(i64::from(seconds) * 1000);
    assert_eq!(begin(&five), None);
    w.group("g", "{}");
    let write = |who: &str| strangers::write(&w.ctx(), &channel, &account, &five, who).unwrap();
    for who in ["vis_1", "vis_2"] {
        assert_eq!(write(who), None);
        w.says(who, &format!("{who}-1"), "在吗");
    }
    assert_eq!(write("vis_3"), Some(Full::Waiting), "a stranger waits outside");
    assert_eq!(begin(&five), Some(Full::Waiting));
    assert_eq!(write("vis_1"), None, "who has an open conversation writes on");
    let unbounded = routing(json!({}));
    assert_eq!(strangers::write(&w.ctx(), &channel, &account, &unbounded, "vis_3").unwrap(), None);
    assert_eq!(
        strangers::begin(&w.ctx(), &channel, &account, &routing(json!({ "new_sessions_per_minute": 0 })))
            .unwrap()
            .map(Full::code),
        Some("too_many_sessions")
    );
}
