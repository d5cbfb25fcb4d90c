//! Proves that a webhook comes from the platform, answers the check of the gateway, and acknowledges messages.

use super::account::Account;
use super::form::Form;
use crate::kit::{Fault, Refusal, Reply, Request, Verified};
use crate::xml::{Document, MAX_BYTES, Writer, readable};
use encoding_rs::UTF_8;
use warmline_model::Timestamp;

/// The service of the gateway's check.
pub const CHECK: &str = "alipay.service.check";

/// In a [`Verified`]'s context: the service of the webhook, and the fact that its charset is UTF-8.
const SERVICE: &str = "service";
const UTF8: &str = "utf-8";

/// Verifies a webhook. The resulting body is `biz_content` in UTF-8.
pub(super) fn verify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
    if request.method != http::Method::POST || !request.at_root() {
        return Err(Refusal::NotFound);
    }
    if request.body.len() > MAX_BYTES {
        return Err(Refusal::Malformed(Fault::TooLong));
    }
    let form = Form::read(request.body)?;
    let sign = form.ascii("sign").ok_or(Refusal::SignatureMissing)?;
    if form.ascii("sign_type") != Some("RSA2") {
        return Err(Refusal::WrongMode);
    }
    if !account.platform.verifies(&form.signed(), sign) {
        return Err(Refusal::SignatureWrong);
    }
    let content = form.bytes("biz_content").ok_or(Refusal::Field("biz_content"))?;
    let charset = form.charset()?;
    // A character that is not of the charset, or a cut one, becomes U+FFFD. The signature covered the bytes.
    let content = charset.decode_without_bom_handling(content).0;
    let content = readable(content.as_bytes()).into_owned();
    fresh(account, &content, now)?;
    let mut verified = Verified::new(content);
    if charset == UTF_8 {
        verified = verified.with(UTF8, "1");
    }
    Ok(verified.with(SERVICE, form.ascii("service").unwrap_or_default()))
}

/// Checks the signed time, which is the message's own.
fn fresh(account: &Account, content: &[u8], now: Timestamp) -> Result<(), Refusal> {
    let document = Document::read(content)?;
    if !document.root().name().eq_ignore_ascii_case("xml") {
        return Err(Refusal::Malformed(Fault::Root));
    }
    // In some of its forms, the check of the gateway of a new account names no application yet.
    if document.text("AppId").is_some_and(|id| !id.trim().is_empty() && id.trim() != account.app_id) {
        return Err(Refusal::WrongRecipient);
    }
    let created = document.text("CreateTime").and_then(|time| time.trim().parse::<i64>().ok());
    let created = created.ok_or(Refusal::Field("CreateTime"))?;
    if now.millis().abs_diff(created) > account.max_age_secs.unsigned_abs().saturating_mul(1000) {
        return Err(Refusal::Stale(created.saturating_sub(now.millis()) / 1000));
    }
    Ok(())
}

/// Answers the platform's check of the gateway with the application's public key.
pub(super) fn handshake(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
    // A cheap check first: the name of the service is plain in every encoding of the form.
    let named = request.body.len() <= MAX_BYTES && request.body.windows(CHECK.len()).any(|part| part == CHECK.as_bytes());
    if request.method != http::Method::POST || !request.at_root() || !named {
        return Ok(None);
    }
    let verified = verify(account, request, now)?;
    if verified.context(SERVICE) != Some(CHECK) {
        return Ok(None);
    }
    let response = format!("<success>true</success><biz_content>{}</biz_content>", account.key.public());
    Ok(Some(signed(account, &verified, &response)))
}

/// The platform's own form of "received".
pub(super) fn acknowledge(account: &Account, verified: &Verified) -> Reply {
    let document = Document::read(verified.body()).ok();
    let text = |name: &str| document.as_ref().and_then(|d| d.text(name)).unwrap_or_default().trim();
    let user = Some(text("FromAlipayUserId")).filter(|id| !id.is_empty()).unwrap_or_else(|| text("FromUserId"));
    let mut xml = Writer::new();
    xml.open("XML").text("ToUserId", user).text("AppId", &account.app_id);
    xml.text("CreateTime", text("CreateTime")).text("MsgType", "ack").close("XML");
    signed(account, verified, &xml.finish())
}

/// An answer around `response`, signed over it. It is in ASCII, which both charsets write alike.
fn signed(account: &Account, verified: &Verified, response: &str) -> Reply {
    let (charset, content_type) = match verified.context(UTF8) {
        Some(_) => ("UTF-8", "text/xml; charset=UTF-8"),
        None => ("GBK", "text/xml; charset=GBK"),
    };
    let sign = account.key.sign(response.as_bytes()).unwrap_or_default();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"{charset}\"?><alipay><response>{response}</response>\
         <sign>{sign}</sign><sign_type>RSA2</sign_type></alipay>"
    );
    Reply { status: 200, content_type, body: body.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::{PLATFORM_KEY, account};
    use super::super::rsa2::{PrivateKey, PublicKey};
    use super::super::sign;
    use super::*;
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use warmline_cases::cases;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    struct World {
        account: Account,
        platform: PrivateKey,
    }

    fn world() -> World {
        World { account: account(), platform: PrivateKey::read(PLATFORM_KEY).unwrap() }
    }

    impl World {
        fn body(&self, charset: &str, text: &str) -> Vec<u8> {
            let content = sign::text("2021", "2088", NOW.millis(), "160308464406000001", text);
            sign::webhook(&self.platform, sign::MESSAGE, charset, &content)
        }

        fn post(&self, method: Method, rest: &str, body: &[u8]) -> Result<Verified, Refusal> {
            let headers = HeaderMap::new();
            verify(&self.account, &Request { method: &method, rest, query: "", headers: &headers, body }, NOW)
        }

        fn refused(&self, body: &[u8]) -> Option<Refusal> {
            self.post(Method::POST, "", body).err()
        }
    }

    #[test]
    fn both_charsets() {
        let world = world();
        for charset in ["GBK", "utf-8"] {
            let verified = world.post(Method::POST, "", &world.body(charset, "你好")).ok().unwrap();
            assert!(std::str::from_utf8(verified.body()).unwrap().contains("你好"));
            let ack = acknowledge(&world.account, &verified);
            let application = PublicKey::read(&world.account.key.public()).unwrap();
            let response = sign::signed_response(&application, std::str::from_utf8(&ack.body).unwrap()).unwrap();
            assert!(response.contains("<![CDATA[ack]]>") && response.contains("<![CDATA[2088]]>"));
            assert_eq!(ack.content_type.ends_with("GBK"), charset == "GBK");
        }
    }

    #[test]
    fn the_check_of_the_gateway() {
        let world = world();
        let headers = HeaderMap::new();
        let ask = |body: &[u8]| {
            let request = Request { method: &Method::POST, rest: "", query: "", headers: &headers, body };
            handshake(&world.account, &request, NOW)
        };
        let event = sign::message("2021", "2088", NOW.millis(), "event", &[("EventType", "verifygw")]);
        let body = sign::webhook(&world.platform, sign::CHECK, "GBK", &event);
        let reply = ask(&body).ok().flatten().unwrap();
        let public = world.account.key.public();
        let application = PublicKey::read(&public).unwrap();
        let response = sign::signed_response(&application, std::str::from_utf8(&reply.body).unwrap()).unwrap();
        assert_eq!(response, format!("<success>true</success><biz_content>{public}</biz_content>"));
        assert_eq!(ask(&world.body("GBK", "x")), Ok(None));
        // A customer who writes this word does not get the account's key, and their message is not lost.
        assert_eq!(ask(&world.body("GBK", sign::CHECK)), Ok(None));
        let forged = String::from_utf8(body).unwrap().replace("sign_type=RSA2", "sign_type=RSA2&x=1");
        assert_eq!(ask(forged.as_bytes()), Err(Refusal::SignatureWrong));
    }

    #[test]
    fn refusals() {
        let world = world();
        let good = String::from_utf8(world.body("GBK", "x")).unwrap();
        assert!(matches!(world.post(Method::GET, "", good.as_bytes()), Err(Refusal::NotFound)));
        assert!(matches!(world.post(Method::POST, "/x", good.as_bytes()), Err(Refusal::NotFound)));
        assert_eq!(world.refused(b""), Some(Refusal::SignatureMissing));
        assert_eq!(world.refused(good.replace("RSA2", "RSA").as_bytes()), Some(Refusal::WrongMode));
        assert_eq!(world.refused(good.replace("GBK", "gbk").as_bytes()), Some(Refusal::SignatureWrong));
        assert_eq!(world.refused(&vec![b'a'; MAX_BYTES + 1]), Some(Refusal::Malformed(Fault::TooLong)));
        let signed = |content: &str| sign::webhook(&world.platform, sign::MESSAGE, "utf-8", content);
        let at = |millis| sign::text("2021", "2088", millis, "1", "x");
        assert_eq!(world.refused(&signed(&at(NOW.millis() - 301_000))), Some(Refusal::Stale(-301)));
        assert_eq!(world.refused(&signed(&at(NOW.millis() + 301_000))), Some(Refusal::Stale(301)));
        let other = sign::text("2022", "2088", NOW.millis(), "1", "x");
        assert_eq!(world.refused(&signed(&other)), Some(Refusal::WrongRecipient));
        assert_eq!(world.refused(&signed("<XML/>")), Some(Refusal::Field("CreateTime")));
        assert_eq!(world.refused(&signed("<html/>")), Some(Refusal::Malformed(Fault::Root)));
        assert_eq!(world.refused(&signed("")), Some(Refusal::Field("biz_content")));
        let bomb = "<!DOCTYPE x [<!ENTITY a \"b\">]><XML>&a;</XML>";
        assert_eq!(world.refused(&signed(bomb)), Some(Refusal::Malformed(Fault::Xml(crate::xml::Error::DocumentType))));
    }

    proptest! {
        #![proptest_config(cases(24))]

        #[test]
        fn a_changed_form_is_never_another_message(changes in prop::collection::vec((0usize..2000, any::<u8>()), 1..4), junk: Vec<u8>) {
            let world = world();
            let body = world.body("GBK", "你好");
            let plain = world.post(Method::POST, "", &body).ok().unwrap();
            for (at, to) in changes {
                let mut other = body.clone();
                let at = at % other.len();
                other[at] = to;
                if let Ok(verified) = world.post(Method::POST, "", &other) {
                    // `%c4` for `%C4`: the same parameters, written differently.
                    prop_assert_eq!(verified.body(), plain.body());
                }
            }
            prop_assert!(world.post(Method::POST, "", &junk).is_err());
        }
    }
}
