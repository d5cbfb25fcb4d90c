//! Messages that were given up: a list of them, and another try for many at once.

use crate::given_up;
use crate::model::{GivenUp, GivenUpPage, Retried, Retry};
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{AFTER, Access, Answer, Call, FIGURES, LIMIT, Route, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::{AccountId, Channel, Scope};
use warmline_store::outbox::{Dead, Filter};

/// Messages that one call makes due again if the request does not say.
const DEFAULT_LIMIT: i64 = 100;
/// The most messages that one call makes due again.
const MAX_LIMIT: i64 = 500;

impl From<Dead> for GivenUp {
    fn from(dead: Dead) -> Self {
        Self {
            id: dead.message,
            conversation: dead.conversation,
            channel: dead.channel,
            account: dead.account,
            reason: dead.reason,
            attempts: dead.attempts,
            at: dead.created_at,
            given_up_at: dead.dead_at,
        }
    }
}

/// `GET /api/outbox`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let request = call.request;
    page::typed(request, "state", |state| (state == "dead").then_some(()))?;
    let channel = page::typed(request, "channel", |text| Channel::new(text).ok())?;
    let account = page::typed(request, "account", |text| AccountId::new(text).ok())?;
    let reason = page::typed(request, "reason", |text| body::code("reason", text).ok().map(|()| text.to_owned()))?;
    let filter = Filter {
        channel: channel.as_ref().map(Channel::as_str),
        account: account.as_ref().map(AccountId::as_str),
        reason: reason.as_deref(),
        ..Filter::default()
    };
    let limit = page::limit(request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let after = page::after::<i64>(request)?.unwrap_or(0);
    let found = given_up::list(&call.ctx, &filter, after, limit + 1)?;
    let count = given_up::count(&call.ctx, &filter)?;
    let Page { items, next } = Page::cut(found, limit, |dead| dead.seq.to_string());
    let page = Page { items: items.into_iter().map(GivenUp::from).collect(), next };
    Ok(Response::json(200, &GivenUpPage { count, page }))
}

/// `POST /api/outbox/retry`
pub(crate) fn retry(call: &Call<'_>) -> Result<Response, Problem> {
    let asked: Retry = body::read(call.request)?;
    if let Some(reason) = &asked.reason {
        body::code("reason", reason)?;
    }
    let filter = Filter {
        channel: asked.channel.as_ref().map(Channel::as_str),
        account: asked.account.as_ref().map(AccountId::as_str),
        reason: asked.reason.as_deref(),
        but: None,
        since: asked.since,
        until: asked.until,
    };
    let named = filter.channel.or(filter.account).or(filter.reason).is_some();
    if !named && filter.since.or(filter.until).is_none() {
        let detail = "say which messages are meant: name a channel, account, reason, since or until";
        return Err(Problem::field("filter_needed", "channel", detail));
    }
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::field("bad_limit", "limit", format!("limit is a number from 1 to {MAX_LIMIT}")));
    }
    let wrong = || Problem::field("bad_cursor", "after", "after takes `next` of an answer of this call");
    let after = asked.after.as_deref().unwrap_or("0");
    let digits = after.bytes().all(|b| b.is_ascii_digit());
    let after: i64 = after.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
    let done = given_up::revive(&call.ctx, &call.actor, &filter, (after, limit), asked.dry_run)?;
    if !asked.dry_run {
        done.channels.iter().for_each(|channel| call.deliver(channel));
    }
    let next = done.next.map(|seq| seq.to_string());
    let view = Retried { retried: done.revived, too_late: done.too_late, dry_run: asked.dry_run, next };
    Ok(Response::json(200, &view))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/outbox",
        "Lists messages that were given up, with the reason, oldest first; not what they say.",
        Access::Token(FIGURES, Scope::Conversations),
        Answer::Json(schema::<GivenUpPage>),
        list,
    )
    .query(&[
        LIMIT,
        AFTER,
        ("state", "`dead`, also when left out"),
        ("channel", "only messages of that channel"),
        ("account", "only messages of that account"),
        ("reason", "only messages given up for that reason"),
    ]),
    Route::change(
        Verb::Post,
        "/api/outbox/retry",
        "Tries messages again that were given up and that their platform still takes; goes on with \
         `next`.",
        Access::Token(FIGURES, Scope::Conversations),
        schema::<Retried>,
        retry,
    )
    .taking(schema::<Retry>)
    .refusing(&[(422, "filter_needed"), (422, "bad_limit"), (422, "bad_cursor")]),
];
