//! Connections to other hosts.

use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;

const CONNECT: Duration = Duration::from_secs(5);

/// The type that connects.
pub type Connector = HttpsConnector<HttpConnector>;

/// Connects to other hosts, by TLS if the address says so.
pub fn connector() -> Connector {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT));
    http.set_nodelay(true);
    HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(http)
}
