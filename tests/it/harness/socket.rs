//! A client of a WebSocket, like a browser's or the app's.

use super::PATIENCE;
use super::http::block_on;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::{Bytes, Error};

/// An open socket.
pub struct Socket(WebSocketStream<TcpStream>);

/// A message from a socket.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A text frame. Here it is JSON.
    Json(Value),
    /// The answer to a ping.
    Pong(Bytes),
    /// The end, with its code; `None` if the connection broke.
    Closed(Option<u16>),
}

impl Socket {
    /// Opens a socket. Returns the status if it is refused. The URL begins with `http`.
    pub fn open(url: &str, headers: &[(&'static str, String)]) -> Result<Self, u16> {
        let url = url.replacen("http", "ws", 1);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let address = request.uri().authority().unwrap().to_string();
        block_on(async {
            let stream = TcpStream::connect(address).await.unwrap();
            match tokio::time::timeout(PATIENCE, tokio_tungstenite::client_async(request, stream)).await.unwrap() {
                Ok((socket, _)) => Ok(Self(socket)),
                Err(Error::Http(response)) => Err(response.status().as_u16()),
                Err(e) => panic!("{e}"),
            }
        })
    }

    /// Sends any message.
    pub fn send(&mut self, message: Message) {
        block_on(self.0.send(message)).unwrap();
    }

    /// Sends JSON.
    pub fn say(&mut self, value: &Value) {
        self.send(Message::text(value.to_string()));
    }

    /// The next message; `None` if nothing comes in time.
    pub fn next_within(&mut self, patience: Duration) -> Option<Said> {
        let end = tokio::time::Instant::now() + patience;
        loop {
            let message = block_on(async { tokio::time::timeout_at(end, self.0.next()).await }).ok()?;
            return Some(match message {
                Some(Ok(Message::Text(text))) => Said::Json(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Pong(content))) => Said::Pong(content),
                Some(Ok(Message::Close(frame))) => Said::Closed(frame.map(|frame| frame.code.into())),
                None | Some(Err(_)) => Said::Closed(None),
                Some(Ok(_)) => continue,
            });
        }
    }

    /// The next frame's JSON.
    #[track_caller]
    pub fn next(&mut self) -> Value {
        match self.next_within(PATIENCE) {
            Some(Said::Json(value)) => value,
            other => panic!("no frame but {other:?}"),
        }
    }

    /// Syncs. Returns the texts of the replies and the cursor after them.
    #[track_caller]
    pub fn sync(&mut self, after: Option<&str>) -> (Vec<String>, Value) {
        self.say(&json!({ "type": "sync", "after": after }));
        let mut texts = Vec::new();
        loop {
            let frame = self.next();
            match frame["type"].as_str() {
                Some("reply") => texts.push(frame["message"]["content"]["text"].as_str().unwrap().to_owned()),
                Some("synced") => return (texts, frame["cursor"].clone()),
                _ => panic!("{frame}"),
            }
        }
    }
}
