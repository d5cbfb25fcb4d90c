//! Prepares a server for the benchmark and the crash test: one WeChat account, a group, and enough agents.

use crate::agents::Staff;
use crate::demo::{set_account, staff};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::time::Duration;
use warmline_client::{Api, ApiError};

/// The id of the account under load, as in the peer's own load script.
pub const ACCOUNT: &str = "gh_rice";
/// The token that signs its webhooks.
pub const TOKEN: &str = "test";

/// Creates the account, one group, and available agents of at most `capacity` each for this many conversations at a time.
/// With `accept`, agents have to accept their conversations; without it, they hold them at once.
///
/// # Errors
/// The server refuses one of these calls.
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
        if team.len() > 2000 {
            bail!("agents for {conversations} conversations would be too many");
        }
    }
    for member in &team {
        api.bearer(&member.token).set_state(member.id, "available").await.context("agent's state")?;
    }
    Ok(team)
}
