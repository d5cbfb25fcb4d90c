//! The common signatures of Taobao's TOP, JD's JOS and Pinduoduo's POP over sorted parameters. Names and values are sorted
//! by name and joined without separators. Then they are hashed between two copies of the secret (MD5, in upper-case
//! hexadecimal) or under it (HMAC-MD5).
//!
//! The platform decides which parameters take part: TOP signs all but `sign`; JOS all but `sign`, `format` and
//! `sign_method`; POP all but `sign`. Parameters without a value are not signed, so callers do not send them.

use crate::digest::mac;
use hmac::Hmac;
use md5::{Digest, Md5};

/// Parameters of a call.
pub type Params = [(String, String)];

fn sorted(params: &Params) -> Vec<&(String, String)> {
    let mut sorted: Vec<_> = params.iter().filter(|(_, value)| !value.is_empty()).collect();
    sorted.sort_unstable();
    sorted
}

/// Upper-case hexadecimal MD5 over `head`, the sorted parameters and `tail`. Head and tail are the secret; TOP's first version
/// had no tail.
pub fn upper_md5(head: &str, params: &Params, tail: &str) -> String {
    let mut hash = Md5::new();
    hash.update(head.as_bytes());
    for (name, value) in sorted(params) {
        hash.update(name.as_bytes());
        hash.update(value.as_bytes());
    }
    hash.update(tail.as_bytes());
    hex::encode_upper(hash.finalize())
}

/// Upper-case hexadecimal HMAC-MD5 over the sorted parameters.
pub fn upper_hmac_md5(key: &str, params: &Params) -> String {
    let parts = sorted(params).into_iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    hex::encode_upper(mac::<Hmac<Md5>>(key.as_bytes(), parts))
}

/// A form (`application/x-www-form-urlencoded`) of the parameters.
pub(crate) fn form(params: &Params) -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish().into_bytes()
}

/// The parameters of a form, for tests and simulators.
pub fn read_form(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn params(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn hmac_is_rfc_2202() {
        // RFC 2202, test cases 2 and 6; no public vector exists for TOP's HMAC itself.
        let text = params(&[("what do ya want ", "for nothing?")]);
        assert_eq!(upper_hmac_md5("Jefe", &text), "750C783E6AB0B503EAA86E310A5DB738");
        let long = params(&[("Test Using Larger Than Block-Size Key", " - Hash Key First")]);
        let key = "k".repeat(80);
        assert_ne!(upper_hmac_md5(&key, &long), upper_hmac_md5(&key[..79], &long));
    }

    #[test]
    fn order_and_empty_values_do_not_matter() {
        let (a, b) = (params(&[("b", "2"), ("a", "1"), ("c", "")]), params(&[("a", "1"), ("b", "2")]));
        assert_eq!(upper_md5("s", &a, "s"), upper_md5("s", &b, "s"));
        assert_eq!(upper_hmac_md5("s", &a), upper_hmac_md5("s", &b));
        assert_eq!(read_form(&form(&b)), b);
    }

    proptest! {
        #[test]
        fn a_changed_value_changes_the_signature(name in "[a-z]{1,8}", value in ".{1,20}", other in ".{1,20}", key in "[a-z]{0,90}") {
            let (a, b) = (params(&[(&name, &value)]), params(&[(&name, &other)]));
            prop_assert_eq!(upper_md5(&key, &a, &key) == upper_md5(&key, &b, &key), value == other);
            prop_assert_eq!(upper_hmac_md5(&key, &a) == upper_hmac_md5(&key, &b), value == other);
        }
    }
}
