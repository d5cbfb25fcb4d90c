//! A run's own resources on the machine: a folder, and a port.

use anyhow::{Context, Result};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

/// A free port. If another process takes it before it is used, the start fails with a clear error.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A directory that is deleted when it is no longer needed.
pub struct Scratch(std::path::PathBuf, bool);

impl Scratch {
    /// Creates the directory below `parent`.
    ///
    /// # Errors
    /// The parent cannot be written.
    pub fn new(parent: &Path, name: &str) -> Result<Self> {
        let path = parent.join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path.canonicalize()?, false))
    }

    /// Keeps the directory after all.
    pub fn keep(&mut self) {
        self.1 = true;
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A fresh directory in it.
    ///
    /// # Errors
    /// The directory cannot be created.
    pub fn sub(&self, name: &str) -> Result<std::path::PathBuf> {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.1 {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
