//! Deadlines as the API shows them.

use crate::model::DeadlineView;
use crate::store::deadlines::{self, Ask, Place, Stored};
use std::fmt;
use std::str::FromStr;
use warmline_conversations::converse;
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_model::ConversationId;

/// The place after which a list goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor(pub Place);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (due, subject, k) = &self.0;
        match ConversationId::from_bytes(subject) {
            Ok(id) => write!(f, "{due}.{id}.{k}"),
            Err(_) => Ok(()),
        }
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(());
        let (due, id, k) = (next()?, next()?, next()?);
        let id: ConversationId = id.parse().map_err(|_| ())?;
        Ok(Self((due.parse().map_err(|_| ())?, id.as_bytes().to_vec(), k.parse().map_err(|_| ())?)))
    }
}

impl Cursor {
    /// The place of a deadline.
    pub fn of(view: &DeadlineView) -> Self {
        let due = view.due_at.map_or(i64::MAX, warmline_model::Timestamp::millis);
        Self((due, view.conversation.as_bytes().to_vec(), view.deadline))
    }
}

fn view(stored: Stored) -> DeadlineView {
    let d = stored.deadline;
    DeadlineView {
        conversation: d.subject,
        deadline: stored.k,
        message: d.message,
        metric: d.metric,
        source: d.source,
        rule: d.rule,
        version: d.version,
        state: d.state,
        starts_at: d.starts_at,
        due_at: d.due_at,
        paused_ms: d.paused_ms,
        human_only: d.human_only,
        answered_at: d.answered_at,
        ended_at: d.ended_at,
        reason: d.reason.map(str::to_owned),
        consequence: d.consequence,
        agent: stored.agent,
        group: stored.group,
    }
}

/// Deadlines of a state by their due instants.
pub fn of_state(ctx: &Ctx<'_>, ask: &Ask<'_>) -> Result<Vec<DeadlineView>, StepError> {
    Ok(deadlines::list(ctx.db, ask)?.into_iter().map(view).collect())
}

/// The deadlines of a conversation, in the order in which they started.
///
/// # Errors
/// There is no such conversation, or the actor may not see it.
pub fn of_conversation(
    ctx: &Ctx<'_>,
    actor: &Actor,
    id: ConversationId,
    after: i64,
    limit: i64,
) -> Result<Vec<DeadlineView>, StepError> {
    converse::find(ctx, actor, id)?;
    Ok(deadlines::of(ctx.db, id, after, limit)?.into_iter().map(view).collect())
}
