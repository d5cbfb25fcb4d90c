//! Alipay 生活号 (life account): users' messages to the account through the application gateway, and replies by the API.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `app_id` | required: the application's id; messages for another are refused | – |
//! | `alipay_public_key` | required: Alipay's public key, as the platform shows it (base64 or PEM) | – |
//! | `api_base` | the API's address | `https://openapi.alipay.com` |
//! | `media_base` | the address for pictures | `https://openfile.alipay.com` |
//! | `max_age_secs` | how far a message's time may be from now | 300 |
//!
//! | secret | meaning |
//! |---|---|
//! | `app_private_key` | required: the application's private key, base64 on one line, PKCS#8 or PKCS#1 |
//!
//! Protocol, by the documents 生活号应用网关, 生活号事件订阅 and alipay.open.public.message.custom.send of opendocs.alipay.com
//! and the SDKs' samples:
//! * a webhook is a form of `service`, `charset`, `sign_type`, `sign` and `biz_content`, an XML document. `sign` is RSA2
//!   (RSASSA-PKCS1-v1_5 with SHA-256) over all other parameters, sorted, as `k=v&…`: over the bytes as they came, in the
//!   form's own charset. (Payment notifications leave out `sign_type` as well; these do not.)
//! * the check of the gateway is `service=alipay.service.check` with the event `verifygw`. The answer holds the
//!   application's public key and is signed over the text inside `<response>`;
//! * a message is `service=alipay.mobile.public.message.notify`; the answer is an `ack`, signed in the same way. If the
//!   account has turned retries on, there are two, five seconds apart;
//! * the signed time is the message's own `CreateTime`, in milliseconds. The key is `MsgId`. Events have none, so their key
//!   consists of user, time and event;
//! * a reply reaches a user within 48 h of the last message (after a mere follow or click, within five minutes).

mod account;
mod api;
mod form;
mod parse;
mod rsa2;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;
mod verify;

pub use account::Account;
pub use form::signed_text;
pub use rsa2::{PrivateKey, PublicKey};

use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Call, Capabilities, Carries, ChannelSettings, Outbound, Outcome,
    Overlong, Parsed, Refusal, Rendered, Reply, Request, Secrets, TextUnit, Undeliverable, Verified, Window,
};
use warmline_model::{Media, Timestamp};

/// The capabilities of a life account. A message's description may have 2,000 bytes.
const CAPABILITIES: Capabilities = Capabilities {
    channel: "alipay",
    name_zh: "支付宝生活号",
    name_en: "Alipay life account",
    carries: Carries::Chat,
    text_limit: 2000,
    text_unit: TextUnit::Bytes,
    overlong: Overlong::Split,
    kinds_in: &["text", "image", "event", "unknown"],
    kinds_out: &["text", "link"],
    window: Some(Window { secs: 48 * 3600, replies: None }),
    receipts: false,
    badge: false,
    media_limit: 10 << 20,
};

/// The adapter for Alipay life accounts.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlipayAdapter;

impl Adapter for AlipayAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the setting `alipay_public_key` (the platform's key, not the application's) and the secret `app_private_key`"
    }

    fn handshake(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
        verify::handshake(account, request, now)
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        verify::verify(account, request, now)
    }

    fn parse(&self, account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        parse::parse(account, body.body()).map(Into::into)
    }

    fn acknowledge(&self, account: &Account, body: &Verified) -> Reply {
        verify::acknowledge(account, body)
    }

    /// Checks everything but the signature. The signature costs milliseconds, and fails for no reply once the account's key
    /// was checked.
    fn check(&self, _account: &Account, reply: &Outbound<'_>) -> Result<(), Undeliverable> {
        api::content(reply).map(drop)
    }

    fn render(&self, account: &Account, reply: &Outbound<'_>, call: &Call<'_>) -> Result<Rendered, Undeliverable> {
        api::render(account, reply, call.now)
    }

    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome {
        api::read_answer(answer)
    }

    fn media(&self, account: &Account, media: &Media, call: &Call<'_>) -> Result<ApiRequest, Undeliverable> {
        api::media(account, media, call.now)
    }
}
