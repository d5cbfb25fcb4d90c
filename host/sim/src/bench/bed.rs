//! What every measurement stands on: a server with a fresh state, one WeChat account, a group, and enough agents.

use crate::agents::Staff;
use crate::client::{Api, ApiError};
use crate::demo::{set_account, staff};
use crate::platform::Platform;
use crate::server::{Server, ServerOptions};

use super::Bench;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// The account under load, and its token: those of the peer's own load script.
pub const ACCOUNT: &str = "gh_rice";
/// The token that its webhooks are signed with.
pub const TOKEN: &str = "test";

/// A server ready to be measured.
pub struct Bed {
    /// The server.
    pub server: Server,
    /// Its API, as administrator.
    pub api: Api,
    /// Where its replies would go; it must be there as long as the server is.
    _platform: Platform,
}

impl Bed {
    /// Starts a server and seeds it with agents for so many conversations at a time.
    ///
    /// # Errors
    /// The server does not start or refuses the seed.
    pub(super) fn make(bench: &Bench<'_>, options: &ServerOptions, conversations: i64) -> Result<Self> {
        let platform = Platform::start(0)?;
        let options = ServerOptions { platform: Some(platform.url()), ..options.clone() };
        let server = bench.start(&options)?;
        let api = Api::new(&server.url(), &server.admin_token()?);
        bench.runtime.block_on(seed(&api, &platform.url(), conversations, bench.args.capacity, false))?;
        Ok(Self { server, api, _platform: platform })
    }
}

/// Creates the account, one group, and available agents of at most `capacity` each for so many conversations at a time.
/// `accept` says whether agents have to accept what they are given, or hold it at once.
///
/// # Errors
/// The server refuses any of it.
pub async fn seed(api: &Api, api_base: &str, conversations: i64, mut capacity: i64, accept: bool) -> Result<Vec<Staff>> {
    api.wait_ready(Duration::from_secs(30)).await.context("not ready")?;
    let account = json!({
        "channel": "wechat", "account": ACCOUNT, "name": "稻香公众号",
        "settings": { "app_id": "wxbench", "mode": "plain", "reply": "api", "api_base": api_base },
        "secrets": {
            "token": TOKEN, "app_secret": "bench-app-secret",
            "encoding_aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        },
    });
    set_account(api, &account).await?;
    let settings = json!({ "accept_secs": if accept { 120 } else { 0 } });
    let group = json!({ "id": "presale", "name": "售前咨询", "settings": settings });
    api.post("/api/groups", &group).await.context("group")?;
    api.put("/api/routing/rules", &json!({ "rules": [{ "group": "presale" }] })).await.context("routing rules")?;
    let (mut team, mut left) = (Vec::new(), conversations);
    while left > 0 {
        let name = format!("坐席{:03}", team.len() + 1);
        let body = json!({ "name": name, "role": "agent", "groups": ["presale"], "capacity": capacity });
        match api.post("/api/agents", &body).await {
            Ok(made) => team.push(staff(&name, &made)?),
            // The server may allow an agent less than that.
            Err(ApiError::Refused { status: 400 | 422, .. }) if capacity > 5 => {
                capacity /= 2;
                continue;
            }
            Err(error) => return Err(error).context("agent"),
        }
        left -= capacity;
        if team.len() > 1000 {
            bail!("agents for {conversations} conversations would be too many");
        }
    }
    for member in &team {
        api.bearer(&member.token).set_state(member.id, "available").await.context("agent's state")?;
    }
    Ok(team)
}

/// A directory that is deleted when it is no longer needed.
pub struct Scratch(std::path::PathBuf, bool);

impl Scratch {
    /// Creates it below `parent`.
    ///
    /// # Errors
    /// The parent cannot be written.
    pub fn new(parent: &Path, name: &str) -> Result<Self> {
        let path = parent.join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path.canonicalize()?, false))
    }

    /// Leaves it there after all.
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
    /// It cannot be created.
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
