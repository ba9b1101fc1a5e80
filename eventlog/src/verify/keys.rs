//! Who signs: followed from `ledger.opened` through rotations and replacements.
//!
//! A given key counts only once a signature under it was checked: that the ledger merely names it proves nothing, since
//! anyone can write a public key into a ledger of their own.

use crate::checkpoint::Origin;
use crate::clear::Clear;
use crate::note::VerifierKey;
use crate::record::Leaf;
use crate::sign::{self, KeyReplacement, PublicKey};

/// The signer in force, and what was seen of the given keys.
pub(super) struct Keys {
    pinned: Vec<PublicKey>,
    pinned_has_signed: bool,
    in_force: Option<(Origin, PublicKey)>,
    recovery: Option<PublicKey>,
    pub(super) closed: bool,
}

impl Keys {
    /// Before the first record. Of the given keys, those under a name of this log count, of whatever generation.
    pub(super) fn new(log: &Origin, given: &[VerifierKey]) -> Keys {
        let of_this_log = |key: &&VerifierKey| {
            let origin = key.name().parse::<Origin>();
            origin.is_ok_and(|o| o.log_name() == log.log_name() && o.ledger() == log.ledger())
        };
        let pinned = given.iter().filter(of_this_log).map(|key| *key.public()).collect();
        Keys { pinned, pinned_has_signed: false, in_force: None, recovery: None, closed: false }
    }

    /// Origin and signer that the records so far put into force.
    pub(super) fn in_force(&self) -> Result<(&Origin, PublicKey), &'static str> {
        let in_force = self.in_force.as_ref().map(|(origin, signer)| (origin, *signer));
        in_force.ok_or("no ledger.opened before this: nothing says who signs")
    }

    /// Takes in a clear record. Returns who signs the commit that it is in.
    pub(super) fn apply(&mut self, leaf: &Leaf, clear: &Clear) -> Result<PublicKey, &'static str> {
        if let Clear::Opened { origin, signer, recovery } = clear {
            if self.in_force.is_some() || leaf.position != 0 {
                return Err("ledger.opened a second time");
            }
            if origin.ledger() != leaf.ledger || origin.generation() != 1 {
                return Err("ledger.opened names another ledger");
            }
            self.recovery = *recovery;
            self.in_force = Some((origin.clone(), *signer));
            return Ok(*signer);
        }
        let (origin, signer) = self.in_force.as_mut().ok_or("no ledger.opened before this: nothing says who signs")?;
        let before = *signer;
        match clear {
            Clear::KeyRotated { signer: new } => {
                *signer = *new;
                return Ok(before);
            }
            Clear::KeyReplaced { signer: new, proof } => {
                let recovery = self.recovery.ok_or("the signer was replaced, and the ledger has no recovery key")?;
                let (ledger, generation) = (leaf.ledger, leaf.generation);
                let what =
                    KeyReplacement { ledger, generation, position: leaf.position, prev: leaf.prev, new_signer: *new };
                if !sign::verify(&recovery, &what.message(), proof) {
                    return Err("the recovery key has not signed this replacement");
                }
                *signer = *new;
            }
            Clear::Restored { origin: new, .. } => {
                let same = new.log_name() == origin.log_name() && new.ledger() == origin.ledger();
                if !same || new.generation() != leaf.generation {
                    return Err("ledger.restored names another log or generation");
                }
                *origin = new.clone();
            }
            Clear::Closed => self.closed = true,
            Clear::SubjectErased { .. } | Clear::Opened { .. } => {}
        }
        Ok(*signer)
    }

    /// A signature under this key was checked, or is about to be and refutes the bundle if it does not hold.
    pub(super) fn has_signed(&mut self, public: &PublicKey) {
        self.pinned_has_signed |= self.is_pinned(public);
    }

    /// Was this key given?
    pub(super) fn is_pinned(&self, public: &PublicKey) -> bool {
        self.pinned.contains(public)
    }

    /// Has one of the given keys signed a part of this ledger?
    pub(super) fn pinned_has_signed(&self) -> bool {
        self.pinned_has_signed
    }
}
