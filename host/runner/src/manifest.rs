//! `spin.toml`, manifest version 2, read strictly.
//!
//! An unsupported field is an error that names it. If the field were ignored, the application would behave differently here
//! than on Spin, and nobody would notice before production.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

/// A whole manifest, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always 2.
    pub spin_manifest_version: u32,
    /// Name and version of the application.
    pub application: Application,
    /// The application's variables.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    /// The triggers that call the components.
    pub trigger: Triggers,
    /// The components by id.
    pub component: BTreeMap<String, Component>,
    /// The manifest's folder. Sources are relative to it.
    #[serde(skip)]
    pub dir: PathBuf,
}

/// The application's own description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// A sentence about it.
    #[serde(default)]
    pub description: String,
    /// The authors.
    #[serde(default)]
    pub authors: Vec<String>,
}

/// A declared application variable.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// The default, for when nothing else sets it.
    pub default: Option<String>,
    /// Whether the application cannot start without a value.
    #[serde(default)]
    pub required: bool,
    /// Whether the value must not be shown; a required secret is generated at the first start.
    #[serde(default)]
    pub secret: bool,
}

/// The triggers; HTTP is the only kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Triggers {
    /// `[[trigger.http]]`
    #[serde(default)]
    pub http: Vec<HttpTrigger>,
}

/// One route to one component.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTrigger {
    /// A name for the trigger; not used.
    pub id: Option<String>,
    /// The address of the trigger.
    pub route: Route,
    /// The component that answers.
    pub component: String,
}

/// A trigger's route.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged, expecting = "route must be \"/path\", \"/path/...\" or { private = true }")]
pub enum Route {
    /// Reachable from outside.
    Public(String),
    /// Reachable only by service chaining.
    Private(Private),
}

/// `{ private = true }`
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Private {
    /// Always true.
    pub private: bool,
}

/// A component: its code and its permissions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// The compiled component, relative to the manifest.
    pub source: Source,
    /// A sentence about it.
    #[serde(default)]
    pub description: String,
    /// Hosts it may call.
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    /// Key-value stores it may open.
    #[serde(default)]
    pub key_value_stores: BTreeSet<String>,
    /// SQLite databases it may open.
    #[serde(default)]
    pub sqlite_databases: BTreeSet<String>,
    /// Variables it may read; `{{ name }}` stands for an application variable.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Environment variables it sees.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The command by which `spin build` builds it. The runner does not use it.
    pub build: Option<Build>,
}

/// A component's source.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "source must be the path of a local .wasm file")]
pub enum Source {
    /// A path relative to the manifest.
    Path(PathBuf),
}

impl Source {
    /// The path as written.
    pub fn path(&self) -> &Path {
        let Self::Path(path) = self;
        path
    }
}

/// `[component.ID.build]`. It is read only so that a misspelt field is found.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The command or commands.
    pub command: Commands,
    /// The folder in which to run them.
    pub workdir: Option<String>,
    /// The files that `spin watch` watches.
    #[serde(default)]
    pub watch: Vec<String>,
}

/// One command or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Commands {
    /// One.
    One(String),
    /// Several, in order.
    Several(Vec<String>),
}

impl Manifest {
    /// Reads and checks the manifest at `path`.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the manifest {} (name another with --manifest)", path.display()))?;
        let dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self::parse(&text, dir).with_context(|| format!("in the manifest {}", path.display()))
    }

    /// Parses and checks a manifest's text.
    pub fn parse(text: &str, dir: PathBuf) -> anyhow::Result<Self> {
        let mut manifest: Self = toml::from_str(text)
            .context("not a manifest that the embedded runner supports (it refuses what it would have to ignore)")?;
        manifest.dir = dir;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.spin_manifest_version == 2,
            "spin_manifest_version = {} is not supported, only 2",
            self.spin_manifest_version
        );
        ensure!(!self.trigger.http.is_empty(), "there is no [[trigger.http]]");
        let mut seen = BTreeMap::new();
        for trigger in &self.trigger.http {
            ensure!(
                self.component.contains_key(&trigger.component),
                "[[trigger.http]] names the component {:?}, but there is no [component.{}]",
                trigger.component,
                trigger.component
            );
            match &trigger.route {
                Route::Private(private) => ensure!(
                    private.private,
                    "component {:?}: a route must be a string or {{ private = true }}",
                    trigger.component
                ),
                Route::Public(route) => {
                    check_route(route).with_context(|| format!("component {:?}", trigger.component))?;
                    let key = normal(route);
                    if let Some(other) = seen.insert(key, &trigger.component) {
                        bail!("the route {route:?} is given twice: to {other:?} and to {:?}", trigger.component);
                    }
                }
            }
        }
        for name in self.variables.keys() {
            ensure!(is_variable_name(name), "variable {name:?}: a name has only a-z, 0-9 and _ and begins with a letter");
        }
        for (id, component) in &self.component {
            for name in component.variables.keys() {
                ensure!(
                    is_variable_name(name),
                    "component {id:?}, variable {name:?}: a name has only a-z, 0-9 and _ and begins with a letter"
                );
            }
        }
        Ok(())
    }
}

/// Whether Spin accepts `name` as a variable's name.
pub fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn check_route(route: &str) -> anyhow::Result<()> {
    ensure!(route.starts_with('/'), "the route {route:?} must begin with /");
    let body = route.strip_suffix("/...").unwrap_or(route);
    ensure!(!body.contains("...") && !body.contains('*'), "the route {route:?}: /... is understood only at the end");
    ensure!(!body.contains("/:"), "the route {route:?}: named segments (:name) are not supported");
    Ok(())
}

/// A route without its trailing slash: `/a` and `/a/` are the same route.
pub fn normal(route: &str) -> &str {
    route.strip_suffix('/').unwrap_or(route)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "spin_manifest_version = 2\n[application]\nname = \"t\"\n";

    fn parse(rest: &str) -> anyhow::Result<Manifest> {
        Manifest::parse(&format!("{HEAD}{rest}"), PathBuf::new())
    }

    fn error(rest: &str) -> String {
        format!("{:#}", parse(rest).expect_err("must be refused"))
    }

    #[test]
    fn a_full_component_is_read() {
        let manifest = parse(
            r#"
            [variables]
            key = { required = true, secret = true }
            [[trigger.http]]
            route = "/a/..."
            component = "a"
            [[trigger.http]]
            route = { private = true }
            component = "a"
            [component.a]
            source = "a.wasm"
            allowed_outbound_hosts = ["http://b.spin.internal"]
            key_value_stores = ["default"]
            sqlite_databases = ["default"]
            variables = { key = "{{ key }}" }
            environment = { A = "b" }
            [component.a.build]
            command = "cargo build"
            watch = ["src/**/*.rs"]
            "#,
        )
        .expect("valid");
        assert_eq!(manifest.trigger.http.len(), 2);
        assert_eq!(manifest.trigger.http[1].route, Route::Private(Private { private: true }));
        assert!(manifest.variables["key"].secret);
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let component = "[[trigger.http]]\nroute = \"/\"\ncomponent = \"a\"\n[component.a]\nsource = \"a.wasm\"\n";
        assert!(error(&format!("{component}files = [\"x\"]")).contains("files"));
        assert!(error(&format!("{component}ai_models = []")).contains("ai_models"));
        assert!(error("[[trigger.redis]]\nchannel = \"x\"\ncomponent = \"a\"").contains("redis"));
        let remote = component.replace("\"a.wasm\"", "{ url = \"https://x\", digest = \"d\" }");
        assert!(error(&remote).contains("local .wasm"));
        let executor = component.replace("route = \"/\"", "route = \"/\"\nexecutor = { type = \"wagi\" }");
        assert!(error(&executor).contains("executor"));
    }

    #[test]
    fn triggers_are_checked() {
        let two = |a: &str, b: &str| {
            format!(
                "[[trigger.http]]\nroute = \"{a}\"\ncomponent = \"a\"\n[[trigger.http]]\nroute = \"{b}\"\ncomponent = \"a\"\n[component.a]\nsource = \"a\"\n"
            )
        };
        assert!(error(&two("/x", "/x/")).contains("twice"));
        assert!(error(&two("/x", "y")).contains("begin with /"));
        assert!(error(&two("/x", "/y/:id")).contains("named segments"));
        assert!(
            error("[[trigger.http]]\nroute = \"/\"\ncomponent = \"b\"\n[component.a]\nsource = \"a\"\n")
                .contains("no [component.b]")
        );
        parse(&two("/x", "/x/...")).expect("an exact route beside a wildcard");
    }
}
