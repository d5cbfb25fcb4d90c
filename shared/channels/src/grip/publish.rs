//! Publications: `{"items": […]}`, posted to `/publish/` of the gateway's control address.

use serde::{Deserialize, Serialize};

/// The body of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The publications, in order.
    pub items: Vec<Item>,
}

/// One publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The name. Every connection that subscribed to it gets the publication.
    pub channel: String,
    /// Its id, after which a stream continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The id of the one before it. A stream that missed that one asks for it.
    #[serde(default, rename = "prev-id", skip_serializing_if = "Option::is_none")]
    pub prev_id: Option<String>,
    /// Whether it is passed on at once, even if the gateway itself missed the one before it.
    #[serde(default, rename = "no-seq", skip_serializing_if = "std::ops::Not::not")]
    pub no_seq: bool,
    /// The publication in each connection's form.
    pub formats: Formats,
}

/// The publication for each kind of connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Formats {
    /// A text frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ws_message: Option<Written>,
    /// A part of a streamed answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_stream: Option<Written>,
}

/// Text that is written out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The text.
    pub content: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn as_the_protocol_writes_it() {
        let written = |content: &str| Some(Written { content: content.into() });
        let formats = Formats { ws_message: written("a"), http_stream: written("data: a\n\n") };
        let (id, prev_id) = (Some("1".into()), Some("0".into()));
        let publish = Publish { items: vec![Item { channel: "c".into(), id, prev_id, no_seq: true, formats }] };
        let expected = json!({ "items": [{
            "channel": "c", "id": "1", "prev-id": "0", "no-seq": true,
            "formats": { "ws-message": { "content": "a" }, "http-stream": { "content": "data: a\n\n" } },
        }] });
        assert_eq!(serde_json::to_value(&publish).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Publish>(expected).unwrap(), publish);
    }
}
