//! The routes of figures, served by the metrics component.

use crate::figures::Figures;
use crate::steps;
use warmline_endpoint::route::{Access, Answer, Call, FIGURES, Route, schema};
use warmline_endpoint::{Problem, Response, page};
use warmline_model::Scope;

/// The figures, after new events were folded.
fn read(call: &Call<'_>) -> Result<Figures, Problem> {
    steps::catch_up(&call.ctx)?;
    let hours = page::typed(call.request, "hours", |t| t.parse().ok().filter(|n| *n > 0))?;
    Ok(steps::read(&call.ctx, hours)?)
}

/// `GET /api/metrics`
fn figures_of(call: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(200, &read(call)?))
}

/// `GET /metrics`
fn open_metrics(call: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::text(200, OPEN_METRICS, read(call)?.open_metrics()))
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/metrics",
        "Figures.",
        Access::Token(FIGURES, Scope::Figures),
        Answer::Json(schema::<Figures>),
        figures_of,
    )
    .query(&[("hours", "only the last hours; all when left out")])
    .by("metrics"),
    Route::get(
        "/metrics",
        "Figures as OpenMetrics text.",
        Access::Token(FIGURES, Scope::Figures),
        Answer::Other(OPEN_METRICS),
        open_metrics,
    )
    .by("metrics"),
];
