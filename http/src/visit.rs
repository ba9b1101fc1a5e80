//! Visits outside of the console: the calendar files that go with passes, the pass page's download, and the feeds that
//! members' calendars read.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use keiin_domain::calendar_feed::CalendarFeed;
use keiin_domain::date::{DAY_US, instant};
use keiin_domain::role::Permission;
use keiin_domain::visit::{Visit, VisitStatus, Weekday};
use keiin_formats::ics::{Calendar, Event, Method};
use keiin_projections::mail::{Attachment, Letter};
use keiin_projections::visit::{VisitView, concerning};

use crate::api::{Path, PathParams};
use crate::app::App;
use crate::clock;
use crate::ledger::download;
use crate::locale::{Lang, Texts};
use crate::page::format::{self, Style};
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::public::{holder, tenant};
use crate::random;
use crate::serve::Peer;

/// Media type of calendars.
const ICS: &str = "text/calendar; charset=utf-8";
/// How far back a feed goes, and how far ahead.
const FEED_US: (i64, i64) = (31 * DAY_US, 400 * DAY_US);
/// Most visits of a feed.
const FEED_MAX: usize = 500;
/// Kind of a feed's secret.
pub const FEED: &str = "cal";

/// Routes.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/pass/{token}/visit.ics", get(pass_file)).route("/calendar/{token}", get(feed))
}

/// Every time at which somebody is expected, microseconds UTC: one, or one each day of a period pass.
fn times(starts_at_us: i64, ends_at_us: i64, weekdays: Vec<Weekday>) -> Vec<(i64, i64)> {
    if weekdays.is_empty() {
        return vec![(starts_at_us, ends_at_us)];
    }
    let visit = Visit { starts_at_us, ends_at_us, weekdays, ..Visit::default() };
    visit.all_hours().map(|hours| (hours.start, hours.end)).collect()
}

fn weekdays<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Weekday> {
    names.filter_map(Weekday::from_name).collect()
}

/// When a visit is, in words: `2 November 2026, 9:00 JST – 10:00`, or a period pass's days and time of day.
pub fn when(texts: &Texts, lang: Lang, starts_at_us: i64, ends_at_us: i64, days: &[Weekday]) -> String {
    let write = |at: i64, style| format::when(&instant(at), style, lang);
    let last_us = ends_at_us - 1;
    if days.is_empty() {
        let one_day = write(starts_at_us, Style::Iso) == write(last_us, Style::Iso);
        let end = write(ends_at_us, if one_day { Style::Clock } else { Style::DateTime });
        return format!("{} – {end}", write(starts_at_us, Style::DateTime));
    }
    let names: Vec<String> = days.iter().map(|day| texts.get(lang, &format!("weekday-{}", day.name()), &[])).collect();
    let names = names.join(if lang == Lang::Ja { "・" } else { ", " });
    let (first, last) = (write(starts_at_us, Style::Date), write(last_us, Style::Date));
    format!("{first} – {last} ({names}) {} – {}", write(starts_at_us, Style::Clock), write(ends_at_us, Style::Clock))
}

/// The same for a mail; empty where it is about no visit.
pub fn when_of(texts: &Texts, lang: Lang, letter: &Letter) -> String {
    let (Some(starts), Some(ends)) = (letter.starts_at, letter.ends_at) else { return String::new() };
    let days = weekdays(letter.weekdays.as_deref().unwrap_or("").split_whitespace());
    when(texts, lang, starts.0, ends.0, &days)
}

/// The calendar file that goes with a visitor's mail: puts the visit in, moves it, or takes it out.
pub fn attachment(texts: &Texts, letter: &Letter, lang: Lang, link: Option<&str>, from: &str) -> Option<Attachment> {
    let is_cancelled = letter.template == "visit_cancelled";
    let company = letter.company.clone().unwrap_or_default();
    let days = weekdays(letter.weekdays.as_deref().unwrap_or("").split_whitespace());
    let person = |name: &Option<String>, address: &str| (name.clone().unwrap_or_default(), address.to_owned());
    let method = if is_cancelled { Method::Cancel } else { Method::Request };
    let event = Event {
        uid: letter.object_id.to_string(),
        sequence: letter.sequence.unwrap_or(0),
        stamp_us: letter.queued_at.0,
        times: times(letter.starts_at?.0, letter.ends_at?.0, days),
        summary: texts.get(lang, "calendar-visit-to", &[("company", &company)]),
        location: letter.location.clone().unwrap_or_default(),
        description: letter
            .host_name
            .as_ref()
            .map_or(String::new(), |host| texts.get(lang, "pass-host", &[("name", host)])),
        url: link.unwrap_or("").to_owned(),
        organizer: (!from.is_empty()).then(|| (company, from.to_owned())),
        attendee: letter.to.email.as_deref().map(|address| person(&letter.to.name, address)),
        is_cancelled,
    };
    let text = Calendar { method, name: String::new(), events: vec![event] }.write();
    let media_type = format!("{ICS}; method={}", if is_cancelled { "CANCEL" } else { "REQUEST" });
    Some(Attachment { name: "visit.ics", media_type, bytes: text.into_bytes() })
}

/// The visit of a pass as a calendar file. Its secret is in the path, so it says no more than the pass does.
async fn pass_file(State(app): State<Arc<App>>, Path(path): PathParams, head: Parts) -> Result<Response, Problem> {
    let holder = holder(&app, &path, &head, "pas")?;
    let secret = path.get("token").cloned().unwrap_or_default();
    let visit = principal::load::<Visit>(&app, holder.ledger, holder.actor.id).await?;
    let is_newest = visit.codes.last().is_some_and(|code| code.secret_hash == random::hash(&secret));
    if !is_newest || visit.status == Some(VisitStatus::Cancelled) {
        return Err(Problem::new("access.gone"));
    }
    let server = Principal::system(holder.ledger);
    let view = app.represent(&server, "visit", holder.actor.id).await?.ok_or_else(Problem::not_found)?;
    let lang = Peer::of(&head).lang;
    let company = tenant(&app, holder.ledger).await?["name"].as_str().unwrap_or("").to_owned();
    let host = view["host"]["name"].as_str().map(|name| app.texts.get(lang, "pass-host", &[("name", name)]));
    let event = Event {
        uid: visit.id.to_string(),
        sequence: view["sequence"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        stamp_us: clock::now_us(),
        times: times(visit.starts_at_us, visit.ends_at_us, visit.weekdays.clone()),
        summary: app.texts.get(lang, "calendar-visit-to", &[("company", &company)]),
        location: visit.location.clone(),
        description: host.unwrap_or_default(),
        url: format!("{}/pass/{secret}", app.public_url()),
        ..Event::default()
    };
    Ok(file(Calendar { method: Method::Publish, name: String::new(), events: vec![event] }))
}

fn file(calendar: Calendar) -> Response {
    download(calendar.write().into_bytes(), ICS, "attachment; filename=\"visit.ics\"")
}

/// A member's visits, for whoever has the address that the member made. What the member may see is asked of the ledger
/// each time; nobody else's visits are in it, whatever they may.
async fn feed(State(app): State<Arc<App>>, Path(mut path): PathParams, head: Parts) -> Result<Response, Problem> {
    if let Some(secret) = path.get_mut("token") {
        // Calendars know a calendar by the end of its address.
        *secret = secret.strip_suffix(".ics").unwrap_or(secret).to_owned();
    }
    let holder = holder(&app, &path, &head, FEED)?;
    let (ledger, member) = (holder.ledger, holder.actor.id);
    let origin = principal::origin(&app, Peer::of(&head).ip, &head.headers).ip;
    app.limiter.request(format!("feed {ledger} {member} {origin}"))?;
    let feed = principal::load::<CalendarFeed>(&app, ledger, member).await?;
    if feed.secret_hash.is_none() || feed.secret_hash != holder.link {
        return Err(Problem::new("access.gone"));
    }
    let gone = || Problem::new("access.gone");
    let actor = principal::active(&app, ledger, member).await?.ok_or_else(gone)?;
    let reader = Principal { member: Some(member), ..Principal::new(ledger, actor) };
    if !reader.may(Permission("visit.read")) {
        return Err(gone());
    }
    let who = reader.who();
    let (from, to) = (who.now_us - FEED_US.0, who.now_us + FEED_US.1);
    let visits = concerning(&app.read, &who, member, from, to, FEED_MAX)?;
    let lang = Peer::of(&head).lang;
    let name = app.texts.get(lang, "calendar-name", &[]);
    let events = visits.iter().map(|visit| event(&app, lang, visit, who.now_us)).collect();
    Ok(file(Calendar { method: Method::Publish, name, events }))
}

/// A visit as its host sees it.
fn event(app: &App, lang: Lang, visit: &VisitView, now_us: i64) -> Event {
    let name = visit.visitor.name.clone().unwrap_or_else(|| app.texts.get(lang, "visit-visitor", &[]));
    let of = visit.visitor.company.iter().cloned();
    let who = [name].into_iter().chain(of).collect::<Vec<_>>().join(", ");
    let ends_at_us = visit.ends_at.map_or(visit.starts_at.0, |at| at.0);
    Event {
        uid: visit.id.to_string(),
        sequence: visit.sequence,
        stamp_us: now_us,
        times: times(visit.starts_at.0, ends_at_us, weekdays(visit.weekdays.iter().map(String::as_str))),
        summary: app.texts.get(lang, "calendar-visit-of", &[("visitor", &who)]),
        location: visit.location.clone(),
        url: format!("{}/visits/{}", app.public_url(), visit.id),
        is_cancelled: visit.status == "cancelled",
        ..Event::default()
    }
}
