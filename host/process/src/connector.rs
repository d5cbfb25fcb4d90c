//! Connections to other hosts.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;
use warmline_address::is_public;

const CONNECT: Duration = Duration::from_secs(5);

/// The type that connects.
pub type Connector = HttpsConnector<HttpConnector>;
/// The type that connects to public addresses only.
pub type PublicConnector = HttpsConnector<HttpConnector<PublicOnly>>;

/// Connects to other hosts, by TLS if the address says so.
pub fn connector() -> Connector {
    by_tls(HttpConnector::new())
}

/// Like [`connector`], for hosts that somebody else chose: a name that has an address which is not public is refused. The
/// addresses that are checked are those that the connection uses, so a name that changes its mind gains nothing. Addresses
/// that stand in the URI are not looked up: see [`check_literal`].
pub fn public_connector() -> PublicConnector {
    by_tls(HttpConnector::new_with_resolver(PublicOnly(GaiResolver::new())))
}

fn by_tls<R>(mut http: HttpConnector<R>) -> HttpsConnector<HttpConnector<R>> {
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT));
    http.set_nodelay(true);
    HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(http)
}

/// An address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPublic;

impl std::fmt::Display for NotPublic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the address is not public")
    }
}

impl std::error::Error for NotPublic {}

/// Refuses a URI whose host is an address that is not public.
///
/// # Errors
/// It is not public.
pub fn check_literal(uri: &http::Uri) -> Result<(), NotPublic> {
    let host = uri.host().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // Other spellings of an address are looked up like names.
    match bare.parse::<IpAddr>() {
        Ok(address) if !is_public(address) => Err(NotPublic),
        _ => Ok(()),
    }
}

/// Looks names up, and refuses those that have an address which is not public.
#[derive(Clone)]
pub struct PublicOnly(GaiResolver);

type Addresses = std::vec::IntoIter<SocketAddr>;
type Looked = Result<Addresses, Box<dyn std::error::Error + Send + Sync>>;

impl Service<Name> for PublicOnly {
    type Response = Addresses;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Looked> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = self.0.call(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            match found.iter().all(|address| is_public(address.ip())) {
                true => Ok(found.into_iter()),
                false => Err(NotPublic.into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(name: &str) -> Looked {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut names = PublicOnly(GaiResolver::new());
        runtime.block_on(async { names.call(name.parse().unwrap()).await })
    }

    #[test]
    fn a_name_of_this_machine_is_refused_however_it_is_spelt() {
        for name in ["localhost", "2130706433", "0x7f000001", "017700000001", "127.1"] {
            assert!(looked(name).unwrap_err().downcast_ref::<NotPublic>().is_some(), "{name}");
        }
    }

    #[test]
    fn a_private_address_in_the_uri_is_refused_and_a_public_one_is_not() {
        for host in ["127.0.0.1", "10.0.0.1:81", "[::1]", "[::ffff:127.0.0.1]:443", "169.254.169.254"] {
            assert_eq!(check_literal(&format!("https://{host}/").parse().unwrap()), Err(NotPublic), "{host}");
        }
        for host in ["1.1.1.1", "[2606:4700::1]", "example.com"] {
            assert_eq!(check_literal(&format!("https://{host}/").parse().unwrap()), Ok(()), "{host}");
        }
    }
}
