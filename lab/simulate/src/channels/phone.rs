//! A telephone system, simulated: it speaks our own contract, signed, and transcribes what customers say. It has no API: an
//! agent's answer is spoken.

use super::{Account, Act, Arrival, Request, Simulated};
use serde_json::{Value, json};
use warmline_channels::phone::sign;

const SIGNING_SECRET: &str = "phone-signing-secret-0001";

/// A telephone system with speech recognition.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phone;

/// A body with the telephone system's signature.
pub(super) fn sealed(body: &[u8], at: i64) -> Request {
    Request {
        method: "POST".to_owned(),
        path: String::new(),
        query: String::new(),
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-warmline-timestamp".to_owned(), at.to_string()),
            ("x-warmline-signature".to_owned(), sign::contract(SIGNING_SECRET, at, body)),
        ],
        body: body.to_vec(),
    }
}

impl Simulated for Phone {
    fn channel(&self) -> &'static str {
        "phone"
    }

    fn account(&self, _: &str) -> Account {
        Account {
            id: "rice-hotline".to_owned(),
            settings: json!({ "provider": "contract" }),
            secrets: vec![("signing_secret", SIGNING_SECRET.to_owned())],
        }
    }

    /// The call. Each customer has one.
    fn open_id(&self, customer: u64) -> String {
        format!("call-{customer}")
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let mut segment = sign::segment(&self.open_id(act.customer), act.number, "customer", act.text, true);
        segment["caller"] = Value::from(format!("139{:08}", act.customer % 100_000_000));
        Arrival::Webhook(sealed(segment.to_string().as_bytes(), act.at))
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        status == 200 && serde_json::from_slice::<Value>(body).is_ok_and(|answer| answer["accepted"] == true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, NOW, act};
    use super::*;
    use warmline_channels::Refusal;
    use warmline_channels::phone::PhoneAdapter;
    use warmline_model::Content;

    #[test]
    fn a_call_and_the_adapter_agree() {
        let driver = Driver::new(&PhoneAdapter, &Phone);
        let call = |number| driver.pushed(&act(number, "退货怎么办？😀"));
        let messages = driver.messages(&call(1)).unwrap();
        assert_eq!(
            (&messages[0].content, &messages[0].sender.open_id),
            (&Content::text("退货怎么办？😀"), &Phone.open_id(7))
        );
        assert_eq!(messages[0].sender.name.as_deref(), Some("13900000007"));
        assert_eq!(driver.messages(&call(1)).unwrap(), messages, "the same act told twice");
        assert_ne!(driver.messages(&call(2)).unwrap()[0].key, messages[0].key);
        let said = |at, body: &Value| sealed(body.to_string().as_bytes(), at);
        let hangup = said(NOW.secs(), &sign::event("call-7", 3, "hangup", "13900000007"));
        assert_eq!(driver.messages(&hangup).unwrap()[0].content.kind(), "event");
        let partial = said(NOW.secs(), &sign::segment("call-7", 4, "customer", "退", false));
        assert_eq!(driver.messages(&partial).unwrap(), Vec::new());
    }

    #[test]
    fn nothing_unsigned_or_old_is_taken() {
        let driver = Driver::new(&PhoneAdapter, &Phone);
        let unsigned = Request { headers: Vec::new(), ..driver.pushed(&act(1, "x")) };
        assert_eq!(driver.messages(&unsigned), Err(Refusal::SignatureMissing));
        let changed = Request { body: b"{}".to_vec(), ..driver.pushed(&act(1, "x")) };
        assert_eq!(driver.messages(&changed), Err(Refusal::SignatureWrong));
        assert_eq!(driver.messages(&sealed(b"{}", NOW.secs() - 301)), Err(Refusal::Stale(-301)));
        assert_eq!(Phone.endpoint(&Request::default()), None);
    }
}
