//! The files and lines that docs/ADD_A_CHANNEL.md tells its reader to write.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

/// Sources by their path.
pub type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// The lines that the page names in its text and not in a block: the file, the line, and the line after it there.
const LINES: [(&str, &str, &str); 4] = [
    ("shared/channels/src/lib.rs", "pub mod dingtalk;", "pub mod doudian;"),
    ("shared/channels/src/registry.rs", "use crate::dingtalk::DingtalkAdapter;", "use crate::doudian::DoudianAdapter;"),
    ("shared/channels/src/registry.rs", "DingtalkAdapter,", "    DoudianAdapter,"),
    (
        "shared/channels/src/keys.rs",
        "Key { channel: \"dingtalk\", message: \"sender, msgId, what is said\", event: \"\", why: \"an id alone is not trusted\" },",
        "    // In any order: the document sorts them.",
    ),
];

/// The page, taken apart.
pub struct Page {
    /// Blocks that name a file.
    files: Vec<(PathBuf, String)>,
    /// The commands to run once it serves.
    pub shell: String,
}

impl Page {
    /// Reads the page.
    pub fn read(text: &str) -> Result<Self> {
        let (mut files, mut shell) = (Vec::new(), None);
        let mut rest = text;
        while let Some((_, fenced)) = rest.split_once("\n```") {
            let (info, body) = fenced.split_once('\n').context("a block has no end")?;
            let (block, after) = body.split_once("\n```\n").context("a block has no end")?;
            let block = format!("{block}\n");
            match info.split_once(' ') {
                Some((_, path)) => files.push((PathBuf::from(path), block)),
                None if info == "sh" && shell.is_none() => shell = Some(block),
                None => ensure!(false, "a block says neither its file nor that it is the one to type: {info:?}"),
            }
            rest = after;
        }
        for (file, line, _) in LINES {
            ensure!(
                [file, line].iter().all(|words| text.contains(&format!("`{words}`"))),
                "the page no longer says {line:?}"
            );
        }
        ensure!(!files.is_empty(), "the page names no file");
        Ok(Self { files, shell: shell.context("the page has nothing to type")? })
    }

    /// Follows the page: a block becomes the file that it names, or the end of an existing file.
    pub fn follow(&self, tree: &mut Tree) -> Result<()> {
        for (path, block) in &self.files {
            let file = tree.entry(path.clone()).or_default();
            if !file.is_empty() {
                file.push(b'\n');
            }
            file.extend(block.as_bytes());
        }
        for (file, line, before) in LINES {
            insert(tree, file, line, before)?;
        }
        Ok(())
    }
}

/// Inserts a line before another one.
fn insert(tree: &mut Tree, file: &str, line: &str, before: &str) -> Result<()> {
    let bytes = tree.get_mut(&PathBuf::from(file)).with_context(|| format!("there is no {file}"))?;
    let text = std::str::from_utf8(bytes)?;
    let at = format!("\n{before}\n");
    ensure!(text.matches(&at).count() == 1, "{file} has no line of its own that says {before:?}");
    *bytes = text.replace(&at, &format!("\n{line}{at}")).into_bytes();
    Ok(())
}
