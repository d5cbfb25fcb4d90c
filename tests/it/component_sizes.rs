//! The size of each component. Its code is mapped into every instance, so each byte costs on each request.

use crate::harness::workspace;

/// The limit for an adapter, in bytes. About 35,000 of these read a platform's items one by one, mend cut characters, keep
/// unreadable items, recognise a repeat by its sender and words, and try replies until their window closes. About 10,000
/// came when `kernel` and `transport` became crates of their own. WeCom, which is two channels, is the largest.
const ADAPTER: u64 = 790_000;
/// The limit for an adapter that needs a whole library of legacy character sets (tables of 190 kB), and RSA or MIME beside
/// it. Our own reader reads MIME, with the names of all HTML entities (24 kB). The code that makes the mails of programs
/// readable (types, wrongly named charsets, pictures inside documents, reports) takes 29 kB. The code that saves the
/// complete items of a truncated push takes 4 kB. The rule that a word ends with its sentence, and the further fields of
/// problems and channels, took the last of the room that was left.
const LARGE: u64 = 1_082_000;
/// The components with the larger limit.
const WITH_CHARACTER_SETS: [&str; 2] = ["channel_alipay.wasm", "channel_email.wasm"];

/// The limit for the component of hooks: all events, and the store's tables of hooks and their deliveries.
const HOOKS: u64 = 830_000;

#[test]
fn the_component_of_hooks_is_small() {
    let size = std::fs::metadata(workspace().join("target/wasm32-wasip2/component/hooks.wasm")).unwrap().len();
    assert!(size <= HOOKS, "hooks.wasm has {size} bytes, and may have {HOOKS}");
}

#[test]
fn adapters_are_small() {
    let mut seen = 0;
    for folder in std::fs::read_dir(workspace().join("components")).unwrap() {
        let id = folder.unwrap().file_name().into_string().unwrap();
        if !id.starts_with("channel-") {
            continue;
        }
        let name = format!("{}.wasm", id.replace('-', "_"));
        let most = if WITH_CHARACTER_SETS.contains(&name.as_str()) { LARGE } else { ADAPTER };
        let size = std::fs::metadata(workspace().join("target/wasm32-wasip2/component").join(&name)).unwrap().len();
        assert!(size <= most, "{name} has {size} bytes, and may have {most}");
        seen += 1;
    }
    assert!(seen >= 17);
}
