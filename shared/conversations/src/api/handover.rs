//! The summary that an agent receives unasked when a customer comes to them, on the event stream that the desk follows. It
//! is not in the event log: it is computed when it is sent, after an audit entry says that the agent reads it.

use crate::calls;
use crate::model::{HandOver, Why};
use crate::store::consults;
use warmline_customers::api::customers::{DAY_MS, DAYS};
use warmline_customers::store::people as stored;
use warmline_customers::timeline::{self, Place};
use warmline_customers::touch;
use warmline_kernel::audit::Subject;
use warmline_kernel::ctx::Actor;
use warmline_kernel::{Ctx, StepError};
use warmline_model::{AgentId, ConversationId, Event, EventBody, MessageId, Role, Timestamp};
use warmline_store::conversations::{self, Conversation};

impl Why {
    const fn code(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Transferred => "transferred",
            Self::Consulted => "consulted",
            Self::ChangedChannel => "changed_channel",
            Self::Calling => "calling",
        }
    }
}

/// The hand-overs to one agent in a page of the event log.
pub struct HandOvers<'a> {
    ctx: &'a Ctx<'a>,
    actor: Actor,
    agent: AgentId,
    /// Conversations on other channels with the agent's customers that the agent does not hold.
    elsewhere: Vec<ConversationId>,
}

impl<'a> HandOvers<'a> {
    /// The hand-overs among the events of a page; `None` if the actor never gets any.
    pub fn among(ctx: &'a Ctx<'a>, actor: Actor, page: &[Event]) -> Option<Self> {
        let agent = actor.agent.filter(|_| matches!(actor.role, Role::Agent | Role::Supervisor))?;
        let spoken = page.iter().any(|e| matches!(e.body, EventBody::MessageReceived { .. }));
        let elsewhere = if spoken { stored::elsewhere(ctx.db, agent).unwrap_or_default() } else { Vec::new() };
        Some(Self { ctx, actor, agent, elsewhere })
    }

    /// The hand-over that an event means for the agent, as JSON. If it cannot be read now, or the audit entry cannot be
    /// stored, it is left out. The event itself still shows the agent that there is something to ask for.
    pub fn of(&self, event: &Event) -> Option<String> {
        let (conversation, why) = self.due(event).ok()??;
        let told = self.tell(&conversation, why).ok()?;
        serde_json::to_string(&told).ok()
    }

    /// The holder of the conversation is looked up again, because an event may be an old one.
    fn due(&self, event: &Event) -> Result<Option<(Conversation, Why)>, StepError> {
        let Some(id) = event.conversation else { return Ok(None) };
        let get = || conversations::get(self.ctx.db, id);
        Ok(match &event.body {
            EventBody::ConversationAssigned { agent, why, .. } if *agent == self.agent => {
                let mine = |c: &Conversation| c.agent == Some(self.agent) && c.state.holds_capacity();
                get()?.filter(mine).map(|c| {
                    let reason = reason(why, &c);
                    (c, reason)
                })
            }
            EventBody::ConversationConsulted { agent, .. } if *agent == self.agent => {
                let asked = consults::is_asked(self.ctx.db, id, self.agent)?;
                get()?.filter(|_| asked).map(|c| (c, Why::Consulted))
            }
            EventBody::MessageReceived { message, n, .. } if self.elsewhere.contains(&id) => {
                let Some(c) = get()? else { return Ok(None) };
                let why = if calls::on(&c.channel) { Why::Calling } else { Why::ChangedChannel };
                self.came_over(&c, *n, *message)?.then_some((c, why))
            }
            _ => None,
        })
    }

    /// Whether the person's last message before this one was in another conversation.
    fn came_over(&self, conversation: &Conversation, n: i64, message: MessageId) -> Result<bool, StepError> {
        let before = Some(Place::of(conversation.id, n, message));
        let last = timeline::page(self.ctx, conversation.person, Timestamp::default(), before, 1)?;
        Ok(last.first().is_some_and(|entry| entry.conversation.id != conversation.id))
    }

    fn tell(&self, conversation: &Conversation, why: Why) -> Result<HandOver, StepError> {
        let customer = conversation.person;
        // A context would save a millisecond. A key-value store that is gone would silence the stream for minutes.
        let ctx = &Ctx { contexts: 0, ..*self.ctx };
        let of = Subject { customer: Some(customer), conversation: Some(conversation.id), reason: Some(why.code()) };
        let summed = touch::summary(ctx, &self.actor, of, ctx.now().plus_millis(-DAYS * DAY_MS))?;
        Ok(HandOver { conversation: conversation.id, reason: why, summary: summed.into() })
    }
}

/// The reason for a hand-over, from the assignment's `why`.
fn reason(why: &str, conversation: &Conversation) -> Why {
    if why.starts_with("transfer") || why.starts_with("hand-over") {
        Why::Transferred
    } else if calls::on(&conversation.channel) {
        Why::Calling
    } else {
        Why::Assigned
    }
}
