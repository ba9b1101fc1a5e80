//! Strict Ed25519 checks of many signatures under one key: the rule of [`crate::sign::verify`] to the letter, at a third
//! of its cost.
//!
//! (R, s) is a signature of key A when R are the bytes of the point s·B − k·A, for k = SHA-512(R ‖ A ‖ message) (RFC 8032,
//! 5.1.7 without the cofactor), s is below the group's order, and neither A nor R is of small order. A check alone takes
//! some 250 doublings. They are the same for every check under a key, so they are done once: with the multiples of each
//! power of 256 at hand, a product is 32 additions. What is left, writing the points as bytes, is done for many at once.
//!
//! Nothing here is secret, and nothing takes the same time for all numbers: no private key may come here.

use std::sync::LazyLock;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use sha2::{Digest, Sha512};

use super::signatures::Job;
use crate::sign::PublicKey;

/// How many points are written as bytes together; more gains nothing.
const TOGETHER: usize = 64;
/// A digit is a byte that counts from −127 to 128.
const DIGITS: usize = 128;

static BASE: LazyLock<Multiples> = LazyLock::new(|| Multiples::of(&ED25519_BASEPOINT_POINT));

/// A public key, prepared for many checks: 1 ms and 0.6 MB.
pub(super) struct PreparedKey {
    pub(super) public: PublicKey,
    // None = no point, or one of small order: it verifies nothing.
    negated: Option<Multiples>,
}

impl PreparedKey {
    pub(super) fn of(public: PublicKey) -> PreparedKey {
        let point = CompressedEdwardsY(public).decompress().filter(|point| !point.is_small_order());
        PreparedKey { public, negated: point.map(|point| Multiples::of(&-point)) }
    }

    /// The first of these signatures, all under this key, that does not hold.
    pub(super) fn first_false<'a>(&self, jobs: &'a [Job]) -> Option<&'a Job> {
        let Some(negated) = &self.negated else { return jobs.first() };
        jobs.chunks(TOGETHER).find_map(|jobs| {
            let points: Vec<EdwardsPoint> = jobs.iter().map(|job| self.expected(negated, job)).collect();
            let written = EdwardsPoint::compress_batch_alloc(&points);
            let holds = |at: usize| written[at].0 == jobs[at].signature[..32] && !points[at].is_small_order();
            (0..jobs.len()).find(|at| !holds(*at)).map(|at| &jobs[at])
        })
    }

    /// The point that R must be. The neutral one, which no R may be, when s is not below the group's order.
    fn expected(&self, negated: &Multiples, job: &Job) -> EdwardsPoint {
        let mut sum = EdwardsPoint::identity();
        let (r, s) = job.signature.split_at(32);
        let s: [u8; 32] = s.try_into().expect("the second half of 64 bytes");
        let Some(s) = Scalar::from_canonical_bytes(s).into_option() else { return sum };
        let hash =
            Sha512::new().chain_update(r).chain_update(self.public).chain_update(job.commit.message()).finalize();
        let k = Scalar::from_bytes_mod_order_wide(&hash.into());
        BASE.add(&mut sum, &s);
        negated.add(&mut sum, &k);
        sum
    }
}

/// For each of the 32 places i of a number in base 256: 1 to 128 times 256^i times a point.
struct Multiples(Vec<EdwardsPoint>);

impl Multiples {
    fn of(point: &EdwardsPoint) -> Multiples {
        let mut multiples = Vec::with_capacity(32 * DIGITS);
        let mut unit = *point;
        for _ in 0..32 {
            let mut multiple = EdwardsPoint::identity();
            for _ in 0..DIGITS {
                multiple += unit;
                multiples.push(multiple);
            }
            // 128 and 128 of this place are one of the next.
            unit = multiple + multiple;
        }
        Multiples(multiples)
    }

    /// Adds `number` times the point to `sum`.
    fn add(&self, sum: &mut EdwardsPoint, number: &Scalar) {
        // A number below the group's order has a last byte of 16 at most: nothing is carried out of it.
        let mut carry = 0;
        for (byte, multiples) in number.as_bytes().iter().zip(self.0.chunks_exact(DIGITS)) {
            let digit = usize::from(*byte) + carry;
            carry = usize::from(digit > DIGITS);
            match digit {
                0 => {}
                1..=DIGITS => *sum += multiples[digit - 1],
                256 => {}
                _ => *sum -= multiples[255 - digit],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_TABLE, EIGHT_TORSION};
    use uuid::Uuid;

    use super::*;
    use crate::record::Hash;
    use crate::sign::{self, Commit, Ed25519Signer, Signer};

    fn commit(n: u64) -> Commit {
        Commit { ledger: Uuid::from_u128(7), generation: 1, first: n, last: n, last_hash: Hash::of(&n.to_be_bytes()) }
    }

    fn signed(n: u64) -> Job {
        let signer = Ed25519Signer::from_seed(&[3; 32]);
        let commit = commit(n);
        Job { signature: signer.sign(&commit.message()), signer: signer.public(), commit }
    }

    /// What this module says of one signature; the rule for a single one must say the same.
    #[track_caller]
    fn holds(job: Job) -> bool {
        let alone = sign::verify(&job.signer, &job.commit.message(), &job.signature);
        let prepared = PreparedKey::of(job.signer).first_false(&[job]).is_none();
        assert_eq!(prepared, alone);
        alone
    }

    #[test]
    fn the_first_false_one_is_found_wherever_it_stands() {
        let mut jobs: Vec<Job> = (0..200).map(signed).collect();
        let key = PreparedKey::of(jobs[0].signer);
        assert!(key.first_false(&jobs).is_none());
        for at in [199, 130, 64, 63, 0] {
            jobs[at].commit.last += 1;
            assert_eq!(key.first_false(&jobs).unwrap().commit.first, at as u64);
        }
    }

    #[test]
    fn a_changed_bit_is_refused() {
        let whole = signed(1);
        for bit in 0..512 {
            let mut signature = whole.signature;
            signature[bit / 8] ^= 1 << (bit % 8);
            assert!(!holds(Job { signature, signer: whole.signer, commit: commit(1) }), "bit {bit}");
        }
        assert!(holds(whole));
    }

    /// Every digit, at every place: products are what the library says they are.
    #[test]
    fn products_are_right() {
        let times = |bytes: [u8; 32]| {
            let number = Scalar::from_bytes_mod_order(bytes);
            let mut sum = EdwardsPoint::identity();
            BASE.add(&mut sum, &number);
            assert_eq!(sum, ED25519_BASEPOINT_TABLE * &number, "{bytes:?}");
        };
        for digit in 0..=255 {
            times([digit; 32]);
            times(std::array::from_fn(|i| if i % 2 == 0 { digit } else { 0 }));
            times(std::array::from_fn(|i| if i % 2 == 0 { 0xff } else { digit }));
        }
        times((-Scalar::ONE).to_bytes());
    }

    /// The same s, written as a number that is not below the group's order.
    #[test]
    fn a_second_way_to_write_s_is_refused() {
        let Job { mut signature, signer, commit } = signed(1);
        let order: [u8; 32] = std::array::from_fn(|i| (-Scalar::ONE).to_bytes()[i] + u8::from(i == 0));
        let mut carry = 0;
        for (digit, more) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*digit) + u16::from(more) + carry;
            (*digit, carry) = (sum as u8, sum >> 8);
        }
        assert_eq!(carry, 0);
        assert!(!holds(Job { signature, signer, commit }));
    }

    /// Keys and Rs outside the subgroup: whoever has such a key may sign, by the strict rule, what k makes fit.
    #[test]
    fn points_of_small_order_are_treated_as_the_strict_rule_treats_them() {
        let (a, r) = (Scalar::from(5u8), Scalar::from(11u8));
        let made = |key: EdwardsPoint, nonce: Scalar, extra: EdwardsPoint, n| {
            let (public, commit) = (key.compress().0, commit(n));
            let first = (ED25519_BASEPOINT_TABLE * &nonce + extra).compress().0;
            let hash = Sha512::new().chain_update(first).chain_update(public).chain_update(commit.message()).finalize();
            let s = nonce + Scalar::from_bytes_mod_order_wide(&hash.into()) * a;
            let signature: Vec<u8> = [first, s.to_bytes()].concat();
            Job { signature: signature.try_into().unwrap(), signer: public, commit }
        };
        let key = ED25519_BASEPOINT_TABLE * &a;
        for torsion in EIGHT_TORSION {
            let whole = torsion == EdwardsPoint::identity();
            let mixed = (0..64).filter(|n| holds(made(key + torsion, r, EdwardsPoint::identity(), *n))).count();
            assert!(if whole { mixed == 64 } else { mixed > 0 && mixed < 64 }, "{mixed} under a key with torsion");
            assert!((0..8).all(|n| holds(made(key, r, torsion, n)) == whole), "an R with torsion");
            assert!((0..8).all(|n| !holds(made(key, Scalar::ZERO, torsion, n))), "an R of small order");
            assert!((0..8).all(|n| !holds(made(torsion, r, EdwardsPoint::identity(), n))), "a key of small order");
        }
        let no_point = std::array::from_fn(|i| if i == 0 { 2 } else { 0 });
        assert!(!holds(Job { signer: no_point, ..signed(1) }));
    }
}
