//! Reads a page of TMC messages.

use super::api::QUANTITY;
use crate::digest::opaque_key;
use crate::json::List;
use crate::kit::{Fault, Outcome, Page, Refusal};
use crate::orders::{about, happened, id};
use crate::values::text;
use crate::{civil, json};
use serde_json::{Map, Value};
use warmline_model::{Content, Identifier, IdentifierKind, Inbound, Sender, Timestamp};

/// The inside of `tmc_messages_consume_response`, and its messages. A message with odd content is kept as unknown: if it
/// could not be stored, it could not be confirmed and would block all others for ever. A message whose id cannot be read
/// cannot be confirmed. It is odd, and its repeats are recognised.
pub(super) fn page((response, list): (Map<String, Value>, List<'_>)) -> Result<Page, Outcome> {
    match response.get("messages") {
        None | Some(Value::Null) => return Ok(Page::default()),
        Some(Value::Object(messages)) if !messages.contains_key("tmc_message") => return Ok(Page::default()),
        Some(Value::Object(_)) if list.is_there() => {}
        Some(_) => return Err(Outcome::Retry("answer_unreadable")),
    }
    let mut page = Page { more: list.len() >= QUANTITY, ..Page::default() };
    (page.messages, page.odd) = list.read(|_, item| {
        let Value::Object(item) = &item else { return Err(Refusal::Malformed(Fault::NotObject)) };
        let receipt = id(item, &["id"]).ok_or(Refusal::Field("id"))?;
        let message = message(&receipt, item);
        page.receipts.push(receipt);
        Ok(Some(message))
    });
    Ok(page)
}

fn message(id_of: &str, item: &Map<String, Value>) -> Inbound {
    let at = text(item, "pub_time").and_then(|time| civil::read_beijing(&time)).unwrap_or(Timestamp::from_secs(0));
    let topic = id(item, &["topic"]);
    let said = text(item, "content").unwrap_or_default();
    let fields = match json::read_lenient(said.as_bytes(), json::MAX_BYTES) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    };
    let shop = id(item, &["user_id", "user_nick"]);
    let of = |part: &Option<String>| part.clone().unwrap_or_default();
    let key = opaque_key("tmc", &[id_of, &of(&shop), &of(&topic), &said]);
    let (sender, content) = match (topic, fields) {
        (Some(topic), Some(mut fields)) => {
            let order = id(&fields, &["tid", "biz_order_id"]);
            let (nick, uid) = (id(&fields, &["buyer_nick"]), id(&fields, &["buyer_open_uid"]));
            let sender = about(nick.clone().or_else(|| uid.clone()), order.as_deref(), shop.as_deref());
            let named = |value: &String| Identifier { kind: IdentifierKind::Nick, value: value.clone(), verified: false };
            let sender = Sender { union_id: uid, identifiers: nick.iter().map(named).collect(), name: nick, ..sender };
            // The platform's own spelling: an event's name is stored in lower case.
            fields.insert("topic".to_owned(), Value::from(topic.as_str()));
            (sender, happened(&topic, order, fields))
        }
        (topic, _) => {
            let raw_kind = topic.unwrap_or_else(|| "tmc".to_owned());
            (about(None, None, shop.as_deref()), Content::Unknown { raw_kind, raw: Value::Object(item.clone()) })
        }
    };
    Inbound { earlier_key: Some(id_of.to_owned()), key, sender, at, content, reply_to: None }
}

#[cfg(test)]
mod tests {
    use super::super::{TaobaoAdapter, sign};
    use super::*;
    use crate::kit::{Adapter, ApiResponse, Asked, Pull, Secrets};
    use proptest::prelude::*;
    use serde_json::json;

    const AT: Timestamp = Timestamp::from_secs(1_390_729_181);

    fn read(body: &[u8]) -> Result<Page, Outcome> {
        let secrets: Secrets = [("app_secret".to_owned(), "helloworld".to_owned())].into();
        let account = TaobaoAdapter.account(&json!({ "app_key": "1" }).into(), &secrets).ok().unwrap();
        let asked = Asked { source: "default", cursor: None, now: AT };
        Pull::read(&TaobaoAdapter, &account, &asked, &ApiResponse { status: 200, body })
    }

    fn answer(items: &[Value]) -> Vec<u8> {
        json!({ "tmc_messages_consume_response": { "messages": { "tmc_message": items } } }).to_string().into_bytes()
    }

    fn one(topic: &str, content: &Value) -> Inbound {
        let page = read(&answer(&[sign::message(1_172_200_053_212_681_005, topic, AT, content)])).unwrap();
        assert_eq!(page.receipts, ["1172200053212681005"]);
        assert!(!page.more);
        page.messages.into_iter().next().unwrap()
    }

    #[test]
    fn trades_refunds_and_parcels() {
        let trade = json!({ "buyer_nick": "但愿我天真", "payment": "15.70", "oid": 519_847_211_351_083u64,
            "tid": 519_847_211_351_083u64, "type": "guarantee_trade", "status": "WAIT_SELLER_SEND_GOODS" });
        let inbound = one("taobao_trade_TradeBuyerPay", &trade);
        assert_eq!((inbound.earlier_key.as_deref(), inbound.at), (Some("1172200053212681005"), AT));
        assert_eq!(inbound.sender.open_id, "但愿我天真");
        let Content::Event { event, key, data } = inbound.content else { panic!() };
        assert_eq!((event.as_str(), key.as_deref()), ("taobao_trade_tradebuyerpay", Some("519847211351083")));
        assert_eq!(
            (&data["status"], &data["topic"]),
            (&json!("WAIT_SELLER_SEND_GOODS"), &json!("taobao_trade_TradeBuyerPay"))
        );

        let refund =
            json!({ "buyer_nick": "买**", "buyer_open_uid": "AAHq", "refund_id": 7, "tid": 9, "refund_fee": "1.00" });
        let inbound = one("taobao_refund_RefundCreated", &refund);
        assert_eq!((inbound.sender.open_id.as_str(), inbound.sender.union_id.as_deref()), ("买**", Some("AAHq")));
        let Content::Event { data, .. } = inbound.content else { panic!() };
        assert_eq!(data["refund_id"], 7);

        let parcel = json!({ "time": "2017-08-10 15:31:09", "company_name": "申通快递", "out_sid": "888", "action": "ARRIVAL", "tid": 4 });
        assert_eq!(one("taobao_logistics_LogsticDetailTrace", &parcel).sender.open_id, "order:4");
        assert_eq!(one("taobao_item_ItemUpdate", &json!({ "num_iid": 3 })).sender.open_id, "shop:1736568971");
    }

    #[test]
    fn odd_messages_are_kept_and_confirmed() {
        let items = [
            json!({ "id": 5, "topic": "t", "content": "not json" }),
            json!({ "id": "6" }),
            json!({ "id": 7, "topic": 1, "content": "[]" }),
        ];
        let page = read(&answer(&items)).unwrap();
        assert_eq!(page.receipts, ["5", "6", "7"]);
        assert!(page.messages.iter().all(|m| matches!(m.content, Content::Unknown { .. })));
        assert!(read(&answer(&vec![json!({ "id": 5 }); QUANTITY])).unwrap().more);
    }

    #[test]
    fn empty_and_broken_pages() {
        assert_eq!(read(br#"{"tmc_messages_consume_response":{"request_id":"x"}}"#), Ok(Page::default()));
        assert_eq!(read(br#"{"tmc_messages_consume_response":{"messages":{}}}"#), Ok(Page::default()));
        assert_eq!(
            read(br#"{"tmc_messages_consume_response":{"messages":{"tmc_message":1}}}"#),
            Err(Outcome::Retry("answer_unreadable"))
        );
        assert_eq!(read(b"{"), Err(Outcome::Retry("answer_unreadable")));
        let error = br#"{"error_response":{"code":25,"msg":"Invalid signature"}}"#;
        assert_eq!(read(error), Err(Outcome::Permanent("credentials_refused")));
    }

    #[test]
    fn w0_a_message_that_cannot_be_read_costs_the_others_nothing() {
        let good = |id| sign::message(id, "taobao_trade_TradeCreate", AT, &json!({ "tid": id }));
        for (bad, reason) in [("1", "not_an_object"), ("{}", "id"), (r#"{"id":7,"content":nil}"#, "not_json")] {
            let body = String::from_utf8(answer(&[good(1), json!("BAD"), good(3)])).unwrap().replace("\"BAD\"", bad);
            let page = read(body.as_bytes()).unwrap();
            assert_eq!((page.messages.len(), &page.receipts[..]), (2, &["1".to_owned(), "3".to_owned()][..]), "{bad}");
            assert_eq!((page.odd.len(), page.odd[0].reason, &page.odd[0].raw[..]), (1, reason, bad.as_bytes()), "{bad}");
        }
        let half = answer(&[json!({ "id": 5, "topic": "t", "content": r#"{"buyer_nick":"小明\ud83d"}"# })]);
        assert_eq!(read(&half).unwrap().messages[0].sender.open_id, "小明\u{FFFD}");
    }

    #[test]
    fn w1_one_id_in_two_shops_is_two_messages() {
        let key = |shop: i64, tid: i64| {
            let item = json!({ "id": 5, "topic": "t", "user_id": shop, "content": json!({ "tid": tid }).to_string() });
            read(&answer(&[item])).unwrap().messages.remove(0).key
        };
        assert_eq!(key(1, 1), key(1, 1));
        assert_ne!(key(1, 1), key(2, 1));
        assert_ne!(key(1, 1), key(1, 2));
    }

    proptest! {
        #[test]
        fn arbitrary_answers_do_not_panic(bytes: Vec<u8>, content: String, topic: String, at in 0usize..400, to: u8) {
            let _ = read(&bytes);
            let _ = read(&answer(&[json!({ "id": 1, "topic": topic, "content": content })]));
            let mut body = answer(&[sign::message(1, "taobao_trade_TradeCreate", AT, &json!({ "tid": 1 }))]);
            let at = at % body.len();
            body[at] = to;
            let _ = read(&body);
        }
    }
}
