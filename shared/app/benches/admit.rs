//! Measures the cost of admitting a request, with and without a rate for its token: `cargo bench -p warmline-app`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "measures real time")]

use std::cell::Cell;
use std::time::Instant;
use warmline_conversations::staff::{self, Duties, NewAgent};
use warmline_endpoint::Request;
use warmline_endpoint::auth::{self, Admission};
use warmline_endpoint::pace::{self, Limits};
use warmline_endpoint::route::Access;
use warmline_kernel::Ctx;
use warmline_kernel::memo::Memo;
use warmline_model::{Clock, Rng, Role, Scope, Timestamp};
use warmline_privacy::{Keyring, Masters};
use warmline_store::native::{NativeDb, NoKv};
use warmline_store::{config, migrate};

const AGENTS: Access = Access::Token(&[Role::Agent], Scope::Conversations);
const ROUNDS: usize = 50_000;

/// A clock on which a second passes between two requests, so that nobody has to wait.
struct Seconds(Cell<i64>);

impl Clock for Seconds {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.get())
    }
}

struct Mixed(Cell<u64>);

impl Rng for Mixed {
    fn fill(&self, out: &mut [u8]) {
        for byte in out {
            self.0.set(self.0.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            *byte = self.0.get().to_be_bytes()[0];
        }
    }
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let db = NativeDb::open(&dir.path().join("bench.db")).unwrap();
    migrate::migrate_all(&db, &warmline_app::MIGRATIONS).unwrap();
    let (clock, rng) = (Seconds(Cell::new(1_800_000_000)), Mixed(Cell::new(1)));
    let masters = Masters::from_base64("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "").unwrap();
    let keys = Keyring::create(masters, None, &rng).unwrap();
    let ctx = Ctx {
        db: &db,
        vault: &db,
        kv: &NoKv,
        contexts: 0,
        clock: &clock,
        rng: &rng,
        keys: &keys,
        installed: &warmline_app::WHOLE,
        memo: &Memo::default(),
    };
    let new = NewAgent { name: "小米", role: Role::Agent, ai: false, can: Duties::default() };
    let (_, token) = staff::create(&ctx, &new).unwrap();
    let mut request = Request {
        method: http::Method::GET,
        path: String::new(),
        query: String::new(),
        headers: http::HeaderMap::new(),
        body: Vec::new(),
    };
    let admitted = |name: &str, request: &Request, ok: bool| {
        let mut took = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            clock.0.set(clock.0.get() + 1);
            let start = Instant::now();
            assert_eq!(auth::admit(&ctx, &Admission::of(request, "admin", AGENTS)).is_ok(), ok);
            took.push(start.elapsed().as_secs_f64() * 1e6);
        }
        took.sort_by(f64::total_cmp);
        let mean = took.iter().sum::<f64>() / ROUNDS as f64;
        println!("{name:<40} mean {mean:7.1}  p50 {:7.1}  p99 {:7.1}  µs", took[ROUNDS / 2], took[ROUNDS * 99 / 100]);
    };
    for (name, requests_per_second) in [("a token without a rate", 0), ("a token with a rate", 50)] {
        let limits = Limits { requests_per_second, ..Limits::default() };
        config::put(&db, pace::SETTINGS, &serde_json::to_string(&limits).unwrap(), ctx.now()).unwrap();
        request.headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        admitted(name, &request, true);
    }
    request.headers.insert("authorization", "Bearer wrong".parse().unwrap());
    admitted("a token that is not known", &request, false);
}
