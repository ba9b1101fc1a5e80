//! Signed notes (C2SP signed-note 1.0): a text and, below it, lines with signatures by named keys.
//!
//! Keys come from the reader, never from the note. A signature by a known key that does not hold refuses the whole
//! note; one by an unknown key is passed over; a note on which no known key holds is refused.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::sign::{self, PublicKey, Signer};

/// Longest note, in bytes.
pub const MAX_NOTE: usize = 65_536;
/// Most signature lines.
pub const MAX_SIGNATURES: usize = 64;

const ED25519: u8 = 1;
const LINE: &str = "\u{2014} ";

/// Why a note or a key was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoteError {
    /// Not a note.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// A known key's signature does not hold.
    #[error("the signature of {0} does not hold")]
    BadSignature(String),
    /// None of the known keys has signed.
    #[error("signed by none of the known keys")]
    Unsigned,
    /// Not a verifier key.
    #[error("not a key: expected <name>+<8 hex digits>+<base64>, an Ed25519 key (type 01): {0}")]
    Key(&'static str),
}

/// A named Ed25519 public key: `<name>+<key id>+<base64>`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct VerifierKey {
    name: String,
    public: PublicKey,
}

impl VerifierKey {
    /// The key under this name; for a log, the name is its origin.
    pub fn new(name: &str, public: PublicKey) -> Result<VerifierKey, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Key("the name is empty or has a space or a plus sign"));
        }
        if !sign::is_usable(&public) {
            return Err(NoteError::Key("not a usable Ed25519 point"));
        }
        Ok(VerifierKey { name: name.to_owned(), public })
    }

    /// The name that signature lines carry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The raw public key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// First four bytes of SHA-256(name ‖ LF ‖ type ‖ key).
    pub fn key_id(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.name).chain_update([b'\n', ED25519]).chain_update(self.public);
        hash.finalize()[..4].try_into().expect("4 of 32 bytes")
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ED25519], &self.public[..]].concat());
        write!(f, "{}+{}+{key}", self.name, hex::encode(self.key_id()))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<VerifierKey, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("three parts are needed"));
        };
        let key = STANDARD.decode(key).map_err(|_| NoteError::Key("the last part is not base64"))?;
        let Some((&ED25519, public)) = key.split_first() else {
            return Err(NoteError::Key("the type is not 01"));
        };
        let public = public.try_into().map_err(|_| NoteError::Key("the key is not 32 bytes"))?;
        let key = VerifierKey::new(name, public)?;
        if key.to_string() == text { Ok(key) } else { Err(NoteError::Key("the key id does not fit")) }
    }
}

// Non-empty, no white space, no plus sign, no control characters.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// One signature line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignatureLine {
    /// Name of the key.
    pub name: String,
    /// Id of the key.
    pub key_id: [u8; 4],
    /// The signature, in the form of the key's type.
    pub signature: Vec<u8>,
}

/// A text with signature lines. [`Note::parse`] checks the form only; [`Note::verify`] checks the signatures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl Note {
    /// Signs a text, which must end in a line feed, under this name.
    pub fn sign(text: &str, name: &str, signer: &dyn Signer) -> Result<Note, NoteError> {
        if !is_text(text) {
            return Err(NoteError::Form("the text must be printable and end in a line feed"));
        }
        let key_id = VerifierKey::new(name, signer.public())?.key_id();
        let signature = signer.sign(text.as_bytes()).to_vec();
        Ok(Note { text: text.to_owned(), signatures: vec![SignatureLine { name: name.to_owned(), key_id, signature }] })
    }

    /// The signed text, with its final line feed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signature lines, checked or not.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Reads the form of a note.
    pub fn parse(bytes: &[u8]) -> Result<Note, NoteError> {
        let must = |holds: bool, what| if holds { Ok(()) } else { Err(NoteError::Form(what)) };
        must(bytes.len() <= MAX_NOTE, "too long")?;
        let all = std::str::from_utf8(bytes).map_err(|_| NoteError::Form("not UTF-8"))?;
        let split = all.rfind("\n\n").ok_or(NoteError::Form("no blank line before the signatures"))?;
        let (text, lines) = (&all[..split + 1], &all[split + 2..]);
        must(is_text(text), "the text has control characters or is empty")?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form("no line feed at the end"))?;
        let signatures: Vec<_> = lines.split('\n').map(signature_line).collect::<Result<_, _>>()?;
        must(signatures.len() <= MAX_SIGNATURES, "too many signatures")?;
        Ok(Note { text: text.to_owned(), signatures })
    }

    /// The known keys that have signed, in the order of their lines.
    pub fn verify<'k>(&self, known: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut good: Vec<&VerifierKey> = vec![];
        for line in &self.signatures {
            let Some(key) = known.iter().find(|key| key.name == line.name && key.key_id() == line.key_id) else {
                continue;
            };
            let signature = line.signature.as_slice().try_into();
            if !signature.is_ok_and(|s| sign::verify(&key.public, self.text.as_bytes(), s)) {
                return Err(NoteError::BadSignature(line.name.clone()));
            }
            good.push(key);
        }
        if good.is_empty() { Err(NoteError::Unsigned) } else { Ok(good) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for line in &self.signatures {
            let signature = STANDARD.encode([&line.key_id[..], &line.signature].concat());
            writeln!(f, "{LINE}{} {signature}", line.name)?;
        }
        Ok(())
    }
}

fn is_text(text: &str) -> bool {
    text.ends_with('\n') && text.len() > 1 && text.chars().all(|c| c == '\n' || c >= ' ')
}

fn signature_line(line: &str) -> Result<SignatureLine, NoteError> {
    let parts = line.strip_prefix(LINE).and_then(|rest| rest.split_once(' '));
    let (name, signature) = parts.ok_or(NoteError::Form("a line below the text is no signature"))?;
    let bytes = STANDARD.decode(signature).map_err(|_| NoteError::Form("a signature is not base64"))?;
    match bytes.split_first_chunk::<4>() {
        Some((key_id, rest)) if is_name(name) && !rest.is_empty() => {
            Ok(SignatureLine { name: name.to_owned(), key_id: *key_id, signature: rest.to_vec() })
        }
        _ => Err(NoteError::Form("a signature has no name or no content")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Ed25519Signer;

    /// From the specification of signed notes.
    const KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const NOTE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    fn key() -> VerifierKey {
        KEY.parse().unwrap()
    }

    #[test]
    fn the_published_note_is_read_and_verified() {
        assert_eq!(key().to_string(), KEY);
        let note = Note::parse(NOTE.as_bytes()).unwrap();
        assert_eq!(note.verify(&[key()]).unwrap(), [&key()]);
        assert_eq!(note.text(), "This is an example message.\n");
        assert_eq!(note.to_string(), NOTE);
    }

    #[test]
    fn no_changed_byte_verifies() {
        for at in 0..NOTE.len() {
            for flip in [1, 0x20, 0x80, 0xff] {
                let mut other = NOTE.as_bytes().to_vec();
                other[at] ^= flip;
                assert!(
                    Note::parse(&other).and_then(|n| n.verify(&[key()]).map(|_| ())).is_err(),
                    "byte {at} ^ {flip}"
                );
            }
            assert!(Note::parse(&NOTE.as_bytes()[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn unknown_keys_are_passed_over_and_known_ones_must_hold() {
        let other = Ed25519Signer::from_seed(&[1; 32]);
        let note = Note::sign("hello\n", "log.example", &other).unwrap();
        let its = VerifierKey::new("log.example", other.public()).unwrap();
        assert_eq!(note.verify(&[key()]), Err(NoteError::Unsigned));
        let both = format!("{}{}", note, NOTE.split_once("\n\n").unwrap().1);
        let both = Note::parse(both.as_bytes()).unwrap();
        assert_eq!(both.verify(std::slice::from_ref(&its)).unwrap(), [&its]);
        assert_eq!(both.verify(&[its, key()]), Err(NoteError::BadSignature("example.com/foo".to_owned())));
    }

    #[test]
    fn the_text_may_have_blank_lines_and_the_last_one_counts() {
        let signer = Ed25519Signer::from_seed(&[1; 32]);
        let note = Note::sign("one\n\ntwo\n", "log.example", &signer).unwrap();
        assert_eq!(Note::parse(note.to_string().as_bytes()), Ok(note));
        for bad in ["no line feed", "\n", "", "bell \u{7}\n", "tab\t\n", "cr\r\n"] {
            assert!(Note::sign(bad, "log.example", &signer).is_err(), "{bad:?}");
        }
        assert!(Note::sign("x\n", "log example", &signer).is_err());
    }

    #[test]
    fn keys_have_one_spelling() {
        for bad in [
            KEY.to_uppercase(),
            KEY.replace("530d903a", "530d903b"),
            KEY.replace("+530d903a", "+530d903a+"),
            KEY.replace("example", "exa mple"),
            KEY.replace("+Aek", "+Bek"),
            format!("{KEY}="),
            "example.com/foo".to_owned(),
            String::new(),
        ] {
            assert!(matches!(bad.parse::<VerifierKey>(), Err(NoteError::Key(_))), "{bad}");
        }
    }
}
