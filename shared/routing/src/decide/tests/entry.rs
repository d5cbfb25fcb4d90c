//! Entries of the log: nothing is lost in them, they are small, and those of earlier releases are read as they are.

use super::*;
use serde_json::{Value, json};

fn all_rosters(decision: &Decision) -> Rosters {
    decision.rosters().into_iter().map(|roster| (roster.number, roster.agents)).collect()
}

/// The decision as it is read from the log.
pub(super) fn read(decision: &Decision, at: Timestamp) -> Option<Decision> {
    let entry = serde_json::to_string(&decision.grouped(at)).unwrap();
    let entry = Entry::read(&serde_json::from_str(&entry).unwrap()).unwrap();
    let rosters = all_rosters(decision);
    assert!(entry.rosters().all(|number| rosters.contains_key(&number)));
    entry.decision(at, &rosters)
}

/// An agent whose id is one that a store makes.
fn real_agent(n: u64) -> AgentId {
    let random = xxhash_rust::xxh3::xxh3_128(&n.to_le_bytes()).to_be_bytes();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&random);
    let made = NOW.millis().cast_unsigned() - 60_000 * (1_000_000 - n);
    bytes[..6].copy_from_slice(&made.to_be_bytes()[2..]);
    AgentId::from_bytes(&bytes).unwrap()
}

/// The decision on a contact in a hall of so many seats. Their states alternate, so that no two neighbours are alike.
fn in_a_hall_of(seats: u64, free: bool) -> Decision {
    let plan = ready(r#"{"groups":[{"id":"orders","name":"orders"}],"rules":[{"kind":"order_card","group":"orders"}]}"#);
    let mut hall = Memory::default();
    for n in 0..seats {
        let agent = real_agent(n);
        hall.set_profile(&plan, Profile { agent, ..profile(1, &["orders"]) });
        let states = [AgentState::Offline, AgentState::Busy, AgentState::Break, AgentState::WrapUp];
        let state = if free && n % 3 == 0 { AgentState::Available } else { states[usize::try_from(n % 4).unwrap()] };
        hall.set_state(agent, state);
    }
    let channel = Channel::new("wechat").unwrap();
    let facts = Facts { channel: channel.clone(), account: AccountId::new("shop-1").unwrap(), ..facts(&[]) };
    let placement = plan.place(&facts, NOW).unwrap();
    let (id, cause) = (ConversationId::from_bytes(real_agent(900_000).as_bytes()).unwrap(), Cause::Arrival);
    let contact = Contact { id, channel: &channel, cause, facts: Some(facts), placement, entered: NOW, except: None };
    arrive(&plan, &hall, contact, NOW).unwrap()
}

/// Bytes of a decision as earlier releases wrote it, and of its entry.
fn bytes(decision: &Decision) -> (usize, usize) {
    let (before, now) = (serde_json::to_string(decision).unwrap(), serde_json::to_string(&decision.grouped(NOW)).unwrap());
    println!("{} bytes, were {}: {now}", now.len(), before.len());
    (before.len(), now.len())
}

#[test]
fn an_entry_is_at_most_300_bytes_for_a_small_hall_and_1000_for_one_of_hundreds() {
    for (seats, most) in [(1, 300), (5, 300), (300, 1_000), (500, 1_000), (5_000, 1_000)] {
        for free in [true, false] {
            let decision = in_a_hall_of(seats, free);
            assert_eq!(given(&decision).is_some(), free && seats > 0);
            let (before, now) = bytes(&decision);
            assert!(now <= most, "{seats} seats, free: {free}: {now} bytes");
            assert!(seats < 300 || before > 15_000, "{seats} seats: {before} bytes");
            assert_eq!(read(&decision, NOW), Some(Decision { say: None, ..decision }));
        }
    }
}

#[test]
fn the_entry_of_a_free_seat_is_small_too() {
    let plan = plan("{}");
    let mut hall = floor(&plan, [profile(1, &["a", "b"])]);
    for n in 10..13 {
        waits(&mut hall, n, "a", lane(["app", "email", "wechat"][usize::from(n - 10)], &[]), 60_000);
    }
    let (_, decision) = next_of(&plan, &hall, 1).unwrap();
    assert_eq!(decision.contacts.len(), 3);
    assert!(bytes(&decision).1 <= 300);
    assert_eq!(read(&decision, NOW), Some(decision));
}

#[test]
fn an_entry_has_the_documented_shape() {
    let plan = plan(r#"{"first":"ai"}"#);
    let hall = floor(&plan, [profile(1, &["a"]), profile(2, &["a"]), profile(3, &["a"])]);
    let decision = comes(&plan, &hall);
    let roster = decision.rosters().remove(0);
    assert_eq!(roster.agents, [agent(1), agent(2), agent(3)]);
    let entry = serde_json::to_value(decision.grouped(NOW)).unwrap();
    let number = "G1sLc_rHwKA";
    let shape = json!({
        "cause": "arrival",
        "plan": 3,
        "digest": entry["digest"],
        "facts": { "channel": "app", "account": "x", "kind": "text" },
        "placed": { "why": "fallback", "first": "ai" },
        "looked": [{ "why": "ai", "seats": format!("{number}:k3") }, format!("{number}:CAB")],
        "outcome": { "assigned": { "group": "a", "agent": agent(2), "why": "people, idle", "units": 1 } },
    });
    assert_eq!(entry, shape);
    assert_eq!(entry["digest"].as_str().unwrap().len(), 22);
}

/// The entry of a release that listed every seat.
fn listed() -> Value {
    json!({
        "cause": "arrival",
        "plan": 3,
        "digest": "0123456789abcdef0123456789abcdef",
        "entered": "2027-01-15T08:00:00.000Z",
        "facts": { "channel": "app", "account": "x", "kind": "text" },
        "placement": { "group": "a", "why": "fallback", "priority_minutes": 0, "dedicated": false, "first": "people" },
        "steps": [{
            "group": "a",
            "why": "fallback",
            "seats": [
                { "agent": "agt_01010101010101010101010101010101", "place": 1 },
                { "agent": "agt_02020202020202020202020202020202", "refused": "offline" },
            ],
            "further": { "busy": 2 },
        }],
        "outcome": {
            "assigned": {
                "group": "a",
                "agent": "agt_01010101010101010101010101010101",
                "why": "fallback, idle",
                "units": 1,
            },
        },
    })
}

#[test]
fn an_entry_of_an_earlier_release_is_read_as_it_is() {
    let recorded = listed();
    let entry = Entry::read(&recorded).unwrap();
    assert_eq!(entry.rosters().count(), 0);
    let decision = entry.clone().decision(NOW, &Rosters::new()).unwrap();
    assert_eq!(decision.steps[0].seats[1].refused, Some(Refusal::Offline));
    assert_eq!(decision.like(&entry, NOW).unwrap().to_string(), recorded.to_string(), "in its own form");
    let grouped = Entry::read(&serde_json::to_value(decision.grouped(NOW)).unwrap()).unwrap();
    assert_eq!(decision.like(&grouped, NOW).unwrap(), serde_json::to_value(decision.grouped(NOW)).unwrap());
}

#[test]
fn the_release_before_reads_all_but_the_seats_of_an_assignment() {
    // It reads a decision and passes over what it does not know.
    let decision = in_a_hall_of(5, true);
    let read: Decision = serde_json::from_value(serde_json::to_value(decision.grouped(NOW)).unwrap()).unwrap();
    assert_eq!((read.cause, &read.facts, &read.outcome), (decision.cause, &decision.facts, &decision.outcome));
    assert!(read.steps.is_empty());
}

#[test]
fn without_its_rosters_an_entry_tells_all_but_the_seats() {
    let decision = in_a_hall_of(300, true);
    let entry = Entry::read(&serde_json::to_value(decision.grouped(NOW)).unwrap()).unwrap();
    let blind = entry.decision(NOW, &Rosters::new()).unwrap();
    let mut without = Decision { say: None, ..decision };
    without.steps.iter_mut().for_each(|step| step.seats.clear());
    assert_eq!(blind, without);
}

#[test]
fn what_is_no_entry_is_refused() {
    let entry = serde_json::to_value(in_a_hall_of(5, false).grouped(NOW)).unwrap();
    let but = |field: &str, value: Value| {
        let mut entry = entry.clone();
        entry[field] = value;
        Entry::read(&entry).ok().and_then(|entry| entry.decision(NOW, &Rosters::new()))
    };
    assert!(but("plan", json!(4)).is_some());
    for wrong in ["!".repeat(22), "_".repeat(22)] {
        // A digest that is none is shown as it is: it is compared, and never looked into.
        assert_eq!(but("digest", json!(wrong)).unwrap().digest, wrong);
    }
    assert_eq!(but("among", json!([["short", 5]])), None);
    assert_eq!(but("facts", Value::Null), None, "the lane follows from them");
    assert_eq!(but("looked", json!([""])), None, "a queued contact's group says why");
    // A text of seats that does not fit its roster shows no seats, and never other ones.
    let (number, agents) = all_rosters(&in_a_hall_of(5, false)).into_iter().next().unwrap();
    let shown = |letters: &str, rosters: &Rosters| {
        let mut entry = entry.clone();
        let name = entry["looked"][0]["seats"].as_str().unwrap().split_once(':').unwrap().0.to_owned();
        entry["looked"][0]["seats"] = format!("{name}:{letters}").into();
        Entry::read(&entry).unwrap().decision(NOW, rosters).unwrap().steps[0].seats.len()
    };
    let rosters = Rosters::from([(number, agents)]);
    assert_eq!(shown("o5", &rosters), 5);
    for wrong in ["o6", "o99999999999999999999999", "5", "?5", "o4", "o5:", "o5:A", "o5:Ashort"] {
        assert_eq!(shown(wrong, &rosters), 0, "{wrong}");
    }
}

type Verdict = (Option<u16>, Option<Refusal>);

/// A verdict of any kind.
fn any_verdict() -> impl proptest::strategy::Strategy<Value = Verdict> {
    (0usize..30).prop_map(|n| match n {
        0..12 => (None, Some(Refusal::ALL[n])),
        12 | 13 => (None, None),
        _ => (u16::try_from(n - 13).ok(), None),
    })
}

fn any_seats() -> impl proptest::strategy::Strategy<Value = Vec<SeatVerdict>> {
    // Rows of the same verdict, as they are in a hall, and agents in any order.
    let row = (any_verdict(), proptest::collection::vec(any::<[u8; 16]>(), 1..40));
    proptest::collection::vec(row, 0..16).prop_map(|rows| {
        let of = |((place, refused), ids): (Verdict, Vec<[u8; 16]>)| {
            ids.into_iter().map(move |id| SeatVerdict { agent: AgentId::from_bytes(&id).unwrap(), place, refused })
        };
        rows.into_iter().flat_map(of).collect()
    })
}

fn any_contact() -> impl proptest::strategy::Strategy<Value = ContactVerdict> {
    let verdict = (any::<i64>(), 0usize..14).prop_map(|(place, n)| match n {
        0..12 => (None, serde_json::to_value(Refusal::ALL[n]).unwrap().as_str().map(str::to_owned)),
        12 => (None, Some("closed".to_owned())),
        _ => (Some(place), None),
    });
    (any::<[u8; 16]>(), 0usize..3, verdict).prop_map(|(id, g, (place, refused))| ContactVerdict {
        conversation: ConversationId::from_bytes(&id).unwrap(),
        group: group(["a", "b", "c"][g]),
        place,
        refused,
    })
}

proptest! {
    #[test]
    fn grouping_loses_no_verdict(
        halls in proptest::collection::vec((0usize..3, 0usize..4, 0i64..3, any_seats(), 0u32..3), 1..4),
        contacts in proptest::collection::vec(any_contact(), 0..20),
        placed in (0usize..3, 0usize..4, any::<bool>(), any::<bool>(), 0i64..3),
        (assigned, entered, told) in (any::<bool>(), -2i64..2, any::<bool>()),
        digest in any::<u128>(),
    ) {
        let (groups, whys) = (["a", "b", "c"], ["rule-1", "ai", "people", "a, b"]);
        let steps = halls.into_iter().map(|(g, why, waiting, seats, further)| Step {
            group: group(groups[g]),
            why: whys[why].into(),
            waiting,
            seats,
            further: (further > 0).then(|| ("busy".to_owned(), further)).into_iter().collect(),
        });
        let (g, why, dedicated, ai, priority_minutes) = placed;
        let prefer = dedicated.then(|| Prefer { agent: agent(1), why: PreferWhy::Owner });
        let placement = Placement {
            group: group(groups[g]),
            why: whys[why].into(),
            skills: skills(u8::from(ai)),
            priority_minutes,
            dedicated,
            first: if ai { First::Ai } else { First::People },
            prefer,
        };
        let outcome = match assigned {
            true => Outcome::Assigned {
                group: group("b"),
                agent: agent(7),
                why: format!("{}, idle", whys[why]),
                units: Units::from_hundredths(50),
            },
            false => Outcome::Queued {
                group: group("b"),
                lane: lane("app", &[]),
                rank: NOW.millis(),
                behind: dedicated.then(|| agent(3)),
                left_message: ai,
            },
        };
        let decision = Decision {
            cause: if assigned { Cause::Transfer } else { Cause::Arrival },
            plan: 3,
            digest: format!("{digest:032x}"),
            entered: Some(NOW.plus_millis(entered)),
            except: ai.then(|| agent(9)),
            facts: told.then(|| facts(&["order"])),
            placement: Some(placement),
            steps: steps.collect(),
            contacts,
            outcome,
            say: None,
        };
        prop_assert_eq!(read(&decision, NOW), Some(decision));
    }

    #[test]
    fn no_text_in_place_of_seats_panics(text in ".*") {
        let mut entry = serde_json::to_value(in_a_hall_of(2, false).grouped(NOW)).unwrap();
        entry["looked"][0]["seats"] = text.into();
        let entry = Entry::read(&entry).unwrap();
        let rosters = entry.rosters().map(|number| (number, vec![agent(1), agent(2)])).collect();
        entry.decision(NOW, &rosters).unwrap();
    }
}
