//! WebSockets of the brand's own clients, below the account at `/ws`. A gateway holds them and posts the events of each as
//! `application/websocket-events`. The sealed session comes back with every request in `Meta-Session`.
//!
//! | the client sends | and gets |
//! |---|---|
//! | `{"type": "message", …}`, the message as it would be posted | `{"type": "received", "id"}`, or `{"type": "refused", "id"?, "problem"}` |
//! | `{"type": "sync", "after"?}` | the replies after that cursor, then `{"type": "synced", "cursor", "more"}` |
//! | | `{"type": "reply", "message"}` for each reply, whenever it is written |
//!
//! A client syncs after its socket has opened. By then its subscription exists, so no reply is lost between two
//! connections. A reply that arrives both by sync and by itself has the same cursor both times.

use crate::door::Door;
use crate::gateway::{self, Gateway};
use crate::host::{Host, refuse, respond};
use crate::stream::{self, Cursor};
use crate::{ingest, internal, strangers};
use serde::Deserialize;
use serde_json::{Value, json};
use warmline_channels::grip::{self, Control, Event, close, events};
use warmline_channels::{ClientAdapter, Verified};
use warmline_endpoint::{Problem, Request, Response};
use warmline_kernel::Ctx;
use warmline_kernel::sealing::{self, Socket};
use warmline_model::Sender;

/// The time for which a session is valid before the client's own token is checked again.
const SESSION_MS: i64 = 3_600_000;
/// Replies read at a time.
const PAGE: i64 = 50;
/// An answer ends when it exceeds this many bytes; the rest is left to the next sync.
const ANSWER: usize = 64 * 1024;

/// Whether a request carries the events of a WebSocket.
pub(crate) fn is_socket(request: &Request) -> bool {
    request.header("content-type").is_some_and(|kind| kind.split(';').next() == Some(grip::MEDIA_TYPE))
}

/// Answers the events of a WebSocket.
pub(crate) async fn serve<H: Host, A: ClientAdapter>(
    adapter: &A,
    door: &Door<'_, H, A::Account>,
    request: &Request,
    out: H::Out,
) {
    let host = door.host;
    match Frames::open(adapter, door, request) {
        Ok(mut frames) => {
            frames.answer(&request.body);
            let wake = std::mem::take(&mut frames.wake);
            respond(host, out, frames.response()).await;
            internal::wake(host, wake).await;
        }
        Err(problem) => respond(host, out, refuse(host, problem)).await,
    }
}

#[derive(Deserialize)]
struct Frame {
    r#type: String,
    #[serde(default)]
    after: Option<String>,
}

/// The frames of one request, while they are answered.
struct Frames<'a, H: Host, A: ClientAdapter> {
    adapter: &'a A,
    door: &'a Door<'a, H, A::Account>,
    ctx: Ctx<'a>,
    /// The sender at the other end; `None` if the proof of it is no longer valid.
    sender: Option<Sender>,
    /// The session, if it is new.
    session: Option<String>,
    answers: Vec<Event>,
    /// The number of bytes in the answers.
    length: usize,
    wake: Vec<i64>,
}

impl<'a, H: Host, A: ClientAdapter> Frames<'a, H, A> {
    /// Checks that the request comes from the gateway, and finds its sender.
    fn open(adapter: &'a A, door: &'a Door<'a, H, A::Account>, request: &Request) -> Result<Self, Problem> {
        let ctx = door.ctx();
        let gateway = Gateway::configured(door.host).ok_or_else(|| {
            Problem::new(501, "no_gateway", "no gateway for WebSockets is set up; use /events or /messages")
        })?;
        gateway.check(request, ctx.now()).map_err(|e| door.refusal(e))?;
        let connection = request.header("connection-id").unwrap_or_default();
        let socket = Socket { channel: &door.channel, account: &door.id, connection };
        let opening = request.body.starts_with(b"OPEN\r\n");
        let kept = request.header("meta-session").filter(|_| !opening).and_then(|kept| hex::decode(kept).ok());
        let kept = kept.and_then(|kept| sealing::open_session(&ctx, socket, &kept));
        let (sender, session) = match kept {
            Some(sender) => (Some(sender), None),
            None => match adapter.identify(&door.account, &door.webhook(request), ctx.now()) {
                Ok(sender) => {
                    let until = ctx.now().plus_millis(SESSION_MS);
                    let session = hex::encode(sealing::seal_session(&ctx, socket, &sender, until)?);
                    (Some(sender), Some(session))
                }
                Err(e) if opening => return Err(door.refusal(e)),
                Err(_) => (None, None),
            },
        };
        Ok(Self { adapter, door, ctx, sender, session, answers: Vec::new(), length: 0, wake: Vec::new() })
    }

    fn response(self) -> Response {
        let response = Response {
            status: 200,
            headers: Vec::new(),
            content_type: grip::MEDIA_TYPE,
            body: events::write(&self.answers),
        };
        let response = response.with("sec-websocket-extensions", grip::EXTENSION);
        match self.session {
            Some(session) => response.with("set-meta-session", session),
            None => response,
        }
    }

    fn answer(&mut self, body: &[u8]) {
        let Ok(events) = events::read(body) else { return self.end(close::FAILED, "events") };
        for event in events {
            match (event, self.sender.clone()) {
                (Event::Ping(content), _) => self.answers.push(Event::Pong(content)),
                (Event::Pong(_), _) => {}
                (end @ (Event::Close(_) | Event::Disconnect), _) => self.answers.push(end),
                (_, None) => return self.end(close::UNAUTHORISED, "the session has ended"),
                (Event::Open, Some(sender)) => {
                    let channel = gateway::subscription(&self.ctx, &self.door.channel, &self.door.id, &sender.open_id);
                    self.answers.extend([Event::Open, Control::Subscribe { channel }.event()]);
                }
                (Event::Binary(_), _) => return self.end(close::UNSUPPORTED, "text frames only"),
                (Event::Text(text), Some(sender)) => self.frame(&sender, &text),
            }
        }
    }

    fn end(&mut self, code: u16, reason: &str) {
        self.answers.push(Event::Close(Some((code, reason.to_owned()))));
    }

    fn say(&mut self, text: &str) {
        let text = format!("{}{text}", grip::TO_CLIENT);
        self.length += text.len();
        self.answers.push(Event::Text(text.into_bytes()));
    }

    fn frame(&mut self, sender: &Sender, text: &[u8]) {
        let answered = match serde_json::from_slice::<Frame>(text) {
            Ok(frame) if frame.r#type == "message" => match self.message(sender, text) {
                Ok(id) => Ok(json!({ "type": "received", "id": id })),
                Err((id, problem)) => Err((id, problem)),
            },
            Ok(frame) if frame.r#type == "sync" => {
                self.sync(sender, frame.after.as_deref()).map_err(|problem| (None, problem))
            }
            _ => Err((
                None,
                Problem::new(400, "bad_frame", "a frame is {\"type\": \"message\", …} or {\"type\": \"sync\", …}"),
            )),
        };
        let answer = answered.unwrap_or_else(|(id, problem)| {
            let told = json!({ "type": "refused", "id": id, "problem": problem });
            // The problem's internal reason goes to the log.
            let _ = refuse(self.door.host, problem);
            told
        });
        self.say(&answer.to_string());
    }

    /// Takes a message in. Returns the client's own id of the message.
    fn message(&mut self, sender: &Sender, text: &[u8]) -> Result<Option<String>, (Option<String>, Problem)> {
        let Door { account, channel, id, .. } = self.door;
        let verified =
            self.adapter.verify_frame(account, sender, text, self.ctx.now()).map_err(|e| (None, self.door.refusal(e)))?;
        let name = name(&verified);
        if self.adapter.anonymous()
            && let Some(full) = strangers::write(&self.ctx, channel, id, &self.door.routing, &sender.open_id)
                .map_err(|e| (name.clone(), e.into()))?
        {
            return Err((name, self.door.too_many(full)));
        }
        let parsed = self.adapter.receive(account, &verified).map_err(|e| (name.clone(), self.door.refusal(e)))?;
        let rows = ingest::ingest(&self.ctx, channel, id, parsed, None, &[]).map_err(|e| (name.clone(), e.into()))?;
        self.wake.extend(rows.iter().filter_map(|row| row.wake));
        Ok(name)
    }

    /// Sends the replies after a cursor.
    fn sync(&mut self, sender: &Sender, after: Option<&str>) -> Result<Value, Problem> {
        let mut cursor = after.map(str::parse::<Cursor>).transpose()?;
        loop {
            let replies = stream::replies(&self.ctx, &self.door.channel, &self.door.id, &sender.open_id, cursor, PAGE)?;
            for reply in replies.items {
                if self.length > ANSWER {
                    return Ok(json!({ "type": "synced", "cursor": cursor.map(|c| c.to_string()), "more": true }));
                }
                let text = gateway::frame(&reply).map_err(|_| Problem::internal())?;
                self.say(&text);
                cursor = Some(reply.cursor);
            }
            cursor = replies.next;
            if !replies.more {
                return Ok(json!({ "type": "synced", "cursor": cursor.map(|c| c.to_string()), "more": false }));
            }
        }
    }
}

/// The client's own id of a message.
fn name(verified: &Verified) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    serde_json::from_slice::<Named>(verified.body()).ok().map(|named| named.id)
}
