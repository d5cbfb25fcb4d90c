//! The touchpoint of a message, and the brand's account there.
//!
//! These are validated texts, not enums. A new channel is a new component and a new entry in spin.toml, and no list here
//! needs a change.

use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::fmt;

/// The rule that a text breaks, so that it cannot name a channel, an account or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {max} characters from {allowed}")]
pub struct SlugError {
    /// The most characters allowed.
    pub max: usize,
    /// The characters allowed, in words.
    pub allowed: &'static str,
}

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident, $max:literal, $allowed:literal, $pattern:literal, $ok:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(SmolStr);

        impl $name {
            /// Checks a text and takes it.
            ///
            /// # Errors
            /// The text is empty, too long, or has a character that is not allowed.
            pub fn new(text: impl Into<SmolStr>) -> Result<Self, SlugError> {
                let text = text.into();
                let ok: fn(u8) -> bool = $ok;
                if text.is_empty() || text.len() > $max || !text.bytes().all(ok) {
                    return Err(SlugError { max: $max, allowed: $allowed });
                }
                Ok(Self(text))
            }

            /// The text.
            #[inline]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = SlugError;
            fn try_from(text: String) -> Result<Self, SlugError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(slug: $name) -> Self {
                slug.0.into()
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": $max, "pattern": $pattern })
            }
        }
    };
}

slug!(
    /// A touchpoint, by the id of its adapter: `wechat`, `app`, `webchat`, … The adapter's component is `channel-<id>`.
    Channel, 32, "a-z, 0-9 and -", "^[a-z0-9-]+$",
    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
);
slug!(
    /// One of the brand's accounts on a channel (an official account, a shop, a site). Part of the webhook's path.
    AccountId, 64, "A-Z, a-z, 0-9, _, -, . and @", "^[A-Za-z0-9_.@-]+$",
    |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@')
);
slug!(
    /// A skill group (技能组), such as `presale`.
    GroupId, 64, "A-Z, a-z, 0-9, _ and -", "^[A-Za-z0-9_-]+$",
    |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')
);

/// A platform's limit on replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Window {
    /// Seconds after the customer's newest message.
    pub secs: i64,
    /// Replies in it; `null` if the platform sets no number.
    pub replies: Option<u32>,
}

impl Window {
    /// The time at which it closes, for a customer who last wrote at the given instant.
    pub fn closes_at(&self, spoke_at: Timestamp) -> Timestamp {
        spoke_at.plus_millis(self.secs.saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_characters_pass() {
        assert!(Channel::new("wechat").is_ok());
        for bad in ["", "We", "a/b", "a.b", "a b", "微信", &"a".repeat(33)] {
            assert!(Channel::new(bad).is_err(), "{bad}");
        }
        assert!(AccountId::new("gh_Rice-1.cn@x").is_ok());
        assert!(AccountId::new("../etc").is_err());
        assert!(serde_json::from_str::<GroupId>("\"a b\"").is_err());
    }
}
