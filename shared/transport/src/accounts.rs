//! Channel accounts: kept settings, sealed secrets. One that is disabled takes nothing in and sends nothing out, and keeps what it has;
//! one that is deleted is gone with its secrets, and what was said by it stays.

use crate::tokens;
use serde_json::Value;
use warmline_kernel::audit::{self, Action, Of};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::sealed::{self, Secrets};
use warmline_model::{AccountId, Channel, Timestamp};
use warmline_store::{accounts, inbox, outbox, pulls, waiting};

/// How an account stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Since when it is disabled; none: it is not.
    pub disabled_at: Option<Timestamp>,
    /// When the platform was heard last, to the minute.
    pub heard_at: Option<Timestamp>,
    epoch: i64,
}

/// How exactly it is known when a platform was heard: one write a minute.
const HEARD_MS: i64 = 60_000;

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
    /// How it stands.
    pub standing: Standing,
}

impl Account {
    /// The account as sessions of its customers name it: one that was made anew after it was deleted knows none of the old sessions.
    pub fn session_name(&self) -> String {
        match self.standing.epoch {
            0 => self.account.to_string(),
            epoch => format!("{}#{epoch}", self.account),
        }
    }
}

/// Finds an account and opens its secrets.
///
/// # Errors
/// The store fails, or the secrets do not open.
pub fn load(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId) -> Result<Option<Account>, StepError> {
    accounts::get(ctx.db, channel, account)?.map(|stored| open(ctx, stored)).transpose()
}

/// All accounts.
///
/// # Errors
/// The store fails, or the secrets do not open.
pub fn list(ctx: &Ctx<'_>) -> Result<Vec<Account>, StepError> {
    accounts::list(ctx.db)?.into_iter().map(|stored| open(ctx, stored)).collect()
}

fn open(ctx: &Ctx<'_>, stored: accounts::Account) -> Result<Account, StepError> {
    let secrets = sealed::open_secrets(ctx, &stored.channel, &stored.account, &stored.secrets)?;
    let settings = serde_json::from_str(&stored.settings).map_err(|_| warmline_store::StoreError::Shape(3))?;
    let accounts::Account { channel, account, name, created_at, disabled_at, heard_at, epoch, .. } = stored;
    let standing = Standing { disabled_at, heard_at, epoch };
    Ok(Account { channel, account, name, settings, secrets, created_at, standing })
}

fn sealed(ctx: &Ctx<'_>, account: &Account) -> Result<accounts::Account, StepError> {
    Ok(accounts::Account {
        channel: account.channel.clone(),
        account: account.account.clone(),
        name: account.name.clone(),
        settings: account.settings.to_string(),
        secrets: sealed::seal_secrets(ctx, &account.channel, &account.account, &account.secrets)?,
        created_at: account.created_at,
        disabled_at: account.standing.disabled_at,
        heard_at: account.standing.heard_at,
        epoch: account.standing.epoch,
    })
}

/// Adds an account whose settings were checked, with the sources that are to be asked for its messages. Runs in the caller's
/// transaction.
///
/// # Errors
/// It exists, or the store fails.
pub fn create(ctx: &Ctx<'_>, actor: &Actor, account: &Account, polled: &[String]) -> Result<(), StepError> {
    if !accounts::insert(ctx.db, &sealed(ctx, account)?)? {
        return Err(StepError::conflict("account_exists", "the channel has an account of that id; change it with PUT"));
    }
    pulls::set_polled(ctx.db, &account.channel, &account.account, polled, ctx.now())?;
    note(ctx, actor, Action::CreateAccount, (&account.channel, &account.account))
}

/// Replaces an account's name, settings, secrets and sources. Runs in the caller's transaction.
///
/// # Errors
/// There is none, or the store fails.
pub fn replace(ctx: &Ctx<'_>, actor: &Actor, account: &Account, polled: &[String]) -> Result<(), StepError> {
    let now = ctx.now();
    if !accounts::update(ctx.db, &sealed(ctx, account)?, now)? {
        return Err(StepError::NotFound("account"));
    }
    pulls::set_polled(ctx.db, &account.channel, &account.account, polled, now)?;
    tokens::forget(ctx, &account.channel, &account.account);
    note(ctx, actor, Action::ChangeAccount, (&account.channel, &account.account))
}

/// Writes to the audit log what was done with an account; `<channel>/<account>` stands as the reason.
fn note(ctx: &Ctx<'_>, actor: &Actor, action: Action, (channel, account): (&Channel, &AccountId)) -> Result<(), StepError> {
    audit::append(ctx, actor, action, Of { reason: Some(&format!("{channel}/{account}")), ..Of::default() })
}

/// Disables an account: its webhooks are refused, its sources are not asked, replies wait. Runs in the caller's transaction.
///
/// # Errors
/// There is none, or the store fails.
pub fn disable(ctx: &Ctx<'_>, actor: &Actor, channel: &Channel, account: &AccountId) -> Result<(), StepError> {
    if !accounts::set_disabled(ctx.db, channel, account, true, ctx.now())? {
        return Err(StepError::NotFound("account"));
    }
    note(ctx, actor, Action::DisableAccount, (channel, account))
}

/// Enables an account: what waited is due at once. Runs in the caller's transaction.
///
/// # Errors
/// There is none, or the store fails.
pub fn enable(ctx: &Ctx<'_>, actor: &Actor, channel: &Channel, account: &AccountId) -> Result<(), StepError> {
    if !accounts::set_disabled(ctx.db, channel, account, false, ctx.now())? {
        return Err(StepError::NotFound("account"));
    }
    outbox::unpark(ctx.db, channel, account, ctx.now())?;
    note(ctx, actor, Action::EnableAccount, (channel, account))
}

/// What still uses an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Conversations that are not closed.
    pub conversations: i64,
    /// Messages that were taken and have not reached their conversation.
    pub messages: i64,
}

/// Deletes an account with its secrets; where it is in use, says by what and changes nothing. Its conversations stay, and show its
/// id. Call [`crate::tokens::forget`] after the transaction. Runs in the caller's transaction.
///
/// # Errors
/// There is none, or the store fails.
pub fn delete(ctx: &Ctx<'_>, actor: &Actor, channel: &Channel, account: &AccountId) -> Result<Option<InUse>, StepError> {
    accounts::get(ctx.db, channel, account)?.ok_or(StepError::NotFound("account"))?;
    let used = InUse {
        conversations: waiting::open(ctx.db, channel, account)?,
        messages: inbox::waiting_of(ctx.db, channel, account)?,
    };
    if used.conversations > 0 || used.messages > 0 {
        return Ok(Some(used));
    }
    // What waited for the account is given up at its next try, with the reason.
    outbox::unpark(ctx.db, channel, account, ctx.now())?;
    accounts::delete(ctx.db, channel, account)?;
    tokens::forget(ctx, channel, account);
    note(ctx, actor, Action::DeleteAccount, (channel, account))?;
    Ok(None)
}

/// Notes that the platform was heard, at most once a minute.
///
/// # Errors
/// The store fails. Nothing else depends on it.
pub fn heard(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId, before: Option<Timestamp>) -> Result<(), StepError> {
    let now = ctx.now();
    if before.is_some_and(|before| now.since(before) < HEARD_MS) {
        return Ok(());
    }
    Ok(accounts::heard(ctx.db, channel, account, now)?)
}

/// Refuses what would be sent by an account that is disabled.
///
/// # Errors
/// It is, or the store fails.
pub fn sends(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId) -> Result<(), StepError> {
    if accounts::is_disabled(ctx.db, channel, account)? {
        return Err(StepError::conflict(
            "account_disabled",
            "the account of this conversation is disabled; replies can be sent again once an administrator enables it",
        ));
    }
    Ok(())
}
