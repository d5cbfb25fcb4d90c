//! The audit log: who read which personal data, and who changed something that must be accounted for. An entry is
//! stored before the data is shown. If the entry cannot be stored, the data is not shown.

use crate::ctx::{Actor, Ctx, StepError};
use warmline_model::{AuditEntry, ConversationId, CustomerId};
use warmline_privacy::audit::{AUDIT_START, AuditFault, AuditHead};
use warmline_store::audit::{self, Stored};
use warmline_store::{customers, immediate};

/// The actions that the log records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The messages of a conversation were read.
    ReadConversation,
    /// A medium of a message was fetched.
    ReadMedium,
    /// A customer's timeline was read.
    ReadTimeline,
    /// The summary of a customer's timeline was read.
    ReadSummary,
    /// A customer's identifiers and names were shown without a mask.
    Unmask,
    /// A person's data was exported.
    Export,
    /// A customer's name or identifiers were corrected.
    Correct,
    /// Two customers were said to be one person.
    Merge,
    /// A merge was undone.
    Unmerge,
    /// A member of staff added an identifier.
    Identify,
    /// A customer's tags were replaced.
    Tag,
    /// A customer was given an own agent, or none.
    Own,
    /// A customer was erased.
    Erase,
    /// A legal hold was placed on a customer, or changed.
    PlaceHold,
    /// A legal hold was lifted.
    LiftHold,
    /// A customer's consent was noted.
    GiveConsent,
    /// The end of a customer's consent was noted.
    WithdrawConsent,
    /// The retention periods were changed.
    ChangeRetention,
    /// Many messages that were given up were made due again at once.
    RetryDeliveries,
    /// A channel account was added.
    CreateAccount,
    /// A channel account's name, settings or secrets were replaced.
    ChangeAccount,
    /// A channel account was disabled.
    DisableAccount,
    /// A channel account was enabled.
    EnableAccount,
    /// A channel account was deleted.
    DeleteAccount,
    /// An action of one capability only. Its stable code has the capability's name as prefix.
    Other(&'static str),
}

impl Action {
    /// The action's stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ReadConversation => "conversation.read",
            Self::ReadMedium => "medium.read",
            Self::ReadTimeline => "timeline.read",
            Self::ReadSummary => "summary.read",
            Self::Unmask => "customer.unmasked",
            Self::Export => "customer.exported",
            Self::Correct => "customer.corrected",
            Self::Merge => "customer.merged",
            Self::Unmerge => "customer.unmerged",
            Self::Identify => "customer.identified",
            Self::Tag => "customer.tagged",
            Self::Own => "customer.owned",
            Self::Erase => "customer.erased",
            Self::PlaceHold => "hold.placed",
            Self::LiftHold => "hold.lifted",
            Self::GiveConsent => "consent.given",
            Self::WithdrawConsent => "consent.withdrawn",
            Self::ChangeRetention => "retention.changed",
            Self::RetryDeliveries => "deliveries.retried",
            Self::CreateAccount => "account.created",
            Self::ChangeAccount => "account.changed",
            Self::DisableAccount => "account.disabled",
            Self::EnableAccount => "account.enabled",
            Self::DeleteAccount => "account.deleted",
            Self::Other(code) => code,
        }
    }
}

/// The subject of an entry: a customer, a conversation, and the reason.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// Any customer of the person. The entry names all of the person's customers, so that after a merge is undone it is
    /// still found under each of them.
    pub customer: Option<CustomerId>,
    /// The conversation.
    pub conversation: Option<ConversationId>,
    /// The reason, as a stable code.
    pub reason: Option<&'a str>,
}

/// Stores an entry in a transaction of its own.
///
/// # Errors
/// The store fails. The caller must then not show the data that the entry is about.
pub fn record(ctx: &Ctx<'_>, actor: &Actor, action: Action, of: Subject<'_>) -> Result<(), StepError> {
    immediate(ctx.db, || append(ctx, actor, action, of))
}

/// Stores one entry about several customers in a transaction of its own.
///
/// # Errors
/// As for [`record`].
pub fn record_list(ctx: &Ctx<'_>, actor: &Actor, action: Action, customers: Vec<CustomerId>) -> Result<(), StepError> {
    immediate(ctx.db, || entry(ctx, actor, action, Subject::default(), customers))
}

/// Stores an entry in the caller's transaction.
pub fn append(ctx: &Ctx<'_>, actor: &Actor, action: Action, of: Subject<'_>) -> Result<(), StepError> {
    entry(ctx, actor, action, of, named(ctx, of.customer)?)
}

fn entry(
    ctx: &Ctx<'_>,
    actor: &Actor,
    action: Action,
    of: Subject<'_>,
    customers: Vec<CustomerId>,
) -> Result<(), StepError> {
    let chain = ctx.keys.audit();
    // An altered note is not repaired: the chain continues from it, and the check finds the place of the alteration.
    let (seq, before) = audit::head(ctx.db)?.map_or((0, AUDIT_START), |note| unchecked(&note));
    let entry = AuditEntry {
        seq: seq + 1,
        at: ctx.now(),
        actor: actor.agent,
        role: actor.role.as_str().to_owned(),
        action: action.code().to_owned(),
        customer: of.customer,
        customers,
        conversation: of.conversation,
        reason: of.reason.map(str::to_owned),
    };
    let hash = chain.link(&before, &entry);
    audit::append(ctx.db, &entry, &hash)?;
    Ok(audit::set_head(ctx.db, &chain.note(&(entry.seq, hash)))?)
}

/// All customers merged with this one, itself included. Empty if the customer has no merges or was erased.
fn named(ctx: &Ctx<'_>, customer: Option<CustomerId>) -> Result<Vec<CustomerId>, StepError> {
    let Some(person) = customer.map(|c| customers::person(ctx.db, c)).transpose()?.flatten() else { return Ok(Vec::new()) };
    let members: Vec<CustomerId> = customers::members(ctx.db, person)?.into_iter().map(|m| m.id).collect();
    Ok(if members.len() > 1 { members } else { Vec::new() })
}

fn unchecked(note: &[u8]) -> AuditHead {
    let seq = note.first_chunk().map_or(0, |seq| i64::from_be_bytes(*seq));
    (seq, note.get(8..).and_then(<[u8]>::first_chunk).copied().unwrap_or(AUDIT_START))
}

/// The result of checking a part of the log.
pub struct Checked {
    /// The number of entries that were checked and follow each other correctly.
    pub entries: i64,
    /// The number and the hash of the last of these entries.
    pub last: AuditHead,
    /// Whether the end of the log was reached.
    pub end: bool,
    /// The number of the first faulty entry, and its fault.
    pub fault: Option<(i64, AuditFault)>,
}

/// Checks at most `limit` entries after the entry `after`. The chain must have been checked up to `after` before.
pub fn check(ctx: &Ctx<'_>, after: i64, limit: i64) -> Result<Checked, StepError> {
    let chain = ctx.keys.audit();
    let mut checked = Checked { entries: 0, last: (0, AUDIT_START), end: false, fault: None };
    if after > 0 {
        match audit::hash(ctx.db, after)?.as_deref().map(<[u8; 32]>::try_from) {
            Some(Ok(hash)) => checked.last = (after, hash),
            _ => return Ok(Checked { fault: Some((after, AuditFault::CutOff)), ..checked }),
        }
    }
    let stored = audit::after(ctx.db, after, limit)?;
    checked.end = i64::try_from(stored.len()).unwrap_or(limit) < limit;
    for Stored { entry, hash } in stored {
        let hash = hash.as_slice().try_into().unwrap_or(AUDIT_START);
        match chain.follow(&checked.last, &entry, &hash) {
            Ok(last) => (checked.last, checked.entries) = (last, checked.entries + 1),
            Err(fault) => return Ok(Checked { fault: Some((entry.seq, fault)), ..checked }),
        }
    }
    if checked.end {
        let head = audit::head(ctx.db)?.map_or(Some((0, AUDIT_START)), |note| chain.noted(&note));
        checked.fault = (head != Some(checked.last)).then_some((checked.last.0, AuditFault::CutOff));
    }
    Ok(checked)
}
