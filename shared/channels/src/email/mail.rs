//! A mail as messages: a new thread's subject, the text, the attachments' names; or an event, if a machine wrote it.

use super::account::Account;
use super::header::{Address, Headers, earlier_ids};
use super::html::to_text;
use super::mime::{MAX_FILES, Raw};
use super::quote::{Split, split};
use super::report::{Report, Told, told};
use super::who::{other_address, who};
use crate::digest::opaque_key;
use crate::kit::{Odd, Parsed};
use serde_json::{Map, Value, json};
use warmline_model::{Content, Identifier, IdentifierKind, Inbound, Media, MessageId, Sender, Timestamp};

/// The longest text kept, in characters. Longer ones are logs and quoted threads.
const MAX_TEXT: usize = 50_000;
/// The longest history kept with it, and the longest notice of a bounce.
const MAX_QUOTED: usize = 20_000;
const MAX_NOTICE: usize = 2_000;
const MAX_SUBJECT: usize = 998;
/// The most ids of a thread that are kept. RFC 5322 lets the middle ones go first.
const MAX_REFERENCES: usize = 20;
/// The most other recipients of a mail that are shown.
const MAX_COPIES: usize = 50;

/// The event that holds a new thread's subject.
const SUBJECT: &str = "subject";
/// The marks of a reply or a forwarded mail, in lower case and without blanks.
const REPLIES: &[&str] = &[
    "re:",
    "re：",
    "re[",
    "回复:",
    "回复：",
    "答复:",
    "答复：",
    "回覆:",
    "回覆：",
    "aw:",
    "sv:",
    "返信:",
    "fw:",
    "fwd:",
    "转发:",
    "转发：",
];

/// The marks of an automatic answer, in lower case. A colon follows.
const AUTOMATIC: &[&str] = &[
    "自动回复",
    "自动答复",
    "自动应答",
    "自動回覆",
    "自動回復",
    "自動答覆",
    "自動返信",
    "自動応答",
    "不在通知",
    "外出自动回复",
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "autoresponse",
    "out of office",
    "out-of-office",
    "out of office autoreply",
    "out of office reply",
    "automatische antwort",
    "abwesenheitsnotiz",
    "réponse automatique",
    "respuesta automática",
    "resposta automática",
    "risposta automatica",
    "자동 회신",
    "자동회신",
    "자동응답",
];

/// A mail as a provider delivers it.
#[derive(Default)]
pub(super) struct Mail {
    pub(super) headers: Headers,
    /// The sender's address and name, if the header has none.
    pub(super) from: Option<Address>,
    /// The address that the sending server named. It may be empty; `None` if the provider does not give it.
    pub(super) envelope: Option<String>,
    /// The brand's address that it was sent to.
    pub(super) to: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    pub(super) files: Vec<Media>,
    /// Mails inside it, as text.
    pub(super) forwarded: Vec<String>,
    pub(super) report: Option<Report>,
    /// The parts that hold the report, as files.
    pub(super) reported: Vec<Media>,
    /// Whether the HTML came incomplete.
    pub(super) cut: bool,
}

impl From<Raw> for Mail {
    fn from(raw: Raw) -> Self {
        let Raw { headers, text, files, forwarded, report, reported } = raw;
        Self { headers, text, files, forwarded, report, reported, ..Self::default() }
    }
}

/// The kind of a mail's writer.
#[derive(Debug, PartialEq, Eq)]
enum Writer {
    Person,
    /// A mail server, about a mail that was sent.
    Server(&'static str),
    /// Another machine. Its mails must not be answered.
    Machine(&'static str),
}

impl Mail {
    /// The messages in it. Each has a key made of the mail's own id, its sender and its whole content. `raw` is the mail as
    /// it came, for mails that name nobody.
    pub(super) fn messages(mut self, account: &Account, raw: &[u8], came_at: Timestamp) -> Parsed {
        let odd = |reason| Parsed { messages: Vec::new(), odd: vec![Odd { reason, raw: raw.to_vec() }] };
        let subject = one_line(&self.subject.take().unwrap_or_default());
        let written = |text: Option<String>| text.map(|text| tidy(&text)).filter(|text| !text.is_empty());
        let html = self.html.take();
        let text = written(self.text.take()).or_else(|| written(html.map(|html| to_text(&html, self.cut))));
        let text = text.unwrap_or_default();
        let from = self.headers.addresses("from").into_iter().next().or_else(|| self.from.take());
        let writer = self.writer(account, from.as_ref(), &subject);
        if !matches!(writer, Writer::Server(_)) {
            // A report that a person passes on is a file of theirs.
            self.files.append(&mut self.reported);
        }
        let address = from.as_ref().map(|(address, _)| address.clone()).unwrap_or_default();
        let keys = Keys::new(&self, &address, &subject, &text);
        match writer {
            Writer::Server(event) => {
                let Some(about) = self.about(&address, account, &text) else { return odd("bounce_of_nobody") };
                let mut data = self.report.as_ref().map(|report| report.said.clone()).unwrap_or_default();
                self.notice(&mut data, &subject, &text);
                data.insert("recipient".to_owned(), about.as_str().into());
                let original = self.report.and_then(|report| report.original);
                keys.event(about, event, original, data, came_at).into()
            }
            Writer::Machine(event) => {
                if address.is_empty() {
                    return odd("sender_missing");
                }
                let mut data = Map::new();
                self.notice(&mut data, &subject, &text);
                keys.event(address, event, self.headers.message_id(), data, came_at).into()
            }
            Writer::Person => match from {
                Some(from) => self.words(account, from, &subject, text, &keys, came_at).into(),
                None => odd("sender_missing"),
            },
        }
    }

    /// The mail's content, as messages of its writer.
    fn words(
        self,
        account: &Account,
        from: Address,
        subject: &str,
        text: String,
        keys: &Keys,
        came_at: Timestamp,
    ) -> Vec<Inbound> {
        let who = who(account, &self.headers, from, self.to.as_deref());
        let id = self.headers.message_id();
        let answers = self.headers.ids("in-reply-to").into_iter().next();
        let reply = answers.is_some() || self.headers.has("references") || is_reply(subject);
        let Split { new, quoted } = split(&text, reply);
        let history: Vec<String> = quoted.into_iter().chain(self.forwarded.into_iter().map(|mail| tidy(&mail))).collect();
        let quoted = (!history.is_empty()).then(|| shorten(&history.join("\n\n"), MAX_QUOTED));
        let brand = |address: &str| Some(address) == account.from.as_deref() || Some(address) == self.to.as_deref();
        let others = |name: &str| -> Vec<String> {
            let list = self.headers.addresses(name).into_iter().map(|(address, _)| address);
            list.filter(|address| !brand(address) && *address != who.address).take(MAX_COPIES).collect()
        };
        let (to, cc) = (others("to"), others("cc"));

        let mut contents = Vec::new();
        // In a thread everybody knows the subject already. A mail without any content has its subject as content.
        let says = !new.is_empty() || !subject.is_empty() || self.files.is_empty() || quoted.is_some() || !cc.is_empty();
        if !new.is_empty() && answers.is_none() && !subject.is_empty() {
            contents.push(Content::Event {
                event: SUBJECT.to_owned(),
                key: id.clone(),
                data: json!({ "subject": subject }),
            });
        }
        if says {
            let text = if new.is_empty() { subject.to_owned() } else { shorten(&new, MAX_TEXT) };
            contents.push(Content::Text { text, quoted, to, cc, reply_to: who.reply.clone() });
        }
        contents.extend(self.files.into_iter().take(MAX_FILES).map(|media| Content::File { media }));

        let mut references = self.headers.ids("references");
        if references.is_empty() {
            references.extend(answers);
        }
        references.extend(id.clone());
        if references.len() > MAX_REFERENCES {
            references.drain(1..=references.len() - MAX_REFERENCES);
        }
        let mut reply_to = json!({ "message_id": id, "references": references, "subject": subject, "to": self.to });
        if let Some(reply) = &who.reply {
            reply_to["reply"] = reply.as_str().into();
        }
        let at = self.headers.date().filter(|date| *date <= came_at).unwrap_or(came_at);
        // Anybody can write any address there.
        let identifier = Identifier { kind: IdentifierKind::Email, value: who.address, verified: false };
        let sender = Sender { open_id: who.open_id, name: who.name, identifiers: vec![identifier], ..Sender::default() };
        let mut next = 0;
        let inbound = |content: Content| {
            let part = match &content {
                Content::Event { .. } => format!("#{SUBJECT}"),
                _ => {
                    next += 1;
                    if next == 1 { String::new() } else { format!("#{}", next - 1) }
                }
            };
            Inbound {
                key: format!("{}{part}", keys.key),
                earlier_key: keys.earlier.as_ref().map(|key| format!("{key}{part}")),
                sender: sender.clone(),
                at,
                content,
                reply_to: Some(reply_to.clone()),
            }
        };
        contents.into_iter().map(inbound).collect()
    }

    /// Whether a person wrote it (RFC 3834, 3464, and the habits of programs beside them).
    fn writer(&self, account: &Account, from: Option<&Address>, subject: &str) -> Writer {
        let headers = &self.headers;
        let address = from.map(|(address, _)| address.as_str()).unwrap_or_default();
        let local = address.split('@').next().unwrap_or_default();
        let server = matches!(local, "mailer-daemon" | "maildaemon" | "mail-daemon");
        let null = self.envelope.as_deref().is_some_and(|envelope| matches!(envelope.trim(), "" | "<>"))
            || headers.get("return-path").is_some_and(|path| path.replace(' ', "") == "<>")
            || headers.get("from").is_some_and(|from| from.ends_with("<>"));
        let says = subject.to_lowercase();
        let returned = [
            "undeliver",
            "returned",
            "delivery status",
            "delivery fail",
            "failure notice",
            "mail delivery",
            "退信",
            "退回",
            "无法投递",
        ];
        // In the subject of an automatic answer, 退回 means the customer's parcel.
        let returned = !answers_by_itself(subject) && returned.iter().any(|words| says.contains(words));
        let kind = headers.content_type().value;
        let report = kind == "multipart/report" || headers.has("x-failed-recipients");
        let form = account.is_form(address);
        let automatic = automatic(headers, subject, form);
        // Anybody can pass on a report as a part of their mail. The mail of a report names its own kind, or comes from a
        // machine.
        let is_report = report || matches!(told(&kind), Some(Told::Report(_))) || null || server || local == "postmaster";
        if let Some(event) = self.report.as_ref().and_then(|report| report.event).filter(|_| is_report || automatic) {
            return Writer::Server(event);
        }
        if server || report && (null || automatic || local == "postmaster") || headers.has("x-failed-recipients") {
            return Writer::Server("bounce");
        }
        if (null || automatic || local == "postmaster") && returned || address.is_empty() && null {
            return Writer::Server("bounce");
        }
        if Some(address) == account.from.as_deref() {
            // Our own mail came back to us. Answering it would go round for ever.
            return Writer::Machine("own_mail");
        }
        if automatic || null && !form { Writer::Machine("auto_reply") } else { Writer::Person }
    }

    /// The person in a bounce: the recipient of the mail that bounced.
    fn about(&self, server: &str, account: &Account, text: &str) -> Option<String> {
        let known = [server, account.from.as_deref().unwrap_or_default(), self.to.as_deref().unwrap_or_default()];
        let told = self.report.as_ref().and_then(|report| report.recipient.clone());
        let failed = || self.headers.addresses("x-failed-recipients").into_iter().next().map(|(address, _)| address);
        told.or_else(failed).filter(|address| !known.contains(&address.as_str())).or_else(|| other_address(text, &known))
    }

    fn notice(&self, data: &mut Map<String, Value>, subject: &str, text: &str) {
        data.insert("subject".to_owned(), subject.into());
        data.insert("text".to_owned(), if text.is_empty() { Value::Null } else { shorten(text, MAX_NOTICE).into() });
    }
}

/// Whether a program wrote it, so that it must not be answered. A form that the brand names may mark its mails as
/// generated; their words are still a customer's.
fn automatic(headers: &Headers, subject: &str, form: bool) -> bool {
    let is = |name: &str, values: &[&str]| {
        headers.get(name).is_some_and(|v| values.iter().any(|value| v.eq_ignore_ascii_case(value)))
    };
    let submitted = headers.get("auto-submitted").is_some_and(|value| {
        let value = value.split([';', ' ', '(']).next().unwrap_or_default();
        let by_form = form && value.eq_ignore_ascii_case("auto-generated");
        !(by_form || value.eq_ignore_ascii_case("no"))
    });
    // Mailing lists mark their mails as bulk, too.
    let bulk = is("precedence", &["bulk", "junk"]) && !headers.has("list-id") && !form;
    // Programs from before RFC 3834 use names of their own for it.
    let says = |name: &str| headers.has(name) && !is(name, &["no", "false", "0"]);
    let named = ["x-autoreply", "x-auto-reply", "x-autoresponse", "x-autorespond", "x-auto-reply-from"];
    // A subject alone proves little: a new mail with it is by a person who writes about one.
    let answers = headers.has("in-reply-to") || headers.has("references");
    submitted
        || bulk
        || is("precedence", &["auto_reply", "auto-reply"])
        || named.iter().any(|name| says(name))
        || says("x-autogenerated") && !form
        || answers && answers_by_itself(subject)
}

/// Whether a subject begins like that of an automatic answer.
fn answers_by_itself(subject: &str) -> bool {
    let lower = subject.trim_start().to_lowercase();
    let mut rests = AUTOMATIC.iter().filter_map(|mark| lower.strip_prefix(mark));
    rests.any(|rest| rest.trim_start().starts_with([':', '：']))
}

fn is_reply(subject: &str) -> bool {
    let lower: String = subject.chars().take(24).filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    REPLIES.iter().any(|mark| lower.starts_with(mark))
}

/// The keys of a mail.
struct Keys {
    key: String,
    /// The key that the previous release made, if it certainly belongs to this mail.
    earlier: Option<String>,
}

impl Keys {
    /// Programs and gateways give one id to several mails, so that sender and content count, too. The address to which it
    /// came does not count: a provider may post a mail once for each.
    fn new(mail: &Mail, address: &str, subject: &str, text: &str) -> Self {
        let headers = &mail.headers;
        let id = headers.message_id().unwrap_or_default();
        let files: Vec<String> = mail
            .files
            .iter()
            .map(|m| format!("{}/{}", m.name.as_deref().unwrap_or_default(), m.size.unwrap_or_default()))
            .collect();
        let (date, files, forwarded) =
            (headers.get("date").unwrap_or_default(), files.join("\n"), mail.forwarded.join("\n"));
        let recipient = mail.report.as_ref().and_then(|report| report.recipient.as_deref()).unwrap_or_default();
        let key = opaque_key("mail", &[&id, address, date, subject, text, &files, &forwarded, recipient]);
        // If a gateway added words to the id, the earlier key was one of these words, and the same for many mails.
        let earlier = earlier_ids(headers.get("message-id").unwrap_or_default());
        let earlier = (earlier.len() == 1 && earlier.first() == Some(&id)).then_some(id);
        Self { key, earlier }
    }

    /// A machine's mail, as an event of a known person.
    fn event(self, about: String, event: &str, id: Option<String>, data: Map<String, Value>, at: Timestamp) -> Inbound {
        let content = Content::Event { event: event.to_owned(), key: id, data: data.into() };
        let sender = Sender { open_id: about, only_known: true, ..Sender::default() };
        // No reply goes to it. A reply goes to the mail before it.
        Inbound { key: self.key, earlier_key: self.earlier, sender, at, content, reply_to: None }
    }
}

/// A provider's report on a mail that was sent, as an event of its recipient. `ours` is our own id of the message, which we
/// gave to the provider with the mail. It names the conversation, whoever the recipient was. `theirs` is the provider's id,
/// for mails that are not ours. A provider reports on every mail of its account, so a report makes nobody a customer.
pub(super) fn report(
    key: String,
    address: &str,
    at: Timestamp,
    event: &str,
    (ours, theirs): (Option<&str>, Option<&str>),
    mut data: Map<String, Value>,
) -> Inbound {
    let ours = ours.filter(|id| id.parse::<MessageId>().is_ok());
    // Reports on copies and on readers at other addresses belong to the same conversation.
    data.insert("recipient".to_owned(), address.into());
    let content = Content::Event { event: event.to_lowercase(), key: ours.or(theirs).map(str::to_owned), data: data.into() };
    let sender = Sender { open_id: address.to_owned(), only_known: true, ..Sender::default() };
    Inbound { earlier_key: None, key, sender, at, content, reply_to: None }
}

fn one_line(text: &str) -> String {
    let line: String =
        text.chars().filter(|c| *c != '\0').map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SUBJECT).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Line ends of one kind, no blanks around, and no U+0000.
fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\0'], "");
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_owned()
}

fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::EmailAdapter;
    use super::*;
    use crate::kit::Adapter;
    use proptest::prelude::*;

    const CAME: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn account() -> Account {
        let settings =
            json!({ "provider": "sendgrid", "from": "service@rice.example", "identity_from": ["no-reply@shop.example"] });
        EmailAdapter.account(&settings.into(), &[("address_token".into(), "0123456789abcdef".into())].into()).ok().unwrap()
    }

    fn mail(headers: &str, subject: &str, text: &str) -> Mail {
        Mail {
            headers: Headers::read(format!("{headers}\r\n\r\n").as_bytes()),
            from: Some(("w@x".into(), Some("王小姐".into()))),
            to: Some("service@rice.example".into()),
            subject: Some(subject.into()),
            text: Some(text.into()),
            ..Mail::default()
        }
    }

    fn raw(mail: &[u8]) -> Mail {
        let mail = Mail::from(Raw::read(mail));
        Mail { subject: mail.headers.get("subject").map(str::to_owned), to: Some("service@rice.example".into()), ..mail }
    }

    fn read(mail: Mail) -> Vec<Inbound> {
        let parsed = mail.messages(&account(), b"raw", CAME);
        assert_eq!(parsed.odd, []);
        parsed.messages
    }

    fn words(found: &[Inbound]) -> String {
        found.iter().find_map(|one| one.content.words()).unwrap_or_default().to_owned()
    }

    fn event(found: &[Inbound]) -> (&str, &Value) {
        let [Inbound { content: Content::Event { event, data, .. }, .. }] = found else { panic!("{found:?}") };
        (event, data)
    }

    #[test]
    fn a_new_thread() {
        let found = read(mail("Message-ID: <1@x>", "退货 \r\n 订单", "\r\n我要退货。\r\n\r\n谢谢\r\n"));
        assert_eq!(found[0].key, format!("{}#subject", found[1].key));
        assert_eq!((found[0].earlier_key.as_deref(), found[1].earlier_key.as_deref()), (Some("1@x#subject"), Some("1@x")));
        let subject = json!({ "subject": "退货 订单" });
        assert_eq!(found[0].content, Content::Event { event: "subject".into(), key: Some("1@x".into()), data: subject });
        assert_eq!(found[1].content, Content::text("我要退货。\n\n谢谢"));
        assert_eq!((found[1].sender.open_id.as_str(), found[1].sender.name.as_deref()), ("w@x", Some("王小姐")));
        let to = json!({ "message_id": "1@x", "references": ["1@x"], "subject": "退货 订单", "to": "service@rice.example" });
        assert_eq!((found[1].reply_to.as_ref(), found[1].at), (Some(&to), CAME));
    }

    #[test]
    fn a_reply() {
        let headers =
            "Message-ID: <3@x>\r\nIn-Reply-To: <2@x>\r\nReferences: <1@x> <2@x>\r\nDate: Wed, 10 Aug 2016 18:10:13 -0700";
        let found = read(mail(headers, "Re: 退货", "好的"));
        assert_eq!((found.len(), &found[0].content, found[0].at.secs()), (1, &Content::text("好的"), 1_470_877_813));
        assert_eq!(found[0].reply_to.as_ref().unwrap()["references"], json!(["1@x", "2@x", "3@x"]));
        let many: String = (0..40).map(|n| format!("<{n}@x> ")).collect();
        let found = read(mail(&format!("Message-ID: <z@x>\r\nIn-Reply-To: <39@x>\r\nReferences: {many}"), "", "x"));
        let to = found[0].reply_to.clone().unwrap();
        let references: Vec<_> = to["references"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
        assert_eq!((references.len(), references[0], references[1], references[19]), (20, "0@x", "22@x", "z@x"));
    }

    #[test]
    fn what_is_missing() {
        let found = read(mail("X: 1", "退货", " "));
        assert_eq!((found.len(), &found[0].content), (1, &Content::text("退货")));
        assert!(found[0].key.starts_with("mail-"));
        let html = Mail { html: Some("<p>你好</p>".into()), ..mail("X: 1", "", "") };
        assert_eq!(read(html)[0].content, Content::text("你好"));
        let file = Media { name: Some("a.pdf".into()), ..Media::default() };
        let files = read(Mail { files: vec![file.clone(); 40], ..mail("X: 1", "", "") });
        assert_eq!((files.len(), &files[0].content), (MAX_FILES, &Content::File { media: file }));
        let nobody = Mail::default().messages(&account(), b"raw", CAME);
        assert_eq!(nobody.odd, [Odd { reason: "sender_missing", raw: b"raw".to_vec() }]);
    }

    #[test]
    fn f7_nul_in_a_text_is_taken_out() {
        let found = read(mail("X: 1", "退\0货", "我要\0退货"));
        assert_eq!(words(&found), "我要退货");
        assert_eq!(event(&found[..1]).1, &json!({ "subject": "退货" }));
    }

    #[test]
    fn automatic_and_long() {
        let found = read(mail("Message-ID: <1@x>\r\nAuto-Submitted: auto-replied", "外出", "我不在"));
        let data = json!({ "subject": "外出", "text": "我不在" });
        assert_eq!(found[0].content, Content::Event { event: "auto_reply".into(), key: Some("1@x".into()), data });
        assert_eq!((found.len(), &found[0].reply_to), (1, &None));
        let long = read(mail("X: 1", "", &"好".repeat(60_000)));
        assert_eq!(long[0].content.words().unwrap().chars().count(), MAX_TEXT + 1);
        let future = read(mail("Date: Wed, 10 Aug 2099 18:10:13 -0700", "", "x"));
        assert_eq!(future[0].at, CAME);
    }

    #[test]
    fn w3_two_mails_of_one_id_are_two_and_a_repeat_is_one() {
        let key = |from: &str, subject: &str, text: &str| {
            let from = Some((from.to_owned(), None));
            read(Mail { from, ..mail("Message-ID: <1@x>", subject, text) }).pop().unwrap().key
        };
        assert_eq!(key("a@x", "s", "我要退货"), key("a@x", "s", "我要退货"));
        assert_ne!(key("a@x", "s", "我要退货"), key("b@x", "s", "我要退货"));
        assert_ne!(key("a@x", "s", "我要退货"), key("a@x", "s", "我要退款"));
        assert_ne!(key("a@x", "s", "我要退货"), key("a@x", "t", "我要退货"));
        // The same mail to two of the brand's addresses, posted for each.
        let other = read(Mail { to: Some("other@rice.example".into()), ..mail("Message-ID: <1@x>", "s", "x") });
        assert_eq!(other[1].key, read(mail("Message-ID: <1@x>", "s", "x"))[1].key);
    }

    #[test]
    fn w4_words_that_a_gateway_adds_to_the_id_are_no_id() {
        let of = |id: &str| read(mail(&format!("Message-ID: <{id}> (added by postmaster@mx.example)"), "", "x")).remove(0);
        let (one, two) = (of("m1@att"), of("m2@att"));
        assert_ne!(one.key, two.key);
        assert_eq!(one.reply_to.unwrap()["message_id"], "m1@att");
        // The earlier release made one key for all mails of that gateway, so that key is not looked for.
        assert_eq!((one.earlier_key, two.earlier_key), (None, None));
    }

    #[test]
    fn w6_text_behind_a_picture_is_the_customers() {
        let found = read(raw(include_bytes!("cases/iphone.eml")));
        assert_eq!(words(&found), "收到的米是这样的：\n我要求全额退款，电话13800001111，否则投诉到12315。");
        assert!(matches!(&found[2].content, Content::File { media } if media.name.as_deref() == Some("image0.jpeg")));
    }

    #[test]
    fn w9_a_subject_cut_inside_a_character() {
        let found = read(raw(include_bytes!("cases/foxmail.eml")));
        assert_eq!(event(&found[..1]).1["subject"], "关于五常大米包装破损要求退换货的问题请尽快处理");
        assert_eq!(words(&found), "您好，我收到的五常大米包装破了，请看照片。订单号20240012。谢谢！– 王小姐");
        let names: Vec<_> = found.iter().filter_map(|one| one.content.media()?.name.as_deref()).collect();
        assert_eq!(names, ["内嵌.jpg", "破损照片一.jpg", "发票二.pdf"]);
        assert_eq!(found[1].sender.name.as_deref(), Some("王小姐"));
    }

    #[test]
    fn w8_a_bounce_is_an_event_of_the_mail_that_bounced() {
        let found = read(raw(include_bytes!("cases/bounce.eml")));
        assert_eq!((found[0].sender.open_id.as_str(), found[0].sender.only_known), ("nobody-r2@qq.example", true));
        let (event, data) = event(&found);
        assert_eq!((event, &data["status"], &data["action"]), ("bounce", &json!("5.1.1"), &json!("failed")));
        assert!(!data.to_string().contains("赔偿"), "what came back is nobody's words");
        assert_eq!((&found[0].reply_to, found[0].content.words()), (&None, None));
    }

    #[test]
    fn w8_what_machines_write_is_no_message() {
        let of = |headers: &str, from: &str, subject: &str| {
            let from = (!from.is_empty()).then(|| (from.to_owned(), None));
            let found = read(Mail { from, ..mail(headers, subject, "w@x.example: 550 no such user") });
            (event(&found).0.to_owned(), found[0].sender.open_id.clone())
        };
        let bounce = ("bounce".to_owned(), "w@x.example".to_owned());
        assert_eq!(of("From: MAILER-DAEMON@mx.example", "", "x"), bounce);
        assert_eq!(of("From: Mail Delivery <postmaster@mx.example>\r\nReturn-Path: <>", "", "Undeliverable: x"), bounce);
        assert_eq!(of("From: <>\r\nReturn-Path: <>", "", "退信"), bounce, "f7");
        assert_eq!(of("From: <>", "", "x"), bounce, "f7");
        assert_eq!(of("From: a@mx.example\r\nX-Failed-Recipients: w@x.example", "", "x"), bounce);
        for headers in [
            "Return-Path: <>",
            "Precedence: bulk",
            "Precedence: auto_reply",
            "X-Autoreply: yes",
            "Auto-Submitted: auto-generated",
        ] {
            assert_eq!(of(headers, "w@x", "外出").0, "auto_reply", "{headers}");
        }
        let empty = Mail { envelope: Some(String::new()), ..mail("X: 1", "外出", "x") };
        assert_eq!(event(&read(empty)).0, "auto_reply");
        assert_eq!(of("X: 1", "service@rice.example", "x").0, "own_mail", "our own mail came back");
        let nobody = Mail { from: None, ..mail("From: <>", "x", "no address") }.messages(&account(), b"raw", CAME);
        assert_eq!((nobody.messages.len(), nobody.odd[0].reason), (0, "bounce_of_nobody"));
    }

    #[test]
    fn w8_what_people_write_is_no_bounce() {
        for headers in
            ["Auto-Submitted: no", "Precedence: list\r\nList-Id: <l.x>", "Precedence: bulk\r\nList-Id: <l.x>", "X: 1"]
        {
            assert_eq!(words(&read(mail(headers, "退信", "我的信被退回了"))), "我的信被退回了", "{headers}");
        }
        let form =
            mail("From: no-reply@shop.example\r\nReply-To: w@x\r\nAuto-Submitted: auto-generated", "表单", "我要退货");
        let found = read(form);
        assert_eq!((words(&found).as_str(), found[1].sender.open_id.as_str()), ("我要退货", "w@x"));
    }

    #[test]
    fn w8_a_report_that_somebody_passes_on_is_a_file_of_theirs() {
        let parts = "--b\r\n\r\n我给你们的邮件被退回了，我要投诉\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nX: y\r\n\r\n\
                     Final-Recipient: rfc822; service@rice.example\r\nAction: failed\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
                     Subject: s\r\n\r\n原来的\r\n--b--\r\n";
        let of = |from: &str, head: &str, kind: &str| {
            let mail = format!("From: {from}\r\n{head}Content-Type: multipart/{kind}; boundary=b\r\n\r\n{parts}");
            read(raw(mail.as_bytes()))
        };
        let found = of("w@x", "", "mixed");
        assert_eq!(words(&found), "我给你们的邮件被退回了，我要投诉");
        assert!(matches!(&found[0].content, Content::Text { quoted: Some(quoted), .. } if quoted.contains("原来的")));
        let Content::File { media } = &found[1].content else { panic!("{found:?}") };
        assert_eq!((media.format.as_deref(), found.len()), (Some("message/delivery-status"), 2));
        assert!(!found[0].sender.only_known);
        // The same from a mail server, or as the mail's own kind.
        let about = parts.replace("service@rice.example", "w@x");
        for (from, head, kind) in [
            ("w@y", "", "report; report-type=delivery-status"),
            ("Mailer-Daemon@mx", "", "mixed"),
            ("postmaster@mx", "", "mixed"),
            ("bounce@mx", "Return-Path: <>\r\n", "mixed"),
            ("bounce@mx", "Auto-Submitted: auto-replied\r\n", "mixed"),
        ] {
            let mail = format!("From: {from}\r\n{head}Content-Type: multipart/{kind}; boundary=b\r\n\r\n{about}");
            let found = read(raw(mail.as_bytes()));
            assert_eq!((event(&found).0, &event(&found).1["recipient"]), ("bounce", &json!("w@x")), "{from} {head}");
        }
        let alone = "From: a@mx\r\nContent-Type: message/delivery-status\r\n\r\nX: y\r\n\r\nFinal-Recipient: rfc822; w@x\r\nAction: failed\r\n";
        assert_eq!(event(&read(raw(alone.as_bytes()))).0, "bounce");
    }

    #[test]
    fn w8_an_answer_that_nobody_wrote_is_told_by_its_subject_where_it_answers() {
        let of = |headers: &str, subject: &str| read(mail(headers, subject, "我不在"));
        for subject in [
            "自动回复: Re: 退货",
            "自动回复：退回的米",
            "自动答复：x",
            "Automatic reply: x",
            "Out of Office: x",
            "Out of Office AutoReply: x",
            "自動回覆: x",
        ] {
            for thread in ["In-Reply-To: <1@r>", "References: <1@r>"] {
                assert_eq!(event(&of(thread, subject)).0, "auto_reply", "{subject}");
            }
            assert_eq!(words(&of("X: 1", subject)), "我不在", "{subject}");
        }
        for subject in ["自动回复不好用", "Re: 自动回复: x", "Out of office chairs: broken", "回复：自动回复：x"]
        {
            assert_eq!(words(&of("In-Reply-To: <1@r>", subject)), "我不在", "{subject}");
        }
        for name in ["X-Autoreply", "X-Auto-Reply", "X-Autoresponse", "X-Autogenerated", "X-Autorespond"] {
            assert_eq!(event(&of(&format!("{name}: Reply"), "x")).0, "auto_reply", "{name}");
            assert_eq!(words(&of(&format!("{name}: no"), "x")), "我不在", "{name}");
        }
        // People's own programs send it, too.
        assert_eq!(words(&of("X-Auto-Response-Suppress: All", "x")), "我不在");
    }

    #[test]
    fn w7_two_customers_of_one_form_are_two_and_replies_go_to_them() {
        let of = |from: &str, reply: &str| {
            let found = read(mail(&format!("From: {from}\r\nReply-To: {reply}"), "", "x")).remove(0);
            let Content::Text { reply_to, .. } = found.content else { panic!() };
            (found.sender.open_id, reply_to, found.reply_to.unwrap()["reply"].clone())
        };
        assert_eq!(of("no-reply@shop.example", "a@x"), ("a@x".into(), None, Value::Null));
        assert_ne!(of("no-reply@other.example", "a@x").0, of("no-reply@other.example", "b@x").0);
        // Reports about another address show that address.
        assert_eq!(of("w@x", "home@x"), ("w@x".into(), Some("home@x".into()), json!("home@x")));
    }

    #[test]
    fn w13_history_is_shown_apart() {
        let text = "好的，谢谢。\r\n\r\n------------------ 原始邮件 ------------------\r\n发件人: \"service\";\r\n主题: x\r\n\r\n我们会赔偿您，还要投诉吗？";
        let found = read(mail("In-Reply-To: <2@x>", "回复: x", text));
        let Content::Text { text, quoted, .. } = &found[0].content else { panic!() };
        assert_eq!((text.as_str(), found[0].content.words()), ("好的，谢谢。", Some("好的，谢谢。")));
        assert!(quoted.as_ref().is_some_and(|quoted| quoted.contains("投诉")));
        // The mail is only history, so no word of it is the customer's.
        let found = read(mail("In-Reply-To: <2@x>", "回复: x", "-----Original Message-----\nFrom: a\n\n还要投诉吗？"));
        assert_eq!((found.len(), words(&found).as_str()), (1, "回复: x"));
        let forwarded = Mail { forwarded: vec!["From: z\n\n投诉".into()], ..mail("X: 1", "", "请看") };
        let found = read(forwarded);
        assert!(
            matches!(&found[0].content, Content::Text { text, quoted: Some(quoted), .. } if text == "请看" && quoted.contains("投诉"))
        );
    }

    #[test]
    fn w18_whom_else_a_mail_went_to_is_kept() {
        let headers =
            "From: w@x\r\nTo: Service <service@rice.example>, b@y\r\nCc: \"王, 经理\" <C@y>, service@rice.example, w@x";
        let found = read(mail(headers, "", "好"));
        let Content::Text { to, cc, .. } = &found[0].content else { panic!() };
        assert_eq!((to.as_slice(), cc.as_slice()), (&["b@y".to_owned()][..], &["c@y".to_owned()][..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_messages_or_odd_within_bounds(bytes: Vec<u8>, soup in "(From: |To: |Reply-To: |<a@b>|,|\r\n|\r\n\r\n|\
            Content-Type: multipart/report; boundary=x|Content-Type: message/delivery-status|--x\r\n|--x--|Return-Path: <>|[a-z@<>]{1,5}){0,40}") {
            for bytes in [&bytes[..], soup.as_bytes()] {
                let parsed = raw(bytes).messages(&account(), bytes, CAME);
                prop_assert!(!parsed.messages.is_empty() || parsed.odd.len() == 1);
                prop_assert!(parsed.messages.len() <= MAX_FILES + 2);
                for one in &parsed.messages {
                    prop_assert!(!serde_json::to_string(one).unwrap().contains("\\u0000"));
                }
            }
        }

        #[test]
        fn w3_what_a_person_would_call_another_mail_has_another_key(
            a in ("[ab]", "[ab]", "[ab]@x", "[ab]{1,2}"), b in ("[ab]", "[ab]", "[ab]@x", "[ab]{1,2}")
        ) {
            let key = |(id, subject, from, text): &(String, String, String, String)| {
                let from = Some((from.clone(), None));
                read(Mail { from, ..mail(&format!("Message-ID: <{id}@x>"), subject, text) }).pop().unwrap().key
            };
            prop_assert_eq!(key(&a) == key(&b), a == b);
        }
    }
}
