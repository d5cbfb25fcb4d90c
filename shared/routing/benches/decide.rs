//! Measures the cost of a decision: from the facts through 200 rules to a seat among 100 or 10,000, and a seat's next
//! contact.
//!
//! Criterion gives the mean and its spread, but the promise is a 99th percentile. Single decisions are therefore timed as
//! well, and their percentiles printed. The floor lends existing seats and heads: reading them is the store's cost, not the
//! decision's. The values that a seat computes when it is read are timed apart.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

use criterion::Criterion;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};
use warmline_model::{AccountId, AgentId, AgentState, Channel, ConversationId, GroupId, Lane, Timestamp, Units};
use warmline_routing::decide::{self, Cause, Contact};
use warmline_routing::rules::Last;
use warmline_routing::{Facts, Hands, Head, Plan, Ready, Seat, SeatFacts, SeatsAndQueues, rank};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const RULES: usize = 200;
const LANES: i64 = 12;
const SINGLE: u32 = 10_000;

/// The seats and heads that the floor lends.
struct Hall {
    seats: Rc<Vec<Seat>>,
    heads: Vec<Head>,
}

impl SeatsAndQueues for Hall {
    type Error = Infallible;

    fn seats(&self, _: &GroupId) -> Result<Rc<Vec<Seat>>, Infallible> {
        Ok(Rc::clone(&self.seats))
    }

    fn heads(&self, _: &GroupId) -> Result<Cow<'_, [Head]>, Infallible> {
        Ok(Cow::Borrowed(&self.heads))
    }

    fn waiting(&self, _: &GroupId) -> Result<i64, Infallible> {
        Ok(i64::try_from(self.heads.len()).unwrap())
    }
}

fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap()
}

fn group() -> GroupId {
    GroupId::new("order").unwrap()
}

/// 200 rules, of which the last is the first that fits: by channel, kind, words, tags and hours, as people write them.
fn plan() -> Ready {
    let mut rules = String::new();
    for i in 0..RULES - 1 {
        let condition = match i % 5 {
            0 => format!(r#""channel":["shop{i}","mall{i}"],"kind":"order_card""#),
            1 => format!(r#""contains":["词{i}","word{i}","Return{i}"]"#),
            2 => format!(r#""tags":["tag{i}","risk{i}"],"vip":true"#),
            3 => format!(r#""hours":"night","intent":["intent{i}","other{i}"]"#),
            _ => format!(r#""status":["state{i}"],"language":"en""#),
        };
        write!(rules, r#"{{{condition},"group":"order","skills":{{"skill{}":1}}}},"#, i % 8).unwrap();
    }
    let days = r#"["mon","tue","wed","thu","fri","sat","sun"]"#;
    let text = format!(
        r#"{{"hours":{{"day":{{"week":[{{"days":{days},"from":"00:00","to":"24:00"}}]}},
                      "night":{{"week":[{{"days":{days},"from":"22:00","to":"24:00"}}]}}}},
            "groups":[{{"id":"presale","name":"p"}},{{"id":"order","name":"o","settings":{{"hours":"day","sticky_days":7,
                "rings":[{{"after_secs":60,"lower":1}}],"overflow":{{"length":500,"to":{{"group":"presale"}}}}}}}}],
            "rules":[{rules}{{"contains":["物流"],"group":"order","skills":{{"skill1":1,"skill3":2}},"priority_minutes":5}}],
            "customers":[{{"tags":["complained"],"priority_minutes":20}}]}}"#
    );
    let plan: Plan = serde_json::from_str(&text).unwrap();
    plan.check().unwrap();
    assert_eq!(plan.rules.len(), RULES);
    Ready::new(plan, 7)
}

fn id(n: u32) -> [u8; 16] {
    let mut bytes = [7; 16];
    bytes[12..].copy_from_slice(&n.to_be_bytes());
    bytes
}

/// Of seven seats, six are available; three of four hold contacts; a third has a limit for a channel.
fn seats(n: u32) -> Vec<SeatFacts> {
    let seat = |i: u32| {
        let load = i64::from(i % 4);
        let held = [("app", load.min(1)), ("wechat", (load - 1).max(0))];
        SeatFacts {
            id: AgentId::from_bytes(&id(i)).unwrap(),
            ai: false,
            state: if i % 7 == 3 { AgentState::Break } else { AgentState::Available },
            dedicated: i % 50 == 49,
            capacity: Units::whole(4),
            load: Units::whole(load),
            last_assigned_at: NOW.plus_millis(-i64::from(i.wrapping_mul(2_654_435_761) % 3_600_000)),
            freed_at: NOW.plus_millis(-i64::from(i.wrapping_mul(40_503) % 3_600_000)),
            levels: (0..8).map(|s| u8::try_from((i + s) % 4).unwrap()).collect(),
            level: 1,
            groups: u16::try_from(1 + i % 3).unwrap(),
            hands: Hands::new(held.map(|(c, n)| (channel(c), n)), i.is_multiple_of(3).then(|| (channel("wechat"), 3))),
            weight: 0,
        }
    };
    (0..n).map(seat).collect()
}

fn seated(facts: Vec<SeatFacts>) -> Rc<Vec<Seat>> {
    Rc::new(facts.into_iter().map(Seat::from).collect())
}

/// Heads of lanes that came before. No two of them ask for the same. With a level that nobody has, every seat is looked at
/// for each.
fn heads(lanes: i64, level: u8) -> Vec<Head> {
    let head = |n: i64| {
        let entered = NOW.plus_millis(-30_000 - n);
        let lane = Lane {
            channel: channel(["wechat", "app", "email"][usize::try_from(n % 3).unwrap()]),
            priority_minutes: n,
            dedicated: n % 2 == 1,
            skills: [(format!("skill{}", n % 4), level)].into(),
        };
        Head {
            conversation: ConversationId::from_bytes(&id(1_000_000 + u32::try_from(n).unwrap())).unwrap(),
            group: group(),
            rank: rank(entered, 60 + n),
            lane,
            entered,
        }
    };
    (0..lanes).map(head).collect()
}

fn facts(hall: &Hall, n: u32) -> Facts {
    let last = &hall.seats[usize::try_from(n).unwrap() % hall.seats.len()];
    Facts {
        channel: channel("wechat"),
        account: AccountId::new("flagship").unwrap(),
        kind: "text".into(),
        status: Some("shipped".into()),
        intent: None,
        language: Some("zh".into()),
        terms: vec!["物流".into()],
        tags: vec!["complained".into(), "new".into()],
        account_group: None,
        owner: None,
        last: Some(Last { agent: last.id, closed_at: NOW.plus_millis(-90_000_000) }),
        people_only: false,
    }
}

fn arrive(plan: &Ready, hall: &Hall, facts: Facts, n: u32) -> decide::Decision {
    let placement = plan.place(&facts, NOW).unwrap();
    let channel = facts.channel.clone();
    let contact = Contact {
        id: ConversationId::from_bytes(&id(2_000_000 + n)).unwrap(),
        channel: &channel,
        cause: Cause::Arrival,
        facts: Some(facts),
        placement,
        entered: NOW,
        except: None,
    };
    decide::arrive(plan, hall, contact, NOW).unwrap()
}

/// Times single runs and prints their percentiles. The input of a run is made before its clock starts.
#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn single<I, O>(name: &str, mut make: impl FnMut(u32) -> I, mut run: impl FnMut(I, u32) -> O) {
    for n in 0..SINGLE / 10 {
        black_box(run(make(n), n));
    }
    let mut took: Vec<Duration> = (0..SINGLE)
        .map(|n| {
            let input = make(n);
            let start = Instant::now();
            let made = black_box(run(black_box(input), n));
            let took = start.elapsed();
            drop(made);
            took
        })
        .collect();
    took.sort_unstable();
    let micros = |share: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among ten thousand")]
        let at = (share * f64::from(SINGLE - 1)).round() as usize;
        took[at].as_secs_f64() * 1e6
    };
    let (p50, p99, p999, max) = (micros(0.5), micros(0.99), micros(0.999), micros(1.0));
    println!("{name:<44} p50 {p50:8.2}  p99 {p99:8.2}  p99.9 {p999:8.2}  max {max:9.2}  µs");
}

fn main() {
    let plan = plan();
    let mut criterion = Criterion::default().configure_from_args();
    println!(
        "{SINGLE} single decisions each, beside what the machine alone makes of a fixed sum over as much memory as 10,000 seats are:"
    );
    let memory: Vec<u64> = (0..200_000).collect();
    let sum = |n: u32| memory.iter().fold(u64::from(n), |a, b| (a ^ b).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    single("the machine", |_| (), |(), n| sum(n));
    single("10,000 seats of what is known of them", |_| seats(10_000), |facts, _| seated(facts));
    for n in [100, 10_000] {
        for (queue, heads) in
            [("no queue", Vec::new()), ("12 lanes wait", heads(LANES, 9)), ("12 lanes served", heads(LANES, 3))]
        {
            let hall = Hall { seats: seated(seats(n)), heads };
            let name = format!("arrive, {n} seats, {RULES} rules, {queue}");
            single(&name, |i| facts(&hall, i), |facts, i| arrive(&plan, &hall, facts, i));
            criterion.bench_function(&name, |b| {
                let mut i = 0;
                b.iter_batched(
                    || {
                        i += 1;
                        (facts(&hall, i), i)
                    },
                    |(facts, i)| arrive(&plan, &hall, facts, i),
                    criterion::BatchSize::SmallInput,
                );
            });
        }
    }
    let hall = Hall { seats: seated(seats(10_000)), heads: heads(LANES, 3) };
    let weights = BTreeMap::from([(group(), 0)]);
    let next = |i: u32| {
        let seat = &hall.seats[usize::try_from(i).unwrap() % hall.seats.len()];
        decide::next(&plan, &hall, seat, &weights, NOW).unwrap()
    };
    single("next, 12 lanes", |_| (), |(), i| next(i));
    criterion.bench_function("next, 12 lanes", |b| {
        let mut i = 0;
        b.iter(|| {
            i += 1;
            next(i)
        });
    });
    criterion.final_summary();
}
