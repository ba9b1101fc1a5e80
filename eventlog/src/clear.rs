//! The bodies of `ledger.*` records, which stand in the clear. Layout: `docs/LOG-FORMAT.md`, section 5.
//!
//! Anyone can follow the signer of a ledger through these records without any key of the tenant. Each body is a few
//! lines of ASCII text, exactly as [`Clear::encode`] writes them: [`Clear::parse`] reads nothing else.

use uuid::Uuid;

use crate::checkpoint::Origin;
use crate::record::{Hash, LeafError, is_clear_kind};
use crate::sign::{self, PublicKey};

/// The version of every clear body so far.
pub const VERSION: u16 = 1;
/// The stream kind of these records; the stream's id is the ledger's.
pub const STREAM: &str = "ledger";

/// Kind of the record at position 0.
pub const OPENED: &str = "ledger.opened";
/// Kind of a record that names the next signer, signed by the one before.
pub const KEY_ROTATED: &str = "ledger.key_rotated";
/// Kind of a record that puts a new signer in the place of a lost one.
pub const KEY_REPLACED: &str = "ledger.key_replaced";
/// Kind of a generation's first record, from the second on.
pub const RESTORED: &str = "ledger.restored";
/// Kind of a record that says whose keys were destroyed.
pub const SUBJECT_ERASED: &str = "ledger.subject_erased";
/// Kind of a ledger's last record.
pub const CLOSED: &str = "ledger.closed";

/// What a clear record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Clear {
    /// Position 0: the log's name, who signs, and who may replace a lost signer.
    Opened {
        /// Origin of the checkpoints, generation 1.
        origin: Origin,
        /// Signs commits from here on, this one included.
        signer: PublicKey,
        /// Kept offline; `None` = a lost signer ends the origin.
        recovery: Option<PublicKey>,
    },
    /// The commit of this record is still signed by the old signer; the next one by the new.
    KeyRotated {
        /// The new signer.
        signer: PublicKey,
    },
    /// The signer was lost. The commit of this record is signed by the new signer.
    KeyReplaced {
        /// The new signer.
        signer: PublicKey,
        /// The recovery key's signature over [`sign::KeyReplacement`].
        proof: [u8; 64],
    },
    /// Anchored records were lost and an operator said so: the next generation begins.
    Restored {
        /// The origin from here on, with the new generation.
        origin: Origin,
        /// Size that had been anchored.
        lost_size: u64,
        /// Root that had been anchored.
        lost_root: Hash,
    },
    /// The keys of a person were destroyed.
    SubjectErased {
        /// The person.
        subject: Uuid,
    },
    /// Nothing comes after this.
    Closed,
}

/// Why bytes are no clear body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("clear body: {0}")]
pub struct ClearError(pub &'static str);

impl From<ClearError> for LeafError {
    fn from(error: ClearError) -> LeafError {
        LeafError(error.0)
    }
}

impl Clear {
    /// The event kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Clear::Opened { .. } => OPENED,
            Clear::KeyRotated { .. } => KEY_ROTATED,
            Clear::KeyReplaced { .. } => KEY_REPLACED,
            Clear::Restored { .. } => RESTORED,
            Clear::SubjectErased { .. } => SUBJECT_ERASED,
            Clear::Closed => CLOSED,
        }
    }

    /// The exact bytes of the body.
    pub fn encode(&self) -> Vec<u8> {
        let lines = match self {
            Clear::Opened { origin, signer, recovery } => {
                let recovery = recovery.map_or("none".to_owned(), hex::encode);
                format!("origin {origin}\nsigner {}\nrecovery {recovery}\n", hex::encode(signer))
            }
            Clear::KeyRotated { signer } => format!("signer {}\n", hex::encode(signer)),
            Clear::KeyReplaced { signer, proof } => {
                format!("signer {}\nproof {}\n", hex::encode(signer), hex::encode(proof))
            }
            Clear::Restored { origin, lost_size, lost_root } => {
                format!("origin {origin}\nlost_size {lost_size}\nlost_root {lost_root}\n")
            }
            Clear::SubjectErased { subject } => format!("subject {subject}\n"),
            Clear::Closed => String::new(),
        };
        format!("keiin/v1/{}\n{lines}", self.kind()).into_bytes()
    }

    /// Reads exactly what [`Clear::encode`] writes for this event kind and version.
    pub fn parse(kind: &str, version: u16, body: &[u8]) -> Result<Clear, ClearError> {
        if version != VERSION {
            return Err(ClearError("unknown version"));
        }
        let text = std::str::from_utf8(body).map_err(|_| ClearError("not text"))?;
        let mut lines = text.split_terminator('\n').skip(1);
        let mut value = |field: &str| {
            let line = lines.next().ok_or(ClearError("a line is missing"))?;
            let value = line.strip_prefix(field).and_then(|rest| rest.strip_prefix(' '));
            value.ok_or(ClearError("a line has another name"))
        };
        let clear = match kind {
            OPENED => Clear::Opened {
                origin: origin(value("origin")?)?,
                signer: signer(value("signer")?)?,
                recovery: match value("recovery")? {
                    "none" => None,
                    key => Some(signer(key)?),
                },
            },
            KEY_ROTATED => Clear::KeyRotated { signer: signer(value("signer")?)? },
            KEY_REPLACED => Clear::KeyReplaced { signer: signer(value("signer")?)?, proof: bytes(value("proof")?)? },
            RESTORED => Clear::Restored {
                origin: origin(value("origin")?)?,
                lost_size: value("lost_size")?.parse().map_err(|_| ClearError("size is not a number"))?,
                lost_root: Hash(bytes(value("lost_root")?)?),
            },
            SUBJECT_ERASED => Clear::SubjectErased {
                subject: value("subject")?.parse().map_err(|_| ClearError("subject is not a UUID"))?,
            },
            CLOSED => Clear::Closed,
            _ => return Err(ClearError("unknown kind")),
        };
        // One rule for line ends, letter case, leading zeros and surplus lines: it must be what we would write.
        if clear.encode() != body {
            return Err(ClearError("not written as the format demands"));
        }
        Ok(clear)
    }
}

/// The signer that the first record of a ledger names.
pub fn opened_signer(kind: &str, body: &[u8]) -> Result<PublicKey, ClearError> {
    match Clear::parse(kind, VERSION, body)? {
        Clear::Opened { signer, .. } => Ok(signer),
        _ => Err(ClearError("first record is not ledger.opened")),
    }
}

/// The signer that this record puts into force, if it is a key record. Sealed kinds never do.
pub fn new_signer(kind: &str, body: &[u8]) -> Result<Option<PublicKey>, ClearError> {
    if !is_clear_kind(kind) {
        return Ok(None);
    }
    Ok(match Clear::parse(kind, VERSION, body)? {
        Clear::Opened { signer, .. } | Clear::KeyRotated { signer } | Clear::KeyReplaced { signer, .. } => Some(signer),
        Clear::Restored { .. } | Clear::SubjectErased { .. } | Clear::Closed => None,
    })
}

fn origin(text: &str) -> Result<Origin, ClearError> {
    text.parse().map_err(|_| ClearError("origin is not <log name>/<ledger>[/<generation>]"))
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], ClearError> {
    let mut out = [0; N];
    hex::decode_to_slice(text, &mut out).map_err(|_| ClearError("not hexadecimal, or of another length"))?;
    Ok(out)
}

fn signer(text: &str) -> Result<PublicKey, ClearError> {
    let key = bytes(text)?;
    if sign::is_usable(&key) { Ok(key) } else { Err(ClearError("key is not a usable Ed25519 key")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Leaf, Party, Stream};
    use crate::sign::{Ed25519Signer, Signer};

    const LEDGER: Uuid = Uuid::from_u128(0x018f0000_0000_7000_8000_00000000000a);

    fn public(seed: u8) -> PublicKey {
        Ed25519Signer::from_seed(&std::array::from_fn(|i| seed + i as u8)).public()
    }

    fn opened() -> Clear {
        Clear::Opened { origin: Origin::new("log.example.jp", LEDGER, 1).unwrap(), signer: public(0), recovery: None }
    }

    fn all() -> Vec<Clear> {
        vec![
            opened(),
            Clear::Opened {
                origin: Origin::new("log", LEDGER, 1).unwrap(),
                signer: public(0),
                recovery: Some(public(9)),
            },
            Clear::KeyRotated { signer: public(1) },
            Clear::KeyReplaced { signer: public(2), proof: [7; 64] },
            Clear::Restored { origin: Origin::new("log", LEDGER, 2).unwrap(), lost_size: 9, lost_root: Hash([5; 32]) },
            Clear::SubjectErased { subject: LEDGER },
            Clear::Closed,
        ]
    }

    /// Leaf 0 of the format's vector (`docs/LOG-FORMAT.md`, section 6).
    #[test]
    fn the_vector_opens_alike() {
        let body = opened().encode();
        let leaf = Leaf {
            sealed_epoch: None,
            time_went_back: false,
            generation: 1,
            event_version: VERSION,
            position: 0,
            ledger: LEDGER,
            prev: Hash::ZERO,
            time_us: 1_700_000_000_000_000,
            append_id: Uuid::from_bytes([0x21; 16]),
            index: 0,
            count: 1,
            cause: None,
            stream: Stream::new(STREAM, LEDGER),
            stream_version: 0,
            actor: Party::SYSTEM,
            on_behalf_of: None,
            body_len: body.len() as u32,
            body_hash: Hash::of(&body),
            event_kind: opened().kind().to_owned(),
        };
        assert_eq!(leaf.encode().len(), 221);
        let hash = "97c8cd279c0e930dc809d2e6a5b5e8ee40c1169265843a59127563496749fa42";
        assert_eq!(Hash::of_leaf(&leaf.encode()).to_string(), hash);
    }

    #[test]
    fn every_body_reads_back() {
        for clear in all() {
            assert_eq!(Clear::parse(clear.kind(), 1, &clear.encode()).unwrap(), clear);
            assert!(Clear::parse(clear.kind(), 2, &clear.encode()).is_err());
        }
    }

    #[test]
    fn only_exact_bytes_are_read() {
        for clear in all() {
            let good = String::from_utf8(clear.encode()).unwrap();
            let others = [
                format!("{good}\n"),
                format!("{good}note x\n"),
                format!(" {good}"),
                good.trim_end().to_owned(),
                good.replace('\n', "\r\n"),
                good.to_uppercase(),
                good.replace("v1", "v2"),
                good.replacen(' ', "  ", 1) + if good.contains(' ') { "" } else { " " },
            ];
            for other in others {
                assert!(Clear::parse(clear.kind(), 1, other.as_bytes()).is_err(), "{other:?}");
            }
        }
        let body = Clear::Closed.encode();
        assert!(Clear::parse("ledger.opened", 1, &body).is_err());
        assert!(Clear::parse("ledger.renamed", 1, &body).is_err());
        assert!(Clear::parse("ledger.closed", 1, &[0xff]).is_err());
    }

    #[test]
    fn a_weak_key_is_no_signer() {
        let weak = format!("keiin/v1/ledger.key_rotated\nsigner 01{}\n", "00".repeat(31));
        assert!(Clear::parse("ledger.key_rotated", 1, weak.as_bytes()).is_err());
    }
}
