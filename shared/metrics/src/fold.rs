//! The samples that an event adds to the figures.

use warmline_model::{Delivery, EventBody, Origin};

/// One thing counted or measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Formula id. The number after the last dot rises when the meaning changes.
    pub figure: &'static str,
    /// The channel; empty if the event has none.
    pub channel: String,
    /// A duration in milliseconds; `None` for a plain count.
    pub millis: Option<i64>,
}

/// Formula ids of durations, with their meanings.
pub const DURATIONS: [(&str, &str); 5] = [
    ("frt.human.v1", "first message of the customer to first human reply"),
    ("art.round.v1", "first unanswered message of the customer to the human reply"),
    ("wait.queue.v1", "entering the queue to being assigned to an agent"),
    ("wait.accept.v1", "being assigned to being accepted"),
    ("delivery.time.v1", "handing a reply over to the platform's taking it"),
];

/// Formula ids of plain counts, with their meanings.
pub const COUNTS: [(&str, &str); 14] = [
    ("conversations.opened.v1", "conversations opened"),
    ("conversations.assigned.v1", "assignments to an agent"),
    ("conversations.ai.v1", "assignments to an AI seat"),
    ("conversations.handed_over.v1", "conversations that an AI seat handed over to people"),
    ("conversations.queued.v1", "entries into a queue"),
    ("conversations.closed.v1", "conversations closed"),
    ("messages.in.v1", "messages of customers stored"),
    ("messages.out.v1", "messages to customers stored"),
    ("delivery.sent.v1", "messages that the platform took"),
    ("delivery.failed.v1", "tries that failed and were repeated"),
    ("delivery.in_doubt.v1", "tries whose outcome is unknown"),
    ("delivery.dead.v1", "messages given up"),
    ("inbox.parked.v1", "webhooks set aside"),
    ("seal.broken.v1", "sealed values found altered"),
];

/// The samples of an event. Empty for kinds that no figure uses.
pub fn fold(event: &EventBody) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut count = |figure, channel: &str| samples.push(Sample { figure, channel: channel.to_owned(), millis: None });
    match event {
        EventBody::ConversationOpened { channel, .. } => count("conversations.opened.v1", channel.as_str()),
        EventBody::MessageReceived { channel, .. } => count("messages.in.v1", channel.as_str()),
        EventBody::ConversationQueued { .. } => count("conversations.queued.v1", ""),
        // Nobody waits for an AI seat, and it does not count as an agent.
        EventBody::ConversationAssigned { ai: true, .. } => count("conversations.ai.v1", ""),
        EventBody::ConversationAssigned { waited_ms, .. } => {
            count("conversations.assigned.v1", "");
            samples.push(Sample { figure: "wait.queue.v1", channel: String::new(), millis: Some(*waited_ms) });
        }
        EventBody::ConversationAccepted { waited_ms, .. } => {
            samples.push(Sample { figure: "wait.accept.v1", channel: String::new(), millis: Some(*waited_ms) });
        }
        EventBody::MessageSent { channel, from, first_response_ms, response_ms, .. } => {
            count("messages.out.v1", channel.as_str());
            // Bots and notices never count as human answers, whatever the event says.
            let human = *from == Origin::Agent;
            for (figure, millis) in [("frt.human.v1", first_response_ms), ("art.round.v1", response_ms)] {
                if let (true, Some(ms)) = (human, millis) {
                    samples.push(Sample { figure, channel: channel.as_str().to_owned(), millis: Some(*ms) });
                }
            }
        }
        EventBody::Delivery(Delivery::Sent { channel, took_ms, .. }) => {
            count("delivery.sent.v1", channel.as_str());
            samples.push(Sample {
                figure: "delivery.time.v1",
                channel: channel.as_str().to_owned(),
                millis: Some(*took_ms),
            });
        }
        EventBody::Delivery(Delivery::Failed { channel, .. }) => count("delivery.failed.v1", channel.as_str()),
        EventBody::Delivery(Delivery::InDoubt { channel, .. }) => count("delivery.in_doubt.v1", channel.as_str()),
        EventBody::Delivery(Delivery::Dead { channel, .. }) => count("delivery.dead.v1", channel.as_str()),
        EventBody::ConversationClosed { .. } => count("conversations.closed.v1", ""),
        EventBody::InboxParked { channel, .. } => count("inbox.parked.v1", channel.as_str()),
        EventBody::SealBroken { .. } => count("seal.broken.v1", ""),
        EventBody::ConversationHandedOver { .. } => count("conversations.handed_over.v1", ""),
        // A capability declares the counts of its own events itself: see `warmline_model::Figure`.
        EventBody::QualityAlert { .. }
        | EventBody::CustomerMerged { .. }
        | EventBody::CustomerErased { .. }
        | EventBody::CustomerUnmerged { .. }
        | EventBody::CaseLinked { .. }
        | EventBody::CaseSplit { .. }
        | EventBody::ConversationTransferred { .. }
        | EventBody::ConversationConsulted { .. }
        | EventBody::RoutingDecided(_)
        | EventBody::RoutingPlan { .. }
        | EventBody::AgentProfile(_)
        | EventBody::AgentRemoved { .. }
        | EventBody::AgentWeights { .. }
        | EventBody::ConversationWrapUp { .. }
        | EventBody::CapacityReleased { .. }
        | EventBody::AgentState { .. }
        | EventBody::Unknown { .. } => {}
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use warmline_model::{Channel, MessageId};

    #[test]
    fn a_bots_reply_is_no_human_answer() {
        let reply = |from| EventBody::MessageSent {
            message: MessageId::from_bytes(&[1; 16]).unwrap(),
            n: 2,
            channel: Channel::new("app").unwrap(),
            from,
            agent: None,
            first_response_ms: Some(10),
            response_ms: Some(10),
        };
        assert_eq!(fold(&reply(Origin::Agent)).len(), 3);
        assert_eq!(fold(&reply(Origin::Bot)).len(), 1);
    }
}
