//! A made-up capability with a table, two routes, a follower, a due step, a figure, a gauge and personal data. Its own
//! value alone takes it through everything that the product does with a capability.

use crate::common::World;
use crate::{all, close, log};
use serde::Serialize;
use std::io::Read as _;
use warmline_compliance::{COMPLIANCE, erase, retention};
use warmline_conversations::CONVERSATIONS;
use warmline_customers::{CUSTOMERS, hold};
use warmline_endpoint::capability::{Capability, Due, Follower};
use warmline_endpoint::route::{Access, Answer, Call, Piece, Reply, Route, STAFF, Verb, dispatch, schema};
use warmline_endpoint::{Problem, Request, Response};
use warmline_kernel::ctx::Actor;
use warmline_kernel::installed::{Installed, NOTHING, ReadGauges};
use warmline_kernel::personal::{Days, Erased, Exported, Hooks, Keeping, Personal, Retain};
use warmline_kernel::{Ctx, StepError, sealing};
use warmline_metrics::steps as metrics;
use warmline_model::figure::{Figure, Gauge};
use warmline_model::{CustomerId, EventBody, Role, Scope};
use warmline_store::migrate::{Migrations, migrate_all};
use warmline_store::{StoreError, Value, events, followers, immediate};

/// Thank-you cards: one for each conversation that ended, and those that staff write.
const CARDS: Capability = Capability {
    name: "cards",
    migrations: &[
        "CREATE TABLE cards (n INTEGER PRIMARY KEY, customer_id BLOB NOT NULL, text BLOB NOT NULL, at INTEGER NOT NULL) STRICT;\n\
                  CREATE INDEX cards_customer ON cards (customer_id);\nCREATE INDEX cards_at ON cards (at);\n",
    ],
    routes: &[ROUTES],
    follower: Some(Follower { component: "router", path: "", step: follow }),
    due: &[Due { name: "cards", step: |ctx| Ok(vec![("cards", count(ctx)?)]) }],
    personal: Personal::Kept(Hooks {
        begin: |_, _| Ok(()),
        erase: Some(|ctx, customer| {
            let gone = ctx.db.execute("DELETE FROM cards WHERE customer_id = ?1 RETURNING 1", &[id(customer)])?;
            Ok(Erased { messages: i64::try_from(gone.len()).unwrap(), more: false })
        }),
        export: |ctx, person, after| match after {
            Some(_) => Ok(None),
            None => {
                let cards = of(ctx, person)?;
                Exported::json("cards", cards.len(), &cards, None).map(Some)
            }
        },
        retain: Retain {
            days: &[Days { name: "cards_days", meaning: "Cards: 1 to 3650 days.", least: 1, usual: 5 }],
            step: |ctx, keeping| {
                let until = Keeping::before(ctx.now(), keeping.days("cards_days"));
                let mut gone = 0;
                for row in
                    ctx.db.execute("SELECT n, customer_id FROM cards WHERE at <= ?1 ORDER BY at LIMIT 9", &[until.into()])?
                {
                    let customer = CustomerId::from_bytes(row.blob(1)?).map_err(|_| StoreError::Shape(1))?;
                    if hold::check(ctx, customer).is_ok() {
                        ctx.db.execute("DELETE FROM cards WHERE n = ?1", &[row.int(0)?.into()])?;
                        gone += 1;
                    }
                }
                Ok(vec![("cards_removed", gone)])
            },
        },
    }),
    figures: &[Figure {
        id: "cards.written.v1",
        meaning: "cards written",
        counts: |event| matches!(&event.body, EventBody::Unknown { kind, .. } if kind == "cards.written").then(String::new),
    }],
    gauges: |ctx| Ok(vec![Gauge::new("warmline_cards", "cards", count(ctx)?)]),
};

const ROUTES: &[Route] = &[
    Route::get(
        "/api/customers/{id}/cards",
        "Lists cards.",
        Access::Token(STAFF, Scope::Customers),
        Answer::Json(schema::<Vec<String>>),
        list,
    ),
    Route::change(
        Verb::Post,
        "/api/customers/{id}/cards",
        "Writes a card.",
        Access::Token(STAFF, Scope::Customers),
        schema::<Vec<String>>,
        |call| {
            write(&call.ctx, call.id(0, "customer")?, "by hand")?;
            list(call)
        },
    ),
];

fn list(call: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(200, &of(&call.ctx, call.id(0, "customer")?)?))
}

/// The capability's own event.
#[derive(Serialize)]
#[serde(tag = "type", content = "data")]
enum Written {
    #[serde(rename = "cards.written")]
    Written { customer: CustomerId },
}

fn id(customer: CustomerId) -> Value {
    customer.as_bytes().into()
}

fn count(ctx: &Ctx<'_>) -> Result<i64, StepError> {
    Ok(ctx.db.first("SELECT count(*) FROM cards WHERE at > 0", &[])?.unwrap().int(0)?)
}

fn write(ctx: &Ctx<'_>, customer: CustomerId, text: &str) -> Result<(), StepError> {
    let sealed = sealing::customer_key(ctx, customer)?.seal(b"card", text.as_bytes(), ctx.rng)?;
    ctx.db.execute(
        "INSERT INTO cards (customer_id, text, at) VALUES (?1, ?2, ?3)",
        &[id(customer), sealed.into(), ctx.now().into()],
    )?;
    Ok(events::append(ctx.db, ctx.now(), None, &Written::Written { customer })?)
}

fn of(ctx: &Ctx<'_>, customer: CustomerId) -> Result<Vec<String>, StepError> {
    let key = sealing::customer_key(ctx, customer)?;
    let rows = ctx.db.execute("SELECT text FROM cards WHERE customer_id = ?1 ORDER BY n", &[id(customer)])?;
    rows.iter().map(|row| Ok(String::from_utf8(key.open(b"card", row.blob(0)?)?).unwrap())).collect()
}

/// Writes a card for each conversation that ended.
fn follow(ctx: &Ctx<'_>) -> Result<bool, StepError> {
    let from = followers::position(ctx.db, "cards")?;
    let batch = events::after(ctx.db, from, 50)?;
    let Some(last) = batch.last().map(|event| event.seq) else { return Ok(false) };
    immediate(ctx.db, || {
        for event in &batch {
            if let (EventBody::ConversationClosed { .. }, Some(conversation)) = (&event.body, event.conversation) {
                let closed = warmline_store::conversations::get(ctx.db, conversation)?.unwrap();
                write(ctx, closed.customer, "thank you")?;
            }
        }
        Ok::<_, StepError>(followers::advance(ctx.db, "cards", last)?)
    })?;
    Ok(batch.len() == 50)
}

static PERSONAL: [Personal; 3] = [CUSTOMERS.personal, CONVERSATIONS.personal, CARDS.personal];
static FIGURES: [&[Figure]; 1] = [CARDS.figures];
static GAUGES: [ReadGauges; 1] = [CARDS.gauges];

static INSTALLED: Installed = Installed {
    names: &["customers", "conversations", "deadlines", "hooks", "cards"],
    personal: &PERSONAL,
    figures: &FIGURES,
    gauges: &GAUGES,
};

fn ctx(w: &World) -> Ctx<'_> {
    Ctx { installed: &INSTALLED, ..w.ctx() }
}

fn asked(w: &World, method: http::Method, path: String) -> Reply {
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", "Bearer t".parse().unwrap());
    let request = Request { method, path, query: String::new(), headers, body: Vec::new() };
    let routes = CARDS.routes.iter().chain(COMPLIANCE.routes).copied().flatten();
    match dispatch(&ctx(w), "t", &request, "desk", routes).0 {
        Ok(reply) => reply,
        Err(problem) => panic!("{}: {}", problem.code, problem.detail),
    }
}

fn cards(w: &World, customer: CustomerId) -> Vec<String> {
    match asked(w, http::Method::GET, format!("/api/customers/{customer}/cards")) {
        Reply::Whole(response) => serde_json::from_slice(&response.body).unwrap(),
        _ => panic!("no answer"),
    }
}

/// The names of the files of an export, and the cards in it.
fn exported(w: &World, customer: CustomerId) -> (Vec<String>, Vec<String>) {
    let Reply::Pieces(mut pieces) = asked(w, http::Method::GET, format!("/api/customers/{customer}/export")) else {
        panic!("no export")
    };
    let mut whole = Vec::new();
    while let Piece::Bytes(bytes) = pieces.next(&ctx(w)).unwrap() {
        whole.extend(bytes);
    }
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(whole)).unwrap();
    let names = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    let mut text = String::new();
    zip.by_name("cards.json").unwrap().read_to_string(&mut text).unwrap();
    (names, serde_json::from_str(&text).unwrap())
}

const DAY: i64 = 86_400_000;
const OFFICER: Actor = Actor { agent: None, role: Role::Admin };

#[test]
fn a_capability_is_all_that_its_value_says_and_nothing_else_names_it() {
    let w = World::new();
    assert!(migrate_all(&w.db.0, &[Migrations { of: CARDS.name, files: CARDS.migrations }]).unwrap());
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 9, false);
    w.says("wang", "1", "你好");
    w.says("li", "2", "你好");
    let (wang, li) = (all(&w)[0].customer, all(&w)[1].customer);
    for conversation in all(&w) {
        close(&w, agent, conversation.id);
    }
    // The follower sees each event once; the routes read and write.
    let follower = CARDS.follower.unwrap();
    while (follower.step)(&ctx(&w)).unwrap() {}
    assert!(!(follower.step)(&ctx(&w)).unwrap());
    assert_eq!((cards(&w, wang), cards(&w, li)), (vec!["thank you".to_owned()], vec!["thank you".to_owned()]));
    asked(&w, http::Method::POST, format!("/api/customers/{wang}/cards"));
    assert_eq!(cards(&w, wang), ["thank you", "by hand"]);
    assert_eq!((CARDS.due[0].step)(&ctx(&w)).unwrap(), [("cards", 3)]);
    // Its own events count, and its gauges are shown.
    while metrics::advance(&ctx(&w)).unwrap() {}
    let figures = metrics::read(&ctx(&w), None).unwrap();
    assert!(figures.counts.iter().any(|c| c.formula == "cards.written.v1" && c.count == 3));
    assert!(figures.open_metrics().contains("warmline_cards_written_v1_total 3\n"));
    assert!(figures.open_metrics().contains("\nwarmline_cards 3\n"));
    // The person's export contains the cards.
    let (names, of_wang) = exported(&w, wang);
    assert_eq!(names, ["customer.json", "messages-0001.json", "cards.json", "manifest.json"]);
    assert_eq!(of_wang, ["thank you", "by hand"]);
    // They have a retention period, and a hold keeps them.
    let (settings, _) = retention::settings(&ctx(&w)).unwrap();
    assert_eq!((settings.days("cards_days"), settings.days("hot_days")), (5, 30));
    immediate(&w.db, || hold::place(&ctx(&w), &OFFICER, wang, "court", None)).unwrap();
    w.pass(5 * DAY);
    assert!(retention::step(&ctx(&w)).unwrap().contains(&("cards_removed", 1)));
    assert_eq!((cards(&w, wang).len(), cards(&w, li).len()), (2, 0));
    let refused = immediate(&w.db, || erase::begin(&ctx(&w), wang, &OFFICER, "request", &[]));
    assert!(matches!(refused, Err(StepError::Conflict { code: "legal_hold", .. })));
    // An erasure deletes them, and counts them in its receipt.
    immediate(&w.db, || hold::lift(&ctx(&w), &OFFICER, wang)).unwrap();
    let begun = immediate(&w.db, || erase::begin(&ctx(&w), wang, &OFFICER, "request", &[])).unwrap();
    // A program that does not know the capability gives no receipt.
    for _ in 0..5 {
        assert_eq!(erase::go_on(&w.ctx()).unwrap(), 0);
    }
    while erase::go_on(&ctx(&w)).unwrap() == 0 {}
    assert_eq!(count(&ctx(&w)).unwrap(), 0);
    let done = warmline_customers::store::erasures::get(&w.db, begun.id).unwrap().unwrap();
    assert_eq!(done.messages, 1 + 2, "a message and two cards");
    assert!(log(&w).iter().any(|event| matches!(event.body, EventBody::CustomerErased { .. })));
}

#[test]
fn a_component_that_knows_no_capabilities_erases_exports_and_ages_nothing() {
    let w = World::new();
    let group = w.group("g", "{}");
    w.agent(&group, 9, false);
    w.says("wang", "1", "你好");
    let customer = all(&w)[0].customer;
    let blind = Ctx { installed: &NOTHING, ..w.ctx() };
    assert!(immediate(&w.db, || erase::begin(&blind, customer, &OFFICER, "request", &[])).is_err());
    assert!(retention::step(&blind).is_err());
    // The erasure was not begun.
    assert!(warmline_customers::store::erasures::of(&w.db, customer).unwrap().is_none());
}
