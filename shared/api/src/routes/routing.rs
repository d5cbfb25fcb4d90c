//! The routes about routing: the plan, queues, and who has a conversation.

use super::Answer::Json;
use super::{ADMIN, PAGE, Route, STAFF, SUPERVISOR, get, schema, write};
use crate::view::{AgentView, ConversationView, MessageView, Page};
use crate::{agents, queues, routing, seats};
use http::Method;

/// The routes.
pub(super) fn routes() -> Vec<Route> {
    let mut all = of_the_plan();
    all.extend(of_seats());
    all
}

fn of_the_plan() -> Vec<Route> {
    vec![
        get(
            "/api/routing/plan",
            "Shows the routing plan in force: groups, rules, costs, hours.",
            SUPERVISOR,
            Json(schema::<routing::PlanView>),
            routing::get,
        ),
        Route {
            query: &[("base", "the version that was changed; where another came meanwhile, the answer is 409")],
            ..write(
                Method::PUT,
                "/api/routing/plan",
                "Puts a plan into force, from the next decision on. A fault is told with its line.",
                SUPERVISOR,
                Some(schema::<warmline_routing::Plan>),
                (200, schema::<routing::PlanView>),
                routing::put,
            ).refusing(&[(409, "plan_changed")])
        },
        Route {
            query: &PAGE,
            ..get(
                "/api/routing/plans",
                "Lists the plan's versions, newest first.",
                SUPERVISOR,
                Json(schema::<Page<routing::VersionView>>),
                routing::versions,
            )
        },
        get(
            "/api/routing/plans/{version}",
            "Shows a version of the plan.",
            SUPERVISOR,
            Json(schema::<routing::PlanView>),
            routing::version,
        ),
        write(
            Method::POST,
            "/api/routing/plans/{version}/restore",
            "Puts an earlier version into force again, as a new one.",
            SUPERVISOR,
            None,
            (200, schema::<routing::PlanView>),
            routing::restore,
        ).refusing(&[(409, "plan_changed")]),
        get("/api/routing/rules", "Shows the plan's rules.", SUPERVISOR, Json(schema::<routing::RulesView>), routing::rules),
        write(
            Method::PUT,
            "/api/routing/rules",
            "Replaces the plan's rules; they apply to the next conversation.",
            SUPERVISOR,
            Some(schema::<routing::NewRules>),
            (200, schema::<routing::RulesView>),
            routing::set_rules,
        ).refusing(&[(409, "plan_changed")]),
        write(
            Method::POST,
            "/api/routing/dry-run",
            "Says what would be decided for a contact now, by the plan in force or another one; nothing is changed.",
            SUPERVISOR,
            Some(schema::<routing::DryRun>),
            (200, schema::<routing::DryRunView>),
            routing::dry_run,
        ),
        get(
            "/api/queues",
            "Lists the groups' queues: length, age, pace, estimated wait and how far estimates were off.",
            STAFF,
            Json(schema::<Page<queues::QueueView>>),
            queues::list,
        ),
        Route {
            query: &[("quarters", "quarters of an hour to look ahead, 1 to 96; 4 when left out")],
            ..get(
                "/api/staffing",
                "Says what will come to each group, how many slots that takes and work for it, and who should serve which group first.",
                SUPERVISOR,
                Json(schema::<warmline_flow::staffing::Staffing>),
                queues::staffing,
            )
            .refusing(&[(422, "invalid_field")])
        },
    ]
}

fn of_seats() -> Vec<Route> {
    vec![
        write(
            Method::PUT,
            "/api/agents/{id}",
            "Changes what an agent can do. What is left out stays.",
            ADMIN,
            Some(schema::<agents::AgentChange>),
            (200, schema::<AgentView>),
            agents::change,
        ),
        Route {
            query: &[("requeue", "true: what the agent has in hand goes back to the queues")],
            ..write(
                Method::DELETE,
                "/api/agents/{id}",
                "Removes an agent and revokes the token. Refused while the agent has conversations in hand.",
                ADMIN,
                None,
                (200, schema::<AgentView>),
                agents::remove,
            ).refusing(&[(409, "agent_has_conversations")])
        },
        write(
            Method::POST,
            "/api/agents/{id}/heartbeat",
            "A sign of life. Every request with the agent's token is one.",
            STAFF,
            None,
            (200, schema::<AgentView>),
            agents::heartbeat,
        ),
        get(
            "/api/conversations/{id}/routing",
            "Explains where a conversation is: its decisions, newest first, each with every seat and why it was refused or ranked.",
            STAFF,
            Json(schema::<Page<seats::DecisionView>>),
            seats::routing,
        ),
        get(
            "/api/conversations/{id}/queue",
            "Says where a conversation stands in its queue and how long it will wait.",
            STAFF,
            Json(schema::<warmline_flow::place::Standing>),
            seats::queue,
        ).refusing(&[(409, "not_queued")]),
        write(
            Method::POST,
            "/api/conversations/{id}/assign",
            "Gives a conversation to an agent: out of a queue or out of another agent's hands.",
            SUPERVISOR,
            Some(schema::<seats::Assign>),
            (200, schema::<ConversationView>),
            seats::assign,
        ).refusing(&[(409, "conversation_closed"), (409, "not_yours"), (409, "same_agent"), (409, "agent_full"), (409, "agent_offline")]),
        write(
            Method::POST,
            "/api/conversations/{id}/consult",
            "Asks a colleague about a conversation, which stays where it is: the colleague reads it and writes notes.",
            STAFF,
            Some(schema::<seats::Consult>),
            (200, schema::<ConversationView>),
            seats::consult,
        ).refusing(&[(409, "conversation_closed"), (409, "not_yours"), (409, "same_agent")]),
        write(
            Method::DELETE,
            "/api/conversations/{id}/consult/{agent}",
            "Ends a consultation.",
            STAFF,
            None,
            (200, schema::<serde_json::Value>),
            seats::end_consult,
        ).refusing(&[(409, "not_yours")]),
        write(
            Method::POST,
            "/api/conversations/{id}/notes",
            "Leaves a note for colleagues; the customer never sees it.",
            STAFF,
            Some(schema::<seats::Note>),
            (201, schema::<MessageView>),
            seats::note,
        ).refusing(&[(409, "conversation_closed"), (409, "not_yours")]),
        write(
            Method::POST,
            "/api/conversations/{id}/turn",
            "An AI seat answers, and says how sure it is; by the group's policy its messages go to the customer or people take over.",
            STAFF,
            Some(schema::<seats::TurnRequest>),
            (200, schema::<seats::TurnView>),
            seats::turn,
        ).replying()
        .refusing(&[(409, "customer_opted_out")]),
    ]
}
