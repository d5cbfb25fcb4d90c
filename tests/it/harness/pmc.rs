//! Pinduoduo's message service, simulated: a real WebSocket server that checks its client, sends unacknowledged frames on
//! every new connection, and misbehaves on request.

use super::http::{block_on, spawn};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use warmline_channels::pinduoduo::sign;
use warmline_model::Timestamp;

/// Returns the present number of inbox rows.
type Stored = Box<dyn Fn() -> usize + Send + Sync>;

/// The platform's state and its observations.
#[derive(Default)]
pub struct Seen {
    /// Frames that are not acknowledged, by id.
    pub pending: BTreeMap<u64, String>,
    /// Frames that are acknowledged.
    pub acknowledged: BTreeSet<u64>,
    /// The numbers of acknowledged and of stored frames, at each acknowledgement.
    pub moments: Vec<(usize, usize)>,
    /// Acknowledgements that do not match their frame.
    pub strange: Vec<String>,
    pub connections: usize,
    /// Connections with a wrong signature in the address.
    pub refused: usize,
    pub heartbeats: usize,
    pub pongs: Vec<Bytes>,
    /// Connections that were closed in order.
    pub closed: usize,
    /// The next connection breaks after this many frames.
    pub break_after: Option<usize>,
    /// The platform sends nothing any more, not even signs of life.
    pub mute: bool,
    said: Vec<Message>,
}

struct Shared {
    client_id: String,
    client_secret: String,
    stored: Stored,
    seen: Mutex<Seen>,
    news: Notify,
}

/// The service.
pub struct Pmc {
    pub url: String,
    shared: Arc<Shared>,
}

impl Pmc {
    /// Starts the service for one client.
    pub fn start(client_id: &str, client_secret: &str, stored: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            stored: Box::new(stored),
            seen: Mutex::default(),
            news: Notify::new(),
        });
        let url = block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("ws://{}", listener.local_addr().unwrap());
            let shared = Arc::clone(&shared);
            spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    spawn(converse(stream, Arc::clone(&shared)));
                }
            });
            url
        });
        Self { url, shared }
    }

    /// Its state and its observations.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.seen()
    }

    /// Gives the service frames for the client, by id.
    pub fn push(&self, frames: impl IntoIterator<Item = (u64, String)>) {
        self.seen().pending.extend(frames);
        self.shared.news.notify_one();
    }

    /// Sends any message.
    pub fn say(&self, message: Message) {
        self.seen().said.push(message);
        self.shared.news.notify_one();
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signed(&self, path: &str) -> bool {
        let millis = path.split('/').nth(3).and_then(|millis| millis.parse().ok());
        millis.is_some_and(|at| {
            path == sign::connection_path(&self.client_id, &self.client_secret, Timestamp::from_millis(at))
        })
    }

    /// Takes a text from the client.
    fn heard(&self, text: &str) {
        let said: Value = serde_json::from_str(text).unwrap();
        let mut seen = self.seen();
        if said["commandType"] == "HeartBeat" {
            seen.heartbeats += 1;
            if !seen.mute {
                seen.said.push(Message::text(r#"{"commandType":"HeartBeat","time":1}"#));
                self.news.notify_one();
            }
            return;
        }
        let id = said["id"].as_u64().unwrap_or_default();
        let frame: Value = seen.pending.remove(&id).and_then(|frame| serde_json::from_str(&frame).ok()).unwrap_or_default();
        let same = said["commandType"] == "Ack"
            && said["sendTime"] == frame["sendTime"]
            && said["type"] == frame["message"]["type"]
            && said["mallID"] == frame["message"]["mallID"];
        if !same {
            seen.strange.push(text.to_owned());
        }
        seen.acknowledged.insert(id);
        let moment = (seen.acknowledged.len(), (self.stored)());
        seen.moments.push(moment);
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let check = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        if shared.signed(request.uri().path()) {
            return Ok(response);
        }
        shared.seen().refused += 1;
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        Err(refusal)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, check).await else { return };
    let mut left = {
        let mut seen = shared.seen();
        seen.connections += 1;
        seen.break_after.take()
    };
    let mut sent = BTreeSet::new();
    loop {
        let (frames, others) = {
            let mut seen = shared.seen();
            let new = |id: &&u64| !sent.contains(*id);
            let frames: Vec<_> = seen.pending.keys().filter(new).map(|id| (*id, seen.pending[id].clone())).collect();
            (frames, std::mem::take(&mut seen.said))
        };
        for (id, frame) in frames {
            if left == Some(0) {
                return;
            }
            left = left.map(|left| left - 1);
            sent.insert(id);
            if socket.send(Message::text(frame)).await.is_err() {
                return;
            }
        }
        for message in others {
            let _ = socket.send(message).await;
        }
        tokio::select! {
            () = shared.news.notified() => {}
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => shared.heard(&text),
                Some(Ok(Message::Pong(content))) => shared.seen().pongs.push(content),
                Some(Ok(Message::Close(_))) => shared.seen().closed += 1,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}
