//! Companies in a real log: SQLite store, vault, read models on any engine, and every command decided by the domain.
#![allow(dead_code)] // Each test binary uses a part.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keiin_domain::command::{Command, On, State};
use keiin_domain::context::{Actor, Context, Unavailable, World, actor_kind};
use keiin_domain::date::{Date, ZONE_S};
use keiin_domain::envelope::{self, ContextV1};
use keiin_domain::event::Stored;
use keiin_domain::role::Role;
use keiin_domain::sealed::{Origin, Sealed};
use keiin_domain::tenant::OpenTenant;
use keiin_domain::terms::Text;
use keiin_domain::webhook::{SigningKeys, WebhookKind};
use keiin_eventlog::checkpoint;
use keiin_eventlog::clear::{self, Clear};
use keiin_eventlog::keys::FileKek;
use keiin_eventlog::log::Log;
use keiin_eventlog::postgres::Address;
use keiin_eventlog::record::{Hash, Party, Stream};
use keiin_eventlog::seal::{self, BodyPlace, Key, SubjectKeyId};
use keiin_eventlog::sign::{Ed25519Signer, Signer};
use keiin_eventlog::store::sqlite::SqliteStore;
use keiin_eventlog::store::{Append, Draft, Expectation, Outcome};
use keiin_eventlog::vault::{NewSubjectKey, Vault};
use keiin_projections::catalog::PROJECTIONS;
use keiin_projections::database::Database;
use keiin_projections::fact::Fact;
use keiin_projections::query::{PAGING, Params, Query, Read, Refusal, Who};
use keiin_projections::runner::{Projection, Runner};
use keiin_test_postgres::Server;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

/// 2026-11-02 09:00 in Japan.
pub const NINE: i64 = 1_793_577_600_000_000;
/// One hour.
pub const HOUR: i64 = 3_600_000_000;

/// Another id at each call, in order.
pub fn fresh() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(0x0190_0000_0000_7000_9000_0000_0000_0000 + u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// An engine of read models.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Runs these functions of a house once for each engine.
#[macro_export]
macro_rules! on_every_engine {
    ($($test:ident)+) => {
        $crate::on_every_engine! { sqlite = Sqlite: $($test)+ }
        $crate::on_every_engine! { postgres = Postgres: $($test)+ }
    };
    ($name:ident = $engine:ident: $($test:ident)+) => {
        mod $name {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::support::House::on($crate::support::Engine::$engine)).await
            })+
        }
    };
}

/// A server without HTTP.
pub struct House {
    pub engine: Engine,
    pub dir: TempDir,
    /// Where the read models are: a path or a URL.
    pub place: String,
    /// The same, as this node holds it.
    pub database: Database,
    pub log: Log,
    pub vault: Arc<Vault>,
    pub signer: Arc<Ed25519Signer>,
    /// Microseconds UTC.
    pub now: AtomicU64,
}

fn database(engine: Engine, place: &str) -> Database {
    match engine {
        Engine::Sqlite => Database::sqlite(place),
        Engine::Postgres => Database::postgres(Address::parse(place).unwrap()),
    }
}

/// Who acts in one company.
#[derive(Clone, Copy)]
pub struct Person {
    pub ledger: Uuid,
    pub actor: Actor,
}

impl House {
    pub fn on(engine: Engine) -> House {
        let dir = tempfile::tempdir().unwrap();
        let signer = Arc::new(Ed25519Signer::from_seed(&[7; 32]));
        let store = SqliteStore::open(&dir.path().join("log.db"), signer.clone()).unwrap();
        let kek = Arc::new(FileKek::new(Key::new([9; 32])));
        let vault = Arc::new(Vault::open(&dir.path().join("vault.db"), kek).unwrap());
        let log = Log::open(Arc::new(store));
        let place = match engine {
            Engine::Sqlite => dir.path().join("read.db").to_str().unwrap().to_owned(),
            Engine::Postgres => Server::shared().database(),
        };
        House {
            engine,
            database: database(engine, &place),
            place,
            log,
            vault,
            signer,
            dir,
            now: AtomicU64::new(NINE as u64),
        }
    }

    pub fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst) as i64
    }

    pub fn later(&self, us: i64) {
        self.now.fetch_add(us as u64, Ordering::SeqCst);
    }

    pub async fn runner(&self) -> Arc<Runner> {
        self.runner_of(PROJECTIONS).await
    }

    /// Loses the read models; no runner may be open.
    pub fn lose_read_models(&self) {
        match self.engine {
            Engine::Sqlite => std::fs::remove_file(&self.place).unwrap(),
            Engine::Postgres => {
                let drop =
                    self.schemas().iter().map(|schema| format!("DROP SCHEMA {schema} CASCADE;")).collect::<String>();
                self.as_superuser(&drop);
            }
        }
    }

    /// The schemas of read models on PostgreSQL, one a version.
    pub fn schemas(&self) -> Vec<String> {
        let sql = "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'keiin_read') ORDER BY 1";
        self.as_superuser(sql).lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    }

    /// Runs SQL on PostgreSQL past all rules.
    pub fn as_superuser(&self, sql: &str) -> String {
        Server::shared().sql(self.place.rsplit('/').next().unwrap(), sql)
    }

    /// A runner that shares nothing with this process's other ones but the place.
    pub async fn another_node(&self, projections: &'static [Projection]) -> Arc<Runner> {
        let place = database(self.engine, &self.place);
        Runner::open(place, self.log.clone(), self.vault.clone(), projections).await.unwrap()
    }

    pub async fn runner_of(&self, projections: &'static [Projection]) -> Arc<Runner> {
        Runner::open(self.database.clone(), self.log.clone(), self.vault.clone(), projections).await.unwrap()
    }

    pub fn read(&self) -> Read {
        Read::new(self.database.clone(), self.log.clone(), self.vault.clone(), [3; 32])
    }

    /// Opens a ledger and signs a company up; its owner.
    pub async fn company(&self, slug: &str) -> Person {
        let ledger = fresh();
        self.vault.create_ledger(ledger).unwrap();
        let origin = checkpoint::Origin::new("log.example.jp", ledger, 1).unwrap();
        self.clear(ledger, Clear::Opened { origin, signer: self.signer.public(), recovery: None }).await;
        let nobody = Actor::new(actor_kind::ANONYMOUS, Uuid::nil(), Role::System);
        let open = json!({ "company": format!("株式会社{slug}"), "slug": slug, "name": "田中 花子",
            "email": format!("hanako@{slug}.example.jp"), "password": "correct horse battery" });
        self.run::<OpenTenant>(Person { ledger, actor: nobody }, None, open).await;
        let owner = self.vault.subject_for(ledger, "member", &format!("hanako@{slug}.example.jp")).unwrap();
        Person { ledger, actor: Actor::new(actor_kind::MEMBER, owner, Role::Owner) }
    }

    /// Runs a command as the server would; the object's id.
    pub async fn run<C: Command>(&self, who: Person, target: Option<Uuid>, command: Value) -> Uuid {
        let ledger = who.ledger;
        let command: C = serde_json::from_value(command).unwrap();
        let mut world = Minted { vault: &self.vault, ledger, new_keys: vec![] };
        let today = Date::at(self.now(), ZONE_S);
        let member = (who.actor.kind == actor_kind::MEMBER).then_some(who.actor.id);
        let mut ctx = Context {
            tenant: ledger,
            actor: who.actor,
            from: None,
            session: None,
            link: None,
            is_fresh: true,
            now_us: self.now(),
            today,
            member,
            acts_for: vec![],
            world: &mut world,
        };
        let mut ids = command.streams(target.unwrap_or_else(fresh), &mut ctx).unwrap();
        let mut parts = vec![];
        for (at, id) in ids.iter().enumerate() {
            let past = if C::On::READS { self.events(ledger, C::On::kind(at), *id).await } else { vec![] };
            parts.push((*id, past));
        }
        let object: On<<C::On as State>::Object> = On::fold(parts[0].0, &parts[0].1).unwrap();
        for id in command.linked(&object, &mut ctx).unwrap() {
            parts.push((id, self.events(ledger, C::On::kind(ids.len()), id).await));
            ids.push(id);
        }
        let on = C::On::fold(&parts).unwrap();
        let emits = command.decide(&on, &mut ctx).unwrap_or_else(|r| panic!("{}: {r:?}", C::NAME));
        let origin = member.map(|member| {
            let origin = Origin { ip: "192.0.2.7".into(), user_agent: "curl/8".into() };
            let (version, sealed) = world.seal(member, &keiin_domain::event::encode(&origin));
            Sealed::new(member, version, sealed)
        });
        let context = ContextV1 { request_id: Some(fresh()), today, origin, ..ContextV1::default() };
        self.vault.put_subjects(ledger, &world.new_keys).unwrap();
        let streams = ids.iter().enumerate().map(|(at, id)| Stream::new(C::On::kind(at), *id));
        let expect = streams.zip(on.versions()).filter(|_| C::On::READS);
        let expect = expect.map(|(stream, version)| Expectation { stream, version }).collect();
        let events = emits.into_iter().map(|emit| (Stream::new(emit.stream, emit.id), emit.event)).collect();
        self.append(who, Some(context), events, expect).await;
        ids[0]
    }

    /// Appends events as they are; the first position.
    pub async fn append(
        &self,
        who: Person,
        context: Option<ContextV1>,
        events: Vec<(Stream, Stored)>,
        expect: Vec<Expectation>,
    ) -> u64 {
        let ledger = who.ledger;
        let key = self.vault.current_body_key(ledger).unwrap();
        let draft = |(n, (stream, event)): (usize, (Stream, Stored))| {
            let text = envelope::write(context.as_ref().filter(|_| n == 0), &event.bytes);
            let place = BodyPlace { ledger, event_version: event.version, event_kind: &event.kind };
            let body = seal::seal_body(&key, place, &seal::fresh_salt(), &text).unwrap();
            Draft {
                stream,
                event_kind: event.kind,
                event_version: event.version,
                sealed_epoch: Some(key.epoch()),
                body,
            }
        };
        let drafts = events.into_iter().enumerate().map(draft).collect();
        let actor = Party { kind: who.actor.kind, id: who.actor.id };
        self.commit(Append {
            ledger,
            append_id: fresh(),
            time_us: self.now() as u64,
            actor,
            on_behalf_of: None,
            cause: None,
            expect,
            drafts,
        })
        .await
    }

    /// Appends a record of the ledger itself.
    pub async fn clear(&self, ledger: Uuid, what: Clear) -> u64 {
        let draft = Draft {
            stream: Stream::new(clear::STREAM, ledger),
            event_kind: what.kind().to_owned(),
            event_version: 1,
            sealed_epoch: None,
            body: what.encode(),
        };
        let (append_id, time_us) = (fresh(), self.now() as u64);
        self.commit(Append {
            ledger,
            append_id,
            time_us,
            actor: Party::SYSTEM,
            on_behalf_of: None,
            cause: None,
            expect: vec![],
            drafts: vec![draft],
        })
        .await
    }

    async fn commit(&self, append: Append) -> u64 {
        match self.log.append(append).await {
            Outcome::Committed(span) => span.first,
            other => panic!("{other:?}"),
        }
    }

    /// Destroys a person's keys, then says so.
    pub async fn erase(&self, ledger: Uuid, subject: Uuid) {
        self.vault.erase_subject(ledger, subject).unwrap();
        self.clear(ledger, Clear::SubjectErased { subject }).await;
    }

    async fn events(&self, ledger: Uuid, kind: &str, id: Uuid) -> Vec<Stored> {
        let records = self.log.read_stream(ledger, &Stream::new(kind, id), 0, 1_000).await.unwrap();
        records.iter().map(|record| Fact::open(record, &self.vault).unwrap().event).collect()
    }
}

impl Person {
    pub fn who(self, house: &House) -> Who {
        Who {
            ledger: self.ledger,
            actor: self.actor,
            member: Some(self.actor.id),
            acts_for: vec![],
            now_us: house.now(),
        }
    }
    pub fn with_role(self, role: Role) -> Person {
        Person { actor: Actor { role, ..self.actor }, ..self }
    }
    /// Another member of the same company.
    pub fn named(self, id: Uuid, role: Role) -> Person {
        Person { actor: Actor { id, role, ..self.actor }, ..self }
    }
    pub fn kiosk(self, id: Uuid) -> Person {
        Person { actor: Actor::new(actor_kind::DEVICE, id, Role::Device), ..self }
    }
    pub fn holder(self, id: Uuid) -> Person {
        Person { actor: Actor::new(actor_kind::LINK_HOLDER, id, Role::LinkHolder), ..self }
    }
    pub fn operator(self, id: Uuid) -> Person {
        Person { actor: Actor::new(actor_kind::OPERATOR, id, Role::Operator), ..self }
    }
    pub fn system(self) -> Person {
        Person { actor: Actor::new(actor_kind::SYSTEM, Uuid::nil(), Role::System), ..self }
    }
}

/// Asks a query with these parameters, checked as HTTP checks them.
pub async fn ask<Q: Query>(house: &House, who: Person, params: &[(&str, &str)]) -> Result<Value, Refusal> {
    let given: BTreeMap<_, _> = params.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let paging: &[_] = if Q::LIST { &PAGING } else { &[] };
    let params = Params::read(given, &[Q::PARAMS, paging]).unwrap();
    Ok(serde_json::to_value(Q::run(&house.read(), &who.who(house), &params).await?).unwrap())
}

/// One column of a list's items.
pub fn column<'a>(list: &'a Value, pointer: &str) -> Vec<&'a str> {
    list["items"].as_array().unwrap().iter().map(|item| item.pointer(pointer).unwrap().as_str().unwrap()).collect()
}

struct Minted<'a> {
    vault: &'a Vault,
    ledger: Uuid,
    new_keys: Vec<NewSubjectKey>,
}

impl World for Minted<'_> {
    fn pages(&mut self, _: &[u8; 32]) -> Option<u32> {
        Some(1)
    }
    fn fresh_id(&mut self) -> Uuid {
        fresh()
    }
    fn seal(&mut self, subject: Uuid, plain: &[u8]) -> (u16, Vec<u8>) {
        let known = self.vault.newest_subject_key(self.ledger, subject).unwrap().map(|(_, key)| key);
        let minted = self.new_keys.iter().find(|new| new.subject == subject).map(|new| new.key.clone());
        let key = known.or(minted).unwrap_or_else(|| {
            let key = seal::fresh_key();
            self.new_keys.push(NewSubjectKey { subject, version: 1, key: key.clone() });
            key
        });
        let id = SubjectKeyId { ledger: self.ledger, subject, version: 1 };
        (1, seal::seal_value(&key, id, &seal::fresh_salt(), plain).unwrap())
    }
    fn subject_for(&mut self, namespace: &'static str, fact: &str) -> Uuid {
        self.vault.subject_for(self.ledger, namespace, fact).unwrap()
    }
    fn known_subject(&mut self, namespace: &'static str, fact: &str) -> Option<Uuid> {
        self.vault.find_subject(self.ledger, namespace, fact).unwrap()
    }
    fn try_known_subject(&mut self, namespace: &'static str, fact: &str) -> Result<Option<Uuid>, Unavailable> {
        Ok(self.known_subject(namespace, fact))
    }
    fn fingerprint(&mut self, namespace: &'static str, fact: &str) -> Uuid {
        self.vault.fingerprint(self.ledger, namespace, fact).unwrap()
    }
    fn secret(&mut self, kind: &'static str, owner: Uuid) -> [u8; 32] {
        Hash::of(format!("{kind} {owner}").as_bytes()).0
    }
    fn passcode(&mut self, owner: Uuid, _: u32) -> String {
        format!("{:08}", owner.as_u128() % 100_000_000)
    }
    fn mail_code(&mut self, _: Uuid, digits: u32, _: i64) -> String {
        "1".repeat(digits as usize)
    }
    fn texts(&mut self) -> Vec<Text> {
        vec![]
    }
    fn owner_of(&mut self, _: &'static str, _: &str) -> Option<Uuid> {
        None
    }
    fn hash(&mut self, secret: &str) -> [u8; 32] {
        Hash::of(secret.as_bytes()).0
    }
    fn recovery_code(&mut self, _: Uuid) -> [u8; 32] {
        self.hash("a recovery code")
    }
    fn totp_step(&mut self, _: Uuid, _: bool, code: &str, _: i64) -> Option<u64> {
        code.parse().ok()
    }
    fn keep_totp(&mut self, _: Uuid) {}
    fn set_password(&mut self, _: Uuid, _: Uuid, _: &str) {}
    fn is_password(&mut self, _: Uuid, _: &str) -> bool {
        false
    }
    fn signing_keys(&mut self, webhook: Uuid) -> SigningKeys {
        SigningKeys { id: fresh(), public_key: Hash::of(webhook.as_bytes()).0 }
    }
    fn keep(&mut self, _: &'static str, _: Uuid, _: &str) -> Uuid {
        fresh()
    }
    fn may_send_to(&mut self, _: WebhookKind, _: &str) -> bool {
        true
    }
    fn open(&mut self, _: Uuid, _: u16, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
    fn is_erased(&mut self, _: Uuid) -> bool {
        false
    }
}
