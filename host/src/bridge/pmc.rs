//! Pinduoduo's message service: a WebSocket that we open, keep alive by heartbeats, and acknowledge frames on. (The official SDK's
//! README and public SDKs: a heartbeat every 10 s, 3 min of silence end a connection.)

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::Uri;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use warmline_channels::pinduoduo::sign;

use super::door::{Door, Posted, backoff, now};

/// Frames that are posted at once. Those of one order are in one lane, and keep their order.
const LANES: usize = 16;
/// Frames that wait in a lane. When one is full nothing more is read: the platform keeps what comes.
const WAITING: usize = 8;
/// The longest frame.
const FRAME_BYTES: usize = 1 << 20;
const HEARTBEAT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(180);
const CONNECT: Duration = Duration::from_secs(15);
/// How long frames in flight may take when the bridge stops.
const LAST_FRAMES: Duration = Duration::from_secs(10);
/// How often it says what it did.
const REPORT: Duration = Duration::from_secs(60);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Where the service is, and who connects.
pub(super) struct Place {
    base: String,
    client_id: String,
    client_secret: String,
}

impl Place {
    /// # Errors
    /// The address is none of a WebSocket.
    pub(super) fn new(url: &Uri, client_id: String, client_secret: String) -> anyhow::Result<Self> {
        let web_socket = matches!(url.scheme_str(), Some("ws" | "wss"));
        ensure!(web_socket && url.authority().is_some(), "--platform is no address such as wss://message-api.pinduoduo.com");
        Ok(Self { base: url.to_string().trim_end_matches('/').to_owned(), client_id, client_secret })
    }

    async fn connect(&self) -> Result<Socket, String> {
        let url = self.base.clone() + &sign::connection_path(&self.client_id, &self.client_secret, now());
        let config = WebSocketConfig::default().max_message_size(Some(FRAME_BYTES)).max_frame_size(Some(FRAME_BYTES));
        let connecting = tokio_tungstenite::connect_async_with_config(url, Some(config), true);
        match tokio::time::timeout(CONNECT, connecting).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(Error::Http(answer))) => {
                Err(format!("PMC answered {}: look at --client-id, PINDUODUO_CLIENT_SECRET and the clock", answer.status()))
            }
            Ok(Err(e)) => Err(format!("PMC is not there: {e}")),
            Err(_) => Err("PMC does not answer".to_owned()),
        }
    }
}

/// What was done since the last report.
#[derive(Default)]
struct Counts {
    kept: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    async fn report(self: Arc<Self>) {
        let mut every = tokio::time::interval_at(Instant::now() + REPORT, REPORT);
        loop {
            every.tick().await;
            self.say();
        }
    }

    fn say(&self) {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        tracing::info!(kept = take(&self.kept), refused = take(&self.refused), "frames");
    }
}

/// Holds a connection until told to stop; opens another where it breaks.
pub(super) async fn hold(place: &Place, door: Door, mut stopping: watch::Receiver<bool>) {
    let (door, counts) = (Arc::new(door), Arc::new(Counts::default()));
    let reports = tokio::spawn(Arc::clone(&counts).report());
    let mut failures = 0;
    while !*stopping.borrow() {
        let connected = tokio::select! {
            connected = place.connect() => connected,
            _ = stopping.changed() => break,
        };
        let why = match connected {
            Ok(socket) => {
                tracing::info!("connected to PMC");
                let begun = Instant::now();
                match converse(socket, &door, &counts, &mut stopping).await {
                    ControlFlow::Break(()) => break,
                    ControlFlow::Continue(why) => {
                        // One that breaks at once, again and again, is as good as none.
                        failures = if begun.elapsed() > HEARTBEAT { 0 } else { failures };
                        why
                    }
                }
            }
            Err(why) => why,
        };
        failures += 1;
        let pause = backoff(failures);
        tracing::warn!("{why}; connecting again in {:.1} s", pause.as_secs_f64());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.changed() => {}
        }
    }
    reports.abort();
    counts.say();
}

/// One connection, from its first frame to its end.
async fn converse(
    socket: Socket,
    door: &Arc<Door>,
    counts: &Arc<Counts>,
    stopping: &mut watch::Receiver<bool>,
) -> ControlFlow<(), String> {
    let (mut sink, mut frames) = socket.split();
    let (acks, mut to_send) = mpsc::channel::<String>(LANES * WAITING);
    let (mut lanes, mut tasks) = (Vec::with_capacity(LANES), JoinSet::new());
    for _ in 0..LANES {
        let (lane, waiting) = mpsc::channel(WAITING);
        lanes.push(lane);
        tasks.spawn(lane_of(waiting, Arc::clone(door), Arc::clone(counts), acks.clone()));
    }
    drop(acks);
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let writing = tokio::spawn(async move {
        loop {
            let text = tokio::select! {
                ack = to_send.recv() => match ack {
                    Some(ack) => ack,
                    None => return drop(sink.close().await),
                },
                _ = heartbeat.tick() => sign::heartbeat(now()),
            };
            if sink.send(Message::text(text)).await.is_err() {
                return;
            }
        }
    });
    let end = loop {
        let message = tokio::select! {
            message = tokio::time::timeout(SILENCE, frames.next()) => message,
            _ = stopping.changed() => break ControlFlow::Break(()),
        };
        let text = match message {
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(Message::Close(_))) | None) => break ControlFlow::Continue("PMC closed the connection".to_owned()),
            Ok(Some(Ok(_))) => continue,
            Ok(Some(Err(e))) => break ControlFlow::Continue(format!("the connection to PMC broke: {e}")),
            Err(_) => break ControlFlow::Continue("PMC is silent".to_owned()),
        };
        let Some(frame) = Frame::read(text.as_str()) else { continue };
        let Some(lane) = lanes.get(frame.lane()) else { continue };
        tokio::select! {
            sent = lane.send(frame) => if sent.is_err() { break ControlFlow::Continue("a lane ended".to_owned()) },
            _ = stopping.changed() => break ControlFlow::Break(()),
        }
    };
    drop(lanes);
    if end.is_break() {
        // What is in flight is kept and acknowledged; whatever is not by then comes again another time.
        let _ = tokio::time::timeout(LAST_FRAMES, async {
            while tasks.join_next().await.is_some() {}
            let _ = writing.await;
        })
        .await;
    } else {
        writing.abort();
    }
    end
}

/// A frame with something to keep.
struct Frame {
    bytes: Bytes,
    value: Value,
}

impl Frame {
    /// `None` where it holds nothing: a heartbeat's answer, or no frame at all.
    fn read(text: &str) -> Option<Self> {
        match serde_json::from_str::<Value>(text) {
            Ok(value) if value["commandType"] == "Common" => {
                Some(Self { bytes: Bytes::copy_from_slice(text.as_bytes()), value })
            }
            Ok(value) if matches!(value["commandType"].as_str(), Some("HeartBeat" | "Ack")) => None,
            _ => {
                tracing::warn!("PMC sent what is no frame");
                None
            }
        }
    }

    /// The lane of the order that it is about.
    fn lane(&self) -> usize {
        let content = &self.value["message"]["content"];
        let content = content.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| content.clone());
        let mut hasher = DefaultHasher::new();
        match content.get("tid") {
            Some(order) => order.to_string().hash(&mut hasher),
            None => self.value["id"].to_string().hash(&mut hasher),
        }
        usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0)
    }
}

async fn lane_of(mut waiting: mpsc::Receiver<Frame>, door: Arc<Door>, counts: Arc<Counts>, acks: mpsc::Sender<String>) {
    while let Some(frame) = waiting.recv().await {
        match door.keep(&frame.bytes).await {
            Posted::Kept => {
                counts.kept.fetch_add(1, Ordering::Relaxed);
                if let Some(ack) = sign::acknowledgement(&frame.value, now())
                    && acks.send(ack).await.is_err()
                {
                    return;
                }
            }
            // It is not acknowledged: the platform repeats it, and it is kept once Warmline can read it.
            Posted::Refused(status) => {
                counts.refused.fetch_add(1, Ordering::Relaxed);
                tracing::error!(id = %frame.value["id"], "Warmline refused a frame for good: {status}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn frames_of_one_order_share_a_lane() {
        let frame = |id: u64, order: &str| {
            let content = json!({ "tid": order, "n": id });
            Frame::read(&sign::frame(id, now(), "pdd_trade_TradeConfirmed", 1, &content)).unwrap()
        };
        assert_eq!(frame(1, "a").lane(), frame(2, "a").lane());
        let lanes: std::collections::BTreeSet<_> = (0..200).map(|n| frame(n, &n.to_string()).lane()).collect();
        assert_eq!(lanes.len(), LANES);
        let whole = json!({ "commandType": "Common", "id": 1, "message": { "content": { "tid": "a" } } }).to_string();
        assert_eq!(Frame::read(&whole).unwrap().lane(), frame(1, "a").lane());
    }

    #[test]
    fn what_holds_nothing_is_not_posted() {
        for text in [r#"{"commandType":"HeartBeat"}"#, r#"{"commandType":"Ack","id":1}"#, "{}", "", "[1]", "7"] {
            assert!(Frame::read(text).is_none(), "{text}");
        }
        assert!(Frame::read(r#"{"commandType":"Common"}"#).is_some());
    }

    #[test]
    fn addresses() {
        let place = |url: &str| Place::new(&url.parse().unwrap(), "c".into(), "s".into());
        assert!(place("wss://message-api.pinduoduo.com").is_ok());
        assert!(place("https://message-api.pinduoduo.com").is_err());
        assert!(place("/message").is_err());
    }
}
