//! Messages that wait: they go once, at their time, if the gate lets them out then; and what was taken back never goes.

use crate::common::{World, edit, fail_after, has_failed};
use crate::people::{says, sender};
use crate::{actor, all, check, count, log, only, replayed};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use std::collections::BTreeSet;
use warmline_app::tick;
use warmline_cases::cases;
use warmline_conversations::converse::{self, How, Target, When, Written};
use warmline_conversations::held::{self, Released};
use warmline_conversations::store::held::{self as store, Held, State, Why};
use warmline_kernel::StepError;
use warmline_kernel::ctx::Actor;
use warmline_language::{Effect, SensitiveWord};
use warmline_model::{AgentId, Content, ConversationId, ConversationState, EventBody, MessageId, Origin, Role};
use warmline_quality::steps as quality;
use warmline_store::{Db as _, immediate, messages, outbox};

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600_000;
const BOSS: Actor = Actor { agent: None, role: Role::Admin };

fn word(word: &str, effect: Effect, allow: &[&str]) -> SensitiveWord {
    let allow = allow.iter().map(|phrase| (*phrase).to_owned()).collect();
    SensitiveWord { effect, allow, ..SensitiveWord::new(word, "test", 1) }
}

/// A world with an agent, a customer who writes by mail, and words with effects.
fn world(settings: &str) -> (World, AgentId) {
    let w = World::new();
    let group = w.group("g", settings);
    let agent = w.agent(&group, 5, false);
    let words = vec![
        word("最快", Effect::Approve, &["最快今天发货"]),
        word("口交", Effect::Block, &["路口交通"]),
        word("加急", Effect::Warn, &[]),
    ];
    immediate(&w.db, || quality::set_words(&w.ctx(), words.clone())).unwrap();
    (w, agent)
}

fn mailed(w: &World) {
    says(w, "email", sender("w@x", &[]), "在吗");
}

/// A customer who writes where the platform sets no limit.
fn chats(w: &World) {
    says(w, "webchat", sender("v-1", &[]), "在吗");
}

fn write_in(w: &World, id: ConversationId, by: &Actor, text: &str, when: When) -> Result<Written, StepError> {
    immediate(&w.db, || converse::write(&w.ctx(), by, id, vec![Content::text(text)], How::answer(when)))
}

fn write(w: &World, by: &Actor, text: &str, when: When) -> Result<Written, StepError> {
    write_in(w, only(w).id, by, text, when)
}

fn hold(w: &World, agent: AgentId, text: &str, when: When) -> Held {
    match write(w, &actor(agent), text, when).unwrap() {
        Written::Held(held) => held,
        _ => panic!("{text} does not wait"),
    }
}

fn sent(w: &World) -> Vec<MessageId> {
    let stored = messages::list(&w.db, only(w).id, 0, 100).unwrap();
    stored.iter().filter(|m| m.origin == Origin::Agent && m.delivery.is_some()).map(|m| m.id).collect()
}

/// Disables the account of the conversation, or enables it.
fn set_disabled(w: &World, disabled: bool) {
    let c = all(w).into_iter().next().unwrap();
    let sql = "INSERT INTO accounts (channel, account, name, settings, secrets, created_at, updated_at, disabled_at) \
               VALUES (?1, ?2, '', '{}', x'', 0, 0, ?3) ON CONFLICT DO UPDATE SET disabled_at = ?3";
    w.db.execute(sql, &[c.channel.as_str().into(), c.account.as_str().into(), disabled.then_some(1).into()]).unwrap();
}

fn tick(w: &World) {
    tick::tick(&w.ctx()).unwrap();
}

fn code<T>(refused: Result<T, StepError>) -> &'static str {
    match refused {
        Err(StepError::Conflict { code, .. }) => code,
        Err(StepError::NotFound(_)) => "not_found",
        Err(e) => panic!("{e}"),
        Ok(_) => panic!("it was not refused"),
    }
}

fn withdraw(w: &World, by: &Actor, id: MessageId) -> Result<Vec<Content>, StepError> {
    immediate(&w.db, || held::withdraw(&w.ctx(), by, id)).map(|(_, contents)| contents)
}

fn release(w: &World, by: &Actor, id: MessageId) -> Result<Released, StepError> {
    immediate(&w.db, || held::release(&w.ctx(), by, id))
}

#[test]
fn a_mail_waits_ten_seconds_and_a_chat_message_none() {
    let (w, agent) = world("{}");
    mailed(&w);
    let held = hold(&w, agent, "您好", When::Usual);
    assert_eq!((held.why, held.release_at), (Why::Undo, Some(w.ctx().now().plus_millis(10 * SECOND))));
    assert_eq!(only(&w).accepted_at, Some(w.ctx().now()), "who answers has accepted");
    w.pass(10 * SECOND - 1);
    tick(&w);
    assert!(sent(&w).is_empty());
    w.pass(1);
    tick(&w);
    // It goes under the id that it was promised, and counts from when it goes.
    assert_eq!(sent(&w), [held.id]);
    assert!(log(&w).iter().any(|e| matches!(e.body, EventBody::MessageSent { message, .. } if message == held.id)));
    tick(&w);
    assert_eq!((sent(&w).len(), count(&w, "gate.released")), (1, 1));
    replayed(&w);
    let (w, agent) = world("{}");
    w.says("oUser1", "m1", "在吗");
    assert!(matches!(write(&w, &actor(agent), "您好", When::Usual), Ok(Written::Sent(_))));
    edit(&w, |plan| plan.groups[0].settings.undo_chat_secs = 3);
    assert_eq!(hold(&w, agent, "您好", When::Usual).release_at, Some(w.ctx().now().plus_millis(3 * SECOND)));
    check(&w);
}

#[test]
fn what_was_taken_back_never_goes_and_what_went_cannot_be_taken_back() {
    let (w, agent) = world("{}");
    mailed(&w);
    let long = "米".repeat(3_000);
    let held = hold(&w, agent, &long, When::Usual);
    w.pass(10 * SECOND);
    // Its time has come, and it has not gone yet. The whole text comes back.
    assert_eq!(withdraw(&w, &actor(agent), held.id).unwrap(), [Content::text(long)]);
    tick(&w);
    assert!(sent(&w).is_empty());
    assert_eq!(code(withdraw(&w, &actor(agent), held.id)), "not_found");
    let held = hold(&w, agent, "您好", When::Usual);
    w.pass(10 * SECOND);
    tick(&w);
    assert_eq!(code(withdraw(&w, &actor(agent), held.id)), "already_sent");
    assert_eq!(sent(&w), [held.id]);
    // A colleague learns nothing of it.
    let other = w.agent(&warmline_model::GroupId::new("g").unwrap(), 5, false);
    assert_eq!(code(withdraw(&w, &actor(other), held.id)), "not_found");
    let held = hold(&w, agent, "您好", When::Usual);
    assert_eq!(code(withdraw(&w, &actor(other), held.id)), "not_found");
    assert!(withdraw(&w, &BOSS, held.id).is_ok());
    assert_eq!(count(&w, "gate.withdrawn"), 2);
}

#[test]
fn a_message_for_later_goes_at_its_instant_or_is_refused_at_once_if_the_window_closes_before() {
    let (w, agent) = world("{}");
    w.says("oUser1", "m1", "在吗");
    // Agents are lost after a minute without a sign of life, so it goes within seconds.
    let at = |secs: i64| When::At(w.ctx().now().plus_millis(secs * SECOND));
    assert_eq!(code(write(&w, &actor(agent), "您好", at(49 * 3_600))), "reply_window_closed");
    let held = hold(&w, agent, "您好", at(9));
    w.pass(9 * SECOND - 1);
    tick(&w);
    assert!(sent(&w).is_empty());
    w.pass(1);
    tick(&w);
    assert_eq!(sent(&w), [held.id]);
    // Its writer sends it before its time.
    let held = hold(&w, agent, "您好", at(1));
    assert!(matches!(release(&w, &actor(agent), held.id), Ok(Released::Sent(_))));
    assert_eq!(sent(&w)[1], held.id);
    // A clock that is set back lets it wait, and it goes once.
    let held = hold(&w, agent, "您好", at(1));
    w.pass(-SECOND);
    tick(&w);
    w.pass(2 * SECOND);
    tick(&w);
    tick(&w);
    assert_eq!(sent(&w)[2..], [held.id]);
    check(&w);
}

#[test]
fn the_gate_decides_again_when_the_time_has_come() {
    let (w, agent) = world("{}");
    mailed(&w);
    let held = hold(&w, agent, "您好", When::Usual);
    set_disabled(&w, true);
    w.pass(10 * SECOND);
    tick(&w);
    let row = store::get(&w.db, held.id).unwrap().unwrap();
    assert_eq!((row.state, row.reason.as_deref()), (State::Refused, Some("account_disabled")));
    assert_eq!((sent(&w).len(), count(&w, "gate.refused")), (0, 1));
    // It is lost for nobody: its writer reads it, and takes it back into a draft.
    assert_eq!(withdraw(&w, &actor(agent), held.id).unwrap(), [Content::text("您好")]);
}

#[test]
fn words_wait_for_a_supervisor_and_two_who_decide_at_once_decide_once() {
    let (w, agent) = world("{}");
    chats(&w);
    for text in ["路口交通拥堵，会晚到", "您的米最快今天发货", "到路口。交通很堵"] {
        assert!(matches!(write(&w, &actor(agent), text, When::Usual), Ok(Written::Sent(_))), "{text}");
    }
    assert_eq!(code(write(&w, &actor(agent), "口 交", When::Usual)), "words_blocked");
    assert!(matches!(write(&w, &actor(agent), "给您加急", When::Usual), Ok(Written::Sent(_))));
    assert_eq!(count(&w, "gate.warned"), 1);
    let before = sent(&w).len();
    let first = hold(&w, agent, "我们是全国最快", When::Usual);
    assert_eq!((first.why, first.release_at), (Why::Approval, None));
    w.pass(9 * SECOND);
    tick(&w);
    assert_eq!(sent(&w).len(), before);
    // The writer cannot approve it, and does not close over it.
    let refused = release(&w, &actor(agent), first.id);
    assert!(matches!(refused, Err(StepError::Forbidden(_))));
    let id = only(&w).id;
    assert_eq!(code(immediate(&w.db, || converse::close(&w.ctx(), &actor(agent), id, None))), "messages_held");
    assert!(matches!(release(&w, &BOSS, first.id), Ok(Released::Sent(_))));
    assert_eq!(code(release(&w, &BOSS, first.id)), "already_sent");
    assert_eq!(code(immediate(&w.db, || held::decline(&w.ctx(), &BOSS, first.id, "不真实"))), "already_sent");
    let second = hold(&w, agent, "全国最快", When::Usual);
    let declined = immediate(&w.db, || held::decline(&w.ctx(), &BOSS, second.id, "不真实")).unwrap();
    assert_eq!(declined.state, State::Declined);
    assert_eq!(code(release(&w, &BOSS, second.id)), "already_decided");
    assert_eq!(code(immediate(&w.db, || held::decline(&w.ctx(), &BOSS, second.id, "不真实"))), "already_decided");
    assert_eq!(sent(&w).len(), before + 1);
    // The reason is a note among colleagues, and the text is not lost.
    let last = messages::list(&w.db, id, only(&w).messages - 1, 1).unwrap();
    assert_eq!((last[0].origin, last[0].delivery), (Origin::Agent, None));
    assert_eq!(withdraw(&w, &actor(agent), second.id).unwrap(), [Content::text("全国最快")]);
    // One for later that needs a supervisor waits for both.
    let both = hold(&w, agent, "全国最快", When::At(w.ctx().now().plus_millis(9 * SECOND)));
    assert!(matches!(release(&w, &BOSS, both.id), Ok(Released::Waits(_))));
    w.pass(9 * SECOND);
    tick(&w);
    assert_eq!(sent(&w).last(), Some(&both.id));
    check(&w);
    replayed(&w);
}

#[test]
fn an_agent_who_leaves_a_conversation_has_sent_what_could_be_taken_back() {
    let (w, agent) = world(r#"{"wrap_up_secs":60}"#);
    mailed(&w);
    let held = hold(&w, agent, "您好", When::Usual);
    let id = only(&w).id;
    immediate(&w.db, || converse::close(&w.ctx(), &actor(agent), id, None)).unwrap();
    assert_eq!((sent(&w), only(&w).state), (vec![held.id], ConversationState::WrapUp));
    w.pass(60 * SECOND);
    tick(&w);
    assert_eq!((sent(&w).len(), only(&w).state), (1, ConversationState::Closed));
    // A transfer, too; and if the platform takes nothing now, the agent learns it and goes nowhere.
    let (w, agent) = world("{}");
    mailed(&w);
    let other = w.agent(&warmline_model::GroupId::new("g").unwrap(), 5, false);
    let held = hold(&w, agent, "您好", When::Usual);
    let c = only(&w);
    set_disabled(&w, true);
    let transfer = || immediate(&w.db, || converse::transfer(&w.ctx(), &actor(agent), c.id, &Target::Agent(other), None));
    assert_eq!(code(transfer()), "account_disabled");
    assert_eq!(only(&w).agent, Some(agent));
    set_disabled(&w, false);
    transfer().unwrap();
    assert_eq!((sent(&w), only(&w).agent), (vec![held.id], Some(other)));
    check(&w);
    replayed(&w);
}

#[test]
fn a_conversation_that_closes_by_itself_ends_what_waits_and_says_so() {
    let (w, agent) = world(r#"{"wrap_up_secs":60}"#);
    mailed(&w);
    let id = only(&w).id;
    immediate(&w.db, || converse::close(&w.ctx(), &actor(agent), id, None)).unwrap();
    let held = hold(&w, agent, "您好", When::At(w.ctx().now().plus_millis(HOUR)));
    w.pass(60 * SECOND);
    tick(&w);
    w.pass(HOUR);
    tick(&w);
    let row = store::get(&w.db, held.id).unwrap().unwrap();
    assert_eq!((row.state, row.reason.as_deref()), (State::Refused, Some("conversation_closed")));
    assert!(sent(&w).is_empty());
    // Its days over, it goes.
    w.pass(31 * 24 * HOUR);
    assert_eq!(tick::tick(&w.ctx()).unwrap()["held_removed"], 1);
    assert!(store::get(&w.db, held.id).unwrap().is_none());
}

#[test]
fn a_newer_message_that_the_writer_has_not_seen_stops_the_answer_once() {
    let (w, agent) = world("{}");
    w.says("oUser1", "m1", "在吗");
    let write = |seen| {
        let id = only(&w).id;
        immediate(&w.db, || {
            let how = How { seen, ..How::answer(When::Usual) };
            let written = converse::write(&w.ctx(), &actor(agent), id, vec![Content::text("在")], how)?;
            Ok::<_, StepError>(if let Written::Unseen(newer) = written { newer } else { Vec::new() })
        })
    };
    assert_eq!(write(Some(1)), Ok(Vec::new()));
    // Their own message is not news to them.
    assert_eq!(write(Some(1)), Ok(Vec::new()));
    w.says("oUser1", "m2", "我要退货");
    w.says("oUser1", "m3", "快点");
    let newer: Vec<i64> = vec![only(&w).messages - 1, only(&w).messages];
    assert_eq!(write(Some(2)), Ok(newer.clone()));
    let id = only(&w).id;
    immediate(&w.db, || converse::leave_note(&w.ctx(), &BOSS, id, "先别回")).unwrap();
    assert_eq!(write(Some(newer[1])), Ok(vec![newer[1] + 1]));
    assert_eq!((write(Some(newer[1] + 1)), write(None)), (Ok(Vec::new()), Ok(Vec::new())));
}

#[test]
fn a_reply_in_parts_answers_the_customer_once() {
    let (w, agent) = world("{}");
    w.says("oUser1", "m1", "在吗");
    w.pass(SECOND);
    let Written::Sent(parts) = write(&w, &actor(agent), &"米".repeat(1_500), When::Usual).unwrap() else {
        panic!("it waits")
    };
    assert_eq!(parts.len(), 3);
    let answers = log(&w).into_iter().filter_map(|e| match e.body {
        EventBody::MessageSent { first_response_ms, response_ms, .. } => Some((first_response_ms, response_ms)),
        _ => None,
    });
    assert_eq!(answers.collect::<Vec<_>>(), [(Some(SECOND), Some(SECOND)), (None, None), (None, None)]);
    assert_eq!(count(&w, "conversation.accepted"), 1);
}

#[test]
fn a_word_that_the_channel_cuts_in_two_is_found() {
    let (w, agent) = world("{}");
    w.says("oUser1", "m1", "在吗");
    let first = warmline_channels::registry::capabilities("wechat").unwrap();
    let cut = first.parts(Content::text("米".repeat(1_500))).unwrap()[0].texts()[0].chars().count();
    let text = format!("{}口交{}", "米".repeat(cut - 1), "米".repeat(9));
    assert_eq!(code(write(&w, &actor(agent), &text, When::Usual)), "words_blocked");
}

#[test]
fn an_erasure_takes_back_what_waits() {
    let (w, agent) = world("{}");
    mailed(&w);
    hold(&w, agent, "您好", When::Usual);
    hold(&w, agent, "明天见", When::At(w.ctx().now().plus_millis(HOUR)));
    let person = only(&w).person;
    immediate(&w.db, || warmline_compliance::erase::begin(&w.ctx(), person, &BOSS, "request", &[])).unwrap();
    assert!(store::all(&w.db, &[], 9).unwrap().is_empty());
    w.pass(2 * HOUR);
    tick(&w);
    assert!(sent(&w).is_empty());
}

/// The message that waits before the step.
type Before = Option<(&'static str, When)>;

/// What an agent, a supervisor and time do to one message, up to the step that is cut off.
type Op = fn(&World, ConversationId, AgentId, Option<MessageId>) -> Result<(), StepError>;

#[test]
fn a_crash_at_any_statement_neither_doubles_nor_loses_a_message() {
    let ops: [(&str, Before, Op); 7] = [
        ("send", None, |w, talk, agent, _| write_in(w, talk, &actor(agent), "您好", When::In(0)).map(drop)),
        ("hold", None, |w, talk, agent, _| write_in(w, talk, &actor(agent), "您好", When::Usual).map(drop)),
        ("release in time", Some(("您好", When::Usual)), |w, _, _, _| {
            w.pass(10 * SECOND);
            // What fails stays for the next tick.
            tick::tick(&w.ctx()).map(drop)
        }),
        ("undo", Some(("您好", When::Usual)), |w, _, agent, id| withdraw(w, &actor(agent), id.unwrap()).map(drop)),
        ("approve", Some(("全国最快", When::In(0))), |w, _, _, id| release(w, &BOSS, id.unwrap()).map(drop)),
        ("decline", Some(("全国最快", When::In(0))), |w, _, _, id| {
            immediate(&w.db, || held::decline(&w.ctx(), &BOSS, id.unwrap(), "不真实")).map(drop)
        }),
        ("close", Some(("您好", When::Usual)), |w, talk, agent, _| {
            immediate(&w.db, || converse::close(&w.ctx(), &actor(agent), talk, None)).map(drop)
        }),
    ];
    for (name, before, op) in ops {
        let outcome = |w: &World| {
            let rows = store::all(&w.db, &[], 9).unwrap();
            let out: Vec<_> = sent(w).into_iter().map(|id| outbox::find(&w.db, id).unwrap().unwrap().0).collect();
            (rows.iter().map(|h| (h.state, h.why)).collect::<Vec<_>>(), out, only(w).state, count(w, "message.sent"))
        };
        let begin = || {
            let (w, agent) = world("{}");
            mailed(&w);
            let id = before.map(|(text, when)| hold(&w, agent, text, when).id);
            let talk = only(&w).id;
            (w, talk, agent, id)
        };
        let whole = {
            let (w, talk, agent, id) = begin();
            op(&w, talk, agent, id).unwrap();
            outcome(&w)
        };
        let mut cut_off = 0;
        for n in 0.. {
            let (w, talk, agent, id) = begin();
            let untouched = outcome(&w);
            fail_after(n);
            let done = op(&w, talk, agent, id);
            if !has_failed() {
                assert!(done.is_ok(), "{name}: {done:?}");
                break;
            }
            cut_off += 1;
            // Nothing happened, or all of it.
            let after = outcome(&w);
            assert!(after == untouched || after == whole, "{name}, cut off at statement {n}: {after:?}");
            if after == untouched {
                op(&w, talk, agent, id).unwrap();
                assert_eq!(outcome(&w), whole, "{name}, again after statement {n}");
            }
            check(&w);
        }
        assert!(cut_off > 3, "{name} has {cut_off} statements");
    }
}

proptest! {
    #![proptest_config(cases(48))]
    /// In every order of things, a message goes at most once, only when the gate lets it out at that instant, and never after
    /// it was taken back or declined. What was written is somewhere.
    #[test]
    fn no_order_of_things_sends_what_must_not_go(steps in proptest::collection::vec((0u8..12, any::<u8>()), 1..50)) {
        let (w, agent) = world(r#"{"wrap_up_secs":20,"undo_chat_secs":5}"#);
        w.says("oUser1", "m0", "在吗");
        let (mut written, mut gone) = (Vec::<MessageId>::new(), BTreeSet::new());
        let (mut disabled, mut spoke_at, mut known) = (false, w.ctx().now(), 0);
        for (n, (what, a)) in steps.into_iter().enumerate() {
            let picked = written.get(usize::from(a) % written.len().max(1)).copied();
            let newest = |w: &World| all(w).into_iter().max_by_key(|c| c.id).unwrap();
            let id = newest(&w).id;
            let text = ["您好", "全国最快", "给您加急", "口交"][usize::from(a % 4)];
            let now = w.ctx().now();
            match (what, picked) {
                (0..=2, _) => {
                    let when = match a % 3 {
                        0 => When::In(0),
                        1 => When::Usual,
                        _ => When::At(now.plus_millis(i64::from(a) * 60 * SECOND + 1)),
                    };
                    let by = if a % 5 == 0 { BOSS } else { actor(agent) };
                    let done = immediate(&w.db, || converse::write(&w.ctx(), &by, id, vec![Content::text(text)], How::answer(when)));
                    match done {
                        Ok(Written::Held(held)) => written.push(held.id),
                        Ok(Written::Sent(sent)) => {
                            prop_assert!(text != "口交" && text != "全国最快");
                            written.extend(sent.iter().map(|m| m.id));
                        }
                        Ok(Written::Unseen(_)) | Err(StepError::Conflict { .. } | StepError::NotFound(_)) => {}
                        Err(e) => panic!("{e}"),
                    }
                }
                (3, Some(id)) => if withdraw(&w, &actor(agent), id).is_ok() { gone.insert(id); },
                (4, Some(id)) => drop(release(&w, &BOSS, id)),
                (5, Some(id)) => if immediate(&w.db, || held::decline(&w.ctx(), &BOSS, id, "不")).is_ok() { gone.insert(id); },
                (6, _) => {
                    disabled = !disabled;
                    set_disabled(&w, disabled);
                }
                (7, _) => drop(immediate(&w.db, || converse::close(&w.ctx(), &actor(agent), id, None))),
                (8, _) => {
                    w.says("oUser1", &format!("m{}", n + 1), "还在吗");
                    spoke_at = w.ctx().now();
                }
                (9, _) => w.pass(-i64::from(a) * SECOND),
                _ => {
                    w.pass(i64::from(a) * if what == 10 { SECOND } else { 20 * 60 * SECOND });
                    tick(&w);
                }
            }
            // All that went in this step went while the gate lets it out.
            let went: Vec<_> = log(&w).into_iter().filter(|e| matches!(e.body, EventBody::MessageSent { .. })).collect();
            for event in went.iter().skip(known) {
                let EventBody::MessageSent { message, .. } = &event.body else { continue };
                prop_assert!(!disabled && event.at.since(spoke_at) <= 48 * HOUR, "step {n}: {message}");
                prop_assert!(!gone.contains(message), "step {n}: {message} was taken back");
            }
            known = went.len();
            let ids: Vec<_> = went.iter().filter_map(|e| match e.body {
                EventBody::MessageSent { message, .. } => Some(message),
                _ => None,
            }).collect();
            let once: BTreeSet<_> = ids.iter().collect();
            prop_assert_eq!(once.len(), ids.len());
            for id in &written {
                let places = [ids.contains(id), store::get(&w.db, *id).unwrap().is_some()].iter().filter(|there| **there).count();
                prop_assert!(places == 1 || (places == 0 && gone.contains(id)), "step {n}: {id} is in {places} places");
            }
            check(&w);
        }
        replayed(&w);
    }
}
