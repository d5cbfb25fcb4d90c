//! A reply on its way to a customer who has a WebSocket open and says nothing: from the agent's request to the frame.
//! Thousands of others are connected meanwhile.

use super::Bench;
use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Message;
use warmline_client::{Api, ApiError};
use warmline_simulate::agents::Staff;
use warmline_simulate::fixture::seed;
use warmline_simulate::histogram::{Histogram, Summary};
use warmline_simulate::server::Server;

const ACCOUNT: &str = "bench";
/// Replies a second.
const RATE: f64 = 30.0;

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Push {
    /// Clients connected.
    pub clients: usize,
    /// Replies sent.
    pub replies: u64,
    /// Replies sent a second.
    pub rate: f64,
    /// Replies that no client received.
    pub missing: u64,
    /// From the agent's request to the client's frame.
    pub latency: Summary,
    /// Memory of the server with all connected.
    pub resident_mib: f64,
}

/// The time at which each reply was received, by its text.
type Heard = Arc<Mutex<HashMap<String, Instant>>>;

/// Measures.
pub(super) fn run(bench: &Bench<'_>) -> Result<Push> {
    let clients = bench.args.clients;
    bench.say(&format!("replies pushed to {clients} connected clients"));
    let directory = bench.scratch.sub("push")?;
    let server = bench.start(&bench.server_options(&bench.args.manifest, &directory, "normal"))?;
    let result = bench.runtime.block_on(measure(bench, &server, clients))?;
    bench.say(&format!("  {}  ({} missing)", result.latency, result.missing));
    Ok(result)
}

async fn measure(bench: &Bench<'_>, server: &Server, clients: usize) -> Result<Push> {
    let api = Api::new(&server.url(), &server.admin_token()?);
    let conversations = i64::try_from(clients)?;
    let team = seed(&api, "http://127.0.0.1:9", conversations, 500, false).await?;
    let account =
        json!({ "channel": "webchat", "account": ACCOUNT, "name": "官网", "settings": { "origins": ["*"] }, "secrets": {} });
    // All clients come at once, from one machine. A server from before this limit existed refuses the setting.
    let mut unbounded = account.clone();
    unbounded["settings"]["new_sessions_per_minute"] = json!(1_000_000);
    unbounded["settings"]["most_waiting"] = json!(1_000_000);
    match api.post("/api/accounts", &unbounded).await {
        Err(ApiError::Refused { status: 422, .. }) => api.post("/api/accounts", &account).await,
        answer => answer,
    }
    .context("the web chat's account")?;
    let heard = Heard::default();
    for number in 0..clients {
        let client = connect(&api, server, number).await.with_context(|| format!("client {number}"))?;
        tokio::spawn(listen(client, Arc::clone(&heard)));
    }
    let held = assigned(&api, clients).await?;
    let resident_mib = server.resident_mib().unwrap_or_default();
    let sent = reply(&api, &team, &held, bench.seconds(20)).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut histogram, mut missing) = (Histogram::default(), 0);
    for (text, at) in &sent {
        match heard.get(text) {
            Some(then) => histogram.record_time(then.saturating_duration_since(*at)),
            None => missing += 1,
        }
    }
    ensure!(histogram.count() > 0, "no reply was heard");
    Ok(Push { clients, replies: sent.len() as u64, rate: RATE, missing, latency: histogram.summary(), resident_mib })
}

/// A visitor with a session, a socket, and one message sent over it.
async fn connect(api: &Api, server: &Server, number: usize) -> Result<WebSocketStream<TcpStream>> {
    let account = format!("{}/channels/webchat/{ACCOUNT}", server.url());
    let headers = [("content-type", "application/json".to_owned())];
    let answer = api.http().send("POST", &format!("{account}/session"), &headers, Vec::new()).await;
    let answer = answer.map_err(anyhow::Error::from_boxed)?;
    let session: Value = serde_json::from_slice(&answer.body)?;
    let token = session["token"].as_str().with_context(|| format!("no session: status {}", answer.status))?;
    let url = format!("{}/ws?access_token={token}", account.replacen("http", "ws", 1));
    let (mut socket, _) = tokio_tungstenite::client_async(url, TcpStream::connect(server.address()).await?).await?;
    let message = json!({ "type": "message", "id": "1", "text": format!("你好，我是第 {number} 位") });
    socket.send(Message::text(message.to_string())).await?;
    Ok(socket)
}

async fn listen(mut socket: WebSocketStream<TcpStream>, heard: Heard) {
    while let Some(Ok(message)) = socket.next().await {
        let at = Instant::now();
        let Message::Text(text) = message else { continue };
        let Ok(frame) = serde_json::from_str::<Value>(&text) else { continue };
        if let Some(text) = frame.pointer("/message/content/text").and_then(Value::as_str) {
            heard.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned(), at);
        }
    }
}

type Held = Vec<(warmline_model::ConversationId, warmline_model::AgentId)>;

/// The conversations, once every client's conversation has an agent.
async fn assigned(api: &Api, clients: usize) -> Result<Held> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let all = api.conversations("state=assigned").await?;
        let held: Held = all.iter().filter_map(|one| Some((one.id, one.agent?))).collect();
        if held.len() >= clients {
            return Ok(held);
        }
        ensure!(Instant::now() < until, "only {} of {clients} conversations have an agent", held.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Replies at a steady rate, each in another conversation. Returns each text and the time at which its request was sent.
async fn reply(api: &Api, team: &[Staff], held: &Held, duration: Duration) -> Result<Vec<(String, Instant)>> {
    let tokens: HashMap<_, _> = team.iter().map(|member| (member.id, member.token.as_str())).collect();
    let mut every = tokio::time::interval(Duration::from_secs_f64(1.0 / RATE));
    let (mut sent, mut tasks) = (Vec::new(), tokio::task::JoinSet::new());
    let end = Instant::now() + duration;
    for (number, (conversation, agent)) in held.iter().cycle().step_by(7).enumerate() {
        every.tick().await;
        if Instant::now() > end {
            break;
        }
        let agent = api.bearer(tokens.get(agent).context("a conversation's agent is none of the team")?);
        let (text, conversation) = (format!("答复 {number}"), *conversation);
        sent.push((text.clone(), Instant::now()));
        tasks.spawn(async move { agent.reply(conversation, &text).await });
    }
    while let Some(done) = tasks.join_next().await {
        done?.context("a reply was refused")?;
    }
    Ok(sent)
}
