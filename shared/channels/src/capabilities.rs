//! The manifest of a channel, and its consequences for a message that is to be sent.

use crate::cut::cut;
use crate::undeliverable::Undeliverable;
use schemars::JsonSchema;
use serde::Serialize;
use warmline_model::{Content, Window};

/// The capabilities of a channel: its manifest. It is served at `GET /api/channels`, enforced before a reply is stored, and
/// the source of the tables in docs/CHANNELS.md.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Capabilities {
    /// The channel's id.
    pub channel: &'static str,
    /// Its Chinese name, as operators know it.
    pub name_zh: &'static str,
    /// Its name in English.
    pub name_en: &'static str,
    /// The kind of its conversations.
    pub carries: Carries,
    /// The longest text that can be sent, in `text_unit`; 0 if no text can be sent.
    pub text_limit: usize,
    /// The unit of `text_limit`.
    pub text_unit: TextUnit,
    /// The treatment of a longer text.
    pub overlong: Overlong,
    /// Content kinds that come in.
    pub kinds_in: &'static [&'static str],
    /// Content kinds that can be sent.
    pub kinds_out: &'static [&'static str],
    /// The time after the customer's newest message in which replies are accepted, and their number.
    pub window: Option<Window>,
    /// Whether the platform reports that a reply was received or read.
    pub receipts: bool,
    /// Whether the customer sees beside a message that a machine wrote it. Elsewhere the message itself says so.
    pub badge: bool,
    /// The largest medium that is fetched, in bytes; 0 if there are none.
    pub media_limit: u64,
}

/// The kind of data that a platform gives to third parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Carries {
    /// A talk: messages come in, replies go out.
    Chat,
    /// Orders, refunds and logistics only: the platform offers no buyer chat to third parties.
    Orders,
    /// Calls: the spoken words come in as text.
    Calls,
}

/// The way in which a platform measures a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextUnit {
    /// UTF-8 bytes.
    Bytes,
    /// Unicode scalar values.
    Chars,
    /// Units of text messages: septets of GSM 7-bit if a whole text is in that alphabet, otherwise 16-bit units. A sign
    /// that may be either counts as the longer one, since a single other character decides.
    Sms,
}

/// Signs that take two septets (3GPP TS 23.038, the extension table).
const EXTENDED: &str = "^{}\\[~]|€\u{c}";

impl TextUnit {
    /// A text's length in this unit.
    pub fn of(self, text: &str) -> usize {
        match self {
            Self::Bytes => text.len(),
            Self::Chars => text.chars().count(),
            Self::Sms => text.chars().map(|c| if EXTENDED.contains(c) { 2 } else { c.len_utf16() }).sum(),
        }
    }
}

/// The treatment of a text that is longer than the platform accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlong {
    /// It is sent as several messages, cut at the end of a sentence, line or word. Links stay whole.
    Split,
    /// It is refused, and the writer is told.
    Refuse,
}

impl Capabilities {
    /// The capabilities of a channel to which nothing can be sent.
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
            badge: false,
            media_limit: 0,
        }
    }

    /// Checks that a message can be sent on this channel as it is.
    ///
    /// # Errors
    /// The channel does not carry the kind, the text is too long, or something in the content is missing or impossible.
    pub fn check(&self, content: &Content) -> Result<(), Undeliverable> {
        if !self.kinds_out.contains(&content.kind()) {
            return Err(Undeliverable::KindNotSupported);
        }
        match content {
            Content::Text { text, .. } if self.text_unit.of(text) > self.text_limit => Err(Undeliverable::TextTooLong),
            Content::Location { latitude, longitude, .. } if !(latitude.abs() <= 90.0 && longitude.abs() <= 180.0) => {
                Err(Undeliverable::LocationImpossible)
            }
            Content::Link { url, .. } if url.trim().is_empty() => Err(Undeliverable::LinkMissing),
            Content::OrderCard { order_id, .. } if order_id.trim().is_empty() => Err(Undeliverable::OrderMissing),
            Content::Event { event, .. } if event.is_empty() => Err(Undeliverable::EventMissing),
            _ => Ok(()),
        }
    }

    /// A message in the form that the channel carries: a text that is too long becomes several parts, if the channel cuts.
    ///
    /// # Errors
    /// The errors of [`Capabilities::check`].
    pub fn parts(&self, content: Content) -> Result<Vec<Content>, Undeliverable> {
        match (self.check(&content), content) {
            (Ok(()), content) => Ok(vec![content]),
            (Err(Undeliverable::TextTooLong), Content::Text { text, .. }) if self.overlong == Overlong::Split => {
                Ok(cut(&text, self.text_limit, self.text_unit).into_iter().map(Content::text).collect())
            }
            (Err(why), _) => Err(why),
        }
    }
}
