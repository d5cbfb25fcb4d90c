//! The tick: the due steps of every capability, and the followers that have no component of their own.

use crate::DUE;
use std::collections::BTreeMap;
use std::ops::Index;
use warmline_endpoint::capability::{self, Follow};
use warmline_kernel::{Ctx, StepError};
use warmline_model::Timestamp;
use warmline_store::StoreError;

/// The component that runs the tick, and the followers that name it.
pub(crate) const ROUTER: &str = "router";

/// The effects of a tick: counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticked(BTreeMap<&'static str, i64>);

impl Index<&str> for Ticked {
    type Output = i64;

    fn index(&self, name: &str) -> &i64 {
        self.0.get(name).unwrap_or(&0)
    }
}

/// Runs the due steps, in the order of [`crate::CAPABILITIES`]. A step that fails does not stop the others.
///
/// # Errors
/// The first failure. Committed steps stay, and the next tick does the rest.
pub fn tick(ctx: &Ctx<'_>) -> Result<Ticked, StepError> {
    let (mut done, mut failed) = (Ticked::default(), None);
    for due in DUE.iter().copied().flatten() {
        match (due.step)(ctx) {
            Ok(counts) => counts.into_iter().for_each(|(name, count)| *done.0.entry(name).or_default() += count),
            // On a store that is locked or full, each further step would wait in vain.
            Err(error @ StepError::Store(StoreError::Busy | StoreError::Full)) => return Err(error),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(done), Err)
}

table!(
    /// The followers that the router runs. The followers of other components are left out here, so that the router does not
    /// link them.
    FOLLOWERS: Option<Follow> = |capability| match capability.follower {
        Some(follower) if same(follower.component, ROUTER) => Some(follower.step),
        _ => None,
    }, or None
);

/// Lets the router's followers handle new events, until an instant at the latest. Returns true if more wait.
///
/// # Errors
/// The store fails. Committed steps stay.
pub fn follow(ctx: &Ctx<'_>, until: Timestamp) -> Result<bool, StepError> {
    let mut more = false;
    for step in FOLLOWERS.iter().copied().flatten() {
        more |= capability::follow(ctx, step, until)?;
    }
    Ok(more)
}

/// Whether two names are the same, for use in constants.
pub(crate) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}
