//! Mail, simulated: SendGrid's Inbound Parse and `v3/mail/send`; [`Mailgun`] plays the other provider.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use serde_json::{Value, json};
use warmline_channels::email::sign;

const ADDRESS_TOKEN: &str = "email-address-token-0001";
const API_KEY: &str = "SG.simulated-api-key";
const SERVICE: &str = "service@rice.example";

/// SendGrid.
#[derive(Clone, Copy, Debug, Default)]
pub struct Email;

/// The id of a customer's mail.
fn message_id(number: u64) -> String {
    format!("{number}@mail.example")
}

/// Whether a reply joins the thread of a mail with such an id.
fn threaded(in_reply_to: Option<&str>, references: Option<&str>) -> bool {
    let bracketed = |id: &str| id.starts_with('<') && id.ends_with("@mail.example>");
    in_reply_to.is_none_or(|id| bracketed(id) && references.is_some_and(|r| r.ends_with(id)))
}

/// A post of this body to the secret address.
pub(super) fn sealed(body: &[u8], _at: i64) -> Request {
    let (kind, _) = sign::multipart(&[], &[]);
    Request {
        method: "POST".to_owned(),
        path: format!("/{ADDRESS_TOKEN}"),
        query: String::new(),
        headers: vec![("content-type".to_owned(), kind)],
        body: body.to_vec(),
    }
}

impl Simulated for Email {
    fn channel(&self) -> &'static str {
        "email"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: "rice-mail".to_owned(),
            settings: json!({ "provider": "sendgrid", "api_base": api_base, "from": SERVICE, "from_name": "暖线客服" }),
            secrets: vec![("address_token", ADDRESS_TOKEN.to_owned()), ("api_key", API_KEY.to_owned())],
        }
    }

    fn open_id(&self, customer: u64) -> String {
        format!("customer-{customer}@mail.example")
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let from = format!("顾客{} <{}>", act.customer, self.open_id(act.customer));
        let (_, body) = sign::sendgrid_mail(&message_id(act.number), None, &from, SERVICE, "咨询", act.text);
        Arrival::Webhook(sealed(&body, act.at))
    }

    fn acknowledged(&self, status: u16, _: &[u8]) -> bool {
        (200..300).contains(&status)
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        (call.method == "POST" && call.path == "/v3/mail/send").then_some(Endpoint::Send)
    }

    fn check(&self, _: Endpoint, call: &Request, _: &str) -> Result<Option<Sent>, Trouble> {
        let (body, own) = (call.json(), format!("Bearer {API_KEY}"));
        let thread = &body["headers"];
        let good = call.header("authorization") == Some(own.as_str())
            && body["from"]["email"] == SERVICE
            && body["subject"].as_str().is_some_and(|s| s.starts_with("Re:"))
            && threaded(thread["In-Reply-To"].as_str(), thread["References"].as_str());
        if !good {
            return Err(Trouble::SignatureRefused);
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let to = text(&body["personalizations"][0]["to"][0]["email"]);
        Ok(Some(Sent { to, text: text(&body["content"][0]["value"]) }))
    }

    fn answer(&self, _: Endpoint, _: &Request, _: &str, _: &[(u64, Value)]) -> Answer {
        Answer::new(202, Vec::new())
    }

    /// SendGrid has neither access tokens nor a window. Used-up credits stand for the window.
    fn refuse(&self, _: Endpoint, trouble: Trouble) -> Answer {
        let (status, message) = match trouble {
            Trouble::TokenRefused | Trouble::SignatureRefused => (401, "The provided authorization grant is invalid"),
            Trouble::WindowClosed => (401, "Maximum credits exceeded"),
            Trouble::RateLimited => (429, "too many requests"),
        };
        let body = json!({ "errors": [{ "message": message, "field": null, "help": null }] });
        Answer { status, ..Answer::json(&body) }
    }
}

/// Mailgun, for accounts that use it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mailgun;

pub(super) const SIGNING_KEY: &str = "key-simulated-signing";
const MAILGUN_KEY: &str = "key-simulated-api";
const DOMAIN: &str = "mg.rice.example";

impl Simulated for Mailgun {
    fn channel(&self) -> &'static str {
        "email"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: "rice-mailgun".to_owned(),
            settings: json!({ "provider": "mailgun", "api_base": api_base, "from": SERVICE, "domain": DOMAIN }),
            secrets: vec![("signing_key", SIGNING_KEY.to_owned()), ("api_key", MAILGUN_KEY.to_owned())],
        }
    }

    fn open_id(&self, customer: u64) -> String {
        Email.open_id(customer)
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let headers = json!([["Message-Id", format!("<{}>", message_id(act.number))]]).to_string();
        let token: String = act.nonce.iter().map(|b| format!("{b:02x}")).collect();
        let from = self.open_id(act.customer);
        let fields = [
            ("from", from.as_str()),
            ("recipient", SERVICE),
            ("subject", "咨询"),
            ("body-plain", act.text),
            ("message-headers", &headers),
        ];
        Arrival::Webhook(Request {
            method: "POST".to_owned(),
            path: String::new(),
            query: String::new(),
            headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
            body: sign::mailgun_form(SIGNING_KEY, &act.at.to_string(), &token, &fields).into_bytes(),
        })
    }

    fn acknowledged(&self, status: u16, _: &[u8]) -> bool {
        status == 200
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        (call.method == "POST" && call.path == format!("/v3/{DOMAIN}/messages")).then_some(Endpoint::Send)
    }

    fn check(&self, _: Endpoint, call: &Request, _: &str) -> Result<Option<Sent>, Trouble> {
        let form: Vec<(String, String)> = form_urlencoded::parse(&call.body).into_owned().collect();
        let get = |name: &str| form.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
        // Basic authentication is the same header everywhere.
        let own = warmline_channels::twilio::authorization("api", MAILGUN_KEY);
        let good = call.header("authorization") == Some(own.as_str())
            && get("from") == Some(SERVICE)
            && get("subject").is_some_and(|s| s.starts_with("Re:"))
            && threaded(get("h:In-Reply-To"), get("h:References"));
        if !good {
            return Err(Trouble::SignatureRefused);
        }
        let text = |name: &str| get(name).unwrap_or_default().to_owned();
        Ok(Some(Sent { to: text("to"), text: text("text") }))
    }

    fn answer(&self, _: Endpoint, _: &Request, _: &str, _: &[(u64, Value)]) -> Answer {
        Answer::json(&json!({ "id": "<20261122.1@mg.rice.example>", "message": "Queued. Thank you." }))
    }

    /// Mailgun has no window either. An account without payment stands for it.
    fn refuse(&self, _: Endpoint, trouble: Trouble) -> Answer {
        let (status, message) = match trouble {
            Trouble::TokenRefused | Trouble::SignatureRefused => (401, "Forbidden"),
            Trouble::WindowClosed => (402, "Payment required"),
            Trouble::RateLimited => (429, "Too many requests"),
        };
        Answer { status, ..Answer::json(&json!({ "message": message })) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Driver;
    use super::*;
    use warmline_channels::Outcome;
    use warmline_channels::email::EmailAdapter;

    fn troubles(window_closed: &'static str) -> [(Trouble, Outcome); 4] {
        [
            (Trouble::TokenRefused, Outcome::Permanent("credentials_refused")),
            (Trouble::WindowClosed, Outcome::Permanent(window_closed)),
            (Trouble::RateLimited, Outcome::Retry("rate_limited")),
            (Trouble::SignatureRefused, Outcome::Permanent("credentials_refused")),
        ]
    }

    #[test]
    fn sendgrid_and_the_adapter_agree() {
        let messages =
            Driver::new(&EmailAdapter, &Email).whole_way("退货怎么办？😀\n--\n顾客", &troubles("reply_quota_used"));
        assert_eq!(messages.last().unwrap().sender.name.as_deref(), Some("顾客7"));
    }

    #[test]
    fn mailgun_and_the_adapter_agree() {
        Driver::new(&EmailAdapter, &Mailgun).whole_way("退货怎么办？😀 a&b=c", &troubles("account_blocked"));
    }

    #[test]
    fn a_reply_outside_its_thread_is_seen() {
        assert!(threaded(Some("<2@mail.example>"), Some("<1@mail.example> <2@mail.example>")));
        assert!(!threaded(Some("<2@mail.example>"), None));
        assert!(!threaded(Some("2@mail.example"), Some("2@mail.example")));
    }
}
