//! A day simulated.
