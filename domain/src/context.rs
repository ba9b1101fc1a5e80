//! Everything impure that a decision may use enters here: who, when, fresh ids, keys, secrets.

use std::net::IpAddr;

use uuid::Uuid;

use crate::command::Rejection;
use crate::date::Date;
use crate::role::{Permission, Permissions, Role};
use crate::sealed::{Open, Personal, Sealed};
use crate::terms::Text;
use crate::webhook::{SigningKeys, WebhookKind};

/// Frozen codes of who can act (leaf field "actor kind").
pub mod actor_kind {
    /// The server itself; nil id.
    pub const SYSTEM: u8 = 1;
    /// A natural person with an account.
    pub const MEMBER: u8 = 2;
    /// A program with credentials of its own.
    pub const API_CLIENT: u8 = 3;
    /// A kiosk.
    pub const DEVICE: u8 = 4;
    /// Who holds a link or a pass.
    pub const LINK_HOLDER: u8 = 5;
    /// Who runs the deployment.
    pub const OPERATOR: u8 = 6;
    /// Nobody we know; nil id.
    pub const ANONYMOUS: u8 = 7;
}

/// Who acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Actor {
    /// See [`actor_kind`].
    pub kind: u8,
    /// Member, device, link … id.
    pub id: Uuid,
    /// What it may do.
    pub role: Role,
    /// What it may beside that: of [`Role::Custom`], the company's own set.
    pub own: Option<Permissions>,
}

impl Actor {
    /// Somebody with one of the fixed roles.
    pub const fn new(kind: u8, id: Uuid, role: Role) -> Actor {
        Actor { kind, id, role, own: None }
    }

    /// The matrix, or their own set.
    pub fn may(&self, permission: Permission) -> bool {
        self.role.permits(permission) || self.own.is_some_and(|own| own.has(permission))
    }
}

/// The vault does not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unavailable;

/// What the layer below supplies. One command has one of it; ids, keys and secrets that a decision mints live in memory
/// until the command is executed, and are durable before its append.
pub trait World: Send {
    /// A new UUIDv7.
    fn fresh_id(&mut self) -> Uuid;
    /// Seals bytes for one person; makes the person's key if there is none. Returns (key version, box).
    fn seal(&mut self, subject: Uuid, plain: &[u8]) -> (u16, Vec<u8>);
    /// The person behind a personal fact (an address, a phone number): always the same id for the same fact.
    fn subject_for(&mut self, namespace: &'static str, fact: &str) -> Uuid;
    /// The person behind a personal fact, if [`World::subject_for`] has made one.
    fn known_subject(&mut self, namespace: &'static str, fact: &str) -> Option<Uuid>;
    /// The same for a decision that can go on without an answer. All other questions fail the command where the vault does
    /// not answer.
    fn try_known_subject(&mut self, namespace: &'static str, fact: &str) -> Result<Option<Uuid>, Unavailable>;
    /// The stream id of a fact that is not personal: always the same for the same fact.
    fn fingerprint(&mut self, namespace: &'static str, fact: &str) -> Uuid;
    /// A new secret of a kind (`lnk`, `inv`, `pas`, `kio`, `pat`) that leads to `owner`; only its SHA-256 comes back,
    /// events hold nothing else.
    fn secret(&mut self, kind: &'static str, owner: Uuid) -> [u8; 32];
    /// A new number for people to type that leads to `owner`; never used before in this company. It comes
    /// back in the clear; [`World::owner_of`] knows it as one of the kind `passcode`.
    fn passcode(&mut self, owner: Uuid, digits: u32) -> String;
    /// A new number that is mailed to `owner` and kept for that until this time; the one before is forgotten.
    fn mail_code(&mut self, owner: Uuid, digits: u32, until_us: i64) -> String;
    /// The texts that are in force here, in every language.
    fn texts(&mut self) -> Vec<Text>;
    /// What a secret or passcode of a kind leads to in this company. One that was withdrawn still leads to its owner, whose
    /// state knows that it is withdrawn and says so; `None` if there never was such a one, or its owner was erased.
    fn owner_of(&mut self, kind: &'static str, secret: &str) -> Option<Uuid>;
    /// The SHA-256 of a secret's text: what [`World::secret`] returned for it.
    fn hash(&mut self, secret: &str) -> [u8; 32];
    /// A new recovery code of a member: its SHA-256; the text is for the command's answer alone.
    fn recovery_code(&mut self, member: Uuid) -> [u8; 32];
    /// Which time step (30 s since 1970, RFC 6238) this six-digit code is of, if it is of the member's app and of the
    /// present step or a neighbour. `new` = of the app that is being set up.
    fn totp_step(&mut self, member: Uuid, new: bool, code: &str, now_us: i64) -> Option<u64>;
    /// The app that is being set up becomes the member's.
    fn keep_totp(&mut self, member: Uuid);
    /// Hashes a password or passcode and keeps the hash for its owner under this name, apart from the ledger.
    fn set_password(&mut self, credential: Uuid, member: Uuid, password: &str);
    /// Whether this is the password of that name.
    fn is_password(&mut self, credential: Uuid, password: &str) -> bool;
    /// New keys by which messages to an endpoint are signed. The secret is for the command's answer alone.
    fn signing_keys(&mut self, webhook: Uuid) -> SigningKeys;
    /// Keeps a text that only the server itself uses, apart from the ledger; what finds it again.
    fn keep(&mut self, kind: &'static str, owner: Uuid, text: &str) -> Uuid;
    /// Whether the server may be sent to this address by a company.
    fn may_send_to(&mut self, kind: WebhookKind, url: &str) -> bool;
    /// How many pages the printed file with this SHA-256 has; `None` if it is not there.
    fn pages(&mut self, sha256: &[u8; 32]) -> Option<u32>;
    /// Opens a box that [`World::seal`] made; `None` once the person was erased. Only for what stays in this decision.
    fn open(&mut self, subject: Uuid, key_version: u16, sealed: &[u8]) -> Option<Vec<u8>>;
    /// The person's keys were destroyed: nothing can be sealed for them any more.
    fn is_erased(&mut self, subject: Uuid) -> bool;
}

/// What a decision knows beside the state.
pub struct Context<'a> {
    /// The company.
    pub tenant: Uuid,
    /// Who acts.
    pub actor: Actor,
    /// The member behind the actor: themselves, or whose token it is.
    pub member: Option<Uuid>,
    /// For whom else they act: a secretary's lawyers.
    pub acts_for: Vec<Uuid>,
    /// Where the request came from, if it came from anywhere.
    pub from: Option<IpAddr>,
    /// Whoever acts has shown a moment ago that it is them. A token never has.
    pub is_fresh: bool,
    /// The login by which they act.
    pub session: Option<Uuid>,
    /// SHA-256 of the secret in the link by which they act.
    pub link: Option<[u8; 32]>,
    /// The writer's clock, microseconds since 1970-01-01 UTC.
    pub now_us: i64,
    /// The civil date in the company's zone that rules use.
    pub today: Date,
    /// The rest.
    pub world: &'a mut dyn World,
}

impl Context<'_> {
    /// Refuses whoever has not shown a moment ago that it is them: for what a login left open on a desk must not do.
    pub fn must_be_fresh(&self) -> Result<(), Rejection> {
        if self.is_fresh { Ok(()) } else { Err(Rejection::new("access.confirm_first")) }
    }

    /// A new id.
    pub fn fresh_id(&mut self) -> Uuid {
        self.world.fresh_id()
    }

    /// Personal fields of one person, ready for an event.
    pub fn seal<T: Personal>(&mut self, subject: Uuid, value: &T) -> Sealed<T> {
        let (version, sealed) = self.world.seal(subject, &crate::event::encode(value));
        Sealed::new(subject, version, sealed)
    }

    /// Personal fields of one person, for what stays in this decision; `None` once they were erased.
    pub fn open<T: Personal>(&mut self, sealed: &Sealed<T>) -> Option<T> {
        let bytes = self.world.open(sealed.subject, sealed.key_version, &sealed.sealed);
        sealed.open(&Opened(bytes))
    }
}

/// One box that is open already.
struct Opened(Option<Vec<u8>>);

impl Open for Opened {
    fn open(&self, _: Uuid, _: u16, _: &[u8]) -> Option<Vec<u8>> {
        self.0.clone()
    }
}
