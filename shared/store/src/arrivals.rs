//! Customers' messages on their way from the inbox into conversations: the rows that wait, with their senders, and everything
//! that is written for a message in a conversation that is open. Each is one statement, since a statement is a round trip
//! where the store is on another machine.

use crate::conversations::{self, Conversation, columns};
use crate::customers::{self, Contact};
use crate::db::{Db, StoreError};
use crate::inbox::{self, Pending};
use serde::Serialize;
use warmline_model::event::{EVENT_VERSION, to_columns};
use warmline_model::{ConversationState, MessageId, Timestamp};

/// A waiting row with its sender.
pub struct Waiting {
    /// The row.
    pub row: Pending,
    /// The blind index of the sender, as the webhook noted it; `None` for a row of the previous release.
    pub sender: Option<Vec<u8>>,
    /// The sender who is known under that blind index.
    pub contact: Option<Contact>,
}

const WAITING: &str = concat!(
    "SELECT ",
    columns!(),
    ", ",
    customers::contact_columns!(),
    ", ",
    inbox::columns!(),
    ", x.sender FROM inbox x LEFT JOIN identities i ON i.lookup = x.sender LEFT JOIN customers c ON c.id = i.customer_id \
     LEFT JOIN customers p ON p.id = c.person \
     LEFT JOIN conversations v ON v.identity_id = i.id AND v.state <> 'closed' \
     WHERE x.shard = ?1 AND x.state = 0 ORDER BY x.seq LIMIT ?2"
);
const STORE: &str = "INSERT INTO arrivals (inbox, shard, conversation_id, was, ai, n, state, at, spoke_at, answer_until, reply_to, \
                     id, content, received_at, v, type, data) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
/// The place of the row's own columns in [`WAITING`].
const ROW: usize = conversations::COLUMNS + customers::CONTACT_COLUMNS;

/// The oldest waiting rows of a shard, with their senders as they are now.
pub fn waiting(db: &dyn Db, shard: i64, limit: i64) -> Result<Vec<Waiting>, StoreError> {
    let rows = db.execute(WAITING, &[shard.into(), limit.into()])?;
    rows.iter()
        .map(|r| {
            Ok(Waiting {
                row: inbox::row(r, ROW)?,
                sender: r.opt_blob(ROW + inbox::COLUMNS)?.map(<[u8]>::to_vec),
                contact: customers::read_contact(r)?,
            })
        })
        .collect()
}

/// A customer's message in a conversation.
pub struct Arrival<'a> {
    /// The inbox row that it was.
    pub inbox: i64,
    /// The shard, if no lease protects the row. The message is then stored only if nobody else drains the shard, and no
    /// earlier message waits in it.
    pub shard: Option<i64>,
    /// The conversation, as it was read.
    pub conversation: &'a Conversation,
    /// Its state with this message.
    pub state: ConversationState,
    /// Now.
    pub at: Timestamp,
    /// When the message came, if it starts or continues a round that wants an answer.
    pub spoke: Option<Timestamp>,
    /// Until when the webhook's own answer can still carry a reply.
    pub answer_until: Option<Timestamp>,
    /// The sealed place for replies, if the message names one.
    pub reply_to: Option<Vec<u8>>,
    /// The message's id.
    pub id: MessageId,
    /// Its sealed content.
    pub content: Vec<u8>,
    /// When the webhook came.
    pub received_at: Timestamp,
}

impl Arrival<'_> {
    /// The message's number in the conversation.
    pub fn n(&self) -> i64 {
        self.conversation.messages + 1
    }

    /// Stores the message, counts it in its conversation, appends its event and empties the inbox row.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if the row or the conversation is not as it was read any more, or if somebody else is at work.
    /// Nothing is written then.
    pub fn store<B: Serialize>(&self, db: &dyn Db, event: &B) -> Result<(), StoreError> {
        let (kind, data) = to_columns(event).map_err(|_| StoreError::Shape(16))?;
        let params = [
            self.inbox.into(),
            self.shard.into(),
            self.conversation.id.as_bytes().into(),
            self.conversation.state.as_str().into(),
            self.conversation.ai.into(),
            self.n().into(),
            self.state.as_str().into(),
            self.at.into(),
            self.spoke.into(),
            self.answer_until.into(),
            self.reply_to.clone().into(),
            self.id.as_bytes().into(),
            self.content.as_slice().into(),
            self.received_at.into(),
            EVENT_VERSION.into(),
            kind.into(),
            data.into(),
        ];
        db.execute(STORE, &params).map(drop)
    }
}
