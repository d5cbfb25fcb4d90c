//! An account's settings in two parts: the router's are checked by type where they are written, and nobody reads the other's.

use crate::world::World;
use serde_json::{Value, json};
use warmline_kernel::ctx::Actor;
use warmline_model::{AccountId, Channel, Role};
use warmline_store::immediate;
use warmline_transport::accounts::{self, Account, Standing};

/// Asks for an account of a channel: the answer's status and body.
fn connect(w: &World, channel: &str, settings: &Value, secrets: &Value) -> (u16, Value) {
    let body = json!({ "channel": channel, "account": "main", "name": "店", "settings": settings, "secrets": secrets });
    let answer = w.admin("POST", "/api/accounts", &body);
    (answer.status, answer.json())
}

#[test]
fn a_setting_of_the_routers_that_is_of_a_wrong_type_is_refused_by_name() {
    let w = World::open();
    let phone = json!({ "signing_secret": "0123456789abcdef" });
    let extensions = "extensions: must be an object that gives each extension the id of an agent: {\"8001\": \"agt_…\"}";
    let group = "group: must be the id of a skill group";
    for (settings, code, field, detail) in [
        (json!({ "group": 7 }), "unknown_group", "settings.group", group),
        (json!({ "group": ["near"] }), "unknown_group", "settings.group", group),
        (json!({ "group": "nowhere" }), "unknown_group", "settings.group", "names no skill group; create the group first"),
        (
            json!({ "most_waiting": "many" }),
            "bad_account",
            "most_waiting",
            "most_waiting: must be a whole number from 1 to 1000000",
        ),
        (json!({ "extensions": "8001" }), "bad_account", "settings.extensions", extensions),
        (json!({ "extensions": [] }), "bad_account", "settings.extensions", extensions),
        (json!({ "extensions": { "8001": 7 } }), "bad_account", "settings.extensions", extensions),
        (
            json!({ "extensions": { "8001": "agt_00000000000070008000000000000001" } }),
            "bad_account",
            "settings.extensions",
            "names no agent; use the agents' ids",
        ),
    ] {
        let (status, problem) = connect(&w, "phone", &settings, &phone);
        let told = (status, &problem["code"], &problem["field"], &problem["detail"]);
        assert_eq!(told, (422, &json!(code), &json!(field), &json!(detail)), "{settings}");
    }
    for dots in [".", "..", "..."] {
        let body = json!({ "channel": "wechat", "account": dots, "name": "店", "settings": {}, "secrets": { "token": "the-token" } });
        assert_eq!(w.admin("POST", "/api/accounts", &body).refused(422, "bad_account")["field"], "account");
    }
    // Where nobody is rung by name, `extensions` is as unknown as ever.
    let twilio = json!({ "provider": "twilio", "account_sid": "AC1", "public_url": "https://x/channels/phone/main", "extensions": {} });
    for (channel, settings, secrets) in [
        ("wechat", json!({ "extensions": {} }), json!({ "token": "the-token" })),
        ("phone", twilio, json!({ "auth_token": "0123456789" })),
    ] {
        let (status, problem) = connect(&w, channel, &settings, &secrets);
        assert_eq!((status, &problem["code"], &problem["field"]), (422, &json!("bad_account"), &json!("extensions")));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("extensions: is not a setting of this channel"), "{detail}");
    }
}

#[test]
fn both_parts_are_written_and_shown_as_one() {
    let w = World::open();
    let agent = w.hire("agent", "near", 9);
    let settings = json!({ "group": "near", "most_waiting": 5, "extensions": { "8001": agent.id }, "max_age_secs": 60 });
    let secrets = json!({ "signing_secret": "0123456789abcdef" });
    let (status, account) = connect(&w, "phone", &settings, &secrets);
    assert_eq!((status, &account["settings"]), (201, &settings));
    let change = json!({ "name": "店", "settings": { "group": "far", "max_age_secs": 70 } });
    let changed = w.admin("PUT", "/api/accounts/phone/main", &change).expect(200);
    assert_eq!(changed["settings"], change["settings"]);
    let health = w.admin("GET", "/api/accounts/phone/main/health", &Value::Null).expect(200);
    assert_eq!(health["unfit"], Value::Null);
}

#[test]
fn a_setting_of_the_routers_from_another_version_is_passed_over_and_the_accounts_health_says_so() {
    let w = World::open();
    let connect = |id: &str, settings: Value| {
        let account = Account {
            channel: Channel::new("wechat").unwrap(),
            account: AccountId::new(id).unwrap(),
            name: "店".into(),
            settings,
            secrets: [("token".to_owned(), "the-token".to_owned())].into(),
            created_at: w.ctx().now(),
            standing: Standing::default(),
        };
        let by = Actor { agent: None, role: Role::Admin };
        immediate(&w.db, || accounts::create(&w.ctx(), &by, &account, &[])).unwrap();
        w.admin("GET", &format!("/api/accounts/wechat/{id}/health"), &Value::Null).expect(200)
    };
    let odd = connect("odd", json!({ "group": 7, "most_waiting": 5, "new_sessions_per_minute": 3 }));
    assert_eq!(odd["unfit"], json!({ "field": "group", "problem": "must be the id of a skill group" }));
    assert_eq!(odd["conversations"]["most_waiting"], 5, "it costs no other setting");
    // A fault that stops the account is reported first.
    let stopped = connect("stopped", json!({ "group": 7, "modus": 1 }));
    assert_eq!(stopped["unfit"]["field"], "modus");
}
