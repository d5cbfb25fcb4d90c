//! Bounds on shared resources: the things that may be ended to make room, and the number of long answers of one caller.
//!
//! An unauthenticated client must not keep others out. Bodies that are still arriving, silent connections and endless
//! answers are therefore each counted, and the oldest gives way to the newest.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Request, StatusCode, header};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use wasmtime_wasi_http::WasiBody;

use crate::problem::problem;
use crate::share::Share;

/// Things that may be ended to make room, in the order of their arrival.
#[derive(Default)]
pub struct Oldest {
    next: AtomicU64,
    waiting: Mutex<BTreeMap<u64, Arc<Notify>>>,
}

/// A thing's place in the order, left when dropped.
pub struct Entry {
    number: u64,
    of: Arc<Oldest>,
}

impl Oldest {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Notify>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the last place. `end` is notified when the thing has to make room.
    pub fn enter(self: &Arc<Self>, end: &Arc<Notify>) -> Entry {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, Arc::clone(end));
        Entry { number, of: Arc::clone(self) }
    }

    /// The number of things.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Ends the oldest. Returns false if there is none.
    pub fn end_oldest(&self) -> bool {
        let oldest = self.lock().pop_first();
        oldest.map(|(_, end)| end.notify_one()).is_some()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.of.lock().remove(&self.number);
    }
}

/// The sender of a request, for the bounds. It cannot be turned back into a token or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    token: Option<u64>,
    address: u64,
}

/// The number of long answers that each caller has open.
pub struct Streams {
    per_token: usize,
    per_address: usize,
    sockets_per_address: usize,
    proxies: Vec<IpAddr>,
    /// A new key in each run, so that nobody can make two callers count as one.
    hasher: RandomState,
    open: Mutex<HashMap<Key, usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Token(u64),
    Address(u64),
    Socket(u64),
    Sockets(u64),
}

/// A long answer, counted until it is dropped.
pub struct Stream {
    of: Arc<Streams>,
    keys: [Option<Key>; 2],
    _share: Option<OwnedSemaphorePermit>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.of.forget(&self.keys);
    }
}

impl Streams {
    /// Bounds for one token and one address. `proxies` are the addresses of proxies whose `X-Forwarded-For` holds the
    /// client's own address.
    pub fn new(per_token: usize, per_address: usize, proxies: Vec<IpAddr>) -> Self {
        Self {
            per_token,
            per_address,
            sockets_per_address: usize::MAX,
            proxies,
            hasher: RandomState::new(),
            open: Mutex::default(),
        }
    }

    /// Bounds WebSockets: `most` may be open in all, and a quarter of them for one address. Many people can share an
    /// address (a telephone network, an office), and still it cannot keep out all others.
    #[must_use]
    pub fn with_sockets(self, most: usize) -> Self {
        Self { sockets_per_address: (most / 4).max(1), ..self }
    }

    /// The sender of a request: the token that it presents, in the header or in the address, and its client's address.
    pub fn who<B>(&self, request: &Request<B>, peer: SocketAddr) -> Who {
        let header = request.headers().get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
        let token = header.or_else(|| access_token(request.uri().query()?).map(str::as_bytes));
        let address = self.client(request, peer.ip());
        Who { token: token.map(|token| self.hasher.hash_one(token)), address: self.hasher.hash_one(network(address)) }
    }

    /// The client's address: the peer's, or the one that our own proxies report.
    fn client<B>(&self, request: &Request<B>, peer: IpAddr) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.proxies.contains(&peer) {
            return peer;
        }
        let said = request.headers().get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
        let said: Vec<IpAddr> = said.flat_map(|value| value.split(',')).filter_map(|ip| ip.trim().parse().ok()).collect();
        said.into_iter().map(|ip| ip.to_canonical()).rev().find(|ip| !self.proxies.contains(ip)).unwrap_or(peer)
    }

    /// Counts a long answer of a component.
    ///
    /// # Errors
    /// There are too many. The error is the answer for the client.
    pub fn begin(self: &Arc<Self>, of: &Share, who: Who) -> Result<Stream, Box<http::Response<WasiBody>>> {
        let Ok(place) = Arc::clone(&of.streams).try_acquire_owned() else {
            let detail = "as many answers of this kind are open as the service holds; try again in a second";
            return Err(Box::new(problem(StatusCode::SERVICE_UNAVAILABLE, "too_many_requests", detail)));
        };
        let keys = [who.token.map(Key::Token), Some(Key::Address(who.address))];
        let most = [self.per_token, self.per_address];
        match self.count(keys, most) {
            Ok(()) => Ok(Stream { of: Arc::clone(self), keys, _share: Some(place) }),
            Err(whose) => Err(too_many(whose)),
        }
    }

    /// Counts a WebSocket of a token and of an address.
    ///
    /// # Errors
    /// There are too many. The error is the answer for the client.
    pub fn socket(self: &Arc<Self>, who: Who) -> Result<Stream, Box<http::Response<WasiBody>>> {
        let keys = [who.token.map(Key::Socket), Some(Key::Sockets(who.address))];
        match self.count(keys, [self.per_token, self.sockets_per_address]) {
            Ok(()) => Ok(Stream { of: Arc::clone(self), keys, _share: None }),
            Err(whose) => Err(too_many(whose)),
        }
    }

    fn count(&self, keys: [Option<Key>; 2], most: [usize; 2]) -> Result<(), Key> {
        let mut open = self.lock();
        let keys = keys.into_iter().zip(most).filter_map(|(key, most)| Some((key?, most)));
        if let Some((full, _)) = keys.clone().find(|(key, most)| open.get(key).is_some_and(|count| count >= most)) {
            return Err(full);
        }
        for (key, _) in keys {
            *open.entry(key).or_default() += 1;
        }
        Ok(())
    }

    fn forget(&self, keys: &[Option<Key>]) {
        let mut open = self.lock();
        for key in keys.iter().flatten() {
            if let Some(count) = open.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    open.remove(key);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_many(whose: Key) -> Box<http::Response<WasiBody>> {
    let detail = match whose {
        Key::Token(_) | Key::Socket(_) => "too many streams are open with this token; close one first",
        Key::Address(_) | Key::Sockets(_) => "too many streams are open from this address; close one first",
    };
    Box::new(problem(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail))
}

/// The token in a stream's address, as it was written.
fn access_token(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("access_token="))
}

/// The network of an IPv6 address, because a household has all the addresses in it.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)], uri: &str) -> Request<()> {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request")
    }

    fn peer(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().expect("an address"), 9)
    }

    #[test]
    fn the_oldest_goes_first_and_what_left_is_not_ended() {
        let order = Arc::new(Oldest::default());
        let ends: Vec<_> = (0..3).map(|_| Arc::new(Notify::new())).collect();
        let mut entries: Vec<_> = ends.iter().map(|end| order.enter(end)).collect();
        drop(entries.remove(0));
        assert!(order.end_oldest());
        assert_eq!(order.count(), 1);
        let told = |end: &Arc<Notify>| {
            let mut told = Box::pin(end.notified());
            std::task::Poll::is_ready(&told.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())))
        };
        assert_eq!(ends.iter().map(told).collect::<Vec<_>>(), [false, true, false]);
        drop(entries);
        assert!(!order.end_oldest());
    }

    #[test]
    fn m3_one_token_has_so_many_streams_and_another_has_its_own() {
        let streams = Arc::new(Streams::new(2, 5, Vec::new()));
        let who = |token: &str| streams.who(&request(&[("authorization", token)], "/events"), peer("192.0.2.1"));
        let (alice, bob) = (who("Bearer a"), who("Bearer b"));
        assert_ne!(alice, bob);
        let count = |who: Who| {
            let keys = [who.token.map(Key::Token), Some(Key::Address(who.address))];
            streams.count(keys, [2, 5]).map(|()| Stream { of: Arc::clone(&streams), keys, _share: None })
        };
        let held = [count(alice).ok(), count(alice).ok()];
        assert!(held.iter().all(Option::is_some));
        assert_eq!(count(alice).err(), alice.token.map(Key::Token));
        let others = [count(bob).ok(), count(bob).ok(), count(who("Bearer c")).ok()];
        assert!(others.iter().all(Option::is_some));
        assert_eq!(count(who("Bearer d")).err(), Some(Key::Address(alice.address)));
        drop((held, others));
        assert!(streams.lock().is_empty(), "nothing is kept of callers that left");
    }

    #[test]
    fn a_token_in_the_address_counts_as_one_in_the_header_does() {
        let streams = Streams::new(1, 1, Vec::new());
        let who = |uri: &str| streams.who(&request(&[], uri), peer("192.0.2.1"));
        assert_eq!(who("/e?access_token=x&after=1"), who("/e?after=2&access_token=x"));
        assert_ne!(who("/e?access_token=x"), who("/e?access_token=y"));
        assert_eq!(who("/e?my_access_token=x").token, None);
    }

    #[test]
    fn only_a_known_proxy_says_who_its_client_is() {
        let streams = Streams::new(1, 1, vec!["127.0.0.1".parse().expect("an address")]);
        let from = |ip: &str, said: &str| streams.who(&request(&[("x-forwarded-for", said)], "/"), peer(ip)).address;
        let plain = |ip: &str| streams.who(&request(&[], "/"), peer(ip)).address;
        assert_eq!(from("127.0.0.1", "203.0.113.9, 198.51.100.7"), plain("198.51.100.7"));
        assert_eq!(from("127.0.0.1", "198.51.100.7, 127.0.0.1"), plain("198.51.100.7"));
        assert_eq!(from("192.0.2.1", "198.51.100.7"), plain("192.0.2.1"));
        assert_eq!(from("127.0.0.1", "nonsense"), plain("127.0.0.1"));
        assert_eq!(plain("::ffff:192.0.2.1"), plain("192.0.2.1"));
        assert_eq!(plain("2001:db8::1"), plain("2001:db8::ffff"));
        assert_ne!(plain("2001:db8::1"), plain("2001:db8:0:1::1"));
    }
}
