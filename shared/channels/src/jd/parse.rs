//! Reads pages of orders and of after-sale services.

use super::api::{self, AFTER_SALES, ORDERS};
use super::window::{Seen, Window};
use crate::civil;
use crate::digest::opaque_key;
use crate::json;
use crate::kit::{ApiResponse, Fault, Outcome, Page, Refusal};
use crate::orders::{about, happened, id};
use crate::values::{text, whole};
use serde_json::{Map, Value};
use warmline_model::{Content, Inbound, Sender, Timestamp};

const UNREADABLE: Outcome = Outcome::Retry("answer_unreadable");
const NO_ROW: Refusal = Refusal::Malformed(Fault::NotObject);

/// The paths of the lists. Beside each is the number of rows on all pages.
const ORDER_LIST: &[&str; 3] = &[json::ANY, "searchorderinfo_result", "orderInfoList"];
const ORDER_TOTAL: &str = "orderTotal";
const SERVICE_LIST: &[&str; 3] = &[json::ANY, "pageResult", "data"];
const SERVICE_TOTAL: &str = "totalCount";

/// The list at the path, empty if the platform leaves it out; and the number of rows on all pages.
fn rows<'a>(
    answer: &ApiResponse<'a>,
    path: &'static [&'static str; 3],
    total: &str,
) -> Result<(json::List<'a>, Option<i64>), Outcome> {
    let [_, outer, inner] = path;
    let (body, list) = api::listed(answer, path)?;
    let Some(Value::Object(result)) = body.get(*outer) else { return Err(UNREADABLE) };
    if let Some(Value::Object(verdict)) = result.get("apiResult")
        && matches!(verdict.get("success"), Some(Value::Bool(false)))
    {
        return Err(Outcome::Permanent("platform_refused"));
    }
    let total = whole(result.get(total));
    match result.get(*inner) {
        None | Some(Value::Null) => Ok((list, total)),
        Some(_) if list.is_there() => Ok((list, total)),
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

pub(super) fn orders(answer: &ApiResponse<'_>, window: Window) -> Result<Page, Outcome> {
    let (rows, total) = rows(answer, ORDER_LIST, ORDER_TOTAL)?;
    let mut seen = Seen::new(rows.len(), ORDERS, total);
    let (messages, odd) = rows.read(|_, row| {
        let Value::Object(row) = &row else { return Err(NO_ROW) };
        let (Some(order), Some(at)) = (id(row, &["orderId"]), moment(row, &["modified", "orderStartTime"])) else {
            return Ok(Some(unknown("order", row)));
        };
        seen.note(&window, at);
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
    let (cursor, more) = window.after(&seen);
    Ok(Page { messages, odd, cursor, more, ..Page::default() })
}

pub(super) fn after_sales(answer: &ApiResponse<'_>, window: Window) -> Result<Page, Outcome> {
    let (rows, total) = rows(answer, SERVICE_LIST, SERVICE_TOTAL)?;
    let mut seen = Seen::new(rows.len(), AFTER_SALES, total);
    let (messages, odd) = rows.read(|_, row| {
        let Value::Object(row) = &row else { return Err(NO_ROW) };
        let changed = &["updateDate", "updateTime", "processTime", "approveTime", "applyTime"];
        let (Some(service), Some(at)) = (id(row, &["serviceId"]), moment(row, changed)) else {
            return Ok(Some(unknown("after_sale", row)));
        };
        seen.note(&window, at);
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
    let (cursor, more) = window.after(&seen);
    Ok(Page { messages, odd, cursor, more, ..Page::default() })
}

/// Removes a customer's address, which the platform gives unasked.
fn without_address(row: &Map<String, Value>) -> Map<String, Value> {
    let private = |name: &String| name.contains("Address") || name.ends_with("Tel") || name.contains("Phone");
    row.iter().filter(|(name, _)| !private(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A row without a number or a time, kept as it came.
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
    use crate::kit::{Adapter, ApiResponse, Asked, Call, Pull};
    use crate::sorted_sign::read_form;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    /// A minute after 2016-01-01 12:00:00 in Beijing.
    const NOW: Timestamp = Timestamp::from_secs(1_451_620_860);

    fn account() -> super::super::Account {
        let secrets = [("app_secret", "yourappSecret"), ("access_token", "t")];
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        JdAdapter.account(&json!({ "app_key": "k", "vender_id": "9", "operator": "pin" }).into(), &secrets).ok().unwrap()
    }

    fn read_after(source: &str, cursor: Option<&str>, now: Timestamp, body: &[u8]) -> Result<Page, Outcome> {
        Pull::read(&JdAdapter, &account(), &Asked { source, cursor, now }, &ApiResponse { status: 200, body })
    }

    fn read(source: &str, body: &[u8]) -> Result<Page, Outcome> {
        read_after(source, None, NOW, body)
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

    /// Plays the platform: the rows that changed within the requested window, and the requested page of them.
    fn given(source: &str, cursor: Option<&str>, now: Timestamp, kept: &[(i64, Value)]) -> Vec<u8> {
        let call = Call { token: None, now, nonce: &[0; 16] };
        let form = read_form(&JdAdapter.request(&account(), source, cursor, &call).ok().unwrap().body);
        let own = form.iter().find(|(name, _)| name == "360buy_param_json").map(|(_, value)| value.as_str());
        let own: Value = serde_json::from_str(own.unwrap()).unwrap();
        let text = |name: &str| own[name].as_str().unwrap();
        let (begin, end, page, size) = match source {
            "orders" => ("start_date", "end_date", "page", "page_size"),
            _ => ("updateTimeBegin", "updateTimeEnd", "pageNumber", "pageSize"),
        };
        let secs = |name: &str| civil::read_beijing(text(name)).unwrap().secs();
        let within: Vec<Value> =
            kept.iter().filter(|(at, _)| (secs(begin)..=secs(end)).contains(at)).map(|(_, row)| row.clone()).collect();
        let (page, size): (usize, usize) = (text(page).parse().unwrap(), text(size).parse().unwrap());
        let rows: Vec<_> = within.iter().skip((page - 1) * size).take(size).cloned().collect();
        if source == "orders" { list(&rows) } else { services(&rows) }
    }

    /// Asks a source until there is no more. Returns the keys of everything that came, and the cursor.
    fn all(source: &str, cursor: Option<&str>, now: Timestamp, kept: &[(i64, Value)]) -> (BTreeSet<String>, Option<String>) {
        let (mut keys, mut cursor) = (BTreeSet::new(), cursor.map(str::to_owned));
        for _ in 0..50 {
            let page = read_after(source, cursor.as_deref(), now, &given(source, cursor.as_deref(), now, kept)).unwrap();
            keys.extend(page.messages.into_iter().map(|message| message.key));
            cursor = page.cursor.or(cursor);
            if !page.more {
                return (keys, cursor);
            }
        }
        panic!("{source} has no end");
    }

    /// A row of a source that changed at a time, and its resulting key; without a time for odd rows.
    fn changed(source: &str, number: u64, at: Option<Value>) -> Value {
        let mut row = match source {
            "orders" => json!({ "orderId": number.to_string(), "orderState": "FINISHED_L" }),
            _ => json!({ "serviceId": number, "serviceStatus": 10_001 }),
        };
        if let Some(at) = at {
            row[if source == "orders" { "modified" } else { "updateDate" }] = at;
        }
        row
    }

    #[test]
    fn a_page_never_stands_still() {
        let full: Vec<_> = (0..40).map(|n| order(n, "2016-01-01 12:00:00")).collect();
        let page = read("orders", &list(&full)).unwrap();
        assert_eq!((page.cursor.as_deref(), page.more), (Some("1451534456:1451620855:2:1451620800:40"), true));
        assert_eq!(read("orders", &list(&[])).unwrap(), Page::default());
    }

    #[test]
    fn l1_all_changes_of_one_second_come() {
        for source in ["orders", "after_sales"] {
            for order in [false, true] {
                let at = 1_451_620_800;
                let mut kept: Vec<_> = (0..180i64)
                    .map(|n| (at + n / 150, changed(source, n.unsigned_abs(), Some(json!((at + n / 150) * 1000)))))
                    .collect();
                if order {
                    kept.reverse();
                }
                for cursor in [None, Some("1451620800"), Some("1451617200")] {
                    let (keys, cursor) = all(source, cursor, NOW, &kept);
                    assert_eq!((keys.len(), cursor.as_deref()), (180, Some("1451620801")), "{source}");
                }
            }
        }
    }

    #[test]
    fn l1_a_time_ahead_and_rows_without_one_hold_nothing_up() {
        for source in ["orders", "after_sales"] {
            for odd in [Some(json!(99_999_999_999_999i64)), Some(json!("2099-01-01 00:00:00")), Some(json!("soon")), None] {
                let (first, second) = (NOW.secs() - 60, NOW.secs() + 60);
                let mut kept: Vec<_> = (0..120).map(|n| (first, changed(source, n, odd.clone()))).collect();
                let (keys, cursor) = all(source, Some("1451617200"), NOW, &kept);
                assert_eq!((keys.len(), cursor.as_deref()), (120, Some("1451620855")), "{source} {odd:?}");
                kept.push((second, changed(source, 500, Some(json!(second * 1000)))));
                let (keys, later) = all(source, cursor.as_deref(), NOW.plus_millis(120_000), &kept);
                assert_eq!(later, Some(second.to_string()), "{source} {odd:?}");
                assert!(keys.iter().any(|key| key.contains("-500-")), "{source} {odd:?}");
            }
        }
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
        /// In any order of changes and of the platform's lists, every change comes, and the cursor only moves forward.
        #[test]
        fn l1_every_change_comes(
            orders: bool,
            begun in prop::option::of(0i64..7_200),
            changes in prop::collection::vec((0i64..40, 1usize..70, 0u8..8, any::<u16>()), 0..5),
        ) {
            let source = if orders { "orders" } else { "after_sales" };
            let start = NOW.secs() - 3_600;
            let (mut kept, mut expected) = (Vec::new(), BTreeSet::new());
            for (minute, burst, odd, place) in changes {
                let at = start + minute * 90;
                for _ in 0..burst {
                    let number = 1_000 + u64::try_from(kept.len()).unwrap();
                    let time = match odd {
                        0 => None,
                        1 => Some(json!("soon")),
                        2 => Some(json!("2099-01-01 00:00:00")),
                        3 => Some(json!(civil::beijing(Timestamp::from_secs(at)))),
                        _ => Some(json!(at * 1000)),
                    };
                    let kind = if orders { format!("order-{number}-FINISHED_L") } else { format!("service-{number}-10001") };
                    if odd >= 3 {
                        expected.insert(format!("{kind}-{at}"));
                    }
                    let place = usize::from(place) % (kept.len() + 1);
                    kept.insert(place, (at, changed(source, number, time)));
                }
            }
            let cursor = begun.map(|begun| (start - begun).to_string());
            let (keys, cursor) = all(source, cursor.as_deref(), NOW.plus_millis(60_000), &kept);
            prop_assert!(expected.is_subset(&keys), "{:?}", expected.difference(&keys).collect::<Vec<_>>());
            let stands = cursor.as_deref().map(|cursor| cursor.parse::<i64>().unwrap());
            prop_assert!(stands.is_none_or(|at| begun.is_none_or(|begun| at >= start - begun) && at <= NOW.secs() + 55));
            let later = NOW.plus_millis(600_000);
            let (_, next) = all(source, cursor.as_deref(), later, &kept);
            prop_assert!(next.map(|next| next.parse::<i64>().unwrap()) >= stands);
        }

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
