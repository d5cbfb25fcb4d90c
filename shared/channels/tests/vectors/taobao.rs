//! Taobao's TOP: signatures over sorted parameters.

use crate::{Vector, Verdict};
use warmline_channels::sorted_sign::upper_md5;
use warmline_channels::taobao::{SignMethod, sign};

pub(crate) fn check(vector: &Vector) -> Verdict {
    let params = vector.params();
    let (secret, expected) = (vector.input("secret"), vector.expected()["sign"].as_str().unwrap());
    match vector.algorithm() {
        "upper_md5_wrap" => {
            assert_eq!(sign::signature(SignMethod::Md5, secret, &params), expected);
            let signed: Vec<_> = params.into_iter().chain([("sign".to_owned(), expected.to_owned())]).collect();
            assert!(sign::signed(secret, &signed));
        }
        // The first version's form, which the adapter does not send.
        "upper_md5_head" => assert_eq!(upper_md5(secret, &params, ""), expected),
        other => panic!("{}: {other}", vector.id()),
    }
    Verdict::Passed
}
