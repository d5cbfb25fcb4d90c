//! Drafts. The desk saves what an agent writes, so that nothing is lost with a tab, a machine or a shift. A draft belongs to one
//! agent, one conversation and one mode. It goes when it is sent, when the conversation is closed, and when the person is erased.
//! When the agent no longer holds the conversation, the next one finds it there.

use crate::converse;
use crate::model::{DraftMode, DraftView, SavedDraft};
use crate::store::consults;
use crate::store::drafts::{self, Draft};
use warmline_kernel::audit::{self, Action, Subject};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::sealing;
use warmline_model::{AgentId, ConversationId, ConversationState, Role};
use warmline_privacy::CustomerKey;
use warmline_store::agents;
use warmline_store::changes::{self, What};
use warmline_store::conversations::Conversation;

const NO_AGENT: &str = "only agents and supervisors with a token of their own have drafts";

fn me(actor: &Actor) -> Result<AgentId, StepError> {
    actor.agent.ok_or(StepError::Forbidden(NO_AGENT))
}

fn open(key: &CustomerKey, draft: &Draft) -> Option<String> {
    sealing::open_draft(key, draft.conversation, draft.agent, draft.mode.as_str(), &draft.text).ok()
}

/// The drafts that the actor may take up: their own, and those of agents who no longer hold the conversation. The audit entry
/// comes first if there are any.
///
/// # Errors
/// There is no such conversation, or the actor may not see it.
pub fn read(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId) -> Result<Vec<DraftView>, StepError> {
    let me = me(actor)?;
    let conversation = converse::find(ctx, actor, id)?;
    let theirs = converse::is_theirs(actor, &conversation);
    let mut found = Vec::new();
    for draft in drafts::of_conversation(ctx.db, id)? {
        if draft.agent == me || (theirs && was_left(ctx, &conversation, draft.agent)?) {
            found.push(draft);
        }
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let of = Subject { customer: Some(conversation.person), conversation: Some(id), ..Subject::default() };
    audit::record(ctx, actor, Action::Other("conversations.drafts_read"), of)?;
    let key = sealing::customer_key(ctx, conversation.customer)?;
    let view = |draft: Draft| DraftView {
        text: open(&key, &draft),
        mode: draft.mode,
        agent: draft.agent,
        version: draft.version,
        saved_at: draft.saved_at,
    };
    Ok(found.into_iter().map(view).collect())
}

/// Whether a draft's writer has left the conversation: an agent who neither holds it, nor put it off, nor is asked about it.
/// Supervisors write in others' conversations, and leave none.
fn was_left(ctx: &Ctx<'_>, conversation: &Conversation, writer: AgentId) -> Result<bool, StepError> {
    let put_off = conversation.snooze.is_some_and(|snooze| snooze.agent == writer);
    if conversation.agent == Some(writer) || put_off || consults::is_asked(ctx.db, conversation.id, writer)? {
        return Ok(false);
    }
    Ok(agents::get(ctx.db, writer)?.is_some_and(|agent| agent.role == Role::Agent))
}

/// Saves the actor's draft over the one before; an empty text removes it. Runs in the caller's transaction.
///
/// # Errors
/// - There is no such conversation, or the actor may not see it.
/// - It is closed.
pub fn save(
    ctx: &Ctx<'_>,
    actor: &Actor,
    id: ConversationId,
    mode: DraftMode,
    text: &str,
    seen: Option<i64>,
) -> Result<SavedDraft, StepError> {
    let me = me(actor)?;
    let conversation = converse::find(ctx, actor, id)?;
    if conversation.state == ConversationState::Closed {
        return Err(StepError::conflict("conversation_closed", "the conversation is closed; nothing is written in it"));
    }
    let before = drafts::get(ctx.db, id, me, mode)?;
    let stood = before.as_ref().map_or(0, |draft| draft.version);
    let overwritten = seen.is_some_and(|seen| seen != stood);
    let version = if text.is_empty() {
        drop_one(ctx, id, me, mode)?;
        None
    } else {
        let key = sealing::customer_key(ctx, conversation.customer)?;
        let sealed = sealing::seal_draft(ctx, &key, id, me, mode.as_str(), text)?;
        let version = drafts::put(ctx.db, id, me, mode, &sealed, ctx.now())?;
        if before.is_none() {
            changes::note(ctx.db, ctx.now(), id, What::Row)?;
        }
        Some(version)
    };
    Ok(SavedDraft { version, overwritten })
}

/// Removes an agent's draft, because it was sent or emptied.
pub(crate) fn drop_one(ctx: &Ctx<'_>, id: ConversationId, agent: AgentId, mode: DraftMode) -> Result<(), StepError> {
    if drafts::delete(ctx.db, id, agent, mode)? {
        changes::note(ctx.db, ctx.now(), id, What::Row)?;
    }
    Ok(())
}

/// Gives a text back to its writer's draft, unless the writer has begun another one.
pub(crate) fn give_back(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    key: &CustomerKey,
    agent: AgentId,
    text: &str,
) -> Result<(), StepError> {
    let mode = DraftMode::Reply;
    if text.is_empty() || drafts::get(ctx.db, conversation.id, agent, mode)?.is_some() {
        return Ok(());
    }
    let sealed = sealing::seal_draft(ctx, key, conversation.id, agent, mode.as_str(), text)?;
    drafts::put(ctx.db, conversation.id, agent, mode, &sealed, ctx.now())?;
    Ok(changes::note(ctx.db, ctx.now(), conversation.id, What::Row)?)
}
