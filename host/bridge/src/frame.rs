//! The frames of PMC's connection.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use bytes::Bytes;
use serde_json::Value;
use warmline_channels::pinduoduo::pmc;

use super::now;

/// A frame as it came, with the fields that were read.
pub(super) struct Frame {
    /// The bytes to post.
    pub bytes: Bytes,
    value: Value,
}

impl Frame {
    /// Reads a frame. `None` if it carries nothing and concerns only the connection. An unreadable frame is a frame too:
    /// Warmline counts it and says that it cannot be read.
    pub(super) fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        match value["commandType"].as_str() {
            Some("HeartBeat" | "Ack") => return None,
            Some("Fail") => {
                tracing::warn!("PMC says that something we sent failed");
                return None;
            }
            _ => {}
        }
        Some(Self { bytes: Bytes::copy_from_slice(text.as_bytes()), value })
    }

    /// Its id, for the log. It is a number.
    pub(super) fn id(&self) -> i64 {
        self.value["id"].as_i64().unwrap_or(-1)
    }

    /// The text that tells PMC not to send it again; `None` if it has no id.
    pub(super) fn acknowledgement(&self) -> Option<String> {
        pmc::acknowledgement(&self.value, now())
    }

    /// The lane of the frame, of `lanes`. All frames of one order use one lane, so that they stay in order.
    pub(super) fn lane(&self, lanes: usize) -> usize {
        let message = &self.value["message"];
        let content = message["content"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let order = content.as_ref().unwrap_or(&message["content"]).get("tid");
        let mut hasher = DefaultHasher::new();
        order.unwrap_or(&message["mallID"]).to_string().hash(&mut hasher);
        usize::try_from(hasher.finish() % lanes.max(1) as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;
    use warmline_channels::pinduoduo::sign;

    #[test]
    fn frames_of_one_order_share_a_lane() {
        let frame = |id: u64, order: &str| {
            let content = json!({ "tid": order, "n": id });
            Frame::read(&sign::frame(id, now(), "pdd_trade_TradeConfirmed", 1, &content)).unwrap()
        };
        assert_eq!(frame(1, "a").lane(16), frame(2, "a").lane(16));
        let lanes: BTreeSet<_> = (0..200).map(|n| frame(n, &n.to_string()).lane(16)).collect();
        assert_eq!(lanes.len(), 16);
        let whole = json!({ "commandType": "Common", "id": 1, "message": { "content": { "tid": "a" } } }).to_string();
        assert_eq!(Frame::read(&whole).unwrap().lane(16), frame(1, "a").lane(16));
    }

    #[test]
    fn only_what_is_about_the_connection_holds_nothing() {
        for text in [r#"{"commandType":"HeartBeat"}"#, r#"{"commandType":"Ack","id":1}"#, r#"{"commandType":"Fail"}"#] {
            assert!(Frame::read(text).is_none(), "{text}");
        }
        for text in ["", "{", "[1]", "7", "{}", r#"{"commandType":"Common"}"#] {
            let frame = Frame::read(text).unwrap();
            assert_eq!((frame.bytes.as_ref(), frame.acknowledgement(), frame.id()), (text.as_bytes(), None, -1));
        }
        let bad = Frame::read(r#"{"commandType":"Common","id":9007199254740993}"#).unwrap();
        assert!(bad.acknowledgement().unwrap().contains(r#""id":9007199254740993"#));
    }
}
