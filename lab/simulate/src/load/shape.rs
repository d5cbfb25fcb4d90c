//! The requests of a load. A request is prepared once. For each message only digits are overwritten.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use warmline_channels::wechat::sign;

/// The kind of the requests.
#[derive(Clone)]
pub enum Shape {
    /// `GET` of a path.
    Get {
        /// Path and query.
        path: String,
    },
    /// A signed WeChat text message.
    WeChat(WeChatShape),
}

/// The choice of the customer who sends message `i`.
#[derive(Clone, Copy, Debug)]
pub enum Mix {
    /// Each of a number of customers in turn.
    Spread {
        /// The number of customers.
        customers: u64,
    },
    /// New customers keep coming. Each sends about `per` messages, and `window` of them talk at a time.
    Flow {
        /// Messages a customer.
        per: u64,
        /// Customers at a time.
        window: u64,
    },
}

impl Mix {
    /// The customer's number.
    pub fn customer(self, index: u64) -> u64 {
        match self {
            Self::Spread { customers } => index % customers.max(1),
            Self::Flow { per, window } => {
                index / per.max(1) + index.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(20) % window.max(1)
            }
        }
    }
}

/// A WeChat account under load.
#[derive(Clone)]
pub struct WeChatShape {
    /// Path of the webhook.
    pub path: String,
    /// The account's id, the messages' `ToUserName`.
    pub account: String,
    /// The account's token.
    pub token: String,
    /// The choice of the customers.
    pub mix: Mix,
    /// Added to each customer's number, so that a run can have customers of its own.
    pub first_customer: u64,
    /// `MsgId` of message 0. Ids of different runs must not overlap.
    pub first_id: u64,
}

impl WeChatShape {
    /// Makes an account at its usual path.
    pub fn new(account: &str, token: &str, mix: Mix) -> Self {
        Self {
            path: format!("/channels/wechat/{account}"),
            account: account.to_owned(),
            token: token.to_owned(),
            mix,
            first_customer: 0,
            first_id: fresh_ids(),
        }
    }
}

/// Milliseconds of today's clock, times a million: a block of ids that no other run on this machine uses.
fn fresh_ids() -> u64 {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    u64::try_from(millis).unwrap_or(0) % 1_000_000_000_000 * 1_000_000 + 1_000_000_000_000_000_000
}

const CUSTOMER_DIGITS: usize = 8;
const INDEX_DIGITS: usize = 9;
const ID_DIGITS: usize = 19;

/// The number of a message, from its text.
pub fn index_of(text: &str) -> Option<u64> {
    text.strip_prefix("我的订单")?.get(..INDEX_DIGITS)?.parse().ok()
}

/// Makes one connection's requests.
pub(super) struct Maker<'a> {
    shape: &'a Shape,
    bytes: Vec<u8>,
    customer_at: usize,
    index_at: usize,
    id_at: usize,
    signed: Instant,
}

impl Shape {
    pub(super) fn maker(&self) -> Maker<'_> {
        let mut maker =
            Maker { shape: self, bytes: Vec::new(), customer_at: 0, index_at: 0, id_at: 0, signed: Instant::now() };
        maker.prepare();
        maker
    }

    /// Whether a 200 with this body means "received".
    pub(super) fn accepts(&self, body: &[u8]) -> bool {
        matches!(self, Self::Get { .. }) || body == b"success" || body.starts_with(b"<xml>") || body.is_empty()
    }
}

impl Maker<'_> {
    /// Builds the request again. The signature covers token, timestamp and nonce only, so one serves a minute's messages.
    fn prepare(&mut self) {
        self.signed = Instant::now();
        let shape = match self.shape {
            Shape::Get { path } => {
                self.bytes = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").into_bytes();
                return;
            }
            Shape::WeChat(shape) => shape,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let query = sign::plain_query(&shape.token, &now.to_string(), "746153");
        let zeros = "0".repeat(ID_DIGITS);
        let (customer, index, id) = (&zeros[..CUSTOMER_DIGITS], &zeros[..INDEX_DIGITS], &zeros);
        let before_customer =
            format!("<xml><ToUserName><![CDATA[{}]]></ToUserName><FromUserName><![CDATA[oUser", shape.account);
        let before_index = format!(
            "{customer}]]></FromUserName><CreateTime>{now}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[我的订单"
        );
        let before_id = format!("{index}什么时候发货？]]></Content><MsgId>");
        let after_id = format!("{id}</MsgId></xml>");
        let length = before_customer.len() + before_index.len() + before_id.len() + after_id.len();
        self.bytes = format!(
            "POST {}?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n",
            shape.path
        )
        .into_bytes();
        self.bytes.extend_from_slice(before_customer.as_bytes());
        self.customer_at = self.bytes.len();
        self.bytes.extend_from_slice(before_index.as_bytes());
        self.index_at = self.bytes.len();
        self.bytes.extend_from_slice(before_id.as_bytes());
        self.id_at = self.bytes.len();
        self.bytes.extend_from_slice(after_id.as_bytes());
    }

    /// The bytes of message `index`.
    pub(super) fn request(&mut self, index: u64) -> &[u8] {
        if let Shape::WeChat(shape) = self.shape {
            if self.signed.elapsed() > Duration::from_secs(60) {
                self.prepare();
            }
            let customer = shape.first_customer + shape.mix.customer(index);
            digits(&mut self.bytes, self.customer_at, CUSTOMER_DIGITS, customer);
            digits(&mut self.bytes, self.index_at, INDEX_DIGITS, index);
            digits(&mut self.bytes, self.id_at, ID_DIGITS, shape.first_id + index);
        }
        &self.bytes
    }
}

fn digits(bytes: &mut [u8], at: usize, width: usize, mut value: u64) {
    for place in bytes.iter_mut().skip(at).take(width).rev() {
        *place = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_and_its_number_can_be_read_back() {
        let shape = Shape::WeChat(WeChatShape {
            first_customer: 500,
            first_id: 1_700_000_000_000_000_000,
            ..WeChatShape::new("gh_rice", "test", Mix::Spread { customers: 10 })
        });
        let mut maker = shape.maker();
        let bytes = maker.request(1234).to_vec();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length: usize = head.lines().find_map(|l| l.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
        assert_eq!(length, body.len());
        assert!(head.starts_with("POST /channels/wechat/gh_rice?signature="), "{head}");
        assert!(body.contains("[oUser00000504]") && body.contains("<MsgId>1700000000000001234</MsgId>"), "{body}");
        let content = body.split("[我的").nth(1).map(|rest| format!("我的{rest}")).unwrap();
        assert_eq!(index_of(&content), Some(1234));
        let again = String::from_utf8(maker.request(1235).to_vec()).unwrap();
        assert_ne!(text, again);
        assert_eq!(text.len(), again.len());
    }

    #[test]
    fn customers_come_and_go_in_a_flow() {
        let mix = Mix::Flow { per: 8, window: 32 };
        let mut seen = std::collections::BTreeMap::<u64, u64>::new();
        (0..80_000).for_each(|i| *seen.entry(mix.customer(i)).or_default() += 1);
        let inner = seen.iter().filter(|(c, _)| (100..9_900).contains(*c)).map(|(_, n)| *n);
        let mean = inner.clone().sum::<u64>() as f64 / inner.count() as f64;
        assert!((7.0..9.0).contains(&mean), "{mean}");
    }

    #[test]
    fn other_texts_have_no_number() {
        assert_eq!(index_of("我的订单到哪了"), None);
        assert_eq!(index_of(""), None);
    }
}
