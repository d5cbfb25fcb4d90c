//! 抖店: the platform's own samples of events, through the adapter. They are wrapped in the array of a push and signed here
//! (no public vector exists for `event-sign`).

use crate::{Vector, Verdict};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use warmline_channels::doudian::{DoudianAdapter, sign};
use warmline_channels::{Adapter, Request};
use warmline_model::{Content, Timestamp};

pub(crate) fn check(vector: &Vector) -> Verdict {
    let id = vector.id();
    let item: Value = serde_json::from_str(vector.input("body")).unwrap();
    let body = format!("[{}]", vector.input("body"));
    let now = Timestamp::from_secs(1_700_000_000);
    let secrets = [("app_secret".to_owned(), "s3cret".to_owned())].into();
    let account = DoudianAdapter.account(&json!({ "app_key": "683" }).into(), &secrets).ok().unwrap();
    let mut headers = HeaderMap::new();
    let signature = sign::event_sign("683", "s3cret", body.as_bytes());
    headers.insert("event-sign", HeaderValue::from_str(&signature).unwrap());
    headers.insert("app-id", HeaderValue::from_static("683"));
    let request = Request { method: &Method::POST, rest: "", query: "", headers: &headers, body: body.as_bytes() };
    assert_eq!(DoudianAdapter.handshake(&account, &request, now), Ok(None));
    let verified = DoudianAdapter.verify(&account, &request, now).ok().unwrap();
    let messages = DoudianAdapter.parse(&account, &verified).unwrap().messages;
    assert_eq!(DoudianAdapter.acknowledge(&account, &verified).body, br#"{"code":0,"msg":"success"}"#);
    let [inbound] = &messages[..] else { panic!("{id}: {messages:?}") };

    let data = &item["data"];
    let order = data["p_id"].to_string().trim_matches('"').to_owned();
    assert_eq!(inbound.sender.open_id, order, "{id}: sender");
    assert_eq!(Some(crate::told_id(inbound)), item["msgId"].as_str(), "{id}: key");
    let Content::Event { event, key, data: kept } = &inbound.content else { panic!("{id}: {:?}", inbound.content) };
    assert_eq!((key.as_ref(), kept), (Some(&order), data), "{id}: order and fields");
    // The samples are named like the platform's messages (Refund-Return-RefundReturnApplyAgreedEvent). One has no tag of
    // its own, and one message has two names.
    let name = id.rsplit('-').next().unwrap().trim_end_matches("Event").to_lowercase();
    let known = match name.as_str() {
        "tradepending" => "doudian_tag_0".to_owned(),
        "refundreturnagreed" => "doudian_refund_refundagreed".to_owned(),
        _ if name.starts_with("trade") => format!("doudian_trade_{name}"),
        "refundarbitrateapplied"
        | "refundarbitrateaudited"
        | "refundarbitratediscussupload"
        | "refundarbitrateserviceintervene"
        | "refundexchangecomfirmed"
        | "refundexpirationchange"
        | "refundbuyerreturngoods"
        | "refundreturnapplyagreed"
        | "refundreturnapplyrefused" => {
            format!("doudian_refund_{}", &name["refund".len()..])
        }
        _ => format!("doudian_refund_{name}"),
    };
    assert_eq!(*event, known, "{id}: event");
    // Each sample has at most one time that is not a deadline.
    let times: Vec<i64> =
        data.as_object().unwrap().iter().filter(|(n, _)| n.ends_with("_time")).filter_map(|(_, v)| v.as_i64()).collect();
    assert!(times.len() < 2, "{id}");
    assert_eq!(inbound.at.secs(), times.first().copied().unwrap_or(now.secs()), "{id}: time");
    Verdict::Passed
}
