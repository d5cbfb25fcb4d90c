//! The routes.

use crate::model::{DeliveryView, HookSecret, HookView, NewHook, State};
use crate::steps::{self, Hook, Shown};
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{ADMIN, AFTER, Access, Answer, Call, LIMIT, Route, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::{HookDeliveryId, Scope};

impl From<Hook> for HookView {
    fn from(hook: Hook) -> Self {
        let (disabled_at, disabled_reason) = hook.disabled.unzip();
        Self {
            id: hook.id,
            url: hook.url,
            types: hook.types,
            description: hook.description,
            enabled: disabled_at.is_none(),
            disabled_at,
            disabled_reason,
            failing_since: hook.failing_since,
            previous_secret_until: hook.previous.map(|(_, until)| until),
            created_at: hook.created_at,
        }
    }
}

impl From<Shown> for HookSecret {
    fn from(Shown { hook, secret }: Shown) -> Self {
        Self { hook: hook.into(), secret }
    }
}

fn read(call: &Call<'_>) -> Result<NewHook, Problem> {
    let new: NewHook = body::read(call.request)?;
    body::length("url", &new.url, 1, 2_000)?;
    Ok(new)
}

/// `POST /api/hooks`
fn create(call: &Call<'_>) -> Result<Response, Problem> {
    let made = steps::create(&call.ctx, &call.actor, &read(call)?)?;
    Ok(Response::json(201, &HookSecret::from(made)))
}

/// `GET /api/hooks`
fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let items = crate::store::hooks::list(call.ctx.db)?.into_iter().map(HookView::from).collect();
    Ok(Response::json(200, &Page { items, next: None }))
}

/// `GET /api/hooks/{id}`
fn show(call: &Call<'_>) -> Result<Response, Problem> {
    let hook = steps::get(&call.ctx, call.id(0, "hook")?)?;
    Ok(Response::json(200, &HookView::from(hook)))
}

/// `PUT /api/hooks/{id}`
fn replace(call: &Call<'_>) -> Result<Response, Problem> {
    let id = call.id(0, "hook")?;
    let hook = steps::change(&call.ctx, &call.actor, id, &read(call)?)?;
    Ok(Response::json(200, &HookView::from(hook)))
}

/// `DELETE /api/hooks/{id}`
fn delete(call: &Call<'_>) -> Result<Response, Problem> {
    let hook = steps::delete(&call.ctx, &call.actor, call.id(0, "hook")?)?;
    Ok(Response::json(200, &HookView::from(hook)))
}

/// `POST /api/hooks/{id}/rotate`
fn rotate(call: &Call<'_>) -> Result<Response, Problem> {
    let made = steps::rotate(&call.ctx, &call.actor, call.id(0, "hook")?)?;
    Ok(Response::json(200, &HookSecret::from(made)))
}

/// `POST /api/hooks/{id}/test`
fn test(call: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(202, &steps::test(&call.ctx, &call.actor, call.id(0, "hook")?)?))
}

/// `GET /api/hooks/{id}/deliveries`
fn deliveries(call: &Call<'_>) -> Result<Response, Problem> {
    let id = call.id(0, "hook")?;
    let state = page::typed(call.request, "state", State::parse)?;
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let before = page::after::<HookDeliveryId>(call.request)?;
    let found = steps::list(&call.ctx, id, state, before, limit + 1)?;
    Ok(Response::json(200, &Page::cut(found, limit, |delivery: &DeliveryView| delivery.id.to_string())))
}

/// `POST /api/hooks/deliveries/{id}/retry`
fn retry(call: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(202, &steps::retry(&call.ctx, &call.actor, call.id(0, "delivery")?)?))
}

const ACCESS: Access = Access::Token(ADMIN, Scope::Configuration);
/// What is refused in the body of a hook.
const FIELDS: &[(u16, &str)] = &[(422, "bad_url"), (422, "url_not_allowed"), (422, "bad_type")];

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::change(
        Verb::Post,
        "/api/hooks",
        "Subscribes a system of the brand's own to events, from now on; shows the secret once.",
        ACCESS,
        schema::<HookSecret>,
        create,
    )
    .taking(schema::<NewHook>)
    .status(201)
    .refusing(&[(409, "too_many_hooks"), (422, "bad_url"), (422, "url_not_allowed"), (422, "bad_type")]),
    Route::get("/api/hooks", "Lists the hooks, oldest first.", ACCESS, Answer::Json(schema::<Page<HookView>>), list),
    Route::get("/api/hooks/{id}", "Shows a hook.", ACCESS, Answer::Json(schema::<HookView>), show),
    Route::change(
        Verb::Put,
        "/api/hooks/{id}",
        "Replaces a hook's address, types and description; enables or disables it. Its secret stays.",
        ACCESS,
        schema::<HookView>,
        replace,
    )
    .taking(schema::<NewHook>)
    .refusing(FIELDS),
    Route::change(
        Verb::Delete,
        "/api/hooks/{id}",
        "Deletes a hook with its secret and its deliveries.",
        ACCESS,
        schema::<HookView>,
        delete,
    ),
    Route::change(
        Verb::Post,
        "/api/hooks/{id}/rotate",
        "Gives a hook another secret and shows it once; the one before signs as well for 24 hours.",
        ACCESS,
        schema::<HookSecret>,
        rotate,
    ),
    Route::change(
        Verb::Post,
        "/api/hooks/{id}/test",
        "Sends a `hooks.test` to a hook, as any other delivery.",
        ACCESS,
        schema::<DeliveryView>,
        test,
    )
    .status(202)
    .refusing(&[(409, "hook_disabled"), (409, "too_many_waiting")]),
    Route::get(
        "/api/hooks/{id}/deliveries",
        "Lists a hook's deliveries, newest first: their tries, the last answer, the next try.",
        ACCESS,
        Answer::Json(schema::<Page<DeliveryView>>),
        deliveries,
    )
    .query(&[LIMIT, AFTER, ("state", "`waiting`, `delivered` or `dead`")]),
    Route::change(
        Verb::Post,
        "/api/hooks/deliveries/{id}/retry",
        "Tries a delivery again that was given up.",
        ACCESS,
        schema::<DeliveryView>,
        retry,
    )
    .status(202)
    .refusing(&[(409, "not_dead")]),
];
