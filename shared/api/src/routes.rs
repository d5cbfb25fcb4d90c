//! The table of routes, and the dispatch from it.

mod people;
mod routing;

use crate::account_health::{self, AccountHealth};
use crate::view::{AccountView, AgentView, ConversationDetail, ConversationView, MessageView, Page};
use crate::{accounts, agents, channels, conversations, documents, events, groups, health, openapi, outbox, tokens};
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::cell::RefCell;
use std::str::FromStr;
use warmline_channels::names;
use warmline_flow::Ctx;
use warmline_flow::ctx::Actor;
use warmline_http::{Problem, Request, Response, auth, idempotency, page};
use warmline_metrics::Figures;
use warmline_model::{Channel, Role, Scope};
use warmline_store::immediate;

/// Adapters that have something to deliver; to be told after the answer was sent.
pub type Wake = Vec<Channel>;

/// One request on its way to its handler.
pub struct Call<'a> {
    /// The world.
    pub ctx: Ctx<'a>,
    /// Who asks.
    pub actor: Actor,
    /// The request.
    pub request: &'a Request,
    params: Vec<&'a str>,
    wake: RefCell<Wake>,
}

impl Call<'_> {
    /// A part of the path; empty beyond the last.
    pub fn param(&self, i: usize) -> &str {
        self.params.get(i).copied().unwrap_or_default()
    }

    /// A part of the path as an id. A text that is none names nothing.
    pub(crate) fn id<T: FromStr>(&self, i: usize, what: &'static str) -> Result<T, Problem> {
        self.param(i).parse().map_err(|_| warmline_flow::FlowError::NotFound(what).into())
    }

    /// Asks for the channel's adapter to be told of a new outbox row.
    pub(crate) fn deliver(&self, channel: &Channel) {
        self.wake.borrow_mut().push(channel.clone());
    }
}

type Handler = fn(&Call<'_>) -> Result<Response, Problem>;
type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Who may use a route.
#[derive(Clone, Copy)]
pub enum Access {
    /// Everybody, without a token.
    Public,
    /// These roles, and always the administrator.
    Roles(&'static [Role]),
}

/// Who serves a route.
#[derive(Clone, Copy)]
pub enum Served {
    /// The desk, with this function; what changes something in one transaction.
    Here(Handler),
    /// The desk, with this function, which makes its own transactions.
    Loose(Handler),
    /// Another component, by the same description.
    By(&'static str),
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
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path, with `{names}`.
    pub path: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Query parameters: name and meaning.
    pub query: &'static [(&'static str, &'static str)],
    /// Who may use it.
    pub access: Access,
    /// The body that it takes.
    pub takes: Option<SchemaOf>,
    /// Status of success.
    pub status: u16,
    /// What it answers with.
    pub answer: Answer,
    /// Who serves it.
    pub served: Served,
    /// Statuses and codes with which it refuses, beside those that [`crate::refusals`] derives from the rest.
    pub refuses: &'static [(u16, &'static str)],
    /// Whether it says something to a customer.
    pub replies: bool,
}

impl Route {
    /// With statuses and codes of its own, beside those that are derived.
    fn refusing(self, refuses: &'static [(u16, &'static str)]) -> Self {
        Self { refuses, ..self }
    }

    /// With a body, and another status of success.
    fn taking(self, takes: Option<SchemaOf>, status: u16) -> Self {
        Self { takes, status, ..self }
    }

    /// Says something to a customer, which the conversation's channel and account must carry.
    fn replying(self) -> Self {
        Self { replies: true, ..self }
    }
}

const PAGE: [(&str, &str); 2] =
    [("limit", "items on a page, 1 to 200; 50 when left out"), ("after", "`next` of the page before")];
/// The parts of the API, by how a path begins; the first that fits.
const SCOPES: [(&str, Scope); 19] = [
    ("/api/conversations", Scope::Conversations),
    ("/api/outbox", Scope::Conversations),
    ("/api/media", Scope::Conversations),
    ("/api/cases", Scope::Conversations),
    ("/api/keys", Scope::Configuration),
    ("/api/queues", Scope::Conversations),
    ("/api/customers", Scope::Customers),
    ("/api/events", Scope::Figures),
    ("/api/metrics", Scope::Figures),
    ("/metrics", Scope::Figures),
    ("/api/staffing", Scope::Figures),
    ("/api/channels", Scope::Configuration),
    ("/api/accounts", Scope::Configuration),
    ("/api/groups", Scope::Configuration),
    ("/api/routing", Scope::Configuration),
    ("/api/quality", Scope::Configuration),
    ("/api/limits", Scope::Configuration),
    ("/api/tick", Scope::Configuration),
    ("/api/agents", Scope::Configuration),
];
/// Those that a part of a path decides, whatever it begins with.
const SCOPES_WITHIN: [(&str, Scope); 9] = [
    ("/api/audit", Scope::Privacy),
    ("/api/retention", Scope::Privacy),
    ("/api/erasures", Scope::Privacy),
    ("/export", Scope::Privacy),
    ("/hold", Scope::Privacy),
    ("/consents", Scope::Privacy),
    ("/unmasked", Scope::Privacy),
    // An agent's own presence is part of the work with conversations.
    ("/state", Scope::Conversations),
    ("/heartbeat", Scope::Conversations),
];

/// The part of the API that a route belongs to; none where it needs no token.
pub fn scope(route: &Route) -> Option<Scope> {
    let within = || SCOPES_WITHIN.iter().find(|(part, _)| route.path.contains(part));
    let begins = || SCOPES.iter().find(|(begin, _)| route.path.starts_with(begin));
    match route.access {
        Access::Public => None,
        Access::Roles(_) => within().or_else(begins).map(|(_, scope)| *scope),
    }
}

const STAFF: Access = Access::Roles(&[Role::Supervisor, Role::Agent]);
const SUPERVISOR: Access = Access::Roles(&[Role::Supervisor]);
const ADMIN: Access = Access::Roles(&[]);
const ANYONE: Access = Access::Roles(&[Role::Supervisor, Role::Agent, Role::Ops]);
const PRIVACY: Access = Access::Roles(&[Role::Privacy]);
const STAFF_AND_PRIVACY: Access = Access::Roles(&[Role::Supervisor, Role::Agent, Role::Privacy]);
const FIGURES: Access = Access::Roles(&[Role::Supervisor, Role::Ops]);

fn get(path: &'static str, summary: &'static str, access: Access, answer: Answer, handler: Handler) -> Route {
    Route {
        method: Method::GET,
        path,
        summary,
        query: &[],
        access,
        takes: None,
        status: 200,
        answer,
        served: Served::Here(handler),
        refuses: &[],
        replies: false,
    }
}

fn write(
    method: Method,
    path: &'static str,
    summary: &'static str,
    access: Access,
    takes: Option<SchemaOf>,
    (status, answer): (u16, SchemaOf),
    handler: Handler,
) -> Route {
    let answer = Answer::Json(answer);
    Route { method, ..get(path, summary, access, answer, handler) }.taking(takes, status)
}

/// All routes of the API.
pub fn routes() -> Vec<Route> {
    let mut all = general();
    all.extend(people::routes());
    all.extend(routing::routes());
    all
}

fn general() -> Vec<Route> {
    use Answer::{Json, Other};
    let elsewhere = |route: Route, component| Route { served: Served::By(component), ..route };
    vec![
        get("/healthz", "Whether the process runs.", Access::Public, Json(schema::<health::Health>), health::live),
        get(
            "/readyz",
            "Whether requests can be served: the store is migrated and takes writes, the master key fits.",
            Access::Public,
            Json(schema::<health::Health>),
            health::ready,
        ),
        get("/api/openapi.json", "This description.", Access::Public, Json(schema::<serde_json::Value>), openapi::serve),
        get(
            "/api/channels",
            "Lists the channels and what each can carry: kinds, lengths, windows for replies.",
            ANYONE,
            Json(schema::<Page<warmline_channels::Capabilities>>),
            channels::list,
        ),
        write(
            Method::POST,
            "/api/accounts",
            "Connects a channel account.",
            ADMIN,
            Some(schema::<accounts::NewAccount>),
            (201, schema::<AccountView>),
            accounts::create,
        )
        .refusing(&[(409, "account_exists")]),
        get("/api/accounts", "Lists channel accounts.", SUPERVISOR, Json(schema::<Page<AccountView>>), accounts::list),
        write(
            Method::PUT,
            "/api/accounts/{channel}/{account}",
            "Changes a channel account: name and settings as a whole. Secrets that are not named keep their values; `null` removes one.",
            ADMIN,
            Some(schema::<accounts::AccountChange>),
            (200, schema::<AccountView>),
            accounts::replace,
        ),
        get(
            "/api/accounts/{channel}/{account}/health",
            "Shows how a channel account does: what came last, what was refused and what to check, whether replies can leave.",
            SUPERVISOR,
            Json(schema::<AccountHealth>),
            account_health::get,
        ),
        write(
            Method::POST,
            "/api/accounts/{channel}/{account}/disable",
            "Disables a channel account: webhooks are refused, sources are not asked, replies wait.",
            ADMIN,
            None,
            (200, schema::<AccountView>),
            accounts::disable,
        ),
        write(
            Method::POST,
            "/api/accounts/{channel}/{account}/enable",
            "Enables a channel account; what waited leaves.",
            ADMIN,
            None,
            (200, schema::<AccountView>),
            accounts::enable,
        ),
        write(
            Method::DELETE,
            "/api/accounts/{channel}/{account}",
            "Deletes a channel account with its secrets; refused while open conversations use it. Its conversations stay.",
            ADMIN,
            None,
            (200, schema::<AccountView>),
            accounts::delete,
        )
        .refusing(&[(409, "account_in_use")]),
        write(
            Method::POST,
            "/api/groups",
            "Adds a skill group.",
            SUPERVISOR,
            Some(schema::<warmline_routing::Group>),
            (201, schema::<groups::GroupView>),
            groups::create,
        )
        .refusing(&[(409, "group_exists"), (409, "plan_changed")]),
        get("/api/groups", "Lists skill groups.", STAFF, Json(schema::<Page<groups::GroupView>>), groups::list),
        write(
            Method::POST,
            "/api/agents",
            "Adds a member of staff. The answer shows the token this once.",
            ADMIN,
            Some(schema::<agents::AgentRequest>),
            (201, schema::<agents::CreatedAgent>),
            agents::create,
        ),
        Route {
            query: &PAGE,
            ..get("/api/agents", "Lists staff.", SUPERVISOR, Json(schema::<Page<AgentView>>), agents::list)
        },
        write(
            Method::POST,
            "/api/agents/{id}/tokens",
            "Makes another token for a member of staff. The answer shows it this once.",
            ADMIN,
            Some(schema::<tokens::NewToken>),
            (201, schema::<tokens::CreatedToken>),
            tokens::create,
        ),
        get(
            "/api/agents/{id}/tokens",
            "Lists a member of staff's tokens, without their secrets.",
            ADMIN,
            Json(schema::<Page<tokens::TokenView>>),
            tokens::list,
        ),
        write(
            Method::DELETE,
            "/api/agents/{id}/tokens/{token}",
            "Revokes a token: the next request with it is refused.",
            ADMIN,
            None,
            (200, schema::<Page<tokens::TokenView>>),
            tokens::revoke,
        ),
        get("/api/agents/{id}", "Shows a member of staff.", STAFF, Json(schema::<AgentView>), agents::get),
        write(
            Method::PUT,
            "/api/agents/{id}/state",
            "Sets presence. Becoming available takes from the queues what fits; going offline gives back what was not accepted.",
            STAFF,
            Some(schema::<agents::StateChange>),
            (200, schema::<AgentView>),
            agents::set_state,
        ),
        Route {
            query: &[
                PAGE[0],
                PAGE[1],
                (
                    "state",
                    "only conversations in that state: open, queued, assigned, waiting_on_customer, wrap_up or closed",
                ),
                ("agent", "only conversations of that agent; agents see their own"),
            ],
            ..get(
                "/api/conversations",
                "Lists conversations, oldest first.",
                STAFF,
                Json(schema::<Page<ConversationView>>),
                conversations::list,
            )
        },
        get(
            "/api/conversations/{id}",
            "Shows a conversation with its messages.",
            STAFF,
            Json(schema::<ConversationDetail>),
            conversations::get,
        ),
        Route {
            query: &PAGE,
            ..get(
                "/api/conversations/{id}/messages",
                "Lists the messages of a conversation in order.",
                STAFF,
                Json(schema::<Page<MessageView>>),
                conversations::list_messages,
            )
        },
        write(
            Method::POST,
            "/api/conversations/{id}/messages",
            "Sends a message to the customer, on the channel and to the identity of the conversation.",
            STAFF,
            Some(schema::<conversations::NewMessage>),
            (201, schema::<MessageView>),
            conversations::reply,
        )
        .replying()
        .refusing(&[(409, "nobody_else")]),
        write(
            Method::POST,
            "/api/conversations/{id}/accept",
            "Accepts an assigned conversation, or takes one from the queue of one of the agent's groups.",
            STAFF,
            None,
            (200, schema::<ConversationView>),
            conversations::accept,
        )
        .refusing(&[(409, "conversation_closed"), (409, "not_yours"), (409, "agent_full"), (409, "agent_offline")]),
        write(
            Method::POST,
            "/api/conversations/{id}/transfer",
            "Hands a conversation to an agent or a group.",
            STAFF,
            Some(schema::<conversations::Transfer>),
            (200, schema::<ConversationView>),
            conversations::transfer,
        )
        .refusing(&[
            (409, "conversation_closed"),
            (409, "not_yours"),
            (409, "same_agent"),
            (409, "agent_full"),
            (409, "agent_offline"),
        ]),
        write(
            Method::POST,
            "/api/conversations/{id}/close",
            "Ends the talk: after-contact work where the group has it (close again to end that), then closed.",
            STAFF,
            Some(schema::<conversations::Close>),
            (200, schema::<ConversationView>),
            conversations::close,
        )
        .refusing(&[(409, "conversation_closed"), (409, "not_yours")]),
        write(
            Method::POST,
            "/api/outbox/{id}/retry",
            "Tries a message again that was given up. The id is the message's.",
            STAFF,
            None,
            (200, schema::<serde_json::Value>),
            conversations::retry,
        )
        .refusing(&[
            (409, "not_dead"),
            (409, "archived"),
            (409, "reply_window_closed"),
            (409, "customer_opted_out"),
        ]),
        Route {
            query: &[
                PAGE[0],
                PAGE[1],
                ("state", "`dead`, also when left out"),
                ("channel", "only messages of that channel"),
                ("account", "only messages of that account"),
                ("reason", "only messages given up for that reason"),
            ],
            ..get(
                "/api/outbox",
                "Lists messages that were given up, with the reason, oldest first; not what they say.",
                FIGURES,
                Json(schema::<outbox::GivenUpPage>),
                outbox::list,
            )
        },
        write(
            Method::POST,
            "/api/outbox/retry",
            "Tries messages again that were given up and that their platform still takes; goes on with `next`.",
            FIGURES,
            Some(schema::<outbox::Retry>),
            (200, schema::<outbox::Retried>),
            outbox::retry,
        )
        .refusing(&[(422, "filter_needed"), (422, "bad_limit"), (422, "bad_cursor")]),
        get(
            "/api/limits",
            "Shows how many requests a token may send.",
            ADMIN,
            Json(schema::<documents::LimitsView>),
            documents::limits,
        ),
        write(
            Method::PUT,
            "/api/limits",
            "Changes how many requests a token may send.",
            ADMIN,
            Some(schema::<warmline_http::pace::Limits>),
            (200, schema::<documents::LimitsView>),
            documents::set_limits,
        ),
        get(
            "/api/quality/words",
            "Shows the sensitive words.",
            SUPERVISOR,
            Json(schema::<documents::WordsView>),
            documents::words,
        ),
        write(
            Method::PUT,
            "/api/quality/words",
            "Replaces the sensitive words; they apply to the next inspected message.",
            SUPERVISOR,
            Some(schema::<documents::NewWords>),
            (200, schema::<documents::WordsView>),
            documents::set_words,
        ),
        Route {
            query: &[
                ("after", "the `seq` of the last event seen; 0 when left out"),
                ("limit", "events on a page, 1 to 1000; 200 when left out"),
            ],
            ..get(
                "/api/events",
                "Reads the event log: one JSON object a line; with `Accept: text/event-stream` the same as server-sent events that go on.",
                ANYONE,
                Other("application/x-ndjson"),
                events::list,
            )
        },
        elsewhere(
            get(
                "/api/media/{id}",
                "Fetches the bytes of a message's medium from its platform.",
                STAFF,
                Other("*/*"),
                health::live,
            )
            .refusing(&[(422, "media_too_large"), (422, "kind_not_supported"), (502, "media_unavailable")]),
            "desk",
        ),
        Route {
            query: &[("hours", "only the last hours; all when left out")],
            ..elsewhere(get("/api/metrics", "Figures.", FIGURES, Json(schema::<Figures>), health::live), "metrics")
        },
        elsewhere(
            get(
                "/metrics",
                "Figures as OpenMetrics text.",
                FIGURES,
                Other("application/openmetrics-text; version=1.0.0; charset=utf-8"),
                health::live,
            ),
            "metrics",
        ),
        elsewhere(
            write(
                Method::POST,
                "/api/tick",
                "Does what is due: drains what nudges missed, time-outs, retries. Idempotent; call it every second or so.",
                Access::Roles(&[Role::Ops]),
                None,
                (200, schema::<serde_json::Value>),
                health::live,
            ),
            "ticker",
        ),
    ]
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

/// Answers a request, and says whom to wake after the answer was sent.
pub fn dispatch(ctx: &Ctx<'_>, admin_token: &str, request: &Request) -> (Result<Response, Problem>, Wake) {
    let mut wake = Wake::new();
    let result = find(request).and_then(|(route, handler, params)| {
        parameters(&route, request)?;
        let actor = match route.access {
            Access::Public => Actor { agent: None, role: Role::Ops },
            Access::Roles(roles) => {
                // A test holds that every route has one.
                let scope = scope(&route).unwrap_or(Scope::Configuration);
                auth::admit(ctx, admin_token, request, roles, scope)?
            }
        };
        let call = Call { ctx: *ctx, actor, request, params, wake: RefCell::default() };
        let told = |problem| told(&route, problem);
        let response = match route.method {
            _ if matches!(route.served, Served::Loose(_)) => handler(&call),
            Method::POST => idempotency::once(ctx, &actor, request, || handler(&call)),
            Method::PUT | Method::DELETE => immediate(ctx.db, || handler(&call)),
            _ => handler(&call),
        };
        wake = call.wake.into_inner();
        response.map_err(told)
    });
    (result, wake)
}

/// Refuses parameters that readers of the query would take differently, or not at all: a filter with a slip in its name would filter
/// nothing. What needs no token is asked by machines, some of which add one against caches.
fn parameters(route: &Route, request: &Request) -> Result<(), Problem> {
    let known: Vec<&str> = route.query.iter().map(|(name, _)| *name).collect();
    for name in request.param_names() {
        if known.contains(&&*name) {
            page::param(request, &name)?;
        } else if matches!(route.access, Access::Roles(_)) {
            let detail = match known[..] {
                [] => "this takes no parameters in the query".to_owned(),
                _ => format!(
                    "the query has a parameter that is not taken here; {}",
                    names::instead(&name, "parameters", &known)
                ),
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

fn find(request: &Request) -> Result<(Route, Handler, Vec<&str>), Problem> {
    // HEAD is GET whose body the host leaves out.
    let method = if request.method == Method::HEAD { Method::GET } else { request.method.clone() };
    let mut allowed: Vec<Method> = Vec::new();
    for route in routes() {
        let Some(params) = fit(route.path, &request.path) else { continue };
        if let (Served::Here(handler) | Served::Loose(handler), true) = (route.served, route.method == method) {
            return Ok((route, handler, params));
        }
        allowed.push(route.method);
    }
    if allowed.is_empty() {
        return Err(Problem::new(404, "not_found", "nothing is served at this path; see /api/openapi.json"));
    }
    if allowed.contains(&Method::GET) {
        allowed.push(Method::HEAD);
    }
    Err(Problem::method(&allowed.iter().map(Method::as_str).collect::<Vec<_>>()))
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

    #[test]
    fn every_route_that_needs_a_token_belongs_to_a_part() {
        for route in routes() {
            assert_eq!(scope(&route).is_none(), matches!(route.access, Access::Public), "{}", route.path);
        }
        let of = |path: &str| routes().iter().find(|r| r.path == path).and_then(scope);
        assert_eq!(of("/api/customers/{id}/timeline"), Some(Scope::Customers));
        assert_eq!(of("/api/customers/{id}/hold"), Some(Scope::Privacy));
        assert_eq!(of("/api/agents/{id}/state"), Some(Scope::Conversations));
        assert_eq!(of("/api/agents/{id}"), Some(Scope::Configuration));
    }

    #[test]
    fn no_two_routes_are_the_same() {
        let mut all: Vec<_> = routes().iter().map(|r| format!("{} {}", r.method, r.path)).collect();
        let n = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), n);
    }
}
