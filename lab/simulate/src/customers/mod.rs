//! Simulated customers: they come as a Poisson process, write on their channel, wait for the answer, read it, and write
//! again. Their messages are signed as by the platform and go through the public webhooks.

mod line;
pub mod texts;

use crate::channel_under_test::ChannelUnderTest;
use crate::figures::Figures;
use crate::rng::Rng;
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use warmline_channels::Carries;
use warmline_client::{Answer, Http};

pub use line::{CustomerSession, Sending, Taken};

/// The most customers who talk at once. A server that answers nobody must not fill this machine.
const CROWD: usize = 400;
/// The time that a customer waits for an answer before asking again, and then before leaving.
const PATIENCE: Duration = Duration::from_secs(45);
/// The average length of a talk, in messages. It turns a rate of messages into one of arrivals.
const MESSAGES_A_TALK: f64 = 3.0;
/// The number of customers of a channel.
const CUSTOMERS: u64 = 2_000;

/// The customers' surroundings: the server's address and the connections.
pub struct World {
    /// The server's address.
    pub base: String,
    /// Connections.
    pub http: Http,
    numbers: AtomicU64,
}

impl World {
    /// Makes the world around a server.
    pub fn new(base: &str, http: Http) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), http, numbers: AtomicU64::new(first_number()) }
    }

    /// A number for a message that is unique on this machine, among all runs.
    pub fn fresh_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: impl Into<bytes::Bytes>,
    ) -> Result<Answer> {
        let url = format!("{}{path}", self.base);
        self.http.send(method, &url, headers, body).await.map_err(|error| anyhow::anyhow!("{error}"))
    }
}

/// Tens of microseconds since 2025. Only a run with more than 100,000 messages a second would reach the next run's numbers.
fn first_number() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_secs(1_735_689_600)).unwrap_or_default();
    u64::try_from(since.as_micros() / 10).unwrap_or(0)
}

/// An entrance, and its share of all customers.
pub struct Share {
    /// The entrance.
    pub entrance: Arc<ChannelUnderTest>,
    /// The weight, relative to the others'.
    pub weight: u64,
}

/// The gaps between arrivals. They are exponentially distributed, so that arrivals come in clumps, like those of strangers.
pub struct Arrivals {
    rng: Rng,
    mean: f64,
}

impl Arrivals {
    /// Makes arrivals with this average number a second.
    pub fn new(rng: Rng, per_second: f64) -> Self {
        Self { rng, mean: 1.0 / per_second.max(1e-6) }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::from_secs_f64(self.rng.exponential(self.mean)))
    }
}

/// Lets customers come, with about `rate` messages a second in all, until the task is dropped. The first ones come by each
/// entrance in turn, so that each is used soon. The others come by its share.
pub async fn come(world: Arc<World>, shares: Vec<Share>, figures: Arc<Figures>, rate: f64, seed: Rng) {
    let crowd = Arc::new(AtomicUsize::new(0));
    let arrivals = Arrivals::new(seed.part(0), rate / MESSAGES_A_TALK);
    let mut tasks = tokio::task::JoinSet::new();
    let mut due = tokio::time::Instant::now();
    for (number, gap) in (1u64..).zip(arrivals) {
        due += gap;
        tokio::time::sleep_until(due).await;
        while tasks.try_join_next().is_some() {}
        if crowd.load(Ordering::Relaxed) >= CROWD {
            continue;
        }
        let mut rng = seed.part(number);
        let Some(entrance) = entrance(&shares, &mut rng, number) else { return };
        crowd.fetch_add(1, Ordering::Relaxed);
        let (world, crowd, figures) = (world.clone(), crowd.clone(), figures.clone());
        tasks.spawn(async move {
            let line = CustomerSession::new(entrance, rng.below(CUSTOMERS));
            if let Err(error) = talk(&world, &figures, line, rng).await {
                figures.note_error(&format!("customer: {error:#}"));
            }
            crowd.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// The entrance of customer `number`.
fn entrance(shares: &[Share], rng: &mut Rng, number: u64) -> Option<Arc<ChannelUnderTest>> {
    let first = usize::try_from(number - 1).ok().and_then(|number| shares.get(number));
    let mut at = rng.below(shares.iter().map(|share| share.weight).sum());
    let by_share = shares.iter().find(|share| match at.checked_sub(share.weight) {
        Some(rest) => {
            at = rest;
            false
        }
        None => true,
    });
    Some(first.or(by_share)?.entrance.clone())
}

/// One customer's talk, from the first message to the last answer.
async fn talk(world: &World, figures: &Figures, mut line: CustomerSession, mut rng: Rng) -> Result<()> {
    let channel = line.entrance().channel();
    if line.entrance().carries.carries == Carries::Orders {
        return order(world, figures, line, rng).await;
    }
    line.begin(world).await?;
    let script = texts::script(&mut rng);
    for text in texts::talk(&mut rng, script) {
        figures.note_sending(channel, &line.send(world, &mut rng, text).await);
        // Replies to a caller are spoken.
        if line.entrance().takes_replies() && line.reply(world, PATIENCE).await?.is_none() {
            let nudge = rng.pick(texts::NUDGES).copied().unwrap_or("在吗？");
            figures.note_sending(channel, &line.send(world, &mut rng, nudge).await);
            if line.reply(world, PATIENCE).await?.is_none() {
                figures.note_gave_up();
                return Ok(());
            }
        }
        tokio::time::sleep(Duration::from_secs_f64(1.5 + rng.exponential(3.0))).await;
    }
    Ok(())
}

/// The events of one order. The platform reports each step.
async fn order(world: &World, figures: &Figures, mut line: CustomerSession, mut rng: Rng) -> Result<()> {
    let (channel, goods) = (line.entrance().channel(), rng.pick(texts::GOODS).copied().unwrap_or("大米"));
    for _ in 0..=rng.below(5) {
        figures.note_sending(channel, &line.send(world, &mut rng, goods).await);
        tokio::time::sleep(Duration::from_secs_f64(2.0 + rng.exponential(4.0))).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_keep_the_rate_and_come_in_clumps() {
        let gaps: Vec<f64> = Arrivals::new(Rng::new(9), 20.0).take(20_000).map(|gap| gap.as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((mean - 0.05).abs() < 0.002, "{mean}");
        // The mark of a Poisson process: the deviation of the gaps equals their mean.
        assert!((deviation / mean - 1.0).abs() < 0.05, "{deviation}");
    }

    #[test]
    fn the_same_seed_brings_the_same_customers() {
        let gaps = |seed| Arrivals::new(Rng::new(seed), 3.0).take(5).collect::<Vec<_>>();
        assert_eq!(gaps(1), gaps(1));
        assert_ne!(gaps(1), gaps(2));
    }

    #[test]
    fn customers_come_by_every_entrance_at_once_and_then_by_its_share() {
        let share = |channel, weight| Share { entrance: Arc::new(ChannelUnderTest::open(channel, 0).unwrap()), weight };
        let shares = [share("wechat", 8), share("app", 2), share("phone", 0)];
        let mut rng = Rng::new(4);
        let mut come = |number| entrance(&shares, &mut rng, number).unwrap().channel();
        assert_eq!([come(1), come(2), come(3)], ["wechat", "app", "phone"]);
        let later: Vec<_> = (4..1_004).map(come).collect();
        let count = |channel| later.iter().filter(|came| **came == channel).count();
        assert_eq!((count("phone"), count("wechat") + count("app")), (0, 1_000));
        assert!((750..850).contains(&count("wechat")), "{}", count("wechat"));
        assert!(entrance(&[], &mut rng, 1).is_none());
    }

    #[test]
    fn numbers_of_later_runs_are_beyond() {
        let world = World::new("http://127.0.0.1:1/", Http::new());
        let first = world.fresh_number();
        assert!((1u64 << 42..1 << 50).contains(&first), "{first}");
        assert_eq!((world.fresh_number(), world.base.as_str()), (first + 1, "http://127.0.0.1:1"));
    }
}
