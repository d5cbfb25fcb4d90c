//! The components that have something to do, served by the ticker component.

use crate::tick::{ROUTER, same};
use warmline_endpoint::Problem;
use warmline_endpoint::route::{Access, Answer, Call, OPS, Reply, Route, Verb, schema};
use warmline_kernel::Ctx;
use warmline_model::Scope;
use warmline_store::{StoreError, outbox, pulls};

table!(
    /// The components of followers, each with the path to call. Empty for the router's, and for capabilities without a
    /// follower.
    FOLLOWERS: (&str, &str) = |capability| match capability.follower {
        Some(follower) if !same(follower.component, ROUTER) => (follower.component, follower.path),
        _ => ("", ""),
    }, or ("", "")
);

/// The components that have something to do, each with the path to call.
pub fn calls(ctx: &Ctx<'_>) -> Result<Vec<(String, &'static str)>, StoreError> {
    let mut calls = vec![(ROUTER.to_owned(), "/tick")];
    let followers = FOLLOWERS.iter().filter(|(component, _)| !component.is_empty());
    calls.extend(followers.map(|(component, path)| ((*component).to_owned(), *path)));
    let channels = outbox::due_channels(ctx.db, ctx.now())?;
    calls.extend(channels.into_iter().map(|channel| (format!("channel-{channel}"), "/deliver")));
    let channels = pulls::due_channels(ctx.db, ctx.now())?;
    calls.extend(channels.into_iter().map(|channel| (format!("channel-{channel}"), "/pull")));
    Ok(calls)
}

/// `POST /api/tick`
fn due(call: &Call<'_>) -> Result<Reply, Problem> {
    Ok(Reply::Calls(calls(&call.ctx)?))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[Route::open(
    Verb::Post,
    "/api/tick",
    "Does what is due: drains what nudges missed, time-outs, retries. Idempotent; call it every second or so.",
    Access::Token(OPS, Scope::Configuration),
    Answer::Json(schema::<serde_json::Value>),
    due,
)
.by("ticker")];
