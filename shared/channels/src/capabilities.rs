//! What a channel can carry: its manifest, and what that means for a message that is to be sent.

use schemars::JsonSchema;
use serde::Serialize;
use warmline_model::Content;

/// What a channel can carry: its manifest. Served at `GET /api/channels`, enforced before a reply is stored, and the source of
/// the tables in docs/CHANNELS.md.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Capabilities {
    /// The channel's id.
    pub channel: &'static str,
    /// Its name in Chinese, as operators know it.
    pub name_zh: &'static str,
    /// Its name in English.
    pub name_en: &'static str,
    /// What comes from it.
    pub carries: Carries,
    /// The longest text that can be sent, in `text_unit`; 0 where none can.
    pub text_limit: usize,
    /// That unit.
    pub text_unit: TextUnit,
    /// What becomes of a longer text.
    pub overlong: Overlong,
    /// Content kinds that come in.
    pub kinds_in: &'static [&'static str],
    /// Content kinds that can be sent.
    pub kinds_out: &'static [&'static str],
    /// How long after the customer's newest message replies are taken, and how many.
    pub window: Option<Window>,
    /// Whether the platform says when a reply was received or read.
    pub receipts: bool,
    /// The largest medium that is fetched, in bytes; 0 where there are none.
    pub media_limit: u64,
}

/// What a platform lets a third party have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Carries {
    /// A talk: messages come in, replies go out.
    Chat,
    /// Orders, refunds and logistics only: the platform offers no buyer chat to third parties.
    Orders,
    /// Calls: what is spoken comes in as text.
    Calls,
}

/// A platform's bound on replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Window {
    /// Seconds after the customer's newest message.
    pub secs: i64,
    /// Replies in it; none where the platform sets no number.
    pub replies: Option<u32>,
}

/// How a platform measures a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextUnit {
    /// UTF-8 bytes.
    Bytes,
    /// Unicode scalar values.
    Chars,
}

impl TextUnit {
    /// A text's length in this unit.
    pub fn of(self, text: &str) -> usize {
        match self {
            Self::Bytes => text.len(),
            Self::Chars => text.chars().count(),
        }
    }
}

/// What becomes of a text that is longer than the platform takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlong {
    /// It is sent as several messages, cut at the end of a sentence or line where there is one.
    Split,
    /// It is refused, and the writer told.
    Refuse,
}

impl Capabilities {
    /// Of a channel to which nothing can be sent.
    pub(crate) const fn inbound_only(
        channel: &'static str,
        name_zh: &'static str,
        name_en: &'static str,
        carries: Carries,
        kinds_in: &'static [&'static str],
    ) -> Self {
        Self {
            channel,
            name_zh,
            name_en,
            carries,
            text_limit: 0,
            text_unit: TextUnit::Chars,
            overlong: Overlong::Refuse,
            kinds_in,
            kinds_out: &[],
            window: None,
            receipts: false,
            media_limit: 0,
        }
    }

    /// Checks that a message can be sent on this channel as it is.
    ///
    /// # Errors
    /// A stable code: `kind_not_supported` or `text_too_long`.
    pub fn check(&self, content: &Content) -> Result<(), &'static str> {
        if !self.kinds_out.contains(&content.kind()) {
            return Err("kind_not_supported");
        }
        match content {
            Content::Text { text } if self.text_unit.of(text) > self.text_limit => Err("text_too_long"),
            _ => Ok(()),
        }
    }

    /// A message as the channel carries it: a text that is too long in several parts, where the channel's policy is to cut.
    ///
    /// # Errors
    /// As [`Capabilities::check`].
    pub fn parts(&self, content: Content) -> Result<Vec<Content>, &'static str> {
        match (self.check(&content), content) {
            (Ok(()), content) => Ok(vec![content]),
            (Err("text_too_long"), Content::Text { text }) if self.overlong == Overlong::Split => {
                Ok(cut(&text, self.text_limit, self.text_unit).into_iter().map(Content::text).collect())
            }
            (Err(code), _) => Err(code),
        }
    }
}

/// Cuts a text into parts within the limit: after the last sentence or line that ends in a part's second half, else wherever a
/// character ends.
fn cut(text: &str, limit: usize, unit: TextUnit) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text.trim());
    while !rest.is_empty() {
        let mut room = limit;
        let fits = rest
            .char_indices()
            .find(|(_, c)| {
                let cost = match unit {
                    TextUnit::Bytes => c.len_utf8(),
                    TextUnit::Chars => 1,
                };
                let full = cost > room;
                room = room.saturating_sub(cost);
                full
            })
            .map_or(rest.len(), |(at, _)| at);
        if fits == 0 {
            // Not even one character fits: a limit that no platform has.
            break;
        }
        let ends = ['\n', '。', '！', '？', '；', '.', '!', '?', ';'];
        let end = match rest[..fits].rfind(ends) {
            Some(at) if fits < rest.len() && at >= fits / 2 => at + rest[at..].chars().next().map_or(1, char::len_utf8),
            _ => fits,
        };
        let (part, after) = rest.split_at(end);
        parts.push(part.trim());
        rest = after.trim_start();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_texts_are_cut_after_sentences() {
        assert_eq!(cut("一二三。四五六。七", 6, TextUnit::Chars), ["一二三。", "四五六。七"]);
        assert_eq!(cut("一二三四五六七", 3, TextUnit::Chars), ["一二三", "四五六", "七"]);
        assert_eq!(cut("a\nb c d e f", 9, TextUnit::Bytes), ["a\nb c d e", "f"]);
        assert_eq!(cut("😀😀", 5, TextUnit::Bytes), ["😀", "😀"]);
    }

    proptest! {
        #[test]
        fn parts_fit_and_lose_nothing_but_space(text in "[a-c。\n 😀]{0,60}", limit in 4usize..20, chars: bool) {
            let unit = if chars { TextUnit::Chars } else { TextUnit::Bytes };
            let parts = cut(&text, limit, unit);
            for part in &parts {
                prop_assert!(unit.of(part) <= limit, "{part:?}");
            }
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(bare(&parts.concat()), bare(&text));
        }
    }
}
