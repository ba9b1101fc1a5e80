//! Origins and checkpoints (C2SP tlog-checkpoint 1.0): the signed statement of what a ledger contains.
//!
//! A commit signature says "this server wrote these records"; only a checkpoint says what the ledger contains. A log
//! must never sign two checkpoints of which neither tree begins the other: whoever calls [`Checkpoint::sign`] has
//! compared with the last one.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use crate::note::{Note, NoteError, VerifierKey};
use crate::record::Hash;
use crate::sign::Signer;

/// Longest log name, in characters.
pub const MAX_LOG_NAME: usize = 64;

/// The name of a log: `<log name>/<ledger uuid>`, and `/<generation>` from the second generation on.
///
/// The log name is chosen once for a deployment. It looks like a host name, need not resolve, and names no customer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Origin {
    log_name: String,
    ledger: Uuid,
    generation: u16,
}

/// A text that is no origin, or a log name that is not like a host name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "an origin is <log name>/<ledger uuid in lower case>, then /<generation> from 2 on; the log name is like a host name, at most 64 of a-z 0-9 . -"
)]
pub struct BadOrigin;

impl Origin {
    /// The origin of a ledger's generation (from 1).
    pub fn new(log_name: &str, ledger: Uuid, generation: u16) -> Result<Origin, BadOrigin> {
        if !is_log_name(log_name) || generation == 0 {
            return Err(BadOrigin);
        }
        Ok(Origin { log_name: log_name.to_owned(), ledger, generation })
    }

    /// The deployment's log name.
    pub fn log_name(&self) -> &str {
        &self.log_name
    }

    /// The tenant.
    pub fn ledger(&self) -> Uuid {
        self.ledger
    }

    /// From 1.
    pub fn generation(&self) -> u16 {
        self.generation
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.log_name, self.ledger)?;
        if self.generation > 1 { write!(f, "/{}", self.generation) } else { Ok(()) }
    }
}

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Origin, BadOrigin> {
        let mut parts = text.split('/');
        let log_name = parts.next().ok_or(BadOrigin)?;
        let ledger = parts.next().and_then(|id| id.parse().ok()).ok_or(BadOrigin)?;
        let generation = parts.next().map_or(Ok(1), str::parse).map_err(|_| BadOrigin)?;
        let origin = Origin::new(log_name, ledger, generation)?;
        // Refuses other spellings of the id or the number, and whatever follows.
        if origin.to_string() == text { Ok(origin) } else { Err(BadOrigin) }
    }
}

/// Like a host name: labels of `a-z 0-9 -`, separated by single dots, no hyphen at a label's ends, at most 64 characters.
pub fn is_log_name(name: &str) -> bool {
    let label = |l: &str| {
        !l.is_empty()
            && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    name.len() <= MAX_LOG_NAME && name.split('.').all(label)
}

/// Size and root of a log, as text: origin, size, root in base64, one line each and nothing more.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Checkpoint {
    /// The log's name; for a ledger the text of its [`Origin`].
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

/// Why bytes are no good checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text.
    #[error("not a checkpoint: {0}")]
    Form(&'static str),
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// Reads exactly what [`Checkpoint::text`] writes. Extension lines are refused: ours have none.
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        let [origin, size, root] = lines[..] else {
            return Err(CheckpointError::Form("three lines are needed: origin, size, root"));
        };
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        let checkpoint = Checkpoint {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| CheckpointError::Form("size is not a number"))?,
            root: Hash(root.ok_or(CheckpointError::Form("root is not base64 of 32 bytes"))?),
        };
        if origin.is_empty() || checkpoint.text() != text {
            return Err(CheckpointError::Form("not written as the format demands"));
        }
        Ok(checkpoint)
    }

    /// The signed note; the signer's name is the origin.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Note, NoteError> {
        Note::sign(&self.text(), &self.origin, signer)
    }

    /// Reads a signed checkpoint. One of `known` must have signed it under the checkpoint's own origin.
    pub fn open(note: &Note, known: &[VerifierKey]) -> Result<Checkpoint, CheckpointError> {
        let signers = note.verify(known)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if !signers.iter().any(|key| key.name() == checkpoint.origin) {
            return Err(CheckpointError::Note(NoteError::Unsigned));
        }
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Ed25519Signer;

    #[test]
    fn checkpoints_have_one_spelling() {
        let good = Checkpoint { origin: "log.example/a".to_owned(), size: 7, root: Hash([7; 32]) };
        assert_eq!(Checkpoint::parse(&good.text()), Ok(good.clone()));
        let text = good.text();
        for bad in [
            text.replace("\n7\n", "\n07\n"),
            text.replace("\n7\n", "\n+7\n"),
            text.replace("\n7\n", "\n7 \n"),
            text.replace("\n7\n", "\n18446744073709551616\n"),
            text.replace("log.example/a", ""),
            text.replace('=', ""),
            text.trim_end().to_owned(),
            format!("{text}\n"),
            format!("{text}extension\n"),
            String::new(),
        ] {
            assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_checkpoint_is_signed_under_its_own_origin() {
        let signer = Ed25519Signer::from_seed(&[1; 32]);
        let ours = Checkpoint { origin: "log.example/a".to_owned(), size: 7, root: Hash([7; 32]) };
        let key = |name: &str| VerifierKey::new(name, signer.public()).unwrap();
        let note = ours.sign(&signer).unwrap();
        assert_eq!(Checkpoint::open(&note, &[key("log.example/a")]), Ok(ours.clone()));
        assert!(Checkpoint::open(&note, &[key("log.example/b")]).is_err());
        let lent = Note::sign(&ours.text(), "log.example/b", &signer).unwrap();
        assert!(Checkpoint::open(&lent, &[key("log.example/b")]).is_err());
    }

    #[test]
    fn origins_read_back_and_have_one_spelling() {
        let id = Uuid::from_u128(0x018f0000_0000_7000_8000_00000000000a);
        for generation in [1, 2, 65_535] {
            let origin = Origin::new("log.example.jp", id, generation).unwrap();
            assert_eq!(origin.to_string().parse(), Ok(origin));
        }
        for bad in [
            "log.example.jp",
            "log.example.jp/018F0000-0000-7000-8000-00000000000a",
            "log.example.jp/018f0000000070008000000000000000",
            "log.example.jp/018f0000-0000-7000-8000-00000000000a/1",
            "log.example.jp/018f0000-0000-7000-8000-00000000000a/02",
            "log.example.jp/018f0000-0000-7000-8000-00000000000a/2/",
            "https://log.example.jp/018f0000-0000-7000-8000-00000000000a",
            "Log/018f0000-0000-7000-8000-00000000000a",
            "-log/018f0000-0000-7000-8000-00000000000a",
            "a..b/018f0000-0000-7000-8000-00000000000a",
            "/018f0000-0000-7000-8000-00000000000a",
        ] {
            assert_eq!(bad.parse::<Origin>(), Err(BadOrigin), "{bad}");
        }
        assert!(!is_log_name(&"a".repeat(65)));
    }
}
