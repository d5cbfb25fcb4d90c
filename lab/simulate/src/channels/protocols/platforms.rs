//! The other platforms. If a simulated platform signs the body, its own webhooks are the payloads.

use super::super::alipay::{self, Alipay};
use super::super::doudian::{self, Doudian};
use super::super::douyin::{self, Douyin};
use super::super::email::{self, Email, Mailgun};
use super::super::jd::{self, Jd};
use super::super::kuaishou::{self, Kuaishou};
use super::super::phone::{self, Phone};
use super::super::pinduoduo::{self, Pinduoduo};
use super::super::sms::{self, Sms, Twilio};
use super::super::taobao::{self, Taobao};
use super::super::weibo::{self, Weibo};
use super::super::xiaohongshu::{self, Xiaohongshu};
use super::super::{Act, Arrival, Request, Simulated, wx};
use super::clients::{own, post};
use super::{API, Protocol, WORDS};
use serde_json::{Value, json};
use warmline_channels::alipay::AlipayAdapter;
use warmline_channels::doudian::DoudianAdapter;
use warmline_channels::douyin::{DouyinAdapter, sign as chat};
use warmline_channels::email::{EmailAdapter, sign as mail};
use warmline_channels::jd::JdAdapter;
use warmline_channels::kuaishou::KuaishouAdapter;
use warmline_channels::phone::{PhoneAdapter, sign as calls};
use warmline_channels::pinduoduo::{PinduoduoAdapter, sign as pmc};
use warmline_channels::sms::SmsAdapter;
use warmline_channels::taobao::{TaobaoAdapter, sign as trade};
use warmline_channels::weibo::{WeiboAdapter, sign as fan};
use warmline_channels::wx_crypto::AesKey;
use warmline_channels::xiaohongshu::{XiaohongshuAdapter, sign as redbook};
use warmline_channels::{sorted_sign, twilio};
use warmline_model::Timestamp;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const MINIAPP: &str = "tt-mini";
const REDBOOK: &str = "xhs-mini";
const HUAWEI: &str = "huawei-secret";
const HOTLINE: &str = "https://warmline.example/channels/phone/twilio";
const AUTH_TOKEN: &str = "phone-auth-token";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn all() -> Vec<Protocol> {
    let mut all = marketplaces();
    all.extend(lines());
    all.extend(fetched());
    all
}

fn marketplaces() -> Vec<Protocol> {
    let miniapp = json!({ "kind": "miniapp", "app_id": MINIAPP });
    let redbook = json!({ "kind": "miniprogram", "app_id": REDBOOK });
    let keys = [("token", wx::TOKEN), ("encoding_aes_key", wx::AES_KEY)];
    vec![
        Protocol::new(AlipayAdapter, Alipay.account(API), "alipay", alipay::contents)
            .sealed(|content, _| alipay::sealed(&String::from_utf8_lossy(content))),
        Protocol::new(DoudianAdapter, Doudian.account(API), "doudian", |at, n| told(&Doudian, at, n))
            .sealed(doudian::sealed),
        Protocol::new(DouyinAdapter, Douyin.account(API), "douyin", private_messages).sealed(douyin::sealed),
        Protocol::new(DouyinAdapter, own("miniapp", miniapp, &keys), "douyin-miniapp", miniapp_messages)
            .sealed(|message, at| post("", JSON, &[], miniapp_body(message, at).as_bytes())),
        Protocol::new(KuaishouAdapter, Kuaishou.account(API), "kuaishou", |at, n| told(&Kuaishou, at, n))
            .sealed(kuaishou::sealed),
        Protocol::new(PinduoduoAdapter, Pinduoduo.account(API), "pinduoduo", frames).sealed(pinduoduo::sealed),
        Protocol::new(WeiboAdapter, Weibo.account(API), "weibo", fans).bare().sealed(weibo::sealed),
        Protocol::new(XiaohongshuAdapter, Xiaohongshu.account(API), "xiaohongshu", |at, n| told(&Xiaohongshu, at, n))
            .bare()
            .sealed(xiaohongshu::sealed),
        Protocol::new(XiaohongshuAdapter, own("mini", redbook, &keys), "xiaohongshu-miniprogram", redbook_messages)
            .sealed(redbook_sealed),
    ]
}

/// Mail, text messages, calls.
fn lines() -> Vec<Protocol> {
    let mut reports = Email.account(API);
    reports.id = "reports".into();
    reports.settings["event_public_key"] = Value::from(mail::event_public_key(&[5; 32]));
    let huawei = own("huawei", json!({ "provider": "huawei" }), &[("app_secret", HUAWEI)]);
    let hotline = json!({ "provider": "twilio", "account_sid": "AC01", "public_url": HOTLINE });
    let hotline = own("twilio", hotline, &[("auth_token", AUTH_TOKEN)]);
    vec![
        Protocol::new(EmailAdapter, Email.account(API), "email", |at, n| told(&Email, at, n)).bare().sealed(email::sealed),
        Protocol::new(EmailAdapter, reports, "email-reports", |at, _| mail_reports(at)).sealed(|body, at| {
            let signature = mail::sendgrid_reports(&[5; 32], &at.to_string(), body).unwrap_or_default();
            let headers = [
                ("x-twilio-email-event-webhook-signature", signature),
                ("x-twilio-email-event-webhook-timestamp", at.to_string()),
            ];
            post("", JSON, &headers, body)
        }),
        Protocol::new(EmailAdapter, Mailgun.account(API), "email-mailgun", mailgun_forms).bare().sealed(|form, at| {
            let own = mail::mailgun_form(email::SIGNING_KEY, &at.to_string(), TOKEN, &[]);
            post("", FORM, &[], &[form, b"&", own.as_bytes()].concat())
        }),
        Protocol::new(EmailAdapter, Mailgun.account(API), "email-mailgun-reports", |at, _| mailgun_events(at))
            .bare()
            .sealed(|event, at| {
                let time = at.to_string();
                let signature = mail::mailgun(email::SIGNING_KEY, &time, TOKEN);
                let signature = json!({ "timestamp": time, "token": TOKEN, "signature": signature }).to_string();
                let body = [b"{\"signature\":", signature.as_bytes(), b",\"event-data\":", event, b"}"].concat();
                post("", JSON, &[], &body)
            }),
        Protocol::new(PhoneAdapter, Phone.account(API), "phone", segments).sealed(phone::sealed),
        Protocol::new(PhoneAdapter, huawei, "phone-huawei", |_, _| callbacks()).sealed(|fields, at| {
            let body = match serde_json::from_slice(fields) {
                Ok(fields) => calls::huawei(HUAWEI, at * 1000, "n0nce", fields).to_string().into_bytes(),
                Err(_) => fields.to_vec(),
            };
            post("", JSON, &[], &body)
        }),
        Protocol::new(PhoneAdapter, hotline, "phone-twilio", transcripts)
            .sealed(|form, _| twilio_form(AUTH_TOKEN, HOTLINE, form)),
        Protocol::new(SmsAdapter, Sms.account(API), "sms", |at, n| told(&Sms, at, n)).bare().sealed(sms::sealed),
        Protocol::new(SmsAdapter, Twilio.account(API), "sms-twilio", multimedia)
            .sealed(|form, _| twilio_form(sms::AUTH_TOKEN, sms::PUBLIC_URL, form)),
    ]
}

/// Platforms that are asked and send nothing by themselves: the payloads are pages.
fn fetched() -> Vec<Protocol> {
    vec![
        Protocol::new(JdAdapter, Jd.account(API), "jd", |at, n| jd::pages(&orders(at, n))).keeping(orders),
        Protocol::new(TaobaoAdapter, Taobao.account(API), "taobao", |at, n| taobao::pages(&trades(at, n))).keeping(trades),
    ]
}

fn acts(at: i64, number: u64) -> impl Iterator<Item = Act<'static>> {
    (0..4).map(move |i| Act { customer: 7, number: number + i, at, text: WORDS, nonce: [7; 16] })
}

/// The bodies of a platform's webhooks.
fn told(platform: &dyn Simulated, at: i64, number: u64) -> Vec<Vec<u8>> {
    let body = |act: Act<'_>| match platform.arrival(&act) {
        Arrival::Webhook(webhook) => webhook.body,
        Arrival::Kept { .. } => Vec::new(),
    };
    acts(at, number).map(body).collect()
}

/// The messages that a platform keeps.
fn kept(platform: &dyn Simulated, at: i64, number: u64) -> Vec<Value> {
    let item = |act: Act<'_>| match platform.arrival(&act) {
        Arrival::Kept { item, .. } => item,
        Arrival::Webhook(_) => Value::Null,
    };
    acts(at, number).map(item).collect()
}

/// Orders, and one without its number.
fn orders(at: i64, number: u64) -> Vec<Value> {
    let mut all = kept(&Jd, at, number);
    let mut odd = all.first().cloned().unwrap_or_default();
    odd["orderId"] = Value::Null;
    all.push(odd);
    all
}

/// Messages about trades, and one whose content does not fit the documentation.
fn trades(at: i64, number: u64) -> Vec<Value> {
    let mut all = kept(&Taobao, at, number);
    all.push(trade::message(number, "taobao_trade_TradeSphinx", Timestamp::from_secs(at), &json!("?")));
    all
}

/// The platform's own form of its messages' bodies, in every kind.
fn private_messages(at: i64, number: u64) -> Vec<Vec<u8>> {
    let event = |name: &str, content: &Value| {
        chat::event(name, douyin::CLIENT_KEY, "_000customer", douyin::OPERATOR, content, false).into_bytes()
    };
    let said = |kind: &str, more: (&str, &str)| {
        let message = format!("@{number}-{kind}");
        let content = json!({ "conversation_short_id": "@c", "server_message_id": message, "create_time": at * 1000,
            "message_type": kind, more.0: more.1 });
        event("im_receive_msg", &content)
    };
    let mut all = told(&Douyin, at, number);
    all.extend([
        said("image", ("resource_url", "https://p.example/1")),
        said("user_local_video", ("resource_type", "video")),
        said("sphinx", ("riddle", "?")),
        event("im_enter_direct_msg", &json!({ "conversation_short_id": "@c", "create_time": at * 1000 })),
    ]);
    all
}

fn frames(at: i64, number: u64) -> Vec<Vec<u8>> {
    let mut all = told(&Pinduoduo, at, number);
    let at = Timestamp::from_secs(at);
    all.push(pmc::frame(number + 4, at, "pdd_trade_TradeSphinx", pinduoduo::MALL, &json!("?")).into_bytes());
    all
}

fn fans(at: i64, number: u64) -> Vec<Vec<u8>> {
    let said = |kind: &str, text: &str, data: Value| {
        fan::message(7, weibo::BRAND, Timestamp::from_secs(at), kind, text, &data).into_bytes()
    };
    let media = |id: u64| json!({ "vfid": id, "tovfid": id + 1 });
    let mut all = told(&Weibo, at, number);
    all.extend([
        said("image", "发了一张图片", media(10 * number)),
        said("voice", "发了一段语音", media(10 * number + 2)),
        said("position", "我在这里", json!({ "longitude": "116.308586", "latitude": "39.982525" })),
        said("event", "关注事件消息", json!({ "subtype": "follow", "key": number.to_string() })),
        said("sphinx", "?", json!({ "riddle": number })),
    ]);
    all
}

fn texts(all: &[Value]) -> Vec<Vec<u8>> {
    all.iter().map(|value| value.to_string().into_bytes()).collect()
}

#[expect(clippy::expect_used, reason = "the key is a constant")]
fn key() -> AesKey {
    AesKey::decode(wx::AES_KEY).expect("a key")
}

fn miniapp_body(message: &[u8], at: i64) -> String {
    use warmline_channels::douyin::sign::miniapp;
    miniapp(wx::TOKEN, &key(), MINIAPP, &at.to_string(), "n0nce", &[7; 32], message)
}

fn miniapp_messages(at: i64, number: u64) -> Vec<Vec<u8>> {
    let said = |kind: &str, name: &str, value: &str| json!({ "ToUserName": "tt", "FromUserName": "oCustomer", "CreateTime": at, "MsgType": kind, name: value, "MsgId": number });
    let mut all = texts(&[
        said("text", "Content", WORDS),
        said("image", "PicUrl", "https://p.example/1"),
        said("event", "Event", "enter"),
        said("riddle", "Riddle", "?"),
    ]);
    let xml = warmline_channels::wx::sign::text("oCustomer", "tt", at, number, WORDS);
    all.push(xml.into_bytes());
    all
}

fn redbook_messages(at: i64, number: u64) -> Vec<Vec<u8>> {
    texts(&[
        json!({ "FromUserName": "u1", "CreateTime": at, "MsgType": "text", "Content": WORDS, "MsgId": number }),
        json!({ "msg_type": "ORDER_PAID", "open_id": "u1", "order_id": "P1", "create_time": at, "sequence": number }),
        json!({ "FromUserName": "u1", "MsgType": "image", "PicUrl": "https://p.example/1", "MsgId": number }),
    ])
}

fn redbook_sealed(message: &[u8], at: i64) -> Request {
    let (query, body) = redbook::miniprogram(wx::TOKEN, &key(), REDBOOK, &at.to_string(), "n0nce", &[7; 16], message);
    Request { query, ..post("", JSON, &[], body.as_bytes()) }
}

fn mail_reports(at: i64) -> Vec<Vec<u8>> {
    // This is about a customer who has written: see `told`.
    let customer = Email.open_id(7);
    let report = |event: &str| json!({ "email": customer, "event": event, "timestamp": at, "sg_message_id": "m1" });
    texts(&[json!([report("delivered"), report("bounce")]), json!([report("open")])])
}

fn mailgun_forms(at: i64, number: u64) -> Vec<Vec<u8>> {
    let headers =
        json!([["Message-Id", format!("<{number}@mail.example>")], ["References", "<0@mail.example>"]]).to_string();
    let files = json!([{ "url": "https://storage.example/1", "name": "退货.jpg", "size": 9, "content-type": "image/jpeg" }]);
    let form = |fields: &[(&str, &str)]| {
        let date = at.to_string();
        form(&[("from", "王 <w@mail.example>"), ("recipient", "service@rice.example"), ("Date", &*date)], fields)
    };
    let files = files.to_string();
    vec![
        form(&[("subject", "咨询"), ("body-plain", WORDS), ("message-headers", &headers)]),
        form(&[("subject", "Re: 咨询"), ("body-html", "<p>你好<br>a &amp; b</p>"), ("attachments", &files)]),
        form(&[("body-mime", "From: a@b\r\nSubject: =?gbk?B?19bRqQ==?=\r\nContent-Type: text/plain; charset=gbk\r\n\r\n?")]),
    ]
}

fn mailgun_events(at: i64) -> Vec<Vec<u8>> {
    let event = |event: &str| {
        let message = json!({ "headers": { "message-id": "1@mail.example" } });
        json!({ "event": event, "id": format!("e-{event}"), "timestamp": at, "recipient": "w@mail.example", "message": message })
    };
    texts(&[event("delivered"), event("failed")])
}

fn segments(at: i64, number: u64) -> Vec<Vec<u8>> {
    let mut all = told(&Phone, at, number);
    all.extend(texts(&[
        calls::event("call-7", number + 4, "ring", "13900000007"),
        json!([
            calls::segment("call-7", number + 5, "agent", WORDS, true),
            calls::segment("call-7", number + 6, "customer", "嗯", false)
        ]),
        json!({ "call_id": "call-7", "seq": number + 7, "riddle": "?" }),
    ]));
    all
}

fn callbacks() -> Vec<Vec<u8>> {
    texts(&[
        json!({ "callSerialNo": "c1", "called": "13900000007", "releaseTime": "1700000000000", "releaseReason": "normal" }),
        json!({ "callSerialNo": "c1", "eventType": "RING", "nested": { "a": [1, "x", { "b": null }] } }),
        json!({ "callSerialNo": "c1", "riddle": "?" }),
        calls::segment("call-7", 1, "customer", WORDS, true),
    ])
}

fn transcripts(_: i64, number: u64) -> Vec<Vec<u8>> {
    let own = [("CallSid", "CA01"), ("From", "+8613900000007"), ("To", "+15550001111"), ("Direction", "inbound")];
    let form = |fields: &[(&str, &str)]| form(&own, fields);
    let (said, seq) = (json!({ "transcript": WORDS, "confidence": 0.9 }).to_string(), number.to_string());
    let said = [
        ("TranscriptionEvent", "transcription-content"),
        ("TranscriptionSid", "GT1"),
        ("SequenceId", &*seq),
        ("TranscriptionData", &*said),
        ("Track", "inbound_track"),
        ("Final", "true"),
    ];
    vec![
        form(&said),
        form(&[("CallStatus", "ringing")]),
        form(&[("RecordingStatus", "completed"), ("RecordingSid", "RE1"), ("RecordingUrl", "https://api.twilio.com/1")]),
        form(&[("SpeechResult", WORDS), ("Confidence", "0.9")]),
        form(&[("Riddle", "?")]),
    ]
}

/// Text messages with every kind of content, and the report on one.
fn multimedia(at: i64, number: u64) -> Vec<Vec<u8>> {
    let form = |place: u64, fields: &[(&str, &str)]| {
        let sid = format!("MM{:032x}", 8 * number + place);
        form(&[("MessageSid", &*sid), ("From", "+8613900000007"), ("To", "+15550001111")], fields)
    };
    let mut all = told(&Twilio, at, number);
    all.extend([
        form(
            0,
            &[
                ("NumMedia", "4"),
                ("MediaUrl0", "https://api.twilio.com/1"),
                ("MediaContentType0", "image/jpeg"),
                ("MediaUrl1", "https://api.twilio.com/2"),
                ("MediaContentType1", "audio/amr"),
                ("MediaUrl2", "https://api.twilio.com/3"),
                ("MediaContentType2", "video/mp4"),
                ("MediaUrl3", "https://api.twilio.com/4"),
                ("MediaContentType3", "application/pdf"),
            ],
        ),
        form(1, &[("Latitude", "31.2"), ("Longitude", "121.5"), ("Label", "上海")]),
        form(2, &[("MessageType", "sphinx"), ("Riddle", "?")]),
        form(3, &[("MessageStatus", "delivered")]),
    ]);
    all
}

fn form(own: &[(&str, &str)], fields: &[(&str, &str)]) -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(own).extend_pairs(fields).finish().into_bytes()
}

/// A form with Twilio's signature.
fn twilio_form(auth_token: &str, url: &str, form: &[u8]) -> Request {
    let signature = twilio::signature(auth_token, url, &sorted_sign::read_form(form));
    post("", FORM, &[("x-twilio-signature", signature)], form)
}
