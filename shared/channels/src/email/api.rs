//! Sending mail: SendGrid's `v3/mail/send`, Mailgun's `v3/<domain>/messages`, and the meaning of their answers.

use super::account::{Account, Provider, is_address};
use super::header::ids;
use super::who::written_to;
use crate::answers;
use crate::kit::{ApiRequest, ApiResponse, Outbound, Outcome, Undeliverable};
use crate::requests::{authorized, basic, get, post_form};
use serde::Deserialize;
use serde_json::{Value, json};
use warmline_model::{Content, Media};

/// The marks of a reply in mail programs.
const REPLIES: &[&str] = &["re:", "re：", "回复:", "回复：", "答复:", "答复："];

/// The headers with which a mail program puts a reply into its thread (RFC 5322, 3.6.4).
struct Thread {
    subject: String,
    in_reply_to: Option<String>,
    references: Option<String>,
}

impl Thread {
    /// Reads the parser's stored data. It is our own, but it came from a mail, so it is checked again.
    fn of(reply_to: Option<&Value>) -> Self {
        let text = |name: &str| reply_to.and_then(|to| to.get(name)).and_then(Value::as_str).unwrap_or_default();
        let subject: String = text("subject").chars().filter(|c| !c.is_control()).take(200).collect();
        let lower = subject.to_lowercase();
        let subject = match subject.as_str() {
            _ if REPLIES.iter().any(|mark| lower.starts_with(mark)) => subject,
            "" => "Re:".to_owned(),
            _ => format!("Re: {subject}"),
        };
        let in_reply_to = ids(text("message_id")).pop().map(|id| format!("<{id}>"));
        let list = reply_to.and_then(|to| to.get("references")).and_then(Value::as_array).into_iter().flatten();
        let references: Vec<String> =
            list.filter_map(Value::as_str).take(32).flat_map(ids).map(|id| format!("<{id}>")).collect();
        Self { subject, in_reply_to, references: (!references.is_empty()).then(|| references.join(" ")) }
    }
}

/// A mail to send.
struct Letter<'a> {
    id: &'a str,
    from: &'a str,
    to: &'a str,
    cc: Vec<&'a str>,
    text: &'a str,
    /// Other headers.
    headers: Vec<(&'static str, String)>,
    subject: String,
}

/// Renders a reply. With `automatic`, no person wrote it, and the mail says so (RFC 3834), so that no machine answers it.
pub(super) fn render(account: &Account, reply: &Outbound<'_>, automatic: bool) -> Result<ApiRequest, Undeliverable> {
    let Content::Text { text, cc, .. } = reply.content else { return Err(Undeliverable::KindNotSupported) };
    let api_key = account.api_key.as_deref().ok_or(Undeliverable::CredentialsMissing)?;
    let from = account.from.as_deref().ok_or(Undeliverable::FromMissing)?;
    let said = |name: &str| reply.reply_to.and_then(|to| to.get(name)).and_then(Value::as_str);
    // The customer's own address, or the address for replies that their last mail names.
    let to = said("reply").filter(|to| is_address(to)).unwrap_or_else(|| written_to(reply.to));
    if !is_address(to) {
        return Err(Undeliverable::RecipientUnknown);
    }
    let mut copies: Vec<&str> = Vec::new();
    for other in cc.iter().map(String::as_str).filter(|other| is_address(other)) {
        // The brand's own addresses would bring the mail back.
        if other != to && other != from && Some(other) != said("to") && !copies.contains(&other) {
            copies.push(other);
        }
    }
    let Thread { subject, in_reply_to, references } = Thread::of(reply.reply_to);
    let threaded = [("In-Reply-To", in_reply_to), ("References", references)];
    let mut headers: Vec<_> = threaded.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    // A bounce finds the message by this id, whoever the recipient was. A mail that is sent twice is one mail to the
    // customer's program.
    let domain = from.rsplit('@').next().unwrap_or_default();
    headers.extend(ids(&format!("<{}@{domain}>", reply.id)).pop().map(|id| ("Message-ID", format!("<{id}>"))));
    if automatic {
        headers.push(("Auto-Submitted", "auto-replied".to_owned()));
        // Exchange looks at this header.
        headers.push(("X-Auto-Response-Suppress", "All".to_owned()));
    }
    let letter = Letter { id: reply.id, from, to, cc: copies, text, headers, subject };
    match &account.provider {
        Provider::Sendgrid { .. } => Ok(sendgrid(account, api_key, &letter)),
        Provider::Mailgun { domain, .. } => {
            Ok(mailgun(account, api_key, domain.as_deref().ok_or(Undeliverable::DomainMissing)?, &letter))
        }
    }
}

fn sendgrid(account: &Account, api_key: &str, letter: &Letter<'_>) -> ApiRequest {
    let mut body = json!({
        "personalizations": [{ "to": [{ "email": letter.to }], "custom_args": { "message": letter.id } }],
        "from": { "email": letter.from },
        "subject": letter.subject,
        "content": [{ "type": "text/plain", "value": letter.text }],
    });
    if !letter.cc.is_empty() {
        body["personalizations"][0]["cc"] = letter.cc.iter().map(|other| json!({ "email": other })).collect();
    }
    if let Some(name) = &account.from_name {
        body["from"]["name"] = Value::from(name.as_str());
    }
    for (name, value) in &letter.headers {
        body["headers"][name] = Value::from(value.as_str());
    }
    let headers = vec![("content-type", "application/json".to_owned()), ("authorization", format!("Bearer {api_key}"))];
    let url = format!("{}/v3/mail/send", account.api_base);
    ApiRequest { method: http::Method::POST, url, headers, body: body.to_string().into_bytes() }
}

fn mailgun(account: &Account, api_key: &str, domain: &str, letter: &Letter<'_>) -> ApiRequest {
    let Letter { id, from, to, cc, text, headers, subject } = letter;
    let from = account.from_name.as_ref().map_or_else(|| (*from).to_owned(), |name| format!("\"{name}\" <{from}>"));
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("from", &from).append_pair("to", to);
    if !cc.is_empty() {
        form.append_pair("cc", &cc.join(", "));
    }
    form.append_pair("subject", subject).append_pair("text", text).append_pair("v:message", id);
    for (name, value) in headers {
        form.append_pair(&format!("h:{name}"), value);
    }
    let url = format!("{}/v3/{domain}/messages", account.api_base);
    authorized(post_form(url, form.finish()), basic("api", api_key))
}

/// A stored attachment. The key is sent only to Mailgun's own hosts.
pub(super) fn media(account: &Account, media: &Media) -> Result<ApiRequest, Undeliverable> {
    let Provider::Mailgun { .. } = &account.provider else { return Err(Undeliverable::MediaNotSupported) };
    let url = media.url.as_deref().ok_or(Undeliverable::MediaUnknown)?;
    let api_key = account.api_key.as_deref().ok_or(Undeliverable::CredentialsMissing)?;
    let uri: http::Uri = url.parse().map_err(|_| Undeliverable::MediaUnknown)?;
    let own = url.strip_prefix(account.api_base.as_str()).is_some_and(|path| path.starts_with('/'));
    let host = uri.authority().filter(|a| !a.as_str().contains('@') && a.port().is_none()).map(|a| a.host());
    let theirs = uri.scheme_str() == Some("https") && host.is_some_and(|h| h.ends_with(".mailgun.net"));
    if !own && !theirs {
        return Err(Undeliverable::MediaUnknown);
    }
    Ok(authorized(get(url.to_owned()), basic("api", api_key)))
}

#[derive(Default, Deserialize)]
struct Answer {
    id: Option<String>,
    message: Option<String>,
    #[serde(default)]
    errors: Vec<Error>,
}

#[derive(Deserialize)]
struct Error {
    message: Option<String>,
    field: Option<String>,
}

/// SendGrid answers 202 without a body, Mailgun 200 with the message's id. Neither has codes. Beyond its status, a refusal
/// explains itself in words; this looks only for words on which an agent or operator can act.
pub(super) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    let read: Option<Answer> = serde_json::from_slice(answer.body).ok();
    if answer.status == 202 {
        return Outcome::Sent;
    }
    if (200..300).contains(&answer.status) {
        let id = read.and_then(|read| read.id).filter(|id| !id.is_empty());
        return if id.is_some() { Outcome::Sent } else { Outcome::Retry("answer_unreadable") };
    }
    let Some(read) = read else {
        return answers::check_status_with_credentials(answer.status).err().unwrap_or(Outcome::Retry("answer_unreadable"));
    };
    let error = read.errors.into_iter().next();
    let field = error.as_ref().and_then(|e| e.field.clone()).unwrap_or_default();
    let words = error.and_then(|e| e.message).or(read.message).unwrap_or_default().to_lowercase();
    match answer.status {
        401 if words.contains("credits exceeded") => Outcome::Permanent("reply_quota_used"),
        402 => Outcome::Permanent("account_blocked"),
        403 if field == "from" => Outcome::Permanent("sender_refused"),
        400 if field.starts_with("personalizations.") && field.contains(".to") || words.contains("'to' parameter") => {
            Outcome::Permanent("recipient_unknown")
        }
        400 => Outcome::Permanent("platform_refused"),
        413 => Outcome::Permanent("text_too_long"),
        status => answers::check_status_with_credentials(status).err().unwrap_or(Outcome::Retry("answer_unreadable")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::EmailAdapter;
    use super::*;
    use crate::kit::Adapter;
    use proptest::prelude::*;
    use warmline_model::Timestamp;

    fn account(settings: Value) -> Account {
        let (provider, secret) = match settings["provider"].as_str() {
            Some("sendgrid") => ("address_token", "0123456789abcdef"),
            _ => ("signing_key", "0123456789abcdef"),
        };
        let secrets = [(provider, secret), ("api_key", "k")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        EmailAdapter.account(&settings.into(), &secrets).ok().unwrap()
    }

    fn send(settings: Value, to: &str, reply_to: Option<&Value>) -> Result<ApiRequest, Undeliverable> {
        let content = Content::text("好的，马上处理 &");
        let reply = Outbound { to, id: "m1", content: &content, at: Timestamp::from_secs(0), reply_to };
        render(&account(settings), &reply, false)
    }

    fn thread() -> Value {
        json!({ "message_id": "3@x", "references": ["1@x", "3@x"], "subject": "退货", "to": "s@rice.example" })
    }

    #[test]
    fn sendgrid_replies_join_their_thread() {
        let settings = json!({ "provider": "sendgrid", "from": "service@rice.example", "from_name": "暖线" });
        let call = send(settings.clone(), "w@x", Some(&thread())).ok().unwrap();
        assert_eq!(call.url, "https://api.sendgrid.com/v3/mail/send");
        assert_eq!(call.headers[1], ("authorization", "Bearer k".to_owned()));
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let expected = json!({
            "personalizations": [{ "to": [{ "email": "w@x" }], "custom_args": { "message": "m1" } }],
            "from": { "email": "service@rice.example", "name": "暖线" },
            "subject": "Re: 退货",
            "content": [{ "type": "text/plain", "value": "好的，马上处理 &" }],
            "headers": { "In-Reply-To": "<3@x>", "References": "<1@x> <3@x>", "Message-ID": "<m1@rice.example>" },
        });
        assert_eq!(body, expected);
        let bare: Value = serde_json::from_slice(&send(settings, "w@x", None).ok().unwrap().body).unwrap();
        let own = json!({ "Message-ID": "<m1@rice.example>" });
        assert_eq!((&bare["subject"], bare.get("headers")), (&json!("Re:"), Some(&own)));
    }

    #[test]
    fn mailgun_replies_join_their_thread() {
        let settings =
            json!({ "provider": "mailgun", "from": "s@rice.example", "from_name": "暖线", "domain": "mg.rice.example" });
        let mut to = thread();
        to["subject"] = json!("RE: 退货\r\nBcc: x@y");
        let call = send(settings, "w@x", Some(&to)).ok().unwrap();
        assert_eq!(call.url, "https://api.mailgun.net/v3/mg.rice.example/messages");
        assert_eq!(call.headers[1], ("authorization", basic("api", "k")));
        let form: Vec<(String, String)> = form_urlencoded::parse(&call.body).into_owned().collect();
        let get = |name: &str| form.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
        assert_eq!((get("from"), get("to")), (Some("\"暖线\" <s@rice.example>"), Some("w@x")));
        assert_eq!((get("subject"), get("text")), (Some("RE: 退货Bcc: x@y"), Some("好的，马上处理 &")));
        assert_eq!((get("h:In-Reply-To"), get("h:References")), (Some("<3@x>"), Some("<1@x> <3@x>")));
    }

    #[test]
    fn w7_a_reply_goes_where_the_customer_says() {
        let settings = json!({ "provider": "sendgrid", "from": "service@rice.example" });
        let to = |open_id: &str, reply_to: Option<&Value>| {
            let call = send(settings.clone(), open_id, reply_to).ok().unwrap();
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            body["personalizations"][0]["to"].clone()
        };
        let mut named = thread();
        named["reply"] = json!("home@x");
        assert_eq!(to("w@x", Some(&named)), json!([{ "email": "home@x" }]));
        assert_eq!(to("w@x (via no-reply@shop.example)", Some(&thread())), json!([{ "email": "w@x" }]));
        named["reply"] = json!("a@b, c@d");
        assert_eq!(to("w@x", Some(&named)), json!([{ "email": "w@x" }]), "only one address");
    }

    #[test]
    fn w8_what_no_person_wrote_says_so_and_what_an_agent_wrote_does_not() {
        for settings in [
            json!({ "provider": "sendgrid", "from": "s@rice.example" }),
            json!({ "provider": "mailgun", "from": "s@rice.example", "domain": "mg.rice.example" }),
        ] {
            let content = Content::text("您好");
            let reply = Outbound { to: "w@x", id: "m", content: &content, at: Timestamp::from_secs(0), reply_to: None };
            let sent = |automatic| {
                String::from_utf8(render(&account(settings.clone()), &reply, automatic).ok().unwrap().body).unwrap()
            };
            assert!(sent(true).contains("Auto-Submitted") && sent(true).contains("auto-replied"));
            assert!(!sent(false).contains("Auto-Submitted"));
        }
    }

    #[test]
    fn w18_copies_go_to_all_but_ourselves() {
        let content = Content::Text {
            text: "好".into(),
            quoted: None,
            to: Vec::new(),
            cc: ["a@x", "s@rice.example", "service@rice.example", "w@x", "a@x", "no address"].map(str::to_owned).into(),
            reply_to: None,
        };
        let to = json!({ "to": "service@rice.example" });
        let reply = Outbound { to: "w@x", id: "m", content: &content, at: Timestamp::from_secs(0), reply_to: Some(&to) };
        let settings = json!({ "provider": "sendgrid", "from": "s@rice.example" });
        let body: Value = serde_json::from_slice(&render(&account(settings), &reply, false).ok().unwrap().body).unwrap();
        assert_eq!(body["personalizations"][0]["cc"], json!([{ "email": "a@x" }]));
        let settings = json!({ "provider": "mailgun", "from": "s@rice.example", "domain": "mg.rice.example" });
        let call = render(&account(settings), &reply, false).ok().unwrap();
        assert!(form_urlencoded::parse(&call.body).any(|(k, v)| k == "cc" && v == "a@x"));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(send(json!({ "provider": "sendgrid" }), "w@x", None).err(), Some(Undeliverable::FromMissing));
        let settings = json!({ "provider": "mailgun", "from": "s@r" });
        assert_eq!(send(settings.clone(), "w@x", None).err(), Some(Undeliverable::DomainMissing));
        assert_eq!(send(settings, "w@x, other@y", None).err(), Some(Undeliverable::RecipientUnknown));
    }

    #[test]
    fn the_key_goes_to_mailgun_only() {
        let ask = |provider: &str, url: &str| {
            media(&account(json!({ "provider": provider })), &Media { url: Some(url.to_owned()), ..Media::default() })
        };
        assert!(ask("mailgun", "https://storage-us-east4.api.mailgun.net/v3/domains/d/messages/K/attachments/0").is_ok());
        assert!(ask("mailgun", "https://api.mailgun.net/v3/x").is_ok());
        for bad in [
            "https://evil.example/x",
            "https://x.mailgun.net@evil.example/",
            "http://x.mailgun.net/",
            "https://api.mailgun.net.evil.example/",
            "https://x.mailgun.net:8443/",
            "nonsense",
        ] {
            assert_eq!(ask("mailgun", bad).err(), Some(Undeliverable::MediaUnknown), "{bad}");
        }
        assert_eq!(ask("sendgrid", "https://api.mailgun.net/v3/x").err(), Some(Undeliverable::MediaNotSupported));
    }

    #[test]
    fn answers() {
        let sent = |status, body: &str| read_answer(&ApiResponse { status, body: body.as_bytes() });
        assert_eq!(sent(202, ""), Outcome::Sent);
        assert_eq!(sent(200, r#"{"id":"<1@mg>","message":"Queued. Thank you."}"#), Outcome::Sent);
        assert_eq!(sent(200, ""), Outcome::Retry("answer_unreadable"));
        let error = |message: &str, field: &str| json!({ "errors": [{ "message": message, "field": field }] }).to_string();
        assert_eq!(
            sent(401, &error("The provided authorization grant is invalid", "")),
            Outcome::Permanent("credentials_refused")
        );
        assert_eq!(sent(401, &error("Maximum credits exceeded", "")), Outcome::Permanent("reply_quota_used"));
        assert_eq!(sent(403, &error("The from address does not match", "from")), Outcome::Permanent("sender_refused"));
        assert_eq!(
            sent(400, &error("Does not contain a valid address.", "personalizations.0.to.0.email")),
            Outcome::Permanent("recipient_unknown")
        );
        assert_eq!(
            sent(400, r#"{"message":"'to' parameter is not a valid address"}"#),
            Outcome::Permanent("recipient_unknown")
        );
        assert_eq!(sent(400, &error("The subject is required.", "subject")), Outcome::Permanent("platform_refused"));
        assert_eq!(sent(401, "Forbidden"), Outcome::Permanent("credentials_refused"));
        assert_eq!(sent(402, r#"{"message":"x"}"#), Outcome::Permanent("account_blocked"));
        assert_eq!(sent(404, r#"{"message":"Domain not found"}"#), Outcome::Permanent("http_refused"));
        assert_eq!(sent(413, "{}"), Outcome::Permanent("text_too_long"));
        assert_eq!(sent(429, "{}"), Outcome::Retry("rate_limited"));
        assert_eq!(sent(503, ""), Outcome::Retry("platform_unavailable"));
    }

    proptest! {
        #[test]
        fn no_reply_breaks_out_of_its_headers(subject in ".*", id in ".*", text in ".*") {
            let to = json!({ "message_id": id, "references": [id, text], "subject": subject });
            let thread = Thread::of(Some(&to));
            let parts = [Some(thread.subject), thread.in_reply_to, thread.references];
            prop_assert!(parts.iter().flatten().all(|part| !part.chars().any(char::is_control)));
        }

        #[test]
        fn arbitrary_answers_do_not_panic(status: u16, body: Vec<u8>) {
            let _ = read_answer(&ApiResponse { status, body: &body });
        }
    }
}
