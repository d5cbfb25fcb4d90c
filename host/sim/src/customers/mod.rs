//! Simulated customers: they come as a Poisson process, write on the channel that they are on, wait for the answer, read it,
//! and write again. What they send is signed as the platform signs it and goes through the public webhooks.

mod line;
pub mod texts;

use crate::brand::Brand;
use crate::client::{Answer, Http};
use crate::figures::Figures;
use crate::platform::Platform;
use crate::rng::Rng;
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use line::Line;

/// More customers than this do not talk at a time: a server that answers nobody must not fill this machine.
const CROWD: usize = 400;
/// How long a customer waits for an answer before asking again, and then before leaving.
const PATIENCE: Duration = Duration::from_secs(45);
/// What a talk takes on average, in messages; turns a rate of messages into one of arrivals.
const MESSAGES_A_TALK: f64 = 3.0;

/// Where the customers live.
pub struct World {
    /// The server's address.
    pub base: String,
    /// Connections.
    pub http: Http,
    /// The brand's accounts and how they are signed.
    pub brand: Brand,
    /// Where WeChat's answers arrive.
    pub platform: Arc<Platform>,
    /// Where what happens is counted.
    pub figures: Arc<Figures>,
}

impl World {
    async fn post(&self, path: &str, headers: &[(&str, String)], body: String) -> Result<Answer> {
        let url = format!("{}{path}", self.base);
        self.http.send("POST", &url, headers, body).await.map_err(|error| anyhow::anyhow!("{error}"))
    }

    async fn get(&self, path: &str, token: &str) -> Result<Answer> {
        let url = format!("{}{path}", self.base);
        let headers = [("authorization", format!("Bearer {token}"))];
        self.http.send("GET", &url, &headers, "").await.map_err(|error| anyhow::anyhow!("{error}"))
    }
}

/// The gaps between arrivals: exponentially distributed, so that arrivals come as strangers do, in clumps.
pub struct Arrivals {
    rng: Rng,
    mean: f64,
}

impl Arrivals {
    /// So many a second on average.
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

/// Lets customers come, about `rate` messages a second in all, until the task is dropped.
pub async fn come(world: Arc<World>, rate: f64, seed: Rng) {
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
        crowd.fetch_add(1, Ordering::Relaxed);
        let (world, crowd, rng) = (world.clone(), crowd.clone(), seed.part(number));
        tasks.spawn(async move {
            if let Err(error) = talk(&world, rng, number).await {
                world.figures.note_error(&format!("customer: {error:#}"));
            }
            crowd.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// The line of customer `number`: half of them on WeChat (a fifth of those behind encryption), the rest on app and web.
fn line(world: &World, rng: &mut Rng, number: u64) -> Line {
    match rng.below(10) {
        0..=4 => Line::wechat(number % 2_000, number.is_multiple_of(5)),
        5..=7 => Line::app(world, number % 1_000),
        _ => Line::webchat(),
    }
}

/// One customer's talk, from the first message to the last answer.
async fn talk(world: &World, mut rng: Rng, number: u64) -> Result<()> {
    let mut line = line(world, &mut rng, number);
    let script = texts::script(&mut rng);
    for text in texts::talk(&mut rng, script) {
        let took = line.send(world, &mut rng, text).await?;
        world.figures.note_acknowledged(took);
        if line.reply(world, PATIENCE).await?.is_none() {
            let nudge = rng.pick(texts::NUDGES).copied().unwrap_or("在吗？");
            world.figures.note_acknowledged(line.send(world, &mut rng, nudge).await?);
            if line.reply(world, PATIENCE).await?.is_none() {
                world.figures.note_gave_up();
                return Ok(());
            }
        }
        tokio::time::sleep(Duration::from_secs_f64(1.5 + rng.exponential(3.0))).await;
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
        // The mark of a Poisson process: gaps deviate by as much as they last.
        assert!((deviation / mean - 1.0).abs() < 0.05, "{deviation}");
    }

    #[test]
    fn the_same_seed_brings_the_same_customers() {
        let gaps = |seed| Arrivals::new(Rng::new(seed), 3.0).take(5).collect::<Vec<_>>();
        assert_eq!(gaps(1), gaps(1));
        assert_ne!(gaps(1), gaps(2));
    }
}
