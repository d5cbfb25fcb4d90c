//! `cargo xtask guide`: follows docs/ADD_A_CHANNEL.md to the letter, in a copy of the sources, and checks that it works.
//! The page's files compile, its tests pass, its component serves, and its commands give the answers in the page.
//!
//! It is a command of its own and not a test, because it takes minutes: the copy is compiled into a target folder of its
//! own, for this machine and for Wasm. Nothing is downloaded. (Cargo names its output by the crate's place in its
//! workspace. In a shared target folder, the copy's output would pass for the output of the sources.)
//!
//! * [`page`]: the page, taken apart.

mod page;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, ensure};
use page::{Page, Tree};

const PAGE: &str = "docs/ADD_A_CHANNEL.md";

/// The parts of the sources that a build needs.
const SOURCES: [&str; 11] = [
    "Cargo.lock",
    "Cargo.toml",
    "clippy.toml",
    "components",
    "docs",
    "host",
    "lab",
    "shared",
    "spin.toml",
    "tests",
    "xtask",
];

/// The page's own address. Its port is not always free.
const BASE: &str = "BASE=http://127.0.0.1:3000\n";

/// The text of the page's customer.
const WORDS: &str = "我的订单什么时候发货？";

pub fn run() -> Result<ExitCode> {
    let page = Page::read(&std::fs::read_to_string(PAGE)?).context(PAGE)?;
    let target = std::path::absolute(super::target_dir())?;
    let guide = target.join("guide");
    let own_target = guide.join("target");
    let copy = guide.join("workspace");
    let mut tree = Tree::new();
    for source in SOURCES {
        read(Path::new(source), &mut tree)?;
    }
    page.follow(&mut tree).context(PAGE)?;
    write(&copy, &tree)?;

    let cargo = || {
        let mut command = super::cargo();
        command.current_dir(&copy).env("CARGO_TARGET_DIR", &own_target);
        command
    };
    let tests = ["test", "--offline", "--release", "--package", "warmline-channels", "--lib", "dingtalk"];
    super::check(cargo().args(tests).status(), "the page's tests")?;
    let build = ["build", "--offline", "--target", super::TARGET, "--profile", "component"];
    // The API's component must know the channel, so it is built again. The others serve as they are.
    super::check(
        cargo().args(build).args(["--package", "channel-dingtalk", "--package", "desk"]).status(),
        "building the page's component",
    )?;

    let served = guide.join("served");
    std::fs::create_dir_all(&served)?;
    for target in [&target, &own_target] {
        for entry in std::fs::read_dir(target.join(super::TARGET).join("component"))? {
            let path = entry?.path();
            if let (Some(name), true) = (path.file_name(), path.extension().is_some_and(|e| e == "wasm")) {
                std::fs::copy(&path, served.join(name))?;
            }
        }
    }
    try_it(&page, &guide, &copy.join("spin.toml"), &served)?;
    println!("{PAGE} works as it stands");
    Ok(ExitCode::SUCCESS)
}

/// Serves the copy, and runs the page's commands.
fn try_it(page: &Page, dir: &Path, manifest: &Path, components: &Path) -> Result<()> {
    let state = dir.join(".warmline");
    // The page begins with no state, and the keys of an earlier run fit no other store. Compiled code is used again.
    let keys = std::fs::read_dir(dir.join(".warmline-keys"));
    for entry in std::fs::read_dir(&state).into_iter().chain(keys).flatten() {
        let path = entry?.path();
        if path.is_file() {
            std::fs::remove_file(path)?;
        }
    }
    let mut up = Command::new(super::binary(super::WARMLINE)?);
    up.args(["up", "--listen", "127.0.0.1:0", "--ready", "/readyz", "--durability", "normal", "--manifest"]);
    up.arg(manifest).arg("--state").arg(&state).arg("--component-dir").arg(components);
    let (_serving, url) = Serving::start(&mut up)?;

    ensure!(page.shell.starts_with(BASE), "what is to be typed does not begin with {BASE:?}");
    // A busy machine takes longer than the second on the page.
    let shell = page.shell.replacen(BASE, &format!("sleep() {{ command sleep 5; }}\nBASE={url}\n"), 1);
    let typed = format!("set -euo pipefail\n{shell}\nadmin $BASE/api/metrics\n");
    let output = Command::new("bash").args(["-c", &typed]).current_dir(dir).output().context("cannot run bash")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = || format!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "what the page says to type fails:\n{}", complained());
    let answers = |status: &str| said.lines().any(|line| line.ends_with(status));
    ensure!(answers("{}200"), "the webhook is not taken:\n{}", complained());
    ensure!(said.contains(WORDS), "the customer's words are not shown:\n{}", complained());
    ensure!(answers("}401"), "the forged webhook is not refused:\n{}", complained());
    ensure!(said.contains("\"dingtalk/signature_wrong\":1"), "the refusal is not counted:\n{}", complained());
    Ok(())
}

/// A server that ends when this value is dropped.
struct Serving(Child);

impl Serving {
    fn start(command: &mut Command) -> Result<(Self, String)> {
        let mut serving = Self(command.stdout(Stdio::piped()).spawn().context("cannot start the server")?);
        let output = serving.0.stdout.take().context("the server has no output")?;
        let mut first = String::new();
        let mut lines = BufReader::new(output);
        lines.read_line(&mut first)?;
        // Closing a pipe ends the program that writes into it.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let url = first.trim().strip_prefix("listening on ").context("the server does not start")?;
        Ok((serving, url.to_owned()))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads a file, or all files of a folder.
fn read(path: &Path, tree: &mut Tree) -> Result<()> {
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

/// Writes the files that differ, so that cargo compiles only these, and removes files that are gone.
fn write(dir: &Path, tree: &Tree) -> Result<()> {
    for (path, bytes) in tree {
        let to = dir.join(path);
        if std::fs::read(&to).is_ok_and(|old| old == *bytes) {
            continue;
        }
        std::fs::create_dir_all(to.parent().unwrap_or(dir))?;
        std::fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
    }
    let mut old = Tree::new();
    read(dir, &mut old)?;
    let gone = old.into_keys().filter(|path| path.strip_prefix(dir).is_ok_and(|path| !tree.contains_key(path)));
    for path in gone.collect::<Vec<PathBuf>>() {
        std::fs::remove_file(path)?;
    }
    remove_empty_folders(dir)
}

/// Removes the folders below that hold no file: the workspace would take the rest of a crate for a crate.
fn remove_empty_folders(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty_folders(&entry.path())?;
            // A folder that holds something stays.
            let _ = std::fs::remove_dir(entry.path());
        }
    }
    Ok(())
}
