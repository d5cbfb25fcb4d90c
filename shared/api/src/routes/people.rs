//! The routes about customers, and about who read what of them.

use super::Answer::Json;
use super::{ADMIN, PAGE, Route, STAFF, SUPERVISOR, get, schema, write};
use crate::view::{ConversationView, Page};
use crate::{audit, cases, customers};
use http::Method;

/// The routes.
pub(super) fn routes() -> Vec<Route> {
    let changes = |method, path, summary, access, takes, handler| {
        write(method, path, summary, access, Some(takes), (200, schema::<customers::CustomerView>), handler)
    };
    vec![
        get(
            "/api/customers/{id}",
            "Shows a customer: one person, on all channels. Any customer of the person names it.",
            STAFF,
            Json(schema::<customers::CustomerView>),
            customers::get,
        ),
        Route {
            query: &[PAGE[0], PAGE[1], ("days", "how far back, 1 to 3650; 30 when left out")],
            ..get(
                "/api/customers/{id}/timeline",
                "Lists what was said with a customer on all channels, newest first; for supervisors and those who talk with them now.",
                STAFF,
                Json(schema::<Page<customers::TimelineEntry>>),
                customers::timeline,
            )
        },
        Route {
            query: &[("days", "how far back, 1 to 3650; 30 when left out")],
            ..get(
                "/api/customers/{id}/summary",
                "Sums up for whoever takes a customer over what was asked, promised and is open, the orders and the mood: sentences of messages, which each line names.",
                STAFF,
                Json(schema::<customers::SummaryView>),
                customers::summary,
            )
        },
        Route {
            query: &[(
                "reason",
                "why it is needed: `delivery`, `callback`, `verification`, `complaint`, `request`; it is kept",
            )],
            ..get(
                "/api/customers/{id}/unmasked",
                "Shows a customer's names and identifiers without a mask; for supervisors and those who talk with them now.",
                STAFF,
                Json(schema::<customers::Unmasked>),
                customers::unmasked,
            )
        },
        Route {
            query: &PAGE,
            ..get(
                "/api/audit",
                "Lists who read what of whom, oldest first.",
                ADMIN,
                Json(schema::<Page<audit::EntryView>>),
                audit::list,
            )
        },
        Route {
            query: &[("after", "the entry up to which it was checked before; 0 when left out")],
            ..get(
                "/api/audit/check",
                "Checks the next 5,000 entries of that log: whether each is as it was written, and none is missing.",
                ADMIN,
                Json(schema::<audit::CheckView>),
                audit::check,
            )
        },
        Route {
            query: &[(
                "customer",
                "with whom, where a merge that was undone left it with two; when left out, the first whom one may see",
            )],
            ..get(
                "/api/cases/{id}",
                "Shows a case: one person's conversations on one matter; for supervisors and those who talk with them now.",
                STAFF,
                Json(schema::<cases::CaseView>),
                cases::get,
            )
        },
        write(
            Method::POST,
            "/api/conversations/{id}/case",
            "Says which case a conversation is: one of the same customer's, or with `null` one of its own.",
            STAFF,
            Some(schema::<cases::SetCase>),
            (200, schema::<ConversationView>),
            cases::set,
        ),
        changes(
            Method::POST,
            "/api/customers/{id}/identifiers",
            "Adds an identifier to a customer. One that is verified links the customer to whoever else has it.",
            STAFF,
            schema::<customers::NewIdentifier>,
            customers::add_identifier,
        ),
        changes(
            Method::POST,
            "/api/customers/{id}/merge",
            "Says that two customers are one person. Replies still go to where each message came from.",
            STAFF,
            schema::<customers::MergeWith>,
            customers::merge,
        ),
        changes(
            Method::POST,
            "/api/customers/{id}/unmerge",
            "Undoes a merge: both sides are again who they were without it. Its identifier links nobody any more.",
            STAFF,
            schema::<customers::Unmerge>,
            customers::unmerge,
        ),
        changes(
            Method::PUT,
            "/api/customers/{id}/tags",
            "Replaces a customer's tags.",
            SUPERVISOR,
            schema::<customers::Tags>,
            customers::set_tags,
        ),
        changes(
            Method::PUT,
            "/api/customers/{id}/owner",
            "Gives a customer an own agent, who is asked before all others.",
            SUPERVISOR,
            schema::<customers::Owner>,
            customers::set_owner,
        ),
    ]
}
