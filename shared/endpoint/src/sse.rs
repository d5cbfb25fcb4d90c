//! Server-sent events, as the HTML standard writes them.

/// The headers of a stream.
pub const HEADERS: [(&str, &str); 4] = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-store"),
    ("x-accel-buffering", "no"),
    ("x-content-type-options", "nosniff"),
];

/// An event. `data` is one line.
pub fn event(id: Option<&str>, data: &str) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}data: {data}\n\n")
}

/// An event of a kind of its own, without an id.
pub fn event_of(kind: &str, data: &str) -> String {
    format!("event: {kind}\n{}", event(None, data))
}

/// A comment, which keeps connections open and notices clients that are gone.
pub fn comment(text: &str) -> String {
    format!(": {text}\n\n")
}
