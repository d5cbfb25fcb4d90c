//! Alipay's RSA2: signatures over sorted parameters, and over a text.

use crate::{Vector, Verdict};
use warmline_channels::alipay::{PublicKey, signed_text};

pub(crate) fn check(vector: &Vector) -> Verdict {
    let expected = vector.expected()["valid"].as_bool().unwrap();
    let valid = match vector.algorithm() {
        "alipay_rsa2" => {
            let params = vector.params();
            let without: Vec<_> = vector.inputs()["drop"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
            let text = signed_text(params.iter().map(|(name, value)| (name.as_str(), value.as_bytes())), &without);
            let sign = &params.iter().find(|(name, _)| name == "sign").unwrap().1;
            PublicKey::read(vector.input("public_key_pem")).unwrap().verifies(&text, sign)
        }
        "rsa_pkcs1_sha256" => {
            let key = PublicKey::read(vector.input("public_key_der_b64")).unwrap();
            let (message, signature) = (vector.input("message"), vector.input("signature_b64"));
            assert!(!key.verifies(format!("{message} ").as_bytes(), signature), "{}", vector.id());
            key.verifies(message.as_bytes(), signature)
        }
        other => panic!("{}: {other}", vector.id()),
    };
    assert_eq!(valid, expected, "{}", vector.id());
    Verdict::Passed
}
