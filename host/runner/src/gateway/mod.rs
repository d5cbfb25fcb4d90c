//! A small gateway for WebSockets. A Spin component cannot hold one, because it lives for one request. The gateway holds
//! the sockets, turns frames into requests to the components, and accepts publications, by the protocols of Pushpin and
//! Fastly Fanout (WebSocket-over-HTTP, GRIP). Components see no difference.
//!
//! It runs for an application that declares the variables `grip_key` and `grip_control_url` and has a value for neither. It
//! then sets both. If either is set, a gateway in front of the runner does this work.
//!
//! * [`socket`]: a connection, from its handshake to its end;
//! * [`control`]: the address that accepts publications;
//! * here: the subscriptions.

pub mod control;
pub mod socket;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use warmline_channels::grip::Key;
use warmline_model::Timestamp;

use super::manifest::Manifest;
use super::variables::environment_name;

/// The variables from which components know a gateway.
const KEY: &str = "grip_key";
const CONTROL_URL: &str = "grip_control_url";
/// Frames that may wait for a client that reads slowly.
const QUEUE: usize = 256;
/// The most WebSockets at once, if there are enough connections.
pub const MOST: usize = 20_000;

/// The present time in the components' type.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_secs(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// The gateway.
pub struct Gateway {
    key: Key,
    rooms: Mutex<HashMap<String, Vec<Arc<Line>>>>,
    held: AtomicUsize,
    next: AtomicU64,
}

/// The way to one client.
struct Line {
    /// The number of the connection in this run.
    number: u64,
    frames: mpsc::Sender<Utf8Bytes>,
    /// Notified when the queue was full: the client missed something and must connect again.
    slow: Notify,
}

/// A gateway that is about to start: the values for the components, and the address for publications.
pub struct Starting {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// The listener for publications.
    pub listener: TcpListener,
    values: HashMap<String, String>,
}

impl Starting {
    /// Prepares a gateway if the application wants one.
    ///
    /// # Errors
    /// There is no free port or no randomness.
    pub async fn new(manifest: &Manifest, environment: impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<Self>> {
        let names = [KEY, CONTROL_URL].map(environment_name);
        let declared = [KEY, CONTROL_URL].iter().all(|name| manifest.variables.contains_key(*name));
        if !declared || names.iter().any(|name| environment(name).is_some()) {
            return Ok(None);
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random bytes from the system: {error}"))?;
        let key = format!("base64:{}", base64::engine::general_purpose::STANDARD.encode(bytes));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port for the WebSocket gateway")?;
        let url = format!("http://{}", listener.local_addr()?);
        let gateway = Gateway {
            key: Key::parse(&key).context("the gateway's key")?,
            rooms: Mutex::default(),
            held: AtomicUsize::new(0),
            next: AtomicU64::new(0),
        };
        let [key_name, url_name] = names;
        let values = HashMap::from([(key_name, key), (url_name, url)]);
        Ok(Some(Self { gateway: Arc::new(gateway), listener, values }))
    }

    /// The value of a variable for the components.
    pub fn value(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }
}

impl Gateway {
    fn rooms(&self) -> MutexGuard<'_, HashMap<String, Vec<Arc<Line>>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribe(&self, room: &str, line: &Arc<Line>) {
        let mut rooms = self.rooms();
        let lines = rooms.entry(room.to_owned()).or_default();
        if lines.iter().all(|other| other.number != line.number) {
            lines.push(Arc::clone(line));
        }
    }

    fn unsubscribe(&self, room: &str, line: &Line) {
        let mut rooms = self.rooms();
        if let Some(lines) = rooms.get_mut(room) {
            lines.retain(|other| other.number != line.number);
            if lines.is_empty() {
                rooms.remove(room);
            }
        }
    }

    /// Sends a text to all subscribers of a room.
    fn publish(&self, room: &str, text: &str) {
        let rooms = self.rooms();
        let Some(lines) = rooms.get(room) else { return };
        let text = Utf8Bytes::from(text);
        for line in lines {
            if line.frames.try_send(text.clone()).is_err() {
                line.slow.notify_one();
            }
        }
    }

    /// Waits until no connection is left, for a limited time.
    pub async fn drained(&self) {
        for _ in 0..40 {
            if self.held.load(Ordering::Relaxed) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway() -> Gateway {
        Gateway {
            key: Key::parse("sixteen or more bytes").expect("a key"),
            rooms: Mutex::default(),
            held: AtomicUsize::new(0),
            next: AtomicU64::new(0),
        }
    }

    fn line(number: u64) -> (Arc<Line>, mpsc::Receiver<Utf8Bytes>) {
        let (frames, received) = mpsc::channel(QUEUE);
        (Arc::new(Line { number, frames, slow: Notify::new() }), received)
    }

    #[test]
    fn publications_reach_those_who_are_subscribed_once_each() {
        let gateway = gateway();
        let ((one, mut to_one), (two, mut to_two)) = (line(1), line(2));
        gateway.subscribe("a", &one);
        gateway.subscribe("a", &one);
        gateway.subscribe("a", &two);
        gateway.subscribe("b", &two);
        gateway.publish("a", "x");
        gateway.publish("c", "nobody");
        assert_eq!((to_one.try_recv().ok().as_deref(), to_one.try_recv().ok()), (Some("x"), None));
        assert_eq!(to_two.try_recv().ok().as_deref(), Some("x"));
        gateway.unsubscribe("a", &two);
        gateway.publish("a", "y");
        gateway.publish("b", "z");
        assert_eq!((to_two.try_recv().ok().as_deref(), to_two.try_recv().ok()), (Some("z"), None));
        gateway.unsubscribe("b", &two);
        gateway.unsubscribe("a", &one);
        assert!(gateway.rooms().is_empty(), "nothing is kept of those who left");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_told_to_go() {
        let gateway = gateway();
        let (line, _unread) = line(1);
        gateway.subscribe("a", &line);
        for _ in 0..=QUEUE {
            gateway.publish("a", "x");
        }
        line.slow.notified().await;
    }
}
