//! Runs the public test vectors of `shared/vectors` (beside the repository) through the real code: webhooks through the
//! adapter, signatures and envelopes through `wx_crypto` and `hs256`, replies through the real writers.
//!
//! Passing vectors are counted, and the count is fixed: a vector that stops passing, and one that stops applying, both fail
//! the test. A vector that does not apply is listed with its reason. If the folder is absent, the tests report this and
//! pass.

#![expect(clippy::unwrap_used, reason = "a vector that is not as described fails the test")]

use std::collections::BTreeMap;
use std::path::Path;

#[path = "vectors/alipay.rs"]
mod alipay;
#[path = "vectors/aliyun.rs"]
mod aliyun;
#[path = "vectors/doudian.rs"]
mod doudian;
#[path = "vectors/douyin.rs"]
mod douyin;
#[path = "vectors/email.rs"]
mod email;
#[path = "vectors/inapp_sdk.rs"]
mod inapp_sdk;
#[path = "vectors/jd.rs"]
mod jd;
#[path = "vectors/pinduoduo.rs"]
mod pinduoduo;
#[path = "vectors/taobao.rs"]
mod taobao;
#[path = "vectors/twilio.rs"]
mod twilio;
#[path = "vectors/wechat_miniapp.rs"]
mod wechat_miniapp;
#[path = "vectors/wechat_mp.rs"]
mod wechat_mp;
#[path = "vectors/wecom.rs"]
mod wecom;
#[path = "vectors/weibo.rs"]
mod weibo;
#[path = "vectors/xiaohongshu.rs"]
mod xiaohongshu;

/// The platform's own id of a message. It was the key of the previous release, by which repeats are still looked up.
pub(crate) fn told_id(inbound: &warmline_model::Inbound) -> &str {
    inbound.earlier_key.as_deref().unwrap_or(&inbound.key)
}

/// The result for a vector: it passed, or it does not apply for a reason.
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

    /// The parameters of a signature, in the order of the file.
    pub(crate) fn params(&self) -> Vec<(String, String)> {
        let params = self.0["inputs"]["params"].as_object().unwrap();
        params.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
    }

    pub(crate) fn inputs(&self) -> &serde_json::Value {
        &self.0["inputs"]
    }
}

/// Runs a channel's vectors and prints the result.
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
fn wechat_mini_program() {
    run("wechat_miniapp", (21, 0), wechat_miniapp::check);
}

#[test]
fn wecom_applications_and_customer_service() {
    run("wecom", (60, 1), wecom::check);
}

#[test]
fn app_sdk() {
    run("inapp_sdk", (3, 0), inapp_sdk::check);
}

#[test]
fn douyin_im_and_mini_apps() {
    run("douyin", (25, 0), douyin::check);
}

#[test]
fn doudian_events() {
    run("doudian", (24, 0), doudian::check);
}

#[test]
fn xiaohongshu_calls() {
    run("xiaohongshu", (1, 0), xiaohongshu::check);
}

#[test]
fn weibo_fans_service() {
    run("weibo", (2, 0), weibo::check);
}

#[test]
fn taobao_open_platform() {
    run("taobao", (2, 0), taobao::check);
}

#[test]
fn jd_open_platform() {
    run("jd", (2, 0), jd::check);
}

#[test]
fn pinduoduo_open_platform() {
    run("pinduoduo", (1, 0), pinduoduo::check);
}

#[test]
fn alipay_life_account() {
    run("alipay", (4, 0), alipay::check);
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
