//! Large answers that clients read slowly. A large answer whose guest has ended waits in memory until its client has read
//! it, and a client may take its time. All of them together therefore have a fixed room. If it runs out, the connection
//! whose answer waits the longest is closed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::WasiBody;

use crate::bounds::{Entry, Oldest};
use crate::connections::Connection;
use crate::problem::{failed, full, problem};

/// Answers up to this size are bounded by the number of connections.
const SMALL: u64 = 64 << 10;
/// The room for larger answers, in KiB.
const ROOM: u32 = 64 << 10;
/// The time for which an answer waits for the room of a closed one.
const WAIT: Duration = Duration::from_millis(50);
/// The most connections that are closed for one answer.
const TRIES: usize = 20;

/// Marks an answer as complete.
#[derive(Clone, Copy)]
pub struct Whole;

/// The room of all answers.
pub struct Answers {
    room: Arc<Semaphore>,
    unread: Arc<Oldest>,
}

impl Default for Answers {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(ROOM as usize)), unread: Arc::default() }
    }
}

/// An answer's bytes, with the room that they take until the last of them was read.
struct Held {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
    _unread: Entry,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Answers {
    /// Gives an answer its room on its way to a connection.
    pub async fn hold(&self, mut response: Response<WasiBody>, connection: &Connection) -> Response<WasiBody> {
        let length = response.body().size_hint().exact().filter(|length| *length > SMALL);
        let (Some(length), Some(Whole)) = (length, response.extensions_mut().remove()) else { return response };
        let wanted = u32::try_from(length >> 10).unwrap_or(ROOM).clamp(1, ROOM);
        let Some(room) = self.room(wanted).await else { return no_room() };
        let entry = self.unread.enter(connection.end());
        let (head, body) = response.into_parts();
        match body.collect().now_or_never() {
            Some(Ok(body)) => {
                let held = Held { bytes: body.to_bytes(), _room: room, _unread: entry };
                Response::from_parts(head, full(Bytes::from_owner(held)))
            }
            _ => failed(),
        }
    }

    /// Room of this many KiB; `None` if closing the longest-waiting answers brings none.
    async fn room(&self, wanted: u32) -> Option<OwnedSemaphorePermit> {
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(wanted) {
            return Some(room);
        }
        for _ in 0..TRIES {
            self.unread.end_oldest();
            // The room of a closed connection is free once the connection has noticed its end.
            if let Ok(Ok(room)) = tokio::time::timeout(WAIT, Arc::clone(&self.room).acquire_many_owned(wanted)).await {
                return Some(room);
            }
        }
        None
    }
}

fn no_room() -> Response<WasiBody> {
    let detail = "too many large answers are on their way; try again in a second";
    problem(StatusCode::SERVICE_UNAVAILABLE, "too_many_requests", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::Connections;

    async fn connection(all: &Arc<Connections>) -> Arc<Connection> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = tokio::net::TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connects");
        let (_io, connection) = all.accept(listener.accept().await.expect("accepts").0);
        drop(client);
        connection
    }

    fn answer(kib: usize) -> Response<WasiBody> {
        let mut response = Response::new(full(Bytes::from(vec![b'x'; kib << 10])));
        response.extensions_mut().insert(Whole);
        response
    }

    #[tokio::test]
    async fn h1_the_answer_that_waits_the_longest_gives_way_and_room_is_given_back() {
        let (answers, all) = (Answers::default(), Connections::new(16));
        let (slow, other) = (connection(&all).await, connection(&all).await);
        let first = answers.hold(answer(40 << 10), &slow).await;
        assert_eq!(answers.room.available_permits(), 24 << 10);
        // Small answers need no room.
        assert_eq!(answers.hold(answer(64), &other).await.body().size_hint().exact(), Some(64 << 10));
        assert_eq!(answers.room.available_permits(), 24 << 10);
        let ended = async {
            slow.ended().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(answers.hold(answer(30 << 10), &other), ended);
        assert_eq!((second.status(), answers.room.available_permits()), (StatusCode::OK, 34 << 10));
        // The bytes hold their room, whatever happens to the answer around them.
        let bytes = second.into_body().collect().await.expect("bytes").to_bytes();
        let rest = bytes.slice(1..);
        drop(bytes);
        assert_eq!(answers.room.available_permits(), 34 << 10);
        drop(rest);
        assert_eq!(answers.room.available_permits(), 64 << 10);
    }
}
