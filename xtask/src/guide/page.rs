//! The files that a page tells its reader to write.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};

use super::tree::Tree;

/// A line that a page names in its text rather than in a block.
pub struct Edit {
    /// The file.
    file: &'static str,
    /// The line.
    line: &'static str,
    /// The line of the file that comes after it, with the same indentation.
    before: &'static str,
}

const fn line(file: &'static str, line: &'static str, before: &'static str) -> Edit {
    Edit { file, line, before }
}

/// The edits of docs/ADD_A_CHANNEL.md.
pub const OF_CHANNEL: &[Edit] = &[
    line("shared/channels/src/lib.rs", "pub mod dingtalk;", "pub mod doudian;"),
    line("shared/channels/src/registry.rs", "use crate::dingtalk::DingtalkAdapter;", "use crate::doudian::DoudianAdapter;"),
    line("shared/channels/src/registry.rs", "DingtalkAdapter,", "DoudianAdapter,"),
    line(
        "shared/channels/src/keys.rs",
        "Key { channel: \"dingtalk\", message: \"sender, msgId, what is said\", event: \"\", why: \"an id alone is not trusted\" },",
        "// In any order: the document sorts them.",
    ),
];

/// The edits of docs/ADD_A_CAPABILITY.md.
pub const OF_CAPABILITY: &[Edit] = &[
    line("Cargo.toml", "\"shared/callbacks\",", "\"shared/channels\","),
    line("Cargo.toml", "callbacks = 7", "compliance = 7"),
    line(
        "Cargo.toml",
        "warmline-callbacks = { path = \"shared/callbacks\" }",
        "warmline-channels = { path = \"shared/channels\" }",
    ),
    line("shared/app/Cargo.toml", "warmline-callbacks.workspace = true", "warmline-compliance.workspace = true"),
    line("shared/app/src/lib.rs", "use warmline_callbacks::CALLBACKS;", "use warmline_compliance::COMPLIANCE;"),
    line("shared/app/src/lib.rs", "&CALLBACKS,", "&METRICS,"),
];

/// A page, taken apart.
pub struct Page {
    /// Where it is.
    path: &'static str,
    /// Blocks that name a file.
    files: Vec<(PathBuf, String)>,
    edits: &'static [Edit],
    /// The commands to type once it serves.
    pub shell: String,
}

impl Page {
    /// Reads it.
    pub fn read(path: &'static str, edits: &'static [Edit]) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        Self::parse(path, &text, edits).context(path)
    }

    fn parse(path: &'static str, text: &str, edits: &'static [Edit]) -> Result<Self> {
        let (mut files, mut shell) = (Vec::new(), None);
        let mut rest = text;
        while let Some((_, fenced)) = rest.split_once("\n```") {
            let (info, body) = fenced.split_once('\n').context("a block has no end")?;
            let (block, after) = body.split_once("\n```\n").context("a block has no end")?;
            let block = format!("{block}\n");
            match info.split_once(' ') {
                Some((_, file)) => files.push((PathBuf::from(file), block)),
                None if info == "sh" && shell.is_none() => shell = Some(block),
                None => ensure!(false, "a block says neither its file nor that it is the one to type: {info:?}"),
            }
            rest = after;
        }
        for edit in edits {
            ensure!(
                [edit.file, edit.line].iter().all(|words| text.contains(&format!("`{words}`"))),
                "the page no longer says {:?}",
                edit.line
            );
        }
        ensure!(!files.is_empty(), "the page names no file");
        Ok(Self { path, files, edits, shell: shell.context("the page has nothing to type")? })
    }

    /// Does what it says: a block becomes the file that it names, or the end of one that is there.
    pub fn follow(&self, tree: &mut Tree) -> Result<()> {
        for (path, block) in &self.files {
            let file = tree.entry(path.clone()).or_default();
            if !file.is_empty() {
                file.push(b'\n');
            }
            file.extend(block.as_bytes());
        }
        self.edits.iter().try_for_each(|edit| edit.make(tree)).context(self.path)
    }
}

impl Edit {
    fn make(&self, tree: &mut Tree) -> Result<()> {
        let bytes = tree.get_mut(&PathBuf::from(self.file)).with_context(|| format!("there is no {}", self.file))?;
        let text = std::str::from_utf8(bytes)?;
        let alone = |at: usize| {
            let indentation = text[..at].rsplit('\n').next().unwrap_or_default();
            (indentation.trim().is_empty() && text[at + self.before.len()..].starts_with('\n')).then_some((at, indentation))
        };
        let places: Vec<_> = text.match_indices(self.before).filter_map(|(at, _)| alone(at)).collect();
        let [(at, indentation)] = places[..] else {
            bail!("{} does not have one line {:?}, but {}", self.file, self.before, places.len())
        };
        let inserted = format!("{}\n{indentation}", self.line);
        bytes.splice(at..at, inserted.into_bytes());
        Ok(())
    }
}
