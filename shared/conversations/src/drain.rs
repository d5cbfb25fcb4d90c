//! From the inbox into conversations: the router's work.
//!
//! One drainer at a time holds a shard. It takes the oldest rows in batches. Each batch is one transaction that begins by
//! taking or renewing the lease, so a drainer that lost its lease can write nothing. Rows share a transaction because the
//! commit is the expensive part. A row that cannot be handled is set aside before anything is written for it, and the other
//! rows continue.
//!
//! Where the store is on another machine, each statement is a round trip. A message that goes on with a conversation is then
//! stored by one statement without a lease, and a drainer releases the shard as soon as nothing waits in it.

use crate::receive::{RowHandler, set_aside};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_model::Timestamp;
use warmline_store::inbox::{self, Pending};
use warmline_store::{arrivals, immediate, leases};
use warmline_transport::host::Host;

/// Rows in a transaction: enough to make the commit cheap, few enough to keep other writers waiting for milliseconds only.
const BATCH: i64 = 16;
/// The pause between batches. Under load it gathers messages into batches; otherwise each message would be a transaction. A
/// message that finds the shard idle is handled at once.
const LOOK_MS: i64 = 3;
/// How many times as long as a batch the pauses after it are on an unqueued store, if that is longer. A batch takes long if
/// commits are dear or the writer is in demand: then fewer and larger batches leave it to those who wait for an
/// acknowledgement. Where the writer has a queue, that would only delay messages.
const REST: i64 = 3;
/// The longest pause: [`LINGER`] of them are shorter than a lease.
const LONGEST_MS: i64 = 150;
/// The number of reads of an empty shard before it is released. While it is held, webhooks need not wake anybody.
const LINGER: u32 = 10;
/// How long a lease lasts without renewal: a drainer that died blocks its shard no longer than this.
const LEASE_MS: i64 = 2_000;

/// Where the store is, and so what a statement costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// In this process, behind a queue for the writer: a statement costs microseconds, and commits are shared.
    Near,
    /// On this machine, where writers wait without order, and each commit is one's own.
    Unqueued,
    /// On another machine: each statement is a round trip.
    Far,
}

/// Handles a shard's rows until none waits. Returns true if time ran out before. `tell_ai_seats` is called if an AI seat has
/// something to answer.
///
/// # Errors
/// The errors of [`Drainer::step`].
pub async fn run<H: Host>(
    host: &H,
    ctx: &Ctx<'_>,
    (shard, distance): (i64, Distance),
    deadline: Timestamp,
    tell_ai_seats: impl AsyncFn(),
) -> Result<bool, StepError> {
    let mut drainer = Drainer::new(ctx, shard, distance);
    let (mut idle, mut rest) = (0, pause(0));
    loop {
        let begun = ctx.now();
        let step = drainer.step()?;
        let now = ctx.now();
        if drainer.ai_waits() {
            tell_ai_seats().await;
        }
        match step {
            Step::Done => return Ok(false),
            Step::Idle if idle == LINGER || distance == Distance::Far => {
                if drainer.let_go()? {
                    return Ok(false);
                }
                idle = 0;
            }
            Step::Idle => idle += 1,
            Step::Handled { .. } if !drainer.holds => return Ok(false),
            Step::Handled { .. } => {
                idle = 0;
                if distance == Distance::Unqueued {
                    rest = pause(now.millis().saturating_sub(begun.millis()));
                }
            }
        }
        if now >= deadline {
            drainer.stop()?;
            return Ok(true);
        }
        if distance != Distance::Far {
            host.sleep(rest).await;
        }
    }
}

/// The pauses after a batch that took so many milliseconds, in milliseconds.
fn pause(took: i64) -> u64 {
    took.saturating_mul(REST).clamp(LOOK_MS, LONGEST_MS).unsigned_abs()
}

/// The outcome of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another drainer is at work, or nothing waited at the beginning.
    Done,
    /// Nothing waits now. This drainer still holds the shard, so new messages need not wake another.
    Idle,
    /// A batch was handled.
    Handled {
        /// Rows in it.
        rows: i64,
    },
}

/// One run over a shard. If it is dropped early, its lease ends by itself; [`Drainer::stop`] releases it at once.
pub struct Drainer<'a> {
    ctx: &'a Ctx<'a>,
    shard: i64,
    distance: Distance,
    owner: [u8; 16],
    lease: String,
    rows: RowHandler<'a>,
    holds: bool,
}

impl<'a> Drainer<'a> {
    /// A run that has not begun.
    pub fn new(ctx: &'a Ctx<'a>, shard: i64, distance: Distance) -> Self {
        let lease = inbox::lease_name(shard);
        Self { ctx, shard, distance, owner: ctx.owner(), lease, rows: RowHandler::new(ctx), holds: false }
    }

    /// Handles the next batch.
    ///
    /// # Errors
    /// The store fails. Committed batches stay, and a later run handles the rest.
    pub fn step(&mut self) -> Result<Step, StepError> {
        match self.handle(BATCH) {
            Err(e) if !matches!(e, StepError::Store(_)) => match self.handle(1) {
                // The row names an impossible value. Another try would fail too, and the other rows wait behind it.
                Err(e) if !matches!(e, StepError::Store(_)) => self.set_first_aside(),
                other => other,
            },
            other => other,
        }
    }

    /// Sets the oldest row aside, because it cannot be handled.
    fn set_first_aside(&mut self) -> Result<Step, StepError> {
        let ctx = self.ctx;
        let step = immediate(ctx.db, || {
            if !self.take_lease()? {
                return Ok::<_, StepError>(Step::Done);
            }
            let rows = inbox::pending(ctx.db, self.shard, 1)?;
            rows.iter().try_for_each(|row| set_aside(ctx, row, "not_handled"))?;
            Ok(Step::Handled { rows: i64::try_from(rows.len()).unwrap_or(0) })
        })?;
        self.holds = step != Step::Done;
        Ok(step)
    }

    /// Takes or renews the lease. Returns false if another drainer has it.
    fn take_lease(&self) -> Result<bool, StepError> {
        let (ctx, owner, now) = (self.ctx, &self.owner, self.ctx.now());
        let until = now.plus_millis(LEASE_MS);
        Ok(if self.holds {
            leases::renew(ctx.db, &self.lease, owner, now, until)?
        } else {
            leases::claim(ctx.db, &self.lease, owner, now, until)?
        })
    }

    /// Handles the only waiting row of a free shard in one statement, if it is a message that goes on with a conversation.
    /// Returns `None` if it is not, or if there are more.
    fn quickly(&self) -> Result<Option<Step>, StepError> {
        let waiting = arrivals::waiting(self.ctx.db, self.shard, 2)?;
        Ok(match waiting.as_slice() {
            [] => Some(Step::Done),
            [one] if self.rows.goes_on(one, self.shard)? => Some(Step::Handled { rows: 1 }),
            _ => None,
        })
    }

    fn handle(&mut self, most: i64) -> Result<Step, StepError> {
        if self.distance == Distance::Far && !self.holds {
            if let Some(step) = self.quickly()? {
                return Ok(step);
            }
            if !self.take_lease()? {
                return Ok(Step::Done);
            }
            self.holds = true;
        }
        loop {
            // Many drainers are woken for the same rows. A read without the write lock turns away all but one of them.
            let rows = inbox::pending(self.ctx.db, self.shard, if self.holds { most } else { 1 })?;
            if rows.is_empty() {
                return Ok(if self.holds { Step::Idle } else { Step::Done });
            }
            if self.holds {
                self.rows.prepare(&rows)?;
            }
            let step = self.batch(rows, most)?;
            // The first row is from an unknown sender. Its key is made in the next round, now that the shard is held.
            if step != (Step::Handled { rows: 0 }) {
                return Ok(step);
            }
        }
    }

    /// Releases the shard if nothing waits. Returns false if something has come meanwhile.
    pub fn let_go(&mut self) -> Result<bool, StepError> {
        let gone = inbox::let_go(self.ctx.db, self.shard, &self.owner)?;
        self.holds &= !gone;
        Ok(gone)
    }

    /// Releases the shard although rows may wait.
    pub fn stop(&mut self) -> Result<(), StepError> {
        if std::mem::take(&mut self.holds) {
            leases::release(self.ctx.db, &self.lease, &self.owner)?;
        }
        Ok(())
    }

    /// Whether an AI seat has received something to answer since the last call.
    pub fn ai_waits(&self) -> bool {
        self.rows.ai_waits()
    }

    /// Handles one batch in one transaction. While this drainer holds the shard's lease nobody else takes rows, so the rows
    /// read before the transaction are still the oldest.
    fn batch(&mut self, seen: Vec<Pending>, most: i64) -> Result<Step, StepError> {
        let ctx = self.ctx;
        // A run can last for seconds. A plan put into force meanwhile counts from the next batch on.
        self.rows.begin();
        let (step, holds) = immediate(ctx.db, || {
            if !self.take_lease()? {
                return Ok::<_, StepError>((Step::Done, false));
            }
            let rows = if self.holds { seen } else { inbox::pending(ctx.db, self.shard, most)? };
            let mut handled = 0;
            for row in &rows {
                if !self.rows.handle(row)? {
                    break;
                }
                handled += 1;
            }
            // Releasing the shard here saves a trip. Rows that come from now on wake another drainer.
            let gone = self.distance == Distance::Far && handled < most && inbox::let_go(ctx.db, self.shard, &self.owner)?;
            Ok((Step::Handled { rows: handled }, !gone))
        })?;
        self.holds = holds;
        Ok(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_an_unqueued_store_a_drainer_rests_longer_the_longer_its_batch_took() {
        assert_eq!([0, 1, 5, 16, 1_000, i64::MAX].map(pause), [3, 3, 15, 48, 150, 150]);
    }
}
