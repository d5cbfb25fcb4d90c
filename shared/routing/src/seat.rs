//! Seats (坐席): human agents and AI seats, as decisions see them.

use crate::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use warmline_model::{AgentId, AgentState, Channel, Timestamp, Units};

/// The cost of a channel's contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// The amount.
    pub units: Amount,
    /// With `units: "all"`, the channels whose contacts may be under way and are interrupted. Contacts of any other channel
    /// keep the agent from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<Channel>,
}

/// An amount of capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Amount {
    /// A number of units.
    Units(Units),
    /// All remaining capacity. Nothing else can come meanwhile.
    All(All),
}

/// The word `"all"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum All {
    /// The word.
    All,
}

impl Cost {
    /// A number of units.
    pub const fn units(units: Units) -> Self {
        Self { units: Amount::Units(units), interrupts: Vec::new() }
    }
}

/// A seat's facts, for one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatFacts {
    /// The agent.
    pub id: AgentId,
    /// Whether it is an AI seat.
    pub ai: bool,
    /// Presence.
    pub state: AgentState,
    /// Whether it serves dedicated customers only.
    pub dedicated: bool,
    /// Capacity in all.
    pub capacity: Units,
    /// Capacity in use.
    pub load: Units,
    /// The time of the last assignment; 0: none yet.
    pub last_assigned_at: Timestamp,
    /// The time at which the last contact ended; 0: none yet.
    pub freed_at: Timestamp,
    /// Levels in the plan's skills, in the plan's order. Missing entries at the end are 0.
    pub levels: Levels,
    /// The level in the group itself; 1 by default.
    pub level: u8,
    /// The number of groups that the seat serves.
    pub groups: u16,
    /// The contacts that it holds and their limits, by channel.
    pub hands: Hands,
    /// The minutes by which the group's contacts come earlier (or, if negative, later) for this seat. Staffing sets this to
    /// move a seat.
    pub weight: i64,
}

/// A seat of the contact's group at one moment. Its facts do not change any more, so values that follow from them alone are
/// computed once, however many decisions look at the seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    facts: SeatFacts,
    ratio: u64,
    /// Whether it is at its limit for some channel.
    at_limit: bool,
    digest: u128,
}

impl From<SeatFacts> for Seat {
    fn from(facts: SeatFacts) -> Self {
        let at_limit = facts.hands.iter().any(Hand::at_limit);
        Self { ratio: ratio(facts.load, facts.capacity), at_limit, digest: digest::seat(&facts), facts }
    }
}

impl std::ops::Deref for Seat {
    type Target = SeatFacts;

    fn deref(&self) -> &SeatFacts {
        &self.facts
    }
}

impl Seat {
    /// Load over capacity, as a whole number with the same order as the fraction. It is exact to one part in 2^32, and a
    /// load never rounds to 0.
    pub const fn ratio(&self) -> u64 {
        self.ratio
    }

    /// XXH3 (128 bits) of everything that a decision looks at. For an unavailable agent that is only the id and the
    /// presence.
    pub const fn digest(&self) -> u128 {
        self.digest
    }
}

fn ratio(load: Units, capacity: Units) -> u64 {
    let (load, capacity) = (load.hundredths().max(0).unsigned_abs(), capacity.hundredths().max(1).unsigned_abs());
    u64::try_from((u128::from(load) << 32).div_ceil(u128::from(capacity))).unwrap_or(u64::MAX)
}

/// Levels of skills. For most plans they fit into the seat itself.
pub type Levels = SmallVec<[u8; 16]>;

/// The contacts of one channel that a seat holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hand {
    /// The channel.
    pub channel: Channel,
    /// The number of contacts that it holds.
    pub held: u32,
    /// The most contacts at once; [`Hand::ANY`] means no limit.
    pub most: u32,
}

impl Hand {
    /// No limit.
    pub const ANY: u32 = u32::MAX;

    fn at_limit(&self) -> bool {
        self.held >= self.most
    }
}

/// The contacts and the limits of a seat. Each channel occurs at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hands(Vec<Hand>);

impl Hands {
    /// Makes it from the numbers held and the limits, both by channel.
    pub fn new(held: impl IntoIterator<Item = (Channel, i64)>, caps: impl IntoIterator<Item = (Channel, i64)>) -> Self {
        let count = |n: i64| u32::try_from(n.max(0)).unwrap_or(Hand::ANY);
        let mut hands = Vec::<Hand>::new();
        for (channel, n) in held.into_iter().filter(|(_, n)| *n > 0) {
            hands.push(Hand { channel, held: count(n), most: Hand::ANY });
        }
        for (channel, n) in caps {
            match hands.iter_mut().find(|h| h.channel == channel) {
                Some(hand) => hand.most = count(n),
                None => hands.push(Hand { channel, held: 0, most: count(n) }),
            }
        }
        hands.sort_unstable_by(|a, b| a.channel.cmp(&b.channel));
        Self(hands)
    }
}

impl std::ops::Deref for Hands {
    type Target = [Hand];

    fn deref(&self) -> &[Hand] {
        &self.0
    }
}

/// The reason why an agent is asked before all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PreferWhy {
    /// The customer's own agent.
    Owner,
    /// The customer came back soon after that agent had closed.
    Reopened,
    /// The customer's last agent.
    Sticky,
}

/// The agent who is asked before all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prefer {
    /// The agent.
    pub agent: AgentId,
    /// The reason.
    pub why: PreferWhy,
}

/// The reason why a seat cannot take a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Not at work.
    Offline,
    /// At work, but takes no new contacts.
    Busy,
    /// 小休.
    Break,
    /// In after-contact work.
    WrapUp,
    /// A human is sought and this is an AI seat, or the reverse.
    OtherKind,
    /// Was offered it just now and did not accept, or hands it over.
    Excepted,
    /// Serves dedicated customers only.
    DedicatedOnly,
    /// Lacks a skill or its level.
    Skill,
    /// Does not have enough capacity left.
    Full,
    /// Already has the most contacts of this channel.
    ChannelFull,
    /// Is in a contact that this one may not interrupt.
    NotInterrupted,
    /// Is reserved for an earlier contact that needs more capacity than any seat has left.
    Reserved,
}

impl Refusal {
    /// All, in their order.
    pub const ALL: [Self; 12] = [
        Self::Offline,
        Self::Busy,
        Self::Break,
        Self::WrapUp,
        Self::OtherKind,
        Self::Excepted,
        Self::DedicatedOnly,
        Self::Skill,
        Self::Full,
        Self::ChannelFull,
        Self::NotInterrupted,
        Self::Reserved,
    ];
}

/// A contact's demands on a seat.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// Its cost.
    pub cost: &'a Cost,
    /// Required skills: the index in the plan's list, and the lowest level.
    pub needs: &'a [(u16, u8)],
    /// Whether dedicated seats serve it.
    pub dedicated: bool,
    /// Whether an AI seat is sought; otherwise a human agent.
    pub ai: bool,
    /// An agent who must not be asked.
    pub except: Option<AgentId>,
    /// Seats reserved for others.
    pub reserved: &'a [AgentId],
}

impl Ask<'_> {
    /// Whether a seat can take the contact now.
    ///
    /// # Errors
    /// The seat cannot take it. The error is the first reason, in the order from presence to capacity.
    #[inline]
    pub fn check(&self, seat: &Seat) -> Result<(), Refusal> {
        self.suits(seat)?;
        self.fits(seat)?;
        if self.reserved.contains(&seat.id) {
            return Err(Refusal::Reserved);
        }
        Ok(())
    }

    /// Checks that the seat is available, and may and can serve the contact, whatever its capacity.
    ///
    /// # Errors
    /// It does not suit. The error is the reason.
    #[inline]
    pub fn suits(&self, seat: &Seat) -> Result<(), Refusal> {
        if seat.state != AgentState::Available {
            return Err(match seat.state {
                AgentState::Busy => Refusal::Busy,
                AgentState::Break => Refusal::Break,
                AgentState::WrapUp => Refusal::WrapUp,
                AgentState::Offline | AgentState::Available => Refusal::Offline,
            });
        }
        if seat.ai != self.ai {
            return Err(Refusal::OtherKind);
        }
        if self.except == Some(seat.id) {
            return Err(Refusal::Excepted);
        }
        if seat.dedicated && !self.dedicated {
            return Err(Refusal::DedicatedOnly);
        }
        if !self.can(seat) {
            return Err(Refusal::Skill);
        }
        Ok(())
    }

    /// Whether it has the required skills.
    #[inline]
    fn can(&self, seat: &Seat) -> bool {
        let levels = seat.levels.as_slice();
        let level = |skill: u16| levels.get(usize::from(skill)).copied().unwrap_or(0);
        self.needs.iter().all(|(skill, least)| level(*skill) >= *least)
    }

    /// Whether an available agent may and can serve the contact: [`Ask::suits`] without the reason.
    #[inline]
    pub(crate) fn serves(&self, seat: &Seat) -> bool {
        (self.dedicated || !seat.dedicated) && self.can(seat)
    }

    /// Checks that its capacity allows the contact.
    ///
    /// # Errors
    /// It does not. The error is the reason.
    #[inline]
    pub fn fits(&self, seat: &Seat) -> Result<(), Refusal> {
        if seat.at_limit && seat.hands.iter().any(|h| h.at_limit() && h.channel == *self.channel) {
            return Err(Refusal::ChannelFull);
        }
        match self.cost.units {
            Amount::Units(units) if seat.load.plus(units) > seat.capacity => Err(Refusal::Full),
            Amount::All(_) if seat.load >= seat.capacity => Err(Refusal::Full),
            Amount::All(_) if seat.hands.iter().any(|h| h.held > 0 && !self.cost.interrupts.contains(&h.channel)) => {
                Err(Refusal::NotInterrupted)
            }
            _ => Ok(()),
        }
    }
}

/// The units that a contact takes from a seat that can take it.
pub fn taken(cost: &Cost, capacity: Units, load: Units) -> Units {
    match cost.units {
        Amount::Units(units) => units,
        Amount::All(_) => capacity.minus(load),
    }
}
