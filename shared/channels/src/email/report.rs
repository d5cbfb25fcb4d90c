//! Reports on a mail that was sent, as mail servers write them: bounces and delays (RFC 3464), read receipts (RFC 8098),
//! complaints (RFC 5965).

use super::header::{Headers, address};
use serde_json::{Map, Value};

/// The longest value kept of a report.
const MAX_VALUE: usize = 500;

/// What a report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// What it is about, in a word; none where only the mail that came back is known.
    pub(super) event: Option<&'static str>,
    /// Whom the mail was for.
    pub(super) recipient: Option<String>,
    /// The id of the mail, without brackets.
    pub(super) original: Option<String>,
    /// The report's own words: action, status, diagnostic code.
    pub(super) said: Map<String, Value>,
}

impl Report {
    /// From the part that is for programs: groups of fields.
    pub(super) fn read(kind: &str, body: &[u8]) -> Self {
        let (mut rest, mut report) = (body, Self::default());
        for _ in 0..32 {
            if rest.is_empty() {
                break;
            }
            let (fields, after) = Headers::read_with_rest(rest);
            rest = after;
            // `rfc822; a@b`
            let typed =
                |name: &str| fields.get(name).map(|value| value.split_once(';').map_or(value, |(_, value)| value).trim());
            let recipient =
                ["final-recipient", "original-recipient", "original-rcpt-to"].iter().find_map(|name| typed(name));
            report.recipient = report.recipient.or_else(|| recipient.and_then(address).map(|(address, _)| address));
            let id = fields.ids("original-message-id").into_iter().next();
            report.original = report.original.or(id);
            for (name, field) in [
                ("action", "action"),
                ("status", "status"),
                ("diagnostic", "diagnostic-code"),
                ("disposition", "disposition"),
                ("feedback", "feedback-type"),
            ] {
                if let Some(value) = fields.get(field).filter(|_| !report.said.contains_key(name)) {
                    report.said.insert(name.to_owned(), value.chars().take(MAX_VALUE).collect::<String>().into());
                }
            }
        }
        let said = |name: &str| report.said.get(name).and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let (action, feedback) = (said("action"), said("feedback"));
        report.event = Some(match (kind, action.as_str()) {
            ("message/disposition-notification", _) => "read_receipt",
            // Who took a mail out of the junk folder does not complain, nor does a server that checks signatures (RFC 6591).
            ("message/feedback-report", _) if feedback == "not-spam" => "not_spam",
            ("message/feedback-report", _) if feedback == "auth-failure" => "auth_failure",
            ("message/feedback-report", _) => "complaint",
            (_, "delayed") => "deferred",
            (_, "delivered" | "relayed" | "expanded") => "delivered",
            _ => "bounce",
        });
        report
    }

    /// From the mail that came back, or its fields.
    pub(super) fn of_original(original: &Headers) -> Self {
        let recipient = original.addresses("to").into_iter().next().map(|(address, _)| address);
        Self { recipient, original: original.message_id(), ..Self::default() }
    }

    /// With what another part of the same report says, where this one does not.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            event: self.event.or(other.event),
            // The part for programs knows better than the mail's own fields.
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

    proptest! {
        #[test]
        fn any_bytes_are_a_report(bytes: Vec<u8>) {
            let _ = Report::read("message/delivery-status", &bytes);
        }
    }
}
