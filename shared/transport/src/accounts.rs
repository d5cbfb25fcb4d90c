//! Channel accounts: settings and sealed secrets. A disabled account receives and sends nothing, and keeps its data. A
//! deleted account is gone with its secrets, and its conversations stay.

use crate::tokens;
use serde_json::Value;
use warmline_channels::account_settings::{self, RoutingSettings};
use warmline_channels::{Adapter, registry};
use warmline_kernel::audit::{self, Action, Subject};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::sealing::{self, Secrets};
use warmline_model::{AccountId, Channel, Timestamp};
use warmline_store::{accounts, inbox, outbox, pulls, waiting};

/// The state of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// When it was disabled; `None` if it is enabled.
    pub disabled_at: Option<Timestamp>,
    /// The time of the platform's last sign of life, to the minute.
    pub heard_at: Option<Timestamp>,
    epoch: i64,
}

/// The precision of `heard_at`: it is written at most once a minute.
const HEARD_MS: i64 = 60_000;

/// An account with its secrets opened.
pub struct Account {
    /// The channel.
    pub channel: Channel,
    /// The account's id on it.
    pub account: AccountId,
    /// The brand's name for it.
    pub name: String,
    /// Settings: both parts ([`account_settings`]), as the API shows and the store keeps them.
    pub settings: Value,
    /// Secrets.
    pub secrets: Secrets,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its state.
    pub standing: Standing,
}

impl Account {
    /// The account's name in its customers' sessions. An account that was deleted and made again gets another name, so
    /// the old sessions are not valid for it.
    pub fn session_name(&self) -> String {
        match self.standing.epoch {
            0 => self.account.to_string(),
            epoch => format!("{}#{epoch}", self.account),
        }
    }
}

/// Finds an account and opens its secrets.
pub fn load(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId) -> Result<Option<Account>, StepError> {
    accounts::get(ctx.db, channel, account)?.map(|stored| opened(ctx, stored)).transpose()
}

/// A stored account, as its adapter needs it.
pub(crate) struct Looked<T> {
    /// The adapter's form of it; `None` if its settings or secrets no longer fit.
    pub(crate) account: Option<T>,
    /// The router's part of its settings.
    pub(crate) routing: RoutingSettings,
    /// Whether it is disabled, and the time of the platform's last sign of life.
    pub(crate) standing: Standing,
    /// See [`credentials`].
    pub(crate) credentials: [u8; 16],
}

/// A keyed hash of an account's settings and secrets: tokens are issued for these.
fn credentials_of(ctx: &Ctx<'_>, settings: &str, secrets: &Secrets) -> [u8; 16] {
    let secrets = secrets.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    let parts: Vec<&str> = std::iter::once(settings).chain(secrets).collect();
    ctx.keys.index().of("credentials", &parts)
}

/// The same of a stored account; `None` if there is none.
///
/// # Errors
/// The store fails, or the secrets do not open.
pub fn credentials(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId) -> Result<Option<[u8; 16]>, StepError> {
    let Some(stored) = accounts::get(ctx.db, channel, account)? else { return Ok(None) };
    let secrets = sealing::open_secrets(ctx, channel, account, &stored.secrets)?;
    Ok(Some(credentials_of(ctx, &stored.settings, &secrets)))
}

/// Looks an account up; `None` if it does not exist.
pub(crate) fn look<A: Adapter>(
    ctx: &Ctx<'_>,
    adapter: &A,
    channel: &Channel,
    id: &AccountId,
) -> Result<Option<Looked<A::Account>>, StepError> {
    let Some(stored) = accounts::get(ctx.db, channel, id)? else { return Ok(None) };
    let settings = stored.settings.clone();
    let mut account = opened(ctx, stored)?;
    let credentials = credentials_of(ctx, &settings, &account.secrets);
    if adapter.wants_derived_secrets() {
        let key = ctx.keys.signing("session");
        let name = account.session_name();
        registry::derive_secrets(&mut account.secrets, &key, channel.as_str(), &name);
    }
    let (routing, settings) = account_settings::split(adapter, account.settings);
    let made = adapter.account(&settings, &account.secrets).ok();
    Ok(Some(Looked { account: made, routing, standing: account.standing, credentials }))
}

/// An account that fits its adapter.
pub(crate) struct Open<T> {
    /// The adapter's form of it.
    pub(crate) account: T,
    /// See [`credentials`].
    pub(crate) credentials: [u8; 16],
}

/// Opens an account for the adapter; `None` if it does not exist or no longer fits.
pub(crate) fn open<A: Adapter>(
    ctx: &Ctx<'_>,
    adapter: &A,
    channel: &Channel,
    id: &AccountId,
) -> Result<Option<Open<A::Account>>, StepError> {
    let looked = look(ctx, adapter, channel, id)?;
    Ok(looked.and_then(|Looked { account, credentials, .. }| Some(Open { account: account?, credentials })))
}

/// The router's part of an account's settings; `None` if there is no account. The secrets stay sealed.
///
/// # Errors
/// The store fails.
pub fn routing(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId) -> Result<Option<RoutingSettings>, StepError> {
    let Some(stored) = accounts::get(ctx.db, channel, account)? else { return Ok(None) };
    Ok(Some(RoutingSettings::of(serde_json::from_slice(stored.settings.as_bytes()).unwrap_or_default())))
}

/// All accounts.
pub fn list(ctx: &Ctx<'_>) -> Result<Vec<Account>, StepError> {
    accounts::list(ctx.db)?.into_iter().map(|stored| opened(ctx, stored)).collect()
}

fn opened(ctx: &Ctx<'_>, stored: accounts::Account) -> Result<Account, StepError> {
    let secrets = sealing::open_secrets(ctx, &stored.channel, &stored.account, &stored.secrets)?;
    // From bytes, like all JSON here: serde_json's reader of texts would be a second copy of it in each adapter (15 kB).
    let settings = serde_json::from_slice(stored.settings.as_bytes()).map_err(|_| warmline_store::StoreError::Shape(3))?;
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
        secrets: sealing::seal_secrets(ctx, &account.channel, &account.account, &account.secrets)?,
        created_at: account.created_at,
        disabled_at: account.standing.disabled_at,
        heard_at: account.standing.heard_at,
        epoch: account.standing.epoch,
    })
}

/// Adds an account, with the sources to poll for its messages. The caller has checked the settings and opens the
/// transaction.
///
/// # Errors
/// The account exists.
pub fn create(ctx: &Ctx<'_>, actor: &Actor, account: &Account, polled: &[String]) -> Result<(), StepError> {
    if !accounts::insert(ctx.db, &sealed(ctx, account)?)? {
        return Err(StepError::conflict("account_exists", "the channel has an account of that id; change it with PUT"));
    }
    pulls::set_polled(ctx.db, &account.channel, &account.account, polled, ctx.now())?;
    note(ctx, actor, Action::CreateAccount, (&account.channel, &account.account))
}

/// Replaces an account's name, settings, secrets and sources. It runs in the caller's transaction.
///
/// # Errors
/// There is no such account.
pub fn replace(ctx: &Ctx<'_>, actor: &Actor, account: &Account, polled: &[String]) -> Result<(), StepError> {
    let now = ctx.now();
    if !accounts::update(ctx.db, &sealed(ctx, account)?, now)? {
        return Err(StepError::NotFound("account"));
    }
    pulls::set_polled(ctx.db, &account.channel, &account.account, polled, now)?;
    tokens::forget(ctx, &account.channel, &account.account)?;
    note(ctx, actor, Action::ChangeAccount, (&account.channel, &account.account))
}

/// Writes an entry about an account to the audit log. The entry's reason is `<channel>/<account>`.
fn note(ctx: &Ctx<'_>, actor: &Actor, action: Action, (channel, account): (&Channel, &AccountId)) -> Result<(), StepError> {
    audit::append(ctx, actor, action, Subject { reason: Some(&format!("{channel}/{account}")), ..Subject::default() })
}

/// Disables an account: its webhooks are refused, its sources are not asked, and replies wait. It runs in the caller's
/// transaction.
///
/// # Errors
/// There is no such account.
pub fn disable(ctx: &Ctx<'_>, actor: &Actor, channel: &Channel, account: &AccountId) -> Result<(), StepError> {
    if !accounts::set_disabled(ctx.db, channel, account, true, ctx.now())? {
        return Err(StepError::NotFound("account"));
    }
    note(ctx, actor, Action::DisableAccount, (channel, account))
}

/// Enables an account: waiting replies are due at once. It runs in the caller's transaction.
///
/// # Errors
/// There is no such account.
pub fn enable(ctx: &Ctx<'_>, actor: &Actor, channel: &Channel, account: &AccountId) -> Result<(), StepError> {
    if !accounts::set_disabled(ctx.db, channel, account, false, ctx.now())? {
        return Err(StepError::NotFound("account"));
    }
    outbox::unpark(ctx.db, channel, account, ctx.now())?;
    note(ctx, actor, Action::EnableAccount, (channel, account))
}

/// The items that still use an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Conversations that are not closed.
    pub conversations: i64,
    /// Messages that were received and have not reached their conversation yet.
    pub messages: i64,
}

/// Deletes an account with its secrets. If it is in use, this returns the items that use it and changes nothing. Its
/// conversations stay and show its id. It runs in the caller's transaction.
///
/// # Errors
/// There is no such account.
pub fn delete(ctx: &Ctx<'_>, actor: &Actor, channel: &Channel, account: &AccountId) -> Result<Option<InUse>, StepError> {
    accounts::get(ctx.db, channel, account)?.ok_or(StepError::NotFound("account"))?;
    let used = InUse {
        conversations: waiting::open(ctx.db, channel, account)?,
        messages: inbox::waiting_of(ctx.db, channel, account)?,
    };
    if used.conversations > 0 || used.messages > 0 {
        return Ok(Some(used));
    }
    // Replies that waited for the account are given up at their next try, with the reason.
    outbox::unpark(ctx.db, channel, account, ctx.now())?;
    accounts::delete(ctx.db, channel, account)?;
    tokens::forget(ctx, channel, account)?;
    note(ctx, actor, Action::DeleteAccount, (channel, account))?;
    Ok(None)
}

/// Notes a sign of life of the platform, at most once a minute.
///
/// # Errors
/// The store fails. Callers can ignore it.
pub fn heard(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId, before: Option<Timestamp>) -> Result<(), StepError> {
    let now = ctx.now();
    if before.is_some_and(|before| now.since(before) < HEARD_MS) {
        return Ok(());
    }
    Ok(accounts::heard(ctx.db, channel, account, now)?)
}
