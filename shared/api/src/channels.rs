//! The channels and what they can carry.

use crate::routes::Call;
use crate::view::Page;
use warmline_channels::registry;
use warmline_http::{Problem, Response};

/// `GET /api/channels`
pub(crate) fn list(_: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(200, &Page { items: registry::all(), next: None }))
}
