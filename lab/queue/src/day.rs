//! A day drawn from a scenario: every contact with its duration and its patience, every shift and break. All policies play
//! this same day, so they differ in the routing alone. Each channel draws from a stream of its own, so one more channel
//! changes nothing in the others.

use super::scenario::{DAY, DayOf, Handle, Scenario, Shift, Stream, Team};
use anyhow::{Context, Result};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Exp, LogNormal, StandardUniform};
use std::collections::BTreeMap;
use warmline_model::{AccountId, AgentId, AgentState, Channel, ConversationId, Profile, Timestamp};
use warmline_replay::history::{Came, Change, History};
use warmline_routing::Facts;

/// Hours that are played after midnight, so that the agents who are there can finish held and waiting contacts.
const AFTER_HOURS: i64 = 6;

const HOUR_MS: i64 = 3_600_000;

/// An agent of the scenario: profile and shift.
#[derive(Clone, Debug)]
pub struct Hired {
    /// The profile.
    pub profile: Profile,
    /// The shift.
    pub shift: Shift,
    /// Its place among the agents of the shift, from 0.
    pub place: u16,
}

/// The midnight at which the day begins, in the brand's zone: that of 11 November 2026 (双十一). Any other would do.
pub fn midnight(zone_minutes: i64) -> Timestamp {
    Timestamp::from_secs(1_794_355_200 - zone_minutes * 60)
}

/// Makes the agents, team by team.
///
/// # Errors
/// An id cannot be made.
pub fn hire(teams: &[Team]) -> Result<Vec<Hired>> {
    let mut hired = Vec::new();
    for (team, shift) in teams.iter().flat_map(|t| t.shifts.iter().map(move |s| (t, *s))) {
        for place in 0..shift.agents {
            let profile = Profile {
                agent: AgentId::from_bytes(&bytes(0xa6, hired.len())).context("an agent's id")?,
                ai: false,
                dedicated: false,
                capacity: team.capacity,
                caps: team.caps.clone(),
                skills: team.skills.clone(),
                groups: team.groups.clone(),
            };
            hired.push(Hired { profile, shift, place });
        }
    }
    Ok(hired)
}

/// Draws the contacts of a day, and puts the agents to work.
///
/// # Errors
/// A distribution or an id cannot be made. That cannot happen with a checked scenario.
pub fn draw(scenario: &Scenario, day: &DayOf, hired: &[Hired], seed: u64) -> Result<History> {
    let start = midnight(scenario.plan.zone_minutes);
    let mut drawn = Vec::new();
    for (n, stream) in (0..).zip(&scenario.channels) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(n);
        let intents = stream.intents.as_ref().unwrap_or(&scenario.intents);
        contacts(&mut drawn, stream, day, intents, start, &mut random)?;
    }
    drawn.sort_by_key(|c: &Drawn| c.at);
    let mut came = Vec::with_capacity(drawn.len());
    for (n, c) in drawn.into_iter().enumerate() {
        let id = ConversationId::from_bytes(&bytes(0xc0, n)).context("a conversation's id")?;
        came.push(c.came(id)?);
    }
    let end = start.plus_millis((24 + AFTER_HOURS) * HOUR_MS);
    Ok(History { came, changes: shifts(hired, start), end, by_hand: 0, unfinished: 0 })
}

fn bytes(kind: u8, n: usize) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[0] = kind;
    bytes[8..].copy_from_slice(&(n as u64).to_be_bytes());
    bytes
}

/// The agents' beginnings, breaks and ends of work.
fn shifts(hired: &[Hired], start: Timestamp) -> Vec<(Timestamp, Change)> {
    let at = |minutes: u32| start.plus_millis(i64::from(minutes) * 60_000);
    let mut changes: Vec<(Timestamp, Change)> = Vec::new();
    for Hired { profile, shift, place } in hired {
        let agent = profile.agent;
        changes.push((start, Change::Profile(profile.clone())));
        changes.push((at(shift.from), Change::State(agent, AgentState::Available)));
        if let Some(first) = shift.break_at {
            let away = first + u32::from(place / shift.away) * shift.break_minutes;
            changes.push((at(away), Change::State(agent, AgentState::Break)));
            changes.push((at(away + shift.break_minutes), Change::State(agent, AgentState::Available)));
        }
        changes.push((at(shift.to), Change::State(agent, AgentState::Offline)));
    }
    changes.sort_by_key(|(at, _)| *at);
    changes
}

/// The facts for the rules, for a contact of a channel with an intent; `None` if the channel's name cannot be an account.
pub fn facts(channel: &Channel, intent: &str) -> Option<Facts> {
    Some(Facts {
        account: AccountId::new(channel.as_str()).ok()?,
        channel: channel.clone(),
        kind: "text".into(),
        status: None,
        intent: Some(intent.to_owned()),
        language: None,
        terms: Vec::new(),
        tags: Vec::new(),
        account_group: None,
        owner: None,
        last: None,
        people_only: false,
    })
}

struct Drawn {
    at: Timestamp,
    channel: Channel,
    intent: String,
    handle_ms: i64,
    patience_ms: Option<i64>,
}

impl Drawn {
    fn came(self, id: ConversationId) -> Result<Came> {
        let facts = facts(&self.channel, &self.intent).context("an account")?;
        Ok(Came { id, at: self.at, facts, people_ms: Some(self.handle_ms), ai_ms: None, patience_ms: self.patience_ms })
    }
}

/// The distribution of handle times.
enum Takes {
    Exponential(Exp<f64>),
    LogNormal(LogNormal<f64>),
}

impl Takes {
    fn of(handle: Handle) -> Result<Self> {
        Ok(match handle.variation {
            None => Self::Exponential(Exp::new(1.0 / handle.mean_secs)?),
            Some(variation) => Self::LogNormal(LogNormal::from_mean_cv(handle.mean_secs, variation)?),
        })
    }

    fn draw(&self, random: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Exponential(d) => d.sample(random),
            Self::LogNormal(d) => d.sample(random),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seconds of a day, in milliseconds")]
fn millis(secs: f64) -> i64 {
    (secs * 1_000.0).round() as i64
}

/// A Poisson process whose rate is constant within an hour. At the end of an hour the rest of a gap is drawn again, since
/// the exponential distribution has no memory.
fn contacts(
    drawn: &mut Vec<Drawn>,
    stream: &Stream,
    day: &DayOf,
    intents: &BTreeMap<String, f64>,
    start: Timestamp,
    random: &mut ChaCha8Rng,
) -> Result<()> {
    let takes = Takes::of(stream.handle)?;
    let patience = stream.patience_secs.map(|secs| Exp::new(1.0 / secs)).transpose()?;
    let (all, wanted) = (day.hours.iter().sum::<f64>(), intents.values().sum::<f64>());
    for (hour, share) in (0..).zip(&day.hours) {
        let rate = stream.contacts * day.times * share / all / 3600.0;
        if rate <= 0.0 {
            continue;
        }
        let (gap, begin) = (Exp::new(rate)?, f64::from(hour) * 3600.0);
        let mut at = begin + gap.sample(random);
        while at < begin + 3600.0 {
            let share: f64 = StandardUniform.sample(random);
            let mut left = share * wanted;
            let intent = intents.iter().find(|(_, share)| {
                left -= **share;
                left < 0.0
            });
            drawn.push(Drawn {
                at: start.plus_millis(millis(at)),
                channel: stream.channel.clone(),
                intent: intent.or(intents.last_key_value()).map(|(i, _)| i.clone()).unwrap_or_default(),
                handle_ms: millis(takes.draw(random)).max(1),
                patience_ms: patience.map(|p| millis(p.sample(random)).max(1)),
            });
            at += gap.sample(random);
        }
    }
    Ok(())
}

/// A steady stream without an end of day, for textbook queues: one group, one channel, and seats of one contact each.
///
/// # Errors
/// A distribution or an id cannot be made.
pub fn steady(stream: &Stream, hired: &[Hired], contacts: usize, seed: u64) -> Result<History> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (takes, gap) = (Takes::of(stream.handle)?, Exp::new(stream.contacts / f64::from(DAY * 60))?);
    let patience = stream.patience_secs.map(|secs| Exp::new(1.0 / secs)).transpose()?;
    let start = midnight(0);
    let (mut came, mut at) = (Vec::with_capacity(contacts), 0.0);
    for n in 0..contacts {
        at += gap.sample(&mut random);
        let contact = Drawn {
            at: start.plus_millis(millis(at)),
            channel: stream.channel.clone(),
            intent: String::new(),
            handle_ms: millis(takes.draw(&mut random)).max(1),
            patience_ms: patience.map(|p| millis(p.sample(&mut random)).max(1)),
        };
        came.push(contact.came(ConversationId::from_bytes(&bytes(0xc0, n)).context("a conversation's id")?)?);
    }
    let mut changes = Vec::new();
    for agent in hired {
        changes.push((start, Change::Profile(agent.profile.clone())));
        changes.push((start, Change::State(agent.profile.agent, AgentState::Available)));
    }
    let end = start.plus_millis(millis(at)).plus_millis(DAY.into());
    Ok(History { came, changes, end, by_hand: 0, unfinished: 0 })
}
