//! The common code of the fuzz targets. It reads an input as an event at an adapter, and checks the guarantees. The first
//! byte chooses the protocol of the channel, the second the event:
//!
//! * a payload that the platform signs, whatever its content: it may be refused, but must not crash or take unbounded
//!   memory;
//! * a request that nobody signed, in the form of `seeds`;
//! * a true webhook with one byte changed: it is refused, or means exactly the same as the true one;
//! * an answer of the platform's API.

use libfuzzer_sys::arbitrary::Unstructured;
use std::path::Path;
use warmline_channels::sorted_sign::read_form;
use warmline_simulate::channels::Request;
use warmline_simulate::channels::protocols::memory::{Counting, limit, peak};
use warmline_simulate::channels::protocols::{self, NOW, Protocol, Taken};

pub use libfuzzer_sys;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The target of a channel: `channel!("wechat");` is its whole file.
#[macro_export]
macro_rules! channel {
    ($channel:literal) => {
        static CHANNEL: std::sync::LazyLock<$crate::Channel> =
            std::sync::LazyLock::new(|| $crate::Channel::new($channel));
        $crate::libfuzzer_sys::fuzz_target!(init: $crate::seed(CHANNEL.seeds()), |data: &[u8]| CHANNEL.take(data));
    };
}

const PAYLOAD: u8 = 0;
const UNSIGNED: u8 = 1;
const CHANGED: u8 = 2;
const ANSWER: u8 = 3;

/// A channel and its true webhooks.
pub struct Channel {
    protocols: Vec<(Protocol, Vec<(Request, Taken)>)>,
}

impl Channel {
    /// Opens a channel's accounts.
    pub fn new(channel: &str) -> Self {
        let with_webhooks = |protocol: Protocol| {
            let taken = |webhook: Request| protocol.take(&webhook, NOW).ok().map(|taken| (webhook, taken));
            let webhooks = protocol.webhooks(NOW, 1).into_iter().filter_map(taken).collect();
            (protocol, webhooks)
        };
        let protocols: Vec<_> = protocols::of(channel).into_iter().map(with_webhooks).collect();
        assert!(!protocols.is_empty(), "no channel {channel}");
        Self { protocols }
    }

    /// Inputs to begin with: one for each payload, true webhook and page.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        for (index, (protocol, webhooks)) in (0..).zip(&self.protocols) {
            let kind = if protocol.seal.is_some() { PAYLOAD } else { ANSWER };
            seeds.extend((protocol.payloads)(NOW, 1).into_iter().map(|payload| [&[index, kind], &payload[..]].concat()));
            seeds.extend(webhooks.iter().map(|(webhook, _)| [&[index, UNSIGNED], &written(webhook)[..]].concat()));
            seeds.push(vec![index, CHANGED, 0, 0, 9, 1]);
            seeds.push([&[index, ANSWER], &br#"{"code":0,"access_token":"t","expires_in":7200}"#[..]].concat());
        }
        seeds
    }

    /// Runs one input.
    pub fn take(&self, data: &[u8]) {
        let [index, kind, data @ ..] = data else { return };
        let (protocol, webhooks) = &self.protocols[usize::from(*index) % self.protocols.len()];
        match (kind % 4, protocol.seal) {
            (PAYLOAD, Some(seal)) => drop(bounded(protocol, &seal(data, NOW))),
            (UNSIGNED, _) => drop(bounded(protocol, &read(data))),
            (CHANGED, _) if !webhooks.is_empty() => changed(protocol, webhooks, &mut Unstructured::new(data)),
            _ => {
                let (_, height) = peak(|| protocol.answered(200, data));
                assert!(height <= limit(data.len()), "{height} bytes for an answer of {}", data.len());
            }
        }
    }
}

/// The payloads of all channels whose first byte is this one.
pub fn payloads(first: u8) -> Vec<Vec<u8>> {
    let all = protocols::all().into_iter().flat_map(|protocol| (protocol.payloads)(NOW, 1));
    all.filter(|payload| payload.first() == Some(&first)).collect()
}

fn bounded(protocol: &Protocol, webhook: &Request) -> Option<Taken> {
    let (taken, height) = peak(|| protocol.take(webhook, NOW).ok());
    let bytes =
        webhook.body.len() + webhook.query.len() + webhook.headers.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>();
    assert!(height <= limit(bytes), "{}: {height} bytes for a webhook of {bytes}", protocol.name);
    taken
}

/// Changes one byte of a true webhook.
fn changed(protocol: &Protocol, webhooks: &[(Request, Taken)], choose: &mut Unstructured<'_>) {
    let mut arbitrary = || -> Option<Option<(Request, &Taken)>> {
        let (webhook, taken) = choose.choose(webhooks).ok()?;
        let part = choose.int_in_range(0..=protocols::PARTS - 1).ok()?;
        let at = choose.arbitrary::<u16>().ok()?;
        let mask = choose.int_in_range(1..=255).ok()?;
        Some(protocol.changed(webhook, part, usize::from(at), mask).map(|changed| (changed, taken)))
    };
    let Some(Some((webhook, taken))) = arbitrary() else { return };
    if let Some(other) = bounded(protocol, &webhook) {
        assert!(alike(&other, taken), "{}: a changed webhook is taken for another: {other:?}, {taken:?}", protocol.name);
    }
}

/// Whether two webhooks mean the same. Of a form only the parameters count and are signed, however they are written.
fn alike(one: &Taken, other: &Taken) -> bool {
    match (one, other) {
        (Taken::Messages(body, messages, reply), Taken::Messages(other_body, other_messages, other_reply)) => {
            let same_body = body == other_body || read_form(body) == read_form(other_body);
            same_body && messages == other_messages && reply == other_reply
        }
        _ => one == other,
    }
}

/// A request as lines: method, path and query; headers; an empty line; the body.
fn written(request: &Request) -> Vec<u8> {
    let mut text = format!("{} {}?{}\n", request.method, request.path, request.query);
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\n"));
    }
    [text.as_bytes(), b"\n", &request.body].concat()
}

fn read(data: &[u8]) -> Request {
    let end = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((data, &[][..]), |end| (&data[..end], &data[end + 2..]));
    let head = String::from_utf8_lossy(head);
    let (first, headers) = head.split_once('\n').unwrap_or((&head, ""));
    let (method, target) = first.split_once(' ').unwrap_or(("POST", first));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = headers.lines().filter_map(|line| line.split_once(": "));
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: body.to_vec(),
    }
}

/// Fills an empty corpus: the first folder that the fuzzer was given.
pub fn seed(seeds: Vec<Vec<u8>>) {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let Some(corpus) = given.iter().map(Path::new).find(|path| path.is_dir()) else { return };
    if std::fs::read_dir(corpus).is_ok_and(|mut files| files.next().is_none()) {
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(corpus.join(format!("seed-{number:02}")), seed).expect("the corpus can be written");
        }
    }
}
