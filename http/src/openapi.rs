//! The API's description (OpenAPI 3.1), built from the same catalogs as the routes, and its page.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keiin_domain::catalog::{Visit, catalog};
use keiin_domain::command::Command;
use keiin_domain::delivery::{DownloadDocument, TakeFile, TakeFiles};
use keiin_domain::sign_up::{AcceptFirstTerms, RequestSignUp, VerifyEmailCode};
use keiin_projections::catalog::{VisitQueries, queries};
use keiin_projections::query::{Kind, PAGING, Param, Query};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::app::App;
use crate::client_import::Clients;
use crate::console::{common, render};
use crate::import::Import;
use crate::passkey::NewPasskey;
use crate::passkey_api::{PasskeyLogin, PasskeyProof};
use crate::password::Forgotten;
use crate::problem::Problem;
use crate::serve::Peer;
use crate::session::Login;
use crate::session_api::{Confirm, LoginCode, Operation};
use crate::signup::NewTenant;
use crate::sms::api::{NewPhone, PhoneCode, WaitingLogin};
use crate::visit_import::Visits;
use crate::{
    audit_archive, check, document_files, feed, ledger, legal, oauth, paper, passkey_api, session_api, signup, sms,
    totals, trust, verification,
};

/// Operations that no catalog lists.
pub const OPERATIONS: &[&[Operation]] = &[
    signup::api::OPERATIONS,
    session_api::OPERATIONS,
    passkey_api::OPERATIONS,
    sms::api::OPERATIONS,
    legal::OPERATIONS,
    ledger::OPERATIONS,
    paper::OPERATIONS,
    check::OPERATIONS,
    crate::inbox::OPERATIONS,
    crate::link::OPERATIONS,
    document_files::OPERATIONS,
    crate::visit_files::OPERATIONS,
    oauth::OPERATIONS,
    totals::OPERATIONS,
    Clients::OPERATIONS,
    Visits::OPERATIONS,
    audit_archive::OPERATIONS,
    crate::post::OPERATIONS,
    crate::attachment::OPERATIONS,
    trust::OPERATIONS,
    verification::OPERATIONS,
];

/// Routes.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/openapi.json", get(document)).route("/docs", get(page))
}

/// The document as text; the same bytes as `docs/openapi.json`.
pub static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let text = serde_json::to_string_pretty(&build()).expect("plain JSON values can be written");
    text + "\n"
});

async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// The same for people: every operation with its fields, without a script and without a foreign host.
async fn page(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let peer = Peer::of(&head);
    let mut context = common(&app, "/docs", peer, None).await?;
    context["openapi"] = build();
    render(&app, peer.lang, "docs", &context, axum::http::StatusCode::OK)
}

#[derive(Default)]
struct Document {
    paths: BTreeMap<String, Map<String, Value>>,
    schemas: Vec<(String, RefOr<Schema>)>,
}

/// The document.
pub fn build() -> Value {
    let mut document = Document::default();
    catalog(&mut document);
    queries(&mut document);
    document.beside();
    let schemas: BTreeMap<String, Value> =
        document.schemas.iter().map(|(name, schema)| (name.clone(), json!(schema))).collect();
    let mut components: Map<String, Value> = schemas.into_iter().collect();
    components.insert("Problem".into(), problem_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Keiin",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A back office whose audit trail is the system of record.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": document.paths,
        "webhooks": { "record": crate::webhook::text::described() },
        "components": {
            "schemas": components,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" }, "oauth": oauth::security_scheme() },
        },
        "security": [{ "token": [] }, { "oauth": [] }],
    })
}

impl Document {
    fn schema<T: ToSchema>(&mut self) -> Value {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
    }

    fn add(&mut self, method: &str, path: &str, operation: Value) {
        self.paths.entry(path.to_owned()).or_default().insert(method.to_lowercase(), operation);
    }

    /// Operations that no catalog lists.
    fn beside(&mut self) {
        let forms = [
            ("oauth_token", self.schema::<oauth::TokenRequest>()),
            ("oauth_revoke", self.schema::<oauth::Revocation>()),
            ("oauth_introspect", self.schema::<oauth::Introspection>()),
        ];
        let bodies = [
            ("request_sign_up", self.schema::<RequestSignUp>()),
            ("verify_email_code", self.schema::<VerifyEmailCode>()),
            ("accept_first_terms", self.schema::<AcceptFirstTerms>()),
            ("provision_tenant", self.schema::<NewTenant>()),
            ("log_in", self.schema::<Login>()),
            ("finish_log_in", self.schema::<LoginCode>()),
            ("forget_password", self.schema::<Forgotten>()),
            ("confirm_me", self.schema::<Confirm>()),
            ("log_in_by_passkey", self.schema::<PasskeyLogin>()),
            ("confirm_by_passkey", self.schema::<PasskeyProof>()),
            ("register_passkey", self.schema::<NewPasskey>()),
            ("send_login_code", self.schema::<WaitingLogin>()),
            ("begin_phone", self.schema::<NewPhone>()),
            ("register_phone", self.schema::<PhoneCode>()),
            ("download_document", self.schema::<DownloadDocument>()),
            ("take_file", self.schema::<TakeFile>()),
            ("take_files", self.schema::<TakeFiles>()),
            ("compute_totals", self.schema::<totals::ComputeTotals>()),
            ("make_print_job", self.schema::<crate::post::ItemSelection>()),
            ("make_label_sheet", self.schema::<crate::post::LabelSheet>()),
            ("make_manifest", self.schema::<crate::post::ItemSelection>()),
        ];
        for operation in OPERATIONS.iter().copied().flatten() {
            let Operation { name, method, path, .. } = *operation;
            let params = operation.params.iter().map(|param| parameter(param, path));
            let content = if operation.answer.is_empty() { json!({}) } else { json!({ operation.answer: {} }) };
            let mut description = json!({
                "operationId": name,
                "tags": [tag(path)],
                "parameters": path_parameters(path).into_iter().chain(params).collect::<Vec<_>>(),
                "responses": responses(&operation.status.to_string(), content),
            });
            if name == feed::NAME {
                description["description"] = json!(feed::ABOUT);
                let header = json!({ "name": "Last-Event-ID", "in": "header", "schema": { "type": "string" } });
                description["parameters"].as_array_mut().expect("it has parameters").push(header);
            }
            if [Clients::OPERATIONS[0].name, Visits::OPERATIONS[0].name].contains(&operation.name) {
                description["description"] = json!(crate::import::ABOUT);
                let content = json!({ "text/csv": { "schema": { "type": "string" } } });
                description["requestBody"] = json!({ "required": true, "content": content });
            }
            if name == crate::attachment::OPERATIONS[0].name {
                description["description"] = json!(crate::attachment::ABOUT);
                description["x-rejects"] = json!(crate::attachment::REJECTS);
                let files = json!({ "type": "array", "items": { "type": "string", "format": "binary" } });
                let schema = json!({ "type": "object", "properties": { "files": files } });
                let content = json!({ "multipart/form-data": { "schema": schema } });
                description["requestBody"] = json!({ "required": true, "content": content });
            }
            if operation.public {
                description["security"] = json!([]);
            }
            if let Some(permission) = operation.permission {
                description["x-permission"] = json!(permission.0);
                description["x-scope"] = json!(permission.scope());
            }
            if let Some((_, schema)) = bodies.iter().find(|(body, _)| *body == name) {
                description["requestBody"] = request_body(schema);
            }
            if let Some((_, schema)) = forms.iter().find(|(form, _)| *form == name) {
                let content = json!({ "application/x-www-form-urlencoded": { "schema": schema } });
                description["requestBody"] = json!({ "required": true, "content": content });
                description["description"] = json!(oauth::ABOUT);
                description["security"] = json!([]);
                let refused = json!({ "type": "object", "required": ["error"], "properties": {
                    "error": { "type": "string" }, "error_description": { "type": "string" },
                } });
                let refused = json!({ "application/json": { "schema": refused } });
                description["responses"]["default"] = json!({ "description": "Refused", "content": refused });
            }
            self.add(method, &path.replace("{*", "{"), description);
        }
    }
}

impl Visit for Document {
    fn command<C: Command>(&mut self) {
        let route = C::ROUTE;
        if route.method.is_empty() {
            return;
        }
        let schema = self.schema::<C>();
        let mut parameters = path_parameters(route.path);
        let header = |name: &str, required: bool, about: &str| json!({ "name": name, "in": "header", "required": required, "schema": { "type": "string" }, "description": about });
        if route.method == "POST" {
            let about = "A retry with the same key is answered like the first request and changes nothing.";
            parameters.push(header("Idempotency-Key", C::NEEDS_KEY, about));
        }
        if crate::command::Entry::of::<C>().needs_version() {
            parameters.push(header("If-Match", true, "\"v<version>\" of the object as it was read."));
        }
        let public = route.path.contains("{token}");
        let mut operation = json!({
            "operationId": C::NAME,
            "tags": [tag(route.path)],
            "parameters": parameters,
            "requestBody": request_body(&schema),
            "responses": responses(if route.creates { "201" } else { "200" }, json!({})),
            "x-permission": C::PERMISSION.0,
            "x-scope": C::PERMISSION.scope(),
            "x-rejects": C::REJECTS,
        });
        if public {
            operation["security"] = json!([]);
        }
        self.add(route.method, route.path, operation);
    }
}

impl VisitQueries for Document {
    fn query<Q: Query>(&mut self) {
        let answer = self.schema::<Q::Answer>();
        let paging: &[Param] = if Q::LIST { &PAGING } else { &[] };
        let parameters: Vec<Value> = Q::PARAMS.iter().chain(paging).map(|p| parameter(p, Q::PATH)).collect();
        self.add(
            "GET",
            Q::PATH,
            json!({
                "operationId": Q::NAME,
                "tags": [tag(Q::PATH)],
                "parameters": parameters,
                "responses": responses("200", json!({ "application/json": { "schema": answer } })),
                "x-permission": Q::PERMISSION.0,
                "x-scope": Q::PERMISSION.scope(),
            }),
        );
    }
}

fn tag(path: &str) -> &str {
    path.split('/').find(|segment| !segment.is_empty() && *segment != "v1").unwrap_or("other")
}

fn request_body(schema: &Value) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": schema } } })
}

/// What comes back: on success this content by media type, else a problem.
fn responses(success: &str, content: Value) -> Value {
    let problem = json!({
        "description": "Refused",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut answer = json!({ "description": "Done" });
    if content != json!({}) {
        answer["content"] = content;
    }
    json!({ success: answer, "default": problem })
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| {
            let name = name.trim_start_matches('*');
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect()
}

fn parameter(param: &Param, path: &str) -> Value {
    let in_path = path.contains(&format!("{{{}}}", param.name));
    let schema = match param.kind {
        Kind::Id => json!({ "type": "string", "format": "uuid" }),
        Kind::Text => json!({ "type": "string", "maxLength": 200 }),
        Kind::Day => json!({ "type": "string", "format": "date" }),
        Kind::Number => json!({ "type": "integer", "minimum": 0 }),
        Kind::OneOf(words) => json!({ "type": "string", "enum": words }),
    };
    json!({ "name": param.name, "in": if in_path { "path" } else { "query" }, "required": in_path, "schema": schema })
}

fn problem_schema() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "description": "RFC 9457. `code` is stable; `/problems/<code>` explains it.",
        "required": ["type", "title", "status", "code", "detail", "instance"],
        "properties": {
            "type": text, "title": text, "status": { "type": "integer" }, "code": text, "detail": text, "instance": text,
            "errors": { "type": "array", "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": { "pointer": text, "detail": text, "expected": text },
            } },
        },
    })
}
