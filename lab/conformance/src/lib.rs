//! `warmline-lab conformance`: runs the probe component's checks, here or against any base URL.
//!
//! With the address of a Spin that serves `tests/probe/spin.toml`, it shows the differences between the embedded runner and
//! Spin.

#![expect(clippy::disallowed_methods, reason = "measures real time")]

mod checks;
mod client;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use client::Probe;

/// Check that a runner behaves as the components expect.
#[derive(Debug, clap::Args)]
pub struct Conformance {
    /// Check the server of the probe at this address instead of starting the embedded runner
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The probe's manifest
    #[arg(long, value_name = "FILE", default_value = "tests/probe/spin.toml")]
    pub manifest: PathBuf,
}

/// The checks' results so far.
#[derive(Default)]
struct Table {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Table {
    fn row(&mut self, name: &str, took: Duration, result: &Result<()>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("pass  {name} ({} ms)", took.as_millis());
            }
            Err(error) => {
                self.failed += 1;
                println!("FAIL  {name}: {error:#}");
            }
        }
        let _ = std::io::stdout().flush();
    }

    async fn check(&mut self, name: &str, check: impl Future<Output = Result<()>>) {
        let begun = Instant::now();
        let result = check.await;
        self.row(name, begun.elapsed(), &result);
    }

    fn skip(&mut self, name: &str) {
        self.skipped += 1;
        println!("skip  {name} (the embedded runner's own)");
    }
}

impl Conformance {
    /// Runs the checks. Fails if one failed. `warmline` finds the program whose runner is checked if there is no `--url`.
    ///
    /// # Errors
    /// A check failed, or the runner does not start.
    pub fn run(self, warmline: impl FnOnce() -> Result<PathBuf>) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let mut runner = None;
        let base = match &self.url {
            Some(url) => {
                ensure!(url.starts_with("http://"), "--url must begin with http://");
                url.clone()
            }
            None => runner.insert(Runner::start(&warmline()?, &self.manifest)?).url.clone(),
        };
        let mut table = Table::default();
        runtime.block_on(all(&Probe::new(&base), runner.is_some(), &mut table));
        if let Some(runner) = runner {
            let begun = Instant::now();
            // One guest is still waiting for its answer's time then, and one continues after its answer.
            let probe = Probe::new(&base);
            runtime.spawn(async move { probe.get("/probe/sleep?ms=1500").await });
            let _ = runtime.block_on(Probe::new(&base).get("/probe/after?key=stopping"));
            let result = runner.stop();
            table.row("the runner stops cleanly", begun.elapsed(), &result);
        }
        println!("{} passed, {} failed, {} skipped", table.passed, table.failed, table.skipped);
        ensure!(table.failed == 0, "{} checks failed at {base}", table.failed);
        Ok(())
    }
}

/// Runs a list of checks, each with a name.
macro_rules! run {
    ($table:ident, $probe:ident, $($name:literal => $check:ident,)*) => {
        $($table.check($name, checks::$check($probe)).await;)*
    };
}

async fn all(probe: &Probe, own: bool, table: &mut Table) {
    for (name, path, expected) in checks::EXACT {
        table.check(name, probe.expect(path, expected)).await;
    }
    for (name, path, part) in checks::CONTAINS {
        let check = async {
            let body = probe.text(path).await?;
            ensure!(body.contains(part), "expected {part:?} in {body:?}");
            Ok(())
        };
        table.check(name, check).await;
    }
    run!(table, probe,
        "a trap is a 500 that tells nothing" => trap,
        "an unknown component is a 500 for the caller" => unknown_component,
        "private routes are not reachable" => private_from_outside,
        "the request as the component sees it" => request_as_seen,
        "a request's body" => body,
        "an answer that streams" => streaming,
        "a guest goes on after its answer" => after_the_answer,
        "a guest goes on after its client" => after_the_client,
        "an abandoned transaction is rolled back" => left_open,
        "a constraint is an error of its statement" => constraint,
        "concurrent transactions lose no update" => no_lost_update,
        "concurrent inserts each have their own result" => shared_commits,
        "concurrent errors stay with their statement" => shared_commits_with_errors,
        "writers get their turn" => fair_writers,
    );
    if own {
        run!(table, probe,
            "text that is not UTF-8 harms only its guest" => not_utf8,
            "a look-up ends with its client" => look_up_ends,
            "key-value entries are bounded" => key_value_bounds,
            "functions that shared commits make wrong" => functions_denied,
            "a body that is too large is a 413" => large_body,
            "malformed requests" => malformed,
            "CPU time is bounded" => cpu_bound,
            "memory is bounded" => memory_bound,
            "too many requests are a 503" => too_many,
            "one busy component leaves places for the others" => one_busy_component,
            "no answer in time is a 504" => no_answer_in_time,
        );
    } else {
        for name in [
            "bodies, malformed requests, CPU time, memory, instances, time-outs",
            "text that is not UTF-8",
            "key-value entries are bounded",
        ] {
            table.skip(name);
        }
    }
}

/// The embedded runner as a child, with a state folder of its own.
struct Runner {
    child: Child,
    url: String,
    state: PathBuf,
}

impl Runner {
    fn start(warmline: &Path, manifest: &Path) -> Result<Self> {
        let state = std::env::temp_dir().join(format!("warmline-conformance-{}", std::process::id()));
        let mut child = Command::new(warmline)
            .args(["up", "--listen", "127.0.0.1:0", "--max-instances", "16", "--max-cpu", "2", "--answer-timeout", "6"])
            .arg("--manifest")
            .arg(manifest)
            .arg("--state")
            .arg(&state)
            .env("RUST_LOG", "off")
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the embedded runner")?;
        let output = child.stdout.take().context("no output")?;
        let mut lines = BufReader::new(output).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let Some(url) = first.strip_prefix("listening on ") else {
            let status = child.wait()?;
            bail!("the embedded runner did not start ({status})");
        };
        let url = url.to_owned();
        // Its later lines must not fill the pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(Self { child, url, state })
    }

    fn stop(mut self) -> Result<()> {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(status.success(), "cannot signal the runner");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(15) {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "it ended with {status}");
                let log = std::fs::metadata(self.state.join("sqlite.db-wal")).map_or(0, |file| file.len());
                ensure!(log == 0, "the write-ahead log was left with {log} bytes");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("it did not end in 15 s")
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.state);
    }
}
