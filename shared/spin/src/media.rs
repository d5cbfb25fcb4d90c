//! Media on their way from the platform to a reader: through the adapter, which knows how to ask for them, and the desk,
//! which knows who may read them. Nothing is stored; both pass the bytes on as they come.

use crate::incoming::{self, ResponseOutparam, refuse, respond};
use crate::outgoing::{self, NoAnswer, Opened};
use crate::tokens::{self, Failure};
use crate::world::World;
use crate::{deliver, internal};
use futures::{SinkExt as _, Stream, StreamExt as _};
use std::pin::{Pin, pin};
use warmline_channels::{Adapter, ApiResponse, Outcome};
use warmline_endpoint::{Problem, Request, page};
use warmline_model::{Channel, ConversationId};
use warmline_transport::media;

/// The longest text in which a platform refuses a medium, in bytes.
const REFUSAL_LIMIT: usize = 4_096;

const NOT_GIVEN: &str = "the platform does not give the medium out; it may have been kept for too long";

type Body = Pin<Box<dyn Stream<Item = Result<Vec<u8>, NoAnswer>>>>;

/// A medium being fetched.
struct Medium {
    status: u16,
    /// The media type that its sender gave, in lower case.
    said: String,
    length: Option<u64>,
    body: Body,
}

impl From<Opened> for Medium {
    fn from(opened: Opened) -> Self {
        Self {
            status: opened.status,
            said: opened.header("content-type").unwrap_or_default().to_ascii_lowercase(),
            length: opened.header("content-length").and_then(|n| n.parse().ok()),
            body: Box::pin(opened.body()),
        }
    }
}

/// The adapter's side: `POST /media?conversation=&n=`.
pub(crate) async fn serve<A: Adapter>(adapter: &A, request: &Request, out: ResponseOutparam) {
    match fetch(adapter, request).await {
        Ok(medium) => pass(medium, out, Some(adapter.capabilities().media_limit)).await,
        Err(problem) => respond(out, refuse(problem)).await,
    }
}

async fn fetch<A: Adapter>(adapter: &A, request: &Request) -> Result<Medium, Problem> {
    let world = World::open_ready()?;
    let ctx = world.ctx();
    let parameter = || Problem::new(400, "bad_parameter", "conversation and n are missing");
    let conversation: ConversationId = page::typed(request, "conversation", |t| t.parse().ok())?.ok_or_else(parameter)?;
    let n: i64 = page::typed(request, "n", |t| t.parse().ok())?.ok_or_else(parameter)?;
    let kept = media::find(&ctx, conversation, n)?;
    let account = deliver::open(&ctx, adapter, &kept.channel, &kept.account)?
        .ok_or_else(|| unavailable("the channel's account is not set up any more"))?;
    let fetched = tokens::signed(&ctx, adapter, &kept.account, &account, async |call| {
        let request = match adapter.media(&account, &kept.media, call) {
            Ok(request) => request,
            Err(code) => return Ok(Err(Problem::new(422, code, "this medium cannot be fetched from its platform"))),
        };
        let Ok(opened) = outgoing::open(&request).await else {
            return Ok(Err(unavailable("the platform does not answer now")));
        };
        match refusal(adapter, opened).await {
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
async fn refusal<A: Adapter>(adapter: &A, opened: Opened) -> Result<Result<Medium, Outcome>, Problem> {
    let status = opened.status;
    let medium = Medium::from(opened);
    let short = medium.length.is_some_and(|n| n <= REFUSAL_LIMIT as u64);
    if status == 200 && !medium.said.contains("json") && !(short && medium.said.starts_with("text/plain")) {
        return Ok(Ok(medium));
    }
    let Medium { said, length, body, .. } = medium;
    let body = whole(body).await.ok_or_else(|| unavailable("the platform does not give the medium out"))?;
    if status == 200 && !body.starts_with(b"{") {
        let body = futures::stream::once(async { Ok(body) });
        return Ok(Ok(Medium { status, said, length, body: Box::pin(body) }));
    }
    Ok(Err(adapter.read_answer(&ApiResponse { status, body: &body })))
}

async fn whole(mut body: Body) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(chunk) = body.next().await {
        all.extend_from_slice(&chunk.ok()?);
        if all.len() > REFUSAL_LIMIT {
            return None;
        }
    }
    Some(all)
}

/// The desk's side: passes on what the channel's adapter fetches.
pub async fn relay(channel: &Channel, path: &str, out: ResponseOutparam) {
    let Some(request) = internal::request(&format!("channel-{channel}"), path) else {
        return respond(out, refuse(unavailable("components cannot call each other here"))).await;
    };
    match outgoing::open(&request).await {
        Ok(opened) => pass(opened.into(), out, None).await,
        Err(_) => respond(out, refuse(unavailable("the channel does not answer now"))).await,
    }
}

/// The media type for the reader. Browsers may show the harmless types; all others are for saving, so that no page made by a
/// customer runs in the desk.
fn kind(said: String) -> String {
    let harmless = ["image/png", "image/jpeg", "image/gif", "image/webp", "audio/", "video/", "application/problem+json"];
    match harmless.iter().any(|kind| said.starts_with(kind)) {
        true => said,
        false => "application/octet-stream".to_owned(),
    }
}

async fn pass(medium: Medium, out: ResponseOutparam, limit: Option<u64>) {
    let Medium { status, said, length, mut body } = medium;
    if let (Some(limit), Some(length)) = (limit, length)
        && length > limit
    {
        let detail = format!("the medium is larger than the {limit} bytes that this channel passes on");
        return respond(out, refuse(Problem::new(422, "media_too_large", detail))).await;
    }
    let mut headers = vec![
        ("content-type", kind(said)),
        ("cache-control", "no-store".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("referrer-policy", "no-referrer".to_owned()),
        ("content-security-policy", "sandbox; default-src 'none'; frame-ancestors 'none'".to_owned()),
    ];
    headers.extend(length.map(|n| ("content-length", n.to_string())));
    let (mut writer, mut passed) = (pin!(incoming::open(out, status, headers)), 0u64);
    // A body that breaks off or grows beyond the limit ends here. Its reader notices the missing end.
    while let Some(Ok(chunk)) = body.next().await {
        passed = passed.saturating_add(chunk.len() as u64);
        if limit.is_some_and(|limit| passed > limit) || writer.send(chunk).await.is_err() {
            return;
        }
    }
}
