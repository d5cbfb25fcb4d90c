//! JD's open platform, simulated: orders and after-sale services are listed by their time of change.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use serde_json::{Value, json};
use warmline_channels::jd::sign;
use warmline_channels::sorted_sign::read_form;

const KEY: &str = "simulated0jd0app0key000000000000";
const SECRET: &str = "simulated0jd0app0secret000000000";
const TOKEN: &str = "simulated0jd0access0token";
/// The method that lists after-sale services.
const SERVICES: &str = "jingdong.asc.query.list";

/// The platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jd;

fn param(call: &Request, name: &str) -> Option<String> {
    read_form(&call.body).into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
}

/// The parameters of the method itself.
fn asked(call: &Request) -> Value {
    param(call, "360buy_param_json").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Beijing time as the platform writes it.
fn date(seconds: i64) -> String {
    let text = warmline_model::Timestamp::from_secs(seconds + 8 * 3600).to_string();
    text.chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

fn asks_for_services(call: &Request) -> bool {
    param(call, "method").as_deref() == Some(SERVICES)
}

/// A page of orders or of services, with their total number.
fn list(services: bool, total: usize, items: &[&Value]) -> Answer {
    Answer::json(&if services {
        let result = json!({ "totalCount": total, "data": items });
        json!({ "jingdong_asc_query_list_responce": { "code": "0", "pageResult": result } })
    } else {
        let verdict = json!({ "success": true, "numberCode": 0 });
        let result = json!({ "apiResult": verdict, "orderTotal": total, "orderInfoList": items });
        json!({ "jingdong_pop_order_search_responce": { "code": "0", "searchorderinfo_result": result } })
    })
}

/// Pages of orders as the platform gives them.
pub(super) fn pages(orders: &[Value]) -> Vec<Vec<u8>> {
    let page = list(false, orders.len(), &orders.iter().collect::<Vec<_>>());
    vec![page.body, Jd.refuse(Endpoint::Pull, Trouble::TokenRefused).body]
}

/// A page, by its number, of the changes in the requested time: orders from the oldest, services from the newest. Also
/// returns the number of all these changes.
fn page<'a>(call: &Request, kept: &'a [(u64, Value)]) -> (Vec<&'a (u64, Value)>, usize) {
    let (own, services) = (asked(call), asks_for_services(call));
    let text = |name: &str| own[name].as_str().unwrap_or_default();
    let (changed, begin, end, number, size) = match services {
        true => ("updateDate", "updateTimeBegin", "updateTimeEnd", "pageNumber", "pageSize"),
        false => ("modified", "start_date", "end_date", "page", "page_size"),
    };
    let within = |item: &Value| item[changed].as_str().is_some_and(|at| (text(begin)..=text(end)).contains(&at));
    let mut items: Vec<_> = kept.iter().filter(|(_, item)| within(item)).collect();
    items.sort_by_key(|(_, item)| item[changed].as_str());
    if services {
        items.reverse();
    }
    let total = items.len();
    let (number, size): (usize, usize) = (text(number).parse().unwrap_or(1), text(size).parse().unwrap_or(10));
    let page = items.into_iter().skip(number.saturating_sub(1).saturating_mul(size)).take(size).collect();
    (page, total)
}

impl Simulated for Jd {
    fn channel(&self) -> &'static str {
        "jd"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: "sim".into(),
            settings: json!({ "app_key": KEY, "vender_id": "10001", "operator": "simulated", "api_base": api_base }),
            secrets: vec![("app_secret", SECRET.into()), ("access_token", TOKEN.into())],
        }
    }

    fn open_id(&self, customer: u64) -> String {
        format!("oJd{customer:08}")
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let (order, buyer) = ((300_000_000_000 + act.number).to_string(), self.open_id(act.customer));
        let item = if act.wants_refund() {
            json!({
                "serviceId": act.number, "serviceStatus": 10_001, "orderId": order, "updateDate": date(act.at),
                "open_id_buyer": buyer, "wareName": act.text,
            })
        } else {
            json!({
                "orderId": order, "orderState": "WAIT_SELLER_STOCK_OUT", "orderPayment": "12.30",
                "modified": date(act.at), "open_id_buyer": buyer,
                "itemInfoList": [{ "skuName": act.text, "itemTotal": "1" }],
            })
        };
        Arrival::Kept { item, hint: None }
    }

    fn acknowledged(&self, _status: u16, _body: &[u8]) -> bool {
        false
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        let known = |method: &str| matches!(method, "jingdong.pop.order.search" | SERVICES);
        let here = (call.method.as_str(), call.path.as_str()) == ("POST", "/routerjson");
        (here && param(call, "method").is_some_and(|method| known(&method))).then_some(Endpoint::Pull)
    }

    fn check(&self, _endpoint: Endpoint, call: &Request, _token: &str) -> Result<Option<Sent>, Trouble> {
        if param(call, "access_token").as_deref() != Some(TOKEN) {
            return Err(Trouble::TokenRefused);
        }
        let is = |name: &str, value: &str| param(call, name).as_deref() == Some(value);
        let good = is("app_key", KEY) && is("v", "2.0") && sign::signed(SECRET, &read_form(&call.body));
        if good { Ok(None) } else { Err(Trouble::SignatureRefused) }
    }

    fn answer(&self, _endpoint: Endpoint, call: &Request, _token: &str, kept: &[(u64, Value)]) -> Answer {
        let (items, total) = page(call, kept);
        let items: Vec<_> = items.into_iter().map(|(_, item)| item).collect();
        list(asks_for_services(call), total, &items)
    }

    fn given(&self, call: &Request, kept: &[(u64, Value)]) -> Vec<u64> {
        page(call, kept).0.into_iter().map(|(position, _)| *position).collect()
    }

    fn refuse(&self, _endpoint: Endpoint, trouble: Trouble) -> Answer {
        let (code, text) = match trouble {
            Trouble::TokenRefused => ("19", "无效access_token"),
            Trouble::RateLimited => ("2", "限制时间内调用失败次数"),
            Trouble::SignatureRefused => ("12", "无效签名"),
            Trouble::WindowClosed => ("15", "不存在的方法名"),
        };
        Answer::json(&json!({ "error_response": { "code": code, "zh_desc": text, "en_desc": "refused" } }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, NOW, act};
    use super::*;
    use warmline_channels::jd::JdAdapter;
    use warmline_channels::{Outcome, Page};
    use warmline_model::Content;

    #[test]
    fn orders_are_asked_for_by_their_time_of_change() {
        let driver = Driver::new(&JdAdapter, &Jd);
        assert_eq!(driver.puller().polled(&driver.account), ["orders", "after_sales"]);
        let first = NOW.secs() - 10;
        let keep = |number, at| driver.kept(&Act { at, ..act(number, "一件商品") });
        let mut kept = vec![(1, keep(42, first))];
        let page = driver.fetch("orders", None, &kept, None).unwrap();
        let [message] = page.messages.as_slice() else { panic!("one order") };
        assert_eq!((message.sender.open_id.as_str(), message.at.secs()), ("oJd00000007", first));
        let Content::Event { event, key, data } = &message.content else { panic!("an event") };
        assert_eq!((event.as_str(), key.as_deref()), ("wait_seller_stock_out", Some("300000000042")));
        assert_eq!(data["itemInfoList"][0]["skuName"], "一件商品");

        // There are more orders than a page holds, and many of them in one second. Each of them comes, even if some come
        // twice.
        kept.extend((0..150).map(|n| (n + 2, keep(100 + n, first + i64::try_from(n / 90).unwrap()))));
        assert_eq!(everything(&driver, "orders", page.cursor, &kept), (151, Some((first + 1).to_string())));

        assert_eq!(driver.fetch("after_sales", None, &kept, None), Ok(Page::default()));
        let call = driver.asked("orders", None, None);
        let forged = Request { body: [&call.body[..], b"&x=1"].concat(), ..call };
        assert_eq!(Jd.check(Endpoint::Pull, &forged, ""), Err(Trouble::SignatureRefused));
        driver.refuses_chat();
    }

    /// Asks until there is no more. Returns the number of changes and the cursor.
    fn everything(
        driver: &Driver<'_, JdAdapter>,
        source: &str,
        mut cursor: Option<String>,
        kept: &[(u64, Value)],
    ) -> (usize, Option<String>) {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let page = driver.fetch(source, cursor.as_deref(), kept, None).unwrap();
            seen.extend(page.messages.into_iter().map(|message| message.key));
            cursor = page.cursor.or(cursor);
            if !page.more {
                return (seen.len(), cursor);
            }
        }
        panic!("no end");
    }

    #[test]
    fn l1_an_hour_of_after_sales_comes_whole() {
        let driver = Driver::new(&JdAdapter, &Jd);
        let begun = NOW.secs() - 3_600;
        let keep =
            |n: u64| driver.kept(&Act { customer: 5, at: begun + i64::try_from(n * 19).unwrap(), ..act(n, "一件商品") });
        let kept: Vec<_> = (0..180).map(|n| (n, keep(n))).collect();
        let newest = Some((begun + 179 * 19).to_string());
        assert_eq!(everything(&driver, "after_sales", Some(begun.to_string()), &kept), (180, newest));
    }

    #[test]
    fn money_back_is_a_service_and_no_order() {
        let driver = Driver::new(&JdAdapter, &Jd);
        let keep = |customer, number: u64| {
            let at = NOW.secs() - 10 + i64::try_from(number).unwrap();
            driver.kept(&Act { customer, at, ..act(number, "一件商品") })
        };
        let kept = [(11, keep(5, 1)), (12, keep(7, 2)), (13, keep(13, 3))];
        let given = |source| Jd.given(&driver.asked(source, None, None), &kept);
        assert_eq!((given("orders"), given("after_sales")), (vec![12], vec![13, 11]));
        let page = driver.fetch("after_sales", None, &kept, None).unwrap();
        let [_, first] = page.messages.as_slice() else { panic!("two services") };
        assert_eq!(first.sender.open_id, Jd.open_id(5));
        assert!(matches!(&first.content, Content::Event { event, key: Some(order), data }
            if event == "after_sale" && order == "300000000001" && data["wareName"] == "一件商品"));
    }

    #[test]
    fn troubles() {
        let driver = Driver::new(&JdAdapter, &Jd);
        let outcome = |trouble| driver.page("orders", &Jd.refuse(Endpoint::Pull, trouble)).unwrap_err();
        // The token is the shop owner's grant, so there is none to fetch.
        assert_eq!(outcome(Trouble::TokenRefused), Outcome::Permanent("credentials_refused"));
        assert_eq!(outcome(Trouble::SignatureRefused), Outcome::Permanent("credentials_refused"));
        assert_eq!(outcome(Trouble::RateLimited), Outcome::Retry("rate_limited"));
        assert_eq!(outcome(Trouble::WindowClosed), Outcome::Permanent("platform_refused"));
    }
}
