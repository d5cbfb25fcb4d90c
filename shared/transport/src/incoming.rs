//! Requests as they arrive. Bodies are capped while they arrive, and a large body is reduced to the parts that are
//! needed.

use crate::host::{Body, Host, within};
use crate::internal;
use warmline_channels::{Gather, Whole};
use warmline_endpoint::{BODY_LIMIT, Problem, Request};

/// How long a client may take to send its body; [`MIB_MS`] is added for each MiB beyond the first that the limit allows.
const BODY_MS: u64 = 10_000;
const MIB_MS: u64 = 2_000;

/// A request whose body is still to come. The body of `head` is empty.
pub struct Incoming<B> {
    /// Everything but the body.
    pub head: Request,
    /// The body.
    pub body: B,
}

/// A request that was not read, and its path.
pub struct Unread {
    /// The path.
    pub path: String,
    /// The reason why it was not read.
    pub problem: Problem,
}

/// Reads a request. Paths below `/internal/<component>` are the public way for calls between components, for platforms
/// without a private one. They need the internal token, and lose that prefix. All other paths that do not begin with
/// the component's public route can come only from another component.
///
/// # Errors
/// The body is too large, encoded or incomplete, or the internal token is missing.
pub async fn read(host: &impl Host, incoming: Incoming<impl Body>) -> Result<Request, Unread> {
    read_into(host, incoming, |_| Box::new(Whole(Vec::new()))).await
}

/// Like [`read`], for a channel that accepts other bodies: `gather` gets the body's media type.
pub(crate) async fn read_into(
    host: &impl Host,
    Incoming { mut head, body: coming }: Incoming<impl Body>,
    gather: impl FnOnce(&str) -> Box<dyn Gather>,
) -> Result<Request, Unread> {
    let path = head.path.clone();
    let unread = |problem| Unread { path, problem };
    match body(host, &head, coming, gather).await {
        Ok(read) => head.body = read,
        Err(problem) => return Err(unread(problem)),
    }
    internal::admit(host, head).map_err(unread)
}

async fn body(
    host: &impl Host,
    head: &Request,
    coming: impl Body,
    gather: impl FnOnce(&str) -> Box<dyn Gather>,
) -> Result<Vec<u8>, Problem> {
    Request::plain_body(&head.headers)?;
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let declared = text(http::header::CONTENT_LENGTH).and_then(|value| value.parse::<usize>().ok());
    let gather = gather(text(http::header::CONTENT_TYPE).unwrap_or_default());
    let limit = gather.limit();
    if declared.is_some_and(|n| n > limit) {
        return Err(too_large(limit));
    }
    if declared == Some(0) || (head.method == http::Method::GET && declared.is_none()) {
        return Ok(Vec::new());
    }
    let beyond = u64::try_from(limit.saturating_sub(BODY_LIMIT) >> 20).unwrap_or_default();
    within(host, BODY_MS + MIB_MS * beyond, gathered(coming, gather))
        .await
        .unwrap_or_else(|| Err(Problem::new(408, "body_timeout", "the body did not arrive in time")))
}

fn too_large(limit: usize) -> Problem {
    Problem::new(413, "body_too_large", format!("a body takes at most {limit} bytes"))
}

async fn gathered(mut coming: impl Body, mut gather: Box<dyn Gather>) -> Result<Vec<u8>, Problem> {
    let (limit, mut came) = (gather.limit(), 0usize);
    while let Some(chunk) = coming.next().await {
        let chunk = chunk.map_err(|_| Problem::new(400, "body_broken", "the body broke off"))?;
        came = came.saturating_add(chunk.len());
        if came > limit {
            return Err(too_large(limit));
        }
        gather.push(&chunk);
    }
    Ok(gather.finish())
}
