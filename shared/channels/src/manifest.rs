//! The channels' capabilities and the parts of their keys, as the tables in docs/CHANNELS.md. They are made from the code,
//! so that they state what is enforced.

use crate::kit::{Capabilities, Carries, Overlong, TextUnit, Window};
use crate::{keys, registry};
use std::fmt::Write as _;

const BEGIN: &str = "<!-- capabilities: made by `cargo xtask docs` -->\n";
const END: &str = "<!-- end of capabilities -->\n";
const BEGIN_KEYS: &str = "<!-- keys: made by `cargo xtask docs` -->\n";
const END_KEYS: &str = "<!-- end of keys -->\n";

/// The table, as Markdown.
pub fn table() -> String {
    let mut out = String::from(
        "| channel | name | carries | text out | kinds in | kinds out | replies taken | receipts | media |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let mut all = registry::all();
    all.sort_by_key(|c| c.channel);
    for c in &all {
        let _ = writeln!(
            out,
            "| `{}` | {} ({}) | {} | {} | {} | {} | {} | {} | {} |",
            c.channel,
            c.name_zh,
            c.name_en,
            carries(c.carries),
            text(c),
            c.kinds_in.join(", "),
            if c.kinds_out.is_empty() { "–".to_owned() } else { c.kinds_out.join(", ") },
            c.window.map_or_else(|| if c.kinds_out.is_empty() { "–" } else { "any time" }.to_owned(), window),
            if c.receipts { "yes" } else { "no" },
            if c.media_limit == 0 { "–".to_owned() } else { format!("{} MiB", c.media_limit >> 20) },
        );
    }
    out
}

const fn carries(carries: Carries) -> &'static str {
    match carries {
        Carries::Chat => "chat",
        Carries::Orders => "orders",
        Carries::Calls => "calls",
    }
}

fn text(c: &Capabilities) -> String {
    if c.text_limit == 0 {
        return "–".to_owned();
    }
    let unit = match c.text_unit {
        TextUnit::Bytes => "bytes",
        TextUnit::Chars => "characters",
        TextUnit::Sms => "SMS units",
    };
    let overlong = match c.overlong {
        Overlong::Split => "longer is split",
        Overlong::Refuse => "longer is refused",
    };
    format!("{} {unit}, {overlong}", c.text_limit)
}

fn window(window: Window) -> String {
    let time = match window.secs {
        secs if secs % 3600 == 0 => format!("{} h", secs / 3600),
        secs => format!("{} min", secs / 60),
    };
    match window.replies {
        Some(n) => format!("{n} within {time}"),
        None => format!("within {time}"),
    }
}

/// The table of the parts of keys, as Markdown.
pub fn key_table() -> String {
    let mut out = String::from("| channel | key of a message | key of an event or report | why |\n|---|---|---|---|\n");
    let or_none = |text: &'static str| if text.is_empty() { "–" } else { text };
    let mut all: Vec<_> = keys::ALL.iter().collect();
    all.sort_by_key(|key| key.channel);
    for key in all {
        let _ = writeln!(out, "| `{}` | {} | {} | {} |", key.channel, or_none(key.message), or_none(key.event), key.why);
    }
    out
}

/// A document with renewed tables; `None` if it has no place for one.
pub fn renew(document: &str) -> Option<String> {
    let document = between(document, BEGIN, END, &table())?;
    between(&document, BEGIN_KEYS, END_KEYS, &key_table())
}

fn between(document: &str, begin: &str, end: &str, table: &str) -> Option<String> {
    let (before, rest) = document.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}{table}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_table_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CHANNELS.md");
        let document = std::fs::read_to_string(path).unwrap();
        assert_eq!(renew(&document).as_deref(), Some(document.as_str()), "run `cargo xtask docs`");
    }
}
