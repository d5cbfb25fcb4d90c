//! The OpenAPI 3.1 description, generated from the table of routes and the types that the handlers read and write.

use crate::routes::{Access, Answer, Call, routes, scope};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use warmline_http::{Problem, Response};

/// `GET /api/openapi.json`
pub(crate) fn serve(_: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(200, &document()))
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
    for route in routes() {
        let names = route.path.split('/').filter_map(|p| p.strip_prefix('{')?.strip_suffix('}'));
        let mut parameters: Vec<Value> = names
            .map(|n| json!({ "name": n, "in": "path", "required": true, "schema": { "type": "string" } }))
            .chain(route.query.iter().map(
                |(n, meaning)| json!({ "name": n, "in": "query", "description": meaning, "schema": { "type": "string" } }),
            ))
            .collect();
        if route.method == http::Method::POST {
            parameters.push(json!({
                "name": "Idempotency-Key", "in": "header", "schema": { "type": "string", "maxLength": 255 },
                "description": "the same key, the same answer, one effect; kept for a day",
            }));
        }
        let media = match route.answer {
            Answer::Json(schema) => json!({ "application/json": { "schema": schema(&mut generator) } }),
            Answer::Other(media) => json!({ media: { "schema": { "type": "string" } } }),
        };
        let mut operation = json!({
            "operationId": operation_id(route.method.as_str(), route.path),
            "summary": route.summary,
            "responses": {
                route.status.to_string(): { "description": "done", "content": media },
                "default": {
                    "description": "refused, with a stable `code` and a sentence that says what to do",
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
        });
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(takes) = route.takes {
            operation["requestBody"] = json!({ "content": { "application/json": { "schema": takes(&mut generator) } } });
        }
        match route.access {
            Access::Public => operation["security"] = json!([]),
            Access::Roles(roles) => {
                let mut names: Vec<&str> = vec!["admin"];
                names.extend(roles.iter().map(|r| r.as_str()));
                let scope = scope(&route).map(|scope| format!(" Scope: {}.", scope.as_str())).unwrap_or_default();
                operation["description"] = format!("Roles: {}.{scope}", names.join(", ")).into();
            }
        }
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation;
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

    #[test]
    fn the_description_is_openapi_3_1() {
        let text = document().to_string();
        let spec = oas3::from_json(&text).unwrap();
        assert_eq!(spec.openapi, "3.1.0");
        assert_eq!(spec.operations().count(), routes().len());
        // Every reference leads somewhere.
        let value = document();
        for reference in text.split("\"#/").skip(1).filter_map(|t| t.split('"').next()) {
            assert!(value.pointer(&format!("/{reference}")).is_some(), "{reference}");
        }
    }

    #[test]
    fn operation_ids_are_unique() {
        let mut ids: Vec<_> = routes().iter().map(|r| operation_id(r.method.as_str(), r.path)).collect();
        let n = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), n);
    }
}
