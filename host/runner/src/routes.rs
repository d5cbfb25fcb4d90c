//! The component for a path: an exact route wins over a wildcard, a longer wildcard over a shorter one.

use std::collections::{BTreeMap, HashMap};

use crate::manifest::{Manifest, Route, normal};

/// All public routes.
#[derive(Debug, Default)]
pub struct Routes {
    exact: HashMap<String, Target>,
    /// Wildcards by falling length of the prefix.
    wildcard: Vec<(String, Target)>,
}

/// The target of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The route as written.
    pub route: String,
    /// The component's id.
    pub component: String,
}

/// A route that fits a path.
#[derive(Debug, PartialEq, Eq)]
pub struct Match<'routes, 'path> {
    /// The route and its component.
    pub target: &'routes Target,
    /// The part of the path under the wildcard, with its leading slash; empty for an exact route.
    pub path_info: &'path str,
}

impl Routes {
    /// The public routes of a manifest.
    pub fn new(manifest: &Manifest) -> Self {
        let mut routes = Self::default();
        for trigger in &manifest.trigger.http {
            let Route::Public(route) = &trigger.route else { continue };
            let target = Target { route: route.clone(), component: trigger.component.clone() };
            match route.strip_suffix("/...") {
                Some(prefix) => routes.wildcard.push((prefix.to_owned(), target)),
                None => {
                    routes.exact.insert(normal(route).to_owned(), target);
                }
            }
        }
        routes.wildcard.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        routes
    }

    /// The route that answers `path`, if any.
    pub fn find<'routes, 'path>(&'routes self, path: &'path str) -> Option<Match<'routes, 'path>> {
        if let Some(target) = self.exact.get(normal(path)) {
            return Some(Match { target, path_info: "" });
        }
        self.wildcard.iter().find_map(|(prefix, target)| {
            let rest = path.strip_prefix(prefix.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some(Match { target, path_info: rest })
        })
    }

    /// The routes as written, with their components, in the order of their names.
    pub fn list(&self) -> Vec<&Target> {
        let mut all: Vec<_> = self.exact.values().chain(self.wildcard.iter().map(|(_, target)| target)).collect();
        all.sort_by(|a, b| a.route.cmp(&b.route));
        all
    }

    /// The routes for people to read at the start. Routes between components are left out, and many routes of one folder
    /// share a line.
    pub fn summary(&self) -> Vec<String> {
        let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let routes: Vec<_> = self.list().into_iter().filter(|target| !target.route.starts_with(INTERNAL)).collect();
        for target in &routes {
            if let Some((folder, name)) = folder(&target.route) {
                folders.entry(folder).or_default().push(name);
            }
        }
        let mut lines = Vec::new();
        for target in routes {
            match folder(&target.route).and_then(|(folder, _)| Some((folder, folders.get(folder)?))) {
                Some((folder, names)) if names.len() >= MANY => {
                    let line = format!("{folder}/<name>/...  name: {}", names.join(", "));
                    if lines.last() != Some(&line) {
                        lines.push(line);
                    }
                }
                _ => lines.push(format!("{:<24} {}", target.route, target.component)),
            }
        }
        lines
    }
}

/// The folder in which components reach each other if they have no other way.
const INTERNAL: &str = "/internal/";
/// From this number on, the routes of one folder share a line.
const MANY: usize = 3;

/// A wildcard route's folder and its name in it; `None` if it is in no folder.
fn folder(route: &str) -> Option<(&str, &str)> {
    route.strip_suffix("/...")?.rsplit_once('/').filter(|(folder, _)| !folder.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(list: &[&str]) -> Routes {
        let mut text = String::from("spin_manifest_version = 2\n[application]\nname = \"t\"\n");
        for route in list {
            text.push_str(&format!("[[trigger.http]]\nroute = \"{route}\"\ncomponent = \"a\"\n"));
        }
        text.push_str("[[trigger.http]]\nroute = { private = true }\ncomponent = \"a\"\n[component.a]\nsource = \"a\"\n");
        Routes::new(&Manifest::parse(&text, std::path::PathBuf::new()).expect("valid"))
    }

    #[test]
    fn exact_before_wildcard_and_long_before_short() {
        let routes = routes(&["/...", "/one/...", "/one/two/...", "/one", "/"]);
        let found = |path| routes.find(path).map(|m| (m.target.route.clone(), m.path_info.to_owned()));
        assert_eq!(found("/"), Some(("/".into(), String::new())));
        assert_eq!(found("/one"), Some(("/one".into(), String::new())));
        assert_eq!(found("/one/"), Some(("/one".into(), String::new())));
        assert_eq!(found("/one/x"), Some(("/one/...".into(), "/x".into())));
        assert_eq!(found("/one/two"), Some(("/one/two/...".into(), String::new())));
        assert_eq!(found("/one/two/"), Some(("/one/two/...".into(), "/".into())));
        assert_eq!(found("/one/two/three/4"), Some(("/one/two/...".into(), "/three/4".into())));
        assert_eq!(found("/onely"), Some(("/...".into(), "/onely".into())));
    }

    #[test]
    fn a_newcomer_reads_few_lines_and_none_of_what_components_use() {
        let routes = routes(&[
            "/channels/sms/...",
            "/channels/app/...",
            "/channels/web/...",
            "/internal/sms/...",
            "/internal/app/...",
            "/internal/web/...",
            "/api/...",
            "/healthz",
        ]);
        let lines = routes.summary();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("/api/... ") && lines[2].starts_with("/healthz "), "{lines:?}");
        assert_eq!(lines[1], "/channels/<name>/...  name: app, sms, web");
    }

    #[test]
    fn nothing_fits_nothing() {
        let routes = routes(&["/a/...", "/b"]);
        assert_eq!(routes.find("/"), None);
        assert_eq!(routes.find("/ab"), None);
        assert_eq!(routes.find("/b/c"), None);
        assert_eq!(routes.list().len(), 2);
    }
}
