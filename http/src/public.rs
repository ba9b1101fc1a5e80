//! Pages without a member's login: log in, accept an invitation, open a secure link, a visitor's pass, the kiosk.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use keiin_domain::device::{Alert, Device};
use keiin_domain::member::password::Reset;
use keiin_domain::member::{Member, MemberStatus};
use keiin_domain::secretary::Secretary;
use keiin_domain::visit::{Visit, VisitAnswer, VisitStatus};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Path, PathParams, identify, query_string};
use crate::app::App;
use crate::console::{common, fields, is_local, redirect, render};
use crate::password::Forgotten;
use crate::principal::{self, Principal, by_link, cookie};
use crate::problem::{CODES, Problem};
use crate::serve::Peer;
use crate::session::{self, LOGIN_LINK, LoggedIn, Login, Step};
use crate::session_api::{arriving, clear_session, forgotten, me, own_secret, set_session};
use crate::{clock, device, random};

/// Routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/login", get(login_page).post(login))
        .route("/login/code", post(login_code))
        .route("/login/{secret}", get(login_by_link))
        .route("/confirm", get(confirm_page).post(confirm))
        .route("/account/totp", post(begin_totp))
        .route("/logout", post(logout))
        .route("/invite/{token}", get(invite_page))
        .route("/secretary/confirm/{token}", get(|a, p, h| secretary_page(a, p, h, "sec")))
        .route("/secretary/refuse/{token}", get(|a, p, h| secretary_page(a, p, h, "srv")))
        .route("/answer/{token}", get(answer_page))
        .route("/forgot", get(forgot_page).post(forgot))
        .route("/reset/{token}", get(reset_page))
        .route("/alert/{token}", get(alert_page))
        .route("/pass/{token}", get(pass_page))
        .route("/problems/{code}", get(problem_type))
        .merge(crate::kiosk::router())
        .merge(crate::oidc_pages::router())
        .merge(crate::sms::pages::router())
}

/// The fields of a form that has each once.
pub type Fields = BTreeMap<String, String>;

/// Reads a form.
pub async fn form(app: &App, head: &Parts, body: Body) -> Result<Fields, Problem> {
    Ok(fields(app, head, body).await?.into_iter().collect())
}

/// A page for whoever has no login.
pub async fn page(app: &App, head: &Parts, template: &str, more: Value) -> Result<Response, Problem> {
    let peer = Peer::of(head);
    let mut context = common(app, head.uri.path(), peer, None).await?;
    context["params"] = json!(query_string(head.uri.query().unwrap_or("")).unwrap_or_default());
    if let (Some(context), Value::Object(more)) = (context.as_object_mut(), more) {
        context.extend(more);
    }
    render(app, peer.lang, template, &context, StatusCode::OK)
}

/// A form again, with what was typed (but no password) and what was wrong.
pub async fn again(
    app: &App,
    peer: Peer,
    path: &str,
    template: &str,
    mut values: Fields,
    problem: Problem,
) -> Result<Response, Problem> {
    values.remove("password");
    let mut context = common(app, path, peer, None).await?;
    context["values"] = json!(values);
    context["problem"] = crate::serve::problem_view(app, &problem, peer);
    if let Some(demo) = crate::demo::hint(app).filter(|_| template == "login") {
        context["demo"] = demo;
    }
    render(app, peer.lang, template, &context, problem.status)
}

async fn login_page(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let demo = crate::demo::hint(&app).map_or(json!({}), |demo| json!({ "demo": demo }));
    page(&app, &head, "login", demo).await
}

async fn login(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (peer, call) = (Peer::of(&head), arriving(&app, &head)?);
    let values = form(&app, &head, body).await?;
    let field = |name: &str| values.get(name).cloned().unwrap_or_default();
    let login = Login {
        email: field("email"),
        password: field("password"),
        company: field("tenant"),
        break_glass: field("break_glass"),
    };
    app.limiter.guess(format!("account {}", login.email.trim().to_lowercase()))?;
    match session::login(&app, &login, &call).await {
        Err(problem) => again(&app, peer, "/login", "login", values, problem).await,
        Ok(step) => after_login(&app, &head, &values, step).await,
    }
}

/// What follows a first step: the page that was wanted, or the one that asks for a second factor.
pub async fn after_login(app: &App, head: &Parts, values: &Fields, step: Step) -> Result<Response, Problem> {
    match step {
        Step::In(logged_in) => Ok(logged_in_to(app, values, &logged_in)),
        Step::Pending { secret, factors } => {
            let next = values.get("_next").cloned().unwrap_or_default();
            let [passkey, sms] = ["passkey", "sms"].map(|way| factors.contains(&way).to_string());
            let values = json!({ "pending": secret, "_next": next, "passkey": passkey, "sms": sms });
            page(app, head, "login_code", json!({ "values": values })).await
        }
    }
}

/// The second step of a login: a code.
async fn login_code(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (peer, call) = (Peer::of(&head), arriving(&app, &head)?);
    let mut values = form(&app, &head, body).await?;
    let field = |name: &str| values.get(name).map_or("", String::as_str);
    match session::second_step(&app, field("pending"), field("code"), &call).await {
        Ok(logged_in) => Ok(logged_in_to(&app, &values, &logged_in)),
        Err(problem) => {
            values.remove("code");
            again(&app, peer, "/login/code", "login_code", values, problem).await
        }
    }
}

fn logged_in_to(app: &App, values: &Fields, logged_in: &LoggedIn) -> Response {
    let next = values.get("_next").filter(|next| is_local(next)).map_or("/", String::as_str);
    let mut response = redirect(next, false);
    set_session(app, &mut response, logged_in);
    response
}

/// Whoever is logged in shows again that it is them, and goes on where they were.
async fn confirm_page(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = identify(&app, &BTreeMap::new(), &head, "confirm_me").await?;
    let me = me(&app, &principal).await?;
    page(
        &app,
        &head,
        "confirm",
        json!({ "second_factor": me["second_factor"], "passkeys": me["passkeys"], "phone": me["phone"] }),
    )
    .await
}

async fn confirm(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (principal, call) = identify(&app, &BTreeMap::new(), &head, "confirm_me").await?;
    let secret = own_secret(&app, &head, &principal)?;
    let mut values = form(&app, &head, body).await?;
    let proof = values.remove("proof").unwrap_or_default();
    match session::confirm(&app, &secret, &principal, &proof, &call).await {
        Ok(secret) => Ok(logged_in_to(&app, &values, &LoggedIn { secret, principal, device: None })),
        Err(problem) => {
            let me = me(&app, &principal).await?;
            for name in ["second_factor", "passkeys", "phone"] {
                values.insert(name.into(), me[name].to_string());
            }
            again(&app, Peer::of(&head), "/confirm", "confirm", values, problem).await
        }
    }
}

/// The page on which an authenticator app is set up: seed, QR code, and the form for its first code.
async fn begin_totp(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, call) = identify(&app, &BTreeMap::new(), &head, "begin_totp").await?;
    let totp = crate::factor::begin(&app, &principal, call.now_us).await?;
    let peer = Peer::of(&head);
    let mut context = common(&app, "/account", peer, Some(&principal)).await?;
    context["totp"] = totp;
    render(&app, peer.lang, "account_totp", &context, StatusCode::OK)
}

/// The link that `demo` prints: from this machine, once, for a quarter of an hour.
async fn login_by_link(
    State(app): State<Arc<App>>,
    Path(secret): Path<String>,
    head: Parts,
) -> Result<Response, Problem> {
    let call = arriving(&app, &head)?;
    if !Peer::of(&head).ip.is_loopback() || random::kind_of(&secret) != Some("log") {
        return Err(Problem::not_found());
    }
    let entry = app.vault.take(LOGIN_LINK, &random::hash(&secret))?.ok_or_else(|| Problem::new("access.gone"))?;
    if entry.expires_us.is_none_or(|at| clock::now_us() >= at) {
        return Err(Problem::new("access.gone"));
    }
    let method = keiin_domain::session::LoginMethod::LoginLink;
    let logged_in = session::start(&app, entry.ledger, entry.owner, method, &call).await?;
    let mut response = redirect("/", false);
    set_session(&app, &mut response, &logged_in);
    Ok(response)
}

async fn logout(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let secret = cookie(&head.headers, app.config.session_cookie());
    if let (Some(secret), Ok((principal, call))) = (secret, identify(&app, &BTreeMap::new(), &head, "log_out").await) {
        session::end(&app, &secret, &principal, &call).await?;
    }
    let mut response = redirect("/login", false);
    clear_session(&app, &mut response);
    Ok(response)
}

async fn invite_page(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let holder = holder(&app, &path, &head, "inv")?;
    let member = principal::load::<Member>(&app, holder.ledger, holder.actor.id).await?;
    let open = member.status == Some(MemberStatus::Invited) && clock::now_us() < member.expires_at_us;
    if !open {
        return Err(Problem::new("access.gone"));
    }
    let from = principal::origin(&app, Peer::of(&head).ip, &head.headers).ip.parse().ok();
    if let Err(problem) = crate::invitation::is_for_caller(&app, &holder, &head.headers, from).await {
        let peer = Peer::of(&head);
        let mut context = common(&app, head.uri.path(), peer, None).await?;
        context["problem"] = crate::serve::problem_view(&app, &problem, peer);
        context["tenant"] = tenant(&app, holder.ledger).await?;
        context["who"] = match principal::authenticate_again(&app, &head.headers, from).await {
            Ok(caller) => me(&app, &caller).await?,
            Err(_) => json!({}),
        };
        return render(&app, peer.lang, "invite_other", &context, problem.status);
    }
    let server = Principal::system(holder.ledger);
    let mut invitation = app.represent(&server, "member", holder.actor.id).await?.ok_or_else(Problem::not_found)?;
    invitation["tenant"] = tenant(&app, holder.ledger).await?;
    page(&app, &head, "invite", json!({ "invitation": invitation, "token": path.get("token") })).await
}

/// The page with the button of a mail to a secretary, or to the lawyer who took one on: a POST, which no mail scanner sends.
async fn secretary_page(
    State(app): State<Arc<App>>,
    Path(path): PathParams,
    head: Parts,
    kind: &'static str,
) -> Result<Response, Problem> {
    let holder = holder(&app, &path, &head, kind)?;
    let tie = principal::load::<Secretary>(&app, holder.ledger, holder.actor.id).await?;
    let works = match kind {
        "sec" => !tie.revoked && holder.link == Some(tie.confirm) && clock::now_us() < tie.expires_at_us,
        _ => holder.link.is_some_and(|link| tie.revokers.contains(&link)),
    };
    if !works {
        return Err(Problem::new("access.gone"));
    }
    let server = Principal::system(holder.ledger);
    let secretary = app.represent(&server, "secretary", holder.actor.id).await?.ok_or_else(Problem::not_found)?;
    let more = json!({
        "secretary": secretary, "tenant": tenant(&app, holder.ledger).await?, "token": path.get("token"),
    });
    page(&app, &head, if kind == "sec" { "secretary_confirm" } else { "secretary_refuse" }, more).await
}

/// The page behind a notice: who is here, and the buttons. Opening it answers nothing.
async fn answer_page(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let holder = holder(&app, &path, &head, "ans")?;
    let visit = principal::load::<Visit>(&app, holder.ledger, holder.actor.id).await?;
    let told = visit.after.notices.iter().any(|notice| holder.link == Some(notice.secret_hash));
    if !told || visit.status != Some(VisitStatus::CheckedIn) {
        return Err(Problem::new("access.gone"));
    }
    let server = Principal::system(holder.ledger);
    let view = app.represent(&server, "visit", holder.actor.id).await?.ok_or_else(Problem::not_found)?;
    let more = json!({
        "visit": view, "tenant": tenant(&app, holder.ledger).await?, "token": path.get("token"),
        "answer": visit.after.answer.map(VisitAnswer::name),
    });
    page(&app, &head, "visit_answer", more).await
}

async fn forgot_page(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    page(&app, &head, "forgot", json!({})).await
}

async fn forgot(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let call = arriving(&app, &head)?;
    let values = form(&app, &head, body).await?;
    let field = |name: &str| values.get(name).cloned().unwrap_or_default();
    forgotten(&app, Forgotten { email: field("email"), company: field("tenant") }, call)?;
    page(&app, &head, "forgot", json!({ "asked": true })).await
}

async fn reset_page(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let holder = holder(&app, &path, &head, "rst")?;
    let member = principal::load::<Member>(&app, holder.ledger, holder.actor.id).await?;
    let reset = member.reset.filter(|_| member.status == Some(MemberStatus::Active));
    if Reset::check(reset, holder.link, clock::now_us()).is_err() {
        return Err(Problem::new("access.gone"));
    }
    let server = Principal::system(holder.ledger);
    let view = app.represent(&server, "member", holder.actor.id).await?.ok_or_else(Problem::not_found)?;
    let more =
        json!({ "tenant": tenant(&app, holder.ledger).await?, "email": view["email"], "token": path.get("token") });
    page(&app, &head, "reset", more).await
}

/// The page behind "this was not me": which login it is about, and the button. Opening it changes nothing.
async fn alert_page(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let holder = holder(&app, &path, &head, "nme")?;
    let device = principal::load::<Device>(&app, holder.ledger, holder.actor.id).await?;
    if Alert::check(device.alert, holder.link, clock::now_us()).is_err() {
        return Err(Problem::new("access.gone"));
    }
    let server = Principal::system(holder.ledger);
    let view = app.represent(&server, "device", holder.actor.id).await?.ok_or_else(Problem::not_found)?;
    let kept = device::find(&app.vault, holder.ledger, device.member_id.unwrap_or_default(), holder.actor.id)?;
    let (ip, user_agent) = kept.map(|(_, kept)| (kept.ip, kept.user_agent)).unwrap_or_default();
    let login = json!({ "time": view["seen_at"], "ip": ip, "user_agent": user_agent });
    let tenant = tenant(&app, holder.ledger).await?;
    page(&app, &head, "alert", json!({ "tenant": tenant, "login": login, "token": path.get("token") })).await
}

async fn pass_page(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let holder = holder(&app, &path, &head, "pas")?;
    let secret = path.get("token").cloned().unwrap_or_default();
    let server = Principal::system(holder.ledger);
    let visit = app.represent(&server, "visit", holder.actor.id).await?.ok_or_else(Problem::not_found)?;
    let state = principal::load::<keiin_domain::visit::Visit>(&app, holder.ledger, holder.actor.id).await?;
    let code = state.codes.last().filter(|code| code.secret_hash == random::hash(&secret));
    let code = code.ok_or_else(|| Problem::new("access.gone"))?;
    let more = json!({
        "visit": visit,
        "tenant": tenant(&app, holder.ledger).await?,
        "qr": qr(&secret)?,
        "passcode": code.passcode,
        "token": secret,
    });
    page(&app, &head, "pass", more).await
}

/// A QR code as SVG that a strict content security policy lets through: no style attribute, one path.
pub fn qr(text: &str) -> Result<String, Problem> {
    let code = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M).map_err(Problem::failed)?;
    let (width, colors) = (code.width(), code.to_colors());
    let mut path = String::new();
    for (at, color) in colors.iter().enumerate() {
        if *color == qrcode::Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", at % width + 4, at / width + 4));
        }
    }
    let size = width + 8;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\" \
         role=\"img\"><rect width=\"{size}\" height=\"{size}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>"
    ))
}

async fn problem_type(State(app): State<Arc<App>>, Path(code): Path<String>, head: Parts) -> Result<Response, Problem> {
    let ours = CODES.iter().map(|(code, _)| *code).find(|known| *known == code);
    let known =
        ours.or_else(|| keiin_domain::problem::problems().into_iter().map(|p| p.code).find(|known| *known == code));
    let problem = Problem::new(known.ok_or_else(Problem::not_found)?);
    let view = crate::serve::problem_view(&app, &problem, Peer::of(&head));
    page(&app, &head, "problem", json!({ "problem": view })).await
}

/// Who holds the secret in a path. Wrong ones are counted by where they come from.
pub fn holder(app: &App, path: &BTreeMap<String, String>, head: &Parts, kind: &str) -> Result<Principal, Problem> {
    let secret = path.get("token").map_or("", String::as_str);
    by_link(app, kind, secret).or_else(|problem| {
        let origin = principal::origin(app, Peer::of(head).ip, &head.headers);
        app.limiter.guess(format!("link {}", origin.ip)).and(Err(problem))
    })
}

/// What a page for strangers says of a company.
pub async fn tenant(app: &App, ledger: Uuid) -> Result<Value, Problem> {
    let view = app.represent(&Principal::system(ledger), "tenant", ledger).await?;
    Ok(view.map_or(json!({}), |tenant| json!({ "name": tenant["name"] })))
}
