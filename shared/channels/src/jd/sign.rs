//! The check of JOS's signature, for tests and simulators.

use crate::sorted_sign::Params;

pub use super::api::signature;

/// Whether a call's parameters carry the right `sign`.
pub fn signed(secret: &str, params: &Params) -> bool {
    let mut signs = params.iter().filter(|(name, _)| name == "sign");
    matches!((signs.next(), signs.next()), (Some((_, sign)), None) if *sign == signature(secret, params))
}
