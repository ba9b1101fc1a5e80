//! Commands: what somebody wants to happen. `decide` is a pure function from state to events or a rejection.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use crate::context::Context;
use crate::event::{DecodeError, Event, Stored};
use crate::role::Permission;

/// A rule said no. The code is stable and documented at `/problems/<code>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// `noun.reason`.
    pub code: &'static str,
    /// Where in the request, as JSON Pointers with the text's arguments; may be empty.
    pub at: Vec<Fault>,
}

/// One place in the request that a rule refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// RFC 6901.
    pub pointer: String,
    /// What would be right, where that is one value.
    pub expected: Option<String>,
}

impl Rejection {
    /// Concerns the request as a whole.
    pub fn new(code: &'static str) -> Rejection {
        Rejection { code, at: vec![] }
    }

    /// Concerns one place in the request.
    pub fn at(code: &'static str, pointer: impl Into<String>) -> Rejection {
        Rejection { code, at: vec![Fault { pointer: pointer.into(), expected: None }] }
    }

    /// Concerns one place in the request, where only one value would be right.
    pub fn expected(code: &'static str, pointer: impl Into<String>, value: impl Into<String>) -> Rejection {
        Rejection { code, at: vec![Fault { pointer: pointer.into(), expected: Some(value.into()) }] }
    }
}

/// Reads an optional field of a command: absent is `None`, and `null` is refused (absent, not null).
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}

/// State folded from one stream.
pub trait Aggregate: Default + Send {
    /// What its records say.
    type Event: Event;
    /// Stream kind: the singular noun.
    const STREAM: &'static str;
    /// Does the newest event say all that there is to know? Then the others are not read: a stream of many thousands costs
    /// what a short one does.
    const LAST: bool = false;
    /// Takes one event in. Total: what was written once is accepted for ever.
    fn apply(&mut self, event: Self::Event);
    /// One event of every kind that is written now, for golden files and documentation.
    #[cfg(test)]
    fn samples() -> Vec<Self::Event>;
}

/// An aggregate with its place: id, version, state.
#[derive(Debug)]
pub struct On<A> {
    /// Stream id.
    pub id: Uuid,
    /// Version of the last record; `None` = nothing has happened yet. Of a stream of which only the last record is read
    /// ([`Aggregate::LAST`]) it says no more than whether there is one.
    pub version: Option<u64>,
    /// Folded state.
    pub state: A,
}

impl<A> std::ops::Deref for On<A> {
    type Target = A;
    fn deref(&self) -> &A {
        &self.state
    }
}

impl<A: Aggregate> On<A> {
    /// Folds what a stream holds.
    pub fn fold(id: Uuid, events: &[Stored]) -> Result<Self, DecodeError> {
        let mut on = On { id, version: None, state: A::default() };
        for stored in events {
            on.state.apply(A::Event::read(stored)?);
            on.version = Some(on.version.map_or(0, |v| v + 1));
        }
        Ok(on)
    }

    /// An event to be appended to this stream.
    pub fn emit(&self, event: impl Into<A::Event>) -> Emit {
        Emit { stream: A::STREAM, id: self.id, event: event.into().store() }
    }

    /// Has anything happened to it?
    pub fn exists(&self) -> bool {
        self.version.is_some()
    }
}

/// An event and the stream it goes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Emit {
    /// Stream kind.
    pub stream: &'static str,
    /// Stream id.
    pub id: Uuid,
    /// Encoded event.
    pub event: Stored,
}

/// What a command reads: one aggregate or several. Every stream named here is expected unmoved by the append, also those
/// that are only read: a rule across aggregates names its boundary stream here.
pub trait State: Sized {
    /// The first aggregate: the command's object.
    type Object: Aggregate;
    /// Stream kinds, in the order of the ids that [`Command::streams`] gives. The first is the command's object.
    const KINDS: &'static [&'static str];
    /// Are the streams read, and expected unmoved? See [`To`].
    const READS: bool = true;
    /// Of which streams only the last record is read, in that order; see [`Aggregate::LAST`].
    const LAST: &'static [bool];
    /// Which of [`State::KINDS`] the `at`-th stream is of. A state of any number of streams has more of them than kinds.
    fn place(at: usize) -> usize {
        at
    }
    /// The `at`-th stream's kind.
    fn kind(at: usize) -> &'static str {
        Self::KINDS[Self::place(at)]
    }
    /// Folds the streams' records, in that order.
    fn fold(parts: &[(Uuid, Vec<Stored>)]) -> Result<Self, DecodeError>;
    /// Version of each stream, in that order.
    fn versions(&self) -> Vec<Option<u64>>;
}

impl<A: Aggregate> State for On<A> {
    type Object = A;
    const KINDS: &'static [&'static str] = &[A::STREAM];
    const LAST: &'static [bool] = &[A::LAST];
    fn fold(parts: &[(Uuid, Vec<Stored>)]) -> Result<Self, DecodeError> {
        On::fold(parts[0].0, &parts[0].1)
    }
    fn versions(&self) -> Vec<Option<u64>> {
        vec![self.version]
    }
}

/// A stream that a command only adds to. Nothing is decided from what it holds, so it is neither read nor expected unmoved:
/// adding costs the same however long it has become, and two who add at once do not meet.
#[derive(Debug)]
pub struct To<A> {
    /// Stream id.
    pub id: Uuid,
    aggregate: PhantomData<fn() -> A>,
}

impl<A: Aggregate> To<A> {
    /// An event to be appended to this stream.
    pub fn emit(&self, event: impl Into<A::Event>) -> Emit {
        Emit { stream: A::STREAM, id: self.id, event: event.into().store() }
    }
}

impl<A: Aggregate> State for To<A> {
    type Object = A;
    const KINDS: &'static [&'static str] = &[A::STREAM];
    const LAST: &'static [bool] = &[A::LAST];
    const READS: bool = false;
    fn fold(parts: &[(Uuid, Vec<Stored>)]) -> Result<Self, DecodeError> {
        Ok(To { id: parts[0].0, aggregate: PhantomData })
    }
    fn versions(&self) -> Vec<Option<u64>> {
        vec![None]
    }
}

/// Takes the next part in.
fn next<A: Aggregate>(parts: &mut std::slice::Iter<'_, (Uuid, Vec<Stored>)>) -> Result<On<A>, DecodeError> {
    let (id, events) = parts.next().expect("there is one part for each kind");
    On::fold(*id, events)
}

macro_rules! several {
    ($($first:ident $($rest:ident)+;)+) => { $(
        impl<$first: Aggregate, $($rest: Aggregate),+> State for (On<$first>, $(On<$rest>),+) {
            type Object = $first;
            const KINDS: &'static [&'static str] = &[$first::STREAM, $($rest::STREAM),+];
            const LAST: &'static [bool] = &[$first::LAST, $($rest::LAST),+];
            fn fold(parts: &[(Uuid, Vec<Stored>)]) -> Result<Self, DecodeError> {
                let mut parts = parts.iter();
                Ok((next::<$first>(&mut parts)?, $(next::<$rest>(&mut parts)?),+))
            }
            #[allow(non_snake_case)]
            fn versions(&self) -> Vec<Option<u64>> {
                let ($first, $($rest),+) = self;
                vec![$first.version, $($rest.version),+]
            }
        }
    )+ };
}

several! {
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}

/// Some aggregates and, after them, any number of pairs: [`Command::streams`] and [`Command::linked`] give both ids of each
/// pair in turn.
macro_rules! and_pairs {
    ($($first:ident $($rest:ident)*;)+) => { $(
        impl<$first: Aggregate, $($rest: Aggregate,)* X: Aggregate, Y: Aggregate> State
            for (On<$first>, $(On<$rest>,)* Vec<(On<X>, On<Y>)>)
        {
            type Object = $first;
            const KINDS: &'static [&'static str] = &[$first::STREAM, $($rest::STREAM,)* X::STREAM, Y::STREAM];
            const LAST: &'static [bool] = &[$first::LAST, $($rest::LAST,)* X::LAST, Y::LAST];
            fn place(at: usize) -> usize {
                let single = Self::KINDS.len() - 2;
                if at < single { at } else { single + (at - single) % 2 }
            }
            fn fold(parts: &[(Uuid, Vec<Stored>)]) -> Result<Self, DecodeError> {
                let mut parts = parts.iter();
                let single = (next::<$first>(&mut parts)?, $(next::<$rest>(&mut parts)?,)*);
                let mut pairs = vec![];
                while !parts.as_slice().is_empty() {
                    pairs.push((next::<X>(&mut parts)?, next::<Y>(&mut parts)?));
                }
                #[allow(non_snake_case)]
                let ($first, $($rest,)*) = single;
                Ok(($first, $($rest,)* pairs))
            }
            #[allow(non_snake_case)]
            fn versions(&self) -> Vec<Option<u64>> {
                let ($first, $($rest,)* pairs) = self;
                let pairs = pairs.iter().flat_map(|(x, y)| [x.version, y.version]);
                [$first.version, $($rest.version),*].into_iter().chain(pairs).collect()
            }
        }
    )+ };
}

and_pairs! {
    A;
    A B;
    A B C D;
}

/// Two aggregates, a few of a third (nil ids where there are fewer) and, after them, any number of pairs.
impl<A: Aggregate, B: Aggregate, C: Aggregate, X: Aggregate, Y: Aggregate, const FEW: usize> State
    for (On<A>, On<B>, [On<C>; FEW], Vec<(On<X>, On<Y>)>)
{
    type Object = A;
    const KINDS: &'static [&'static str] = &[A::STREAM, B::STREAM, C::STREAM, X::STREAM, Y::STREAM];
    const LAST: &'static [bool] = &[A::LAST, B::LAST, C::LAST, X::LAST, Y::LAST];
    fn place(at: usize) -> usize {
        match at.checked_sub(2 + FEW) {
            Some(paired) => 3 + paired % 2,
            None => at.min(2),
        }
    }
    fn fold(parts: &[(Uuid, Vec<Stored>)]) -> Result<Self, DecodeError> {
        let mut parts = parts.iter();
        let (first, second) = (next::<A>(&mut parts)?, next::<B>(&mut parts)?);
        let few = (0..FEW).map(|_| next::<C>(&mut parts)).collect::<Result<Vec<_>, _>>()?;
        let Ok(few) = few.try_into() else { unreachable!("so many were taken") };
        let mut pairs = vec![];
        while !parts.as_slice().is_empty() {
            pairs.push((next::<X>(&mut parts)?, next::<Y>(&mut parts)?));
        }
        Ok((first, second, few, pairs))
    }
    fn versions(&self) -> Vec<Option<u64>> {
        let (first, second, few, pairs) = self;
        let few = few.iter().map(|one| one.version);
        let pairs = pairs.iter().flat_map(|(x, y)| [x.version, y.version]);
        [first.version, second.version].into_iter().chain(few).chain(pairs).collect()
    }
}

/// One aggregate and any number of another: [`Command::streams`] gives their ids after the object's.
impl<A: Aggregate, B: Aggregate> State for (On<A>, Vec<On<B>>) {
    type Object = A;
    const KINDS: &'static [&'static str] = &[A::STREAM, B::STREAM];
    const LAST: &'static [bool] = &[A::LAST, B::LAST];
    fn place(at: usize) -> usize {
        at.min(1)
    }
    fn fold(parts: &[(Uuid, Vec<Stored>)]) -> Result<Self, DecodeError> {
        let others = parts[1..].iter().map(|(id, events)| On::fold(*id, events)).collect::<Result<_, _>>()?;
        Ok((On::fold(parts[0].0, &parts[0].1)?, others))
    }
    fn versions(&self) -> Vec<Option<u64>> {
        [self.0.version].into_iter().chain(self.1.iter().map(|other| other.version)).collect()
    }
}

/// How a command is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// HTTP method.
    pub method: &'static str,
    /// Path below the host, `{id}` where the object's id stands.
    pub path: &'static str,
    /// Makes a new object: no If-Match, answer 201.
    pub creates: bool,
    /// Right whatever has happened to the object since the caller saw it: no If-Match.
    pub anytime: bool,
}

impl Route {
    /// Not reached from outside: the server itself does it. In the catalog all the same.
    pub const fn internal() -> Route {
        Route { method: "", path: "", creates: false, anytime: false }
    }
    /// Makes a new object.
    pub const fn create(path: &'static str) -> Route {
        Route { method: "POST", path, creates: true, anytime: false }
    }
    /// A command on an existing object.
    pub const fn post(path: &'static str) -> Route {
        Route { method: "POST", path, creates: false, anytime: false }
    }
    /// A command on an existing object that is right whatever has happened to it meanwhile.
    pub const fn anytime(path: &'static str) -> Route {
        Route { method: "POST", path, creates: false, anytime: true }
    }
    /// Replaces a part of an existing object.
    pub const fn put(path: &'static str) -> Route {
        Route { method: "PUT", path, creates: false, anytime: false }
    }
    /// Changes fields of an existing object.
    pub const fn patch(path: &'static str) -> Route {
        Route { method: "PATCH", path, creates: false, anytime: false }
    }
}

/// What somebody wants to happen, with its policy as constants.
pub trait Command: Sized + Clone + DeserializeOwned + utoipa::ToSchema + Send + Sync + 'static {
    /// What it reads and writes.
    type On: State + Send;
    /// Imperative, snake case; the operationId.
    const NAME: &'static str;
    /// Where it is reached.
    const ROUTE: Route;
    /// Who may.
    const PERMISSION: Permission;
    /// Every code that `streams`, `linked` and `decide` can reject with.
    const REJECTS: &'static [&'static str];
    /// Mail, post or money follows: the caller must send an Idempotency-Key.
    const NEEDS_KEY: bool = false;
    /// Ids of the first streams of `On`, in its order. `target` is the id in the path, or a fresh one.
    fn streams(&self, target: Uuid, _ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target])
    }
    /// Ids of the other streams of `On`, where only the object's own state names them (its client, its series). Asked
    /// after the object was read; `streams` and `linked` together give one id for each stream of `On`.
    fn linked(&self, _object: &On<<Self::On as State>::Object>, _ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![])
    }
    /// The decision. Nothing to do = no events.
    fn decide(self, on: &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection>;
    /// What is written although the command was refused: that somebody was turned away can be a fact of its own. The caller
    /// gets the refusal all the same.
    fn turned_away(&self, _on: &Self::On, _why: &Rejection, _ctx: &mut Context) -> Vec<Emit> {
        vec![]
    }
}
