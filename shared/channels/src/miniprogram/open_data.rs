//! The two proofs that a mini program's page can hand to its server after `wx.login` (微信开放文档, 小程序: 服务端获取开放数据): a signed
//! profile and encrypted data. Both depend on the session key that the server got for the login code. No customer-service
//! message carries them. They are here for integrations that connect a page's own customer to a conversation.

use crate::digest::same;
use crate::kit::Refusal;
use crate::wx_crypto::strip_padding;
use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::{Block, BlockModeDecrypt, KeyIvInit};
use serde_json::Value;
use sha1::{Digest, Sha1};

/// Whether `signature` is hexadecimal sha1(`rawData` + session key). The comparison takes constant time.
pub fn signature_matches(raw_data: &str, session_key: &str, signature: &str) -> bool {
    let digest = Sha1::new().chain_update(raw_data.as_bytes()).chain_update(session_key.as_bytes()).finalize();
    same(hex::encode(digest).as_bytes(), signature.as_bytes())
}

/// Opens `encryptedData`: AES-128-CBC under the session key, PKCS#7, JSON whose `watermark.appid` must be the mini program's.
///
/// # Errors
/// The data cannot be opened, is not JSON, or belongs to another app.
pub fn open(encrypted_data: &str, iv: &str, session_key: &str, app_id: &str) -> Result<Value, Refusal> {
    let bytes = |text: &str| STANDARD.decode(text).map_err(|_| Refusal::Undecryptable);
    let key: [u8; 16] = bytes(session_key)?.try_into().map_err(|_| Refusal::Undecryptable)?;
    let iv: [u8; 16] = bytes(iv)?.try_into().map_err(|_| Refusal::Undecryptable)?;
    let mut data = bytes(encrypted_data)?;
    let mut cbc = cbc::Decryptor::<Aes128>::new(&key.into(), &iv.into());
    let (blocks, rest) = Block::<cbc::Decryptor<Aes128>>::slice_as_chunks_mut(&mut data);
    if !rest.is_empty() {
        return Err(Refusal::Undecryptable);
    }
    cbc.decrypt_blocks(blocks);
    strip_padding(&mut data)?;
    let opened = crate::json::read(&data, crate::json::MAX_BYTES).map_err(|_| Refusal::Undecryptable)?;
    match opened["watermark"]["appid"].as_str() {
        Some(id) if id == app_id => Ok(opened),
        _ => Err(Refusal::WrongRecipient),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_data_does_not_panic(data: Vec<u8>, text in ".{0,40}", key: [u8; 16]) {
            let key = STANDARD.encode(key);
            prop_assert!(open(&STANDARD.encode(data), &key, &key, "wx").is_err());
            prop_assert!(open(&text, &text, &text, "wx").is_err());
            prop_assert!(!signature_matches(&text, &key, &text));
        }
    }
}
