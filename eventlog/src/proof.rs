//! Receipts (C2SP tlog-proof 1, files `.tlog-proof`): one record's inclusion path and the checkpoint that it leads to.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::note::{MAX_NOTE, Note, VerifierKey};
use crate::record::Hash;
use crate::tree;

const HEAD: &str = "c2sp.org/tlog-proof@v1\n";
/// Longest path: one hash for each level of a tree of 2^64 leaves.
const MAX_PATH: usize = 64;
/// Longest `extra`, in bytes.
const MAX_EXTRA: usize = 65_536;

/// A receipt. Reading one checks its form; [`Proof::verify`] checks what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// Free bytes for the reader. Nothing protects them.
    pub extra: Option<Vec<u8>>,
    /// Position of the record.
    pub index: u64,
    /// Siblings on the way to the root, leaf side first.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Note,
}

/// Why a receipt was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProofError {
    /// The checkpoint in it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The text around it.
    #[error("not a receipt: {0}")]
    Form(&'static str),
    /// Everything is well formed, and the record is not in that tree at that place.
    #[error("the path does not lead from this record to the checkpoint's root")]
    NotIncluded,
}

impl Proof {
    /// The checkpoint, if one of `known` signed it and the leaf hash is in its tree at this index.
    pub fn verify(&self, leaf_hash: &Hash, known: &[VerifierKey]) -> Result<Checkpoint, ProofError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, known)?;
        if !tree::verify_inclusion(self.index, checkpoint.size, leaf_hash, &self.path, &checkpoint.root) {
            return Err(ProofError::NotIncluded);
        }
        Ok(checkpoint)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash.0))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for Proof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Proof, ProofError> {
        let form = ProofError::Form;
        let rest = text.strip_prefix(HEAD).ok_or(form("the first line is another"))?;
        // The head has no blank line of its own, so the first one ends it.
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(form("no blank line before the checkpoint"))?;
        if checkpoint.len() > MAX_NOTE || head.len() > MAX_EXTRA * 2 {
            return Err(form("too long"));
        }
        let mut lines = head.split('\n').peekable();
        let base64 = |line: &str| STANDARD.decode(line).map_err(|_| form("a line is not base64"));
        let extra = lines.next_if(|line| line.starts_with("extra ")).map(|line| base64(&line[6..])).transpose()?;
        let index = lines.next().and_then(|line| line.strip_prefix("index ")?.parse().ok());
        let index = index.ok_or(form("the line with the index is missing"))?;
        let mut path = vec![];
        for line in lines {
            path.push(Hash(base64(line)?.try_into().map_err(|_| form("a hash is not 32 bytes"))?));
        }
        if path.len() > MAX_PATH || extra.as_ref().is_some_and(|e| e.len() > MAX_EXTRA) {
            return Err(form("too long"));
        }
        let checkpoint = Note::parse(checkpoint.as_bytes()).map_err(CheckpointError::from)?;
        let proof = Proof { extra, index, path, checkpoint };
        if proof.to_string() == text { Ok(proof) } else { Err(form("not written as the format demands")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::{Ed25519Signer, Signer};

    fn leaf(i: u8) -> Hash {
        Hash::of_leaf(format!("event-{i}").as_bytes())
    }

    fn signer() -> Ed25519Signer {
        Ed25519Signer::from_seed(&std::array::from_fn(|i| i as u8))
    }

    fn proof() -> Proof {
        let all: Vec<Hash> = (0..7).map(leaf).collect();
        let Ok(root) = tree::root(&all[..], 7);
        let Ok(path) = tree::inclusion(&all[..], 5, 7);
        let checkpoint = Checkpoint { origin: "audit.example.jp/t/acme".to_owned(), size: 7, root };
        Proof { extra: None, index: 5, path, checkpoint: checkpoint.sign(&signer()).unwrap() }
    }

    /// The worked example of `docs/LOG-FORMAT.md`, section 7, whose parts other programs have checked.
    #[test]
    fn the_worked_example_is_written_alike() {
        let key = "audit.example.jp/t/acme+2b2d13ec+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
        assert_eq!(VerifierKey::new("audit.example.jp/t/acme", signer().public()).unwrap().to_string(), key);
        let text = "c2sp.org/tlog-proof@v1\nindex 5\nrjI5dK4fR82yRuuDuHBjZtQ8ZK0Pr0gMeerLnPSn6Kc=\nhVqRxrvpT1tA/b/2zT/t/5RXwi+lM4Clp2AoY5bRmwI=\nMwFXNIsphb0cRlfkTzYorpF23YKBH/sxqOARud6ouaE=\n\naudit.example.jp/t/acme\n7\ngTvaOkIAD4KUtqlU6oN5LC3vrmUkbvdgr5/dU699Rjg=\n\n— audit.example.jp/t/acme Ky0T7F5rVjfdP1KMEcf01crxsdRCZTf7uCabPbSK9YDP5+dgxHF79z7xG+Pey36I+FlCshTpHANNSWBcSc167jTgPwo=\n";
        assert_eq!(proof().to_string(), text);
        let read: Proof = text.parse().unwrap();
        assert_eq!(read.verify(&leaf(5), &[key.parse().unwrap()]).unwrap().size, 7);
        assert_eq!(read.verify(&leaf(4), &[key.parse().unwrap()]), Err(ProofError::NotIncluded));
    }

    #[test]
    fn no_changed_byte_verifies() {
        let key = [VerifierKey::new("audit.example.jp/t/acme", signer().public()).unwrap()];
        let text = proof().to_string();
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] ^= 1;
            let read =
                String::from_utf8(other).map_err(|_| ProofError::Form("not text")).and_then(|t| t.parse::<Proof>());
            assert!(read.and_then(|p| p.verify(&leaf(5), &key)).is_err(), "byte {at}");
        }
    }

    #[test]
    fn extra_bytes_are_carried_and_no_path_is_a_path() {
        for extra in [None, Some(vec![]), Some(vec![1, 2, 3])] {
            let with = Proof { extra, path: vec![], ..proof() };
            assert_eq!(with.to_string().parse(), Ok(with));
        }
        assert!(proof().to_string().replace("index 5", "index 05").parse::<Proof>().is_err());
    }
}
