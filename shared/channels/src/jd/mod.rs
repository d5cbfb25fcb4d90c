//! JD (京东): orders and after-sale services of a POP shop, fetched through the signed API of JD's open platform (JOS). The
//! platform gives third parties no buyer chat (咚咚): only the events of orders come.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `app_key` | required: the application's key | – |
//! | `vender_id`, `operator` | the shop's number and an employee's account; if both are set, after-sale services come too | – |
//! | `api_base` | the gateway's address | `https://api.jd.com` |
//!
//! | secret | meaning |
//! |---|---|
//! | `app_secret` | required: signs calls |
//! | `access_token` | required: the grant of the shop's owner (OAuth); Warmline cannot renew it |
//!
//! Protocol, by the documents 京东开放平台接入协议 (jos.jd.com/commondoc?listId=33), jingdong.pop.order.search and
//! jingdong.asc.query.list, and the fields in public SDKs made from them:
//! * a call is a form with `method`, `app_key`, `access_token`, `timestamp` (Beijing time), `v=2.0`, `360buy_param_json` and
//!   `sign` = MD5 over secret, all the others sorted, secret. `format` and `sign_method` are not signed and not sent;
//! * `pop.order.search` by time of change (`dateType` 0, oldest first) gives up to 100 orders of a window of at most a
//!   month. The next window begins with the newest change seen so far. The last five seconds are left to settle;
//! * `asc.query.list` gives after-sale services by time of change, in no documented order: a window overlaps the newest
//!   change seen so far by half an hour;
//! * the rest of a window beyond a page ([`ORDERS`], [`AFTER_SALES`]) is asked for page by page (`window`);
//! * an answer is `{"<method with _>_responce": {…}}` (the platform's spelling) or `error_response`.
//!
//! A repeat is recognised by order number, state and time of change. The buyer is `open_id_buyer` (an id of the
//! application's own), or else the masked `pin`. Names, addresses and telephone numbers are not asked for.

mod account;
mod api;
mod parse;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;
mod window;

pub use account::Account;
pub use api::{AFTER_SALES, ORDERS};

use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Asked, Call, Capabilities, Carries, ChannelSettings, Outbound, Outcome,
    Page, Parsed, Pull, Refusal, Rendered, Reply, Request, Secrets, Undeliverable, Verified,
};
use warmline_model::Timestamp;

const CAPABILITIES: Capabilities = Capabilities::inbound_only("jd", "京东", "JD", Carries::Orders, &["event", "unknown"]);

/// The adapter for JD shops.
#[derive(Clone, Copy, Debug, Default)]
pub struct JdAdapter;

impl Adapter for JdAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the setting `app_key` and the secrets `app_secret` and `access_token`"
    }

    /// There are no webhooks. The API is asked.
    fn verify(&self, _: &Account, _: &Request<'_>, _: Timestamp) -> Result<Verified, Refusal> {
        Err(Refusal::NotFound)
    }

    fn parse(&self, _: &Account, _: &Verified) -> Result<Parsed, Refusal> {
        Err(Refusal::NotFound)
    }

    fn acknowledge(&self, _: &Account, _: &Verified) -> Reply {
        Reply::text("")
    }

    fn render(&self, _: &Account, _: &Outbound<'_>, _: &Call<'_>) -> Result<Rendered, Undeliverable> {
        Err(Undeliverable::ChatNotOffered)
    }

    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome {
        api::read_answer(answer)
    }

    fn pull(&self) -> Option<&dyn Pull<Account = Account>> {
        Some(self)
    }
}

/// The source of orders.
const SOURCE_ORDERS: &str = "orders";
/// The source of after-sale services.
const SOURCE_AFTER_SALES: &str = "after_sales";

impl Pull for JdAdapter {
    type Account = Account;

    fn polled(&self, account: &Account) -> Vec<String> {
        let mut sources = vec![SOURCE_ORDERS.to_owned()];
        if account.after_sales.is_some() {
            sources.push(SOURCE_AFTER_SALES.to_owned());
        }
        sources
    }

    fn request(
        &self,
        account: &Account,
        source: &str,
        cursor: Option<&str>,
        call: &Call<'_>,
    ) -> Result<ApiRequest, Undeliverable> {
        match source {
            SOURCE_ORDERS => Ok(api::orders(account, cursor, call.now)),
            SOURCE_AFTER_SALES => api::after_sales(account, cursor, call.now),
            _ => Err(Undeliverable::SourceUnknown),
        }
    }

    fn read(&self, _account: &Account, asked: &Asked<'_>, answer: &ApiResponse<'_>) -> Result<Page, Outcome> {
        match asked.source {
            SOURCE_ORDERS => parse::orders(answer, api::orders_window(asked.cursor, asked.now)),
            _ => parse::after_sales(answer, api::after_sales_window(asked.cursor, asked.now)),
        }
    }
}
