//! One entry of a ledger: the leaf (fixed header, two names) and the body beside it. Layout: `docs/LOG-FORMAT.md`, section 1.
//!
//! The leaf is what is hashed, chained, signed and proved. It holds no personal data and nothing derived from any.
//! Hashes are always taken over stored bytes: [`Leaf::encode`] runs once, when the record is born; every reader hashes
//! the bytes it was given and uses [`Leaf::decode`], which refuses anything that `encode` would not have written.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Bytes of a leaf before its two names.
pub const FIXED: usize = 200;
/// Longest leaf: fixed part, stream kind of 32 and event kind of 64 characters, each with its length byte.
pub const MAX_LEAF: usize = FIXED + 1 + 32 + 1 + 64;
/// Longest stored body, in bytes.
pub const MAX_BODY: usize = 65_536;
/// Most records in one append, and in one commit of a ledger.
pub const MAX_RECORDS: usize = 1_024;
/// Most bytes of leaves and bodies together in one append, and in one commit of a ledger.
pub const MAX_BYTES: usize = 900_000;
/// Positions and times stay below this, so that every JSON reader keeps them exact.
pub const MAX_NUMBER: u64 = 1 << 53;

const NO_CAUSE: u64 = u64::MAX;
const TIME_WENT_BACK: u8 = 1;

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What `prev` holds at position 0.
    pub const ZERO: Hash = Hash([0; 32]);

    /// SHA-256 of `bytes`, without any prefix: body hashes and blob names.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }

    /// Leaf hash of RFC 6962: SHA-256(0x00 ‖ leaf). It serves the chain and the tree.
    pub fn of_leaf(leaf: &[u8]) -> Hash {
        Hash(Sha256::new().chain_update([0]).chain_update(leaf).finalize().into())
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Who acted. The kind is a number that only the domain understands; the id is nil for some kinds (`docs/LOG-FORMAT.md`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Party {
    /// 1 to 255; 0 would mean "nobody".
    pub kind: u8,
    /// Nil where the kind has no individual.
    pub id: Uuid,
}

impl Party {
    /// The writing server itself.
    pub const SYSTEM: Party = Party { kind: 1, id: Uuid::nil() };
    const NIL_ALLOWED: [u8; 2] = [1, 7];
}

/// The records of one aggregate: a kind and an id.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Stream {
    /// `[a-z][a-z0-9_]*`, 1 to 32 characters, a singular noun.
    pub kind: String,
    /// Random, or a keyed fingerprint.
    pub id: Uuid,
}

impl Stream {
    /// A stream of this kind and id.
    pub fn new(kind: &str, id: Uuid) -> Stream {
        Stream { kind: kind.to_owned(), id }
    }
}

/// A decoded leaf. See the table in `docs/LOG-FORMAT.md` for the rule of each field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// Data-key epoch of a sealed body; `None` = the body is in the clear, only and always for kinds `ledger.*`.
    pub sealed_epoch: Option<u32>,
    /// The writer's clock stood below the previous record's time.
    pub time_went_back: bool,
    /// 1, and one more after each `ledger.restored`.
    pub generation: u16,
    /// Version of the event's layout, from 1.
    pub event_version: u16,
    /// 0, 1, 2 … without gaps.
    pub position: u64,
    /// The tenant.
    pub ledger: Uuid,
    /// Leaf hash of the record before.
    pub prev: Hash,
    /// What the writer's clock said, microseconds since 1970-01-01 UTC.
    pub time_us: u64,
    /// The append that this record belongs to.
    pub append_id: Uuid,
    /// Place within the append.
    pub index: u16,
    /// Records in the append.
    pub count: u16,
    /// Position of the record that caused this append.
    pub cause: Option<u64>,
    /// Whose record this is.
    pub stream: Stream,
    /// 0, 1, 2 … within the stream.
    pub stream_version: u64,
    /// Who did it.
    pub actor: Party,
    /// For whom.
    pub on_behalf_of: Option<Party>,
    /// Stored bytes of the body.
    pub body_len: u32,
    /// SHA-256 of the stored bytes of the body.
    pub body_hash: Hash,
    /// `noun.verb_past`, 3 to 64 characters.
    pub event_kind: String,
}

/// Why bytes are no leaf. The text names the field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("leaf: {0}")]
pub struct LeafError(pub &'static str);

impl Leaf {
    /// The bytes of this leaf. Callers build leaves through [`crate::chain`], which keeps the rules between records.
    pub fn encode(&self) -> Vec<u8> {
        let nobody = Party { kind: 0, id: Uuid::nil() };
        let behalf = self.on_behalf_of.unwrap_or(nobody);
        let mut b = Vec::with_capacity(MAX_LEAF);
        b.extend(1u16.to_be_bytes());
        b.push(u8::from(self.sealed_epoch.is_some()));
        b.push(if self.time_went_back { TIME_WENT_BACK } else { 0 });
        b.extend(self.generation.to_be_bytes());
        b.extend(self.event_version.to_be_bytes());
        b.extend(self.position.to_be_bytes());
        b.extend(self.ledger.as_bytes());
        b.extend(self.prev.0);
        b.extend(self.time_us.to_be_bytes());
        b.extend(self.append_id.as_bytes());
        b.extend(self.index.to_be_bytes());
        b.extend(self.count.to_be_bytes());
        b.extend(self.sealed_epoch.unwrap_or(0).to_be_bytes());
        b.extend(self.cause.unwrap_or(NO_CAUSE).to_be_bytes());
        b.extend(self.stream.id.as_bytes());
        b.extend(self.stream_version.to_be_bytes());
        b.push(self.actor.kind);
        b.push(behalf.kind);
        b.extend([0, 0]);
        b.extend(self.actor.id.as_bytes());
        b.extend(behalf.id.as_bytes());
        b.extend(self.body_len.to_be_bytes());
        b.extend(self.body_hash.0);
        debug_assert_eq!(b.len(), FIXED);
        for name in [&self.stream.kind, &self.event_kind] {
            b.push(name.len() as u8);
            b.extend(name.as_bytes());
        }
        b
    }

    /// Reads exactly what [`Leaf::encode`] writes. Everything else is refused, with the field's name.
    pub fn decode(bytes: &[u8]) -> Result<Leaf, LeafError> {
        if bytes.len() < FIXED + 4 || bytes.len() > MAX_LEAF {
            return Err(LeafError("length out of range"));
        }
        let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let u64_at = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let id_at = |at: usize| Uuid::from_bytes(bytes[at..at + 16].try_into().expect("16 bytes"));
        let hash_at = |at: usize| Hash(bytes[at..at + 32].try_into().expect("32 bytes"));
        let must = |holds: bool, what| if holds { Ok(()) } else { Err(LeafError(what)) };

        must(u16_at(0) == 1, "unknown format")?;
        must(bytes[2] <= 1, "unknown sealing")?;
        must(bytes[3] & !TIME_WENT_BACK == 0, "unknown flag")?;
        must(u16_at(130) == 0, "reserved bytes are not zero")?;
        let (stream_kind, rest) = name(&bytes[FIXED..])?;
        let (event_kind, rest) = name(rest)?;
        must(rest.is_empty(), "bytes after the end")?;
        must(is_stream_kind(stream_kind), "stream kind is not a name")?;
        must(is_event_kind(event_kind), "event kind is not a name")?;

        let sealed = bytes[2] == 1;
        let behalf = Party { kind: bytes[129], id: id_at(148) };
        let leaf = Leaf {
            sealed_epoch: sealed.then_some(u32_at(92)),
            time_went_back: bytes[3] & TIME_WENT_BACK != 0,
            generation: u16_at(4),
            event_version: u16_at(6),
            position: u64_at(8),
            ledger: id_at(16),
            prev: hash_at(32),
            time_us: u64_at(64),
            append_id: id_at(72),
            index: u16_at(88),
            count: u16_at(90),
            cause: Some(u64_at(96)).filter(|at| *at != NO_CAUSE),
            stream: Stream::new(stream_kind, id_at(104)),
            stream_version: u64_at(120),
            actor: Party { kind: bytes[128], id: id_at(132) },
            on_behalf_of: (behalf.kind != 0).then_some(behalf),
            body_len: u32_at(164),
            body_hash: hash_at(168),
            event_kind: event_kind.to_owned(),
        };
        must(sealed != is_clear_kind(event_kind), "sealing does not fit the kind")?;
        must(sealed == (u32_at(92) != 0), "data-key epoch does not fit the sealing")?;
        must(behalf.kind != 0 || behalf.id.is_nil(), "on-behalf-of without a kind")?;
        leaf.check()?;
        Ok(leaf)
    }

    /// The rules of one leaf on its own; the rules between leaves are in [`crate::chain`].
    pub fn check(&self) -> Result<(), LeafError> {
        let must = |holds: bool, what| if holds { Ok(()) } else { Err(LeafError(what)) };
        must(self.generation >= 1, "generation is 0")?;
        must(self.event_version >= 1, "event version is 0")?;
        must(self.position < MAX_NUMBER, "position too large")?;
        must(self.position > 0 || self.prev == Hash::ZERO, "first record has a predecessor")?;
        must(self.time_us < MAX_NUMBER, "time too large")?;
        must(!self.append_id.is_nil(), "append id is nil")?;
        must((1..=MAX_RECORDS).contains(&usize::from(self.count)), "count out of range")?;
        must(self.index < self.count, "index is not below count")?;
        must(u64::from(self.index) <= self.position, "append begins before the ledger")?;
        let first = self.position - u64::from(self.index);
        must(self.cause.is_none_or(|at| at < first), "cause is not before the append")?;
        must(self.actor.kind != 0, "actor kind is 0")?;
        for party in [Some(self.actor), self.on_behalf_of].into_iter().flatten() {
            must(!party.id.is_nil() || Party::NIL_ALLOWED.contains(&party.kind), "party without an id")?;
        }
        must(self.on_behalf_of.is_none_or(|p| !p.id.is_nil()), "on-behalf-of without an id")?;
        must(self.body_len as usize <= MAX_BODY, "body too long")
    }
}

/// Key records and the end of a ledger stand in the clear, so that anyone can follow the signer.
pub fn is_clear_kind(event_kind: &str) -> bool {
    event_kind.starts_with("ledger.")
}

/// `[a-z][a-z0-9_]*`, 1 to 32 characters.
pub fn is_stream_kind(name: &str) -> bool {
    name.len() <= 32 && is_word(name)
}

/// `word.word`, 3 to 64 characters.
pub fn is_event_kind(name: &str) -> bool {
    name.len() <= 64 && name.split_once('.').is_some_and(|(noun, verb)| is_word(noun) && is_word(verb))
}

fn is_word(s: &str) -> bool {
    let mut bytes = s.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn name(bytes: &[u8]) -> Result<(&str, &[u8]), LeafError> {
    let short = LeafError("name is cut off");
    let (len, rest) = bytes.split_first().ok_or(short)?;
    let (name, rest) = rest.split_at_checked(usize::from(*len)).ok_or(short)?;
    Ok((std::str::from_utf8(name).map_err(|_| LeafError("name is not text"))?, rest))
}

/// A record as it is stored and exported: bytes, never re-encoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Encoded leaf.
    pub leaf: Vec<u8>,
    /// Stored (sealed) body; `None` once the bodies of a closed ledger were dropped.
    pub body: Option<Vec<u8>>,
    /// Commit signature, on the last record of each commit.
    pub signature: Option<[u8; 64]>,
}

impl Record {
    /// The leaf hash, from the stored bytes.
    pub fn hash(&self) -> Hash {
        Hash::of_leaf(&self.leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaf 1 of the format's vector (`docs/LOG-FORMAT.md`, section 6).
    const LEAF_1: &str = "00010100000100010000000000000001018f000000007000800000000000000a97c8cd279c0e930dc809d2e6a5b5e8ee40c1169265843a59127563496749fa4200060a24181e4001222222222222222222222222222222220000000100000001ffffffffffffffff4444444444444444444444444444444400000000000000000200000033333333333333333333333333333333000000000000000000000000000000000000004532d0f25d6b4a9406e76fcbcd96f28a581c978601adf10384b20042feaeb91cc6066d656d6265720e6d656d6265722e696e7669746564";

    #[test]
    fn the_vector_reads_and_writes_alike() {
        let bytes = hex::decode(LEAF_1).unwrap();
        let leaf = Leaf::decode(&bytes).unwrap();
        assert_eq!(leaf.encode(), bytes);
        assert_eq!(leaf.event_kind, "member.invited");
        assert_eq!(
            Hash::of_leaf(&bytes).to_string(),
            "398b94667375863e49fffa14f46e9eda336885e7c7d3c971ebb458804d4514e5"
        );
    }

    #[test]
    fn every_leaf_that_decodes_encodes_to_the_same_bytes() {
        let bytes = hex::decode(LEAF_1).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                if let Ok(leaf) = Leaf::decode(&other) {
                    assert_eq!(leaf.encode(), other, "byte {at} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn cut_or_longer_bytes_are_refused() {
        let bytes = hex::decode(LEAF_1).unwrap();
        for end in 0..bytes.len() {
            assert!(Leaf::decode(&bytes[..end]).is_err(), "{end}");
        }
        assert!(Leaf::decode(&[&bytes[..], &[0]].concat()).is_err());
    }
}
