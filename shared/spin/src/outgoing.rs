//! Waiting, several calls at once, and looking names up.

use crate::host::Spin;
use spin_executor::CancelOnDropToken;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::task::Poll;
use warmline_transport::host::Host as _;
pub use warmline_transport::host::all;

use wasi::sockets::instance_network::instance_network;
use wasi::sockets::ip_name_lookup::resolve_addresses;
use wasi::sockets::network::{ErrorCode, IpAddress};

/// The reason why a name was not looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// The host lets this component look nothing up. Spin lets no component.
    NotAllowed,
    /// The name has no address, or nobody could be asked.
    NoAddress,
}

/// The addresses of a name, as the host finds them. It has no deadline.
///
/// # Errors
/// There are none, or the component may not ask.
pub async fn addresses(name: &str) -> Result<Vec<IpAddr>, NotFound> {
    let stream = resolve_addresses(&instance_network(), name).map_err(reason)?;
    let mut found = Vec::new();
    // Declared after the stream, so that it is dropped before it: the host ends a component that drops them the other way.
    let mut registered: Option<CancelOnDropToken> = None;
    poll_fn(|context| {
        drop(registered.take());
        loop {
            match stream.resolve_next_address() {
                Ok(Some(address)) => found.push(ip(address)),
                Ok(None) => return Poll::Ready(Ok(())),
                Err(ErrorCode::WouldBlock) => {
                    let token = spin_executor::push_waker_and_get_token(stream.subscribe(), context.waker().clone());
                    registered = Some(token.into());
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(reason(error))),
            }
        }
    })
    .await?;
    Ok(found)
}

fn reason(error: ErrorCode) -> NotFound {
    match error {
        ErrorCode::AccessDenied | ErrorCode::NotSupported => NotFound::NotAllowed,
        _ => NotFound::NoAddress,
    }
}

fn ip(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => Ipv4Addr::new(a, b, c, d).into(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => Ipv6Addr::new(a, b, c, d, e, f, g, h).into(),
    }
}

/// Completes after a while.
pub async fn sleep(ms: u64) {
    Spin.sleep(ms).await;
}
