//! Stored values as the API shows them.

use crate::account_health::AccountState;
use crate::media;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use warmline_kernel::{Ctx, StepError, sealed};
use warmline_model::{
    AccountId, AgentId, AgentState, CaseId, Channel, Content, ConversationId, ConversationState, CustomerId, DeliveryState,
    GroupId, MessageId, Origin, Role, Timestamp, Units,
};
use warmline_privacy::CustomerKey;
use warmline_store::agents;
use warmline_store::archive::Stage;
use warmline_store::conversations::Conversation;
use warmline_store::messages::Message;
use warmline_store::outbox;
use warmline_transport::accounts;

/// A page of a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins: pass it as `after`. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page from a list with one item more than fits: the extra item shows that there is a next page.
    pub fn cut(mut items: Vec<T>, limit: i64, cursor: impl FnOnce(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }
}

/// The customer of a conversation.
#[derive(Serialize, JsonSchema)]
pub struct CustomerRef {
    /// Id.
    pub id: CustomerId,
    /// Name, where the channel tells it, masked. Only when a single conversation is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A conversation.
#[derive(Serialize, JsonSchema)]
pub struct ConversationView {
    /// Id.
    pub id: ConversationId,
    /// Channel.
    pub channel: Channel,
    /// The brand's account.
    pub account: AccountId,
    /// State.
    pub state: ConversationState,
    /// Skill group.
    pub group: Option<GroupId>,
    /// The agent who holds or held it.
    pub agent: Option<AgentId>,
    /// Whether that is an AI seat.
    pub ai: bool,
    /// What it takes of the agent's capacity.
    pub units: Units,
    /// The customer.
    pub customer: CustomerRef,
    /// The case: this person's conversations on one matter.
    pub case: CaseId,
    /// Whether the customer was a VIP when it was opened.
    pub vip: bool,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When the last message of either side was stored.
    pub last_message_at: Timestamp,
    /// When it entered its present or last queue.
    pub queued_at: Option<Timestamp>,
    /// When the agent was given it.
    pub assigned_at: Option<Timestamp>,
    /// When the agent accepted it.
    pub accepted_at: Option<Timestamp>,
    /// The first message of the customer that no human has answered yet.
    pub unanswered_since: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// How it ended.
    pub disposition: Option<String>,
    /// Number of messages.
    pub message_count: i64,
    /// Why it is where it is: the rule that chose the group, and why this agent.
    pub why: Option<String>,
}

impl From<Conversation> for ConversationView {
    fn from(c: Conversation) -> Self {
        Self {
            id: c.id,
            channel: c.channel,
            account: c.account,
            state: c.state,
            group: c.group,
            agent: c.agent,
            ai: c.ai,
            units: c.units,
            customer: CustomerRef { id: c.person, name: None },
            case: c.case,
            vip: c.vip,
            opened_at: c.opened_at,
            last_message_at: c.last_message_at,
            queued_at: c.queued_at,
            assigned_at: c.assigned_at,
            accepted_at: c.accepted_at,
            unanswered_since: c.round_started_at,
            closed_at: c.closed_at,
            disposition: c.disposition,
            message_count: c.messages,
            why: c.why,
        }
    }
}

/// Where a conversation's messages are.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// At hand.
    Hot,
    /// In the archive: read the same, only slower.
    Archived,
    /// Gone: the time for which they are kept is over, or the customer was erased.
    Gone,
}

impl From<Stage> for Kept {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Rows => Self::Hot,
            Stage::Packs => Self::Archived,
            Stage::Gone => Self::Gone,
        }
    }
}

/// A conversation with the beginning of its messages.
#[derive(Serialize, JsonSchema)]
pub struct ConversationDetail {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: ConversationView,
    /// Where its messages are.
    pub kept: Kept,
    /// Its first messages; the rest is at `/messages?after=<next>`.
    pub messages: Vec<MessageView>,
    /// Where the rest begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Where an outgoing message stands.
#[derive(Serialize, JsonSchema)]
pub struct DeliveryView {
    /// State.
    pub state: DeliveryState,
    /// Why, as a stable code: why it was given up, why the last try failed, or why the account's platform takes nothing now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it is tried next, where the last try failed or the account's platform takes nothing now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

/// `in` from the customer, `out` to the customer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the customer.
    In,
    /// To the customer.
    Out,
}

/// A message.
#[derive(Serialize, JsonSchema)]
pub struct MessageView {
    /// Id.
    pub id: MessageId,
    /// Number in the conversation, from 1.
    pub n: i64,
    /// Direction.
    pub direction: Direction,
    /// Who speaks.
    pub from: Origin,
    /// The agent, where one wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// What it says; `null` where it can no longer be opened.
    pub content: Option<Content>,
    /// Where the bytes of its picture, voice, film or file can be fetched; the platform keeps them for some days only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// When it was received or written.
    pub at: Timestamp,
    /// Where it stands on its way to the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryView>,
}

/// Opens messages of one customer. A message that does not open (altered, erased) is shown without content and hides no
/// other.
///
/// # Errors
/// The store fails, or the customer's key does not open.
pub fn messages(ctx: &Ctx<'_>, customer: CustomerId, stored: &[Message]) -> Result<Vec<MessageView>, StepError> {
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    let key = sealed::customer_key(ctx, customer)?;
    let mut shown: Vec<MessageView> = stored.iter().map(|m| message(Some(&key), m)).collect();
    waiting(ctx, stored, &mut shown)?;
    Ok(shown)
}

/// Adds the time of the next try, and the reason for waiting, to messages that wait for delivery.
fn waiting(ctx: &Ctx<'_>, stored: &[Message], shown: &mut [MessageView]) -> Result<(), StepError> {
    let on_the_way = |m: &&Message| matches!(m.delivery, Some(DeliveryState::Pending | DeliveryState::Failed));
    let conversations: BTreeSet<ConversationId> = stored.iter().filter(on_the_way).map(|m| m.conversation).collect();
    for conversation in conversations {
        for row in outbox::standing(ctx.db, conversation)? {
            let is_it = |m: &Message| m.conversation == conversation && m.n == row.n;
            let Some(view) = stored.iter().position(is_it).and_then(|i| shown.get_mut(i)) else { continue };
            let Some(delivery) = &mut view.delivery else { continue };
            if row.outage.is_some() || matches!(delivery.state, DeliveryState::Failed) {
                delivery.retry_at = Some(row.next_at);
            }
            delivery.reason = delivery.reason.take().or(row.outage);
        }
    }
    Ok(())
}

/// Opens a message.
pub fn message(key: Option<&CustomerKey>, m: &Message) -> MessageView {
    let content = key.and_then(|key| sealed::open_content(key, m).ok());
    MessageView {
        id: m.id,
        n: m.n,
        direction: if m.origin == Origin::Customer { Direction::In } else { Direction::Out },
        from: m.origin,
        agent: m.agent,
        media: content.as_ref().and_then(Content::media).map(|_| media::address(m.conversation, m.n)),
        content,
        at: m.at,
        delivery: m.delivery.map(|state| DeliveryView { state, reason: m.reason.clone(), retry_at: None }),
    }
}

/// A member of staff.
#[derive(Serialize, JsonSchema)]
pub struct AgentView {
    /// Id.
    pub id: AgentId,
    /// Name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Presence.
    pub state: AgentState,
    /// Why the agent is in that state.
    pub state_reason: Option<String>,
    /// Since when.
    pub state_since: Timestamp,
    /// Groups.
    pub groups: Vec<GroupId>,
    /// The level in each of them.
    pub levels: BTreeMap<GroupId, u8>,
    /// Minutes by which a group's contacts come earlier for the agent, where staffing moved it.
    pub weights: BTreeMap<GroupId, i64>,
    /// Whether it is an AI seat.
    pub ai: bool,
    /// Serves VIP customers only.
    pub vip: bool,
    /// Capacity, in units.
    pub capacity: Units,
    /// Capacity in use.
    pub load: Units,
    /// Skills and levels.
    pub skills: BTreeMap<String, u8>,
    /// The most conversations at once, by channel.
    pub caps: BTreeMap<Channel, i64>,
}

/// Shows an agent.
///
/// # Errors
/// The store fails, or the name does not open.
pub fn agent(ctx: &Ctx<'_>, stored: agents::Agent) -> Result<AgentView, StepError> {
    let groups = agents::groups_of(ctx.db, stored.id)?;
    Ok(AgentView {
        id: stored.id,
        name: sealed::open_name(ctx, stored.id, &stored.name)?,
        role: stored.role,
        state: stored.state,
        state_reason: stored.state_reason,
        state_since: stored.state_since,
        levels: groups.iter().map(|m| (m.group.clone(), m.level)).collect(),
        weights: groups.iter().filter(|m| m.weight != 0).map(|m| (m.group.clone(), m.weight)).collect(),
        groups: groups.into_iter().map(|m| m.group).collect(),
        ai: stored.ai,
        vip: stored.vip,
        capacity: stored.capacity,
        load: stored.load,
        skills: stored.can.skills,
        caps: stored.can.caps,
    })
}

/// A channel account. Secrets are never shown, only which ones are set.
#[derive(Serialize, JsonSchema)]
pub struct AccountView {
    /// Channel.
    pub channel: Channel,
    /// Id on the channel.
    pub account: AccountId,
    /// The brand's name for it.
    pub name: String,
    /// Settings.
    pub settings: Value,
    /// Names of the secrets that are set.
    pub secrets: Vec<String>,
    /// Where the platform sends its webhooks, below the public address.
    pub webhook: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it takes and sends messages.
    pub state: AccountState,
    /// Since when it is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
}

impl From<accounts::Account> for AccountView {
    fn from(a: accounts::Account) -> Self {
        Self {
            state: AccountState::of(a.standing.disabled_at),
            disabled_at: a.standing.disabled_at,
            webhook: format!("/channels/{}/{}", a.channel, a.account),
            channel: a.channel,
            account: a.account,
            name: a.name,
            settings: a.settings,
            secrets: a.secrets.into_keys().collect(),
            created_at: a.created_at,
        }
    }
}
