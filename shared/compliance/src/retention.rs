//! The number of days for which data is kept. Each capability names the data that it keeps for a number of days only, and
//! removes what is older: see [`warmline_kernel::personal::Retain`]. A legal hold keeps everything that it covers.
//!
//! The audit log is not pruned: it is a chain, and must not have an end that can be cut off. Events are not pruned: the
//! figures are computed from them.

use std::collections::BTreeMap;
use warmline_kernel::audit::{self, Action, Subject};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::installed::hooks;
use warmline_kernel::personal::{Counts, Days, Keeping, MOST_DAYS};
use warmline_store::{StoreError, config};

/// The name of the settings' document.
const SETTINGS: &str = "retention";
/// The settings in it. The release before refuses a document with any other.
const OLDEST: [&str; 4] = ["hot_days", "archive_days", "parked_days", "work_days"];
/// The name of the document with all later settings.
const LATER: &str = "retention_later";

/// The settings of all installed capabilities.
///
/// # Errors
/// No capability is installed.
pub fn known(ctx: &Ctx<'_>) -> Result<Vec<&'static Days>, StepError> {
    Ok(hooks(ctx)?.flat_map(|hooks| hooks.retain.days).collect())
}

/// The settings in force and their version; 0 before the first change.
pub fn settings(ctx: &Ctx<'_>) -> Result<(Keeping, i64), StepError> {
    let mut all: BTreeMap<String, i64> = known(ctx)?.into_iter().map(|days| (days.name.to_owned(), days.usual)).collect();
    let mut newest = 0;
    for document in [SETTINGS, LATER] {
        let Some((text, version)) = config::get(ctx.db, document)? else { continue };
        let changed: BTreeMap<String, i64> = serde_json::from_str(&text).map_err(|_| StoreError::Shape(0))?;
        // A capability that came later has its default until the settings are changed. One that is gone has none.
        for (name, days) in &mut all {
            *days = changed.get(name).copied().unwrap_or(*days);
        }
        newest = newest.max(version);
    }
    Ok((Keeping(all), newest))
}

/// Replaces the settings and returns their new version.
///
/// # Errors
/// A setting is missing, unknown or out of its bounds.
pub fn change(ctx: &Ctx<'_>, actor: &Actor, settings: &Keeping) -> Result<i64, StepError> {
    let known = known(ctx)?;
    for days in &known {
        let Some(value) = settings.0.get(days.name) else {
            return Err(StepError::invalid(days.name, "is missing"));
        };
        if !(days.least..=MOST_DAYS).contains(value) {
            let problem = format!("is a number of days from {} to {MOST_DAYS}", days.least);
            return Err(StepError::invalid(days.name, problem));
        }
    }
    if let Some(other) = settings.0.keys().find(|name| known.iter().all(|days| days.name != **name)) {
        return Err(StepError::invalid(other.clone(), "is not a setting of retention"));
    }
    audit::append(ctx, actor, Action::ChangeRetention, Subject::default())?;
    let (oldest, later): (BTreeMap<_, _>, BTreeMap<_, _>) =
        settings.0.iter().partition(|(name, _)| OLDEST.contains(&name.as_str()));
    let mut newest = 0;
    for (document, part) in [(SETTINGS, oldest), (LATER, later)] {
        let text = serde_json::to_string(&part).map_err(|_| StoreError::Shape(0))?;
        newest = newest.max(config::put(ctx.db, document, &text, ctx.now())?);
    }
    Ok(newest)
}

/// Does a bounded part of the due work in every capability.
///
/// # Errors
/// The store fails. Committed parts stay, and nothing is half done.
pub fn step(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    let (settings, _) = settings(ctx)?;
    let (mut done, mut failed) = (Counts::new(), None);
    for hooks in hooks(ctx)? {
        match (hooks.retain.step)(ctx, &settings) {
            Ok(counts) => done.extend(counts),
            // One capability's trouble keeps nothing of another.
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(done), Err)
}
