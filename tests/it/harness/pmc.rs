//! Pinduoduo's message service, as the bridge meets it, and the bridge as a child process.

use super::http::block_on;
use super::{program, until};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::Message;
use warmline_channels::pinduoduo::sign;
use warmline_model::Timestamp;

const CLIENT: &str = "pdd-client";
const CLIENT_SECRET: &str = "pdd-client-secret";
const BRIDGE_SECRET: &str = "pdd-bridge-secret-0123";
/// The shop's number.
const MALL: u64 = 171_504_183;

#[derive(Default)]
struct Kept {
    frames: BTreeMap<u64, String>,
    /// Frames that were sent, and acknowledgements that came.
    sent: usize,
    acknowledged: usize,
    heartbeats: usize,
    connections: usize,
    refused: usize,
    /// After so many acknowledgements a connection is cut.
    cut_after: Option<usize>,
}

/// The service: it sends every frame that is not acknowledged, and sends it again on the next connection.
pub struct Pmc {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl Pmc {
    /// Starts one.
    pub fn start() -> Self {
        let listener = block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::<Mutex<Kept>>::default();
        let shared = Arc::clone(&kept);
        super::http::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                super::http::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, kept }
    }

    fn kept<T>(&self, look: impl FnOnce(&mut Kept) -> T) -> T {
        look(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps an order's message until it is acknowledged.
    pub fn keep(&self, id: u64, order: &str) {
        let content = json!({ "mall_id": MALL, "tid": order });
        self.keep_text(id, sign::frame(id, Timestamp::from_secs(1_700_000_000), "pdd_trade_TradeConfirmed", MALL, &content));
    }

    /// Keeps any text as a frame.
    pub fn keep_text(&self, id: u64, text: String) {
        self.kept(|kept| kept.frames.insert(id, text));
    }

    /// Cuts each connection after so many acknowledgements, or none any longer.
    pub fn cut_after(&self, acknowledgements: Option<usize>) {
        self.kept(|kept| kept.cut_after = acknowledgements);
    }

    /// The frames that are not acknowledged.
    pub fn left(&self) -> Vec<u64> {
        self.kept(|kept| kept.frames.keys().copied().collect())
    }

    /// Frames sent, acknowledgements, heartbeats, connections, connections refused.
    pub fn counts(&self) -> [usize; 5] {
        self.kept(|kept| [kept.sent, kept.acknowledged, kept.heartbeats, kept.connections, kept.refused])
    }

    /// The account's settings.
    pub fn settings() -> Value {
        json!({ "client_id": CLIENT, "mall_id": MALL.to_string() })
    }

    /// The account's secrets.
    pub fn secrets() -> Value {
        json!({ "bridge_secret": BRIDGE_SECRET, "client_secret": CLIENT_SECRET })
    }

    /// Starts the bridge between it and a server.
    pub fn bridge(&self, server: SocketAddr, account: &str, client_secret: Option<&str>) -> Bridge {
        let child = Command::new(program())
            .args(["bridge", "pinduoduo", "--client-id", CLIENT, "--account", account])
            .args(["--url", &format!("http://{server}"), "--platform", &format!("ws://{}", self.address)])
            .env("PINDUODUO_BRIDGE_SECRET", BRIDGE_SECRET)
            .env("PINDUODUO_CLIENT_SECRET", client_secret.unwrap_or(CLIENT_SECRET))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Bridge(child)
    }
}

/// A running bridge. It ends with this.
pub struct Bridge(Child);

impl Bridge {
    /// Asks it to end in order; its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        until("the bridge ends", || self.0.try_wait().unwrap()).code()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether the path is that of the client, signed at a time of now.
fn signed(path: &str) -> bool {
    let millis = path.split('/').nth(3).and_then(|part| part.parse().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    millis.is_some_and(|millis: i64| {
        now.abs_diff(millis) < 60_000 && path == sign::connection_path(CLIENT, CLIENT_SECRET, Timestamp::from_millis(millis))
    })
}

async fn serve(stream: TcpStream, kept: Arc<Mutex<Kept>>) {
    let with = |look: &mut dyn FnMut(&mut Kept)| look(&mut kept.lock().unwrap_or_else(PoisonError::into_inner));
    let check = |request: &Request, response: Response| {
        if signed(request.uri().path()) {
            return Ok(response);
        }
        let mut refused = ErrorResponse::new(None);
        *refused.status_mut() = http::StatusCode::FORBIDDEN;
        Err(refused)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, check).await else {
        return with(&mut |kept| kept.refused += 1);
    };
    with(&mut |kept| kept.connections += 1);
    let (mut acknowledged, mut sent) = (0, std::collections::BTreeSet::new());
    loop {
        let (mut next, mut cut) = (Vec::new(), false);
        with(&mut |kept| {
            cut = kept.cut_after.is_some_and(|most| acknowledged >= most);
            next = kept.frames.iter().filter(|(id, _)| !sent.contains(*id)).map(|(id, text)| (*id, text.clone())).collect();
        });
        if cut {
            return;
        }
        for (id, text) in next {
            if socket.send(Message::text(text)).await.is_err() {
                return;
            }
            sent.insert(id);
            with(&mut |kept| kept.sent += 1);
        }
        let message = tokio::time::timeout(std::time::Duration::from_millis(20), socket.next()).await;
        let text = match message {
            Err(_) => continue,
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(_))) => continue,
            Ok(_) => return,
        };
        let said: Value = serde_json::from_str(text.as_str()).unwrap();
        match said["commandType"].as_str() {
            Some("HeartBeat") => {
                with(&mut |kept| kept.heartbeats += 1);
                let answer = json!({ "commandType": "HeartBeat", "time": said["time"] }).to_string();
                if socket.send(Message::text(answer)).await.is_err() {
                    return;
                }
            }
            Some("Ack") => {
                assert_eq!((&said["mallID"], &said["type"]), (&json!(MALL), &json!("pdd_trade_TradeConfirmed")));
                acknowledged += 1;
                with(&mut |kept| {
                    kept.acknowledged += usize::from(kept.frames.remove(&said["id"].as_u64().unwrap()).is_some());
                });
            }
            _ => panic!("{said}"),
        }
    }
}
