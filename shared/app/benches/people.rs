//! Measures the cost of a customer: the first page of a timeline as the store grows, a merge of customers with a long
//! history, sealing, and a summary with and without a context.
//!
//! `cargo bench -p warmline-app --bench people`. With numbers of messages as arguments (`-- 10000 1000000`), it measures
//! only those. Ten million take some GB in the temporary folder and half a minute to write.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "measures real time")]

use std::cell::Cell;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use warmline_compliance::erase;
use warmline_customers::{people, summary, timeline};
use warmline_kernel::ctx::Actor;
use warmline_kernel::memo::Memo;
use warmline_kernel::{Ctx, archive, sealing};
use warmline_model::{Clock, Content, ConversationId, CustomerId, MessageId, Origin, Rng, Role, Timestamp};
use warmline_privacy::{Keyring, Masters};
use warmline_store::messages::{self, Message};
use warmline_store::native::{MemoryKv, NativeDb, NoKv};
use warmline_store::{Db, StoreError, conversations, customers, immediate, migrate, vault};

const SIZES: [i64; 3] = [10_000, 1_000_000, 10_000_000];
const ROUNDS: i64 = 2_000;
/// A person has two customers, each of them two conversations of 25 messages.
const EACH: i64 = 100;
const PAGE: usize = 50;
const NOW: i64 = 1_800_000_000_000;
const LONG: i64 = 10_000;
const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

const CUSTOMERS: &str = "INSERT INTO customers (id, wrapped_key, tags, created_at, person) \
    WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
    SELECT unhex(printf('%032x', i)), x'', '[]', 0, unhex(printf('%032x', i - i % ?3)) FROM n";
const IDENTITIES: &str = "INSERT INTO identities (id, lookup, customer_id, channel, account, sender, created_at) \
    SELECT id, id, id, 'app', 'a', x'', 0 FROM customers WHERE id >= unhex(printf('%032x', ?1))";
// A conversation's id begins with the millisecond of its opening, as in the program.
const CONVERSATIONS: &str = "INSERT INTO conversations (id, identity_id, customer_id, channel, account, state, vip, opened_at, \
    last_message_at, closed_at, messages, case_id) \
    WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2), \
    c (i, at, customer) AS (SELECT i, ?3 + (i % 4) * 86400000 + i / 4, unhex(printf('%032x', i / 2)) FROM n) \
    SELECT unhex(printf('%012x', at) || printf('7000%016x', i)), customer, customer, 'app', 'a', 'closed', 0, at, at, at, 25, customer FROM c";
const MESSAGES: &str = "INSERT INTO messages (conversation_id, n, id, origin, content, at) \
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?3) \
    SELECT c.id, n.i, unhex(printf('%012x', c.opened_at + n.i * 60000) || printf('7000%016x', n.i)), 'customer', randomblob(140), \
    c.opened_at + n.i * 60000 FROM conversations c CROSS JOIN n WHERE c.customer_id >= unhex(printf('%032x', ?1)) \
    AND c.customer_id < unhex(printf('%032x', ?2)) AND c.messages = ?3";
const LONG_TALK: &str = "INSERT INTO conversations (id, identity_id, customer_id, channel, account, state, vip, opened_at, \
    last_message_at, closed_at, messages, case_id) SELECT unhex(printf('%012x', ?2) || printf('7000%016x', ?1)), unhex(printf('%032x', ?1)), \
    unhex(printf('%032x', ?1)), 'app', 'a', 'closed', 0, ?2, ?2, ?2, ?3, unhex(printf('%032x', ?1))";

const IDENTITY: &str = "INSERT INTO identities (id, lookup, customer_id, channel, account, sender, created_at) \
    VALUES (?1, ?1, ?1, 'app', 'a', x'', 0)";
const TALK: &str = "INSERT INTO conversations (id, identity_id, customer_id, channel, account, state, vip, opened_at, last_message_at, \
    closed_at, messages, case_id) VALUES (?1, ?2, ?2, 'app', 'a', 'closed', 0, ?3, ?3, ?3, ?4, ?1)";

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW)
    }
}

struct Counted(Cell<u64>);

impl Rng for Counted {
    fn fill(&self, out: &mut [u8]) {
        for byte in out {
            self.0.set(self.0.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            *byte = self.0.get().to_be_bytes()[0];
        }
    }
}

fn customer(n: i64) -> CustomerId {
    CustomerId::from_bytes(&i128::from(n).to_be_bytes()).unwrap()
}

/// Makes a file with this many messages, and after them two customers with one long conversation each.
fn fill(path: &Path, messages: i64) -> (NativeDb, i64) {
    let db = NativeDb::open(path).unwrap();
    migrate::migrate_all(&db, &warmline_app::MIGRATIONS).unwrap();
    let persons = messages / EACH;
    immediate(&db, || {
        db.execute(CUSTOMERS, &[2.into(), (2 * persons + 1).into(), 2.into()])?;
        db.execute(IDENTITIES, &[0.into()])?;
        db.execute(CONVERSATIONS, &[4.into(), (4 * persons + 3).into(), (NOW - 5 * 86_400_000).into()])
    })
    .unwrap();
    let mut from = 2;
    while from < 2 * persons + 2 {
        let to = (from + 2_000).min(2 * persons + 2);
        immediate(&db, || db.execute(MESSAGES, &[from.into(), to.into(), 25.into()])).unwrap();
        from = to;
    }
    let long = 2 * persons + 10;
    immediate(&db, || {
        db.execute(CUSTOMERS, &[long.into(), (long + 1).into(), 1.into()])?;
        db.execute(IDENTITIES, &[long.into()])?;
        for n in [long, long + 1] {
            db.execute(LONG_TALK, &[n.into(), (NOW - LONG * 60_000 - 1).into(), LONG.into()])?;
        }
        db.execute(MESSAGES, &[long.into(), (long + 2).into(), LONG.into()])
    })
    .unwrap();
    (db, long)
}

/// Makes a store in a file with one customer and this many messages. Every other message is the brand's.
fn talk(ctx: &Ctx<'_>, messages: i64) -> CustomerId {
    let (customer, id) = (CustomerId::new(Still.now(), ctx.rng), ConversationId::new(Still.now(), ctx.rng));
    let (key, wrapped) = ctx.keys.new_customer_key(customer, ctx.rng).unwrap();
    vault::insert(ctx.vault, customer, &sealing::into_vault(wrapped)).unwrap();
    customers::insert(ctx.db, customer, &[], Still.now()).unwrap();
    ctx.db.execute(IDENTITY, &[customer.as_bytes().into()]).unwrap();
    ctx.db.execute(TALK, &[id.as_bytes().into(), customer.as_bytes().into(), NOW.into(), messages.into()]).unwrap();
    let words =
        ["我的订单到现在还没有发货，请帮我查一下是什么原因，谢谢！", "好的，马上帮您查询，今天之内给您答复。请稍等一下。"];
    for (n, (text, origin)) in
        (1..=messages).zip([Origin::Customer, Origin::Agent].into_iter().enumerate().cycle().map(|(i, o)| (words[i], o)))
    {
        let message = MessageId::new(Still.now(), ctx.rng);
        let content = sealing::seal_content(ctx, &key, id, message, &Content::text(text)).unwrap();
        let (agent, at, delivery, reason) = (None, Still.now(), None, None);
        let message = Message { conversation: id, n, id: message, origin, agent, content, at, delivery, reason };
        messages::insert(ctx.db, &message).unwrap();
    }
    customer
}

/// A summary with and without a context.
fn summaries(ctx: &Ctx<'_>) {
    let since = Timestamp::from_millis(NOW - 30 * 86_400_000);
    for messages in [20, 400] {
        println!("a summary of {messages} messages:");
        let (customer, kv) = (immediate(ctx.db, || Ok::<_, StoreError>(talk(ctx, messages))).unwrap(), MemoryKv::default());
        let of = |contexts| summary::of(&Ctx { kv: &kv, contexts, ..*ctx }, customer, since).unwrap();
        timed("without a context", 500, |_| of(0));
        timed("nothing is kept yet, and it is kept", 500, |_| {
            kv.0.borrow_mut().clear();
            of(512)
        });
        timed("with a context that is up to date", 500, |_| of(512));
        println!("  the context has {} bytes", kv.0.borrow().values().map(Vec::len).sum::<usize>());
    }
}

/// Times of one operation.
fn timed<T>(name: &str, rounds: i64, mut run: impl FnMut(i64) -> T) {
    let mut took: Vec<Duration> = (0..rounds)
        .map(|n| {
            let start = Instant::now();
            black_box(run(n));
            start.elapsed()
        })
        .collect();
    took.sort_unstable();
    let micros = |hundredth: usize| took[(took.len() - 1) * hundredth / 100].as_secs_f64() * 1e6;
    println!("  {name:<58} p50 {:9.1}  p99 {:9.1}  µs", micros(50), micros(99));
}

/// 56 random Chinese characters: no two messages are alike, and no text is harder to compress.
fn scrambled(rng: &Counted) -> String {
    let mut bytes = [0; 112];
    rng.fill(&mut bytes);
    bytes.chunks(2).filter_map(|b| char::from_u32(0x4e00 + u32::from(b[0]) * 16 + u32::from(b[1]) % 16)).collect()
}

fn main() {
    let sizes: Vec<i64> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let rng = Counted(Cell::new(1));
    let keys = Keyring::create(Masters::from_base64(KEY, "").unwrap(), None, &rng).unwrap();
    println!("sealing, of a message of 56 characters:");
    let (key, _) = keys.new_customer_key(customer(1), &rng).unwrap();
    let (conversation, id) = (ConversationId::new(Still.now(), &rng), MessageId::new(Still.now(), &rng));
    let content = Content::text("我的订单到现在还没有发货，请帮我查一下是什么原因，谢谢！".repeat(2));
    let memory = NativeDb::memory().unwrap();
    vault::prepare(&memory).unwrap();
    let ctx = Ctx {
        db: &memory,
        vault: &memory,
        kv: &NoKv,
        contexts: 0,
        clock: &Still,
        rng: &rng,
        keys: &keys,
        installed: &warmline_app::WHOLE,
        memo: &Memo::default(),
    };
    timed("sealed", 20_000, |_| sealing::seal_content(&ctx, &key, conversation, id, &content).unwrap());
    let stored = sealing::seal_content(&ctx, &key, conversation, id, &content).unwrap();
    let message = warmline_store::messages::Message {
        conversation,
        n: 1,
        id,
        origin: warmline_model::Origin::Customer,
        agent: None,
        content: stored,
        at: Still.now(),
        delivery: None,
        reason: None,
    };
    timed("opened", 20_000, |_| sealing::open_content(&key, &message).unwrap());

    let dir = tempfile::tempdir().unwrap();
    let db = NativeDb::open(&dir.path().join("talk.db")).unwrap();
    migrate::migrate_all(&db, &warmline_app::MIGRATIONS).unwrap();
    summaries(&Ctx { db: &db, ..ctx });
    for messages in if sizes.is_empty() { SIZES.to_vec() } else { sizes } {
        let dir = tempfile::tempdir().unwrap();
        let start = Instant::now();
        let (db, long) = fill(&dir.path().join("bench.db"), messages);
        println!("{messages} messages, written in {:.0} s:", start.elapsed().as_secs_f64());
        let ctx = Ctx {
            db: &db,
            vault: &memory,
            kv: &NoKv,
            contexts: 0,
            clock: &Still,
            rng: &rng,
            keys: &keys,
            installed: &warmline_app::WHOLE,
            memo: &Memo::default(),
        };
        let persons = messages / EACH;
        let since = Timestamp::from_millis(NOW - 30 * 86_400_000);
        let person = |n: i64| customer(2 + 2 * (n.wrapping_mul(7_919) % persons));
        let page = |person, before| timeline::page(&ctx, person, since, before, PAGE).unwrap();
        timed("timeline, first page of 50, of a person of 100 messages", ROUNDS, |n| {
            let page = page(person(n), None);
            assert_eq!(page.len(), PAGE);
        });
        let middle = page(customer(long), None).last().unwrap().place;
        timed("timeline, second page, of a conversation of 10,000", ROUNDS, |_| {
            assert_eq!(page(customer(long), Some(middle)).len(), PAGE);
        });
        // The same conversation, archived as the tick does it: its messages are sealed as in the program, then packed.
        let (key, wrapped) = keys.new_customer_key(customer(long), &rng).unwrap();
        vault::insert(ctx.vault, customer(long), &sealing::into_vault(wrapped)).unwrap();
        let talk =
            conversations::last_of_customer(&db, customer(long), ConversationId::last_of(Still.now())).unwrap().unwrap();
        let mut rows = messages::list(&db, talk.id, 0, LONG).unwrap();
        for row in &mut rows {
            row.content = sealing::seal_content(&ctx, &key, talk.id, row.id, &Content::text(scrambled(&rng))).unwrap();
            let params = [talk.id.as_bytes().into(), row.n.into(), row.content.as_slice().into()];
            db.execute("UPDATE messages SET content = ?3 WHERE conversation_id = ?1 AND n = ?2", &params).unwrap();
        }
        let bytes: usize = rows.iter().map(|m| m.content.len()).sum();
        timed("packing 1,000 messages", LONG / archive::PACK_MESSAGES, |_| {
            immediate(&db, || {
                let rows = archive::next_rows(&ctx, talk.id, archive::PACK_MESSAGES)?;
                archive::pack(&ctx, &key, talk.id, rows)
            })
            .unwrap();
        });
        let packed = db.first("SELECT sum(length(content)) FROM packs", &[]).unwrap().unwrap().int(0).unwrap();
        println!("  contents of {LONG} messages sealed one by one: {bytes} bytes; the messages in packs: {packed}");
        timed("timeline, second page, of that conversation archived", ROUNDS, |_| {
            assert_eq!(page(customer(long), Some(middle)).len(), PAGE);
        });
        let both = (customer(long), customer(long + 1));
        let mut merges = Vec::new();
        timed("merge of two customers of 10,000 messages, and undoing it", 200, |_| {
            let id = immediate(&db, || people::merge(&ctx, both.0, both.1, None, None)).unwrap().unwrap();
            immediate(&db, || people::unmerge(&ctx, id, None)).unwrap();
            merges.push(id);
        });
        let admin = Actor { agent: None, role: Role::Admin };
        timed("erasing a customer of 10,000 messages, all steps", 1, |_| {
            immediate(&db, || erase::begin(&ctx, both.1, &admin, "request", &[both.0])).unwrap();
            assert_eq!(erase::go_on(&ctx).unwrap(), 1);
        });
    }
}
