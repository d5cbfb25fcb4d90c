//! Checks that a channel can carry a message, before anything is stored.

use warmline_channels::{Outbound, Undeliverable, registry};
use warmline_endpoint::Problem;
use warmline_endpoint::route::Call;
use warmline_model::Content;
use warmline_store::conversations::Conversation;
use warmline_transport::{accounts, deliver};

/// Checks that the conversation's channel carries contents, long texts in parts.
///
/// # Errors
/// The channel, the account or the conversation cannot carry one of them; `field` is its place in the request.
pub(crate) fn check(call: &Call<'_>, conversation: &Conversation, contents: &[Content], field: &str) -> Result<(), Problem> {
    let channel = conversation.channel.as_str();
    let Some(capabilities) = registry::capabilities(channel) else { return Ok(()) };
    let refused = |why: Undeliverable| {
        let code = why.code();
        Problem::field(
            code,
            field,
            format!(
                "the channel {channel} cannot carry this in this conversation ({code}); `GET /api/channels` says what it carries"
            ),
        )
    };
    let mut parts = Vec::with_capacity(contents.len());
    for content in contents {
        parts.extend(capabilities.parts(content.clone()).map_err(refused)?);
    }
    // Without the account nothing can be sent, and the delivery reports this. The account may still be connected.
    let Some(account) = accounts::load(&call.ctx, &conversation.channel, &conversation.account)? else {
        return Ok(());
    };
    let address = deliver::address(&call.ctx, conversation.id, conversation.identity)?;
    for content in &parts {
        let (to, reply_to) = (address.to.as_str(), address.reply_to.as_ref());
        let reply = Outbound { to, id: "", content, at: call.ctx.now(), reply_to };
        registry::check_reply(channel, &account.settings, &account.secrets, &reply).unwrap_or(Ok(())).map_err(refused)?;
    }
    Ok(())
}
