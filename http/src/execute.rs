//! The one way to change anything: load, decide, append, fold, answer.
//!
//! Invariants:
//! * [`execute`] is the only caller of `append` for sealed records, and it wants an [`Allowed`].
//! * A command with an Idempotency-Key is decided once: its append id follows from principal, command and key, the log
//!   answers a repetition with the first one's positions, and another request under the same key is refused.
//! * Everything that the events rely on (keys, secrets, password hashes) is durable in the vault before the append.

use std::net::IpAddr;

use keiin_domain::command::{Command, Emit, On, Rejection, State};
use keiin_domain::context::Context;
use keiin_domain::date::Date;
use keiin_domain::envelope::{self, ContextV1};
use keiin_domain::event::Stored;
use keiin_domain::sealed::{Origin, Sealed};
use keiin_eventlog::chain::{Append, Draft, Expectation};
use keiin_eventlog::record::{Party, Record, Stream};
use keiin_eventlog::seal::{self, BodyPlace};
use keiin_eventlog::store::{Outcome, Span};
use keiin_eventlog::vault::VaultError;
use keiin_projections::fact::Fact;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::app::App;
use crate::limit::Work;
use crate::principal::{Allowed, Principal};
use crate::problem::Problem;
use crate::world::Minted;
use crate::{random, room};

/// How often a decision is repeated when a stream that it read has moved meanwhile.
const ATTEMPTS: usize = 16;
/// Records read from a stream at once.
const PAGE: usize = 1_000;

/// What comes with a command.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The object's id, from the path.
    pub target: Option<Uuid>,
    /// The id that a new object gets, where it was promised before; else a fresh one.
    pub new_id: Option<Uuid>,
    /// From If-Match.
    pub if_match: Option<u64>,
    /// Idempotency-Key.
    pub key: Option<String>,
    /// SHA-256 over the request, so that a key stands for one request only.
    pub request_hash: [u8; 32],
    /// Of the HTTP request.
    pub request_id: Option<Uuid>,
    /// Where it came from.
    pub origin: Option<Origin>,
    /// The secret of the device's cookie, where one came along.
    pub device: Option<String>,
    /// Position of the record that caused it.
    pub cause: Option<u64>,
    /// When it happened, microseconds UTC, if it could not be written down at once.
    pub occurred_at_us: Option<i64>,
    /// The clock's reading, microseconds UTC.
    pub now_us: i64,
}

impl Call {
    /// What the server does on its own.
    pub fn internal(now_us: i64) -> Call {
        Call { now_us, ..Call::default() }
    }

    /// The address it came from.
    pub fn from(&self) -> Option<IpAddr> {
        self.origin.as_ref().and_then(|origin| origin.ip.parse().ok())
    }

    /// The same, on an object.
    pub fn on(self, target: Uuid) -> Call {
        Call { target: Some(target), ..self }
    }
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Done {
    /// Stream kind of the object.
    pub kind: &'static str,
    /// The object.
    pub id: Uuid,
    /// Where its records stand; `None` when there was nothing to do.
    pub span: Option<Span>,
    /// Secrets that it made: kind and text. Empty when the answer is a repetition.
    pub secrets: Vec<(&'static str, String)>,
}

/// Runs a command.
pub async fn execute<C: Command>(app: &App, allowed: &Allowed<C>, command: C, call: &Call) -> Result<Done, Problem> {
    let principal = allowed.principal();
    let ledger = principal.ledger;
    let _turn = app.limiter.turn(ledger, Work::Command).await;
    let append_id = match &call.key {
        Some(key) => app.vault.append_id(ledger, key_owner(principal), C::NAME, key)?,
        None => random::id_at(call.now_us),
    };
    if call.key.is_some()
        && let Some(span) = app.log.find_append(ledger, append_id).await?
    {
        return repeated::<C>(app, ledger, span, call).await;
    }
    for _ in 0..ATTEMPTS {
        let thinking = app.limiter.turn(ledger, Work::Core).await;
        let mut minted = Minted::new(app, ledger, call.now_us);
        let target = call.target.or(call.new_id).unwrap_or_else(|| random::id_at(call.now_us));
        let mut ctx = context(principal, call, &mut minted);

        let mut ids = command.streams(target, &mut ctx)?;
        let (mut parts, mut versions) = (vec![], vec![]);
        for id in ids.clone() {
            let past = if C::On::READS { past::<C::On>(app, ledger, parts.len(), id).await? } else { (None, vec![]) };
            versions.push(past.0);
            parts.push((id, past.1));
        }
        let object: On<<C::On as State>::Object> = On::fold(parts[0].0, &parts[0].1).map_err(Problem::failed)?;
        if call.target.is_some() && !object.exists() {
            return Err(Problem::not_found());
        }
        if call.if_match.is_some() && call.if_match != object.version {
            return Err(Problem::new("request.version_mismatch"));
        }
        for id in command.linked(&object, &mut ctx)? {
            let (version, past) = past::<C::On>(app, ledger, ids.len(), id).await?;
            versions.push(version);
            parts.push((id, past));
            ids.push(id);
        }
        let state = C::On::fold(&parts).map_err(Problem::failed)?;
        let emits = match command.clone().decide(&state, &mut ctx) {
            Ok(emits) => emits,
            Err(why) => {
                let emits = command.turned_away(&state, &why, &mut ctx);
                minted.check()?;
                drop(thinking);
                let expect = if C::On::READS { expectations::<C::On>(&ids, &versions) } else { vec![] };
                return Err(turned_away(app, principal, call, expect, emits, minted, why).await);
            }
        };
        minted.check()?;
        let done = Done { kind: C::On::kind(0), id: ids[0], span: None, secrets: vec![] };
        if emits.is_empty() {
            return Ok(done);
        }

        let expect = if C::On::READS { expectations::<C::On>(&ids, &versions) } else { vec![] };
        let append = append(app, principal, call, append_id, expect, emits, &mut minted)?;
        // What follows waits for the disk.
        drop(thinking);
        match minted.store() {
            // Somebody else has just made this person's first key: it is the one to seal under.
            Err(VaultError::Exists(_)) => continue,
            other => other?,
        }
        match app.log.append(append).await {
            Outcome::Committed(span) => {
                room::Store::Ledgers.fitted();
                let secrets = std::mem::take(&mut minted.secrets);
                return Ok(Done { span: Some(span), secrets, ..done });
            }
            Outcome::Known(span) => return repeated::<C>(app, ledger, span, call).await,
            Outcome::Moved { .. } => minted.take_back()?,
            Outcome::Refused(_) if app.log.has_ended(ledger) => return Err(Problem::new("service.moved")),
            Outcome::Refused(reason) => return Err(Problem::failed(reason)),
            Outcome::Busy => return Err(Problem::new("service.unavailable")),
            Outcome::Full => return Err(Problem::full(room::Store::Ledgers, "the ledgers' file")),
            Outcome::Unknown(reason) => return Err(Problem::unconfirmed(reason)),
        }
    }
    Err(Problem::new("request.conflict"))
}

/// Writes what a refusal leaves behind. Whoever cannot be told from the ledger is refused all the same; that it is not
/// written is in the server's log.
async fn turned_away(
    app: &App,
    principal: &Principal,
    call: &Call,
    expect: Vec<Expectation>,
    emits: Vec<Emit>,
    mut minted: Minted<'_>,
    why: Rejection,
) -> Problem {
    if emits.is_empty() {
        return why.into();
    }
    // Not the call's own id: its key stands for what is done, and nothing is.
    let append_id = random::id_at(call.now_us);
    let written = append(app, principal, call, append_id, expect.clone(), emits.clone(), &mut minted).or_else(|_| {
        // Where the vault cannot say under whom the origin is sealed, the refusal is a fact without it.
        let call = Call { origin: None, ..call.clone() };
        append(app, principal, &call, append_id, expect, emits, &mut minted)
    });
    let append = match written {
        Ok(append) => append,
        Err(problem) => return problem,
    };
    if let Err(error) = minted.store() {
        return error.into();
    }
    match app.log.append(append).await {
        Outcome::Committed(span) => match app.wait(principal.ledger, span.last).await {
            Ok(()) => why.into(),
            Err(problem) => problem,
        },
        // Somebody else moved the object meanwhile, and the next try sees it.
        outcome => {
            tracing::warn!(?outcome, code = why.code, "a refusal was not written down");
            why.into()
        }
    }
}

/// Runs a command of the server's own; what came of it is folded when this returns.
pub async fn by_server<C: Command>(app: &App, server: &Principal, command: C, call: &Call) -> Result<Done, Problem> {
    let done = execute(app, &server.allow::<C>()?, command, call).await?;
    if let Some(span) = done.span {
        app.wait(server.ledger, span.last).await?;
    }
    Ok(done)
}

/// What a decision knows of the call.
fn context<'a>(principal: &Principal, call: &Call, minted: &'a mut Minted) -> Context<'a> {
    Context {
        tenant: principal.ledger,
        actor: principal.actor,
        from: call.from(),
        is_fresh: principal.is_fresh(call.now_us),
        now_us: call.now_us,
        today: Date::at(call.now_us, crate::clock::JAPAN_S),
        member: principal.member,
        acts_for: principal.acts_for.clone(),
        session: principal.session_id,
        link: principal.link,
        world: minted,
    }
}

/// Would this command make its object? Decides as [`execute`] does, with nothing known of the object yet, and keeps nothing
/// of it: the events that it would write.
pub async fn rehearse<C: Command>(
    app: &App,
    principal: &Principal,
    command: C,
    call: &Call,
) -> Result<Vec<Emit>, Problem> {
    let mut minted = Minted::rehearsing(app, principal.ledger, call.now_us);
    let mut ctx = context(principal, call, &mut minted);
    let mut parts = vec![];
    for id in command.streams(random::id_at(call.now_us), &mut ctx)? {
        let events = match parts.len() {
            0 => vec![],
            at => past::<C::On>(app, principal.ledger, at, id).await?.1,
        };
        parts.push((id, events));
    }
    let state = C::On::fold(&parts).map_err(Problem::failed)?;
    let emits = command.decide(&state, &mut ctx)?;
    minted.check()?;
    Ok(emits)
}

/// Was a command with this key carried out?
pub async fn is_done<C: Command>(app: &App, principal: &Principal, key: &str) -> Result<bool, Problem> {
    let append_id = app.vault.append_id(principal.ledger, key_owner(principal), C::NAME, key)?;
    Ok(app.log.find_append(principal.ledger, append_id).await?.is_some())
}

/// What a decision reads of the stream at this place of its state, and the version that the stream has: all its events, or
/// the last, where that says all.
async fn past<S: State>(app: &App, ledger: Uuid, at: usize, id: Uuid) -> Result<(Option<u64>, Vec<Stored>), Problem> {
    let kind = S::kind(at);
    if !S::LAST[S::place(at)] {
        let events = events(app, ledger, kind, id).await?;
        return Ok(((events.len() as u64).checked_sub(1), events));
    }
    let stream = Stream::new(kind, id);
    let Some(version) = app.log.stream_version(ledger, &stream).await? else { return Ok((None, vec![])) };
    let last = app.log.read_stream(ledger, &stream, version, 1).await?;
    let opened = last.iter().map(|record| Fact::open(record, &app.vault).map(|fact| fact.event));
    Ok((Some(version), opened.collect::<Result<_, _>>().map_err(Problem::failed)?))
}

/// Two logins of one person are one principal, so that a retry after a new login is still a retry.
fn key_owner(principal: &Principal) -> Uuid {
    principal.member.unwrap_or(principal.actor.id)
}

fn expectations<S: State>(ids: &[Uuid], versions: &[Option<u64>]) -> Vec<Expectation> {
    let streams = ids.iter().enumerate().map(|(at, id)| Stream::new(S::kind(at), *id));
    streams.zip(versions).map(|(stream, version)| Expectation { stream, version: *version }).collect()
}

fn append(
    app: &App,
    principal: &Principal,
    call: &Call,
    append_id: Uuid,
    expect: Vec<Expectation>,
    emits: Vec<Emit>,
    minted: &mut Minted,
) -> Result<Append, Problem> {
    let (ledger, today) = (principal.ledger, Date::at(call.now_us, crate::clock::JAPAN_S));
    let context = ContextV1 {
        request_id: call.request_id,
        session_id: principal.session_id,
        request_hash: call.request_hash,
        reason: String::new(),
        occurred_at_us: call.occurred_at_us,
        today,
        origin: sealed_origin(app, principal, call, today, minted)?,
    };
    let key = app.vault.current_body_key(ledger)?;
    let mut drafts = vec![];
    for (index, emit) in emits.into_iter().enumerate() {
        let text = envelope::write((index == 0).then_some(&context), &emit.event.bytes);
        let place = BodyPlace { ledger, event_version: emit.event.version, event_kind: &emit.event.kind };
        let body = seal::seal_body(&key, place, &seal::fresh_salt(), &text).map_err(Problem::failed)?;
        drafts.push(Draft {
            stream: Stream::new(emit.stream, emit.id),
            event_kind: emit.event.kind,
            event_version: emit.event.version,
            sealed_epoch: Some(key.epoch()),
            body,
        });
    }
    let on_behalf_of = principal.member.filter(|member| *member != principal.actor.id);
    Ok(Append {
        ledger,
        append_id,
        time_us: u64::try_from(call.now_us).unwrap_or(0),
        actor: Party { kind: principal.actor.kind, id: principal.actor.id },
        on_behalf_of: on_behalf_of.map(|id| Party { kind: keiin_domain::context::actor_kind::MEMBER, id }),
        cause: call.cause,
        expect,
        drafts,
    })
}

/// Sealed under the member who acts; for people without an account under the month's own subject, whose key the
/// retention rule destroys.
fn sealed_origin(
    app: &App,
    principal: &Principal,
    call: &Call,
    today: Date,
    minted: &mut Minted,
) -> Result<Option<Sealed<Origin>>, Problem> {
    use keiin_domain::context::World;
    let Some(origin) = &call.origin else { return Ok(None) };
    let subject = match principal.member {
        Some(member) => member,
        None => app.vault.subject_for(principal.ledger, "period", &today.to_string()[..7])?,
    };
    let (version, sealed) = minted.seal(subject, &keiin_domain::event::encode(origin));
    Ok(Some(Sealed::new(subject, version, sealed)))
}

/// The answer to a request that was carried out before.
async fn repeated<C: Command>(app: &App, ledger: Uuid, span: Span, call: &Call) -> Result<Done, Problem> {
    let records = app.log.read(ledger, span.first, (span.last - span.first + 1) as usize).await?;
    let facts: Vec<Fact> =
        records.iter().map(|r| Fact::open(r, &app.vault)).collect::<Result<_, _>>().map_err(Problem::failed)?;
    let first = facts.first().ok_or_else(|| Problem::failed("an append without records"))?;
    let same = first.context.as_ref().is_some_and(|context| context.request_hash == call.request_hash);
    if !same {
        return Err(Problem::new("idempotency.key_reused"));
    }
    let kind = C::On::kind(0);
    let object = facts.iter().find(|fact| fact.stream() == kind).unwrap_or(first);
    Ok(Done { kind, id: object.leaf.stream.id, span: Some(span), secrets: vec![] })
}

/// Every event of a stream, opened.
pub async fn events(app: &App, ledger: Uuid, kind: &str, id: Uuid) -> Result<Vec<Stored>, Problem> {
    let stream = Stream::new(kind, id);
    let mut events = vec![];
    loop {
        let records: Vec<Record> = app.log.read_stream(ledger, &stream, events.len() as u64, PAGE).await?;
        let full = records.len() == PAGE;
        for record in &records {
            events.push(Fact::open(record, &app.vault).map_err(Problem::failed)?.event);
        }
        if !full {
            return Ok(events);
        }
    }
}

/// SHA-256 over what makes a request this request: who, which command, on what, and the body as it was read.
pub fn request_hash(principal: &Principal, command: &str, target: Option<Uuid>, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(key_owner(principal));
    for part in [command.as_bytes(), target.unwrap_or_default().as_bytes(), body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
