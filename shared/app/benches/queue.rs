//! Measures the cost of a decision as the queue grows: SQLite in a file, 100 to 1,000,000 contacts waiting, in one lane and
//! in twelve.
//!
//! Each line of the table is the median and the 99th percentile of single operations. Each round is a transaction, like
//! each decision. Its begin and commit are not timed, because the bench measures how a statement grows with the queue.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use warmline_conversations::seats::StoreView;
use warmline_conversations::store::{
    assignment::{self, Assigned, Queued},
    queues,
};
use warmline_model::{AgentId, Channel, ConversationId, GroupId, Lane, Timestamp, Units};
use warmline_routing::decide::{self, Cause, Contact};
use warmline_routing::group::First;
use warmline_routing::{Placement, Plan, Ready};
use warmline_store::native::NativeDb;
use warmline_store::{Db, immediate, migrate};

const SIZES: [i64; 4] = [100, 10_000, 100_000, 1_000_000];
const ROUNDS: usize = 2_000;
const AGENTS: u8 = 10;
/// The most contacts ahead that are counted for a place in the queue.
const COUNTED: i64 = 500;
const NOW: i64 = 1_800_000_000_000;

const NUMBERS: &str = "CREATE TEMP TABLE numbers AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
                       SELECT i, unhex(printf('%032x', i)) AS id FROM n";
const CUSTOMERS: &str =
    "INSERT INTO customers (id, wrapped_key, tags, created_at, person) SELECT id, x'', '[]', 0, id FROM numbers";
const IDENTITIES: &str = "INSERT INTO identities (id, lookup, customer_id, channel, account, sender, created_at) \
                          SELECT id, id, id, 'app', 'a', x'', 0 FROM numbers";
const CONVERSATIONS: &str = "INSERT INTO conversations (id, identity_id, customer_id, channel, account, state, group_id, vip, why, \
                             rank, queued_at, opened_at, last_message_at, round_started_at, case_id, lane) \
                             SELECT n.id, n.id, n.id, 'app', 'a', 'queued', 'g', 0, 'fallback', ?1 + n.i, ?1 + n.i, ?1 + n.i, \
                             ?1 + n.i, ?1 + n.i, n.id, (SELECT l.value FROM json_each(?2) l WHERE l.key = n.i % ?3) FROM numbers n";
const LENGTH: &str = "INSERT INTO queues (group_id, waiting) SELECT group_id, count(*) FROM conversations GROUP BY group_id";
const GROUP: &str = "INSERT INTO groups (id, created_at) VALUES ('g', 0)";
const AGENT: &str = "INSERT INTO agents (id, name, role, state, state_since, vip, capacity, created_at) \
                     VALUES (?1, x'', 'agent', 'available', 0, 0, 400, 0)";
const MEMBER: &str = "INSERT INTO agent_groups (group_id, agent_id) VALUES ('g', ?1)";

fn group() -> GroupId {
    GroupId::new("g").unwrap()
}

fn agent(n: u8) -> AgentId {
    AgentId::from_bytes(&[n; 16]).unwrap()
}

/// Lanes that differ in channel, head start and dedicated agents, like those of one group.
fn lanes(n: i64) -> Vec<Lane> {
    let lane = |i: i64| Lane {
        channel: Channel::new(["app", "wechat", "email"][usize::try_from(i % 3).unwrap()]).unwrap(),
        priority_minutes: 15 * (i / 6),
        dedicated: i / 3 % 2 == 1,
        skills: [].into(),
    };
    (0..n).map(lane).collect()
}

/// Makes a file with this many contacts in a queue. One entered each millisecond, the last just now.
fn fill(path: &Path, waiting: i64, lanes: &[Lane]) -> NativeDb {
    let db = NativeDb::open(path).unwrap();
    migrate::migrate_all(&db, &warmline_app::MIGRATIONS).unwrap();
    let keys: Vec<String> = lanes.iter().map(Lane::key).collect();
    db.execute(NUMBERS, &[waiting.into()]).unwrap();
    immediate(&db, || {
        db.execute(GROUP, &[])?;
        for n in 1..=AGENTS {
            db.execute(AGENT, &[agent(n).as_bytes().into()])?;
            db.execute(MEMBER, &[agent(n).as_bytes().into()])?;
        }
        db.execute(CUSTOMERS, &[])?;
        db.execute(IDENTITIES, &[])?;
        let lanes = i64::try_from(keys.len()).unwrap();
        db.execute(CONVERSATIONS, &[(NOW - waiting).into(), serde_json::to_string(&keys).unwrap().into(), lanes.into()])?;
        db.execute(LENGTH, &[])
    })
    .unwrap();
    db
}

/// Times of one operation.
struct Times(&'static str, Vec<Duration>);

impl Times {
    #[expect(clippy::disallowed_methods, reason = "measures real time")]
    fn take<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let made = black_box(run());
        self.1.push(start.elapsed());
        made
    }

    fn say(mut self) {
        self.1.sort_unstable();
        let micros = |hundredth: usize| self.1[(self.1.len() - 1) * hundredth / 100].as_secs_f64() * 1e6;
        print!("  {} {:.1}/{:.1}", self.0, micros(50), micros(99));
    }
}

fn plan() -> Ready {
    Ready::new(serde_json::from_str::<Plan>(r#"{"groups":[{"id":"g","name":"g"}]}"#).unwrap(), 1)
}

/// Plays a queue of constant length: the next contact of a seat leaves, and enters again at the end.
fn measure(db: &dyn Db, lanes: &[Lane]) {
    let (plan, group) = (plan(), group());
    let floor = StoreView { db, plan: &plan, kept: None };
    let channel = Channel::new("app").unwrap();
    let [mut heads, mut length, mut next, mut leave, mut ahead, mut enter, mut arrive] =
        ["heads", "length", "next", "leave", "ahead", "enter", "arrive"].map(|name| Times(name, Vec::new()));
    for round in 0..ROUNDS {
        let now = Timestamp::from_millis(NOW + i64::try_from(round).unwrap());
        db.execute("BEGIN IMMEDIATE", &[]).unwrap();
        let first_of_each = heads.take(|| queues::heads(db, &group)).unwrap();
        assert_eq!(first_of_each.len(), lanes.len());
        length.take(|| queues::get(db, &group)).unwrap().unwrap();
        let lane = &lanes[round % lanes.len()];
        let placement = Placement {
            group: group.clone(),
            why: "fallback".into(),
            skills: lane.skills.clone(),
            priority_minutes: lane.priority_minutes,
            dedicated: lane.dedicated,
            first: First::People,
            prefer: None,
        };
        let id = ConversationId::from_bytes(&[255; 16]).unwrap();
        let contact =
            Contact { id, channel: &channel, cause: Cause::Arrival, facts: None, placement, entered: now, except: None };
        arrive.take(|| decide::arrive(&plan, &floor, contact, now)).unwrap();
        let agent = agent(1 + u8::try_from(round % usize::from(AGENTS)).unwrap());
        let found = next.take(|| {
            let (seat, weights) = floor.seat_of(agent)?.unwrap();
            decide::next(&plan, &floor, &seat, &weights, now)
        });
        let (first, decision) = found.unwrap().unwrap();
        let lane = &first_of_each.iter().find(|h| h.conversation == first).unwrap().lane;
        let assigned = Assigned {
            group: &group,
            agent,
            at: now,
            accept_by: None,
            handle_ms: 0,
            why: "next-in-queue",
            lane,
            units: Units::ONE,
            ai_due: None,
            ai: false,
        };
        leave.take(|| assignment::assign(db, first, &assigned)).unwrap();
        black_box(decision);
        ahead.take(|| queues::ahead(db, &group, now.millis(), first, COUNTED)).unwrap();
        let queued = Queued {
            group: &group,
            rank: now.millis(),
            queued_at: now,
            handle_ms: 0,
            why: "fallback",
            lane,
            overflow_at: None,
            estimate_ms: None,
            left_message: false,
        };
        enter.take(|| assignment::queue(db, first, &queued)).unwrap();
        db.execute("COMMIT", &[]).unwrap();
    }
    for times in [heads, length, arrive, next, leave, ahead, enter] {
        times.say();
    }
    println!();
}

fn main() {
    println!("µs, median/p99 of {ROUNDS}:");
    for lanes in [1, 12].map(lanes) {
        for waiting in SIZES {
            let dir = tempfile::tempdir().unwrap();
            let db = fill(&dir.path().join("t.db"), waiting, &lanes);
            print!("{:>2} lanes {waiting:>9}", lanes.len());
            measure(&db, &lanes);
        }
    }
}
