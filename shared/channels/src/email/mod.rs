//! Mail (邮件): customers' mails to an address of the brand, and replies in the same thread, through SendGrid or Mailgun.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `provider` | `sendgrid` or `mailgun`; required | – |
//! | `from` | the address that replies leave from; needed to send | – |
//! | `from_name` | its name | – |
//! | `api_base` | the API's address | `https://api.sendgrid.com`, `https://api.mailgun.net` |
//! | `event_public_key` | sendgrid: the verification key of the event webhook, base64; without it reports are refused | – |
//! | `domain` | mailgun: the sending domain; needed to send | – |
//! | `identity_from` | addresses of forms and lists, or domains after `@`; the `Reply-To` of their mails names the writer | none |
//! | `max_age_secs` | how far a signed time may be from now | 300 |
//!
//! | secret | meaning |
//! |---|---|
//! | `address_token` | sendgrid, required, 16 characters or more: part of the webhook's address |
//! | `signing_key` | mailgun, required: the HTTP webhook signing key |
//! | `api_key` | needed to send |
//!
//! SendGrid (documents "Setting Up The Inbound Parse Webhook", "Event Webhook Security Features", "Mail Send") posts a mail
//! as multipart/form-data, parsed or raw, and does not sign it: the address carries a secret. Its reports are signed by
//! ECDSA. Mailgun (documents "Receiving, forwarding and storing messages", "Securing webhooks", "Messages") posts a form
//! or, for reports, JSON. It signs a time and a random token, not the body. Neither proves the writer of a mail: the sender
//! is the address in `From`.
//!
//! The key is a digest of the mail's Message-Id, its sender and its whole content, with `#subject` or `#n` at its end for
//! the subject and the attachments. Text is preferred to HTML, which is reduced to text. The earlier thread is kept apart
//! from the customer's own words. A new thread's subject comes before its text, as an event. The data that a reply needs to
//! join the thread is stored in `reply_to`. Attachments are named and measured, not kept. A machine's mail (RFC 3834,
//! bounces) is an event of a known person, so that two machines do not write to each other for ever.
//!
//! * `account`, `verify`; `thin`, `squeeze`: a large mail as it comes in; `form`: the posted parts; `mime`: raw mails;
//! * `header`, `words`, `charset`: fields and encodings; `html`, `entities`: HTML to text;
//! * `quote`: separates the history; `who`: the writer; `report`: reports of mail servers; `mail`: a mail as messages;
//! * `sendgrid`, `mailgun`: the two providers' fields and reports; `api`: sending; `sign`: webhooks in their form.

mod account;
mod api;
mod charset;
mod entities;
mod form;
mod header;
mod html;
mod mail;
mod mailgun;
mod mime;
mod quote;
mod report;
mod sendgrid;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;
mod squeeze;
mod thin;
mod verify;
mod who;
mod words;

pub use account::Account;

use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Call, Capabilities, Carries, ChannelSettings, Gather, Outbound, Outcome,
    Overlong, Parsed, Refusal, Rendered, Reply, Request, Secrets, TextUnit, Undeliverable, Verified,
};
use account::Provider;
use warmline_model::{Media, Timestamp};

/// The capabilities of mail. The providers accept 20 to 30 MB. The limit on text is ours, and longer than any real reply.
const CAPABILITIES: Capabilities = Capabilities {
    channel: "email",
    name_zh: "邮件",
    name_en: "Mail",
    carries: Carries::Chat,
    text_limit: 20_000,
    text_unit: TextUnit::Chars,
    overlong: Overlong::Refuse,
    kinds_in: &["text", "file", "event"],
    kinds_out: &["text"],
    window: None,
    receipts: true,
    badge: false,
    media_limit: 25 << 20,
};

/// The adapter for mail.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmailAdapter;

impl Adapter for EmailAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    /// A mail may arrive days after it was written.
    fn patience_secs(&self) -> i64 {
        3 * 24 * 3600
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the secret `address_token` (part of the address) and the setting `event_public_key`, or for Mailgun the secret `signing_key`"
    }

    fn has_secret_address(&self, account: &Account) -> bool {
        matches!(account.provider, account::Provider::Sendgrid { .. })
    }

    fn missing_for_sending(&self, account: &Account) -> Vec<&'static str> {
        account.missing_for_sending()
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        verify::verify(account, request, now)
    }

    fn parse(&self, account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        match account.provider {
            Provider::Sendgrid { .. } => sendgrid::parse(account, body),
            Provider::Mailgun { .. } => mailgun::parse(account, body),
        }
    }

    /// Any success will do: neither provider reads the answer's body.
    fn acknowledge(&self, _: &Account, _: &Verified) -> Reply {
        Reply::text("ok")
    }

    fn render(&self, account: &Account, reply: &Outbound<'_>, _: &Call<'_>) -> Result<Rendered, Undeliverable> {
        CAPABILITIES.check(reply.content)?;
        api::render(account, reply, false).map(Rendered::Call)
    }

    fn render_automatic(&self, account: &Account, reply: &Outbound<'_>, _: &Call<'_>) -> Result<Rendered, Undeliverable> {
        CAPABILITIES.check(reply.content)?;
        api::render(account, reply, true).map(Rendered::Call)
    }

    fn gather(&self, content_type: &str) -> Box<dyn Gather> {
        Box::new(thin::Thin::new(content_type))
    }

    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome {
        api::read_answer(answer)
    }

    fn media(&self, account: &Account, media: &Media, _: &Call<'_>) -> Result<ApiRequest, Undeliverable> {
        api::media(account, media)
    }
}
