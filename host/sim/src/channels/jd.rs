//! JD's open platform, simulated: orders and after-sale services are listed by their time of change.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use serde_json::{Value, json};
use warmline_channels::jd::sign;
use warmline_channels::sorted_sign::read_form;

const KEY: &str = "simulated0jd0app0key000000000000";
const SECRET: &str = "simulated0jd0app0secret000000000";
const TOKEN: &str = "simulated0jd0access0token";

/// The platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jd;

fn param(call: &Request, name: &str) -> Option<String> {
    read_form(&call.body).into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
}

/// What the method itself is asked.
fn asked(call: &Request) -> Value {
    param(call, "360buy_param_json").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Beijing time as the platform writes it.
fn date(seconds: i64) -> String {
    let text = warmline_model::Timestamp::from_secs(seconds + 8 * 3600).to_string();
    text.chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

fn page(total: usize, orders: &[&Value]) -> Value {
    let verdict = json!({ "success": true, "numberCode": 0 });
    let result = json!({ "apiResult": verdict, "orderTotal": total, "orderInfoList": orders });
    json!({ "jingdong_pop_order_search_responce": { "code": "0", "searchorderinfo_result": result } })
}

/// Pages as the platform gives them.
pub(super) fn pages(orders: &[Value]) -> Vec<Vec<u8>> {
    let page = page(orders.len(), &orders.iter().collect::<Vec<_>>());
    vec![page.to_string().into_bytes(), Jd.refuse(Endpoint::Pull, Trouble::TokenRefused).body]
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
        let item = json!({
            "orderId": (300_000_000_000 + act.number).to_string(), "orderState": "WAIT_SELLER_STOCK_OUT",
            "orderPayment": "12.30", "modified": date(act.at), "open_id_buyer": self.open_id(act.customer),
            "itemInfoList": [{ "skuName": act.text, "itemTotal": "1" }],
        });
        Arrival::Kept { item, hint: None }
    }

    fn acknowledged(&self, _status: u16, _body: &[u8]) -> bool {
        false
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        let known = |method: &str| matches!(method, "jingdong.pop.order.search" | "jingdong.asc.query.list");
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
        if param(call, "method").as_deref() == Some("jingdong.asc.query.list") {
            let none = json!({ "code": "0", "pageResult": { "totalCount": 0, "data": [] } });
            return Answer::json(&json!({ "jingdong_asc_query_list_responce": none }));
        }
        let own = asked(call);
        let text = |name: &str| own[name].as_str().unwrap_or_default();
        let changed = |item: &Value| item["modified"].as_str().unwrap_or_default().to_owned();
        let within = |item: &Value| (text("start_date")..=text("end_date")).contains(&changed(item).as_str());
        let mut orders: Vec<_> = kept.iter().map(|(_, item)| item).filter(|item| within(item)).collect();
        orders.sort_by_key(|item| changed(item));
        let total = orders.len();
        orders.truncate(text("page_size").parse().unwrap_or(10));
        Answer::json(&page(total, &orders))
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
    use super::super::drive::{Driver, NOW, act};
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

        // More orders than a page holds, several a second: each of them comes, whatever comes twice.
        kept.extend((0..90).map(|n| (n + 2, keep(100 + n, first + i64::try_from(n / 15).unwrap()))));
        let (mut cursor, mut seen) = (page.cursor, std::collections::BTreeSet::new());
        for _ in 0..20 {
            let page = driver.fetch("orders", cursor.as_deref(), &kept, None).unwrap();
            seen.extend(page.messages.iter().map(|message| message.key.clone()));
            cursor = page.cursor.or(cursor);
            if !page.more {
                break;
            }
        }
        assert!(seen.len() == 91, "{}", seen.len());

        assert_eq!(driver.fetch("after_sales", None, &kept, None), Ok(Page::default()));
        let call = driver.asked("orders", None, None);
        let forged = Request { body: [&call.body[..], b"&x=1"].concat(), ..call };
        assert_eq!(Jd.check(Endpoint::Pull, &forged, ""), Err(Trouble::SignatureRefused));
        driver.refuses_chat();
    }

    #[test]
    fn troubles() {
        let driver = Driver::new(&JdAdapter, &Jd);
        let outcome = |trouble| driver.page("orders", &Jd.refuse(Endpoint::Pull, trouble)).unwrap_err();
        // The token is the shop owner's grant: there is none to fetch.
        assert_eq!(outcome(Trouble::TokenRefused), Outcome::Permanent("credentials_refused"));
        assert_eq!(outcome(Trouble::SignatureRefused), Outcome::Permanent("credentials_refused"));
        assert_eq!(outcome(Trouble::RateLimited), Outcome::Retry("rate_limited"));
        assert_eq!(outcome(Trouble::WindowClosed), Outcome::Permanent("platform_refused"));
    }
}
