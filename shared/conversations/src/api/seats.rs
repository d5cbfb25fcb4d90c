//! Actions on a conversation's seat: explaining its place, its place in the queue, assigning it, consulting a colleague,
//! and the turns of AI seats.

use crate::ai::{self, Answered};
use crate::api::carry;
use crate::model::{Assign, Consult, ConversationView, DecisionView, Note, TurnRequest, TurnView};
use crate::store::rosters;
use crate::{converse, place};
use std::collections::btree_map::Entry::Vacant;
use warmline_customers::api::messages::messages;
use warmline_customers::model::MessageView;
use warmline_endpoint::page::Page;
use warmline_endpoint::route::{Access, Answer, Call, Route, STAFF, SUPERVISOR, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::{AgentId, ConversationId, EventBody, Scope};
use warmline_routing::handover::Turn;
use warmline_routing::{Entry, Rosters};
use warmline_store::events;

const MAX_NOTE: usize = 4_000;
/// The most decisions shown.
const SHOWN: i64 = 50;

fn id(call: &Call<'_>) -> Result<ConversationId, Problem> {
    call.id(0, "conversation")
}

/// `GET /api/conversations/{id}/routing`
pub(crate) fn routing(call: &Call<'_>) -> Result<Response, Problem> {
    let conversation = converse::find(&call.ctx, &call.actor, id(call)?)?;
    let (mut shown, mut known) = (Vec::new(), Rosters::new());
    for event in events::decisions(call.ctx.db, conversation.id, SHOWN)? {
        let EventBody::RoutingDecided(value) = event.body else { continue };
        let Ok(entry) = Entry::read(&value) else { continue };
        for number in entry.rosters() {
            if let Vacant(place) = known.entry(number)
                && let Some(agents) = rosters::get(call.ctx.db, number)?
            {
                place.insert(agents);
            }
        }
        let decision = entry.decision(event.at, &known);
        shown.extend(decision.map(|decision| DecisionView { at: event.at, seq: event.seq, decision }));
    }
    Ok(Response::json(200, &Page { items: shown, next: None }))
}

/// `GET /api/conversations/{id}/queue`
pub(crate) fn queue(call: &Call<'_>) -> Result<Response, Problem> {
    let conversation = converse::find(&call.ctx, &call.actor, id(call)?)?;
    match (place::rank_of(&conversation), &conversation.group) {
        (Some(rank), Some(group)) => Ok(Response::json(200, &place::standing(&call.ctx, group, rank, conversation.id)?)),
        _ => Err(Problem::new(409, "not_queued", "the conversation is in no queue now")),
    }
}

/// `POST /api/conversations/{id}/assign`
pub(crate) fn assign(call: &Call<'_>) -> Result<Response, Problem> {
    let Assign { agent } = body::read(call.request)?;
    let conversation = converse::assign(&call.ctx, &call.actor, id(call)?, agent)?;
    Ok(Response::json(200, &ConversationView::from(conversation)))
}

/// `POST /api/conversations/{id}/consult`
pub(crate) fn consult(call: &Call<'_>) -> Result<Response, Problem> {
    let Consult { agent, note } = body::read(call.request)?;
    if let Some(note) = &note {
        body::length("note", note, 1, MAX_NOTE)?;
    }
    let conversation = converse::consult(&call.ctx, &call.actor, id(call)?, agent, note.as_deref())?;
    Ok(Response::json(200, &ConversationView::from(conversation)))
}

/// `DELETE /api/conversations/{id}/consult/{agent}`
pub(crate) fn end_consult(call: &Call<'_>) -> Result<Response, Problem> {
    let agent: AgentId = call.id(1, "agent")?;
    converse::end_consult(&call.ctx, &call.actor, id(call)?, agent)?;
    Ok(Response::json(200, &serde_json::json!({})))
}

/// `POST /api/conversations/{id}/notes`
pub(crate) fn note(call: &Call<'_>) -> Result<Response, Problem> {
    let Note { text } = body::read(call.request)?;
    body::length("text", &text, 1, MAX_NOTE)?;
    let message = converse::leave_note(&call.ctx, &call.actor, id(call)?, &text)?;
    let conversation = converse::find(&call.ctx, &call.actor, message.conversation)?;
    let shown = messages(&call.ctx, conversation.customer, &[message])?;
    Ok(Response::json(201, &shown.first()))
}

/// `POST /api/conversations/{id}/turn`
pub(crate) fn turn(call: &Call<'_>) -> Result<Response, Problem> {
    let TurnRequest { messages: said, turn } = body::read(call.request)?;
    if said.len() > 10 {
        return Err(Problem::field("too_many_messages", "messages", "a turn takes at most 10 messages"));
    }
    if turn.confidence.is_some_and(|c| !(0.0..=1.0).contains(&c)) {
        return Err(Problem::field("bad_confidence", "turn.confidence", "a confidence is from 0 to 1"));
    }
    if said.is_empty() && turn == Turn::default() {
        return Err(Problem::field("empty_turn", "messages", "say something, or say that no answer was found: failed"));
    }
    said.iter().try_for_each(body::own_words)?;
    let conversation = converse::find(&call.ctx, &call.actor, id(call)?)?;
    let contents = converse::labelled(&call.ctx, &call.actor, &conversation, said)?;
    carry::check(call, &conversation, &contents, "messages")?;
    let view = match ai::turn(&call.ctx, &call.actor, conversation.id, &turn, &contents)? {
        Answered::Said(stored) => {
            call.deliver(&conversation.channel);
            TurnView { messages: messages(&call.ctx, conversation.customer, &stored)?, handed_over: None }
        }
        Answered::HandedOver(reason) => TurnView { messages: Vec::new(), handed_over: Some(reason) },
    };
    Ok(Response::json(200, &view))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/conversations/{id}/routing",
        "Explains where a conversation is: its decisions, newest first, each with every seat and why it \
         was refused or ranked.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<Page<DecisionView>>),
        routing,
    )
    .agents("those that they may read"),
    Route::get(
        "/api/conversations/{id}/queue",
        "Shows the place of a conversation in its queue, and the expected wait.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<crate::model::Standing>),
        queue,
    )
    .refusing(&[(409, "not_queued")])
    .agents("those that they may read"),
    Route::change(
        Verb::Post,
        "/api/conversations/{id}/assign",
        "Gives a conversation to an agent: out of a queue or out of another agent's hands.",
        Access::Token(SUPERVISOR, Scope::Conversations),
        schema::<ConversationView>,
        assign,
    )
    .taking(schema::<Assign>)
    .refusing(&[
        (409, "conversation_closed"),
        (409, "not_yours"),
        // Of a message that could still be taken back.
        (409, "account_disabled"),
        (409, "reply_window_closed"),
        (409, "reply_quota_used"),
        (409, "words_blocked"),
        (409, "same_agent"),
        (409, "agent_full"),
        (409, "agent_offline"),
    ]),
    Route::change(
        Verb::Post,
        "/api/conversations/{id}/consult",
        "Asks a colleague about a conversation, which stays where it is: the colleague reads it and \
         writes notes.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<ConversationView>,
        consult,
    )
    .taking(schema::<Consult>)
    .refusing(&[(409, "conversation_closed"), (409, "not_yours"), (409, "same_agent")])
    .agents("their own"),
    Route::change(
        Verb::Delete,
        "/api/conversations/{id}/consult/{agent}",
        "Ends a consultation.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<serde_json::Value>,
        end_consult,
    )
    .refusing(&[(409, "not_yours")])
    .agents("their own"),
    Route::change(
        Verb::Post,
        "/api/conversations/{id}/notes",
        "Leaves a note for colleagues; the customer never sees it.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<MessageView>,
        note,
    )
    .taking(schema::<Note>)
    .status(201)
    .refusing(&[(409, "conversation_closed"), (409, "not_yours")])
    .agents("their own"),
    Route::change(
        Verb::Post,
        "/api/conversations/{id}/turn",
        "An AI seat answers, and says how sure it is; by the group's policy its messages go to the \
         customer or people take over.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<TurnView>,
        turn,
    )
    .taking(schema::<TurnRequest>)
    .replying()
    .refusing(&[(409, "customer_opted_out")])
    .agents("AI seats"),
];
