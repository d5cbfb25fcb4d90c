//! Group commit: statements outside a transaction, from different guests, in one commit.
//!
//! Each statement queues. One leader waits for the writer and then runs all queued statements inside one transaction. Each
//! statement gets its own result or error, after the commit. SQLite undoes a failed statement alone, so its neighbours are
//! not affected.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;

use super::{Connection, Database, Durability, StatementError, WRITER_WAIT, Watch, Writer, lock};
use crate::bindings::sqlite::{QueryResult, Value};

/// The most statements that share a commit.
const BATCH: usize = 64;

/// Statements waiting for a commit.
pub struct Queue {
    pub jobs: VecDeque<Job>,
    /// Whether a leader is on its way.
    pub led: bool,
}

/// One waiting statement.
pub struct Job {
    sql: String,
    parameters: Vec<Value>,
    reply: oneshot::Sender<Result<QueryResult, StatementError>>,
    /// Set by the one that decides the job's fate first: the leader that runs it or the guest that gives up.
    taken: Arc<AtomicBool>,
}

type Outcome = Result<QueryResult, StatementError>;

impl Database {
    /// Runs one writing statement in a commit of its own or shared with others.
    pub async fn write(self: &Arc<Self>, sql: String, parameters: Vec<Value>) -> Outcome {
        let (reply, answer) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        let job = Job { sql, parameters, reply, taken: Arc::clone(&taken) };
        if self.enqueue(job) && !self.lead_here() {
            tokio::spawn(lead(Arc::clone(self)));
        }
        let mut answer = std::pin::pin!(answer);
        let lost = |_| Err(StatementError::new("the commit was given up"));
        let outcome = match tokio::time::timeout(WRITER_WAIT, &mut answer).await {
            Ok(outcome) => outcome.unwrap_or_else(lost),
            Err(_) if !taken.swap(true, Ordering::AcqRel) => Err(StatementError::locked()),
            Err(_) => answer.await.unwrap_or_else(lost),
        };
        outcome.map_err(|error| self.watch.explain(error, &self.wal_pages))
    }

    /// Leads in the caller's own task if nobody writes and no disk is waited for. No task is spawned and no thread is
    /// woken. It never waits, so a caller that is dropped cannot leave the queue without a leader. With full durability,
    /// the start of a task takes a moment in which more statements join the commit.
    fn lead_here(self: &Arc<Self>) -> bool {
        if self.durability == Durability::Full {
            return false;
        }
        let Ok(mut writer) = Arc::clone(&self.writer).try_lock_owned() else { return false };
        loop {
            let (batch, last) = self.take_batch();
            self.commit(&mut writer, batch);
            if last {
                return true;
            }
        }
    }

    /// Runs a batch on the writing connection and answers its jobs.
    fn commit(&self, writer: &mut Writer, batch: Vec<Job>) {
        match writer.connection(self).map_err(StatementError::from) {
            Ok(connection) => match self.watch.admit(connection, &self.wal_pages) {
                Ok(()) => run_batch(connection, &self.watch, batch),
                Err(error) => fail(batch, &error),
            },
            Err(error) => fail(batch, &error),
        }
        // A connection that could not end its transaction is useless to the next writer.
        if writer.connection.as_ref().is_some_and(|connection| !connection.roll_back()) {
            writer.connection = None;
        }
    }

    /// Queues a job. Returns true if a leader is needed.
    fn enqueue(&self, job: Job) -> bool {
        let mut queue = lock(&self.queue);
        queue.jobs.push_back(job);
        !std::mem::replace(&mut queue.led, true)
    }

    /// The next jobs, and whether they are the last.
    fn take_batch(&self) -> (Vec<Job>, bool) {
        let mut queue = lock(&self.queue);
        let count = queue.jobs.len().min(BATCH);
        let batch: Vec<Job> = queue.jobs.drain(..count).filter(|job| !job.reply.is_closed()).collect();
        queue.led = !queue.jobs.is_empty();
        (batch, !queue.led)
    }
}

/// Waits for the writer, runs a batch, and hands the writer on before the next batch.
async fn lead(database: Arc<Database>) {
    loop {
        let mut writer = Arc::clone(&database.writer).lock_owned().await;
        // Requests that are ready to run reach their statements first, so that more of them share the commit. That is worth
        // more than the moment. If none is ready, this costs nothing.
        tokio::task::yield_now().await;
        let (batch, last) = database.take_batch();
        database.blocking(|| database.commit(&mut writer, batch));
        if last {
            return;
        }
    }
}

fn fail(jobs: Vec<Job>, error: &StatementError) {
    for job in jobs {
        let _ = job.reply.send(Err(error.clone()));
    }
}

fn run_batch(connection: &Connection, watch: &Watch, batch: Vec<Job>) {
    let mut batch: Vec<Job> = batch.into_iter().filter(|job| !job.taken.swap(true, Ordering::AcqRel)).collect();
    if batch.len() < 2 {
        return run_singly(connection, watch, batch);
    }
    if let Err(error) = connection.run("BEGIN IMMEDIATE", &[]) {
        return fail(batch, &error);
    }
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(batch.len());
    for job in &batch {
        outcomes.push(connection.run(&job.sql, &job.parameters));
        // An error that ended the whole transaction (a full disk, OR ROLLBACK) also undid the statements before it.
        if connection.is_idle() {
            let culprit = batch.remove(outcomes.len() - 1);
            if let Some(outcome) = outcomes.pop() {
                let _ = culprit.reply.send(outcome);
            }
            return run_singly(connection, watch, batch);
        }
    }
    match connection.run("COMMIT", &[]) {
        Ok(_) => {
            let lost = watch.confirm().err();
            for (job, outcome) in batch.into_iter().zip(outcomes) {
                let _ = job.reply.send(lost.clone().map_or(outcome, Err));
            }
        }
        // For example, one of them broke a deferred foreign key, which shows only at the commit.
        Err(_) => {
            connection.roll_back();
            run_singly(connection, watch, batch);
        }
    }
}

fn run_singly(connection: &Connection, watch: &Watch, jobs: Vec<Job>) {
    for job in jobs {
        let outcome = connection.run(&job.sql, &job.parameters).and_then(|result| watch.confirm().map(|()| result));
        if !connection.is_idle() {
            connection.roll_back();
        }
        let _ = job.reply.send(outcome);
    }
}
