//! Media: a message keeps the reference, and the platform keeps the bytes.

use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::sealed;
use warmline_model::{AccountId, Channel, ConversationId, Media};
use warmline_store::{conversations, messages};

/// A medium and its origin.
pub struct Kept {
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account: AccountId,
    /// The reference.
    pub media: Media,
}

/// The medium of a message.
///
/// # Errors
/// There is no such message, or it has no medium.
pub fn find(ctx: &Ctx<'_>, conversation: ConversationId, n: i64) -> Result<Kept, StepError> {
    let missing = StepError::NotFound("medium");
    let conversation = conversations::get(ctx.db, conversation)?.ok_or(missing.clone())?;
    let message = messages::get(ctx.db, conversation.id, n)?.ok_or(missing.clone())?;
    let key = sealed::customer_key(ctx, conversation.customer)?;
    let media = sealed::open_content(&key, &message)?.media().cloned().ok_or(missing)?;
    Ok(Kept { channel: conversation.channel, account: conversation.account, media })
}
