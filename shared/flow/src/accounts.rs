//! Channel accounts: kept settings, sealed secrets.

use crate::ctx::{Ctx, FlowError};
use crate::sealed::{self, Secrets};
use serde_json::Value;
use warmline_model::{AccountId, Channel, Timestamp};
use warmline_store::{accounts, pulls};

/// An account with its secrets opened.
pub struct Account {
    /// The channel.
    pub channel: Channel,
    /// The account's id on it.
    pub account: AccountId,
    /// The brand's name for it.
    pub name: String,
    /// Settings.
    pub settings: Value,
    /// Secrets.
    pub secrets: Secrets,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Finds an account and opens its secrets.
///
/// # Errors
/// The store fails, or the secrets do not open.
pub fn load(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId) -> Result<Option<Account>, FlowError> {
    accounts::get(ctx.db, channel, account)?.map(|stored| open(ctx, stored)).transpose()
}

/// All accounts.
///
/// # Errors
/// The store fails, or the secrets do not open.
pub fn list(ctx: &Ctx<'_>) -> Result<Vec<Account>, FlowError> {
    accounts::list(ctx.db)?.into_iter().map(|stored| open(ctx, stored)).collect()
}

fn open(ctx: &Ctx<'_>, stored: accounts::Account) -> Result<Account, FlowError> {
    let secrets = sealed::open_secrets(ctx, &stored.channel, &stored.account, &stored.secrets)?;
    let settings = serde_json::from_str(&stored.settings).map_err(|_| warmline_store::StoreError::Shape(3))?;
    let accounts::Account { channel, account, name, created_at, .. } = stored;
    Ok(Account { channel, account, name, settings, secrets, created_at })
}

fn sealed(ctx: &Ctx<'_>, account: &Account) -> Result<accounts::Account, FlowError> {
    Ok(accounts::Account {
        channel: account.channel.clone(),
        account: account.account.clone(),
        name: account.name.clone(),
        settings: account.settings.to_string(),
        secrets: sealed::seal_secrets(ctx, &account.channel, &account.account, &account.secrets)?,
        created_at: account.created_at,
    })
}

/// Adds an account whose settings were checked, with the sources that are to be asked for its messages. Runs in the caller's
/// transaction.
///
/// # Errors
/// It exists, or the store fails.
pub fn create(ctx: &Ctx<'_>, account: &Account, polled: &[String]) -> Result<(), FlowError> {
    if accounts::insert(ctx.db, &sealed(ctx, account)?)? {
        return Ok(pulls::set_polled(ctx.db, &account.channel, &account.account, polled, ctx.now())?);
    }
    Err(FlowError::conflict("account_exists", "the channel has an account of that id; change it with PUT"))
}

/// Replaces an account's name, settings, secrets and sources. Runs in the caller's transaction.
///
/// # Errors
/// There is none, or the store fails.
pub fn replace(ctx: &Ctx<'_>, account: &Account, polled: &[String]) -> Result<(), FlowError> {
    let now = ctx.now();
    if !accounts::update(ctx.db, &sealed(ctx, account)?, now)? {
        return Err(FlowError::NotFound("account"));
    }
    Ok(pulls::set_polled(ctx.db, &account.channel, &account.account, polled, now)?)
}
