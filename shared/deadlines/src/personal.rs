//! What happens to deadlines when the law asks for it.
//!
//! A deadline holds ids, codes and times; a promise also its sentence, sealed. An erasure removes those of the person, so that nothing
//! is ever missed or told of afterwards. An export holds none: the sentence of a promise stands in its message. A legal hold keeps
//! none: the events and messages, from which they follow, stay.

use crate::store::deadlines;
use warmline_kernel::personal::{Counts, Days, Hooks, Keeping, Retain};
use warmline_kernel::{Ctx, StepError};
use warmline_store::immediate;

/// Rows that are removed in one statement.
const BATCH: i64 = 500;
const DAYS: &str = "deadline_days";

pub(crate) const DUTIES: Hooks = Hooks {
    begin: |ctx, erasing| erasing.customers.iter().try_for_each(|customer| Ok(deadlines::erase(ctx.db, *customer)?)),
    erase: None,
    export: |_, _, _| Ok(None),
    retain: Retain {
        days: &[Days { name: DAYS, meaning: "Deadlines after their end: 1 to 3650 days.", least: 1, usual: 400 }],
        step: retain,
    },
};

fn retain(ctx: &Ctx<'_>, keeping: &Keeping) -> Result<Counts, StepError> {
    let until = Keeping::before(ctx.now(), keeping.days(DAYS));
    let removed = immediate(ctx.db, || Ok::<_, StepError>(deadlines::remove_old(ctx.db, until, BATCH)?))?;
    Ok(vec![("deadlines_removed", i64::try_from(removed).unwrap_or(i64::MAX))])
}
