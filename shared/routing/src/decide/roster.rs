//! The seats of a group as the event log holds them: their roster, stored once under a number, and a text with a letter for
//! the verdict on each.

use super::{SHOWN, SeatVerdict};
use crate::seat::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::BTreeMap;
use warmline_model::AgentId;
use xxhash_rust::xxh3::xxh3_64;

/// The seats that a decision saw in a group, in order. It is stored once under its number, which follows from the agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// XXH3 (64 bits) of the agents' ids.
    pub number: i64,
    /// The agents.
    pub agents: Vec<AgentId>,
}

impl Roster {
    /// The roster of these seats; none where there is no seat.
    pub(super) fn of(seats: &[SeatVerdict]) -> Option<Self> {
        let agents: Vec<AgentId> = seats.iter().take(SHOWN).map(|s| s.agent).collect();
        let ids: Vec<[u8; 16]> = agents.iter().map(|a| *a.as_bytes()).collect();
        (!ids.is_empty()).then(|| Self { number: xxh3_64(ids.as_flattened()).cast_signed(), agents })
    }
}

/// Rosters by their numbers.
pub type Rosters = BTreeMap<i64, Vec<AgentId>>;

/// Bytes as a text: URL-safe Base64 without padding.
pub(super) fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a [`text`], if it has so many.
pub(super) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// The letter of each refusal, in the order of [`Refusal::ALL`].
const LETTERS: [char; Refusal::ALL.len()] = ['o', 'b', 'p', 'w', 'k', 'x', 'd', 's', 'f', 'c', 'n', 'r'];
/// A seat that could take the contact, beyond those whose places were worked out. Their places are the letters from `A`.
const FREE: char = '*';

fn letter(verdict: &SeatVerdict) -> char {
    match (verdict.refused, verdict.place) {
        (Some(why), _) => LETTERS.get(why as usize).copied().unwrap_or(FREE),
        (None, Some(place)) => {
            u8::try_from(place).ok().and_then(|place| (b'A' - 1).checked_add(place)).map_or(FREE, char::from)
        }
        (None, None) => FREE,
    }
}

fn verdict(agent: AgentId, letter: char) -> Option<SeatVerdict> {
    let free = SeatVerdict { agent, place: None, refused: None };
    match letter {
        FREE => Some(free),
        'A'..='Z' => Some(SeatVerdict { place: Some(u16::from(u8::try_from(letter).ok()? - b'A') + 1), ..free }),
        _ => {
            let at = LETTERS.iter().position(|l| *l == letter)?;
            Some(SeatVerdict { refused: Some(*Refusal::ALL.get(at)?), ..free })
        }
    }
}

/// The verdicts on seats: the number of their roster, and a letter for each seat, followed by the number of seats in a row
/// that have it. Seats beyond the roster follow, each with its id. Empty if there is no seat.
pub(super) fn group(seats: &[SeatVerdict]) -> String {
    let Some(roster) = Roster::of(seats) else { return String::new() };
    let mut group = text(&roster.number.to_be_bytes());
    group.push(':');
    let (shown, beyond) = seats.split_at(roster.agents.len());
    for alike in shown.chunk_by(|a, b| letter(a) == letter(b)) {
        group.extend(alike.first().map(letter));
        if alike.len() > 1 {
            group.push_str(&alike.len().to_string());
        }
    }
    for seat in beyond {
        group.push(':');
        group.push(letter(seat));
        group.push_str(&text(seat.agent.as_bytes()));
    }
    group
}

/// The number of the roster in a text of [`group`].
pub(super) fn number(seats: &str) -> Option<i64> {
    let (number, _) = seats.split_once(':')?;
    bytes(number).map(i64::from_be_bytes)
}

/// The seats in a text of [`group`]; `None` if their roster is not there or does not fit.
pub(super) fn ungroup(seats: &str, rosters: &Rosters) -> Option<Vec<SeatVerdict>> {
    if seats.is_empty() {
        return Some(Vec::new());
    }
    let agents = rosters.get(&number(seats)?)?;
    let mut parts = seats.split(':').skip(1);
    let (mut agents, mut found) = (agents.iter().copied(), Vec::new());
    let mut letters = parts.next()?.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut alike = 0_usize;
        while let Some(digit) = letters.peek().and_then(|c| c.to_digit(10)) {
            alike = alike.checked_mul(10)?.checked_add(usize::try_from(digit).ok()?)?;
            letters.next();
        }
        for _ in 0..alike.max(1) {
            found.push(verdict(agents.next()?, letter)?);
        }
    }
    if agents.next().is_some() {
        return None;
    }
    for part in parts {
        let mut id = part.chars();
        let letter = id.next()?;
        let agent: [u8; 16] = bytes(id.as_str())?;
        found.push(verdict(AgentId::from_bytes(&agent).ok()?, letter)?);
    }
    Some(found)
}
