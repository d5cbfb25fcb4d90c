//! A test's own shop: one skill group, accounts of one name on each channel, staff, and a simulated platform. Tests on one
//! server share nothing but the server.

use super::api::fresh;
use super::channels::{App, Web, Wechat};
use super::http::Answer;
use super::{Api, Server, shared, until};
use serde_json::{Value, json};
use std::sync::PoisonError;
use warmline_simulate::channels::platform_server::PlatformServer;
use warmline_simulate::channels::wechat::Wechat as Official;

/// A shop.
pub struct Shop {
    pub admin: Api,
    pub platform: PlatformServer,
    /// The name of the group and of all accounts.
    pub name: String,
    pub base: String,
    /// The newest event when the shop was opened.
    pub opened_at: i64,
    /// The newest conversation at that time; empty if there was none.
    before: String,
}

impl Shop {
    /// Opens a shop on the shared server, with default settings.
    pub fn open() -> Self {
        Self::with(&json!({}))
    }

    /// Opens a shop on the shared server, with these group settings.
    pub fn with(settings: &Value) -> Self {
        Self::on(shared(), settings)
    }

    /// Opens a shop on the test's own server.
    pub fn on(server: &Server, settings: &Value) -> Self {
        let (admin, name) = (server.admin(), fresh("shop"));
        let (opened_at, before) = {
            let mut seen = server.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(event) = admin.events(seen.0).last() {
                seen.0 = event["seq"].as_i64().unwrap();
            }
            if let Some(conversation) = admin.all_after("/api/conversations", &seen.1).last() {
                seen.1 = conversation["id"].as_str().unwrap().to_owned();
            }
            seen.clone()
        };
        let group = json!({ "id": name, "name": "客服", "settings": settings });
        admin.post("/api/groups", &group).expect(201);
        let platform = PlatformServer::start(Box::new(Official::of_any_app())).unwrap();
        Self { admin, platform, name, base: server.base().to_owned(), opened_at, before }
    }

    /// Connects an account with the shop's name. The group is added to the settings.
    #[track_caller]
    pub fn connect(&self, channel: &str, settings: Value, secrets: &Value) -> Answer {
        self.connect_as(channel, &self.name, settings, secrets)
    }

    /// Connects an account. The group is added to the settings.
    #[track_caller]
    pub fn connect_as(&self, channel: &str, account: &str, mut settings: Value, secrets: &Value) -> Answer {
        settings["group"] = self.name.clone().into();
        let body =
            json!({ "channel": channel, "account": account, "name": "旗舰店", "settings": settings, "secrets": secrets });
        self.admin.post("/api/accounts", &body).expect(201)
    }

    /// Connects a WeChat account with these settings in addition to the usual ones.
    #[track_caller]
    pub fn wechat_with(&self, more: &Value) -> Wechat {
        let wechat = Wechat::new(&self.base, &self.name);
        let mut settings = json!({ "app_id": wechat.app_id, "mode": "plain", "api_base": self.platform.url() });
        for (name, value) in more.as_object().unwrap() {
            settings[name] = value.clone();
        }
        let mut secrets = json!({ "token": wechat.token, "app_secret": wechat.app_secret });
        if settings["mode"] != "plain" {
            secrets["encoding_aes_key"] = wechat.aes_key.clone().into();
        }
        self.connect("wechat", settings, &secrets);
        wechat
    }

    /// Connects a WeChat account in plain mode that replies by the API.
    #[track_caller]
    pub fn wechat(&self) -> Wechat {
        self.wechat_with(&json!({}))
    }

    /// Connects the app.
    #[track_caller]
    pub fn app(&self) -> App {
        let app = App::new(&self.base, &self.name);
        let secrets = json!({ "jwt_secret": app.jwt_secret, "body_secret": app.body_secret });
        self.connect("app", json!({}), &secrets);
        app
    }

    /// Connects web chat for pages of these origins.
    #[track_caller]
    pub fn web(&self, origins: &[&str]) -> Web {
        self.connect("webchat", json!({ "origins": origins }), &json!({}));
        Web::new(&self.base, &self.name)
    }

    /// Changes the routing plan, which all shops of a server share.
    #[track_caller]
    pub fn change_plan(&self, change: impl Fn(&mut Value)) {
        until("nobody else changes the plan", || {
            let mut now = self.admin.get("/api/routing/plan").expect(200).json();
            change(&mut now["plan"]);
            let answer = self.admin.put(&format!("/api/routing/plan?base={}", now["version"]), &now["plan"]);
            (answer.code() != "plan_changed").then(|| answer.expect(200))
        });
    }

    /// Makes a call cost no more than a chat, so that one agent can have customers of all channels at once.
    #[track_caller]
    pub fn calls_are_chats(&self) {
        self.change_plan(|plan| plan["costs"]["phone"] = json!({ "units": 1 }));
    }

    /// Hires an agent of the shop's group, offline at first.
    #[track_caller]
    pub fn hire(&self, capacity: i64, more: &Value) -> Agent {
        let mut body = json!({ "name": "小米", "role": "agent", "groups": [self.name], "capacity": capacity });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let made = self.admin.post("/api/agents", &body).expect(201).json();
        let api = self.admin.bearer(made["token"].as_str().unwrap());
        Agent { id: made["id"].as_str().unwrap().to_owned(), api }
    }

    /// Hires an agent who is available.
    #[track_caller]
    pub fn agent(&self, capacity: i64) -> Agent {
        let agent = self.hire(capacity, &json!({}));
        agent.is("available");
        agent
    }

    /// The shop's conversations, oldest first.
    #[track_caller]
    pub fn conversations(&self) -> Vec<Value> {
        let mut all = self.admin.all_after("/api/conversations", &self.before);
        all.retain(|conversation| conversation["account"] == self.name.as_str());
        all
    }

    /// Waits for this many conversations.
    #[track_caller]
    pub fn wait_conversations(&self, n: usize) -> Vec<Value> {
        until("conversations", || Some(self.conversations()).filter(|all| all.len() >= n))
    }

    /// Waits for the shop's only conversation to be in a state, and returns its id.
    #[track_caller]
    pub fn wait_state(&self, state: &str) -> String {
        let found = until(state, || self.conversations().into_iter().find(|c| c["state"] == state));
        found["id"].as_str().unwrap().to_owned()
    }

    /// The present state of a conversation.
    #[track_caller]
    pub fn conversation(&self, id: &str) -> Value {
        self.admin.get(&format!("/api/conversations/{id}")).expect(200).json()
    }

    /// The messages of a conversation.
    #[track_caller]
    pub fn messages(&self, id: &str) -> Vec<Value> {
        self.admin.all(&format!("/api/conversations/{id}/messages"))
    }

    /// The messages of an account, each with its conversation.
    #[track_caller]
    pub fn said_on(&self, channel: &str, account: &str) -> impl Iterator<Item = (String, Value)> {
        let mut all = self.admin.all("/api/conversations");
        all.retain(|c| c["channel"] == channel && c["account"] == account);
        all.into_iter().flat_map(|conversation| {
            let id = conversation["id"].as_str().unwrap().to_owned();
            self.messages(&id).into_iter().map(move |message| (id.clone(), message))
        })
    }

    /// A customer writes on web chat. Returns the conversation and the customer's path.
    pub fn written(&self, text: &str) -> (String, String) {
        self.web(&[]).visitor().say(text);
        let (talk, _) = self.wait_text(text);
        let customer = self.customer(&talk);
        (talk, customer)
    }

    /// The path of a conversation's customer.
    pub fn customer(&self, conversation: &str) -> String {
        format!("/api/customers/{}", self.conversation(conversation)["customer"]["id"].as_str().unwrap())
    }

    /// Waits for a message with this text anywhere in the shop. Returns its conversation and the message.
    #[track_caller]
    pub fn wait_text(&self, text: &str) -> (String, Value) {
        until(text, || {
            self.conversations().iter().find_map(|conversation| {
                let id = conversation["id"].as_str().unwrap().to_owned();
                let message = self.messages(&id).into_iter().find(|m| m["content"]["text"] == text)?;
                Some((id, message))
            })
        })
    }

    /// Waits until a message of a conversation has reached a delivery state, and returns it.
    #[track_caller]
    pub fn wait_delivery(&self, conversation: &str, message: &Value, state: &str) -> Value {
        until(state, || {
            let all = self.messages(conversation);
            all.into_iter().find(|m| m["id"] == message["id"] && m["delivery"]["state"] == state)
        })
    }

    /// The events of the shop's conversations since it was opened.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let mine: Vec<Value> = self.conversations().into_iter().map(|mut c| c["id"].take()).collect();
        let mut events = self.admin.events(self.opened_at);
        events.retain(|event| event.get("conversation").is_some_and(|id| mine.contains(id)));
        events
    }

    /// The number of events of a type in the shop's conversations.
    #[track_caller]
    pub fn count(&self, kind: &str) -> usize {
        self.events().iter().filter(|event| event["type"] == kind).count()
    }
}

/// A member of staff.
#[derive(Clone)]
pub struct Agent {
    pub id: String,
    pub api: Api,
}

impl Agent {
    /// Sets the agent's presence.
    #[track_caller]
    pub fn is(&self, state: &str) -> Value {
        self.api.put(&format!("/api/agents/{}/state", self.id), &json!({ "state": state })).expect(200).json()
    }

    /// The agent as the API shows it.
    #[track_caller]
    pub fn view(&self) -> Value {
        self.api.get(&format!("/api/agents/{}", self.id)).expect(200).json()
    }

    /// Calls an action on a conversation.
    #[track_caller]
    pub fn act(&self, conversation: &str, verb: &str, body: &Value) -> Answer {
        self.api.post(&format!("/api/conversations/{conversation}/{verb}"), body)
    }

    /// Replies. Returns the message.
    #[track_caller]
    pub fn reply(&self, conversation: &str, text: &str) -> Value {
        let body = json!({ "content": { "kind": "text", "text": text }, "undo_secs": 0 });
        self.act(conversation, "messages", &body).expect(201).json()
    }

    /// Closes a conversation.
    #[track_caller]
    pub fn close(&self, conversation: &str) -> Value {
        self.act(conversation, "close", &json!({ "disposition": "resolved" })).expect(200).json()
    }
}
