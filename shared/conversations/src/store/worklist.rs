//! What worklists read: all open conversations that somebody may see, with what a list is sorted and counted by; and the whole
//! rows of a page, in one statement.

use warmline_model::{AgentId, Channel, ConversationId, ConversationState, GroupId, Timestamp};
use warmline_store::conversations::{self, Conversation, columns};
use warmline_store::dialect::{entries, ids};
use warmline_store::messages::Message;
use warmline_store::{Db, Row, StoreError, Value};

/// An open conversation, with what lists are sorted and counted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The conversation.
    pub id: ConversationId,
    /// Its agent.
    pub agent: Option<AgentId>,
    /// Its state.
    pub state: ConversationState,
    /// Its group.
    pub group: Option<GroupId>,
    /// Its channel.
    pub channel: Channel,
    /// Since when the customer waits for a reply.
    pub unanswered_since: Option<Timestamp>,
    /// When it entered its present or last queue.
    pub queued_at: Option<Timestamp>,
    /// When the last message of either side was stored.
    pub last_message_at: Timestamp,
    /// When its nearest deadline is due.
    pub due_at: Option<Timestamp>,
    /// Who has put it off.
    pub snoozed_by: Option<AgentId>,
    /// Whether the reader was asked about it.
    pub asked: bool,
}

macro_rules! entry {
    ($asked:literal, $from:expr) => {
        concat!(
            "SELECT v.id, v.agent_id, v.state, v.group_id, v.channel, v.round_started_at, v.queued_at, v.last_message_at, v.due_at, \
             CASE WHEN v.state = 'open' THEN v.snoozed_by END, ",
            $asked,
            $from
        )
    };
}

/// An agent's own conversations, those of the agent's groups, those that the agent has put off, and those about which the agent was
/// asked.
const OF_AGENT: &str = concat!(
    entry!("0", " FROM conversations v INDEXED BY conversations_open_agent WHERE v.agent_id = ?1 AND v.state <> 'closed'"),
    " UNION ALL ",
    entry!(
        "0",
        " FROM agent_groups g CROSS JOIN conversations v INDEXED BY conversations_open_group ON v.group_id = g.group_id \
          WHERE g.agent_id = ?1 AND v.state <> 'closed' AND v.agent_id IS NOT ?1"
    ),
    " UNION ALL ",
    entry!("0", " FROM conversations v INDEXED BY conversations_snoozed WHERE v.snoozed_by = ?1 AND v.state = 'open'"),
    " UNION ALL ",
    entry!(
        "1",
        " FROM consults k CROSS JOIN conversations v ON v.id = k.conversation_id \
          WHERE k.agent_id = ?1 AND v.state <> 'closed' AND v.agent_id IS NOT ?1"
    )
);
const ALL: &str = entry!(
    "0",
    " FROM conversations v INDEXED BY conversations_by_state \
      WHERE v.state IN ('open', 'queued', 'assigned', 'waiting_on_customer', 'wrap_up')"
);
const SOME: &str = concat!(
    "WITH RECURSIVE ",
    ids!("part", "?2"),
    " ",
    entry!(
        "EXISTS (SELECT 1 FROM consults k WHERE k.conversation_id = v.id AND k.agent_id = ?1)",
        " FROM part CROSS JOIN conversations v ON v.id = part.id WHERE v.state <> 'closed'"
    )
);
const TAGGED: &str = concat!(
    "WITH RECURSIVE ",
    ids!("part", "?1"),
    " SELECT v.id FROM part CROSS JOIN conversations v ON v.id = part.id \
      CROSS JOIN customers c ON c.id = v.customer_id CROSS JOIN customers p ON p.id = c.person \
      WHERE EXISTS (SELECT 1 FROM ",
    entries!("p.person_tags"),
    " AS l WHERE l.value = ?2)"
);
const FULL: &str = concat!(
    "WITH RECURSIVE ",
    ids!("part", "?1"),
    " SELECT ",
    columns!(),
    ", v.due_at, v.due_metric, v.due_source, \
     (SELECT p.person_tags FROM customers c CROSS JOIN customers p ON p.id = c.person WHERE c.id = v.customer_id), \
     (SELECT name FROM customers WHERE id = v.customer_id), (SELECT sender FROM identities WHERE id = v.identity_id), \
     (SELECT count(*) FROM held_messages h INDEXED BY held_messages_conversation WHERE h.conversation_id = v.id AND h.state = 'waiting'), \
     (SELECT u.at FROM messages u WHERE u.conversation_id = v.id AND u.origin = 'customer' ORDER BY u.n DESC LIMIT 1), \
     (SELECT count(*) FROM messages r WHERE r.conversation_id = v.id AND r.delivery IN ('pending', 'sent', 'failed') AND r.n > \
      coalesce((SELECT u.n FROM messages u WHERE u.conversation_id = v.id AND u.origin = 'customer' ORDER BY u.n DESC LIMIT 1), 0)), \
     (SELECT count(*) FROM messages r WHERE r.conversation_id = v.id AND r.origin = 'customer' AND r.n > max(v.messages - 50, \
      coalesce((SELECT s.seen FROM read_marks s WHERE s.conversation_id = v.id AND s.agent_id = ?2), 0), \
      coalesce((SELECT max(o.n) FROM messages o WHERE o.conversation_id = v.id AND o.n > v.messages - 50 AND o.agent_id = ?2), 0))), \
     m.id, m.origin, m.agent_id, m.content, m.at \
     FROM part CROSS JOIN conversations v ON v.id = part.id \
     LEFT JOIN messages m ON m.conversation_id = v.id AND m.n = v.messages WHERE v.state <> 'closed'"
);
const EVENTS: &str = "SELECT seq, conversation_id, CASE WHEN type = 'agent.profile' THEN data END FROM events WHERE seq > ?1 \
                      ORDER BY seq LIMIT ?2";

/// A conversation's event, as a worklist sees it.
pub struct Happened {
    /// Its position in the log.
    pub seq: i64,
    /// The conversation.
    pub conversation: Option<ConversationId>,
    /// Of a changed agent: the event's data.
    pub profile: Option<String>,
}

/// A conversation with what its row shows.
pub struct Full {
    /// The conversation.
    pub conversation: Conversation,
    /// When its nearest deadline is due, what that measures and who set it.
    pub due: Option<(Timestamp, String, String)>,
    /// The person's tags.
    pub tags: Vec<String>,
    /// The corrected name, sealed.
    pub name: Option<Vec<u8>>,
    /// The channel's description of the sender, sealed.
    pub sender: Option<Vec<u8>>,
    /// The number of messages that wait to be sent.
    pub held: i64,
    /// When the customer last wrote.
    pub spoken_at: Option<Timestamp>,
    /// The messages to the customer since.
    pub replies: i64,
    /// The customer's messages that the reader has not seen, among the last 50 messages.
    pub unread: i64,
    /// The last message.
    pub last: Option<Message>,
}

fn entry(r: &Row) -> Result<Entry, StoreError> {
    Ok(Entry {
        id: r.made(0, ConversationId::from_bytes(r.blob(0)?))?,
        agent: r.opt_blob(1)?.map(|b| r.made(1, AgentId::from_bytes(b))).transpose()?,
        state: ConversationState::parse(r.text(2)?).ok_or(StoreError::Shape(2))?,
        group: r.opt_text(3)?.map(|t| r.made(3, GroupId::new(t))).transpose()?,
        channel: r.made(4, Channel::new(r.text(4)?))?,
        unanswered_since: r.opt_time(5)?,
        queued_at: r.opt_time(6)?,
        last_message_at: r.time(7)?,
        due_at: r.opt_time(8)?,
        snoozed_by: r.opt_blob(9)?.map(|b| r.made(9, AgentId::from_bytes(b))).transpose()?,
        asked: r.flag(10)?,
    })
}

fn blob(ids: &[ConversationId]) -> Value {
    ids.iter().flat_map(|id| *id.as_bytes()).collect::<Vec<u8>>().into()
}

fn id_of(agent: Option<AgentId>) -> Value {
    agent.map(|agent| agent.as_bytes().to_vec()).into()
}

/// The open conversations of an agent, of the agent's groups, those put off by the agent, and those about which the agent was
/// asked; each once.
pub fn of_agent(db: &dyn Db, agent: AgentId) -> Result<Vec<Entry>, StoreError> {
    let mut all: Vec<Entry> =
        db.execute(OF_AGENT, &[agent.as_bytes().into()])?.iter().map(entry).collect::<Result<_, _>>()?;
    // One of a colleague in a group of the agent's, about which the agent was asked, comes twice. The later one says that.
    all.sort_by_key(|entry| (entry.id, !entry.asked));
    all.dedup_by_key(|entry| entry.id);
    Ok(all)
}

/// All open conversations.
pub fn all(db: &dyn Db) -> Result<Vec<Entry>, StoreError> {
    db.execute(ALL, &[])?.iter().map(entry).collect()
}

/// Those of some conversations that are open.
pub fn some(db: &dyn Db, agent: Option<AgentId>, ids: &[ConversationId]) -> Result<Vec<Entry>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    db.execute(SOME, &[id_of(agent), blob(ids)])?.iter().map(entry).collect()
}

/// Those of some conversations whose person has a tag.
pub fn tagged(db: &dyn Db, ids: &[ConversationId], tag: &str) -> Result<Vec<ConversationId>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = db.execute(TAGGED, &[blob(ids), tag.into()])?;
    rows.iter().map(|r| r.made(0, ConversationId::from_bytes(r.blob(0)?))).collect()
}

/// Those of some conversations that are open, with what their rows show, in the same order.
pub fn full(db: &dyn Db, agent: Option<AgentId>, ids: &[ConversationId]) -> Result<Vec<Full>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    db.execute(FULL, &[blob(ids), id_of(agent)])?.iter().map(read).collect()
}

fn read(r: &Row) -> Result<Full, StoreError> {
    let conversation = conversations::read(r)?;
    let at = |n: usize| conversations::COLUMNS + n;
    let due = match (r.opt_time(at(0))?, r.opt_text(at(1))?, r.opt_text(at(2))?) {
        (Some(due), Some(metric), Some(source)) => Some((due, metric.to_owned(), source.to_owned())),
        _ => None,
    };
    let last = match r.opt_blob(at(10))? {
        None => None,
        Some(id) => Some(Message {
            conversation: conversation.id,
            n: conversation.messages,
            id: r.made(at(10), warmline_model::MessageId::from_bytes(id))?,
            origin: warmline_model::Origin::parse(r.text(at(11))?).ok_or(StoreError::Shape(at(11)))?,
            agent: r.opt_blob(at(12))?.map(|b| r.made(at(12), AgentId::from_bytes(b))).transpose()?,
            content: r.blob(at(13))?.to_vec(),
            at: r.time(at(14))?,
            delivery: None,
            reason: None,
        }),
    };
    Ok(Full {
        due,
        tags: r.opt_text(at(3))?.map(|t| r.made(at(3), serde_json::from_str(t))).transpose()?.unwrap_or_default(),
        name: r.opt_blob(at(4))?.map(<[u8]>::to_vec),
        sender: r.opt_blob(at(5))?.map(<[u8]>::to_vec),
        held: r.int(at(6))?,
        spoken_at: r.opt_time(at(7))?,
        replies: r.int(at(8))?,
        unread: r.int(at(9))?,
        last,
        conversation,
    })
}

/// The events after a position, in order. Events that were packed are left out: nobody follows a list from so far back.
pub fn happened(db: &dyn Db, seq: i64, limit: i64) -> Result<Vec<Happened>, StoreError> {
    let read = |r: &Row| {
        Ok(Happened {
            seq: r.int(0)?,
            conversation: r.opt_blob(1)?.map(|b| r.made(1, ConversationId::from_bytes(b))).transpose()?,
            profile: r.opt_text(2)?.map(str::to_owned),
        })
    };
    db.execute(EVENTS, &[seq.into(), limit.into()])?.iter().map(read).collect()
}
