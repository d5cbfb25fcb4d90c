//! Sources in memory: read from a folder, written to another, compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Sources by their path.
pub type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// Reads a file, or all that a folder holds.
pub fn read(path: &Path, tree: &mut Tree) -> Result<()> {
    if !path.is_dir() {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        tree.insert(path.to_path_buf(), bytes);
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        read(&entry?.path(), tree)?;
    }
    Ok(())
}

/// Reads all that a folder holds, by the paths in it.
pub fn read_within(dir: &Path) -> Result<Tree> {
    let mut tree = Tree::new();
    read(dir, &mut tree)?;
    Ok(tree.into_iter().filter_map(|(path, bytes)| Some((path.strip_prefix(dir).ok()?.to_path_buf(), bytes))).collect())
}

/// Writes what is not there already, so that cargo compiles only what changed, and removes what is no longer.
pub fn write(dir: &Path, tree: &Tree) -> Result<()> {
    for (path, bytes) in tree {
        let to = dir.join(path);
        if std::fs::read(&to).is_ok_and(|old| old == *bytes) {
            continue;
        }
        std::fs::create_dir_all(to.parent().unwrap_or(dir))?;
        std::fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
    }
    for path in read_within(dir)?.into_keys().filter(|path| !tree.contains_key(path)) {
        std::fs::remove_file(dir.join(path))?;
    }
    remove_empty_folders(dir)
}

/// Removes the folders below that hold no file: the workspace would take what is left of a crate for one.
fn remove_empty_folders(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty_folders(&entry.path())?;
            // One that holds something stays.
            let _ = std::fs::remove_dir(entry.path());
        }
    }
    Ok(())
}

/// The files of `new` that `old` does not have, or has with other content.
pub fn changed<'t>(old: &'t Tree, new: &'t Tree) -> impl Iterator<Item = &'t Path> {
    new.iter().filter(|(path, bytes)| old.get(*path) != Some(*bytes)).map(|(path, _)| path.as_path())
}

/// The lines of a file in `new` that are not in `old`.
pub fn added(old: &Tree, new: &Tree, path: &Path) -> Vec<String> {
    let text = |tree: &Tree| tree.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    let old = text(old);
    let mut left: Vec<&str> = old.lines().collect();
    let new = text(new);
    let unmatched = new.lines().filter(|line| match left.iter().position(|other| other == line) {
        Some(at) => {
            left.remove(at);
            false
        }
        None => true,
    });
    unmatched.map(str::to_owned).collect()
}
