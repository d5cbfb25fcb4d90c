#![no_main]
//! The WebSockets of our own clients, as the gateway passes on their events: the reader of events, and the verifiers and
//! parser of the messages in text frames. The first byte chooses the meaning of the rest: a body of events, or a message
//! that the app signs, whatever it contains.

use serde_json::{Value, json};
use std::sync::LazyLock;
use warmline_channels::app::{self, AppAdapter};
use warmline_channels::grip::{Event, events};
use warmline_channels::webchat::{self, WebchatAdapter};
use warmline_channels::{Adapter, ClientAdapter, Secrets, registry};
use warmline_fuzz::libfuzzer_sys::fuzz_target;
use warmline_model::{Inbound, Sender, Timestamp};
use warmline_simulate::channels::protocols::memory::{limit, peak};
use warmline_simulate::channels::protocols::{self, NOW};

const EVENTS: u8 = 0;
const SIGNED: u8 = 1;

const SECRET: &str = "body-secret-of-the-shop";
/// The only message that a fuzzer has ever seen signed. It may pass.
const TRUE: &str = r#"{"id":"c1","text":"hi"}"#;

struct Clients {
    app: app::Account,
    webchat: webchat::Account,
    sender: Sender,
    said: Inbound,
}

static CLIENTS: LazyLock<Clients> = LazyLock::new(|| {
    let secrets = [("jwt_secret", "jwt-secret-of-the-shop"), ("body_secret", SECRET)];
    let secrets: Secrets = secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let app = AppAdapter.account(&Value::Null.into(), &secrets).expect("an account");
    let mut derived = Secrets::new();
    registry::derive_secrets(&mut derived, &[7; 32], "webchat", "page");
    let webchat = WebchatAdapter.account(&Value::Null.into(), &derived).expect("an account");
    let sender = Sender { open_id: "member-7".into(), ..Sender::default() };
    let said = taken(&AppAdapter, &app, &sender, signed(TRUE).as_bytes()).expect("a true message");
    Clients { app, webchat, sender, said }
});

/// A frame of the app.
fn signed(body: &str) -> String {
    let signature = app::sign::body(SECRET, NOW, body.as_bytes());
    json!({ "type": "message", "timestamp": NOW.to_string(), "signature": signature, "body": body }).to_string()
}

/// The message of a frame, if it is one.
fn taken<A: ClientAdapter>(adapter: &A, account: &A::Account, sender: &Sender, frame: &[u8]) -> Option<Inbound> {
    let (taken, height) = peak(|| {
        let verified = adapter.verify_frame(account, sender, frame, Timestamp::from_secs(NOW)).ok()?;
        adapter.parse(account, &verified).ok()?.messages.pop()
    });
    assert!(height <= limit(frame.len()), "{height} bytes for a frame of {}", frame.len());
    taken
}

fn seeds() -> Vec<Vec<u8>> {
    let said: Vec<Vec<u8>> = ["app", "webchat"].into_iter().flat_map(protocols::of).flat_map(|protocol| (protocol.payloads)(NOW, 1)).collect();
    let opened = [Event::Open, Event::Text(signed(TRUE).into_bytes()), Event::Ping(b"1".to_vec())];
    let ended = [
        Event::Binary(vec![0, 255]),
        Event::Pong(Vec::new()),
        Event::Text(br#"{"type":"sync","after":"1"}"#.to_vec()),
        Event::Close(None),
        Event::Close(Some((1000, "done".into()))),
        Event::Disconnect,
    ];
    let all: Vec<Event> = said.iter().cloned().map(Event::Text).collect();
    let bodies = [&opened[..], &ended, &all].into_iter().map(|list| [&[EVENTS], &events::write(list)[..]].concat());
    bodies.chain(said.iter().map(|payload| [&[SIGNED], &payload[..]].concat())).collect()
}

fuzz_target!(init: warmline_fuzz::seed(seeds()), |data: &[u8]| {
    let [kind, data @ ..] = data else { return };
    let Clients { app, webchat, sender, said } = &*CLIENTS;
    if kind % 2 == SIGNED {
        if let Ok(body) = std::str::from_utf8(data) {
            taken(&AppAdapter, app, sender, signed(body).as_bytes());
        }
        return;
    }
    let (read, height) = peak(|| events::read(data));
    assert!(height <= limit(data.len()), "{height} bytes for events of {}", data.len());
    let Ok(list) = read else { return };
    assert_eq!(events::read(&events::write(&list)).as_ref(), Ok(&list));
    for event in &list {
        let Event::Text(frame) = event else { continue };
        taken(&WebchatAdapter, webchat, sender, frame);
        if let Some(other) = taken(&AppAdapter, app, sender, frame) {
            assert_eq!(&other, said, "an unsigned message is taken");
        }
    }
});
