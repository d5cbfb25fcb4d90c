//! One channel on its own: its platform, with a real server, and many customers who write at a rate that does not wait for
//! Warmline. Messages are signed, or kept until Warmline fetches them, like on the platform.

use crate::channel_under_test::{ChannelUnderTest, Route};
use crate::channels::platform_server::PlatformServer;
use crate::customers::{CustomerSession, Sending, Taken, World, texts};
use crate::histogram::{self, Histogram};
use crate::live;
use crate::rng::Rng;
use anyhow::{Context, Result, bail, ensure};
use clap::builder::PossibleValuesParser;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use warmline_channels::{Carries, registry};
use warmline_client::state;
use warmline_client::{Api, ApiError, Http, ServerArgs};
use warmline_model::{AccountId, GroupId};

/// The most messages under way at once. Beyond it the customers wait, and their wait is measured.
const CROWD: usize = 512;
/// The time to wait for messages under way, and for kept ones, after the last one was written.
const GRACE: Duration = Duration::from_secs(30);
/// The pause between two looks for replies to the brand's own clients, and the number of customers of each look.
const LOOK: (Duration, usize) = (Duration::from_millis(500), 10);

/// Options of `warmline-lab simulate --channel`.
#[derive(Clone, Debug, clap::Args)]
pub struct ChannelArgs {
    /// The channel.
    #[arg(long, value_parser = channel_names())]
    pub channel: String,
    /// The account's id. A missing account is made. One that this command made before is used again.
    #[arg(long, value_parser = |text: &str| AccountId::new(text))]
    pub account: Option<AccountId>,
    /// The skill group for conversations of the account that no rule places.
    #[arg(long, value_parser = |text: &str| GroupId::new(text))]
    pub group: Option<GroupId>,
    /// Messages a second.
    #[arg(long, default_value_t = 20.0, value_parser = rate)]
    pub rate: f64,
    /// Customers who write.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub customers: u64,
    /// The duration: 60, 60s, 5m, 1h; until Ctrl-C if it is not given.
    #[arg(long = "for", value_name = "TIME", value_parser = live::time)]
    pub time: Option<Duration>,
    /// The port of the platform's API on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Takes the account as it is, made by an earlier run with this --port. No token is needed.
    #[arg(long)]
    pub use_account: bool,
    /// Prints the summary as JSON on standard output, and everything else on standard error.
    #[arg(long)]
    pub json: bool,
}

fn channel_names() -> PossibleValuesParser {
    PossibleValuesParser::new(registry::all().into_iter().map(|carries| carries.channel))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate <= 10_000.0);
    rate.ok_or_else(|| "a rate is a number above 0 and at most 10000".to_owned())
}

/// The result of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// The channel.
    pub channel: String,
    /// The account.
    pub account: String,
    /// The seconds for which customers wrote.
    pub seconds: f64,
    /// Messages that customers wrote.
    pub sent: u64,
    /// Messages that were acknowledged to the platform, or to the customer's own client.
    pub acknowledged: u64,
    /// Messages that the platform keeps or kept until they are fetched.
    pub kept: u64,
    /// The number of these that were fetched.
    pub fetched: u64,
    /// Answers other than "received", by their text. Each message is sent up to three times.
    pub refused: BTreeMap<String, u64>,
    /// Messages that were not accepted at all.
    pub lost: u64,
    /// Replies that reached customers.
    pub replies: u64,
    /// From the time at which a message was due to its acknowledgement.
    pub acknowledgement: histogram::Summary,
    /// From the time at which a message was kept until it was fetched.
    pub fetching: histogram::Summary,
}

impl Summary {
    /// One line of figures.
    fn line(&self) -> String {
        let rate = if self.seconds > 0.0 { self.sent as f64 / self.seconds } else { 0.0 };
        let mut line = format!("{}/{} {:.0} s | sent {} ({rate:.1}/s)", self.channel, self.account, self.seconds, self.sent);
        let refused: u64 = self.refused.values().sum();
        if self.acknowledgement.count > 0 || self.kept == 0 {
            let took = &self.acknowledgement;
            line.push_str(&format!(
                " | acknowledged {} in p50 {:.1} p99 {:.1} ms | refused {refused}",
                self.acknowledged, took.p50_ms, took.p99_ms
            ));
        }
        if self.kept > 0 {
            let took = &self.fetching;
            line.push_str(&format!(
                " | fetched {} of {} in p50 {:.1} p99 {:.1} s",
                self.fetched,
                self.kept,
                took.p50_ms / 1000.0,
                took.p99_ms / 1000.0
            ));
        }
        line.push_str(&format!(" | replies {}", self.replies));
        if self.lost > 0 {
            line.push_str(&format!(" | lost {}", self.lost));
        }
        line
    }

    /// Checks that every message was accepted.
    ///
    /// # Errors
    /// Some were not. The error gives their number.
    fn verdict(&self) -> Result<()> {
        ensure!(self.sent > 0, "nothing was sent");
        ensure!(self.lost == 0, "{} of {} messages were not taken", self.lost, self.sent);
        ensure!(
            self.fetched > 0 || self.kept == 0,
            "none of {} kept messages was fetched: may the server call this machine? Start it with \
             SPIN_VARIABLE_PLATFORM_PROXY=http://127.0.0.1:*",
            self.kept
        );
        ensure!(self.fetched == self.kept, "{} of {} kept messages were not fetched", self.kept - self.fetched, self.kept);
        Ok(())
    }
}

#[derive(Default)]
struct Tally {
    sent: u64,
    acknowledged: u64,
    lost: u64,
    refused: BTreeMap<String, u64>,
    /// Replies to the brand's own clients. The platforms count their own.
    replies: u64,
    acknowledgement: Histogram,
}

impl Tally {
    /// `due` is the time at which the message was to be sent. A server that makes customers wait must not look quicker for
    /// it.
    fn note(&mut self, sending: &Sending, due: Instant) {
        match sending.taken {
            Some(Taken::Acknowledged(_)) => {
                self.acknowledged += 1;
                self.acknowledgement.record_time(due.elapsed());
            }
            Some(Taken::Kept) => {}
            None => self.lost += 1,
        }
        for refusal in &sending.refusals {
            *self.refused.entry(refusal.clone()).or_default() += 1;
        }
    }
}

/// A run.
struct Run {
    entrance: Arc<ChannelUnderTest>,
    world: World,
    lines: Vec<tokio::sync::Mutex<CustomerSession>>,
    tally: Mutex<Tally>,
    begun: Instant,
    /// The time at which the last customer had written, and only messages under way were waited for.
    ended: OnceLock<Instant>,
}

impl Run {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn summary(&self) -> Summary {
        let at_platform =
            |stand: &PlatformServer| (stand.fetched().summary(), stand.waiting() as u64, stand.sent_count() as u64);
        let (fetching, waiting, taken) = self.entrance.stand().map(at_platform).unwrap_or_default();
        let tally = self.tally();
        Summary {
            channel: self.entrance.channel().to_owned(),
            account: self.entrance.account().to_owned(),
            seconds: self.ended.get().map_or_else(|| self.begun.elapsed(), |ended| *ended - self.begun).as_secs_f64(),
            sent: tally.sent,
            acknowledged: tally.acknowledged,
            kept: fetching.count + waiting,
            fetched: fetching.count,
            refused: tally.refused.clone(),
            lost: tally.lost,
            replies: tally.replies + taken,
            acknowledgement: tally.acknowledgement.summary(),
            fetching,
        }
    }

    /// Lets customers write until the time is over.
    async fn write(self: &Arc<Self>, args: &ChannelArgs, sending: &mut JoinSet<()>) {
        let mut rng = Rng::new(self.world.fresh_number());
        let end = args.time.map(|time| self.begun + time);
        for index in 0u64.. {
            let due = self.begun + Duration::from_secs_f64(index as f64 / args.rate);
            if let Some(end) = end.filter(|end| due.max(Instant::now()) >= *end) {
                return tokio::time::sleep_until(end.into()).await;
            }
            tokio::time::sleep_until(due.into()).await;
            while sending.try_join_next().is_some() {}
            if sending.len() >= CROWD {
                sending.join_next().await;
            }
            let (run, rng, text) = (Arc::clone(self), rng.part(index), words(&self.entrance, &mut rng));
            self.tally().sent += 1;
            sending.spawn(async move { run.send(index, rng, text, due).await });
        }
    }

    /// Sends one message. The messages of one customer follow one another, like on a platform.
    async fn send(&self, index: u64, mut rng: Rng, text: &str, due: Instant) {
        let at = usize::try_from(index).unwrap_or(0) % self.lines.len().max(1);
        let Some(line) = self.lines.get(at) else { return };
        let sending = line.lock().await.send(&self.world, &mut rng, text).await;
        self.tally().note(&sending, due);
    }

    /// Looks for replies to the brand's own clients, a few customers at a time.
    async fn look(&self) {
        if matches!(self.entrance.way, Route::Platform(_)) {
            return std::future::pending().await;
        }
        let (pause, several) = LOOK;
        for at in (0..self.lines.len()).cycle() {
            if at % several == 0 {
                tokio::time::sleep(pause).await;
            }
            // A customer who is writing is not interrupted.
            let Some(Ok(mut line)) = self.lines.get(at).map(tokio::sync::Mutex::try_lock) else { continue };
            if let Ok(news) = line.news(&self.world).await {
                self.tally().replies += news.len() as u64;
            }
        }
    }

    /// Waits for messages under way, and until kept messages are fetched.
    async fn settle(&self, sending: &mut JoinSet<()>) {
        while sending.join_next().await.is_some() {}
        while self.entrance.stand().is_some_and(|stand| stand.waiting() > 0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A customer's text, or the subject of an order.
fn words(entrance: &ChannelUnderTest, rng: &mut Rng) -> &'static str {
    let all = match entrance.carries.carries {
        Carries::Orders => texts::GOODS,
        Carries::Chat | Carries::Calls => texts::script(rng).openers,
    };
    rng.pick(all).copied().unwrap_or("你好")
}

/// Runs the command until its time is over or it is stopped.
///
/// # Errors
/// There is no server or no account, or messages were not accepted.
pub(super) fn run(args: &ChannelArgs, server: &ServerArgs) -> Result<()> {
    let to = if args.json { live::To::Error } else { live::To::Output };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let summary = runtime.block_on(run_until(args, server, to))?;
    if args.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        println!("{}", summary.line());
        for (refusal, count) in &summary.refused {
            println!("refused {count} times: {refusal}");
        }
    }
    summary.verdict()
}

async fn run_until(args: &ChannelArgs, server: &ServerArgs, to: live::To) -> Result<Summary> {
    let mut entrance = ChannelUnderTest::open(&args.channel, args.port)?;
    if let Some(account) = &args.account {
        entrance = entrance.named(account.as_str());
    }
    local(&server.url)?;
    if args.use_account {
        Api::new(&server.url, "")
            .wait_ready(Duration::from_secs(15))
            .await
            .with_context(|| format!("no server is ready at {}", server.url))?;
    } else {
        set_account(&server.api().await?, &entrance, args.group.as_ref()).await?;
    }
    let entrance = Arc::new(entrance);
    let line = |customer| tokio::sync::Mutex::new(CustomerSession::new(Arc::clone(&entrance), customer));
    let run = Arc::new(Run {
        world: World::new(&server.url, Http::new()),
        lines: (0..args.customers).map(line).collect(),
        tally: Mutex::default(),
        begun: Instant::now(),
        ended: OnceLock::new(),
        entrance,
    });
    let mut sending = JoinSet::new();
    tokio::select! {
        () = run.write(args, &mut sending) => {}
        () = run.look() => {}
        () = live::show(to, || run.summary().line()) => {}
        () = state::stopped() => {}
    }
    run.ended.get_or_init(Instant::now);
    // A user who stops it twice does not want to wait.
    tokio::select! {
        _ = tokio::time::timeout(GRACE, run.settle(&mut sending)) => {}
        () = run.look() => {}
        () = live::show(to, || run.summary().line()) => {}
        () = state::stopped() => {}
    }
    live::end(to);
    Ok(run.summary())
}

/// Refuses other machines: the account's secrets stand in this program's source, so the server must be out of others'
/// reach.
fn local(url: &str) -> Result<()> {
    let address = super::address(url)?;
    ensure!(
        address.ip().is_loopback(),
        "{url} is not a server of this machine: its accounts would have secrets that anybody knows"
    );
    Ok(())
}

/// The account's name, by which the next run recognises its own account.
fn name(entrance: &ChannelUnderTest) -> String {
    format!("模拟{}", entrance.carries.name_zh)
}

/// Makes the account, or updates the platform's address in one of an earlier run. Other accounts are left alone.
async fn set_account(api: &Api, entrance: &ChannelUnderTest, group: Option<&GroupId>) -> Result<()> {
    let accounts = api.accounts().await.map_err(explained)?;
    let there = accounts.iter().find(|a| a.channel == entrance.channel() && a.account == entrance.account());
    if let Some(there) = there
        && there.name != name(entrance)
    {
        bail!(
            "the account {} of the channel {} is {:?}, which this command did not make: name another by --account",
            there.account,
            there.channel,
            there.name
        );
    }
    let mut body = entrance.body(&name(entrance));
    if let Some(group) = group {
        body["settings"]["group"] = group.as_str().into();
    }
    crate::demo::set_account(api, &body).await
}

fn explained(error: ApiError) -> anyhow::Error {
    match error.status() {
        Some(401 | 403) => anyhow::Error::new(error).context("the token may not do this: an administrator's is needed"),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        Summary { channel: "jd".into(), account: "a".into(), seconds: 10.0, sent: 200, ..Summary::default() }
    }

    #[test]
    fn a_run_is_good_where_every_message_was_taken() {
        assert!(Summary { acknowledged: 200, ..summary() }.verdict().is_ok());
        assert!(Summary { kept: 200, fetched: 200, ..summary() }.verdict().is_ok());
        let why = |summary: Summary| summary.verdict().unwrap_err().to_string();
        assert!(why(Summary::default()).contains("nothing was sent"));
        assert_eq!(why(Summary { lost: 3, ..summary() }), "3 of 200 messages were not taken");
        assert!(why(Summary { kept: 200, ..summary() }).contains("SPIN_VARIABLE_PLATFORM_PROXY"));
        assert!(why(Summary { kept: 200, fetched: 199, ..summary() }).starts_with("1 of 200 kept"));
    }

    #[test]
    fn the_line_says_what_the_channel_does() {
        let line = Summary { acknowledged: 200, replies: 3, ..summary() }.line();
        assert!(line.starts_with("jd/a 10 s | sent 200 (20.0/s) | acknowledged 200 in p50"), "{line}");
        assert!(line.ends_with("| refused 0 | replies 3"), "{line}");
        let line = Summary { kept: 200, fetched: 150, ..summary() }.line();
        assert!(!line.contains("acknowledged") && line.contains("| fetched 150 of 200 in"), "{line}");
    }

    #[test]
    fn accounts_are_made_on_this_machine_only() {
        assert!(local("http://127.0.0.1:3000").is_ok());
        assert!(local("http://192.0.2.1:3000").unwrap_err().to_string().contains("not a server of this machine"));
    }
}
