//! The hooks for the personal data of conversations: erasing, exporting and retention.

use crate::store::held::{self, Held};
use crate::store::{erased, staffing};
use crate::{aging, contact, converse};
use serde::Serialize;
use warmline_customers::api::messages;
use warmline_customers::hold;
use warmline_customers::model::MessageView;
use warmline_customers::store::erasures;
use warmline_customers::store::people;
use warmline_customers::timeline::{self, Place};
use warmline_kernel::personal::{Counts, Days, Erased, Erasing, Exported, Hooks, Keeping, Retain};
use warmline_kernel::sealing::{self, Keys};
use warmline_kernel::{Ctx, StepError};
use warmline_model::{AccountId, Channel, Content, ConversationId, ConversationState, CustomerId, Timestamp};
use warmline_privacy::SealError;
use warmline_routing::staffing::work::quarter;
use warmline_store::{conversations, event_packs, immediate};

/// Messages deleted in one transaction: few enough to keep other writers waiting for milliseconds only.
const BATCH: i64 = 500;
/// The most messages in one file of an export.
const MESSAGES: usize = 500;

pub(crate) const HOOKS: Hooks = Hooks { begin, erase: Some(erase), export, retain: Retain { days: DAYS, step: retain } };

const HOT: &str = "hot_days";
const ARCHIVE: &str = "archive_days";
const WORK: &str = "work_days";
const EVENTS: &str = "event_days";
const HELD: &str = "held_days";
/// The most held messages in an export.
const MOST_HELD: i64 = 500;
/// The place in an export after the held messages: before the first file of messages.
const MESSAGES_NEXT: &str = "messages";
/// Packs of events in one step.
const PACKS: usize = 4;

const DAYS: &[Days] = &[
    Days {
        name: HOT,
        meaning: "Messages of a closed conversation, at hand: 1 to 3650 days after the last of them.",
        least: 1,
        usual: 30,
    },
    Days {
        name: ARCHIVE,
        meaning: "Messages after that, in the archive: 0 to 3650. With 0 they are removed instead.",
        least: 0,
        usual: 365,
    },
    Days {
        name: WORK,
        meaning: "Contacts and work by quarter of an hour, which staffing looks back on: 30 to 3650.",
        least: 30,
        usual: 400,
    },
    Days {
        name: HELD,
        meaning: "Messages that were written and not sent, because a supervisor or the gate said no: 1 to 3650 days.",
        least: 1,
        usual: 30,
    },
    Days {
        name: EVENTS,
        meaning: "Events of the log, each at hand: 1 to 3650. Older ones are packed, and stay.",
        least: 1,
        usual: 7,
    },
];

fn begin(ctx: &Ctx<'_>, erasing: &Erasing<'_>) -> Result<(), StepError> {
    for customer in erasing.customers {
        held::erase(ctx.db, *customer)?;
        contact::erase(ctx, *customer)?;
        // A customer has at most one open conversation.
        let newest = ConversationId::last_of(Timestamp::from_millis(i64::MAX));
        if let Some(last) = conversations::last_of_customer(ctx.db, *customer, newest)?
            && last.state != ConversationState::Closed
        {
            converse::finish(ctx, &last, Some("erased"))?;
        }
        erased::empty(ctx.db, *customer)?;
    }
    Ok(())
}

fn erase(ctx: &Ctx<'_>, customer: CustomerId) -> Result<Erased, StepError> {
    let (messages, rows) = erased::messages(ctx.db, customer, BATCH)?;
    Ok(Erased { messages, more: rows == BATCH })
}

#[derive(Serialize)]
struct Said {
    conversation: ConversationId,
    channel: Channel,
    account: AccountId,
    #[serde(flatten)]
    message: MessageView,
}

#[derive(Serialize)]
struct Waiting {
    conversation: ConversationId,
    written_at: Timestamp,
    state: &'static str,
    contents: Vec<Content>,
}

/// The messages that were written to the person and not sent.
fn unsent(ctx: &Ctx<'_>, person: CustomerId) -> Result<Vec<Waiting>, StepError> {
    let mut all = Vec::new();
    for member in people::members(ctx.db, person)? {
        let unsent = held::of_customer(ctx.db, member.id, MOST_HELD)?;
        if unsent.is_empty() {
            continue;
        }
        let key = sealing::customer_key(ctx, member.id)?;
        for Held { id, conversation, held_at, state, contents, .. } in unsent {
            // One that does not open is left out, as messages are.
            if let Ok(contents) = sealing::open_held(&key, conversation, id, &contents) {
                all.push(Waiting { conversation, written_at: held_at, state: state.as_str(), contents });
            }
        }
    }
    Ok(all)
}

/// The messages that were not sent, and then the others in files, newest first.
fn export(ctx: &Ctx<'_>, person: CustomerId, after: Option<&str>) -> Result<Option<Exported>, StepError> {
    if erasures::of(ctx.db, person)?.is_some() {
        return Err(SealError::Erased.into());
    }
    if after.is_none() {
        let unsent = unsent(ctx, person)?;
        if !unsent.is_empty() {
            return Exported::json("unsent", unsent.len(), &unsent, Some(MESSAGES_NEXT.to_owned())).map(Some);
        }
    }
    let after = after.filter(|after| *after != MESSAGES_NEXT);
    let before = after.map(str::parse::<Place>).transpose().map_err(|()| SealError::Format)?;
    let entries = timeline::page(ctx, person, Timestamp::default(), before, MESSAGES)?;
    let Some(last) = entries.last().map(|entry| entry.place) else { return Ok(None) };
    let mut keys = Keys::default();
    let said = entries.iter().map(|entry| Said {
        conversation: entry.conversation.id,
        channel: entry.conversation.channel.clone(),
        account: entry.conversation.account.clone(),
        message: messages::message(keys.of(ctx, entry.conversation.customer), &entry.message),
    });
    let said: Vec<Said> = said.collect();
    Exported::json("messages", said.len(), &said, Some(last.to_string())).map(Some)
}

fn retain(ctx: &Ctx<'_>, keeping: &Keeping) -> Result<Counts, StepError> {
    let mut done = aging::step(ctx, keeping.days(HOT), keeping.days(ARCHIVE))?;
    staffing::forget(ctx.db, quarter(Keeping::before(ctx.now(), keeping.days(WORK))))?;
    let (now, mut events) = (ctx.now(), 0);
    let until = Keeping::before(now, keeping.days(EVENTS));
    for _ in 0..PACKS {
        match event_packs::pack(ctx.db, until, now)? {
            0 => break,
            packed => events += packed,
        }
    }
    done.push(("events_packed", events));
    contact::forget(ctx)?;
    done.push(("held_removed", forget_held(ctx, Keeping::before(now, keeping.days(HELD)))?));
    Ok(done)
}

/// Removes messages that were not sent, and whose days are over. A legal hold keeps them.
fn forget_held(ctx: &Ctx<'_>, until: Timestamp) -> Result<i64, StepError> {
    // A read without the write lock: mostly nothing is due.
    if held::old(ctx.db, until, 1)?.is_empty() {
        return Ok(0);
    }
    immediate(ctx.db, || {
        let mut removed = 0;
        for old in held::old(ctx.db, until, BATCH)? {
            let on_hold = match conversations::get(ctx.db, old.conversation)? {
                Some(conversation) => hold::check(ctx, conversation.customer).is_err(),
                None => false,
            };
            if on_hold {
                // It is looked at again in a day.
                held::count_from(ctx.db, old.id, Keeping::before(until, -1))?;
            } else {
                removed += i64::from(held::delete(ctx.db, old.id)?);
            }
        }
        Ok::<_, StepError>(removed)
    })
}
