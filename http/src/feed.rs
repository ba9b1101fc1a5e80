//! The event feed (server-sent events): the trail as it grows, for programs and for the audit page.
//!
//! * Each record once, in the order of the ledger. Every message's `id` is a cursor; whoever sends the last one again, as
//!   `Last-Event-ID` or `?cursor=`, goes on right after it, on any node and after any restart.
//! * One watcher a process wakes the streams of the ledgers that grew. A stream reads a page at a time, and the next one
//!   when its client has taken the last; the rest waits in the ledger, not in memory. A connection that takes nothing is
//!   cut off by the listener ([`crate::serve::run`]).
//! * Rights are asked for again when the ledger has grown, since nothing but an event takes a right away, and from time to
//!   time for what just expires. What changed in them ends the stream: its client comes back and is judged anew.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use keiin_domain::role::Permission;
use keiin_projections::event::{self, EventView, FEED_PARAMS, Place};
use keiin_projections::query::Params;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use crate::api::{self, query_string};
use crate::app::App;
use crate::ledger::{TRAIL, reader};
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::serve::Peer;

/// Name of the operation.
pub const NAME: &str = "stream_events";
/// Its path.
pub const PATH: &str = "/v1/events/stream";
/// What its description says.
pub const ABOUT: &str = "Server-sent events: each record of the trail once, in the order of the ledger; `event` is its kind, `data` \
    an item of `list_events`, `id` a cursor. Begins after `Last-Event-ID`, else after `cursor`, else after the position \
    `after`, else at the end. 410: the cursor is of a history that was taken back.";

/// To follow visits that concern the caller, whoever does something with them.
const VISITS: Permission = Permission("visit.read");
/// A stream is not silent for longer, so that proxies keep it open and both ends notice when the other is gone. Also how
/// soon an expired login or token ends its stream.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Rights are asked for at most this often, and this soon after the ledger has grown.
const RIGHTS: Duration = Duration::from_millis(250);
/// A burst of commits is one wake.
const GATHER: Duration = Duration::from_millis(20);
/// How long clients wait before they come back.
const RETRY_MS: u64 = 2_000;
/// Records read at once.
const PAGE: usize = 50;

/// The open streams of this process.
pub struct Feed {
    ledgers: Mutex<HashMap<Uuid, Followed>>,
}

/// A ledger that somebody follows.
struct Followed {
    /// Next position of the read models.
    grown: watch::Sender<u64>,
    /// How many streams each person has open.
    people: HashMap<Uuid, usize>,
}

impl Feed {
    /// Without streams.
    pub fn new() -> Feed {
        Feed { ledgers: Mutex::default() }
    }

    /// Open streams.
    pub fn open(&self) -> usize {
        self.lock().values().map(|followed| followed.people.values().sum::<usize>()).sum()
    }

    /// Wakes whoever follows a ledger that grew.
    fn wake(&self, folded: &HashMap<Uuid, u64>) {
        for (ledger, followed) in self.lock().iter() {
            let next = folded.get(ledger).copied().unwrap_or(0);
            followed.grown.send_if_modified(|known| std::mem::replace(known, next) != next);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Followed>> {
        self.ledgers.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Default for Feed {
    fn default() -> Feed {
        Feed::new()
    }
}

/// Watches the read models until the process ends.
pub async fn run(app: Arc<App>) {
    let mut folded = app.runner.folded();
    while folded.changed().await.is_ok() {
        app.feed.wake(&folded.borrow_and_update());
        sleep(GATHER).await;
    }
}

/// One open stream; it is counted until it is dropped.
struct Seat {
    app: Arc<App>,
    ledger: Uuid,
    person: Uuid,
    grown: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
}

impl Seat {
    /// Takes one, if the person and the company may have one more in this process.
    fn take(app: &Arc<App>, principal: &Principal) -> Result<Seat, Problem> {
        let (limits, ledger, person) = (&app.config.limits, principal.ledger, principal.who().person());
        let mut ledgers = app.feed.lock();
        let counted = ledgers.get(&ledger);
        let own = counted.and_then(|followed| followed.people.get(&person)).copied().unwrap_or(0);
        let all: usize = counted.map_or(0, |followed| followed.people.values().sum());
        if own >= limits.streams_a_person || all >= limits.streams_a_company {
            return Err(Problem { retry_after: Some(HEARTBEAT.as_secs()), ..Problem::new("request.too_many") });
        }
        let followed = ledgers.entry(ledger).or_insert_with(|| {
            let next = app.runner.folded().borrow().get(&ledger).copied().unwrap_or(0);
            Followed { grown: watch::Sender::new(next), people: HashMap::new() }
        });
        *followed.people.entry(person).or_default() += 1;
        let (grown, stopping) = (followed.grown.subscribe(), app.stopping.subscribe());
        Ok(Seat { app: app.clone(), ledger, person, grown, stopping })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut ledgers = self.app.feed.lock();
        let Some(followed) = ledgers.get_mut(&self.ledger) else { return };
        if let Some(own) = followed.people.get_mut(&self.person) {
            *own -= 1;
        }
        followed.people.retain(|_, own| *own > 0);
        if followed.people.is_empty() {
            ledgers.remove(&self.ledger);
        }
    }
}

/// `GET /v1/events/stream`.
pub async fn stream(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = reader(&app, &head, TRAIL, NAME).await?;
    let given = query_string(head.uri.query().unwrap_or(""))?;
    let params = api::params(given, &[FEED_PARAMS])?;
    if params.text("visits").is_some() {
        principal.check(VISITS)?;
    }
    let seat = Seat::take(&app, &principal)?;
    let place = begin(&app, &principal, &params, &head.headers).await?;
    let mut headers = HeaderMap::new();
    for name in [AUTHORIZATION, COOKIE] {
        for value in head.headers.get_all(&name) {
            headers.append(&name, value.clone());
        }
    }
    let from = crate::principal::origin(&app, Peer::of(&head).ip, &head.headers).ip.parse().ok();
    let follower = Box::new(Follower::new(seat, principal, (headers, from), params, place));
    let messages = futures_util::stream::unfold(follower, |mut follower| async move {
        let message = follower.next().await?;
        Some((Ok::<_, Infallible>(message), follower))
    });
    let no_buffer = HeaderName::from_static("x-accel-buffering");
    let head = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store"), (no_buffer, "no")];
    Ok((head, Body::from_stream(messages)).into_response())
}

/// Where a stream begins: after the last message that its client has, after a position, or at the end. A browser that
/// comes back by itself asks the same URL again, so its header counts more than the parameters.
async fn begin(app: &App, principal: &Principal, params: &Params, headers: &HeaderMap) -> Result<Place, Problem> {
    let who = principal.who();
    let last = headers.get("last-event-id").filter(|value| !value.is_empty());
    let bad =
        if last.is_some() { ("request.bad_header", "/Last-Event-ID") } else { ("request.bad_parameter", "/cursor") };
    let cursor = last.map(|value| value.to_str().unwrap_or("?")).or_else(|| params.text("cursor"));
    if let Some(cursor) = cursor {
        let place =
            Place::of_cursor(app.read.cursor_key(), who.ledger, cursor).ok_or_else(|| Problem::at(bad.0, bad.1))?;
        app.wait(who.ledger, place.position).await?;
        let here = event::place_at(&app.read, &who, place.position)?;
        return if here.as_ref() == Some(&place) { Ok(place) } else { Err(Problem::new("event.cursor_gone")) };
    }
    let place = match params.number("after") {
        Some(position) => {
            app.wait(who.ledger, position).await?;
            event::place_at(&app.read, &who, position)?
        }
        None => event::newest(&app.read, &who)?,
    };
    place.ok_or_else(|| Problem::new("service.behind"))
}

/// One client's way through the ledger.
struct Follower {
    seat: Seat,
    principal: Principal,
    /// The credential, and where it came from.
    headers: HeaderMap,
    from: Option<IpAddr>,
    params: Params,
    /// Everything up to here is on the page, was sent, or is not for this client.
    place: Place,
    page: VecDeque<(Place, EventView)>,
    /// There may be more behind `place`.
    unread: bool,
    /// The client has an `id`.
    greeted: bool,
    beat_at: Instant,
    checked_at: Instant,
    /// What the ledger had grown to then.
    checked: u64,
}

impl Follower {
    fn new(
        seat: Seat,
        principal: Principal,
        (headers, from): (HeaderMap, Option<IpAddr>),
        params: Params,
        place: Place,
    ) -> Follower {
        let (now, checked) = (Instant::now(), *seat.grown.borrow());
        let (beat_at, page) = (now + HEARTBEAT, VecDeque::new());
        let (unread, greeted, checked_at) = (true, false, now);
        Follower { seat, principal, headers, from, params, place, page, unread, greeted, beat_at, checked_at, checked }
    }

    /// The next piece of the answer; `None` ends it. One message at a time: the connection queues few pieces for a client
    /// that does not read, so they had better be small.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if *self.seat.stopping.borrow() {
                return None;
            }
            if Instant::now() >= self.check_at() && !Box::pin(self.may_go_on()).await {
                return None;
            }
            if let Some((place, event)) = self.page.pop_front() {
                return Some(self.message(&place, Some(&event)));
            }
            if self.unread {
                self.look().ok()?;
            } else if !self.greeted || Instant::now() >= self.beat_at {
                return Some(self.message(&self.place.clone(), None));
            } else {
                self.wait().await?;
            }
        }
    }

    /// Reads the next page, if there is one.
    fn look(&mut self) -> Result<(), Problem> {
        self.seat.grown.borrow_and_update();
        let (read, who) = (&self.seat.app.read, self.principal.who());
        self.unread = false;
        // After a rebuild it may stand before our place for a moment; then there is nothing to do yet.
        let newest = event::newest(read, &who)?.filter(|newest| newest.position > self.place.position);
        let Some(newest) = newest else { return Ok(()) };
        self.page = event::page(read, &who, &self.params, self.place.position, newest.position, PAGE)?.into();
        self.unread = self.page.len() == PAGE;
        let last = self.page.back().filter(|_| self.unread).map(|(place, _)| place.clone());
        self.place = last.unwrap_or(newest);
        Ok(())
    }

    /// Waits for something to do.
    async fn wait(&mut self) -> Option<()> {
        let until = self.check_at().min(self.beat_at);
        tokio::select! {
            grown = self.seat.grown.changed() => self.unread = grown.is_ok(),
            ended = self.seat.stopping.changed() => ended.ok()?,
            () = sleep_until(until) => {}
        }
        Some(())
    }

    /// When rights are asked for again.
    fn check_at(&self) -> Instant {
        let has_grown = *self.seat.grown.borrow() != self.checked;
        self.checked_at + if has_grown { RIGHTS } else { HEARTBEAT }
    }

    /// Is this still the same caller with the same rights, in a ledger that can still grow?
    async fn may_go_on(&mut self) -> bool {
        self.checked = *self.seat.grown.borrow();
        self.checked_at = Instant::now();
        let (app, before) = (&self.seat.app, &self.principal);
        let Ok(now) = principal::authenticate_again(app, &self.headers, self.from).await else { return false };
        let same = (now.ledger, now.actor, &now.scopes) == (before.ledger, before.actor, &before.scopes);
        let same = same && now.acts_for == before.acts_for;
        let head = app.log.head(before.ledger).await;
        let visits = self.params.text("visits").is_none() || now.may(VISITS);
        same && visits && now.may(TRAIL) && head.is_ok_and(|head| head.is_some_and(|head| !head.closed))
    }

    /// A message, or without an event a sign of life that moves the client's cursor on.
    fn message(&mut self, place: &Place, event: Option<&EventView>) -> Bytes {
        let mut text = String::new();
        if !std::mem::replace(&mut self.greeted, true) {
            text.push_str(&format!("retry: {RETRY_MS}\n"));
        }
        self.beat_at = Instant::now() + HEARTBEAT;
        let id = place.cursor(self.seat.app.read.cursor_key(), self.seat.ledger);
        match event {
            Some(event) => {
                let data = serde_json::to_string(event).expect("views are plain JSON");
                text.push_str(&format!("id: {id}\nevent: {}\ndata: {data}\n\n", event.kind));
            }
            None => text.push_str(&format!(":\nid: {id}\n\n")),
        }
        Bytes::from(text)
    }
}
