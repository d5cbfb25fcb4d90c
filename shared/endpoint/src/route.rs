//! Routes: what is served where, to whom, and by which function. Nothing of a route is derived from its path: who may use it, within which
//! scope of a token, stands in its row.
//!
//! A resource has its rows beside its handlers, in a `const ROUTES`. Requests are dispatched from the rows and the description is made of
//! them.

use crate::auth::{self, Admission};
use crate::message::{Request, Response};
use crate::problem::Problem;
use crate::{idempotency, page};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::cell::RefCell;
use std::str::FromStr;
use warmline_channels::names;
use warmline_kernel::ctx::Actor;
use warmline_kernel::{Ctx, StepError};
use warmline_model::{Channel, Role, Scope};
use warmline_store::immediate;

/// Adapters that have something to deliver; to be told after the answer was sent.
pub type Wake = Vec<Channel>;

/// Parameters of the query: name and meaning.
pub type Query = &'static [(&'static str, &'static str)];

/// A schema, of a type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of a type.
pub fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// `limit` of a page.
pub const LIMIT: (&str, &str) = ("limit", "items on a page, 1 to 200; 50 when left out");
/// `after` of a page.
pub const AFTER: (&str, &str) = ("after", "`next` of the page before");
/// The parameters of a list that comes in pages.
pub const PAGE: Query = &[LIMIT, AFTER];

/// The administrator alone.
pub const ADMIN: &[Role] = &[];
/// Supervisors.
pub const SUPERVISOR: &[Role] = &[Role::Supervisor];
/// Supervisors and agents.
pub const STAFF: &[Role] = &[Role::Supervisor, Role::Agent];
/// Supervisors, agents and operations.
pub const ANYONE: &[Role] = &[Role::Supervisor, Role::Agent, Role::Ops];
/// Supervisors and operations.
pub const FIGURES: &[Role] = &[Role::Supervisor, Role::Ops];
/// Operations.
pub const OPS: &[Role] = &[Role::Ops];
/// Privacy officers.
pub const PRIVACY: &[Role] = &[Role::Privacy];
/// Supervisors, agents and privacy officers.
pub const STAFF_AND_PRIVACY: &[Role] = &[Role::Supervisor, Role::Agent, Role::Privacy];

/// One request on its way to its handler.
pub struct Call<'a> {
    /// The world.
    pub ctx: Ctx<'a>,
    /// Who asks. Nobody where the route is public.
    pub actor: Actor,
    /// The request.
    pub request: &'a Request,
    /// How the actor was admitted, for an answer that goes on.
    pub admission: Admission,
    params: Vec<&'a str>,
    wake: RefCell<Wake>,
}

impl Call<'_> {
    /// A part of the path; empty beyond the last.
    pub fn param(&self, i: usize) -> &str {
        self.params.get(i).copied().unwrap_or_default()
    }

    /// A part of the path as an id. A malformed id is answered like an unknown one.
    ///
    /// # Errors
    /// It is malformed.
    pub fn id<T: FromStr>(&self, i: usize, what: &'static str) -> Result<T, Problem> {
        self.param(i).parse().map_err(|_| StepError::NotFound(what).into())
    }

    /// Asks for the channel's adapter to be told of a new outbox row.
    pub fn deliver(&self, channel: &Channel) {
        self.wake.borrow_mut().push(channel.clone());
    }
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, without a token.
    Public,
    /// These roles, and always the administrator, with a token whose scopes include this one.
    Token(&'static [Role], Scope),
}

/// A method that routes take. HEAD is GET whose body the host leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET.
    Get,
    /// POST, once for an `Idempotency-Key`.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

impl Verb {
    /// As it stands in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A handler whose answer is whole.
pub type Whole = fn(&Call<'_>) -> Result<Response, Problem>;
/// A handler whose answer may go on.
pub type Open = fn(&Call<'_>) -> Result<Reply, Problem>;

/// How a route is served.
#[derive(Clone, Copy)]
pub enum Handler {
    /// By this function; what changes something in one transaction.
    Whole(Whole),
    /// By this function, which makes its own transactions.
    Loose(Whole),
    /// By this function, whose answer may go on.
    Open(Open),
}

/// What a route answers with.
#[derive(Clone, Copy)]
pub enum Answer {
    /// JSON of that shape.
    Json(SchemaOf),
    /// Another media type.
    Other(&'static str),
}

/// One route.
#[derive(Clone, Copy)]
pub struct Route {
    /// Method.
    pub verb: Verb,
    /// Path, with `{names}`.
    pub path: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Query parameters.
    pub query: Query,
    /// Who may use it.
    pub access: Access,
    /// The body that it takes.
    pub takes: Option<SchemaOf>,
    /// Status of success.
    pub status: u16,
    /// What it answers with.
    pub answer: Answer,
    /// How it is served.
    pub handler: Handler,
    /// The component that serves it.
    pub component: &'static str,
    /// Statuses and codes with which it refuses, beside those that follow from the rest.
    pub refuses: &'static [(u16, &'static str)],
    /// Whether it says something to a customer.
    pub replies: bool,
    /// What of it agents may use, as it stands in brackets; empty: all.
    pub agents: &'static str,
}

impl Route {
    /// A route that reads.
    pub const fn get(path: &'static str, summary: &'static str, access: Access, answer: Answer, handler: Whole) -> Self {
        let none: Open = |_| Err(Problem::internal());
        Self { handler: Handler::Whole(handler), ..Self::open(Verb::Get, path, summary, access, answer, none) }
    }

    /// A route whose answer may go on.
    pub const fn open(
        verb: Verb,
        path: &'static str,
        summary: &'static str,
        access: Access,
        answer: Answer,
        handler: Open,
    ) -> Self {
        Self {
            verb,
            path,
            summary,
            query: &[],
            access,
            takes: None,
            status: 200,
            answer,
            handler: Handler::Open(handler),
            component: "desk",
            refuses: &[],
            replies: false,
            agents: "",
        }
    }

    /// A route that changes something.
    pub const fn change(
        verb: Verb,
        path: &'static str,
        summary: &'static str,
        access: Access,
        answer: SchemaOf,
        handler: Whole,
    ) -> Self {
        Self { verb, ..Self::get(path, summary, access, Answer::Json(answer), handler) }
    }

    /// With these parameters in the query.
    pub const fn query(self, query: Query) -> Self {
        Self { query, ..self }
    }

    /// With a body of that shape.
    pub const fn taking(self, takes: SchemaOf) -> Self {
        Self { takes: Some(takes), ..self }
    }

    /// With another status of success.
    pub const fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// With statuses and codes of its own, beside those that follow from the rest.
    pub const fn refusing(self, refuses: &'static [(u16, &'static str)]) -> Self {
        Self { refuses, ..self }
    }

    /// Says something to a customer, which the conversation's channel and account must carry.
    pub const fn replying(self) -> Self {
        Self { replies: true, ..self }
    }

    /// Agents may use only that of it: the handler sees to it.
    pub const fn agents(self, agents: &'static str) -> Self {
        Self { agents, ..self }
    }

    /// Served by another component than the desk.
    pub const fn by(self, component: &'static str) -> Self {
        Self { component, ..self }
    }

    /// Its handler makes its own transactions.
    pub const fn loose(self) -> Self {
        match self.handler {
            Handler::Whole(handler) => Self { handler: Handler::Loose(handler), ..self },
            _ => self,
        }
    }
}

/// An answer.
pub enum Reply {
    /// A whole one.
    Whole(Response),
    /// One that is made while it is sent.
    Pieces(Box<dyn Pieces>),
    /// Calls of other components at private paths, each a component and a path; the answer says which of them answered.
    Calls(Vec<(String, &'static str)>),
    /// What a channel's adapter answers at a private path.
    Relay {
        /// The channel.
        channel: Channel,
        /// The path, with its query.
        path: String,
    },
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self::Whole(response)
    }
}

/// The next part of an answer that is made while it is sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Nothing now; ask again after so many milliseconds.
    Wait(u64),
    /// Nothing more.
    End,
}

/// An answer that is made while it is sent, with status 200. One that cannot be finished breaks off, so that nobody takes it for whole.
pub trait Pieces {
    /// Its headers.
    fn headers(&self) -> Vec<(&'static str, &'static str)>;

    /// The next part.
    ///
    /// # Errors
    /// It cannot go on.
    fn next(&mut self, ctx: &Ctx<'_>) -> Result<Piece, Problem>;
}

/// The parts of `path` that stand where the pattern has names; `None` where the path does not fit.
fn fit<'p>(pattern: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let (mut names, mut rest) = (Vec::new(), path.split('/'));
    for part in pattern.split('/') {
        let found = rest.next()?;
        if part.starts_with('{') {
            if found.is_empty() {
                return None;
            }
            names.push(found);
        } else if part != found {
            return None;
        }
    }
    rest.next().is_none().then_some(names)
}

/// Answers a request to a component from its routes, and says whom to wake after the answer was sent. `routes` may hold those of other
/// components: to these the component says which methods their paths take.
pub fn dispatch<'r>(
    ctx: &Ctx<'_>,
    admin_token: &str,
    request: &Request,
    component: &str,
    routes: impl IntoIterator<Item = &'r Route>,
) -> (Result<Reply, Problem>, Wake) {
    let mut wake = Wake::new();
    let result = find(request, component, routes).and_then(|(route, params)| {
        parameters(route, request)?;
        let admission = Admission::of(request, admin_token, route.access);
        let actor = auth::admit(ctx, &admission)?;
        let call = Call { ctx: *ctx, actor, request, admission, params, wake: RefCell::default() };
        let reply = match (route.handler, route.verb) {
            (Handler::Open(handler), _) => handler(&call),
            (Handler::Loose(handler), _) | (Handler::Whole(handler), Verb::Get) => handler(&call).map(Reply::from),
            (Handler::Whole(handler), Verb::Post) => {
                idempotency::once(ctx, &actor, request, || handler(&call)).map(Reply::from)
            }
            (Handler::Whole(handler), Verb::Put | Verb::Delete) => immediate(ctx.db, || handler(&call)).map(Reply::from),
        };
        wake = call.wake.into_inner();
        reply.map_err(|problem| told(route, problem))
    });
    (result, wake)
}

/// Refuses parameters that readers of the query would take differently, or not at all: a filter with a slip in its name would filter
/// nothing. Public routes are asked by machines, some of which add a parameter against caches.
fn parameters(route: &Route, request: &Request) -> Result<(), Problem> {
    let known: Vec<&str> = route.query.iter().map(|(name, _)| *name).collect();
    for name in request.param_names() {
        if known.contains(&&*name) {
            page::param(request, &name)?;
        } else if route.access != Access::Public {
            let detail = match known[..] {
                [] => "this takes no parameters in the query".to_owned(),
                _ => {
                    format!(
                        "the query has a parameter that is not taken here; {}",
                        names::instead(&name, "parameters", &known)
                    )
                }
            };
            let field = Some(name).filter(|name| name.len() <= 64);
            return Err(Problem { field, ..Problem::new(400, "unknown_parameter", detail) });
        }
    }
    Ok(())
}

/// What a parameter is for, behind the refusal of its value.
fn told(route: &Route, problem: Problem) -> Problem {
    let meaning = route.query.iter().find(|(name, _)| problem.field.as_deref() == Some(name)).map(|(_, meaning)| meaning);
    match meaning {
        Some(meaning) if problem.code == "bad_parameter" => {
            Problem { detail: format!("{}: {meaning}", problem.detail), ..problem }
        }
        _ => problem,
    }
}

fn find<'r, 'p>(
    request: &'p Request,
    component: &str,
    routes: impl IntoIterator<Item = &'r Route>,
) -> Result<(&'r Route, Vec<&'p str>), Problem> {
    let asked = if request.method == http::Method::HEAD { "GET" } else { request.method.as_str() };
    let mut allowed: Vec<&str> = Vec::new();
    for route in routes {
        let Some(params) = fit(route.path, &request.path) else { continue };
        if route.component == component && route.verb.as_str() == asked {
            return Ok((route, params));
        }
        allowed.push(route.verb.as_str());
    }
    if allowed.is_empty() {
        return Err(Problem::new(404, "not_found", "nothing is served at this path; see /api/openapi.json"));
    }
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    Err(Problem::method(&allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_fit_part_by_part() {
        assert_eq!(fit("/a/{x}/c", "/a/b/c"), Some(vec!["b"]));
        for other in ["/a/b", "/a/b/c/d", "/a//c", "/x/b/c", "a/b/c", "/a/b/c/"] {
            assert_eq!(fit("/a/{x}/c", other), None, "{other}");
        }
    }
}
