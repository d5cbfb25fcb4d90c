//! Customers.

use crate::api::messages;
use crate::model::{
    CustomerView, Finding, HoldView, IdentifierView, IdentityView, MergeView, MergeWith, Name, NewIdentifier, OldIdentifier,
    Owner, PlainIdentifier, Suggestion, SummaryView, Tags, TimelineEntry, Unmasked, Unmerge,
};
use crate::people;
use crate::store::{holds, people as stored};
use crate::timeline::Place;
use crate::touch::{self, Summed};
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{
    AFTER, Access, Answer, Call, LIMIT, Route, STAFF, STAFF_AND_PRIVACY, SUPERVISOR, Verb, schema,
};
use warmline_endpoint::{Problem, Response, body};
use warmline_kernel::audit::Subject;
use warmline_kernel::sealing::Keys;
use warmline_kernel::tampering::{self, Broken};
use warmline_kernel::{Ctx, StepError};
use warmline_model::{Channel, CustomerId, EventBody, Identifier, IdentifierKind, MessageId, Scope, Timestamp};
use warmline_store::{StoreError, customers, events};

/// The reasons for which a member of staff may see data without a mask.
const REASONS: [&str; 5] = ["delivery", "callback", "verification", "complaint", "request"];

fn findings(ctx: &Ctx<'_>, message: MessageId) -> Result<Vec<Finding>, StoreError> {
    let found = events::findings(ctx.db, message)?.into_iter().filter_map(|event| match event.body {
        EventBody::QualityAlert { words, severity, .. } => Some(Finding { words, severity, at: event.at }),
        _ => None,
    });
    Ok(found.collect())
}

fn missing() -> StepError {
    StepError::NotFound("customer")
}

/// The person, from the id of any of their customers in the path.
pub(crate) fn person(call: &Call<'_>) -> Result<CustomerId, Problem> {
    Ok(stored::person(call.ctx.db, call.id(0, "customer")?)?.ok_or(missing())?)
}

/// The same, if the actor serves the person: supervisors, and agents who talk with them now.
pub(crate) fn served(call: &Call<'_>) -> Result<CustomerId, Problem> {
    Ok(touch::served(&call.ctx, &call.actor, call.id(0, "customer")?)?)
}

/// The same, if the actor may see the person's masked identity.
pub(crate) fn seen(call: &Call<'_>) -> Result<CustomerId, Problem> {
    Ok(touch::seen(&call.ctx, &call.actor, call.id(0, "customer")?)?)
}

/// `GET /api/customers/{id}/unmasked`
pub(crate) fn unmasked(call: &Call<'_>) -> Result<Response, Problem> {
    let ctx = &call.ctx;
    let reason = body::reason(call.request, &REASONS)?;
    let touch::Unmasked { names, identifiers } = touch::unmask(ctx, &call.actor, call.id(0, "customer")?, &reason)?;
    let plain = |i: people::Opened| PlainIdentifier { kind: i.stored.kind, value: i.value };
    let identifiers = identifiers.into_iter().map(plain).collect();
    Ok(Response::json(200, &Unmasked { names, identifiers }))
}

/// `GET /api/customers/{id}`
pub(crate) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    shown(call, seen(call)?)
}

/// Shows a person to an actor who may see them.
pub(crate) fn shown(call: &Call<'_>, id: CustomerId) -> Result<Response, Problem> {
    let ctx = &call.ctx;
    let customer = customers::get(ctx.db, id)?.ok_or(missing())?;
    let identities = customers::identities(ctx.db, id)?;
    let identifier = |i: people::Opened| IdentifierView {
        kind: i.stored.kind,
        value: i.value.map(|v| warmline_identity::masked(i.stored.kind, &v)),
        strong: i.stored.strong,
        source: i.stored.source,
        at: i.stored.at,
    };
    let merge = |m: stored::Merge| MergeView {
        id: m.id,
        customers: [m.a, m.b],
        kind: m.kind,
        agent: m.by,
        at: m.at,
        undone_at: m.undone_at,
    };
    let suggestion = |(customer, kinds): (CustomerId, std::collections::BTreeSet<_>)| Suggestion {
        customer,
        kinds: kinds.into_iter().collect(),
    };
    let view = CustomerView {
        id,
        tags: customer.tags,
        identities: identities.into_iter().map(|(_, channel, account)| IdentityView { channel, account }).collect(),
        identifiers: people::identifiers(ctx, id)?.into_iter().map(identifier).collect(),
        merges: people::merges(ctx, id)?.into_iter().map(merge).collect(),
        suggestions: people::suggestions(ctx, id)?.into_iter().map(suggestion).collect(),
        owner: customer.owner,
        hold: holds::of_person(ctx.db, id)?.map(HoldView::from),
        created_at: customer.created_at,
    };
    Ok(Response::json(200, &view))
}

/// `POST /api/customers/{id}/merge`
pub(crate) fn merge(call: &Call<'_>) -> Result<Response, Problem> {
    let MergeWith { customer } = body::read(call.request)?;
    touch::join(&call.ctx, &call.actor, call.id(0, "customer")?, customer)?;
    get(call)
}

/// `POST /api/customers/{id}/unmerge`
pub(crate) fn unmerge(call: &Call<'_>) -> Result<Response, Problem> {
    let Unmerge { merge } = body::read(call.request)?;
    let id = served(call)?;
    touch::part(&call.ctx, &call.actor, id, merge)?;
    if let Ok(id) = seen(call) {
        return shown(call, id);
    }
    // The path names the side that the agent does not serve, so the agent serves the other side.
    let parted = stored::merge(call.ctx.db, merge)?.ok_or(StepError::NotFound("merge"))?;
    let theirs = |side| touch::seen(&call.ctx, &call.actor, side);
    shown(call, theirs(parted.a).or_else(|_| theirs(parted.b))?)
}

/// `POST /api/customers/{id}/identifiers`
pub(crate) fn add_identifier(call: &Call<'_>) -> Result<Response, Problem> {
    let new: NewIdentifier = body::read(call.request)?;
    if matches!(new.kind, IdentifierKind::UnionId | IdentifierKind::Nick | IdentifierKind::Device) {
        let detail = "union ids and nicks come from their platform only, devices from the app";
        return Err(Problem::field("kind_of_a_platform", "kind", detail));
    }
    let known = known("", new.kind, new.value, new.verified)?;
    touch::identify(&call.ctx, &call.actor, call.id(0, "customer")?, known, new.verified)?;
    get(call)
}

/// `POST /api/customers/{id}/identifiers/remove`
pub(crate) fn remove_identifier(call: &Call<'_>) -> Result<Response, Problem> {
    let OldIdentifier { kind, value, channel } = body::read(call.request)?;
    let known = known(channel.as_ref().map(Channel::as_str).unwrap_or_default(), kind, value, false)?;
    touch::forget_identifier(&call.ctx, &call.actor, call.id(0, "customer")?, &known)?;
    get(call)
}

fn known(
    platform: &str,
    kind: IdentifierKind,
    value: String,
    verified: bool,
) -> Result<warmline_identity::NormalisedIdentifier, Problem> {
    warmline_identity::normalise(platform, &Identifier { kind, value, verified })
        .map_err(|e| Problem::field("bad_identifier", "value", e.to_string()))
}

/// `PUT /api/customers/{id}/name`
pub(crate) fn set_name(call: &Call<'_>) -> Result<Response, Problem> {
    let Name { name } = body::read(call.request)?;
    let name = name.map(|name| name.trim().to_owned());
    if let Some(name) = &name {
        body::name("name", name, 100)?;
    }
    touch::rename(&call.ctx, &call.actor, call.id(0, "customer")?, name.as_deref())?;
    get(call)
}

/// The days of a look back if the request does not name a number.
pub const DAYS: i64 = 30;
/// A day, in milliseconds.
pub const DAY_MS: i64 = 86_400_000;

/// The beginning of the time span that the `days` parameter asks for.
fn since(call: &Call<'_>) -> Result<Timestamp, Problem> {
    let days = page::typed(call.request, "days", |t| t.parse::<i64>().ok().filter(|d| (1..=3650).contains(d)))?;
    Ok(call.ctx.now().plus_millis(-days.unwrap_or(DAYS) * DAY_MS))
}

/// `GET /api/customers/{id}/summary`
pub(crate) fn summary(call: &Call<'_>) -> Result<Response, Problem> {
    let since = since(call)?;
    let of = Subject { customer: Some(call.id(0, "customer")?), ..Subject::default() };
    Ok(Response::json(200, &SummaryView::from(touch::summary(&call.ctx, &call.actor, of, since)?)))
}

impl From<Summed> for SummaryView {
    fn from(summed: Summed) -> Self {
        let Summed { person, names, tags, summary } = summed;
        let names = names.iter().map(|name| warmline_identity::masked_name(name)).collect();
        Self { customer: person, names, tags, summary }
    }
}

/// `GET /api/customers/{id}/timeline`
pub(crate) fn timeline(call: &Call<'_>) -> Result<Response, Problem> {
    let ctx = &call.ctx;
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let since = since(call)?;
    let before = page::after::<Place>(call.request)?;
    let customer = call.id(0, "customer")?;
    let entries = touch::timeline(ctx, &call.actor, customer, since, before, usize::try_from(limit + 1).unwrap_or(0))?;
    let mut keys = Keys::default();
    let mut items = Vec::with_capacity(entries.len());
    let mut altered = Vec::new();
    for entry in entries {
        let (channel, account) = (entry.conversation.channel.clone(), entry.conversation.account.clone());
        let key = keys.of(ctx, entry.conversation.customer);
        let message = messages::message(key, &entry.message);
        if key.is_some() && message.content.is_none() {
            altered.push(Broken::message(entry.conversation.customer, &entry.message));
        }
        let (conversation, findings) = (entry.conversation.id, findings(ctx, entry.message.id)?);
        items.push((entry.place, TimelineEntry { conversation, channel, account, message, findings }));
    }
    tampering::tell(ctx, &altered)?;
    let Page { items, next } = Page::cut(items, limit, |(place, _)| place.to_string());
    Ok(Response::json(200, &Page { items: items.into_iter().map(|(_, entry)| entry).collect(), next }))
}

/// `PUT /api/customers/{id}/owner`
pub(crate) fn set_owner(call: &Call<'_>) -> Result<Response, Problem> {
    let id: CustomerId = call.id(0, "customer")?;
    let Owner { agent } = body::read(call.request)?;
    touch::own(&call.ctx, &call.actor, id, agent)?;
    get(call)
}

/// `PUT /api/customers/{id}/tags`
pub(crate) fn set_tags(call: &Call<'_>) -> Result<Response, Problem> {
    let id: CustomerId = call.id(0, "customer")?;
    let Tags { mut tags } = body::read(call.request)?;
    if tags.len() > 20 {
        return Err(Problem::field("too_many_tags", "tags", "a customer takes at most 20 tags"));
    }
    for tag in &mut tags {
        *tag = tag.trim().to_lowercase();
        body::name("tags", tag, 40)?;
    }
    tags.sort();
    tags.dedup();
    touch::tag(&call.ctx, &call.actor, id, &tags)?;
    get(call)
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/customers/{id}",
        "Shows a customer: one person, on all channels. Any customer of the person names it.",
        Access::Token(STAFF_AND_PRIVACY, Scope::Customers),
        Answer::Json(schema::<CustomerView>),
        get,
    )
    .agents("those whom they may see"),
    Route::get(
        "/api/customers/{id}/timeline",
        "Lists what was said with a customer on all channels, newest first; for supervisors and those who \
         talk with them now.",
        Access::Token(STAFF, Scope::Customers),
        Answer::Json(schema::<Page<TimelineEntry>>),
        timeline,
    )
    .query(&[LIMIT, AFTER, ("days", "how far back, 1 to 3650; 30 when left out")])
    .agents("those whom they serve"),
    Route::get(
        "/api/customers/{id}/summary",
        "Summarises a customer for the next agent: questions, promises, open matters, orders and mood. Each line \
         is a sentence of a message, and names it.",
        Access::Token(STAFF, Scope::Customers),
        Answer::Json(schema::<SummaryView>),
        summary,
    )
    .query(&[("days", "how far back, 1 to 3650; 30 when left out")])
    .agents("those whom they serve"),
    Route::get(
        "/api/customers/{id}/unmasked",
        "Shows a customer's names and identifiers without a mask; for supervisors and those who talk with \
         them now.",
        Access::Token(STAFF_AND_PRIVACY, Scope::Privacy),
        Answer::Json(schema::<Unmasked>),
        unmasked,
    )
    .query(&[("reason", "why it is needed: `delivery`, `callback`, `verification`, `complaint`, `request`; it is kept")])
    .agents("those whom they serve"),
    Route::change(
        Verb::Put,
        "/api/customers/{id}/name",
        "Corrects a customer's name, on all channels.",
        Access::Token(SUPERVISOR, Scope::Customers),
        schema::<CustomerView>,
        set_name,
    )
    .taking(schema::<Name>)
    .refusing(&[(409, "legal_hold")]),
    Route::change(
        Verb::Post,
        "/api/customers/{id}/identifiers/remove",
        "Takes a wrong identifier away from a customer. Merges that it proved stay until they are undone.",
        Access::Token(SUPERVISOR, Scope::Customers),
        schema::<CustomerView>,
        remove_identifier,
    )
    .taking(schema::<OldIdentifier>)
    .refusing(&[(409, "legal_hold")]),
    Route::change(
        Verb::Post,
        "/api/customers/{id}/identifiers",
        "Adds an identifier to a customer. A verified one links all customers that have it.",
        Access::Token(STAFF, Scope::Customers),
        schema::<CustomerView>,
        add_identifier,
    )
    .taking(schema::<NewIdentifier>)
    .agents("those whom they serve"),
    Route::change(
        Verb::Post,
        "/api/customers/{id}/merge",
        "Says that two customers are one person. Replies still go to where each message came from.",
        Access::Token(STAFF, Scope::Customers),
        schema::<CustomerView>,
        merge,
    )
    .taking(schema::<MergeWith>)
    .refusing(&[(409, "same_person")])
    .agents("those whom they serve"),
    Route::change(
        Verb::Post,
        "/api/customers/{id}/unmerge",
        "Undoes a merge: both sides are again who they were without it. Its identifier links nobody any \
         more.",
        Access::Token(STAFF, Scope::Customers),
        schema::<CustomerView>,
        unmerge,
    )
    .taking(schema::<Unmerge>)
    .refusing(&[(409, "already_undone")])
    .agents("those whom they serve"),
    Route::change(
        Verb::Put,
        "/api/customers/{id}/tags",
        "Replaces a customer's tags.",
        Access::Token(SUPERVISOR, Scope::Customers),
        schema::<CustomerView>,
        set_tags,
    )
    .taking(schema::<Tags>)
    .refusing(&[(409, "legal_hold")]),
    Route::change(
        Verb::Put,
        "/api/customers/{id}/owner",
        "Gives a customer an agent of their own, who is offered their conversations first.",
        Access::Token(SUPERVISOR, Scope::Customers),
        schema::<CustomerView>,
        set_owner,
    )
    .taking(schema::<Owner>),
];
