//! 小红书: the signature of calls. No public vector exists for pushes.

use crate::{Vector, Verdict};
use warmline_channels::xiaohongshu::sign::ark_sign;

pub(crate) fn check(vector: &Vector) -> Verdict {
    assert_eq!((vector.kind(), vector.algorithm()), ("sign_outgoing", "xhs_ark_md5"));
    let input = |name| vector.input(name);
    let made = ark_sign(input("method"), input("app_id"), input("timestamp"), input("version"), input("app_secret"));
    assert_eq!(Some(made.as_str()), vector.expected()["sign"].as_str(), "{}", vector.id());
    Verdict::Passed
}
