//! Events: what a record says. One frozen struct per (kind, version), encoded with postcard, decoded strictly.
//!
//! Reordered enum variants decode to the wrong variant without an error, and postcard accepts trailing bytes and long
//! varints. So enums in events carry explicit codes ([`codes!`]), and a decode is re-encoded and compared.

use serde::{Serialize, de::DeserializeOwned};

/// Bytes that are no event of this build.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// A newer build wrote it, or it belongs to another stream.
    #[error("{kind} v{version} is unknown to this build: upgrade before reading on")]
    Unknown {
        /// `noun.verb_past`.
        kind: String,
        /// Layout version.
        version: u16,
    },
    /// The bytes are not what this build would have written.
    #[error("{kind} v{version} does not decode to what was written")]
    Malformed {
        /// `noun.verb_past`.
        kind: String,
        /// Layout version.
        version: u16,
    },
}

/// An event as it stands in a record's body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// `noun.verb_past`.
    pub kind: String,
    /// Layout version, from 1.
    pub version: u16,
    /// Postcard bytes.
    pub bytes: Vec<u8>,
}

/// The events of one aggregate; implemented by [`events!`].
pub trait Event: Sized + Clone + std::fmt::Debug + Serialize {
    /// Every (kind, version) that can be read, the newest version of each kind first.
    const KINDS: &'static [(&'static str, u16)];
    /// `noun.verb_past`.
    fn kind(&self) -> &'static str;
    /// The bytes and their version.
    fn store(&self) -> Stored;
    /// Reads any version, as the newest.
    fn read(stored: &Stored) -> Result<Self, DecodeError>;
}

/// Postcard bytes of an event struct.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).expect("event structs hold nothing that postcard cannot write")
}

/// Exactly what [`encode`] wrote, or `None`.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value: T = postcard::from_bytes(bytes).ok()?;
    (encode(&value) == bytes).then_some(value)
}

/// `#[serde(with = "crate::event::hex32")]`: a hash is 32 bytes in a record and 64 hexadecimal digits in JSON.
pub mod hex32 {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes.
    pub fn serialize<S: Serializer>(hash: &[u8; 32], s: S) -> Result<S::Ok, S::Error> {
        if !s.is_human_readable() {
            return hash.serialize(s);
        }
        s.serialize_str(&hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    /// Reads from a record; nobody reads events from JSON.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 32], D::Error> {
        <[u8; 32]>::deserialize(d)
    }
}

/// Declares an aggregate's events:
///
/// ```text
/// events! { MemberEvent {
///     Invited = "member.invited" v 2, was InvitedV1 v 1;   // From<InvitedV1> for Invited is the upcast
///     Removed = "member.removed" v 1;
/// } }
/// ```
#[macro_export]
macro_rules! events {
    ($(#[$meta:meta])* $name:ident { $( $variant:ident = $kind:literal v $version:literal $(, was $old:ident v $old_version:literal)* ; )+ }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
        #[serde(untagged)]
        #[allow(missing_docs, clippy::large_enum_variant)]
        pub enum $name { $( $variant($variant), )+ }

        impl $crate::event::Event for $name {
            const KINDS: &'static [(&'static str, u16)] = &[ $( ($kind, $version), $( ($kind, $old_version), )* )+ ];
            fn kind(&self) -> &'static str {
                match self { $( $name::$variant(_) => $kind, )+ }
            }
            fn store(&self) -> $crate::event::Stored {
                match self { $( $name::$variant(event) => $crate::event::Stored {
                    kind: $kind.to_owned(), version: $version, bytes: $crate::event::encode(event),
                }, )+ }
            }
            fn read(stored: &$crate::event::Stored) -> Result<Self, $crate::event::DecodeError> {
                let $crate::event::Stored { kind, version, bytes } = stored;
                let malformed = || $crate::event::DecodeError::Malformed { kind: kind.clone(), version: *version };
                match (kind.as_str(), *version) {
                    $( ($kind, $version) => $crate::event::decode::<$variant>(bytes).map($name::$variant).ok_or_else(malformed),
                       $( ($kind, $old_version) => $crate::event::decode::<$old>(bytes)
                            .map(|old| $name::$variant(old.into())).ok_or_else(malformed), )*
                    )+
                    _ => Err($crate::event::DecodeError::Unknown { kind: kind.clone(), version: *version }),
                }
            }
        }
        $( impl From<$variant> for $name { fn from(event: $variant) -> Self { $name::$variant(event) } } )+
    };
}

/// Declares an enum whose codes and JSON names are frozen: `codes! { /// doc Role { Owner = 1 "owner", … } }`.
/// Binary form: the code as one byte. JSON: the snake-case name.
#[macro_export]
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $code:literal $text:literal, )+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, utoipa::ToSchema)]
        pub enum $name { $( $(#[$vmeta])* #[schema(rename = $text)] $variant, )+ }

        impl $name {
            /// Every value, in the order of the codes.
            pub const ALL: &'static [$name] = &[ $( $name::$variant, )+ ];
            /// The frozen code.
            pub fn code(self) -> u8 { match self { $( $name::$variant => $code, )+ } }
            /// The value of a code.
            pub fn from_code(code: u8) -> Option<Self> { match code { $( $code => Some($name::$variant), )+ _ => None } }
            /// The name in JSON, in URLs and in columns.
            pub fn name(self) -> &'static str { match self { $( $name::$variant => $text, )+ } }
            /// The value of a name.
            pub fn from_name(name: &str) -> Option<Self> { match name { $( $text => Some($name::$variant), )+ _ => None } }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.serialize_str(self.name()) } else { s.serialize_u8(self.code()) }
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                use serde::de::Error;
                if d.is_human_readable() {
                    let name = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                    Self::from_name(&name).ok_or_else(|| D::Error::unknown_variant(&name, &[ $( $text, )+ ]))
                } else {
                    let code = u8::deserialize(d)?;
                    Self::from_code(code).ok_or_else(|| D::Error::custom(format_args!("unknown code {code}")))
                }
            }
        }
    };
}
