//! Signed webhooks in the platform's form, for tests and simulators: the counterpart of the verifier.

use super::form::signed_text;
use super::rsa2::{PrivateKey, PublicKey};
use crate::xml::Writer;
use encoding_rs::{GB18030, UTF_8};

pub use super::verify::CHECK;

/// The service of a message or event.
pub const MESSAGE: &str = "alipay.mobile.public.message.notify";
/// The body of a webhook: a form in `charset` (`GBK` or `UTF-8`), signed with the platform's key.
pub fn webhook(platform: &PrivateKey, service: &str, charset: &str, biz_content: &str) -> Vec<u8> {
    let encoding = if charset.eq_ignore_ascii_case("utf-8") { UTF_8 } else { GB18030 };
    let (content, _, _) = encoding.encode(biz_content);
    let mut params = vec![
        ("service", service.as_bytes().to_vec()),
        ("charset", charset.as_bytes().to_vec()),
        ("sign_type", b"RSA2".to_vec()),
        ("biz_content", content.into_owned()),
    ];
    let text = signed_text(params.iter().map(|(name, value)| (*name, value.as_slice())), &[]);
    params.push(("sign", platform.sign(&text).unwrap_or_default().into_bytes()));
    let mut body = String::new();
    for (i, (name, value)) in params.iter().enumerate() {
        body.push_str(if i > 0 { "&" } else { "" });
        body.push_str(name);
        body.push('=');
        body.extend(form_urlencoded::byte_serialize(value));
    }
    body.into_bytes()
}

/// A message or event: the common fields, then `fields` in order.
pub fn message(app_id: &str, user: &str, millis: i64, kind: &str, fields: &[(&str, &str)]) -> String {
    let mut xml = open(app_id, user, millis, kind);
    for (name, value) in fields {
        xml.text(name, value);
    }
    xml.close("XML");
    xml.finish()
}

/// A text message.
pub fn text(app_id: &str, user: &str, millis: i64, message_id: &str, text: &str) -> String {
    let mut xml = open(app_id, user, millis, "text");
    xml.open("Text").text("Content", text).close("Text").text("MsgId", message_id).close("XML");
    xml.finish()
}

/// A picture.
pub fn image(app_id: &str, user: &str, millis: i64, message_id: &str, media_id: &str) -> String {
    let mut xml = open(app_id, user, millis, "image");
    xml.open("Image").text("MediaId", media_id).text("Format", "jpg").close("Image");
    xml.text("MsgId", message_id).close("XML");
    xml.finish()
}

fn open(app_id: &str, user: &str, millis: i64, kind: &str) -> Writer {
    let mut xml = Writer::new();
    xml.open("XML").text("AppId", app_id).text("FromAlipayUserId", user).text("FromUserId", "open-id-of-old");
    xml.text("CreateTime", &millis.to_string()).text("MsgType", kind);
    xml.text("UserInfo", "{\"logon_id\":\"135****1009\",\"user_name\":\"*小虎\"}");
    xml
}

/// The text inside `<response>` of the answer to a webhook, if the application has signed it.
pub fn signed_response(application: &PublicKey, answer: &str) -> Option<String> {
    let between = |open: &str, close: &str| Some(answer.split_once(open)?.1.rsplit_once(close)?.0);
    let (response, sign) = (between("<response>", "</response>")?, between("<sign>", "</sign>")?);
    application.verifies(response.as_bytes(), sign).then(|| response.to_owned())
}
