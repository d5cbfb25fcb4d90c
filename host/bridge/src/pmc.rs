//! Pinduoduo's message service: a WebSocket that we open, keep alive by heartbeats, and acknowledge frames on. By the
//! official SDK's README and public SDKs, a heartbeat goes every 10 s, and 3 min of silence end a connection.
//!
//! Memory is bounded: there are a fixed number of lanes with a fixed number of frames. If a lane is full, nothing more is
//! read from the socket, and the platform keeps what comes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use http::Uri;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use warmline_channels::pinduoduo::pmc;

use super::backoff::{pause, waited};
use super::counters::Counters;
use super::frame::Frame;
use super::lane::Lane;
use super::warmline_client::Door;
use super::{now, stopped};

/// Frames that are posted at once.
const LANES: usize = 8;
/// Frames that wait in a lane.
const WAITING: usize = 4;
/// The longest frame. It is longer than Warmline accepts: Warmline refuses such a frame, so it is not sent again for ever.
const FRAME_BYTES: usize = 2 << 20;
/// The longest time for connecting, and for writing anything.
const PATIENCE: Duration = Duration::from_secs(15);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The rhythm of heartbeats, and the silence after which a connection counts as dead.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// The time between two of our heartbeats.
    pub heartbeat: Duration,
    /// The longest silence of the platform.
    pub silence: Duration,
}

/// The address of the service, and our credentials there.
pub(super) struct Place {
    base: String,
    client_id: String,
    client_secret: String,
}

impl Place {
    /// # Errors
    /// The address is not that of a WebSocket, or leaves this machine without TLS; or the client's id is invalid.
    pub(super) fn new(url: &Uri, client_id: String, client_secret: String) -> anyhow::Result<Self> {
        let web_socket = matches!(url.scheme_str(), Some("ws" | "wss"));
        ensure!(web_socket && url.authority().is_some(), "--platform is no address such as wss://message-api.pinduoduo.com");
        let here = matches!(url.host(), Some("127.0.0.1" | "[::1]" | "localhost"));
        ensure!(here || url.scheme_str() == Some("wss"), "--platform must be wss:// unless it is on this machine");
        let plain = !client_id.is_empty() && client_id.bytes().all(|b| b.is_ascii_alphanumeric());
        ensure!(plain, "--client-id {client_id:?} has letters and digits only");
        Ok(Self { base: url.to_string().trim_end_matches('/').to_owned(), client_id, client_secret })
    }

    /// The address contains our proof of identity, so no error may contain it.
    async fn connect(&self) -> Result<Socket, String> {
        let url = self.base.clone() + &pmc::connection_path(&self.client_id, &self.client_secret, now());
        let config = WebSocketConfig::default().max_message_size(Some(FRAME_BYTES)).max_frame_size(Some(FRAME_BYTES));
        match timeout(PATIENCE, tokio_tungstenite::connect_async_with_config(url, Some(config), true)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(Error::Http(answer))) => {
                Err(format!("PMC answered {}: look at --client-id, PINDUODUO_CLIENT_SECRET and the clock", answer.status()))
            }
            Ok(Err(error)) => Err(format!("PMC is not there: {}", said(&error))),
            Err(_) => Err("PMC does not answer".to_owned()),
        }
    }
}

/// An error in words that contain no address.
fn said(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::Tls(error) => error.to_string(),
        Error::Protocol(error) => error.to_string(),
        Error::Capacity(_) => "a frame of over 2 MiB".to_owned(),
        Error::ConnectionClosed | Error::AlreadyClosed => "it is closed".to_owned(),
        _ => "it does not speak as it should".to_owned(),
    }
}

/// The reason why a connection ended, and whether the platform had said anything on it.
struct Lost {
    why: String,
    heard: bool,
}

/// Holds a connection until it is told to stop. Opens another if it breaks.
pub(super) async fn hold(
    place: &Place,
    bounds: Bounds,
    door: &Arc<Door>,
    tally: &Arc<Counters>,
    stopping: &mut watch::Receiver<bool>,
) {
    let mut failures = 0;
    loop {
        let connected = tokio::select! {
            biased;
            () = stopped(stopping) => return,
            connected = place.connect() => connected,
        };
        let why = match connected {
            Ok(socket) => {
                tracing::info!("connected to PMC");
                match converse(socket, bounds, door, tally, stopping).await {
                    Ok(()) => return,
                    // A connection that breaks before anything is said counts as one more failure.
                    Err(Lost { why, heard }) => {
                        failures = if heard { 0 } else { failures };
                        why
                    }
                }
            }
            Err(why) => why,
        };
        failures += 1;
        tally.lost.one();
        let pause = pause(failures);
        tracing::warn!("{why}; connecting again in {:.1} s", pause.as_secs_f64());
        if !waited(pause, stopping).await {
            return;
        }
    }
}

type Sink = SplitSink<Socket, Message>;

/// Writes a text, if the other side still reads.
async fn say(sink: &mut Sink, text: String) -> Result<(), String> {
    match timeout(PATIENCE, sink.send(Message::text(text))).await {
        Ok(sent) => sent.map_err(|error| format!("the connection to PMC broke: {}", said(&error))),
        Err(_) => Err("PMC reads nothing any more".to_owned()),
    }
}

/// One connection, from its first frame to its end. Its lanes end with it. Frames that they had not acknowledged come again
/// on the next.
///
/// # Errors
/// The connection was lost before it was time to stop.
async fn converse(
    socket: Socket,
    bounds: Bounds,
    door: &Arc<Door>,
    tally: &Arc<Counters>,
    stopping: &mut watch::Receiver<bool>,
) -> Result<(), Lost> {
    let (mut sink, mut frames) = socket.split();
    let (acknowledgements, mut settled) = mpsc::channel(LANES);
    let (mut lanes, mut work) = (Vec::with_capacity(LANES), JoinSet::new());
    for _ in 0..LANES {
        let (lane, waiting) = mpsc::channel(WAITING);
        let worker = Lane {
            door: Arc::clone(door),
            tally: Arc::clone(tally),
            acknowledgements: acknowledgements.clone(),
            stopping: stopping.clone(),
        };
        work.spawn(worker.work(waiting));
        lanes.push(lane);
    }
    drop(acknowledgements);
    let mut heartbeat = tokio::time::interval(bounds.heartbeat);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last, mut heard) = (Instant::now(), false);
    // A frame whose lane is full. Until there is room for it, nothing is read.
    let mut held: Option<(usize, Frame)> = None;
    loop {
        let lane = held.as_ref().map_or(0, |(lane, _)| *lane);
        let done = tokio::select! {
            biased;
            () = stopped(stopping) => break,
            Some(text) = settled.recv() => say(&mut sink, text).await,
            _ = heartbeat.tick() => {
                if held.is_none() && last.elapsed() > bounds.silence {
                    Err("PMC is silent".to_owned())
                } else {
                    say(&mut sink, pmc::heartbeat(now())).await
                }
            }
            room = lanes[lane].reserve(), if held.is_some() => match (room, held.take()) {
                (Ok(room), Some((_, frame))) => {
                    room.send(frame);
                    last = Instant::now();
                    Ok(())
                }
                _ => Err("a lane ended".to_owned()),
            },
            message = frames.next(), if held.is_none() => {
                last = Instant::now();
                match message {
                    Some(Ok(Message::Text(text))) => {
                        heard = true;
                        held = Frame::read(text.as_str()).map(|frame| (frame.lane(LANES), frame));
                        Ok(())
                    }
                    Some(Ok(Message::Close(_))) | None => Err("PMC closed the connection".to_owned()),
                    // The library answers pings.
                    Some(Ok(_)) => Ok(()),
                    Some(Err(error)) => Err(format!("the connection to PMC broke: {}", said(&error))),
                }
            }
        };
        done.map_err(|why| Lost { why, heard })?;
    }
    // Each lane ends after its post under way. The acknowledgements that it settled are still sent.
    while let Some(text) = settled.recv().await {
        if say(&mut sink, text).await.is_err() {
            break;
        }
    }
    let _ = timeout(PATIENCE, sink.close()).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> anyhow::Result<Place> {
        Place::new(&url.parse()?, "c".into(), "the-secret".into())
    }

    #[test]
    fn addresses() {
        for good in ["wss://message-api.pinduoduo.com", "wss://proxy.example:8443/pmc/", "ws://127.0.0.1:9", "ws://[::1]:9"]
        {
            assert!(place(good).is_ok(), "{good}");
        }
        for bad in
            ["https://message-api.pinduoduo.com", "/message", "ws://message-api.pinduoduo.com", "ws://127.0.0.1.example"]
        {
            assert!(place(bad).is_err(), "{bad}");
        }
        assert!(Place::new(&"wss://a".parse().unwrap(), "a/b".into(), String::new()).is_err());
    }

    #[test]
    fn a_platform_that_is_not_there_is_told_without_the_address() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move { while listener.accept().await.is_ok() {} });
            for scheme in ["ws", "wss"] {
                let why = place(&format!("{scheme}://{address}")).unwrap().connect().await.err().unwrap();
                assert!(why.starts_with("PMC is not there: ") && !why.contains("/message/"), "{why}");
            }
        });
    }
}
