//! The health of a channel account: the last webhook, the refusals and their remedies, and whether replies can leave.

use crate::api::accounts::{Named, named};
use crate::model::{
    AccountHealth, AccountState, ConversationsHealth, OddItemsView, OutboxHealth, RefusedView, SourceView, TokenHealth,
    TokenProblem, UnfitView,
};
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

impl AccountState {
    /// The state of an account with that `disabled_at`.
    pub fn of(disabled_at: Option<Timestamp>) -> Self {
        if disabled_at.is_some() { Self::Disabled } else { Self::Enabled }
    }
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
    let token = token(call, &channel, &id, inspected.wants_token)?;
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

fn token(call: &Call<'_>, channel: &Channel, id: &AccountId, wanted: bool) -> Result<TokenHealth, Problem> {
    if !wanted {
        return Ok(TokenHealth { wanted, expires_at: None, problem: None });
    }
    let credentials = stored::credentials(&call.ctx, channel, id)?.unwrap_or_default();
    let (kept, problem) = Place::of(channel, id, &credentials).read(&call.ctx)?;
    let now = call.ctx.now().millis();
    let expires_at = kept.filter(|kept| kept.ends_at > now).map(|kept| Timestamp::from_millis(kept.ends_at));
    let problem = problem.map(|p| TokenProblem { reason: p.reason, at: p.at });
    Ok(TokenHealth { wanted, expires_at, problem })
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
