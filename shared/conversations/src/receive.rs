//! Handles a waiting row of the inbox: finds its sender and its conversation, and stores the message.

use crate::seats::SeatCache;
use crate::{ai, calls, cases, place, plan};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;
use warmline_customers::{consents, orders, people};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::payload::{Payload, sender_lookup};
use warmline_kernel::{consent, sealing, transient_keys};
use warmline_model::case::OrderKey;
use warmline_model::{
    CaseId, Channel, Content, ConversationId, ConversationState, CustomerId, EventBody, IdentityId, Inbound, MessageId,
    Timestamp, Units,
};
use warmline_privacy::{BlindIndex, CustomerKey, SealError, SealKey};
use warmline_routing::{Ready, VIP};
use warmline_store::archive::{self, Stage};
use warmline_store::arrivals::{Arrival, Waiting};
use warmline_store::conversations::{self, Conversation};
use warmline_store::customers::{self, Contact, NewIdentity};
use warmline_store::inbox::{self, Pending};
use warmline_store::{StoreError, events, immediate, messages, outbox, vault};
use warmline_transport::deliver;

/// Sets a row aside and reports it in the event log.
pub(crate) fn set_aside(ctx: &Ctx<'_>, row: &Pending, reason: &str) -> Result<(), StepError> {
    inbox::park(ctx.db, row.seq)?;
    let body = EventBody::InboxParked { inbox: row.seq, channel: row.channel.clone(), reason: reason.to_owned() };
    Ok(events::append(ctx.db, ctx.now(), None, &body)?)
}

/// An opened webhook payload, and the blind index of its sender.
struct OpenedRow {
    payload: Payload,
    lookup: [u8; 16],
}

/// Keys, and the rules that apply to this batch.
pub(crate) struct RowHandler<'a> {
    ctx: &'a Ctx<'a>,
    index: BlindIndex,
    /// Keys of the inbox by generation.
    inbox_keys: RefCell<HashMap<i64, SealKey>>,
    /// Rows opened before their transaction, by position.
    read: RefCell<HashMap<i64, OpenedRow>>,
    /// Keys made for unknown senders, by the senders' blind index.
    strangers: RefCell<HashMap<[u8; 16], (CustomerId, CustomerKey)>>,
    /// The plan that the decisions of this batch follow, once it is read.
    plan: RefCell<Option<Rc<Ready>>>,
    /// Cache of the seats that the decisions of this batch have read.
    seats: SeatCache,
    /// Whether an AI seat has something to answer.
    ai: Cell<bool>,
}

/// How a message comes into its conversation.
#[derive(Default)]
struct Coming {
    /// Whether it wants an answer.
    spoke: bool,
    /// Until when the webhook's own answer can still carry a reply.
    answer_by: Option<Timestamp>,
    /// The shard, if this drainer does not hold it ([`Arrival::shard`]).
    unleased: Option<i64>,
}

/// A row's sender and the sender's key. After this point only the store can fail.
type KnownSender = (Contact, CustomerKey);

impl<'a> RowHandler<'a> {
    pub(crate) fn new(ctx: &'a Ctx<'a>) -> Self {
        Self {
            ctx,
            index: ctx.keys.index(),
            inbox_keys: RefCell::default(),
            read: RefCell::default(),
            strangers: RefCell::default(),
            plan: RefCell::default(),
            seats: SeatCache::default(),
            ai: Cell::new(false),
        }
    }

    /// Begins a batch: its rules are read anew.
    pub(crate) fn begin(&self) {
        self.plan.take();
        self.seats.forget();
    }

    /// Whether an AI seat has received something to answer since the last call.
    pub(crate) fn ai_waits(&self) -> bool {
        self.ai.take()
    }

    /// Opens rows, and makes keys for unknown senders, before the transaction: the vault is another database.
    pub(crate) fn prepare(&self, rows: &[Pending]) -> Result<(), StepError> {
        let (ctx, now) = (self.ctx, self.ctx.now());
        let (mut strangers, mut new) = (self.strangers.borrow_mut(), Vec::new());
        for row in rows {
            let read = match self.read(row) {
                Err(StepError::Store(e)) => return Err(e.into()),
                Err(_) => continue,
                Ok(read) => read,
            };
            if !read.payload.inbound.sender.only_known
                && !strangers.contains_key(&read.lookup)
                && customers::identity_by_lookup(ctx.db, &read.lookup)?.is_none()
            {
                let customer = CustomerId::new(now, ctx.rng);
                let (key, wrapped) = ctx.keys.new_customer_key(customer, ctx.rng)?;
                new.push((customer, sealing::into_vault(wrapped)));
                strangers.insert(read.lookup, (customer, key));
            }
            self.read.borrow_mut().insert(row.seq, read);
        }
        match new.as_slice() {
            [] => Ok(()),
            [(customer, key)] => Ok(vault::insert(ctx.vault, *customer, key)?),
            many => immediate(ctx.vault, || {
                many.iter().try_for_each(|(customer, key)| Ok(vault::insert(ctx.vault, *customer, key)?))
            }),
        }
    }

    fn read(&self, row: &Pending) -> Result<OpenedRow, StepError> {
        let mut keys = self.inbox_keys.borrow_mut();
        let key = match keys.entry(row.sealed_by) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(transient_keys::by_number(self.ctx, row.sealed_by)?),
        };
        let plain = key.open(&row.dedup, &row.payload)?;
        let payload: Payload = serde_json::from_slice(&plain).map_err(|_| SealError::Format)?;
        let lookup = sender_lookup(&self.index, &row.channel, &row.account, &payload.inbound.sender.open_id);
        Ok(OpenedRow { payload, lookup })
    }

    fn plan(&self) -> Result<Rc<Ready>, StepError> {
        let mut plan = self.plan.borrow_mut();
        match &*plan {
            Some(plan) => Ok(Rc::clone(plan)),
            None => Ok(Rc::clone(plan.insert(plan::current(self.ctx)?))),
        }
    }

    /// Handles a row. Returns false if its sender's key has to be made first.
    pub(crate) fn handle(&self, row: &Pending) -> Result<bool, StepError> {
        match self.open(row) {
            Ok((read, known)) if read.payload.inbound.sender.only_known => {
                self.told_of(row, read.payload, known).map(|()| true)
            }
            Ok((read, Some(known))) => self.store(row, read.payload, known).map(|()| true),
            Ok((read, None)) => match self.strangers.borrow_mut().remove(&read.lookup) {
                Some(made) => {
                    let known = self.new_contact(row, &read, made)?;
                    self.store(row, read.payload, known).map(|()| true)
                }
                None => Ok(false),
            },
            Err(StepError::Store(e)) => Err(e.into()),
            // The row was tampered with, or is sealed under another master key. It must neither be lost nor stop the others.
            Err(_) => set_aside(self.ctx, row, "payload_unreadable").map(|()| true),
        }
    }

    /// Takes in a third party's report about a person (a mail server, an automaton, a provider). The report goes to the
    /// conversation of the message that it names, or else to the open or last conversation with the person. It makes no
    /// customer, begins no conversation and changes no conversation's state. If there is no such conversation, the row is
    /// set aside.
    fn told_of(&self, row: &Pending, payload: Payload, known: Option<KnownSender>) -> Result<(), StepError> {
        let (ctx, inbound) = (self.ctx, payload.inbound);
        let choice = told_choice(&row.channel, &inbound.content);
        if let Some((conversation, n)) = self.named(row, &inbound.content)? {
            let key = match sealing::customer_key(ctx, conversation.customer) {
                Err(StepError::Store(e)) => return Err(e.into()),
                // The customer was erased meanwhile.
                Err(_) => return set_aside(self.ctx, row, "of_nobody_known"),
                Ok(key) => key,
            };
            let message = self.append(row, &conversation, &key, &inbound, Coming::default())?;
            if let Some(choice) = choice {
                match (self.is_copy(&conversation, n, &key, &inbound.sender.open_id)?, known) {
                    (false, _) => self.chosen_in(&conversation, message, choice)?,
                    // The report is about a person who got a copy, and their choice is theirs alone.
                    (true, Some((contact, _))) => self.chosen_by(row, &contact, choice)?,
                    (true, None) => {}
                }
            }
            return Ok(());
        }
        let Some((contact, key)) = known else { return set_aside(ctx, row, "of_nobody_known") };
        let conversation = match &contact.conversation {
            Some(open) => Some(open.clone()),
            None => {
                let last = conversations::latest(ctx.db, contact.identity)?;
                last.map(|last| conversations::get(ctx.db, last)).transpose()?.flatten()
            }
        };
        let at_hand = match conversation {
            Some(conversation) if archive::stage(ctx.db, conversation.id)? == Stage::Rows => conversation,
            _ => {
                if let Some(choice) = choice {
                    self.chosen_by(row, &contact, choice)?;
                }
                return set_aside(ctx, row, "of_no_conversation");
            }
        };
        let message = self.append(row, &at_hand, &key, &inbound, Coming::default())?;
        if let Some(choice) = choice {
            self.chosen_in(&at_hand, message, choice)?;
        }
        Ok(())
    }

    /// Notes a person's choice that a message in their conversation shows.
    fn chosen_in(&self, conversation: &Conversation, message: MessageId, choice: consent::Choice) -> Result<(), StepError> {
        if !choice.given {
            consents::refused_on(self.ctx, conversation.person, &conversation.channel)?;
        }
        deliver::choose(self.ctx, conversation, message, choice)
    }

    /// Notes a person's choice that no message in their conversation shows.
    fn chosen_by(&self, row: &Pending, contact: &Contact, choice: consent::Choice) -> Result<(), StepError> {
        if !choice.given {
            if let Some(conversation) = &contact.conversation {
                deliver::take_back(self.ctx, conversation.id)?;
            }
            consents::refused_on(self.ctx, contact.person, &row.channel)?;
        }
        let Contact { person, customer, .. } = *contact;
        let by = consent::Chooser { person, customer, channel: &row.channel, message: None };
        consent::chosen(self.ctx, by, choice)
    }

    /// The conversation and number of our message that an event names by its id, if both came by the same account.
    fn named(&self, row: &Pending, content: &Content) -> Result<Option<(Conversation, i64)>, StepError> {
        let Content::Event { key: Some(key), .. } = content else { return Ok(None) };
        let Some(message) = key.split('@').next().and_then(|id| id.parse::<MessageId>().ok()) else { return Ok(None) };
        let Some((_, conversation, n, _)) = outbox::find(self.ctx.db, message)? else { return Ok(None) };
        let conversation = conversations::get(self.ctx.db, conversation)?;
        let own = conversation.filter(|c| c.channel == row.channel && c.account == row.account);
        Ok(match own {
            Some(own) if archive::stage(self.ctx.db, own.id)? == Stage::Rows => Some((own, n)),
            _ => None,
        })
    }

    /// Whether our message went to an address as a copy. A report about that address is then not about the customer.
    fn is_copy(&self, conversation: &Conversation, n: i64, key: &CustomerKey, address: &str) -> Result<bool, StepError> {
        let Some(message) = messages::get(self.ctx.db, conversation.id, n)? else { return Ok(false) };
        match sealing::open_content(key, &message) {
            Ok(Content::Text { cc, .. }) => Ok(cc.iter().any(|copy| copy.eq_ignore_ascii_case(address))),
            Err(StepError::Store(e)) => Err(e.into()),
            _ => Ok(false),
        }
    }

    /// Stores a message in a conversation, as its next one, and returns its id.
    fn append(
        &self,
        row: &Pending,
        conversation: &Conversation,
        key: &CustomerKey,
        inbound: &Inbound,
        Coming { spoke, answer_by, unleased }: Coming,
    ) -> Result<MessageId, StepError> {
        let (ctx, now) = (self.ctx, self.ctx.now());
        let id = MessageId::new(now, ctx.rng);
        let reply_to = inbound.reply_to.as_ref().map(|to| sealing::seal_reply_to(ctx, key, conversation.id, to));
        let arrival = Arrival {
            inbox: row.seq,
            shard: unleased,
            conversation,
            state: next_state(conversation, spoke),
            at: now,
            spoke: spoke.then_some(row.received_at),
            answer_until: answer_by,
            reply_to: reply_to.transpose()?,
            id,
            content: sealing::seal_content(ctx, key, conversation.id, id, &inbound.content)?,
            received_at: row.received_at,
        };
        let body = EventBody::MessageReceived {
            message: id,
            n: arrival.n(),
            channel: row.channel.clone(),
            kind: inbound.content.kind().to_owned(),
            received_at: row.received_at,
        };
        arrival.store(ctx.db, &body)?;
        Ok(id)
    }

    /// Handles a row that no lease protects, if nothing but its message is to be written. Returns false if there is more to
    /// do, or if the row or its conversation has changed since it was read.
    pub(crate) fn goes_on(&self, waiting: &Waiting, shard: i64) -> Result<bool, StepError> {
        let Waiting { row, sender: Some(sender), contact: Some(contact) } = waiting else { return Ok(false) };
        let Some(conversation) = &contact.conversation else { return Ok(false) };
        let Some((inbox, key)) = transient_keys::with_customer(self.ctx, row.sealed_by, contact.customer)? else {
            return Ok(false);
        };
        // What does not open, or is not from the sender that the row names, is looked at under the lease.
        let Ok(plain) = inbox.open(&row.dedup, &row.payload) else { return Ok(false) };
        let Ok(Payload { inbound, answer_by }) = serde_json::from_slice::<Payload>(&plain) else { return Ok(false) };
        let lookup = sender_lookup(&self.index, &row.channel, &row.account, &inbound.sender.open_id);
        let spoke = !matches!(inbound.content, Content::Event { .. });
        let more = lookup.as_slice() != sender
            || inbound.sender.only_known
            || people::has_news(&self.index, contact, &inbound.sender)
            || !orders::keys(&self.index, &row.channel, &inbound.content).is_empty()
            || consent::choice(&row.channel, &inbound.content).is_some()
            || conversation.ai
            || if spoke { conversation.state == ConversationState::Open } else { calls::on(&row.channel) };
        if more {
            return Ok(false);
        }
        let answer_by = answer_by.map(Timestamp::from_millis);
        let coming = Coming { spoke, answer_by, unleased: Some(shard) };
        match self.append(row, conversation, &key, &inbound, coming) {
            Err(StepError::Store(StoreError::Busy)) => Ok(false),
            stored => stored.map(|_| true),
        }
    }

    fn open(&self, row: &Pending) -> Result<(OpenedRow, Option<KnownSender>), StepError> {
        let read = self.read.borrow_mut().remove(&row.seq);
        let read = read.map_or_else(|| self.read(row), Ok)?;
        let contact = customers::contact(self.ctx.db, &read.lookup)?;
        let with_key = |contact: Contact| Ok::<_, StepError>((sealing::customer_key(self.ctx, contact.customer)?, contact));
        let known = contact.map(with_key).transpose()?.map(|(key, contact)| (contact, key));
        Ok((read, known))
    }

    fn store(&self, row: &Pending, payload: Payload, (mut contact, key): KnownSender) -> Result<(), StepError> {
        let (ctx, now) = (self.ctx, self.ctx.now());
        let Payload { inbound, answer_by } = payload;
        people::take_in(ctx, &self.index, &mut contact, &key, &row.channel, &inbound.sender)?;
        let vip = contact.tags.iter().any(|t| t == VIP);
        let named = orders::keys(&self.index, &row.channel, &inbound.content);
        let conversation = match contact.conversation.take() {
            Some(conversation) => conversation,
            None => self.open_conversation(row, &contact, vip, &named, now)?,
        };
        if !named.is_empty() {
            cases::named(ctx, &*self.plan()?, &conversation, &named)?;
        }
        let choice = match consent::choice(&row.channel, &inbound.content) {
            // Only somebody who opted out can opt in again. For others START is a word like any other.
            Some(choice) if choice.given && !consent::refuses(ctx, contact.person, &row.channel)? => None,
            choice => choice,
        };
        // A message that only opts out needs no answer.
        let spoke = choice.is_none() && !matches!(inbound.content, Content::Event { .. });
        let answer_by = answer_by.map(Timestamp::from_millis);
        let coming = Coming { spoke, answer_by, unleased: None };
        let message = self.append(row, &conversation, &key, &inbound, coming)?;
        let n = conversation.messages + 1;
        let content = inbound.content;
        if let Some(choice) = choice {
            let Contact { person, customer, .. } = contact;
            if !choice.given {
                deliver::take_back(ctx, conversation.id)?;
                consents::refused_on(ctx, person, &row.channel)?;
            }
            consent::chosen(
                ctx,
                consent::Chooser { person, customer, channel: &row.channel, message: Some(message) },
                choice,
            )?;
        }
        // Events (followed, scanned) are stored and need nobody's attention. A ringing call does.
        if spoke && conversation.state == ConversationState::Open {
            let conversation = Conversation { messages: n, answer_until: answer_by, ..conversation };
            let ai = place::first(ctx, &*self.plan()?, &conversation, &key, &content, Some(&self.seats))?;
            self.ai.set(self.ai.get() || ai);
        } else if spoke && conversation.ai && conversation.state.holds_capacity() {
            ai::spoken_to(ctx, &*self.plan()?, &conversation, &content)?;
            self.seats.forget();
            self.ai.set(true);
        } else if !spoke && calls::on(&row.channel) {
            let conversation = Conversation { messages: n, ..conversation };
            calls::heard(ctx, &*self.plan()?, &conversation, &key, &content)?;
            self.seats.forget();
        }
        Ok(())
    }

    fn new_contact(
        &self,
        row: &Pending,
        read: &OpenedRow,
        made: (CustomerId, CustomerKey),
    ) -> Result<KnownSender, StepError> {
        let (ctx, now, (customer, key)) = (self.ctx, self.ctx.now(), made);
        let sender = &read.payload.inbound.sender;
        let identity = IdentityId::new(now, ctx.rng);
        customers::insert(ctx.db, customer, &sender.tags, now)?;
        let sealed = sealing::seal_sender(ctx, &key, identity, sender)?;
        let new = NewIdentity {
            id: identity,
            lookup: &read.lookup,
            customer,
            channel: &row.channel,
            account: &row.account,
            sender: &sealed,
        };
        customers::insert_identity(ctx.db, &new, now)?;
        let tags = sender.tags.clone();
        let (person, owner, known, conversation) = (customer, None, None, None);
        Ok((Contact { identity, customer, person, tags, owner, known, conversation }, key))
    }

    fn open_conversation(
        &self,
        row: &Pending,
        contact: &Contact,
        vip: bool,
        orders: &[OrderKey],
        now: Timestamp,
    ) -> Result<Conversation, StepError> {
        let continued = cases::continued(self.ctx, &*self.plan()?, contact.person, &row.channel, orders, now)?;
        let conversation = Conversation {
            id: ConversationId::new(now, self.ctx.rng),
            identity: contact.identity,
            customer: contact.customer,
            channel: row.channel.clone(),
            account: row.account.clone(),
            state: ConversationState::Open,
            group: None,
            agent: None,
            vip,
            opened_at: now,
            last_message_at: now,
            queued_at: None,
            assigned_at: None,
            accepted_at: None,
            round_started_at: None,
            first_inbound_at: None,
            first_response_at: None,
            closed_at: None,
            disposition: None,
            handle_ms: 0,
            messages: 0,
            why: None,
            answer_until: None,
            lane: None,
            units: Units::ZERO,
            estimate_ms: None,
            ai: false,
            ai_failed: 0,
            person: contact.person,
            case: continued.unwrap_or_else(|| CaseId::new(now, self.ctx.rng)),
        };
        conversations::open(self.ctx.db, &conversation, orders)?;
        let body = EventBody::ConversationOpened {
            channel: row.channel.clone(),
            account: row.account.clone(),
            customer: contact.person,
        };
        events::append(self.ctx.db, now, Some(conversation.id), &body)?;
        if let Some(case) = continued {
            let body = EventBody::CaseLinked { case, from: None, agent: None };
            events::append(self.ctx.db, now, Some(conversation.id), &body)?;
        }
        Ok(conversation)
    }
}

/// The choice in a third party's report. A complaint withdraws consent. Only one report gives it back: a provider's signed
/// event that the person subscribed again.
fn told_choice(channel: &Channel, content: &Content) -> Option<consent::Choice> {
    let choice = consent::choice(channel, content).filter(|_| matches!(content, Content::Event { .. }))?;
    (!choice.given || choice.wording == "group_resubscribe").then_some(choice)
}

/// The state after a customer's message. An agent who holds the conversation owes a reply again, also from wrap-up.
fn next_state(conversation: &Conversation, spoke: bool) -> ConversationState {
    match conversation.state {
        ConversationState::WaitingOnCustomer | ConversationState::WrapUp if spoke => ConversationState::Assigned,
        state => state,
    }
}
