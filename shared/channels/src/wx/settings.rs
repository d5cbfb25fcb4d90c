//! Settings and secrets with the same meaning on all of WeChat's channels, and on channels that use its envelope.

use crate::kit::AccountError;
use crate::settings::Fields;
use crate::wx_crypto::AesKey;

/// The kind of webhooks that an account accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 明文模式: plain only.
    Plain,
    /// 安全模式: encrypted only.
    Safe,
    /// Either, while an account moves from one to the other. Of the doubled messages of 兼容模式, the encrypted half is read.
    Both,
}

/// The secret `encoding_aes_key`.
pub(crate) fn aes_key(fields: &Fields<'_>) -> Result<Option<AesKey>, AccountError> {
    let wrong = || AccountError::new("encoding_aes_key", "must be the 43 letters and digits that the platform shows");
    match fields.secret("encoding_aes_key", 43..=43).map_err(|_| wrong())? {
        Some(encoded) => AesKey::decode(encoded).ok_or_else(wrong).map(Some),
        None => Ok(None),
    }
}

/// An app id or corp id among the settings.
pub(crate) fn id(fields: &Fields<'_>, name: &str) -> Result<Option<String>, AccountError> {
    match fields.text(name)? {
        None => Ok(None),
        Some(id) if (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
            Ok(Some(id.to_owned()))
        }
        Some(_) => Err(AccountError::new(name, "must be 1 to 64 letters and digits")),
    }
}
