//! Identifiers: UUIDv7 with a prefix for their kind (`cnv_0199…`). An id pasted into the wrong field is therefore refused
//! and does not silently find nothing.

use crate::time::{Rng, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::{Builder, Uuid};

/// The error of a text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id of this kind is `{prefix}_` and 32 hexadecimal digits")]
pub struct IdError {
    /// The prefix that ids of the wanted kind carry.
    pub prefix: &'static str,
}

fn new_uuid(now: Timestamp, rng: &dyn Rng) -> Uuid {
    let mut random = [0u8; 10];
    rng.fill(&mut random);
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The beginning of the text form.
            pub const PREFIX: &'static str = $prefix;

            /// Makes a new id. It sorts after those of earlier milliseconds.
            pub fn new(now: Timestamp, rng: &dyn Rng) -> Self {
                Self(new_uuid(now, rng))
            }

            /// The time at which it was made, to the millisecond.
            pub fn time(&self) -> Timestamp {
                let (millis, _) = self.0.as_u64_pair();
                Timestamp::from_millis((millis >> 16).cast_signed())
            }

            /// The greatest id that can have been made until an instant, its millisecond included.
            pub fn last_of(at: Timestamp) -> Self {
                let millis = at.millis().clamp(0, (1 << 48) - 1).cast_unsigned();
                Self(Uuid::from_u64_pair(millis << 16 | 0xffff, u64::MAX))
            }

            /// The 16 bytes that the store keeps.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Reads the store's 16 bytes.
            ///
            /// # Errors
            /// There are not exactly 16 bytes.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdError> {
                Uuid::from_slice(bytes).map(Self).map_err(|_| IdError { prefix: $prefix })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(s: &str) -> Result<Self, IdError> {
                let wrong = IdError { prefix: $prefix };
                let hex = s.strip_prefix(concat!($prefix, "_")).ok_or(wrong.clone())?;
                // Each id has one spelling: 32 lower-case digits, no hyphens or braces.
                if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
                    return Err(wrong);
                }
                Uuid::try_parse(hex).map(Self).map_err(|_| wrong)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": concat!("^", $prefix, "_[0-9a-f]{32}$") })
            }
        }
    };
}

id!(/// One person, across all channels.
    CustomerId, "cus");
id!(/// A customer's name on one channel account (an open id, a visitor, a member).
    IdentityId, "idn");
id!(/// One conversation between a customer and the brand on one channel account.
    ConversationId, "cnv");
id!(/// One message of a conversation, in either direction.
    MessageId, "msg");
id!(/// A case: a person's conversations on one matter.
    CaseId, "cas");
id!(/// A merge: two customers were found to be one person.
    MergeId, "mrg");
id!(/// One erasure of a person.
    ErasureId, "era");
id!(/// A bearer token of a member of staff.
    TokenId, "tok");
id!(/// A subscription of one of the brand's own systems to events.
    HookId, "hok");
id!(/// One event on its way to one subscription.
    HookDeliveryId, "hkd");
id!(/// A promise of staff to a customer.
    PromiseId, "prm");
id!(/// A member of staff: agent, supervisor, operations, administrator.
    AgentId, "agt");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::proptest;

    struct Fixed(u8);
    impl Rng for Fixed {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    #[test]
    fn text_round_trips_and_sorts_by_time() {
        let early = MessageId::new(Timestamp::from_millis(1_700_000_000_000), &Fixed(255));
        let late = MessageId::new(Timestamp::from_millis(1_700_000_000_001), &Fixed(0));
        assert!(early < late);
        assert_eq!(early.time(), Timestamp::from_millis(1_700_000_000_000));
        assert!(early <= MessageId::last_of(early.time()) && MessageId::last_of(early.time()) < late);
        assert_eq!(early.to_string().parse::<MessageId>().unwrap(), early);
        assert_eq!(MessageId::from_bytes(early.as_bytes()).unwrap(), early);
    }

    #[test]
    fn another_kind_of_id_is_refused() {
        let id = AgentId::new(Timestamp::from_millis(1), &Fixed(1)).to_string();
        assert!(id.parse::<ConversationId>().is_err());
        assert!(id.to_uppercase().parse::<AgentId>().is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(s in ".*") {
            let _ = s.parse::<ConversationId>();
            let _ = format!("cnv_{s}").parse::<ConversationId>();
        }
    }
}
