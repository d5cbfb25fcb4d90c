//! Seats and queues as the router's decisions see them, read from the store in the transaction that applies the decision.

use crate::store::queues;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use warmline_model::{AgentId, GroupId, Lane};
use warmline_routing::{Hands, Head, Ready, Seat, SeatFacts, SeatsAndQueues};
use warmline_store::{Db, StoreError, agents};

/// An agent as a seat, with the weights of its groups.
pub type Weighed = (Seat, BTreeMap<GroupId, i64>);

/// The store, as the floor of a decision.
pub struct StoreView<'a> {
    /// The store.
    pub db: &'a dyn Db,
    /// The plan. The seats' levels refer to it.
    pub plan: &'a Ready,
    /// Seats read before in the same transaction.
    pub kept: Option<&'a SeatCache>,
}

/// Cache of the seats read in this transaction, in which nobody else can change them. Call [`SeatCache::renew`] after changing
/// one agent's seat, and [`SeatCache::forget`] after changing several. A group of hundreds of agents is then read once for a
/// whole batch of contacts.
#[derive(Default)]
pub struct SeatCache {
    seats: RefCell<BTreeMap<GroupId, Rc<Vec<Seat>>>>,
    /// The numbers of the rosters that are known to be stored.
    rosters: RefCell<BTreeSet<i64>>,
}

impl SeatCache {
    /// Empties the cache: a new transaction begins, or seats have changed.
    pub fn forget(&self) {
        self.seats.borrow_mut().clear();
        self.rosters.borrow_mut().clear();
    }

    /// Whether a roster has not been asked about since the cache was emptied.
    pub(crate) fn note_roster(&self, number: i64) -> bool {
        self.rosters.borrow_mut().insert(number)
    }

    /// Reads one agent's seats again.
    pub(crate) fn renew(&self, floor: &StoreView<'_>, agent: AgentId) -> Result<(), StoreError> {
        for (group, seats) in self.seats.borrow_mut().iter_mut() {
            if let Some(seat) = Rc::make_mut(seats).iter_mut().find(|s| s.id == agent)
                && let Some(now) = agents::seat(floor.db, group, agent)?
            {
                *seat = floor.seat(now);
            }
        }
        Ok(())
    }
}

impl SeatsAndQueues for StoreView<'_> {
    type Error = StoreError;

    fn seats(&self, group: &GroupId) -> Result<Rc<Vec<Seat>>, StoreError> {
        if let Some(seats) = self.kept.and_then(|kept| kept.seats.borrow().get(group).cloned()) {
            return Ok(seats);
        }
        let seats = agents::seats(self.db, group)?;
        let seats = Rc::new(seats.into_iter().map(|s| self.seat(s)).collect());
        if let Some(kept) = self.kept {
            kept.seats.borrow_mut().insert(group.clone(), Rc::clone(&seats));
        }
        Ok(seats)
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

impl StoreView<'_> {
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
