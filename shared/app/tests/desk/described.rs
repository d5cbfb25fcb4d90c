//! Every answer fits its description. The test makes thousands of requests from the description, good ones and bad ones. No
//! answer is a failure of ours, each status is listed for its call, and each body has the described type and shape.

use crate::valid::{Filled, filled};
use crate::world::{ADMIN, Answer, Counted, request};
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use warmline_app::openapi::document;
use warmline_app::routes;
use warmline_endpoint::route::Handler;

struct Described {
    whole: Value,
    validators: std::cell::RefCell<BTreeMap<String, Rc<Validator>>>,
    statuses: std::cell::RefCell<BTreeSet<String>>,
}

impl Described {
    fn new() -> Self {
        Self { whole: document(), validators: Default::default(), statuses: Default::default() }
    }

    #[track_caller]
    fn check(&self, method: &str, pattern: &str, target: &str, answer: &Answer) {
        let name = format!("{method} {target:.300}");
        assert!(answer.status < 500, "{name}: {} {}", answer.status, answer.text());
        let operation = &self.whole["paths"][pattern][method.to_ascii_lowercase()];
        let listed = &operation["responses"][answer.status.to_string()];
        assert!(listed.is_object(), "{name} does not list {}: {}", answer.status, answer.text());
        self.statuses.borrow_mut().insert(format!("{method} {pattern} {}", answer.status));
        let content = listed["content"].as_object().unwrap();
        let described = content.get(answer.response.content_type).unwrap_or_else(|| {
            panic!("{name} answers {} as {}", answer.status, answer.response.content_type);
        });
        if answer.response.content_type.contains("json") && !answer.response.content_type.contains("ndjson") {
            let (key, value) = (format!("{method} {pattern} {}", answer.status), answer.json());
            let mut validators = self.validators.borrow_mut();
            let validator = validators.entry(key).or_insert_with(|| {
                let whole = json!({ "allOf": [described["schema"]], "components": self.whole["components"] });
                Rc::new(jsonschema::validator_for(&whole).unwrap())
            });
            let errors: Vec<String> = validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{name} {}: {errors:?}", answer.status);
            if answer.status >= 400 {
                let codes = listed["x-codes"].as_array().unwrap();
                assert!(codes.contains(&value["code"]), "{name} {} does not list {}: {value}", answer.status, value["code"]);
            }
        }
    }
}

/// Texts that often break programs.
const TEXTS: [&str; 12] = [
    "",
    " ",
    "x",
    "null",
    "-1",
    "99999999999999999999",
    "../../etc",
    "%00",
    "长",
    "\u{202e}abc",
    "e\u{301}👨‍👩‍👧",
    "'; DROP TABLE agents; --",
];

struct Maker<'a> {
    rng: &'a Counted,
    whole: &'a Value,
    ids: &'a [String],
}

impl Maker<'_> {
    fn one<'b, T>(&self, of: &'b [T]) -> &'b T {
        &of[self.rng.below(of.len())]
    }

    fn wild(&self) -> Value {
        match self.rng.below(8) {
            0 => Value::Null,
            1 => true.into(),
            2 => (i64::MAX).into(),
            3 => (-0.5).into(),
            4 => json!([]),
            5 => json!({}),
            6 => "长".repeat(1 + self.rng.below(5_000)).into(),
            _ => (*self.one(&TEXTS)).into(),
        }
    }

    fn text(&self, schema: &Value) -> Value {
        if let Some(pattern) = schema["pattern"].as_str() {
            let prefix = pattern.trim_start_matches('^').split('_').next().unwrap_or_default();
            let fitting: Vec<&String> = self.ids.iter().filter(|id| id.starts_with(prefix) && id.contains('_')).collect();
            if !fitting.is_empty() && pattern.contains("[0-9a-f]{32}") {
                return (*self.one(&fitting)).clone().into();
            }
            return (*self.one(&["near", "shop", "app", "webchat", "code-1"])).into();
        }
        let least = usize::try_from(schema["minLength"].as_u64().unwrap_or(0)).unwrap();
        match self.rng.below(3) {
            0 => (*self.one(&TEXTS)).into(),
            1 => "字".repeat(least.max(1)).into(),
            _ => {
                (*self.one(&["13800004711", "wang@example.cn", "staff", "court", "marketing", "https://a.example/b"])).into()
            }
        }
    }

    /// A value that mostly fits a schema.
    fn value(&self, schema: &Value, deep: usize) -> Value {
        if deep > 8 || self.rng.below(40) == 0 {
            return self.wild();
        }
        if let Some(path) = schema["$ref"].as_str() {
            return self.value(self.whole.pointer(&path[1..]).unwrap(), deep + 1);
        }
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if let Some(all) = schema["enum"].as_array() {
            return self.one(all).clone();
        }
        for list in ["anyOf", "oneOf"] {
            if let Some(either) = schema[list].as_array() {
                let mut value = self.value(self.one(either), deep + 1);
                // The tag stands beside the fields of the chosen variant.
                if let (Some(value), Some(more)) = (value.as_object_mut(), schema["properties"].as_object()) {
                    for (name, property) in more {
                        value.entry(name.clone()).or_insert_with(|| self.value(property, deep + 1));
                    }
                }
                return value;
            }
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => self.one(kinds).as_str().unwrap(),
            kind => kind.as_str().unwrap_or("any"),
        };
        match kind {
            "string" => self.text(schema),
            "integer" | "number" => {
                let (least, most) =
                    (schema["minimum"].as_f64().unwrap_or(-5.0), schema["maximum"].as_f64().unwrap_or(1.0e6));
                let edge = [least, most, least + 1.0, least - 1.0, most + 1.0, 0.0, 1.0];
                let number = *self.one(&edge);
                if kind == "integer" { json!(number as i64) } else { json!(number) }
            }
            "boolean" => (self.rng.below(2) == 0).into(),
            "array" => (0..self.rng.below(3)).map(|_| self.value(&schema["items"], deep + 1)).collect(),
            "object" => {
                let mut made = Map::new();
                let required: Vec<&str> =
                    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                    let must = required.contains(&name.as_str());
                    if (must && self.rng.below(30) != 0) || (!must && self.rng.below(2) == 0) {
                        made.insert(name.clone(), self.value(property, deep + 1));
                    }
                }
                if schema["additionalProperties"].is_object() {
                    let name = self.one(&["near", "app", "email", "rice", "group"]);
                    made.insert((*name).to_owned(), self.value(&schema["additionalProperties"], deep + 1));
                }
                if self.rng.below(30) == 0 {
                    made.insert("no_such_field".into(), self.wild());
                }
                made.into()
            }
            "null" => Value::Null,
            _ => self.wild(),
        }
    }

    /// A value for a name in the path: an id that exists, if one fits.
    fn part(&self, name: &str, pattern: &str) -> String {
        if self.rng.below(8) == 0 {
            let odd = ["x", "%00", "cus_1", "..", "0", "-1", "+1", "99999999999999999999", "a%2fb", "长"];
            return (*self.one(&odd)).to_owned();
        }
        let begins = match (name, pattern.split('/').nth(2).unwrap_or_default()) {
            ("id", "customers") => "cus_",
            ("id", "conversations") => "cnv_",
            ("id", "agents") | ("agent", _) => "agt_",
            ("id", "cases") => "cas_",
            ("id", "outbox") => "msg_",
            ("version", _) => "1",
            ("channel", _) => "webchat",
            ("account", _) => "shop",
            _ => "",
        };
        let fitting: Vec<&String> = self.ids.iter().filter(|id| id.starts_with(begins)).collect();
        (*self.one(&fitting)).clone()
    }

    fn query(&self, names: &[(&str, &str)]) -> String {
        let odd = [
            "",
            "0",
            "1",
            "5",
            "-1",
            "201",
            "x",
            "true",
            "%00",
            "%ff",
            "%F0%9F",
            "request",
            "court",
            "callback",
            "open",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775807.cnv_00000000000000000000000000000000.9223372036854775807",
        ];
        let mut pairs = Vec::new();
        for (name, _) in names {
            for _ in 0..[0, 1, 1, 1, 2][self.rng.below(5)] {
                let value = if self.rng.below(3) == 0 { self.one(self.ids).as_str() } else { *self.one(&odd) };
                pairs.push(format!("{name}={value}"));
            }
        }
        pairs.join("&")
    }
}

/// Bytes that do not fit their media type.
fn spoiled(rng: &Counted, body: Vec<u8>) -> Vec<u8> {
    match rng.below(6) {
        0 => body[..body.len() / 2].to_vec(),
        1 => [&body[..], b"}"].concat(),
        2 => [&body[..body.len().saturating_sub(2)], b"\xff\"}"].concat(),
        3 => "[".repeat(50_000).into_bytes(),
        4 => br#"{"a":"\ud83d"}"#.to_vec(),
        _ => Vec::new(),
    }
}

#[test]
fn l8_every_answer_is_as_described_whatever_is_sent() {
    let described = Described::new();
    let rng = Counted(Cell::new(42));
    let (mut sent, mut taken) = (0, 0);
    let mut house: Filled = filled();
    for round in 0..45 {
        // A store with many changes is replaced by a new one.
        if round % 9 == 8 {
            house = filled();
        }
        let maker = Maker { rng: &rng, whole: &described.whole, ids: &house.ids };
        let agent = &house.w.hire("agent", "near", 1);
        for route in routes::all() {
            if route.component != "desk" || matches!(route.handler, Handler::Open(_)) {
                continue;
            }
            let path: Vec<String> = route
                .path
                .split('/')
                .map(|part| match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                    Some(name) => maker.part(name, route.path),
                    None => part.to_owned(),
                })
                .collect();
            let path = path.join("/");
            let target = format!("{path}?{}", maker.query(route.query));
            let operation = &described.whole["paths"][route.path][route.verb.as_str().to_ascii_lowercase()];
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let listed =
                house.calls.iter().find(|(method, pattern, ..)| *method == route.verb.as_str() && *pattern == route.path);
            let mut body = match listed {
                Some((.., body)) if rng.below(4) == 0 => body.to_string().into_bytes(),
                _ if schema.is_object() => maker.value(schema, 0).to_string().into_bytes(),
                _ => Vec::new(),
            };
            if rng.below(12) == 0 && schema.is_object() {
                body = spoiled(&rng, body);
            }
            let token = [ADMIN, ADMIN, ADMIN, ADMIN, agent.token.as_str(), "nobody", ""][rng.below(7)];
            let mut request = request(token, route.verb.as_str(), &target, body);
            if rng.below(15) == 0 {
                let kinds = [
                    "text/plain",
                    "application/xml",
                    "multipart/form-data; boundary=x",
                    "application/json; charset=gbk",
                    "\u{1}",
                ];
                if let Ok(kind) = maker.one(&kinds).parse() {
                    request.headers.insert("content-type", kind);
                }
            }
            if rng.below(15) == 0 {
                let keys = ["a".to_owned(), "k".repeat(300), String::new(), "长".to_owned()];
                if let Ok(key) = http::HeaderValue::from_bytes(maker.one(&keys).as_bytes()) {
                    request.headers.insert("idempotency-key", key);
                }
            }
            let answer = house.w.send(&request);
            described.check(route.verb.as_str(), route.path, &target, &answer);
            sent += 1;
            taken += u32::from(answer.status < 300);
        }
    }
    println!("{sent} requests, {taken} taken; {} pairs of call and status", described.statuses.borrow().len());
    assert!(sent > 2_000 && taken > sent / 6, "{taken} of {sent}");
}

#[test]
fn l2_a_method_that_a_path_does_not_take_is_refused_with_those_that_it_takes() {
    let house = filled();
    let mut seen = BTreeSet::new();
    for route in routes::all().filter(|route| seen.insert(route.path)) {
        let path: Vec<&str> = route.path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
        let taken: BTreeSet<String> =
            routes::all().filter(|r| r.path == route.path).map(|r| r.verb.as_str().to_owned()).collect();
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
            if taken.contains(method) {
                continue;
            }
            let answer = house.w.call(ADMIN, method, &path.join("/"), &Value::Null);
            assert_eq!(
                (answer.status, answer.json()["code"].as_str()),
                (405, Some("method_not_allowed")),
                "{method} {}",
                route.path
            );
            let allow: BTreeSet<String> = answer.header("allow").unwrap().split(", ").map(str::to_owned).collect();
            let mut expected = taken.clone();
            if taken.contains("GET") {
                expected.insert("HEAD".into());
            }
            // Two patterns can fit one path. The answer names at least all methods of this pattern.
            assert!(allow.is_superset(&expected), "{method} {}: {allow:?}", route.path);
        }
    }
}

#[test]
fn l2_head_answers_as_get_does() {
    let house = filled();
    for path in ["/healthz", "/readyz", "/api/openapi.json", "/api/conversations", "/api/routing/plan", "/api/nothing"] {
        let [get, head] = ["GET", "HEAD"].map(|method| house.w.call(ADMIN, method, path, &Value::Null));
        assert_eq!((get.status, get.response.content_type), (head.status, head.response.content_type), "{path}");
    }
}

#[test]
fn m2_the_description_has_a_tag_and_comes_compressed_to_who_takes_that() {
    let house = filled();
    let get = |headers: &[(&'static str, &str)]| {
        let mut wanted = request("", "GET", "/api/openapi.json", Vec::new());
        for (name, value) in headers {
            wanted.headers.insert(*name, value.parse().unwrap());
        }
        house.w.send(&wanted)
    };
    let plain = get(&[]);
    assert_eq!(plain.status, 200);
    assert_eq!((plain.json(), plain.header("content-encoding")), (document(), None));
    let tag = plain.header("etag").unwrap().to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".into()] {
        let same = get(&[("if-none-match", &known)]);
        assert_eq!((same.status, same.response.body.len(), same.header("etag")), (304, 0, Some(tag.as_str())), "{known}");
    }
    assert_eq!(get(&[("if-none-match", "\"other\"")]).status, 200);
    for (taken, compressed) in [("gzip", true), ("deflate, gzip;q=0.5", true), ("gzip;q=0", false), ("br", false)] {
        let answer = get(&[("accept-encoding", taken)]);
        assert_eq!(answer.header("content-encoding").is_some(), compressed, "{taken}");
        if compressed {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&answer.response.body[..]), &mut text).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document());
            assert!(answer.response.body.len() * 4 < plain.response.body.len());
        }
    }
}
