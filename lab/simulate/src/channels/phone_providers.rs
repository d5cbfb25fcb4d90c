//! Two telephone providers, simulated, for accounts that use one of them: Huawei's AICC, whose callback holds its own
//! signature, and Twilio with its real-time transcription.

use super::{Account, Act, Arrival, Request, Simulated};
use serde_json::{Value, json};
use warmline_channels::phone::sign;

const APP_SECRET: &str = "phone-huawei-secret-0001";
const AUTH_TOKEN: &str = "phone-twilio-auth-token";
const ACCOUNT_SID: &str = "AC00000000000000000000000000000002";
const PUBLIC_URL: &str = "https://warmline.example/channels/phone/rice-twilio-calls";

/// One of the two. Neither has an API that is called: an agent's answer is spoken.
#[derive(Clone, Copy, Debug)]
pub enum Provider {
    /// Huawei's AICC. Beside it, a transcription service speaks our contract with its own signature.
    Huawei,
    /// Twilio.
    Twilio,
}

fn post(kind: &str, headers: Vec<(String, String)>, body: String) -> Request {
    let headers = [vec![("content-type".to_owned(), kind.to_owned())], headers].concat();
    Request { method: "POST".to_owned(), headers, body: body.into_bytes(), ..Request::default() }
}

impl Simulated for Provider {
    fn channel(&self) -> &'static str {
        "phone"
    }

    fn account(&self, api_base: &str) -> Account {
        match self {
            Self::Huawei => Account {
                id: "rice-aicc".to_owned(),
                settings: json!({ "provider": "huawei" }),
                secrets: vec![("app_secret", APP_SECRET.to_owned())],
            },
            Self::Twilio => Account {
                id: "rice-twilio-calls".to_owned(),
                settings: json!({
                    "provider": "twilio",
                    "account_sid": ACCOUNT_SID,
                    "public_url": PUBLIC_URL,
                    "api_base": api_base,
                }),
                secrets: vec![("auth_token", AUTH_TOKEN.to_owned())],
            },
        }
    }

    /// The call. Each customer has one.
    fn open_id(&self, customer: u64) -> String {
        match self {
            Self::Huawei => format!("{customer}-1663223940"),
            Self::Twilio => format!("CA{customer:032x}"),
        }
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let call = self.open_id(act.customer);
        Arrival::Webhook(match self {
            Self::Huawei => {
                let segment = sign::segment(&call, act.number, "customer", act.text, true);
                let body = sign::huawei(APP_SECRET, act.at.saturating_mul(1000), &act.number.to_string(), segment);
                post("application/json", Vec::new(), body.to_string())
            }
            Self::Twilio => {
                let (sequence, said) = (act.number.to_string(), json!({ "transcript": act.text, "confidence": 0.98 }));
                let said = said.to_string();
                let params = [
                    ("CallSid", call.as_str()),
                    ("TranscriptionSid", "GT00000000000000000000000000000001"),
                    ("TranscriptionEvent", "transcription-content"),
                    ("SequenceId", sequence.as_str()),
                    ("Track", "inbound_track"),
                    ("Final", "true"),
                    ("TranscriptionData", said.as_str()),
                ];
                let (body, signature) = sign::twilio(AUTH_TOKEN, PUBLIC_URL, &params);
                let headers = vec![("x-twilio-signature".to_owned(), signature)];
                post("application/x-www-form-urlencoded; charset=UTF-8", headers, body)
            }
        })
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        status == 200
            && match self {
                Self::Huawei => serde_json::from_slice::<Value>(body).is_ok_and(|answer| answer["resultCode"] == "0"),
                Self::Twilio => body.ends_with(b"<Response/>"),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, act};
    use super::*;
    use warmline_channels::phone::PhoneAdapter;
    use warmline_model::Content;

    #[test]
    fn both_and_the_adapter_agree() {
        for provider in [Provider::Huawei, Provider::Twilio] {
            let driver = Driver::new(&PhoneAdapter, &provider);
            let said = |number| driver.messages(&driver.pushed(&act(number, "退货怎么办？😀"))).unwrap();
            assert_eq!(said(1)[0].content, Content::text("退货怎么办？😀"));
            assert_eq!(said(1)[0].sender.open_id, provider.open_id(7));
            assert_eq!(said(1), said(1), "the same act told twice");
            assert_ne!(said(1)[0].key, said(2)[0].key);
            let changed = Request { body: b"CallSid=CA1".to_vec(), ..driver.pushed(&act(1, "x")) };
            assert!(driver.messages(&changed).is_err());
        }
    }
}
