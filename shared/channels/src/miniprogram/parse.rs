//! Reads the pushes of mini programs alone: cards of their pages, customers who enter the chat, orders and parcels. The
//! rest is in [`crate::wx::message`].

use crate::kit::{Fault, Refusal};
use crate::wx::message::{self, Dialect};
use crate::wx::page::Page;
use crate::wx::payload::Payload;
use serde_json::Value;
use warmline_model::{Content, Inbound};

struct Miniprogram;

pub(super) fn parse(body: &[u8]) -> Result<Vec<Inbound>, Refusal> {
    message::with_context::<Miniprogram>(body)
}

impl Dialect for Miniprogram {
    const WHOLE_EVENTS_BEFORE: bool = true;

    fn content(fields: &Payload<'_>, kind: &str) -> Option<Result<Content, Refusal>> {
        (kind == "miniprogrampage").then(|| card(fields))
    }

    /// The customer's origin (`session-from` of the button), or the reported order.
    fn event_key(fields: &Payload<'_>, event: &str) -> Option<String> {
        let own = match event {
            "user_enter_tempsession" => fields.filled("SessionFrom"),
            _ => ["OrderId", "order_id", "merchant_trade_no"].into_iter().find_map(|name| fields.filled(name)),
        };
        own.map(|key| key.into_owned()).or_else(|| match fields.without(&[]).get("order_info")?.get("order_id")? {
            Value::String(id) => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        })
    }
}

fn card(fields: &Payload<'_>) -> Result<Content, Refusal> {
    let app_id = fields.filled("AppId").ok_or(Refusal::Field("AppId"))?;
    let path = fields.filled("PagePath").ok_or(Refusal::Field("PagePath"))?;
    let cover = fields.text("ThumbMediaId").unwrap_or_default();
    if app_id.contains('/') || cover.contains('#') {
        return Err(Refusal::Malformed(Fault::OneOf("AppId or ThumbMediaId")));
    }
    let page = Page { app_id: &app_id, path: &path, cover: &cover };
    let title = fields.text("Title").unwrap_or_default().into_owned();
    Ok(Content::Link { title, description: None, url: page.to_string() })
}
