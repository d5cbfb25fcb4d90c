//! An official account, in the hands of its platform.

use crate::world::{Chunks, Environment, Out, Platform, START, post};
use serde_json::json;
use warmline_channels::wechat::{WechatAdapter, sign};
use warmline_transport::incoming::Incoming;

pub const ACCOUNT: &str = "gh_rice";

/// Connects the account. `reply` says how replies leave: `passive` or `api`.
pub fn connect(w: &Environment, reply: &str) {
    let settings = json!({ "app_id": "wx1", "mode": "plain", "reply": reply, "api_base": "https://api.test" });
    w.connect("wechat", ACCOUNT, settings, &[("token", "test"), ("app_secret", "s3cret")]);
}

/// A customer's message as it arrives. Each try has a new signature; the message itself stays the same.
pub fn webhook(w: &Environment, from: &str, id: u64, text: &str) -> Incoming<Chunks> {
    let query = sign::plain_query("test", &w.ctx().now().secs().to_string(), "n0nce");
    post(&format!("/channels/wechat/{ACCOUNT}?{query}"), &sign::text(from, ACCOUNT, START / 1000, id, text))
}

pub fn says(w: &Environment, from: &str, id: u64, text: &str) -> Out {
    w.serve(&WechatAdapter, webhook(w, from, id, text))
}

/// Runs the deliverer once.
pub fn deliver(w: &Environment) {
    w.serve(&WechatAdapter, post("/deliver", ""));
}

/// Makes the platform work: it gives a token for two hours, and accepts every message.
pub fn works(w: &Environment) {
    let mut tokens = 0;
    w.platform(move |request| match request.url.contains("token") && !request.url.contains("access_token=") {
        true => {
            tokens += 1;
            Platform::Says(200, format!("{{\"access_token\":\"t{tokens}\",\"expires_in\":7200}}"))
        }
        false => Platform::Says(200, "{\"errcode\":0,\"errmsg\":\"ok\"}".into()),
    });
}
