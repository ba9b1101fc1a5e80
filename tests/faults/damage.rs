//! What a damaged data directory turns out to be when it is opened: refused, or exactly what it was. For the stories that
//! change bytes and rows behind the server's back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use keiin_eventlog::anchor::{AnchorError, Anchorer};
use keiin_eventlog::bundle::{Header, Writer};
use keiin_eventlog::checkpoint::Checkpoint;
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::log::Log;
use keiin_eventlog::note::{Note, VerifierKey};
use keiin_eventlog::record::{Leaf, Party, Record, Stream};
use keiin_eventlog::scrub::Scrub;
use keiin_eventlog::store::sqlite::SqliteStore;
use keiin_eventlog::store::{Append, Draft, Outcome, Span, Store, StoreError};
use keiin_eventlog::vault::Vault;
use keiin_eventlog::verify::{Options, Verdict, verify};
use keiin_tests::{Company, Deployment};
use uuid::Uuid;

const LOG_NAME: &str = "localhost";

/// A ledger as somebody saw it while all was well.
pub struct Good {
    pub records: Vec<Record>,
    pub checkpoint: Note,
    pub keys: Vec<VerifierKey>,
}

/// A data directory with a few companies, stopped, and what is in it.
pub struct Subject {
    pub deployment: Deployment,
    pub companies: Vec<Company>,
    pub ledgers: BTreeMap<Uuid, Good>,
}

/// What became of a changed copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It does not open at all; why.
    Closed(String),
    /// These ledgers are not served, with the reason; every other one is what it was, and can be written.
    Refused(BTreeMap<Uuid, String>),
    /// Everything is what it was, and can be written.
    Same,
    /// Something is served that is not what it was.
    Wrong(String),
}

impl Subject {
    /// Companies with a working day's records each, everything anchored.
    pub fn new(names: &[&str]) -> Subject {
        let deployment = Deployment::new();
        let server = deployment.serve();
        let companies: Vec<Company> = names.iter().map(|name| Company::sign_up(&server, name)).collect();
        for company in &companies {
            (0..3).for_each(|_| drop(company.new_client()));
            company.new_document();
            company.settle();
            company.checkpoint();
        }
        assert_eq!(server.stop(), 0);
        Subject::of(deployment, companies)
    }

    /// One company, and a server that was killed: what was written last, all of it anchored, is in a write-ahead log.
    pub fn killed(name: &str) -> Subject {
        let deployment = Deployment::new();
        let mut server = deployment.serve();
        let company = Company::sign_up(&server, name);
        (0..5).for_each(|_| drop(company.new_client()));
        company.settle();
        company.checkpoint();
        // The root ledger's last record, a login or a sign-up, is anchored in the same second.
        std::thread::sleep(Duration::from_millis(1_500));
        server.kill();
        // What is good is read from a copy, which opening moves into the file.
        Subject::of(deployment, vec![company])
    }

    /// A deployment that nobody serves.
    pub fn of(deployment: Deployment, companies: Vec<Company>) -> Subject {
        // From a copy: opening would move a write-ahead log into its file.
        let copy = copy_of(&deployment);
        let ledgers = block_on(good(&copy.data));
        assert!(ledgers.len() == companies.len() + 1, "the companies and the root ledger");
        Subject { deployment, companies, ledgers }
    }

    /// A file of the data directory.
    pub fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.deployment.data().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// A copy of the data directory to spoil.
    pub fn copy(&self) -> Copy {
        copy_of(&self.deployment)
    }

    /// Opens a copy as the server would, reads everything, lets the scrub read everything, writes one record to each
    /// ledger that is served and verifies the result as an auditor who has kept the old checkpoint.
    pub fn fate(&self, data: &Path) -> Fate {
        let work = async { tokio::spawn(fate(data.to_owned(), self.expected())).await };
        block_on(work).unwrap_or_else(|panic| Fate::Wrong(format!("panicked: {panic}")))
    }

    fn expected(&self) -> BTreeMap<Uuid, (Vec<Record>, Note, Vec<VerifierKey>)> {
        let copy = |good: &Good| (good.records.clone(), good.checkpoint.clone(), good.keys.clone());
        self.ledgers.iter().map(|(ledger, good)| (*ledger, copy(good))).collect()
    }
}

/// A spoilt data directory, removed in the end.
pub struct Copy {
    _folder: tempfile::TempDir,
    pub data: PathBuf,
}

fn copy_of(deployment: &Deployment) -> Copy {
    let folder = tempfile::tempdir_in(deployment.folder()).expect("a temporary folder");
    let data = folder.path().join("data");
    assert!(Command::new("cp").arg("-a").arg(deployment.data()).arg(&data).status().expect("cp runs").success());
    Copy { _folder: folder, data }
}

/// Runs something of the event log's.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

/// A deployment opened in this process.
pub struct Node {
    pub keys: Arc<Keyring>,
    pub vault: Arc<Vault>,
    pub log: Log,
    pub anchorer: Arc<Anchorer>,
    path: PathBuf,
}

impl Node {
    /// As the server opens it.
    pub async fn open(data: &Path) -> Result<Node, String> {
        let text = |e: &dyn std::fmt::Display| e.to_string();
        let keys = Arc::new(Keyring::open(&data.join("keys")).map_err(|e| text(&e))?);
        let kek = keys.kek().map_err(|e| text(&e))?;
        let vault = Arc::new(Vault::open(&data.join("vault.db"), kek).map_err(|e| text(&e))?);
        let path = data.join("log.db");
        let store = SqliteStore::open(&path, keys.clone()).map_err(|e| text(&e))?;
        let log = Log::open(Arc::new(store));
        let anchor = data.join("anchor.db");
        let anchorer = Anchorer::open(&anchor, log.clone(), vault.clone(), keys.clone(), LOG_NAME).await;
        Ok(Node { keys, vault, log, anchorer: anchorer.map_err(|e| text(&e))?, path })
    }

    /// One round of the scrub, working this percentage of the time.
    pub async fn scrub(&self, share: u32) -> keiin_eventlog::scrub::Round {
        let path = self.path.clone();
        let fresh = move || match SqliteStore::open_reader(&path) {
            Ok(store) => Ok(Arc::new(store) as Arc<dyn Store>),
            Err(error) => Err(StoreError::Unavailable(error.to_string())),
        };
        let scrub = Scrub::new(&self.anchorer, self.keys.public_keys(), Box::new(fresh));
        let handle = tokio::runtime::Handle::current();
        let round = std::thread::spawn(move || scrub.round(&handle, share));
        tokio::task::spawn_blocking(move || round.join().expect("the scrub does not panic")).await.expect("it ends")
    }

    fn verifier_keys(&self, checkpoint: &Note) -> Vec<VerifierKey> {
        let origin = Checkpoint::parse(checkpoint.text()).expect("our own checkpoint").origin;
        self.keys.public_keys().into_iter().map(|key| VerifierKey::new(&origin, key).expect("our own key")).collect()
    }
}

async fn good(data: &Path) -> BTreeMap<Uuid, Good> {
    let node = Node::open(data).await.expect("a sound deployment opens");
    let mut all = BTreeMap::new();
    for ledger in node.log.ledgers().await.expect("ledgers") {
        let anchored = node.anchorer.anchor_now(ledger).await.expect("anchored");
        let records = node.log.read(ledger, 0, anchored.size as usize).await.expect("records");
        let checkpoint = anchored.checkpoint.clone();
        all.insert(ledger, Good { records, keys: node.verifier_keys(&checkpoint), checkpoint });
    }
    all
}

/// Does a copy in which nothing was meant to be lost open and go on? Ledgers may have grown since they were good.
pub async fn goes_on(data: &Path, good: &BTreeMap<Uuid, Good>) -> Result<(), String> {
    let node = Node::open(data).await?;
    for (ledger, good) in good {
        if let Some(why) = node.log.refusal(*ledger) {
            return Err(format!("ledger {ledger}: {why}"));
        }
        let grown = node.log.read(*ledger, 0, good.records.len() + 100).await.map_err(|e| e.to_string())?;
        if !grown.starts_with(&good.records) {
            return Err(format!(
                "ledger {ledger} has other records, or {} instead of {}",
                grown.len(),
                good.records.len()
            ));
        }
        // Signed with whatever key is there now; the checkpoint of old must lead to what comes out.
        let checkpoint = &node.anchorer.anchor_now(*ledger).await.map_err(|e| e.to_string())?.checkpoint;
        let keys = node.verifier_keys(checkpoint);
        if let Some(why) = write_one(&node, *ledger, &grown, &good.checkpoint, &keys).await? {
            return Err(format!("ledger {ledger} cannot be written: {why}"));
        }
    }
    Ok(())
}

type Expected = BTreeMap<Uuid, (Vec<Record>, Note, Vec<VerifierKey>)>;

async fn fate(data: PathBuf, expected: Expected) -> Fate {
    let node = match Node::open(&data).await {
        Ok(node) => node,
        Err(why) => return Fate::Closed(why),
    };
    // What was read before the scrub came by must not be wrong either.
    let mut refused = BTreeMap::new();
    for (ledger, (records, ..)) in &expected {
        if let Err(wrong) = read_all(&node, *ledger, records).await {
            return Fate::Wrong(format!("ledger {ledger}: {wrong}"));
        }
    }
    let round = node.scrub(100).await;
    for (ledger, (records, checkpoint, keys)) in &expected {
        if let Some(why) = node.log.refusal(*ledger) {
            refused.insert(*ledger, why);
            continue;
        }
        // What could not be read must be refused: trouble alone keeps nobody from writing.
        if let Some(trouble) = round.trouble.iter().find(|t| t.contains(&ledger.to_string())) {
            return Fate::Wrong(format!("served all the same: {trouble}"));
        }
        match write_one(&node, *ledger, records, checkpoint, keys).await {
            Ok(None) => {}
            Ok(Some(why)) => drop(refused.insert(*ledger, why)),
            Err(wrong) => return Fate::Wrong(format!("ledger {ledger}: {wrong}")),
        }
    }
    if refused.is_empty() { Fate::Same } else { Fate::Refused(refused) }
}

/// Every read of a ledger is an error or what it was.
async fn read_all(node: &Node, ledger: Uuid, good: &[Record]) -> Result<(), String> {
    let mut at = 0;
    while at < good.len() {
        match node.log.read(ledger, at as u64, 16).await {
            Err(_) => at += 16,
            Ok(records) if records.is_empty() => return Err(format!("ends at position {at} and says nothing")),
            Ok(records) => {
                // A read checks leaf and body. Signatures are the verifier's and the scrub's to check.
                let differs =
                    |(found, good): (&Record, &Record)| (&found.leaf, &found.body) != (&good.leaf, &good.body);
                if records.iter().zip(&good[at..]).any(differs) {
                    return Err(format!("other records at position {at}"));
                }
                at += records.len();
            }
        }
    }
    for record in good {
        let leaf = Leaf::decode(&record.leaf).expect("a good leaf");
        if let Ok(records) = node.log.read_stream(ledger, &leaf.stream, leaf.stream_version, 1).await
            && records.first().is_some_and(|found| found.leaf != record.leaf || found.body != record.body)
        {
            return Err(format!("another record of the stream at position {}", leaf.position));
        }
    }
    Ok(())
}

/// Writes to a ledger that is served. `Ok(Some)`: it could not be written or proved; why.
async fn write_one(
    node: &Node,
    ledger: Uuid,
    good: &[Record],
    kept: &Note,
    keys: &[VerifierKey],
) -> Result<Option<String>, String> {
    let last = Leaf::decode(&good.last().expect("records").leaf).expect("a good leaf");
    // The same append as the last one of old: idempotency must still know it.
    let again = Append {
        ledger,
        append_id: last.append_id,
        time_us: last.time_us + 1,
        actor: Party { kind: 2, id: Uuid::from_u128(7) },
        on_behalf_of: None,
        cause: None,
        expect: vec![],
        drafts: vec![Draft {
            stream: Stream::new("thing", Uuid::from_u128(11)),
            event_kind: "thing.happened".to_owned(),
            event_version: 1,
            sealed_epoch: Some(1),
            body: vec![7; 90],
        }],
    };
    let first = last.position + 1 - u64::from(last.count);
    match node.log.append(again.clone()).await {
        Outcome::Known(span) if span == (Span { first, last: last.position }) => {}
        Outcome::Committed(_) => return Err("an append was done twice".to_owned()),
        Outcome::Known(span) => return Err(format!("a known append is answered with {span:?}")),
        other => return Ok(Some(format!("{other:?}"))),
    }
    let fresh = Append { append_id: Uuid::from_u128(0x0190_0000_0000_7000_9000_0000_0000_0001), ..again };
    match node.log.append(fresh).await {
        Outcome::Committed(span) if span.first == good.len() as u64 => {}
        Outcome::Committed(span) => return Err(format!("written at {span:?} after {} records", good.len())),
        other => return Ok(Some(format!("{other:?}"))),
    }
    let anchored = match node.anchorer.anchor_now(ledger).await {
        Ok(anchored) => anchored,
        Err(error @ (AnchorError::Refused(..) | AnchorError::Store(_) | AnchorError::NoSigner(_))) => {
            return Ok(Some(error.to_string()));
        }
        Err(error) => return Ok(Some(error.to_string())),
    };
    let records = match node.log.read(ledger, 0, anchored.size as usize).await {
        Ok(records) => records,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let bundle = bundle(&records, &anchored.checkpoint);
    let options = Options { keys: keys.to_vec(), checkpoints: vec![kept.clone()], deep: true, ..Options::default() };
    let report = verify(&bundle[..], &options);
    if report.verdict == Verdict::Verified { Ok(None) } else { Err(format!("its export is refuted: {report:?}")) }
}

/// Appends this many records, 50 at a time.
pub async fn fill(node: &Node, ledger: Uuid, records: usize) {
    for n in 0..records / 50 {
        let draft = |_| Draft {
            stream: Stream::new("thing", Uuid::from_u128(1_000 + n as u128)),
            event_kind: "thing.happened".to_owned(),
            event_version: 1,
            sealed_epoch: Some(1),
            body: vec![n as u8; 300],
        };
        let append = Append {
            ledger,
            append_id: Uuid::from_u128(0x0190_0000_0000_7000_9000_0000_0001_0000 + n as u128),
            time_us: keiin::clock::now_us() as u64,
            actor: Party { kind: 2, id: Uuid::from_u128(7) },
            on_behalf_of: None,
            cause: None,
            expect: vec![],
            drafts: (0..50).map(draft).collect(),
        };
        let outcome = node.log.append(append).await;
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    }
}

/// Records as a whole bundle under this checkpoint.
pub fn bundle(records: &[Record], checkpoint: &Note) -> Vec<u8> {
    let header = Header { opened: false, first: 0, count: records.len() as u64 };
    let mut writer = Writer::new(vec![], header, checkpoint, None).expect("a bundle");
    records.iter().for_each(|record| writer.record(record, None).expect("written"));
    writer.finish().expect("as many as announced")
}

/// What fates a run of changes met.
#[derive(Default, Debug)]
pub struct Tally {
    pub changes: usize,
    pub closed: usize,
    pub refused: usize,
    pub named: usize,
    pub same: usize,
}

impl Tally {
    /// Counts, and fails on what is wrong.
    #[track_caller]
    pub fn add(&mut self, what: &str, fate: Fate) {
        self.changes += 1;
        match fate {
            Fate::Wrong(why) => panic!("{what}: {why}"),
            Fate::Closed(_) => self.closed += 1,
            Fate::Same => self.same += 1,
            Fate::Refused(ledgers) => {
                self.refused += 1;
                let names = |why: &String| why.contains("position ") || why.contains("below the checkpoint");
                self.named += usize::from(ledgers.values().all(names));
            }
        }
    }
}
