//! Calls that guests make: to other components in process ([`Chain`]), to granted hosts over pooled connections.

use std::sync::{Arc, LazyLock};

use http::{Request, Response};
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

use crate::chain::Chain;
use crate::grants::Grants;
use crate::hosts::Reach;
use crate::services::Services;
use crate::vitals::Vitals;

const CHAIN_SUFFIX: &str = ".spin.internal";

/// The runner's side of wasi:http, for one instance.
pub struct Hooks {
    services: Arc<Services>,
    chain: Arc<dyn Chain>,
    grants: Arc<Grants>,
    vitals: Arc<Vitals>,
}

impl Hooks {
    /// The hooks of an instance with these grants.
    pub fn new(services: &Arc<Services>, chain: Arc<dyn Chain>, grants: &Arc<Grants>, vitals: &Arc<Vitals>) -> Self {
        Self { services: Arc::clone(services), chain, grants: Arc::clone(grants), vitals: Arc::clone(vitals) }
    }
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Io), Error>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (services, chain, grants) = (Arc::clone(&self.services), Arc::clone(&self.chain), Arc::clone(&self.grants));
        let unknown = callee(&request).is_some_and(|callee| services.platform.unchained || !chain.knows(callee));
        if unknown && grants.allowed_hosts.reach(request.uri(), "") == Some(Reach::Named) {
            // On Spin this traps the caller. Here it gets no answer, so that the guest waits and is ended.
            tracing::error!(component = &*grants.id, uri = %request.uri(), "the component called one that does not exist");
            self.vitals.doom();
            return Box::new(std::future::pending());
        }
        Box::new(async move {
            let response = send(&services, chain, &grants, request, options).await?;
            let io: Io = Box::new(std::future::ready(Ok(())));
            Ok((response, io))
        })
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::clone(&FORBIDDEN_HEADERS)
    }
}

/// One filter for all instances. Each set of headers holds it.
static FORBIDDEN_HEADERS: LazyLock<ForbiddenHeaderFilter> =
    LazyLock::new(|| Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name)));

/// The component that a request is for, if it is for one.
fn callee(request: &Request<WasiBody>) -> Option<&str> {
    request.uri().host()?.strip_suffix(CHAIN_SUFFIX)
}

async fn send(
    services: &Services,
    chain: Arc<dyn Chain>,
    caller: &Grants,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<Response<WasiBody>, Error> {
    let own = services.authority.get().map_or("", String::as_str);
    // A pattern for any host stands for hosts outside. Other components have to be named.
    let outside = |reach: &Reach| *reach == Reach::Named || callee(&request).is_none();
    let Some(reach) = caller.allowed_hosts.reach(request.uri(), own).filter(outside) else {
        tracing::warn!(
            component = &*caller.id,
            host = request.uri().authority().map(http::uri::Authority::as_str),
            "refused an outbound call: not in allowed_outbound_hosts"
        );
        return Err(Error::HttpRequestDenied);
    };
    if let Some(callee) = callee(&request) {
        let callee = callee.to_owned();
        return chain.call(callee, request).await.ok_or(Error::ConnectionLimitReached);
    }
    if services.platform.outbound.as_ref().is_some_and(|quota| !quota.take()) {
        tracing::warn!(component = &*caller.id, "refused an outbound call: the platform's quota is used up");
        return Err(Error::ConnectionLimitReached);
    }
    let most = services.limits.outbound;
    let first_byte = options.and_then(|options| options.first_byte_timeout).unwrap_or(most).min(most);
    let answer = services.client.send(request, reach, first_byte, most).await;
    if matches!(answer, Err(Error::DestinationIpProhibited)) {
        // The host is not logged: its name was given by somebody else.
        tracing::warn!(
            component = &*caller.id,
            "refused an outbound call: the address is not public, and the host not named"
        );
    }
    answer
}
