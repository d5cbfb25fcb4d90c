//! Conversations and their messages.

use crate::api::{carry, held};
use crate::converse::{self, How, Target, When, Written};
use crate::model::{Close, ConversationDetail, ConversationView, HeldView, NewMessage, Transfer, TransferTarget};
use crate::store;
use std::rc::Rc;
use warmline_customers::api::messages::messages;
use warmline_customers::model::MessageView;
use warmline_customers::people;
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{AFTER, Access, Answer, Call, LIMIT, PAGE, Route, STAFF, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_gate::Purpose;
use warmline_kernel::StepError;
use warmline_kernel::archive::Reader;
use warmline_kernel::tampering::{self, Broken};
use warmline_model::{AgentId, Content, ConversationId, ConversationState, MessageId, Scope, Timestamp};
use warmline_store::{archive, conversations, outbox};
use warmline_transport::deliver;

/// The longest text of any channel, in characters.
const MAX_TEXT: usize = 4_000;

fn id(call: &Call<'_>) -> Result<ConversationId, Problem> {
    call.id(0, "conversation")
}

/// `GET /api/conversations`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let after = page::after(call.request)?;
    let state = page::typed(call.request, "state", ConversationState::parse)?;
    let agent = page::typed(call.request, "agent", |t| t.parse::<AgentId>().ok())?;
    let db = call.ctx.db;
    let items = match call.actor.agent.filter(|_| !call.actor.supervises()) {
        None => conversations::list(db, after, limit + 1, state, agent)?,
        Some(me) if agent.is_some_and(|asked| asked != me) => {
            return Err(Problem::new(403, "not_yours", "agents list their own conversations; leave `agent` out"));
        }
        // Nobody has a queued conversation. Agents see those that wait for their groups.
        Some(me) if state == Some(ConversationState::Queued) => conversations::list_queues_of(db, me, after, limit + 1)?,
        Some(me) => conversations::list(db, after, limit + 1, state, Some(me))?,
    };
    let items = items.into_iter().map(ConversationView::from).collect();
    Ok(Response::json(200, &Page::cut(items, limit, |c: &ConversationView| c.id.to_string())))
}

/// `GET /api/conversations/{id}`
pub(crate) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    let conversation = converse::read(&call.ctx, &call.actor, id(call)?)?;
    let page = messages_page(call, &conversation, 0, page::MAX_LIMIT)?;
    let name = people::name(&call.ctx, conversation.identity)?.map(|name| warmline_identity::masked_name(&name));
    let kept = archive::stage(call.ctx.db, conversation.id)?.into();
    let held = store::held::of_conversation(call.ctx.db, conversation.id, page::MAX_LIMIT)?;
    let held = held.into_iter().map(|held| held::view(held, Vec::new())).collect();
    let mut conversation = ConversationView::from(conversation);
    conversation.customer.name = name;
    Ok(Response::json(200, &ConversationDetail { conversation, kept, held, messages: page.items, next: page.next }))
}

fn messages_page(
    call: &Call<'_>,
    conversation: &conversations::Conversation,
    after: i64,
    limit: i64,
) -> Result<Page<MessageView>, Problem> {
    let stored = Reader::new(&call.ctx, Rc::new(conversation.clone())).after(after, limit + 1)?;
    let items = messages(&call.ctx, conversation.customer, &stored)?;
    let altered = stored.iter().zip(&items).filter(|(_, shown)| shown.content.is_none());
    let altered: Vec<_> = altered.map(|(m, _)| Broken::message(conversation.customer, m)).collect();
    tampering::tell(&call.ctx, &altered)?;
    Ok(Page::cut(items, limit, |m| m.n.to_string()))
}

/// `GET /api/conversations/{id}/messages`
pub(crate) fn list_messages(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let after: Option<u32> = page::after(call.request)?;
    let conversation = converse::read(&call.ctx, &call.actor, id(call)?)?;
    Ok(Response::json(200, &messages_page(call, &conversation, after.map_or(0, i64::from), limit)?))
}

/// Checks a message, whatever its channel.
///
/// # Errors
/// It has no words or too many.
pub(crate) fn check(content: &Content) -> Result<(), Problem> {
    if let Content::Text { text, .. } = content {
        if text.chars().count() > MAX_TEXT {
            return Err(Problem::new(413, "text_too_long", format!("a message takes at most {MAX_TEXT} characters")));
        }
        if text.trim().is_empty() {
            return Err(Problem::field("empty_text", "content.text", "a message needs a text"));
        }
    }
    body::own_words(content)
}

/// The longest time ahead for which a message can be written, in days.
const MAX_AHEAD_DAYS: i64 = 30;

/// When a message is to go.
///
/// # Errors
/// The instant is past or too far ahead, or there are two answers.
pub(crate) fn when(call: &Call<'_>, send_at: Option<Timestamp>, undo_secs: Option<i64>) -> Result<When, Problem> {
    let now = call.ctx.now();
    match (send_at, undo_secs) {
        (Some(_), Some(_)) => {
            Err(Problem::field("bad_time", "undo_secs", "send_at names the time already; leave undo_secs out"))
        }
        (Some(at), None) if at <= now || at > now.plus_millis(MAX_AHEAD_DAYS * 86_400_000) => {
            let detail = format!("a message goes at an instant after now, at most {MAX_AHEAD_DAYS} days ahead");
            Err(Problem::field("bad_time", "send_at", detail))
        }
        (Some(at), None) => Ok(When::At(at)),
        (None, Some(secs)) if (0..=120).contains(&secs) => Ok(When::In(secs)),
        (None, Some(_)) => Err(Problem::field("bad_time", "undo_secs", "a message waits for 0 to 120 seconds")),
        (None, None) => Ok(When::Usual),
    }
}

/// The purpose of a message.
///
/// # Errors
/// It is none.
pub(crate) fn purpose(text: Option<&str>) -> Result<Option<Purpose>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let detail = "a purpose is service, survey or marketing, a dot, and a code of 1 to 24 characters from a-z, 0-9, _ and -";
    Purpose::parse(text).map(Some).ok_or_else(|| Problem::field("bad_code", "purpose", detail))
}

/// A message that was checked, as its writer sends it: with a machine's label where it needs one, and not cut yet.
///
/// # Errors
/// There is no such conversation, or its channel does not carry the message.
pub(crate) fn written(
    call: &Call<'_>,
    id: ConversationId,
    content: Content,
    reply_all: bool,
) -> Result<(conversations::Conversation, Vec<Content>), Problem> {
    let conversation = converse::find(&call.ctx, &call.actor, id)?;
    let content = if reply_all { converse::to_all(&call.ctx, &conversation, content)? } else { content };
    let contents = converse::labelled(&call.ctx, &call.actor, &conversation, vec![content])?;
    carry::check(call, &conversation, &contents, "content")?;
    Ok((conversation, contents))
}

/// `POST /api/conversations/{id}/messages`
pub(crate) fn reply(call: &Call<'_>) -> Result<Response, Problem> {
    let NewMessage { content, reply_all, send_at, undo_secs, seen, purpose: text } = body::read(call.request)?;
    check(&content)?;
    let when = when(call, send_at, undo_secs)?;
    if seen.is_some_and(|seen| seen < 0) {
        return Err(Problem::field("invalid_field", "seen", "a message's number is 1 or more; 0 if none was seen"));
    }
    let how = How { when, seen, purpose: purpose(text.as_deref())? };
    let (conversation, contents) = written(call, id(call)?, content, reply_all)?;
    match converse::write(&call.ctx, &call.actor, conversation.id, contents, how)? {
        Written::Sent(said) => {
            call.deliver(&conversation.channel);
            let shown = messages(&call.ctx, conversation.customer, &said)?;
            Ok(Response::json(201, &shown.first()))
        }
        Written::Held(held) => Ok(Response::json(202, &held::view(held, Vec::new()))),
        Written::Unseen(messages) => {
            let detail = "the customer or a colleague has written since: read these messages, and send again with `seen` at the \
                          number of the last";
            Err(Problem { messages, ..Problem::new(409, "newer_messages", detail) })
        }
    }
}

/// `POST /api/conversations/{id}/accept`
pub(crate) fn accept(call: &Call<'_>) -> Result<Response, Problem> {
    let conversation = converse::accept(&call.ctx, &call.actor, id(call)?)?;
    Ok(Response::json(200, &ConversationView::from(conversation)))
}

/// `POST /api/conversations/{id}/transfer`
pub(crate) fn transfer(call: &Call<'_>) -> Result<Response, Problem> {
    let transfer: Transfer = body::read(call.request)?;
    let to = match transfer.to {
        TransferTarget::Agent(agent) => Target::Agent(agent),
        TransferTarget::Group(group) => Target::Group(group),
    };
    if let Some(note) = &transfer.note {
        body::length("note", note, 1, MAX_TEXT)?;
    }
    let conversation = converse::transfer(&call.ctx, &call.actor, id(call)?, &to, transfer.note.as_deref())?;
    Ok(Response::json(200, &ConversationView::from(conversation)))
}

/// `POST /api/conversations/{id}/close`
pub(crate) fn close(call: &Call<'_>) -> Result<Response, Problem> {
    let close: Close = if call.request.body.is_empty() { Close::default() } else { body::read(call.request)? };
    if let Some(disposition) = &close.disposition {
        body::code("disposition", disposition)?;
    }
    let conversation = converse::close(&call.ctx, &call.actor, id(call)?, close.disposition.as_deref())?;
    Ok(Response::json(200, &ConversationView::from(conversation)))
}

/// `POST /api/outbox/{id}/retry`
pub(crate) fn retry(call: &Call<'_>) -> Result<Response, Problem> {
    let message: MessageId = call.id(0, "message")?;
    let row = outbox::find(call.ctx.db, message)?.ok_or(StepError::NotFound("outgoing message"))?;
    converse::find(&call.ctx, &call.actor, row.1)?;
    let channel = deliver::retry(&call.ctx, message)?;
    call.deliver(&channel);
    Ok(Response::json(200, &serde_json::json!({ "id": message, "delivery": { "state": "pending" } })))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/conversations",
        "Lists conversations, oldest first.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<Page<ConversationView>>),
        list,
    )
    .query(&[
        LIMIT,
        AFTER,
        ("state", "only conversations in that state: open, queued, assigned, waiting_on_customer, wrap_up or closed"),
        ("agent", "only conversations of that agent; agents see their own"),
    ])
    .agents("their own"),
    Route::get(
        "/api/conversations/{id}",
        "Shows a conversation with its messages.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<ConversationDetail>),
        get,
    )
    .agents("those that they may read"),
    Route::get(
        "/api/conversations/{id}/messages",
        "Lists the messages of a conversation in order.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<Page<MessageView>>),
        list_messages,
    )
    .query(PAGE)
    .agents("those that they may read"),
    Route::change(
        Verb::Post,
        "/api/conversations/{id}/messages",
        "Sends a message to the customer, on the channel and to the identity of the conversation. One that waits first is answered \
         with 202.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<MessageView>,
        reply,
    )
    .taking(schema::<NewMessage>)
    .status(201)
    .or(202, schema::<HeldView>)
    .replying()
    .refusing(&[
        (409, "nobody_else"),
        (409, "customer_opted_out"),
        (409, "legal_hold"),
        (409, "do_not_contact"),
        (409, "consent_missing"),
        (409, "contacted_too_often"),
        (409, "newer_messages"),
        (409, "too_many_held"),
        (409, "ai_seat"),
    ])
    .agents("their own"),
    Route::change(
        Verb::Post,
        "/api/conversations/{id}/accept",
        "Accepts an assigned conversation, or takes one from the queue of one of the agent's groups.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<ConversationView>,
        accept,
    )
    .refusing(&[(409, "conversation_closed"), (409, "not_yours"), (409, "agent_full"), (409, "agent_offline")])
    .agents("their own, and those queued in their groups"),
    Route::change(
        Verb::Post,
        "/api/conversations/{id}/transfer",
        "Hands a conversation to an agent or a group.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<ConversationView>,
        transfer,
    )
    .taking(schema::<Transfer>)
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
    ])
    .agents("their own"),
    Route::change(
        Verb::Post,
        "/api/conversations/{id}/close",
        "Ends the talk: after-contact work where the group has it (close again to end that), then closed.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<ConversationView>,
        close,
    )
    .taking(schema::<Close>)
    .refusing(&[
        (409, "conversation_closed"),
        (409, "not_yours"),
        (409, "messages_held"),
        // Of a message that could still be taken back.
        (409, "account_disabled"),
        (409, "reply_window_closed"),
        (409, "reply_quota_used"),
        (409, "words_blocked"),
    ])
    .agents("their own"),
    Route::change(
        Verb::Post,
        "/api/outbox/{id}/retry",
        "Tries a message again that was given up. The id is the message's.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<serde_json::Value>,
        retry,
    )
    .refusing(&[(409, "not_dead"), (409, "archived"), (409, "reply_window_closed"), (409, "customer_opted_out")])
    .agents("of conversations that they may read"),
];
