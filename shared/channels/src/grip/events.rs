//! Events in the body of a request or an answer, one after the other:
//! `TYPE[ SP length in hexadecimal] CR LF [content CR LF]`.

/// An event on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The client wants a connection. In an answer, it may have one.
    Open,
    /// A text frame. The reader has to check that it is UTF-8.
    Text(Vec<u8>),
    /// A binary frame.
    Binary(Vec<u8>),
    /// A ping, which is answered with the same content.
    Ping(Vec<u8>),
    /// The answer to a ping.
    Pong(Vec<u8>),
    /// The end in order, with its code and reason if they were given.
    Close(Option<(u16, String)>),
    /// The connection broke.
    Disconnect,
}

/// A body that is not a list of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a list of WebSocket events")]
pub struct Malformed;

/// The most events read from one body.
const MOST: usize = 1_024;

/// Reads a body. Unknown kinds are skipped.
///
/// # Errors
/// The body breaks off, or is not in this form.
pub fn read(body: &[u8]) -> Result<Vec<Event>, Malformed> {
    let mut events = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        if events.len() == MOST {
            return Err(Malformed);
        }
        let head = line(&mut rest)?;
        let (kind, content) = match head.split_once(' ') {
            Some((kind, length)) => (kind, content(&mut rest, length)?),
            None => (head, &[][..]),
        };
        events.extend(event(kind, content)?);
    }
    Ok(events)
}

fn line<'a>(rest: &mut &'a [u8]) -> Result<&'a str, Malformed> {
    let end = rest.windows(2).position(|two| two == b"\r\n").ok_or(Malformed)?;
    let (head, tail) = rest.split_at(end);
    *rest = &tail[2..];
    std::str::from_utf8(head).map_err(|_| Malformed)
}

fn content<'a>(rest: &mut &'a [u8], length: &str) -> Result<&'a [u8], Malformed> {
    // `from_str_radix` also accepts a sign.
    if !length.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Malformed);
    }
    let length = usize::from_str_radix(length, 16).map_err(|_| Malformed)?;
    let (content, tail) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = tail.strip_prefix(b"\r\n").ok_or(Malformed)?;
    Ok(content)
}

fn event(kind: &str, content: &[u8]) -> Result<Option<Event>, Malformed> {
    Ok(Some(match kind {
        "OPEN" => Event::Open,
        "TEXT" => Event::Text(content.to_vec()),
        "BINARY" => Event::Binary(content.to_vec()),
        "PING" => Event::Ping(content.to_vec()),
        "PONG" => Event::Pong(content.to_vec()),
        "CLOSE" => Event::Close(match content.split_first_chunk::<2>() {
            Some((code, reason)) => Some((u16::from_be_bytes(*code), String::from_utf8_lossy(reason).into_owned())),
            None if content.is_empty() => None,
            None => return Err(Malformed),
        }),
        "DISCONNECT" => Event::Disconnect,
        _ => return Ok(None),
    }))
}

/// Writes a body.
pub fn write(events: &[Event]) -> Vec<u8> {
    let mut body = Vec::new();
    for event in events {
        match event {
            Event::Open => body.extend_from_slice(b"OPEN\r\n"),
            Event::Text(content) => put(&mut body, "TEXT", content),
            Event::Binary(content) => put(&mut body, "BINARY", content),
            Event::Ping(content) => put(&mut body, "PING", content),
            Event::Pong(content) => put(&mut body, "PONG", content),
            Event::Close(None) => body.extend_from_slice(b"CLOSE\r\n"),
            Event::Close(Some((code, reason))) => {
                put(&mut body, "CLOSE", &[&code.to_be_bytes(), reason.as_bytes()].concat());
            }
            Event::Disconnect => body.extend_from_slice(b"DISCONNECT\r\n"),
        }
    }
    body
}

fn put(body: &mut Vec<u8>, kind: &str, content: &[u8]) {
    body.extend_from_slice(format!("{kind} {:x}\r\n", content.len()).as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn any_event() -> impl Strategy<Value = Event> {
        let bytes = proptest::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            Just(Event::Open),
            Just(Event::Disconnect),
            Just(Event::Close(None)),
            bytes.clone().prop_map(Event::Text),
            bytes.clone().prop_map(Event::Binary),
            bytes.clone().prop_map(Event::Ping),
            bytes.prop_map(Event::Pong),
            (any::<u16>(), ".{0,20}").prop_map(|close| Event::Close(Some(close))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(events in proptest::collection::vec(any_event(), 0..20)) {
            prop_assert_eq!(read(&write(&events)), Ok(events));
        }

        #[test]
        fn arbitrary_bodies_do_not_panic(body: Vec<u8>, cut in 0usize..200, events in proptest::collection::vec(any_event(), 0..9)) {
            let _ = read(&body);
            let whole = write(&events);
            let _ = read(&whole[..cut.min(whole.len())]);
        }
    }

    #[test]
    fn broken_bodies_are_refused() {
        for body in [
            "OPEN",
            "TEXT 5\r\nab\r\n",
            "TEXT -1\r\n\r\n",
            "TEXT ffffffffffffffffff\r\n\r\n",
            "CLOSE 1\r\nx\r\n",
            "TEXT 2\r\nabc\r\n",
        ] {
            assert_eq!(read(body.as_bytes()), Err(Malformed), "{body:?}");
        }
        assert_eq!(read(b"NEWER 2\r\nab\r\nOPEN\r\n"), Ok(vec![Event::Open]), "a kind of a later version is passed over");
        assert_eq!(read("OPEN\r\n".repeat(MOST + 1).as_bytes()), Err(Malformed));
    }

    /// Exchanges that were recorded between Pushpin and a backend.
    #[test]
    fn recorded_exchanges_are_read() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/_pushpin_websocket_over_http_recorded.json");
        let Ok(text) = std::fs::read_to_string(path) else {
            eprintln!("skipped: the recorded exchanges are not here");
            return;
        };
        let exchanges: Vec<Value> = serde_json::from_str(&text).unwrap();
        let mut seen = 0;
        for exchange in &exchanges {
            for message in [&exchange["inputs"]["http_request"], &exchange["expected"]["http_response"]] {
                let Some((head, body)) = message.as_str().and_then(|m| m.split_once("\r\n\r\n")) else { continue };
                if !head.contains(super::super::MEDIA_TYPE) || head.contains("chunked") {
                    continue;
                }
                // The recording holds bytes as characters.
                let body: Vec<u8> = body.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
                let events = read(&body).unwrap_or_else(|e| panic!("{e}: {body:?}"));
                assert_eq!(write(&events), body);
                seen += 1;
            }
        }
        assert!(seen > 10, "{seen} bodies");
    }
}
