//! Messages that were given up: a list of them, and another try for those that are worth it.

use std::collections::{BTreeMap, BTreeSet};
use warmline_channels::registry::{self, Patience};
use warmline_kernel::audit::{self, Action, Subject};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_model::Channel;
use warmline_store::messages;
use warmline_store::outbox::{self, Dead, Filter};
use warmline_transport::deliver;

/// The highest number that a count reaches.
pub const COUNTED: i64 = 10_000;

/// The result of [`revive`].
#[derive(Clone, Debug, Default)]
pub struct Revived {
    /// Messages that are tried again; with `dry`, messages that would be.
    pub revived: i64,
    /// Messages left as they are: their time or the platform's window is over, they are in the archive, or they are
    /// automatic and their customer wants no such messages.
    pub too_late: i64,
    /// The position of the last message looked at; `None` if there is no more.
    pub next: Option<i64>,
    /// The channels of the messages that are tried again.
    pub channels: BTreeSet<Channel>,
}

/// Lists messages that were given up, in the order in which they were written.
pub fn list(ctx: &Ctx<'_>, filter: &Filter<'_>, after: i64, limit: i64) -> Result<Vec<Dead>, StepError> {
    Ok(outbox::list_dead(ctx.db, filter, after, limit)?)
}

/// The number of such messages, up to [`COUNTED`].
pub fn count(ctx: &Ctx<'_>, filter: &Filter<'_>) -> Result<i64, StepError> {
    Ok(outbox::count_dead(ctx.db, filter, COUNTED)?)
}

/// Makes the next messages due again that match a filter and are still worth a try. Messages that the customer may already
/// have are left alone, unless the filter names that reason. It runs in the caller's transaction; `dry` changes nothing.
pub fn revive(
    ctx: &Ctx<'_>,
    actor: &Actor,
    filter: &Filter<'_>,
    (after, limit): (i64, i64),
    dry: bool,
) -> Result<Revived, StepError> {
    let named = filter.reason == Some(deliver::PERHAPS_DELIVERED);
    let filter = Filter { but: (!named).then_some(deliver::PERHAPS_DELIVERED), ..filter.clone() };
    let found = outbox::list_dead(ctx.db, &filter, after, limit.saturating_add(1))?;
    let mut done = Revived::default();
    let mut patience: BTreeMap<Channel, Patience> = BTreeMap::new();
    let looked_at = usize::try_from(limit).unwrap_or(0);
    for dead in found.iter().take(looked_at) {
        let channel = dead.channel.clone();
        let patience = *patience.entry(channel).or_insert_with_key(|channel| registry::patience(channel.as_str()));
        let until = deliver::ends_at(ctx, dead.conversation, patience, dead.created_at)?;
        let wanted = match messages::get(ctx.db, dead.conversation, dead.n)? {
            Some(message) => !deliver::unwanted(ctx, dead.conversation, message.origin)?,
            None => false,
        };
        if wanted && until > ctx.now() && (dry || deliver::revive(ctx, dead.message, until)?) {
            done.revived += 1;
            done.channels.insert(dead.channel.clone());
        } else {
            done.too_late += 1;
        }
    }
    if found.len() > looked_at {
        done.next = found.get(looked_at.saturating_sub(1)).map(|dead| dead.seq);
    }
    if !dry && done.revived > 0 {
        audit::append(ctx, actor, Action::RetryDeliveries, Subject { reason: filter.reason, ..Subject::default() })?;
    }
    Ok(done)
}
