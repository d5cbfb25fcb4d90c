//! The bridge's messages: PMC's address and frames, and its own posts to us.

use crate::digest::hmac_sha256;
use crate::requests::encoded;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Value, json};
use warmline_model::Timestamp;

/// The path of a new PMC connection: the client's id, the time in milliseconds, and the base64 of the hexadecimal MD5 over
/// id, time and secret.
pub fn connection_path(client_id: &str, client_secret: &str, now: Timestamp) -> String {
    let millis = now.millis();
    let digest = hex::encode(Md5::digest(format!("{client_id}{millis}{client_secret}")));
    let digest = STANDARD.encode(digest);
    let encoded = encoded(&digest);
    format!("/message/{client_id}/{millis}/{encoded}")
}

/// The headers of the bridge's post of a body at `timestamp` (seconds since 1970).
pub fn headers(bridge_secret: &str, timestamp: i64, body: &[u8]) -> [(&'static str, String); 2] {
    let timestamp = timestamp.to_string();
    let mac = hmac_sha256(bridge_secret.as_bytes(), &[timestamp.as_bytes(), b".", body]);
    [("x-warmline-timestamp", timestamp), ("x-warmline-signature", hex::encode(mac))]
}

/// The message that acknowledges a frame to PMC, so that it is not sent again: the frame's own `id`, `sendTime`, type and
/// shop. `None` if the frame has no id, since there is nothing to acknowledge.
pub fn acknowledgement(frame: &Value, now: Timestamp) -> Option<String> {
    let id = frame.get("id").filter(|id| !id.is_null())?;
    let message = &frame["message"];
    let ack = json!({
        "commandType": "Ack", "time": now.millis(), "id": id, "sendTime": frame["sendTime"],
        "type": message["type"], "mallID": message["mallID"],
    });
    Some(ack.to_string())
}

/// The message that keeps a connection to PMC open: every ten seconds, like the official SDK.
pub fn heartbeat(now: Timestamp) -> String {
    json!({ "commandType": "HeartBeat", "time": now.millis() }).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::sign::frame;
    use super::*;

    #[test]
    fn connection_paths() {
        // The public test testAuthenticationPathMatchesReferenceEncoding of whalesky-labs/pdd-sdk-php.
        let path = connection_path("app", "secret", Timestamp::from_millis(1_700_000_000_000));
        assert_eq!(path, "/message/app/1700000000000/OTgxODMwNDI2NWZiN2NiNzA2NzIxOTI0ZjJlMDMxMjE%3D");
    }

    #[test]
    fn acknowledgements() {
        let at = Timestamp::from_millis(1_700_000_000_000);
        let frame: Value =
            serde_json::from_str(&frame(9_007_199_254_740_993, at, "pdd_trade_TradeConfirmed", 100, &json!({}))).unwrap();
        let ack: Value = serde_json::from_str(&acknowledgement(&frame, at).unwrap()).unwrap();
        let expected = json!({
            "commandType": "Ack", "time": at.millis(), "id": 9_007_199_254_740_993u64, "sendTime": at.millis(),
            "type": "pdd_trade_TradeConfirmed", "mallID": 100,
        });
        assert_eq!(ack, expected);
        assert_eq!(acknowledgement(&json!({ "commandType": "Common" }), at), None);
        assert_eq!(heartbeat(at), r#"{"commandType":"HeartBeat","time":1700000000000}"#);
    }
}
