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
        days: &[
            Days {
                name: PARKED,
                meaning: "The sealed payload of webhooks that could not be handled, and items that could not be read: 1 to 3650.",
                least: 1,
                usual: 30,
            },
            Days {
                name: REPEATS,
                meaning: "The keys of handled messages, with their times: 2 to 3650. After that the bare key stays, by which a repeat is known.",
                least: 2,
                usual: 14,
            },
        ],
        step: retain,
    },
};

const PARKED: &str = "parked_days";
// The longest that a platform repeats a message is a week.
const REPEATS: &str = "repeat_days";
/// Inbox rows that are emptied in one transaction.
const BATCH: i64 = 256;
/// Handled inbox rows in one transaction: few enough to keep other writers waiting for milliseconds only.
const TIDIED: i64 = 64;
/// The transactions of one step: together they move more than come between two ticks.
const STEPS: usize = 64;

fn retain(ctx: &Ctx<'_>, keeping: &Keeping) -> Result<Vec<(&'static str, i64)>, StepError> {
    let now = ctx.now();
    inbox::empty_parked(ctx.db, Keeping::before(now, keeping.days(PARKED)), BATCH)?;
    let until = Keeping::before(now, keeping.days(REPEATS));
    for _ in 0..STEPS {
        if !inbox::tidy(ctx.db, until, now, TIDIED)? {
            break;
        }
    }
    Ok(Vec::new())
}
