//! The brand of the demo: its accounts on the channels and their secrets. Those of WeChat and the app are drawn once and
//! stored with the demo's state. Those of the other platforms are the simulators'. All are worthless outside of the demo.

use crate::channel_under_test::ChannelUnderTest;
use crate::channels::wechat::Wechat;
use crate::customers::Share;
use crate::rng::Rng;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The number of customers by each channel, of a thousand: most come by WeChat and the brand's own app, many by the
/// marketplaces.
const SHARES: [(&str, u64); 17] = [
    ("wechat", 220),
    ("app", 140),
    ("wecom", 90),
    ("webchat", 70),
    ("miniprogram", 80),
    ("douyin", 80),
    ("taobao", 80),
    ("jd", 60),
    ("pinduoduo", 50),
    ("doudian", 40),
    ("phone", 20),
    ("kuaishou", 15),
    ("xiaohongshu", 15),
    ("weibo", 15),
    ("alipay", 10),
    ("email", 10),
    ("sms", 5),
];

/// The brand's account on the channels whose secrets are the simulator's own.
const ACCOUNT: &str = "rice";

/// Names and secrets of the brand's accounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Brand {
    /// The official account's id.
    pub wechat_account: String,
    /// Its app id.
    pub wechat_app_id: String,
    /// Its app secret.
    pub wechat_app_secret: String,
    /// Its webhook token.
    pub wechat_token: String,
    /// Its EncodingAESKey.
    pub wechat_aes_key: String,
    /// The app's account.
    pub app_account: String,
    /// Signs the app's identity tokens.
    pub app_jwt_secret: String,
    /// Signs the app's bodies.
    pub app_body_secret: String,
    /// The web site's account.
    pub webchat_account: String,
}

fn word(rng: &mut Rng, length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..length).filter_map(|_| rng.pick(LETTERS)).map(|byte| char::from(*byte)).collect()
}

impl Brand {
    /// The demo's accounts, with secrets drawn from `rng`.
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            wechat_account: "gh_rice".into(),
            wechat_app_id: "wxrice0000000001".into(),
            wechat_app_secret: word(rng, 32),
            wechat_token: word(rng, 24),
            wechat_aes_key: word(rng, 43),
            app_account: "main".into(),
            app_jwt_secret: word(rng, 40),
            app_body_secret: word(rng, 40),
            webchat_account: "main".into(),
        }
    }

    /// The ways to the brand, each with its share of the customers. `ports` holds the ports of the platforms' APIs in the
    /// last run, so that accounts and messages under way stay valid.
    ///
    /// # Errors
    /// No port is free.
    pub fn shares(&self, ports: &BTreeMap<String, u16>) -> Result<Vec<Share>> {
        let shares = SHARES.iter().map(|(channel, weight)| {
            let before = ports.get(*channel).copied().unwrap_or_default();
            // Another program may have taken the port meanwhile.
            let entrance = self.entrance(channel, before).or_else(|_| self.entrance(channel, 0))?;
            Ok(Share { entrance: Arc::new(entrance), weight: *weight })
        });
        shares.collect()
    }

    fn entrance(&self, channel: &str, port: u16) -> Result<ChannelUnderTest> {
        match channel {
            "wechat" => {
                let platform = Wechat {
                    account: self.wechat_account.clone(),
                    app_id: self.wechat_app_id.clone(),
                    app_secret: self.wechat_app_secret.clone(),
                    token: self.wechat_token.clone(),
                    aes_key: self.wechat_aes_key.clone(),
                    ..Wechat::default()
                };
                ChannelUnderTest::platform(Box::new(platform), port)
            }
            "app" => ChannelUnderTest::app(&self.app_account, &self.app_jwt_secret, &self.app_body_secret),
            "webchat" => ChannelUnderTest::webchat(&self.webchat_account),
            _ => Ok(ChannelUnderTest::open(channel, port)?.named(ACCOUNT)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use warmline_channels::registry;

    #[test]
    fn customers_come_by_every_channel() {
        let brand = Brand::new(&mut Rng::new(3));
        let shares = brand.shares(&BTreeMap::new()).unwrap();
        let channels: BTreeSet<_> = shares.iter().map(|share| share.entrance.channel()).collect();
        assert_eq!(channels, registry::all().iter().map(|carries| carries.channel).collect());
        assert_eq!(shares.iter().map(|share| share.weight).sum::<u64>(), 1_000);
        // While these have their ports, others take free ones.
        let ports =
            shares.iter().filter_map(|share| Some((share.entrance.channel().to_owned(), share.entrance.stand()?.port())));
        let ports: BTreeMap<_, _> = ports.collect();
        assert!(brand.shares(&ports).is_ok());
    }
}
