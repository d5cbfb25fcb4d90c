//! An AI seat with a script, in place of a future bot: it answers by words of the customer's message. It knows nothing of
//! language. It exists for the protocol: being called, asking which conversations wait, answering in turns, handing over.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_conversations::ai;
use warmline_conversations::store::assignment;
use warmline_endpoint::{Problem, Request, Response};
use warmline_kernel::ctx::Actor;
use warmline_kernel::{Ctx, StepError, sealing};
use warmline_model::{Channel, Content, Origin, Role, Timestamp};
use warmline_routing::handover::Turn;
use warmline_spin::incoming::serve;
use warmline_spin::{Environment, IncomingRequest, ResponseOutparam, internal, outgoing};
use warmline_store::conversations::Conversation;
use warmline_store::{immediate, messages};

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    serve(request, out, answer).await;
}

async fn answer(_: &Request) -> Result<Response, Problem> {
    let world = Environment::open(&[], &warmline_kernel::installed::NOTHING)?;
    let mut channels: Vec<Channel> = Vec::new();
    {
        let ctx = world.ctx();
        for conversation in assignment::ai_waiting(ctx.db, Timestamp::from_millis(i64::MAX), 64)? {
            let (words, said) = script(&ctx, &conversation)?;
            let Some(turn) = words else { continue };
            let actor = Actor { agent: conversation.agent, role: Role::Agent };
            // A conversation that was handed over meanwhile is no longer this seat's.
            match immediate(ctx.db, || ai::turn(&ctx, &actor, conversation.id, &turn, &said)) {
                Ok(_) | Err(StepError::Conflict { .. } | StepError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
            channels.push(conversation.channel);
        }
    }
    drop(world);
    outgoing::all(channels.iter().map(internal::deliver).collect()).await;
    Ok(Response::empty(204))
}

/// The answer to the customer's newest words. No turn if the script has none for them, like a bot that hangs.
fn script(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<(Option<Turn>, Vec<Content>), StepError> {
    let key = sealing::customer_key(ctx, conversation.customer)?;
    let stored = messages::list(ctx.db, conversation.id, 0, 1_000)?;
    let Some(last) = stored.iter().rev().find(|m| m.origin == Origin::Customer) else { return Ok((None, Vec::new())) };
    let content = sealing::open_content(&key, last)?;
    let words = content.words().unwrap_or_default();
    let turn = Turn { confidence: Some(0.9), ..Turn::default() };
    let (turn, said) = match () {
        () if words.contains("沉默") => return Ok((None, Vec::new())),
        () if words.contains("不确定") => (Turn { confidence: Some(0.1), ..turn }, "大概吧"),
        () if words.contains("不会") => (Turn { failed: true, confidence: None, ..turn }, "请换个说法"),
        () if words.contains("气死") => (Turn { anger: true, ..turn }, "请息怒"),
        () if words.contains("要真人") => (Turn { asked: true, ..turn }, ""),
        () => (turn, "机器人：今天发货"),
    };
    Ok((Some(turn), vec![Content::text(said)]))
}
