//! Sixteen connections to one file claim and give back at once. At no moment is an agent above capacity, or above a
//! channel's limit.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Barrier;
use warmline_conversations::store::assignment::{self, Assigned};
use warmline_model::{AgentId, Channel, ConversationId, GroupId, Timestamp, Units};
use warmline_store::agents::{self, Claim};
use warmline_store::native::NativeDb;
use warmline_store::{Db as _, StoreError, immediate, migrate};

const THREADS: u8 = 16;
/// Rounds of each connection, if `WARMLINE_RACE_ROUNDS` does not say otherwise.
const ROUNDS: u64 = 200;
const AGENTS: u8 = 3;
/// The conversations of each connection. Each is kept until its turn comes again, so that capacity is short all the time.
const HANDS: u8 = 4;
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

const AGENT: &str = "INSERT INTO agents (id, name, role, state, state_since, vip, capacity, created_at, profile) \
                     VALUES (?1, x'', 'agent', 'available', 0, 0, ?2, 0, ?3)";
const CUSTOMER: &str = "INSERT INTO customers (id, wrapped_key, tags, created_at) VALUES (?1, x'', '[]', 0)";
const IDENTITY: &str = "INSERT INTO identities (id, lookup, customer_id, channel, account, sender, created_at) \
                        VALUES (?1, ?1, ?1, 'app', 'a', x'', 0)";
const CONVERSATION: &str = "INSERT INTO conversations (id, identity_id, customer_id, channel, account, state, vip, opened_at, \
                            last_message_at) VALUES (?1, ?1, ?1, ?2, 'a', 'open', 0, 0, 0)";
const ABOVE: &str = "SELECT (SELECT count(*) FROM agents WHERE load > capacity), \
                     (SELECT count(*) FROM (SELECT 1 FROM conversations WHERE agent_id IS NOT NULL AND channel = 'app' \
                        GROUP BY agent_id HAVING count(*) > 2)), \
                     (SELECT count(*) FROM agents a WHERE a.load <> (SELECT coalesce(sum(c.units), 0) FROM conversations c \
                        WHERE c.agent_id = a.id)), \
                     (SELECT count(*) FROM agents a WHERE \
                        (SELECT json_group_object(key, value) FROM (SELECT key, value FROM json_each(a.held) ORDER BY key)) <> \
                        (SELECT json_group_object(channel, n) FROM (SELECT channel, count(*) AS n FROM conversations \
                          WHERE agent_id = a.id GROUP BY channel ORDER BY channel)))";

fn agent(n: u8) -> AgentId {
    AgentId::from_bytes(&[n; 16]).unwrap()
}

fn conversation(thread: u8, hand: u8) -> ConversationId {
    ConversationId::from_bytes(&[100 + HANDS * thread + hand; 16]).unwrap()
}

/// Waits until the lock is free: with sixteen writers, one can wait longer than SQLite does by itself.
fn patiently<T>(mut work: impl FnMut() -> Result<T, StoreError>) -> T {
    loop {
        match work() {
            Err(StoreError::Busy) => {}
            done => return done.unwrap(),
        }
    }
}

/// Chats of one unit, mail of half a unit, and calls that take all remaining capacity and may stand beside mail only.
fn channel(hand: u8) -> Channel {
    Channel::new(["app", "email", "app", "phone"][usize::from(hand)]).unwrap()
}

fn set_up(path: &Path) {
    let db = NativeDb::open(path).unwrap();
    migrate(&db).unwrap();
    for n in 1..=AGENTS {
        let params = [agent(n).as_bytes().into(), (150 + 100 * i64::from(n)).into(), r#"{"caps":{"app":2}}"#.into()];
        db.execute(AGENT, &params).unwrap();
    }
    for (thread, hand) in (0..THREADS).flat_map(|t| (0..HANDS).map(move |h| (t, h))) {
        let id = conversation(thread, hand);
        db.execute(CUSTOMER, &[id.as_bytes().into()]).unwrap();
        db.execute(IDENTITY, &[id.as_bytes().into()]).unwrap();
        db.execute(CONVERSATION, &[id.as_bytes().into(), channel(hand).as_str().into()]).unwrap();
    }
}

fn rounds() -> u64 {
    std::env::var("WARMLINE_RACE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

#[derive(Debug, Default)]
struct Tally {
    given: u64,
    refused: u64,
    full: u64,
}

fn work(path: &Path, thread: u8, start: &Barrier) -> Tally {
    let db = NativeDb::open(path).unwrap();
    // Durability is not tested here.
    db.execute("PRAGMA synchronous = OFF", &[]).unwrap();
    let group = GroupId::new("g").unwrap();
    let mail = [Channel::new("email").unwrap()];
    let mut tally = Tally::default();
    start.wait();
    let mut held: BTreeMap<u8, (AgentId, Units)> = BTreeMap::new();
    let give_back = |hand: u8, (from, units): (AgentId, Units)| {
        patiently(|| {
            immediate(&db, || {
                assignment::detach(&db, conversation(thread, hand))?;
                agents::release(&db, from, units, &channel(hand), NOW)
            })
        });
    };
    for round in 0..rounds() {
        let hand = u8::try_from(round % u64::from(HANDS)).unwrap();
        let (id, channel) = (conversation(thread, hand), channel(hand));
        if let Some(had) = held.remove(&hand) {
            give_back(hand, had);
        }
        // All connections pause now and then. Otherwise no call would ever find its seat without a chat.
        if round % 50 >= 40 {
            std::mem::take(&mut held).into_iter().for_each(|(hand, had)| give_back(hand, had));
        }
        let to = agent(1 + u8::try_from((round / 3 + u64::from(thread)) % u64::from(AGENTS)).unwrap());
        // The remaining capacity is read before the claim, so it can be stale. The claim itself has to find out.
        let (units, only_beside) = match channel.as_str() {
            "phone" => {
                let seen = patiently(|| agents::get(&db, to)).unwrap();
                (seen.capacity.minus(seen.load), Some(mail.as_slice()))
            }
            "email" => (Units::from_hundredths(50), None),
            _ => (Units::ONE, None),
        };
        let claimed = patiently(|| {
            immediate(&db, || {
                let claim = Claim { agent: to, at: NOW, units, channel: &channel, only_beside, by_person: false };
                let Some(claimed) = agents::claim(&db, &claim)? else { return Ok(None) };
                let assigned = Assigned {
                    group: &group,
                    agent: to,
                    at: NOW,
                    accept_by: None,
                    handle_ms: 0,
                    why: "",
                    lane: "",
                    units,
                    ai_due: None,
                    ai: false,
                };
                assignment::assign(&db, id, &assigned)?;
                Ok::<_, StoreError>(Some(claimed))
            })
        });
        let above = patiently(|| db.first(ABOVE, &[])).unwrap();
        assert_eq!(
            [0, 1, 2, 3].map(|i| above.int(i).unwrap()),
            [0; 4],
            "load, contacts of a channel, units and number of what is held"
        );
        let Some(claimed) = claimed else {
            tally.refused += 1;
            continue;
        };
        tally.given += 1;
        tally.full += u64::from(claimed.load == claimed.capacity);
        assert!(claimed.load <= claimed.capacity);
        held.insert(hand, (to, units));
    }
    held.into_iter().for_each(|(hand, had)| give_back(hand, had));
    tally
}

/// Claims alone, without a transaction around them: the statement itself is the check.
fn claim_alone(path: &Path, thread: u8, start: &Barrier) -> Tally {
    let db = NativeDb::open(path).unwrap();
    db.execute("PRAGMA synchronous = OFF", &[]).unwrap();
    let mail = Channel::new("email").unwrap();
    let mut tally = Tally::default();
    start.wait();
    let mut held = Units::ZERO;
    for round in 0..rounds() {
        if round % 3 == 0 && held > Units::ZERO {
            patiently(|| agents::release(&db, agent(1), held, &mail, NOW));
            held = Units::ZERO;
        }
        let units = Units::from_hundredths(i64::try_from(1 + (round * 37 + u64::from(thread) * 11) % 120).unwrap());
        let claim = Claim { agent: agent(1), at: NOW, units, channel: &mail, only_beside: None, by_person: false };
        let Some(claimed) = patiently(|| agents::claim(&db, &claim)) else {
            tally.refused += 1;
            continue;
        };
        assert!(claimed.load <= claimed.capacity && claimed.load >= units);
        held = held.plus(units);
        tally.given += 1;
    }
    if held > Units::ZERO {
        patiently(|| agents::release(&db, agent(1), held, &mail, NOW));
    }
    tally
}

fn at_once(run: impl Fn(&Path, u8, &Barrier) -> Tally + Sync) -> Tally {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    set_up(&path);
    let start = Barrier::new(usize::from(THREADS));
    let sum = std::thread::scope(|s| {
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                s.spawn({
                    let (run, path, start) = (&run, &path, &start);
                    move || run(path, n, start)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).fold(Tally::default(), |a, b| Tally {
            given: a.given + b.given,
            refused: a.refused + b.refused,
            full: a.full + b.full,
        })
    });
    let db = NativeDb::open(&path).unwrap();
    for n in 1..=AGENTS {
        assert_eq!(agents::get(&db, agent(n)).unwrap().unwrap().load, Units::ZERO, "all was given back");
    }
    assert_eq!(sum.given + sum.refused, u64::from(THREADS) * rounds());
    sum
}

#[test]
fn sixteen_at_once_are_never_above_capacity_or_a_limit() {
    let sum = at_once(work);
    assert!(sum.given > 0 && sum.refused > 0 && sum.full > 0, "the capacity was fought for");
}

#[test]
fn the_claim_alone_is_the_check() {
    let sum = at_once(claim_alone);
    assert!(sum.given > 0 && sum.refused > 0, "the capacity was fought for");
}
