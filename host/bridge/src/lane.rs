//! The way of a frame: it is posted until Warmline has settled it, and then acknowledged or not.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::backoff::{pause_of, waited};
use super::counters::Counters;
use super::frame::Frame;
use super::stopped;
use super::warmline_client::{Door, Verdict};

/// A lane works on one frame at a time, so that the frames of one order stay in order.
pub(super) struct Lane {
    pub door: Arc<Door>,
    pub tally: Arc<Counters>,
    pub acknowledgements: mpsc::Sender<String>,
    pub stopping: watch::Receiver<bool>,
}

impl Lane {
    /// Works until there are no more frames, or until it is time to stop; then it ends after the post under way.
    pub(super) async fn work(mut self, mut waiting: mpsc::Receiver<Frame>) {
        loop {
            let frame = tokio::select! {
                biased;
                () = stopped(&mut self.stopping) => return,
                frame = waiting.recv() => frame,
            };
            let Some(frame) = frame else { return };
            if self.acknowledged(&frame).await
                && let Some(text) = frame.acknowledgement()
                && self.acknowledgements.send(text).await.is_err()
            {
                return;
            }
        }
    }

    /// Posts a frame until it is settled. Returns whether to tell the platform not to send it again.
    async fn acknowledged(&mut self, frame: &Frame) -> bool {
        for tries in 1.. {
            let (why, after) = match self.door.post(&frame.bytes).await {
                Verdict::Kept => {
                    self.tally.kept.one();
                    return true;
                }
                // Otherwise it would come back for ever and never be read.
                Verdict::Unreadable(why) => {
                    self.tally.unreadable.one();
                    tracing::error!(id = frame.id(), "Warmline can never read this frame ({why}): acknowledged and gone");
                    return true;
                }
                Verdict::NotOurs(why) => {
                    self.tally.left.one();
                    tracing::warn!(id = frame.id(), "not a frame for this account ({why}): left with the platform");
                    return false;
                }
                Verdict::Mend(why) => (format!("{why}: look at --account, PINDUODUO_BRIDGE_SECRET and the clock"), None),
                Verdict::Later(why, after) => (why, after),
            };
            self.tally.retried.one();
            let pause = pause_of(tries, after);
            tracing::warn!(id = frame.id(), tries, "not kept ({why}); again in {:.1} s", pause.as_secs_f64());
            if !waited(pause, &mut self.stopping).await {
                return false;
            }
        }
        false
    }
}
