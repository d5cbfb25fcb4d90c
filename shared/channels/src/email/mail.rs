//! A mail, as messages: a new thread's subject, the text, the attachments' names.

use super::html::to_text;
use super::mime::{Headers, MAX_FILES};
use crate::digest::opaque_key;
use crate::json;
use crate::kit::Refusal;
use serde_json::{Value, json};
use warmline_model::{Content, Identifier, IdentifierKind, Inbound, Media, Sender, Timestamp};

/// The longest text kept, in characters: beyond it are logs and quoted threads.
const MAX_TEXT: usize = 50_000;
const MAX_SUBJECT: usize = 998;
/// The most ids of a thread that are kept; RFC 5322 lets the middle go first.
const MAX_REFERENCES: usize = 20;

/// The event that tells a new thread's subject.
const SUBJECT: &str = "subject";

/// A mail as a provider tells it.
#[derive(Default)]
pub(super) struct Mail {
    pub(super) headers: Headers,
    /// The sender's address and name.
    pub(super) from: Option<(String, Option<String>)>,
    /// The brand's address that it was sent to.
    pub(super) to: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    pub(super) files: Vec<Media>,
}

impl Mail {
    /// The messages in it, each with a key made of the mail's own.
    pub(super) fn messages(self, came_at: Timestamp) -> Result<Vec<Inbound>, Refusal> {
        let (address, name) = self.from.ok_or(Refusal::Malformed("from"))?;
        let subject = one_line(&self.subject.unwrap_or_default());
        let written = |text: Option<String>| text.map(|t| tidy(&t)).filter(|t| !t.is_empty());
        let text = written(self.text).or_else(|| written(self.html.map(|html| to_text(&html))));
        if [Some(&subject), text.as_ref(), name.as_ref()].into_iter().flatten().any(|t| t.contains('\0')) {
            return Err(json::Error::Nul.into());
        }
        let id = self.headers.message_id();
        let date = self.headers.get("date").unwrap_or_default();
        let key = id
            .clone()
            .unwrap_or_else(|| opaque_key("mail", &[&address, date, &subject, text.as_deref().unwrap_or_default()]));

        let answers = self.headers.ids("in-reply-to").pop();
        let automatic = self.headers.automatic();
        let mut contents = Vec::new();
        if automatic {
            let data = json!({ "subject": subject, "text": text });
            contents.push(Content::Event { event: "auto_reply".to_owned(), key: id.clone(), data });
        } else {
            // In a thread everybody knows the subject already; a mail that says nothing says its subject.
            match text {
                Some(text) => {
                    if answers.is_none() && !subject.is_empty() {
                        let data = json!({ "subject": subject });
                        contents.push(Content::Event { event: SUBJECT.to_owned(), key: id.clone(), data });
                    }
                    contents.push(Content::Text { text });
                }
                None if self.files.is_empty() || !subject.is_empty() => contents.push(Content::text(subject.as_str())),
                None => {}
            }
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
        let reply_to = json!({ "message_id": id, "references": references, "subject": subject, "to": self.to });
        let at = self.headers.date().filter(|date| *date <= came_at).unwrap_or(came_at);
        // Anybody can write any address there.
        let identifier = Identifier { kind: IdentifierKind::Email, value: address.clone(), verified: false };
        let sender = Sender { open_id: address, name, identifiers: vec![identifier], ..Sender::default() };
        // The text has the mail's own key, and the attachments that and their number.
        let mut next = 0u32;
        let mut key_of = |content: &Content| {
            if matches!(content, Content::Event { event, .. } if event == SUBJECT) {
                return format!("{key}#{SUBJECT}");
            }
            next += 1;
            if next == 1 { key.clone() } else { format!("{key}#{}", next - 1) }
        };
        let inbound = |content| Inbound {
            key: key_of(&content),
            sender: sender.clone(),
            at,
            content,
            // A reply to an automaton's answer goes to what came before it.
            reply_to: (!automatic).then(|| reply_to.clone()),
        };
        Ok(contents.into_iter().map(inbound).collect())
    }
}

/// A report on a mail that was sent, as an event of whom it was sent to.
pub(super) fn report(key: String, address: &str, at: Timestamp, event: &str, id: Option<String>, data: Value) -> Inbound {
    let content = Content::Event { event: event.to_lowercase(), key: id, data };
    let sender = Sender { open_id: address.to_owned(), ..Sender::default() };
    Inbound { key, sender, at, content, reply_to: None }
}

fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() && c != '\0' { ' ' } else { c }).take(MAX_SUBJECT).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Line ends of one kind, nothing empty around, and no longer than is kept.
fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAME: Timestamp = Timestamp::from_secs(1_700_000_000);

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

    #[test]
    fn a_new_thread() {
        let found = mail("Message-ID: <1@x>", "退货 \r\n 订单", "\r\n我要退货。\r\n\r\n谢谢\r\n").messages(CAME).unwrap();
        assert_eq!((found[0].key.as_str(), found[1].key.as_str()), ("1@x#subject", "1@x"));
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
        let found = mail(headers, "Re: 退货", "好的").messages(CAME).unwrap();
        assert_eq!((found.len(), &found[0].content, found[0].at.secs()), (1, &Content::text("好的"), 1_470_877_813));
        assert_eq!(found[0].reply_to.as_ref().unwrap()["references"], json!(["1@x", "2@x", "3@x"]));
        let many: String = (0..40).map(|n| format!("<{n}@x> ")).collect();
        let found = mail(&format!("Message-ID: <z@x>\r\nIn-Reply-To: <39@x>\r\nReferences: {many}"), "", "x").messages(CAME);
        let to = found.unwrap()[0].reply_to.clone().unwrap();
        let references: Vec<_> = to["references"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
        assert_eq!((references.len(), references[0], references[1], references[19]), (20, "0@x", "22@x", "z@x"));
    }

    #[test]
    fn what_is_missing() {
        let found = mail("X: 1", "退货", " ").messages(CAME).unwrap();
        assert_eq!((found.len(), &found[0].content), (1, &Content::text("退货")));
        assert!(found[0].key.starts_with("mail-"));
        let html = Mail { html: Some("<p>你好</p>".into()), ..mail("X: 1", "", "") };
        assert_eq!(html.messages(CAME).unwrap()[0].content, Content::text("你好"));
        let file = Media { name: Some("a.pdf".into()), ..Media::default() };
        let files = Mail { files: vec![file.clone(); 40], ..mail("X: 1", "", "") }.messages(CAME).unwrap();
        assert_eq!((files.len(), &files[0].content), (MAX_FILES, &Content::File { media: file }));
        assert_eq!(Mail::default().messages(CAME), Err(Refusal::Malformed("from")));
        assert_eq!(mail("X: 1", "", "a\0b").messages(CAME), Err(Refusal::Malformed("a text holds U+0000")));
    }

    #[test]
    fn automatic_and_long() {
        let found = mail("Message-ID: <1@x>\r\nAuto-Submitted: auto-replied", "外出", "我不在").messages(CAME).unwrap();
        let data = json!({ "subject": "外出", "text": "我不在" });
        assert_eq!(found[0].content, Content::Event { event: "auto_reply".into(), key: Some("1@x".into()), data });
        assert_eq!((found.len(), &found[0].reply_to), (1, &None));
        let long = mail("X: 1", "", &"好".repeat(60_000)).messages(CAME).unwrap();
        assert_eq!(long[0].content.words().unwrap().chars().count(), MAX_TEXT + 1);
        let future = mail("Date: Wed, 10 Aug 2099 18:10:13 -0700", "", "x").messages(CAME).unwrap();
        assert_eq!(future[0].at, CAME);
    }
}
