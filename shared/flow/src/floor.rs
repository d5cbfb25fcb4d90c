//! Seats and queues as the router's decisions see them: the store, read within the transaction that applies the decision.

use std::borrow::Cow;
use std::collections::BTreeMap;
use warmline_model::{AgentId, GroupId, Lane};
use warmline_routing::{Floor, Hands, Head, Ready, Seat, SeatFacts};
use warmline_store::{Db, StoreError, agents, queues};

/// An agent as a seat, with the weights of its groups.
pub type Weighed = (Seat, BTreeMap<GroupId, i64>);

/// The store as a floor.
pub struct Stored<'a> {
    /// The store.
    pub db: &'a dyn Db,
    /// The plan: what the seats' levels refer to.
    pub plan: &'a Ready,
}

impl Floor for Stored<'_> {
    type Error = StoreError;

    fn seats(&self, group: &GroupId) -> Result<Cow<'_, [Seat]>, StoreError> {
        let seats = agents::seats(self.db, group)?;
        Ok(Cow::Owned(seats.into_iter().map(|s| self.seat(s)).collect()))
    }

    fn heads(&self, group: &GroupId) -> Result<Cow<'_, [Head]>, StoreError> {
        let heads = queues::heads(self.db, group)?;
        let read = |h: queues::Head| {
            let lane = Lane::parse(&h.lane).ok_or(StoreError::Shape(0))?;
            Ok(Head { conversation: h.conversation, group: group.clone(), lane, rank: h.rank, entered: h.entered })
        };
        Ok(Cow::Owned(heads.into_iter().map(read).collect::<Result<_, StoreError>>()?))
    }

    fn waiting(&self, group: &GroupId) -> Result<i64, StoreError> {
        Ok(queues::get(self.db, group)?.map_or(0, |q| q.waiting))
    }
}

impl Stored<'_> {
    fn seat(&self, s: agents::Seat) -> Seat {
        Seat::from(SeatFacts {
            id: s.id,
            ai: s.ai,
            state: s.state,
            dedicated: s.vip,
            capacity: s.capacity,
            load: s.load,
            last_assigned_at: s.last_assigned_at,
            freed_at: s.freed_at,
            levels: self.plan.levels(&s.can.skills),
            level: s.level,
            groups: u16::try_from(s.groups).unwrap_or(u16::MAX),
            hands: Hands::new(s.held, s.can.caps),
            weight: s.weight,
        })
    }

    /// One agent as a seat, with the weights of its groups.
    ///
    /// # Errors
    /// The store fails.
    pub fn seat_of(&self, agent: AgentId) -> Result<Option<Weighed>, StoreError> {
        let Some(a) = agents::get(self.db, agent)? else { return Ok(None) };
        let groups = agents::groups_of(self.db, agent)?;
        let seat = agents::Seat {
            id: a.id,
            ai: a.ai,
            state: a.state,
            vip: a.vip,
            capacity: a.capacity,
            load: a.load,
            last_assigned_at: a.last_assigned_at,
            freed_at: a.freed_at,
            can: a.can,
            level: 1,
            weight: 0,
            groups: i64::try_from(groups.len()).unwrap_or(i64::MAX),
            held: a.held,
        };
        Ok(Some((self.seat(seat), groups.into_iter().map(|g| (g.group, g.weight)).collect())))
    }
}
