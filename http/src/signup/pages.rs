//! Sign-up in a browser: one page, which shows the step that comes next. A cookie leads to the sign-up, so that two tabs
//! go on with one; each form is a plain POST.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use keiin_domain::terms::AcceptTerms;
use serde_json::json;

use super::{NewTenant, Next, accept, holder, is_open, pay, provision, renew, request, standing, verify};
use crate::api::Path;
use crate::app::App;
use crate::console::{common, redirect, render};
use crate::execute::Call;
use crate::payment;
use crate::principal::{Principal, cookie};
use crate::problem::Problem;
use crate::public::{Fields, form, page};
use crate::serve::{Peer, problem_view};
use crate::session_api::{arriving, set_cookie, set_session, visiting};

/// Cookie that leads to a sign-up.
const COOKIE: &str = "keiin_signup";
/// How long it is kept, seconds.
const KEPT_S: i64 = 86_400;

/// Routes. Whoever loads the address of a form again is led to the page.
pub fn router() -> Router<Arc<App>> {
    let back = || get(async || redirect("/signup", false));
    Router::new()
        .route("/signup", get(show))
        .route("/signup/email", back().post(email))
        .route("/signup/code", back().post(code))
        .route("/signup/code/new", back().post(new_code))
        .route("/signup/terms", back().post(terms))
        .route("/signup/payment", back().post(payment))
        .route("/signup/company", back().post(company))
        .route("/signup/again", post(again))
        .route("/signup/pay/{reference}", get(pay_page).post(pay_done))
}

/// Whose sign-up the browser is in.
fn holder_of(app: &App, head: &Parts) -> Option<Principal> {
    holder(app, &cookie(&head.headers, COOKIE)?).ok()
}

async fn show(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let call = visiting(&app, &head)?;
    step(&app, &head, &call, None).await
}

/// The page for whatever comes next, after a refusal with what was typed (but no password) and what was wrong.
async fn step(app: &App, head: &Parts, call: &Call, refused: Option<(Fields, Problem)>) -> Result<Response, Problem> {
    let peer = Peer::of(head);
    let mut context = common(app, "/signup", peer, None).await?;
    context["contact"] = json!(app.config.contact());
    context["sign_up"] = json!({ "next_step": if is_open(app) { "email" } else { "closed" } });
    if let Some(holder) = holder_of(app, head) {
        let standing = standing(app, &holder, call).await?;
        if !standing.is_over(call.now_us) {
            context["sign_up"] = standing.view(app);
            if standing.next(app) == Next::Terms {
                context["texts"] = app.legal.both(peer.lang);
            }
        }
    }
    let mut status = StatusCode::OK;
    if let Some((mut values, problem)) = refused {
        values.remove("password");
        context["values"] = json!(values);
        context["problem"] = problem_view(app, &problem, peer);
        status = problem.status;
    }
    render(app, peer.lang, "signup", &context, status)
}

/// Reads a form, does what it asks for, and goes on to the page; or says why not.
async fn posted<T>(
    app: &App,
    asked: Request,
    work: impl AsyncFnOnce(&App, &Principal, &Fields, &Call) -> Result<T, Problem>,
) -> Result<Result<T, Response>, Problem> {
    let (head, body) = asked.into_parts();
    let call = arriving(app, &head)?;
    let Some(holder) = holder_of(app, &head) else { return Ok(Err(redirect("/signup", false))) };
    let values = form(app, &head, body).await?;
    match work(app, &holder, &values, &call).await {
        Ok(done) => Ok(Ok(done)),
        Err(problem) => step(app, &head, &call, Some((values, problem))).await.map(Err),
    }
}

fn field(values: &Fields, name: &str) -> String {
    values.get(name).cloned().unwrap_or_default()
}

fn on(done: Result<(), Response>) -> Response {
    done.map_or_else(|response| response, |()| redirect("/signup", false))
}

async fn email(State(app): State<Arc<App>>, asked: Request) -> Result<Response, Problem> {
    let (head, body) = asked.into_parts();
    let call = arriving(&app, &head)?;
    let values = form(&app, &head, body).await?;
    // A second tab finds the sign-up that the first one began.
    if let Some(holder) = holder_of(&app, &head)
        && !standing(&app, &holder, &call).await?.is_over(call.now_us)
    {
        return Ok(redirect("/signup", false));
    }
    match request(&app, &field(&values, "email"), &call).await {
        Err(problem) => step(&app, &head, &call, Some((values, problem))).await,
        Ok(secret) => {
            let mut response = redirect("/signup", false);
            set_cookie(&app, &mut response, COOKIE, &secret, KEPT_S);
            Ok(response)
        }
    }
}

async fn code(State(app): State<Arc<App>>, asked: Request) -> Result<Response, Problem> {
    let done =
        posted(&app, asked, async |app, holder, values, call| verify(app, holder, &field(values, "code"), call).await);
    Ok(on(done.await?))
}

async fn new_code(State(app): State<Arc<App>>, asked: Request) -> Result<Response, Problem> {
    let done = posted(&app, asked, async |app, holder, _, call| renew(app, holder, call).await);
    Ok(done.await?.map_or_else(|response| response, |()| redirect("/signup?done=code-sent", false)))
}

async fn terms(State(app): State<Arc<App>>, asked: Request) -> Result<Response, Problem> {
    let done = posted(&app, asked, async |app, holder, values, call| {
        let shown = AcceptTerms { terms: field(values, "terms"), privacy: field(values, "privacy") };
        accept(app, holder, shown, call).await
    });
    Ok(on(done.await?))
}

async fn payment(State(app): State<Arc<App>>, asked: Request) -> Result<Response, Problem> {
    let done = posted(&app, asked, async |app, holder, _, call| pay(app, holder, call).await);
    Ok(done.await?.map_or_else(|response| response, |url| redirect(url.as_deref().unwrap_or("/signup"), false)))
}

async fn company(State(app): State<Arc<App>>, asked: Request) -> Result<Response, Problem> {
    let done = posted(&app, asked, async |app, holder, values, call| {
        let form = NewTenant {
            company: field(values, "company"),
            slug: field(values, "slug"),
            name: field(values, "name"),
            password: field(values, "password"),
        };
        provision(app, holder, form, call).await
    });
    match done.await? {
        Err(response) => Ok(response),
        Ok((logged_in, _)) => {
            let mut response = redirect("/", false);
            set_session(&app, &mut response, &logged_in);
            set_cookie(&app, &mut response, COOKIE, "", 0);
            Ok(response)
        }
    }
}

/// Another address, or a sign-up that came to nothing: begins anew.
async fn again(State(app): State<Arc<App>>) -> Response {
    let mut response = redirect("/signup", false);
    set_cookie(&app, &mut response, COOKIE, "", 0);
    response
}

/// The page of the development provider.
async fn pay_page(State(app): State<Arc<App>>, Path(name): Path<String>, head: Parts) -> Result<Response, Problem> {
    let (_, amount, is_paid) = begun(&app, &name)?;
    page(&app, &head, "signup_pay", json!({ "amount": amount, "paid": is_paid })).await
}

/// What a provider would tell us, and where it would send the payer.
async fn pay_done(State(app): State<Arc<App>>, Path(name): Path<String>, head: Parts) -> Result<Response, Problem> {
    let call = arriving(&app, &head)?;
    let (sign_up, amount, _) = begun(&app, &name)?;
    payment::pay(&app.vault, &name, sign_up, amount)?;
    super::settle(&app, sign_up, &call).await?;
    match holder_of(&app, &head) {
        Some(_) => Ok(redirect("/signup", false)),
        None => page(&app, &head, "signup_pay", json!({ "amount": amount, "paid": true })).await,
    }
}

fn begun(app: &App, name: &str) -> Result<(uuid::Uuid, i64, bool), Problem> {
    // Without the development provider there is no such page.
    let is_ours = app.payment.as_ref().is_some_and(|provider| provider.name() == "development");
    let found = if is_ours { payment::begun(&app.vault, name)? } else { None };
    found.ok_or_else(Problem::not_found)
}
