//! The customers' consent. A record is never changed; a withdrawal is another record. The newest record of a purpose
//! counts, whichever of the person's customers made it.
//!
//! A customer withdraws the purpose `messages-<channel>` by saying STOP, 退订 or the like. A platform's report that they
//! unsubscribed has the same effect. The record is stored in the transaction that stores the message, before any reply.
//! From then on nothing automatic is sent on that channel: no greeting, no waiting text, no AI seat's answer. Agents
//! may still answer the customer's messages.

use crate::audit::{self, Action, Subject};
use crate::ctx::{Actor, Ctx, StepError};
use std::collections::BTreeMap;
use warmline_language::optout;
use warmline_model::{Channel, Content, CustomerId, MessageId};
use warmline_store::consents::{self, Consent};
use warmline_store::customers;

/// The version that is noted for a choice made by a carrier's word or by a platform's event.
const CARRIERS: &str = "carrier";

/// A customer's choice about automatic messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// True: the customer wants messages again. False: the customer wants no more.
    pub given: bool,
    /// The word from the list, or the platform's event.
    pub wording: String,
}

/// The purpose that stands for messages on a channel.
pub fn messages_on(channel: &Channel) -> String {
    format!("messages-{channel}")
}

/// The choice that a message makes: by the platform's own event, or by its whole text on the channels where such words
/// count.
pub fn choice(channel: &Channel, content: &Content) -> Option<Choice> {
    match content {
        Content::Event { event, data, .. } => {
            // Twilio's 21610: the carrier did not deliver to this number, because its owner had said STOP.
            let refused = data.get("ErrorCode").and_then(|code| code.as_str()) == Some("21610");
            let given = match event.as_str() {
                "opt_out" | "unsubscribe" | "unfollow" | "group_unsubscribe" | "unsubscribed" | "spamreport"
                | "complained" | "complaint" => false,
                "opt_in" | "subscribe" | "follow" | "group_resubscribe" => true,
                _ if refused => false,
                _ => return None,
            };
            Some(Choice { given, wording: event.clone() })
        }
        // On other channels 退订 may mean cancelling a delivery, so a person has to read it.
        Content::Text { text, .. } => {
            let said = match channel.as_str() {
                "sms" => optout::text_message(text),
                "email" => optout::mail(text),
                _ => None,
            };
            said.map(|said| Choice { given: said.given, wording: said.wording.to_owned() })
        }
        _ => None,
    }
}

/// Whether a person has withdrawn from automatic messages on a channel.
pub fn refuses(ctx: &Ctx<'_>, person: CustomerId, channel: &Channel) -> Result<bool, StepError> {
    Ok(consents::of_person(ctx.db, person, &messages_on(channel))? == Some(false))
}

/// The customer who made a choice, and the message in which it was made.
#[derive(Clone, Copy)]
pub struct Chooser<'a> {
    /// The person.
    pub person: CustomerId,
    /// The customer record through which the person made it.
    pub customer: CustomerId,
    /// The channel.
    pub channel: &'a Channel,
    /// The message, if the choice was made in one.
    pub message: Option<MessageId>,
}

/// Notes a customer's choice if it changes what applies now. Runs in the transaction that stores the message.
pub fn chosen(ctx: &Ctx<'_>, by: Chooser<'_>, choice: Choice) -> Result<(), StepError> {
    if refuses(ctx, by.person, by.channel)? != choice.given {
        return Ok(());
    }
    let new = Consent {
        seq: 0,
        customer: by.customer,
        purpose: messages_on(by.channel),
        version: CARRIERS.to_owned(),
        given: choice.given,
        source: by.channel.to_string(),
        by: None,
        wording: Some(choice.wording),
        message: by.message,
        at: ctx.now(),
    };
    Ok(consents::append(ctx.db, &new)?)
}

/// A statement about consent.
pub struct Said<'a> {
    /// The purpose, as a code of the brand's list.
    pub purpose: &'a str,
    /// The version of the text agreed to.
    pub version: &'a str,
    /// Whether consent was given; otherwise it was withdrawn.
    pub given: bool,
    /// The place where it was made: a channel, or `staff`.
    pub source: &'a str,
}

/// Appends a record of a customer's statement.
///
/// # Errors
/// There is no such customer.
pub fn note(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, said: &Said<'_>) -> Result<(), StepError> {
    let new = Consent {
        seq: 0,
        customer,
        purpose: said.purpose.to_owned(),
        version: said.version.to_owned(),
        given: said.given,
        source: said.source.to_owned(),
        by: actor.agent,
        wording: None,
        message: None,
        at: ctx.now(),
    };
    consents::append(ctx.db, &new)?;
    let action = if said.given { Action::GiveConsent } else { Action::WithdrawConsent };
    audit::append(ctx, actor, action, Subject { customer: Some(customer), reason: Some(said.purpose), ..Subject::default() })
}

/// The newest record of each purpose that the person has a record of.
pub fn standing(ctx: &Ctx<'_>, person: CustomerId) -> Result<Vec<Consent>, StepError> {
    let mut newest: BTreeMap<String, Consent> = BTreeMap::new();
    for member in customers::members(ctx.db, person)? {
        for record in consents::standing(ctx.db, member.id)? {
            if newest.get(&record.purpose).is_none_or(|other| other.seq < record.seq) {
                newest.insert(record.purpose.clone(), record);
            }
        }
    }
    Ok(newest.into_values().collect())
}

/// A person's records before a position, newest first.
pub fn before(ctx: &Ctx<'_>, person: CustomerId, seq: i64, limit: i64) -> Result<Vec<Consent>, StepError> {
    let mut all = Vec::new();
    for member in customers::members(ctx.db, person)? {
        all.extend(consents::before(ctx.db, member.id, seq, limit)?);
    }
    all.sort_unstable_by_key(|c| std::cmp::Reverse(c.seq));
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(all)
}
