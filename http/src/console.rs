//! The web console: pages are templates over queries, forms are commands. Everything that a page shows is in the API too,
//! and every form takes the same way as the JSON request (`/do/<API path>`).

mod fields;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use keiin_domain::batch::OrderBatch;
use keiin_domain::command::Command;
use keiin_domain::member::AcceptInvitation;
use keiin_domain::role::Role;
use serde_json::{Value, json};

pub use self::fields::{fields, nested, pairs};
use crate::api::{self, Path, PathParams, identify, query_string, target};
use crate::app::App;
use crate::command::{ENTRIES, Entry};
use crate::execute::Call;
use crate::locale::Lang;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::serve::Peer;
use crate::session::{self, LoggedIn};
use crate::{batch, ledger, legal, random, session_api, support};

/// A page: where, which template, which queries its context holds. A query takes what it knows of the path's and the
/// query string's parameters.
pub struct Page {
    /// Path.
    pub path: &'static str,
    /// Template.
    pub template: &'static str,
    /// Query names; each answer stands in the context under its name. The first is the page's own subject.
    pub loads: &'static [&'static str],
    /// Lists that show only what belongs to the object in the path, by which parameter.
    pub narrows: &'static [(&'static str, &'static str)],
}

const fn page(path: &'static str, template: &'static str, loads: &'static [&'static str]) -> Page {
    Page { path, template, loads, narrows: &[] }
}

/// Every page behind the login.
pub const PAGES: &[Page] = &[
    page("/", "dashboard", &["list_documents", "list_visits", "list_deliveries", "list_events"]),
    page("/members", "members", &["list_members", "list_permission_sets"]),
    page("/members/{id}", "member", &["get_member", "get_factor", "list_permission_sets"]),
    page("/members/{id}/lifecycle", "lifecycle", &["get_lifecycle"]),
    page("/secretaries", "secretaries", &["list_secretaries"]),
    page("/permission_sets", "permission_sets", &["list_permission_sets"]),
    page("/permission_sets/new", "permission_set", &[]),
    page("/permission_sets/{id}", "permission_set", &["get_permission_set"]),
    page("/clients", "clients", &["list_clients"]),
    page("/clients/new", "client_new", &[]),
    Page {
        narrows: &[("list_documents", "client_id"), ("list_events", "object")],
        ..page("/clients/{id}", "client", &["get_client", "list_documents", "list_events"])
    },
    Page {
        narrows: &[("list_documents", "client_id")],
        ..page("/clients/{id}/send", "sending_order_new", &["get_client", "list_documents"])
    },
    page("/documents", "documents", &["list_documents", "list_clients"]),
    page("/documents/export", "documents_export", &["list_clients", "get_number_series"]),
    page("/documents/new", "document_new", &["list_clients", "get_tenant", "list_items"]),
    Page {
        narrows: &[("list_deliveries", "document_id"), ("list_postal_items", "document_id"), ("list_events", "object")],
        ..page(
            "/documents/{id}",
            "document",
            &["get_document", "get_tenant", "list_deliveries", "list_postal_items", "list_events"],
        )
    },
    page("/documents/{id}/edit", "document_edit", &["get_document", "list_clients", "list_items"]),
    page("/items", "items", &["list_items"]),
    page("/items/new", "item_new", &[]),
    page("/items/{id}", "item", &["get_item"]),
    page("/recurrences", "recurrences", &["list_recurrences"]),
    page("/recurrences/new", "recurrence_new", &["list_templates", "list_clients"]),
    page("/recurrences/{id}", "recurrence", &["get_recurrence", "list_templates"]),
    page("/batches", "batches", &["list_batches"]),
    page("/batches/{id}", "batch", &["get_batch"]),
    page("/templates", "templates", &["list_templates"]),
    page("/templates/new", "template_new", &["get_tenant", "list_items"]),
    page("/templates/{id}", "template", &["get_template", "list_clients", "list_items"]),
    page("/deliveries", "deliveries", &["list_deliveries"]),
    page("/postal-items", "postal_items", &["list_postal_items"]),
    Page {
        narrows: &[("list_events", "object")],
        ..page("/postal-items/{id}", "postal_item", &["get_postal_item", "list_events"])
    },
    page("/print-station", "print_station", &["get_print_queue"]),
    page("/print-station/returns", "postal_returns", &["get_handed_over"]),
    Page {
        narrows: &[("list_events", "object")],
        ..page("/deliveries/{id}", "delivery", &["get_delivery", "list_events"])
    },
    page("/sending-orders", "sending_orders", &["list_sending_orders"]),
    Page {
        narrows: &[("list_events", "object")],
        ..page("/sending-orders/{id}", "sending_order", &["get_sending_order", "list_events"])
    },
    page("/inbox", "inbox", &["list_inbox"]),
    page("/visits", "visits", &["list_visits", "list_scan_refusals"]),
    page("/visits/new", "visit_new", &["list_members"]),
    page("/visits/calendar", "visit_calendar", &["list_calendar_feeds"]),
    page("/visits/history", "visit_history", &["list_visit_history", "list_members"]),
    page("/visits/figures", "visit_figures", &["get_visit_figures"]),
    page("/visits/waiting", "visits_waiting", &["list_waiting_visits"]),
    page("/visits/blocklist", "blocklist", &["list_blocklist_entries"]),
    page("/visits/policy", "visit_policy", &["get_visit_policy", "list_members"]),
    page("/evacuation", "evacuation", &["get_present_visitors"]),
    page("/visits/{id}", "visit", &["get_visit", "list_members"]),
    page("/visits/{id}/schedule", "visit_schedule", &["get_visit"]),
    page("/visits/{id}/correct", "visit_correct", &["get_visit"]),
    page("/kiosks", "kiosks", &["list_kiosks"]),
    page("/reception", "reception", &["get_reception", "list_members"]),
    page("/tokens", "tokens", &["list_tokens"]),
    page("/applications", "applications", &["list_applications"]),
    page("/applications/new", "application_new", &[]),
    Page {
        narrows: &[("list_authorizations", "application_id")],
        ..page("/applications/{id}", "application", &["get_application", "list_authorizations"])
    },
    page("/webhooks", "webhooks", &["list_webhooks"]),
    page("/webhooks/new", "webhook_new", &[]),
    Page {
        narrows: &[("list_webhook_deliveries", "webhook_id")],
        ..page("/webhooks/{id}", "webhook", &["get_webhook", "list_webhook_deliveries"])
    },
    page("/webhook_deliveries", "webhook_deliveries", &["list_webhook_deliveries"]),
    page("/outbox", "outbox", &["list_mails"]),
    page("/outbox/{id}", "mail", &["get_mail"]),
    page("/audit", "audit", &["list_events", "list_members"]),
    page("/audit/{position}", "event", &["get_event"]),
    page("/settings", "settings", &["get_tenant"]),
    page("/mail-templates", "mail_templates", &["get_mail_templates"]),
    page("/mail-templates/{id}", "mail_template", &["get_mail_template"]),
    page("/security", "security", &["get_security"]),
    page("/grants", "grants", &["list_grants", "get_support"]),
    page("/grants/{id}", "grant", &["get_grant"]),
    page(
        ACCOUNT,
        "account",
        &[
            "get_my_factor", "list_passkeys", "list_phones", "list_accounts", "list_sessions", "list_devices",
            "list_my_authorizations",
        ],
    ),
];

/// A list from which a form chooses, on another page than its own: as much as a page holds.
struct Choice {
    query: &'static str,
    asked: &'static [(&'static str, &'static str)],
    /// The page's parameter by which the list is searched where that is not all.
    search: &'static str,
}

const CHOICES: &[Choice] = &[
    Choice { query: "list_clients", asked: &[("limit", "200")], search: "client_q" },
    Choice { query: "list_items", asked: &[("limit", "200"), ("status", "active")], search: "item_q" },
    Choice { query: "list_members", asked: &[("limit", "200")], search: "" },
    Choice { query: "list_scan_refusals", asked: &[("open", "true")], search: "" },
    Choice { query: "list_templates", asked: &[("limit", "200"), ("status", "active")], search: "template_q" },
];

/// The page of one's own login: the only one for somebody who must set a second factor up.
const ACCOUNT: &str = "/account";

/// Routes of pages and forms.
pub fn router() -> Router<Arc<App>> {
    let mut router = Router::new().route("/assets/{name}", get(asset)).merge(crate::public::router());
    for page in PAGES {
        let handler = move |State(app): State<Arc<App>>, Path(path): PathParams, head: Parts| async move {
            show(&app, page, path, head).await
        };
        router = router.route(page.path, get(handler));
    }
    for entry in ENTRIES.iter() {
        let handler = move |State(app): State<Arc<App>>, Path(path): PathParams, request: Request| async move {
            form(&app, entry, path, request).await
        };
        // Browsers' forms only POST, whatever method the API has for this command.
        router = router.route(&format!("/do{}", entry.route.path), post(handler));
    }
    router
}

async fn asset(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    app.assets.serve(&name)
}

async fn show(
    app: &App,
    page: &'static Page,
    path: BTreeMap<String, String>,
    head: Parts,
) -> Result<Response, Problem> {
    let (principal, call) = identify(app, &BTreeMap::new(), &head, page.template).await?;
    if principal.is_unconfirmed() {
        return Err(Problem::new("secretary.not_confirmed"));
    }
    if principal.must_enrol && page.path != ACCOUNT {
        return Err(Problem::new("access.second_factor_required"));
    }
    if principal.actor.role == Role::Recipient && page.path == "/" {
        return Ok(redirect("/inbox", false));
    }
    let params = query_string(head.uri.query().unwrap_or(""))?;
    let peer = Peer::of(&head);
    let mut context = common(app, head.uri.path(), peer, Some(&principal)).await?;
    load(app, page, (&principal, &call), &path, &params, &mut context).await?;
    render(app, peer.lang, page.template, &context, StatusCode::OK)
}

/// A page once more, with what a form brought beside what its queries answer.
pub async fn page_again(
    app: &App,
    head: &Parts,
    (principal, call): (&Principal, &Call),
    more: Value,
    status: StatusCode,
) -> Result<Response, Problem> {
    let (peer, path) = (Peer::of(head), head.uri.path());
    let (page, ids) = page_at(path).ok_or_else(Problem::not_found)?;
    let mut context = common(app, path, peer, Some(principal)).await?;
    load(app, page, (principal, call), &ids, &BTreeMap::new(), &mut context).await?;
    for (name, value) in more.as_object().into_iter().flatten() {
        context[name] = value.clone();
    }
    render(app, peer.lang, page.template, &context, status)
}

/// Fills a page's context with the answers of its queries.
async fn load(
    app: &App,
    page: &'static Page,
    (principal, call): (&Principal, &Call),
    path: &BTreeMap<String, String>,
    params: &BTreeMap<String, String>,
    context: &mut Value,
) -> Result<(), Problem> {
    context["params"] = json!(params);
    for (at, name) in page.loads.iter().enumerate() {
        let Some(entry) = app.queries.get(name) else { continue };
        if !principal.may(entry.permission) {
            // The page's own subject is refused; what stands beside it is left out.
            if at == 0 && page.path != "/" {
                return principal.check(entry.permission);
            }
            continue;
        }
        let knows = |param: &str| {
            let paging = entry.list && at == 0 && (param == "cursor" || param == "limit");
            entry.params.iter().any(|p| p.name == param) || paging
        };
        let narrowed = page.narrows.iter().filter(|(query, _)| query == name);
        let narrowed = narrowed.filter_map(|(_, param)| Some(((*param).to_owned(), path.get("id")?.clone())));
        // Only the page's own subject is filtered by its query string.
        let given = params.iter().filter(|_| at == 0).chain(path).filter(|(name, _)| knows(name));
        let choices = CHOICES.iter().filter(|choice| choice.query == *name && !entry.path.ends_with(page.path));
        let choices = choices.flat_map(|choice| {
            let searched = params.get(choice.search).map(|text| ("q", text.as_str()));
            choice.asked.iter().copied().chain(searched)
        });
        let choices = choices.map(|(param, value)| (param.to_owned(), value.to_owned()));
        let asked = given.map(|(a, b)| (a.clone(), b.clone())).chain(narrowed).chain(choices).collect();
        context[*name] = app.queries.run(app, principal, name, asked, call).await?;
    }
    Ok(())
}

/// What every template gets.
pub async fn common(app: &App, path: &str, peer: Peer, principal: Option<&Principal>) -> Result<Value, Problem> {
    let now_us = crate::clock::now_us();
    let mut context = json!({
        "lang": peer.lang.code(),
        "path": path,
        "params": {},
        "key": random::secret("key"),
        "now": keiin_domain::date::instant(now_us),
        "providers": app.config.oidc.on(),
        "sms": app.sms.is_some(),
        "support": support::now(&app.config, now_us),
    });
    if let Some(principal) = principal {
        context["me"] = session_api::me(app, principal).await?;
        context["ledger"] = ledger::summary(app, principal.ledger).await?;
        context["terms_wait"] = json!(legal::is_waiting(app, principal).await?);
    }
    Ok(context)
}

/// A page as an answer.
pub fn render(app: &App, lang: Lang, template: &str, context: &Value, status: StatusCode) -> Result<Response, Problem> {
    let html = app.pages.render(template, lang, context).map_err(|error| Problem::failed(format!("{error:#}")))?;
    let mut response = (status, html).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}

/// A problem as a page or a fragment; plain text if even that fails.
pub fn problem_page(app: &App, lang: Lang, template: &str, problem: &Value) -> String {
    let context = json!({
        "lang": lang.code(), "problem": problem, "path": "/", "params": {}, "key": random::secret("key"),
        "now": keiin_domain::date::instant(crate::clock::now_us()),
    });
    app.pages.render(template, lang, &context).unwrap_or_else(|error| {
        tracing::error!(%error, template, "a problem page could not be rendered");
        problem["title"].as_str().unwrap_or("").to_owned()
    })
}

async fn form(app: &App, entry: &Entry, path: BTreeMap<String, String>, request: Request) -> Result<Response, Problem> {
    let (mut head, body) = request.into_parts();
    let fragment = head.headers.contains_key("hx-request");
    let peer = Peer::of(&head);
    // Forms of link holders carry their secret in the path, like the API.
    let api_path = head.uri.path().strip_prefix("/do").unwrap_or("").to_owned();
    head.uri = api_path.parse().map_err(|_| Problem::not_found())?;
    let (principal, call) = identify(app, &path, &head, entry.name).await?;
    if principal.check(entry.permission).is_err() {
        crate::denial::denied(app, &principal, entry.name, &call).await;
        return Err(Problem::new("access.forbidden"));
    }
    if entry.name == AcceptInvitation::NAME {
        crate::invitation::is_for_caller(app, &principal, &head.headers, call.from()).await?;
    }
    let fields = fields(app, &head, body).await?;
    let hidden = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let version = hidden("_if_match").and_then(|text| text.strip_prefix('v')?.parse().ok());
    if version.is_none() && entry.needs_version() {
        return Err(Problem::new("request.version_required"));
    }
    let key = hidden("_key").filter(|key| (1..=255).contains(&key.len())).map(str::to_owned);
    if key.is_none() && entry.needs_key {
        return Err(Problem::new("idempotency.key_required"));
    }
    let target = target(&path, &principal)?;
    // A form may bring along what shows that it is still them; then the login's secret changes, whatever comes of the form.
    let renewed = match hidden("_proof").filter(|proof| !proof.is_empty()) {
        Some(proof) => {
            let secret = session_api::own_secret(app, &head, &principal)?;
            let secret = session::confirm(app, &secret, &principal, proof, &call).await?;
            let principal = Principal { confirmed_us: Some(call.now_us), ..principal.clone() };
            Some(LoggedIn { secret, principal, device: None })
        }
        None => None,
    };
    let principal = renewed.as_ref().map_or(&principal, |renewed| &renewed.principal);
    let call = Call { target, if_match: version.filter(|_| entry.needs_version()), key, ..call };
    let next = hidden("_next").unwrap_or("/").to_owned();
    let seen = call.clone();
    let body = match hidden("_matching") {
        // All that a list's filters let through, not only what it shows.
        Some(filters) if entry.name == OrderBatch::NAME => {
            batch::matching(app, principal, filters).await.map(|documents| json!({ "documents": documents }))
        }
        _ => nested(&fields),
    };
    let done = match body {
        Ok(body) => api::run(app, entry, principal, call, body).await,
        Err(problem) => Err(problem),
    };
    let finished = match done {
        Ok(response) => finish(app, peer, (principal, &seen), response, &next, fragment).await,
        Err(problem) => Err(problem),
    };
    let mut response = finished.unwrap_or_else(IntoResponse::into_response);
    if let Some(renewed) = &renewed {
        session_api::set_session(app, &mut response, renewed);
    }
    Ok(response)
}

/// Where to go after a form: to its `_next`, with the object's id filled in. An answer that holds a secret is shown at
/// once on that page, because it is shown only once.
async fn finish(
    app: &App,
    peer: Peer,
    (principal, call): (&Principal, &Call),
    response: Response,
    next: &str,
    fragment: bool,
) -> Result<Response, Problem> {
    let body = to_bytes(response.into_body(), 1 << 22).await.map_err(Problem::failed)?;
    let answer: Value = serde_json::from_slice(&body).map_err(Problem::failed)?;
    let next = next.replace("{id}", answer["id"].as_str().unwrap_or(""));
    let next = if is_local(&next) { next.as_str() } else { "/" };
    let (path, query) = next.split_once('?').unwrap_or((next, ""));
    let once = ["secret", "passes", "recovery_codes"].iter().any(|name| answer.get(*name).is_some());
    let Some((page, path_params)) = page_at(path).filter(|_| once && !fragment) else {
        return Ok(redirect(next, fragment));
    };
    let mut context = common(app, path, peer, Some(principal)).await?;
    for name in ["secret", "link", "passes", "recovery_codes"] {
        if let Some(value) = answer.get(name) {
            context["flash"][name] = value.clone();
        }
    }
    if let Some(link) = answer["link"].as_str().filter(|link| link.contains("/kiosk/pair/")) {
        // A tablet takes it with its camera.
        context["flash"]["qr"] = json!(crate::public::qr(link)?);
    }
    load(app, page, (principal, call), &path_params, &query_string(query)?, &mut context).await?;
    render(app, peer.lang, page.template, &context, StatusCode::OK)
}

/// The page with this path, and the parameters in it.
fn page_at(path: &str) -> Option<(&'static Page, BTreeMap<String, String>)> {
    PAGES.iter().find_map(|page| Some((page, path_params(page.path, path)?)))
}

/// What stands where a pattern (`/visits/{id}`) has names, if the path is one of it.
pub fn path_params(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (pattern, segments): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let mut params = BTreeMap::new();
    let fits = pattern.len() == segments.len()
        && pattern.iter().zip(&segments).all(|(p, s)| match p.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            Some(name) => params.insert(name.to_owned(), (*s).to_owned()).is_none(),
            None => p == s,
        });
    fits.then_some(params)
}

/// See other; htmx follows a header instead, because a script cannot see a redirect.
pub fn redirect(to: &str, fragment: bool) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    if fragment {
        let mut response = StatusCode::OK.into_response();
        response.headers_mut().insert("hx-redirect", to);
        return response;
    }
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(LOCATION, to);
    response
}

/// A path of ours: never another host, also not by `//host`, `/\host` or a control character.
pub fn is_local(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.contains(|c: char| c == '\\' || c.is_control())
}

#[cfg(test)]
mod tests;
