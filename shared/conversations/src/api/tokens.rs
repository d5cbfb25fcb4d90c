//! Bearer tokens of staff.

use crate::staff;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_endpoint::page::Page;
use warmline_endpoint::route::{ADMIN, Access, Answer, Call, Route, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_kernel::StepError;
use warmline_model::{AgentId, Scope, Timestamp, TokenId};
use warmline_store::{agents, tokens};

/// A token to be made.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// The number of days after which it ends by itself, 1 to 400. It never ends when this is left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 400))]
    days: Option<i64>,
    /// Whether the agent's other tokens end ten minutes from now. That is time enough to change to this one.
    #[serde(default)]
    replaces: bool,
    /// The scopes that it is narrowed to. When left out, it may do all that its role may.
    #[serde(default)]
    #[schemars(length(min = 1, max = 5))]
    scopes: Option<Vec<Scope>>,
}

/// A token.
#[derive(Serialize, JsonSchema)]
pub struct TokenView {
    /// Id.
    pub id: TokenId,
    /// When it was made.
    pub created_at: Timestamp,
    /// The time at which it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// The scopes that it is narrowed to; `null`: it may do all that its role may.
    pub scopes: Option<Vec<Scope>>,
}

/// A token just made.
#[derive(Serialize, JsonSchema)]
pub struct CreatedToken {
    /// Its description, without the secret.
    #[serde(flatten)]
    pub about: TokenView,
    /// The token. It is shown this once and cannot be read again.
    pub token: String,
}

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
