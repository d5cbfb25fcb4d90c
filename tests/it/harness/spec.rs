//! The API's own description, compared with every answer that the tests get.

use super::http::{Answer, send};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// One operation: method, pattern, status of success, media type.
struct Operation {
    method: String,
    path: String,
    responses: Value,
}

/// The description with its validators.
pub struct Spec {
    operations: Vec<Operation>,
    components: Value,
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
    exercised: Mutex<BTreeSet<String>>,
}

impl Spec {
    /// Reads the description from a server.
    pub fn fetch(base: &str) -> Self {
        let document = send("GET", &format!("{base}/api/openapi.json"), &[], "").expect(200).json();
        assert_eq!(document["openapi"], "3.1.0");
        let mut operations = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let responses = operation["responses"].clone();
                operations.push(Operation { method: method.to_uppercase(), path: path.clone(), responses });
            }
        }
        let (validators, exercised) = (Mutex::default(), Mutex::default());
        Self { operations, components: document["components"].clone(), validators, exercised }
    }

    /// Every operation, as `GET /api/…/{id}`.
    pub fn operations(&self) -> BTreeSet<String> {
        self.operations.iter().map(|o| format!("{} {}", o.method, o.path)).collect()
    }

    /// Operations that answered with success so far.
    pub fn exercised(&self) -> BTreeSet<String> {
        self.exercised.lock().unwrap().clone()
    }

    /// Fails if an answer does not fit the description of its operation.
    #[track_caller]
    pub fn check(&self, method: &str, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap_or_default();
        let Some(operation) = self.operations.iter().find(|o| o.method == method && fits(&o.path, path)) else { return };
        let name = format!("{method} {}", operation.path);
        let status = answer.status.to_string();
        let listed = operation.responses.get(&status);
        let Some(listed) = listed else { panic!("{name} does not list the status {status}: {:.300}", answer.text()) };
        if answer.status < 400 {
            self.exercised.lock().unwrap().insert(name.clone());
        }
        // An answer without a body.
        let Some(content) = listed["content"].as_object() else { return };
        let media = answer.header("content-type").unwrap_or_default();
        let Some(described) = content.get(media).or_else(|| content.get("*/*")) else {
            // The runner's own refusals are problems too, with fewer fields.
            panic!("{name} answered {status} as {media:?}, not as {:?}", content.keys().collect::<Vec<_>>());
        };
        if matches!(media, "application/json" | "application/problem+json") {
            let validator = self.validator(&format!("{name} {status}"), &described["schema"]);
            let body = answer.json();
            let errors: Vec<String> =
                validator.iter_errors(&body).map(|e| format!("{}: {:.300}", e.instance_path(), e.to_string())).collect();
            assert!(errors.is_empty(), "{name} {status} is not as described: {errors:?}");
        }
    }

    fn validator(&self, key: &str, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let build = || {
            let whole = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "allOf": [schema], "components": self.components,
            });
            Arc::new(jsonschema::validator_for(&whole).unwrap())
        };
        validators.entry(key.to_owned()).or_insert_with(build).clone()
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len() && pattern.iter().zip(&path).all(|(p, part)| p.starts_with('{') || p == part)
}
