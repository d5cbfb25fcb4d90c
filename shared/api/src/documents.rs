//! Documents that operations staff edit: the sensitive words, and the limits of tokens.

use crate::body;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_endpoint::pace::{self, Limits};
use warmline_endpoint::route::{ADMIN, Access, Answer, Call, Route, SUPERVISOR, Verb, schema};
use warmline_endpoint::{Problem, Response};
use warmline_flow::quality;
use warmline_language::SensitiveWord;
use warmline_model::Scope;
use warmline_store::config;

/// The sensitive words.
#[derive(Serialize, JsonSchema)]
pub struct WordsView {
    /// The words.
    pub words: Vec<SensitiveWord>,
    /// Rises with every change; 0 before the first.
    pub version: i64,
}

/// New sensitive words.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWords {
    #[schemars(length(max = 10_000))]
    words: Vec<SensitiveWord>,
}

/// What a token may send.
#[derive(Serialize, JsonSchema)]
pub struct LimitsView {
    /// The limits of each token. The administrator's token of the configuration and those of AI seats have none.
    pub limits: Limits,
    /// Rises with every change; 0 before the first.
    pub version: i64,
}

/// `GET /api/limits`
pub(crate) fn limits(call: &Call<'_>) -> Result<Response, Problem> {
    let view = match config::get(call.ctx.db, pace::SETTINGS)? {
        Some((text, version)) => {
            LimitsView { limits: serde_json::from_str(&text).map_err(|_| Problem::internal())?, version }
        }
        None => LimitsView { limits: Limits::default(), version: 0 },
    };
    Ok(Response::json(200, &view))
}

/// `PUT /api/limits`
pub(crate) fn set_limits(call: &Call<'_>) -> Result<Response, Problem> {
    let limits: Limits = body::read(call.request)?;
    if !limits.are_valid() {
        let detail = "requests_per_second is 1 to 1000, or 0 for no limit; burst is 50 to 100000";
        return Err(Problem::field("bad_limits", "requests_per_second", detail));
    }
    let text = serde_json::to_string(&limits).map_err(|_| Problem::internal())?;
    let version = config::put(call.ctx.db, pace::SETTINGS, &text, call.ctx.now())?;
    Ok(Response::json(200, &LimitsView { limits, version }))
}

/// `GET /api/quality/words`
pub(crate) fn words(call: &Call<'_>) -> Result<Response, Problem> {
    let version = config::get(call.ctx.db, quality::WORDS)?.map_or(0, |(_, version)| version);
    Ok(Response::json(200, &WordsView { words: quality::words(&call.ctx)?, version }))
}

/// `PUT /api/quality/words`
pub(crate) fn set_words(call: &Call<'_>) -> Result<Response, Problem> {
    let NewWords { words } = body::read(call.request)?;
    if words.len() > 10_000 {
        return Err(Problem::field("too_many_words", "words", "at most 10,000 words"));
    }
    for (i, word) in words.iter().enumerate() {
        body::name(&format!("words[{i}].word"), &word.word, 64)?;
        if !word.category.is_empty() {
            body::name(&format!("words[{i}].category"), &word.category, 64)?;
        }
        if warmline_language::normalise(&word.word).is_empty() {
            let detail = "has neither a letter nor a digit and would never be found";
            return Err(Problem::field("bad_word", format!("words[{i}].word"), detail));
        }
        if !(1..=3).contains(&word.severity) {
            return Err(Problem::field("bad_severity", format!("words[{i}].severity"), "severity is 1, 2 or 3"));
        }
    }
    let text = serde_json::to_string(&words).map_err(|_| Problem::internal())?;
    let version = config::put(call.ctx.db, quality::WORDS, &text, call.ctx.now())?;
    Ok(Response::json(200, &WordsView { words, version }))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/limits",
        "Shows how many requests a token may send.",
        Access::Token(ADMIN, Scope::Configuration),
        Answer::Json(schema::<LimitsView>),
        limits,
    ),
    Route::change(
        Verb::Put,
        "/api/limits",
        "Changes how many requests a token may send.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<LimitsView>,
        set_limits,
    )
    .taking(schema::<warmline_endpoint::pace::Limits>),
    Route::get(
        "/api/quality/words",
        "Shows the sensitive words.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        Answer::Json(schema::<WordsView>),
        words,
    ),
    Route::change(
        Verb::Put,
        "/api/quality/words",
        "Replaces the sensitive words; they apply to the next inspected message.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        schema::<WordsView>,
        set_words,
    )
    .taking(schema::<NewWords>),
];
