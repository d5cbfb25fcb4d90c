//! WeCom. Customers write to 微信客服, whose messages are kept until they are fetched. Every eighth message goes to an
//! application, and is pushed.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble, wx};
use serde_json::{Value, json};
use warmline_channels::wecom::sign;
use warmline_channels::wx_crypto::AesKey;

pub(super) const CORP_ID: &str = "wwsimulated";
const SECRET: &str = "simulated-corp-secret";
pub(super) const OPEN_KFID: &str = "wkSimulated";
pub(super) const AGENT_ID: u32 = 1_000_002;
/// The beginning of a welcome code. The customer's id follows.
const WELCOME: &str = "welcome:";

/// The platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wecom;

/// A webhook around a message.
fn webhook(message: &str, act: &Act<'_>) -> Request {
    let Some(key) = AesKey::decode(wx::AES_KEY) else { return Request::default() };
    let (time, nonce) = (act.at.to_string(), act.number.to_string());
    let (query, body) = sign::webhook(wx::TOKEN, &key, CORP_ID, &time, &nonce, &act.nonce, message.as_bytes());
    let headers = vec![("content-type".into(), "text/xml".into())];
    Request { method: "POST".into(), path: String::new(), query, headers, body: body.into_bytes() }
}

impl Simulated for Wecom {
    fn channel(&self) -> &'static str {
        "wecom"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: "corp".into(),
            settings: json!({ "corp_id": CORP_ID, "agent_id": AGENT_ID, "api_base": api_base }),
            secrets: vec![("token", wx::TOKEN.into()), ("encoding_aes_key", wx::AES_KEY.into()), ("secret", SECRET.into())],
        }
    }

    fn open_id(&self, customer: u64) -> String {
        format!("wmSim{customer:027}")
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let from = self.open_id(act.customer);
        if act.number % 8 == 7 {
            let (id, agent) = (act.number.to_string(), AGENT_ID.to_string());
            let fields = [("Content", act.text), ("MsgId", &*id), ("AgentID", &*agent)];
            return Arrival::Webhook(webhook(&sign::message(&from, CORP_ID, act.at, "text", &fields), act));
        }
        let item = json!({
            "msgid": format!("kf{}", act.number),
            "open_kfid": OPEN_KFID,
            "external_userid": from,
            "send_time": act.at,
            "origin": 3,
            "msgtype": "text",
            "text": { "content": act.text },
        });
        Arrival::Kept { item, hint: Some(webhook(&sign::hint(CORP_ID, act.at, OPEN_KFID), act)) }
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        status == 200 && (body.is_empty() || body == b"success")
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/cgi-bin/gettoken") => Some(Endpoint::Token),
            ("POST", "/cgi-bin/message/send" | "/cgi-bin/kf/send_msg" | "/cgi-bin/kf/send_msg_on_event") => {
                Some(Endpoint::Send)
            }
            ("POST", "/cgi-bin/kf/sync_msg") => Some(Endpoint::Pull),
            ("GET", "/cgi-bin/media/get") => Some(Endpoint::Media),
            _ => None,
        }
    }

    fn check(&self, endpoint: Endpoint, call: &Request, token: &str) -> Result<Option<Sent>, Trouble> {
        if endpoint == Endpoint::Token {
            let good =
                call.param("corpid").as_deref() == Some(CORP_ID) && call.param("corpsecret").as_deref() == Some(SECRET);
            return if good { Ok(None) } else { Err(Trouble::SignatureRefused) };
        }
        if call.param("access_token").as_deref() != Some(token) {
            return Err(Trouble::TokenRefused);
        }
        let body = call.json();
        match endpoint {
            Endpoint::Send => sent(&call.path, &body).map(Some).ok_or(Trouble::SignatureRefused),
            Endpoint::Pull if body["open_kfid"] != OPEN_KFID => Err(Trouble::SignatureRefused),
            Endpoint::Pull if !body["limit"].as_u64().is_some_and(|n| (1..=1000).contains(&n)) => {
                Err(Trouble::SignatureRefused)
            }
            _ => Ok(None),
        }
    }

    /// A page begins after its cursor, which is a position. Fetched messages stay.
    fn answer(&self, endpoint: Endpoint, call: &Request, token: &str, kept: &[(u64, Value)]) -> Answer {
        match endpoint {
            Endpoint::Token => {
                Answer::json(&json!({ "errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": 7200 }))
            }
            Endpoint::Pull => Answer::json(&page(&call.json(), kept)),
            Endpoint::Media => wx::answer(endpoint, call, token, self.token_secs()),
            _ => Answer::json(&json!({ "errcode": 0, "errmsg": "ok", "msgid": "simulated" })),
        }
    }

    fn given(&self, call: &Request, kept: &[(u64, Value)]) -> Vec<u64> {
        let asked = call.json();
        behind(&asked, kept).take(limit(&asked)).map(|(position, _)| *position).collect()
    }

    fn refuse(&self, endpoint: Endpoint, trouble: Trouble) -> Answer {
        let code = match (trouble, endpoint) {
            (Trouble::TokenRefused, _) => 42001,
            (Trouble::WindowClosed, _) => 95002,
            (Trouble::RateLimited, _) => 45009,
            (Trouble::SignatureRefused, Endpoint::Token) => 40001,
            (Trouble::SignatureRefused, _) => 48002,
        };
        Answer::json(&json!({ "errcode": code, "errmsg": "refused by the simulator" }))
    }
}

/// The message in a call that sends one; `None` if the call lacks something that the platform requires.
fn sent(path: &str, body: &Value) -> Option<Sent> {
    let kind = body["msgtype"].as_str()?;
    let content = body[kind].as_object()?;
    let to = match path {
        "/cgi-bin/kf/send_msg_on_event" => body["code"].as_str()?.strip_prefix(WELCOME)?,
        "/cgi-bin/kf/send_msg" if body["open_kfid"] != OPEN_KFID => return None,
        "/cgi-bin/message/send" if body["agentid"] != AGENT_ID => return None,
        _ => body["touser"].as_str()?,
    };
    let text = if kind == "text" { content.get("content")?.as_str()? } else { "" };
    Some(Sent { to: to.to_owned(), text: text.to_owned() })
}

fn cursor(asked: &Value) -> Option<u64> {
    asked["cursor"].as_str().and_then(|c| c.parse().ok())
}

fn limit(asked: &Value) -> usize {
    asked["limit"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1000)
}

/// The messages after a question's cursor.
fn behind<'a>(asked: &Value, kept: &'a [(u64, Value)]) -> impl Iterator<Item = &'a (u64, Value)> + use<'a> {
    let after = cursor(asked);
    kept.iter().filter(move |(at, _)| after.is_none_or(|after| *at > after))
}

fn page(asked: &Value, kept: &[(u64, Value)]) -> Value {
    let mut fresh = behind(asked, kept);
    let given: Vec<&(u64, Value)> = fresh.by_ref().take(limit(asked)).collect();
    let cursor = given.last().map(|(at, _)| *at).or(cursor(asked)).map(|at| at.to_string()).unwrap_or_default();
    let more = u8::from(fresh.next().is_some());
    let list: Vec<&Value> = given.into_iter().map(|(_, item)| item).collect();
    json!({ "errcode": 0, "errmsg": "ok", "next_cursor": cursor, "has_more": more, "msg_list": list })
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, TOKEN, act};
    use super::*;
    use warmline_channels::wecom::WecomAdapter;
    use warmline_channels::{Outcome, Pull};
    use warmline_model::{Content, Inbound};

    #[test]
    fn a_customers_messages_are_hinted_at_and_fetched_page_by_page() {
        let driver = Driver::new(&WecomAdapter, &Wecom);
        let mut kept = Vec::new();
        for number in 0..120 {
            let Arrival::Kept { item, hint } = Wecom.arrival(&act(number * 8, "在吗？")) else { panic!("pushed") };
            let taken = driver.taken(&hint.unwrap()).unwrap_or_else(|e| panic!("{e}"));
            assert!(taken.messages.is_empty());
            let sources: Vec<_> =
                WecomAdapter.hinted(&driver.account, &taken.verified).into_iter().map(|hint| hint.source).collect();
            assert_eq!(sources, [OPEN_KFID]);
            assert!(Wecom.acknowledged(taken.reply.status, &taken.reply.body) && !Wecom.acknowledged(403, b""));
            kept.push((number + 10, item));
        }
        let fetch = |cursor: Option<&str>, token| driver.fetch(OPEN_KFID, cursor, &kept, Some(token));
        let (mut cursor, mut all, mut pages) = (None, Vec::<Inbound>::new(), 0);
        loop {
            let page = fetch(cursor.as_deref(), TOKEN).unwrap();
            all.extend(page.messages);
            cursor = page.cursor;
            pages += 1;
            if !page.more {
                break;
            }
        }
        assert_eq!((all.len(), pages, cursor.as_deref()), (120, 3, Some("129")));
        assert!(all.iter().all(|m| m.sender.open_id == Wecom.open_id(7) && m.content == Content::text("在吗？")));
        let again = fetch(cursor.as_deref(), TOKEN).unwrap();
        assert_eq!((again.messages.len(), again.cursor, again.more), (0, cursor, false));
        assert_eq!(fetch(None, "old"), Err(Outcome::RefreshToken));

        let troubles = [
            (Trouble::TokenRefused, Outcome::RefreshToken),
            (Trouble::WindowClosed, Outcome::Permanent("reply_window_closed")),
            (Trouble::RateLimited, Outcome::Retry("rate_limited")),
            (Trouble::SignatureRefused, Outcome::Permanent("api_not_authorized")),
        ];
        driver.answer(&all[0], &troubles);
        for (trouble, outcome) in troubles {
            assert_eq!(driver.page(OPEN_KFID, &Wecom.refuse(Endpoint::Pull, trouble)), Err(outcome));
        }
        assert_eq!(driver.reply(&all[0], &Content::text("x"), Some("old")), Err(Outcome::RefreshToken));
        let place = Content::Location { latitude: 1.0, longitude: 2.0, scale: None, label: None };
        assert!(driver.reply(&all[0], &place, Some(TOKEN)).is_ok());
    }

    #[test]
    fn who_enters_is_welcomed() {
        let driver = Driver::new(&WecomAdapter, &Wecom);
        let code = format!("{WELCOME}{}", Wecom.open_id(5));
        let event = json!({ "event_type": "enter_session", "open_kfid": OPEN_KFID, "external_userid": Wecom.open_id(5), "welcome_code": code });
        let entered = |at: i64| json!({ "msgid": "e", "send_time": at, "origin": 4, "msgtype": "event", "event": event });
        for at in [1_700_000_000, 1_699_999_000] {
            let page = driver.fetch(OPEN_KFID, None, &[(1, entered(at))], Some(TOKEN)).unwrap();
            let sent = driver.reply(&page.messages[0], &Content::text("欢迎"), Some(TOKEN)).unwrap();
            assert_eq!(sent, Sent { to: Wecom.open_id(5), text: "欢迎".into() });
        }
    }

    #[test]
    fn a_members_message_is_pushed_and_answered_by_the_application() {
        let driver = Driver::new(&WecomAdapter, &Wecom);
        let message = driver.messages(&driver.pushed(&act(7, "我是员工"))).unwrap().remove(0);
        assert_eq!(message.content, Content::text("我是员工"));
        driver.answer(&message, &[]);
        let link = Content::Link { title: "t".into(), description: None, url: "https://x".into() };
        assert!(driver.reply(&message, &link, Some(TOKEN)).is_ok());
    }

    #[test]
    fn tokens_and_media() {
        let driver = Driver::new(&WecomAdapter, &Wecom);
        assert_eq!(driver.fetch_token().expires_in, 7200);
        driver.media("M");
    }
}
