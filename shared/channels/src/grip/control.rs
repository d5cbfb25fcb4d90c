//! A component's messages to the gateway about a connection: text frames that begin with `c:`.

use super::{Event, TO_GATEWAY};
use serde::{Deserialize, Serialize};

/// A control message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Control {
    /// From now on the connection gets the publications under a name.
    Subscribe {
        /// The name.
        channel: String,
    },
    /// From now on it does not get them any more.
    Unsubscribe {
        /// The name.
        channel: String,
    },
    /// The component wants no further frames.
    Detach,
    /// Sets the value that comes back as the header `Meta-<name>` with every request of the connection.
    SetMeta {
        /// The name, without `Meta-`.
        name: String,
        /// The value; `None` removes it.
        #[serde(default)]
        value: Option<String>,
    },
    /// A message of a later version.
    #[serde(other)]
    Unknown,
}

impl Control {
    /// The message as an event of an answer.
    pub fn event(&self) -> Event {
        // These values can always be written.
        Event::Text(format!("{TO_GATEWAY}{}", serde_json::to_string(self).unwrap_or_default()).into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_protocol_writes_them() {
        let subscribe = Control::Subscribe { channel: "room1".into() };
        assert_eq!(subscribe.event(), Event::Text(br#"c:{"type":"subscribe","channel":"room1"}"#.to_vec()));
        let read = |text: &str| serde_json::from_str::<Control>(text).unwrap();
        assert_eq!(read(r#"{"type":"detach"}"#), Control::Detach);
        assert_eq!(
            read(r#"{"type":"set-meta","name":"a","value":"b"}"#),
            Control::SetMeta { name: "a".into(), value: Some("b".into()) }
        );
        assert_eq!(read(r#"{"type":"keep-alive","timeout":30}"#), Control::Unknown);
    }
}
