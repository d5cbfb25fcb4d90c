//! The files that the capability of docs/ADD_A_CAPABILITY.md touches outside its own folder: no more than the page says.

use std::path::Path;

use anyhow::{Result, ensure};

use super::tree::{Tree, added, changed};

/// The capability's own folder.
const OWN: &str = "shared/callbacks";
/// The files that a capability changes by hand.
const BY_HAND: [&str; 3] = ["Cargo.toml", "shared/app/Cargo.toml", "shared/app/src/lib.rs"];
/// The files that cargo and `cargo xtask docs` write.
const WRITTEN: [&str; 3] = ["Cargo.lock", "docs/API.md", "shared/app/openapi.json"];

/// Prints what is touched: the sources before the page, as the page leaves them, and as they are when all was built.
pub fn tell(before: &Tree, followed: &Tree, built: &Tree) -> Result<()> {
    println!("what the capability touches outside {OWN}:");
    tell_part(before, followed, &BY_HAND, "by hand", usize::MAX)?;
    tell_part(followed, built, &WRITTEN, "written by cargo and `cargo xtask docs`", 0)
}

/// Prints the changed files and at most so many of the added lines of each. Fails if one is changed that may not be.
fn tell_part(old: &Tree, new: &Tree, may: &[&str], how: &str, shown: usize) -> Result<()> {
    for path in changed(old, new).filter(|path| !path.starts_with(OWN)) {
        let lines = added(old, new, path);
        println!("  {} ({how}, lines: {})", path.display(), lines.len());
        lines.iter().take(shown).for_each(|line| println!("    + {}", line.trim()));
        ensure!(may.iter().any(|may| path == Path::new(may)), "{} is not among what a capability touches", path.display());
    }
    let gone = old.keys().find(|path| !new.contains_key(*path));
    ensure!(gone.is_none(), "{gone:?} is gone");
    Ok(())
}
