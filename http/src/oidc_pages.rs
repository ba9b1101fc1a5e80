//! Pages around accounts elsewhere: log in by one, link one. The browser leaves by a redirect and comes back to us with what
//! the provider says.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::REFRESH;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use keiin_domain::command::Command;
use keiin_domain::factor::account::{LinkAccount, LinkedBy, Provider};
use keiin_domain::security::Security;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Path, PathParams, identify, query_string};
use crate::app::{App, ROOT};
use crate::console::{common, fields, is_local, redirect, render};
use crate::denial;
use crate::execute::Call;
use crate::oidc::{self, Back, Begun, Wish};
use crate::principal::{self, Principal, cookie};
use crate::problem::Problem;
use crate::public::{after_login, again};
use crate::serve::Peer;
use crate::session::ways::{Outcome, by_account};
use crate::session::{self, LoggedIn};
use crate::session_api::{arriving, own_secret, set_cookie, set_session, visiting};

/// How long a browser may be on its way, seconds.
const AWAY_S: i64 = 600;
/// Longest page of ours to come back to.
const NEXT_MAX: usize = 1_000;

/// Routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/login/with/{provider}", get(leave))
        .route("/login/with/{provider}/back", get(come_back))
        .route("/account/link/{provider}", post(link))
}

/// To the provider, to log in.
async fn leave(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let call = visiting(&app, &head)?;
    let params = query_string(head.uri.query().unwrap_or(""))?;
    let param = |name: &str| params.get(name).cloned().unwrap_or_default();
    let next = Some(param("next")).filter(|next| is_local(next) && next.len() <= NEXT_MAX).unwrap_or_default();
    let company = Some(param("company")).filter(|slug| keiin_domain::tenant::is_slug(slug)).unwrap_or_default();
    let provider = oidc::provider(path.get("provider"))?;
    let wish = Wish { company, next, session: None };
    let begun = oidc::begin(&app, provider, (ROOT, Uuid::nil()), wish, browser(&app, &head), &call).await?;
    let mut response = redirect(&begun.url, false);
    remember(&app, &mut response, &begun);
    Ok(response)
}

fn browser(app: &App, head: &Parts) -> Option<String> {
    cookie(&head.headers, app.config.browser_cookie())
}

fn remember(app: &App, response: &mut Response, begun: &Begun) {
    set_cookie(app, response, app.config.browser_cookie(), &begun.browser, AWAY_S);
}

/// From the provider. What is refused is said on the login page, from where another way leads on; to whoever is logged in, on
/// a page of its own.
async fn come_back(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let call = arriving(&app, &head)?;
    let provider = oidc::provider(path.get("provider"))?;
    let params = query_string(head.uri.query().unwrap_or(""))?;
    match oidc::finish(&app, provider, params, browser(&app, &head), &call).await {
        Ok(back) if back.wish.session.is_some() => linked(&app, back, &head).await,
        Ok(back) => logged_in(&app, provider, back, &head, &call).await,
        Err(problem) => {
            let is_in = identify(&app, &BTreeMap::new(), &head, "get_me").await.is_ok();
            if is_in {
                return Err(problem);
            }
            again(&app, Peer::of(&head), "/login", "login", BTreeMap::new(), problem).await
        }
    }
}

async fn logged_in(
    app: &App,
    provider: Provider,
    Back { identity, wish }: Back,
    head: &Parts,
    call: &Call,
) -> Result<Response, Problem> {
    let values = BTreeMap::from([("_next".to_owned(), wish.next.clone())]);
    match by_account(app, &identity, &wish.company, call).await {
        Ok(Outcome::On(step)) => after_login(app, head, &values, step).await,
        Ok(Outcome::Which(ledgers)) => {
            let mut companies: Vec<Value> = vec![];
            for ledger in ledgers {
                companies.extend(app.represent(&Principal::system(ledger), "tenant", ledger).await?);
            }
            let more = json!({ "companies": companies, "provider": provider, "next": wish.next });
            page(app, head, None, "login_companies", more).await
        }
        Err(problem) => again(app, Peer::of(head), "/login", "login", values, problem).await,
    }
}

async fn page(
    app: &App,
    head: &Parts,
    principal: Option<&Principal>,
    template: &str,
    more: Value,
) -> Result<Response, Problem> {
    let peer = Peer::of(head);
    let mut context = common(app, head.uri.path(), peer, principal).await?;
    if let (Some(context), Value::Object(more)) = (context.as_object_mut(), more) {
        context.extend(more);
    }
    render(app, peer.lang, template, &context, StatusCode::OK)
}

/// To the provider, to link an account of whoever is logged in and certainly there. Not by a redirect: browsers hold one that
/// follows a form against the page's policy, which names no other site.
async fn link(State(app): State<Arc<App>>, Path(path): PathParams, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (mut principal, call) = identify(&app, &BTreeMap::new(), &head, LinkAccount::NAME).await?;
    if let Err(problem) = principal.allow::<LinkAccount>() {
        denial::denied(&app, &principal, LinkAccount::NAME, &call).await;
        return Err(problem);
    }
    let secret = own_secret(&app, &head, &principal)?;
    let provider = oidc::provider(path.get("provider"))?;
    let fields = fields(&app, &head, body).await?;
    let proof = fields.iter().find(|(name, value)| name == "_proof" && !value.is_empty());
    let renewed = match proof {
        Some((_, proof)) => Some(session::confirm(&app, &secret, &principal, proof, &call).await?),
        None => None,
    };
    if renewed.is_some() {
        principal.confirmed_us = Some(call.now_us);
    }
    let begun = begin_link(&app, provider, &principal, &head, &call).await;
    let mut response = match &begun {
        Ok(begun) => {
            let more = json!({ "provider": provider, "url": begun.url });
            let mut response = page(&app, &head, Some(&principal), "account_link", more).await?;
            let refresh = HeaderValue::from_str(&format!("0;url={}", begun.url)).map_err(Problem::failed)?;
            response.headers_mut().insert(REFRESH, refresh);
            remember(&app, &mut response, begun);
            response
        }
        Err(problem) => axum::response::IntoResponse::into_response(problem.clone()),
    };
    if let Some(secret) = renewed {
        set_session(&app, &mut response, &LoggedIn { secret, principal, device: None });
    }
    Ok(response)
}

async fn begin_link(
    app: &App,
    provider: Provider,
    principal: &Principal,
    head: &Parts,
    call: &Call,
) -> Result<Begun, Problem> {
    // Said now, so that nobody goes there in vain.
    if !principal.is_fresh(call.now_us) {
        return Err(Problem::new("access.confirm_first"));
    }
    let security = principal::load::<Security>(app, principal.ledger, principal.ledger).await?;
    if !security.providers.contains(&provider) {
        return Err(Problem::new("factor.provider_off"));
    }
    let wish = Wish { session: principal.session_id, ..Wish::default() };
    let who = (principal.ledger, principal.member.unwrap_or(principal.actor.id));
    oidc::begin(app, provider, who, wish, browser(app, head), call).await
}

async fn linked(app: &App, Back { identity, wish }: Back, head: &Parts) -> Result<Response, Problem> {
    let (principal, call) = identify(app, &BTreeMap::new(), head, LinkAccount::NAME).await?;
    // Who logged out on the way, or in as somebody else, links nothing.
    if principal.session_id != wish.session {
        return Err(Problem::new("access.provider_state"));
    }
    let done = oidc::link(app, &principal, &identity, LinkedBy::Confirmation, &call).await?;
    if let Some(span) = done.span {
        app.wait(principal.ledger, span.last).await?;
    }
    Ok(redirect("/account?done=account-linked", false))
}
