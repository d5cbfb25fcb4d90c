//! One customer's way to the brand: sending a message on each channel, and receiving the answers.

use super::World;
use crate::channel_under_test::{ChannelUnderTest, Route};
use crate::channels::platform_server::PlatformServer;
use crate::channels::{Act, Request};
use crate::rng::Rng;
use anyhow::{Context, Result, ensure};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use warmline_channels::app;

/// The number of times that a message is sent before its sender gives up, like on the platforms.
const TRIES: usize = 3;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// The result of sending a message.
#[derive(Debug, Default)]
pub struct Sending {
    /// The way in which it was accepted; `None` if it never was.
    pub taken: Option<Taken>,
    /// The answers other than "received".
    pub refusals: Vec<String>,
}

/// The way in which a message was accepted.
#[derive(Clone, Copy, Debug)]
pub enum Taken {
    /// It was acknowledged. This is the time of the successful try.
    Acknowledged(Duration),
    /// The platform keeps it until it is asked.
    Kept,
}

/// A customer on a channel.
pub struct CustomerSession {
    entrance: Arc<ChannelUnderTest>,
    customer: u64,
    /// The number of answers seen so far, for platforms.
    seen: usize,
    /// The token of the session with the app or on a page.
    token: Option<String>,
    /// The cursor of the answers there.
    cursor: Option<String>,
}

fn seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(now).unwrap_or(i64::MAX)
}

fn text_of(message: &Value) -> Option<String> {
    message.pointer("/content/text").and_then(Value::as_str).map(str::to_owned)
}

impl CustomerSession {
    /// Makes the customer with this number.
    pub const fn new(entrance: Arc<ChannelUnderTest>, customer: u64) -> Self {
        Self { entrance, customer, seen: 0, token: None, cursor: None }
    }

    /// The channel.
    pub fn entrance(&self) -> &ChannelUnderTest {
        &self.entrance
    }

    /// Sends one message, as often as the platform would, always as the same message.
    pub async fn send(&mut self, world: &World, rng: &mut Rng, text: &str) -> Sending {
        let (number, mut sending) = (world.fresh_number(), Sending::default());
        let webhook = match &self.entrance.way {
            Route::Platform(stand) => {
                let act = Act { customer: self.customer, number, at: seconds(), text, nonce: nonce(rng) };
                let Some(webhook) = stand.act(&act) else {
                    sending.taken = Some(Taken::Kept);
                    return sending;
                };
                Some(webhook)
            }
            Route::App { .. } | Route::WebChat => None,
        };
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let begin = Instant::now();
            let outcome = match (&self.entrance.way, &webhook) {
                (Route::Platform(stand), Some(webhook)) => push(world, &self.entrance, stand, webhook).await,
                _ => self.post(world, number, text).await,
            };
            match outcome {
                Ok(()) => {
                    sending.taken = Some(Taken::Acknowledged(begin.elapsed()));
                    return sending;
                }
                Err(error) => sending.refusals.push(error.to_string()),
            }
        }
        sending
    }

    /// Forgets the present answers: replies of earlier talks are no answer to this one.
    ///
    /// # Errors
    /// The channel does not give the answers.
    pub async fn begin(&mut self, world: &World) -> Result<()> {
        self.news(world).await.map(drop)
    }

    /// The answers that came since the last look.
    ///
    /// # Errors
    /// The channel does not give the answers.
    pub async fn news(&mut self, world: &World) -> Result<Vec<String>> {
        match &self.entrance.way {
            Route::Platform(stand) => {
                let new = replies(stand, self.customer, self.seen);
                self.seen += new.len();
                Ok(new)
            }
            Route::App { .. } => {
                self.sign_in(world).await?;
                self.poll(world, 0).await
            }
            // Before the first message there is no session, and there are no answers.
            Route::WebChat if self.token.is_none() => Ok(Vec::new()),
            Route::WebChat => self.poll(world, 0).await,
        }
    }

    async fn post(&mut self, world: &World, number: u64, text: &str) -> Result<()> {
        self.sign_in(world).await?;
        let (now, body) = (seconds(), json!({ "id": format!("m-{number:x}"), "text": text }).to_string());
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", self.token.as_deref().unwrap_or_default())),
        ];
        if let Route::App { body_secret, .. } = &self.entrance.way {
            headers.push(("x-warmline-timestamp", now.to_string()));
            headers.push(("x-warmline-signature", app::sign::body(body_secret, now, body.as_bytes())));
        }
        let answer = world.send("POST", &format!("{}/messages", self.entrance.path()), &headers, body).await?;
        ensure!(answer.status < 300, "status {}", answer.status);
        Ok(())
    }

    /// Gets a token if there is none. The app makes its own, and the page gets one.
    async fn sign_in(&mut self, world: &World) -> Result<()> {
        if self.token.is_some() {
            return Ok(());
        }
        self.token = Some(match &self.entrance.way {
            Route::App { jwt_secret, .. } => {
                let (user, name) = (format!("user-{:04}", self.customer), format!("会员{:04}", self.customer));
                let tags: &[&str] = if self.customer.is_multiple_of(8) { &["vip"] } else { &[] };
                app::sign::jwt(jwt_secret, &user, Some(&name), tags, seconds() + 24 * 3600)
            }
            _ => {
                let answer = world.send("POST", &format!("{}/session", self.entrance.path()), &[], "{}").await?;
                let session: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                let token = session.get("token").and_then(Value::as_str);
                token.with_context(|| format!("no session: status {}", answer.status))?.to_owned()
            }
        });
        Ok(())
    }

    /// Waits for the next answer.
    /// # Errors
    /// The channel does not give the answers.
    /// The channel refuses to tell.
    pub async fn reply(&mut self, world: &World, patience: Duration) -> Result<Option<String>> {
        let end = tokio::time::Instant::now() + patience;
        while tokio::time::Instant::now() < end {
            let answer = match &self.entrance.way {
                Route::Platform(_) => self.news(world).await?.pop(),
                Route::App { .. } => self.poll(world, 10).await?.pop(),
                // The stream may end early (a proxy, a restart). It is opened again from the cursor, like in browsers.
                Route::WebChat => match tokio::time::timeout_at(end, self.stream(world)).await {
                    Ok(answer) => answer?,
                    Err(_) => return Ok(None),
                },
            };
            if answer.is_some() {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(None)
    }

    /// One poll, which waits this many seconds for an answer.
    async fn poll(&mut self, world: &World, wait: u64) -> Result<Vec<String>> {
        let after = self.cursor.as_ref().map(|c| format!("&after={c}")).unwrap_or_default();
        let path = format!("{}/messages?wait={wait}{after}", self.entrance.path());
        let headers = [("authorization", format!("Bearer {}", self.token.as_deref().unwrap_or_default()))];
        let answer = world.send("GET", &path, &headers, "").await?;
        ensure!(answer.status < 300, "the {}'s answers: status {}", self.entrance.channel(), answer.status);
        let page: Value = serde_json::from_slice(&answer.body).context("answers")?;
        match page.get("next") {
            Some(Value::String(next)) => self.cursor = Some(next.clone()),
            Some(Value::Number(next)) => self.cursor = Some(next.to_string()),
            _ => {}
        }
        let items = page.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(items.iter().filter_map(text_of).collect())
    }

    /// Reads the web chat's event stream up to the next answer; `None` if the stream ended.
    async fn stream(&mut self, world: &World) -> Result<Option<String>> {
        let url = format!("{}{}/events", world.base, self.entrance.path());
        let token = self.token.as_deref().unwrap_or_default();
        let mut headers = vec![("authorization", format!("Bearer {token}")), ("accept", "text/event-stream".to_owned())];
        headers.extend(self.cursor.clone().map(|cursor| ("last-event-id", cursor)));
        let response = world.http.open("GET", &url, &headers, "").await.map_err(|e| anyhow::anyhow!("{e}"))?;
        ensure!(response.status().is_success(), "the web chat's events: status {}", response.status());
        let (mut body, mut pending) = (response.into_body(), Vec::new());
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Ok(None) };
            pending.extend_from_slice(frame.data_ref().map(bytes::Bytes::as_ref).unwrap_or_default());
            while let Some(end) = pending.windows(2).position(|w| w == b"\n\n") {
                let event: Vec<u8> = pending.drain(..end + 2).collect();
                let event = String::from_utf8_lossy(&event).into_owned();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                if let Some(id) = field("id:") {
                    self.cursor = Some(id.to_owned());
                }
                let message = field("data:").and_then(|data| serde_json::from_str::<Value>(data).ok());
                if let Some(text) = message.as_ref().and_then(text_of) {
                    return Ok(Some(text));
                }
            }
        }
        Ok(None)
    }
}

/// The replies that a platform accepted for a customer after the first `seen` messages.
fn replies(stand: &PlatformServer, customer: u64, seen: usize) -> Vec<String> {
    let sent = stand.sent_after(&stand.platform().open_id(customer), seen);
    sent.into_iter().map(|sent| sent.text).collect()
}

fn nonce(rng: &mut Rng) -> [u8; 16] {
    let mut nonce = [0; 16];
    nonce.iter_mut().for_each(|byte| *byte = b'a' + u8::try_from(rng.below(26)).unwrap_or(0));
    nonce
}

/// Posts a platform's webhook once. Any answer but the platform's word for "received" is an error.
async fn push(world: &World, entrance: &ChannelUnderTest, stand: &PlatformServer, webhook: &Request) -> Result<()> {
    let query = if webhook.query.is_empty() { String::new() } else { format!("?{}", webhook.query) };
    let path = format!("{}{}{query}", entrance.path(), webhook.path);
    let headers: Vec<_> = webhook.headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let answer = world.send(&webhook.method, &path, &headers, webhook.body.clone()).await?;
    ensure!(stand.platform().acknowledged(answer.status, &answer.body), "status {}", answer.status);
    Ok(())
}
