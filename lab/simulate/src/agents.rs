//! Simulated agents. Each signs in, gets conversations, accepts after a moment, reads, types, replies, and closes when the
//! customer has no more to say. One reader of the event log serves the whole team, so that a dozen agents cost little more
//! than one.

use crate::customers::texts;
use crate::figures::Figures;
use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use warmline_client::Tail;
use warmline_client::{Api, ApiError, ApiResult};
use warmline_model::{AgentId, ConversationId, ConversationState, Event, EventBody, Origin};

/// The reasons why a conversation takes no written reply, now or ever.
const NOT_IN_WRITING: [&str; 3] = ["kind_not_supported", "reply_window_closed", "reply_quota_used"];

/// One member of the team.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Staff {
    /// Id.
    pub id: AgentId,
    /// Name.
    pub name: String,
    /// The token with which the agent signs in.
    pub token: String,
}

/// The pace of the agents, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct AgentPace {
    /// From assignment to acceptance.
    pub accept: (f64, f64),
    /// From reading to sending.
    pub typing: (f64, f64),
    /// The silence of a customer after which the conversation is closed.
    pub silence: f64,
}

impl Default for AgentPace {
    fn default() -> Self {
        Self { accept: (0.4, 1.6), typing: (1.5, 5.0), silence: 12.0 }
    }
}

/// The team at work.
pub struct Team {
    api: Api,
    staff: HashMap<AgentId, Staff>,
    manner: AgentPace,
    figures: Arc<Figures>,
    rng: Rng,
    desks: HashMap<ConversationId, Desk>,
    tasks: tokio::task::JoinSet<()>,
}

/// A conversation in an agent's hands. Dropping the sender ends the agent's part.
struct Desk {
    agent: AgentId,
    news: mpsc::UnboundedSender<()>,
}

impl Team {
    /// Makes a team. `api` is a supervisor's or administrator's: it reads the event log.
    pub fn new(api: Api, staff: Vec<Staff>, manner: AgentPace, figures: Arc<Figures>, rng: Rng) -> Self {
        let staff = staff.into_iter().map(|member| (member.id, member)).collect();
        Self { api, staff, manner, figures, rng, desks: HashMap::new(), tasks: tokio::task::JoinSet::new() }
    }

    /// Signs everybody in.
    ///
    /// # Errors
    /// The errors of the API.
    pub async fn sign_in(&self) -> ApiResult<()> {
        self.everybody("available").await
    }

    /// Signs everybody out.
    ///
    /// # Errors
    /// The errors of the API.
    pub async fn sign_out(&self) -> ApiResult<()> {
        self.everybody("offline").await
    }

    async fn everybody(&self, state: &str) -> ApiResult<()> {
        for member in self.staff.values() {
            self.api.bearer(&member.token).set_state(member.id, state).await?;
        }
        Ok(())
    }

    /// Takes up the conversations that the team held before this start.
    ///
    /// # Errors
    /// The errors of the API.
    pub async fn resume(&mut self) -> ApiResult<()> {
        for state in ["assigned", "waiting_on_customer"] {
            for conversation in self.api.conversations(&format!("state={state}")).await? {
                if let Some(agent) = conversation.agent {
                    let waiting = conversation.state == ConversationState::WaitingOnCustomer;
                    self.take(conversation.id, agent, !waiting);
                }
            }
        }
        Ok(())
    }

    /// Works until dropped.
    pub async fn work(&mut self, tail: &mut Tail) {
        loop {
            let figures = self.figures.clone();
            let events = tail.next(|error| figures.note_error(&format!("event log: {error}"))).await;
            for event in &events {
                self.figures.note_event(event);
                self.see(event);
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn see(&mut self, event: &Event) {
        if let EventBody::AgentState { agent, reason: Some(reason), .. } = &event.body
            && reason == "accept_timeout"
            && let Some(member) = self.staff.get(agent)
        {
            // A simulated agent who missed the time to accept comes back at once.
            let (api, agent) = (self.api.bearer(&member.token), *agent);
            self.tasks.spawn(async move {
                let _ = api.set_state(agent, "available").await;
            });
        }
        let Some(conversation) = event.conversation else { return };
        match &event.body {
            EventBody::ConversationAssigned { agent, .. } => self.take(conversation, *agent, true),
            EventBody::MessageReceived { .. } => {
                if let Some(desk) = self.desks.get(&conversation) {
                    let _ = desk.news.send(());
                }
            }
            EventBody::ConversationClosed { .. }
            | EventBody::ConversationWrapUp { .. }
            | EventBody::ConversationTransferred { .. }
            | EventBody::ConversationQueued { .. } => {
                self.desks.remove(&conversation);
            }
            _ => {}
        }
    }

    fn take(&mut self, conversation: ConversationId, agent: AgentId, unanswered: bool) {
        let Some(member) = self.staff.get(&agent) else { return };
        if self.desks.get(&conversation).is_some_and(|desk| desk.agent == agent && !desk.news.is_closed()) {
            return;
        }
        let (news, inbox) = mpsc::unbounded_channel();
        if unanswered {
            let _ = news.send(());
        }
        self.desks.insert(conversation, Desk { agent, news });
        let part = Part {
            api: self.api.bearer(&member.token),
            conversation,
            inbox,
            manner: self.manner,
            rng: Rng::new(self.rng.bits()),
        };
        let figures = self.figures.clone();
        self.tasks.spawn(async move {
            match part.play().await {
                // Another agent was quicker, or the conversation ended meanwhile.
                Err(ApiError::Refused { status: 403 | 404 | 409, .. }) | Ok(()) => {}
                Err(error) => figures.note_error(&format!("agent: {error}")),
            }
        });
    }
}

/// One agent's part in one conversation.
struct Part {
    api: Api,
    conversation: ConversationId,
    inbox: mpsc::UnboundedReceiver<()>,
    manner: AgentPace,
    rng: Rng,
}

impl Part {
    async fn pause(&mut self, (low, high): (f64, f64)) {
        tokio::time::sleep(Duration::from_secs_f64(self.rng.between(low, high))).await;
    }

    async fn play(mut self) -> ApiResult<()> {
        self.pause(self.manner.accept).await;
        let key = self.api.fresh_key();
        let path = format!("/api/conversations/{}/accept", self.conversation);
        self.api.insist(&path, &serde_json::json!({}), &key, Duration::from_secs(20)).await?;
        let mut topic = "other";
        loop {
            let silence = Duration::from_secs_f64(self.manner.silence);
            match tokio::time::timeout(silence, self.inbox.recv()).await {
                Ok(Some(())) => {}
                Ok(None) => return Ok(()),
                Err(_) => return self.finish(topic).await,
            }
            self.pause(self.manner.typing).await;
            while self.inbox.try_recv().is_ok() {}
            let messages = self.api.messages(self.conversation).await?;
            let mut said = messages.iter().filter(|message| message.from == Origin::Customer);
            if let Some(opener) = said.clone().next().and_then(|message| message.text()) {
                topic = texts::topic(opener);
            }
            let question = said.next_back().and_then(|message| message.text()).unwrap_or_default();
            let answer = texts::answer(&mut self.rng, question);
            match self.api.reply(self.conversation, answer).await {
                // The agent speaks on the telephone, or must wait for the customer. The agent keeps the conversation.
                Err(ApiError::Refused { code, .. }) if NOT_IN_WRITING.contains(&code.as_str()) => {}
                other => drop(other?),
            }
        }
    }

    /// Closes the conversation. If that begins the after-contact work, does it and closes again.
    async fn finish(mut self, disposition: &str) -> ApiResult<()> {
        let closed = self.api.close(self.conversation, disposition).await?;
        if closed.get("state").and_then(|state| state.as_str()) == Some("wrap_up") {
            self.pause((1.0, 4.0)).await;
            self.api.close(self.conversation, disposition).await?;
        }
        Ok(())
    }
}
