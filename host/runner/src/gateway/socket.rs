//! One connection. The client's frames are posted to the component at the address that the client asked for. At most one
//! request of a connection is under way, and frames that come meanwhile go with the next.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as SocketError, Utf8Bytes};
use warmline_channels::grip::{self, Control, Event, close, events};
use warmline_process::stopped;
use wasmtime_wasi_http::WasiBody;

use super::{Gateway, Line, QUEUE, now};
use crate::app::App;
use crate::bounds::Stream;
use crate::handle::handle;
use crate::problem::{empty, full, problem};

/// The longest frame accepted from a client.
const FRAME: usize = 256 * 1024;
/// The bytes read from a connection at once, and gathered before they are written.
const BUFFER: usize = 4 * 1024;
/// Frames of a client that wait for their request. While there are this many, nothing more is read.
const PENDING: usize = 64;
/// The longest answer of a component.
const ANSWER: usize = 1 << 20;
/// The pause after which a silent client is pinged.
const PING: Duration = Duration::from_secs(30);
/// The silence after which the client counts as gone.
const SILENCE: Duration = Duration::from_secs(75);
/// The longest time for a frame to leave.
const SEND: Duration = Duration::from_secs(10);

/// The time that the client has to answer a close frame.
const LINGER: Duration = Duration::from_secs(1);

/// Whether a request asks for a WebSocket.
pub fn wanted<B>(request: &Request<B>) -> bool {
    let says = |name, what: &str| {
        let values = request.headers().get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(what))
    };
    says(header::UPGRADE, "websocket") && says(header::CONNECTION, "upgrade")
}

/// Answers the handshake: asks the component, and holds the connection if it agrees. Any other answer goes to the client.
pub async fn open<B>(
    app: &Arc<App>,
    gateway: &Arc<Gateway>,
    mut request: Request<B>,
    peer: SocketAddr,
) -> Response<WasiBody> {
    let headers = request.headers();
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    let accept = headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let (Some(accept), true, &Method::GET) = (accept, version, request.method()) else {
        return problem(StatusCode::BAD_REQUEST, "bad_handshake", "a WebSocket is asked for with GET, a key and version 13");
    };
    if gateway.held.load(Ordering::Relaxed) >= app.services.limits.sockets {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "too_many_sockets", "too many WebSockets at once; try again");
    }
    let counted = match app.streams.socket(app.streams.who(&request, peer)) {
        Ok(counted) => counted,
        Err(refused) => return *refused,
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let socket = Socket::new(app, gateway, &request, peer, counted);
    let answer = match socket.exchange(vec![Event::Open]).await {
        Ok(answer) => answer,
        Err(Some(refusal)) => return *refusal,
        Err(None) => return empty(StatusCode::BAD_GATEWAY),
    };
    if answer.events.first() != Some(&Event::Open) {
        return problem(StatusCode::BAD_GATEWAY, "not_opened", "the component did not open the WebSocket");
    }
    let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::try_from(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(protocol) = answer.headers.get(header::SEC_WEBSOCKET_PROTOCOL) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol.clone());
    }
    tokio::spawn(socket.hold(upgrade, answer));
    response
}

struct Answer {
    headers: HeaderMap,
    events: Vec<Event>,
}

/// The answer, or the reason why there is none: the component's own refusal, for the client.
type Exchanged = Result<Answer, Option<Box<Response<WasiBody>>>>;

/// The parts of a connection's requests.
#[derive(Clone)]
struct Address {
    app: Arc<App>,
    gateway: Arc<Gateway>,
    peer: SocketAddr,
    uri: Uri,
    /// The client's headers, without those that only the gateway sets.
    headers: HeaderMap,
    id: String,
}

impl Address {
    async fn exchange(self, events: Vec<Event>, meta: HashMap<HeaderName, HeaderValue>) -> Exchanged {
        let mut request = Request::new(full(events::write(&events)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri;
        let headers = request.headers_mut();
        *headers = self.headers;
        headers.extend(meta.into_iter().map(|(name, value)| (Some(name), value)));
        let events_type = HeaderValue::from_static(grip::MEDIA_TYPE);
        headers.insert(header::CONTENT_TYPE, events_type.clone());
        headers.insert(header::ACCEPT, events_type.clone());
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static("grip"));
        for (name, value) in [("grip-sig", self.gateway.key.sign("warmline", now())), ("connection-id", self.id)] {
            headers.extend(HeaderValue::try_from(value).ok().map(|value| (HeaderName::from_static(name), value)));
        }
        let response = handle(&self.app, request, self.peer).await;
        let ours = response.headers().get(header::CONTENT_TYPE) == Some(&events_type);
        if response.status() != StatusCode::OK || !ours {
            return Err(Some(Box::new(response)));
        }
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER).collect().await.map_err(|_| None)?.to_bytes();
        Ok(Answer { headers: head.headers, events: events::read(&body).map_err(|_| None)? })
    }
}

/// Counts a connection while it exists.
struct Held(Arc<Gateway>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection.
struct Socket {
    address: Address,
    /// Headers that the component set, to be sent with every request.
    meta: HashMap<HeaderName, HeaderValue>,
    line: Arc<Line>,
    frames: mpsc::Receiver<Utf8Bytes>,
    rooms: BTreeSet<String>,
    /// Whether the component wants no more events.
    detached: bool,
    _held: Held,
    _counted: Stream,
}

type Wire = WebSocketStream<TokioIo<Upgraded>>;

/// Reads on after a close frame until the client ends. A connection that is closed with unread bytes is reset. A reset
/// takes from the client what it had not read yet: the close frame with the reason.
async fn farewell(mut stream: Wire) {
    // Reads up to the client's own close frame, or to an error, such as in the middle of a frame that is too large.
    while let Some(Ok(_)) = stream.next().await {}
    let socket = stream.get_mut();
    if socket.shutdown().await.is_ok() {
        let _ = tokio::io::copy(socket, &mut tokio::io::sink()).await;
    }
}

/// The end of a connection, as a close code.
struct End(Option<(u16, &'static str)>);

impl Socket {
    fn new<B>(app: &Arc<App>, gateway: &Arc<Gateway>, request: &Request<B>, peer: SocketAddr, counted: Stream) -> Self {
        gateway.held.fetch_add(1, Ordering::Relaxed);
        let number = gateway.next.fetch_add(1, Ordering::Relaxed);
        let (sender, frames) = mpsc::channel(QUEUE);
        let mut headers = request.headers().clone();
        for name in [header::CONNECTION, header::UPGRADE, header::SEC_WEBSOCKET_KEY, header::SEC_WEBSOCKET_VERSION] {
            headers.remove(name);
        }
        let forged: Vec<HeaderName> = headers.keys().filter(|name| is_ours(name)).cloned().collect();
        for name in forged {
            headers.remove(name);
        }
        let path = request.uri().path_and_query().cloned();
        let address = Address {
            app: Arc::clone(app),
            gateway: Arc::clone(gateway),
            peer,
            uri: path.map_or_else(Uri::default, Uri::from),
            headers,
            id: format!("{:x}-{number}", std::process::id()),
        };
        Self {
            address,
            meta: HashMap::new(),
            line: Arc::new(Line { number, frames: sender, slow: Notify::new() }),
            frames,
            rooms: BTreeSet::new(),
            detached: false,
            _held: Held(Arc::clone(gateway)),
            _counted: counted,
        }
    }

    fn exchange(&self, events: Vec<Event>) -> Pin<Box<dyn Future<Output = Exchanged> + Send>> {
        Box::pin(self.address.clone().exchange(events, self.meta.clone()))
    }

    async fn hold(mut self, upgrade: OnUpgrade, opened: Answer) {
        let Ok(upgraded) = upgrade.await else { return };
        // Thousands of connections are silent most of the time. The library's own buffers would take 256 KiB for each.
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .max_message_size(Some(FRAME))
            .max_frame_size(Some(FRAME));
        let mut stream = Wire::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        let End(told) = self.run(&mut stream, opened).await;
        for room in &self.rooms {
            self.address.gateway.unsubscribe(room, &self.line);
        }
        if let Some((code, reason)) = told {
            let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::from_static(reason) };
            let _ = tokio::time::timeout(SEND, stream.send(Message::Close(Some(frame)))).await;
            // A client that does not answer it is not waited for.
            let _ = tokio::time::timeout(LINGER, farewell(stream)).await;
        }
    }

    /// Passes frames on until the end.
    async fn run(&mut self, stream: &mut Wire, opened: Answer) -> End {
        if let Err(end) = self.apply(stream, opened).await {
            return end;
        }
        let stop = stopped(self.address.app.stopping.clone());
        let mut stop = std::pin::pin!(stop);
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut pending, mut ended, mut heard) = (Vec::new(), false, Instant::now());
        let mut on_its_way: Option<Pin<Box<dyn Future<Output = Exchanged> + Send>>> = None;
        loop {
            if on_its_way.is_none() && !pending.is_empty() {
                on_its_way = Some(self.exchange(std::mem::take(&mut pending)));
            }
            if ended && on_its_way.is_none() {
                return End(None);
            }
            let step = tokio::select! {
                message = stream.next(), if !ended && pending.len() < PENDING => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => self.forward(&mut pending, Event::Text(Bytes::from(text).to_vec())),
                        Some(Ok(Message::Binary(bytes))) => self.forward(&mut pending, Event::Binary(bytes.to_vec())),
                        Some(Ok(Message::Close(frame))) => {
                            ended = true;
                            let told = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                            self.forward(&mut pending, Event::Close(told));
                        }
                        // The protocol's own code answers pings.
                        Some(Ok(_)) => {}
                        Some(Err(SocketError::Capacity(_))) => return End(Some((close::TOO_LARGE, "the frame is too large"))),
                        Some(Err(_)) | None => {
                            ended = true;
                            self.forward(&mut pending, Event::Disconnect);
                        }
                    }
                    Ok(())
                }
                Some(text) = self.frames.recv() => send(stream, Message::Text(text)).await,
                answer = async { on_its_way.as_mut().expect("checked by the branch's condition").await }, if on_its_way.is_some() => {
                    on_its_way = None;
                    match answer {
                        Ok(_) if ended => Ok(()),
                        Ok(answer) => self.apply(stream, answer).await,
                        Err(_) => Err(End(Some((close::FAILED, "try again")))),
                    }
                }
                () = self.line.slow.notified() => Err(End(Some((close::POLICY, "too slow")))),
                _ = pings.tick() => {
                    if heard.elapsed() > SILENCE { Err(End(None)) } else { send(stream, Message::Ping(Bytes::new())).await }
                }
                () = &mut stop => Err(End(Some((close::RESTART, "restarting")))),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn forward(&self, pending: &mut Vec<Event>, event: Event) {
        if !self.detached {
            pending.push(event);
        }
    }

    /// Carries out an answer.
    async fn apply(&mut self, stream: &mut Wire, answer: Answer) -> Result<(), End> {
        for (name, value) in &answer.headers {
            if let Some(meta) = name.as_str().strip_prefix("set-") {
                self.set_meta(meta, Some(value.clone()));
            }
        }
        for event in answer.events {
            match event {
                Event::Text(text) => match text.strip_prefix(grip::TO_CLIENT.as_bytes()) {
                    Some(text) => {
                        let text = std::str::from_utf8(text).map_err(|_| End(Some((close::FAILED, "try again"))))?;
                        send(stream, Message::text(text)).await?;
                    }
                    None => self.control(text.strip_prefix(grip::TO_GATEWAY.as_bytes()).unwrap_or_default()),
                },
                Event::Binary(bytes) => {
                    if let Some(bytes) = bytes.strip_prefix(grip::TO_CLIENT.as_bytes()) {
                        send(stream, Message::binary(bytes.to_vec())).await?;
                    }
                }
                Event::Ping(content) => send(stream, Message::Ping(content.into())).await?,
                Event::Close(told) => {
                    let (code, reason) = told.unwrap_or((close::NORMAL, String::new()));
                    let frame = CloseFrame { code: code.into(), reason: reason.into() };
                    let _ = send(stream, Message::Close(Some(frame))).await;
                    let _ = tokio::time::timeout(Duration::from_secs(1), async {
                        while let Some(Ok(_)) = stream.next().await {}
                    })
                    .await;
                    return Err(End(None));
                }
                Event::Disconnect => return Err(End(None)),
                Event::Open | Event::Pong(_) => {}
            }
        }
        Ok(())
    }

    fn control(&mut self, text: &[u8]) {
        match serde_json::from_slice(text) {
            Ok(Control::Subscribe { channel }) => {
                self.address.gateway.subscribe(&channel, &self.line);
                self.rooms.insert(channel);
            }
            Ok(Control::Unsubscribe { channel }) => {
                self.address.gateway.unsubscribe(&channel, &self.line);
                self.rooms.remove(&channel);
            }
            Ok(Control::Detach) => self.detached = true,
            Ok(Control::SetMeta { name, value }) => {
                let value = value.and_then(|value| HeaderValue::try_from(value).ok());
                self.set_meta(&format!("meta-{}", name.to_ascii_lowercase()), value);
            }
            Ok(Control::Unknown) | Err(_) => tracing::debug!("a control message that is not understood"),
        }
    }

    fn set_meta(&mut self, name: &str, value: Option<HeaderValue>) {
        let Ok(name) = HeaderName::try_from(name) else { return };
        if !name.as_str().starts_with("meta-") {
            return;
        }
        match value.filter(|value| !value.is_empty()) {
            Some(value) => self.meta.insert(name, value),
            None => self.meta.remove(&name),
        };
    }
}

/// Whether a header is one by which components know the gateway. A client must not set it.
fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("meta-")
        || name.starts_with("grip-")
        || name.starts_with("sec-websocket-ext")
        || name == "connection-id"
}

async fn send(stream: &mut Wire, message: Message) -> Result<(), End> {
    match tokio::time::timeout(SEND, stream.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(End(None)),
    }
}
