//! Key-value stores as a component sees them.

use anyhow::{Result, bail};
use spin_sdk::key_value::Store;

pub fn reply(path: &str) -> Result<String> {
    if path == "open" {
        return Ok(format!("{:?} {:?}", Store::open_default().map(drop), Store::open("other").map(drop)));
    }
    let store = Store::open_default()?;
    Ok(match path {
        "round" => {
            store.set("probe:a", "首".as_bytes())?;
            store.set("probe:a", b"second")?;
            let got = store.get("probe:a")?.map(|value| String::from_utf8_lossy(&value).into_owned());
            let listed = store.get_keys()?.iter().any(|key| key == "probe:a");
            let before = store.exists("probe:a")?;
            store.delete("probe:a")?;
            store.delete("probe:a")?;
            format!("{got:?} {listed} {before} {} {:?}", store.exists("probe:a")?, store.get("probe:a")?)
        }
        "largest" => {
            let key = "k".repeat(256);
            store.set(&key, &vec![7; 1_000_000])?;
            let length = store.get(&key)?.map_or(0, |value| value.len());
            store.delete(&key)?;
            length.to_string()
        }
        "beyond" => {
            let key = store.set(&"k".repeat(257), b"").is_err();
            let value = store.set("probe:large", &vec![7; 1_100_000]).is_err();
            format!("{key} {value}")
        }
        "set" => {
            store.set("probe:session", &[7; 200])?;
            "set".to_owned()
        }
        "get" => store.get("probe:session")?.map_or(0, |value| value.len()).to_string(),
        _ => bail!("the probe has no path kv/{path}"),
    })
}
