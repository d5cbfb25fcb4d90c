//! Text messages (短信): customers' messages to the brand's number, and replies to them, through Aliyun (阿里云短信) or Twilio.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `provider` | `aliyun` or `twilio`; required | – |
//! | `api_base` | the API's address | `https://dysmsapi.aliyuncs.com`, `https://api.twilio.com` |
//! | `access_key_id` | Aliyun: the AccessKey's id; needed to send | – |
//! | `sign_name` | Aliyun: the approved signature (短信签名) of replies to messages that name none | – |
//! | `template_code` | Aliyun: the approved template of replies; needed to send | – |
//! | `template_param` | Aliyun: the template's variable that takes the reply | `content` |
//! | `signature` | Aliyun: `acs3` or `rpc` | `acs3` |
//! | `account_sid` | Twilio: `AC…`; required | – |
//! | `public_url` | Twilio: this account's address as Twilio knows it; required | – |
//! | `from` | Twilio: a number or messaging service (`MG…`) from which replies leave | the number that the customer wrote to |
//!
//! | secret | meaning |
//! |---|---|
//! | `address_token` | Aliyun, required, 16 characters or more: part of the webhook's address |
//! | `access_key_secret` | Aliyun: needed to send |
//! | `auth_token` | Twilio, required: signs webhooks, and is the password of the API |
//!
//! Aliyun pushes uplink messages (document "SmsUp") and delivery reports ("SmsReport") as JSON arrays and signs neither, so
//! a secret in the address replaces the signature. Mainland messages can only be sent by an approved template: a reply is
//! the value of one of its variables. Twilio signs (see [`crate::twilio`]) and sends any text (documents "Twilio's request
//! to your webhook", "Message resource"). Neither signs a time. Repeats are recognised by their id.
//!
//! * `account`: the settings; `verify`; `aliyun`, `twilio`: the two protocols, both ways; `answer`: the meaning of the
//!   APIs' answers;
//! * `sign`: webhooks in the platforms' forms.

mod account;
mod aliyun;
mod answer;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;
mod twilio;
mod verify;

pub use account::Account;

use crate::caller;
use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Call, Capabilities, Carries, ChannelSettings, Outbound, Outcome,
    Overlong, Parsed, Refusal, Rendered, Reply, Request, Secrets, TextUnit, Undeliverable, Verified,
};
use account::Provider;
use serde_json::json;
use warmline_model::{Identifier, IdentifierKind, Media, Sender, Timestamp};

/// The owner of a number. The network vouches for the number, as far as that is possible at all.
fn sender(number: String) -> Sender {
    // Other networks write through Twilio, too: `whatsapp:+86…` is that person's number, `messenger:…` is not a number.
    let network = number.split_once(':').is_none_or(|(network, _)| matches!(network, "whatsapp" | "rcs" | "sms" | "tel"));
    let value = caller::number(&number).filter(|_| network);
    let phone = |value| Identifier { kind: IdentifierKind::Phone, value, verified: true };
    Sender { open_id: number, identifiers: value.map(phone).into_iter().collect(), ..Sender::default() }
}

/// The capabilities of text messages with either provider. Aliyun's long messages end at 500 characters (Twilio's at
/// 1,600), of which an emoji takes two or more. Twilio's media end at 5 MB.
const CAPABILITIES: Capabilities = Capabilities {
    channel: "sms",
    name_zh: "短信",
    name_en: "Text messages",
    carries: Carries::Chat,
    text_limit: 500,
    text_unit: TextUnit::Sms,
    overlong: Overlong::Split,
    kinds_in: &["text", "image", "voice", "video", "file", "location", "event", "unknown"],
    kinds_out: &["text"],
    window: None,
    receipts: true,
    badge: false,
    media_limit: 5 << 20,
};

/// The adapter for text messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct SmsAdapter;

impl Adapter for SmsAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the secret `address_token` (part of the address), or for Twilio the secret `auth_token` and the setting `public_url`"
    }

    fn has_secret_address(&self, account: &Account) -> bool {
        matches!(account.provider, account::Provider::Aliyun(_))
    }

    fn missing_for_sending(&self, account: &Account) -> Vec<&'static str> {
        account.missing_for_sending()
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        verify::verify(account, request, now)
    }

    fn parse(&self, account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        match account.provider {
            Provider::Aliyun(_) => aliyun::parse(body),
            Provider::Twilio(_) => twilio::parse(body).map(Into::into),
        }
    }

    fn acknowledge(&self, account: &Account, _: &Verified) -> Reply {
        match account.provider {
            Provider::Aliyun(_) => Reply::json(&json!({ "code": 0, "msg": "接收成功" })),
            Provider::Twilio(_) => crate::twilio::nothing_to_do(),
        }
    }

    fn render(&self, account: &Account, reply: &Outbound<'_>, call: &Call<'_>) -> Result<Rendered, Undeliverable> {
        CAPABILITIES.check(reply.content)?;
        let request = match &account.provider {
            Provider::Aliyun(aliyun) => aliyun::render(aliyun, &account.api_base, reply, call)?,
            Provider::Twilio(twilio) => twilio::render(twilio, &account.api_base, reply)?,
        };
        Ok(Rendered::Call(request))
    }

    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome {
        answer::read(answer)
    }

    fn media(&self, account: &Account, media: &Media, _: &Call<'_>) -> Result<ApiRequest, Undeliverable> {
        match &account.provider {
            Provider::Aliyun(_) => Err(Undeliverable::MediaNotSupported),
            Provider::Twilio(twilio) => {
                crate::twilio::media(&account.api_base, &twilio.account_sid, &twilio.auth_token, media)
            }
        }
    }
}
