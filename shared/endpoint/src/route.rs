//! Routes: the path, access and function of everything that is served. Nothing about a route is derived from its path.
//! Its row states the roles and the token scope that may use it.
//!
//! Each resource keeps its rows next to its handlers, in a `const ROUTES`. Requests are dispatched from these rows, and the
//! OpenAPI description is made from them.

pub use crate::auth::Access;
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
use warmline_model::{Channel, Role};
use warmline_store::immediate;

/// The channels whose adapters have something to deliver. They are woken after the answer was sent.
pub type Wake = Vec<Channel>;

/// The parameters of the query: name and meaning.
pub type Query = &'static [(&'static str, &'static str)];

/// A function that returns the schema of a type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of a type. The description of the API is written from the routes before the components are built, and
/// components serve that file. In a component a route's schema is therefore empty, so that it does not carry the schema
/// of every type.
pub fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    if cfg!(target_family = "wasm") { Schema::default() } else { generator.subschema_for::<T>() }
}

/// `limit` of a page.
pub const LIMIT: (&str, &str) = ("limit", "items on a page, 1 to 200; 50 when left out");
/// `after` of a page.
pub const AFTER: (&str, &str) = ("after", "`next` of the page before");
/// The parameters of a list that comes in pages.
pub const PAGE: Query = &[LIMIT, AFTER];

/// Only the administrator.
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
    /// The step context.
    pub ctx: Ctx<'a>,
    /// The sender of the request. Public routes have no agent here.
    pub actor: Actor,
    /// The request.
    pub request: &'a Request,
    /// The admission of the actor, for an answer that continues (a stream).
    pub admission: Admission,
    params: Vec<&'a str>,
    wake: RefCell<Wake>,
}

impl Call<'_> {
    /// A named part of the path; empty beyond the last.
    pub fn param(&self, i: usize) -> &str {
        self.params.get(i).copied().unwrap_or_default()
    }

    /// A named part of the path, as an id. A malformed id is answered like an unknown one (404).
    ///
    /// # Errors
    /// The id is malformed.
    pub fn id<T: FromStr>(&self, i: usize, what: &'static str) -> Result<T, Problem> {
        self.param(i).parse().map_err(|_| StepError::NotFound(what).into())
    }

    /// Wakes the channel's adapter after the answer, because the outbox has a new row.
    pub fn deliver(&self, channel: &Channel) {
        self.wake.borrow_mut().push(channel.clone());
    }
}

/// A method of a route. HEAD is treated as GET, and the host leaves out the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET.
    Get,
    /// POST, which takes effect once per `Idempotency-Key`.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

impl Verb {
    /// The method as requests spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A handler that returns a complete answer.
pub type Whole = fn(&Call<'_>) -> Result<Response, Problem>;
/// A handler whose answer may also be produced while it is sent, or come from other components (see [`Reply`]).
pub type Open = fn(&Call<'_>) -> Result<Reply, Problem>;

/// The way in which a route is served.
#[derive(Clone, Copy)]
pub enum Handler {
    /// By this function. If the route changes something, it runs in one transaction.
    Whole(Whole),
    /// By this function, which makes its own transactions.
    Loose(Whole),
    /// By this function, which returns any [`Reply`].
    Open(Open),
}

/// The kind of a route's answer.
#[derive(Clone, Copy)]
pub enum Answer {
    /// JSON with that schema.
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
    /// A summary of its effect, for the description.
    pub summary: &'static str,
    /// Query parameters.
    pub query: Query,
    /// The callers who may use it.
    pub access: Access,
    /// The schema of its body, if it takes one.
    pub takes: Option<SchemaOf>,
    /// Status of success.
    pub status: u16,
    /// Another status of success, and the schema of its answer.
    pub or: Option<(u16, SchemaOf)>,
    /// The kind of its answer.
    pub answer: Answer,
    /// The way in which it is served.
    pub handler: Handler,
    /// The component that serves it.
    pub component: &'static str,
    /// Statuses and codes of its refusals, besides those that follow from the other fields.
    pub refuses: &'static [(u16, &'static str)],
    /// Whether it sends something to a customer.
    pub replies: bool,
    /// The part of the route that agents may use, as the description shows it in brackets. Empty: all of it.
    pub agents: &'static str,
}

impl Route {
    /// A route that reads.
    pub const fn get(path: &'static str, summary: &'static str, access: Access, answer: Answer, handler: Whole) -> Self {
        let none: Open = |_| Err(Problem::internal());
        Self { handler: Handler::Whole(handler), ..Self::open(Verb::Get, path, summary, access, answer, none) }
    }

    /// A route whose handler returns any [`Reply`].
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
            or: None,
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

    /// Adds these query parameters.
    pub const fn query(self, query: Query) -> Self {
        Self { query, ..self }
    }

    /// Adds a body with that schema.
    pub const fn taking(self, takes: SchemaOf) -> Self {
        Self { takes: Some(takes), ..self }
    }

    /// Sets another status of success.
    pub const fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Adds another status of success, with another answer.
    pub const fn or(self, status: u16, answer: SchemaOf) -> Self {
        Self { or: Some((status, answer)), ..self }
    }

    /// Adds statuses and codes of its own, besides those that follow from the other fields.
    pub const fn refusing(self, refuses: &'static [(u16, &'static str)]) -> Self {
        Self { refuses, ..self }
    }

    /// Marks it as sending something to a customer. The conversation's channel and account must carry that.
    pub const fn replying(self) -> Self {
        Self { replies: true, ..self }
    }

    /// Limits agents to the named part of the route. The handler enforces this.
    pub const fn agents(self, agents: &'static str) -> Self {
        Self { agents, ..self }
    }

    /// Sets the component that serves it, if it is not the desk.
    pub const fn by(self, component: &'static str) -> Self {
        Self { component, ..self }
    }

    /// Lets its handler make its own transactions.
    pub const fn loose(self) -> Self {
        match self.handler {
            Handler::Whole(handler) => Self { handler: Handler::Loose(handler), ..self },
            _ => self,
        }
    }
}

/// The answer of a handler.
pub enum Reply {
    /// A complete answer.
    Whole(Response),
    /// An answer that is produced while it is sent.
    Pieces(Box<dyn Pieces>),
    /// Calls of other components at private paths, as pairs of component and path. The answer lists the components that
    /// answered.
    Calls(Vec<(String, &'static str)>),
    /// The answer of a channel's adapter at a private path.
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

/// The next part of an answer that is produced while it is sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Nothing now. Ask again after this many milliseconds.
    Wait(u64),
    /// The answer is complete.
    End,
}

/// An answer that is produced while it is sent, with status 200. If it cannot be finished, it breaks off, so that
/// nobody takes it for complete.
pub trait Pieces {
    /// Its headers.
    fn headers(&self) -> Vec<(&'static str, &'static str)>;

    /// The next part.
    ///
    /// # Errors
    /// The answer cannot continue.
    fn next(&mut self, ctx: &Ctx<'_>) -> Result<Piece, Problem>;
}

/// The parts of `path` that stand at the pattern's names; `None` if the path does not fit.
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

/// Answers a request to a component from its routes, and returns the channels to wake after the answer was sent.
/// `routes` may include other components' routes. For their paths, the answer lists the accepted methods.
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

/// Refuses a query parameter that is unknown or given twice: a filter with a typing error in its name would filter
/// nothing. Public routes accept unknown parameters, because some of the machines that call them add one against
/// caches.
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

/// Appends the parameter's meaning to the refusal of its value.
fn told(route: &Route, problem: Problem) -> Problem {
    let meaning = route.query.iter().find(|(name, _)| problem.field.as_deref() == Some(name)).map(|(_, meaning)| meaning);
    match meaning {
        Some(meaning) if problem.code == "bad_parameter" => {
            Problem { detail: format!("{}. Its meaning: {meaning}", problem.detail), ..problem }
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
