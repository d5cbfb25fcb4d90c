//! The worklist, drafts and presence as the API serves them: who sees what, what each bad request gets, and what a stream tells.

use crate::world::{Answer, Staff, World, request};
use serde_json::{Value, json};
use warmline_model::IdentifierKind;

const NONE: Value = Value::Null;

/// A world with two agents of `near` and one of `far`, a supervisor, and three customers: two wait for `near`, one for `far`.
fn world() -> (World, [Staff; 4]) {
    let w = World::open();
    let staff =
        [w.hire("agent", "near", 1), w.hire("agent", "near", 1), w.hire("agent", "far", 9), w.hire("supervisor", "near", 0)];
    for (on, who, text) in
        [("app", "a", "米里有虫子"), ("app", "b", "什么时候发货"), ("app", "c", "在吗"), ("email", "w@x", "开发票")]
    {
        w.says(on, who, &[(IdentifierKind::Phone, "+8613800004711", false)], text);
    }
    (w, staff)
}

fn list(w: &World, by: &Staff, query: &str) -> Value {
    w.call(&by.token, "GET", &format!("/api/worklist{query}"), &NONE).expect(200)
}

fn rows(list: &Value) -> &Vec<Value> {
    list["items"].as_array().unwrap()
}

/// What a stream sends within its time.
fn stream(w: &World, token: &str, query: &str) -> Answer {
    let mut request = request(token, "GET", &format!("/api/events?{query}"), Vec::new());
    request.headers.insert("accept", "text/event-stream".parse().unwrap());
    w.send(&request)
}

fn events<'a>(stream: &'a str, kind: &str) -> Vec<Value> {
    let head = format!("event: {kind}\ndata: ");
    let data = |at: usize| -> &'a str { stream[at + head.len()..].lines().next().unwrap() };
    stream.match_indices(&head).map(|(at, _)| serde_json::from_str(data(at)).unwrap()).collect()
}

#[test]
fn each_sees_what_they_may_and_counts_are_what_the_list_shows() {
    let (w, [one, two, far, boss]) = world();
    for by in [&one, &two] {
        let mine = list(&w, by, "");
        assert_eq!(
            mine["counts"],
            json!({ "mine": 1, "unanswered": 1, "queue": 1, "snoozed": 0, "mentions": 0, "approvals": 0, "all": 3 })
        );
        let row = &rows(&mine)[0];
        assert_eq!((&row["agent"], &row["readable"], &row["unread"]), (&json!(by.id), &json!(true), &json!(1)));
        assert!(row["last"]["text"].is_string() && row["views"] == json!(["mine", "unanswered"]), "{row}");
        let all = list(&w, by, "?view=all&sort=waiting");
        let others: Vec<&Value> = rows(&all).iter().filter(|row| row["readable"] == json!(false)).collect();
        assert_eq!((rows(&all).len(), others.len()), (3, 1));
        for field in ["customer", "last", "tags", "case", "why", "left"] {
            assert!(others[0].get(field).is_none(), "{field}: {}", others[0]);
        }
        let queued = list(&w, by, "?view=queue");
        assert_eq!((rows(&queued).len(), &rows(&queued)[0]["last"]["text"]), (1, &json!("在吗")));
    }
    let own = list(&w, &far, "?view=all");
    assert_eq!((rows(&own).len(), &rows(&own)[0]["channel"]), (1, &json!("email")));
    let all = list(&w, &boss, "?view=all");
    assert_eq!(
        all["counts"],
        json!({ "mine": 0, "unanswered": 4, "queue": 1, "snoozed": 0, "mentions": 0, "approvals": 0, "all": 4 })
    );
    assert!(rows(&all).iter().all(|row| row["readable"] == json!(true)));
    assert_eq!(rows(&list(&w, &boss, "?view=all&group=far")).len(), 1);
    assert_eq!(list(&w, &boss, "?view=all&channel=app")["counts"]["all"], json!(3));
    assert_eq!(rows(&list(&w, &boss, "?view=all&q=%E8%99%AB%E5%AD%90")).len(), 1, "by the last words");
    let id = rows(&all)[0]["id"].as_str().unwrap();
    assert_eq!(rows(&list(&w, &boss, &format!("?view=all&q={id}"))).len(), 1, "by the id");
    assert_eq!(rows(&list(&w, &one, "?view=all&q=%E5%8F%91%E7%A5%A8")).len(), 0, "of others nothing is found");
    assert_eq!(rows(&list(&w, &boss, "?view=all&q=%3F%EF%BC%81")).len(), 0, "signs alone find nothing");
    let customer = rows(&list(&w, &one, ""))[0]["customer"]["id"].as_str().unwrap().to_owned();
    w.admin("PUT", &format!("/api/customers/{customer}/tags"), &json!({ "tags": ["团购"] })).expect(200);
    let tag = "&tag=%E5%9B%A2%E8%B4%AD";
    assert_eq!(list(&w, &one, &format!("?view=all{tag}"))["counts"]["all"], json!(1));
    assert_eq!(
        list(&w, &two, &format!("?view=all{tag}"))["counts"]["all"],
        json!(0),
        "of a colleague's customer no tag is told"
    );
    assert_eq!(rows(&list(&w, &boss, &format!("?view=all{tag}")))[0]["tags"], json!(["团购"]));
}

#[test]
fn one_read_is_one_audit_entry_with_its_customers() {
    let (w, [one, _, far, boss]) = world();
    let entries = || {
        let log = w.admin("GET", "/api/audit?limit=200", &NONE).expect(200);
        let of = |e: &&Value| e["action"] == "conversations.worklist_read";
        log["items"].as_array().unwrap().iter().filter(of).cloned().collect::<Vec<Value>>()
    };
    list(&w, &boss, "?view=all");
    let read = entries();
    assert_eq!((read.len(), read[0]["customers"].as_array().unwrap().len()), (1, 4));
    list(&w, &one, "");
    assert_eq!(entries()[1]["customers"].as_array().unwrap().len(), 1);
    // Nothing personal was shown.
    list(&w, &far, "?view=mentions");
    list(&w, &far, "?view=all&channel=app");
    assert_eq!(entries().len(), 2);
    let check = w.admin("GET", "/api/audit/check", &NONE);
    assert!(check.status == 200 || check.status == 404, "{}", check.text());
}

#[test]
fn bad_questions_have_codes() {
    let (w, [one, ..]) = world();
    let refused = |query: &str, code: &str| {
        w.call(&one.token, "GET", &format!("/api/worklist?{query}"), &NONE).refused(400, code);
    };
    for query in ["view=inbox", "view=", "sort=oldest", "channel=No%20such", "group=%00", "tag=", "q=", "q=%20"] {
        refused(query, "bad_parameter");
    }
    refused(&format!("q={}", "x".repeat(65)), "bad_parameter");
    refused(&format!("q={}", "x".repeat(10_000)), "bad_parameter");
    for after in ["x", "1.2", "1.2.3", "1.2.3.4", "-.-.-"] {
        refused(&format!("after={after}"), "bad_cursor");
    }
    for limit in ["0", "501", "x"] {
        refused(&format!("limit={limit}"), "bad_limit");
    }
    refused("views=mine", "unknown_parameter");
    for (role, status) in [("ops", 403), ("privacy", 403)] {
        let staff = w.hire(role, "near", 0);
        assert_eq!(w.call(&staff.token, "GET", "/api/worklist", &NONE).status, status);
    }
    w.call("", "GET", "/api/worklist", &NONE).refused(401, "token_missing");
    w.call(&one.token, "GET", "/api/events?worklist=1.1", &NONE).refused(400, "bad_parameter");
    for wrong in ["x", "1", "-1.2", "1.2.3"] {
        stream(&w, &one.token, &format!("worklist={wrong}")).refused(400, "bad_parameter");
    }
    let ops = w.hire("ops", "near", 0);
    stream(&w, &ops.token, "worklist=now").refused(403, "forbidden");
}

#[test]
fn a_draft_and_presence_belong_to_a_member_of_staff() {
    let (w, [one, two, _, boss]) = world();
    let mine = list(&w, &one, "");
    let talk = format!("/api/conversations/{}", rows(&mine)[0]["id"].as_str().unwrap());
    let draft = format!("{talk}/draft");
    let saved = w.call(&one.token, "PUT", &draft, &json!({ "text": "您好，" })).expect(200);
    assert_eq!(saved, json!({ "version": 1, "overwritten": false }));
    assert_eq!(rows(&list(&w, &one, ""))[0]["draft"], json!(true));
    assert_eq!(rows(&list(&w, &boss, "?view=all"))[0]["draft"], json!(false), "only one's own draft is marked");
    let shown = w.call(&one.token, "GET", &draft, &NONE).expect(200);
    assert_eq!((&shown["drafts"][0]["text"], &shown["drafts"][0]["mode"]), (&json!("您好，"), &json!("reply")));
    let many = "长".repeat(350_000);
    w.call(&one.token, "PUT", &draft, &json!({ "text": many })).refused(413, "text_too_long");
    w.call(&one.token, "PUT", &draft, &json!({ "text": "x", "mode": "mail" })).refused(422, "invalid_body");
    w.call(&two.token, "PUT", &draft, &json!({ "text": "x" })).refused(404, "not_found");
    w.call(&two.token, "GET", &draft, &NONE).refused(404, "not_found");
    w.admin("PUT", &draft, &json!({ "text": "x" })).refused(403, "forbidden");
    w.admin("GET", &draft, &NONE).refused(403, "forbidden");
    let gone = w.call(&one.token, "PUT", &draft, &json!({ "text": "" })).expect(200);
    assert_eq!(gone, json!({ "version": null, "overwritten": false }));
    let presence = format!("{talk}/presence");
    let alone = w.call(&one.token, "PUT", &presence, &json!({ "doing": "typing", "seen": 1 })).expect(200);
    assert_eq!((&alone["present"], &rows(&list(&w, &one, ""))[0]["unread"]), (&json!([]), &json!(0)));
    let there = w.call(&boss.token, "GET", &presence, &NONE).expect(200);
    assert_eq!((&there["present"][0]["agent"], &there["present"][0]["doing"]), (&json!(one.id), &json!("typing")));
    assert_eq!(there["present"][0]["name"], json!("小米"));
    w.call(&one.token, "DELETE", &presence, &NONE).expect(200);
    assert_eq!(w.call(&boss.token, "GET", &presence, &NONE).expect(200)["present"], json!([]));
    w.call(&two.token, "PUT", &presence, &json!({ "doing": "viewing" })).refused(404, "not_found");
    w.call(&one.token, "PUT", &presence, &json!({ "doing": "sleeping" })).refused(422, "invalid_body");
    w.admin("PUT", &presence, &json!({ "doing": "viewing" })).refused(403, "forbidden");
}

#[test]
fn a_stream_tells_what_changes_and_where_to_go_on() {
    let (w, [one, two, _, boss]) = world();
    let before = list(&w, &one, "?view=all");
    let cursor = before["cursor"].as_str().unwrap();
    let id = rows(&list(&w, &one, ""))[0]["id"].as_str().unwrap().to_owned();
    let note = json!({ "text": "请看", "mentions": [two.id] });
    w.call(&one.token, "POST", &format!("/api/conversations/{id}/notes"), &note).expect(201);
    w.call(&boss.token, "PUT", &format!("/api/conversations/{id}/presence"), &json!({ "doing": "typing" })).expect(200);
    let told = stream(&w, &one.token, &format!("after=999999&worklist={cursor}")).text();
    let changes = events(&told, "worklist");
    let row = &changes[0]["rows"][0];
    assert_eq!((&row["id"], &row["last"]["kind"], &row["last"]["text"]), (&json!(id), &json!("note"), &json!("请看")));
    let there = events(&told, "presence");
    assert_eq!((&there[0]["conversation"], &there[0]["present"][0]["agent"]), (&json!(id), &json!(boss.id)));
    // From where it was cut nothing comes twice.
    let last = changes.last().unwrap()["cursor"].as_str().unwrap().to_owned();
    assert!(events(&stream(&w, &one.token, &format!("after=999999&worklist={last}")).text(), "worklist").is_empty());
    let of_two = stream(&w, &two.token, &format!("after=999999&worklist={cursor}")).text();
    assert_eq!(events(&of_two, "worklist")[0]["rows"][0]["views"], json!(["mentions"]));
    // The log itself goes on beside it, and those who do not follow the worklist get none of it.
    assert!(told.contains(": connected"));
    assert!(events(&stream(&w, &one.token, "after=0").text(), "worklist").is_empty());
    let entries = w.admin("GET", "/api/audit?limit=200", &NONE).expect(200);
    let followed = entries["items"].as_array().unwrap().iter().filter(|e| e["action"] == "conversations.worklist_followed");
    assert_eq!(followed.count(), 3);
}

#[test]
fn what_is_put_off_is_in_its_view_and_wakes_when_it_is_wanted() {
    let (w, [one, two, _, boss]) = world();
    let id = rows(&list(&w, &one, ""))[0]["id"].as_str().unwrap().to_owned();
    let snooze = format!("/api/conversations/{id}/snooze");
    for until in ["2001-01-01T00:00:00Z", "2101-01-01T00:00:00Z"] {
        w.call(&one.token, "POST", &snooze, &json!({ "until": until })).refused(422, "bad_time");
    }
    w.call(&one.token, "DELETE", &snooze, &NONE).refused(409, "not_snoozed");
    w.call(&two.token, "POST", &snooze, &NONE).refused(404, "not_found");
    let shown = w.call(&one.token, "POST", &snooze, &NONE).expect(200);
    assert_eq!(shown["snoozed"], json!({ "agent": one.id, "until": null, "orders": false }));
    // The one who waited has the seat now.
    let mine = list(&w, &one, "");
    assert_eq!(
        (&mine["counts"]["mine"], &mine["counts"]["snoozed"], &mine["counts"]["queue"]),
        (&json!(1), &json!(1), &json!(0))
    );
    let put_off = list(&w, &one, "?view=snoozed");
    let row = &rows(&put_off)[0];
    assert_eq!((&row["id"], &row["views"], &row["snoozed"]["agent"]), (&json!(id), &json!(["snoozed"]), &json!(one.id)));
    let seen_by_two = list(&w, &two, "?view=all");
    let theirs = rows(&seen_by_two).iter().find(|row| row["id"] == json!(id)).unwrap();
    assert_eq!((&theirs["readable"], theirs.get("snoozed")), (&json!(false), None));
    w.call(&two.token, "DELETE", &snooze, &NONE).refused(404, "not_found");
    // The agent has no room for it meanwhile; for a supervisor it goes to the group.
    w.call(&one.token, "DELETE", &snooze, &NONE).refused(409, "agent_full");
    let woken = w.call(&boss.token, "DELETE", &snooze, &NONE).expect(200);
    assert_eq!((&woken["state"], woken.get("snoozed")), (&json!("queued"), None));
}
