//! The key that seals each value, and the row to which each sealed value is bound. A value that is moved to another row
//! does not open.

use crate::ctx::{Ctx, StepError};
use std::collections::{BTreeMap, HashMap};
use warmline_model::{
    AccountId, AgentId, Channel, Content, ConversationId, CustomerId, IdentityId, MessageId, PromiseId, Sender, Timestamp,
};
use warmline_privacy::{CustomerKey, KeyId, Purpose, SealError, Wrapped};
use warmline_store::{customers, messages, vault};

fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, StepError> {
    serde_json::to_vec(value).map_err(|_| SealError::Format.into())
}

fn from_json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StepError> {
    serde_json::from_slice(bytes).map_err(|_| SealError::Format.into())
}

fn message_aad(conversation: ConversationId, id: MessageId) -> [u8; 32] {
    let mut aad = [0; 32];
    aad[..16].copy_from_slice(conversation.as_bytes());
    aad[16..].copy_from_slice(id.as_bytes());
    aad
}

/// Seals a message's content under its customer's key, bound to conversation and message.
pub fn seal_content(
    ctx: &Ctx<'_>,
    key: &CustomerKey,
    conversation: ConversationId,
    id: MessageId,
    content: &Content,
) -> Result<Vec<u8>, StepError> {
    Ok(key.seal(&message_aad(conversation, id), &json(content)?, ctx.rng)?)
}

/// Opens a message's content.
pub fn open_content(key: &CustomerKey, message: &messages::Message) -> Result<Content, StepError> {
    from_json(&key.open(&message_aad(message.conversation, message.id), &message.content)?)
}

fn held_aad(conversation: ConversationId, id: MessageId) -> [u8; 36] {
    let mut aad = [0; 36];
    aad[..32].copy_from_slice(&message_aad(conversation, id));
    aad[32..].copy_from_slice(b"held");
    aad
}

/// Seals the contents of a held message, in their order, under its customer's key, bound to conversation and message.
pub fn seal_held(
    ctx: &Ctx<'_>,
    key: &CustomerKey,
    conversation: ConversationId,
    id: MessageId,
    contents: &[Content],
) -> Result<Vec<u8>, StepError> {
    Ok(key.seal(&held_aad(conversation, id), &json(&contents)?, ctx.rng)?)
}

/// Opens the contents of a held message.
pub fn open_held(
    key: &CustomerKey,
    conversation: ConversationId,
    id: MessageId,
    sealed: &[u8],
) -> Result<Vec<Content>, StepError> {
    from_json(&key.open(&held_aad(conversation, id), sealed)?)
}

fn draft_aad(conversation: ConversationId, agent: AgentId, mode: &str) -> Vec<u8> {
    [conversation.as_bytes(), agent.as_bytes(), b"draft/" as &[u8], mode.as_bytes()].concat()
}

/// Seals a draft under the customer's key, bound to conversation, writer and mode.
pub fn seal_draft(
    ctx: &Ctx<'_>,
    key: &CustomerKey,
    conversation: ConversationId,
    agent: AgentId,
    mode: &str,
    text: &str,
) -> Result<Vec<u8>, StepError> {
    Ok(key.seal(&draft_aad(conversation, agent, mode), text.as_bytes(), ctx.rng)?)
}

/// Opens a draft.
pub fn open_draft(
    key: &CustomerKey,
    conversation: ConversationId,
    agent: AgentId,
    mode: &str,
    sealed: &[u8],
) -> Result<String, StepError> {
    String::from_utf8(key.open(&draft_aad(conversation, agent, mode), sealed)?).map_err(|_| SealError::Format.into())
}

fn promise_aad(conversation: ConversationId, id: PromiseId) -> Vec<u8> {
    [conversation.as_bytes(), id.as_bytes(), b"promise" as &[u8]].concat()
}

/// Seals the sentence of a promise under the customer's key, bound to conversation and promise.
pub fn seal_promise(
    ctx: &Ctx<'_>,
    key: &CustomerKey,
    conversation: ConversationId,
    id: PromiseId,
    text: &str,
) -> Result<Vec<u8>, StepError> {
    Ok(key.seal(&promise_aad(conversation, id), text.as_bytes(), ctx.rng)?)
}

/// Opens the sentence of a promise.
pub fn open_promise(
    key: &CustomerKey,
    conversation: ConversationId,
    id: PromiseId,
    sealed: &[u8],
) -> Result<String, StepError> {
    String::from_utf8(key.open(&promise_aad(conversation, id), sealed)?).map_err(|_| SealError::Format.into())
}

fn reply_aad(conversation: ConversationId) -> [u8; 24] {
    let mut aad = [0; 24];
    aad[..16].copy_from_slice(conversation.as_bytes());
    aad[16..].copy_from_slice(b"reply_to");
    aad
}

/// The identity of a WebSocket, to which its session is bound: the account, and the connection's id at its gateway.
#[derive(Clone, Copy)]
pub struct Socket<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// The account.
    pub account: &'a AccountId,
    /// The connection.
    pub connection: &'a str,
}

impl Socket<'_> {
    fn aad(&self) -> String {
        // Neither the channel nor the account contains a slash.
        format!("{}/{}/{}", self.channel, self.account, self.connection)
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Session {
    sender: Sender,
    until: i64,
}

/// Seals the sender at the other end of a WebSocket, for the gateway to keep.
pub fn seal_session(ctx: &Ctx<'_>, socket: Socket<'_>, sender: &Sender, until: Timestamp) -> Result<Vec<u8>, StepError> {
    let session = json(&Session { sender: sender.clone(), until: until.millis() })?;
    Ok(ctx.keys.purpose(Purpose::Sockets).seal(socket.aad().as_bytes(), &session, ctx.rng)?)
}

/// Opens a session, unless its time is over.
pub fn open_session(ctx: &Ctx<'_>, socket: Socket<'_>, sealed: &[u8]) -> Option<Sender> {
    let plain = ctx.keys.purpose(Purpose::Sockets).open(socket.aad().as_bytes(), sealed).ok()?;
    let session: Session = from_json(&plain).ok()?;
    (ctx.now().millis() < session.until).then_some(session.sender)
}

/// Seals the place to which a message asked for replies, bound to its conversation.
pub fn seal_reply_to(
    ctx: &Ctx<'_>,
    key: &CustomerKey,
    conversation: ConversationId,
    value: &serde_json::Value,
) -> Result<Vec<u8>, StepError> {
    Ok(key.seal(&reply_aad(conversation), &json(value)?, ctx.rng)?)
}

/// Opens the place for replies.
pub fn open_reply_to(
    key: &CustomerKey,
    conversation: ConversationId,
    sealed: &[u8],
) -> Result<serde_json::Value, StepError> {
    from_json(&key.open(&reply_aad(conversation), sealed)?)
}

/// Seals a sender's names under the customer's key, bound to the identity.
pub fn seal_sender(ctx: &Ctx<'_>, key: &CustomerKey, identity: IdentityId, sender: &Sender) -> Result<Vec<u8>, StepError> {
    Ok(key.seal(identity.as_bytes(), &json(sender)?, ctx.rng)?)
}

/// Opens a sender's names.
pub fn open_sender(key: &CustomerKey, identity: IdentityId, sealed: &[u8]) -> Result<Sender, StepError> {
    from_json(&key.open(identity.as_bytes(), sealed)?)
}

/// A wrapped key, as the vault keeps it.
pub fn into_vault(wrapped: Wrapped) -> vault::Stored {
    vault::Stored { master: wrapped.master.as_bytes().to_vec(), wrapped: wrapped.sealed }
}

/// The reverse of [`into_vault`].
pub fn from_vault(stored: &vault::Stored) -> Result<Wrapped, SealError> {
    let master = KeyId::from_bytes(&stored.master).ok_or(SealError::Format)?;
    Ok(Wrapped { master, sealed: stored.wrapped.clone() })
}

/// A key that an earlier version stored with the customer. The master key that wraps the root key wraps it too.
pub fn unmoved(ctx: &Ctx<'_>, sealed: Vec<u8>) -> Wrapped {
    Wrapped { master: ctx.keys.root_master(), sealed }
}

/// A customer's data key.
///
/// # Errors
/// [`SealError::Erased`] if the key was destroyed. Otherwise the key does not open.
pub fn customer_key(ctx: &Ctx<'_>, id: CustomerId) -> Result<CustomerKey, StepError> {
    let wrapped = match vault::get(ctx.vault, id)? {
        Some(stored) => from_vault(&stored)?,
        None => unmoved(ctx, customers::unmoved_key(ctx.db, id)?.ok_or(SealError::Erased)?),
    };
    Ok(ctx.keys.key(id.as_bytes(), &wrapped)?)
}

/// Seals the name to which staff corrected a customer's name.
pub fn seal_corrected(ctx: &Ctx<'_>, key: &CustomerKey, id: CustomerId, name: &str) -> Result<Vec<u8>, StepError> {
    Ok(key.seal(&corrected_aad(id), name.as_bytes(), ctx.rng)?)
}

/// Opens the corrected name.
pub fn open_corrected(key: &CustomerKey, id: CustomerId, sealed: &[u8]) -> Result<String, StepError> {
    String::from_utf8(key.open(&corrected_aad(id), sealed)?).map_err(|_| SealError::Format.into())
}

fn corrected_aad(id: CustomerId) -> [u8; 20] {
    let mut aad = [0; 20];
    aad[..16].copy_from_slice(id.as_bytes());
    aad[16..].copy_from_slice(b"name");
    aad
}

/// A cache of the data keys of several customers. Each is opened once.
#[derive(Default)]
pub struct Keys(HashMap<CustomerId, Option<CustomerKey>>);

impl Keys {
    /// Reads the keys of several customers at once.
    ///
    /// # Errors
    /// The vault fails.
    pub fn read(&mut self, ctx: &Ctx<'_>, customers: &[CustomerId]) -> Result<(), StepError> {
        for (id, stored) in vault::get_many(ctx.vault, customers)? {
            let opened = from_vault(&stored).and_then(|wrapped| ctx.keys.key(id.as_bytes(), &wrapped));
            self.0.insert(id, opened.ok());
        }
        Ok(())
    }

    /// A customer's key; `None` if it does not open.
    pub fn of(&mut self, ctx: &Ctx<'_>, id: CustomerId) -> Option<&CustomerKey> {
        self.0.entry(id).or_insert_with(|| customer_key(ctx, id).ok()).as_ref()
    }
}

/// An account's secrets by name.
pub type Secrets = BTreeMap<String, String>;

fn account_aad(channel: &Channel, account: &AccountId) -> String {
    format!("{channel}/{account}")
}

/// Seals an account's secrets.
pub fn seal_secrets(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId, secrets: &Secrets) -> Result<Vec<u8>, StepError> {
    let key = ctx.keys.purpose(Purpose::Accounts);
    Ok(key.seal(account_aad(channel, account).as_bytes(), &json(secrets)?, ctx.rng)?)
}

/// Opens an account's secrets.
pub fn open_secrets(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId, sealed: &[u8]) -> Result<Secrets, StepError> {
    from_json(&ctx.keys.purpose(Purpose::Accounts).open(account_aad(channel, account).as_bytes(), sealed)?)
}

/// Seals a staff member's name.
pub fn seal_name(ctx: &Ctx<'_>, agent: AgentId, name: &str) -> Result<Vec<u8>, StepError> {
    Ok(ctx.keys.purpose(Purpose::Staff).seal(agent.as_bytes(), name.as_bytes(), ctx.rng)?)
}

/// Opens a staff member's name.
pub fn open_name(ctx: &Ctx<'_>, agent: AgentId, sealed: &[u8]) -> Result<String, StepError> {
    let plain = ctx.keys.purpose(Purpose::Staff).open(agent.as_bytes(), sealed)?;
    String::from_utf8(plain).map_err(|_| SealError::Format.into())
}
