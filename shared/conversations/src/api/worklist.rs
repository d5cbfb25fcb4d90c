//! The worklist.

use crate::model::{Worklist, WorklistView};
use crate::worklist::{self, Ask, Sort};
use warmline_endpoint::page;
use warmline_endpoint::route::{Access, Answer, Call, Route, STAFF, schema};
use warmline_endpoint::{Problem, Response};
use warmline_model::{Channel, GroupId, Scope};

/// The most rows on a page.
const MAX_ROWS: i64 = 500;
/// The longest text that is sought, in characters.
const MAX_WORDS: usize = 64;

fn text(call: &Call<'_>, name: &'static str) -> Result<Option<String>, Problem> {
    let fits = |text: &str| {
        let text = text.trim();
        (!text.is_empty() && text.chars().count() <= MAX_WORDS).then(|| text.to_owned())
    };
    page::typed(call.request, name, fits)
}

/// `GET /api/worklist`
fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let known = |word: &str| WorklistView::ALL.into_iter().find(|view| view.as_str() == word);
    let ask = Ask {
        view: page::typed(call.request, "view", known)?.unwrap_or(WorklistView::Mine),
        group: page::typed(call.request, "group", |text| GroupId::new(text).ok())?,
        channel: page::typed(call.request, "channel", |text| Channel::new(text).ok())?,
        tag: text(call, "tag")?,
        words: text(call, "q")?,
        sort: page::typed(call.request, "sort", Sort::parse)?.unwrap_or_default(),
        after: page::after(call.request)?,
        limit: usize::try_from(page::limit(call.request, page::DEFAULT_LIMIT, MAX_ROWS)?).unwrap_or(0),
    };
    Ok(Response::json(200, &worklist::read(&call.ctx, &call.actor, &ask)?))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[Route::get(
    "/api/worklist",
    "Lists the open conversations that the caller may see, with what a desk shows of each, and counts those of every view.",
    Access::Token(STAFF, Scope::Conversations),
    Answer::Json(schema::<Worklist>),
    list,
)
.query(&[
    ("limit", "rows on a page, 1 to 500; 50 when left out"),
    ("after", "`next` of the page before, with the same sort"),
    ("view", "mine (also when left out), unanswered, queue, snoozed, mentions, approvals or all"),
    ("group", "only conversations of that group"),
    ("channel", "only conversations on that channel"),
    ("tag", "only persons with that tag, 1 to 64 characters; only conversations that the caller may read"),
    ("q", "only conversations with these 1 to 64 characters in the name or the last message, or with this id; the first 1000 of the view are searched"),
    ("sort", "due (the nearest deadline first; also when left out), waiting (the longest waiting first) or newest"),
])
.agents("their own, those of their groups, and those about which they were asked")];
