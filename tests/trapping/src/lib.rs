//! Weibo's channel with a defect: a text that contains [`MARKER`] makes it trap, after the webhook was verified and before
//! anything is stored. Everything else is the real adapter in the real shell.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_channels::weibo::WeiboAdapter;
use warmline_channels::{
    AccountError, Adapter, ApiRequest, ApiResponse, Call, Capabilities, ChannelSettings, Outbound, Outcome, Parsed, Refusal,
    Rendered, Reply, Request, Secrets, Undeliverable, Verified,
};
use warmline_model::{Content, Inbound, Media, Timestamp};
use warmline_spin::{IncomingRequest, ResponseOutparam, adapter};

/// The text that makes it trap.
const MARKER: &str = "trap-here";

type Account = <WeiboAdapter as Adapter>::Account;

struct Trapping;

impl Adapter for Trapping {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        WeiboAdapter.capabilities()
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        WeiboAdapter.account(settings, secrets)
    }

    fn handshake(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
        WeiboAdapter.handshake(account, request, now)
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        WeiboAdapter.verify(account, request, now)
    }

    fn parse(&self, account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        let parsed = WeiboAdapter.parse(account, body)?;
        let marked = |message: &Inbound| matches!(&message.content, Content::Text { text, .. } if text.contains(MARKER));
        assert!(!parsed.messages.iter().any(marked), "the word that is too much");
        Ok(parsed)
    }

    fn acknowledge(&self, account: &Account, body: &Verified) -> Reply {
        WeiboAdapter.acknowledge(account, body)
    }

    fn wants_passive(&self, account: &Account) -> bool {
        WeiboAdapter.wants_passive(account)
    }

    fn passive(
        &self,
        account: &Account,
        body: &Verified,
        reply: &Outbound<'_>,
        now: Timestamp,
        nonce: &[u8; 16],
    ) -> Option<Reply> {
        WeiboAdapter.passive(account, body, reply, now, nonce)
    }

    fn render(&self, account: &Account, reply: &Outbound<'_>, call: &Call<'_>) -> Result<Rendered, Undeliverable> {
        WeiboAdapter.render(account, reply, call)
    }

    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome {
        WeiboAdapter.read_answer(answer)
    }

    fn media(&self, account: &Account, media: &Media, call: &Call<'_>) -> Result<ApiRequest, Undeliverable> {
        WeiboAdapter.media(account, media, call)
    }
}

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    adapter::serve(&Trapping, request, out).await;
}
