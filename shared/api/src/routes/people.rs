//! The routes about customers, and about who read what of them.

use super::Answer::{Json, Other};
use super::{ADMIN, PAGE, PRIVACY, Route, STAFF, STAFF_AND_PRIVACY, SUPERVISOR, Served, get, schema, write};
use crate::view::{ConversationView, Page};
use crate::{audit, cases, customers, duties, erasures, keys};
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
            STAFF_AND_PRIVACY,
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
                STAFF_AND_PRIVACY,
                Json(schema::<customers::Unmasked>),
                customers::unmasked,
            )
        },
        Route {
            query: &PAGE,
            ..get(
                "/api/audit",
                "Lists who read what of whom, oldest first.",
                PRIVACY,
                Json(schema::<Page<audit::EntryView>>),
                audit::list,
            )
        },
        Route {
            query: &[("after", "the entry up to which it was checked before; 0 when left out")],
            ..get(
                "/api/audit/check",
                "Checks the next 5,000 entries of that log: whether each is as it was written, and none is missing.",
                PRIVACY,
                Json(schema::<audit::CheckView>),
                audit::check,
            )
        },
        Route {
            query: &[
                ("reason", "why: `request`, `consent_withdrawn`, `purpose_served`, `unlawful`; it is kept"),
                (
                    "include",
                    "customers merged by hand who are to go along, separated by commas: `customers` of the answer `merged_by_hand`",
                ),
            ],
            ..write(
                Method::DELETE,
                "/api/customers/{id}",
                "Erases a customer with all of the person's identities: from now on nobody finds or reads them; their keys are destroyed and what they sealed is deleted within seconds, and then there is a receipt.",
                PRIVACY,
                None,
                (202, schema::<erasures::ErasureView>),
                erasures::erase,
            ).refusing(&[(409, "legal_hold"), (409, "merged_by_hand")])
        },
        Route {
            served: Served::By("desk"),
            ..get(
                "/api/customers/{id}/export",
                "Exports all that is known of a customer: a ZIP of JSON files. Of one who was erased, the receipt.",
                PRIVACY,
                Other("application/zip"),
                customers::get,
            )
        },
        Route {
            query: &PAGE,
            ..get(
                "/api/erasures",
                "Lists erasures, oldest first.",
                PRIVACY,
                Json(schema::<Page<erasures::ErasureView>>),
                erasures::list,
            )
        },
        get("/api/erasures/{id}", "Shows an erasure.", PRIVACY, Json(schema::<erasures::ErasureView>), erasures::get),
        get(
            "/api/keys",
            "Shows which master keys wrap how many customers' keys, and the public key of receipts.",
            ADMIN,
            Json(schema::<keys::KeysView>),
            keys::get,
        ),
        Route {
            served: Served::Loose(keys::rotate),
            ..write(
                Method::POST,
                "/api/keys/rotate",
                "Wraps up to 1,000 keys anew by the master key in force; repeat while there are more. Content is not touched.",
                ADMIN,
                None,
                (200, schema::<keys::RotatedView>),
                keys::rotate,
            ).refusing(&[(409, "master_key_missing")])
        },
        changes(
            Method::PUT,
            "/api/customers/{id}/name",
            "Corrects a customer's name, on all channels.",
            SUPERVISOR,
            schema::<customers::Name>,
            customers::set_name,
        ),
        changes(
            Method::POST,
            "/api/customers/{id}/identifiers/remove",
            "Takes a wrong identifier away from a customer. Merges that it proved stay until they are undone.",
            SUPERVISOR,
            schema::<customers::OldIdentifier>,
            customers::remove_identifier,
        ),
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
        ).refusing(&[(409, "not_yours"), (409, "other_person")]),
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
        ).refusing(&[(409, "same_person")]),
        changes(
            Method::POST,
            "/api/customers/{id}/unmerge",
            "Undoes a merge: both sides are again who they were without it. Its identifier links nobody any more.",
            STAFF,
            schema::<customers::Unmerge>,
            customers::unmerge,
        ).refusing(&[(409, "already_undone")]),
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
        get(
            "/api/retention",
            "Shows for how many days things are kept.",
            PRIVACY,
            Json(schema::<duties::RetentionView>),
            duties::retention,
        ),
        write(
            Method::PUT,
            "/api/retention",
            "Changes for how many days things are kept; the tick does what became due.",
            PRIVACY,
            Some(schema::<warmline_flow::retention::Settings>),
            (200, schema::<duties::RetentionView>),
            duties::set_retention,
        ),
        changes(
            Method::PUT,
            "/api/customers/{id}/hold",
            "Places a legal hold: nothing that is stored of the customer is removed, nor of whoever is one person with them.",
            PRIVACY,
            schema::<duties::NewHold>,
            duties::place_hold,
        ),
        write(
            Method::DELETE,
            "/api/customers/{id}/hold",
            "Lifts the legal hold.",
            PRIVACY,
            None,
            (200, schema::<customers::CustomerView>),
            duties::lift_hold,
        ),
        write(
            Method::POST,
            "/api/customers/{id}/consents",
            "Notes that a customer agreed to a purpose, or withdrew.",
            STAFF_AND_PRIVACY,
            Some(schema::<duties::NewConsent>),
            (201, schema::<duties::Consents>),
            duties::note_consent,
        ),
        Route {
            query: &PAGE,
            ..get(
                "/api/customers/{id}/consents",
                "Shows what a customer agreed to and withdrew, newest first, and what stands now.",
                STAFF_AND_PRIVACY,
                Json(schema::<duties::Consents>),
                duties::consents,
            )
        },
    ]
}
