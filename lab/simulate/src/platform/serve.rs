//! The simulator's HTTP side.

use super::{Behaviour, Endpoint, Shared};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde_json::{Value, json};

const BODY_LIMIT: usize = 1 << 20;

/// Says that the connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped as scripted")]
pub(super) struct Dropped;

pub(super) type Answer = Response<Full<Bytes>>;

fn answer(status: u16, body: &Value) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

fn later(status: u16, secs: u32) -> Answer {
    let mut response = answer(status, &Value::Null);
    response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from(secs));
    response
}

fn page() -> Answer {
    let mut response = Response::new(Full::new(Bytes::from_static(b"<html>ok</html>")));
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/html"));
    response
}

fn error(code: i64) -> Answer {
    let message = match code {
        0 => "ok",
        -1 => "system error",
        40001 => "invalid credential, access_token is invalid or not latest",
        40007 => "invalid media_id",
        40013 => "invalid appid",
        40125 => "invalid appsecret",
        44002 => "empty post data",
        45015 => "response out of time limit or subscription is canceled",
        45047 => "out of response count limit",
        47001 => "data format error",
        _ => "error",
    };
    answer(200, &json!({ "errcode": code, "errmsg": message }))
}

fn param(request: &Request<Incoming>, name: &str) -> String {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .find(|(n, _)| n == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// A medium's bytes: its id, where that is one of those that the platform still has.
fn media(request: &Request<Incoming>, shared: &Shared) -> Answer {
    if !shared.lock().record.token_is_valid(&param(request, "access_token")) {
        return error(40001);
    }
    let id = param(request, "media_id");
    if id.is_empty() || id.starts_with("gone") {
        return error(40007);
    }
    let mut response = Response::new(Full::new(Bytes::from(id.clone().into_bytes())));
    let kind = if id.starts_with("page") { "text/html" } else { "image/jpeg" };
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

pub(super) async fn handle(request: Request<Incoming>, shared: Shared) -> Result<Answer, Dropped> {
    if request.uri().path() == "/cgi-bin/media/get" {
        return Ok(media(&request, &shared));
    }
    let endpoint = match request.uri().path() {
        "/cgi-bin/stable_token" => Endpoint::Token,
        "/cgi-bin/message/custom/send" => Endpoint::Send,
        _ => return Ok(answer(404, &json!({ "errcode": 43002, "errmsg": "no such path" }))),
    };
    {
        let mut state = shared.lock();
        match endpoint {
            Endpoint::Token => state.record.counts.token_calls += 1,
            Endpoint::Send => state.record.counts.send_calls += 1,
        }
        if state.rules.drops_before(endpoint) {
            state.record.counts.dropped_before += 1;
            return Err(Dropped);
        }
    }
    let access_token = param(&request, "access_token");
    let body = Limited::new(request.into_body(), BODY_LIMIT).collect().await.map_err(|_| Dropped)?.to_bytes();
    if body.is_empty() {
        return Ok(error(44002));
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else { return Ok(error(47001)) };
    let field = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (delay, behaviour) = shared.lock().rules.decide(endpoint, field("/touser"), field("/text/content"));
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match endpoint {
        Endpoint::Token => token(&shared, &body, behaviour),
        Endpoint::Send => {
            let answer = send(&shared, body, &access_token, behaviour);
            if let Some(Behaviour::Late(time)) = behaviour {
                tokio::time::sleep(time).await;
            }
            answer
        }
    }
}

fn token(shared: &Shared, body: &Value, behaviour: Option<Behaviour>) -> Result<Answer, Dropped> {
    match behaviour {
        Some(Behaviour::Error(code)) => return Ok(error(code)),
        Some(Behaviour::Status(status)) => return Ok(answer(status, &Value::Null)),
        Some(Behaviour::Later(status, secs)) => return Ok(later(status, secs)),
        Some(Behaviour::Unreadable) => return Ok(page()),
        Some(Behaviour::DropBefore | Behaviour::DropAfter) => return Err(Dropped),
        Some(Behaviour::Delay(_) | Behaviour::Late(_)) | None => {}
    }
    let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let force = body.get("force_refresh").and_then(Value::as_bool).unwrap_or(false);
    Ok(match shared.lock().record.issue(field("appid"), field("secret"), force) {
        Ok((value, seconds)) => answer(200, &json!({ "access_token": value, "expires_in": seconds })),
        Err(code) => error(code),
    })
}

fn send(shared: &Shared, body: Value, access_token: &str, behaviour: Option<Behaviour>) -> Result<Answer, Dropped> {
    let record = &mut shared.lock().record;
    let mut refuse = |answer| {
        record.counts.refused += 1;
        Ok(answer)
    };
    match behaviour {
        Some(Behaviour::Error(code)) => return refuse(error(code)),
        Some(Behaviour::Status(status)) => return refuse(answer(status, &Value::Null)),
        Some(Behaviour::Later(status, secs)) => return refuse(later(status, secs)),
        Some(Behaviour::DropBefore) => {
            record.counts.dropped_before += 1;
            return Err(Dropped);
        }
        Some(Behaviour::DropAfter | Behaviour::Unreadable | Behaviour::Late(_) | Behaviour::Delay(_)) | None => {}
    }
    if !record.token_is_valid(access_token) {
        record.counts.refused += 1;
        return Ok(error(40001));
    }
    let complete = body.get("touser").and_then(Value::as_str).is_some_and(|to| !to.is_empty());
    if !complete {
        record.counts.refused += 1;
        return Ok(error(47001));
    }
    let dropped = behaviour == Some(Behaviour::DropAfter);
    record.accept(body, !dropped);
    if dropped {
        record.counts.dropped_after += 1;
        return Err(Dropped);
    }
    Ok(if behaviour == Some(Behaviour::Unreadable) { page() } else { error(0) })
}
