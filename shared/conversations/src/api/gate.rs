//! The dry run of the gate, for composers that ask while an agent is writing.

use crate::api::conversations::{self, written};
use crate::converse;
use crate::model::{GateAnswer, GateCheck, Left, NewMessage, Verdict};
use warmline_endpoint::route::{Access, Call, Route, STAFF, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::Scope;

/// `POST /api/gate/check`
fn check(call: &Call<'_>) -> Result<Response, Problem> {
    let GateCheck { conversation: id, content, reply_all } = body::read(call.request)?;
    conversations::check(&content)?;
    let refused = |code: &str, detail: String, parts| GateAnswer {
        verdict: Verdict::Refuse,
        code: Some(code.to_owned()),
        detail: Some(detail),
        parts,
        left: None,
    };
    let answer = match written(call, id, NewMessage { content, reply_all }) {
        // The channel does not carry it. All other errors are about the request itself.
        Err(problem) if matches!(problem.status, 409 | 422) => refused(problem.code, problem.detail, 0),
        Err(problem) => return Err(problem),
        Ok((conversation, contents)) => match converse::may_reply(&call.ctx, &call.actor, &conversation, contents.len())? {
            Err(refusal) => refused(refusal.code(), refusal.advice().to_owned(), contents.len()),
            Ok(left) => GateAnswer {
                verdict: Verdict::Send,
                code: None,
                detail: None,
                parts: contents.len(),
                left: left.map(|left| Left { replies: left.replies, of: left.of, until: left.until }),
            },
        },
    };
    Ok(Response::json(200, &answer))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[Route::change(
    Verb::Post,
    "/api/gate/check",
    "Says whether a message would go out to the customer now, in how many parts, and what the platform takes after it. Nothing \
     is sent or stored.",
    Access::Token(STAFF, Scope::Conversations),
    schema::<GateAnswer>,
    check,
)
.taking(schema::<GateCheck>)
.loose()
.refusing(&[(404, "not_found"), (410, "erased"), (422, "not_a_mail")])
.agents("of conversations that they may read")];
