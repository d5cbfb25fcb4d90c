//! Calls to JOS's gateway, and the meaning of its error codes.

use super::account::Account;
use super::window::Window;
use crate::answers;
use crate::kit::{ApiRequest, ApiResponse, Outcome, Undeliverable};
use crate::requests::post_utf8_form;
use crate::sorted_sign::{Params, form, upper_md5};
use crate::values::text;
use crate::{civil, json};
use serde_json::{Map, Value, json};
use warmline_model::Timestamp;

/// The number of orders asked for at once. The platform gives up to 100, but such an answer could be longer than the limit
/// of a read (256 KiB).
pub const ORDERS: usize = 40;
/// The number of after-sale services asked for at once.
pub const AFTER_SALES: usize = 50;

/// The fields asked for of an order. Receiver and address are not among them: nobody here needs them.
const FIELDS: &str = "orderId,venderId,orderState,orderStateRemark,orderType,orderTotalPrice,orderPayment,freightPrice,\
                      orderStartTime,orderEndTime,paymentConfirmTime,modified,orderRemark,venderRemark,returnOrder,\
                      logisticsId,waybill,itemInfoList,pin,open_id_buyer,xid_buyer";
/// Every state that an order can be asked for in.
const STATES: &str = "WAIT_SELLER_STOCK_OUT,WAIT_GOODS_RECEIVE_CONFIRM,WAIT_SELLER_DELIVERY,PAUSE,FINISHED_L,\
                      TRADE_CANCELED,LOCKED,POP_ORDER_PAUSE";

/// The seconds by which a window of orders overlaps the newest change seen so far: more may change in the same second.
const SECOND: i64 = 1;
/// The same for after-sale services: some are dated by their request.
const OVERLAP: i64 = 1_800;

fn call(account: &Account, method: &str, now: Timestamp, own: &Value) -> ApiRequest {
    let params = [
        ("360buy_param_json", own.to_string()),
        ("access_token", account.access_token.clone()),
        ("app_key", account.app_key.clone()),
        ("method", method.to_owned()),
        ("timestamp", civil::beijing_millis(now)),
        ("v", "2.0".to_owned()),
    ];
    let mut params = params.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let signature = signature(&account.app_secret, &params);
    params.push(("sign".to_owned(), signature));
    post_utf8_form(format!("{}/routerjson", account.api_base), form(&params))
}

/// The window of orders that a cursor begins.
pub(super) fn orders_window(cursor: Option<&str>, now: Timestamp) -> Window {
    Window::at(cursor, SECOND, now)
}

/// The window of after-sale services.
pub(super) fn after_sales_window(cursor: Option<&str>, now: Timestamp) -> Window {
    Window::at(cursor, OVERLAP, now)
}

pub(super) fn orders(account: &Account, cursor: Option<&str>, now: Timestamp) -> ApiRequest {
    let window = orders_window(cursor, now);
    let own = json!({
        "start_date": window.start(), "end_date": window.end(), "order_state": STATES, "optional_fields": FIELDS,
        "source_id": "JOS", "page": window.page(), "page_size": ORDERS.to_string(), "sortType": 0, "dateType": 0,
    });
    call(account, "jingdong.pop.order.search", now, &own)
}

pub(super) fn after_sales(account: &Account, cursor: Option<&str>, now: Timestamp) -> Result<ApiRequest, Undeliverable> {
    let (shop, operator) = account.after_sales.as_ref().ok_or(Undeliverable::OperatorMissing)?;
    let window = after_sales_window(cursor, now);
    let own = json!({
        "buId": shop, "operatePin": operator, "operateNick": operator, "updateTimeBegin": window.start(),
        "updateTimeEnd": window.end(), "pageNumber": window.page(), "pageSize": AFTER_SALES.to_string(),
    });
    Ok(call(account, "jingdong.asc.query.list", now, &own))
}

/// The most values of an answer. An order with many items has more than the bounded reader accepts from a stranger. This is
/// the platform's answer to our own question, and its length is capped.
const MAX_VALUES: usize = 256 * 1024;

/// The answer's one object without its list, and the list. The error is the meaning of the platform's refusal.
pub(super) fn listed<'a>(
    answer: &ApiResponse<'a>,
    path: &'static [&'static str],
) -> Result<(Map<String, Value>, json::List<'a>), Outcome> {
    let mut list = json::list_of(answer.body, json::MAX_BYTES, path, MAX_VALUES).ok();
    let read = list.as_mut().map(|list| list.outer.take());
    let inner = inner(answer, read)?;
    Ok((inner, list.ok_or(Outcome::Retry("answer_unreadable"))?))
}

fn inner(answer: &ApiResponse<'_>, read: Option<Value>) -> Result<Map<String, Value>, Outcome> {
    if let Some(Value::Object(map)) = &read
        && let Some(Value::Object(error)) = map.get("error_response")
    {
        return Err(meaning(error));
    }
    answers::check_status(answer.status)?;
    let Some(Value::Object(map)) = read else { return Err(Outcome::Retry("answer_unreadable")) };
    let inner = map.into_iter().find(|(name, _)| name.ends_with("_responce") || name.ends_with("_response"));
    match inner {
        Some((_, Value::Object(inner))) => match text(&inner, "code").as_deref() {
            None | Some("0") => Ok(inner),
            Some(_) => Err(meaning(&inner)),
        },
        _ => Err(Outcome::Retry("answer_unreadable")),
    }
}

/// The meaning by the platform's table of gateway codes (网关系统错误码).
fn meaning(error: &Map<String, Value>) -> Outcome {
    match text(error, "code").as_deref() {
        Some("2") => Outcome::Retry("rate_limited"),
        Some("1" | "43" | "65") => Outcome::Retry("platform_busy"),
        Some("11" | "12" | "18" | "19" | "20" | "21") => Outcome::Permanent("credentials_refused"),
        Some("24") => Outcome::Permanent("api_not_authorized"),
        _ => Outcome::Permanent("platform_refused"),
    }
}

pub(super) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    let read = json::read_lenient(answer.body, json::MAX_BYTES).ok();
    inner(answer, read).map_or_else(|outcome| outcome, |_| Outcome::Sent)
}

/// The signature of a call: over all parameters but `sign`, `format` and `sign_method`.
pub fn signature(secret: &str, params: &Params) -> String {
    let unsigned = |name: &str| matches!(name, "sign" | "format" | "sign_method");
    let signed: Vec<_> = params.iter().filter(|(name, _)| !unsigned(name)).cloned().collect();
    upper_md5(secret, &signed, secret)
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use crate::sorted_sign::read_form;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_620_350_439_683);

    fn account() -> Account {
        let secrets = [("app_secret", "yourappSecret"), ("access_token", "yourtoken")];
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Account::read(&json!({ "app_key": "k", "vender_id": "9", "operator": "pin" }), &secrets).ok().unwrap()
    }

    fn own(request: &ApiRequest) -> Value {
        let params = read_form(&request.body);
        assert!(sign::signed("yourappSecret", &params) && !sign::signed("other", &params));
        let value = |name: &str| params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).unwrap_or_default();
        assert_eq!((value("v"), value("timestamp")), ("2.0", "2021-05-07 09:20:39.683+0800"));
        serde_json::from_str(value("360buy_param_json")).unwrap()
    }

    #[test]
    fn windows_move_through_time() {
        let first = own(&orders(&account(), None, NOW));
        assert_eq!(
            (&first["start_date"], &first["end_date"]),
            (&json!("2021-05-06 09:20:34"), &json!("2021-05-07 09:20:34"))
        );
        let next = own(&orders(&account(), Some("1620350400"), NOW));
        assert_eq!(next["start_date"], "2021-05-07 09:19:59");
        let old = own(&orders(&account(), Some("0"), NOW));
        assert_eq!(old["start_date"], "2021-04-09 09:20:34");
        let ahead = own(&orders(&account(), Some("1620350500"), NOW));
        assert_eq!(
            (&ahead["start_date"], &ahead["end_date"]),
            (&json!("2021-05-07 09:20:33"), &json!("2021-05-07 09:20:34"))
        );
        let future = own(&orders(&account(), Some("9999999999"), NOW));
        assert_eq!(future["start_date"], first["start_date"]);
        let services = own(&after_sales(&account(), Some("1620350400"), NOW).ok().unwrap());
        assert_eq!((&services["updateTimeBegin"], &services["buId"]), (&json!("2021-05-07 08:50:00"), &json!("9")));
        assert_eq!((&next["page"], &services["pageNumber"]), (&json!("1"), &json!("1")));
        let page = own(&orders(&account(), Some("1620350400:1620350410:3"), NOW));
        assert_eq!((&page["start_date"], &page["end_date"]), (&json!("2021-05-07 09:19:59"), &json!("2021-05-07 09:20:10")));
        let services = own(&after_sales(&account(), Some("1620350400:1620350410:2:1620350401:60"), NOW).ok().unwrap());
        assert_eq!((&page["page"], &services["pageNumber"]), (&json!("3"), &json!("2")));
    }

    #[test]
    fn answers() {
        let read = |status, body: &str| read_answer(&ApiResponse { status, body: body.as_bytes() });
        let code = |code: &str| read(200, &json!({ "error_response": { "code": code, "zh_desc": "x" } }).to_string());
        assert_eq!(read(200, r#"{"jingdong_x_responce":{"code":"0"}}"#), Outcome::Sent);
        assert_eq!(read(200, r#"{"jingdong_x_responce":{"code":12}}"#), Outcome::Permanent("credentials_refused"));
        assert_eq!(code("2"), Outcome::Retry("rate_limited"));
        assert_eq!(code("65"), Outcome::Retry("platform_busy"));
        assert_eq!(code("19"), Outcome::Permanent("credentials_refused"));
        assert_eq!(code("24"), Outcome::Permanent("api_not_authorized"));
        assert_eq!(code("15"), Outcome::Permanent("platform_refused"));
        assert_eq!(read(503, ""), Outcome::Retry("platform_unavailable"));
        assert_eq!(read(429, ""), Outcome::Retry("rate_limited"));
        assert_eq!(read(404, "x"), Outcome::Permanent("http_refused"));
        assert_eq!(read(200, "<html>"), Outcome::Retry("answer_unreadable"));
        assert_eq!(read(200, "[]"), Outcome::Retry("answer_unreadable"));
    }

    proptest! {
        #[test]
        fn arbitrary_input_does_not_panic(status: u16, body: Vec<u8>, cursor: String, at: i64) {
            prop_assert_ne!(read_answer(&ApiResponse { status, body: &body }), Outcome::Sent);
            let _ = orders(&account(), Some(&cursor), Timestamp::from_millis(at));
            let _ = orders(&account(), Some(&at.to_string()), NOW);
        }
    }
}
