//! The hooks of channel accounts for personal data.

use warmline_kernel::personal::{Days, Hooks, Keeping, Retain};
use warmline_kernel::{Ctx, StepError};
use warmline_store::inbox;

/// Webhooks that could not be handled are kept sealed. Their customers are unknown, so no export contains them. An erasure
/// replaces the keys that sealed them (`warmline_kernel::transient_keys`).
pub(crate) const HOOKS: Hooks = Hooks {
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
