//! Media of messages. The bytes stay with the platform; the channel's adapter streams them.

use crate::converse;
use warmline_endpoint::Problem;
use warmline_endpoint::route::{Access, Answer, Call, Reply, Route, STAFF, Verb};
use warmline_kernel::StepError;
use warmline_model::{ConversationId, Scope};

/// `GET /api/media/{id}`
fn fetch(call: &Call<'_>) -> Result<Reply, Problem> {
    let place = call.param(0).split_once('.');
    let place = place.and_then(|(conversation, n)| Some((conversation.parse().ok()?, n.parse::<i64>().ok()?)));
    let (conversation, n): (ConversationId, i64) = place.ok_or(StepError::NotFound("medium"))?;
    // The audit entry and refusals come here, while the answer is still open. The adapter reads the reference itself.
    let found = converse::medium(&call.ctx, &call.actor, conversation, n)?;
    Ok(Reply::Relay { channel: found.channel, path: format!("/media?conversation={conversation}&n={n}") })
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[Route::open(
    Verb::Get,
    "/api/media/{id}",
    "Fetches the bytes of a message's medium from its platform.",
    Access::Token(STAFF, Scope::Conversations),
    Answer::Other("*/*"),
    fetch,
)
.refusing(&[(422, "media_too_large"), (422, "kind_not_supported"), (502, "media_unavailable")])
.agents("of conversations that they may read")];
