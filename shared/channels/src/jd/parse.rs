//! Reads pages of orders and of after-sale services.

use super::api::{self, ORDERS};
use crate::civil;
use crate::digest::opaque_key;
use crate::json;
use crate::kit::{ApiResponse, Outcome, Page, Refusal};
use crate::orders::{about, happened, id};
use crate::values::text;
use serde_json::{Map, Value};
use warmline_model::{Content, Inbound, Sender, Timestamp};

const UNREADABLE: Outcome = Outcome::Retry("answer_unreadable");
const NO_ROW: Refusal = Refusal::Malformed("not a JSON object");

/// Where the lists stand.
const ORDER_LIST: &[&str; 3] = &[json::ANY, "searchorderinfo_result", "orderInfoList"];
const SERVICE_LIST: &[&str; 3] = &[json::ANY, "pageResult", "data"];

/// The list at the path; empty where the platform leaves it out.
fn rows<'a>(answer: &ApiResponse<'a>, path: &'static [&'static str; 3]) -> Result<json::List<'a>, Outcome> {
    let [_, outer, inner] = path;
    let (body, list) = api::listed(answer, path)?;
    let Some(Value::Object(result)) = body.get(*outer) else { return Err(UNREADABLE) };
    if let Some(Value::Object(verdict)) = result.get("apiResult")
        && matches!(verdict.get("success"), Some(Value::Bool(false)))
    {
        return Err(Outcome::Permanent("platform_refused"));
    }
    match result.get(*inner) {
        None | Some(Value::Null) => Ok(list),
        Some(_) if list.is_there() => Ok(list),
        Some(_) => Err(UNREADABLE),
    }
}

/// A time, as a date or in milliseconds since 1970.
fn moment(fields: &Map<String, Value>, names: &[&str]) -> Option<Timestamp> {
    names.iter().find_map(|name| match fields.get(*name)? {
        Value::Number(number) => number.as_i64().filter(|ms| *ms > 0).map(Timestamp::from_millis),
        Value::String(text) => {
            civil::read_beijing(text).or_else(|| text.parse().ok().filter(|ms| *ms > 0).map(Timestamp::from_millis))
        }
        _ => None,
    })
}

fn sender(row: &Map<String, Value>, pins: &[&str], order: Option<&str>) -> Sender {
    let (open_id, xid) = (id(row, &["open_id_buyer"]), id(row, &["xid_buyer"]));
    let sender = about(open_id.or_else(|| id(row, pins)), order, id(row, &["venderId"]).as_deref());
    Sender { union_id: xid, ..sender }
}

pub(super) fn orders(answer: &ApiResponse<'_>) -> Result<Page, Outcome> {
    let rows = rows(answer, ORDER_LIST)?;
    let count = rows.len();
    let (mut oldest, mut newest) = (i64::MAX, None::<i64>);
    let (messages, odd) = rows.read(|_, row| {
        let Value::Object(row) = &row else { return Err(NO_ROW) };
        let (Some(order), Some(at)) = (id(row, &["orderId"]), moment(row, &["modified", "orderStartTime"])) else {
            return Ok(Some(unknown("order", row)));
        };
        oldest = oldest.min(at.secs());
        newest = newest.max(Some(at.secs()));
        let state = text(row, "orderState").unwrap_or_else(|| "order".to_owned());
        Ok(Some(Inbound {
            earlier_key: None,
            key: format!("order-{order}-{state}-{}", at.secs()),
            sender: sender(row, &["pin"], Some(&order)),
            at,
            content: happened(&state, Some(order), row.clone()),
            reply_to: None,
        }))
    });
    let mut page = Page { messages, odd, ..Page::default() };
    page.more = count >= ORDERS && newest.is_some();
    page.cursor = newest.map(|newest| {
        // A full page from within the overlap would come again and again: step over it.
        let stuck = page.more && newest - oldest <= 1;
        (if stuck { newest + 2 } else { newest }).to_string()
    });
    Ok(page)
}

pub(super) fn after_sales(answer: &ApiResponse<'_>) -> Result<Page, Outcome> {
    let mut newest = None::<i64>;
    let (messages, odd) = rows(answer, SERVICE_LIST)?.read(|_, row| {
        let Value::Object(row) = &row else { return Err(NO_ROW) };
        let changed = &["updateDate", "updateTime", "processTime", "approveTime", "applyTime"];
        let (Some(service), Some(at)) = (id(row, &["serviceId"]), moment(row, changed)) else {
            return Ok(Some(unknown("after_sale", row)));
        };
        newest = newest.max(Some(at.secs()));
        let status = text(row, "serviceStatus").unwrap_or_default();
        let order = id(row, &["orderId"]);
        Ok(Some(Inbound {
            earlier_key: None,
            key: format!("service-{service}-{status}-{}", at.secs()),
            sender: sender(row, &["customerPin"], order.as_deref()),
            at,
            content: happened("after_sale", order, without_address(row)),
            reply_to: None,
        }))
    });
    Ok(Page { messages, odd, cursor: newest.map(|newest| newest.to_string()), ..Page::default() })
}

/// The platform gives more of a service's customer than anybody asked for.
fn without_address(row: &Map<String, Value>) -> Map<String, Value> {
    let private = |name: &String| name.contains("Address") || name.ends_with("Tel") || name.contains("Phone");
    row.iter().filter(|(name, _)| !private(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A row without a number or a time: kept as it came.
fn unknown(kind: &str, row: &Map<String, Value>) -> Inbound {
    let raw = Value::Object(row.clone());
    Inbound {
        earlier_key: None,
        key: opaque_key(kind, &[&raw.to_string()]),
        sender: sender(row, &["pin", "customerPin"], id(row, &["orderId"]).as_deref()),
        at: Timestamp::from_secs(0),
        content: Content::Unknown { raw_kind: kind.to_owned(), raw },
        reply_to: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::JdAdapter;
    use super::*;
    use crate::kit::{Adapter, ApiResponse, Pull};
    use proptest::prelude::*;
    use serde_json::json;

    fn read(source: &str, body: &[u8]) -> Result<Page, Outcome> {
        let secrets = [("app_secret", "yourappSecret"), ("access_token", "t")];
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let account = JdAdapter.account(&json!({ "app_key": "k" }), &secrets).ok().unwrap();
        Pull::read(&JdAdapter, &account, source, &ApiResponse { status: 200, body })
    }

    fn list(rows: &[Value]) -> Vec<u8> {
        json!({ "jingdong_pop_order_search_responce": { "code": "0", "searchorderinfo_result": {
            "apiResult": { "success": true, "numberCode": 0 }, "orderTotal": rows.len(), "orderInfoList": rows } } })
        .to_string()
        .into_bytes()
    }

    fn services(rows: &[Value]) -> Vec<u8> {
        json!({ "jingdong_asc_query_list_responce": { "code": "0", "pageResult": { "totalCount": rows.len(), "data": rows } } })
            .to_string()
            .into_bytes()
    }

    fn order(id: u64, modified: &str) -> Value {
        json!({ "orderId": id.to_string(), "orderState": "WAIT_SELLER_STOCK_OUT", "modified": modified, "orderPayment": "12.30",
            "pin": "j***n", "open_id_buyer": "oBuyer", "xid_buyer": "x1", "venderId": "456" })
    }

    #[test]
    fn orders_become_events() {
        let page = read("orders", &list(&[order(3, "2016-01-01 12:00:00"), order(4, "2016-01-01 12:00:30")])).unwrap();
        assert_eq!((page.cursor.as_deref(), page.more), (Some("1451620830"), false));
        let first = &page.messages[0];
        assert_eq!((first.key.as_str(), first.at.secs()), ("order-3-WAIT_SELLER_STOCK_OUT-1451620800", 1_451_620_800));
        assert_eq!((first.sender.open_id.as_str(), first.sender.union_id.as_deref()), ("oBuyer", Some("x1")));
        let Content::Event { event, key, data } = &first.content else { panic!() };
        assert_eq!((event.as_str(), key.as_deref()), ("wait_seller_stock_out", Some("3")));
        assert_eq!(data["orderPayment"], "12.30");
    }

    #[test]
    fn a_page_never_stands_still() {
        let full: Vec<_> = (0..40).map(|n| order(n, "2016-01-01 12:00:00")).collect();
        let page = read("orders", &list(&full)).unwrap();
        assert_eq!((page.cursor.as_deref(), page.more), (Some("1451620802"), true));
        assert_eq!(read("orders", &list(&[])).unwrap(), Page::default());
    }

    #[test]
    fn services_become_events() {
        let row = json!({ "serviceId": 77, "orderId": 3, "serviceStatus": 10001, "serviceStatusName": "待审核", "applyTime": 1_451_620_800_000i64,
            "customerPin": "pin", "customerTel": "13800000000", "pickwareAddress": "某处", "customerExpectName": "退货" });
        let page = read("after_sales", &services(&[row])).unwrap();
        let message = &page.messages[0];
        assert_eq!((message.key.as_str(), message.sender.open_id.as_str()), ("service-77-10001-1451620800", "pin"));
        let Content::Event { event, key, data } = &message.content else { panic!() };
        assert_eq!((event.as_str(), key.as_deref(), &data["customerExpectName"]), ("after_sale", Some("3"), &json!("退货")));
        assert!(data.get("customerTel").is_none() && data.get("pickwareAddress").is_none());
        assert_eq!((page.cursor.as_deref(), page.more), (Some("1451620800"), false));
    }

    #[test]
    fn odd_answers() {
        let page = read("orders", &list(&[json!({ "orderId": 5 }), json!({ "x": 1 })])).unwrap();
        assert!(page.messages.iter().all(|m| matches!(m.content, Content::Unknown { .. })));
        assert_ne!(page.messages[0].key, page.messages[1].key);
        assert_eq!(page.messages[0].sender.open_id, "order:5");
        assert_eq!(read("orders", &services(&[])), Err(UNREADABLE));
        let wrong = json!({ "jingdong_pop_order_search_responce": { "searchorderinfo_result": { "orderInfoList": 1 } } });
        assert_eq!(read("orders", wrong.to_string().as_bytes()), Err(UNREADABLE));
        assert_eq!(read("orders", &services(&[])), Err(UNREADABLE));
        let refused = json!({ "jingdong_pop_order_search_responce": { "code": "0", "searchorderinfo_result": { "apiResult": { "success": false } } } });
        assert_eq!(read("orders", refused.to_string().as_bytes()), Err(Outcome::Permanent("platform_refused")));
    }

    #[test]
    fn w0_a_row_that_cannot_be_read_costs_the_others_nothing() {
        let deep = "[".repeat(60) + &"]".repeat(60);
        for (bad, reason) in
            [("1", "not_an_object"), (r#"{"orderId":"7","orderPayment":1e999}"#, "not_json"), (&deep, "too_deep")]
        {
            let body =
                String::from_utf8(list(&[order(3, "2016-01-01 12:00:00"), json!("BAD"), order(4, "2016-01-01 12:00:30")]));
            let page = read("orders", body.unwrap().replace("\"BAD\"", bad).as_bytes()).unwrap();
            assert_eq!((page.messages.len(), page.cursor.as_deref()), (2, Some("1451620830")), "{bad}");
            assert_eq!((page.odd.len(), page.odd[0].reason, &page.odd[0].raw[..]), (1, reason, bad.as_bytes()), "{bad}");
            let body =
                String::from_utf8(services(&[json!("BAD"), json!({ "serviceId": 1, "applyTime": 1_451_620_800_000i64 })]));
            let page = read("after_sales", body.unwrap().replace("\"BAD\"", bad).as_bytes()).unwrap();
            assert_eq!((page.messages.len(), page.odd.len()), (1, 1), "{bad}");
        }
        let many = json!({ "orderId": 5, "modified": "2016-01-01 12:00:00", "itemInfoList": vec![json!({ "a": 1, "b": 2 }); 9_000] });
        assert_eq!(read("orders", &list(&[many])).unwrap().messages.len(), 1, "an order of many items");
    }

    proptest! {
        #[test]
        fn arbitrary_answers_do_not_panic(bytes: Vec<u8>, at in 0usize..600, to: u8, time: i64) {
            let _ = (read("orders", &bytes), read("after_sales", &bytes));
            let mut body = list(&[order(3, "2016-01-01 12:00:00")]);
            let at = at % body.len();
            body[at] = to;
            let _ = read("orders", &body);
            let _ = read("after_sales", &services(&[json!({ "serviceId": 1, "applyTime": time })]));
        }
    }
}
