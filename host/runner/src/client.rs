//! Calls to other hosts, over pooled connections. Every call has a deadline, for the answer and for the whole of its body.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, Sleep};
use warmline_process::{Connector, NotPublic, PublicConnector, check_literal, connector, public_connector};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::hosts::Reach;

/// The pools of connections to other hosts. A call that may reach public addresses only never uses a connection that another
/// call made: it has a pool of its own, whose connector checks each address.
pub struct Client {
    named: legacy::Client<Connector, WasiBody>,
    public: legacy::Client<PublicConnector, WasiBody>,
}

impl Default for Client {
    fn default() -> Self {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        let builder =
            builder.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(20)).pool_max_idle_per_host(32);
        Self { named: builder.build(connector()), public: builder.build(public_connector()) }
    }
}

impl Client {
    /// Sends a request to an address that it may reach. Its answer must begin within `first_byte` and end within `whole`.
    ///
    /// # Errors
    /// The error that wasi:http gives to the guest.
    pub async fn send(
        &self,
        request: Request<WasiBody>,
        reach: Reach,
        first_byte: Duration,
        whole: Duration,
    ) -> Result<Response<WasiBody>, Error> {
        let deadline = Instant::now() + whole;
        let answer = match reach {
            Reach::Named => self.named.request(request),
            Reach::Public => {
                check_literal(request.uri()).map_err(|NotPublic| Error::DestinationIpProhibited)?;
                self.public.request(request)
            }
        };
        let response = tokio::time::timeout(first_byte, answer)
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?
            .map_err(client_error)?;
        Ok(response.map(|inner| Timed { inner, deadline: Box::pin(tokio::time::sleep_until(deadline)) }.boxed_unsync()))
    }
}

fn client_error(error: legacy::Error) -> Error {
    if error.is_connect() {
        if cause::<NotPublic>(&error).is_some() {
            return Error::DestinationIpProhibited;
        }
        return match cause::<std::io::Error>(&error).map(std::io::Error::kind) {
            Some(std::io::ErrorKind::TimedOut) => Error::ConnectionTimeout,
            Some(std::io::ErrorKind::ConnectionRefused) => Error::ConnectionRefused,
            _ if format!("{error:?}").contains("dns") => Error::DnsError { rcode: None, info_code: None },
            _ => Error::DestinationUnavailable,
        };
    }
    match cause::<hyper::Error>(&error) {
        Some(cause) if cause.is_incomplete_message() => Error::ConnectionTerminated,
        Some(cause) if cause.is_timeout() => Error::HttpResponseTimeout,
        _ => Error::HttpProtocolError,
    }
}

/// The nearest cause of the given type.
fn cause<'a, E: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a E> {
    std::iter::successors(error.source(), |cause| cause.source()).find_map(|cause| cause.downcast_ref())
}

/// A response's body with a deadline for all of it.
struct Timed {
    inner: Incoming,
    deadline: Pin<Box<Sleep>>,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Error::from))),
            Poll::Pending => match self.deadline.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err(Error::ConnectionReadTimeout))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Empty;
    use std::net::TcpListener;

    fn request(uri: &str) -> Request<WasiBody> {
        let body = Empty::new().map_err(|never: std::convert::Infallible| match never {}).boxed_unsync();
        Request::post(uri).body(body).expect("a request")
    }

    #[tokio::test]
    async fn a_call_that_may_reach_public_addresses_only_makes_no_connection_to_this_machine() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let (client, patience) = (Client::default(), Duration::from_secs(5));
        for host in ["127.0.0.1", "localhost", "2130706433", "127.1", "[::ffff:127.0.0.1]"] {
            for scheme in ["http", "https"] {
                let sent =
                    client.send(request(&format!("{scheme}://{host}:{port}/")), Reach::Public, patience, patience).await;
                // By https an odd spelling fails before it is looked up: no certificate can name it.
                let prohibited = matches!(sent, Err(Error::DestinationIpProhibited));
                assert!(prohibited || (scheme == "https" && sent.is_err()), "{scheme}://{host}");
            }
        }
        assert!(listener.accept().is_err(), "a connection was made");
        // The listener would have noticed one.
        let named = client.send(request(&format!("http://127.0.0.1:{port}/")), Reach::Named, patience / 50, patience).await;
        assert!(named.is_err() && listener.accept().is_ok());
    }
}
