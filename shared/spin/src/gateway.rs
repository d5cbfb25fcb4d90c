//! The gateway that holds the customers' open connections, where there is one: Pushpin, Fastly Fanout, or whatever else speaks
//! GRIP. Two variables say so: `grip_key`, the key that it shares with us, and `grip_control_url`, where it takes publications.

use crate::outgoing;
use crate::world::variable;
use warmline_channels::grip::{Formats, Item, Key, Publish, Written};
use warmline_channels::{ApiRequest, Refusal};
use warmline_endpoint::{Request, sse};
use warmline_kernel::Ctx;
use warmline_model::Timestamp;
use warmline_transport::deliver::Job;
use warmline_transport::stream::{self, Streamed};

/// How long the gateway may take to accept a publication.
const DEADLINE_MS: u64 = 3_000;
/// Who we are in what we sign.
const ISSUER: &str = "warmline";

/// The gateway.
pub(crate) struct Gateway {
    key: Key,
}

impl Gateway {
    /// The gateway, where one is set up.
    pub(crate) fn configured() -> Option<Self> {
        Key::parse(&variable("grip_key")).map(|key| Self { key })
    }

    /// Checks that a request comes from it.
    pub(crate) fn check(&self, request: &Request, now: Timestamp) -> Result<(), Refusal> {
        let signature = request.header("grip-sig").ok_or(Refusal::SignatureMissing)?;
        self.key.check(signature, now)
    }

    /// Sends a reply to the connections of its customer. It is only quicker so: who was not connected, or whose gateway did not
    /// hear it, fetches the reply after the last one that was seen.
    pub(crate) async fn publish(&self, ctx: &Ctx<'_>, job: &Job) {
        // Without the publication a stream hears of the reply when the gateway looks for what it missed.
        let Some(body) = self.publication(ctx, job) else { return };
        let request = ApiRequest {
            method: http::Method::POST,
            url: format!("{}/publish/", variable("grip_control_url").trim_end_matches('/')),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("authorization", format!("Bearer {}", self.key.sign(ISSUER, ctx.now()))),
            ],
            body,
        };
        // Twice, since a pooled connection may have been closed by the other side.
        for _ in 0..2 {
            match outgoing::call_within(DEADLINE_MS, &request).await {
                Ok(answer) if answer.status < 300 => return,
                Ok(answer) => return eprintln!("the gateway refused a publication: status {}", answer.status),
                Err(_) => {}
            }
        }
        eprintln!("the gateway took no publication");
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

/// Under which name a customer's connections hear replies.
pub(crate) fn subscription(
    ctx: &Ctx<'_>,
    channel: &warmline_model::Channel,
    account: &warmline_model::AccountId,
    open_id: &str,
) -> String {
    hex::encode(stream::subscription(ctx, channel, account, open_id))
}

/// A reply as a frame of a WebSocket.
pub(crate) fn frame(reply: &Streamed) -> serde_json::Result<String> {
    #[derive(serde::Serialize)]
    struct Frame<'a> {
        r#type: &'static str,
        message: &'a Streamed,
    }
    serde_json::to_string(&Frame { r#type: "reply", message: reply })
}
