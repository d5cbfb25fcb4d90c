//! The agents' side of the crash test: every visible customer message is answered with a text of its own, some
//! conversations are closed, and every call is repeated under its idempotency key until it has an answer.

use super::ledger::{Fate, Ledger};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use warmline_client::Tail;
use warmline_client::{Api, ApiError, text_body};
use warmline_model::{AgentId, ConversationId, Event, EventBody};
use warmline_simulate::agents::Staff;
use warmline_simulate::rng::Rng;

/// The beginning of every reply.
pub(super) const REPLY: &str = "答 ";

/// Works until the task is dropped.
pub(super) async fn work(api: Api, staff: Vec<Staff>, mut rng: Rng, ledger: Arc<Ledger>) {
    let mut desk = Desk {
        team: staff.iter().map(|member| (member.id, api.bearer(&member.token))).collect(),
        holders: HashMap::new(),
        accepted: HashSet::new(),
        next: Arc::new(AtomicU64::new(1)),
        ledger,
        tasks: tokio::task::JoinSet::new(),
    };
    let mut tail = Tail::new(api, 0, Duration::from_millis(25));
    loop {
        for event in tail.next(|_| {}).await {
            let mut book = desk.ledger.open();
            book.seen.push(event.seq);
            book.received += u64::from(matches!(event.body, EventBody::MessageReceived { .. }));
            drop(book);
            desk.see(&event, &mut rng);
        }
        while desk.tasks.try_join_next().is_some() {}
    }
}

struct Desk {
    team: HashMap<AgentId, Api>,
    holders: HashMap<ConversationId, AgentId>,
    accepted: HashSet<(ConversationId, AgentId)>,
    next: Arc<AtomicU64>,
    ledger: Arc<Ledger>,
    tasks: tokio::task::JoinSet<()>,
}

impl Desk {
    fn see(&mut self, event: &Event, rng: &mut Rng) {
        if let EventBody::AgentState { agent, reason: Some(_), .. } = &event.body
            && let Some(api) = self.team.get(agent).cloned()
        {
            let agent = *agent;
            self.tasks.spawn(async move {
                // An agent who lost the presence for not accepting during an outage comes back.
                while api.set_state(agent, "available").await.is_err_and(|error| error.is_transient()) {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
        }
        let Some(conversation) = event.conversation else { return };
        match &event.body {
            EventBody::ConversationAssigned { agent, .. } => {
                self.holders.insert(conversation, *agent);
                self.answer(conversation, rng);
            }
            EventBody::MessageReceived { .. } => self.answer(conversation, rng),
            EventBody::ConversationClosed { .. } | EventBody::ConversationQueued { .. } => {
                self.holders.remove(&conversation);
            }
            _ => {}
        }
    }

    fn answer(&mut self, conversation: ConversationId, rng: &mut Rng) {
        let Some(agent) = self.holders.get(&conversation) else { return };
        let Some(api) = self.team.get(agent).cloned() else { return };
        let accept = self.accepted.insert((conversation, *agent));
        let text = format!("{REPLY}{:06} 您好，已为您查询。", self.next.fetch_add(1, Ordering::Relaxed));
        self.ledger.open().replies.insert(text.clone(), Fate::Open);
        let (ledger, close, wait) = (self.ledger.clone(), rng.chance(0.08), rng.between(0.0, 0.15));
        self.tasks.spawn(async move {
            let base = format!("/api/conversations/{conversation}");
            if accept {
                let _ = persist(&api, &format!("{base}/accept"), &json!({})).await;
            }
            tokio::time::sleep(Duration::from_secs_f64(wait)).await;
            let (result, unanswered) = persist(&api, &format!("{base}/messages"), &text_body(&text)).await;
            ledger.settle(text, result, unanswered);
            if close {
                let (result, _) = persist(&api, &format!("{base}/close"), &json!({ "disposition": "resolved" })).await;
                let again = result.as_ref().is_ok_and(|c| c.get("state").and_then(Value::as_str) == Some("wrap_up"));
                if again {
                    let _ = persist(&api, &format!("{base}/close"), &json!({ "disposition": "resolved" })).await;
                }
                ledger.open().closed += u64::from(result.is_ok());
            }
        });
    }
}

/// Repeats a POST under one key until it has an answer. Returns the number of tries without an answer, too.
async fn persist(api: &Api, path: &str, body: &Value) -> (Result<Value, ApiError>, u32) {
    let (key, mut unanswered) = (api.fresh_key(), 0);
    loop {
        match api.post_once(path, body, &key).await {
            Err(error) if error.is_transient() => {
                unanswered += 1;
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            other => return (other, unanswered),
        }
    }
}
