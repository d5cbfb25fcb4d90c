//! Runs the public test vectors of `shared/vectors` (beside the repository) through the real code: webhooks through the
//! adapter, signatures and envelopes through `wx_crypto` and `hs256`, replies through the real writers.
//!
//! What passes is counted, and the count is fixed: a vector that stops passing, and one that stops applying, both fail the
//! test. What does not apply is listed with its reason. Where the folder is absent, the tests say so and pass.

#![expect(clippy::unwrap_used, reason = "a vector that is not as described fails the test")]

use std::collections::BTreeMap;
use std::path::Path;

#[path = "vectors/aliyun.rs"]
mod aliyun;
#[path = "vectors/email.rs"]
mod email;
#[path = "vectors/inapp_sdk.rs"]
mod inapp_sdk;
#[path = "vectors/twilio.rs"]
mod twilio;
#[path = "vectors/wechat_mp.rs"]
mod wechat_mp;

/// A vector that does not apply, and why.
pub(crate) enum Verdict {
    Passed,
    NotApplicable(&'static str),
}

/// One vector.
pub(crate) struct Vector(serde_json::Value);

impl Vector {
    pub(crate) fn id(&self) -> &str {
        self.0["id"].as_str().unwrap()
    }

    pub(crate) fn kind(&self) -> &str {
        self.0["kind"].as_str().unwrap()
    }

    pub(crate) fn algorithm(&self) -> &str {
        self.0["algorithm"].as_str().unwrap()
    }

    pub(crate) fn expected(&self) -> &serde_json::Value {
        &self.0["expected"]
    }

    /// A text among the inputs.
    pub(crate) fn input(&self, name: &str) -> &str {
        self.0["inputs"][name].as_str().unwrap_or_else(|| panic!("{}: no input {name}", self.id()))
    }

    pub(crate) fn inputs(&self) -> &serde_json::Value {
        &self.0["inputs"]
    }
}

/// Runs a channel's vectors and prints the account of them.
fn run(channel: &str, expected: (usize, usize), check: impl Fn(&Vector) -> Verdict) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors").join(format!("{channel}.json"));
    let Ok(text) = std::fs::read(&path) else {
        println!("{channel}: the public vectors are not here (shared/vectors beside the repository); nothing was checked");
        return;
    };
    let vectors: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
    let total = vectors.len();
    let (mut passed, mut not_applicable) = (0, BTreeMap::<_, Vec<String>>::new());
    for vector in vectors.into_iter().map(Vector) {
        match check(&vector) {
            Verdict::Passed => passed += 1,
            Verdict::NotApplicable(why) => not_applicable.entry(why).or_default().push(vector.id().to_owned()),
        }
    }
    let skipped: usize = not_applicable.values().map(Vec::len).sum();
    println!("{channel}: {passed} passed, {skipped} not applicable, {total} in all");
    for (why, ids) in &not_applicable {
        println!("  not applicable, {why}: {}", ids.join(", "));
    }
    assert_eq!((passed, skipped), expected, "{channel}: passed and not applicable");
}

#[test]
fn wechat_official_account() {
    run("wechat_mp", (118, 12), wechat_mp::check);
    let (checked, skipped) = wechat_mp::asserts();
    println!("  upstream assertions: {checked} hold, {skipped} on fields that a message of that kind does not have");
    assert!((checked, skipped) == (362, 62) || checked + skipped == 0, "{checked} {skipped}");
}

#[test]
fn app_sdk() {
    run("inapp_sdk", (3, 0), inapp_sdk::check);
}

#[test]
fn sms_aliyun() {
    run("aliyun", (3, 0), aliyun::check);
}

#[test]
fn twilio_signatures() {
    run("twilio", (7, 0), twilio::check);
}

#[test]
fn mail() {
    run("email", (16, 2), email::check);
}
