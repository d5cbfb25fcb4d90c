//! Calls (电话): a telephone system's reports, and the spoken words from its speech recognition.
//!
//! A call is a conversation: the open id is the call's. Each final segment of the customer is a text message. Final
//! segments of the agent, and ringing, answering, hanging up and recordings, are events. Partial segments are acknowledged
//! and dropped, since the final one repeats their words. The customer's number, if it is given, is an identifier of the
//! sender and also serves as a name.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `provider` | `contract` (ours, below), `huawei` (AICC) or `twilio` | `contract` |
//! | `max_age_secs` | contract, huawei: how far the signed time may be from now | 300 |
//! | `extensions` | contract, huawei: the agents of telephones, `{"8001": "agt_…"}`; read by the router | – |
//! | `account_sid` | twilio: `AC…`; required | – |
//! | `public_url` | twilio: this account's address as Twilio knows it; required | – |
//! | `api_base` | twilio: the address for recordings | `https://api.twilio.com` |
//!
//! | secret | meaning |
//! |---|---|
//! | `signing_secret` | contract, required, 16 characters or more |
//! | `app_secret` | huawei, required: the shared key (共享密钥) of the callback's configuration |
//! | `auth_token` | twilio, required |
//!
//! Our own contract: `POST` with `X-Warmline-Timestamp` and `X-Warmline-Signature` (signed like the app's messages) and one
//! object, or an array of them:
//! * a segment: `{"call_id", "seq", "speaker": "customer" | "agent", "text", "final", "start_ms", "end_ms"}`;
//! * an event: `{"call_id", "seq", "event": "ring" | "answer" | "hangup" | …}` with any other fields, such as
//!   `recording_url`;
//! * in an event optionally `agent`, the agent whose telephone rings or who answered: our id of the agent, or an extension;
//! * in both optionally `caller`, the customer's number. `call_id` and `seq` are the key.
//!
//! Huawei AICC (documents "回调接口说明", "释放事件回调接口") posts JSON that holds its own `signature`. It reports hang-ups. Bodies of
//! our contract with its signature are accepted too, so that a transcription service beside it needs only one scheme.
//! Twilio (documents "Status callbacks", "Real-Time Transcriptions", "Recording status callbacks") posts signed forms.
//!
//! Nothing is sent: an agent speaks.
//!
//! * `account`, `verify`; `contract`, `huawei`, `twilio`: the three protocols; `sign`: webhooks in their form.

mod account;
mod contract;
mod huawei;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;
mod twilio;
mod verify;

pub use account::Account;

use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Call, Capabilities, Carries, ChannelSettings, Outbound, Outcome, Parsed,
    Refusal, Rendered, Reply, Request, Secrets, Undeliverable, Verified,
};
use account::Provider;
use serde_json::{Value, json};
use warmline_model::{Media, Timestamp};

/// The capabilities of calls: words come in, nothing goes out. Recordings of calls have up to some ten megabytes.
const CAPABILITIES: Capabilities = Capabilities {
    media_limit: 32 << 20,
    ..Capabilities::inbound_only("phone", "电话", "Phone", Carries::Calls, &["text", "event", "unknown"])
};

/// The adapter for calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct PhoneAdapter;

impl Adapter for PhoneAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn names_who_is_rung(&self, settings: &Value) -> bool {
        account::names_who_is_rung(settings)
    }

    fn proof(&self) -> &'static str {
        "the secret `signing_secret` (for Huawei `app_secret`, for Twilio `auth_token` and the setting `public_url`)"
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        verify::verify(account, request, now)
    }

    fn parse(&self, account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        match account.provider {
            Provider::Contract { .. } => contract::parse(body),
            Provider::Huawei { .. } => huawei::parse(body).map(Into::into),
            Provider::Twilio { .. } => twilio::parse(body).map(Into::into),
        }
    }

    fn acknowledge(&self, account: &Account, _: &Verified) -> Reply {
        match account.provider {
            Provider::Contract { .. } => Reply::json(&json!({ "accepted": true })),
            // The document asks only for a success. The words are those of its own interfaces.
            Provider::Huawei { .. } => Reply::json(&json!({ "resultCode": "0", "resultDesc": "success" })),
            Provider::Twilio { .. } => crate::twilio::nothing_to_do(),
        }
    }

    fn render(&self, _: &Account, _: &Outbound<'_>, _: &Call<'_>) -> Result<Rendered, Undeliverable> {
        Err(Undeliverable::ChatNotOffered)
    }

    /// No API is called, so there is no answer to read.
    fn read_answer(&self, _: &ApiResponse<'_>) -> Outcome {
        Outcome::Permanent("no_api")
    }

    fn media(&self, account: &Account, media: &Media, _: &Call<'_>) -> Result<ApiRequest, Undeliverable> {
        match &account.provider {
            Provider::Twilio { account_sid, auth_token, api_base, .. } => {
                crate::twilio::media(api_base, account_sid, auth_token, media)
            }
            _ => Err(Undeliverable::MediaNotSupported),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warmline_model::Content;

    #[test]
    fn nothing_is_sent() {
        let secrets = [("signing_secret".to_owned(), "0123456789abcdef".to_owned())].into();
        let account = PhoneAdapter.account(&Value::Null.into(), &secrets).ok().unwrap();
        let content = Content::text("hi");
        let reply = Outbound { to: "c1", id: "m", content: &content, at: Timestamp::from_secs(0), reply_to: None };
        let call = Call { token: None, now: Timestamp::from_secs(0), nonce: &[0; 16] };
        assert_eq!(PhoneAdapter.render(&account, &reply, &call).err(), Some(Undeliverable::ChatNotOffered));
        assert_eq!(PhoneAdapter.media(&account, &Media::default(), &call).err(), Some(Undeliverable::MediaNotSupported));
        assert_eq!(PhoneAdapter.read_answer(&ApiResponse { status: 200, body: b"" }), Outcome::Permanent("no_api"));
    }
}
