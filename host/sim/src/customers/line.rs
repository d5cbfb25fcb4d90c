//! One customer's way to the brand: how a message is sent on each channel, and how the answers come back.

use super::World;
use crate::client::Answer;
use crate::rng::Rng;
use anyhow::{Context, Result, ensure};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use warmline_channels::wx_crypto::AesKey;
use warmline_channels::{app, wechat};

/// How a customer reaches the brand.
pub enum Line {
    /// Follows the official account.
    WeChat {
        /// Open id.
        open_id: String,
        /// Whether the platform encrypts.
        safe: bool,
        /// Answers seen so far.
        seen: usize,
    },
    /// Uses the brand's app.
    App {
        /// Signed in as.
        token: String,
        /// Cursor of the answers.
        cursor: Option<String>,
    },
    /// Visits the web site.
    WebChat {
        /// Session token, once there is one.
        token: Option<String>,
        /// Cursor of the answers.
        cursor: Option<String>,
    },
}

fn seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(now).unwrap_or(i64::MAX)
}

fn text_of(message: &Value) -> Option<String> {
    message.pointer("/content/text").and_then(Value::as_str).map(str::to_owned)
}

impl Line {
    /// A WeChat follower with that number.
    pub fn wechat(number: u64, safe: bool) -> Self {
        Self::WeChat { open_id: format!("oDemo{number:06}"), safe, seen: 0 }
    }

    /// An app user with that number, signed in for an hour.
    pub fn app(world: &World, number: u64) -> Self {
        let name = format!("会员{number:04}");
        let tags: &[&str] = if number.is_multiple_of(8) { &["vip"] } else { &[] };
        let user = format!("user-{number:04}");
        let token = app::sign::jwt(&world.brand.app_jwt_secret, &user, Some(&name), tags, seconds() + 3600);
        Self::App { token, cursor: None }
    }

    /// A new visitor of the web site.
    pub const fn webchat() -> Self {
        Self::WebChat { token: None, cursor: None }
    }

    /// Sends one message, as often as the platform would, always under the same id. The time is that of the try that
    /// was acknowledged.
    ///
    /// # Errors
    /// It was not acknowledged three times.
    pub async fn send(&mut self, world: &World, rng: &mut Rng, text: &str) -> Result<Duration> {
        if let Self::WebChat { token: token @ None, .. } = self {
            let path = format!("/channels/webchat/{}/session", world.brand.webchat_account);
            let answer = world.post(&path, &[], "{}".to_owned()).await?;
            let session: Value = serde_json::from_slice(&answer.body)?;
            *token = session.get("token").and_then(Value::as_str).map(str::to_owned);
            ensure!(token.is_some(), "the web chat gave no session: status {}", answer.status);
        }
        match self {
            Self::WeChat { open_id, seen, .. } => *seen = world.platform.sent_to(open_id).len(),
            // What was said in earlier talks is no answer to this one.
            Self::App { token, cursor: cursor @ None } => drop(poll(world, token, cursor, 0).await?),
            Self::App { .. } | Self::WebChat { .. } => {}
        }
        let id = rng.bits() >> 2;
        let mut last = None;
        for attempt in 0..3 {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let begin = Instant::now();
            match self.post(world, rng, id, text).await {
                Ok(answer) if answer.status < 300 => return Ok(begin.elapsed()),
                Ok(answer) => last = Some(format!("status {}", answer.status)),
                Err(error) => last = Some(error.to_string()),
            }
        }
        anyhow::bail!("a message was not acknowledged: {}", last.unwrap_or_default())
    }

    async fn post(&self, world: &World, rng: &mut Rng, id: u64, text: &str) -> Result<Answer> {
        let (brand, now) = (&world.brand, seconds());
        match self {
            Self::WeChat { open_id, safe, .. } => {
                let account = &brand.wechat_account;
                let xml = wechat::sign::text(open_id, account, now, id, text);
                let nonce = rng.below(1_000_000_000).to_string();
                let (query, body) = if *safe {
                    let mut random = [0; 16];
                    random.iter_mut().for_each(|byte| *byte = b'a' + u8::try_from(rng.below(26)).unwrap_or(0));
                    let key = AesKey::decode(&brand.wechat_aes_key).context("the account's AES key is bad")?;
                    let (token, app) = (&brand.wechat_token, &brand.wechat_app_id);
                    wechat::sign::safe(token, &key, app, &now.to_string(), &nonce, &random, xml.as_bytes())
                } else {
                    (wechat::sign::plain_query(&brand.wechat_token, &now.to_string(), &nonce), xml)
                };
                let path = format!("/channels/wechat/{account}?{query}");
                world.post(&path, &[("content-type", "text/xml".to_owned())], body).await
            }
            Self::App { token, .. } => {
                let body = json!({ "id": format!("m-{id:x}"), "text": text }).to_string();
                let headers = [
                    ("content-type", "application/json".to_owned()),
                    ("authorization", format!("Bearer {token}")),
                    ("x-warmline-timestamp", now.to_string()),
                    ("x-warmline-signature", app::sign::body(&brand.app_body_secret, now, body.as_bytes())),
                ];
                world.post(&format!("/channels/app/{}/messages", brand.app_account), &headers, body).await
            }
            Self::WebChat { token, .. } => {
                let body = json!({ "id": format!("m-{id:x}"), "text": text }).to_string();
                let headers = [
                    ("content-type", "application/json".to_owned()),
                    ("authorization", format!("Bearer {}", token.as_deref().unwrap_or_default())),
                ];
                world.post(&format!("/channels/webchat/{}/messages", brand.webchat_account), &headers, body).await
            }
        }
    }

    /// Waits for the next answer.
    ///
    /// # Errors
    /// The channel refuses to tell.
    pub async fn reply(&mut self, world: &World, patience: Duration) -> Result<Option<String>> {
        let end = tokio::time::Instant::now() + patience;
        match self {
            Self::WeChat { open_id, seen, .. } => {
                while tokio::time::Instant::now() < end {
                    let new = world.platform.sent_after(open_id, *seen);
                    *seen += new.len();
                    if let Some(text) = new.into_iter().rev().find_map(|sent| sent.text) {
                        return Ok(Some(text));
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Ok(None)
            }
            Self::App { token, cursor } => {
                while tokio::time::Instant::now() < end {
                    if let Some(text) = poll(world, token, cursor, 10).await? {
                        return Ok(Some(text));
                    }
                }
                Ok(None)
            }
            Self::WebChat { token, cursor } => {
                let token = token.clone().unwrap_or_default();
                // The stream may end before its time (a proxy, a restart): open it again from the cursor, as browsers do.
                while tokio::time::Instant::now() < end {
                    match tokio::time::timeout_at(end, stream(world, &token, cursor)).await {
                        Ok(Ok(Some(text))) => return Ok(Some(text)),
                        Ok(Ok(None)) => tokio::time::sleep(Duration::from_millis(300)).await,
                        Ok(Err(error)) => return Err(error),
                        Err(_) => return Ok(None),
                    }
                }
                Ok(None)
            }
        }
    }
}

/// One poll of the app's answers, which waits so many seconds for one.
async fn poll(world: &World, token: &str, cursor: &mut Option<String>, wait: u64) -> Result<Option<String>> {
    let after = cursor.as_ref().map(|c| format!("&after={c}")).unwrap_or_default();
    let path = format!("/channels/app/{}/messages?wait={wait}{after}", world.brand.app_account);
    let begin = Instant::now();
    let answer = world.get(&path, token).await?;
    ensure!(answer.status < 300, "the app's answers: status {}", answer.status);
    let page: Value = serde_json::from_slice(&answer.body).context("the app's answers")?;
    match page.get("next") {
        Some(Value::String(next)) => *cursor = Some(next.clone()),
        Some(Value::Number(next)) => *cursor = Some(next.to_string()),
        _ => {}
    }
    let items = page.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = items.iter().rev().find_map(text_of);
    if text.is_none() && wait > 0 && begin.elapsed() < Duration::from_millis(300) {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Ok(text)
}

/// Reads the web chat's event stream up to the next answer; `None` where the stream ended.
async fn stream(world: &World, token: &str, cursor: &mut Option<String>) -> Result<Option<String>> {
    let url = format!("{}/channels/webchat/{}/events", world.base, world.brand.webchat_account);
    let mut headers = vec![("authorization", format!("Bearer {token}")), ("accept", "text/event-stream".to_owned())];
    headers.extend(cursor.clone().map(|cursor| ("last-event-id", cursor)));
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
                *cursor = Some(id.to_owned());
            }
            let message = field("data:").and_then(|data| serde_json::from_str::<Value>(data).ok());
            if let Some(text) = message.as_ref().and_then(text_of) {
                return Ok(Some(text));
            }
        }
    }
    Ok(None)
}
