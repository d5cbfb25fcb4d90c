//! The harness of the tests: a server as a child process, an HTTP client that compares every answer with the API's own
//! description, and a separate shop (group, accounts, staff, simulated platform) for each test.

/// Leaves a test out if a real Spin is under test, and says why.
macro_rules! embedded_only {
    ($why:expr) => {
        if crate::harness::on_spin() {
            crate::harness::left_out($why);
            return;
        }
    };
}
pub(crate) use embedded_only;

mod api;
mod brand;
mod channels;
mod http;
mod own;
mod pmc;
mod pushpin;
mod server;
mod shop;
mod signed;
mod socket;
mod spec;
mod stream;

pub use api::{Api, fresh};
pub use brand::{Brand, Line, act, post_webhook};
pub use channels::{App, Visitor, Web, Wechat};
pub use http::{Answer, send, try_send};
pub use own::own;
pub use pmc::Pmc;
pub use pushpin::{Pushpin, free_address, installed};
pub use server::{Options, Server, lab, left_out, on_spin, program, shared, workspace};
pub use shop::{Agent, Shop};
pub use signed::Unsigned;
pub use socket::{Said, Socket};
pub use stream::{Received, Stream};

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The longest wait of a test: far longer than anything takes, so that only missing results fail.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks repeatedly until there is a result.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Like [`until`], with another patience.
pub fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {patience:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Runs a closure in this many threads at once, and collects the results.
pub fn at_once<T: Send>(n: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (run, start) = (&run, &std::sync::Barrier::new(n));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n)
            .map(|i| {
                scope.spawn(move || {
                    start.wait();
                    run(i)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
