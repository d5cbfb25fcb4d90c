//! `cargo xtask guide`: follows docs/ADD_A_CHANNEL.md and docs/ADD_A_CAPABILITY.md to the letter, in one copy of the sources,
//! and sees that they work: the pages' files compile, their tests pass, their routes are served, and what they say to type
//! answers as they say. It prints what the capability touched outside its own folder, and fails if that is more than the page
//! says.
//!
//! A command of its own and no test, since it compiles the crates of the workspace anew. Everything else is taken from the
//! build of the sources: the copy has its own version, so cargo keeps what it makes of the copy apart from what it makes of
//! the sources, in the same folder. The crates of others have the same features as in that build, because the commands here
//! choose the same packages or all of them.
//!
//! * [`page`]: a page, taken apart; [`tree`]: sources in memory; [`touched`]: what changed where.

mod page;
mod touched;
mod tree;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use page::Page;
use tree::Tree;

use crate::serving::Serving;

const CHANNEL: &str = "docs/ADD_A_CHANNEL.md";
const CAPABILITY: &str = "docs/ADD_A_CAPABILITY.md";

/// The sources that a build needs.
const SOURCES: [&str; 14] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "clippy.toml",
    "components",
    "docs",
    "host",
    "lab",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "shared",
    "spin.toml",
    "tests",
    "xtask",
];

/// The version of the sources, and of the copy.
const VERSION: &str = "\nversion = \"0.1.0\"\n";
const OF_COPY: &str = "\nversion = \"0.1.0-guide\"\n";

/// The pages' own address, which is not always free.
const BASE: &str = "BASE=http://127.0.0.1:3000\n";

/// The words of the channel page's customer, and the note of the capability page.
const WORDS: &str = "我的订单什么时候发货？";
const NOTE: &str = "想了解退货进度";

pub fn run() -> Result<ExitCode> {
    let channel = Page::read(CHANNEL, page::OF_CHANNEL)?;
    let capability = Page::read(CAPABILITY, page::OF_CAPABILITY)?;
    let target = std::path::absolute(super::target_dir())?;
    let guide = target.join("guide");
    let copy = Copy { dir: guide.join("workspace"), target: guide.join("target"), shared: target.clone() };

    let mut before = Tree::new();
    for source in SOURCES {
        tree::read(Path::new(source), &mut before)?;
    }
    rename_version(&mut before)?;
    channel.follow(&mut before)?;
    let mut followed = before.clone();
    capability.follow(&mut followed)?;
    tree::write(&copy.dir, &followed)?;

    let pages = ["fmt", "--check", "--package", "warmline-callbacks", "--package", "warmline-app", "--package"];
    super::check(copy.cargo().args(pages).arg("channel-dingtalk").status(), "looking at the form of the pages' files")?;
    // As `cargo xtask docs`, with what is compiled already.
    super::check(copy.native("run", &["--quiet", "--example", "openapi"]).status(), "describing the API")?;
    super::check(copy.native("test", &["--test", "callbacks", "--test", "desk"]).status(), "the capability's tests")?;
    let chosen = CHOSEN.iter().flat_map(|name| ["--package", name]);
    let tests: Vec<&str> = ["--lib"].into_iter().chain(chosen).chain(["--"]).chain(CHANNEL_TESTS).collect();
    super::check(copy.native("test", &tests).status(), "the channel's tests")?;
    // The API's component must know both, so it is made anew; the others serve as they are. Its file has the same name in both
    // builds: without what cargo remembers of it, the next build of the sources makes its own again.
    super::check(copy.forget("desk").status(), "forgetting the sources' component")?;
    super::check(copy.components(&["channel-dingtalk", "desk"]).status(), "building the pages' components")?;

    let served = guide.join("served");
    std::fs::create_dir_all(&served)?;
    for target in [&target, &copy.target] {
        for entry in std::fs::read_dir(target.join(super::TARGET).join("component"))? {
            let path = entry?.path();
            if let (Some(name), true) = (path.file_name(), path.extension().is_some_and(|e| e == "wasm")) {
                std::fs::copy(&path, served.join(name))?;
            }
        }
    }
    try_them(&channel, &capability, &guide, &copy.dir.join("spin.toml"), &served)?;
    println!("{CHANNEL} and {CAPABILITY} work as they stand");
    touched::tell(&before, &followed, &tree::read_within(&copy.dir)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The packages that are chosen for the channel's unit tests, so that the crates of others have the features of the whole build.
/// Only these three have a library: the channel's, the list of capabilities, and a small one.
const CHOSEN: [&str; 7] =
    ["warmline-channels", "warmline-app", "warmline-routing", "warmline", "warmline-lab", "warmline-tests", "xtask"];
/// Their tests that concern the pages.
const CHANNEL_TESTS: [&str; 4] = ["dingtalk", "names_are_unique", "no_two_routes", "openapi::"];

/// Gives the copy a version of its own.
fn rename_version(tree: &mut Tree) -> Result<()> {
    let manifest = tree.get_mut(Path::new("Cargo.toml")).context("there is no Cargo.toml")?;
    let text = std::str::from_utf8(manifest)?;
    ensure!(text.matches(VERSION).count() == 1, "Cargo.toml does not say {VERSION:?} once");
    *manifest = text.replace(VERSION, OF_COPY).into_bytes();
    Ok(())
}

/// The copy of the sources.
struct Copy {
    dir: PathBuf,
    /// The programs and components that are made of it.
    target: PathBuf,
    /// Everything else that is compiled, with what was compiled of the sources.
    shared: PathBuf,
}

impl Copy {
    fn cargo(&self) -> Command {
        let mut command = super::cargo();
        command.current_dir(&self.dir).env("CARGO_TARGET_DIR", &self.target);
        if std::env::var_os("CARGO_BUILD_BUILD_DIR").is_none() {
            command.env("CARGO_BUILD_BUILD_DIR", &self.shared);
        }
        command
    }

    /// A native build.
    fn native(&self, task: &str, rest: &[&str]) -> Command {
        let mut command = self.cargo();
        command.args([task, "--offline", "--release"]).args(self.quick("release", &[])).args(rest);
        command
    }

    /// A build of components.
    fn components(&self, names: &[&str]) -> Command {
        let mut command = self.cargo();
        command.args(["build", "--offline", "--target", super::TARGET, "--profile", "component"]);
        command.args(names.iter().flat_map(|name| ["--package", name])).args(self.quick("component", names));
        command
    }

    /// Has a component made anew by the next build, be it of the copy or of the sources.
    fn forget(&self, name: &str) -> Command {
        let mut command = self.cargo();
        command.args([
            "clean",
            "--quiet",
            "--offline",
            "--target",
            super::TARGET,
            "--profile",
            "component",
            "--package",
            name,
        ]);
        command
    }

    /// Lets the crates of the workspace be compiled and linked quickly: they need not run quickly here.
    fn quick(&self, profile: &str, components: &[&str]) -> Vec<String> {
        let shared = std::fs::read_dir(self.dir.join("shared")).into_iter().flatten().flatten();
        let shared = shared.map(|entry| format!("warmline-{}", entry.file_name().to_string_lossy()));
        let all = shared.chain(components.iter().map(|name| (*name).to_owned()));
        all.flat_map(|name| ["--config".to_owned(), format!("profile.{profile}.package.{name}.opt-level=0")]).collect()
    }
}

/// Serves, and types what the pages say.
fn try_them(channel: &Page, capability: &Page, dir: &Path, manifest: &Path, components: &Path) -> Result<()> {
    let state = dir.join(".warmline");
    // The pages begin with nothing, and the keys of an earlier run fit no other store; what was compiled is taken again.
    let keys = std::fs::read_dir(dir.join(".warmline-keys"));
    for entry in std::fs::read_dir(&state).into_iter().chain(keys).flatten() {
        let path = entry?.path();
        if path.is_file() {
            std::fs::remove_file(path)?;
        }
    }
    std::fs::create_dir_all(&state)?;
    // The runner takes the components that it compiled for the tests from there.
    let compiled = std::path::absolute(super::target_dir())?.join("tmp/compiled");
    std::fs::create_dir_all(&compiled)?;
    #[cfg(unix)]
    let _ = std::os::unix::fs::symlink(&compiled, state.join("cache"));
    let mut up = Command::new(super::binary(super::WARMLINE)?);
    up.args(["up", "--listen", "127.0.0.1:0", "--ready", "/readyz", "--durability", "normal", "--manifest"]);
    up.arg(manifest).arg("--state").arg(&state).arg("--component-dir").arg(components);
    let (_serving, url) = Serving::start(&mut up)?;

    let said = type_it(&format!("{}\nadmin $BASE/api/metrics\n", channel.shell), dir, &url).context(CHANNEL)?;
    let answers = |status: &str| said.lines().any(|line| line.ends_with(status));
    ensure!(answers("{}200"), "the webhook is not taken:\n{said}");
    ensure!(said.contains(WORDS), "the customer's words are not shown:\n{said}");
    ensure!(answers("}401"), "the forged webhook is not refused:\n{said}");
    ensure!(said.contains("\"dingtalk/signature_wrong\":1"), "the refusal is not counted:\n{said}");

    let said = type_it(&capability.shell, dir, &url).context(CAPABILITY)?;
    ensure!(said.matches(NOTE).count() == 2, "the callback is not listed:\n{said}");
    ensure!(said.contains("\"callback_days\":90"), "its days are not among the settings:\n{said}");
    Ok(())
}

/// Types what a page says, and returns what is printed.
fn type_it(shell: &str, dir: &Path, url: &str) -> Result<String> {
    ensure!(shell.starts_with(BASE), "what is to be typed does not begin with {BASE:?}");
    // A busy machine takes longer than the page's second.
    let shell = shell.replacen(BASE, &format!("sleep() {{ command sleep 5; }}\nBASE={url}\n"), 1);
    let typed = format!("set -euo pipefail\n{shell}");
    let output = Command::new("bash").args(["-c", &typed]).current_dir(dir).output().context("cannot run bash")?;
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "what the page says to type fails:\n{said}");
    Ok(said)
}
