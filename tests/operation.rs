//! The API's operations as its own document lists them, and for each a request that succeeds: the sweeps over all
//! operations start from it. An operation without an example fails every sweep.

mod deliveries;
mod documents;
mod mails;
mod reception;
mod visit_after;
mod ways;
mod webhooks;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::attachments;
use crate::client::Call;
use crate::company::{Company, Credential, PASSWORD, text};
use crate::mailbox::OTHER_PASSWORD;
use crate::sign_up::{SignUp, agreement};

/// One operation of the OpenAPI document.
#[derive(Clone, Debug)]
pub struct Operation {
    /// operationId.
    pub name: String,
    /// Upper case.
    pub method: String,
    /// With `{…}` where parameters stand.
    pub path: String,
    /// Needs no credential, or one in its path.
    pub is_public: bool,
    /// Schema of the body, references resolved one step; `None` where there is no body.
    pub body: Option<Value>,
    /// Parameters in the query string: name and schema.
    pub query: Vec<(String, Value)>,
    /// Names of required headers.
    pub headers: Vec<String>,
    /// `noun.verb`, where the operation asks for one.
    pub permission: Option<String>,
    /// Status of success.
    pub status: u16,
    /// Media type of the answer; empty = no body, or a representation that the document does not describe.
    pub answer: String,
}

/// What needs something that operators made: `stories/operators.rs` sends these by everybody, on a deployment that has some.
pub const WITH_OPERATORS: &[&str] = &["get_grant", "open_grant", "end_grant"];

/// Everything in the document that a company can do by itself.
pub fn operations(document: &Value) -> Vec<Operation> {
    let mut found = all_operations(document);
    found.retain(|operation| !WITH_OPERATORS.contains(&operation.name.as_str()));
    found
}

/// Everything in the document.
pub fn all_operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let of = |place: &str| parameters.iter().filter(|p| p["in"] == place).cloned().collect::<Vec<_>>();
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let answers = operation["responses"].as_object().expect("answers");
            let (status, answer) = answers.iter().find(|(status, _)| *status != "default").expect("one for success");
            let media = answer["content"].as_object().and_then(|content| content.keys().next());
            found.push(Operation {
                status: status.parse().expect("a status"),
                answer: media.cloned().unwrap_or_default(),
                name: text(operation, "operationId"),
                method: method.to_uppercase(),
                path: path.clone(),
                is_public: operation["security"] == json!([]),
                body: (!schema.is_null()).then(|| resolve(document, schema)),
                query: of("query").iter().map(|p| (text(p, "name"), p["schema"].clone())).collect(),
                headers: of("header").iter().filter(|p| p["required"] == true).map(|p| text(p, "name")).collect(),
                permission: operation["x-permission"].as_str().map(str::to_owned),
            });
        }
    }
    found
}

/// A schema, with its reference followed.
pub fn resolve(document: &Value, schema: &Value) -> Value {
    match schema["$ref"].as_str().and_then(|path| document.pointer(path.strip_prefix('#')?)) {
        Some(found) => resolve(document, found),
        None => schema.clone(),
    }
}

/// A request, still in parts, so that a sweep can exchange one of them.
#[derive(Clone, Debug)]
pub struct Example {
    /// Upper case.
    pub method: String,
    /// With `{…}` where parameters stand.
    pub path: String,
    /// What stands there.
    pub params: BTreeMap<&'static str, String>,
    /// With the question mark, or empty.
    pub query: String,
    /// JSON, where the operation takes a body.
    pub body: Option<Value>,
    /// Fields of a form, or a file, where the operation takes one.
    pub form: Option<String>,
    /// Beside the sender's.
    pub headers: Vec<(&'static str, String)>,
    /// Who may send it.
    pub sender: Credential,
}

impl Example {
    /// Path and query.
    pub fn target(&self) -> String {
        let mut path = self.path.clone();
        for (name, value) in &self.params {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        path + &self.query
    }

    /// The same with another value in the path.
    pub fn with(&self, name: &'static str, value: &str) -> Example {
        let mut other = self.clone();
        other.params.insert(name, value.to_owned());
        other
    }

    /// The request without its body and sender.
    pub fn head(&self) -> Call {
        let call = Call::new(&self.method, &self.target());
        self.headers.iter().fold(call, |call, (name, value)| call.header(name, value))
    }

    /// The request without its sender.
    pub fn call(&self) -> Call {
        let call = self.body.iter().fold(self.head(), |call, body| call.json(body));
        let kind = match self.path.as_str() {
            "/v1/attachments" => attachments::content_type(),
            path if path.ends_with("/imports") => "text/csv".to_owned(),
            _ => "application/x-www-form-urlencoded".to_owned(),
        };
        self.form.iter().fold(call, |call, form| call.bytes(&kind, form.as_str()))
    }
}

/// A request that succeeds once, on objects made for it.
pub fn example(company: &Company, operation: &Operation) -> Example {
    let mut example = Example {
        method: operation.method.clone(),
        path: operation.path.clone(),
        params: BTreeMap::new(),
        query: String::new(),
        body: operation.body.as_ref().map(|_| json!({})),
        form: None,
        headers: Vec::new(),
        sender: company.token.clone(),
    };
    let name = operation.name.as_str();
    if let Some(object) = object_of(company, name) {
        example.params.insert("id", object);
    }
    match name {
        own if deliveries::OPERATIONS.contains(&own) || deliveries::IN_INBOX.contains(&own) => {
            deliveries::fill(company, own, &mut example);
        }
        own if reception::OPERATIONS.contains(&own) => reception::fill(company, own, &mut example),
        own if visit_after::fill(company, own, &mut example) => {}
        own if mails::fill(company, own, &mut example) => {}
        "get_me"
        | "get_trust"
        | "get_log_key"
        | "get_verification"
        | "create_export"
        | "download_audit_archive"
        | "revoke_invitation"
        | "reinstate_member"
        | "remove_member"
        | "archive_client"
        | "receive_visitor"
        | "release_visitor"
        | "revoke_kiosk"
        | "delete_permission_set" => {}
        list if list.starts_with("list_") => {}
        one if one.starts_with("get_") && operation.path.ends_with("/{id}") => {}
        "get_tenant" => {}
        // From the first record that is not the ledger's own, so that there is something to see.
        "stream_events" => example.query = "?after=0".into(),
        "get_event" => drop(example.params.insert("position", "1".into())),
        "get_event_proof" => {
            company.checkpoint();
            example.params.insert("position", "1".into());
        }
        "get_verification_note" => company.verify(),
        "get_log_consistency" => {
            company.checkpoint();
            example.query = "?from=1&to=2".into();
        }
        "get_checkpoint" => {
            company.checkpoint();
            example.params.insert("ledger", company.id.clone());
        }
        "get_tile" => {
            company.checkpoint();
            example.params.extend([("ledger", company.id.clone()), ("level", "0".into()), ("index", "000.p/1".into())]);
        }
        "request_sign_up" => {
            example.sender = Credential::Nobody;
            example.body = Some(json!({ "email": founder(company) }));
        }
        "get_sign_up" | "renew_email_code" | "verify_email_code" => {
            let sign_up = SignUp::begin(&company.client, &founder(company));
            example.sender = Credential::Nobody;
            if name == "verify_email_code" {
                example.body = Some(json!({ "code": sign_up.begun["development_code"] }));
            }
            example.params.insert("token", sign_up.secret);
        }
        "accept_first_terms" => {
            example.sender = Credential::Nobody;
            example.params.insert("token", SignUp::verified(&company.client, &founder(company)).secret);
            example.body = Some(agreement(&company.client));
        }
        "begin_payment" => {
            example.sender = Credential::Nobody;
            example.params.insert("token", SignUp::agreed(&company.client, &founder(company)).secret);
        }
        "provision_tenant" => {
            let slug = format!("{}-{}", company.slug, company.next());
            example.sender = Credential::Nobody;
            example.params.insert("token", SignUp::agreed(&company.client, &founder(company)).secret);
            example.body = Some(json!({
                "company": format!("{slug} KK"), "slug": slug, "name": "Founder", "password": PASSWORD,
            }));
        }
        "get_texts" | "get_terms" => {}
        "accept_terms" => {
            example.sender = company.login.clone();
            example.body = Some(agreement(&company.client));
        }
        "log_in" => {
            // Somebody of their own: a sweep's wrong guesses hold up nobody else.
            let id = company.new_member("viewer").0;
            let email = text(&company.get(&format!("/v1/members/{id}")), "email");
            example.sender = Credential::Nobody;
            example.body = Some(json!({ "email": email, "password": PASSWORD, "company": company.slug }));
        }
        own if documents::OPERATIONS.contains(&own) => documents::fill(company, own, &mut example),
        own if webhooks::fill(company, own, &mut example) => {}
        own if ways::OPERATIONS.contains(&own) => ways::fill(company, own, &mut example),
        "reset_factor" => {
            example.sender = company.login.clone();
            example.body = Some(json!({ "reason": format!("Lost at {}", company.slug) }));
        }
        "change_security" => {
            // As it was, so that to change nothing changes nothing.
            company.set_sms(false);
            example.sender = company.login.clone();
            example.body = Some(json!({ "networks": ["0.0.0.0/0", "::/0"] }));
        }
        "revoke_session" | "forget_device" => example.sender = company.login.clone(),
        "get_my_factor" | "get_security" | "get_support" => {}
        "change_support" => {
            example.sender = company.login.clone();
            example.body = Some(json!({ "told_at_once": true }));
        }
        "forget_password" => {
            example.sender = Credential::Nobody;
            example.body = Some(json!({ "email": format!("owner@{}.example", company.slug) }));
        }
        "change_password" => {
            // Theirs alone, so that whoever else sends this keeps the password that everybody has.
            example.sender = company.new_member("viewer").1;
            let body = json!({ "current": PASSWORD, "password": OTHER_PASSWORD });
            company.client.send(&example.sender.on(Call::new("POST", "/v1/me/password").json(&body))).expect(200);
            example.body = Some(json!({ "current": OTHER_PASSWORD, "password": "twelve loud otters under a lamp" }));
        }
        "reset_password" => example.sender = company.login.clone(),
        "set_password" => {
            let member = company.new_member("viewer").0;
            company.require_reset(&member);
            example.sender = Credential::Nobody;
            example.params.insert("token", company.reset_secret(&member));
            example.body = Some(json!({ "password": OTHER_PASSWORD }));
        }
        "disown_login" => {
            let (member, login) = company.new_member("viewer");
            example.sender = Credential::Nobody;
            example.params.insert("token", company.alert_secret(&member, &login));
        }
        "log_out" => example.sender = company.log_in(&format!("owner@{}.example", company.slug)),
        "change_tenant" => {
            example.body =
                Some(json!({ "name": format!("{} KK", company.slug), "registration_number": "T7000012050002" }));
        }
        "invite_member" => {
            let email = format!("invited{}@{}.example", company.next(), company.slug);
            example.body =
                Some(json!({ "name": format!("Invited by {}", company.slug), "email": email, "role": "viewer" }));
        }
        "accept_invitation" => {
            example.sender = Credential::Nobody;
            example.params.insert("token", company.invite("viewer").1);
            example.body = Some(json!({ "name": format!("Joined {}", company.slug), "password": PASSWORD }));
        }
        "change_role" => example.body = Some(json!({ "role": "accountant" })),
        "suspend_member" | "cancel_visit" => {
            example.body = Some(json!({ "reason": format!("Because of {}", company.slug) }));
        }
        "define_permission_set" | "change_permission_set" => {
            let name = format!("Set {} of {}", company.next(), company.slug);
            example.body = Some(json!({ "name": name, "permissions": ["document.read", "document.draft"] }));
        }
        "assign_secretary" => {
            let (n, slug) = (company.next(), &company.slug);
            let email = format!("assigned{n}@{slug}.example");
            example.body = Some(json!({ "name": format!("Assigned by {slug}"), "email": email }));
        }
        "confirm_secretary" | "refuse_secretary" => {
            let tie = company.assign_secretary(&company.token).0;
            let kind = if name == "confirm_secretary" { "sec" } else { "srv" };
            if kind == "srv" {
                company.confirm_secretary(&tie);
            }
            example.sender = Credential::Nobody;
            example.params.insert("token", company.secretary_secret(&tie, kind));
        }
        "end_secretary" | "get_lifecycle" | "get_lifecycle_csv" => {}
        "record_phone_check" => example.body = Some(company.phone_check()),
        "register_client" | "change_client" => {
            let client = format!("Client {} of {}", company.next(), company.slug);
            example.body = Some(json!({ "name": client, "honorific": "sama", "postal_code": "105-0011" }));
        }
        "import_clients" => example.form = Some(format!("name\nClient {} of {}\n", company.next(), company.slug)),
        "get_client_template" | "get_visit_template" => {}
        "register_visit" | "change_visit" => example.body = Some(company.visit_body()),
        "reschedule_appointment" => {
            let plan = company.visit_body();
            example.body = Some(json!({
                "location": "Gate", "starts_at": plan["starts_at"], "ends_at": plan["ends_at"],
            }));
        }
        "add_visitors" => {
            let name = format!("Companion {} of {}", company.next(), company.slug);
            example.body = Some(json!({ "companions": [{ "name": name }] }));
        }
        "correct_visit" => {
            let name = format!("Right visitor {} of {}", company.next(), company.slug);
            example.body = Some(json!({ "reason": format!("Misread at {}", company.slug), "visitor_name": name }));
        }
        "import_visits" => {
            let plan = company.visit_body();
            let times = format!("{},{}", plan["starts_at"], plan["ends_at"]).replace('"', "");
            let name = format!("Imported {} of {}", company.next(), company.slug);
            let host = format!("owner@{}.example", company.slug);
            example.form =
                Some(format!("visitor_name,location,host_id,starts_at,ends_at\n{name},Gate,{host},{times}\n"));
        }
        "issue_calendar_feed" => example.sender = company.login.clone(),
        "end_calendar_feed" => {
            example.sender = company.login.clone();
            company.client.send(&company.login.on(Call::new("POST", "/v1/me/calendar_feed"))).expect(200);
        }
        "pair_kiosk" => {
            example.body = Some(json!({ "name": format!("Kiosk of {}", company.slug), "location": "Gate" }));
        }
        "issue_token" => {
            example.sender = company.login.clone();
            example.body = Some(json!({ "name": format!("Token of {}", company.slug), "scopes": ["me:read"] }));
        }
        "revoke_token" => example.sender = company.login.clone(),
        "register_application" | "change_application" => {
            example.sender = company.login.clone();
            let name = format!("Application {} of {}", company.next(), company.slug);
            let mut body = company.application_body(&["documents:read".to_owned()]);
            body["name"] = json!(name);
            if operation.name == "change_application" {
                body.as_object_mut().expect("an object").remove("confidential");
            }
            example.body = Some(body);
        }
        "rotate_application_secret" | "revoke_application_tokens" | "disable_application" | "revoke_authorization" => {
            example.sender = company.login.clone();
        }
        "revoke_my_authorizations" => example.sender = company.new_member("viewer").1,
        "get_oauth_metadata" => example.sender = Credential::Nobody,
        "oauth_token" | "oauth_revoke" | "oauth_introspect" => {
            example.sender = Credential::Nobody;
            let application = company.new_application(&["documents:read".to_owned()]);
            let (id, secret) = (&application.client_id, &application.secret);
            let asks = if name == "oauth_token" { "grant_type=client_credentials" } else { "token=nothing" };
            example.form = Some(format!("{asks}&client_id={id}&client_secret={secret}"));
        }
        unknown => panic!("{unknown}: the sweeps have no example for this operation; add one here"),
    }
    for header in &operation.headers {
        match header.as_str() {
            "Idempotency-Key" => example.headers.push(("Idempotency-Key", format!("key {}", company.next()))),
            "If-Match" => {
                let object = object_path(&example.path).replace("{id}", example.params.get("id").map_or("", |id| id));
                example.headers.push(("If-Match", company.etag(&object)));
            }
            other => panic!("{name}: unknown required header {other}"),
        }
    }
    example
}

/// An address that nobody has.
fn founder(company: &Company) -> String {
    format!("founder{}@{}.example", company.next(), company.slug)
}

/// The path of the object that a command is about: up to its id.
fn object_path(path: &str) -> &str {
    path.find("{id}").map_or(path, |at| &path[..at + "{id}".len()])
}

/// The id of a fresh object in the state that the operation needs, where its path holds one.
pub fn object_of(company: &Company, name: &str) -> Option<String> {
    let id = match name {
        "get_lifecycle" | "get_lifecycle_csv" => company.invite("viewer").0,
        "get_member" | "change_role" | "revoke_invitation" => company.invite("viewer").0,
        "suspend_member" | "remove_member" | "reset_password" => company.new_member("viewer").0,
        "get_secretary" | "end_secretary" => company.assign_secretary(&company.token).0,
        "record_phone_check" => {
            let id = company.new_member("viewer").0;
            company.suspend(&id, true);
            id
        }
        "reinstate_member" => {
            let id = company.new_member("viewer").0;
            let path = format!("/v1/members/{id}");
            let call = Call::new("POST", &format!("{path}/suspend")).if_match(&company.etag(&path));
            company.ok(call.json(&json!({ "reason": "For now" })));
            id
        }
        "get_permission_set" | "change_permission_set" | "delete_permission_set" => {
            company.new_permission_set(&["visit.read"])
        }
        "get_client" | "change_client" | "archive_client" => company.new_client(),
        "get_delivery" | "revoke_link" | "resend_link" => company.new_delivery().0,
        "get_visit"
        | "change_visit"
        | "cancel_visit"
        | "receive_visitor"
        | "reschedule_appointment"
        | "add_visitors" => company.new_visit().0,
        "release_visitor" | "correct_visit" => {
            let id = company.new_visit().0;
            receive(company, &id);
            id
        }
        "get_kiosk" | "revoke_kiosk" => company.new_kiosk().0,
        "get_kiosk_notice" => company.new_visit().0,
        "get_factor" | "reset_factor" => {
            let (email, _) = company.enrolled();
            company.member_at(&email)
        }
        "get_session" | "revoke_session" => {
            company.log_in(&format!("owner@{}.example", company.slug));
            // Not the one that asks; and a login does not wait until the list shows it.
            let ask = |path: &str| company.client.send(&company.login.on(Call::new("GET", path))).expect(200).json();
            let asking = ask("/v1/me")["session_id"].clone();
            loop {
                let mine = ask("/v1/sessions");
                let other = mine["items"].as_array()?.iter().find(|session| session["id"] != asking);
                if let Some(other) = other {
                    break text(other, "id");
                }
            }
        }
        "get_device" | "forget_device" => {
            company.log_in(&format!("owner@{}.example", company.slug));
            company.mark();
            text(&company.client.send(&company.login.on(Call::new("GET", "/v1/devices"))).json()["items"][0], "id")
        }
        "get_token" | "revoke_token" => company.issue_token(&["me:read".to_owned()]).0,
        "get_application"
        | "change_application"
        | "rotate_application_secret"
        | "revoke_application_tokens"
        | "disable_application" => company.new_application(&["documents:read".to_owned()]).id,
        "get_authorization" | "revoke_authorization" => company.new_authorization(),
        other => {
            return webhooks::object(company, other)
                .or_else(|| visit_after::object(company, other))
                .or_else(|| mails::object(company, other))
                .or_else(|| documents::object(company, other));
        }
    };
    Some(id)
}

fn receive(company: &Company, visit: &str) {
    let path = format!("/v1/visits/{visit}");
    company.ok(Call::new("POST", &format!("{path}/check_in")));
}
