//! Bearer tokens of staff.

use crate::model::{CreatedToken, NewToken, TokenView};
use crate::staff;
use warmline_endpoint::page::Page;
use warmline_endpoint::route::{ADMIN, Access, Answer, Call, Route, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_kernel::StepError;
use warmline_model::{AgentId, Scope};
use warmline_store::{agents, tokens};

impl From<tokens::Token> for TokenView {
    fn from(t: tokens::Token) -> Self {
        Self { id: t.id, created_at: t.created_at, expires_at: t.expires_at, scopes: t.scopes }
    }
}

/// The member of staff named in the path.
fn agent(call: &Call<'_>) -> Result<agents::Agent, Problem> {
    let id: AgentId = call.id(0, "agent")?;
    let found = agents::get(call.ctx.db, id)?.filter(|a| a.removed_at.is_none());
    Ok(found.ok_or(StepError::NotFound("agent"))?)
}

/// `POST /api/agents/{id}/tokens`
pub(crate) fn create(call: &Call<'_>) -> Result<Response, Problem> {
    let new: NewToken = body::read(call.request)?;
    if new.days.is_some_and(|days| !(1..=400).contains(&days)) {
        return Err(Problem::field("bad_days", "days", "a token lasts 1 to 400 days, or for ever where days is left out"));
    }
    if new.scopes.as_ref().is_some_and(|scopes| scopes.is_empty() || scopes.len() > Scope::ALL.len()) {
        return Err(Problem::field("bad_scopes", "scopes", "name at least one scope and each once, or leave scopes out"));
    }
    let agent = agent(call)?;
    let new = staff::NewToken { days: new.days, replaces: new.replaces, scopes: new.scopes };
    let (about, token) = staff::new_token(&call.ctx, agent.id, agent.role, &new)?;
    Ok(Response::json(201, &CreatedToken { about: about.into(), token }))
}

/// `GET /api/agents/{id}/tokens`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let items = tokens::of(call.ctx.db, agent(call)?.id)?.into_iter().map(TokenView::from).collect();
    Ok(Response::json(200, &Page { items, next: None }))
}

/// `DELETE /api/agents/{id}/tokens/{token}`
pub(crate) fn revoke(call: &Call<'_>) -> Result<Response, Problem> {
    let (agent, token) = (agent(call)?.id, call.id(1, "token")?);
    if !tokens::revoke(call.ctx.db, agent, token, call.ctx.now())? {
        return Err(StepError::NotFound("token").into());
    }
    list(call)
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::change(
        Verb::Post,
        "/api/agents/{id}/tokens",
        "Makes another token for a member of staff. The answer shows it this once.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<CreatedToken>,
        create,
    )
    .taking(schema::<NewToken>)
    .status(201),
    Route::get(
        "/api/agents/{id}/tokens",
        "Lists a member of staff's tokens, without their secrets.",
        Access::Token(ADMIN, Scope::Configuration),
        Answer::Json(schema::<Page<TokenView>>),
        list,
    ),
    Route::change(
        Verb::Delete,
        "/api/agents/{id}/tokens/{token}",
        "Revokes a token: the next request with it is refused.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<Page<TokenView>>,
        revoke,
    ),
];
