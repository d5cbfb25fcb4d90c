//! A made-up host: rusqlite in memory, a clock that runs only while somebody waits, a platform that answers as a test says,
//! and a router that drains the inbox when it is called.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use warmline_channels::{Adapter, ApiRequest, ClientAdapter};
use warmline_conversations::CONVERSATIONS;
use warmline_conversations::converse;
use warmline_conversations::drain::{self, Distance, Drainer, Step};
use warmline_conversations::staff::{self, Duties, NewAgent};
use warmline_endpoint::{Problem, Request};
use warmline_kernel::Ctx;
use warmline_kernel::ctx::Actor;
use warmline_kernel::installed::NOTHING;
use warmline_kernel::memo::Memo;
use warmline_model::event::to_columns;
use warmline_model::{AccountId, AgentId, AgentState, Channel, Clock, Content, GroupId, Rng, Role, Timestamp, Units};
use warmline_privacy::{Keyring, Masters};
use warmline_routing::{Group, Plan};
use warmline_store::conversations::{self, Conversation};
use warmline_store::migrate::{Migrations, migrate_all};
use warmline_store::native::{MemoryKv, NativeDb};
use warmline_store::{Db, Row, StoreError, Value, agents, events, immediate};
use warmline_transport::host::{self, Body, Broken, Head, Host, NoAnswer, Opened, Writer};
use warmline_transport::incoming::Incoming;
use warmline_transport::{accounts, adapter, client, keyring};

pub const MASTER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
/// When a test begins.
pub const START: i64 = 1_700_000_000_000;

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

/// The behaviour of a platform towards a request.
#[derive(Clone)]
pub enum Platform {
    /// Answers with this status and body.
    Says(u16, String),
    /// Answers in the same way after this many milliseconds.
    Later(i64, String),
    /// Cannot be reached.
    Away,
    /// Accepts the request and never answers.
    Hangs,
}

/// An answer that was sent.
#[derive(Default)]
pub struct Sent {
    pub status: u16,
    pub headers: BTreeMap<&'static str, String>,
    pub body: Vec<u8>,
    /// When it began and, if it was written piece by piece, its pieces with their times.
    pub at: i64,
    pub pieces: Vec<(i64, String)>,
}

impl Sent {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

pub type Out = Rc<RefCell<Sent>>;
type Answers = Box<dyn FnMut(&ApiRequest) -> Platform>;
type Event = (i64, Box<dyn FnOnce(&Environment)>);

/// A database that counts its statements.
pub struct Counted(NativeDb, Cell<usize>);

impl Db for Counted {
    fn execute(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.1.set(self.1.get() + 1);
        self.0.execute(sql, params)
    }
}

pub struct Inner {
    pub db: Counted,
    pub vault: Counted,
    /// How often a component opened the store.
    opened: Cell<usize>,
    /// How the router drains: as far as it gets, or as its component does on such a store.
    pub distance: Cell<Option<Distance>>,
    pub kv: MemoryKv,
    memo: Memo,
    pub clock: SetClock,
    pub rng: CountedRng,
    pub keys: Keyring,
    pub variables: RefCell<BTreeMap<&'static str, String>>,
    pub log: RefCell<Vec<String>>,
    /// The requests to platforms, with their times.
    pub asked: RefCell<Vec<(i64, String, String)>>,
    pub platform: RefCell<Answers>,
    timers: RefCell<Vec<i64>>,
    later: RefCell<Vec<Event>>,
}

#[derive(Clone)]
pub struct Environment(pub Rc<Inner>);

impl Environment {
    pub fn new() -> Self {
        let [db, vault] = [(); 2].map(|()| Counted(NativeDb::memory().unwrap(), Cell::new(0)));
        let tables = Migrations { of: CONVERSATIONS.name, files: CONVERSATIONS.migrations };
        migrate_all(&db, &[tables]).unwrap();
        warmline_store::vault::prepare(&vault).unwrap();
        let rng = CountedRng(Cell::new(1));
        let keys = keyring::open(&db, None, Masters::from_base64(MASTER, "").unwrap(), &rng).unwrap();
        let variables = [("internal_calls", "chain"), ("master_key", MASTER)].map(|(name, value)| (name, value.to_owned()));
        Self(Rc::new(Inner {
            db,
            vault,
            opened: Cell::new(0),
            distance: Cell::new(None),
            kv: MemoryKv::default(),
            memo: Memo::default(),
            clock: SetClock(Cell::new(START)),
            rng,
            keys,
            variables: RefCell::new(variables.into()),
            log: RefCell::default(),
            asked: RefCell::default(),
            platform: RefCell::new(Box::new(|_| Platform::Away)),
            timers: RefCell::default(),
            later: RefCell::default(),
        }))
    }

    pub fn ctx(&self) -> Ctx<'_> {
        // Each call begins a request.
        self.0.memo.clear();
        let Inner { db, vault, kv, clock, rng, keys, memo, .. } = &*self.0;
        Ctx { db, vault, kv, contexts: 0, clock, rng, keys, installed: &NOTHING, memo }
    }

    /// The round trips to the databases that something costs where these are on another machine: its statements, and the end
    /// of each connection. Every component that opens the store uses both databases.
    pub fn trips<T>(&self, work: impl FnOnce() -> T) -> (usize, T) {
        let Inner { db, vault, opened, .. } = &*self.0;
        let so_far = || db.1.get() + vault.1.get() + 2 * opened.get();
        let before = so_far();
        let value = work();
        (so_far() - before, value)
    }

    /// Milliseconds since the test began.
    pub fn now(&self) -> i64 {
        self.0.clock.0.get() - START
    }

    pub fn pass(&self, ms: i64) {
        self.0.clock.0.set(self.0.clock.0.get() + ms);
    }

    /// Does something after this many milliseconds, if somebody still waits then.
    pub fn after(&self, ms: i64, event: impl FnOnce(&Environment) + 'static) {
        self.0.later.borrow_mut().push((self.0.clock.0.get() + ms, Box::new(event)));
    }

    pub fn platform(&self, answer: impl FnMut(&ApiRequest) -> Platform + 'static) {
        *self.0.platform.borrow_mut() = Box::new(answer);
    }

    /// The number of requests to the platform whose address contains the text.
    pub fn asked(&self, part: &str) -> usize {
        self.0.asked.borrow().iter().filter(|(_, url, _)| url.contains(part)).count()
    }

    /// Runs to the end. While everybody waits, the clock jumps to the next moment for which somebody waits.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            self.0.timers.borrow_mut().clear();
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return value;
            }
            let event = self.0.later.borrow().iter().enumerate().map(|(i, (at, _))| (*at, i)).min();
            let timer = self.0.timers.borrow().iter().copied().min().expect("nobody waits for a moment");
            match event {
                Some((at, i)) if at <= timer => {
                    let (_, event) = self.0.later.borrow_mut().remove(i);
                    self.0.clock.0.set(at.max(self.0.clock.0.get()));
                    event(self);
                }
                _ => self.0.clock.0.set(timer),
            }
        }
    }

    /// Serves a request to a channel's component.
    pub fn serve(&self, channel: &impl Adapter, incoming: Incoming<Chunks>) -> Out {
        let out = Out::default();
        self.run(adapter::serve(self, channel, incoming, out.clone()));
        out
    }

    /// The same for a channel with clients of the brand's own.
    pub fn serve_client(&self, channel: &impl ClientAdapter, incoming: Incoming<Chunks>) -> Out {
        let out = Out::default();
        self.run(client::serve(self, channel, incoming, out.clone()));
        out
    }

    pub fn connect(&self, channel: &str, id: &str, settings: serde_json::Value, secrets: &[(&str, &str)]) {
        let account = accounts::Account {
            channel: Channel::new(channel).unwrap(),
            account: AccountId::new(id).unwrap(),
            name: "Rice".into(),
            settings,
            secrets: secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            created_at: self.ctx().now(),
            standing: accounts::Standing::default(),
        };
        immediate(&self.0.db, || accounts::create(&self.ctx(), &admin(), &account, &[])).unwrap();
    }

    /// An agent at work, in a group with these settings.
    pub fn agent(&self, settings: &str) -> AgentId {
        let group = GroupId::new("care").unwrap();
        let mut plan = Plan::clone(&warmline_conversations::plan::current(&self.ctx()).unwrap());
        plan.groups.push(Group { id: group.clone(), name: "g".into(), settings: serde_json::from_str(settings).unwrap() });
        immediate(&self.0.db, || warmline_conversations::plan::put(&self.ctx(), None, &plan, None)).unwrap();
        let can = Duties { groups: [(group, 1)].into(), capacity: Units::whole(9), vip: false, can: agents::Can::default() };
        let (id, _) = staff::create(&self.ctx(), &NewAgent { name: "小米", role: Role::Agent, ai: false, can }).unwrap();
        staff::set_state(&self.ctx(), id, AgentState::Available, None).unwrap();
        id
    }

    pub fn conversations(&self) -> Vec<Conversation> {
        conversations::list(&self.0.db, None, 100, None, None).unwrap()
    }

    /// An agent's reply in a conversation.
    pub fn reply(&self, conversation: &Conversation, text: &str) {
        let actor = Actor { agent: conversation.agent, role: Role::Agent };
        let said = [Content::text(text)];
        let at_once = || converse::How::answer(converse::When::In(0));
        immediate(&self.0.db, || converse::write(&self.ctx(), &actor, conversation.id, said.to_vec(), at_once())).unwrap();
    }

    /// The same, in the only conversation.
    pub fn reply_to_only(&self, text: &str) {
        let all = self.conversations();
        assert_eq!(all.len(), 1);
        self.reply(&all[0], text);
    }

    fn drain_shard(&self, shard: i64) {
        let ctx = self.ctx();
        let mut drainer = Drainer::new(&ctx, shard, Distance::Near);
        while let Step::Handled { .. } = drainer.step().unwrap() {}
        drainer.let_go().unwrap();
    }

    /// The number of events of a kind in the log.
    pub fn events(&self, kind: &str) -> usize {
        let all = events::after(&self.0.db, 0, 10_000).unwrap();
        all.iter().filter(|event| to_columns(&event.body).unwrap().0 == kind).count()
    }
}

pub fn admin() -> Actor {
    Actor { agent: None, role: Role::Admin }
}

/// A sleeper on the host's clock.
fn sleep(inner: Rc<Inner>, ms: i64) -> impl Future<Output = ()> {
    let until = inner.clock.0.get() + ms;
    poll_fn(move |_| {
        if inner.clock.0.get() >= until {
            return Poll::Ready(());
        }
        inner.timers.borrow_mut().push(until);
        Poll::Pending
    })
}

impl host::Environment for Environment {
    fn ctx(&self) -> Ctx<'_> {
        Environment::ctx(self)
    }
}

impl Host for Environment {
    type Environment = Environment;
    type Out = Out;
    type Writer = Pieces;
    type Body = Chunks;

    fn open(&self) -> Result<Environment, Problem> {
        let Inner { db, rng, opened, .. } = &*self.0;
        let state = keyring::state(db)?;
        keyring::open(db, state.fact, Masters::from_base64(MASTER, "").unwrap(), rng)?;
        opened.set(opened.get() + 1);
        Ok(self.clone())
    }

    fn damage_is_new(&self) -> bool {
        true
    }

    fn variable(&self, name: &str) -> String {
        self.0.variables.borrow().get(name).cloned().unwrap_or_default()
    }

    fn log(&self, line: &str) {
        self.0.log.borrow_mut().push(line.to_owned());
    }

    async fn sleep(&self, ms: u64) {
        sleep(self.0.clone(), i64::try_from(ms).unwrap()).await;
    }

    async fn send(&self, request: &ApiRequest) -> Result<Opened<Chunks>, NoAnswer> {
        if let Some(shard) = request.url.strip_prefix("http://router.spin.internal/drain?shard=") {
            let shard = shard.parse().unwrap();
            match self.0.distance.get() {
                None => self.drain_shard(shard),
                Some(distance) => {
                    let world = self.open().unwrap();
                    let ctx = world.ctx();
                    let deadline = ctx.now().plus_millis(5_000);
                    assert!(!drain::run(self, &ctx, (shard, distance), deadline, async || {}).await.unwrap());
                }
            }
            return Ok(opened(200, "done"));
        }
        let body = String::from_utf8_lossy(&request.body).into_owned();
        self.0.asked.borrow_mut().push((self.now(), request.url.clone(), body));
        let answer = (self.0.platform.borrow_mut())(request);
        match answer {
            Platform::Says(status, body) => Ok(opened(status, &body)),
            Platform::Later(ms, body) => {
                sleep(self.0.clone(), ms).await;
                Ok(opened(200, &body))
            }
            Platform::Away => Err(NoAnswer::NotReached("platform_unreachable")),
            Platform::Hangs => {
                sleep(self.0.clone(), 3_600_000).await;
                Err(NoAnswer::Unknown("connection_broken"))
            }
        }
    }

    async fn answer(&self, out: Out, head: Head, body: Vec<u8>) {
        let headers = once(head.headers);
        *out.borrow_mut() = Sent { status: head.status, headers, body, at: self.now(), pieces: Vec::new() };
    }

    fn begin(&self, out: Out, head: Head) -> Pieces {
        let (headers, at) = (once(head.headers), self.now());
        *out.borrow_mut() = Sent { status: head.status, headers, at, ..Sent::default() };
        Pieces(self.clone(), out)
    }
}

/// The headers of an answer. A browser that gets one twice may obey either.
fn once(headers: Vec<(&'static str, String)>) -> BTreeMap<&'static str, String> {
    let count = headers.len();
    let headers: BTreeMap<_, _> = headers.into_iter().collect();
    assert_eq!(headers.len(), count, "a header came twice: {headers:?}");
    headers
}

fn opened(status: u16, body: &str) -> Opened<Chunks> {
    let body = Chunks([Part::Bytes(body.as_bytes().to_vec())].into());
    Opened { status, headers: http::HeaderMap::new(), body }
}

pub struct Pieces(Environment, Out);

impl Writer for Pieces {
    async fn write(&mut self, bytes: Vec<u8>) -> bool {
        let piece = (self.0.now(), String::from_utf8(bytes).unwrap());
        self.1.borrow_mut().pieces.push(piece);
        true
    }
}

/// A part of a body.
pub enum Part {
    Bytes(Vec<u8>),
    /// The body breaks off here.
    Break,
    /// Nothing more comes.
    Nothing(Environment),
}

pub struct Chunks(pub VecDeque<Part>);

impl Body for Chunks {
    async fn next(&mut self) -> Option<Result<Vec<u8>, Broken>> {
        match self.0.pop_front()? {
            Part::Bytes(bytes) => Some(Ok(bytes)),
            Part::Break => Some(Err(Broken)),
            Part::Nothing(world) => {
                sleep(world.0.clone(), 3_600_000).await;
                None
            }
        }
    }
}

/// A request to a component.
pub fn request(method: http::Method, path: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Incoming<Chunks> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let headers = headers
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap()));
    let (path, query, headers) = (path.to_owned(), query.to_owned(), headers.collect());
    let head = Request { method, path, query, headers, body: Vec::new() };
    Incoming { head, body: Chunks([Part::Bytes(body.to_vec())].into()) }
}

pub fn post(path: &str, body: &str) -> Incoming<Chunks> {
    request(http::Method::POST, path, &[], body.as_bytes())
}
