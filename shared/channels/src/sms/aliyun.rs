//! Aliyun: uplink messages and delivery reports come in, `SendSms` sends.

use super::account::{Aliyun, SignBy};
use crate::aliyun::{Acs3, canonical, content_hash, rpc};
use crate::digest::opaque_key;
use crate::json;
use crate::kit::{ApiRequest, Call, Fault, Outbound, Parsed, Refusal, Undeliverable, Verified};
use crate::requests::post_form;
use crate::values::{text, words};
use serde_json::{Map, Value, json};
use warmline_model::{Content, Inbound, Timestamp};

/// The version of the SMS API.
const VERSION: &str = "2017-05-25";

/// Reads a push with messages, reports, or both. An item without a number has no customer, so it is odd.
pub(super) fn parse(body: &Verified) -> Result<Parsed, Refusal> {
    let list = json::list(body.body(), json::MAX_BYTES, &[])?.or_one();
    if !list.is_there() {
        return Err(Refusal::Malformed(Fault::NotList));
    }
    Ok(list.read(|_, item| read(item, body.time()).map(Some)).into())
}

fn read(item: Value, came_at: Timestamp) -> Result<Inbound, Refusal> {
    let Value::Object(mut item) = item else { return Err(Refusal::Malformed(Fault::NotObject)) };
    let phone = text(&item, "phone_number").map(|p| p.trim().to_owned()).filter(|p| is_phone(p));
    let phone = phone.ok_or(Refusal::Field("phone_number"))?;
    let own = |name| text(&item, name).unwrap_or_default();
    let sent = own("send_time");
    // A report has its own date, not the date of the message that it is about.
    let at = time(&own("report_time")).or_else(|| time(&sent)).unwrap_or(came_at);
    let (key, earlier_key, content, reply_to) = if item.contains_key("success") {
        let biz_id = own("biz_id");
        let (code, outcome) = (own("err_code"), item.get("success").map(Value::to_string).unwrap_or_default());
        let key = opaque_key("report", &[&biz_id, &phone, &code, &outcome, &own("report_time")]);
        let earlier = opaque_key("report", &[&biz_id, &phone, &code]);
        item.remove("phone_number");
        let id = Some(biz_id).filter(|id| !id.is_empty());
        (key, Some(earlier), Content::Event { event: "smsreport".to_owned(), key: id, data: Value::Object(item) }, None)
    } else if let Some(content) = said(&item) {
        let (key, earlier) = match own("sequence_id") {
            id if !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                (opaque_key("uplink", &[&phone, &id, &sent, &content]), Some(id))
            }
            _ => (opaque_key("uplink", &[&phone, &sent, &content]), None),
        };
        let reply_to = json!({ "dest_code": text(&item, "dest_code"), "sign_name": text(&item, "sign_name") });
        (key, earlier, Content::text(content), Some(reply_to))
    } else {
        let raw = Value::Object(item);
        let key = opaque_key("push", &[&phone, &raw.to_string()]);
        (key, None, Content::Unknown { raw_kind: "push".to_owned(), raw }, None)
    };
    Ok(Inbound { earlier_key, key, sender: super::sender(phone), at, content, reply_to })
}

/// The customer's text, perhaps empty. `content` marks an uplink message; without it, the number that it was sent to does.
fn said(item: &Map<String, Value>) -> Option<String> {
    let uplink = ["content", "dest_code"].into_iter().any(|name| item.contains_key(name));
    words(item.get("content")).filter(|_| uplink)
}

fn is_phone(text: &str) -> bool {
    (3..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'+')
}

/// Reads `2017-09-01 00:00:00` or `20170901000000`, in the zone of Beijing.
fn time(text: &str) -> Option<Timestamp> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let part = |from: usize, to: usize| digits.get(from..to);
    if digits.len() != 14 {
        return None;
    }
    let day = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let rfc3339 = format!("{day}T{}:{}:{}+08:00", part(8, 10)?, part(10, 12)?, part(12, 14)?);
    serde_json::from_value(Value::String(rfc3339)).ok()
}

/// `2017-09-01T00:00:00Z`.
fn seconds(at: Timestamp) -> String {
    at.to_string().get(..19).map(|text| format!("{text}Z")).unwrap_or_default()
}

pub(super) fn render(
    account: &Aliyun,
    api_base: &str,
    reply: &Outbound<'_>,
    call: &Call<'_>,
) -> Result<ApiRequest, Undeliverable> {
    let Content::Text { text, .. } = reply.content else { return Err(Undeliverable::KindNotSupported) };
    let (key_id, secret) = account.key.as_ref().ok_or(Undeliverable::CredentialsMissing)?;
    let template = account.template_code.as_deref().ok_or(Undeliverable::TemplateMissing)?;
    let named = |name: &str| reply.reply_to.and_then(|to| to.get(name)).and_then(Value::as_str).filter(|t| !t.is_empty());
    let sign = named("sign_name").or(account.sign_name.as_deref()).ok_or(Undeliverable::SignNameMissing)?;
    let param = json!({ account.template_param.as_str(): text }).to_string();
    let mut params = vec![
        ("OutId", reply.id),
        ("PhoneNumbers", reply.to),
        ("SignName", sign),
        ("TemplateCode", template),
        ("TemplateParam", param.as_str()),
    ];
    // The customer's next message comes back by the same extension as the last.
    params.extend(named("dest_code").map(|code| ("SmsUpExtendCode", code)));
    let (nonce, date) = (hex::encode(call.nonce), seconds(call.now));
    match account.sign_by {
        SignBy::Acs3 => acs3(api_base, key_id, secret, &params, &nonce, date),
        SignBy::Rpc => {
            params.extend([
                ("AccessKeyId", key_id.as_str()),
                ("Action", "SendSms"),
                ("Format", "JSON"),
                ("SignatureMethod", "HMAC-SHA1"),
                ("SignatureNonce", nonce.as_str()),
                ("SignatureVersion", "1.0"),
                ("Timestamp", date.as_str()),
                ("Version", VERSION),
            ]);
            let signature = rpc("POST", secret, &params);
            params.push(("Signature", signature.as_str()));
            Ok(post_form(format!("{api_base}/"), canonical(&params)))
        }
    }
}

fn acs3(
    api_base: &str,
    key_id: &str,
    secret: &str,
    params: &[(&str, &str)],
    nonce: &str,
    date: String,
) -> Result<ApiRequest, Undeliverable> {
    let url = format!("{api_base}/");
    let uri: http::Uri = url.parse().map_err(|_| Undeliverable::ApiBaseUnusable)?;
    let (host, empty) = (uri.authority().map(|a| a.as_str().to_owned()).unwrap_or_default(), content_hash(b""));
    let headers = [
        ("host", host.as_str()),
        ("x-acs-action", "SendSms"),
        ("x-acs-content-sha256", empty.as_str()),
        ("x-acs-date", date.as_str()),
        ("x-acs-signature-nonce", nonce),
        ("x-acs-version", VERSION),
    ];
    let signed = Acs3 { method: "POST", path: uri.path(), query: params, headers: &headers };
    let mut sent = vec![("accept", "application/json".to_owned()), ("authorization", signed.authorization(key_id, secret))];
    // The code that opens the connection sends the host.
    sent.extend(headers.iter().skip(1).map(|(name, value)| (*name, (*value).to_owned())));
    Ok(ApiRequest {
        method: http::Method::POST,
        url: format!("{url}?{}", canonical(params)),
        headers: sent,
        body: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::account::{Account, Provider};
    use super::super::sign;
    use super::*;
    use proptest::prelude::*;

    fn parsed(body: &str) -> Result<Parsed, Refusal> {
        parse(&Verified::new(body.as_bytes().to_vec()).with_time(Timestamp::from_millis(7)))
    }

    fn read_all(body: &Value) -> Result<Vec<Inbound>, Refusal> {
        parsed(&body.to_string()).map(|parsed| parsed.messages)
    }

    #[test]
    fn uplink() {
        let body = json!([sign::aliyun_text(42, "18612345678", "2017-09-01 08:00:01", "1234", " 你好😀 "), {
            "phone_number": "18600000000", "send_time": "20170901080001", "content": "TD",
        }]);
        let messages = read_all(&body).unwrap();
        assert_eq!((messages[0].earlier_key.as_deref(), messages[0].sender.open_id.as_str()), (Some("42"), "18612345678"));
        assert_eq!(messages[0].content, Content::text(" 你好😀 "));
        assert_eq!(messages[0].at, Timestamp::from_secs(1_504_224_001));
        assert_eq!(messages[0].reply_to, Some(json!({ "dest_code": "1234", "sign_name": "暖线" })));
        assert_eq!(messages[1].at, messages[0].at);
        assert!(messages[1].key.starts_with("uplink-") && !messages[1].key.contains("186"));
    }

    #[test]
    fn reports_and_what_is_not_known() {
        let mut body = json!([
            sign::aliyun_report("b1", "18612345678", "2017-09-01 08:00:01", false),
            { "phone_number": "18612345678", "novelty": 1 },
        ]);
        let messages = read_all(&body).unwrap();
        let Content::Event { event, key, data } = &messages[0].content else { panic!("{messages:?}") };
        assert_eq!((event.as_str(), key.as_deref(), &data["success"]), ("smsreport", Some("b1"), &json!(false)));
        assert_eq!(data.get("phone_number"), None);
        assert!(matches!(&messages[1].content, Content::Unknown { raw, .. } if raw["novelty"] == 1));
        assert_eq!(messages[1].at, Timestamp::from_millis(7));
        body[0]["success"] = json!(true);
        body[0]["err_code"] = json!("DELIVERED");
        assert_ne!(read_all(&body).unwrap()[0].key, messages[0].key);
    }

    #[test]
    fn refusals() {
        assert_eq!(read_all(&json!([])), Ok(Vec::new()));
        assert_eq!(read_all(&json!("x")), Err(Refusal::Malformed(Fault::NotList)));
        let nul = json!([{ "phone_number": "18612345678", "content": "a\0" }]);
        assert_eq!(read_all(&nul).unwrap()[0].content, Content::text("a\u{FFFD}"));
    }

    #[test]
    fn w5_half_a_surrogate_is_replaced_and_both_are_stored() {
        let push = r#"[{"phone_number":"13800000001","content":"A"},{"phone_number":"13800000002","content":"B\ud83d"}]"#;
        let found = parsed(push).unwrap();
        let said: Vec<_> = found.messages.iter().map(|m| (m.sender.open_id.as_str(), m.content.words().unwrap())).collect();
        assert_eq!(said, [("13800000001", "A"), ("13800000002", "B\u{FFFD}")]);
        assert_eq!(found.odd, []);
    }

    #[test]
    fn f4_one_without_a_number_costs_the_other_nothing() {
        let good = r#"{"phone_number":"13800000001","content":"A"}"#;
        for (bad, reason) in [
            (r#"{"content":"B"}"#, "phone_number"),
            (r#"{"phone_number":"a@b","content":"x"}"#, "phone_number"),
            ("1", "not_an_object"),
            (r#"{"phone_number":"13800000002","content":NaN}"#, "not_json"),
        ] {
            for push in [format!("[{good},{bad}]"), format!("[{bad}, {good}]")] {
                let found = parsed(&push).unwrap();
                assert_eq!((found.messages.len(), found.messages[0].content.words()), (1, Some("A")), "{push}");
                assert_eq!(
                    (found.odd.len(), found.odd[0].reason, &found.odd[0].raw[..]),
                    (1, reason, bad.as_bytes()),
                    "{push}"
                );
            }
        }
    }

    #[test]
    fn w1_one_sequence_id_of_two_numbers_is_two_messages() {
        let key = |phone: &str, text: &str| {
            read_all(&json!([sign::aliyun_text(42, phone, "2017-09-01 08:00:01", "1234", text)])).unwrap().remove(0).key
        };
        assert_eq!(key("18612345678", "a"), key("18612345678", "a"));
        assert_ne!(key("18612345678", "a"), key("18612345679", "a"));
        assert_ne!(key("18612345678", "a"), key("18612345678", "b"));
    }

    fn rendered(more: Value, reply_to: Option<&Value>) -> Result<ApiRequest, Undeliverable> {
        let mut settings =
            json!({ "provider": "aliyun", "access_key_id": "id", "template_code": "SMS_1", "sign_name": "店" });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let secrets = [("address_token", "0123456789abcdef"), ("access_key_secret", "sec")];
        let secrets = secrets.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let account = Account::read(&settings, &secrets).ok().unwrap();
        let Provider::Aliyun(aliyun) = &account.provider else { panic!() };
        let content = Content::text("好的 \"&=");
        let reply = Outbound { to: "186", id: "m1", content: &content, at: Timestamp::from_secs(0), reply_to };
        let call = Call { token: None, now: Timestamp::from_millis(1_504_224_001_999), nonce: &[7; 16] };
        render(aliyun, &account.api_base, &reply, &call)
    }

    #[test]
    fn acs3_calls() {
        let to = json!({ "dest_code": "77", "sign_name": "暖线" });
        let call = rendered(json!({}), Some(&to)).ok().unwrap();
        let (base, query) = call.url.split_once('?').unwrap();
        assert_eq!(base, "https://dysmsapi.aliyuncs.com/");
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let get = |name: &str| query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
        assert_eq!(get("TemplateParam"), Some(r#"{"content":"好的 \"&="}"#));
        assert_eq!((get("SmsUpExtendCode"), get("SignName"), get("PhoneNumbers")), (Some("77"), Some("暖线"), Some("186")));
        let header = |name: &str| call.headers.iter().find(|(k, _)| *k == name).map(|(_, v)| v.clone());
        assert_eq!(header("x-acs-date").as_deref(), Some("2017-09-01T00:00:01Z"));
        assert!(
            header("authorization").unwrap().contains("SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date")
        );
        assert_eq!(header("host"), None);
    }

    #[test]
    fn rpc_calls() {
        let call = rendered(json!({ "signature": "rpc", "template_param": "text" }), None).ok().unwrap();
        let form: Vec<(String, String)> = form_urlencoded::parse(&call.body).into_owned().collect();
        let get = |name: &str| form.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
        assert_eq!((get("Action"), get("SignName"), get("SmsUpExtendCode")), (Some("SendSms"), Some("店"), None));
        assert_eq!(get("TemplateParam"), Some(r#"{"text":"好的 \"&="}"#));
        let unsigned: Vec<_> =
            form.iter().filter(|(k, _)| k != "Signature").map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(get("Signature"), Some(rpc("POST", "sec", &unsigned).as_str()));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(rendered(json!({ "template_code": null }), None).err(), Some(Undeliverable::TemplateMissing));
        assert_eq!(rendered(json!({ "sign_name": null }), None).err(), Some(Undeliverable::SignNameMissing));
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_do_not_panic(bytes: Vec<u8>, time in ".{0,20}", content in ".*", id: i64) {
            let _ = parse(&Verified::new(bytes));
            let item = json!([{ "phone_number": "186", "send_time": time, "content": content, "sequence_id": id }]);
            let _ = read_all(&item);
            prop_assert!(super::time(&time).is_none() || time.chars().filter(char::is_ascii_digit).count() == 14);
        }
    }
}
