//! The document: which policy counts, and the faults that its check names.

use proptest::prelude::*;
use serde_json::{Value, json};
use warmline_deadlines::policy::{Document, Facts, Ready};
use warmline_model::{AccountId, Channel, GroupId};

fn good() -> Value {
    json!({
        "zone": { "minutes": 480 },
        "calendars": [{ "name": "office", "hours": { "week": [{ "days": ["mon"], "from": "09:00", "to": "18:00" }] } }],
        "policies": [
            { "name": "vip", "when": { "vip": true }, "calendar": "office",
              "targets": { "first_reply": { "seconds": 60 } }, "warn": [{ "percent": 80 }],
              "escalate": [{ "minutes": 5, "role": "supervisor" }] },
            { "name": "rest", "targets": { "resolution": { "seconds": 3600, "human_only": false } },
              "pause": { "waiting_on_customer_seconds": 60 } },
        ],
        "platform": [{ "formula": "doudian.3min.v1", "channel": "doudian", "seconds": 180, "from": "08:00", "to": "23:00" }],
    })
}

fn check(document: &Value) -> Result<(), (String, String)> {
    let document: Document = serde_json::from_value(document.clone()).unwrap();
    document.check().map_err(|fault| {
        assert!(fault.detail.len() > 8, "{fault}");
        (fault.code.to_owned(), fault.path)
    })
}

#[test]
fn every_fault_is_named_with_its_place() {
    assert_eq!(check(&good()), Ok(()));
    assert_eq!(check(&json!({})), Ok(()));
    let rest = json!({ "name": "rest", "targets": { "first_reply": { "seconds": 1 } } });
    for (pointer, value, code, path) in [
        ("/zone/minutes", json!(900), "bad_zone", "zone.minutes"),
        ("/calendars/0/name", json!(""), "bad_name", "calendars[0].name"),
        ("/calendars/0/name", json!(" office"), "bad_name", "calendars[0].name"),
        ("/calendars/0/name", json!("x".repeat(65)), "bad_name", "calendars[0].name"),
        ("/calendars/0/name", json!("other"), "unknown_calendar", "policies[0].calendar"),
        ("/calendars/0/hours/week", json!([]), "calendar_never_open", "calendars[0].hours.week"),
        ("/calendars/0/hours/week/0/to", json!("08:00"), "bad_hours", "calendars[0].hours.week[0]"),
        ("/policies/0/calendar", json!("Office"), "unknown_calendar", "policies[0].calendar"),
        ("/policies/0/targets", json!({}), "no_target", "policies[0].targets"),
        ("/policies/0/targets/first_reply/seconds", json!(0), "bad_seconds", "policies[0].targets.first_reply.seconds"),
        ("/policies/0/targets/first_reply/seconds", json!(-5), "bad_seconds", "policies[0].targets.first_reply.seconds"),
        (
            "/policies/0/targets/first_reply/seconds",
            json!(31_622_401),
            "bad_seconds",
            "policies[0].targets.first_reply.seconds",
        ),
        (
            "/policies/0/targets/first_reply/seconds",
            json!(i64::MAX),
            "bad_seconds",
            "policies[0].targets.first_reply.seconds",
        ),
        (
            "/policies/0/targets/first_reply/consequence",
            json!("Fine!"),
            "bad_code",
            "policies[0].targets.first_reply.consequence",
        ),
        ("/policies/0/warn/0/percent", json!(0), "bad_percent", "policies[0].warn[0].percent"),
        ("/policies/0/warn/0/percent", json!(100), "bad_percent", "policies[0].warn[0].percent"),
        ("/policies/0/warn/0", json!({}), "bad_warning", "policies[0].warn[0]"),
        ("/policies/0/warn/0", json!({ "percent": 5, "minutes": 5 }), "bad_warning", "policies[0].warn[0]"),
        ("/policies/0/warn/0", json!({ "minutes": -1 }), "bad_minutes", "policies[0].warn[0].minutes"),
        ("/policies/0/warn", json!(vec![json!({ "percent": 5 }); 9]), "too_many", "policies[0]"),
        ("/policies/0/escalate/0", json!({ "minutes": 5 }), "bad_escalation", "policies[0].escalate[0]"),
        ("/policies/0/escalate/0/group", json!("leads"), "bad_escalation", "policies[0].escalate[0]"),
        ("/policies/0/escalate/0/minutes", json!(44_641), "bad_minutes", "policies[0].escalate[0].minutes"),
        ("/policies/0/when/tags", json!(["", "a"]), "bad_name", "policies[0].when.tags[0]"),
        ("/policies/0/when/priority", json!(2_000), "bad_minutes", "policies[0].when.priority"),
        ("/policies/0/when/kinds", json!(vec!["a"; 201]), "too_many", "policies[0].when"),
        ("/policies/0/head_start_minutes", json!(-1), "bad_minutes", "policies[0].head_start_minutes"),
        ("/policies/1/name", json!("vip"), "duplicate_name", "policies[1].name"),
        ("/policies/1/name", json!("a\nb"), "bad_name", "policies[1].name"),
        (
            "/policies/1/pause/waiting_on_customer_seconds",
            json!(0),
            "bad_seconds",
            "policies[1].pause.waiting_on_customer_seconds",
        ),
        ("/policies/0/when", json!({}), "policy_unreachable", "policies[1]"),
        ("/policies", Value::Array(vec![rest; 201]), "too_many", "policies"),
        ("/platform/0/seconds", json!(0), "bad_seconds", "platform[0].seconds"),
        ("/platform/0/warn_seconds", json!(-1), "bad_seconds", "platform[0].warn_seconds"),
        ("/platform/0/formula", json!("3 min"), "bad_name", "platform[0].formula"),
        ("/platform/0/to", json!("08:00"), "bad_window", "platform[0].to"),
        ("/promise_calendar", json!("nowhere"), "unknown_calendar", "promise_calendar"),
    ] {
        let mut bad = good();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let place =
            if parent.is_empty() { &mut bad } else { bad.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}")) };
        match place {
            Value::Array(list) => list[field.parse::<usize>().unwrap()] = value,
            place => place[field] = value,
        }
        assert_eq!(check(&bad), Err((code.to_owned(), path.to_owned())), "{pointer}");
    }
    let mut twice = good();
    let clock = twice["platform"][0].clone();
    twice["platform"] = json!([clock, clock]);
    assert_eq!(check(&twice), Err(("duplicate_name".to_owned(), "platform[1].formula".to_owned())));
    for unknown in [json!({ "policy": [] }), json!({ "policies": [{ "name": "a", "targets": { "first": 1 } }] })] {
        assert!(serde_json::from_value::<Document>(unknown).is_err());
    }
}

#[test]
fn the_first_policy_that_matches_counts() {
    let document = json!({ "policies": [
        { "name": "group", "when": { "groups": ["a", "b"] }, "targets": { "first_reply": { "seconds": 1 } } },
        { "name": "shop", "when": { "channels": ["web"], "accounts": ["shop"] }, "targets": { "first_reply": { "seconds": 1 } } },
        { "name": "web", "when": { "channels": ["web"] }, "targets": { "first_reply": { "seconds": 1 } } },
        { "name": "gold", "when": { "tags": ["gold", "vip"] }, "targets": { "first_reply": { "seconds": 1 } } },
        { "name": "vip", "when": { "vip": true }, "targets": { "first_reply": { "seconds": 1 } } },
        { "name": "urgent", "when": { "priority": 10 }, "targets": { "first_reply": { "seconds": 1 } } },
        { "name": "returns", "when": { "kinds": ["return"] }, "targets": { "first_reply": { "seconds": 1 } } },
        { "name": "plain", "when": { "vip": false, "priority": 0 }, "targets": { "first_reply": { "seconds": 1 } } },
    ] });
    let document: Document = serde_json::from_value(document).unwrap();
    document.check().unwrap();
    let ready = Ready::new(document, 1);
    let none = Facts::default;
    let (channel, account) = (Channel::new("web").ok(), AccountId::new("shop").ok());
    for (facts, name) in [
        (Facts { group: GroupId::new("b").ok(), channel: channel.clone(), ..none() }, Some("group")),
        (
            Facts { group: GroupId::new("c").ok(), channel: channel.clone(), account: account.clone(), ..none() },
            Some("shop"),
        ),
        (Facts { channel, ..none() }, Some("web")),
        (Facts { account, tags: vec!["silver".into(), "gold".into()], ..none() }, Some("gold")),
        (Facts { vip: true, priority: 99, ..none() }, Some("vip")),
        (Facts { priority: 10, ..none() }, Some("urgent")),
        (Facts { priority: 9, kind: Some("return".into()), ..none() }, Some("returns")),
        (none(), Some("plain")),
        (Facts { priority: -1, ..none() }, None),
    ] {
        assert_eq!(ready.choose(&facts).map(|policy| policy.name.as_str()), name, "{facts:?}");
    }
}

#[test]
fn a_document_comes_back_as_it_was_written() {
    let document: Document = serde_json::from_value(good()).unwrap();
    let text = serde_json::to_string(&document).unwrap();
    assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), document);
    let usual: Vec<_> = Document::default().platform.iter().map(|clock| clock.formula.clone()).collect();
    assert_eq!(usual, ["doudian.3min.v1", "taobao.3min.v1", "pinduoduo.3min.v1"]);
    assert_eq!(serde_json::from_str::<Document>(r#"{"platform":[]}"#).unwrap().platform, []);
}

proptest! {
    #[test]
    fn no_document_panics(numbers in proptest::collection::vec(any::<i64>(), 8), text in ".{0,6}") {
        let n = |i: usize| numbers[i];
        let document = json!({
            "zone": { "minutes": n(0) },
            "calendars": [{ "name": text, "zone": { "minutes": n(1) }, "hours": { "week": [], "dates": [{ "date": text }] } }],
            "policies": [{ "name": text, "when": { "priority": n(2) }, "targets": { "resolution": { "seconds": n(3) } },
                "calendar": text, "warn": [{ "percent": n(4) }, { "minutes": n(5) }], "escalate": [{ "minutes": n(6) }],
                "pause": { "waiting_on_customer_seconds": n(7) }, "head_start_minutes": n(0) }],
        });
        let document: Document = serde_json::from_value(document).unwrap();
        let _ = document.check();
        // A document that nobody checked does no harm either.
        let books = warmline_deadlines::clock::Books::of(Ready::new(document, 1));
        let mut track = warmline_deadlines::clock::Track::new(warmline_model::ConversationId::from_bytes(&[1; 16]).unwrap());
        for input in ["c", "w", "c", "p"] {
            let input = match input {
                "c" => warmline_deadlines::clock::Input::Customer(None),
                "w" => warmline_deadlines::clock::Input::WaitingOnCustomer,
                _ => warmline_deadlines::clock::Input::Passed,
            };
            let at = warmline_model::Timestamp::from_millis(n(1));
            let facts = Facts { priority: i64::MAX, ..Facts::default() };
            warmline_deadlines::clock::fold(&mut track, &books, &warmline_deadlines::clock::Entry { at, input, facts });
        }
        for d in &track.deadlines {
            prop_assert!(d.due_at.unwrap() >= d.starts_at);
            let _ = warmline_deadlines::look::looks(d, &books, 0);
        }
    }
}
