//! Decisions on small written floors, and on random ones.

use super::*;
use crate::choose::tests::but;
use crate::handover::HandOverReason;
use crate::memory::Memory;
use crate::plan::Plan;
use crate::rules::Last;
use crate::seat::{Hands, Levels, Prefer, PreferWhy};
use proptest::prelude::{Strategy as _, any, prop_assert, prop_assert_eq, prop_assert_ne, proptest};
use warmline_model::{AccountId, AgentState, Profile};

mod entry;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn ready(text: &str) -> Ready {
    let plan: Plan = serde_json::from_str(text).unwrap();
    plan.check().unwrap();
    Ready::new(plan, 3)
}

/// A plan of one group `a` with these settings, and a plain group `b`.
fn plan(settings: &str) -> Ready {
    ready(&format!(
        r#"{{"hours":{{"never":{{"week":[]}}}},"groups":[{{"id":"a","name":"a","settings":{settings}}},{{"id":"b","name":"b"}}]}}"#
    ))
}

fn group(name: &str) -> GroupId {
    GroupId::new(name).unwrap()
}

fn agent(n: u8) -> AgentId {
    AgentId::from_bytes(&[n; 16]).unwrap()
}

fn id(n: u8) -> ConversationId {
    ConversationId::from_bytes(&[n; 16]).unwrap()
}

fn app() -> Channel {
    Channel::new("app").unwrap()
}

fn profile(n: u8, groups: &[&str]) -> Profile {
    Profile {
        agent: agent(n),
        ai: false,
        dedicated: false,
        capacity: Units::whole(2),
        caps: BTreeMap::new(),
        skills: BTreeMap::new(),
        groups: groups.iter().map(|g| (group(g), 1)).collect(),
    }
}

/// Available agents.
fn floor(plan: &Ready, profiles: impl IntoIterator<Item = Profile>) -> Memory {
    let mut floor = Memory::default();
    for profile in profiles {
        let agent = profile.agent;
        floor.set_profile(plan, profile);
        floor.set_state(agent, AgentState::Available);
    }
    floor
}

fn lane(channel: &str, skills: &[(&str, u8)]) -> Lane {
    Lane {
        channel: Channel::new(channel).unwrap(),
        priority_minutes: 0,
        dedicated: false,
        skills: skills.iter().map(|(s, l)| ((*s).to_owned(), *l)).collect(),
    }
}

fn waits(floor: &mut Memory, n: u8, to: &str, lane: Lane, before_now_ms: i64) {
    let entered = NOW.plus_millis(-before_now_ms);
    floor.queue(id(n), group(to), lane, entered.millis(), entered);
}

fn facts(terms: &[&str]) -> Facts {
    Facts {
        channel: app(),
        account: AccountId::new("x").unwrap(),
        kind: "text".into(),
        status: None,
        intent: None,
        language: None,
        terms: terms.iter().map(|t| (*t).to_owned()).collect(),
        tags: Vec::new(),
        account_group: None,
        owner: None,
        last: None,
        people_only: false,
    }
}

fn arrive_with(plan: &Ready, floor: &Memory, facts: Facts, change: impl FnOnce(&mut Contact<'_>)) -> Decision {
    let placement = plan.place(&facts, NOW).unwrap();
    let channel = app();
    let mut contact = Contact {
        id: id(200),
        channel: &channel,
        cause: Cause::Arrival,
        facts: Some(facts),
        placement,
        entered: NOW,
        except: None,
    };
    change(&mut contact);
    arrive(plan, floor, contact, NOW).unwrap()
}

fn comes(plan: &Ready, floor: &Memory) -> Decision {
    arrive_with(plan, floor, facts(&[]), |_| {})
}

/// The agent who got it, the group, and the reason.
fn given(decision: &Decision) -> Option<(u8, &str, &str)> {
    match &decision.outcome {
        Outcome::Assigned { group, agent, why, .. } => Some((agent.as_bytes()[0], group.as_str(), why)),
        Outcome::Queued { .. } => None,
    }
}

/// The group whose queue it went into, the seat that serves an earlier contact first, and whether the customer left a
/// message.
fn queued(decision: &Decision) -> Option<(&str, Option<AgentId>, bool)> {
    match &decision.outcome {
        Outcome::Queued { group, behind, left_message, .. } => Some((group.as_str(), *behind, *left_message)),
        Outcome::Assigned { .. } => None,
    }
}

fn steps(decision: &Decision) -> Vec<(&str, &str)> {
    decision.steps.iter().map(|s| (s.group.as_str(), s.why.as_str())).collect()
}

#[test]
fn a_closed_group_leads_to_another() {
    let plan = plan(r#"{"hours":"never","closed":{"to":{"group":"b"},"text":"shut"}}"#);
    let decision = comes(&plan, &floor(&plan, [profile(1, &["a"]), profile(2, &["b"])]));
    assert_eq!(given(&decision), Some((2, "b", "closed, idle")));
    assert_eq!((decision.say.as_deref(), steps(&decision)), (Some("shut"), vec![("a", "fallback"), ("b", "closed")]));
}

#[test]
fn a_closed_group_takes_a_message() {
    let plan = plan(r#"{"hours":"never","closed":{"to":"leave_message","text":"later"}}"#);
    let decision = comes(&plan, &floor(&plan, [profile(1, &["a"])]));
    assert_eq!((queued(&decision), decision.say.as_deref()), (Some(("a", None, true)), Some("later")));
}

#[test]
fn a_closed_group_leaves_it_to_an_ai_seat_and_never_to_people() {
    let plan = plan(r#"{"hours":"never","closed":{"to":"ai"}}"#);
    let ai = Profile { ai: true, ..profile(9, &["a"]) };
    let with = comes(&plan, &floor(&plan, [profile(1, &["a"]), ai]));
    assert_eq!(given(&with), Some((9, "a", "fallback, idle")));
    let without = comes(&plan, &floor(&plan, [profile(1, &["a"])]));
    assert_eq!(queued(&without), Some(("a", None, false)), "people are not asked while it is closed");
    assert_eq!(given(&comes(&self::plan(r#"{"hours":"never"}"#), &floor(&plan, [profile(1, &["a"])]))), None);
}

#[test]
fn a_full_queue_overflows() {
    let to_b = plan(r#"{"overflow":{"length":2,"to":{"group":"b"},"text":"next door"}}"#);
    let mut hall = floor(&to_b, [profile(2, &["b"])]);
    waits(&mut hall, 1, "a", lane("app", &[]), 2_000);
    assert_eq!(queued(&comes(&to_b, &hall)), Some(("a", None, false)), "one waits, two are borne");
    waits(&mut hall, 2, "a", lane("app", &[]), 1_000);
    let decision = comes(&to_b, &hall);
    assert_eq!(given(&decision), Some((2, "b", "overflow, idle")));
    assert_eq!((decision.say.as_deref(), decision.steps[0].waiting), (Some("next door"), 2));
    let message = plan(r#"{"overflow":{"length":2,"to":"leave_message"}}"#);
    assert_eq!(queued(&comes(&message, &hall)), Some(("a", None, true)));
    let ai = plan(r#"{"overflow":{"length":2,"to":"ai"}}"#);
    assert_eq!(queued(&comes(&ai, &hall)), Some(("a", None, false)), "no AI seat: it stays");
    hall.set_profile(&ai, Profile { ai: true, ..profile(9, &["a"]) });
    hall.set_state(agent(9), AgentState::Available);
    assert_eq!(given(&comes(&ai, &hall)), Some((9, "a", "overflow, idle")));
}

#[test]
fn who_waited_too_long_goes_elsewhere_whatever_the_length() {
    let plan = plan(r#"{"overflow":{"wait_secs":60,"to":{"group":"b"}}}"#);
    let mut hall = floor(&plan, [profile(2, &["b"])]);
    waits(&mut hall, 200, "a", lane("app", &[]), 61_000);
    let again = |cause| arrive_with(&plan, &hall, facts(&[]), |c| (c.cause, c.entered) = (cause, NOW.plus_millis(-61_000)));
    assert_eq!(given(&again(Cause::WaitedTooLong)), Some((2, "b", "overflow, idle")));
    assert_eq!(queued(&again(Cause::Transfer)), Some(("a", None, false)));
    assert_ne!(again(Cause::WaitedTooLong).digest, again(Cause::Transfer).digest, "the cause decides, so it is seen");
}

#[test]
fn ai_begins_and_people_take_over_where_there_is_none() {
    let plan = plan(r#"{"first":"ai","hand_over":{"words":["投诉"],"vip":true}}"#);
    let people = [profile(1, &["a"])];
    let both = floor(&plan, people.clone().into_iter().chain([Profile { ai: true, ..profile(9, &["a"]) }]));
    let decision = comes(&plan, &both);
    assert_eq!((given(&decision), steps(&decision)), (Some((9, "a", "fallback, idle")), vec![("a", "ai")]));
    let decision = comes(&plan, &floor(&plan, people));
    assert_eq!(given(&decision), Some((1, "a", "people, idle")));
    assert_eq!(steps(&decision), [("a", "ai"), ("a", "people")]);
    let word = arrive_with(&plan, &both, facts(&["投诉"]), |_| {});
    assert_eq!((given(&word), steps(&word)), (Some((1, "a", "fallback, idle")), vec![("a", "fallback")]));
    let vip = arrive_with(&plan, &both, Facts { tags: vec!["vip".into()], ..facts(&[]) }, |_| {});
    assert_eq!(given(&vip).map(|g| g.0), Some(1));
}

#[test]
fn whoever_came_before_is_served_first() {
    let plan =
        ready(r#"{"groups":[{"id":"a","name":"a"}],"rules":[{"contains":["never"],"group":"a","skills":{"order":1}}]}"#);
    let mut hall = floor(&plan, [profile(1, &["a"])]);
    waits(&mut hall, 1, "a", lane("app", &[("order", 1)]), 5_000);
    assert_eq!(given(&comes(&plan, &hall)).map(|g| g.0), Some(1), "the seat cannot serve the one who waits");
    waits(&mut hall, 2, "a", lane("app", &[]), 4_000);
    assert_eq!(queued(&comes(&plan, &hall)), Some(("a", Some(agent(1)), false)));
    let first = arrive_with(&plan, &hall, facts(&[]), |c| c.entered = NOW.plus_millis(-4_001));
    assert_eq!(given(&first).map(|g| g.0), Some(1), "it entered earlier");
    hall.queue(id(2), group("a"), lane("app", &[]), NOW.millis(), NOW);
    assert_eq!(queued(&comes(&plan, &hall)).map(|q| q.1), Some(Some(agent(1))), "the same place: the smaller id");
}

#[test]
fn a_preferred_agent_comes_before_an_idle_one() {
    let plan = plan(r#"{"sticky_days":7,"reopen_hours":2}"#);
    let mut hall = floor(&plan, [profile(1, &["a"]), profile(2, &["a"]), profile(3, &["a"])]);
    hall.assign(id(1), agent(2), app(), Units::ONE, NOW);
    let last = |hours: i64| Some(Last { agent: agent(2), closed_at: NOW.plus_millis(-hours * 3_600_000) });
    let why = |hall: &Memory, facts: Facts| {
        let decision = arrive_with(&plan, hall, facts, |_| {});
        given(&decision).map(|(n, _, why)| (n == 2, why.to_owned()))
    };
    let told = |mine, why: &str| Some((mine, format!("fallback, {why}")));
    assert_eq!(why(&hall, Facts { last: last(3), ..facts(&[]) }), told(true, "sticky"));
    assert_eq!(why(&hall, Facts { last: last(1), ..facts(&[]) }), told(true, "reopened"));
    assert_eq!(why(&hall, Facts { owner: Some(agent(2)), ..facts(&[]) }), told(true, "owner"));
    assert_eq!(why(&hall, Facts { last: last(8 * 24), ..facts(&[]) }), told(false, "idle"));
    hall.assign(id(2), agent(2), app(), Units::ONE, NOW);
    assert_eq!(why(&hall, Facts { owner: Some(agent(2)), ..facts(&[]) }), told(false, "idle"), "full: the next best");
    let prefer = Some(Prefer { agent: agent(3), why: PreferWhy::Owner });
    let kept = arrive_with(&plan, &hall, facts(&[]), |c| (c.placement.prefer, c.except) = (prefer, Some(agent(3))));
    assert_eq!(given(&kept).map(|g| g.0), Some(1), "not whoever hands it over");
}

#[test]
fn a_seat_that_is_kept_for_a_call_gets_no_chat() {
    let plan = plan("{}");
    let mut hall = floor(&plan, [profile(1, &["a"]), profile(2, &["a"])]);
    hall.assign(id(1), agent(1), app(), Units::ONE, NOW);
    hall.assign(id(2), agent(2), app(), Units::from_hundredths(50), NOW);
    waits(&mut hall, 10, "a", lane("phone", &[]), 9_000);
    let decision = comes(&plan, &hall);
    assert_eq!(given(&decision), Some((1, "a", "fallback, lowest-load")));
    let refused: Vec<_> = decision.steps[0].seats.iter().map(|s| s.refused).collect();
    assert_eq!(refused, [None, Some(Refusal::Reserved)], "the less loaded one is kept");
    let (seat, weights) = hall.seat(agent(2)).unwrap();
    waits(&mut hall, 11, "a", lane("app", &[]), 1_000);
    assert_eq!(next(&plan, &hall, &seat, &weights, NOW).unwrap(), None);
    let early = arrive_with(&plan, &hall, facts(&[]), |c| c.entered = NOW.plus_millis(-10_000));
    assert_eq!(given(&early).map(|g| g.0), Some(2), "it came before the call");
}

fn next_of(plan: &Ready, hall: &Memory, n: u8) -> Option<(u8, Decision)> {
    let (seat, weights) = hall.seat(agent(n)).unwrap();
    next(plan, hall, &seat, &weights, NOW).unwrap().map(|(c, d)| (c.as_bytes()[0], d))
}

#[test]
fn a_free_seat_takes_the_first_of_all_its_queues() {
    let plan = plan("{}");
    let mut hall = floor(&plan, [profile(1, &["a", "b"])]);
    assert_eq!(next_of(&plan, &hall, 1), None, "nobody waits");
    waits(&mut hall, 10, "a", lane("app", &[]), 60_000);
    waits(&mut hall, 11, "b", lane("app", &[]), 30_000);
    waits(&mut hall, 12, "a", lane("app", &[]), 59_000);
    let (first, decision) = next_of(&plan, &hall, 1).unwrap();
    assert_eq!((first, given(&decision)), (10, Some((1, "a", "next-in-queue"))));
    assert_eq!(decision.contacts.len(), 2, "one a lane");
    hall.set_weight(agent(1), group("b"), 1);
    let (first, moved) = next_of(&plan, &hall, 1).unwrap();
    assert_eq!((first, moved.contacts[1].place), (11, Some(NOW.millis() - 90_000)), "a minute earlier for this seat");
    assert_ne!(decision.digest, moved.digest);
    hall.set_state(agent(1), AgentState::Break);
    assert_eq!(next_of(&plan, &hall, 1), None);
}

#[test]
fn a_free_seat_takes_nothing_of_a_closed_group() {
    let plan = plan(r#"{"hours":"never"}"#);
    let mut hall = floor(&plan, [profile(1, &["a", "b"])]);
    waits(&mut hall, 10, "a", lane("app", &[]), 60_000);
    assert_eq!(next_of(&plan, &hall, 1), None);
    waits(&mut hall, 11, "b", lane("app", &[]), 10_000);
    let (first, decision) = next_of(&plan, &hall, 1).unwrap();
    assert_eq!((first, decision.contacts[0].refused.as_deref()), (11, Some("closed")));
}

#[test]
fn held_and_limit_are_not_taken_for_one_another() {
    let plan = plan("{}");
    let seat = floor(&plan, [profile(1, &["a"])]).seat(agent(1)).unwrap().0;
    let digest = |seat: Seat| {
        let mut seen = Seen::new(&plan, NOW);
        seen.seats(&[seat]);
        seen.digest()
    };
    let hands = |held: &[(Channel, i64)], caps: &[(Channel, i64)]| {
        digest(but(&seat, |s| s.hands = Hands::new(held.to_vec(), caps.to_vec())))
    };
    let held = hands(&[(app(), 1)], &[]);
    assert_ne!(held, hands(&[], &[(app(), 1)]));
    let long = Channel::new("a-channel-of-a-long-name").unwrap();
    assert_ne!(hands(&[(long, 1)], &[]), held);
    let levels = |levels: &[u8]| digest(but(&seat, |s| s.levels = Levels::from_slice(levels)));
    assert_ne!(levels(&[1]), levels(&[1, 0]));
}

/// AI, dedicated, capacity and load in halves, state, level of `order`, serves `b` too, limit for `app`.
type Raw = (bool, bool, u8, u8, u8, u8, bool, Option<u8>);

/// A possible floor, and the contact that arrives.
#[derive(Clone, Debug)]
struct Case {
    agents: Vec<Raw>,
    /// Group, channel, needs a level, seconds waited, dedicated.
    queue: Vec<(bool, u8, u8, u8, bool)>,
    channel: u8,
    needs: u8,
    dedicated: bool,
    ai: bool,
    strategy: u8,
}

const CHANNELS: [&str; 3] = ["app", "email", "phone"];

fn case() -> impl proptest::strategy::Strategy<Value = Case> {
    let agent = (any::<bool>(), any::<bool>(), 0u8..8, 0u8..8, 0u8..8, 0u8..3, any::<bool>(), proptest::option::of(0u8..3));
    let waiting = (any::<bool>(), 0u8..3, 0u8..3, 0u8..120, any::<bool>());
    let contact = (0u8..3, 0u8..3, any::<bool>(), any::<bool>(), 0u8..6);
    (proptest::collection::vec(agent, 1..8), proptest::collection::vec(waiting, 0..8), contact).prop_map(
        |(agents, queue, (channel, needs, dedicated, ai, strategy))| Case {
            agents,
            queue,
            channel,
            needs,
            dedicated,
            ai,
            strategy,
        },
    )
}

fn skills(level: u8) -> BTreeMap<String, u8> {
    (level > 0).then(|| ("order".to_owned(), level)).into_iter().collect()
}

impl Case {
    fn plan(&self) -> Ready {
        let strategy = ["least-loaded", "most-idle", "round-robin", "most-skilled", "sticky-first", "specialist-first"]
            [usize::from(self.strategy)];
        ready(&format!(
            r#"{{"groups":[{{"id":"a","name":"a","settings":{{"strategy":"{strategy}","rings":[{{"after_secs":60,"lower":1}}],
                "overflow":{{"length":5,"to":{{"group":"b"}}}}}}}},{{"id":"b","name":"b"}}],
                "rules":[{{"contains":["order"],"group":"a","skills":{{"order":1}}}}]}}"#
        ))
    }

    fn floor(&self, plan: &Ready) -> Memory {
        let mut hall = Memory::default();
        for (i, (ai, dedicated, capacity, load, state, level, both, cap)) in (1..).zip(&self.agents) {
            let profile = Profile {
                ai: *ai,
                dedicated: *dedicated,
                capacity: Units::from_hundredths(50 * i64::from(*capacity)),
                caps: cap.iter().map(|n| (app(), i64::from(*n))).collect(),
                skills: skills(*level),
                ..profile(i, if *both { &["a", "b"] } else { &["a"] })
            };
            hall.set_profile(plan, profile);
            let state = match state {
                0 => AgentState::Offline,
                1 => AgentState::Busy,
                2 => AgentState::WrapUp,
                _ => AgentState::Available,
            };
            hall.set_state(agent(i), state);
            let channel = Channel::new(CHANNELS[usize::from(load % 2)]).unwrap();
            for n in 0..load.min(capacity).div_euclid(2) {
                hall.assign(id(20 + 8 * i + n), agent(i), channel.clone(), Units::ONE, NOW.plus_millis(-i64::from(*load)));
            }
        }
        for (n, (b, channel, needs, secs, dedicated)) in (100..).zip(&self.queue) {
            let lane = Lane { skills: skills(*needs), dedicated: *dedicated, ..lane(CHANNELS[usize::from(*channel)], &[]) };
            waits(&mut hall, n, if *b { "b" } else { "a" }, lane, 1_000 * i64::from(*secs));
        }
        hall
    }

    fn contact<'a>(&self, channel: &'a Channel) -> Contact<'a> {
        let placement = Placement {
            group: group("a"),
            why: "rule-1".into(),
            skills: skills(self.needs),
            priority_minutes: 1,
            dedicated: self.dedicated,
            first: if self.ai { First::Ai } else { First::People },
            prefer: Some(Prefer { agent: agent(1), why: PreferWhy::Sticky }),
        };
        let cause = if self.ai { Cause::Arrival } else { Cause::HandOver(HandOverReason::Anger) };
        Contact { id: id(200), channel, cause, facts: Some(facts(&["order"])), placement, entered: NOW, except: None }
    }

    fn channel(&self) -> Channel {
        Channel::new(CHANNELS[usize::from(self.channel)]).unwrap()
    }
}

/// Checks that a decision takes no more capacity than is left, and no more contacts of a channel than allowed.
fn fits(hall: &Memory, decision: &Decision, channel: &Channel) -> bool {
    let Outcome::Assigned { agent, units, .. } = &decision.outcome else { return true };
    let seat = hall.seat(*agent).unwrap().0;
    *units > Units::ZERO
        && seat.state == AgentState::Available
        && seat.load.plus(*units) <= seat.capacity
        && seat.hands.iter().all(|h| h.channel != *channel || h.held < h.most)
}

fn again(decision: &Decision) -> Decision {
    serde_json::from_str(&serde_json::to_string(decision).unwrap()).unwrap()
}

fn fuller(seat: &Seat) -> Seat {
    but(seat, |s| s.load = s.load.plus(Units::from_hundredths(1)))
}

/// A floor that differs in one thing from the floor below it.
struct But<'a> {
    floor: &'a Memory,
    seat: Option<AgentId>,
    head: Option<ConversationId>,
}

impl SeatsAndQueues for But<'_> {
    type Error = std::convert::Infallible;

    fn seats(&self, group: &GroupId) -> Result<Rc<Vec<Seat>>, Self::Error> {
        let mut seats = self.floor.seats(group)?;
        for seat in Rc::make_mut(&mut seats).iter_mut().filter(|s| Some(s.id) == self.seat) {
            *seat = fuller(seat);
        }
        Ok(seats)
    }

    fn heads(&self, group: &GroupId) -> Result<Cow<'_, [Head]>, Self::Error> {
        let mut heads = self.floor.heads(group)?.into_owned();
        for head in heads.iter_mut().filter(|h| Some(h.conversation) == self.head) {
            head.rank -= 1;
        }
        Ok(Cow::Owned(heads))
    }

    fn waiting(&self, group: &GroupId) -> Result<i64, Self::Error> {
        self.floor.waiting(group)
    }
}

proptest! {
    #[test]
    fn an_arrival_fits_is_made_again_and_is_told_apart(case in case()) {
        let (plan, channel) = (case.plan(), case.channel());
        let hall = case.floor(&plan);
        let decide = |seat, head| {
            let floor = But { floor: &hall, seat, head };
            arrive(&plan, &floor, case.contact(&channel), NOW).unwrap()
        };
        let decision = decide(None, None);
        prop_assert!(fits(&hall, &decision, &channel));
        prop_assert_eq!(&decide(None, None), &decision);
        prop_assert_eq!(Decision { say: None, ..decision.clone() }, again(&decision));
        prop_assert_eq!(entry::read(&decision, NOW), Some(again(&decision)));
        // The load of an agent who is not available is not looked at.
        for seat in hall.seats(&group("a")).unwrap().iter().filter(|s| s.state == AgentState::Available) {
            prop_assert_ne!(&decide(Some(seat.id), None).digest, &decision.digest, "load of {}", seat.id);
        }
        // Contacts that came later are not looked at. A contact does not wait for an AI seat.
        let mine = (rank(NOW, 1), id(200));
        let looked = decision.steps.iter().any(|s| s.group == group("a") && s.why != "ai");
        for head in hall.heads(&group("a")).unwrap().iter().filter(|h| looked && (h.rank, h.conversation) < mine) {
            prop_assert_ne!(&decide(None, Some(head.conversation)).digest, &decision.digest, "place of {}", head.conversation);
        }
    }

    #[test]
    fn a_next_contact_fits_is_made_again_and_is_told_apart(case in case(), n in 0usize..8) {
        let plan = case.plan();
        let hall = case.floor(&plan);
        let (seat, weights) = hall.seat(agent(u8::try_from(1 + n % case.agents.len()).unwrap())).unwrap();
        let decide = |seat: &Seat, head| {
            let floor = But { floor: &hall, seat: None, head };
            next(&plan, &floor, seat, &weights, NOW).unwrap()
        };
        let Some((taken, decision)) = decide(&seat, None) else { return Ok(()) };
        let head = |id| weights.keys().flat_map(|g| hall.heads(g).unwrap().into_owned()).find(|h| h.conversation == id).unwrap();
        prop_assert!(fits(&hall, &decision, &head(taken).lane.channel));
        prop_assert_eq!(decide(&seat, None).map(|d| d.1), Some(decision.clone()));
        prop_assert_eq!(&again(&decision), &decision);
        prop_assert_eq!(entry::read(&decision, NOW), Some(decision.clone()));
        if let Some((_, other)) = decide(&fuller(&seat), None) {
            prop_assert_ne!(&other.digest, &decision.digest);
        }
        for contact in &decision.contacts {
            if let Some((_, other)) = decide(&seat, Some(contact.conversation)) {
                prop_assert_ne!(&other.digest, &decision.digest, "place of {}", contact.conversation);
            }
        }
    }
}
