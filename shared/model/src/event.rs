//! The event log: append-only, ordered, typed and versioned. Quality and metrics are folded from it, so every event carries
//! its own time and the durations that were known when it happened. It holds ids and figures, never personal data.

use crate::agent::AgentState;
use crate::channel::{AccountId, Channel, GroupId};
use crate::content::Origin;
use crate::identifier::IdentifierKind;
use crate::ids::{AgentId, CaseId, ConversationId, CustomerId, ErasureId, IdentityId, MergeId, MessageId};
use crate::seat::{Lane, Profile};
use crate::time::Timestamp;
use crate::units::Units;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version in which new events are written. A change of meaning raises it. Readers know all versions up to theirs.
pub const EVENT_VERSION: i64 = 1;

/// One entry of the log, as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The position in the log. Positions rise strictly, and none is filled in behind a reader.
    pub seq: i64,
    /// The time at which it happened.
    pub at: Timestamp,
    /// Version of the event's meaning.
    pub v: i64,
    /// The conversation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// The event: `type` and `data`.
    #[serde(flatten)]
    pub body: EventBody,
}

/// The reason why a conversation went back to its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequeueReason {
    /// The agent did not accept in time.
    AcceptTimeout,
    /// The agent went offline before accepting.
    AgentOffline,
    /// The agent was lost and did not come back in time.
    AgentLost,
}

/// A person's work on a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Work {
    /// The group for which it was done.
    pub group: GroupId,
    /// Milliseconds in the person's hands, after-contact work included.
    pub ms: i64,
    /// The units of the person's capacity that it took meanwhile.
    pub units: Units,
}

/// The kinds of events. The JSON form is `{"type": "message.received", "data": {…}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum EventBody {
    /// A customer wrote for the first time, or again after the last conversation was closed.
    #[serde(rename = "conversation.opened")]
    ConversationOpened {
        /// The channel.
        channel: Channel,
        /// The brand's account.
        account: AccountId,
        /// The customer.
        customer: CustomerId,
    },
    /// Two customers were found to be one person. No messages move.
    #[serde(rename = "customer.merged")]
    CustomerMerged {
        /// The merge.
        merge: MergeId,
        /// The customer who stands for the person from now on: the older one.
        into: CustomerId,
        /// The customer who stood for the other side until now.
        from: CustomerId,
        /// The kind of identifier that both have; `null` if a member of staff made the merge.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<IdentifierKind>,
        /// The member of staff.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
    },
    /// A merge was undone.
    #[serde(rename = "customer.unmerged")]
    CustomerUnmerged {
        /// The merge.
        merge: MergeId,
        /// The customer who stands for the one part now.
        one: CustomerId,
        /// The customer who stands for the other part now.
        other: CustomerId,
        /// The member of staff.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
    },
    /// A person was erased: all of their keys are destroyed.
    #[serde(rename = "customer.erased")]
    CustomerErased {
        /// The erasure.
        erasure: ErasureId,
        /// The customer id under which the person was known.
        customer: CustomerId,
        /// Messages that were deleted.
        messages: i64,
    },
    /// A conversation continues an existing case.
    #[serde(rename = "case.linked")]
    CaseLinked {
        /// The case.
        case: CaseId,
        /// The case that it was in until now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<CaseId>,
        /// The member of staff who decided so; `null`: the rules, or the administrator.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
    },
    /// A conversation became a case of its own.
    #[serde(rename = "case.split")]
    CaseSplit {
        /// The new case.
        case: CaseId,
        /// The case that it was in until now.
        from: CaseId,
        /// The member of staff who decided so; `null`: the rules, or the administrator.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
    },
    /// A message of the customer was stored.
    #[serde(rename = "message.received")]
    MessageReceived {
        /// The message.
        message: MessageId,
        /// Its number in the conversation, from 1.
        n: i64,
        /// The channel.
        channel: Channel,
        /// The content's kind.
        kind: String,
        /// The time at which the webhook was committed to the inbox. `at` is the time at which the message was stored in
        /// its conversation.
        received_at: Timestamp,
    },
    /// The conversation waits in a group's queue.
    #[serde(rename = "conversation.queued")]
    ConversationQueued {
        /// The group.
        group: GroupId,
        /// Head start in the queue, in minutes.
        priority: i64,
        /// The lane that it stands in.
        lane: Lane,
        /// The place in the queue: the instant of entry less the head start, in milliseconds.
        rank: i64,
        /// The time at which it first entered a queue.
        entered: Timestamp,
        /// The estimated wait that the customer was told, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        estimate_ms: Option<i64>,
        /// The reason why it came back from an agent, if it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requeued: Option<RequeueReason>,
    },
    /// An agent got the conversation, and its cost was claimed from the agent's capacity.
    #[serde(rename = "conversation.assigned")]
    ConversationAssigned {
        /// The group it was assigned for.
        group: GroupId,
        /// The agent.
        agent: AgentId,
        /// The channel.
        channel: Channel,
        /// The units that were claimed.
        units: Units,
        /// The agent's load after the claim.
        load: Units,
        /// The agent's capacity.
        capacity: Units,
        /// Milliseconds from entering the queue to the assignment.
        waited_ms: i64,
        /// The rule that chose the group, and the reason for this agent.
        why: String,
        /// Whether it is an AI seat.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ai: bool,
    },
    /// The agent accepted.
    #[serde(rename = "conversation.accepted")]
    ConversationAccepted {
        /// The agent.
        agent: AgentId,
        /// Milliseconds from assignment to acceptance.
        waited_ms: i64,
    },
    /// The cost of a conversation was given back to an agent's capacity. It follows every event that ends an assignment.
    #[serde(rename = "capacity.released")]
    CapacityReleased {
        /// The agent.
        agent: AgentId,
        /// The agent's load afterwards.
        load: Units,
        /// The work on it, if a person had accepted it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        work: Option<Work>,
    },
    /// A message to the customer was stored and handed to the outbox.
    #[serde(rename = "message.sent")]
    MessageSent {
        /// The message.
        message: MessageId,
        /// Its number in the conversation.
        n: i64,
        /// The channel.
        channel: Channel,
        /// The author.
        from: Origin,
        /// The agent, if a human wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
        /// `frt.human.v1`, in milliseconds: from the customer's first message to the first human reply. Present only on
        /// that reply.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_response_ms: Option<i64>,
        /// `art.round.v1`, in milliseconds: from the customer's first unanswered message to this human reply.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        response_ms: Option<i64>,
    },
    /// The conversation was handed to another agent or group.
    #[serde(rename = "conversation.transferred")]
    ConversationTransferred {
        /// The agent it left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<AgentId>,
        /// The agent it goes to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_agent: Option<AgentId>,
        /// The group it goes to.
        group: GroupId,
        /// Whether a note was left (the note itself is in the conversation).
        note: bool,
    },
    /// An AI seat handed the conversation over to people.
    #[serde(rename = "conversation.handed_over")]
    ConversationHandedOver {
        /// The AI seat.
        from: AgentId,
        /// The reason: `asked`, `word`, `vip`, `anger`, `low_confidence`, `failed_turns`, `unavailable`.
        reason: String,
    },
    /// A colleague was asked about the conversation. It stays with its agent.
    #[serde(rename = "conversation.consulted")]
    ConversationConsulted {
        /// The colleague.
        agent: AgentId,
        /// The member of staff who asked; `null`: the administrator.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<AgentId>,
    },
    /// The talk is over. The after-contact work begins.
    #[serde(rename = "conversation.wrap_up")]
    ConversationWrapUp {
        /// The agent.
        agent: AgentId,
        /// The time at which it ends by itself.
        until: Timestamp,
    },
    /// The conversation is over.
    #[serde(rename = "conversation.closed")]
    ConversationClosed {
        /// The agent who held it last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
        /// The group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<GroupId>,
        /// The way in which it ended, by the brand's own list.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        disposition: Option<String>,
        /// The milliseconds for which agents held it.
        handle_ms: i64,
        /// Messages in it.
        messages: i64,
    },
    /// An agent's presence changed.
    #[serde(rename = "agent.state")]
    AgentState {
        /// The agent.
        agent: AgentId,
        /// The state before.
        from: AgentState,
        /// The state after.
        to: AgentState,
        /// The reason, as a code: `accept_timeout`, or one that the agent gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A decision of the router, with all that it saw: `warmline_routing::Entry`. Its effect follows as an event of its own.
    #[serde(rename = "routing.decided")]
    RoutingDecided(serde_json::Value),
    /// Another routing plan is in force.
    #[serde(rename = "routing.plan")]
    RoutingPlan {
        /// Its version.
        version: i64,
        /// The plan: `warmline_routing::Plan`.
        plan: serde_json::Value,
    },
    /// An agent's profile, logged when the agent is added and when it changes.
    #[serde(rename = "agent.profile")]
    AgentProfile(Profile),
    /// An agent was removed.
    #[serde(rename = "agent.removed")]
    AgentRemoved {
        /// The agent.
        agent: AgentId,
    },
    /// Staffing moved an agent between the groups that the agent serves.
    #[serde(rename = "agent.weights")]
    AgentWeights {
        /// The agent.
        agent: AgentId,
        /// Minutes by which the contacts of a group come earlier for this agent; groups that are not named are at 0.
        minutes: BTreeMap<GroupId, i64>,
    },
    /// A message contains words that a supervisor wants to know about.
    #[serde(rename = "quality.alert")]
    QualityAlert {
        /// The message.
        message: MessageId,
        /// The author.
        from: Origin,
        /// The words found, as the brand's list spells them (never the customer's own text).
        words: Vec<String>,
        /// The highest severity among them: 1 (note) to 3 (act now).
        severity: i64,
    },
    /// A sealed value of a customer does not open although the customer's key does: it was altered. There is one event for
    /// each value.
    #[serde(rename = "seal.broken")]
    SealBroken {
        /// The kind of value: `message`, `name`, `archive` (a pack of messages of the conversation).
        field: String,
        /// The customer.
        customer: CustomerId,
        /// The message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<MessageId>,
        /// The identity, if the value is its names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<IdentityId>,
    },
    /// A webhook's payload was accepted and could not be handled. It is kept sealed in the inbox for inspection.
    #[serde(rename = "inbox.parked")]
    InboxParked {
        /// The inbox row.
        inbox: i64,
        /// The channel.
        channel: Channel,
        /// Stable code of the reason.
        reason: String,
    },
    /// The progress of a reply's delivery.
    #[serde(untagged)]
    Delivery(Delivery),
    /// A kind that this version does not know. A newer version wrote it.
    #[serde(untagged)]
    Unknown {
        /// The event's type.
        #[serde(rename = "type")]
        kind: String,
        /// The event's data.
        #[serde(default)]
        data: serde_json::Value,
    },
}

/// The progress of a reply's delivery to the customer. It is a type of its own so that adapters, which append nothing else,
/// link nothing else. All events would take 20 kB in each of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum Delivery {
    /// The platform accepted a message.
    #[serde(rename = "delivery.sent")]
    Sent {
        /// The message.
        message: MessageId,
        /// The channel.
        channel: Channel,
        /// Tries made, this one included.
        attempts: i64,
        /// Milliseconds since it was added to the outbox.
        took_ms: i64,
    },
    /// A try failed. Another one follows.
    #[serde(rename = "delivery.failed")]
    Failed {
        /// The message.
        message: MessageId,
        /// The channel.
        channel: Channel,
        /// Tries made.
        attempts: i64,
        /// Stable code of the reason.
        reason: String,
        /// The time of the next try.
        retry_at: Timestamp,
    },
    /// A try's outcome is unknown, because the process or the connection ended while the platform had it. The message may
    /// reach the customer twice: the platform offers no idempotency, and losing a reply is worse.
    #[serde(rename = "delivery.in_doubt")]
    InDoubt {
        /// The message.
        message: MessageId,
        /// The channel.
        channel: Channel,
        /// Tries made.
        attempts: i64,
    },
    /// The message was given up.
    #[serde(rename = "delivery.dead")]
    Dead {
        /// The message.
        message: MessageId,
        /// The channel.
        channel: Channel,
        /// Tries made.
        attempts: i64,
        /// Stable code of the reason.
        reason: String,
    },
}

impl From<Delivery> for EventBody {
    fn from(delivery: Delivery) -> Self {
        Self::Delivery(delivery)
    }
}

/// The value of `type`, and the value of `data` as JSON text, of an [`EventBody`] or a part of it.
///
/// # Errors
/// `data` is missing or cannot be written as JSON. No event here can cause this.
pub fn to_columns<B: Serialize>(body: &B) -> Result<(String, String), serde_json::Error> {
    let text = serde_json::to_string(body)?;
    // A parser would find the same, but every adapter would have to contain it.
    let columns = text.strip_prefix(r#"{"type":""#).and_then(|rest| rest.strip_suffix('}'));
    let columns = columns.and_then(|rest| rest.split_once(r#"","data":"#)).filter(|(kind, _)| !kind.contains('\\'));
    let (kind, data) = columns.ok_or_else(|| serde::ser::Error::custom("an event is its type and its data"))?;
    Ok((kind.to_owned(), data.to_owned()))
}

impl EventBody {
    /// Reads the columns that [`to_columns`] wrote.
    ///
    /// # Errors
    /// `data` is not JSON.
    pub fn from_columns(kind: &str, data: &str) -> Result<Self, serde_json::Error> {
        // A decision holds hundreds of verdicts, so its text is read only once.
        if kind == "routing.decided" {
            return Ok(Self::RoutingDecided(serde_json::from_str(data)?));
        }
        let text = format!(r#"{{"type":{},"data":{data}}}"#, serde_json::to_string(kind)?);
        if kind.starts_with("delivery.") {
            // This does not try all other kinds first. A newer kind of delivery becomes `Unknown`.
            if let Ok(delivery) = serde_json::from_str(&text) {
                return Ok(Self::Delivery(delivery));
            }
        }
        serde_json::from_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_documented_shape() {
        let event = Event {
            seq: 1,
            at: Timestamp::from_millis(0),
            v: EVENT_VERSION,
            conversation: None,
            body: EventBody::InboxParked {
                inbox: 7,
                channel: Channel::new("wechat").unwrap(),
                reason: "payload_unreadable".into(),
            },
        };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["type"], "inbox.parked");
        assert_eq!(json["data"]["inbox"], 7);
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
    }

    #[test]
    fn columns_round_trip_and_unknown_types_survive() {
        let body = EventBody::AgentState {
            agent: AgentId::from_bytes(&[1; 16]).unwrap(),
            from: AgentState::Offline,
            to: AgentState::WrapUp,
            reason: None,
        };
        let (kind, data) = to_columns(&body).unwrap();
        assert_eq!(kind, "agent.state");
        assert_eq!(EventBody::from_columns(&kind, &data).unwrap(), body);
        let sent = Delivery::Sent {
            message: MessageId::from_bytes(&[2; 16]).unwrap(),
            channel: Channel::new("app").unwrap(),
            attempts: 1,
            took_ms: 5,
        };
        let (kind, data) = to_columns(&sent).unwrap();
        assert_eq!(to_columns(&EventBody::from(sent.clone())).unwrap(), (kind.clone(), data.clone()));
        assert_eq!(EventBody::from_columns(&kind, &data).unwrap(), EventBody::from(sent));
        let newer = EventBody::from_columns("conversation.merged", "{\"a\":1}").unwrap();
        assert!(matches!(newer, EventBody::Unknown { ref kind, .. } if kind == "conversation.merged"));
        assert_eq!(to_columns(&newer).unwrap(), ("conversation.merged".to_owned(), "{\"a\":1}".to_owned()));
    }
}
