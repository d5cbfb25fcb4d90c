//! Conversations as the API shows them.

use crate::model::{ConversationView, CustomerRef, Kept, SnoozeView};
use warmline_store::archive::Stage;
use warmline_store::conversations::{Conversation, Snooze};

impl From<Conversation> for ConversationView {
    fn from(c: Conversation) -> Self {
        Self {
            id: c.id,
            channel: c.channel,
            account: c.account,
            state: c.state,
            group: c.group,
            agent: c.agent,
            ai: c.ai,
            units: c.units,
            customer: CustomerRef { id: c.person, name: None },
            case: c.case,
            vip: c.vip,
            opened_at: c.opened_at,
            last_message_at: c.last_message_at,
            queued_at: c.queued_at,
            assigned_at: c.assigned_at,
            accepted_at: c.accepted_at,
            unanswered_since: c.round_started_at,
            closed_at: c.closed_at,
            disposition: c.disposition,
            message_count: c.messages,
            why: c.why,
            snoozed: c.snooze.map(SnoozeView::from),
        }
    }
}

impl From<Snooze> for SnoozeView {
    fn from(snooze: Snooze) -> Self {
        Self { agent: snooze.agent, until: snooze.until, orders: snooze.orders }
    }
}

impl From<Stage> for Kept {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Rows => Self::Hot,
            Stage::Packs => Self::Archived,
            Stage::Gone => Self::Gone,
        }
    }
}
