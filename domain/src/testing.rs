//! Given what happened, when a command comes, then these events or this rejection.
//!
//! ```text
//! scene()
//!     .given::<Member>(ANNA, invited())
//!     .when(ANNA, AcceptInvitation { .. })
//!     .then([emit::<Member>(ANNA, Joined { .. })])
//!     .when(ANNA, AcceptInvitation { .. })
//!     .refused("member.invitation_gone");
//! ```
//!
//! Nothing here is random: ids count up, secrets are `keiin_<kind>_<n>`, a box holds its bytes as they are.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use uuid::Uuid;

use crate::attachment::Attached;
use crate::client::{Honorific, Profile};
use crate::command::{Aggregate, Command, Emit, On, Rejection, State};
use crate::context::{Actor, Context, actor_kind};
use crate::date::{Date, ZONE_S, parse_instant};
use crate::document::{Body, DocumentType, Drafted, Head, Issued};
use crate::event::{Stored, encode};
use crate::money::Rounding;
use crate::role::Role;
use crate::sealed::{Open, Person, Personal, Sealed};
use crate::tax::Totals;

mod world;
pub use self::world::{TestWorld, hash, texts};

/// The company.
pub const TENANT: Uuid = Uuid::from_u128(0x7e);
/// The member who acts unless said otherwise.
pub const ME: Uuid = Uuid::from_u128(0x3e);
/// Somebody.
pub const ANNA: Uuid = Uuid::from_u128(0xa);
/// Somebody else.
pub const BEN: Uuid = Uuid::from_u128(0xb);
/// What the first fresh id is; the next is one more.
pub const FRESH: Uuid = Uuid::from_u128(0xf001);

/// A company in which nothing has happened. It is Monday, 2026-11-02, 09:00 in Japan, and its owner acts.
pub fn scene() -> Scene {
    let streams = BTreeMap::new();
    let actor = Actor::new(actor_kind::MEMBER, ME, Role::Owner);
    let (from, session, link, world) = Default::default();
    let (member, is_fresh, now_us, acts_for) = (Some(ME), true, 0, vec![]);
    Scene { streams, actor, member, acts_for, from, is_fresh, session, link, now_us, world }
        .at("2026-11-02T09:00:00+09:00")
}

/// Streams that a command read: kind and id.
type Read = Vec<(&'static str, Uuid)>;

/// Everything that has happened so far, the time, and who acts next.
#[derive(Clone)]
pub struct Scene {
    streams: BTreeMap<(&'static str, Uuid), Vec<Stored>>,
    actor: Actor,
    member: Option<Uuid>,
    acts_for: Vec<Uuid>,
    from: Option<IpAddr>,
    is_fresh: bool,
    session: Option<Uuid>,
    link: Option<[u8; 32]>,
    now_us: i64,
    /// Secrets, passcodes and passwords so far.
    pub world: TestWorld,
}

impl Scene {
    /// One more event in the past of a stream.
    pub fn given<A: Aggregate>(mut self, id: Uuid, event: impl Into<A::Event>) -> Scene {
        self.happened(vec![emit::<A>(id, event)]);
        self
    }

    /// From now on it is this time (RFC 3339).
    pub fn at(mut self, time: &str) -> Scene {
        self.now_us = us(time);
        self
    }

    /// From now on nobody has shown for a while that it is them.
    pub fn stale(self) -> Scene {
        Scene { is_fresh: false, ..self }
    }

    /// From now on requests come from this address.
    pub fn from(self, address: &str) -> Scene {
        Scene { from: Some(address.parse().expect("an address")), ..self }
    }

    /// From now on a member of this role acts, [`ME`].
    pub fn by(self, role: Role) -> Scene {
        let actor = Actor::new(actor_kind::MEMBER, ME, role);
        Scene { actor, member: Some(ME), ..self }
    }

    /// From now on this member acts, by this login.
    pub fn by_login(self, member: Uuid, session: Uuid) -> Scene {
        let actor = Actor { id: member, ..self.actor };
        Scene { actor, member: Some(member), session: Some(session), ..self }
    }

    /// From now on a secretary of these lawyers acts, [`ME`].
    pub fn by_secretary(self, lawyers: &[Uuid]) -> Scene {
        Scene { acts_for: lawyers.to_vec(), ..self.by(Role::Secretary) }
    }

    /// From now on whoever holds this link acts.
    pub fn by_link(self, secret: &str) -> Scene {
        let actor = Actor::new(actor_kind::LINK_HOLDER, Uuid::nil(), Role::LinkHolder);
        Scene { actor, member: None, session: None, link: Some(hash(secret)), ..self }
    }

    /// From now on a token of [`ME`] acts.
    pub fn by_token(self, token: Uuid) -> Scene {
        let actor = Actor { kind: actor_kind::API_CLIENT, id: token, ..self.actor };
        Scene { actor, ..self }
    }

    /// From now on this kiosk acts.
    pub fn by_kiosk(self, kiosk: Uuid) -> Scene {
        let actor = Actor::new(actor_kind::DEVICE, kiosk, Role::Device);
        Scene { actor, member: None, ..self }
    }

    /// From now on this operator acts.
    pub fn by_operator(self, operator: Uuid) -> Scene {
        let actor = Actor::new(actor_kind::OPERATOR, operator, Role::Operator);
        Scene { actor, member: None, ..self }
    }

    /// From now on the server acts.
    pub fn by_system(self) -> Scene {
        let actor = Actor::new(actor_kind::SYSTEM, Uuid::nil(), Role::System);
        Scene { actor, member: None, ..self }
    }

    /// Decides a command; `target` is the object's id, also of one that is to be created.
    pub fn when<C: Command>(mut self, target: Uuid, command: C) -> Outcome {
        let result = self.decide(target, command).map(|(_, emits)| emits);
        Outcome { command: C::NAME, scene: self, result }
    }

    /// What would come of a command, for a test that looks inside.
    pub fn ask<C: Command>(&mut self, target: Uuid, command: C) -> Result<Vec<Emit>, Rejection> {
        self.decide(target, command).map(|(_, emits)| emits)
    }

    /// What is written when a command is refused ([`Command::turned_away`]).
    pub fn turned_away<C: Command>(&mut self, target: Uuid, command: C) -> Vec<Emit> {
        let why = self.ask(target, command.clone()).expect_err("it is refused");
        let Scene { streams, actor, member, acts_for, from, is_fresh, session, link, now_us, world } = self;
        let (actor, member, from, session, link) = (*actor, *member, *from, *session, *link);
        let (is_fresh, now_us, today, acts_for) = (*is_fresh, *now_us, Date::at(*now_us, ZONE_S), acts_for.clone());
        let tenant = TENANT;
        let mut ctx = Context { tenant, actor, member, acts_for, from, is_fresh, session, link, now_us, today, world };
        let ids = command.streams(target, &mut ctx).expect("its streams are known");
        let past = |at: usize, id: Uuid| (id, streams.get(&(C::On::kind(at), id)).cloned().unwrap_or_default());
        let parts: Vec<_> = ids.iter().enumerate().map(|(at, id)| past(at, *id)).collect();
        let state = C::On::fold(&parts).expect("given events decode");
        command.turned_away(&state, &why, &mut ctx)
    }

    /// Two commands are decided on the same past, and the first is written first. They must have a stream in common that
    /// the first moves, or both would be written; the outcome is that of deciding the second again.
    pub fn race<A: Command, B: Command>(mut self, first: (Uuid, A), second: (Uuid, B)) -> Outcome {
        let (_, written) = self.decide(first.0, first.1).expect("the first alone is accepted");
        let again = second.1.clone();
        let (read, _) = self.decide(second.0, second.1).expect("the second alone is accepted");
        let meet = written.iter().any(|emit| read.contains(&(emit.stream, emit.id)));
        assert!(meet, "nothing stops both: {written:?} moves none of {read:?}");
        self.happened(written);
        self.when(second.0, again)
    }

    /// The streams that were read and the events, as `execute` finds them.
    #[allow(clippy::type_complexity)]
    fn decide<C: Command>(&mut self, target: Uuid, command: C) -> Result<(Read, Vec<Emit>), Rejection> {
        let Scene { streams, actor, member, acts_for, from, is_fresh, session, link, now_us, world } = self;
        let today = Date::at(*now_us, ZONE_S);
        let (tenant, actor, member) = (TENANT, *actor, *member);
        let (from, is_fresh, session, link, now_us) = (*from, *is_fresh, *session, *link, *now_us);
        let acts_for = acts_for.clone();
        let mut ctx = Context { tenant, actor, member, acts_for, from, is_fresh, session, link, now_us, today, world };
        let past = |kind: &'static str, id: Uuid| (id, streams.get(&(kind, id)).cloned().unwrap_or_default());
        let decide = |ctx: &mut Context| {
            let mut ids = command.streams(target, ctx)?;
            let (id, events) = past(C::On::kind(0), ids[0]);
            let object = On::fold(id, &events).expect("given events decode");
            ids.extend(command.linked(&object, ctx)?);
            let read: Read = ids.iter().enumerate().map(|(at, id)| (C::On::kind(at), *id)).collect();
            let parts: Vec<_> = read.iter().map(|(kind, id)| past(kind, *id)).collect();
            let state = C::On::fold(&parts).expect("given events decode");
            assert_eq!(ids.len(), state.versions().len(), "{}: one id for each stream", C::NAME);
            let emits = command.decide(&state, ctx)?;
            let stray = emits.iter().find(|emit| !read.contains(&(emit.stream, emit.id)));
            assert_eq!(stray, None, "{} writes to a stream that it did not read", C::NAME);
            Ok((read, emits))
        };
        let result: Result<_, Rejection> = decide(&mut ctx);
        if let Err(rejection) = &result {
            assert!(C::REJECTS.contains(&rejection.code), "{} does not list {}", C::NAME, rejection.code);
            SEEN.with_borrow_mut(|seen| seen.insert((C::NAME, rejection.code)));
        }
        result
    }

    fn happened(&mut self, emits: Vec<Emit>) {
        for emit in emits {
            self.streams.entry((emit.stream, emit.id)).or_default().push(emit.event);
        }
    }

    /// An aggregate as it stands.
    pub fn now<A: Aggregate>(&self, id: Uuid) -> On<A> {
        let events = self.streams.get(&(A::STREAM, id)).cloned().unwrap_or_default();
        On::fold(id, &events).expect("given events decode")
    }
}

/// What came of a command.
#[must_use]
pub struct Outcome {
    command: &'static str,
    scene: Scene,
    result: Result<Vec<Emit>, Rejection>,
}

impl Outcome {
    /// It was accepted with exactly these events; they have happened.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = Emit>) -> Scene {
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(self.result.as_ref(), Ok(&expected), "{}", self.command);
        self.accepted()
    }

    /// It was accepted; whatever came of it has happened.
    #[track_caller]
    pub fn accepted(mut self) -> Scene {
        let emits = self.result.unwrap_or_else(|r| panic!("{} was refused: {r:?}", self.command));
        self.scene.happened(emits);
        self.scene
    }

    /// It was refused as a whole.
    #[track_caller]
    pub fn refused(self, code: &str) -> Scene {
        let rejection = self.result.expect_err(self.command);
        assert_eq!((rejection.code, rejection.at), (code, vec![]), "{}", self.command);
        self.scene
    }

    /// It was refused because of one place in it.
    #[track_caller]
    pub fn refused_at(self, code: &str, pointer: &str) -> Scene {
        self.refused_expecting(code, pointer, None)
    }

    /// It was refused because of one place in it, where something else would be right.
    #[track_caller]
    pub fn refused_expecting<'a>(self, code: &str, pointer: &str, right: impl Into<Option<&'a str>>) -> Scene {
        let rejection = self.result.expect_err(self.command);
        let at: Vec<_> = rejection.at.iter().map(|f| (f.pointer.as_str(), f.expected.as_deref())).collect();
        assert_eq!((rejection.code, at), (code, vec![(pointer, right.into())]), "{}", self.command);
        self.scene
    }
}

/// An event and its stream.
pub fn emit<A: Aggregate>(id: Uuid, event: impl Into<A::Event>) -> Emit {
    let state = A::default();
    On { id, version: None, state }.emit(event)
}

thread_local! {
    static SEEN: RefCell<BTreeSet<(&'static str, &'static str)>> = const { RefCell::new(BTreeSet::new()) };
}

/// This test has seen every rejection of the command. A test of the catalog holds every command to it.
#[track_caller]
pub fn covered<C: Command>() {
    let seen = SEEN.with_borrow(|seen| seen.clone());
    let missing: Vec<_> = C::REJECTS.iter().filter(|code| !seen.contains(&(C::NAME, code))).collect();
    assert!(missing.is_empty(), "{}: no case for {missing:?}", C::NAME);
}

/// A command is refused for every text that no field takes: nothing where something must be (if `required`), too much, and
/// what cannot be seen.
#[track_caller]
pub fn refuses_bad_text<C: Command>(
    mut scene: Scene,
    target: Uuid,
    pointer: &str,
    required: bool,
    max: usize,
    command: impl Fn(String) -> C,
) -> Scene {
    if required {
        scene = scene.when(target, command(" \u{3000}".into())).refused_at("text.required", pointer);
    }
    scene = scene.when(target, command("長".repeat(max + 1))).refused_at("text.too_long", pointer);
    scene = scene.when(target, command("a\u{202E}b".into())).refused_at("text.control_character", pointer);
    scene.when(target, command("a\0b".into())).refused_at("text.control_character", pointer)
}

/// Microseconds of an RFC 3339 instant.
pub fn us(time: &str) -> i64 {
    parse_instant(time).unwrap_or_else(|| panic!("not RFC 3339: {time}"))
}

/// What the test world's vault makes of these fields.
pub fn sealed<T: Personal>(subject: Uuid, value: &T) -> Sealed<T> {
    Sealed::new(subject, 1, encode(value))
}

/// A person with a name and an address.
pub fn person(name: &str, email: &str) -> Person {
    Person { name: name.into(), email: email.into(), ..Person::default() }
}

/// A company with nothing but a name.
pub fn profile(name: &str) -> Profile {
    Profile {
        name: name.into(),
        honorific: Honorific::Onchu,
        registration_number: String::new(),
        registration_number_checks: true,
        postal_code: String::new(),
        region: String::new(),
        locality: String::new(),
        street_address: String::new(),
        extended_address: String::new(),
    }
}

/// A client with nothing but a name, as it was registered.
pub fn registered_client(name: &str) -> crate::client::Registered {
    let (reading, person, contacts) = Default::default();
    crate::client::Registered { profile: profile(name), reading, person, contacts }
}

/// A draft without lines for this client.
pub fn drafted(document_type: DocumentType, client_id: Uuid) -> Drafted {
    let head = Head {
        client_id,
        title: "11月分".into(),
        date: SAMPLE_DAY,
        date_due: None,
        note: String::new(),
        proviso: String::new(),
        has_tax_stamp: false,
        has_hanko: false,
    };
    Drafted { document_type, origin: None, head, tax_rounding: Rounding::Floor, body: Body::default() }
}

/// That such a draft got this number.
pub fn issued(number: &str) -> Issued {
    Issued {
        number: number.into(),
        issued_on: SAMPLE_DAY,
        sender: Default::default(),
        recipient: profile("国立印刷局"),
        totals: Totals::default(),
        secret_hash: [0; 32],
    }
}

/// Stands for every id in samples.
pub const SAMPLE_ID: Uuid = Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0001);
/// For samples of events.
pub const SAMPLE_FILE: Attached = Attached { attachment_id: SAMPLE_ID, sha256: [0xef; 32], size: 24_576, pages: 2 };
/// Stands for every time in samples.
pub const SAMPLE_US: i64 = 1_793_577_600_000_000;
/// Stands for every day in samples: 2026-11-02.
pub const SAMPLE_DAY: Date = Date(20_759);

/// A person with every field, for samples.
pub fn somebody() -> Sealed<Person> {
    sealed(
        Uuid::from_u128(SAMPLE_ID.as_u128() + 1),
        &Person {
            name: "𠮷田 一郎".into(),
            kana: "ヨシダ イチロウ".into(),
            email: "yoshida@example.jp".into(),
            company: "国立印刷局".into(),
            note: "受付にて".into(),
        },
    )
}

/// A company with every field, for samples.
pub fn sample_profile() -> Profile {
    Profile {
        name: "国立印刷局".into(),
        honorific: Honorific::Onchu,
        registration_number: "T7000012050002".into(),
        registration_number_checks: true,
        postal_code: "1058445".into(),
        region: "東京都".into(),
        locality: "港区".into(),
        street_address: "虎ノ門2-2-5".into(),
        extended_address: "共同通信会館".into(),
    }
}

/// Opens the test world's boxes, but for those who were erased.
#[derive(Default)]
pub struct Opener {
    /// Who.
    pub erased: Vec<Uuid>,
}

impl Open for Opener {
    fn open(&self, subject: Uuid, key_version: u16, sealed: &[u8]) -> Option<Vec<u8>> {
        (key_version == 1 && !self.erased.contains(&subject)).then(|| sealed.to_vec())
    }
}
