//! Follows the event log: one reader for everybody who wants to know what happens.

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
    /// Reads what follows event `after`; asks again after `pause` where there is nothing new.
    pub const fn new(api: Api, after: i64, pause: Duration) -> Self {
        Self { api, after, pause, page: 500 }
    }

    /// The last event that was read.
    pub const fn after(&self) -> i64 {
        self.after
    }

    /// What is there now, at once; nothing where nothing is new.
    ///
    /// # Errors
    /// The API's.
    pub async fn poll(&mut self) -> Result<Vec<Event>, ApiError> {
        let events = self.api.events(self.after, self.page).await?;
        if let Some(event) = events.last() {
            self.after = event.seq;
        }
        Ok(events)
    }

    /// The next events, as soon as there are any. Outages are waited out; `trouble` is told of them.
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
