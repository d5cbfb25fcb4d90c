//! Follows the event log, for every tool that wants to know what happens.

use crate::{Api, ApiError};
use std::time::Duration;
use warmline_model::Event;

/// A reader of the log and its place in it.
pub struct Tail {
    api: Api,
    after: i64,
    pause: Duration,
    page: usize,
}

impl Tail {
    /// Reads the events after `after`. Asks again after `pause` if there is nothing new.
    pub const fn new(api: Api, after: i64, pause: Duration) -> Self {
        Self { api, after, pause, page: 500 }
    }

    /// The last event that was read.
    pub const fn after(&self) -> i64 {
        self.after
    }

    /// The present new events, without waiting; empty if there are none.
    ///
    /// # Errors
    /// The errors of the API.
    pub async fn poll(&mut self) -> Result<Vec<Event>, ApiError> {
        let events = self.api.events(self.after, self.page).await?;
        if let Some(event) = events.last() {
            self.after = event.seq;
        }
        Ok(events)
    }

    /// The next events, as soon as there are any. It waits during outages, and reports them to `trouble`.
    pub async fn next(&mut self, mut trouble: impl FnMut(&ApiError)) -> Vec<Event> {
        loop {
            match self.poll().await {
                Ok(events) if !events.is_empty() => return events,
                Ok(_) => tokio::time::sleep(self.pause).await,
                Err(error) => {
                    trouble(&error);
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
            }
        }
    }
}
