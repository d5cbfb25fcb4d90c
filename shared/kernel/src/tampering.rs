//! Sealed values that do not open although the customer's key does: a person or a failing disk has altered them.
//! Readers skip them. The event log gets one event for each.

use crate::ctx::{Ctx, StepError};
use warmline_model::{ConversationId, CustomerId, EventBody, IdentityId, MessageId};
use warmline_store::messages::Message;
use warmline_store::{events, immediate, tampering};

/// The most values that one read reports. The next read reports the others.
const TOLD: usize = 16;

/// A value that does not open.
pub struct Broken {
    /// The customer.
    pub customer: CustomerId,
    /// The conversation, if the value belongs to one.
    pub conversation: Option<ConversationId>,
    /// The value.
    pub what: Value,
}

/// The kind of a value that does not open.
pub enum Value {
    /// The content of a message.
    Message(MessageId),
    /// The names of an identity.
    Name(IdentityId),
    /// Archived messages of the conversation; the number is that of the pack's last message.
    Pack(i64),
}

impl Broken {
    /// A message's content.
    pub fn message(customer: CustomerId, message: &Message) -> Self {
        Self { customer, conversation: Some(message.conversation), what: Value::Message(message.id) }
    }

    /// The value's key in the table of reported values.
    fn row(&self) -> Vec<u8> {
        match &self.what {
            Value::Message(id) => id.as_bytes().to_vec(),
            Value::Name(id) => id.as_bytes().to_vec(),
            Value::Pack(last) => {
                let conversation = self.conversation.map_or([0; 16], |c| *c.as_bytes());
                [conversation.as_slice(), &last.to_be_bytes()].concat()
            }
        }
    }

    fn event(&self) -> EventBody {
        let (field, message, identity) = match &self.what {
            Value::Message(id) => ("message", Some(*id), None),
            Value::Name(id) => ("name", None, Some(*id)),
            Value::Pack(_) => ("archive", None, None),
        };
        EventBody::SealBroken { field: field.to_owned(), customer: self.customer, message, identity }
    }
}

/// Reports to the event log the values that were not reported before. Do not call it inside a transaction: it makes its
/// own, and only if there is something new.
pub fn tell(ctx: &Ctx<'_>, found: &[Broken]) -> Result<(), StepError> {
    let mut new = Vec::new();
    for value in found {
        if new.len() < TOLD && !tampering::is_known(ctx.db, &value.row())? {
            new.push(value);
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    immediate(ctx.db, || {
        for value in new {
            if tampering::note(ctx.db, &value.row(), ctx.now())? {
                events::append(ctx.db, ctx.now(), value.conversation, &value.event())?;
            }
        }
        Ok(())
    })
}
