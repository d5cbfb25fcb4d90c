//! Calls of other components and hosts.

use anyhow::{Result, bail};
use spin_sdk::http::{Method, Request, Response, send};
use warmline_channels::ApiRequest;
use warmline_spin::host::Spin;
use warmline_transport::host::Host as _;

async fn get(uri: &str) -> String {
    match send::<_, Response>(Request::new(Method::Get, uri)).await {
        Ok(response) => format!("{} {}", response.status(), String::from_utf8_lossy(response.body())),
        Err(error) => format!("error {error:?}"),
    }
}

pub async fn reply(path: &str, query: &str) -> Result<String> {
    Ok(match path {
        "private" => get("http://probe-private.spin.internal/who").await,
        "public" => get("http://probe-bare.spin.internal/bare/who?x=1").await,
        "headers" => get("http://probe-private.spin.internal/request?x=1").await,
        "trap" => get("http://probe-private.spin.internal/trap").await,
        "silent" => get("http://probe-private.spin.internal/silent").await,
        "missing" => get("http://probe-missing.spin.internal/who").await,
        "ungranted" => get("http://probe-deeper.spin.internal/who").await,
        "outside" => get("http://denied.example/").await,
        "url" => get(query).await,
        "post" => {
            let request = Request::post("http://probe-private.spin.internal/echo", "ding".to_owned()).build();
            match send::<_, Response>(request).await {
                Ok(response) => format!("{} {}", response.status(), String::from_utf8_lossy(response.body())),
                Err(error) => format!("error {error:?}"),
            }
        }
        // As adapters call. The body is larger than what a runner takes at once, so that the call fails while it is written.
        "outside-large" => {
            let (url, body) = ("https://denied.example/".to_owned(), vec![b'x'; 8 << 20]);
            let request = ApiRequest { method: http::Method::POST, url, headers: Vec::new(), body };
            match Spin.send(&request).await {
                Ok(answer) => answer.status.to_string(),
                Err(error) => format!("{error:?}"),
            }
        }
        _ => bail!("the probe has no path call/{path}"),
    })
}
