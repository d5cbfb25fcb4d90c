//! A log as it was fetched: each line is an event or a page of `GET /api/events`. It is read as a stream, one line at a
//! time.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::io::BufRead;
use warmline_model::{Event, EventBody};

/// The reason why a log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LogError {
    /// The line, from 1.
    pub line: usize,
    /// The fault and its remedy.
    pub problem: String,
}

/// The kinds of events that a replay must be able to read in full. It skips the others.
const NEEDED: [&str; 16] = [
    "conversation.opened",
    "conversation.queued",
    "conversation.assigned",
    "conversation.accepted",
    "conversation.transferred",
    "conversation.handed_over",
    "conversation.wrap_up",
    "conversation.closed",
    "capacity.released",
    "agent.state",
    "agent.profile",
    "agent.removed",
    "agent.weights",
    "routing.decided",
    "routing.plan",
    "message.received",
];

#[derive(Deserialize)]
struct Page {
    items: Vec<Event>,
}

#[derive(Deserialize)]
struct IsPage {
    #[serde(rename = "items")]
    _items: IgnoredAny,
}

/// The events of a log, in order.
pub struct Events<R> {
    lines: R,
    line: usize,
    text: String,
    page: std::vec::IntoIter<Event>,
    last: i64,
}

impl<R: BufRead> Events<R> {
    /// Reads from the beginning.
    pub fn new(lines: R) -> Self {
        Self { lines, line: 0, text: String::new(), page: Vec::new().into_iter(), last: i64::MIN }
    }

    fn wrong(&self, problem: impl Into<String>) -> LogError {
        LogError { line: self.line, problem: problem.into() }
    }

    fn read(&mut self) -> Result<Option<Event>, LogError> {
        loop {
            if let Some(event) = self.page.next() {
                return self.checked(event).map(Some);
            }
            self.text.clear();
            self.line += 1;
            let read = self.lines.read_line(&mut self.text);
            if read.map_err(|e| self.wrong(format!("cannot be read: {e}")))? == 0 {
                return Ok(None);
            }
            let text = self.text.trim();
            if !text.is_empty() {
                self.page = self.parse(text)?.into_iter();
            }
        }
    }

    fn parse(&self, text: &str) -> Result<Vec<Event>, LogError> {
        let event = match serde_json::from_str::<Event>(text) {
            Ok(event) => return Ok(vec![event]),
            Err(error) => error,
        };
        let told = if serde_json::from_str::<IsPage>(text).is_ok() {
            match serde_json::from_str::<Page>(text) {
                Ok(page) => return Ok(page.items),
                Err(error) => error,
            }
        } else {
            event
        };
        Err(self.wrong(format!(
            "is neither an event nor a page of events as GET /api/events shows them ({told}); fetch the log once more, one event or \
             one page a line"
        )))
    }

    fn checked(&mut self, event: Event) -> Result<Event, LogError> {
        if event.seq <= self.last {
            let (seq, last) = (event.seq, self.last);
            return Err(self.wrong(format!("event {seq} comes after event {last}; put each event once, by rising seq")));
        }
        self.last = event.seq;
        match &event.body {
            EventBody::Unknown { kind, .. } if NEEDED.contains(&kind.as_str()) => {
                let seq = event.seq;
                Err(self.wrong(format!(
                    "event {seq} is a {kind} whose data this version cannot read; it was changed, or written by another version: \
                     replay it with the version that wrote it"
                )))
            }
            _ => Ok(event),
        }
    }
}

impl<R: BufRead> Iterator for Events<R> {
    type Item = Result<Event, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<i64>, String> {
        Events::new(text.as_bytes()).map(|e| e.map(|e| e.seq).map_err(|e| e.to_string())).collect()
    }

    const PARKED: &str =
        r#""at":"2026-11-26T08:00:00Z","v":1,"type":"inbox.parked","data":{"inbox":1,"channel":"app","reason":"x"}"#;

    #[test]
    fn lines_and_pages_are_one_stream() {
        let text =
            format!("{{\"seq\":1,{PARKED}}}\n\n{{\"items\":[{{\"seq\":2,{PARKED}}},{{\"seq\":5,{PARKED}}}],\"next\":5}}\n");
        assert_eq!(read(&text), Ok(vec![1, 2, 5]));
        assert_eq!(read(""), Ok(vec![]));
    }

    #[test]
    fn a_bad_line_is_told_by_its_number() {
        let good = format!("{{\"seq\":1,{PARKED}}}\n");
        let again = read(&format!("{good}{good}")).unwrap_err();
        assert!(again.starts_with("line 2: event 1 comes after event 1"), "{again}");
        let cut = read(&format!("{good}{{\"seq\":2")).unwrap_err();
        assert!(cut.starts_with("line 2: is neither an event nor a page"), "{cut}");
        let page = read("{\"items\":[{\"seq\":2}]}").unwrap_err();
        assert!(page.contains("missing field `at`"), "{page}");
        let less = r#"{"seq":3,"at":"2026-11-26T08:00:00Z","v":1,"type":"agent.removed","data":{}}"#;
        let less = read(less).unwrap_err();
        assert!(less.contains("event 3 is a agent.removed whose data"), "{less}");
    }
}
