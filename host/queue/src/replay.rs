//! A log replayed.
