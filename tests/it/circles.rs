//! No circle among the files of a room: files import each other in one direction, so that each can be read after those
//! that it imports.

use crate::harness::workspace;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module, as the names on its path; the crate's root is empty.
type Module = Vec<String>;

/// The modules of a crate, each with the text of its file, without comments and without the tests at its end.
fn modules(src: &Path) -> BTreeMap<Module, String> {
    let (mut found, mut open) = (BTreeMap::new(), vec![(src.to_owned(), Module::new())]);
    while let Some((folder, at)) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let below = |name: String| at.iter().cloned().chain([name]).collect::<Module>();
            if path.is_dir() {
                open.push((path, below(name)));
            } else if path.extension().is_some_and(|e| e == "rs") && name != "tests" {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let code: Vec<_> = text.lines().map(|line| line.split("//").next().unwrap()).collect();
                let module = if ["lib", "main", "mod"].contains(&name.as_str()) { at.clone() } else { below(name) };
                found.insert(module, code.join("\n"));
            }
        }
    }
    found
}

/// The paths of a tree of imports, such as `a::{b, c::{d, e}}`, each as its names.
fn flat(tree: &str) -> Vec<Vec<String>> {
    let names = |path: &str| -> Vec<String> {
        let path = path.split(" as ").next().unwrap_or_default();
        path.split("::").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    };
    let Some((before, inner)) = tree.split_once('{') else { return vec![names(tree)] };
    let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in inner.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 { parts.push(String::new()) } else { parts.last_mut().unwrap().push(c) }
    }
    let below = parts.iter().filter(|part| !part.trim().is_empty()).flat_map(|part| flat(part));
    below.map(|path| names(before).into_iter().chain(path).collect()).collect()
}

/// The modules of the crate that a module's text imports.
fn imported(module: &Module, text: &str, all: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let mut paths = Vec::new();
    for (start, _) in text.match_indices("use ") {
        let tree = text[start + 4..].split(';').next().unwrap();
        paths.extend(flat(tree));
    }
    for start in ["crate::", "super::"].iter().flat_map(|word| text.match_indices(word)).map(|(at, _)| at) {
        let path: String = text[start..].chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
        paths.extend(flat(&path));
    }
    let target = |path: Vec<String>| {
        let mut at = module.clone();
        let mut path = path.into_iter().peekable();
        // A module that names its own children holds them; that is no import.
        path.peek().filter(|word| ["crate", "super"].contains(&word.as_str()))?;
        while let Some(word) = path.next_if(|word| ["crate", "super"].contains(&word.as_str())) {
            if word == "crate" { at.clear() } else { drop(at.pop()) }
        }
        for name in path {
            at.push(name);
            if !all.contains_key(&at) {
                at.pop();
                break;
            }
        }
        (at != *module).then_some(at)
    };
    paths.into_iter().filter_map(target).collect()
}

/// The modules that reach themselves.
fn circles(src: &Path) -> Vec<String> {
    let all = modules(src);
    let edges: BTreeMap<_, _> = all.iter().map(|(module, text)| (module, imported(module, text, &all))).collect();
    let reaches_itself = |start: &Module| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(next) = open.pop() {
            for target in &edges[next] {
                if target == start {
                    return true;
                }
                if seen.insert(target) {
                    open.push(target);
                }
            }
        }
        false
    };
    all.keys().filter(|module| reaches_itself(module)).map(|module| module.join("::")).collect()
}

#[test]
fn no_files_of_a_room_import_each_other_in_a_circle() {
    for room in ["shared/endpoint", "shared/app", "host/runner"] {
        let src = workspace().join(room).join("src");
        assert!(modules(&src).len() > 5, "{room}");
        assert_eq!(circles(&src), Vec::<String>::new(), "{room}");
    }
}

#[test]
fn a_circle_is_found() {
    let at = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("circle-{}", std::process::id()));
    std::fs::create_dir_all(at.join("b")).unwrap();
    std::fs::write(at.join("lib.rs"), "mod a;\nmod b;\nuse b::c::D;\n").unwrap();
    std::fs::write(at.join("a.rs"), "use std::fmt::{self, Debug};\nfn f() { crate::b::c::g() }\n").unwrap();
    std::fs::write(at.join("b.rs"), "mod c;\n").unwrap();
    std::fs::write(at.join("b/c.rs"), "// use crate::b;\nuse super::super::a::{f, X as Y};\n").unwrap();
    assert_eq!(circles(&at), ["a", "b::c"]);
    std::fs::remove_dir_all(at).unwrap();
}
