//! What each component weighs. Its code is mapped into every instance, so what grows costs each request.

use crate::harness::workspace;

/// Bytes that an adapter may have.
const ADAPTER: u64 = 700_000;
/// Those that need a whole library of legacy character sets (tables of 190 kB), and RSA or MIME beside it.
const WITH_CHARACTER_SETS: [&str; 2] = ["channel_alipay.wasm", "channel_email.wasm"];

#[test]
fn adapters_are_small() {
    let mut seen = 0;
    for folder in std::fs::read_dir(workspace().join("components")).unwrap() {
        let id = folder.unwrap().file_name().into_string().unwrap();
        if !id.starts_with("channel-") {
            continue;
        }
        let name = format!("{}.wasm", id.replace('-', "_"));
        let most = if WITH_CHARACTER_SETS.contains(&name.as_str()) { 1_000_000 } else { ADAPTER };
        let size = std::fs::metadata(workspace().join("target/wasm32-wasip2/component").join(&name)).unwrap().len();
        assert!(size <= most, "{name} has {size} bytes, and may have {most}");
        seen += 1;
    }
    assert!(seen >= 17);
}
