//! A brand with an account on every simulated platform, and its customers' acts.

use super::{Agent, Answer, Server, Shop, now, send, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use warmline_channels::{Capabilities, registry};
use warmline_simulate::channels::platform_server::PlatformServer;
use warmline_simulate::channels::{Account, Act, Request, Sent, Simulated};

static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A customer's act that is unique to this test.
pub fn act(customer: u64, text: &str) -> Act<'_> {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    Act { customer, number, at: now(), text, nonce }
}

/// Posts a webhook to an account's address on the server at `base`.
#[track_caller]
pub fn post_webhook(base: &str, channel: &str, account: &str, webhook: &Request) -> Answer {
    let query = if webhook.query.is_empty() { String::new() } else { format!("?{}", webhook.query) };
    let url = format!("{base}/channels/{channel}/{account}{}{query}", webhook.path);
    let headers: Vec<(&str, String)> = webhook.headers.iter().map(|(n, v)| (n.as_str(), v.clone())).collect();
    send(&webhook.method, &url, &headers, webhook.body.clone())
}

/// One brand with an account on every platform, and one agent with unlimited capacity.
pub struct Brand {
    pub shop: Shop,
    pub agent: Agent,
    pub lines: BTreeMap<String, Line>,
}

/// A platform, and the capabilities of its channel.
pub struct Line {
    pub name: String,
    pub stand: PlatformServer,
    pub account: Account,
    pub carries: Capabilities,
    base: String,
}

impl Brand {
    /// Makes a brand on a server, with these platforms by these names.
    pub fn on(server: &Server, platforms: impl IntoIterator<Item = (String, Box<dyn Simulated>)>) -> Self {
        Self::with(server, platforms, PlatformServer::account)
    }

    /// The same with other accounts than the platforms' own.
    pub fn with(
        server: &Server,
        platforms: impl IntoIterator<Item = (String, Box<dyn Simulated>)>,
        account: impl Fn(&PlatformServer) -> Account,
    ) -> Self {
        let shop = Shop::on(server, &json!({ "accept_secs": 0 }));
        shop.calls_are_chats();
        let agent = shop.agent(1_000);
        let lines = platforms.into_iter().map(|(name, platform)| {
            let carries = registry::capabilities(platform.channel()).unwrap();
            let stand = PlatformServer::start(platform).unwrap();
            let account = account(&stand);
            let secrets: BTreeMap<_, _> = account.secrets.iter().cloned().collect();
            shop.connect_as(carries.channel, &account.id, account.settings.clone(), &json!(secrets));
            (name.clone(), Line { name, stand, account, carries, base: shop.base.clone() })
        });
        let lines = lines.collect();
        Self { shop, agent, lines }
    }

    /// Follows the server to its present address.
    pub fn follow(&mut self, server: &Server) {
        let base = server.base();
        (self.shop.admin, self.agent.api) = (self.shop.admin.at(base), self.agent.api.at(base));
        base.clone_into(&mut self.shop.base);
        for line in self.lines.values_mut() {
            base.clone_into(&mut line.base);
        }
    }

    /// Runs a test for every line at once. A failure names its channel.
    pub fn every(&self, wanted: impl Fn(&Line) -> bool, test: impl Fn(&Self, &Line) + Sync) {
        let failed: Vec<&str> = std::thread::scope(|scope| {
            let running: Vec<_> = self
                .lines
                .iter()
                .filter(|(_, line)| wanted(line))
                .map(|(name, line)| (name.as_str(), scope.spawn(|| test(self, line))))
                .collect();
            assert!(!running.is_empty());
            running.into_iter().filter_map(|(name, test)| test.join().is_err().then_some(name)).collect()
        });
        assert!(failed.is_empty(), "failed for: {failed:?}");
    }
}

impl Line {
    /// Posts a webhook.
    #[track_caller]
    pub fn post(&self, webhook: &Request) -> Answer {
        post_webhook(&self.base, self.carries.channel, &self.account.id, webhook)
    }

    /// Posts a webhook, and checks that the platform would see it acknowledged.
    #[track_caller]
    pub fn acknowledged(&self, webhook: &Request) {
        let answer = self.post(webhook);
        assert!(
            self.stand.platform().acknowledged(answer.status, &answer.body),
            "{}: {} {}",
            self.carries.channel,
            answer.status,
            answer.text()
        );
    }

    /// Lets a customer act, and delivers the act this many times.
    #[track_caller]
    pub fn arrive(&self, act: &Act<'_>, times: usize) {
        for _ in 0..times {
            if let Some(webhook) = self.stand.act(act) {
                self.acknowledged(&webhook);
            }
        }
    }

    /// The conversation and the message that contain these words, in any field.
    pub fn find(&self, brand: &Brand, words: &str) -> Option<(String, Value)> {
        let mut all = brand.shop.said_on(self.carries.channel, &self.account.id);
        all.find(|(_, message)| message["content"].to_string().contains(words))
    }

    /// Lets a customer write the first words. Returns the conversation, which the agent holds.
    pub fn talk(&self, brand: &Brand, customer: u64, words: &str) -> String {
        self.arrive(&act(customer, words), 1);
        let (id, _) = until(words, || self.find(brand, words));
        until("an agent", || (brand.shop.conversation(&id)["agent"].is_string()).then_some(()));
        id
    }

    /// A reply in the form in which the platform must receive it.
    pub fn sent(&self, customer: u64, text: &str) -> Sent {
        Sent { to: self.stand.platform().open_id(customer), text: text.into() }
    }
}
