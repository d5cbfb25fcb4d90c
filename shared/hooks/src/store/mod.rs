//! The tables of hooks.

pub mod deliveries;
pub mod hooks;
