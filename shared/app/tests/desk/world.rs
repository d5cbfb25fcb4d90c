//! A world for tests of the API: stores in memory, a clock that is set by hand, randomness from a counter, and two groups
//! with their people.

use serde_json::{Value, json};
use std::cell::Cell;
use warmline_app::routes::dispatch;
use warmline_conversations::drain::{Distance, Drainer, Step};
use warmline_endpoint::route::{Piece, Pieces, Reply};
use warmline_endpoint::{Request, Response};
use warmline_kernel::Ctx;
use warmline_kernel::memo::Memo;
use warmline_kernel::payload::sender_lookup;
use warmline_model::{
    AccountId, Channel, Clock, Content, CustomerId, Identifier, IdentifierKind, Inbound, Rng, Sender, Timestamp,
};
use warmline_privacy::{Keyring, Masters};
use warmline_store::native::{MemoryKv, NativeDb};
use warmline_store::{customers, inbox, migrate, vault};
use warmline_transport::ingest::ingest;

pub const ADMIN: &str = "the-administrator";
const MASTER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

struct SetClock(Cell<i64>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.get())
    }
}

/// SplitMix64. Draws differ within a run, and every run draws the same values.
pub struct Counted(pub Cell<u64>);

impl Counted {
    pub fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }
}

impl Rng for Counted {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A member of staff.
#[derive(Clone)]
pub struct Staff {
    pub id: String,
    pub token: String,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub response: Response,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.response.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.response.body).unwrap()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        let value = self.expect(status);
        assert_eq!(value["code"], code, "{value}");
        value
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }
}

pub struct World {
    pub db: NativeDb,
    vault: NativeDb,
    clock: SetClock,
    pub rng: Counted,
    keys: Keyring,
    kv: MemoryKv,
    memo: Memo,
}

impl World {
    /// Makes an empty world with the groups `near` and `far`. Mail goes to `far`.
    pub fn open() -> Self {
        let (db, keys_db) = (NativeDb::memory().unwrap(), NativeDb::memory().unwrap());
        migrate::migrate_all(&db, &warmline_app::MIGRATIONS).unwrap();
        vault::prepare(&keys_db).unwrap();
        let masters = Masters::from_base64(MASTER, "").unwrap();
        let keys = Keyring::create(masters, None, &Counted(Cell::new(7))).unwrap();
        let (clock, rng) = (SetClock(Cell::new(1_700_000_000_000)), Counted(Cell::new(1)));
        let w = Self { db, vault: keys_db, clock, rng, keys, kv: MemoryKv::default(), memo: Memo::default() };
        for id in ["near", "far"] {
            w.admin("POST", "/api/groups", &json!({ "id": id, "name": id })).expect(201);
        }
        let rules = json!({ "rules": [{ "channel": "email", "group": "far" }] });
        w.admin("PUT", "/api/routing/rules", &rules).expect(200);
        w
    }

    pub fn ctx(&self) -> Ctx<'_> {
        // Each call begins a request.
        self.memo.clear();
        let Self { db, vault, kv, clock, rng, keys, memo } = self;
        Ctx { db, vault, kv, contexts: 4, clock, rng, keys, installed: &warmline_app::WHOLE, memo }
    }

    pub fn pass(&self, ms: i64) {
        self.clock.0.set(self.clock.0.get() + ms);
    }

    /// Reads an answer in pieces to its end. One that breaks off is no answer.
    fn whole(&self, mut pieces: Box<dyn Pieces>) -> Response {
        let mut response = Response::empty(200);
        for (name, value) in pieces.headers() {
            match name {
                "content-type" => response.content_type = value,
                _ => response.headers.push((name, value.to_owned())),
            }
        }
        loop {
            match pieces.next(&self.ctx()) {
                Ok(Piece::Bytes(bytes)) => response.body.extend(bytes),
                Ok(Piece::Wait(ms)) => self.pass(i64::try_from(ms).unwrap()),
                Ok(Piece::End) => return response,
                Err(problem) => return problem.into(),
            }
        }
    }

    /// Sends a request as it is. It takes a second of its own.
    pub fn send(&self, request: &Request) -> Answer {
        self.pass(1_000);
        let response = match dispatch(&self.ctx(), ADMIN, request).0 {
            Ok(Reply::Whole(response)) => response,
            Ok(Reply::Pieces(pieces)) => self.whole(pieces),
            // Its bytes would come from the platform, or from other components.
            Ok(Reply::Relay { .. } | Reply::Calls(_)) => Response::empty(200),
            Err(problem) => Response::from(problem),
        };
        Answer { status: response.status, response }
    }

    pub fn call(&self, token: &str, method: &str, target: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.send(&request(token, method, target, body))
    }

    pub fn admin(&self, method: &str, target: &str, body: &Value) -> Answer {
        self.call(ADMIN, method, target, body)
    }

    /// Hires a member of staff who is at work.
    pub fn hire(&self, role: &str, group: &str, capacity: i64) -> Staff {
        let new = json!({ "name": "小米", "role": role, "groups": [group], "capacity": capacity });
        let made = self.admin("POST", "/api/agents", &new).expect(201);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        let staff = Staff { id: text("id"), token: text("token") };
        let state = format!("/api/agents/{}/state", staff.id);
        self.admin("PUT", &state, &json!({ "state": "available" })).expect(200);
        staff
    }

    /// A customer's message, all the way into a conversation, with the identifiers that the channel reports.
    pub fn says(&self, on: &str, who: &str, told: &[(IdentifierKind, &str, bool)], text: &str) -> CustomerId {
        self.pass(1);
        let (channel, account) = (Channel::new(on).unwrap(), AccountId::new("shop").unwrap());
        let told = told.iter().map(|(kind, value, verified)| Identifier {
            kind: *kind,
            value: (*value).to_owned(),
            verified: *verified,
        });
        let sender = Sender { open_id: who.into(), identifiers: told.collect(), ..Sender::default() };
        let lookup = sender_lookup(&self.keys.index(), &channel, &account, who);
        let at = self.clock.now();
        let key = format!("{who}-{}", at.millis());
        let content = Content::text(text);
        let inbound = Inbound { earlier_key: None, key, sender, at, content, reply_to: None };
        let ctx = self.ctx();
        ingest(&ctx, &channel, &account, vec![inbound], None, &[]).unwrap();
        for shard in 0..inbox::SHARDS {
            let mut drainer = Drainer::new(&ctx, shard, Distance::Near);
            while let Step::Handled { .. } = drainer.step().unwrap() {}
            drainer.let_go().unwrap();
        }
        customers::contact(&self.db, &lookup).unwrap().unwrap().customer
    }

    /// All conversations, the oldest first.
    pub fn talks(&self) -> Vec<Value> {
        self.admin("GET", "/api/conversations?limit=200", &Value::Null).expect(200)["items"].as_array().unwrap().clone()
    }

    /// The newest conversation of a customer record, whether or not it is merged with others.
    pub fn talk_of(&self, customer: CustomerId) -> String {
        let newest = warmline_model::ConversationId::last_of(Timestamp::from_millis(i64::MAX));
        let talk = warmline_store::conversations::last_of_customer(&self.db, customer, newest).unwrap().unwrap();
        talk.id.to_string()
    }
}

pub fn request(token: &str, method: &str, target: &str, body: Vec<u8>) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = http::HeaderMap::new();
    if !token.is_empty() {
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    if !body.is_empty() {
        headers.insert("content-type", "application/json".parse().unwrap());
    }
    Request { method: method.parse().unwrap(), path: path.into(), query: query.into(), headers, body }
}
