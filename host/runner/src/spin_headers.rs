//! The headers that tell a component how it was reached.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderName, HeaderValue, Request};
use wasmtime_wasi_http::WasiBody;

/// Sets the headers by which Spin tells a component how it was reached, after removing the client's own.
pub fn set_spin_headers(request: &mut Request<WasiBody>, route: &str, path_info: &str, peer: Option<SocketAddr>) {
    let full_url = request.uri().to_string();
    let headers = request.headers_mut();
    let forged: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with("spin-")).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    let prefix = route.strip_suffix("/...").unwrap_or(route);
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("spin-path-info", path_info);
    set("spin-full-url", &full_url);
    set("spin-matched-route", route);
    set("spin-base-path", "/");
    set("spin-raw-component-route", route);
    set("spin-component-route", prefix);
    if let Some(peer) = peer {
        let ip = match peer.ip() {
            IpAddr::V6(ip) => ip.to_canonical(),
            ip => ip,
        };
        set("spin-client-addr", &SocketAddr::new(ip, peer.port()).to_string());
    }
}
