//! The first three channels of the system, as platforms beside the simulated ones: a WeChat account, the brand's app and
//! its web page, from the customers' side.

use super::channels::{App, Visitor, Web, Wechat};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use warmline_channels::app::sign as app;
use warmline_channels::wechat::sign as wechat;
use warmline_simulate::channels::{Account, Act, Arrival, Request, Simulated};

/// One of these channels.
pub enum Own {
    Wechat(Wechat),
    App(App),
    Web(Web, Mutex<BTreeMap<u64, Visitor>>),
}

const ACCOUNT: &str = "rice";

/// The three channels, with accounts on the server at `base`.
pub fn own(base: &str) -> impl Iterator<Item = (String, Box<dyn Simulated>)> {
    let all = [
        Own::Wechat(Wechat::new(base, ACCOUNT)),
        Own::App(App::new(base, ACCOUNT)),
        Own::Web(Web::new(base, ACCOUNT), Mutex::default()),
    ];
    all.into_iter().map(|own| (own.channel().to_owned(), Box::new(own) as Box<dyn Simulated>))
}

/// A visitor with the session that the page got when it was first opened.
fn visitor(web: &Web, known: &Mutex<BTreeMap<u64, Visitor>>, customer: u64) -> Visitor {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(customer).or_insert_with(|| web.visitor()).clone()
}

fn post(path: &str, headers: Vec<(&str, String)>, body: String) -> Arrival {
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let (method, path, body) = ("POST".to_owned(), path.to_owned(), body.into_bytes());
    Arrival::Webhook(Request { method, path, headers, body, ..Request::default() })
}

/// These platforms are never called: `Shop::platform` simulates WeChat's API, and our own clients fetch.
impl Simulated for Own {
    fn channel(&self) -> &'static str {
        match self {
            Self::Wechat(_) => "wechat",
            Self::App(_) => "app",
            Self::Web(..) => "webchat",
        }
    }

    fn account(&self, api_base: &str) -> Account {
        let (settings, secrets) = match self {
            Self::Wechat(account) => (
                json!({ "app_id": account.app_id, "mode": "plain", "api_base": api_base }),
                vec![("token", account.token.clone()), ("app_secret", account.app_secret.clone())],
            ),
            Self::App(account) => {
                (json!({}), vec![("jwt_secret", account.jwt_secret.clone()), ("body_secret", account.body_secret.clone())])
            }
            Self::Web(..) => (json!({}), Vec::new()),
        };
        Account { id: ACCOUNT.to_owned(), settings, secrets }
    }

    fn open_id(&self, customer: u64) -> String {
        match self {
            Self::Wechat(_) => format!("oOwn{customer}"),
            Self::App(_) => format!("m{customer}"),
            Self::Web(web, known) => visitor(web, known, customer).id,
        }
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let said = json!({ "id": act.number.to_string(), "text": act.text }).to_string();
        match self {
            Self::Wechat(account) => {
                let body = wechat::text(&self.open_id(act.customer), &account.account, act.at, act.number, act.text);
                let query = wechat::plain_query(&account.token, &act.at.to_string(), &act.number.to_string());
                let Arrival::Webhook(request) = post("", vec![("content-type", "text/xml".to_owned())], body) else {
                    unreachable!()
                };
                Arrival::Webhook(Request { query, ..request })
            }
            Self::App(account) => {
                let jwt = app::jwt(&account.jwt_secret, &self.open_id(act.customer), None, &[], super::now() + 3600);
                post("", account.headers_at(&jwt, said.as_bytes(), act.at), said)
            }
            Self::Web(web, known) => {
                let token = visitor(web, known, act.customer).token;
                post("/messages", vec![("authorization", format!("Bearer {token}"))], said)
            }
        }
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        let accepted = || serde_json::from_slice::<Value>(body).is_ok_and(|answer| answer["accepted"] == true);
        status == 200 && (if let Self::Wechat(_) = self { body == b"success" } else { accepted() })
    }
}
