//! Refused webhooks. They are counted, and logged so that the administrator who connects an account sees what to
//! change. The log gets a bounded number of lines a minute, whatever is sent. The lines contain nothing from the
//! request but an account's name and a clock error.

use std::fmt::Write as _;
use warmline_channels::advice::advice;
use warmline_kernel::ctx::Ctx;
use warmline_model::{AccountId, Channel};
use warmline_store::StoreError;
use warmline_store::refusals::{self, Counted, Refused, UNKNOWN};

/// Lines a minute for one account's refusals for one reason.
const LINES: i64 = 1;
/// Lines a minute for all accounts of a channel that are not connected.
const LINES_UNKNOWN: i64 = 5;
/// In a minute with more refusals than this, one in [`STEP`] is written and counts for all of them. A flood therefore
/// costs reads and few writes.
const CROWD: i64 = 256;
/// In a flood, one refusal in this many is written. It divides 256.
const STEP: i64 = 16;

/// A refused webhook.
#[derive(Clone, Copy, Debug)]
pub struct Webhook<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// The account named in the address; `None` if the text cannot be an account's name.
    pub account: Option<&'a AccountId>,
    /// Whether there is such an account.
    pub known: bool,
    /// The status of the answer.
    pub status: u16,
    /// The reason, as a stable code.
    pub reason: &'static str,
    /// The seconds by which the signed time is ahead of ours, if that is the reason.
    pub ahead_secs: Option<i64>,
    /// The kind of proof that verifies the channel's webhooks.
    pub proof: &'static str,
}

/// Counts a refusal. Returns the line for the log, if there should be one.
///
/// # Errors
/// The store fails. The webhook must still be answered with the refusal.
pub fn note(ctx: &Ctx<'_>, webhook: &Webhook<'_>) -> Result<Option<String>, StoreError> {
    let name = webhook.account.map_or(UNKNOWN, AccountId::as_str);
    let (account, most) = if webhook.known { (name, LINES) } else { (UNKNOWN, LINES_UNKNOWN) };
    let Webhook { channel, reason, ahead_secs, .. } = *webhook;
    let refused = Refused { channel: channel.as_str(), account, reason, ahead_secs };
    let now = ctx.now();
    let mut n = 1;
    if refusals::in_minute(ctx.db, &refused, now)? >= CROWD {
        let mut byte = [0];
        ctx.rng.fill(&mut byte);
        if i64::from(byte[0]) % STEP != 0 {
            return Ok(None);
        }
        n = STEP;
    }
    let counted = refusals::count(ctx.db, &refused, n, now)?;
    Ok((counted.in_minute - n < most).then(|| line(webhook, name, counted, most)))
}

fn line(webhook: &Webhook<'_>, name: &str, counted: Counted, most: i64) -> String {
    let Webhook { channel, status, reason, ahead_secs, proof, .. } = webhook;
    let name = if name.is_empty() { "(no account's name)" } else { name };
    let mut line = format!("refused {channel}/{name}: {status} {reason}: {}", advice(reason, *ahead_secs, proof));
    let unsaid = counted.earlier - most;
    if counted.in_minute == 1 && unsaid > 0 {
        // Writing to a `String` cannot fail.
        let _ = write!(line, " ({unsaid} more like it in an earlier minute)");
    }
    line
}
