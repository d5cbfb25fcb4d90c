//! Channel accounts, as administrators and operations see them: how they are connected, whether their platforms reach us
//! and accept our messages, and which messages were given up. The adapters' use of an account is in `warmline-transport`.
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

pub mod api;
pub mod given_up;

use warmline_endpoint::capability::Capability;
use warmline_kernel::installed::no_gauges;
use warmline_kernel::personal::{Days, Hooks, Keeping, Personal, Retain};
use warmline_kernel::{Ctx, StepError};
use warmline_store::inbox;
use warmline_store::migrate::Migrations;

/// Channel accounts. Their tables are among the core's.
pub const ACCOUNTS: Capability = Capability {
    name: "accounts",
    migrations: Migrations::none("accounts"),
    routes: &[api::account_health::ROUTES, api::accounts::ROUTES, api::channels::ROUTES, api::outbox::ROUTES],
    follower: None,
    due: &[],
    personal: Personal::Kept(HOOKS),
    figures: &[],
    gauges: no_gauges,
};

/// Webhooks that could not be handled are kept sealed. Their customers are unknown, so no export contains them. An erasure
/// replaces the keys that sealed them (`warmline_kernel::passing`).
const HOOKS: Hooks = Hooks {
    begin: |_, _| Ok(()),
    erase: None,
    export: |_, _, _| Ok(None),
    retain: Retain {
        days: &[Days {
            name: PARKED,
            meaning: "The sealed payload of webhooks that could not be handled: 1 to 3650.",
            least: 1,
            usual: 30,
        }],
        step: empty_parked,
    },
};

const PARKED: &str = "parked_days";
/// Inbox rows that are emptied in one transaction.
const BATCH: i64 = 256;

fn empty_parked(ctx: &Ctx<'_>, keeping: &Keeping) -> Result<Vec<(&'static str, i64)>, StepError> {
    inbox::empty_parked(ctx.db, Keeping::before(ctx.now(), keeping.days(PARKED)), BATCH)?;
    Ok(Vec::new())
}
