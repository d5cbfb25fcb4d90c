//! JOS's signature, for calls, tests and simulators.

use crate::sorted_sign::{Params, upper_md5};

/// The signature of a call: over all parameters but `sign`, `format` and `sign_method`.
pub fn signature(secret: &str, params: &Params) -> String {
    let unsigned = |name: &str| matches!(name, "sign" | "format" | "sign_method");
    let signed: Vec<_> = params.iter().filter(|(name, _)| !unsigned(name)).cloned().collect();
    upper_md5(secret, &signed, secret)
}

/// Whether a call's parameters carry the right `sign`.
pub fn signed(secret: &str, params: &Params) -> bool {
    let mut signs = params.iter().filter(|(name, _)| name == "sign");
    matches!((signs.next(), signs.next()), (Some((_, sign)), None) if *sign == signature(secret, params))
}
