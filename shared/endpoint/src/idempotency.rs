//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a retried POST gets the first answer, and its effect
//! happens once. Effect and answer are stored in one transaction.

use crate::message::{Request, Response};
use crate::problem::Problem;
use sha2::{Digest, Sha256};
use warmline_kernel::Ctx;
use warmline_kernel::StepError;
use warmline_kernel::ctx::Actor;
use warmline_kernel::transient_keys::{self, TransientPurpose};
use warmline_store::idempotency::{self, Kept};
use warmline_store::immediate;

/// Runs `effect` in one immediate transaction. If the request has a key, the answer is kept, and a repeated request gets it
/// back.
///
/// # Errors
/// The key is malformed or was used for another request, or `effect` fails. If `effect` fails, nothing is kept, and a
/// retry tries again.
pub fn once(
    ctx: &Ctx<'_>,
    actor: &Actor,
    request: &Request,
    effect: impl FnOnce() -> Result<Response, Problem>,
) -> Result<Response, Problem> {
    let Some(key) = request.headers.get("idempotency-key") else {
        return immediate(ctx.db, effect);
    };
    let once = request.headers.get_all("idempotency-key").iter().count() == 1;
    let key = key.to_str().ok().filter(|k| once && (1..=255).contains(&k.len())).ok_or_else(|| {
        Problem::new(400, "bad_idempotency_key", "Idempotency-Key takes 1 to 255 visible ASCII characters, once")
    })?;
    let actor = actor.agent.map_or_else(Vec::new, |a| a.as_bytes().to_vec());
    let digest = digest(ctx, request);
    let (generation, seal) = transient_keys::newest(ctx, TransientPurpose::Answers)?;
    let aad = [actor.as_slice(), key.as_bytes()].concat();
    immediate(ctx.db, || {
        if let Some(kept) = idempotency::get(ctx.db, &actor, key)? {
            if kept.request != digest && kept.request != plain_digest(request) {
                let detail = "this Idempotency-Key was used for another request; use a new one";
                return Err(Problem::new(422, "idempotency_key_reused", detail));
            }
            let body = open(ctx, &aad, &kept.response)?;
            let status = u16::try_from(kept.status).map_err(|_| Problem::internal())?;
            let response = Response { status, headers: Vec::new(), content_type: "application/json", body };
            return Ok(response.with("idempotency-replayed", "true"));
        }
        let response = effect()?;
        let sealed = seal.seal(&aad, &response.body, ctx.rng)?;
        let sealed = [generation.to_be_bytes().as_slice(), &sealed].concat();
        let kept = Kept { request: digest.clone(), status: i64::from(response.status), response: sealed };
        idempotency::put(ctx.db, &actor, key, &kept, ctx.now())?;
        Ok(response)
    })
}

/// Opens a kept answer. Its first eight bytes are the generation of its key.
fn open(ctx: &Ctx<'_>, aad: &[u8], kept: &[u8]) -> Result<Vec<u8>, Problem> {
    let opened = kept.split_first_chunk().map(|(generation, sealed)| {
        let key = transient_keys::by_number(ctx, i64::from_be_bytes(*generation))?;
        Ok::<_, StepError>(key.open(aad, sealed)?)
    });
    match opened {
        Some(Err(StepError::Store(e))) => Err(e.into()),
        Some(Ok(body)) => Ok(body),
        // A person was erased meanwhile. The kept answers went too, since they may contain that person's data.
        _ => {
            let detail = "this request was done before; its answer is not kept any more: read what it changed";
            Err(Problem::new(409, "answer_gone", detail))
        }
    }
}

fn parts(request: &Request) -> [&[u8]; 4] {
    [request.method.as_str().as_bytes(), request.path.as_bytes(), request.query.as_bytes(), &request.body]
}

/// The digest that recognises a repeated request. It is keyed, because a plain hash of a short body, such as a phone number,
/// could be found by trial.
fn digest(ctx: &Ctx<'_>, request: &Request) -> Vec<u8> {
    ctx.keys.index().of_bytes("idempotency", &parts(request)).to_vec()
}

/// The digest as the previous release stored it. Such rows last a day.
fn plain_digest(request: &Request) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in parts(request) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}
