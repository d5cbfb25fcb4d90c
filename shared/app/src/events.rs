//! The event log: a page of it as NDJSON, or all new events as server-sent events. Both are made from the same pages.

use warmline_conversations::api::handover::HandOvers;
use warmline_conversations::presence;
use warmline_conversations::worklist::{self, Cursor};
use warmline_endpoint::auth::{self, Admission};
use warmline_endpoint::route::{ANYONE, Access, Answer, Call, Reply, Route, Verb};
use warmline_endpoint::sse::{self, Follow, New, Source};
use warmline_endpoint::{Problem, Request, Response, page};
use warmline_kernel::Ctx;
use warmline_model::{Role, Scope};
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
        let parse = |text: &str| if text == "now" { Cursor::now(&call.ctx).ok() } else { text.parse().ok() };
        let followed = page::typed(call.request, "worklist", parse)?;
        if followed.is_some() {
            if !matches!(call.actor.role, Role::Admin | Role::Supervisor | Role::Agent) {
                return Err(Problem::new(403, "forbidden", "only agents and supervisors follow a worklist"));
            }
            worklist::followed(&call.ctx, &call.actor)?;
        }
        let source = Log { admission: call.admission.clone(), seq: position(call.request)?, worklist: followed };
        return Ok(Reply::Pieces(Box::new(Follow::new(source, call.ctx.now()))));
    }
    if page::param(call.request, "worklist")?.is_some() {
        let detail = "worklist is taken by a stream; ask for one with `Accept: text/event-stream`";
        return Err(Problem { field: Some("worklist".into()), ..Problem::new(400, "bad_parameter", detail) });
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
    /// Where the reader's worklist stands, if they follow it.
    worklist: Option<Cursor>,
}

impl Log {
    /// What has changed in the reader's worklist, as events of their own types. Their data has the position with which another
    /// stream goes on.
    fn changed(&mut self, ctx: &Ctx<'_>) -> Option<New> {
        let Some(from) = self.worklist else { return Some(New::default()) };
        // A store that is busy for a moment is asked again.
        if Cursor::now(ctx).is_ok_and(|now| now == from) {
            return Some(New::default());
        }
        let actor = auth::still(ctx, &self.admission).ok()?;
        let Ok(changed) = worklist::changes(ctx, &actor, from) else { return Some(New::default()) };
        let mut text = String::new();
        for id in changed.presence {
            let Some(me) = actor.agent else { break };
            if !worklist::concerns(ctx, me, id).unwrap_or(false) {
                continue;
            }
            let Ok(there) = presence::read(ctx, &actor, id) else { continue };
            let data = serde_json::json!({ "conversation": id, "present": there.present });
            text.push_str(&sse::event_of("presence", &data.to_string()));
        }
        if let Some(worklist) = &changed.worklist {
            text.push_str(&sse::event_of("worklist", &serde_json::to_string(worklist).ok()?));
        }
        self.worklist = Some(changed.cursor);
        Some(New { text, more: changed.more })
    }
}

impl Source for Log {
    const LOOK_MS: u64 = 200;

    fn read(&mut self, ctx: &Ctx<'_>) -> Option<New> {
        let page = events::after(ctx.db, self.seq, DEFAULT_LIMIT).unwrap_or_default();
        if page.is_empty() {
            return self.changed(ctx);
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
    (
        "worklist",
        "only of a stream: `cursor` of a worklist, or `now`; the stream then also has events of the types `worklist` and `presence`",
    ),
    ("limit", "events on a page, 1 to 1000; 200 when left out. Fewer come if they are large; an empty page is the end"),
])];
