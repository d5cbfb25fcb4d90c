//! Mail servers' reports on a mail that was sent: bounces and delays (RFC 3464), read receipts (RFC 8098), complaints (RFC
//! 5965).

use super::header::{Headers, address};
use serde_json::{Map, Value};

/// The longest value of a report that is kept.
const MAX_VALUE: usize = 500;

/// The most groups of a report that are read.
const MAX_GROUPS: usize = 256;
const RECEIPT: &str = "message/disposition-notification";
const COMPLAINT: &str = "message/feedback-report";

/// The information in a part of a mail about a mail that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Its fate. The text is the kind of the report.
    Report(&'static str),
    /// Its fields.
    Original,
}

/// Chooses by the part's media type.
pub(super) fn told(kind: &str) -> Option<Told> {
    match kind {
        // The second ones are for addresses beyond ASCII (RFC 6533).
        "message/delivery-status" | "message/global-delivery-status" => Some(Told::Report("message/delivery-status")),
        RECEIPT | "message/global-disposition-notification" => Some(Told::Report(RECEIPT)),
        COMPLAINT => Some(Told::Report(COMPLAINT)),
        "text/rfc822-headers" | "message/global-headers" => Some(Told::Original),
        _ => None,
    }
}

/// The content of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// The subject of the report, in a word; `None` if only the returned mail is known.
    pub(super) event: Option<&'static str>,
    /// The recipient of the mail.
    pub(super) recipient: Option<String>,
    /// The id of the mail, without brackets.
    pub(super) original: Option<String>,
    /// The report's own words: action, status, diagnostic code.
    pub(super) said: Map<String, Value>,
}

impl Report {
    /// Reads a part of a mail by its media type: the part for programs, or the fields of the returned mail. `None` if it is
    /// neither.
    pub(super) fn of_part(kind: &str, body: &[u8]) -> Option<Self> {
        match told(kind)? {
            Told::Original => Some(Self::of_original(&Headers::read(body))),
            Told::Report(kind) => Some(Self::read(kind, body)),
        }
    }

    /// Reads the part for programs: groups of fields. The first is about the mail, each of the others about one recipient.
    /// The worst of these is reported, since a server may have accepted a mail for one recipient and refused it for
    /// another.
    fn read(kind: &str, body: &[u8]) -> Self {
        let (mut rest, mut report, mut worst) = (body, Self::default(), 0);
        for _ in 0..MAX_GROUPS {
            if rest.is_empty() {
                break;
            }
            let (fields, after) = Headers::read_with_rest(rest);
            rest = after;
            let group = Self::group(&fields);
            let severity = group.severity();
            if severity > worst {
                worst = severity;
                report = Self { original: report.original.or(group.original), ..group };
            } else {
                report.recipient = report.recipient.or(group.recipient.filter(|_| severity == 0));
                report.original = report.original.or(group.original);
                for (name, value) in group.said.into_iter().filter(|_| worst == 0) {
                    report.said.entry(name).or_insert(value);
                }
            }
        }
        let (action, feedback) = (report.word("action"), report.word("feedback"));
        report.event = Some(match (kind, action.as_str()) {
            (RECEIPT, _) => "read_receipt",
            // A person who takes a mail out of the junk folder does not complain, nor does a server that checks signatures
            // (RFC 6591).
            (COMPLAINT, _) if feedback == "not-spam" => "not_spam",
            (COMPLAINT, _) if feedback == "auth-failure" => "auth_failure",
            (COMPLAINT, _) => "complaint",
            (_, "delayed") => "deferred",
            (_, "delivered" | "relayed" | "expanded") => "delivered",
            _ => "bounce",
        });
        report
    }

    fn group(fields: &Headers) -> Self {
        // `rfc822; a@b`
        let typed =
            |name: &str| fields.get(name).map(|value| value.split_once(';').map_or(value, |(_, value)| value).trim());
        let recipient = ["final-recipient", "original-recipient", "original-rcpt-to"].iter().find_map(|name| typed(name));
        let names = [
            ("action", "action"),
            ("status", "status"),
            ("diagnostic", "diagnostic-code"),
            ("disposition", "disposition"),
            ("feedback", "feedback-type"),
        ];
        let said = names.into_iter().filter_map(|(name, field)| {
            let value: String = fields.get(field)?.chars().take(MAX_VALUE).collect();
            Some((name.to_owned(), value.into()))
        });
        Self {
            event: None,
            recipient: recipient.and_then(address).map(|(address, _)| address),
            original: fields.ids("original-message-id").into_iter().next(),
            said: said.collect(),
        }
    }

    fn word(&self, name: &str) -> String {
        self.said.get(name).and_then(Value::as_str).unwrap_or_default().to_lowercase()
    }

    /// The severity of a group's report on a delivery; 0 if it reports nothing.
    fn severity(&self) -> u8 {
        match (self.word("action").as_str(), self.word("status").as_bytes().first()) {
            ("failed", _) | ("", Some(b'5')) => 3,
            ("delayed", _) | ("", Some(b'4')) => 2,
            ("", None) => 0,
            _ => 1,
        }
    }

    /// Reads the returned mail, or its fields.
    pub(super) fn of_original(original: &Headers) -> Self {
        let recipient = original.addresses("to").into_iter().next().map(|(address, _)| address);
        Self { recipient, original: original.message_id(), ..Self::default() }
    }

    /// Adds the data of another part of the same report, where this one has none. Of two reports the worse counts.
    pub(super) fn with(self, other: Self) -> Self {
        if self.event.is_some() && other.event.is_some() && other.severity() > self.severity() {
            return other.with(self);
        }
        Self {
            event: self.event.or(other.event),
            // The part for programs is more reliable than the mail's own fields.
            recipient: if self.event.is_some() {
                self.recipient.or(other.recipient)
            } else {
                other.recipient.or(self.recipient)
            },
            original: self.original.or(other.original),
            said: if self.said.is_empty() { other.said } else { self.said },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn w8_what_a_bounce_says() {
        let body = b"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; Nobody@qq.example\r\nAction: failed\r\n\
                     Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 no such user\r\n";
        let report = Report::read("message/delivery-status", body);
        assert_eq!((report.event, report.recipient.as_deref()), (Some("bounce"), Some("nobody@qq.example")));
        assert_eq!(
            (&report.said["status"], &report.said["diagnostic"]),
            (&"5.1.1".into(), &"smtp; 550 no such user".into())
        );
        let original = Report::of_original(&Headers::read(b"To: other@x\r\nMessage-ID: <orig@r>\r\n"));
        let whole = original.clone().with(report.clone());
        assert_eq!((whole.recipient.as_deref(), whole.original.as_deref()), (Some("nobody@qq.example"), Some("orig@r")));
        assert_eq!(report.with(original), whole);
        let event = |kind: &str, body: &str| Report::read(kind, body.as_bytes()).event;
        assert_eq!(event("message/delivery-status", "X: y\n\nAction: Delayed\n"), Some("deferred"));
        assert_eq!(event("message/disposition-notification", "Disposition: manual; displayed\n"), Some("read_receipt"));
        assert_eq!(event("message/feedback-report", "Feedback-Type: abuse\n"), Some("complaint"));
        assert_eq!(event("message/feedback-report", "Feedback-Type: not-spam\n"), Some("not_spam"));
        assert_eq!(event("message/feedback-report", "Feedback-Type: auth-failure\n"), Some("auth_failure"));
    }

    #[test]
    fn w8_of_several_recipients_the_worst_is_told() {
        let group = |who: &str, action: &str, status: &str| {
            format!("Final-Recipient: rfc822; {who}@x.example\r\nAction: {action}\r\nStatus: {status}\r\n\r\n")
        };
        let head = "Reporting-MTA: dns; mx.example\r\nOriginal-Message-ID: <m@r>\r\n\r\n".to_owned();
        let of = |groups: &[String]| {
            let report = Report::read("message/delivery-status", (head.clone() + &groups.concat()).as_bytes());
            assert_eq!(report.original.as_deref(), Some("m@r"));
            let said = |name: &str| report.said[name].as_str().unwrap().to_owned();
            (report.event.unwrap(), report.recipient.clone().unwrap(), said("action"), said("status"))
        };
        let told = |event, who: &str, action: &str, status: &str| {
            (event, format!("{who}@x.example"), action.to_owned(), status.to_owned())
        };
        let [relayed, delayed, failed] =
            [group("a", "relayed", "2.0.0"), group("b", "delayed", "4.4.1"), group("c", "failed", "5.1.1")];
        let all = [relayed.clone(), delayed.clone(), failed.clone(), group("d", "failed", "5.2.2")];
        assert_eq!(of(&all), told("bounce", "c", "failed", "5.1.1"));
        assert_eq!(of(&[failed, relayed.clone()]), told("bounce", "c", "failed", "5.1.1"));
        assert_eq!(of(&[relayed.clone(), delayed]), told("deferred", "b", "delayed", "4.4.1"));
        assert_eq!(of(&[relayed.clone(), relayed]), told("delivered", "a", "relayed", "2.0.0"));
        let [one, two] =
            ["relayed", "failed"].map(|action| Report::read("message/delivery-status", group("a", action, "x").as_bytes()));
        assert_eq!(one.with(two).event, Some("bounce"), "in two parts");
    }

    proptest! {
        #[test]
        fn w8_a_failure_is_never_hidden_by_what_stands_around_it(
            before in prop::collection::vec("(delivered|relayed|delayed|expanded)", 0..40), after in prop::collection::vec("(delivered|delayed)", 0..4)
        ) {
            let group = |(n, action): (usize, &str)| format!("Final-Recipient: rfc822; w{n}@x\nAction: {action}\n\n");
            let actions = before.iter().map(String::as_str).chain(["Failed"]).chain(after.iter().map(String::as_str));
            let body: String = actions.enumerate().map(group).collect();
            let report = Report::read("message/delivery-status", format!("X: y\n\n{body}").as_bytes());
            prop_assert_eq!((report.event, report.recipient), (Some("bounce"), Some(format!("w{}@x", before.len()))));
        }

        #[test]
        fn any_bytes_are_a_report(bytes: Vec<u8>) {
            let _ = Report::read("message/delivery-status", &bytes);
        }
    }
}
