//! The worklist: all open conversations that a member of staff may see, each in the views to which it belongs. List, counts and
//! changes are made from the same rows by the same function, so they cannot disagree.
//!
//! Agents see their own conversations, those of their groups, those that they put off, and those about which they were asked. They
//! read the words only of conversations that they hold, put off, may take from a queue, or were asked about. Supervisors see everything.

use crate::model::{
    CustomerRef, LastMessage, NearestDeadline, SnoozeView, Worklist, WorklistChanges, WorklistRow, WorklistView as View,
};
use crate::store::worklist::{self as store, Entry, Full};
use crate::store::{drafts, held, marks};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use warmline_channels::registry;
use warmline_gate::Left;
use warmline_kernel::audit::{self, Action};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::sealing::{self, Keys};
use warmline_language::normalise;
use warmline_model::{AgentId, Channel, ConversationId, ConversationState, CustomerId, GroupId, Timestamp};
use warmline_store::changes::{self, What};
use warmline_store::{agents, events};

/// The characters of the last message that a row shows.
const SHOWN: usize = 60;
/// Conversations of a view that a search looks through.
const MOST_SEARCHED: usize = 1_000;
/// Events and other changes that a stream reads at once.
const AT_ONCE: i64 = 500;
/// Messages of an agent, or of all, that wait for a supervisor.
const MOST_APPROVALS: i64 = 10_000;

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By the nearest deadline; those without one come last, the longest waiting first.
    #[default]
    Due,
    /// The longest waiting customer first.
    Waiting,
    /// The newest message first.
    Newest,
}

impl Sort {
    /// Reads the word of the query.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "due" => Some(Self::Due),
            "waiting" => Some(Self::Waiting),
            "newest" => Some(Self::Newest),
            _ => None,
        }
    }

    fn place(self, entry: &Entry) -> Place {
        let late = |at: Option<Timestamp>| at.map_or(i64::MAX, Timestamp::millis);
        let waits = late(entry.unanswered_since.or(entry.queued_at.filter(|_| entry.state == ConversationState::Queued)));
        match self {
            Self::Due => Place(late(entry.due_at), waits, entry.id),
            Self::Waiting => Place(waits, 0, entry.id),
            Self::Newest => Place(entry.last_message_at.millis().saturating_neg(), 0, entry.id),
        }
    }
}

/// A place in a sorted list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(i64, i64, ConversationId);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(());
        let (first, second, id) = (next()?, next()?, next()?);
        Ok(Self(first.parse().map_err(|_| ())?, second.parse().map_err(|_| ())?, id.parse().map_err(|_| ())?))
    }
}

/// A position among all changes: in the event log, and among the changes that are no events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    events: i64,
    changes: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.events, self.changes)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (events, changes) = text.split_once('.').ok_or(())?;
        let read = |text: &str| text.parse().ok().filter(|n: &i64| *n >= 0).ok_or(());
        Ok(Self { events: read(events)?, changes: read(changes)? })
    }
}

impl Cursor {
    /// The present end.
    ///
    /// # Errors
    /// The store fails.
    pub fn now(ctx: &Ctx<'_>) -> Result<Self, StepError> {
        let (events, changes) = changes::positions(ctx.db)?;
        Ok(Self { events, changes })
    }
}

/// A question to the worklist.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The view.
    pub view: View,
    /// Only this group's.
    pub group: Option<GroupId>,
    /// Only this channel's.
    pub channel: Option<Channel>,
    /// Only persons with this tag.
    pub tag: Option<String>,
    /// Only those whose name, last words or id contain this.
    pub words: Option<String>,
    /// The order.
    pub sort: Sort,
    /// Only those after this place.
    pub after: Option<Place>,
    /// The most rows.
    pub limit: usize,
}

/// What the reader's views depend on.
struct Reader {
    actor: Actor,
    groups: BTreeSet<GroupId>,
    mentions: BTreeSet<ConversationId>,
    approvals: BTreeSet<ConversationId>,
    drafts: BTreeSet<ConversationId>,
}

impl Reader {
    fn of(ctx: &Ctx<'_>, actor: Actor) -> Result<Self, StepError> {
        let me = actor.agent;
        let list = |found: Option<Vec<ConversationId>>| found.unwrap_or_default().into_iter().collect();
        let waiting = match me.filter(|_| !actor.supervises()) {
            Some(me) => held::approvals_of(ctx.db, me, MOST_APPROVALS)?,
            None => held::approvals_in(ctx.db, MOST_APPROVALS)?,
        };
        Ok(Self {
            groups: match me {
                Some(me) => agents::groups_of(ctx.db, me)?.into_iter().map(|m| m.group).collect(),
                None => BTreeSet::new(),
            },
            mentions: list(me.map(|me| marks::mentioned(ctx.db, me)).transpose()?),
            approvals: waiting.into_iter().collect(),
            drafts: list(me.map(|me| drafts::with_one(ctx.db, me)).transpose()?),
            actor,
        })
    }

    fn all(&self, ctx: &Ctx<'_>) -> Result<Vec<Entry>, StepError> {
        match (self.actor.supervises(), self.actor.agent) {
            (true, _) => Ok(store::all(ctx.db)?),
            (false, Some(me)) => Ok(store::of_agent(ctx.db, me)?),
            (false, None) => Ok(Vec::new()),
        }
    }

    fn serves(&self, entry: &Entry) -> bool {
        entry.group.as_ref().is_some_and(|group| self.groups.contains(group))
    }

    fn holds(&self, entry: &Entry) -> bool {
        self.actor.agent.is_some() && entry.agent == self.actor.agent
    }

    /// Whether the list has the conversation at all.
    fn lists(&self, entry: &Entry) -> bool {
        self.reads(entry) || self.serves(entry)
    }

    /// Whether the actor may read the conversation: the same rule as `converse::find`.
    fn reads(&self, entry: &Entry) -> bool {
        let may_take = entry.state == ConversationState::Queued && self.serves(entry);
        self.actor.supervises() || self.holds(entry) || self.put_off(entry) || entry.asked || may_take
    }

    fn put_off(&self, entry: &Entry) -> bool {
        entry.snoozed_by.is_some() && (self.actor.supervises() || entry.snoozed_by == self.actor.agent)
    }

    fn is_in(&self, view: View, entry: &Entry) -> bool {
        let mine = self.holds(entry) && entry.state.holds_capacity();
        match view {
            View::Mine => mine,
            View::Unanswered => {
                let due = entry.unanswered_since.is_some() && entry.snoozed_by.is_none();
                (mine || self.actor.supervises()) && due
            }
            View::Queue => entry.state == ConversationState::Queued && (self.actor.supervises() || self.serves(entry)),
            View::Snoozed => self.put_off(entry),
            View::Mentions => self.mentions.contains(&entry.id) && self.reads(entry),
            View::Approvals => self.approvals.contains(&entry.id),
            View::All => true,
        }
    }
}

/// Reads a page of the worklist. If it shows anything personal, one audit entry with the customers comes first.
///
/// # Errors
/// The store fails.
pub fn read(ctx: &Ctx<'_>, actor: &Actor, ask: &Ask) -> Result<Worklist, StepError> {
    // The position comes first: what happens meanwhile comes again with the stream, and is not lost.
    let cursor = Cursor::now(ctx)?.to_string();
    let reader = Reader::of(ctx, *actor)?;
    let mut entries = reader.all(ctx)?;
    entries.retain(|entry| {
        ask.group.as_ref().is_none_or(|group| entry.group.as_ref() == Some(group))
            && ask.channel.as_ref().is_none_or(|channel| entry.channel == *channel)
    });
    if let Some(tag) = &ask.tag {
        // Of a conversation that the reader may not read, nothing is told of its customer.
        entries.retain(|entry| reader.reads(entry));
        let ids: Vec<ConversationId> = entries.iter().map(|entry| entry.id).collect();
        let tagged: BTreeSet<ConversationId> = store::tagged(ctx.db, &ids, tag)?.into_iter().collect();
        entries.retain(|entry| tagged.contains(&entry.id));
    }
    let count = |view: View| entries.iter().filter(|entry| reader.is_in(view, entry)).count();
    let counts: BTreeMap<String, usize> = View::ALL.iter().map(|view| (view.as_str().to_owned(), count(*view))).collect();
    entries.retain(|entry| reader.is_in(ask.view, entry));
    let mut placed: Vec<(Place, Entry)> = entries.into_iter().map(|entry| (ask.sort.place(&entry), entry)).collect();
    placed.sort_unstable_by_key(|(place, _)| *place);
    let mut searched = None;
    if let Some(words) = &ask.words {
        placed.truncate(MOST_SEARCHED);
        searched = Some(placed.len());
        let found = search(ctx, &reader, &placed, words)?;
        placed.retain(|(_, entry)| found.contains(&entry.id));
    }
    placed.retain(|(place, _)| ask.after.is_none_or(|after| *place > after));
    let more = placed.len() > ask.limit;
    placed.truncate(ask.limit);
    let next = placed.last().filter(|_| more).map(|(place, _)| place.to_string());
    let entries: Vec<&Entry> = placed.iter().map(|(_, entry)| entry).collect();
    let (items, customers) = rows(ctx, &reader, &entries)?;
    tell(ctx, actor, "conversations.worklist_read", customers)?;
    Ok(Worklist { items, next, counts, searched, cursor })
}

fn tell(ctx: &Ctx<'_>, actor: &Actor, action: &'static str, customers: BTreeSet<CustomerId>) -> Result<(), StepError> {
    if customers.is_empty() {
        return Ok(());
    }
    audit::record_list(ctx, actor, Action::Other(action), customers.into_iter().collect())
}

/// What a row shows of its customer, opened.
struct Opened {
    name: Option<String>,
    last: Option<LastMessage>,
    words: Option<String>,
}

fn open(keys: &mut Keys, ctx: &Ctx<'_>, full: &Full) -> Opened {
    let conversation = &full.conversation;
    let key = keys.of(ctx, conversation.customer);
    let name = key.and_then(|key| match &full.name {
        Some(corrected) => sealing::open_corrected(key, conversation.customer, corrected).ok(),
        None => sealing::open_sender(key, conversation.identity, full.sender.as_deref()?).ok()?.name,
    });
    let content = full.last.as_ref().and_then(|last| sealing::open_content(key?, last).ok());
    let words = content.as_ref().and_then(|content| content.texts().first().map(|text| (*text).to_owned()));
    let last = full.last.as_ref().map(|last| LastMessage {
        n: last.n,
        from: last.origin,
        kind: content.as_ref().map_or("unknown", warmline_model::Content::kind).to_owned(),
        text: words.as_deref().map(cut),
        at: last.at,
    });
    Opened { name, last, words }
}

fn cut(text: &str) -> String {
    let flat = |c: char| if c.is_whitespace() { ' ' } else { c };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => text.get(..end).unwrap_or_default().chars().map(flat).chain(['…']).collect(),
        None => text.chars().map(flat).collect(),
    }
}

/// The conversations whose name, last words or id contain some words. Only what the reader may read is looked at.
fn search(
    ctx: &Ctx<'_>,
    reader: &Reader,
    placed: &[(Place, Entry)],
    words: &str,
) -> Result<BTreeSet<ConversationId>, StepError> {
    let readable: Vec<ConversationId> =
        placed.iter().filter(|(_, entry)| reader.reads(entry)).map(|(_, entry)| entry.id).collect();
    let fulls = store::full(ctx.db, reader.actor.agent, &readable)?;
    let mut keys = read_keys(ctx, &fulls)?;
    let sought = normalise(words);
    let has = |text: Option<String>| text.is_some_and(|text| normalise(&text).contains(&sought));
    let found = fulls.iter().filter(|full| {
        let opened = open(&mut keys, ctx, full);
        full.conversation.id.to_string().eq_ignore_ascii_case(words.trim())
            || (!sought.is_empty() && (has(opened.name) || has(opened.words)))
    });
    let found: BTreeSet<ConversationId> = found.map(|full| full.conversation.id).collect();
    Ok(found)
}

fn read_keys(ctx: &Ctx<'_>, fulls: &[Full]) -> Result<Keys, StepError> {
    let customers: BTreeSet<CustomerId> = fulls.iter().map(|full| full.conversation.customer).collect();
    let mut keys = Keys::default();
    keys.read(ctx, &customers.into_iter().collect::<Vec<_>>())?;
    Ok(keys)
}

/// The rows of some entries, in their order, and the customers of whom they tell something.
fn rows(ctx: &Ctx<'_>, reader: &Reader, entries: &[&Entry]) -> Result<(Vec<WorklistRow>, BTreeSet<CustomerId>), StepError> {
    let ids: Vec<ConversationId> = entries.iter().map(|entry| entry.id).collect();
    let mut fulls: BTreeMap<ConversationId, Full> =
        store::full(ctx.db, reader.actor.agent, &ids)?.into_iter().map(|full| (full.conversation.id, full)).collect();
    let readable: BTreeSet<CustomerId> = entries
        .iter()
        .filter(|entry| reader.reads(entry))
        .filter_map(|entry| Some(fulls.get(&entry.id)?.conversation.customer))
        .collect();
    let mut keys = Keys::default();
    keys.read(ctx, &readable.iter().copied().collect::<Vec<_>>())?;
    let (mut rows, mut told) = (Vec::with_capacity(entries.len()), BTreeSet::new());
    for entry in entries {
        // One that was closed meanwhile is gone.
        let Some(full) = fulls.remove(&entry.id) else { continue };
        let reads = reader.reads(entry);
        let opened = if reads { open(&mut keys, ctx, &full) } else { Opened { name: None, last: None, words: None } };
        if reads {
            told.extend([full.conversation.customer, full.conversation.person]);
        }
        rows.push(row(reader, entry, full, opened));
    }
    Ok((rows, told))
}

fn row(reader: &Reader, entry: &Entry, full: Full, opened: Opened) -> WorklistRow {
    let reads = reader.reads(entry);
    let Full { conversation: c, due, tags, held, spoken_at, replies, unread, .. } = full;
    let window = registry::capabilities(c.channel.as_str()).and_then(|capabilities| capabilities.window);
    let used = u32::try_from(replies).unwrap_or(u32::MAX);
    let left = window.zip(spoken_at).map(|(window, at)| Left {
        replies: window.replies.map(|most| most.saturating_sub(used)),
        of: window.replies,
        until: window.closes_at(at),
    });
    let views = View::ALL.into_iter().filter(|view| *view != View::All && reader.is_in(*view, entry)).collect();
    WorklistRow {
        id: c.id,
        channel: c.channel,
        account: c.account,
        state: c.state,
        group: c.group,
        agent: c.agent,
        ai: c.ai,
        views,
        readable: reads,
        opened_at: c.opened_at,
        last_message_at: c.last_message_at,
        queued_at: c.queued_at,
        unanswered_since: c.round_started_at,
        snoozed: c.snooze.filter(|_| reads).map(SnoozeView::from),
        due: due.map(|(at, metric, source)| NearestDeadline { at, metric, source }),
        left: left.filter(|_| reads),
        customer: reads
            .then(|| CustomerRef { id: c.person, name: opened.name.as_deref().map(warmline_identity::masked_name) }),
        vip: c.vip && reads,
        tags: if reads { tags } else { Vec::new() },
        case: reads.then_some(c.case),
        last: opened.last,
        unread: if reads { unread } else { 0 },
        draft: reader.drafts.contains(&entry.id),
        held: if reads { held } else { 0 },
        why: c.why.filter(|_| reads),
    }
}

/// The next changes after a position.
pub struct Changed {
    /// The rows, and what is gone; `None` if nothing in the list has changed.
    pub worklist: Option<WorklistChanges>,
    /// Conversations in which colleagues came, went, or began to write.
    pub presence: BTreeSet<ConversationId>,
    /// The position after them.
    pub cursor: Cursor,
    /// Whether more wait.
    pub more: bool,
}

/// The changes of the worklist after a position. Applied to a list that was read there, they give what a fresh read gives.
///
/// # Errors
/// The store fails.
pub fn changes(ctx: &Ctx<'_>, actor: &Actor, from: Cursor) -> Result<Changed, StepError> {
    let (oldest, newest) = changes::bounds(ctx.db)?;
    let happened = store::happened(ctx.db, from.events, AT_ONCE)?;
    let noted = changes::after(ctx.db, from.changes, AT_ONCE)?;
    let cut = match happened.first() {
        Some(first) => first.seq != from.events + 1,
        // A store that was put back has lost what the reader has seen.
        None => events::last(ctx.db)? < from.events,
    };
    let cut = cut || from.changes + 1 < oldest || from.changes > newest;
    let mine = |profile: &str| {
        let agent =
            serde_json::from_str::<serde_json::Value>(profile).ok().and_then(|p| p.get("agent")?.as_str()?.parse().ok());
        agent.is_some() && agent == actor.agent
    };
    let regrouped = happened.iter().any(|event| event.profile.as_deref().is_some_and(mine));
    if cut || regrouped {
        let cursor = Cursor::now(ctx)?;
        let worklist = WorklistChanges { rows: Vec::new(), gone: Vec::new(), reset: true, cursor: cursor.to_string() };
        return Ok(Changed { worklist: Some(worklist), presence: BTreeSet::new(), cursor, more: true });
    }
    let cursor = Cursor {
        events: happened.last().map_or(from.events, |event| event.seq),
        changes: noted.last().map_or(from.changes, |change| change.seq),
    };
    let full = |n: usize| i64::try_from(n).is_ok_and(|n| n >= AT_ONCE);
    let more = full(happened.len()) || full(noted.len());
    let mut ids: BTreeSet<ConversationId> = happened.iter().filter_map(|event| event.conversation).collect();
    ids.extend(noted.iter().filter(|change| change.what == What::Row).map(|change| change.conversation));
    let presence = noted.iter().filter(|change| change.what == What::Presence).map(|change| change.conversation).collect();
    let worklist = if ids.is_empty() { None } else { Some(now(ctx, actor, &ids, cursor)?) };
    Ok(Changed { worklist, presence, cursor, more })
}

/// Some conversations as the list has them now.
fn now(ctx: &Ctx<'_>, actor: &Actor, ids: &BTreeSet<ConversationId>, cursor: Cursor) -> Result<WorklistChanges, StepError> {
    let reader = Reader::of(ctx, *actor)?;
    let ids: Vec<ConversationId> = ids.iter().copied().collect();
    let mut entries = store::some(ctx.db, actor.agent, &ids)?;
    entries.retain(|entry| reader.lists(entry));
    let (rows, _) = rows(ctx, &reader, &entries.iter().collect::<Vec<_>>())?;
    let here: BTreeSet<ConversationId> = rows.iter().map(|row| row.id).collect();
    let gone = ids.into_iter().filter(|id| !here.contains(id)).collect();
    Ok(WorklistChanges { rows, gone, reset: false, cursor: cursor.to_string() })
}

/// Notes in the audit log that somebody follows the worklist. The rows that the stream shows follow from the event log.
///
/// # Errors
/// The store fails.
pub fn followed(ctx: &Ctx<'_>, actor: &Actor) -> Result<(), StepError> {
    audit::record_list(ctx, actor, Action::Other("conversations.worklist_followed"), Vec::new())
}

/// How long changes that are no events are kept, in milliseconds.
const KEPT_MS: i64 = 600_000;
/// Changes that one step forgets.
const FORGOTTEN: i64 = 5_000;

/// Forgets old changes that are no events.
///
/// # Errors
/// The store fails.
pub fn forget(ctx: &Ctx<'_>) -> Result<usize, StepError> {
    let before = ctx.now().plus_millis(-KEPT_MS);
    // A read without the write lock: a quiet store has nothing to forget.
    let (oldest, newest) = changes::bounds(ctx.db)?;
    if newest - oldest < 1_000 {
        return Ok(0);
    }
    Ok(changes::forget(ctx.db, before, FORGOTTEN)?)
}

/// Whether a colleague's presence in a conversation concerns the actor: the actor holds it, or is there too.
///
/// # Errors
/// The store fails.
pub fn concerns(ctx: &Ctx<'_>, agent: AgentId, id: ConversationId) -> Result<bool, StepError> {
    let there = marks::get(ctx.db, id, agent)?.and_then(|mark| mark.doing).is_some_and(|(_, until)| until > ctx.now());
    let holds = || Ok::<_, StepError>(warmline_store::conversations::get(ctx.db, id)?.and_then(|c| c.agent) == Some(agent));
    Ok(there || holds()?)
}
