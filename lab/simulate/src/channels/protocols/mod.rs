//! Every way into Warmline: one per protocol of a channel, with an account, payloads in the platform's form, and a webhook
//! around any payload, signed as by the platform. The fuzz targets (`fuzz/`) and the bench of the channels use them to test
//! the common properties of all adapters.
//!
//! * `door`: an adapter of any type, with an open account; `clients`: our own clients and WeChat; `platforms`: the others;
//! * [`memory`]: the memory that a piece of work takes.

mod clients;
pub mod memory;
mod opened;
mod platforms;

use super::{Account, Request};
use opened::{Door, Opened};
use serde_json::Value;
use warmline_channels::{Adapter, Page, Refusal, Secrets, registry};

pub use opened::Taken;

/// The address of the platforms' APIs. Nothing is called.
pub(super) const API: &str = "http://127.0.0.1:9";

/// The default time of the tests: seconds since 1970.
pub const NOW: i64 = 1_700_000_000;

/// A customer's text, for tests that need more than plain ASCII.
pub const WORDS: &str = "你好，我的订单什么时候发货？😀 a=b&c <b>";

/// The parts of a webhook that [`Protocol::changed`] changes.
pub const PARTS: usize = 4;

/// Headers that no platform signs.
const UNSIGNED: [&str; 3] = ["content-type", "msg-id", "app-id"];

/// Makes a webhook around a payload, signed at a time.
pub type Seal = fn(payload: &[u8], at: i64) -> Request;

/// One protocol of a channel.
pub struct Protocol {
    /// Its name: the channel, and a suffix if the channel has several.
    pub name: &'static str,
    /// The channel.
    pub channel: &'static str,
    /// The account.
    pub account: Account,
    /// Its secrets, with those that the system derives.
    pub secrets: Secrets,
    /// Customers' acts, in the platform's form. The first is a text message, if the channel has such. The number tells two
    /// of them apart.
    pub payloads: fn(at: i64, number: u64) -> Vec<Vec<u8>>,
    /// Messages that the platform keeps until it is asked, in the form of the answer. Empty if it sends everything.
    pub kept: fn(at: i64, number: u64) -> Vec<Value>,
    /// Makes the webhook around a payload; `None` if the platform sends none.
    pub seal: Option<Seal>,
    /// Whether the signature covers the payload. Otherwise it covers the address and the time, or the address is the
    /// secret.
    pub covers: bool,
    door: Box<dyn Door>,
}

impl Protocol {
    fn new<A>(adapter: A, account: Account, name: &'static str, payloads: fn(i64, u64) -> Vec<Vec<u8>>) -> Self
    where
        A: Adapter + Send + Sync + 'static,
        A::Account: Send + Sync,
    {
        let channel = adapter.capabilities().channel;
        let mut secrets: Secrets = account.secrets.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        if adapter.wants_derived_secrets() {
            registry::derive_secrets(&mut secrets, &clients::SESSION_KEY, channel, &account.id);
        }
        let door = Box::new(Opened::new(adapter, &account.settings, &secrets));
        let kept = |_, _| Vec::new();
        Self { name, channel, account, secrets, payloads, kept, seal: None, covers: true, door }
    }

    fn keeping(self, kept: fn(i64, u64) -> Vec<Value>) -> Self {
        Self { kept, ..self }
    }

    fn sealed(self, seal: Seal) -> Self {
        Self { seal: Some(seal), ..self }
    }

    /// Marks the signature as not covering the payload.
    fn bare(self) -> Self {
        Self { covers: false, ..self }
    }

    /// The webhooks of its payloads; empty if the platform sends none.
    pub fn webhooks(&self, at: i64, number: u64) -> Vec<Request> {
        let payloads = (self.payloads)(at, number);
        self.seal.map(|seal| payloads.iter().map(|payload| seal(payload, at)).collect()).unwrap_or_default()
    }

    /// A webhook with at least one bit of one byte changed, in a part that the signature covers or that carries it. `None`
    /// if that part is empty, or not part of the signature.
    pub fn changed(&self, webhook: &Request, part: usize, at: usize, mask: u8) -> Option<Request> {
        let mut changed = webhook.clone();
        let text = match part {
            0 if self.covers => {
                let at = at.checked_rem(changed.body.len())?;
                changed.body[at] ^= mask;
                return Some(changed);
            }
            1 => &mut changed.query,
            2 => &mut changed.path,
            3 => {
                let signed = changed.headers.iter_mut().filter(|(name, _)| !UNSIGNED.contains(&name.as_str()));
                let mut signed: Vec<_> = signed.collect();
                let header = at.checked_rem(signed.len())?;
                &mut signed.swap_remove(header).1
            }
            _ => return None,
        };
        let mut bytes = std::mem::take(text).into_bytes();
        let at = at.checked_rem(bytes.len())?;
        bytes[at] ^= mask;
        *text = String::from_utf8(bytes).ok()?;
        Some(changed)
    }

    /// The adapter's handling of a webhook that arrives at a time: handshake, verifier, parser, acknowledgement.
    ///
    /// # Errors
    /// The webhook is refused.
    pub fn take(&self, webhook: &Request, now: i64) -> Result<Taken, Refusal> {
        self.door.take(webhook, now)
    }

    /// The adapter's reading of an answer of the platform's API: as a page, as an access token, and as the outcome of a
    /// reply. Returns the page, if it is one.
    pub fn answered(&self, status: u16, body: &[u8]) -> Option<Page> {
        self.door.answered(status, body)
    }
}

/// All ways, by channel.
///
/// # Panics
/// An account is invalid: the tables here are wrong.
pub fn all() -> Vec<Protocol> {
    let mut all = clients::all();
    all.extend(platforms::all());
    all.sort_by_key(|way| way.name);
    all
}

/// The ways of a channel.
pub fn of(channel: &str) -> Vec<Protocol> {
    all().into_iter().filter(|way| way.channel == channel).collect()
}

#[cfg(test)]
mod tests;
