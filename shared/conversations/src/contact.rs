//! What decides about a message that answers nobody: the brand's rules, the person's statements, and how often the person was
//! approached.

use warmline_customers::{consents, store::holds};
use warmline_gate::{Approach, Class, ContactRules, MOST_DAYS, Purpose, Stance};
use warmline_kernel::audit::{self, Action, Subject};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_model::{CustomerId, MessageId, Timestamp};
use warmline_store::approaches::{self, Made};
use warmline_store::conversations::Conversation;
use warmline_store::{StoreError, config};
use warmline_transport::deliver;

/// The document with the rules.
const RULES: &str = "contact_rules";
/// The most messages of a person that are counted.
const MANY: i64 = 1_000;
/// Rows that are forgotten in one step.
const BATCH: i64 = 500;

/// The brand's rules with their version; the default ones have version 0.
///
/// # Errors
/// The stored rules cannot be read.
pub fn rules(ctx: &Ctx<'_>) -> Result<(ContactRules, i64), StepError> {
    match config::get(ctx.db, RULES)? {
        Some((text, version)) => Ok((serde_json::from_str(&text).map_err(|_| StoreError::Shape(0))?, version)),
        None => Ok((ContactRules::default(), 0)),
    }
}

/// Replaces the rules, and returns their version. They apply from the next message on, also to those that wait. Runs in the
/// caller's transaction.
///
/// # Errors
/// A rule has a fault.
pub fn set_rules(ctx: &Ctx<'_>, actor: &Actor, rules: &ContactRules) -> Result<i64, StepError> {
    rules.check().map_err(|(field, problem)| StepError::Invalid {
        code: "bad_setting",
        field,
        problem: problem.to_owned(),
    })?;
    let text = serde_json::to_string(rules).map_err(|e| StoreError::Other(e.to_string()))?;
    let version = config::put(ctx.db, RULES, &text, ctx.now())?;
    audit::append(ctx, actor, Action::Other("conversations.contact_rules_changed"), Subject::default())?;
    Ok(version)
}

/// What the store says about approaching a person for a purpose.
pub(crate) struct Known {
    class: Class,
    stance: Stance,
    legal_hold: bool,
    rules: ContactRules,
    zone_minutes: i64,
    sent: Vec<Timestamp>,
}

impl Known {
    /// Reads it, in the transaction that sends the message.
    pub(crate) fn of(ctx: &Ctx<'_>, conversation: &Conversation, purpose: &Purpose) -> Result<Self, StepError> {
        let (person, class) = (conversation.person, purpose.class());
        let since = ctx.now().plus_millis(-i64::from(MOST_DAYS) * 86_400_000);
        let made = approaches::of_person(ctx.db, person, since, MANY)?;
        let same = |made: &Made| Purpose::parse(&made.purpose).is_some_and(|purpose| purpose.class() == class);
        Ok(Self {
            class,
            stance: consents::stance(ctx, person, &conversation.channel, purpose)?,
            legal_hold: holds::of_person(ctx.db, person)?.is_some(),
            rules: rules(ctx)?.0,
            zone_minutes: crate::plan::current(ctx)?.zone_minutes,
            sent: made.iter().filter(|made| same(made)).map(|made| made.at).collect(),
        })
    }

    /// The same for the gate.
    pub(crate) fn approach(&self) -> Approach<'_> {
        Approach {
            class: self.class,
            stance: self.stance,
            legal_hold: self.legal_hold,
            rule: self.rules.of(self.class),
            zone_minutes: self.zone_minutes,
            sent: &self.sent,
        }
    }
}

/// Notes a message that answers nobody, in the transaction that sends it.
pub(crate) fn note(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    message: MessageId,
    purpose: &Purpose,
) -> Result<(), StepError> {
    let made = Made {
        at: ctx.now(),
        message,
        conversation: conversation.id,
        channel: conversation.channel.clone(),
        purpose: purpose.to_string(),
    };
    Ok(approaches::note(ctx.db, conversation.customer, &made)?)
}

/// Forgets, a part at a time, what no limit counts any more.
pub(crate) fn forget(ctx: &Ctx<'_>) -> Result<i64, StepError> {
    Ok(approaches::forget(ctx.db, ctx.now().plus_millis(-deliver::APPROACH_DAYS * 86_400_000), BATCH)?)
}

/// Forgets a customer who is erased.
pub(crate) fn erase(ctx: &Ctx<'_>, customer: CustomerId) -> Result<(), StepError> {
    Ok(approaches::erase(ctx.db, customer)?)
}
