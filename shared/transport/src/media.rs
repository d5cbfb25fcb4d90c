//! Media: a message keeps the reference, and the platform keeps the bytes. On their way to a reader these pass through
//! the adapter, which knows how to ask for them, and the desk, which knows who may read them. Nothing is stored; both
//! pass the bytes on as they come.

use crate::host::{Body, Head, Host, NoAnswer, Opened, Writer as _, guarded, refuse, respond};
use crate::tokens::{self, Failure, Place};
use crate::{accounts, internal, outgoing};
use warmline_channels::{Adapter, ApiResponse, Outcome};
use warmline_endpoint::{Problem, Request, page};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::sealing;
use warmline_model::{AccountId, Channel, ConversationId, Media};
use warmline_store::{conversations, messages};

/// A reference to a medium, and its origin.
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
    let key = sealing::customer_key(ctx, conversation.customer)?;
    let media = sealing::open_content(&key, &message)?.media().cloned().ok_or(missing)?;
    Ok(Kept { channel: conversation.channel, account: conversation.account, media })
}

/// The longest text in which a platform refuses a medium, in bytes.
const REFUSAL_LIMIT: usize = 4_096;

const NOT_GIVEN: &str = "the platform does not give the medium out; it may have been kept for too long";

/// A medium being fetched.
struct Medium<B> {
    status: u16,
    /// The media type that its sender gave, in lower case.
    said: String,
    length: Option<u64>,
    /// Its first bytes, if these were read already.
    read: Option<Vec<u8>>,
    /// The bytes after them.
    rest: B,
}

impl<B> From<Opened<B>> for Medium<B> {
    fn from(opened: Opened<B>) -> Self {
        Self {
            status: opened.status,
            said: opened.header("content-type").unwrap_or_default().to_ascii_lowercase(),
            length: opened.header("content-length").and_then(|n| n.parse().ok()),
            read: None,
            rest: opened.body,
        }
    }
}

impl<B: Body> Medium<B> {
    async fn next(&mut self, host: &impl Host) -> Option<Result<Vec<u8>, NoAnswer>> {
        match self.read.take() {
            Some(read) => Some(Ok(read)),
            None => outgoing::next(host, &mut self.rest).await,
        }
    }

    /// Reads a short body to its end; `None` if it is too long or breaks off.
    async fn whole(&mut self, host: &impl Host) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(chunk) = outgoing::next(host, &mut self.rest).await {
            all.extend_from_slice(&chunk.ok()?);
            if all.len() > REFUSAL_LIMIT {
                return None;
            }
        }
        Some(all)
    }
}

/// The adapter's side: `POST /media?conversation=&n=`.
pub(crate) async fn serve<H: Host, A: Adapter>(host: &H, adapter: &A, request: &Request, out: H::Out) {
    match fetch(host, adapter, request).await {
        Ok(medium) => pass(host, medium, out, Some(adapter.capabilities().media_limit)).await,
        Err(problem) => respond(host, out, refuse(host, problem)).await,
    }
}

async fn fetch<H: Host, A: Adapter>(host: &H, adapter: &A, request: &Request) -> Result<Medium<H::Body>, Problem> {
    let world = host.open()?;
    let ctx = crate::host::Environment::ctx(&world);
    let parameter = || Problem::new(400, "bad_parameter", "conversation and n are missing");
    let conversation: ConversationId = page::typed(request, "conversation", |t| t.parse().ok())?.ok_or_else(parameter)?;
    let n: i64 = page::typed(request, "n", |t| t.parse().ok())?.ok_or_else(parameter)?;
    let kept = find(&ctx, conversation, n)?;
    let accounts::Open { account, credentials } = accounts::open(&ctx, adapter, &kept.channel, &kept.account)?
        .ok_or_else(|| unavailable("the channel's account is not set up any more"))?;
    let place = Place::of(&kept.channel, &kept.account, &credentials);
    let fetched = tokens::signed(host, &ctx, adapter, place, &account, async |call| {
        let request = match adapter.media(&account, &kept.media, call) {
            Ok(request) => request,
            Err(why) => return Ok(Err(Problem::new(422, why.code(), "this medium cannot be fetched from its platform"))),
        };
        let Ok(opened) = outgoing::open(host, &request).await else {
            return Ok(Err(unavailable("the platform does not answer now")));
        };
        match refusal(host, adapter, opened).await {
            Ok(Ok(medium)) => Ok(Ok(medium)),
            Ok(Err(Outcome::RefreshToken)) => Err(Outcome::RefreshToken.into()),
            Ok(Err(_)) => Ok(Err(unavailable(NOT_GIVEN))),
            Err(problem) => Ok(Err(problem)),
        }
    });
    match fetched.await {
        Ok(medium) => medium,
        Err(Failure { outcome: Outcome::RefreshToken, .. }) => Err(unavailable(NOT_GIVEN)),
        Err(_) => Err(unavailable("the platform gives no access token now")),
    }
}

fn unavailable(detail: &'static str) -> Problem {
    Problem::new(502, "media_unavailable", detail)
}

/// An answer with the bytes, or the platform's refusal: in its status, or in a short JSON text.
async fn refusal<B: Body, A: Adapter>(
    host: &impl Host,
    adapter: &A,
    opened: Opened<B>,
) -> Result<Result<Medium<B>, Outcome>, Problem> {
    let mut medium = Medium::from(opened);
    let status = medium.status;
    let short = medium.length.is_some_and(|n| n <= REFUSAL_LIMIT as u64);
    let perhaps_text = short && (medium.said.is_empty() || medium.said.starts_with("text/plain"));
    if status == 200 && !medium.said.contains("json") && !perhaps_text {
        return Ok(Ok(medium));
    }
    let body = medium.whole(host).await.ok_or_else(|| unavailable("the platform does not give the medium out"))?;
    if status == 200 && !body.starts_with(b"{") {
        return Ok(Ok(Medium { read: Some(body), ..medium }));
    }
    Ok(Err(adapter.read_answer(&ApiResponse { status, body: &body })))
}

/// The desk's side: passes on the bytes that the channel's adapter fetches.
pub async fn relay<H: Host>(host: &H, channel: &Channel, path: &str, out: H::Out) {
    let Some(request) = internal::request(host, &format!("channel-{channel}"), path) else {
        return respond(host, out, refuse(host, unavailable("components cannot call each other here"))).await;
    };
    match outgoing::open(host, &request).await {
        Ok(opened) => pass(host, opened.into(), out, None).await,
        Err(_) => respond(host, out, refuse(host, unavailable("the channel does not answer now"))).await,
    }
}

/// The media type for the reader. Browsers may show the harmless types. All other types are for saving, so that no page
/// made by a customer runs in the desk.
fn kind(said: &str) -> String {
    let harmless = ["image/png", "image/jpeg", "image/gif", "image/webp", "audio/", "video/", "application/problem+json"];
    let kept = harmless.iter().any(|kind| said.starts_with(kind));
    if kept { said.to_owned() } else { "application/octet-stream".to_owned() }
}

async fn pass<H: Host>(host: &H, mut medium: Medium<H::Body>, out: H::Out, limit: Option<u64>) {
    if let (Some(limit), Some(length)) = (limit, medium.length)
        && length > limit
    {
        let detail = format!("the medium is larger than the {limit} bytes that this channel passes on");
        return respond(host, out, refuse(host, Problem::new(422, "media_too_large", detail))).await;
    }
    let own = [
        ("content-type", kind(&medium.said)),
        ("referrer-policy", "no-referrer".to_owned()),
        ("content-security-policy", "sandbox; default-src 'none'; frame-ancestors 'none'".to_owned()),
    ];
    let headers = guarded(own.into_iter().chain(medium.length.map(|n| ("content-length", n.to_string()))));
    let (mut writer, mut passed) = (host.begin(out, Head { status: medium.status, headers }), 0u64);
    // A body that breaks off or grows beyond the limit ends here. Its reader notices the missing end.
    while let Some(Ok(chunk)) = medium.next(host).await {
        passed = passed.saturating_add(chunk.len() as u64);
        if limit.is_some_and(|limit| passed > limit) || !writer.write(chunk).await {
            return;
        }
    }
}
