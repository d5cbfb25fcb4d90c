//! The application's variables: the sources of their values, and the secrets made at the first start.
//!
//! A value is looked for in `SPIN_VARIABLE_<NAME>`, then in `secrets.env` of the state folder, then in the
//! manifest's default. A required secret without a value is generated once and kept in `secrets.env`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base64::Engine as _;

use crate::manifest::Manifest;

/// The values of all application variables that have one.
#[derive(Debug, Default)]
pub struct Variables {
    values: BTreeMap<String, String>,
    /// The secrets' file, if there is one.
    pub secrets_file: Option<PathBuf>,
    /// The names of the secrets in that file.
    pub secret_names: Vec<String>,
}

/// The name of a variable in the environment and in `secrets.env`.
pub fn environment_name(name: &str) -> String {
    format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase())
}

impl Variables {
    /// Finds every variable's value. Makes the missing secrets if `fresh`, which means that the state has no data yet.
    pub fn load(
        manifest: &Manifest,
        state: &Path,
        fresh: bool,
        environment: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        let file = state.join("secrets.env");
        let mut stored = read_env_file(&file)?;
        let mut values = BTreeMap::new();
        let mut generated = Vec::new();
        for (name, variable) in &manifest.variables {
            let key = environment_name(name);
            let value = environment(&key).or_else(|| stored.get(&key).cloned()).or_else(|| variable.default.clone());
            let value = match value {
                Some(value) => value,
                None if variable.required && variable.secret && fresh => {
                    let value = random_secret()?;
                    generated.push((key, value.clone()));
                    value
                }
                None if variable.required && variable.secret => bail!(
                    "{key} is in neither the environment nor {}, but {} already holds data that was written with it.\n\
                     A new key could not read that data. Restore the file (or set {key}), or name another --state folder.",
                    file.display(),
                    state.display()
                ),
                None if variable.required => {
                    bail!("the variable {name:?} is required and has no value: set {key} or write it to {}", file.display())
                }
                None => continue,
            };
            values.insert(name.clone(), value);
        }
        if !generated.is_empty() {
            append_env_file(&file, &generated)
                .with_context(|| format!("cannot write the generated secrets to {}", file.display()))?;
            stored.extend(generated);
        }
        let secrets_file = (!stored.is_empty()).then_some(file);
        Ok(Self { values, secrets_file, secret_names: stored.into_keys().collect() })
    }

    /// Replaces each `{{ name }}` in `template` by the variable's value.
    pub fn fill(&self, template: &str) -> anyhow::Result<String> {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").with_context(|| format!("{{{{ without }}}} in {template:?}"))?;
            let name = name.trim();
            let value = self
                .values
                .get(name)
                .with_context(|| format!("the variable {name:?} is not declared in [variables], or has no value"))?;
            out.push_str(before);
            out.push_str(value);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

fn random_secret() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random bytes from the system: {error}"))?;
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn read_env_file(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut values = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) =
            line.split_once('=').with_context(|| format!("{} line {}: expected KEY=VALUE", path.display(), number + 1))?;
        values.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok(values)
}

fn append_env_file(path: &Path, values: &[(String, String)]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let mut text = String::new();
    if file.metadata()?.len() == 0 {
        text.push_str(
            "# Generated at the first start. Without these values the data in this folder cannot be read: back them up.\n",
        );
    }
    for (name, value) in values {
        text.push_str(&format!("{name}={value}\n"));
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(variables: &str) -> Manifest {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"t\"\n[variables]\n{variables}\n[[trigger.http]]\nroute = \"/\"\ncomponent = \"a\"\n[component.a]\nsource = \"a\"\n"
        );
        Manifest::parse(&text, PathBuf::new()).expect("valid")
    }

    #[test]
    fn environment_then_file_then_default() {
        let dir = tempfile::tempdir().expect("temp");
        std::fs::write(dir.path().join("secrets.env"), "# x\nSPIN_VARIABLE_B=file\nSPIN_VARIABLE_C=file\n").expect("write");
        let manifest = manifest("a = { default = \"d\" }\nb = { default = \"d\" }\nc = { default = \"d\" }");
        let env = |key: &str| (key == "SPIN_VARIABLE_C").then(|| "env".to_owned());
        let variables = Variables::load(&manifest, dir.path(), false, env).expect("loads");
        assert_eq!(variables.fill("{{ a }}-{{b}}-{{ c }}").expect("fills"), "d-file-env");
        assert!(variables.fill("{{ nope }}").is_err());
        assert!(variables.fill("{{ a").is_err());
    }

    #[test]
    fn a_missing_secret_is_made_once_and_never_replaced() {
        let dir = tempfile::tempdir().expect("temp");
        let manifest = manifest("master_key = { required = true, secret = true }");
        let first = Variables::load(&manifest, dir.path(), true, |_| None).expect("generates");
        let second = Variables::load(&manifest, dir.path(), false, |_| None).expect("reads");
        let value = first.fill("{{ master_key }}").expect("value");
        assert_eq!(value, second.fill("{{ master_key }}").expect("value"));
        assert_eq!(base64::engine::general_purpose::STANDARD.decode(&value).expect("base64").len(), 32);
        assert_eq!(second.secret_names, ["SPIN_VARIABLE_MASTER_KEY"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(dir.path().join("secrets.env")).expect("file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::remove_file(dir.path().join("secrets.env")).expect("remove");
        let error = Variables::load(&manifest, dir.path(), false, |_| None).expect_err("refused");
        assert!(error.to_string().contains("Restore"), "{error}");
    }

    #[test]
    fn a_required_variable_must_have_a_value() {
        let dir = tempfile::tempdir().expect("temp");
        let manifest = manifest("url = { required = true }");
        let error = Variables::load(&manifest, dir.path(), true, |_| None).expect_err("refused");
        assert!(error.to_string().contains("SPIN_VARIABLE_URL"), "{error}");
    }
}
