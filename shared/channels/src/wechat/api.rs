//! Customer-service messages of an official account, on the API that [`crate::wx`] describes.

use super::CAPABILITIES;
use super::account::Account;
use super::outgoing::Outgoing;
use crate::kit::{Outbound, Rendered, Undeliverable};

pub(super) fn render(account: &Account, reply: &Outbound<'_>, token: Option<&str>) -> Result<Rendered, Undeliverable> {
    CAPABILITIES.check(reply.content)?;
    let message = Outgoing::from_content(reply.content)?;
    // The API wants a preview of each film; the answer to a webhook has no place for one.
    if matches!(message, Outgoing::Video { thumb_media_id: None, .. }) {
        return Err(Undeliverable::ThumbMissing);
    }
    Ok(Rendered::Call(account.app.send(message.to_json(reply.to), token)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::ApiRequest;
    use serde_json::{Value, json};
    use warmline_model::{Content, Timestamp};

    fn account(settings: Value, secrets: &[(&str, &str)]) -> Account {
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Account::read(&settings, &secrets).ok().unwrap()
    }

    fn full() -> Account {
        account(json!({ "app_id": "wx1", "api_base": "http://127.0.0.1:9/" }), &[("token", "test"), ("app_secret", "s3")])
    }

    fn rendered(account: &Account, content: &Content, token: Option<&str>) -> Result<ApiRequest, Undeliverable> {
        let reply = Outbound { to: "oUser", id: "msg_1", content, at: Timestamp::from_millis(0), reply_to: None };
        match render(account, &reply, token)? {
            Rendered::Call(call) => Ok(call),
            Rendered::Held => panic!("held"),
        }
    }

    #[test]
    fn token() {
        let request = full().app.token_request(false).unwrap();
        assert_eq!(request.url, "http://127.0.0.1:9/cgi-bin/stable_token");
        assert!(account(json!({}), &[("token", "test")]).app.token_request(false).is_none());
    }

    #[test]
    fn send() {
        let call = rendered(&full(), &Content::text("hi"), Some("a b&c")).ok().unwrap();
        assert_eq!(call.url, "http://127.0.0.1:9/cgi-bin/message/custom/send?access_token=a+b%26c");
        assert_eq!(rendered(&full(), &Content::text("hi"), None).err(), Some(Undeliverable::TokenMissing));
        let bare = account(json!({}), &[("token", "test")]);
        assert_eq!(rendered(&bare, &Content::text("hi"), None).err(), Some(Undeliverable::CredentialsMissing));
        assert_eq!(rendered(&full(), &Content::text("好".repeat(682)), Some("t")).err(), None);
        assert_eq!(rendered(&full(), &Content::text("好".repeat(683)), Some("t")).err(), Some(Undeliverable::TextTooLong));
    }
}
