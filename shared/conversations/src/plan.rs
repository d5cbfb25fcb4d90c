//! The routing plan in force, and its replacement by a new one.

use crate::store::{groups, plans};
use std::rc::Rc;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_model::{AgentId, EventBody};
use warmline_routing::{Plan, Ready};
use warmline_store::{StoreError, config, events, tokens};

/// The plan that this request read last, or that it wrote one. What it wrote may be rolled back, and another request may
/// then write another plan with the same version. After it wrote one, it therefore reads the plan each time.
enum AtHand {
    Read(Rc<Ready>),
    Written,
}

/// The plan in force; the empty plan, version 0, before the first one. A request reads the document once: after that, it
/// asks the store only for the version, and so sees a plan that another request puts into force.
///
/// # Errors
/// The stored plan cannot be read.
pub fn current(ctx: &Ctx<'_>) -> Result<Rc<Ready>, StepError> {
    let at_hand = ctx.memo.get::<AtHand>();
    let (known, keep) = match at_hand.as_deref() {
        Some(AtHand::Read(plan)) => (Some(plan), true),
        Some(AtHand::Written) => (None, false),
        None => (None, true),
    };
    let plan = match (plans::latest(ctx.db, known.map(|plan| plan.version()))?, known) {
        (Some((_, None)), Some(plan)) => return Ok(Rc::clone(plan)),
        (Some((version, Some(document))), _) => Ready::new(read(&document)?, version),
        (Some((_, None)), None) => return Err(StoreError::Missing("plan").into()),
        (None, _) => return Ok(Rc::new(Ready::new(Plan::default(), 0))),
    };
    let plan = Rc::new(plan);
    if keep {
        ctx.memo.set(AtHand::Read(Rc::clone(&plan)));
    }
    Ok(plan)
}

/// The plan with a version number.
///
/// # Errors
/// There is no such version.
pub fn of_version(ctx: &Ctx<'_>, version: i64) -> Result<Plan, StepError> {
    read(&plans::get(ctx.db, version)?.ok_or(StepError::NotFound("version of the plan"))?)
}

fn read(document: &str) -> Result<Plan, StepError> {
    Ok(serde_json::from_str(document).map_err(|_| StoreError::Shape(0))?)
}

/// Puts a plan into force, from the next decision on. Returns its version. `base` is the version that the author edited: if
/// another version has come since, nothing is overwritten.
///
/// # Errors
/// The plan has a fault, another version has come since `base`, or the plan leaves out a group that agents serve or contacts
/// wait for.
pub fn put(ctx: &Ctx<'_>, author: Option<AgentId>, plan: &Plan, base: Option<i64>) -> Result<i64, StepError> {
    plan.check().map_err(|f| StepError::Invalid { code: f.code, field: f.path, problem: f.detail })?;
    let before = plans::version(ctx.db)?;
    if base.is_some_and(|base| base != before) {
        return Err(StepError::conflict(
            "plan_changed",
            "the plan was changed meanwhile; read it again and repeat the change",
        ));
    }
    for (id, _) in groups::list(ctx.db)? {
        if plan.group(&id).is_none() && groups::in_use(ctx.db, &id)? {
            let problem = format!("leaves out {id}, which agents serve or contacts wait for; move them first");
            return Err(StepError::Invalid { code: "group_in_use", field: "groups".into(), problem });
        }
    }
    let now = ctx.now();
    for group in &plan.groups {
        groups::insert(ctx.db, &group.id, now)?;
    }
    keep_presence(ctx, plan)?;
    let document = serde_json::to_value(plan).map_err(|_| StoreError::Shape(0))?;
    ctx.memo.set(AtHand::Written);
    let version = plans::insert(ctx.db, &document.to_string(), author, now)?;
    events::append(ctx.db, now, None, &EventBody::RoutingPlan { version, plan: document })?;
    Ok(version)
}

/// Stores the plan's heartbeat seconds where every request can read them cheaply; the plan itself is too large for that.
/// The tick calls this too, for plans that came into force before this document existed.
pub fn keep_presence(ctx: &Ctx<'_>, plan: &Plan) -> Result<(), StepError> {
    let secs = plan.presence.heartbeat_secs.to_string();
    if config::get(ctx.db, tokens::HEARTBEAT)?.is_none_or(|(kept, _)| kept != secs) {
        config::put(ctx.db, tokens::HEARTBEAT, &secs, ctx.now())?;
    }
    Ok(())
}
