//! The worklist: a reader who was cut off anywhere and goes on has exactly what a fresh read gives; counts are what the list
//! shows; and drafts, read marks and mentions go where their conversation goes.

use crate::common::{World, fail_after, has_failed, reply};
use crate::people::{PHONE, merge, says, sender};
use crate::{actor, all, check, count, log, only};
use proptest::prelude::{any, proptest};
use std::collections::{BTreeMap, BTreeSet};
use warmline_cases::cases;
use warmline_compliance::erase;
use warmline_conversations::converse::{self, How, Target, When};
use warmline_conversations::model::{Doing, DraftMode, WorklistRow, WorklistView};
use warmline_conversations::worklist::{self, Ask, Cursor, Place, Sort};
use warmline_conversations::{drafts, held, presence, snooze};
use warmline_kernel::StepError;
use warmline_kernel::ctx::Actor;
use warmline_model::{AgentId, Content, ConversationId, ConversationState, Role};
use warmline_store::{Db as _, immediate};

const BOSS: Actor = Actor { agent: None, role: Role::Admin };

fn ask(view: WorklistView) -> Ask {
    Ask { view, group: None, channel: None, tag: None, words: None, sort: Sort::Due, after: None, limit: 500 }
}

fn read(w: &World, by: &Actor, ask: &Ask) -> warmline_conversations::model::Worklist {
    worklist::read(&w.ctx(), by, ask).unwrap()
}

fn save(w: &World, by: &Actor, id: ConversationId, mode: DraftMode, text: &str) {
    immediate(&w.db, || drafts::save(&w.ctx(), by, id, mode, text, None)).unwrap();
}

fn texts(w: &World, by: &Actor, id: ConversationId) -> Vec<(DraftMode, String)> {
    drafts::read(&w.ctx(), by, id).unwrap().into_iter().map(|d| (d.mode, d.text.unwrap())).collect()
}

/// A reader who has read the list once and follows its changes since.
struct Follower {
    actor: Actor,
    rows: BTreeMap<ConversationId, WorklistRow>,
    cursor: Cursor,
}

impl Follower {
    fn new(w: &World, actor: Actor) -> Self {
        let list = read(w, &actor, &ask(WorklistView::All));
        let rows = list.items.into_iter().map(|row| (row.id, row)).collect();
        Self { actor, rows, cursor: list.cursor.parse().unwrap() }
    }

    /// Reads some of the changes, or all.
    fn follow(&mut self, w: &World, all: bool) {
        loop {
            let changed = worklist::changes(&w.ctx(), &self.actor, self.cursor).unwrap();
            self.cursor = changed.cursor;
            match changed.worklist {
                Some(now) if now.reset => {
                    assert_eq!(now.cursor, self.cursor.to_string());
                    *self = Self::new(w, self.actor);
                }
                Some(now) => {
                    now.gone.iter().for_each(|id| drop(self.rows.remove(id)));
                    self.rows.extend(now.rows.into_iter().map(|row| (row.id, row)));
                }
                None => {}
            }
            if !all || !changed.more && Cursor::now(&w.ctx()).unwrap() == self.cursor {
                break;
            }
        }
    }
}

/// Counts are what the list shows, in every view; and no row says more than its reader may know.
fn agrees(w: &World, by: &Actor) {
    let every = read(w, by, &ask(WorklistView::All));
    for view in WorklistView::ALL {
        let list = read(w, by, &ask(view));
        assert_eq!((list.items.len(), list.next.as_deref()), (list.counts[view.as_str()], None), "{view:?}");
        let told: BTreeSet<_> = every
            .items
            .iter()
            .filter(|row| view == WorklistView::All || row.views.contains(&view))
            .map(|row| row.id)
            .collect();
        assert_eq!(list.items.iter().map(|row| row.id).collect::<BTreeSet<_>>(), told, "{view:?}");
    }
    for row in every.items {
        let may = converse::find(&w.ctx(), by, row.id).is_ok();
        assert_eq!(row.readable, may, "{:?}", row.state);
        if !may {
            assert!(row.customer.is_none() && row.last.is_none() && row.tags.is_empty() && row.case.is_none());
            assert_eq!((row.unread, row.held, row.why, row.left), (0, 0, None, None));
        }
    }
}

proptest! {
    #![proptest_config(cases(48))]
    /// Over random deeds and random cuts.
    #[test]
    fn a_reader_after_any_cut_has_what_a_fresh_read_gives(
        steps in proptest::collection::vec((0u8..19, any::<u8>(), any::<u8>()), 1..70)
    ) {
        let w = World::new();
        let groups = [w.group("g", "{\"accept_secs\":30}"), w.group("h", "{\"wrap_up_secs\":20,\"undo_chat_secs\":9}")];
        let staff: Vec<AgentId> = (0..3).map(|i| w.agent(&groups[i % 2], 3, false)).collect();
        let mut followers: Vec<Follower> = staff.iter().map(|agent| actor(*agent)).chain([BOSS]).map(|by| Follower::new(&w, by)).collect();
        for (what, a, b) in steps {
            w.pass(1);
            let agent = staff[usize::from(a) % staff.len()];
            let open: Vec<_> = all(&w).into_iter().filter(|c| c.state != ConversationState::Closed).collect();
            let picked = open.get(usize::from(b) % open.len().max(1));
            let holder = actor(picked.and_then(|c| c.agent).unwrap_or(agent));
            let (ctx, by) = (w.ctx(), actor(agent));
            match (what, picked) {
                (0..=1, _) => {
                    let who = format!("u{}", a % 5);
                    let known = [(PHONE, "+8613800004711", b % 4 == 0)];
                    let mut from = sender(&who, &known[..usize::from(b % 4 == 0)]);
                    from.tags = if b % 3 == 0 { vec!["vip".to_owned()] } else { Vec::new() };
                    says(&w, ["wechat", "email"][usize::from(a % 2)], from, "米里有虫\n子");
                }
                (2, Some(c)) => drop(immediate(&w.db, || converse::write(&ctx, &holder, c.id, vec![Content::text("您好")], How::answer(When::Usual)))),
                (3, Some(c)) => drop(immediate(&w.db, || converse::leave_note(&ctx, &holder, c.id, "看看", &[agent]))),
                (4, Some(c)) => {
                    let (mode, text) = if a % 2 == 0 { (DraftMode::Reply, "写到一半") } else { (DraftMode::Note, "") };
                    drop(immediate(&w.db, || drafts::save(&ctx, &holder, c.id, mode, text, None)));
                }
                (5, Some(c)) => drop(immediate(&w.db, || presence::note(&ctx, if a % 3 == 0 { &by } else { &holder }, c.id, Some(Doing::Viewing), Some(i64::from(a))))),
                (6, Some(c)) => drop(immediate(&w.db, || converse::accept(&ctx, &actor(agent), c.id))),
                (7, Some(c)) => drop(immediate(&w.db, || converse::close(&ctx, &holder, c.id, None))),
                (8, Some(c)) => {
                    let to = if b % 2 == 0 { Target::Agent(agent) } else { Target::Group(groups[usize::from(a) % 2].clone()) };
                    drop(immediate(&w.db, || converse::transfer(&ctx, &holder, c.id, &to, Some("转给你"))));
                }
                (9, Some(c)) => drop(immediate(&w.db, || converse::consult(&ctx, &holder, c.id, agent, Some("请看")))),
                (10, Some(c)) => drop(immediate(&w.db, || converse::end_consult(&ctx, &holder, c.id, agent))),
                (11, Some(c)) => {
                    let waiting = warmline_conversations::store::held::of_conversation(&w.db, c.id, 1).unwrap();
                    if let Some(first) = waiting.first() {
                        drop(immediate(&w.db, || held::withdraw(&ctx, &holder, first.id)));
                    }
                }
                (12, _) if open.len() > 1 => drop(merge(&w, open[0].customer, open[open.len() - 1].customer)),
                (17, Some(c)) => {
                    let until = (b % 2 == 0).then(|| ctx.now().plus_millis(i64::from(b) * 100 + 1));
                    drop(immediate(&w.db, || snooze::snooze(&ctx, &holder, c.id, until, false)));
                }
                (18, Some(c)) => drop(immediate(&w.db, || snooze::wake_for(&ctx, if a % 2 == 0 { &by } else { &BOSS }, c.id))),
                (13, _) => {
                    w.pass(i64::from(a) * 100);
                    warmline_app::tick::tick(&w.ctx()).unwrap();
                }
                (14..=16, _) => {
                    let n = followers.len();
                    let follower = &mut followers[usize::from(a) % n];
                    follower.follow(&w, b % 2 == 0);
                    if b % 2 == 0 {
                        assert_eq!(follower.rows, Follower::new(&w, follower.actor).rows);
                    }
                }
                _ => {}
            }
        }
        check(&w);
        for follower in &mut followers {
            follower.follow(&w, true);
            let fresh = Follower::new(&w, follower.actor);
            assert_eq!(follower.rows, fresh.rows);
            agrees(&w, &follower.actor);
        }
    }
}

#[test]
fn pages_in_every_order_have_each_conversation_once() {
    let w = World::new();
    let group = w.group("g", "{}");
    for i in 0..7 {
        w.pass(1_000);
        w.says(&format!("u{i}"), &format!("m{i}"), "在吗");
    }
    let agent = w.agent(&group, 3, false);
    let due = "UPDATE conversations SET due_at = ?2, due_metric = 'first_reply', due_source = 'policy' WHERE id = ?1";
    let ids: Vec<ConversationId> = all(&w).iter().map(|c| c.id).collect();
    for (id, at) in [(ids[4], 10), (ids[1], 20)] {
        w.db.execute(due, &[id.as_bytes().into(), i64::from(at).into()]).unwrap();
    }
    for sort in [Sort::Due, Sort::Waiting, Sort::Newest] {
        for by in [BOSS, actor(agent)] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = read(&w, &by, &Ask { sort, after, limit: 2, ..ask(WorklistView::All) });
                seen.extend(page.items.iter().map(|row| row.id));
                let Some(next) = page.next else { break };
                after = Some(next.parse::<Place>().unwrap());
            }
            let mut in_order = ids.clone();
            match sort {
                Sort::Due => in_order.sort_by_key(|id| (*id != ids[4], *id != ids[1], *id)),
                Sort::Waiting => {}
                Sort::Newest => in_order.reverse(),
            }
            assert_eq!(seen, in_order, "{sort:?}");
        }
    }
    let first = read(&w, &BOSS, &ask(WorklistView::All)).items.remove(0);
    let due = first.due.unwrap();
    assert_eq!((due.at.millis(), due.metric.as_str(), due.source.as_str()), (10, "first_reply", "policy"));
}

#[test]
fn a_draft_is_its_writers_until_it_is_sent_and_the_next_agents_when_the_writer_leaves() {
    let w = World::new();
    let group = w.group("g", "{}");
    let (one, two) = (w.agent(&group, 2, false), w.agent(&group, 2, false));
    w.says("u", "m", "在吗");
    let c = only(&w);
    let (me, other) = if c.agent == Some(one) { (one, two) } else { (two, one) };
    save(&w, &actor(me), c.id, DraftMode::Reply, "您好，");
    save(&w, &actor(me), c.id, DraftMode::Note, "老客户");
    let first =
        immediate(&w.db, || drafts::save(&w.ctx(), &actor(me), c.id, DraftMode::Reply, "您好，稍", Some(1))).unwrap();
    assert_eq!((first.version, first.overwritten), (Some(2), false));
    // Another tab that has seen the first version only.
    let second =
        immediate(&w.db, || drafts::save(&w.ctx(), &actor(me), c.id, DraftMode::Reply, "您好，稍等", Some(1))).unwrap();
    assert_eq!((second.version, second.overwritten), (Some(3), true));
    assert_eq!(
        texts(&w, &actor(me), c.id),
        [(DraftMode::Note, "老客户".to_owned()), (DraftMode::Reply, "您好，稍等".to_owned())]
    );
    // A draft is no event, and nobody else sees it while its writer holds the conversation.
    let events = log(&w).len();
    immediate(&w.db, || converse::consult(&w.ctx(), &actor(me), c.id, other, None)).unwrap();
    assert!(texts(&w, &actor(other), c.id).is_empty());
    // A colleague who is asked has drafts of their own.
    save(&w, &actor(other), c.id, DraftMode::Note, "我看看");
    assert_eq!((texts(&w, &actor(me), c.id).len(), texts(&w, &actor(other), c.id).len()), (2, 1));
    save(&w, &actor(other), c.id, DraftMode::Note, "");
    assert!(texts(&w, &Actor { agent: Some(other), role: Role::Supervisor }, c.id).is_empty());
    assert_eq!(log(&w).len(), events + 1);
    immediate(&w.db, || converse::transfer(&w.ctx(), &actor(me), c.id, &Target::Agent(other), None)).unwrap();
    assert_eq!(texts(&w, &actor(other), c.id).len(), 2, "the next agent finds what was begun");
    save(&w, &actor(other), c.id, DraftMode::Reply, "我来");
    reply(&w.ctx(), &actor(other), c.id, &[Content::text("我来")]).unwrap();
    assert_eq!(texts(&w, &actor(other), c.id).len(), 2, "what was sent is no draft; what the other left is still there");
    let missing = drafts::read(&w.ctx(), &actor(me), c.id);
    assert!(matches!(missing, Err(StepError::NotFound(_))), "who may not see the conversation sees no draft");
    immediate(&w.db, || converse::close(&w.ctx(), &actor(other), c.id, None)).unwrap();
    let left = w.db.execute("SELECT 1 FROM drafts WHERE conversation_id = ?1", &[c.id.as_bytes().into()]).unwrap();
    assert!(left.is_empty());
    let refused = immediate(&w.db, || {
        drafts::save(&w.ctx(), &Actor { agent: Some(other), role: Role::Supervisor }, c.id, DraftMode::Reply, "x", None)
    });
    assert!(matches!(refused, Err(StepError::Conflict { code: "conversation_closed", .. })));
}

#[test]
fn what_is_taken_back_returns_to_the_draft_unless_another_was_begun() {
    let w = World::new();
    let group = w.group("g", "{\"undo_chat_secs\":9}");
    let agent = w.agent(&group, 2, false);
    w.says("u", "m", "在吗");
    let (id, me) = (only(&w).id, actor(agent));
    let hold = |text: &str| {
        let letter = vec![Content::text(text)];
        match immediate(&w.db, || converse::write(&w.ctx(), &me, id, letter, How::answer(When::Usual))).unwrap() {
            converse::Written::Held(held) => held.id,
            _ => panic!("it does not wait"),
        }
    };
    save(&w, &me, id, DraftMode::Reply, "明天到");
    let first = hold("明天到");
    assert!(texts(&w, &me, id).is_empty(), "what was written is on its way");
    immediate(&w.db, || held::withdraw(&w.ctx(), &me, first)).unwrap();
    assert_eq!(texts(&w, &me, id), [(DraftMode::Reply, "明天到".to_owned())]);
    let second = hold("后天到");
    save(&w, &me, id, DraftMode::Reply, "另一句");
    immediate(&w.db, || held::withdraw(&w.ctx(), &me, second)).unwrap();
    assert_eq!(texts(&w, &me, id), [(DraftMode::Reply, "另一句".to_owned())]);
}

#[test]
fn a_mention_lets_a_colleague_read_and_stays_until_it_is_read() {
    let w = World::new();
    let (near, far) = (w.group("g", "{}"), w.group("h", "{}"));
    let (me, mate) = (w.agent(&near, 2, false), w.agent(&far, 2, false));
    w.says("u", "m", "在吗");
    let id = only(&w).id;
    let mentioned = |w: &World| read(w, &actor(mate), &ask(WorklistView::Mentions)).items.len();
    let note = |names: &[AgentId]| immediate(&w.db, || converse::leave_note(&w.ctx(), &actor(me), id, "请看批号", names));
    assert!(matches!(note(&[AgentId::from_bytes(&[9; 16]).unwrap()]), Err(StepError::Invalid { .. })));
    assert_eq!(mentioned(&w), 0);
    note(&[mate, me]).unwrap();
    let row = read(&w, &actor(mate), &ask(WorklistView::Mentions)).items.remove(0);
    assert_eq!((row.readable, row.last.unwrap().text.as_deref()), (true, Some("请看批号")));
    assert!(read(&w, &actor(me), &ask(WorklistView::Mentions)).items.is_empty(), "nobody mentions themselves");
    assert_eq!(count(&w, "conversation.consulted"), 1);
    let seen = |n| immediate(&w.db, || presence::note(&w.ctx(), &actor(mate), id, Some(Doing::Viewing), Some(n))).unwrap();
    seen(1);
    assert_eq!(mentioned(&w), 1, "the note is not read yet");
    seen(99);
    assert_eq!(mentioned(&w), 0);
    note(&[mate]).unwrap();
    assert_eq!((mentioned(&w), count(&w, "conversation.consulted")), (1, 1));
}

#[test]
fn presence_is_no_event_and_fades() {
    let w = World::new();
    let group = w.group("g", "{}");
    let (one, two) = (w.agent(&group, 2, false), w.agent(&group, 2, false));
    w.says("u", "m", "在吗");
    let c = only(&w);
    let (me, mate) = if c.agent == Some(one) { (one, two) } else { (two, one) };
    immediate(&w.db, || converse::consult(&w.ctx(), &actor(me), c.id, mate, None)).unwrap();
    let events = log(&w).len();
    let from = Cursor::now(&w.ctx()).unwrap();
    let is =
        |by: AgentId, doing| immediate(&w.db, || presence::note(&w.ctx(), &actor(by), c.id, doing, None)).unwrap().present;
    assert!(is(me, Some(Doing::Viewing)).is_empty());
    let there = is(mate, Some(Doing::Typing));
    assert_eq!((there.len(), there[0].agent, there[0].doing), (1, me, Doing::Viewing));
    let changed = worklist::changes(&w.ctx(), &actor(me), from).unwrap();
    assert_eq!((changed.worklist, changed.presence), (None, BTreeSet::from([c.id])));
    assert!(worklist::concerns(&w.ctx(), me, c.id).unwrap() && worklist::concerns(&w.ctx(), mate, c.id).unwrap());
    // The same again is no change, and is stored only before it fades.
    let from = changed.cursor;
    w.pass(3_000);
    is(mate, Some(Doing::Typing));
    w.pass(3_000);
    is(mate, Some(Doing::Typing));
    assert_eq!(Cursor::now(&w.ctx()).unwrap(), from);
    w.pass(9_999);
    assert_eq!(presence::read(&w.ctx(), &actor(me), c.id).unwrap().present.len(), 1);
    w.pass(1);
    assert!(presence::read(&w.ctx(), &actor(me), c.id).unwrap().present.is_empty());
    is(mate, Some(Doing::Viewing));
    is(mate, None);
    assert!(presence::read(&w.ctx(), &actor(me), c.id).unwrap().present.is_empty());
    assert_eq!(log(&w).len(), events);
}

#[test]
fn an_erased_persons_drafts_are_gone_at_once() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 2, false);
    let customer = says(&w, "wechat", sender("u", &[]), "在吗");
    save(&w, &actor(agent), only(&w).id, DraftMode::Reply, "您的地址是");
    immediate(&w.db, || erase::begin(&w.ctx(), customer, &BOSS, "request", &[])).unwrap();
    for table in ["SELECT 1 FROM drafts LIMIT 1", "SELECT 1 FROM read_marks LIMIT 1", "SELECT 1 FROM mentions LIMIT 1"] {
        assert!(w.db.0.execute(table, &[]).unwrap().is_empty(), "{table}");
    }
}

#[test]
fn a_crash_at_any_statement_leaves_a_draft_whole() {
    for n in 0..60 {
        let w = World::new();
        let group = w.group("g", "{}");
        let agent = w.agent(&group, 2, false);
        w.says("u", "m", "在吗");
        let (id, me) = (only(&w).id, actor(agent));
        save(&w, &me, id, DraftMode::Reply, "第一版");
        let stood = |w: &World| (texts(w, &me, id), warmline_store::messages::list(&w.db, id, 1, 9).unwrap().len());
        fail_after(n);
        let send =
            immediate(&w.db, || converse::write(&w.ctx(), &me, id, vec![Content::text("第一版")], How::answer(When::In(0))));
        let failed = has_failed();
        assert_eq!(failed, send.is_err());
        let whole = (vec![(DraftMode::Reply, "第一版".to_owned())], 0);
        assert_eq!(stood(&w), if failed { whole } else { (Vec::new(), 1) }, "after {n} statements");
        if !failed {
            return;
        }
    }
    panic!("sending takes more than 60 statements");
}

#[test]
fn old_changes_are_forgotten_and_a_reader_from_before_reads_anew() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 2, false);
    w.says("u", "m", "在吗");
    let (id, me) = (only(&w).id, actor(agent));
    let from = Cursor::now(&w.ctx()).unwrap();
    for n in 0..1_100 {
        save(&w, &me, id, DraftMode::Reply, if n % 2 == 0 { "写" } else { "" });
    }
    w.pass(600_001);
    assert!(worklist::forget(&w.ctx()).unwrap() > 1_000);
    let changed = worklist::changes(&w.ctx(), &me, from).unwrap();
    assert!(changed.worklist.is_some_and(|worklist| worklist.reset));
    let again = worklist::changes(&w.ctx(), &me, changed.cursor).unwrap();
    assert_eq!((again.worklist, again.cursor), (None, Cursor::now(&w.ctx()).unwrap()));
}
