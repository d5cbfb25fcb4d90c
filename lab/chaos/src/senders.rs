//! The platform's side of the crash test. Each customer's messages go out one after the other. Each is repeated
//! unchanged until it is acknowledged.

use super::ledger::Ledger;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use warmline_channels::wechat::sign;
use warmline_client::Http;
use warmline_simulate::fixture::{ACCOUNT, TOKEN};
use warmline_simulate::rng::Rng;

/// The open id of customer `number`.
pub(super) fn open_id(number: u64) -> String {
    format!("oChaos{number:04}")
}

/// One customer writes until `stop`, and then repeats the last message until it is acknowledged.
pub(super) async fn write(
    base: String,
    http: Http,
    number: u64,
    pause: f64,
    mut rng: Rng,
    ledger: Arc<Ledger>,
    stop: watch::Receiver<bool>,
) {
    let mut count = 0;
    while !*stop.borrow() {
        count += 1;
        let text = format!("问 {number:04}-{count:05} 我的订单什么时候发货？");
        ledger.open().sent.insert(text.clone());
        // A platform repeats what it sent, with the time at which the customer wrote it.
        let body = sign::text(&open_id(number), ACCOUNT, now(), rng.bits() >> 2, &text);
        while !send(&base, &http, body.clone(), &mut rng).await {
            ledger.open().resent += 1;
            tokio::time::sleep(Duration::from_secs_f64(rng.between(0.02, 0.15))).await;
        }
        ledger.open().acknowledged.insert(text);
        tokio::time::sleep(Duration::from_secs_f64(rng.exponential(pause).min(2.0))).await;
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(0)
}

async fn send(base: &str, http: &Http, body: String, rng: &mut Rng) -> bool {
    let query = sign::plain_query(TOKEN, &now().to_string(), &rng.below(1 << 30).to_string());
    let url = format!("{base}/channels/wechat/{ACCOUNT}?{query}");
    let headers = [("content-type", "text/xml".to_owned())];
    // WeChat waits five seconds.
    let answer = tokio::time::timeout(Duration::from_secs(5), http.send("POST", &url, &headers, body)).await;
    matches!(answer, Ok(Ok(answer)) if answer.status == 200 && (answer.body.is_empty() || &answer.body[..] == b"success"))
}
