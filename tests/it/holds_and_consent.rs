//! Legal holds and records of consent, through the real components.

use crate::harness::Shop;
use serde_json::{Value, json};

#[test]
fn a_hold_is_the_administrators_and_shows() {
    let shop = Shop::open();
    let (_, customer) = shop.written("我要起诉你们");
    let path = format!("{customer}/hold");
    let supervisor = shop.hire(1, &json!({ "role": "supervisor" })).api;
    supervisor.put(&path, &json!({ "reason": "court" })).refused(403, "role_not_allowed");
    shop.admin.put(&path, &json!({ "reason": "because" })).refused(422, "invalid_field");
    shop.admin.put(&path, &json!({ "reason": "court", "reference": "王先生" })).refused(422, "bad_code");
    let held = shop.admin.put(&path, &json!({ "reason": "court", "reference": "case-7" })).expect(200).json();
    assert_eq!((&held["hold"]["reason"], &held["hold"]["reference"]), (&json!("court"), &json!("case-7")));
    assert_eq!(supervisor.get(&customer).expect(200).json()["hold"], held["hold"]);
    supervisor.delete(&path).refused(403, "role_not_allowed");
    for _ in 0..2 {
        assert_eq!(shop.admin.delete(&path).expect(200).json()["hold"], Value::Null);
    }
    let id = customer.rsplit('/').next().unwrap();
    let log = shop.admin.all("/api/audit");
    let of: Vec<_> = log.iter().filter(|e| e["customer"] == id).map(|e| (&e["action"], &e["reason"])).collect();
    assert_eq!(
        of[of.len() - 2..],
        [(&json!("hold.placed"), &json!("court/case-7")), (&json!("hold.lifted"), &json!("court"))]
    );
}

#[test]
fn consent_is_kept_with_its_withdrawal() {
    let shop = Shop::open();
    let (_, customer) = shop.written("可以给我发优惠");
    let path = format!("{customer}/consents");
    let say = |given: bool, version: &str| {
        let body = json!({ "purpose": "marketing", "version": version, "given": given, "source": "webchat" });
        shop.admin.post(&path, &body).expect(201).json()
    };
    assert_eq!(shop.admin.get(&path).expect(200).json(), json!({ "stands": [], "items": [] }));
    assert_eq!(say(true, "v1")["stands"][0]["given"], true);
    let told = say(false, "v2");
    assert_eq!((&told["stands"][0]["given"], &told["stands"][0]["version"]), (&json!(false), &json!("v2")));
    let page = shop.admin.get(&format!("{path}?limit=1")).expect(200).json();
    let rest = shop.admin.get(&format!("{path}?limit=1&after={}", page["next"].as_str().unwrap())).expect(200).json();
    assert_eq!((&page["items"][0]["given"], &rest["items"][0]["given"]), (&json!(false), &json!(true)));
    let wrong = |body: Value, code: &str| shop.admin.post(&path, &body).refused(422, code);
    wrong(json!({ "purpose": "给王先生", "version": "v1", "given": true }), "bad_code");
    wrong(json!({ "purpose": "marketing", "version": "v1", "given": true, "source": "pigeon" }), "unknown_channel");
}
