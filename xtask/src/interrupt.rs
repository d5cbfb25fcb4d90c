//! Ctrl-C. The programs that a command started act on it themselves, or are ended; the command goes on until then.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C is noted, and does not end this program.
pub fn listen() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).context("cannot handle Ctrl-C")
}

/// Whether somebody pressed Ctrl-C.
pub fn came() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
