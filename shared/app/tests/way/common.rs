//! A world for native tests: rusqlite in memory or in a file, a clock that is set by hand, randomness from a counter.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Mutex;
use warmline_channels::registry;
use warmline_conversations::converse::{self, How, When, Written};
use warmline_conversations::drain::{Distance, Drainer, Step};
use warmline_conversations::staff::Duties;
use warmline_kernel::ctx::Actor;
use warmline_kernel::memo::Memo;
use warmline_kernel::{Ctx, StepError};
use warmline_model::{
    AccountId, AgentId, AgentState, Channel, Clock, Content, ConversationId, GroupId, Inbound, Rng, Role, Sender, Timestamp,
    Units,
};
use warmline_privacy::{Keyring, Masters};
use warmline_routing::{Group, Plan};
use warmline_store::messages::Message;
use warmline_store::native::{MemoryKv, NativeDb};
use warmline_store::{Db, Row, StoreError, Value, agents, immediate, migrate};
use warmline_transport::deliver::{self, Job};

pub struct SetClock(Cell<i64>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.get())
    }
}

/// SplitMix64. Draws differ within a run, and every run draws the same values.
pub struct CountedRng(Cell<u64>);

impl Rng for CountedRng {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
            let mut z = self.0.get();
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// The statements whose plans were checked.
static LOOKED_AT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Checks the query plan of every statement: none may scan a table that grows with the business.
pub struct Planned(pub NativeDb);

/// Tables of tens of rows, which may be read whole.
const SMALL: [&str; 12] = [
    "schema_versions",
    "groups",
    "accounts",
    "leases",
    "rollups",
    "refusals",
    "odd_items",
    "config",
    "plans",
    "queues",
    "outages",
    "given_up",
];
/// Partial indexes that hold only waiting rows, agents at work, or given-up messages that are counted for operations.
const WAITING: [&str; 10] = [
    "inbox_pending",
    "customers_unmoved",
    "erasures_running",
    "conversations_queue",
    "conversations_order",
    "outbox_account",
    "outbox_dead",
    "conversations_unplaced",
    "conversations_ai",
    "agents_seen",
];

/// Sources that are no tables: a row without one, a list that was passed, the lanes of a queue, the accounts found one
/// after the other, the ids in a blob that was passed, events that were found already, and the result of an inner look-up.
const CONSTANT: [&str; 9] = [
    "CONSTANT ROW",
    "json_each",
    "SCAN lanes",
    "SCAN l",
    "SCAN places",
    "SCAN part",
    "SCAN some",
    "(subquery",
    "SCAN pragma_",
];

thread_local! {
    /// The statements until one fails, in this thread: as if the process had ended before it. 0: none fails.
    static FAILS_IN: Cell<u32> = const { Cell::new(0) };
}

/// Lets the statement after `n` others fail.
pub fn fail_after(n: u32) {
    FAILS_IN.set(n + 1);
}

/// Lets all statements work again. Returns whether one has failed.
pub fn has_failed() -> bool {
    FAILS_IN.replace(0) == 0
}

impl Db for Planned {
    fn execute(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        // What ends a transaction after a failure is the file system's work.
        if FAILS_IN.get() > 0 && !sql.starts_with("ROLLBACK") {
            FAILS_IN.set(FAILS_IN.get() - 1);
            if FAILS_IN.get() == 0 {
                return Err(StoreError::Other("the process ended here".into()));
            }
        }
        if ["SELECT", "UPDATE", "DELETE", "INSERT", "WITH"].iter().any(|w| sql.starts_with(w)) {
            // A plan depends on nothing but the statement: each is looked at once.
            if !LOOKED_AT.lock().unwrap().insert(sql) {
                return self.0.execute(sql, params);
            }
            let explain: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
            let small = SMALL.iter().any(|t| sql.contains(&format!("FROM {t}")));
            for step in self.0.execute(explain, params)? {
                let step = step.text(3)?.to_owned();
                let waiting = WAITING.iter().any(|i| step.contains(i));
                let scans = step.starts_with("SCAN") && !CONSTANT.iter().any(|c| step.contains(c));
                assert!(!scans || small || waiting, "{step}: {sql}");
                assert!(!step.contains("TEMP B-TREE") || small, "{step}: {sql}");
            }
        }
        self.0.execute(sql, params)
    }
}

pub const MASTER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

pub struct World {
    pub db: Planned,
    pub clock: SetClock,
    pub rng: CountedRng,
    pub vault: NativeDb,
    pub keys: Keyring,
    pub kv: MemoryKv,
    pub memo: Memo,
    far: Cell<bool>,
}

impl World {
    pub fn new() -> Self {
        let db = Planned(NativeDb::memory().unwrap());
        migrate::migrate_all(&db.0, &warmline_app::MIGRATIONS).unwrap();
        let (vault, rng) = (NativeDb::memory().unwrap(), CountedRng(Cell::new(1)));
        warmline_store::vault::prepare(&vault).unwrap();
        let masters = Masters::from_base64(MASTER, "").unwrap();
        let keys = Keyring::create(masters, None, &CountedRng(Cell::new(7))).unwrap();
        let clock = SetClock(Cell::new(1_700_000_000_000));
        Self { db, vault, clock, rng, keys, kv: MemoryKv::default(), memo: Memo::default(), far: Cell::new(false) }
    }

    pub fn ctx(&self) -> Ctx<'_> {
        // Each call begins a request.
        self.memo.clear();
        let Self { db, vault, kv, clock, rng, keys, memo, .. } = self;
        Ctx { db, vault, kv, contexts: 0, clock, rng, keys, installed: &warmline_app::WHOLE, memo }
    }

    pub fn pass(&self, ms: i64) {
        self.clock.0.set(self.clock.0.get() + ms);
    }

    pub fn group(&self, id: &str, settings: &str) -> GroupId {
        let id = GroupId::new(id).unwrap();
        let mut plan = Plan::clone(&warmline_conversations::plan::current(&self.ctx()).unwrap());
        plan.groups.push(Group { id: id.clone(), name: "g".into(), settings: serde_json::from_str(settings).unwrap() });
        self.plan(&plan);
        id
    }

    pub fn plan(&self, plan: &Plan) {
        immediate(&self.db, || warmline_conversations::plan::put(&self.ctx(), None, plan, None)).unwrap();
    }

    pub fn agent(&self, group: &GroupId, capacity: i64, vip: bool) -> AgentId {
        let duties = Duties {
            groups: [(group.clone(), 1)].into(),
            capacity: Units::whole(capacity),
            vip,
            can: agents::Can::default(),
        };
        self.hire(false, duties)
    }

    pub fn hire(&self, ai: bool, can: Duties) -> AgentId {
        let new = warmline_conversations::staff::NewAgent { name: "小米", role: Role::Agent, ai, can };
        let (id, _) = warmline_conversations::staff::create(&self.ctx(), &new).unwrap();
        warmline_conversations::staff::set_state(&self.ctx(), id, AgentState::Available, None).unwrap();
        id
    }

    /// A customer's message all the way into its conversation.
    pub fn says(&self, who: &str, key: &str, text: &str) {
        self.says_tagged(who, key, text, &[]);
    }

    pub fn says_tagged(&self, who: &str, key: &str, text: &str, tags: &[&str]) {
        self.arrives(who, key, Content::text(text), tags);
        self.drain();
    }

    pub fn arrives(&self, who: &str, key: &str, content: Content, tags: &[&str]) {
        self.arrives_on(&place().0, who, key, content, tags);
    }

    pub fn arrives_on(&self, channel: &Channel, who: &str, key: &str, content: Content, tags: &[&str]) {
        let sender =
            Sender { open_id: who.into(), tags: tags.iter().map(|t| (*t).to_owned()).collect(), ..Sender::default() };
        self.arrives_from(channel, sender, key, content);
    }

    pub fn arrives_from(&self, channel: &Channel, sender: Sender, key: &str, content: Content) {
        let inbound = Inbound { earlier_key: None, key: key.into(), sender, at: self.clock.now(), content, reply_to: None };
        warmline_transport::ingest::ingest(&self.ctx(), channel, &place().1, vec![inbound], None, &[]).unwrap();
    }

    pub fn drain(&self) -> i64 {
        self.drain_with(&self.ctx())
    }

    pub fn drain_with(&self, ctx: &Ctx<'_>) -> i64 {
        let mut handled = 0;
        // Every other run is one of a store on another machine.
        self.far.set(!self.far.get());
        let distance = if self.far.get() { Distance::Far } else { Distance::Near };
        for shard in 0..warmline_store::inbox::SHARDS {
            let mut drainer = Drainer::new(ctx, shard, distance);
            while let Step::Handled { rows } = drainer.step().unwrap() {
                handled += rows;
            }
            drainer.let_go().unwrap();
        }
        handled
    }
}

/// Puts a changed plan into force.
pub fn edit(w: &World, change: impl FnOnce(&mut Plan)) {
    let mut plan = Plan::clone(&warmline_conversations::plan::current(&w.ctx()).unwrap());
    change(&mut plan);
    w.plan(&plan);
}

pub fn place() -> (Channel, AccountId) {
    (Channel::new("wechat").unwrap(), AccountId::new("gh_rice").unwrap())
}

/// Sends a reply at once.
pub fn reply(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId, contents: &[Content]) -> Result<Vec<Message>, StepError> {
    match converse::write(ctx, actor, id, contents.to_vec(), How::answer(When::In(0)))? {
        Written::Sent(sent) => Ok(sent),
        Written::Held(held) => panic!("{held:?} waits"),
        Written::Unseen(newer) => panic!("{newer:?} were not seen"),
    }
}

/// Claims messages that are due on an account.
pub fn claim(w: &World, limit: i64) -> Vec<Job> {
    claim_on(w, &place().0, limit)
}

pub fn claim_on(w: &World, channel: &Channel, limit: i64) -> Vec<Job> {
    let patience = registry::patience(channel.as_str());
    deliver::claim(&w.ctx(), (channel, &place().1), patience, limit).unwrap()
}
