#![no_main]
//! The envelope of WeChat's family: only an envelope opens, and a sealed message opens unchanged.

use warmline_channels::wx_crypto::{
    AesKey, BYTEDANCE_PREFIX, WECHAT_PREFIX, decrypt, decrypt_bare, encrypt, signature_matches,
};
use warmline_fuzz::libfuzzer_sys::fuzz_target;

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

fuzz_target!(|data: &[u8]| {
    let Some(key) = AesKey::decode(KEY) else { return };
    for prefix in [WECHAT_PREFIX, BYTEDANCE_PREFIX] {
        let sealed = encrypt(&key, &vec![7; prefix], data, "wx1");
        assert_eq!(decrypt(&key, prefix, &sealed, "wx1").as_deref().ok(), Some(data));
        assert!(decrypt(&key, prefix, &sealed, "wx2").is_err());
    }
    let _ = decrypt_bare(&key, data.to_vec());
    if let Ok(text) = std::str::from_utf8(data) {
        AesKey::decode(text);
        assert!(decrypt(&key, WECHAT_PREFIX, text, "wx1").is_err());
        assert!(!signature_matches(text, &mut ["token", "1", "n"]));
    }
});
