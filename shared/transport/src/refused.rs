//! Webhooks that are refused: counted, and told in the log so that whoever connects an account can see what to change. The log gets a
//! fixed number of lines a minute, whoever sends what, and nothing of the request in them but an account's name and a clock's error.

use std::fmt::Write as _;
use warmline_channels::advice::advice;
use warmline_kernel::ctx::Ctx;
use warmline_model::{AccountId, Channel};
use warmline_store::StoreError;
use warmline_store::refusals::{self, Counted, Refused, UNKNOWN};

/// Lines a minute for an account's refusals of one reason.
const LINES: i64 = 1;
/// Lines a minute for all accounts of a channel that nobody connected.
const LINES_UNKNOWN: i64 = 5;
/// From so many in a minute on, one in [`STEP`] is written down and counts for all: a flood costs reads, and few writes.
const CROWD: i64 = 256;
/// One refusal of a crowd in so many is written down. A divisor of 256.
const STEP: i64 = 16;

/// A webhook that is refused.
#[derive(Clone, Copy, Debug)]
pub struct Webhook<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// The account whose name the address has; none where that cannot be an account's name.
    pub account: Option<&'a AccountId>,
    /// Whether there is such an account.
    pub known: bool,
    /// The status that it is answered with.
    pub status: u16,
    /// Why, as a stable code.
    pub reason: &'static str,
    /// By how many seconds the signed time is ahead of ours, where that is why.
    pub ahead_secs: Option<i64>,
    /// What the channel's webhooks are proved with.
    pub proof: &'static str,
}

/// Counts it; the answer is the line for the log, where there is to be one.
///
/// # Errors
/// The store fails. Nothing else than the refusal is to be answered for that.
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
        // Writing to a text does not fail.
        let _ = write!(line, " ({unsaid} more like it in an earlier minute)");
    }
    line
}
