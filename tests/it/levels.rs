//! The crates import only crates of lower levels. The levels of the crates of `shared/` are in Cargo.toml
//! (`workspace.metadata.levels`).

use crate::harness::workspace;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The output of a cargo command on the workspace.
fn cargo(arguments: &[&str]) -> Vec<u8> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let out = Command::new(cargo).args(arguments).current_dir(workspace()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// Each package of the workspace, with the packages of the workspace that it links.
struct Packages {
    metadata: Value,
    links: BTreeMap<String, BTreeSet<String>>,
}

impl Packages {
    fn read() -> Self {
        let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]);
        let metadata: Value = serde_json::from_slice(&metadata).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let links = metadata["packages"].as_array().unwrap().iter().map(|package| {
            let linked = package["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"].is_null());
            (text(&package["name"]), linked.map(|d| text(&d["name"])).collect())
        });
        Self { links: links.collect(), metadata }
    }

    /// All packages that a package links, directly or not.
    fn all(&self, name: &str) -> BTreeSet<String> {
        let (mut all, mut open) = (BTreeSet::new(), vec![name.to_owned()]);
        while let Some(next) = open.pop() {
            let new = self.links.get(&next).into_iter().flatten().filter(|linked| all.insert((*linked).clone()));
            open.extend(new.cloned().collect::<Vec<_>>());
        }
        all
    }
}

#[test]
fn a_crate_imports_only_crates_of_lower_levels() {
    let packages = Packages::read();
    let levels: BTreeMap<String, u64> = packages.metadata["metadata"]["levels"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, level)| (format!("warmline-{name}"), level.as_u64().unwrap()))
        .collect();
    let shared = std::fs::read_dir(workspace().join("shared")).unwrap();
    let folders: BTreeSet<String> =
        shared.map(|f| format!("warmline-{}", f.unwrap().file_name().to_string_lossy())).collect();
    assert_eq!(levels.keys().cloned().collect::<BTreeSet<_>>(), folders, "each crate of shared/ has a level");
    for (name, level) in &levels {
        for linked in packages.links[name].iter().filter(|linked| packages.links.contains_key(*linked)) {
            let below = levels.get(linked).unwrap_or_else(|| panic!("{name} links {linked}, which is not in shared/"));
            assert!(below < level, "{name} (level {level}) links {linked} (level {below})");
        }
    }
}

#[test]
fn an_adapter_links_nothing_of_the_desk() {
    let packages = Packages::read();
    let levels = packages.metadata["metadata"]["levels"].as_object().unwrap();
    let above = levels
        .iter()
        .filter(|(name, level)| level.as_u64() > levels["transport"].as_u64() && *name != "spin")
        .map(|(name, _)| name.as_str());
    let others: Vec<&str> = above.chain(["identity", "routing"]).collect();
    let adapters = packages.links.keys().filter(|name| name.starts_with("channel-")).inspect(|adapter| {
        let linked = packages.all(adapter);
        for other in &others {
            assert!(!linked.contains(&format!("warmline-{other}")), "{adapter} links {other}");
        }
    });
    assert!(adapters.count() >= 17);
}

#[test]
fn the_operators_program_holds_nothing_of_the_laboratory() {
    let packages = Packages::read();
    let lab = workspace().join("lab");
    let of_lab = packages.metadata["packages"].as_array().unwrap().iter();
    let of_lab = of_lab.filter(|package| Path::new(package["manifest_path"].as_str().unwrap()).starts_with(&lab));
    let of_lab: BTreeSet<String> = of_lab.map(|package| package["name"].as_str().unwrap().to_owned()).collect();
    assert!(of_lab.contains("warmline-simulate") && of_lab.contains("warmline-lab"), "{of_lab:?}");
    let linked = packages.all("warmline");
    assert!(linked.contains("warmline-runner"));
    assert!(linked.is_disjoint(&of_lab), "warmline links {linked:?}");
}

#[test]
fn what_tests_link_is_built_without_wasmtime() {
    let packages = Packages::read();
    for linked in ["warmline-simulate", "warmline-chaos", "warmline-client", "warmline-replay"] {
        assert!(!packages.all(linked).contains("wasmtime"), "{linked}");
    }
    assert!(packages.all("warmline-bench").contains("wasmtime"));
}

#[test]
fn no_component_has_the_test_signers() {
    let packages = Packages::read();
    let turns_on = |package: &&Value| {
        let linked = package["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"].is_null());
        linked.flat_map(|d| d["features"].as_array().unwrap()).any(|feature| feature == "testkit")
    };
    let all = packages.metadata["packages"].as_array().unwrap();
    let with: BTreeSet<String> =
        all.iter().filter(turns_on).map(|package| package["name"].as_str().unwrap().to_owned()).collect();
    assert!(with.contains("warmline-simulate"), "{with:?}");
    let components = workspace().join("components");
    let components =
        all.iter().filter(|package| Path::new(package["manifest_path"].as_str().unwrap()).starts_with(&components));
    let names = components.map(|package| package["name"].as_str().unwrap());
    for name in names.chain(["warmline-cost", "probe", "trapping", "aiseat"]) {
        let mut linked = packages.all(name);
        linked.insert(name.to_owned());
        assert!(linked.is_disjoint(&with), "{name} links {linked:?}");
    }
}

#[test]
fn only_one_crate_knows_the_host() {
    let packages = Packages::read();
    for (name, links) in packages.links.iter().filter(|(name, _)| name.starts_with("warmline-")) {
        assert!(name == "warmline-spin" || !links.contains("spin-sdk"), "{name} links spin-sdk");
    }
}

/// The crates that a capability links for the browser: `cargo tree` without the feature `server`.
fn for_the_browser(capability: &str) -> BTreeSet<String> {
    let tree = ["tree", "--offline", "--locked", "--no-default-features", "--edges", "normal", "--prefix", "none"];
    let of = ["--target", "wasm32-unknown-unknown", "--package", capability];
    let tree = String::from_utf8(cargo(&[&tree[..], &of].concat())).unwrap();
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn a_capability_without_its_server_is_its_model_alone() {
    let packages = Packages::read();
    let all = packages.metadata["packages"].as_array().unwrap();
    let capabilities: Vec<&str> = all
        .iter()
        .filter(|package| package["features"].get("server").is_some())
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    let above = |name: &&str| packages.links["warmline-app"].contains(*name);
    assert!(capabilities.iter().filter(|name| above(name)).count() >= 6, "{capabilities:?}");
    for capability in capabilities {
        let linked = for_the_browser(capability);
        let known =
            ["warmline-model", "warmline-language", "warmline-routing", "warmline-gate", "warmline-customers", capability];
        for own in linked.iter().filter(|name| name.starts_with("warmline-")) {
            assert!(known.contains(&own.as_str()), "{capability} links {own} for the browser, too");
        }
        for other in ["rlibphonenumber", "rusqlite", "spin-sdk", "chacha20poly1305"] {
            assert!(!linked.contains(other), "{capability} links {other} for the browser, too");
        }
    }
}
