//! The statuses and codes with which a route refuses. They are derived from the route's body, access and handler, plus the
//! codes that its row names. The description lists them, and tests check every answer against that list.

use std::collections::{BTreeMap, BTreeSet};
use warmline_endpoint::route::{Access, Route, Verb};

/// Statuses, each with its codes.
pub type Refusals = BTreeMap<u16, BTreeSet<&'static str>>;

/// Refusals of every request: it is read before its route is known, and the store may fail.
const ALWAYS: [(u16, &str); 17] = [
    (400, "body_broken"),
    (408, "body_timeout"),
    (413, "body_too_large"),
    (415, "body_encoded"),
    (500, "internal"),
    (500, "unreadable"),
    (500, "store_damaged"),
    (503, "store_busy"),
    (503, "store_full"),
    (503, "store_not_ready"),
    (503, "store_newer"),
    (503, "store_lost"),
    (503, "store_incomplete"),
    (503, "no_master_key"),
    (503, "wrong_master_key"),
    (503, "too_many_requests"),
    (504, "component_timeout"),
];
/// Refusals of routes that need a token.
const TOKEN: [(u16, &str); 10] = [
    (400, "unknown_parameter"),
    (401, "token_missing"),
    (401, "token_unknown"),
    (401, "token_expired"),
    (403, "role_not_allowed"),
    (403, "scope_not_allowed"),
    (403, "not_yours"),
    (403, "forbidden"),
    (429, "rate_limited"),
    (429, "too_many_failures"),
];
/// Refusals of routes with query parameters.
const QUERY: [(u16, &str); 4] = [(400, "bad_parameter"), (400, "bad_limit"), (400, "bad_cursor"), (400, "reason_needed")];
/// Refusals of every POST.
const POST: [(u16, &str); 3] = [(400, "bad_idempotency_key"), (409, "answer_gone"), (422, "idempotency_key_reused")];
/// Refusals of routes with a body.
const BODY: [(u16, &str); 6] = [
    (400, "malformed_json"),
    (413, "text_too_long"),
    (415, "unsupported_media_type"),
    (422, "invalid_body"),
    (422, "duplicate_key"),
    (422, "bad_character"),
];
/// Codes for a field of a body.
const FIELDS: [&str; 38] = [
    "invalid_field",
    "bad_length",
    "bad_code",
    "bad_account",
    "unknown_channel",
    "unknown_group",
    "unknown_hours",
    "group_twice",
    "group_loop",
    "group_in_use",
    "bad_hours",
    "bad_rule",
    "bad_cases",
    "bad_priority",
    "bad_cost",
    "bad_setting",
    "too_many_groups",
    "too_many_rules",
    "too_many_skills",
    "too_many",
    "too_many_words",
    "too_many_tags",
    "too_many_messages",
    "bad_word",
    "bad_severity",
    "bad_capacity",
    "bad_level",
    "bad_confidence",
    "bad_days",
    "bad_time",
    "bad_scopes",
    "bad_limits",
    "empty_turn",
    "empty_text",
    "kind_not_supported",
    "text_too_long",
    "bad_identifier",
    "kind_of_a_platform",
];
/// Refusals of routes that send something to a customer: the state of the conversation, and anything that its channel or
/// account cannot carry.
const REPLY: [(u16, &str); 23] = [
    (409, "account_disabled"),
    (409, "conversation_closed"),
    (409, "not_yours"),
    (409, "reply_window_closed"),
    (409, "reply_quota_used"),
    (409, "words_blocked"),
    (422, "not_a_mail"),
    (422, "media_id_missing"),
    (422, "media_missing"),
    (422, "media_url_missing"),
    (422, "thumb_missing"),
    (422, "link_missing"),
    (422, "link_too_long"),
    (422, "link_not_web"),
    (422, "location_impossible"),
    (422, "order_missing"),
    (422, "event_missing"),
    (422, "card_not_supported"),
    (422, "cover_missing"),
    (422, "page_of_another_app"),
    (422, "recipient_unknown"),
    (422, "reply_context_missing"),
    (422, "account_missing"),
];
/// Paths below which a customer's sealed data is opened. The customer may be erased meanwhile.
const SEALED: [&str; 4] = ["/api/conversations/{id}", "/api/customers/{id}", "/api/outbox", "/api/media"];

/// The refusals of a route.
pub fn of(route: &Route) -> Refusals {
    let mut all = Refusals::new();
    let mut add = |refusals: &[(u16, &'static str)]| {
        for (status, code) in refusals {
            all.entry(*status).or_default().insert(*code);
        }
    };
    add(&ALWAYS);
    if matches!(route.access, Access::Token(..)) {
        add(&TOKEN);
    }
    if route.path.contains('{') {
        add(&[(404, "not_found")]);
    }
    if SEALED.iter().any(|path| route.path.starts_with(path)) {
        add(&[(410, "erased")]);
    }
    if !route.query.is_empty() {
        add(&QUERY);
    }
    if route.verb == Verb::Post {
        add(&POST);
    }
    if route.takes.is_some() {
        add(&BODY);
        add(&FIELDS.map(|code| (422, code)));
    }
    if route.replies {
        add(&REPLY);
    }
    add(route.refuses);
    all
}

/// The meaning of a status.
pub fn described(status: u16) -> &'static str {
    match status {
        400 => "the request cannot be read",
        401 => "the token is missing, unknown or has ended",
        403 => "the token may not do this",
        404 => "there is no such thing, or the token may not see it",
        408 => "the body did not arrive in time",
        409 => "it cannot be done in the present state",
        410 => "the customer was erased",
        413 => "the body or a text is too long",
        415 => "the body is compressed, or no JSON",
        422 => "a field or a parameter cannot be taken",
        429 => "too many requests; go on after the time in Retry-After",
        500 => "something failed inside; the log has the reason",
        502 => "the platform does not give what was asked for",
        503 => "the store or the server takes nothing now; nothing was changed",
        504 => "the answer did not come in time; what was asked for may have been done",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warmline_channels::Undeliverable;

    /// Whether an adapter may refuse a reply so before it is stored.
    fn refuses_a_reply(why: Undeliverable) -> bool {
        match why {
            // A channel without chat takes no kind of content, which is said first. No channel of this version says that the
            // window has closed when it renders a reply, and none keeps an account whose `api_base` is no address.
            Undeliverable::ChatNotOffered | Undeliverable::ReplyWindowClosed | Undeliverable::ApiBaseUnusable => false,
            // Of media and sources.
            Undeliverable::MediaNotSupported
            | Undeliverable::MediaUnknown
            | Undeliverable::MediaOnlyInApp
            | Undeliverable::MediaHostUnknown
            | Undeliverable::OperatorMissing
            | Undeliverable::SourceUnknown => false,
            why => !why.is_of_account(),
        }
    }

    #[test]
    fn what_a_channel_cannot_carry_is_described_with_every_code() {
        let document = include_str!("../../../docs/API.md");
        let row = document.lines().find(|line| line.starts_with("| 422 |")).unwrap();
        for code in Undeliverable::ALL.iter().filter(|why| refuses_a_reply(**why)).map(|why| why.code()) {
            assert!(REPLY.contains(&(422, code)) || FIELDS.contains(&code), "{code} is not in the description");
            assert!(row.contains(&format!("`{code}`")), "{code} is not in docs/API.md");
        }
    }
}
