//! A reader of server-sent events.

use super::PATIENCE;
use super::http::{block_on, open};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use std::time::{Duration, Instant};

/// An event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// Its id, for `Last-Event-ID`.
    pub id: String,
    /// Its kind; empty if it names none.
    pub kind: String,
    /// Its data.
    pub data: Value,
}

/// An open stream.
pub struct Stream {
    /// The answer's status.
    pub status: u16,
    /// The answer's headers.
    pub headers: http::HeaderMap,
    body: Incoming,
    /// Bytes, since a character may come in two pieces.
    buffer: Vec<u8>,
}

impl Stream {
    /// Opens a stream.
    pub fn open(url: &str, headers: &[(&str, String)]) -> Self {
        let (head, body) = open(url, headers).into_parts();
        Self { status: head.status.as_u16(), headers: head.headers, body, buffer: Vec::new() }
    }

    /// The next event; `None` if the stream ends or none comes in time. Comments are skipped.
    pub fn next_within(&mut self, patience: Duration) -> Option<Received> {
        let end = Instant::now() + patience;
        loop {
            while let Some(length) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..length + 2).collect();
                let block = std::str::from_utf8(&block).unwrap();
                let field = |name: &str| {
                    let found = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    found.map(str::to_owned)
                };
                let (id, kind, data) = (field("id"), field("event"), field("data"));
                if let Some(data) = data {
                    let data = serde_json::from_str(&data).unwrap();
                    return Some(Received { id: id.unwrap_or_default(), kind: kind.unwrap_or_default(), data });
                }
            }
            let left = end.checked_duration_since(Instant::now())?;
            let frame = block_on(async { tokio::time::timeout(left, self.body.frame()).await }).ok()??.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }

    /// The next event.
    #[track_caller]
    pub fn next(&mut self) -> Received {
        match self.next_within(PATIENCE) {
            Some(event) => event,
            None => panic!("the stream ended or had no event in {PATIENCE:?}"),
        }
    }
}
