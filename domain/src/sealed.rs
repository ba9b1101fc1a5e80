//! Personal data inside events: sealed under a key of the person's own, so that erasing the person erases the fields and
//! leaves the record. Plain data here; the keys are elsewhere.
//!
//! Invariant: state that a rule uses never depends on what is inside, so a replay after an erasure decides the same.

use std::marker::PhantomData;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use uuid::Uuid;

/// A struct of personal fields. `CLASS` names it in the catalog and never changes.
pub trait Personal: Serialize + DeserializeOwned {
    /// Snake-case name.
    const CLASS: &'static str;
}

/// One person's fields in one event: whose, under which version of their key, and the box.
#[derive(Deserialize)]
#[serde(bound = "")]
pub struct Sealed<T> {
    /// The person. Their keys are found, and destroyed, by this id.
    pub subject: Uuid,
    /// Version of the subject key, from 1.
    pub key_version: u16,
    /// The box of `docs/LOG-FORMAT.md`, section 4.
    pub sealed: Vec<u8>,
    #[serde(skip)]
    class: PhantomData<fn() -> T>,
}

impl<T: Personal> Sealed<T> {
    /// Joins what the vault made.
    pub fn new(subject: Uuid, key_version: u16, sealed: Vec<u8>) -> Self {
        Sealed { subject, key_version, sealed, class: PhantomData }
    }

    /// The fields, if `open` still can.
    pub fn open(&self, open: &dyn Open) -> Option<T> {
        crate::event::decode(&open.open(self.subject, self.key_version, &self.sealed)?)
    }
}

/// Opens boxes; answers `None` once the person was erased.
pub trait Open {
    /// The bytes that were sealed.
    fn open(&self, subject: Uuid, key_version: u16, sealed: &[u8]) -> Option<Vec<u8>>;
}

/// In a record the three fields; in JSON also the class, by which `json.rs` finds and opens it.
impl<T: Personal> Serialize for Sealed<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let readable = s.is_human_readable();
        let mut fields = s.serialize_struct("Sealed", 3 + usize::from(readable))?;
        if readable {
            fields.serialize_field("class", T::CLASS)?;
        }
        fields.serialize_field("subject", &self.subject)?;
        fields.serialize_field("key_version", &self.key_version)?;
        fields.serialize_field("sealed", &self.sealed)?;
        fields.end()
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Sealed { subject: self.subject, key_version: self.key_version, sealed: self.sealed.clone(), class: PhantomData }
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.subject, self.key_version, &self.sealed) == (other.subject, other.key_version, &other.sealed)
    }
}

impl<T> Eq for Sealed<T> {}

impl<T> std::fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} v{}, {} bytes)", self.subject, self.key_version, self.sealed.len())
    }
}

/// A member, a contact, a recipient or a visitor, as far as they or others told us.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Person {
    /// As the person writes it; a space between family and given name.
    pub name: String,
    /// Reading in kana; may be empty.
    pub kana: String,
    /// Mail address; may be empty.
    pub email: String,
    /// Company as the person gave it; may be empty.
    pub company: String,
    /// Free words about or to the person (a visit's note, the message of a mail); may be empty.
    pub note: String,
}

impl Personal for Person {
    const CLASS: &'static str = "person";
}

/// What somebody calls a thing of theirs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Label {
    /// One line.
    pub text: String,
}

impl Personal for Label {
    const CLASS: &'static str = "label";
}

/// Where a request came from.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Origin {
    /// Address of the peer, or what a trusted proxy reported.
    pub ip: String,
    /// As sent, cut at 200 characters.
    pub user_agent: String,
}

impl Personal for Origin {
    const CLASS: &'static str = "origin";
}
