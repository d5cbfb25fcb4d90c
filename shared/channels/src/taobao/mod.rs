//! Taobao and Tmall: trade, refund and logistics messages of a shop, fetched from TMC (the 消息服务 of Taobao's open platform).
//! The platform gives third parties no buyer chat: only the events of orders come.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `app_key` | required: the application's AppKey | – |
//! | `groups` | the consumer groups to ask, if the application has such; `default` is the group without a name | `["default"]` |
//! | `sign_method` | `hmac` or `md5` | `hmac` |
//! | `api_base` | the gateway's address | `https://eco.taobao.com` |
//!
//! | secret | meaning |
//! |---|---|
//! | `app_secret` | required: signs calls |
//!
//! Protocol, by the documents API调用方法详解, 消息服务, taobao.tmc.messages.consume and taobao.tmc.messages.confirm of
//! open.taobao.com and the fields in public SDKs made from them:
//! * a call is a form with `method`, `app_key`, `timestamp` (Beijing time), `v=2.0`, `format=json`, `sign_method`, `sign`;
//!   `md5` = MD5 over secret, sorted names and values, secret; `hmac` = HMAC-MD5 over sorted names and values;
//! * `consume` gives 10 to 200 messages of a group: `id`, `topic`, `pub_time`, `user_id` and `user_nick` of the shop,
//!   `content` (a JSON text: `tid`, `oid`, `buyer_nick`, `seller_nick`, `payment`, `status`, … by topic). Unconfirmed
//!   messages (`s_message_ids`) come again, and are recognised by their id;
//! * neither call needs a shop's session. The application's administrator adds shops once, with taobao.tmc.user.permit.
//!
//! The buyer is `buyer_nick`, which the platform masks or replaces by an id of the application's own (`buyer_open_uid`,
//! stored as the id across accounts). Messages that name no buyer (a parcel's journey, an item's change) are about
//! `order:<tid>` or `shop:<user_id>`.

mod account;
mod api;
mod parse;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;

pub use account::{Account, SignMethod};

use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Asked, Call, Capabilities, Carries, ChannelSettings, Outbound, Outcome,
    Page, Parsed, Pull, Refusal, Rendered, Reply, Request, Secrets, Undeliverable, Verified,
};
use warmline_model::Timestamp;

const CAPABILITIES: Capabilities =
    Capabilities::inbound_only("taobao", "淘宝/天猫", "Taobao and Tmall", Carries::Orders, &["event", "unknown"]);

/// The adapter for Taobao and Tmall shops.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaobaoAdapter;

impl Adapter for TaobaoAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the setting `app_key` and the secret `app_secret`"
    }

    /// There are no webhooks. TMC is asked.
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

impl Pull for TaobaoAdapter {
    type Account = Account;

    fn polled(&self, account: &Account) -> Vec<String> {
        account.groups.clone()
    }

    fn request(
        &self,
        account: &Account,
        source: &str,
        _cursor: Option<&str>,
        call: &Call<'_>,
    ) -> Result<ApiRequest, Undeliverable> {
        Ok(api::consume(account, source, call.now))
    }

    fn read(&self, _account: &Account, _asked: &Asked<'_>, answer: &ApiResponse<'_>) -> Result<Page, Outcome> {
        parse::page(api::listed(answer)?)
    }

    fn confirm(&self, account: &Account, source: &str, receipts: &[String], call: &Call<'_>) -> Option<ApiRequest> {
        (!receipts.is_empty()).then(|| api::confirm(account, source, receipts, call.now))
    }
}
