//! The scrub: reads every stored byte again, in the background and at a bounded pace, before somebody needs it.
//!
//! Disks forget, and nobody notices until the one record is asked for. A round does to each ledger what an auditor does to
//! an export (the same [`verify`](crate::verify), every commit signature included), with the anchored checkpoint and our
//! own keys; and it holds the indexes (append ids, streams, commits) against the records, because idempotency and
//! concurrency rest on them: each record is found through each of them, and none of them holds anything else. A ledger
//! with damage is refused from then on, with the position; the others are served. Only when the structures that all
//! ledgers share do not hold together is every ledger refused: a search in them can miss anybody's records.
//!
//! A round runs on a thread of its own, with a reader of its own, and keeps nobody from ending.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use uuid::Uuid;

use crate::anchor::{Anchored, Anchorer};
use crate::bundle::{Header, Writer};
use crate::note::{Note, VerifierKey};
use crate::record::{Leaf, Record};
use crate::sign::PublicKey;
use crate::store::{Head, Indexed, Read as Found, Span, Store, StoreError};
use crate::verify::{Gap, Options, Verdict, verify};

/// Records read at once.
const PAGE: u64 = 128;
/// Longest pause in one piece, so that the end of the program is noticed.
const NAP: Duration = Duration::from_millis(200);

/// Damage in one ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The tenant.
    pub ledger: Uuid,
    /// The first record that is wrong, where one can be named.
    pub position: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

/// A ledger that holds together, up to the checkpoint that it was held against.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// The tenant.
    pub ledger: Uuid,
    /// When its first record was read.
    pub began: Instant,
    /// When the verdict was there.
    pub ended: Instant,
    /// The anchored checkpoint.
    pub checkpoint: Note,
    /// Commits up to it.
    pub commits: u64,
    /// Commit signatures that were checked: all of them.
    pub signatures: u64,
}

/// One round over all ledgers.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Round {
    /// Ledgers that were read.
    pub ledgers: u64,
    /// Records that were read.
    pub events: u64,
    /// Bytes of leaves and bodies that were read.
    pub bytes: u64,
    /// Ledgers that were refused already, and so not read.
    pub refused: u64,
    /// In which nothing is wrong.
    pub sound: Vec<Checked>,
    /// What is wrong. These ledgers are refused now.
    pub damage: Vec<Damage>,
    /// The store could not be read; the next round tries again.
    pub trouble: Vec<String>,
}

/// Opens the store for one round: with nothing of it in memory yet, or bytes that rotted behind a cache go unseen.
pub type Fresh = Box<dyn Fn() -> Found<Arc<dyn Store>> + Send + Sync>;

/// Reads the ledgers of one deployment again and again.
pub struct Scrub {
    anchorer: Weak<Anchorer>,
    keys: Vec<PublicKey>,
    fresh: Fresh,
    /// One round at a time.
    alone: Mutex<()>,
}

impl Scrub {
    /// Over what this anchorer anchors. `keys`: our own, current and earlier.
    pub fn new(anchorer: &Arc<Anchorer>, keys: Vec<PublicKey>, fresh: Fresh) -> Scrub {
        Scrub { anchorer: Arc::downgrade(anchorer), keys, fresh, alone: Mutex::new(()) }
    }

    /// Reads everything once; waits while another round is running. It works `share` percent of the time (1 to 100) and
    /// sleeps otherwise. Blocks: call it on a thread of its own, inside or outside of the runtime that `handle` is of.
    pub fn round(&self, handle: &Handle, share: u32) -> Round {
        let _alone = self.alone.lock().unwrap_or_else(|e| e.into_inner());
        let mut round = Round::default();
        let Some(anchorer) = self.anchorer.upgrade() else { return round };
        let ledgers = anchorer.anchored_ledgers();
        drop(anchorer);
        let store = match (self.fresh)() {
            Ok(store) => store,
            Err(error) => {
                round.trouble.push(error.to_string());
                return round;
            }
        };
        for ledger in ledgers {
            let Some(anchorer) = self.anchorer.upgrade() else { return round };
            let anchored = anchorer.latest(ledger);
            let is_refused = anchorer.is_refused(ledger);
            drop(anchorer);
            match anchored {
                _ if is_refused => round.refused += 1,
                Some(anchored) => self.ledger(&store, handle, share, &anchored, &mut round),
                None => {}
            }
        }
        self.shared(&*store, handle, share, &mut round);
        round
    }

    /// What all ledgers share comes last, so that a ledger whose own records are hit is refused with the position.
    fn shared(&self, store: &dyn Store, handle: &Handle, share: u32, round: &mut Round) {
        let began = Instant::now();
        let reason = match handle.block_on(store.broken()) {
            Ok(None) => return self.rest(began, share.clamp(1, 100)),
            Ok(Some(what)) => format!("the store's own structures do not hold together ({what})"),
            Err(error) => return round.trouble.push(error.to_string()),
        };
        round.sound.clear();
        let Some(anchorer) = self.anchorer.upgrade() else { return };
        for ledger in anchorer.anchored_ledgers() {
            if !anchorer.is_refused(ledger) {
                anchorer.refuse_damaged(ledger, None, &reason);
                round.damage.push(Damage { ledger, position: None, reason: reason.clone() });
            }
        }
    }

    /// What came since `began` is paid for with rest, unless the program is ending.
    fn rest(&self, began: Instant, share: u32) {
        let until = Instant::now() + began.elapsed() * (100 - share) / share;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            std::thread::sleep(left.min(NAP));
            if self.anchorer.strong_count() == 0 {
                break;
            }
        }
    }

    fn ledger(&self, store: &Arc<dyn Store>, handle: &Handle, share: u32, anchored: &Anchored, round: &mut Round) {
        let (ledger, began) = (anchored.ledger, Instant::now());
        let name = crate::checkpoint::Checkpoint::parse(anchored.checkpoint.text()).map(|c| c.origin);
        let keys = name.map(|name| self.keys.iter().filter_map(|key| VerifierKey::new(&name, *key).ok()).collect());
        let options = Options {
            keys: keys.unwrap_or_default(),
            deep: true,
            require: vec![Gap::KeyPinned, Gap::NewestKeyPinned, Gap::CommitSignatures],
            ..Options::default()
        };
        let header = Header { opened: false, first: 0, count: anchored.size };
        let bundle = match Writer::new(vec![], header, &anchored.checkpoint, None) {
            Ok(bundle) => bundle,
            Err(error) => return round.trouble.push(format!("ledger {ledger}: {error}")),
        };
        let mut source = Source {
            scrub: self,
            store: store.clone(),
            handle,
            share: share.clamp(1, 100),
            ledger,
            size: anchored.size,
            at: 0,
            bundle,
            read: 0,
            resumed: Instant::now(),
            bytes: 0,
            seen: Indexed::default(),
            failed: None,
        };
        let report = verify(&mut source, &options);
        round.ledgers += 1;
        round.events += source.at;
        round.bytes += source.bytes;
        let (position, reason) = match (source.failed.take(), report.verdict) {
            (Some(StoreError::Damaged { position, reason, .. }), _) => (Some(position), reason),
            (Some(StoreError::Unavailable(cause)), _) => {
                return round.trouble.push(format!("ledger {ledger}: {cause}"));
            }
            (None, Verdict::Verified) => {
                let checkpoint = anchored.checkpoint.clone();
                let (commits, signatures, ended) = (report.commits, report.signatures, Instant::now());
                return round.sound.push(Checked { ledger, began, ended, checkpoint, commits, signatures });
            }
            (None, _) => (report.first_bad_position, report.reason.unwrap_or_default()),
        };
        if let Some(anchorer) = self.anchorer.upgrade() {
            anchorer.refuse_damaged(ledger, position, &reason);
        }
        round.damage.push(Damage { ledger, position, reason });
    }
}

/// A ledger as the bundle that an export would be, read from the store page by page.
struct Source<'a> {
    scrub: &'a Scrub,
    store: Arc<dyn Store>,
    handle: &'a Handle,
    share: u32,
    ledger: Uuid,
    size: u64,
    at: u64,
    bundle: Writer<Vec<u8>>,
    /// Bytes of the buffer that were given out.
    read: usize,
    /// When the last pause was over.
    resumed: Instant,
    bytes: u64,
    /// What the records that were read say of themselves.
    seen: Indexed,
    failed: Option<StoreError>,
}

impl Source<'_> {
    fn next_page(&mut self) -> Result<(), StoreError> {
        // Verifying the page before included.
        self.scrub.rest(self.resumed, self.share);
        self.resumed = Instant::now();
        if self.scrub.anchorer.strong_count() == 0 {
            return Err(StoreError::Unavailable("the store is closing".to_owned()));
        }
        let wanted = (self.size - self.at).min(PAGE) as usize;
        let (ledger, at) = (self.ledger, self.at);
        let store = &*self.store;
        let records = self.handle.block_on(async {
            let records = store.read(ledger, at, wanted).await?;
            check_indexes(store, ledger, &records).await?;
            if let Some(head) = store.head(ledger).await?.filter(|head| head.size == at + records.len() as u64) {
                check_head(&head, records.last())?;
            }
            Ok::<_, StoreError>(records)
        })?;
        if records.len() < wanted {
            let position = at + records.len() as u64;
            return Err(StoreError::Damaged { ledger, position, reason: "the record is missing".to_owned() });
        }
        for record in &records {
            self.bytes += (record.leaf.len() + record.body.as_ref().map_or(0, Vec::len)) as u64;
            self.seen.streamed += 1;
            self.seen.appends += u64::from(Leaf::decode(&record.leaf).is_ok_and(|leaf| leaf.index == 0));
            self.seen.commits += u64::from(record.signature.is_some());
            self.bundle.record(record, None).map_err(|e| StoreError::Unavailable(e.to_string()))?;
        }
        self.at += wanted as u64;
        if self.at == self.size {
            let indexed = self.handle.block_on(self.store.indexed(ledger, self.size))?;
            check_counts(ledger, self.size, indexed, self.seen)?;
        }
        Ok(())
    }
}

impl Read for Source<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.read == self.bundle.get_mut().len() {
            self.bundle.get_mut().clear();
            self.read = 0;
            if self.at == self.size {
                return Ok(0);
            }
            if let Err(error) = self.next_page() {
                let text = error.to_string();
                self.failed = Some(error);
                return Err(io::Error::other(text));
            }
        }
        let left = &self.bundle.get_mut()[self.read..];
        let count = left.len().min(out.len());
        out[..count].copy_from_slice(&left[..count]);
        self.read += count;
        Ok(count)
    }
}

/// The next record is built on what the head says of the last one.
pub(crate) fn check_head(head: &Head, last: Option<&Record>) -> Found<()> {
    let Some((record, Ok(leaf))) = last.map(|record| (record, Leaf::decode(&record.leaf))) else { return Ok(()) };
    let says = (head.last, head.last_time_us, head.last_append, head.generation);
    if says == (record.hash(), leaf.time_us, leaf.append_id, leaf.generation) {
        return Ok(());
    }
    let reason = "the head of the ledger does not agree with its last record".to_owned();
    Err(StoreError::Damaged { ledger: head.ledger, position: leaf.position, reason })
}

/// Every record was found through every index. What they hold beside these is left over, or leads to a record twice.
fn check_counts(ledger: Uuid, size: u64, indexed: Indexed, seen: Indexed) -> Found<()> {
    if indexed == seen {
        return Ok(());
    }
    let reason = format!("the indexes do not agree with the records: {indexed:?}, and there are {seen:?}");
    Err(StoreError::Damaged { ledger, position: size - 1, reason })
}

/// Does the store find these records where they are? Appends that reach beyond the page are looked up by their first record.
async fn check_indexes(store: &dyn Store, ledger: Uuid, records: &[Record]) -> Result<(), StoreError> {
    for record in records {
        // Anything else that is wrong with the record is the verifier's to say.
        let Ok(leaf) = Leaf::decode(&record.leaf) else { continue };
        let position = leaf.position;
        let damaged = |reason: &str| StoreError::Damaged { ledger, position, reason: reason.to_owned() };
        if leaf.index == 0 {
            let span = Span { first: position, last: position + u64::from(leaf.count) - 1 };
            if store.find_append(ledger, leaf.append_id).await? != Some(span) {
                return Err(damaged("the index of appends does not lead here"));
            }
        }
        let found = store.read_stream(ledger, leaf.stream.clone(), leaf.stream_version, 1).await?;
        if found.first().map(|found| &found.leaf) != Some(&record.leaf) {
            return Err(damaged("the index of streams does not lead here"));
        }
    }
    Ok(())
}
