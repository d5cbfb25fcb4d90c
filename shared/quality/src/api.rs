//! The sensitive words.

use crate::model::{NewWords, WordsView};
use crate::steps::{WORDS, words as stored};
use warmline_endpoint::route::{Access, Answer, Call, Route, SUPERVISOR, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::Scope;
use warmline_store::config;

/// `GET /api/quality/words`
pub(crate) fn words(call: &Call<'_>) -> Result<Response, Problem> {
    let version = config::get(call.ctx.db, WORDS)?.map_or(0, |(_, version)| version);
    Ok(Response::json(200, &WordsView { words: stored(&call.ctx)?, version }))
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
    let version = config::put(call.ctx.db, WORDS, &text, call.ctx.now())?;
    Ok(Response::json(200, &WordsView { words, version }))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
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
