//! Twilio: messages with their media and delivery reports come in, `Messages.json` sends.

use super::account::Twilio;
use crate::digest::opaque_key;
use crate::keys;
use crate::kit::{ApiRequest, MENU_ANSWER, MESSAGE_CONTEXT, Outbound, Refusal, Undeliverable, Verified};
use crate::requests::{authorized, post_form};
use crate::twilio::{Params, authorization};
use serde_json::{Map, Value, json};
use warmline_model::{Content, Inbound, Media, Sender};

/// The most media in one message.
const MAX_MEDIA: usize = 10;

/// Fields that need not be repeated in an event's data: they name the people and the message.
const COMMON: &[&str] = &["From", "To", "MessageSid", "SmsSid", "SmsMessageSid", "ApiVersion"];

/// Reads a message: its text and then its media, each with a key made from the message's own.
pub(super) fn parse(body: &Verified) -> Result<Vec<Inbound>, Refusal> {
    let params = Params::read(body)?;
    let sid = params.id("MessageSid")?.to_owned();
    let inbound = |(key, earlier): (String, String), open_id: &str, content, reply_to| Inbound {
        earlier_key: Some(earlier),
        key,
        sender: Sender { name: name(&params), ..super::sender(open_id.to_owned()) },
        at: body.time(),
        content,
        reply_to,
    };
    // In a report on a message that was sent, the customer is the recipient.
    if let Some(status) = params.get("MessageStatus").filter(|status| *status != "received") {
        let event = status.to_lowercase();
        let content = Content::Event { event, key: Some(sid.clone()), data: params.without(COMMON) };
        let to = params.id("To")?;
        let key = opaque_key("report", &[&sid, to, status, params.get("ErrorCode").unwrap_or_default()]);
        return Ok(vec![inbound((key, format!("{sid}-{status}")), to, content, None)]);
    }
    let from = params.id("From")?;
    let reply_to = params.get("To").map(|to| json!({ "from": to }));
    // The carrier has already acted on a word, and answered it.
    if let Some(event) = params.get("OptOutType").and_then(opted) {
        let content = Content::Event { event: event.to_owned(), key: Some(sid.clone()), data: params.without(COMMON) };
        let key = keys::of_message("message", &[from, &sid], &content);
        return Ok(vec![inbound((key, sid), from, content, reply_to)]);
    }
    let mut contents = Vec::new();
    if let Some(text) = params.get("Body") {
        contents.push(Content::text(text));
    }
    let degrees =
        |name: &'static str, limit: f64| params.get(name).and_then(|v| v.parse::<f64>().ok()).filter(|v| v.abs() <= limit);
    if let (Some(latitude), Some(longitude)) = (degrees("Latitude", 90.0), degrees("Longitude", 180.0)) {
        let label = params.get("Label").or(params.get("Address")).map(str::to_owned);
        contents.push(Content::Location { latitude, longitude, scale: None, label });
    }
    for n in 0..MAX_MEDIA {
        let Some(url) = params.get(&format!("MediaUrl{n}")) else { continue };
        contents.push(medium(url, params.get(&format!("MediaContentType{n}")).unwrap_or_default()));
    }
    if contents.is_empty() {
        // An empty text message is a text message, too. Anything else without words is an unknown kind.
        let known = params.get("MessageType").is_none_or(|kind| kind == "text");
        contents.push(if known {
            Content::text("")
        } else {
            let raw_kind = params.get("MessageType").unwrap_or_default().to_owned();
            Content::Unknown { raw_kind, raw: params.without(COMMON) }
        });
    }
    let keys = |n: usize, content: &Content| {
        let earlier = if n == 0 { sid.clone() } else { format!("{sid}-{n}") };
        (keys::of_message("message", &[from, &earlier], content), earlier)
    };
    let before = context(&params).map(|content| {
        let earlier = format!("{sid}-context");
        inbound((keys::of_message("message", &[from, &earlier], &content), earlier), from, content, None)
    });
    let numbered = contents.into_iter().enumerate();
    let said = numbered.map(|(n, content)| inbound(keys(n, &content), from, content, reply_to.clone()));
    Ok(before.into_iter().chain(said).collect())
}

/// The context of a message: the button or list item that it answers, the message that it quotes, or the carrier's note
/// that it is a call for help.
fn context(params: &Params) -> Option<Content> {
    const FIELDS: [&str; 9] = [
        "ButtonPayload",
        "ButtonText",
        "ListId",
        "ListTitle",
        "OriginalRepliedMessageSid",
        "OriginalRepliedMessageSender",
        "OptOutType",
        "ReferralSourceId",
        "ReferralSourceUrl",
    ];
    let data: Map<String, Value> =
        FIELDS.iter().filter_map(|name| Some(((*name).to_owned(), Value::from(params.get(name)?)))).collect();
    let first = |names: &[&str]| names.iter().find_map(|name| params.get(name)).map(str::to_owned);
    let (event, key) = match first(&["ButtonPayload", "ListId"]) {
        Some(item) => (MENU_ANSWER, Some(item)),
        None => (MESSAGE_CONTEXT, first(&["OriginalRepliedMessageSid", "ReferralSourceId"])),
    };
    (!data.is_empty()).then(|| Content::Event { event: event.to_owned(), key, data: Value::Object(data) })
}

/// The meaning of a carrier's `OptOutType`, in the words of [`Content::Event`]. After HELP, people still have to answer.
fn opted(kind: &str) -> Option<&'static str> {
    match kind {
        "STOP" => Some("opt_out"),
        "START" => Some("opt_in"),
        _ => None,
    }
}

/// The sender's name, on the networks behind Twilio that give it.
fn name(params: &Params) -> Option<String> {
    params.get("ProfileName").map(|name| name.chars().filter(|c| !c.is_control()).take(128).collect())
}

fn medium(url: &str, kind: &str) -> Content {
    let id = url.rsplit('/').next().filter(|id| !id.is_empty()).map(str::to_owned);
    let format = Some(kind.to_owned()).filter(|k| !k.is_empty());
    let media = Media { id, url: Some(url.to_owned()), format, ..Media::default() };
    match kind.split('/').next().unwrap_or_default() {
        "image" => Content::Image { media },
        "audio" => Content::Voice { media, transcript: None },
        "video" => Content::Video { media },
        _ => Content::File { media },
    }
}

pub(super) fn render(account: &Twilio, api_base: &str, reply: &Outbound<'_>) -> Result<ApiRequest, Undeliverable> {
    let Content::Text { text, .. } = reply.content else { return Err(Undeliverable::KindNotSupported) };
    let written_to = reply.reply_to.and_then(|to| to.get("from")).and_then(Value::as_str);
    let from = account.from.as_deref().or(written_to).ok_or(Undeliverable::FromMissing)?;
    let sender = if from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
    let params = [("To", reply.to), (sender, from), ("Body", text.as_str())];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    let sid = &account.account_sid;
    let url = format!("{api_base}/2010-04-01/Accounts/{sid}/Messages.json");
    Ok(authorized(post_form(url, body), authorization(sid, &account.auth_token)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use warmline_model::Timestamp;

    fn read(params: &[(&str, &str)]) -> Result<Vec<Inbound>, Refusal> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
        parse(&Verified::new(body.into_bytes()).with_time(Timestamp::from_secs(7)))
    }

    #[test]
    fn text() {
        let found =
            read(&[("MessageSid", "SM1"), ("From", "+8613800000000"), ("To", "+1555"), ("Body", " 你好&=\n")]).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].earlier_key.as_deref(), found[0].sender.open_id.as_str()), (Some("SM1"), "+8613800000000"));
        assert_eq!((&found[0].content, found[0].at.secs()), (&Content::text(" 你好&=\n"), 7));
        assert_eq!(found[0].reply_to, Some(json!({ "from": "+1555" })));
        let empty = read(&[("MessageSid", "SM1"), ("From", "+1"), ("Body", "")]).unwrap();
        assert_eq!(empty[0].content, Content::text(""));
    }

    #[test]
    fn media_location_and_the_rest() {
        let url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1";
        let found = read(&[
            ("MessageSid", "MM1"),
            ("From", "whatsapp:+86138"),
            ("ProfileName", "王小姐"),
            ("Body", "看"),
            ("NumMedia", "4"),
            ("MediaUrl0", url),
            ("MediaContentType0", "image/jpeg"),
            ("MediaUrl1", url),
            ("MediaContentType1", "audio/amr"),
            ("MediaUrl2", url),
            ("MediaContentType2", "video/mp4"),
            ("MediaUrl3", url),
            ("MediaContentType3", "application/pdf"),
        ])
        .unwrap();
        let kinds: Vec<_> = found.iter().map(|i| i.content.kind()).collect();
        assert_eq!(kinds, ["text", "image", "voice", "video", "file"]);
        let keys: Vec<_> = found.iter().filter_map(|i| i.earlier_key.as_deref()).collect();
        assert_eq!(keys, ["MM1", "MM1-1", "MM1-2", "MM1-3", "MM1-4"]);
        assert_eq!(found[0].sender.name.as_deref(), Some("王小姐"));
        let Content::Image { media } = &found[1].content else { panic!() };
        assert_eq!((media.id.as_deref(), media.url.as_deref()), (Some("ME1"), Some(url)));
        let place =
            read(&[("MessageSid", "S"), ("From", "f"), ("Latitude", "31.2"), ("Longitude", "121.5"), ("Label", "店")]);
        assert!(matches!(&place.unwrap()[0].content, Content::Location { label: Some(l), .. } if l == "店"));
        let odd = read(&[("MessageSid", "S"), ("From", "f"), ("MessageType", "sticker"), ("X", "1")]).unwrap();
        assert!(matches!(&odd[0].content, Content::Unknown { raw_kind, raw } if raw_kind == "sticker" && raw["X"] == "1"));
    }

    #[test]
    fn f4_a_medium_without_an_address_costs_the_next_nothing() {
        let url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1";
        for first in [&[("MediaUrl0", "")][..], &[]] {
            let mut fields = vec![("MessageSid", "MM1"), ("From", "+1"), ("Body", ""), ("NumMedia", "2")];
            fields.extend_from_slice(first);
            fields.extend([("MediaUrl1", url), ("MediaContentType1", "image/jpeg")]);
            let found = read(&fields).unwrap();
            assert_eq!(found.len(), 1);
            assert!(matches!(&found[0].content, Content::Image { media } if media.url.as_deref() == Some(url)));
        }
    }

    #[test]
    fn w15_a_word_that_the_carrier_acted_on_is_an_event() {
        let said = |kind: &str, body: &str| {
            let fields =
                [("MessageSid", "SM1"), ("From", "+8613800000000"), ("To", "+1555"), ("Body", body), ("OptOutType", kind)];
            read(&fields).unwrap().remove(0)
        };
        let stop = said("STOP", "stop");
        let data = json!({ "Body": "stop", "OptOutType": "STOP" });
        assert_eq!(stop.content, Content::Event { event: "opt_out".into(), key: Some("SM1".into()), data });
        assert_eq!((stop.earlier_key.as_deref(), stop.sender.open_id.as_str()), (Some("SM1"), "+8613800000000"));
        assert_eq!(stop.reply_to, Some(json!({ "from": "+1555" })));
        assert!(matches!(said("START", "YES").content, Content::Event { event, .. } if event == "opt_in"));
        let help = read(&[("MessageSid", "SM1"), ("From", "+1"), ("Body", "help"), ("OptOutType", "HELP")]).unwrap();
        assert_eq!(help[1].content, Content::text("help"));
        assert!(matches!(&help[0].content, Content::Event { data, .. } if data["OptOutType"] == "HELP"));
    }

    #[test]
    fn f9_what_a_message_answers_is_kept() {
        let found = read(&[
            ("MessageSid", "SM1"),
            ("From", "whatsapp:+1"),
            ("Body", "满意"),
            ("ButtonPayload", "yes-1"),
            ("ButtonText", "满意"),
            ("OriginalRepliedMessageSid", "SM0"),
        ])
        .unwrap();
        let data = json!({ "ButtonPayload": "yes-1", "ButtonText": "满意", "OriginalRepliedMessageSid": "SM0" });
        assert_eq!(found[0].content, Content::Event { event: "menu_answer".into(), key: Some("yes-1".into()), data });
        assert_eq!((found[1].earlier_key.as_deref(), found.len()), (Some("SM1"), 2));
        assert_ne!(found[0].key, found[1].key);
        let quoted =
            read(&[("MessageSid", "SM1"), ("From", "+1"), ("Body", "这个"), ("OriginalRepliedMessageSid", "SM0")]).unwrap();
        assert!(matches!(&quoted[0].content, Content::Event { event, key, .. }
            if event == "message_context" && key.as_deref() == Some("SM0")));
    }

    #[test]
    fn reports() {
        let found = read(&[
            ("MessageSid", "SM1"),
            ("MessageStatus", "undelivered"),
            ("To", "+86138"),
            ("From", "+1"),
            ("ErrorCode", "30003"),
        ])
        .unwrap();
        assert_eq!((found[0].earlier_key.as_deref(), found[0].sender.open_id.as_str()), (Some("SM1-undelivered"), "+86138"));
        let data = json!({ "MessageStatus": "undelivered", "ErrorCode": "30003" });
        assert_eq!(found[0].content, Content::Event { event: "undelivered".into(), key: Some("SM1".into()), data });
    }

    #[test]
    fn w1_one_id_of_two_numbers_or_with_other_words_is_two_messages() {
        let key =
            |from: &str, text: &str| read(&[("MessageSid", "SM1"), ("From", from), ("Body", text)]).unwrap().remove(0).key;
        assert_eq!(key("+1", "a"), key("+1", "a"));
        assert_ne!(key("+1", "a"), key("+2", "a"));
        assert_ne!(key("+1", "a"), key("+1", "b"));
        let nul = read(&[("MessageSid", "SM1"), ("From", "+1"), ("Body", "a\0")]).unwrap();
        assert_eq!(nul[0].content, Content::text("a\u{FFFD}"));
    }

    #[test]
    fn refusals() {
        assert_eq!(read(&[("From", "+1")]), Err(Refusal::Field("MessageSid")));
        assert_eq!(read(&[("MessageSid", "SM1")]), Err(Refusal::Field("From")));
        assert_eq!(read(&[("MessageSid", "S M"), ("From", "+1")]), Err(Refusal::Field("MessageSid")));
        assert_eq!(read(&[("MessageSid", "S"), ("From", &"1".repeat(200))]), Err(Refusal::Field("From")));
        assert_eq!(read(&[("MessageSid", "S"), ("MessageStatus", "sent")]), Err(Refusal::Field("To")));
    }

    #[test]
    fn send() {
        let account = |from: Option<&str>| Twilio {
            account_sid: "AC1".into(),
            auth_token: "t".into(),
            public_url: "https://x".into(),
            from: from.map(str::to_owned),
        };
        let (content, to) = (Content::text("好的 &"), json!({ "from": "+1555" }));
        let send = |from: Option<&str>, reply_to: Option<&Value>| {
            let reply = Outbound { to: "+86138", id: "m", content: &content, at: Timestamp::from_secs(0), reply_to };
            render(&account(from), "https://api.twilio.com", &reply)
        };
        let call = send(None, Some(&to)).ok().unwrap();
        assert_eq!(call.url, "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
        assert_eq!(call.body, b"To=%2B86138&From=%2B1555&Body=%E5%A5%BD%E7%9A%84+%26");
        assert_eq!(call.headers[1], ("authorization", "Basic QUMxOnQ=".to_owned()));
        assert!(send(Some("MG1"), None).is_ok_and(|c| c.body.starts_with(b"To=%2B86138&MessagingServiceSid=MG1")));
        assert_eq!(send(None, None).err(), Some(Undeliverable::FromMissing));
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_do_not_panic(bytes: Vec<u8>, text in ".*", url in ".*", status in "[a-z]{0,8}") {
            let _ = parse(&Verified::new(bytes));
            let _ = read(&[("MessageSid", "S"), ("From", "1"), ("To", "2"), ("Body", &text), ("MediaUrl0", &url), ("MessageStatus", &status)]);
        }
    }
}
