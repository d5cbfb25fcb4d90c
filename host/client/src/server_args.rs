//! The server that a tool talks to, and the token that it uses.

use super::Api;
use crate::state;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::time::Duration;

/// The longest time for a server to become ready.
const PATIENCE: Duration = Duration::from_secs(15);

/// The server, for the tools that need its API.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerArgs {
    /// The running server.
    #[arg(long, default_value = "http://127.0.0.1:3000")]
    pub url: String,
    /// The administrator's token; read from the state directory if it is not given.
    #[arg(long, visible_alias = "admin-token", env = "SPIN_VARIABLE_ADMIN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The server's state directory: its secrets.env holds the token; the demo keeps its own demo.json there.
    #[arg(long, value_name = "DIR", default_value = ".warmline")]
    pub state: PathBuf,
}

impl ServerArgs {
    /// The API as the administrator sees it, once the server is ready.
    ///
    /// # Errors
    /// There is no token or no server.
    pub async fn api(&self) -> Result<Api> {
        // A variable that is set to nothing is no token.
        let token = match self.token.as_deref().filter(|token| !token.is_empty()) {
            Some(token) => token.to_owned(),
            None => state::admin_token(&self.state)?,
        };
        let api = Api::new(&self.url, &token);
        api.wait_ready(PATIENCE).await.with_context(|| {
            format!("no server is ready at {}: start one with `cargo xtask up`, or give its address by --url", self.url)
        })?;
        Ok(api)
    }
}
