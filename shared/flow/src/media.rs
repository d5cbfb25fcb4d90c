//! Media: a message keeps a reference, the platform keeps the bytes.

use crate::audit::{self, Action, Of};
use crate::ctx::{Actor, Ctx, FlowError};
use crate::{converse, sealed};
use warmline_model::{AccountId, Channel, ConversationId, Media};
use warmline_store::{conversations, messages};

/// A medium and where it came from.
pub struct Kept {
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account: AccountId,
    /// The reference.
    pub media: Media,
}

/// The medium of a message in a conversation that the actor may see; that it is read is noted.
///
/// # Errors
/// There is no such message, it has no medium, or it is not the actor's to see.
pub fn read(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId, n: i64) -> Result<Kept, FlowError> {
    let conversation = converse::find(ctx, actor, id)?;
    let kept = find(ctx, id, n)?;
    let of = Of { customer: Some(conversation.person), conversation: Some(id), ..Of::default() };
    audit::record(ctx, actor, Action::ReadMedium, of)?;
    Ok(kept)
}

/// The medium of a message.
///
/// # Errors
/// There is no such message, or it has none.
pub fn find(ctx: &Ctx<'_>, conversation: ConversationId, n: i64) -> Result<Kept, FlowError> {
    let missing = FlowError::NotFound("medium");
    let conversation = conversations::get(ctx.db, conversation)?.ok_or(missing.clone())?;
    let message = messages::get(ctx.db, conversation.id, n)?.ok_or(missing.clone())?;
    let key = sealed::customer_key(ctx, conversation.customer)?;
    let media = sealed::open_content(&key, &message)?.media().cloned().ok_or(missing)?;
    Ok(Kept { channel: conversation.channel, account: conversation.account, media })
}
