//! What happens to deliveries when the law asks for it.
//!
//! A delivery names customers by their ids, as the event log does, and holds nothing else of them. Once a customer is
//! erased, the id leads to nobody. So an erasure leaves deliveries, as it leaves events, and an export holds none. They go
//! with their days. A legal hold keeps none either: the events, of which they are copies, stay.

use crate::model::State;
use crate::store::{deliveries, hooks};
use warmline_kernel::personal::{Counts, Days, Hooks, Keeping, Retain};
use warmline_kernel::{Ctx, StepError};

/// Rows that are removed in one statement.
const BATCH: i64 = 500;
const DAYS: &str = "hook_days";
/// How long a delivery is kept that was given up, or that waits for a hook which stays disabled.
const DEAD_DAYS: i64 = 30;

pub(crate) const DUTIES: Hooks = Hooks {
    begin: |_, _| Ok(()),
    erase: None,
    export: |_, _, _| Ok(None),
    retain: Retain {
        days: &[Days { name: DAYS, meaning: "Deliveries that a hook's receiver took: 1 to 3650 days.", least: 1, usual: 7 }],
        step: retain,
    },
};

fn retain(ctx: &Ctx<'_>, keeping: &Keeping) -> Result<Counts, StepError> {
    let now = ctx.now();
    let mut removed = deliveries::remove_old(ctx.db, State::Delivered, Keeping::before(now, keeping.days(DAYS)), BATCH)?;
    for state in [State::Dead, State::Waiting] {
        removed += deliveries::remove_old(ctx.db, state, Keeping::before(now, DEAD_DAYS), BATCH)?;
    }
    Ok(vec![("hook_deliveries_removed", removed)])
}

/// Removes a part of the deliveries of a deleted hook, and at last the hook.
pub(crate) fn sweep(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    if let Some(hook) = hooks::deleted(ctx.db)?
        && deliveries::remove_of(ctx.db, hook, BATCH)? == 0
    {
        hooks::remove(ctx.db, hook)?;
    }
    Ok(Counts::new())
}
