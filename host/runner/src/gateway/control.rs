//! The address for publications: `POST /publish/` on a port of its own on 127.0.0.1, signed with the gateway's key.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use warmline_channels::grip::Publish;
use warmline_process::stopped;

use super::{Gateway, now};

const BODY: usize = 1 << 20;

/// Accepts publications until the runner is stopping.
pub async fn serve(gateway: Arc<Gateway>, listener: TcpListener, stopping: watch::Receiver<bool>) {
    let stop = stopped(stopping);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let gateway = Arc::clone(&gateway);
                async move { Ok::<_, Infallible>(answer(&gateway, request).await) }
            });
            let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(gateway: &Gateway, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, text) = match publish(gateway, request).await {
        Ok(()) => (StatusCode::OK, "Published\n"),
        Err(refused) => refused,
    };
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, http::HeaderValue::from_static("POST"));
    }
    response
}

async fn publish(gateway: &Gateway, request: Request<Incoming>) -> Result<(), (StatusCode, &'static str)> {
    if !matches!(request.uri().path(), "/publish" | "/publish/") {
        return Err((StatusCode::NOT_FOUND, "publish at /publish/\n"));
    }
    if request.method() != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "publish with POST\n"));
    }
    let signature =
        request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if signature.is_none_or(|signature| gateway.key.check(signature, now()).is_err()) {
        return Err((StatusCode::UNAUTHORIZED, "publications are signed\n"));
    }
    let body = Limited::new(request.into_body(), BODY).collect().await;
    let body = body.map_err(|_| (StatusCode::PAYLOAD_TOO_LARGE, "too large, or broken off\n"))?.to_bytes();
    let Publish { items } = serde_json::from_slice(&body).map_err(|_| (StatusCode::BAD_REQUEST, "not a publication\n"))?;
    for item in items {
        if let Some(frame) = item.formats.ws_message {
            gateway.publish(&item.channel, &frame.content);
        }
    }
    Ok(())
}
