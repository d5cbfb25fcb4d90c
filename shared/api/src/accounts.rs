//! Channel accounts.

use crate::body;
use crate::routes::Call;
use crate::view::{AccountView, Page};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use warmline_channels::registry::{self, Checked};
use warmline_flow::accounts::{self, Account};
use warmline_http::{Problem, Response};
use warmline_model::{AccountId, Channel};

/// A new account.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    channel: Channel,
    account: AccountId,
    name: String,
    /// What the channel's adapter needs to know; docs/CHANNELS.md lists it per channel. `group` (for every channel) names the
    /// skill group for conversations that no rule places.
    #[serde(default)]
    settings: Map<String, Value>,
    /// Write-only.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

/// An account's new values.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    name: String,
    #[serde(default)]
    settings: Map<String, Value>,
    /// Secrets to replace; those not named keep their values.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

fn check(call: &Call<'_>, account: &Account) -> Result<Checked, Problem> {
    body::length("name", &account.name, 1, 100)?;
    // `group` is the router's; the rest is the adapter's.
    let mut settings = account.settings.clone();
    if let Some(group) = settings.as_object_mut().and_then(|s| s.remove("group")) {
        let id = group.as_str().and_then(|g| warmline_model::GroupId::new(g).ok());
        let known = match id {
            Some(id) => warmline_store::groups::get(call.ctx.db, &id)?.is_some(),
            None => false,
        };
        if !known {
            return Err(Problem::field("unknown_group", "settings.group", "names no skill group; create the group first"));
        }
    }
    if let Some(extensions) = settings.get("extensions") {
        let known = |agent: &Value| {
            let id = agent.as_str().and_then(|a| a.parse().ok());
            id.map_or(Ok(false), |id| {
                warmline_store::agents::get(call.ctx.db, id).map(|a| a.is_some_and(|a| a.removed_at.is_none()))
            })
        };
        for agent in extensions.as_object().map(|all| all.values()).into_iter().flatten() {
            if !known(agent)? {
                return Err(Problem::field("bad_account", "settings.extensions", "names no agent; use the agents' ids"));
            }
        }
    }
    match registry::check_account(account.channel.as_str(), &settings, &account.secrets) {
        None => Err(Problem::field("unknown_channel", "channel", "no adapter serves this channel")),
        Some(Err(e)) => Err(Problem::field("bad_account", e.field.clone(), e.to_string())),
        Some(Ok(checked)) => Ok(checked),
    }
}

/// `POST /api/accounts`
pub(crate) fn create(call: &Call<'_>) -> Result<Response, Problem> {
    let new: NewAccount = body::read(call.request)?;
    let account = Account {
        channel: new.channel,
        account: new.account,
        name: new.name,
        settings: Value::Object(new.settings),
        secrets: new.secrets,
        created_at: call.ctx.now(),
    };
    let checked = check(call, &account)?;
    accounts::create(&call.ctx, &account, &checked.polled)?;
    Ok(Response::json(201, &AccountView::from(account)))
}

/// `GET /api/accounts`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let items = accounts::list(&call.ctx)?.into_iter().map(AccountView::from).collect();
    Ok(Response::json(200, &Page { items, next: None }))
}

/// `PUT /api/accounts/{channel}/{account}`
pub(crate) fn replace(call: &Call<'_>) -> Result<Response, Problem> {
    let missing = || Problem::new(404, "not_found", "there is no such account");
    let channel = Channel::new(call.param(0)).map_err(|_| missing())?;
    let id = AccountId::new(call.param(1)).map_err(|_| missing())?;
    let mut account = accounts::load(&call.ctx, &channel, &id)?.ok_or_else(missing)?;
    let change: AccountChange = body::read(call.request)?;
    account.name = change.name;
    account.settings = Value::Object(change.settings);
    account.secrets.extend(change.secrets);
    let checked = check(call, &account)?;
    accounts::replace(&call.ctx, &account, &checked.polled)?;
    Ok(Response::json(200, &AccountView::from(account)))
}
