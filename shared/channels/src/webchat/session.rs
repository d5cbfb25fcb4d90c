//! A visitor's session: a token that names the visitor, the account and the end.

use super::account::Account;
use super::origin::check_origin;
use crate::client_message;
use crate::kit::{Refusal, Request, Verified};
use crate::{bearer, digest, hs256};
use serde::Serialize;
use warmline_model::{Sender, Timestamp};

/// The length of a session. A visitor who comes back within 30 days finds the conversation again.
pub const SESSION_SECS: i64 = 30 * 24 * 3600;

#[derive(Serialize)]
struct Claims {
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
}

/// The visitor of a token, and its account.
struct Session {
    visitor: String,
    audience: String,
}

impl hs256::Claims for Session {
    fn read(claims: hs256::ClaimSet) -> Result<Self, hs256::Error> {
        Ok(Self { visitor: claims.needed_text("sub")?, audience: claims.needed_text("aud")? })
    }
}

/// Opens a session for a new visitor. Returns the token, and the visitor's id (`vis_` and 32 hexadecimal digits). `visitor`
/// is fresh randomness that must not be guessable, since it names the visitor.
pub fn start_session(account: &Account, visitor: &[u8; 16], now: Timestamp) -> (String, String) {
    let sub = format!("vis_{}", hex::encode(visitor));
    let claims = Claims { sub, aud: account.audience.clone(), iat: now.secs(), exp: now.secs() + SESSION_SECS };
    // These claims can always be written.
    let token = hs256::sign(&claims, &account.session_key).unwrap_or_default();
    (token, claims.sub)
}

/// The visitor, by the token alone (header, or `access_token` in the query), for reading replies.
///
/// # Errors
/// The token is missing, invalid or of another account, or the page may not use the account.
pub fn identify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Sender, Refusal> {
    check_origin(account, request)?;
    sender(account, &bearer::header_or_query(request)?, now)
}

/// Verifies a posted message.
pub(super) fn verify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
    if !client_message::is_post(request) {
        return Err(Refusal::NotFound);
    }
    check_origin(account, request)?;
    let sender = sender(account, bearer::header(request).ok_or(Refusal::SignatureMissing)?, now)?;
    client_message::verified(request.body, &sender, now)
}

fn sender(account: &Account, token: &str, now: Timestamp) -> Result<Sender, Refusal> {
    let session: Session = hs256::verify(token, &account.session_key, now)?;
    if !digest::same(session.audience.as_bytes(), account.audience.as_bytes()) {
        return Err(Refusal::SignatureWrong);
    }
    Ok(Sender { open_id: session.visitor, ..Sender::default() })
}

#[cfg(test)]
mod tests {
    use super::super::WebchatAdapter;
    use super::super::account::tests::account;
    use super::*;
    use crate::kit::Adapter;
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use warmline_model::Content;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn post(account: &Account, token: &str, origin: Option<&str>, body: &[u8], now: Timestamp) -> Result<Verified, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().unwrap());
        }
        verify(account, &Request { method: &Method::POST, rest: "", query: "", headers: &headers, body }, now)
    }

    #[test]
    fn a_visitor_is_heard_and_recognised() {
        let account = account("webchat/a", &["https://shop.example"]);
        let (token, visitor) = start_session(&account, &[7; 16], NOW);
        assert_eq!(visitor, "vis_07070707070707070707070707070707");
        let body = br#"{"id":"1","text":"hi"}"#;
        let verified = post(&account, &token, Some("https://shop.example"), body, NOW).ok().unwrap();
        let inbound = WebchatAdapter.parse(&account, &verified).unwrap().messages.remove(0);
        assert_eq!((inbound.sender.open_id, inbound.content, inbound.at), (visitor.clone(), Content::text("hi"), NOW));
        let query = format!("access_token={token}");
        let request =
            Request { method: &Method::GET, rest: "/stream", query: &query, headers: &HeaderMap::new(), body: b"" };
        assert_eq!(identify(&account, &request, NOW).unwrap().open_id, visitor);
        // A token in the query is for reading only.
        let request = Request { method: &Method::POST, rest: "", query: &query, headers: &HeaderMap::new(), body };
        assert_eq!(verify(&account, &request, NOW).err(), Some(Refusal::SignatureMissing));
    }

    #[test]
    fn a_session_is_good_for_one_account_and_thirty_days() {
        let (a, b) = (account("webchat/a", &[]), account("webchat/b", &[]));
        let (token, _) = start_session(&a, &[7; 16], NOW);
        assert_eq!(post(&b, &token, None, b"{}", NOW).err(), Some(Refusal::SignatureWrong));
        let day = 24 * 3600 * 1000;
        assert!(post(&a, &token, None, b"{}", NOW.plus_millis(30 * day)).is_ok());
        assert_eq!(post(&a, &token, None, b"{}", NOW.plus_millis(31 * day)).err(), Some(Refusal::Expired));
        assert_eq!(post(&a, &token, Some("https://evil.example"), b"{}", NOW).err(), Some(Refusal::OriginDenied));
    }

    proptest! {
        #[test]
        fn no_other_token_is_good(token in "[A-Za-z0-9._-]{0,80}", at in 0usize..300, to in "[A-Za-z0-9_.-]") {
            let account = account("webchat/a", &[]);
            let body = b"{}";
            prop_assert!(post(&account, &token, None, body, NOW).is_err());
            let (good, _) = start_session(&account, &[7; 16], NOW);
            let mut other = good.clone();
            let at = at % good.len();
            other.replace_range(at..=at, &to);
            prop_assert_eq!(post(&account, &other, None, body, NOW).is_ok(), other == good);
        }
    }
}
