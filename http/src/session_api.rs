//! Operations beside the catalogs: log in, log out, who am I.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use keiin_domain::catalog::{Visit, catalog};
use keiin_domain::command::Command;
use keiin_domain::factor::Factor;
use keiin_domain::role::Permission;
use keiin_domain::security::Security;
use keiin_projections::query::Param;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::api::{identify, read_body};
use crate::app::App;
use crate::execute::Call;
use crate::password::{self, Forgotten};
use crate::principal::{Principal, cookie, origin};
use crate::problem::Problem;
use crate::serve::Peer;
use crate::session::{self, LoggedIn, Login, Step};
use crate::{clock, denial, device, json};

/// One operation that is not in a catalog, for the OpenAPI document and the sweeps.
#[derive(Clone, Copy)]
pub struct Operation {
    /// operationId.
    pub name: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// Path.
    pub path: &'static str,
    /// What it asks for; `None` = nothing, or only a login.
    pub permission: Option<Permission>,
    /// Needs no login.
    pub public: bool,
    /// In the query string.
    pub params: &'static [Param],
    /// Status of success.
    pub status: u16,
    /// Media type of the answer; empty = no body.
    pub answer: &'static str,
}

impl Operation {
    /// A JSON operation behind a login.
    pub const fn new(name: &'static str, method: &'static str, path: &'static str) -> Operation {
        let (public, params, status, answer) = (false, &[], 200, "application/json");
        Operation { name, method, path, permission: None, public, params, status, answer }
    }
}

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation { public: true, status: 201, ..Operation::new("log_in", "POST", "/v1/sessions") },
    Operation { public: true, status: 201, ..Operation::new("finish_log_in", "POST", "/v1/sessions/code") },
    Operation { public: true, status: 202, ..Operation::new("forget_password", "POST", "/v1/password_resets") },
    Operation { status: 204, answer: "", ..Operation::new("log_out", "POST", "/v1/sessions/end") },
    Operation { permission: Some(ME), ..Operation::new("get_me", "GET", "/v1/me") },
    Operation::new("confirm_me", "POST", "/v1/me/confirm"),
    Operation::new("begin_totp", "POST", "/v1/me/factor/totp/begin"),
];

const ME: Permission = Permission("me.read");

/// Their routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/sessions", post(post_login))
        .route("/v1/sessions/code", post(post_code))
        .route("/v1/sessions/end", post(post_logout))
        .route("/v1/password_resets", post(post_forgotten))
        .route("/v1/me/confirm", post(post_confirm))
        .route("/v1/me/factor/totp/begin", post(post_begin_totp))
        .route("/v1/me", get(get_me))
}

/// What a call without a login brings along, where it may be a guess at a secret: logins, sign-ups, pairing. Counted by
/// its address.
pub fn arriving(app: &App, head: &Parts) -> Result<Call, Problem> {
    let call = visiting(app, head)?;
    let ip = call.origin.as_ref().map_or("", |origin| origin.ip.as_str());
    app.limiter.guess(format!("address {ip}"))?;
    Ok(call)
}

/// The same for whoever already showed a secret that leads somewhere: a link, a kiosk. Many of them may share an address.
pub fn visiting(app: &App, head: &Parts) -> Result<Call, Problem> {
    let peer = Peer::of(head);
    let origin = origin(app, peer.ip, &head.headers);
    app.limiter.request(format!("address {}", origin.ip))?;
    let key = head.headers.get("idempotency-key").and_then(|v| v.to_str().ok()).map(str::to_owned);
    Ok(Call {
        request_id: Some(peer.request_id),
        origin: Some(origin),
        device: cookie(&head.headers, app.config.device_cookie()),
        key,
        now_us: clock::now_us(),
        ..Call::default()
    })
}

async fn post_login(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let call = arriving(&app, &head)?;
    let form: Login = json::read(&read_body(&app, &head, body).await?)?;
    app.limiter.guess(format!("account {}", form.email.trim().to_lowercase()))?;
    match session::login(&app, &form, &call).await? {
        Step::In(logged_in) => created(&app, &logged_in).await,
        Step::Pending { secret, factors } => {
            let answer = json!({ "pending": secret, "factors": factors });
            Ok((StatusCode::ACCEPTED, axum::Json(answer)).into_response())
        }
    }
}

/// The answer to a login that succeeded.
pub async fn created(app: &App, logged_in: &LoggedIn) -> Result<Response, Problem> {
    let me = me(app, &logged_in.principal).await?;
    let mut response = (StatusCode::CREATED, axum::Json(me)).into_response();
    set_session(app, &mut response, logged_in);
    Ok(response)
}

/// The second step of a login.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginCode {
    /// What the first step answered with.
    pub pending: String,
    /// Six digits, of the app or by SMS, or a recovery code.
    pub code: String,
}

async fn post_code(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let call = arriving(&app, &head)?;
    let form: LoginCode = json::read(&read_body(&app, &head, body).await?)?;
    created(&app, &session::second_step(&app, &form.pending, &form.code, &call).await?).await
}

/// Whoever is logged in shows again that it is them.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// A code where a second factor is on, else the password.
    pub proof: String,
}

async fn post_confirm(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = identify(&app, &BTreeMap::new(), &head, "confirm_me").await?;
    let secret = own_secret(&app, &head, &principal)?;
    let form: Confirm = json::read(&read_body(&app, &head, body).await?)?;
    let secret = session::confirm(&app, &secret, &principal, &form.proof, &call).await?;
    let principal = Principal { confirmed_us: Some(call.now_us), ..principal };
    let mut response = axum::Json(me(&app, &principal).await?).into_response();
    set_session(&app, &mut response, &LoggedIn { secret, principal, device: None });
    Ok(response)
}

async fn post_begin_totp(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = identify(&app, &BTreeMap::new(), &head, "begin_totp").await?;
    own_secret(&app, &head, &principal)?;
    json::strict_or_empty(&read_body(&app, &head, body).await?)?;
    Ok(axum::Json(crate::factor::begin(&app, &principal, call.now_us).await?).into_response())
}

/// The secret of the login that this request came with; tokens and kiosks have none.
pub fn own_secret(app: &App, head: &Parts, principal: &Principal) -> Result<String, Problem> {
    let secret = cookie(&head.headers, app.config.session_cookie());
    secret.filter(|_| principal.session_id.is_some()).ok_or_else(|| Problem::new("access.forbidden"))
}

async fn post_forgotten(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let call = arriving(&app, &head)?;
    let form: Forgotten = json::read(&read_body(&app, &head, body).await?)?;
    forgotten(&app, form, call)?;
    Ok((StatusCode::ACCEPTED, axum::Json(json!({ "status": "accepted" }))).into_response())
}

/// Has a link mailed to who forgot their password, if there is such a person. Asked for often, it is a way to bother them.
/// What can be no address and no company is refused: that says nothing of who is here.
pub fn forgotten(app: &Arc<App>, form: Forgotten, call: Call) -> Result<(), Problem> {
    if keiin_domain::text::email(&form.email).is_none() {
        return Err(Problem::at("member.bad_email", "/email"));
    }
    if !form.company.trim().is_empty() && !keiin_domain::tenant::is_slug(form.company.trim()) {
        return Err(Problem::at("tenant.bad_slug", "/company"));
    }
    app.limiter.guess(format!("forgotten {}", form.email.trim().to_lowercase()))?;
    password::forgotten(app, form, call)
}

async fn post_logout(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, call) = identify(&app, &BTreeMap::new(), &head, "log_out").await?;
    session::end(&app, &own_secret(&app, &head, &principal)?, &principal, &call).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    clear_session(&app, &mut response);
    Ok(response)
}

async fn get_me(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, call) = identify(&app, &BTreeMap::new(), &head, "get_me").await?;
    if let Err(problem) = principal.check(ME) {
        denial::denied(&app, &principal, "get_me", &call).await;
        return Err(problem);
    }
    let mut me = me(&app, &principal).await?;
    me["lang"] = json!(Peer::of(&head).lang.code());
    Ok(axum::Json(me).into_response())
}

/// Who calls, and what they may.
pub async fn me(app: &App, principal: &Principal) -> Result<Value, Problem> {
    let server = Principal::system(principal.ledger);
    let mut me = json!({
        "kind": keiin_projections::view::ActorView::of(principal.actor.kind, principal.actor.id, None).kind,
        "id": principal.actor.id,
        "role": principal.actor.role,
        "permissions": permissions(app, principal),
        "is_fresh": principal.is_fresh(clock::now_us()),
        "must_enrol": principal.must_enrol,
    });
    if let Some(id) = principal.session_id {
        me["session_id"] = json!(id);
    }
    if let Some(member) = principal.member
        && let Some(view) = app.represent(&server, "member", member).await?
    {
        let factor = crate::principal::load::<Factor>(app, principal.ledger, member).await?;
        let security = crate::principal::load::<Security>(app, principal.ledger, principal.ledger).await?;
        me["second_factor"] = json!(factor.is_on(security.sms));
        me["phone"] = json!(factor.may_text(&security, false).is_ok());
        me["sms"] = json!(app.sms.is_some() && security.sms);
        me["passkeys"] = json!(factor.passkeys.len());
        for field in ["name", "email", "permission_set"] {
            if let Some(value) = view.get(field) {
                me[field] = value.clone();
            }
        }
    }
    if principal.may(keiin_domain::role::Permission("grant.open")) {
        let waiting = keiin_projections::grant::waiting(&app.read, &principal.who())?;
        if waiting > 0 {
            me["grants_waiting"] = json!(waiting);
        }
    }
    if let Some(tenant) = app.represent(&server, "tenant", principal.ledger).await? {
        me["tenant"] = json!({ "id": tenant["id"], "name": tenant["name"], "slug": tenant["slug"] });
    }
    Ok(me)
}

fn permissions(app: &App, principal: &Principal) -> Vec<&'static str> {
    struct Collect(Vec<Permission>);
    impl Visit for Collect {
        fn command<C: Command>(&mut self) {
            if !C::ROUTE.method.is_empty() {
                self.0.push(C::PERMISSION);
            }
        }
    }
    let mut all = Collect(app.queries.iter().map(|q| q.permission).collect());
    all.0.extend([Permission("event.read"), Permission("log.read"), Permission("log.export")]);
    catalog(&mut all);
    all.0.sort();
    all.0.dedup();
    all.0.into_iter().filter(|p| principal.may(*p)).map(|p| p.0).collect()
}

/// Puts a login into the browser.
pub fn set_session(app: &App, response: &mut Response, logged_in: &LoggedIn) {
    set_cookie(app, response, app.config.session_cookie(), &logged_in.secret, session::ABSOLUTE_US / 1_000_000);
    if let Some(device) = &logged_in.device {
        set_cookie(app, response, app.config.device_cookie(), device, device::KEPT_US / 1_000_000);
    }
}

/// Takes a login out of the browser.
pub fn clear_session(app: &App, response: &mut Response) {
    set_cookie(app, response, app.config.session_cookie(), "", 0);
}

/// A cookie that scripts cannot read and other sites cannot send along.
pub fn set_cookie(app: &App, response: &mut Response, name: &str, value: &str, seconds: i64) {
    let secure = if app.config.is_https() { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
