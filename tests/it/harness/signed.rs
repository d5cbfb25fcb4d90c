//! Webhooks with content that no platform sends, signed as by the platform.

use super::brand::{Line, act};
use super::now;
use warmline_channels::alipay::{self, PrivateKey};
use warmline_channels::wx_crypto::AesKey;
use warmline_channels::{app, doudian, douyin, kuaishou, miniprogram, phone, pinduoduo, wecom};
use warmline_simulate::channels::Request;

/// A webhook without the proof of its origin.
pub trait Unsigned {
    /// The same without its signature, wherever that is.
    fn unsigned(&self) -> Self;
}

impl Unsigned for Request {
    fn unsigned(&self) -> Self {
        let headers = self.headers.iter().filter(|(name, _)| name == "content-type").cloned().collect();
        // Some platforms sign in the body itself, one of them only a number in it.
        let mut body = match String::from_utf8(self.body.clone()) {
            Ok(text) => text.replace("signature=", "nothing=").into_bytes(),
            Err(error) => error.into_bytes(),
        };
        let middle = body.len() / 2;
        if let Some(byte) = body.get_mut(middle) {
            *byte ^= 1;
        }
        // Below the account's own address, only our page has a path that is no secret.
        let path = if self.path == "/messages" { self.path.clone() } else { String::new() };
        Self { method: self.method.clone(), path, query: String::new(), headers, body }
    }
}

const ALIPAY: &str = include_str!("../../../shared/channels/tests/keys/alipay_platform.pkcs8");

impl Line {
    fn secret(&self, name: &str) -> &str {
        self.account.secrets.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str()).unwrap()
    }

    fn setting(&self, name: &str) -> &str {
        self.account.settings[name].as_str().unwrap()
    }

    /// A webhook around any body, with a good signature. `None` if the platform sends no webhooks, or signs fields from the
    /// body and not the body itself.
    pub fn signed(&self, body: &[u8]) -> Option<Request> {
        let webhook = self.stand.act(&act(9, "x"))?;
        let at = now();
        let with = |name: &str, value: String| {
            let mut changed = webhook.clone();
            changed.headers.retain(|(n, _)| n != name);
            changed.headers.push((name.to_owned(), value));
            Request { body: body.to_vec(), ..changed }
        };
        let enveloped = |(query, body): (String, String)| Request { query, body: body.into_bytes(), ..webhook.clone() };
        let timed = |signature: String| {
            let mut signed = with("x-warmline-signature", signature);
            for (_, value) in signed.headers.iter_mut().filter(|(name, _)| name == "x-warmline-timestamp") {
                *value = at.to_string();
            }
            signed
        };
        let key = || AesKey::decode(self.secret("encoding_aes_key")).unwrap();
        let (time, random) = (at.to_string(), [7; 16]);
        Some(match (self.carries.channel, self.account.settings["provider"].as_str()) {
            // The signature covers something else than the body, or a secret address replaces it.
            ("wechat" | "webchat" | "weibo" | "xiaohongshu", _) | ("sms", Some("aliyun")) | ("email", Some("sendgrid")) => {
                Request { body: body.to_vec(), ..webhook }
            }
            ("app", _) => timed(app::sign::body(self.secret("body_secret"), at, body)),
            ("phone", Some("contract")) => timed(phone::sign::contract(self.secret("signing_secret"), at, body)),
            ("pinduoduo", _) => timed(pinduoduo::sign::headers(self.secret("bridge_secret"), at, body)[1].1.clone()),
            ("douyin", _) => with("x-douyin-signature", douyin::sign::signature(self.secret("client_secret"), body)),
            ("kuaishou", _) => with("kwaisign", kuaishou::sign::kwaisign(self.secret("app_secret"), body)),
            ("doudian", _) => {
                with("event-sign", doudian::sign::event_sign(self.setting("app_key"), self.secret("app_secret"), body))
            }
            ("miniprogram", _) => {
                let (token, app_id) = (self.secret("token"), self.setting("app_id"));
                enveloped(miniprogram::sign::safe(token, &key(), app_id, &time, "n", &random, body))
            }
            ("wecom", _) => {
                let (token, corp) = (self.secret("token"), self.setting("corp_id"));
                enveloped(wecom::sign::webhook(token, &key(), corp, &time, "n", &random, body))
            }
            ("alipay", _) => {
                let (platform, content) = (PrivateKey::read(ALIPAY)?, std::str::from_utf8(body).ok()?);
                Request { body: alipay::sign::webhook(&platform, alipay::sign::MESSAGE, "UTF-8", content), ..webhook }
            }
            _ => return None,
        })
    }
}
