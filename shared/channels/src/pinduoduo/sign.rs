//! POP's signature and PMC's frames, for tests and simulators, in addition to the bridge's own messages.

use crate::sorted_sign::{Params, upper_md5};
use serde_json::{Value, json};
use warmline_model::Timestamp;

pub use super::pmc::{acknowledgement, connection_path, headers, heartbeat};

/// The signature of an API call: over all parameters but `sign`.
pub fn signature(secret: &str, params: &Params) -> String {
    let signed: Vec<_> = params.iter().filter(|(name, _)| name != "sign").cloned().collect();
    upper_md5(secret, &signed, secret)
}

/// A frame in PMC's form.
pub fn frame(id: u64, at: Timestamp, kind: &str, mall_id: u64, content: &Value) -> String {
    let message = json!({ "type": kind, "mallID": mall_id, "content": content.to_string() });
    json!({ "id": id, "commandType": "Common", "time": at.millis(), "sendTime": at.millis(), "message": message })
        .to_string()
}
