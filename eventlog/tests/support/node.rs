//! A deployment for tests: key files, vault, log and anchor in one directory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keiin_eventlog::anchor::{AnchorError, Anchorer, Stamp};
use keiin_eventlog::bundle::{Header, Writer};
use keiin_eventlog::checkpoint::Checkpoint;
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::log::Log;
use keiin_eventlog::note::VerifierKey;
use keiin_eventlog::sign::PublicKey;
use keiin_eventlog::store::sqlite::SqliteStore;
use keiin_eventlog::store::{Append, Outcome};
use keiin_eventlog::vault::Vault;
use uuid::Uuid;

use super::*;

/// The log name of these tests.
pub const LOG_NAME: &str = "log.example.jp";

/// A whole deployment in one directory.
pub struct Node {
    pub store: Arc<SqliteStore>,
    pub keys: Arc<Keyring>,
    pub vault: Arc<Vault>,
    pub log: Log,
    pub anchorer: Arc<Anchorer>,
}

impl Node {
    pub async fn open(dir: &Path) -> Node {
        Node::try_open(dir).await.unwrap()
    }

    pub async fn try_open(dir: &Path) -> Result<Node, AnchorError> {
        let keys = dir.join("keys");
        let keys = Arc::new(if keys.exists() { Keyring::open(&keys) } else { Keyring::create(&keys) }.unwrap());
        let vault = Arc::new(Vault::open(&dir.join("vault.db"), keys.kek().unwrap()).unwrap());
        let store = Arc::new(SqliteStore::open(&dir.join("log.db"), keys.clone()).unwrap());
        let log = Log::open(store.clone());
        let anchorer =
            Anchorer::open(&dir.join("anchor.db"), log.clone(), vault.clone(), keys.clone(), LOG_NAME).await?;
        Ok(Node { store, keys, vault, log, anchorer })
    }

    /// Ends everything and waits for it, as the end of a process would.
    pub async fn close(self) {
        let Node { mut store, keys, vault, log, anchorer } = self;
        drop((keys, vault, log, anchorer));
        loop {
            match Arc::try_unwrap(store) {
                Ok(_closed) => return,
                Err(still) => store = still,
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub async fn ledger(&self, n: u64) -> Uuid {
        let id = ledger(n);
        self.write(opened(id, &*self.keys.current())).await;
        id
    }

    pub async fn write(&self, append: Append) {
        let outcome = self.log.append(append).await;
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    }

    pub async fn fill(&self, ledger: Uuid, records: usize) {
        let one = stream("thing");
        for _ in 0..records / 50 {
            self.write(append(ledger, &vec![&one; 50])).await;
        }
        if !records.is_multiple_of(50) {
            self.write(append(ledger, &vec![&one; records % 50])).await;
        }
    }

    pub fn verifier(&self, ledger: Uuid) -> [VerifierKey; 1] {
        let anchored = self.anchorer.latest(ledger).unwrap();
        let origin = Checkpoint::parse(anchored.checkpoint.text()).unwrap().origin;
        [VerifierKey::new(&origin, self.keys.current().public()).unwrap()]
    }

    pub async fn proves(&self, ledger: Uuid, position: u64) {
        let proof = self.anchorer.proof(ledger, position).await.unwrap();
        let record = self.log.read(ledger, position, 1).await.unwrap().remove(0);
        proof.verify(&record.hash(), &self.verifier(ledger)).unwrap();
    }

    /// The key of a ledger's checkpoints, if `public` signs them.
    pub fn vkey(&self, ledger: Uuid, public: PublicKey) -> VerifierKey {
        let anchored = self.anchorer.latest(ledger).unwrap();
        VerifierKey::new(&Checkpoint::parse(anchored.checkpoint.text()).unwrap().origin, public).unwrap()
    }

    /// The whole ledger as an auditor gets it, up to a fresh checkpoint.
    pub async fn bundle(&self, ledger: Uuid) -> Vec<u8> {
        let anchored = self.anchorer.anchor_now(ledger).await.unwrap();
        let header = Header { opened: false, first: 0, count: anchored.size };
        let mut writer = Writer::new(vec![], header, &anchored.checkpoint, None).unwrap();
        for record in self.log.read(ledger, 0, anchored.size as usize).await.unwrap() {
            writer.record(&record, None).unwrap();
        }
        writer.finish().unwrap()
    }
}

/// The clock and a fresh id.
pub fn stamp() -> Stamp {
    Stamp { time_us: 1_700_000_000_000_000, append_id: fresh() }
}
