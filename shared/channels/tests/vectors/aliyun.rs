//! Aliyun's signatures of API calls: the RPC form and ACS3.

use crate::{Vector, Verdict};
use warmline_channels::aliyun::{Acs3, rpc};

pub(crate) fn check(vector: &Vector) -> Verdict {
    let pairs = |name: &str| -> Vec<(String, String)> {
        let map = vector.inputs()[name].as_object().unwrap();
        map.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect()
    };
    let (method, secret, expected) = (vector.input("method"), vector.input("secret"), vector.expected());
    match vector.algorithm() {
        "aliyun_rpc_hmac_sha1" => {
            let params = pairs("params");
            assert_eq!(rpc(method, secret, &borrowed(&params)), expected["sign"].as_str().unwrap(), "{}", vector.id());
        }
        "aliyun_acs3" => {
            let (query, headers) = (pairs("query"), pairs("headers"));
            let (query, headers) = (borrowed(&query), borrowed(&headers));
            let call = Acs3 { method, path: vector.input("uri"), query: &query, headers: &headers };
            assert_eq!(call.hash(), expected["hashed_canonical_request"].as_str().unwrap());
            let signature = expected["signature"].as_str().unwrap();
            assert_eq!(call.signature(secret), signature);
            let authorization = call.authorization(vector.input("access_key_id"), secret);
            assert!(
                authorization.starts_with("ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;")
            );
            assert!(authorization.ends_with(&format!(",Signature={signature}")));
        }
        other => panic!("{}: algorithm {other}", vector.id()),
    }
    Verdict::Passed
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()
}
