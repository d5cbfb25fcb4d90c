//! Channel accounts.

use crate::model::{AccountChange, AccountState, AccountView, NewAccount};
use serde_json::Value;
use warmline_channels::account_settings::RoutingSettings;
use warmline_channels::names;
use warmline_channels::registry::{self, Checked};
use warmline_endpoint::page::Page;
use warmline_endpoint::route::{ADMIN, Access, Answer, Call, Route, SUPERVISOR, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::{AccountId, Channel, Scope};
use warmline_transport::accounts::{self, Account, InUse, Standing};

impl From<Account> for AccountView {
    fn from(a: Account) -> Self {
        Self {
            state: AccountState::of(a.standing.disabled_at),
            disabled_at: a.standing.disabled_at,
            webhook: format!("/channels/{}/{}", a.channel, a.account),
            channel: a.channel,
            account: a.account,
            name: a.name,
            settings: a.settings,
            secrets: a.secrets.into_keys().collect(),
            created_at: a.created_at,
        }
    }
}

fn check(call: &Call<'_>, account: &Account) -> Result<Checked, Problem> {
    body::name("name", &account.name, 100)?;
    // The router's part, then the adapter's.
    let (channel, settings) = (account.channel.as_str(), &account.settings);
    let routing = registry::routing(channel, settings).unwrap_or_else(|| RoutingSettings::of(settings.clone()));
    if let Some(fault) = routing.fault() {
        let detail = fault.to_string();
        return Err(match fault.field.as_str() {
            "group" => Problem::field("unknown_group", "settings.group", detail),
            "extensions" => Problem::field("bad_account", "settings.extensions", detail),
            field => Problem::field("bad_account", field, detail),
        });
    }
    if let Some(group) = routing.group()
        && warmline_conversations::store::groups::get(call.ctx.db, &group)?.is_none()
    {
        return Err(Problem::field("unknown_group", "settings.group", "names no skill group; create the group first"));
    }
    for agent in routing.agents() {
        if warmline_store::agents::get(call.ctx.db, agent)?.is_none_or(|agent| agent.removed_at.is_some()) {
            return Err(Problem::field("bad_account", "settings.extensions", "names no agent; use the agents' ids"));
        }
    }
    match registry::check_account(channel, settings, &account.secrets) {
        None => {
            let all: Vec<&str> = registry::all().iter().map(|c| c.channel).collect();
            let detail = format!("no adapter serves this channel; {}", names::instead(channel, "channels", &all));
            Err(Problem::field("unknown_channel", "channel", detail))
        }
        Some(Err(e)) => Err(Problem::field("bad_account", e.field.clone(), e.to_string())),
        Some(Ok(checked)) => Ok(checked),
    }
}

/// `POST /api/accounts`
pub(crate) fn create(call: &Call<'_>) -> Result<Response, Problem> {
    let new: NewAccount = body::read(call.request)?;
    if new.account.as_str().bytes().all(|byte| byte == b'.') {
        let detail = "clients take `.` and `..` out of addresses: give the account another name";
        return Err(Problem::field("bad_account", "account", detail));
    }
    let account = Account {
        channel: new.channel,
        account: new.account,
        name: new.name,
        settings: Value::Object(new.settings),
        secrets: new.secrets,
        created_at: call.ctx.now(),
        standing: Standing::default(),
    };
    let checked = check(call, &account)?;
    accounts::create(&call.ctx, &call.actor, &account, &checked.polled)?;
    Ok(Response::json(201, &AccountView::from(account)))
}

/// `GET /api/accounts`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let items = accounts::list(&call.ctx)?.into_iter().map(AccountView::from).collect();
    Ok(Response::json(200, &Page { items, next: None }))
}

/// `PUT /api/accounts/{channel}/{account}`
pub(crate) fn replace(call: &Call<'_>) -> Result<Response, Problem> {
    let Named { channel, account: id } = named(call)?;
    let mut account = accounts::load(&call.ctx, &channel, &id)?.ok_or_else(missing)?;
    let change: AccountChange = body::read(call.request)?;
    account.name = change.name;
    account.settings = Value::Object(change.settings);
    for (name, secret) in change.secrets {
        match secret {
            Some(secret) => account.secrets.insert(name, secret),
            None => account.secrets.remove(&name),
        };
    }
    let checked = check(call, &account)?;
    accounts::replace(&call.ctx, &call.actor, &account, &checked.polled)?;
    Ok(Response::json(200, &AccountView::from(account)))
}

/// The account named in the path.
pub(crate) struct Named {
    pub(crate) channel: Channel,
    pub(crate) account: AccountId,
}

pub(crate) fn missing() -> Problem {
    Problem::new(404, "not_found", "there is no such account; `GET /api/accounts` lists those that are")
}

/// Reads the path. A malformed name is answered like an unknown one (404).
pub(crate) fn named(call: &Call<'_>) -> Result<Named, Problem> {
    let channel = Channel::new(call.param(0)).map_err(|_| missing())?;
    let account = AccountId::new(call.param(1)).map_err(|_| missing())?;
    Ok(Named { channel, account })
}

fn show(call: &Call<'_>, Named { channel, account }: &Named) -> Result<Response, Problem> {
    let account = accounts::load(&call.ctx, channel, account)?.ok_or_else(missing)?;
    Ok(Response::json(200, &AccountView::from(account)))
}

/// `POST /api/accounts/{channel}/{account}/disable`
pub(crate) fn disable(call: &Call<'_>) -> Result<Response, Problem> {
    let named = named(call)?;
    accounts::disable(&call.ctx, &call.actor, &named.channel, &named.account)?;
    show(call, &named)
}

/// `POST /api/accounts/{channel}/{account}/enable`
pub(crate) fn enable(call: &Call<'_>) -> Result<Response, Problem> {
    let named = named(call)?;
    accounts::enable(&call.ctx, &call.actor, &named.channel, &named.account)?;
    // Waiting replies can leave now.
    call.deliver(&named.channel);
    show(call, &named)
}

/// `DELETE /api/accounts/{channel}/{account}`
pub(crate) fn delete(call: &Call<'_>) -> Result<Response, Problem> {
    let named = named(call)?;
    let response = show(call, &named)?;
    if let Some(InUse { conversations, messages }) =
        accounts::delete(&call.ctx, &call.actor, &named.channel, &named.account)?
    {
        let detail = format!(
            "{conversations} open conversations and {messages} messages that are not placed yet use this account; disable it, close \
             them, then delete it"
        );
        return Err(Problem::new(409, "account_in_use", detail));
    }
    Ok(response)
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::change(
        Verb::Post,
        "/api/accounts",
        "Connects a channel account.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<AccountView>,
        create,
    )
    .taking(schema::<NewAccount>)
    .status(201)
    .refusing(&[(409, "account_exists")]),
    Route::get(
        "/api/accounts",
        "Lists channel accounts.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        Answer::Json(schema::<Page<AccountView>>),
        list,
    ),
    Route::change(
        Verb::Put,
        "/api/accounts/{channel}/{account}",
        "Changes a channel account: name and settings as a whole. Secrets that are not named keep their \
         values; `null` removes one.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<AccountView>,
        replace,
    )
    .taking(schema::<AccountChange>),
    Route::change(
        Verb::Post,
        "/api/accounts/{channel}/{account}/disable",
        "Disables a channel account: webhooks are refused, sources are not asked, replies wait.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<AccountView>,
        disable,
    ),
    Route::change(
        Verb::Post,
        "/api/accounts/{channel}/{account}/enable",
        "Enables a channel account; what waited leaves.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<AccountView>,
        enable,
    ),
    Route::change(
        Verb::Delete,
        "/api/accounts/{channel}/{account}",
        "Deletes a channel account with its secrets; refused while open conversations use it. Its \
         conversations stay.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<AccountView>,
        delete,
    )
    .refusing(&[(409, "account_in_use")]),
];
