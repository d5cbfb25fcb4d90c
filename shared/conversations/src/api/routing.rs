//! The routing plan, its versions, and dry runs of its decisions.

use crate::model::{DryRun, DryRunView, NewRules, PlanView, RulesView, VersionView};
use crate::store::plans;
use crate::{plan, seats};
use std::rc::Rc;
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{Access, Answer, Call, PAGE, Route, SUPERVISOR, Verb, schema};
use warmline_endpoint::{Problem, Request, Response, body};
use warmline_model::{ConversationId, Scope};
use warmline_routing::{Cause, Contact, Facts, Plan, Ready, decide, locate};

/// Reads a plan. A fault is reported with its line.
fn read(request: &Request) -> Result<Plan, Problem> {
    let (text, value) = body::checked(request)?;
    // Reading from the text gives the line of a fault. Reading from the values also refuses a list in the place of an
    // object.
    let wrong = |e: serde_json::Error| {
        let (field, detail) = body::explained(&said(&e));
        let detail = format!("line {}, column {}: {detail}", e.line(), e.column());
        Problem { field, ..Problem::new(422, "invalid_body", detail) }
    };
    serde_json::from_str::<Plan>(text).map_err(wrong)?;
    let plan: Plan = body::shape(value)?;
    plan.check().map_err(|fault| {
        let line = locate::line_of(text, &fault.path);
        Problem::field(fault.code, fault.path, format!("line {line}: {}", fault.detail))
    })?;
    Ok(plan)
}

/// The message of a serde error, without the position, which is reported before it.
fn said(e: &serde_json::Error) -> String {
    let text = e.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

fn current(call: &Call<'_>) -> Result<Response, Problem> {
    let ready = plan::current(&call.ctx)?;
    Ok(Response::json(200, &PlanView { version: ready.version(), plan: Plan::clone(&ready) }))
}

/// `GET /api/routing/plan`
pub(crate) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    current(call)
}

/// `PUT /api/routing/plan`
pub(crate) fn put(call: &Call<'_>) -> Result<Response, Problem> {
    let base = page::typed(call.request, "base", |t| t.parse().ok())?;
    plan::put(&call.ctx, call.actor.agent, &read(call.request)?, base)?;
    current(call)
}

/// `GET /api/routing/plans`
pub(crate) fn versions(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let below: Option<u32> = page::after(call.request)?;
    let listed = plans::list(call.ctx.db, below.map_or(i64::MAX, i64::from), limit + 1)?;
    let view = |v: plans::Listed| VersionView { version: v.version, at: v.at, author: v.author };
    Ok(Response::json(200, &Page::cut(listed.into_iter().map(view).collect(), limit, |v| v.version.to_string())))
}

/// `GET /api/routing/plans/{version}`
pub(crate) fn version(call: &Call<'_>) -> Result<Response, Problem> {
    let version: i64 = call.id(0, "version of the plan")?;
    Ok(Response::json(200, &PlanView { version, plan: plan::of_version(&call.ctx, version)? }))
}

/// `POST /api/routing/plans/{version}/restore`
pub(crate) fn restore(call: &Call<'_>) -> Result<Response, Problem> {
    let version: i64 = call.id(0, "version of the plan")?;
    let before = plan::of_version(&call.ctx, version)?;
    plan::put(&call.ctx, call.actor.agent, &before, None)?;
    current(call)
}

/// `GET /api/routing/rules`
pub(crate) fn rules(call: &Call<'_>) -> Result<Response, Problem> {
    let ready = plan::current(&call.ctx)?;
    Ok(Response::json(200, &RulesView { rules: ready.rules.clone(), version: ready.version() }))
}

/// `PUT /api/routing/rules`
pub(crate) fn set_rules(call: &Call<'_>) -> Result<Response, Problem> {
    let new: NewRules = body::read(call.request)?;
    let ready = plan::current(&call.ctx)?;
    let changed = Plan { rules: new.rules, ..Plan::clone(&ready) };
    plan::put(&call.ctx, call.actor.agent, &changed, Some(ready.version()))?;
    rules(call)
}

/// `POST /api/routing/dry-run`
pub(crate) fn dry_run(call: &Call<'_>) -> Result<Response, Problem> {
    let run: DryRun = body::read(call.request)?;
    let ready = match run.plan {
        Some(plan) => {
            plan.check().map_err(|fault| Problem::field(fault.code, format!("plan.{}", fault.path), fault.detail))?;
            Rc::new(Ready::new(plan, 0))
        }
        None => plan::current(&call.ctx)?,
    };
    let now = run.at.unwrap_or(call.ctx.now());
    let facts = Facts {
        terms: ready.terms(&run.text),
        channel: run.channel.clone(),
        account: run.account,
        kind: run.kind,
        status: run.status,
        intent: run.intent,
        language: run.language,
        tags: run.tags.iter().map(|t| t.trim().to_lowercase()).collect(),
        account_group: None,
        owner: None,
        last: None,
        people_only: false,
    };
    let Some(placement) = ready.place(&facts, now) else {
        return Ok(Response::json(200, &DryRunView { decision: None, say: None }));
    };
    let contact = Contact {
        id: ConversationId::new(now, call.ctx.rng),
        channel: &run.channel,
        cause: Cause::Arrival,
        facts: Some(facts),
        placement,
        entered: now,
        except: None,
    };
    let floor = seats::StoreView { db: call.ctx.db, plan: &ready, kept: None };
    let decision = decide::arrive(&ready, &floor, contact, now)?;
    let say = decision.say.clone();
    Ok(Response::json(200, &DryRunView { decision: Some(decision), say }))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/routing/plan",
        "Shows the routing plan in force: groups, rules, costs, hours.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        Answer::Json(schema::<PlanView>),
        get,
    ),
    Route::change(
        Verb::Put,
        "/api/routing/plan",
        "Puts a plan into force, from the next decision on. A fault is told with its line.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        schema::<PlanView>,
        put,
    )
    .taking(schema::<warmline_routing::Plan>)
    .query(&[("base", "the version that was changed; where another came meanwhile, the answer is 409")])
    .refusing(&[(409, "plan_changed")]),
    Route::get(
        "/api/routing/plans",
        "Lists the plan's versions, newest first.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        Answer::Json(schema::<Page<VersionView>>),
        versions,
    )
    .query(PAGE),
    Route::get(
        "/api/routing/plans/{version}",
        "Shows a version of the plan.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        Answer::Json(schema::<PlanView>),
        version,
    ),
    Route::change(
        Verb::Post,
        "/api/routing/plans/{version}/restore",
        "Puts an earlier version into force again, as a new one.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        schema::<PlanView>,
        restore,
    )
    .refusing(&[(409, "plan_changed"), (422, "group_in_use")]),
    Route::get(
        "/api/routing/rules",
        "Shows the plan's rules.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        Answer::Json(schema::<RulesView>),
        rules,
    ),
    Route::change(
        Verb::Put,
        "/api/routing/rules",
        "Replaces the plan's rules; they apply to the next conversation.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        schema::<RulesView>,
        set_rules,
    )
    .taking(schema::<NewRules>)
    .refusing(&[(409, "plan_changed")]),
    Route::change(
        Verb::Post,
        "/api/routing/dry-run",
        "Says what would be decided for a contact now, by the plan in force or another one; nothing is \
         changed.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        schema::<DryRunView>,
        dry_run,
    )
    .taking(schema::<DryRun>),
];
