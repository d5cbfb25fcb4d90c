//! The parts of the server's state directory that a tool beside the server needs, and the signal that ends such a tool.

use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const ADMIN_TOKEN: &str = "SPIN_VARIABLE_ADMIN_TOKEN";

/// The administrator's token from `secrets.env`.
///
/// # Errors
/// The file is missing or does not contain it.
pub fn admin_token(directory: &Path) -> Result<String> {
    secret(directory, ADMIN_TOKEN)
}

/// A secret from `secrets.env`, by the name of its variable.
///
/// # Errors
/// The file is missing or does not contain it.
pub fn secret(directory: &Path, name: &str) -> Result<String> {
    let path = directory.join("secrets.env");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {} (give --token, or the server's --state)", path.display()))?;
    variable(&text, name).with_context(|| format!("{} holds no {name}", path.display()))
}

fn variable(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.trim();
        let (key, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (key.trim() == name && !value.is_empty()).then(|| value.to_owned())
    })
}

/// Writes a file that only its owner can read, completely or not at all.
///
/// # Errors
/// The directory cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let _ = std::fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// A number that cannot be guessed, for the demo's own secrets.
///
/// # Errors
/// The system has no randomness.
pub fn unpredictable() -> Result<u64> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes))?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Waits until the program is asked to end, by Ctrl-C or by its supervisor.
pub async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_token_however_it_is_written() {
        for text in [
            "A=1\nSPIN_VARIABLE_ADMIN_TOKEN=abc\n",
            "# secrets\nexport SPIN_VARIABLE_ADMIN_TOKEN=\"abc\"",
            "SPIN_VARIABLE_ADMIN_TOKEN = 'abc'",
        ] {
            assert_eq!(variable(text, ADMIN_TOKEN).as_deref(), Some("abc"), "{text}");
        }
        assert_eq!(variable("SPIN_VARIABLE_ADMIN_TOKEN=\n", ADMIN_TOKEN), None);
    }
}
