//! Server-sent events, in the format of the HTML standard, and the streams that carry them.

use crate::problem::Problem;
use crate::route::{Piece, Pieces};
use warmline_kernel::Ctx;
use warmline_model::Timestamp;

/// The headers of a stream.
pub const HEADERS: [(&str, &str); 2] = [("content-type", "text/event-stream"), ("x-accel-buffering", "no")];

/// An event. `data` is one line.
pub fn event(id: Option<&str>, data: &str) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}data: {data}\n\n")
}

/// An event with a type of its own, without an id.
pub fn event_of(kind: &str, data: &str) -> String {
    format!("event: {kind}\n{}", event(None, data))
}

/// A comment. It keeps the connection open, and a failed write reveals that the client is gone.
pub fn comment(text: &str) -> String {
    format!(": {text}\n\n")
}

/// The milliseconds after which a stream ends and the client has to connect again: less than the platforms' limit of 30
/// s for a request.
const STREAM_MS: i64 = 25_000;
/// The longest silence of a stream, in milliseconds.
pub const ALIVE_MS: i64 = 10_000;

/// The source of a stream's events.
pub trait Source {
    /// The pause between two looks for new events, in milliseconds.
    const LOOK_MS: u64;

    /// Reads the new events. `None` ends the stream. A source whose store is busy for a moment returns no events and is
    /// read again later.
    fn read(&mut self, ctx: &Ctx<'_>) -> Option<New>;
}

/// New events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct New {
    /// The events as they are sent; empty if there are none.
    pub text: String,
    /// Whether more can be read at once.
    pub more: bool,
}

/// A stream of new events. It says that it is connected, sends each event as it comes, and shows signs of life in
/// between.
pub struct Follow<S> {
    source: S,
    until: Timestamp,
    /// The time of the last output; `None` before the first.
    sent_at: Option<Timestamp>,
    /// Whether all events so far have been sent.
    idle: bool,
}

impl<S: Source> Follow<S> {
    /// A stream that begins now.
    pub fn new(source: S, now: Timestamp) -> Self {
        Self { source, until: now.plus_millis(STREAM_MS), sent_at: None, idle: false }
    }
}

impl<S: Source> Pieces for Follow<S> {
    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        HEADERS.to_vec()
    }

    fn next(&mut self, ctx: &Ctx<'_>) -> Result<Piece, Problem> {
        let now = ctx.now();
        if now >= self.until {
            return Ok(Piece::End);
        }
        let Some(sent_at) = self.sent_at else {
            self.sent_at = Some(now);
            return Ok(Piece::Bytes(comment("connected").into_bytes()));
        };
        if std::mem::take(&mut self.idle) {
            return Ok(Piece::Wait(S::LOOK_MS));
        }
        let Some(New { mut text, more }) = self.source.read(ctx) else { return Ok(Piece::End) };
        if text.is_empty() {
            if now.since(sent_at) <= ALIVE_MS {
                return Ok(Piece::Wait(S::LOOK_MS));
            }
            text = comment("alive");
        }
        self.idle = !more;
        self.sent_at = Some(now);
        Ok(Piece::Bytes(text.into_bytes()))
    }
}
