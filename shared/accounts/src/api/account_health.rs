//! The health of a channel account: what came last, what was refused and what to check, and whether replies can leave.

use crate::api::accounts::{Named, named};
use schemars::JsonSchema;
use serde::Serialize;
use warmline_channels::AccountError;
use warmline_channels::account_settings::RoutingSettings;
use warmline_channels::advice::advice;
use warmline_channels::registry::{self, Inspected};
use warmline_endpoint::route::{Access, Answer, Call, Route, SUPERVISOR, schema};
use warmline_endpoint::{Problem, Response};
use warmline_model::{AccountId, Channel, Scope, Timestamp};
use warmline_store::{odd_items, outbox, pulls, refusals, waiting};
use warmline_transport::accounts as stored;
use warmline_transport::tokens::Place;

/// Whether an account takes and sends messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// It does.
    Enabled,
    /// Its webhooks are refused, its sources are not asked, replies wait.
    Disabled,
}

impl AccountState {
    /// The state of an account with that `disabled_at`.
    pub fn of(disabled_at: Option<Timestamp>) -> Self {
        if disabled_at.is_some() { Self::Disabled } else { Self::Enabled }
    }
}

/// Webhooks that were refused for one reason.
#[derive(Clone, Serialize, JsonSchema)]
pub struct RefusedView {
    /// Why, as a stable code.
    pub reason: String,
    /// How many there were.
    pub count: i64,
    /// The last one.
    pub last_at: Timestamp,
    /// What to look at.
    pub check: String,
}

/// A setting or secret that does not fit.
#[derive(Serialize, JsonSchema)]
pub struct UnfitView {
    /// Which.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The platform's access token.
#[derive(Serialize, JsonSchema)]
pub struct TokenHealth {
    /// Whether this account's calls take one that is fetched.
    pub wanted: bool,
    /// When the one that is kept ends; `null` where none is kept: it is fetched with the next call.
    pub expires_at: Option<Timestamp>,
    /// Why the platform gave none the last time; `null` where it did, or was not asked.
    pub problem: Option<TokenProblem>,
}

/// Why a platform gave no access token.
#[derive(Serialize, JsonSchema)]
pub struct TokenProblem {
    /// A stable code.
    pub reason: String,
    /// When it was asked.
    pub at: Timestamp,
}

/// A source of messages that are fetched.
#[derive(Serialize, JsonSchema)]
pub struct SourceView {
    /// Its name.
    pub source: String,
    /// Whether it is asked again and again, or only when a webhook says that it holds something.
    pub polled: bool,
    /// Where the last page ended, in the platform's words.
    pub cursor: Option<String>,
    /// When it was asked last.
    pub asked_at: Option<Timestamp>,
    /// When it is asked next; `null`: when a webhook says so.
    pub due_at: Option<Timestamp>,
    /// Failures in a row.
    pub attempts: i64,
    /// Why it could not be asked the last time, as a code.
    pub problem: Option<String>,
}

/// Items of webhooks and pages that could not be read.
#[derive(Serialize, JsonSchema)]
pub struct OddItemsView {
    /// How many.
    pub count: i64,
    /// When the last of them came.
    pub last_at: Timestamp,
    /// What was wrong with it, as a code.
    pub last_reason: String,
}

/// Replies on their way.
#[derive(Serialize, JsonSchema)]
pub struct OutboxHealth {
    /// How many wait.
    pub waiting: i64,
    /// How many were given up.
    pub given_up: i64,
}

/// The account's conversations.
#[derive(Serialize, JsonSchema)]
pub struct ConversationsHealth {
    /// Those that are not closed.
    pub open: i64,
    /// Those of them in which a customer waits for somebody, counted up to 1,000,000.
    pub waiting: i64,
    /// Those of them that may stand in queues; what comes beyond waits outside, and strangers of web chat are refused.
    pub most_waiting: i64,
}

/// How an account does.
#[derive(Serialize, JsonSchema)]
pub struct AccountHealth {
    /// Channel.
    pub channel: Channel,
    /// Id on the channel.
    pub account: AccountId,
    /// The brand's name for it.
    pub name: String,
    /// Whether it takes and sends messages.
    pub state: AccountState,
    /// Since when it is disabled.
    pub disabled_at: Option<Timestamp>,
    /// Where the platform sends its webhooks, below the public address.
    pub webhook: String,
    /// When the platform's last good webhook came, to the minute; `null`: none came.
    pub last_webhook_at: Option<Timestamp>,
    /// The refusals of the reason that came last; `null`: nothing was refused.
    pub last_refused: Option<RefusedView>,
    /// All refusals by reason, the latest first.
    pub refused: Vec<RefusedView>,
    /// Where the stored settings and secrets do not fit this version: what is wrong. A setting of the router's, such as
    /// `group`, is passed over, and the account works; any other stops the account.
    pub unfit: Option<UnfitView>,
    /// Settings and secrets without which no reply, or not every kind of reply, leaves; empty where nothing is missing or the channel takes no replies.
    pub missing_for_sending: Vec<String>,
    /// The platform's access token.
    pub token: TokenHealth,
    /// Where messages are fetched.
    pub sources: Vec<SourceView>,
    /// Items that could not be read, kept sealed; `null` where all could.
    pub odd_items: Option<OddItemsView>,
    /// Replies on their way.
    pub outbox: OutboxHealth,
    /// Conversations.
    pub conversations: ConversationsHealth,
}

/// The highest number of conversations that is counted.
const COUNTED: i64 = 1_000_000;

/// `GET /api/accounts/{channel}/{account}/health`
pub(crate) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    let (ctx, Named { channel, account: id }) = (&call.ctx, named(call)?);
    let account = stored::load(ctx, &channel, &id)?.ok_or_else(crate::api::accounts::missing)?;
    let inspected = registry::inspect(channel.as_str(), &account.settings, &account.secrets, ctx.now());
    let inspected = inspected.unwrap_or_else(|| Inspected {
        proof: "",
        missing_for_sending: Vec::new(),
        anonymous: false,
        wants_token: false,
        unfit: Some(AccountError::new("channel", "no adapter of this version serves it")),
        routing: RoutingSettings::of(account.settings.clone()),
    });
    let refused = refused(call, &channel, &id, inspected.proof)?;
    let (waiting_replies, given_up) = outbox::of_account(ctx.db, &channel, &id)?;
    let most_waiting = match inspected.anonymous {
        true => inspected.routing.most_strangers_waiting(),
        false => inspected.routing.most_waiting(),
    };
    let token = token(call, &channel, &id, inspected.wants_token);
    let health = AccountHealth {
        webhook: format!("/channels/{channel}/{id}"),
        name: account.name,
        state: AccountState::of(account.standing.disabled_at),
        disabled_at: account.standing.disabled_at,
        last_webhook_at: account.standing.heard_at,
        last_refused: refused.first().cloned(),
        refused,
        unfit: inspected.unfit.map(|e| UnfitView { field: e.field, problem: e.problem }),
        missing_for_sending: inspected.missing_for_sending.into_iter().map(str::to_owned).collect(),
        token,
        sources: pulls::of_account(ctx.db, &channel, &id)?.into_iter().map(source).collect(),
        odd_items: odd_items::of_account(ctx.db, &channel, &id)?.map(|odd| OddItemsView {
            count: odd.count,
            last_at: odd.last_at,
            last_reason: odd.last_reason,
        }),
        outbox: OutboxHealth { waiting: waiting_replies, given_up },
        conversations: ConversationsHealth {
            open: waiting::open(ctx.db, &channel, &id)?,
            waiting: waiting::waiting(ctx.db, &channel, &id, COUNTED)?,
            most_waiting,
        },
        channel,
        account: id,
    };
    Ok(Response::json(200, &health))
}

fn refused(call: &Call<'_>, channel: &Channel, id: &AccountId, proof: &str) -> Result<Vec<RefusedView>, Problem> {
    let view = |r: refusals::Reason| RefusedView {
        check: advice(&r.reason, r.ahead_secs, proof),
        reason: r.reason,
        count: r.count,
        last_at: r.last_at,
    };
    Ok(refusals::of_account(call.ctx.db, channel.as_str(), id.as_str())?.into_iter().map(view).collect())
}

fn token(call: &Call<'_>, channel: &Channel, id: &AccountId, wanted: bool) -> TokenHealth {
    if !wanted {
        return TokenHealth { wanted, expires_at: None, problem: None };
    }
    let place = Place::of(&call.ctx, channel.as_str(), id);
    let now = call.ctx.now().millis();
    let kept = place.get(&call.ctx).filter(|kept| kept.ends_at > now);
    let problem = place.problem().map(|p| TokenProblem { reason: p.reason, at: Timestamp::from_millis(p.at) });
    TokenHealth { wanted, expires_at: kept.map(|kept| Timestamp::from_millis(kept.ends_at)), problem }
}

fn source(s: pulls::Source) -> SourceView {
    let pulls::Source { source, polled, cursor, due_at, asked_at, attempts, problem } = s;
    SourceView { source, polled, cursor, asked_at, due_at, attempts, problem }
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[Route::get(
    "/api/accounts/{channel}/{account}/health",
    "Shows how a channel account does: what came last, what was refused and what to check, whether \
         replies can leave.",
    Access::Token(SUPERVISOR, Scope::Configuration),
    Answer::Json(schema::<AccountHealth>),
    get,
)];
