//! Warmline's side of a bridge: a signed post, and the meaning of its answer for the frame.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;
use tokio::sync::watch;
use warmline_channels::pinduoduo::pmc;
use warmline_process::{Connector, connector};

use super::backoff::{pause_of, waited};
use super::now;

/// The longest time for an answer.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most bytes of an answer that are read.
const ANSWER_BYTES: usize = 64 << 10;

/// Warmline's verdict on a frame. The words are a status and a code, never a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Warmline has it.
    Kept,
    /// Warmline can never read it: the post was ours and complete, and yet it is no frame.
    Unreadable(String),
    /// The frame is sound, but this account does not accept it.
    NotOurs(String),
    /// Nothing is kept until a person has corrected the account, the secret or the clock.
    Mend(String),
    /// It will be kept another time, after at least this pause.
    Later(String, Option<Duration>),
}

/// The address of the account's component, and the secret that posts are signed with.
pub(super) struct Door {
    client: legacy::Client<Connector, Full<Bytes>>,
    uri: Uri,
    secret: String,
}

impl Door {
    /// # Errors
    /// The address is invalid, or the account's name cannot stand in it.
    pub(super) fn new(url: &Uri, account: &str, secret: String) -> anyhow::Result<Self> {
        let web = matches!(url.scheme_str(), Some("http" | "https")) && url.authority().is_some();
        ensure!(web, "--url is no address such as http://127.0.0.1:3000");
        let plain = !account.is_empty() && account.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        ensure!(plain, "--account {account:?} cannot be an account's name");
        let base = url.to_string();
        let uri = format!("{}/channels/pinduoduo/{account}", base.trim_end_matches('/'));
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .build(connector());
        Ok(Self { client, uri: uri.parse().context("--url cannot be continued by a path")?, secret })
    }

    /// Waits until Warmline accepts the account's posts. Returns false if it is time to stop first. A heartbeat carries
    /// nothing, so it tests only this.
    ///
    /// # Errors
    /// Warmline answers and refuses the posts. It is better to report this now than in a log later.
    pub(super) async fn opens(&self, stopping: &mut watch::Receiver<bool>) -> anyhow::Result<bool> {
        for tries in 1.. {
            let (why, after) = match self.post(&Bytes::from(pmc::heartbeat(now()))).await {
                Verdict::Kept => return Ok(true),
                Verdict::Later(why, after) => (why, after),
                Verdict::Mend(why) | Verdict::Unreadable(why) | Verdict::NotOurs(why) => {
                    bail!(
                        "Warmline refuses the bridge's posts ({why}): look at --account, PINDUODUO_BRIDGE_SECRET and the clock"
                    )
                }
            };
            let pause = pause_of(tries, after);
            tracing::warn!("Warmline is not ready ({why}); again in {:.1} s", pause.as_secs_f64());
            if !waited(pause, stopping).await {
                break;
            }
        }
        Ok(false)
    }

    /// Posts a frame once.
    pub(super) async fn post(&self, frame: &Bytes) -> Verdict {
        let mut request = Request::new(Full::new(frame.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        for (name, value) in pmc::headers(&self.secret, now().secs(), frame) {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        }
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            })?;
            let (head, body) = answer.into_parts();
            match Limited::new(body, ANSWER_BYTES).collect().await {
                Ok(body) => Ok(verdict(head.status, &head.headers, &body.to_bytes())),
                Err(_) => Err("the answer broke off".to_owned()),
            }
        };
        match tokio::time::timeout(DEADLINE, exchange).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(why)) => Verdict::Later(why, None),
            Err(_) => Verdict::Later("no answer in time".to_owned(), None),
        }
    }
}

/// The meaning of an answer. Only Warmline's own words settle a frame. A proxy's answer in its place is no reason to give
/// up.
fn verdict(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    if status == StatusCode::OK && body["accepted"] == true {
        return Verdict::Kept;
    }
    let code =
        body["code"].as_str().filter(|code| code.len() < 40 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    let why = format!("{} {}", status.as_u16(), code.unwrap_or("without a code"));
    match (status.as_u16(), code) {
        (400, Some("malformed")) | (413, Some("body_too_large")) => Verdict::Unreadable(why),
        (400, Some("wrong_recipient")) | (413, _) => Verdict::NotOurs(why),
        (401 | 403 | 404, Some(_)) => Verdict::Mend(why),
        _ => {
            let after = headers.get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.trim().parse().ok());
            Verdict::Later(why, after.map(Duration::from_secs))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let door = |url: &str, account: &str| Door::new(&url.parse().unwrap(), account, String::new());
        let uri = |url: &str, account: &str| door(url, account).ok().unwrap().uri;
        assert_eq!(uri("https://cs.example/", "shop-1"), "https://cs.example/channels/pinduoduo/shop-1");
        assert_eq!(uri("http://127.0.0.1:3000/w", "a"), "http://127.0.0.1:3000/w/channels/pinduoduo/a");
        for (url, account) in
            [("/here", "shop"), ("ws://cs.example", "shop"), ("http://cs.example", "a/../b"), ("http://a", "")]
        {
            assert!(door(url, account).is_err(), "{url} {account}");
        }
    }

    #[test]
    fn what_an_answer_means_for_the_frame() {
        let read =
            |status: u16, body: &str| verdict(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes());
        let problem = |status: u16, code: &str| read(status, &format!(r#"{{"status":{status},"code":"{code}"}}"#));
        assert_eq!(read(200, r#"{"accepted":true}"#), Verdict::Kept);
        assert_eq!(problem(400, "malformed"), Verdict::Unreadable("400 malformed".into()));
        assert_eq!(problem(413, "body_too_large"), Verdict::Unreadable("413 body_too_large".into()));
        assert_eq!(problem(400, "wrong_recipient"), Verdict::NotOurs("400 wrong_recipient".into()));
        assert_eq!(read(413, "<html>"), Verdict::NotOurs("413 without a code".into()));
        assert_eq!(problem(401, "signature_wrong"), Verdict::Mend("401 signature_wrong".into()));
        assert_eq!(problem(404, "unknown_account"), Verdict::Mend("404 unknown_account".into()));
        let elsewhere = ["<html>login</html>", r#"{"accepted":false}"#, "", r#"{"code":"Not one of ours\n"}"#];
        for status in [200, 204, 302, 400, 401, 403, 404, 408, 429, 500, 502, 503] {
            for body in elsewhere {
                assert!(matches!(read(status, body), Verdict::Later(_, None)), "{status} {body}");
            }
        }
        assert_eq!(problem(503, "store_busy"), Verdict::Later("503 store_busy".into(), None));
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        for (given, read) in [("3", Some(3)), (" 120 ", Some(120)), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)] {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, given.parse().unwrap())]);
            let Verdict::Later(_, after) = verdict(StatusCode::SERVICE_UNAVAILABLE, &headers, b"") else {
                panic!("{given}")
            };
            assert_eq!(after, read.map(Duration::from_secs), "{given}");
        }
    }
}
