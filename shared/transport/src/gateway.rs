//! The gateway that holds the customers' open connections, if there is one: Pushpin, Fastly Fanout, or another that speaks
//! GRIP. Two variables configure it: `grip_key`, the key that it shares with us, and `grip_control_url`, the address of its
//! publication endpoint.

use crate::deliver::Job;
use crate::host::Host;
use crate::outgoing;
use crate::stream::{self, Streamed};
use warmline_channels::grip::{Formats, Item, Key, Publish, Written};
use warmline_channels::{ApiRequest, Refusal};
use warmline_endpoint::{Request, sse};
use warmline_kernel::Ctx;
use warmline_model::{AccountId, Channel, Timestamp};

/// How long the gateway may take to accept a publication.
const DEADLINE_MS: u64 = 3_000;
/// Our name in the tokens that we sign.
const ISSUER: &str = "warmline";

/// The gateway.
pub(crate) struct Gateway {
    key: Key,
}

impl Gateway {
    /// The gateway, if one is configured.
    pub(crate) fn configured(host: &impl Host) -> Option<Self> {
        Key::parse(&host.variable("grip_key")).map(|key| Self { key })
    }

    /// Checks that a request comes from the gateway.
    pub(crate) fn check(&self, request: &Request, now: Timestamp) -> Result<(), Refusal> {
        let signature = request.header("grip-sig").ok_or(Refusal::SignatureMissing)?;
        self.key.check(signature, now)
    }

    /// Sends a reply to its customer's connections. This only makes the reply faster: a customer who was not connected,
    /// or whose gateway missed it, fetches the reply from their last cursor.
    pub(crate) async fn publish(&self, host: &impl Host, ctx: &Ctx<'_>, job: &Job) {
        // Without this publication, a stream gets the reply when the gateway asks for missed ones.
        let Some(body) = self.publication(ctx, job) else { return };
        let request = ApiRequest {
            method: http::Method::POST,
            url: format!("{}/publish/", host.variable("grip_control_url").trim_end_matches('/')),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("authorization", format!("Bearer {}", self.key.sign(ISSUER, ctx.now()))),
            ],
            body,
        };
        // It is sent up to twice, because the other side may have closed a pooled connection.
        for _ in 0..2 {
            match outgoing::call_within(host, DEADLINE_MS, &request).await {
                Ok(answer) if answer.status < 300 => return,
                Ok(answer) => return host.log(&format!("the gateway refused a publication: status {}", answer.status)),
                Err(_) => {}
            }
        }
        host.log("the gateway took no publication");
    }

    fn publication(&self, ctx: &Ctx<'_>, job: &Job) -> Option<Vec<u8>> {
        let reply = Streamed::from(job);
        let before = stream::before(ctx, reply.cursor).ok()?.to_string();
        let cursor = reply.cursor.to_string();
        let written = |content| Some(Written { content });
        let formats = Formats {
            ws_message: written(frame(&reply).ok()?),
            http_stream: written(sse::event(Some(&cursor), &serde_json::to_string(&reply).ok()?)),
        };
        let channel = subscription(ctx, &job.row.channel, &job.row.account, &job.to);
        let item = Item { channel, id: Some(cursor), prev_id: Some(before), no_seq: true, formats };
        serde_json::to_vec(&Publish { items: vec![item] }).ok()
    }
}

/// The name under which a customer's connections receive replies.
pub(crate) fn subscription(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId, open_id: &str) -> String {
    hex::encode(stream::subscription(ctx, channel, account, open_id))
}

/// A reply as a WebSocket frame.
pub(crate) fn frame(reply: &Streamed) -> serde_json::Result<String> {
    #[derive(serde::Serialize)]
    struct Frame<'a> {
        r#type: &'static str,
        message: &'a Streamed,
    }
    serde_json::to_string(&Frame { r#type: "reply", message: reply })
}
