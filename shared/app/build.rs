//! Makes the bytes of the answer to `GET /api/openapi.json`: the committed `openapi.json` without spaces, once plain and
//! once compressed, with its tag. A request then costs no more than sending them.

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=openapi.json");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read("openapi.json")?)?;
    let bytes = serde_json::to_vec(&document)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&bytes)?;
    std::fs::write(out.join("openapi.json.gz"), gzip.finish()?)?;
    let tag: String = Sha256::digest(&bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(out.join("openapi.tag"), format!("\"{tag}\""))?;
    std::fs::write(out.join("openapi.json"), bytes)?;
    Ok(())
}
