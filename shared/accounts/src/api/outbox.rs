//! Messages that were given up: a list of them, and another try for many at once.

use crate::given_up;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{AFTER, Access, Answer, Call, FIGURES, LIMIT, Route, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::{AccountId, Channel, ConversationId, MessageId, Scope, Timestamp};
use warmline_store::outbox::{Dead, Filter};

/// Messages that one call makes due again if the request does not say.
const DEFAULT_LIMIT: i64 = 100;
/// The most messages that one call makes due again.
const MAX_LIMIT: i64 = 500;

/// A message that was given up. Its content is in its conversation.
#[derive(Serialize, JsonSchema)]
pub struct GivenUp {
    /// The message.
    pub id: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Channel.
    pub channel: Channel,
    /// Account.
    pub account: AccountId,
    /// The reason, as a stable code.
    pub reason: String,
    /// Tries made.
    pub attempts: i64,
    /// The time at which it was written.
    pub at: Timestamp,
    /// The time at which it was given up.
    pub given_up_at: Timestamp,
}

/// A page of messages that were given up.
#[derive(Serialize, JsonSchema)]
pub struct GivenUpPage {
    /// The number of such messages, counted up to 10,000.
    pub count: i64,
    /// The page.
    #[serde(flatten)]
    pub page: Page<GivenUp>,
}

/// Selects the messages to try again. At least one of the first five fields must be given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Only of this channel.
    #[serde(default)]
    channel: Option<Channel>,
    /// Only of this account.
    #[serde(default)]
    account: Option<AccountId>,
    /// Only messages given up for this reason. Messages that the customer may already have are tried only if this is
    /// `perhaps_delivered`.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    reason: Option<String>,
    /// Only messages given up at this instant or later.
    #[serde(default)]
    since: Option<Timestamp>,
    /// Only messages given up before this instant.
    #[serde(default)]
    until: Option<Timestamp>,
    /// The number of messages that this call looks at, 1 to 500; 100 when left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    limit: Option<i64>,
    /// The `next` of the answer before, to continue.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{1,19}$"))]
    after: Option<String>,
    /// Whether the call only reports the messages that it would try again, and changes nothing.
    #[serde(default)]
    dry_run: bool,
}

/// The result of a call.
#[derive(Serialize, JsonSchema)]
pub struct Retried {
    /// Messages that are tried again, or would be.
    pub retried: i64,
    /// Messages that stay given up: their time or the platform's window is over, they are in the archive, or they are
    /// automatic and the customer wants no such messages.
    pub too_late: i64,
    /// Whether this was a dry run, which changed nothing.
    pub dry_run: bool,
    /// The position for the next call: pass it as `after`. Absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

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
