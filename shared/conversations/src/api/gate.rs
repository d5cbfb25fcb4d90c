//! The dry run of the gate, for composers that ask while an agent is writing.

use crate::api::conversations::{self, written};
use crate::contact;
use crate::converse;
use crate::converse::{Checked, How};
use crate::model::{ContactRulesView, GateAnswer, GateCheck, NewContactRules, Verdict};
use warmline_endpoint::route::{Access, Answer, Call, Route, STAFF, SUPERVISOR, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::Scope;

/// `POST /api/gate/check`
fn check(call: &Call<'_>) -> Result<Response, Problem> {
    let GateCheck { conversation: id, content, reply_all, send_at, purpose } = body::read(call.request)?;
    conversations::check(&content)?;
    let when = conversations::when(call, send_at, None)?;
    let how = How { when, seen: None, purpose: conversations::purpose(purpose.as_deref())? };
    let refused = |code: &str, detail: String, parts, findings| GateAnswer {
        verdict: Verdict::Refuse,
        code: Some(code.to_owned()),
        detail: Some(detail),
        parts,
        until: None,
        findings,
        left: None,
    };
    let (conversation, contents) = match written(call, id, content, reply_all) {
        // The channel does not carry it. All other errors are about the request itself.
        Err(problem) if matches!(problem.status, 409 | 422) => {
            return Ok(Response::json(200, &refused(problem.code, problem.detail, 0, Vec::new())));
        }
        written => written?,
    };
    let Checked { verdict, findings, parts } = converse::check(&call.ctx, &call.actor, &conversation, &contents, &how)?;
    let parts = parts.len();
    let (verdict, until, left) = match verdict {
        Err(refusal) => {
            return Ok(Response::json(200, &refused(refusal.code(), refusal.advice().to_owned(), parts, findings)));
        }
        Ok(warmline_gate::Verdict::Send { left }) => (Verdict::Send, None, left),
        Ok(warmline_gate::Verdict::Hold { until, left }) => (Verdict::Hold, Some(until), left),
        Ok(warmline_gate::Verdict::Approve { left }) => (Verdict::Approve, None, left),
    };
    Ok(Response::json(200, &GateAnswer { verdict, code: None, detail: None, parts, until, findings, left }))
}

/// `GET /api/contact-rules`
fn rules(call: &Call<'_>) -> Result<Response, Problem> {
    let (rules, version) = contact::rules(&call.ctx)?;
    Ok(Response::json(200, &ContactRulesView { rules, version }))
}

/// `PUT /api/contact-rules`
fn set_rules(call: &Call<'_>) -> Result<Response, Problem> {
    let NewContactRules { rules } = body::read(call.request)?;
    let version = contact::set_rules(&call.ctx, &call.actor, &rules)?;
    Ok(Response::json(200, &ContactRulesView { rules, version }))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::change(
        Verb::Post,
        "/api/gate/check",
        "Says whether a message would go out to the customer now, in how many parts, which words in it have an effect, and what \
         the platform takes after it. Nothing is sent or stored.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<GateAnswer>,
        check,
    )
    .taking(schema::<GateCheck>)
    .loose()
    .refusing(&[(404, "not_found"), (410, "erased"), (422, "not_a_mail")])
    .agents("of conversations that they may read"),
    Route::get(
        "/api/contact-rules",
        "Shows at which hours and how often people are approached with messages that answer nobody.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        Answer::Json(schema::<ContactRulesView>),
        rules,
    ),
    Route::change(
        Verb::Put,
        "/api/contact-rules",
        "Replaces these rules. They apply to the next message, and to those that wait.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        schema::<ContactRulesView>,
        set_rules,
    )
    .taking(schema::<NewContactRules>),
];
