//! The pushes of an application's callback: members' messages and events, read by [`crate::wx::message`], with the
//! `AgentID` through which a reply goes back.

use crate::kit::{Hint, Refusal};
use crate::wx::message::{self, Dialect, id};
use crate::wx::payload::Payload;
use crate::xml::readable;
use serde_json::json;
use warmline_model::Inbound;

/// The longest `open_kfid` accepted. The platform's have 32 characters.
const MAX_KFID: usize = 64;

struct Wecom;

impl Dialect for Wecom {
    const WHOLE_EVENTS_BEFORE: bool = true;

    /// Reports come from `sys`. A report about a customer belongs to that customer.
    fn sender(fields: &Payload<'_>) -> Option<String> {
        let from = id(fields, "FromUserName")?;
        Some(if from == "sys" { id(fields, "ExternalUserID").unwrap_or(from) } else { from })
    }
}

/// The messages in a webhook: one, or none if it only announces 微信客服 messages.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Inbound>, Refusal> {
    let body = readable(body);
    let fields = Payload::read(&body)?;
    if is_hint(&fields) {
        return if source(&fields).is_some() { Ok(Vec::new()) } else { Err(Refusal::Field("OpenKfId")) };
    }
    let mut inbound = message::read::<Wecom>(&fields)?;
    let agent = fields.text("AgentID").and_then(|agent| agent.trim().parse::<u32>().ok());
    inbound.reply_to = agent.map(|agent| json!({ "agent_id": agent }));
    Ok(vec![inbound])
}

/// The 微信客服 account that a webhook announces.
pub(super) fn hinted(body: &[u8]) -> Option<Hint> {
    let body = readable(body);
    let fields = Payload::read(&body).ok()?;
    let source = source(&fields).filter(|_| is_hint(&fields))?;
    Some(Hint { source, token: id(&fields, "Token") })
}

fn is_hint(fields: &Payload<'_>) -> bool {
    fields.text("MsgType").as_deref() == Some("event") && fields.text("Event").as_deref() == Some("kf_msg_or_event")
}

fn source(fields: &Payload<'_>) -> Option<String> {
    id(fields, "OpenKfId").filter(|id| id.len() <= MAX_KFID)
}
