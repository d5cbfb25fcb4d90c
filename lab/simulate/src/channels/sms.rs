//! Text messages by Aliyun, simulated: the uplink push, and `SendSms` signed by ACS3. Tests can give the account Twilio's
//! settings instead; [`Twilio`] plays that side.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use serde_json::{Value, json};
use warmline_channels::aliyun::{Acs3, canonical};
use warmline_channels::sms::sign;
use warmline_model::Timestamp;

const ADDRESS_TOKEN: &str = "sms-address-token-0001";
const KEY_ID: &str = "LTAIsimulated";
const KEY_SECRET: &str = "sms-access-key-secret";

/// Aliyun's SMS service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sms;

/// A time as Aliyun writes it, in the zone of Beijing.
fn beijing(at: i64) -> String {
    let text = Timestamp::from_secs(at + 8 * 3600).to_string();
    text.get(..19).unwrap_or_default().replace('T', " ")
}

/// A post of this body to the secret address.
pub(super) fn sealed(body: &[u8], _at: i64) -> Request {
    Request {
        method: "POST".to_owned(),
        path: format!("/{ADDRESS_TOKEN}"),
        query: String::new(),
        headers: vec![("content-type".to_owned(), "application/json;charset=UTF-8".to_owned())],
        body: body.to_vec(),
    }
}

impl Simulated for Sms {
    fn channel(&self) -> &'static str {
        "sms"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: "rice-sms".to_owned(),
            settings: json!({
                "provider": "aliyun",
                "api_base": api_base,
                "access_key_id": KEY_ID,
                "sign_name": "暖线",
                "template_code": "SMS_100000001",
            }),
            secrets: vec![("address_token", ADDRESS_TOKEN.to_owned()), ("access_key_secret", KEY_SECRET.to_owned())],
        }
    }

    fn open_id(&self, customer: u64) -> String {
        format!("139{:08}", customer % 100_000_000)
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let item = sign::aliyun_text(act.number, &self.open_id(act.customer), &beijing(act.at), "8001", act.text);
        Arrival::Webhook(sealed(json!([item]).to_string().as_bytes(), act.at))
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        status == 200 && serde_json::from_slice::<Value>(body).is_ok_and(|answer| answer["code"] == 0)
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        (call.method == "POST" && call.path == "/").then_some(Endpoint::Send)
    }

    fn check(&self, _: Endpoint, call: &Request, _: &str) -> Result<Option<Sent>, Trouble> {
        let query: Vec<(String, String)> = form_urlencoded::parse(call.query.as_bytes()).into_owned().collect();
        let query: Vec<(&str, &str)> = query.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let names = ["host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"];
        let headers: Vec<_> = names.iter().filter_map(|name| Some((*name, call.header(name)?))).collect();
        let signed = Acs3 { method: "POST", path: "/", query: &query, headers: &headers };
        let good = headers.len() == names.len()
            && call.header("authorization") == Some(signed.authorization(KEY_ID, KEY_SECRET).as_str())
            && call.header("x-acs-content-sha256") == Some(warmline_channels::aliyun::content_hash(&call.body).as_str())
            && canonical(&query) == call.query;
        if !good {
            return Err(Trouble::SignatureRefused);
        }
        let get = |name: &str| query.iter().find(|(k, _)| *k == name).map(|(_, v)| *v).unwrap_or_default();
        let param: Value = serde_json::from_str(get("TemplateParam")).unwrap_or_default();
        let text = param["content"].as_str().unwrap_or_default().to_owned();
        Ok(Some(Sent { to: get("PhoneNumbers").to_owned(), text }))
    }

    fn answer(&self, _: Endpoint, _: &Request, _: &str, _: &[(u64, Value)]) -> Answer {
        Answer::json(&json!({ "Code": "OK", "Message": "OK", "BizId": "900619746936498440^0", "RequestId": "F655A8D5" }))
    }

    /// Aliyun has neither access tokens nor a window. A used-up daily quota stands for the window.
    fn refuse(&self, _: Endpoint, trouble: Trouble) -> Answer {
        let (status, code) = match trouble {
            Trouble::TokenRefused => (404, "InvalidAccessKeyId.NotFound"),
            Trouble::WindowClosed => (200, "isv.DAY_LIMIT_CONTROL"),
            Trouble::RateLimited => (200, "isv.BUSINESS_LIMIT_CONTROL"),
            Trouble::SignatureRefused => (400, "SignatureDoesNotMatch"),
        };
        Answer { status, ..Answer::json(&json!({ "Code": code, "Message": code, "RequestId": "F655A8D5" })) }
    }
}

/// Twilio's messages, for accounts that use it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Twilio;

pub(super) const PUBLIC_URL: &str = "https://warmline.example/channels/sms/rice-twilio";
const SID: &str = "AC00000000000000000000000000000001";
pub(super) const AUTH_TOKEN: &str = "sms-twilio-auth-token";
const NUMBER: &str = "+15550001111";

impl Simulated for Twilio {
    fn channel(&self) -> &'static str {
        "sms"
    }

    fn account(&self, api_base: &str) -> Account {
        let settings = json!({ "provider": "twilio", "api_base": api_base, "account_sid": SID, "public_url": PUBLIC_URL });
        let secrets = vec![("auth_token", AUTH_TOKEN.to_owned())];
        Account { id: "rice-twilio".to_owned(), settings, secrets }
    }

    fn open_id(&self, customer: u64) -> String {
        format!("+86139{:08}", customer % 100_000_000)
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let (sid, from) = (format!("SM{:032x}", act.number), self.open_id(act.customer));
        let (body, signature) = sign::twilio_text(AUTH_TOKEN, PUBLIC_URL, &sid, &from, NUMBER, act.text);
        Arrival::Webhook(Request {
            method: "POST".to_owned(),
            path: String::new(),
            query: String::new(),
            headers: vec![
                ("content-type".to_owned(), "application/x-www-form-urlencoded; charset=UTF-8".to_owned()),
                ("x-twilio-signature".to_owned(), signature),
            ],
            body: body.into_bytes(),
        })
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        status == 200 && body.ends_with(b"<Response/>")
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        (call.method == "POST" && call.path == format!("/2010-04-01/Accounts/{SID}/Messages.json")).then_some(Endpoint::Send)
    }

    fn check(&self, _: Endpoint, call: &Request, _: &str) -> Result<Option<Sent>, Trouble> {
        // Basic authentication sends the base64 of SID:AUTH_TOKEN.
        if call.header("authorization") != Some(warmline_channels::twilio::authorization(SID, AUTH_TOKEN).as_str()) {
            return Err(Trouble::SignatureRefused);
        }
        let form: Vec<(String, String)> = form_urlencoded::parse(&call.body).into_owned().collect();
        let get = |name: &str| form.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()).unwrap_or_default();
        Ok(Some(Sent { to: get("To"), text: get("Body") }))
    }

    fn answer(&self, _: Endpoint, _: &Request, _: &str, _: &[(u64, Value)]) -> Answer {
        Answer { status: 201, ..Answer::json(&json!({ "sid": "SM1", "status": "queued", "error_code": null })) }
    }

    fn refuse(&self, _: Endpoint, trouble: Trouble) -> Answer {
        let (status, code) = match trouble {
            Trouble::TokenRefused | Trouble::SignatureRefused => (401, 20003),
            Trouble::WindowClosed => (400, 63016),
            Trouble::RateLimited => (429, 20429),
        };
        Answer { status, ..Answer::json(&json!({ "code": code, "message": "refused", "status": status })) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Driver;
    use super::*;
    use warmline_channels::Outcome;
    use warmline_channels::sms::SmsAdapter;

    fn troubles(window_closed: &'static str) -> [(Trouble, Outcome); 4] {
        [
            (Trouble::TokenRefused, Outcome::Permanent("credentials_refused")),
            (Trouble::WindowClosed, Outcome::Permanent(window_closed)),
            (Trouble::RateLimited, Outcome::Retry("rate_limited")),
            (Trouble::SignatureRefused, Outcome::Permanent("credentials_refused")),
        ]
    }

    #[test]
    fn aliyun_and_the_adapter_agree() {
        Driver::new(&SmsAdapter, &Sms).whole_way("退货怎么办？😀 a&b=c", &troubles("reply_quota_used"));
    }

    #[test]
    fn twilio_and_the_adapter_agree() {
        Driver::new(&SmsAdapter, &Twilio).whole_way("退货怎么办？😀 a&b=c", &troubles("reply_window_closed"));
    }

    #[test]
    fn times_are_beijings() {
        assert_eq!(beijing(1_504_224_001), "2017-09-01 08:00:01");
    }
}
