//! Media of messages. The bytes stay with the platform; the component streams them from the channel's adapter.

use warmline_flow::{Ctx, FlowError, media};
use warmline_http::{Problem, Request, auth};
use warmline_model::{Channel, ConversationId, Role, Scope};

const PATH: &str = "/api/media/";

/// The address of a message's medium.
pub fn address(conversation: ConversationId, n: i64) -> String {
    format!("{PATH}{conversation}.{n}")
}

/// Where the bytes of a medium are to be asked for.
pub struct Wanted {
    /// The channel whose adapter fetches them.
    pub channel: Channel,
    /// The adapter's path, with its query.
    pub path: String,
}

/// What `GET /api/media/{id}` asks for; `None` where the request is another.
///
/// # Errors
/// The token is wrong, or there is no such medium that its bearer may see.
pub fn wanted(ctx: &Ctx<'_>, admin_token: &str, request: &Request) -> Result<Option<Wanted>, Problem> {
    let Some(id) =
        request.path.strip_prefix(PATH).filter(|_| matches!(request.method, http::Method::GET | http::Method::HEAD))
    else {
        return Ok(None);
    };
    let actor = auth::admit(ctx, admin_token, request, &[Role::Supervisor, Role::Agent], Scope::Conversations)?;
    let place = id.split_once('.').and_then(|(conversation, n)| Some((conversation.parse().ok()?, n.parse::<i64>().ok()?)));
    let (conversation, n): (ConversationId, i64) = place.ok_or(FlowError::NotFound("medium"))?;
    // Told here, where the answer still can be; the adapter reads the reference itself.
    let found = media::read(ctx, &actor, conversation, n)?;
    Ok(Some(Wanted { channel: found.channel, path: format!("/media?conversation={conversation}&n={n}") }))
}
