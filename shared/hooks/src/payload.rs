//! What a hook is told of an event: ids, codes, times and figures.
//!
//! [`FIELDS`] lists, for each type of event, the fields that leave. Everything else stays. A value that leaves must look
//! like an id, a code, a time or a number besides, so that a field that changes its meaning does not carry words out. A type
//! that the list does not know leaves with its ids only.

use serde::Serialize;
use serde_json::{Map, Value};
use warmline_model::{ConversationId, Event, EventBody, HookId, Timestamp};

/// The types of events, each with the fields that leave.
pub const FIELDS: &[(&str, &[&str])] = &[
    ("agent.profile", &["agent", "ai", "dedicated", "capacity"]),
    ("agent.removed", &["agent"]),
    ("agent.state", &["agent", "from", "to", "reason"]),
    ("agent.weights", &["agent"]),
    ("capacity.released", &["agent", "load", "work"]),
    ("case.linked", &["case", "from", "agent"]),
    ("case.split", &["case", "from", "agent"]),
    ("conversation.accepted", &["agent", "waited_ms"]),
    // Not `why`: it quotes the plan's rules.
    ("conversation.assigned", &["group", "agent", "channel", "units", "load", "capacity", "waited_ms", "ai"]),
    ("conversation.closed", &["agent", "group", "disposition", "handle_ms", "messages"]),
    ("conversation.consulted", &["agent", "by"]),
    ("conversation.handed_over", &["from", "reason"]),
    ("conversation.opened", &["channel", "account", "customer"]),
    // Not `lane`: it names skills in the brand's words.
    ("conversation.queued", &["group", "priority", "entered", "estimate_ms", "requeued"]),
    ("conversation.transferred", &["from", "to_agent", "group", "note"]),
    ("conversation.wrap_up", &["agent", "until"]),
    ("customer.erased", &["erasure", "customer", "messages"]),
    ("customer.merged", &["merge", "into", "from", "by", "agent"]),
    ("customer.unmerged", &["merge", "one", "other", "agent"]),
    ("delivery.dead", &["message", "channel", "attempts", "reason"]),
    ("delivery.failed", &["message", "channel", "attempts", "reason", "retry_at"]),
    ("delivery.in_doubt", &["message", "channel", "attempts"]),
    ("delivery.sent", &["message", "channel", "attempts", "took_ms"]),
    ("hooks.disabled", &["hook", "reason"]),
    ("inbox.parked", &["inbox", "channel", "reason"]),
    ("message.received", &["message", "n", "channel", "kind", "received_at"]),
    ("message.sent", &["message", "n", "channel", "from", "agent", "first_response_ms", "response_ms"]),
    // Not `words`: they are the brand's list, and tell what somebody wrote.
    ("quality.alert", &["message", "from", "severity"]),
    // A decision holds all that the router saw, among it words and tags.
    ("routing.decided", &[]),
    ("routing.plan", &["version"]),
    ("seal.broken", &["field", "customer", "message", "identity"]),
];

/// The longest text that can be an id, a code or a time.
const LONGEST: usize = 64;

/// The type of an event as hooks name it, and its fields before any is left out.
pub struct Told<'e> {
    event: &'e Event,
    /// The type.
    pub kind: String,
    data: Value,
}

/// Takes an event apart; `None` if it cannot be written as JSON, which no event causes.
pub fn of(event: &Event) -> Option<Told<'_>> {
    let (kind, data) = match &event.body {
        // None of its many verdicts leaves, so they are not copied.
        EventBody::RoutingDecided(_) => ("routing.decided".to_owned(), Value::Null),
        EventBody::RoutingPlan { version, .. } => {
            ("routing.plan".to_owned(), Value::Object([("version".to_owned(), (*version).into())].into_iter().collect()))
        }
        body => match serde_json::to_value(body).ok()? {
            Value::Object(mut parts) => match (parts.remove("type")?, parts.remove("data")) {
                (Value::String(kind), data) => (kind, data.unwrap_or_default()),
                _ => return None,
            },
            _ => return None,
        },
    };
    Some(Told { event, kind, data })
}

#[derive(Serialize)]
struct Body<'a, D> {
    r#type: &'a str,
    timestamp: Timestamp,
    data: D,
}

#[derive(Serialize)]
struct Data {
    seq: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<ConversationId>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl Told<'_> {
    /// The body of the webhook: `{"type", "timestamp", "data"}`. `None` if it cannot be written as JSON, which no event
    /// causes.
    pub fn body(&self) -> Option<String> {
        let fields = FIELDS.iter().find(|(kind, _)| *kind == self.kind).map(|(_, fields)| *fields);
        let leaves = |name: &str, value: &Value| match fields {
            Some(fields) => fields.contains(&name) && is_plain(value),
            None => is_code(name) && value.as_str().is_some_and(is_id),
        };
        let Event { seq, at, conversation, .. } = *self.event;
        let all = self.data.as_object().into_iter().flatten();
        let fields = all.filter(|(name, value)| leaves(name, value)).map(|(name, value)| (name.clone(), value.clone()));
        // Its own fields come first; one of the same name inside the event would be there twice.
        let fields = fields.filter(|(name, _)| !matches!(name.as_str(), "seq" | "conversation")).collect();
        let data = Data { seq, conversation, fields };
        serde_json::to_string(&Body { r#type: &self.kind, timestamp: at, data }).ok()
    }
}

/// The type of a test.
pub const TEST: &str = "hooks.test";

/// The body of a test.
pub fn test(hook: HookId, at: Timestamp) -> Option<String> {
    #[derive(Serialize)]
    struct Tested {
        hook: HookId,
    }
    serde_json::to_string(&Body { r#type: TEST, timestamp: at, data: Tested { hook } }).ok()
}

/// Whether a hook that wants these types wants this one. `conversation.*` stands for all that begin with `conversation.`.
pub fn wants<T: AsRef<str>>(types: &[T], kind: &str) -> bool {
    types.iter().map(AsRef::as_ref).any(|wanted| match wanted.strip_suffix('*') {
        Some(prefix) => kind.starts_with(prefix),
        None => wanted == kind,
    })
}

/// Whether a value is a number, a flag, a short code, or an object of such.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => is_code(text),
        Value::Object(fields) => fields.iter().all(|(name, value)| is_code(name) && !value.is_object() && is_plain(value)),
        Value::Array(_) => false,
    }
}

fn is_code(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:+@".contains(&b))
}

/// Whether a text is an id: three letters, and 32 digits.
fn is_id(text: &str) -> bool {
    text.split_once('_').is_some_and(|(prefix, digits)| {
        prefix.len() == 3
            && prefix.bytes().all(|b| b.is_ascii_lowercase())
            && digits.len() == 32
            && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::SchemaGenerator;
    use serde_json::json;
    use std::collections::{BTreeMap, BTreeSet};

    fn event(body: EventBody) -> Event {
        let conversation = Some(ConversationId::from_bytes(&[9; 16]).unwrap());
        Event { seq: 7, at: Timestamp::from_millis(1_700_000_000_000), v: 1, conversation, body }
    }

    fn told(kind: &str, data: &Value) -> Value {
        let event = event(EventBody::from_columns(kind, &data.to_string()).unwrap());
        let told = of(&event).unwrap();
        assert_eq!(told.kind, kind);
        serde_json::from_str(&told.body().unwrap()).unwrap()
    }

    const CUSTOMER: &str = "cus_0123456789abcdef0123456789abcdef";
    /// What must not leave: in a word, a name, a note, an address.
    const WORDS: [&str; 4] = ["我住在长安街一号", "Wang Xiaoming", "call me at 138 0000 0000", "wang/xiaoming"];

    /// Every type of event with the schema of its data. A type without data has `Null`.
    fn kinds() -> (BTreeMap<String, Value>, Value) {
        let mut generator = SchemaGenerator::default();
        let root = generator.root_schema_for::<EventBody>();
        let whole = serde_json::to_value(root).unwrap();
        let mut kinds = BTreeMap::new();
        let mut open: Vec<Value> = vec![whole.clone()];
        while let Some(schema) = open.pop() {
            if let Some(path) = schema["$ref"].as_str() {
                open.push(whole.pointer(&path[1..]).unwrap().clone());
            }
            for list in ["oneOf", "anyOf"] {
                open.extend(schema[list].as_array().into_iter().flatten().cloned());
            }
            if let Some(kind) = schema["properties"]["type"]["const"].as_str() {
                kinds.insert(kind.to_owned(), schema["properties"]["data"].clone());
            }
        }
        (kinds, whole)
    }

    fn resolved<'a>(schema: &'a Value, whole: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(path) => resolved(whole.pointer(&path[1..]).unwrap(), whole),
            None => schema,
        }
    }

    /// A value of a schema in which every text that may be anything is one of the words.
    fn filled(schema: &Value, whole: &Value, word: &str) -> Value {
        let schema = resolved(schema, whole);
        for list in ["oneOf", "anyOf", "allOf"] {
            if let Some(one) = schema[list].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null")) {
                return filled(one, whole, word);
            }
        }
        if schema["const"].is_string() {
            return schema["const"].clone();
        }
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default();
        match (kind, schema["pattern"].as_str(), schema["format"].as_str()) {
            ("string", Some(pattern), _) if pattern.contains("[0-9a-f]{32}") => {
                json!(format!("{}_{}", &pattern[1..4], "0123456789abcdef".repeat(2)))
            }
            ("string", Some(_), _) => json!("near"),
            ("string", None, Some("date-time")) => json!("2023-11-14T22:13:20.123Z"),
            ("string", ..) => json!(word),
            ("integer" | "number", ..) => json!(1),
            ("boolean", ..) => json!(true),
            ("array", ..) => json!([filled(&schema["items"], whole, word)]),
            ("object", ..) => {
                let mut fields = Map::new();
                for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                    fields.insert(name.clone(), filled(field, whole, word));
                }
                for values in [&schema["additionalProperties"], &schema["patternProperties"]] {
                    let inner = values.get("type").or(values.get("$ref")).map(|_| values);
                    let inner = inner.or_else(|| values.as_object().and_then(|all| all.values().next()));
                    if let Some(inner) = inner.filter(|inner| inner.is_object()) {
                        fields.insert("near".into(), filled(inner, whole, word));
                    }
                }
                Value::Object(fields)
            }
            // A value of any kind.
            _ => json!({ "text": word, "list": [word], "deep": { "text": word } }),
        }
    }

    fn texts(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::String(text) => out.push(text.clone()),
            Value::Array(all) => all.iter().for_each(|one| texts(one, out)),
            Value::Object(all) => all.iter().for_each(|(name, one)| {
                out.push(name.clone());
                texts(one, out);
            }),
            _ => {}
        }
    }

    #[test]
    fn nothing_but_ids_codes_times_and_figures_leaves_of_any_event() {
        let (kinds, whole) = kinds();
        assert!(kinds.len() >= 30, "{:?}", kinds.keys());
        let listed: BTreeSet<&str> =
            FIELDS.iter().map(|(kind, _)| *kind).filter(|kind| !kind.starts_with("hooks.")).collect();
        let all: BTreeSet<&str> = kinds.keys().map(String::as_str).collect();
        assert_eq!(listed, all, "each type of event has a row in FIELDS");
        let mut carried = BTreeSet::new();
        for (kind, schema) in &kinds {
            for word in WORDS {
                let data = filled(schema, &whole, word);
                let said = serde_json::to_string(&data).unwrap();
                let text = told(kind, &data).to_string();
                for part in WORDS.into_iter().chain(["长安街", "Wang", "Xiaoming", "xiaoming", "138"]) {
                    assert!(!text.contains(part), "{kind} tells {part}: {text}");
                }
                if said.contains(word) {
                    carried.insert(kind.clone());
                }
            }
            // With codes in the place of words, every field of the list leaves. So the words were in fields that count.
            let plain = told(kind, &filled(schema, &whole, "code"));
            let (_, fields) = FIELDS.iter().find(|(listed, _)| listed == kind).unwrap();
            for field in *fields {
                assert!(plain["data"].get(field).is_some(), "{kind} has no field {field}: {plain}");
            }
            let mut found = Vec::new();
            texts(&plain, &mut found);
            assert!(found.iter().all(|text| is_code(text)), "{kind}: {found:?}");
        }
        for kind in ["quality.alert", "routing.decided", "conversation.assigned", "agent.profile"] {
            assert!(
                kind == "agent.profile" || carried.contains(kind),
                "{kind} held no word, so this test says nothing of it"
            );
        }
    }

    #[test]
    fn the_body_is_as_standard_webhooks_has_it() {
        let data = json!({ "channel": "app", "account": "shop", "customer": CUSTOMER });
        let conversation = format!("cnv_{}", "09".repeat(16));
        assert_eq!(
            told("conversation.opened", &data),
            json!({
                "type": "conversation.opened",
                "timestamp": "2023-11-14T22:13:20.000Z",
                "data": {
                    "seq": 7, "conversation": conversation, "channel": "app", "account": "shop", "customer": CUSTOMER,
                },
            })
        );
    }

    #[test]
    fn an_alert_tells_the_severity_and_not_the_words() {
        let message = format!("msg_{}", "0a".repeat(16));
        let told =
            told("quality.alert", &json!({ "message": message, "from": "customer", "words": ["投诉"], "severity": 2 }));
        assert_eq!((&told["data"]["severity"], told["data"].get("words")), (&json!(2), None));
        assert!(!told.to_string().contains("投诉"));
    }

    #[test]
    fn a_type_that_nobody_knows_leaves_with_its_ids_only() {
        let data = json!({ "customer": CUSTOMER, "name": "Wang", "count": 3, "code": "solved", "seq": CUSTOMER,
            "list": [CUSTOMER], "near": "cus_1", "王": CUSTOMER });
        let told = told("tickets.opened", &data);
        let fields: BTreeSet<&str> = told["data"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["conversation", "customer", "seq"].into());
        assert_eq!((&told["data"]["customer"], &told["data"]["seq"]), (&json!(CUSTOMER), &json!(7)));
    }

    #[test]
    fn types_are_wanted_by_name_or_by_what_they_begin_with() {
        let types = ["conversation.*", "message.sent"];
        assert!(wants(&types, "conversation.opened") && wants(&types, "message.sent"));
        assert!(
            !wants(&types, "message.received") && !wants(&types, "conversations.opened") && !wants(&types, "message.sent.x")
        );
        assert!(!wants::<&str>(&[], "message.sent"));
    }
}
