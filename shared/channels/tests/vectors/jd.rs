//! JD's JOS: signatures over sorted parameters.

use crate::{Vector, Verdict};
use warmline_channels::jd::sign;

pub(crate) fn check(vector: &Vector) -> Verdict {
    let mut params = vector.params();
    let (secret, expected) = (vector.input("secret"), vector.expected()["sign"].as_str().unwrap());
    assert_eq!(vector.algorithm(), "upper_md5_wrap");
    assert_eq!(sign::signature(secret, &params), expected, "{}", vector.id());
    // These three are never signed.
    params
        .extend([("format", "json"), ("sign_method", "md5"), ("sign", expected)].map(|(n, v)| (n.to_owned(), v.to_owned())));
    assert!(sign::signed(secret, &params), "{}", vector.id());
    Verdict::Passed
}
