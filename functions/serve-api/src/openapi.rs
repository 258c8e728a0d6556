//! The OpenAPI 3.1 document, made from the list of routes and the types that they take and give.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use throughline_domain::config::ConfigKind;
use throughline_platform::problem::Problem;

use crate::routes::{self, Endpoint, Operation};

/// The document, made when somebody first asks: that takes longer than all else at a cold start.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| document(&routes::all()));

/// `GET /v1/openapi.json`.
pub(crate) async fn get() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

/// The document for these routes.
fn document(endpoints: &[Endpoint]) -> String {
    let settings = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths = Map::new();
    for endpoint in endpoints {
        let path = endpoint.path.replace("{*", "{");
        let methods: Map<String, Value> = endpoint
            .operations
            .iter()
            .map(|operation| {
                (operation.method.to_owned(), described(&path, operation, &mut generator, problem.as_value()))
            })
            .collect();
        paths.insert(path, Value::Object(methods));
    }
    let schemas = generator.take_definitions(true);
    let document = json!({
        "openapi": "3.1.0",
        "info": {"title": "Throughline", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    });
    document.to_string()
}

fn described(path: &str, operation: &Operation, generator: &mut schemars::SchemaGenerator, problem: &Value) -> Value {
    let text = json!({"type": "string"});
    let in_path = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let kinds = json!({"type": "string", "enum": ConfigKind::ALL});
    let in_path = in_path.map(|name| {
        let schema = if name == "kind" && path.starts_with("/v1/config") { &kinds } else { &text };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    });
    let in_query = operation.query.iter().map(|name| json!({"name": name, "in": "query", "schema": text}));
    let mut parameters: Vec<Value> = in_path.chain(in_query).collect();
    if operation.method == "post" && path.starts_with("/v1/tickets") {
        parameters.push(json!({"name": "Idempotency-Key", "in": "header", "schema": text}));
    }
    if operation.method != "get" && (path.starts_with("/v1/tickets") || path.starts_with("/v1/config")) {
        parameters.push(json!({"name": "If-Match", "in": "header", "schema": text}));
    }
    let answer = (operation.response)(generator);
    let mut described = json!({
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            operation.status.to_string(): {"description": "Done", "content": {"application/json": {"schema": answer}}},
            "default": {
                "description": "A problem (RFC 9457)",
                "content": {"application/problem+json": {"schema": problem}},
            },
        },
    });
    if let Some(request) = operation.request {
        let schema = request(generator);
        described["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": schema}}});
    }
    if operation.open {
        described["security"] = json!([]);
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes;

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document: Value = serde_json::from_str(&document(&routes::all())).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        assert!(schemas.contains_key("TicketView") && schemas.contains_key("Problem"));
        let text = document.to_string();
        let references = text.split("\"$ref\":\"#/components/schemas/").skip(1);
        let mut count = 0;
        for name in references.filter_map(|rest| rest.split('"').next()) {
            assert!(schemas.contains_key(name), "{name}");
            count += 1;
        }
        assert!(count > 20);
    }
}
