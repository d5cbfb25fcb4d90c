//! The brand on the server, and the data that the demo must remember: agents' tokens are shown only once.

use crate::agents::Staff;
use crate::brand::Brand;
use crate::customers::Share;
use crate::rng::Rng;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use warmline_client::state;
use warmline_client::{Api, ApiError};

const GROUPS: [(&str, &str); 3] = [("presale", "售前咨询"), ("order", "订单物流"), ("aftersale", "售后")];

/// Name, groups, and whether reserved for VIP customers.
const AGENTS: [(&str, &[&str], bool); 12] = [
    ("小米", &["presale"], false),
    ("小稻", &["presale"], false),
    ("阿香", &["presale", "order"], false),
    ("林悦", &["presale"], true),
    ("陈晨", &["order"], false),
    ("周航", &["order"], false),
    ("许诺", &["order", "aftersale"], false),
    ("何静", &["order"], true),
    ("方圆", &["aftersale"], false),
    ("秦朗", &["aftersale"], false),
    ("苏禾", &["aftersale", "presale"], false),
    ("沈安", &["aftersale"], true),
];

/// The data that the demo keeps between two starts, in `demo.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Memory {
    #[serde(skip)]
    path: PathBuf,
    pub(super) brand: Brand,
    pub(super) staff: Vec<Staff>,
    /// The ports of the platforms' APIs.
    #[serde(default)]
    pub(super) ports: BTreeMap<String, u16>,
    pub(super) last_event: i64,
    pub(super) starts: u64,
}

impl Memory {
    /// Reads the data of an earlier start, or begins with none.
    pub(super) fn load(directory: &Path) -> Result<Self> {
        let path = directory.join("demo.json");
        let mut memory = match std::fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged: delete it", path.display()))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self {
                path: PathBuf::new(),
                brand: Brand::new(&mut Rng::new(state::unpredictable()?)),
                staff: Vec::new(),
                ports: BTreeMap::new(),
                last_event: 0,
                starts: state::unpredictable()? >> 1,
            },
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        memory.path = path;
        memory.starts += 1;
        Ok(memory)
    }

    /// Writes the data for the next start, readable by the owner only.
    pub(super) fn save(&self) -> Result<()> {
        state::write_private(&self.path, &serde_json::to_vec_pretty(self)?)
    }
}

/// Creates the accounts, groups, agents and rules that are missing.
pub(super) async fn brand(api: &Api, memory: &mut Memory, shares: &[Share]) -> Result<()> {
    for (id, name) in GROUPS {
        let settings = json!({ "accept_secs": 60, "wrap_up_secs": 5 });
        create(api, "/api/groups", &json!({ "id": id, "name": name, "settings": settings })).await?;
    }
    for Share { entrance, .. } in shares {
        set_account(api, &entrance.body(&format!("稻香{}", entrance.carries.name_zh))).await?;
    }
    let rule = |words: &[&str], group: &str| json!({ "contains": words, "group": group });
    let rules = json!({ "rules": [
        rule(&["投诉", "赔偿", "退", "换货", "破", "碎米", "米虫", "少发", "霉"], "aftersale"),
        rule(&["物流", "快递", "发货", "订单", "地址"], "order"),
        { "group": "presale" },
    ] });
    api.put("/api/routing/rules", &rules).await.context("routing rules")?;
    agents(api, memory).await
}

/// Creates an item that may exist already.
async fn create(api: &Api, path: &str, body: &Value) -> Result<()> {
    match api.post(path, body).await {
        Ok(_) | Err(ApiError::Refused { status: 409, .. }) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("POST {path}")),
    }
}

/// Creates an account or updates it: the simulated platform may have moved to another port.
pub(crate) async fn set_account(api: &Api, account: &Value) -> Result<()> {
    let text = |name: &str| account.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let path = format!("/api/accounts/{}/{}", text("channel"), text("account"));
    match api.post("/api/accounts", account).await {
        Ok(_) => Ok(()),
        Err(ApiError::Refused { status: 409, .. }) => {
            let mut change = account.clone();
            if let Some(fields) = change.as_object_mut() {
                fields.retain(|name, _| name != "channel" && name != "account");
            }
            api.put(&path, &change).await.map(drop).with_context(|| format!("PUT {path}"))
        }
        Err(error) => Err(error).with_context(|| format!("POST /api/accounts ({path})")),
    }
}

/// Creates the agents whose tokens are unknown, or that the server does not know (its state is new).
async fn agents(api: &Api, memory: &mut Memory) -> Result<()> {
    let known: HashSet<_> = api.agents().await.context("GET /api/agents")?.into_iter().map(|agent| agent.id).collect();
    memory.staff.retain(|member| known.contains(&member.id));
    for (name, groups, vip) in AGENTS {
        if memory.staff.iter().any(|member| member.name == name) {
            continue;
        }
        let body = json!({ "name": name, "role": "agent", "groups": groups, "capacity": 6, "vip": vip });
        let made = api.post("/api/agents", &body).await.with_context(|| format!("agent {name}"))?;
        memory.staff.push(staff(name, &made)?);
    }
    Ok(())
}

/// Reads the answer to `POST /api/agents`.
pub(crate) fn staff(name: &str, made: &Value) -> Result<Staff> {
    let field = |key: &str| made.get(key).and_then(Value::as_str).with_context(|| format!("a new agent without {key}"));
    Ok(Staff { id: field("id")?.parse()?, name: name.to_owned(), token: field("token")?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn memory_survives_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut memory = Memory::load(directory.path()).unwrap();
        memory.ports.insert("wechat".into(), 4242);
        memory.save().unwrap();
        let mode = std::fs::metadata(directory.path().join("demo.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Memory::load(directory.path()).unwrap();
        assert_eq!((again.ports.get("wechat"), again.starts), (Some(&4242), memory.starts + 1));
        assert_eq!(again.brand.wechat_aes_key, memory.brand.wechat_aes_key);
    }

    #[test]
    fn the_team_covers_every_group_with_and_without_vip() {
        for (group, _) in GROUPS {
            for wanted in [false, true] {
                assert!(AGENTS.iter().any(|(_, groups, vip)| *vip == wanted && groups.contains(&group)));
            }
        }
    }
}
