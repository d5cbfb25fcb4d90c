//! The sensitive words.

use crate::model::{NewWords, WordsView};
use crate::steps;
use warmline_endpoint::route::{Access, Answer, Call, Route, SUPERVISOR, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_language::SensitiveWord;
use warmline_model::Scope;

/// `GET /api/quality/words`
pub(crate) fn words(call: &Call<'_>) -> Result<Response, Problem> {
    let (words, version) = steps::words(&call.ctx)?;
    Ok(Response::json(200, &WordsView { words, version }))
}

/// `PUT /api/quality/words`
pub(crate) fn set_words(call: &Call<'_>) -> Result<Response, Problem> {
    let NewWords { words } = body::read(call.request)?;
    if words.len() > 10_000 {
        return Err(Problem::field("too_many_words", "words", "at most 10,000 words"));
    }
    for (i, word) in words.iter().enumerate() {
        check(&format!("words[{i}]"), word)?;
    }
    let (words, version) = steps::set_words(&call.ctx, words)?;
    Ok(Response::json(200, &WordsView { words, version }))
}

fn check(at: &str, word: &SensitiveWord) -> Result<(), Problem> {
    body::name(&format!("{at}.word"), &word.word, 64)?;
    if !word.category.is_empty() {
        body::name(&format!("{at}.category"), &word.category, 64)?;
    }
    if warmline_language::normalise(&word.word).is_empty() {
        let detail = "has neither a letter nor a digit and would never be found";
        return Err(Problem::field("bad_word", format!("{at}.word"), detail));
    }
    if !(1..=3).contains(&word.severity) {
        return Err(Problem::field("bad_severity", format!("{at}.severity"), "severity is 1, 2 or 3"));
    }
    if word.allow.len() > 32 {
        return Err(Problem::field("too_many", format!("{at}.allow"), "at most 32 phrases"));
    }
    for (n, phrase) in word.allow.iter().enumerate() {
        let field = format!("{at}.allow[{n}]");
        body::name(&field, phrase, 64)?;
        if !warmline_language::is_exception(phrase, &word.word) {
            return Err(Problem::field("bad_word", field, "a phrase contains the word, and more letters or digits than it"));
        }
    }
    Ok(())
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
        "Replaces the sensitive words. They apply to the next message that is sent or inspected.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        schema::<WordsView>,
        set_words,
    )
    .taking(schema::<NewWords>),
];
