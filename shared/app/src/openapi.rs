//! The OpenAPI 3.1 description, generated from the table of routes and the types that the handlers read and write.

use crate::{refusals, routes};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use warmline_endpoint::Problem;
use warmline_endpoint::route::{Access, Answer, Verb};
use warmline_model::Role;

/// The description in the form of this crate's `openapi.json`.
pub fn committed() -> String {
    format!("{:#}\n", document())
}

const BEGIN: &str = "<!-- calls: made by `cargo xtask docs` -->\n";
const END: &str = "<!-- end of calls -->";

/// docs/API.md with the present table of calls; `None` if the marks around the table are missing.
pub fn renew(page: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{}{END}{after}", table()))
}

/// The calls, and the roles that may make them besides the administrator.
fn table() -> String {
    let mut table = "| call | what it does | roles beside admin | scope |\n|---|---|---|---|\n".to_owned();
    for route in routes::all() {
        let (roles, scope) = match route.access {
            Access::Public => ("no token needed".to_owned(), ""),
            Access::Token(roles, scope) => {
                let role = |role: &Role| match route.agents {
                    limits if *role == Role::Agent && !limits.is_empty() => format!("agent ({limits})"),
                    _ => role.as_str().to_owned(),
                };
                (roles.iter().map(role).collect::<Vec<_>>().join(", "), scope.as_str())
            }
        };
        let (verb, path, summary) = (route.verb.as_str(), route.path, route.summary);
        table += &format!("| `{verb} {path}` | {summary} | {roles} | {scope} |\n");
    }
    table
}

/// The description.
pub fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|s| {
            s.definitions_path = "/components/schemas".into();
            s.meta_schema = None;
        })
        .into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths = Map::new();
    for route in routes::all() {
        let names = route.path.split('/').filter_map(|p| p.strip_prefix('{')?.strip_suffix('}'));
        let mut parameters: Vec<Value> = names
            .map(|n| json!({ "name": n, "in": "path", "required": true, "schema": { "type": "string" } }))
            .chain(route.query.iter().map(
                |(n, meaning)| json!({ "name": n, "in": "query", "description": meaning, "schema": { "type": "string" } }),
            ))
            .collect();
        if route.verb == Verb::Post {
            parameters.push(json!({
                "name": "Idempotency-Key", "in": "header", "schema": { "type": "string", "maxLength": 255 },
                "description": "the same key, the same answer, one effect; kept for a day",
            }));
        }
        let media = match route.answer {
            Answer::Json(schema) => json!({ "application/json": { "schema": schema(&mut generator) } }),
            Answer::Other(media) => json!({ media: { "schema": { "type": "string" } } }),
        };
        let mut responses = Map::new();
        responses.insert(route.status.to_string(), json!({ "description": "done", "content": media }));
        if let Some((status, schema)) = route.or {
            let media = json!({ "application/json": { "schema": schema(&mut generator) } });
            responses.insert(status.to_string(), json!({ "description": "accepted", "content": media }));
        }
        if route.path == "/api/openapi.json" {
            responses.insert("304".into(), json!({ "description": "what If-None-Match names is what would be sent" }));
        }
        for (status, codes) in refusals::of(route) {
            let refused = json!({
                "description": refusals::described(status),
                "x-codes": codes,
                "content": { "application/problem+json": { "schema": problem } },
            });
            responses.insert(status.to_string(), refused);
        }
        let mut operation = json!({
            "operationId": operation_id(route.verb.as_str(), route.path),
            "summary": route.summary,
            "responses": responses,
        });
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(takes) = route.takes {
            operation["requestBody"] = json!({ "content": { "application/json": { "schema": takes(&mut generator) } } });
        }
        match route.access {
            Access::Public => operation["security"] = json!([]),
            Access::Token(roles, scope) => {
                let mut names: Vec<&str> = vec!["admin"];
                names.extend(roles.iter().map(|r| r.as_str()));
                operation["description"] = format!("Roles: {}. Scope: {}.", names.join(", "), scope.as_str()).into();
            }
        }
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.verb.as_str().to_ascii_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Warmline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The API for agents, supervisors and operations of an omnichannel customer-service system.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// `POST /api/conversations/{id}/messages` as `post_api_conversations_id_messages`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(['/', '{', '}', '.']).filter(|w| !w.is_empty());
    std::iter::once(method.to_ascii_lowercase()).chain(words.map(str::to_owned)).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::PLAIN;

    #[test]
    fn the_description_is_openapi_3_1() {
        let text = document().to_string();
        let spec = oas3::from_json(&text).unwrap();
        assert_eq!(spec.openapi, "3.1.0");
        assert_eq!(spec.operations().count(), routes::all().count());
        // Every reference has a target.
        let value = document();
        for reference in text.split("\"#/").skip(1).filter_map(|t| t.split('"').next()) {
            assert!(value.pointer(&format!("/{reference}")).is_some(), "{reference}");
        }
    }

    #[test]
    fn m2_the_committed_description_is_the_present_one() {
        let held: Value = serde_json::from_slice(PLAIN).unwrap();
        assert!(held == document(), "run `cargo xtask docs`: shared/app/openapi.json is not what the routes say");
    }

    #[test]
    fn the_page_has_the_present_table_of_calls() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/API.md");
        let page = std::fs::read_to_string(path).unwrap();
        assert_eq!(renew(&page).as_deref(), Some(page.as_str()), "run `cargo xtask docs`");
    }

    #[test]
    fn l8_every_refusal_is_listed_with_its_codes() {
        let described = document();
        for operations in described["paths"].as_object().unwrap().values() {
            for operation in operations.as_object().unwrap().values() {
                let responses = operation["responses"].as_object().unwrap();
                assert!(!responses.contains_key("default") && responses.contains_key("503"));
                for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
                    assert!(!response["x-codes"].as_array().unwrap().is_empty(), "{status}");
                    assert!(response["content"]["application/problem+json"]["schema"].is_object());
                }
            }
        }
        let of = |path: &str, method: &str| described["paths"][path][method]["responses"].clone();
        assert!(of("/healthz", "get").get("401").is_none());
        let merge = of("/api/customers/{id}/merge", "post");
        assert!(merge["409"]["x-codes"].as_array().unwrap().contains(&json!("same_person")));
    }

    #[test]
    fn operation_ids_are_unique() {
        let mut ids: Vec<_> = routes::all().map(|r| operation_id(r.verb.as_str(), r.path)).collect();
        let n = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), n);
    }
}
