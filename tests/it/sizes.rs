//! What each component weighs. Its code is mapped into every instance, so what grows costs each request.

use crate::harness::workspace;

/// Bytes that an adapter may have. Of these about 35,000 read what platforms send item by item, mend characters that were cut, and
/// keep what nobody can read; know a repeat by its sender and words; and try replies until their window closes. About 10,000 came
/// when `kernel` and `transport` became crates of their own. WeCom, which is two channels, is the largest.
const ADAPTER: u64 = 790_000;
/// Bytes that one may have which needs a whole library of legacy character sets (tables of 190 kB), and RSA or MIME beside it.
/// MIME is read by a reader of our own, with the names of all HTML entities (24 kB); what makes mails as programs write them
/// readable (types, charsets that are called wrongly, pictures inside of documents, reports) takes 29 kB; what is whole of a push that is
/// cut takes 4 kB.
const LARGE: u64 = 1_080_000;
/// Those.
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
        let most = if WITH_CHARACTER_SETS.contains(&name.as_str()) { LARGE } else { ADAPTER };
        let size = std::fs::metadata(workspace().join("target/wasm32-wasip2/component").join(&name)).unwrap().len();
        assert!(size <= most, "{name} has {size} bytes, and may have {most}");
        seen += 1;
    }
    assert!(seen >= 17);
}
