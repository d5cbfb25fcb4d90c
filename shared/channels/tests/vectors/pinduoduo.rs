//! Pinduoduo's POP: the official worked example of a signature.

use crate::{Vector, Verdict};
use warmline_channels::pinduoduo::sign;

pub(crate) fn check(vector: &Vector) -> Verdict {
    assert_eq!(vector.algorithm(), "upper_md5_wrap");
    let sign = sign::signature(vector.input("secret"), &vector.params());
    assert_eq!(sign, vector.expected()["sign"].as_str().unwrap(), "{}", vector.id());
    Verdict::Passed
}
