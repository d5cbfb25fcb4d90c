//! One account of one channel, from its customers' side: a simulated platform between them and the brand, or the brand's
//! own app or web pages. Simulated customers need to know no more about a channel.

use crate::channels::platform_server::PlatformServer;
use crate::channels::{self, Account, Simulated};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use warmline_channels::{Capabilities, registry};

/// Secrets of the app when it is simulated on its own.
const JWT_SECRET: &str = "simulated-app-jwt-secret-000000000000";
const BODY_SECRET: &str = "simulated-app-body-secret-00000000000";

/// The customers' way to the brand on a channel.
pub enum Route {
    /// Through a platform: it posts their messages, or keeps them, and accepts the replies.
    Platform(PlatformServer),
    /// With the brand's own app.
    App {
        /// Signs identity tokens.
        jwt_secret: String,
        /// Signs bodies.
        body_secret: String,
    },
    /// On the brand's web pages.
    WebChat,
}

/// An account, and how its customers reach it.
pub struct ChannelUnderTest {
    /// The customers' way.
    pub way: Route,
    /// The capabilities of the channel.
    pub carries: Capabilities,
    /// The account, as the brand's settings name it.
    account: Account,
}

impl ChannelUnderTest {
    /// Opens the simulated platform, app or page of a channel. `port` is that of the platform's API; 0 takes a free one.
    ///
    /// # Errors
    /// There is no such channel, or the port is taken.
    pub fn open(channel: &str, port: u16) -> Result<Self> {
        match channel {
            "app" => Self::app("simulated", JWT_SECRET, BODY_SECRET),
            "webchat" => Self::webchat("simulated"),
            _ => {
                let platform = channels::all().into_iter().find(|platform| platform.channel() == channel);
                Self::platform(platform.with_context(|| format!("no channel is named {channel}"))?, port)
            }
        }
    }

    /// A simulated platform.
    ///
    /// # Errors
    /// The port is taken.
    pub fn platform(platform: Box<dyn Simulated>, port: u16) -> Result<Self> {
        let (channel, stand) = (platform.channel(), PlatformServer::on(port, platform)?);
        let account = stand.account();
        Self::new(channel, Route::Platform(stand), account)
    }

    /// The brand's app.
    ///
    /// # Errors
    /// No adapter serves it.
    pub fn app(account: &str, jwt_secret: &str, body_secret: &str) -> Result<Self> {
        let secrets = vec![("jwt_secret", jwt_secret.to_owned()), ("body_secret", body_secret.to_owned())];
        let way = Route::App { jwt_secret: jwt_secret.to_owned(), body_secret: body_secret.to_owned() };
        Self::new("app", way, Account { id: account.to_owned(), settings: json!({}), secrets })
    }

    /// The brand's web pages.
    ///
    /// # Errors
    /// No adapter serves them.
    pub fn webchat(account: &str) -> Result<Self> {
        // All its visitors come from this machine, as fast as they are asked to.
        let settings = json!({ "origins": [], "new_sessions_per_minute": 1_000_000, "most_waiting": 1_000_000 });
        let account = Account { id: account.to_owned(), settings, secrets: Vec::new() };
        Self::new("webchat", Route::WebChat, account)
    }

    fn new(channel: &str, way: Route, account: Account) -> Result<Self> {
        let carries = registry::capabilities(channel).with_context(|| format!("no adapter serves {channel}"))?;
        Ok(Self { way, carries, account })
    }

    /// Sets another account's name.
    #[must_use]
    pub fn named(mut self, account: &str) -> Self {
        account.clone_into(&mut self.account.id);
        self
    }

    /// The channel's id.
    pub const fn channel(&self) -> &'static str {
        self.carries.channel
    }

    /// The account's id.
    pub fn account(&self) -> &str {
        &self.account.id
    }

    /// The platform, if there is one.
    pub const fn stand(&self) -> Option<&PlatformServer> {
        match &self.way {
            Route::Platform(stand) => Some(stand),
            Route::App { .. } | Route::WebChat => None,
        }
    }

    /// The path of the account's webhook, below the server's address.
    pub fn path(&self) -> String {
        format!("/channels/{}/{}", self.channel(), self.account.id)
    }

    /// Whether replies reach the customers in writing.
    pub fn takes_replies(&self) -> bool {
        self.carries.kinds_out.contains(&"text")
    }

    /// The body that creates the account.
    pub fn body(&self, name: &str) -> Value {
        let secrets: BTreeMap<_, _> = self.account.secrets.iter().cloned().collect();
        json!({
            "channel": self.channel(), "account": self.account.id, "name": name, "settings": self.account.settings,
            "secrets": secrets,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_has_one_whose_account_its_adapter_takes() {
        for carries in registry::all() {
            let entrance = ChannelUnderTest::open(carries.channel, 0).unwrap().named("other");
            assert_eq!((entrance.channel(), entrance.account()), (carries.channel, "other"));
            let body = entrance.body("模拟");
            let secrets = serde_json::from_value(body["secrets"].clone()).unwrap();
            let checked = registry::check_account(carries.channel, &body["settings"], &secrets).unwrap();
            assert!(checked.is_ok(), "{}: {checked:?}", carries.channel);
        }
        assert!(ChannelUnderTest::open("fax", 0).is_err());
    }
}
