//! Server-sent events, in the format of the HTML standard.

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

/// An event with a type of its own, without an id.
pub fn event_of(kind: &str, data: &str) -> String {
    format!("event: {kind}\n{}", event(None, data))
}

/// A comment. It keeps the connection open, and a failed write reveals a client that is gone.
pub fn comment(text: &str) -> String {
    format!(": {text}\n\n")
}
