//! Limits on senders who need not prove who they are: on the sessions begun in a minute, and on the senders who wait
//! for an agent. A sender with an open conversation is never refused.

use warmline_channels::account_settings::RoutingSettings;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::payload::sender_lookup;
use warmline_model::{AccountId, Channel, ConversationState};
use warmline_store::{conversations, customers, sessions, waiting};

/// The reason why a stranger is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Too many sessions were begun in this minute. The number is the seconds left of it.
    Sessions(u32),
    /// Too many strangers wait for an agent.
    Waiting,
}

impl Full {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Sessions(_) => "too_many_sessions",
            Self::Waiting => "too_many_waiting",
        }
    }

    /// The number of seconds after which trying again makes sense.
    pub const fn retry_after(self) -> u32 {
        match self {
            Self::Sessions(seconds) => seconds,
            Self::Waiting => 30,
        }
    }
}

/// Counts a session that a stranger begins. Returns the reason for a refusal, or `None`.
pub fn begin(
    ctx: &Ctx<'_>,
    channel: &Channel,
    account: &AccountId,
    settings: &RoutingSettings,
) -> Result<Option<Full>, StepError> {
    let (now, most) = (ctx.now(), settings.new_sessions_per_minute());
    let full = || Full::Sessions(u32::try_from(60 - now.secs().rem_euclid(60)).unwrap_or(60));
    // A read without the write lock turns a crowd away.
    if sessions::begun(ctx.db, channel, account, now)? >= most {
        return Ok(Some(full()));
    }
    if are_many(ctx, channel, account, settings)? {
        return Ok(Some(Full::Waiting));
    }
    Ok((sessions::begin(ctx.db, channel, account, now)? > most).then(full))
}

/// The reason why a message may not come in, or `None`. A message is refused if it would open another conversation
/// while too many strangers wait.
pub fn write(
    ctx: &Ctx<'_>,
    channel: &Channel,
    account: &AccountId,
    settings: &RoutingSettings,
    open_id: &str,
) -> Result<Option<Full>, StepError> {
    if !are_many(ctx, channel, account, settings)? {
        return Ok(None);
    }
    let lookup = sender_lookup(&ctx.keys.index(), channel, account, open_id);
    let Some(identity) = customers::identity_by_lookup(ctx.db, &lookup)? else { return Ok(Some(Full::Waiting)) };
    let Some(latest) = conversations::latest(ctx.db, identity)? else { return Ok(Some(Full::Waiting)) };
    let open = conversations::get(ctx.db, latest)?.is_some_and(|c| c.state != ConversationState::Closed);
    Ok((!open).then_some(Full::Waiting))
}

fn are_many(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId, settings: &RoutingSettings) -> Result<bool, StepError> {
    let most = settings.most_strangers_waiting();
    Ok(waiting::waiting(ctx.db, channel, account, most)? >= most)
}
