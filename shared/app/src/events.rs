//! The event log: a page of it as NDJSON, or all new events as server-sent events. Both are made from the same pages.

use warmline_conversations::api::handover::HandOvers;
use warmline_endpoint::auth::{self, Admission};
use warmline_endpoint::route::{ANYONE, Access, Answer, Call, Reply, Route, Verb};
use warmline_endpoint::sse::{self, Follow, New, Source};
use warmline_endpoint::{Problem, Request, Response, page};
use warmline_kernel::Ctx;
use warmline_model::Scope;
use warmline_store::events;

/// Events on a page if the request does not say.
const DEFAULT_LIMIT: i64 = 200;
/// The most events on a page.
const MAX_LIMIT: i64 = 1_000;

/// The position after which to continue: `after`, or `Last-Event-ID` if a browser reconnects.
///
/// # Errors
/// The value is not a position.
fn position(request: &Request) -> Result<i64, Problem> {
    let wrong = || Problem::new(400, "bad_cursor", "after takes the `seq` of an event");
    let text = match request.header("last-event-id") {
        Some(text) => Some(text.to_owned()),
        None => page::param(request, "after")?,
    };
    match text.filter(|t| !t.is_empty()) {
        None => Ok(0),
        Some(text) => text.parse().ok().filter(|seq| *seq >= 0).ok_or_else(wrong),
    }
}

/// `GET /api/events`: a page; with `Accept: text/event-stream`, a stream.
fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let follows = call.request.header("accept").is_some_and(|accept| accept.contains("text/event-stream"));
    if follows && call.request.method == http::Method::GET {
        let source = Log { admission: call.admission.clone(), seq: position(call.request)? };
        return Ok(Reply::Pieces(Box::new(Follow::new(source, call.ctx.now()))));
    }
    let limit = page::limit(call.request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let mut body = String::new();
    for event in events::after(call.ctx.db, position(call.request)?, limit)? {
        body.push_str(&serde_json::to_string(&event).map_err(|_| Problem::internal())?);
        body.push('\n');
    }
    Ok(Response::text(200, "application/x-ndjson", body).into())
}

/// The log as the source of a stream, including the hand-overs to its reader.
struct Log {
    admission: Admission,
    seq: i64,
}

impl Source for Log {
    const LOOK_MS: u64 = 200;

    fn read(&mut self, ctx: &Ctx<'_>) -> Option<New> {
        let page = events::after(ctx.db, self.seq, DEFAULT_LIMIT).unwrap_or_default();
        if page.is_empty() {
            return Some(New::default());
        }
        // A token that was revoked meanwhile gets nothing more.
        let actor = auth::still(ctx, &self.admission).ok()?;
        let hand_overs = HandOvers::among(ctx, actor, &page);
        let mut text = String::new();
        for event in &page {
            // The hand-over comes before its event, so that a client that is cut off in between gets both again.
            if let Some(data) = hand_overs.as_ref().and_then(|h| h.of(event)) {
                text.push_str(&sse::event_of("handover", &data));
            }
            text.push_str(&sse::event(Some(&event.seq.to_string()), &serde_json::to_string(event).ok()?));
            self.seq = event.seq;
        }
        Some(New { text, more: true })
    }
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[Route::open(
    Verb::Get,
    "/api/events",
    "Reads the event log: one JSON object a line; with `Accept: text/event-stream` the same as \
         server-sent events that go on.",
    Access::Token(ANYONE, Scope::Figures),
    Answer::Other("application/x-ndjson"),
    list,
)
.query(&[
    ("after", "the `seq` of the last event seen; 0 when left out"),
    ("limit", "events on a page, 1 to 1000; 200 when left out. Fewer come if they are large; an empty page is the end"),
])];
