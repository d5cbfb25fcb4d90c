//! The master keys and how many keys each wraps, and the rotation of the master key.

use crate::model::{KeysView, RotatedView};
use warmline_endpoint::route::{ADMIN, Access, Answer, Call, PRIVACY, Route, Verb, schema};
use warmline_endpoint::{Problem, Response};
use warmline_kernel::keys;
use warmline_model::Scope;

/// The greatest number of customers' keys that one call wraps again.
const AT_ONCE: i64 = 1_000;

/// `GET /api/keys`
pub(crate) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    let keys = call.ctx.keys;
    let customers = keys::by_master(&call.ctx)?.into_iter().map(|(id, n)| (id.to_string(), n)).collect();
    let (master, root) = (keys.master().to_string(), keys.root_master().to_string());
    Ok(Response::json(200, &KeysView { master, root, customers, receipts: keys.receipts().public_key() }))
}

/// `POST /api/keys/rotate`
pub(crate) fn rotate(call: &Call<'_>) -> Result<Response, Problem> {
    let keys::Rotated { rewrapped, more } = keys::rotate(&call.ctx, AT_ONCE)?;
    Ok(Response::json(200, &RotatedView { rewrapped, more }))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/keys",
        "Shows which master keys wrap how many customers' keys, and the public key of receipts.",
        Access::Token(PRIVACY, Scope::Configuration),
        Answer::Json(schema::<KeysView>),
        get,
    ),
    Route::change(
        Verb::Post,
        "/api/keys/rotate",
        "Wraps up to 1,000 keys anew by the master key in force; repeat while there are more. Content is \
         not touched.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<RotatedView>,
        rotate,
    )
    .loose()
    .refusing(&[(409, "master_key_missing")]),
];
