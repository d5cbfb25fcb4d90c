//! Warmline's side of a bridge: frames are posted, signed, until they are kept.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use warmline_channels::pinduoduo::sign;
use warmline_model::Timestamp;

use crate::runner::outbound::connector;

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most of an answer that is read.
const ANSWER_BYTES: usize = 64 << 10;

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Posted {
    /// Warmline has it.
    Kept,
    /// Warmline cannot read it.
    Refused(StatusCode),
}

/// The address of the account's component, and the secret that posts are signed with.
pub(super) struct Door {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    secret: String,
}

/// Why a post is to be tried again, and after how many seconds at the least.
struct Again {
    why: String,
    after: Option<u64>,
}

impl Door {
    /// # Errors
    /// The address is none, or the account's name cannot stand in it.
    pub(super) fn new(url: &Uri, account: &str, secret: String) -> anyhow::Result<Self> {
        ensure!(url.scheme().is_some() && url.authority().is_some(), "--url is no address such as http://127.0.0.1:3000");
        let base = url.to_string();
        let uri = format!("{}/channels/pinduoduo/{account}", base.trim_end_matches('/'));
        let uri = uri.parse().with_context(|| format!("--account {account} cannot stand in an address"))?;
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .build(connector());
        Ok(Self { client, uri, secret })
    }

    /// Posts a frame until Warmline has answered for good, however long it is away.
    pub(super) async fn keep(&self, frame: &Bytes) -> Posted {
        let mut tries = 0;
        loop {
            match self.post(frame).await {
                Ok(posted) => return posted,
                Err(Again { why, after }) => {
                    tries += 1;
                    let pause = backoff(tries).max(Duration::from_secs(after.unwrap_or(0)));
                    tracing::warn!(tries, "{why}; trying again in {:.1} s", pause.as_secs_f64());
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    async fn post(&self, frame: &Bytes) -> Result<Posted, Again> {
        let again = |why: String| Again { why, after: None };
        let mut request = Request::new(Full::new(frame.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        for (name, value) in sign::headers(&self.secret, now().secs(), frame) {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        }
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|e| again(format!("Warmline is not there: {e}")))?;
            let (head, body) = answer.into_parts();
            // The rest is read so that the connection can be used again; what it says is not needed.
            let _ = Limited::new(body, ANSWER_BYTES).collect().await;
            Ok(head)
        };
        let head =
            tokio::time::timeout(DEADLINE, exchange).await.map_err(|_| again("Warmline does not answer".into()))??;
        match head.status {
            status if status.is_success() => Ok(Posted::Kept),
            // These are about the bridge and its account, not about the frame: a person has to mend them.
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => {
                Err(again(format!("Warmline answered {status}: look at --account, PINDUODUO_BRIDGE_SECRET and the clock")))
            }
            status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => Ok(Posted::Refused(status)),
            status => {
                let after = head.headers.get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
                Err(Again { why: format!("Warmline answered {status}"), after: after.map(|seconds: u64| seconds.min(60)) })
            }
        }
    }
}

/// The time.
pub(super) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The pause after so many failures in a row: it doubles from half a second to half a minute, less up to a half of it by chance, so
/// that bridges do not come all at once.
pub(super) fn backoff(failures: u32) -> Duration {
    let longest = Duration::from_millis(500 << failures.clamp(1, 7).saturating_sub(1)).min(Duration::from_secs(30));
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    longest - longest.mul_f64(f64::from(byte[0]) / 510.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        for (failures, longest) in [(0, 500), (1, 500), (2, 1_000), (6, 16_000), (7, 30_000), (u32::MAX, 30_000)] {
            let pause = backoff(failures).as_millis();
            assert!((longest / 2..=longest).contains(&pause), "{failures}: {pause}");
        }
    }

    #[test]
    fn addresses() {
        let door = |url: &str, account: &str| Door::new(&url.parse().unwrap(), account, String::new());
        let uri = door("https://cs.example/", "shop-1").ok().unwrap().uri;
        assert_eq!(uri, "https://cs.example/channels/pinduoduo/shop-1");
        assert!(door("/here", "shop").is_err());
        assert!(door("http://cs.example", "a shop").is_err());
    }
}
