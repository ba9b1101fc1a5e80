//! What happens to a ledger as a whole: opened, its key rotated or replaced, a person erased, closed. Each is one
//! `ledger.*` record that anyone can read; each step may be repeated with the same [`Stamp`] after a crash.

use std::sync::Arc;

use uuid::Uuid;

use crate::anchor::Stamp;
use crate::chain::{Append, Expectation, Head};
use crate::checkpoint::Origin;
use crate::clear::{self, Clear};
use crate::keys::Keyring;
use crate::log::Log;
use crate::record::{Leaf, Stream};
use crate::sign::{self, KeyReplacement, PublicKey};
use crate::store::{Outcome, Span, StoreError};
use crate::vault::{Vault, VaultError};

/// Why it did not happen.
#[derive(Debug, thiserror::Error)]
pub enum LifeError {
    /// Reading the ledger failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The vault did not answer.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The append was not written, or its outcome is unknown.
    #[error("ledger {0}: the record was not written ({1:?}); try again")]
    NotWritten(Uuid, Outcome),
    /// There is no such ledger.
    #[error("there is no ledger {0}")]
    NoLedger(Uuid),
    /// It may not be done.
    #[error("ledger {0}: {1}")]
    Refused(Uuid, &'static str),
}

/// Result of a step.
pub type Answer<T> = Result<T, LifeError>;

/// Makes a ledger's keys and its first record. Nothing happens if it is open already.
pub async fn open(
    log: &Log,
    vault: &Arc<Vault>,
    origin: Origin,
    signer: PublicKey,
    recovery: Option<PublicKey>,
    stamp: Stamp,
) -> Answer<()> {
    let ledger = origin.ledger();
    in_vault(vault, move |vault| vault.create_ledger(ledger)).await?;
    if log.head(ledger).await?.is_some() {
        return Ok(());
    }
    let opened = expecting(stamp.append(ledger, &Clear::Opened { origin, signer, recovery }), None);
    match log.append(opened).await {
        // Somebody else has opened it meanwhile.
        Outcome::Moved { .. } => Ok(()),
        other => written(ledger, other).map(|_| ()),
    }
}

/// Hands a ledger over to another signer, if it is not the signer already. Both keys must be in the key directory: the
/// old one signs the record, the new one everything after it.
pub async fn rotate_key(log: &Log, keys: &Keyring, ledger: Uuid, to: PublicKey, stamp: Stamp) -> Answer<Option<Span>> {
    let head = head(log, ledger).await?;
    if head.signer == to {
        return Ok(None);
    }
    if keys.signer(&to).is_none() {
        return Err(LifeError::Refused(ledger, "the new signing key is not in the key directory"));
    }
    append(log, ledger, &Clear::KeyRotated { signer: to }, stamp).await.map(Some)
}

/// Hands a ledger over to the signer of another deployment: the last record here. From then on only that one can write it.
/// Nothing happens if it was handed over already.
pub async fn hand_over(log: &Log, ledger: Uuid, to: PublicKey, stamp: Stamp) -> Answer<Option<Span>> {
    if head(log, ledger).await?.signer == to {
        return Ok(None);
    }
    append(log, ledger, &Clear::KeyRotated { signer: to }, stamp).await.map(Some)
}

/// What the holder of the recovery key has to sign so that `to` may take the place of a lost signer.
pub async fn replacement(log: &Log, ledger: Uuid, to: PublicKey) -> Answer<KeyReplacement> {
    let head = head(log, ledger).await?;
    Ok(KeyReplacement { ledger, generation: head.generation, position: head.size, prev: head.last, new_signer: to })
}

/// Puts a new signer in the place of a lost one. `proof` is the recovery key's signature over [`replacement`].
pub async fn replace_key(
    log: &Log,
    keys: &Keyring,
    ledger: Uuid,
    to: PublicKey,
    proof: [u8; 64],
    stamp: Stamp,
) -> Answer<Span> {
    let head = head(log, ledger).await?;
    // While the old key is here, other appends could take the position that the proof names.
    if keys.signer(&head.signer).is_some() {
        return Err(LifeError::Refused(ledger, "its signing key is here; rotate the key instead of replacing it"));
    }
    let Some(recovery) = recovery_key(log, ledger).await? else {
        return Err(LifeError::Refused(ledger, "it was opened without a recovery key; a lost signer ends it"));
    };
    if !sign::verify(&recovery, &replacement(log, ledger, to).await?.message(), &proof) {
        return Err(LifeError::Refused(ledger, "the proof is not the recovery key's signature for this place"));
    }
    append(log, ledger, &Clear::KeyReplaced { signer: to, proof }, stamp).await
}

/// The recovery key that the ledger's first record names.
pub async fn recovery_key(log: &Log, ledger: Uuid) -> Answer<Option<PublicKey>> {
    let records = log.read(ledger, 0, 1).await?;
    let first = records.first().ok_or(LifeError::NoLedger(ledger))?;
    let leaf = Leaf::decode(&first.leaf).map_err(|_| LifeError::NoLedger(ledger))?;
    match first.body.as_ref().map(|body| Clear::parse(&leaf.event_kind, leaf.event_version, body)) {
        Some(Ok(Clear::Opened { recovery, .. })) => Ok(recovery),
        _ => Err(LifeError::Refused(ledger, "its first record is unreadable")),
    }
}

/// Destroys a person's keys, then says so in the ledger. Read models, files and effects are the caller's to scrub; the
/// anchor notices the vault's new generation ([`crate::anchor::Anchorer::watch_vault`]).
pub async fn erase_subject(log: &Log, vault: &Arc<Vault>, ledger: Uuid, subject: Uuid, stamp: Stamp) -> Answer<Span> {
    head(log, ledger).await?;
    in_vault(vault, move |vault| vault.erase_subject(ledger, subject)).await?;
    append(log, ledger, &Clear::SubjectErased { subject }, stamp).await
}

/// The subjects that a ledger's records say were erased: what must be erased again in an older vault.
pub async fn erased_subjects(log: &Log, ledger: Uuid) -> Answer<Vec<Uuid>> {
    let (stream, mut from, mut erased) = (Stream::new(clear::STREAM, ledger), 0, vec![]);
    loop {
        let records = log.read_stream(ledger, &stream, from, 500).await?;
        if records.is_empty() {
            return Ok(erased);
        }
        from += records.len() as u64;
        for record in records {
            let (Ok(leaf), Some(body)) = (Leaf::decode(&record.leaf), &record.body) else { continue };
            if let Ok(Clear::SubjectErased { subject }) = Clear::parse(&leaf.event_kind, leaf.event_version, body) {
                erased.push(subject);
            }
        }
    }
}

/// Erases again in the vault whoever the ledger says was erased; answers how many the vault still knew. For a vault
/// that was restored from a backup, before anybody is served.
pub async fn erase_again(log: &Log, vault: &Arc<Vault>, ledger: Uuid) -> Answer<usize> {
    let mut again = 0;
    for subject in erased_subjects(log, ledger).await? {
        let known = in_vault(vault, move |vault| {
            if vault.is_erased(ledger, subject)? {
                return Ok(false);
            }
            vault.erase_subject(ledger, subject).map(|_| true)
        });
        again += usize::from(known.await?);
    }
    Ok(again)
}

/// Writes a ledger's last record. Nothing follows it.
pub async fn close(log: &Log, ledger: Uuid, stamp: Stamp) -> Answer<Span> {
    append(log, ledger, &Clear::Closed, stamp).await
}

/// Takes the bodies of a closed ledger away and destroys its keys. Leaves, signatures and proofs stay.
pub async fn drop_bodies(log: &Log, vault: &Arc<Vault>, ledger: Uuid) -> Answer<()> {
    if !head(log, ledger).await?.closed {
        return Err(LifeError::Refused(ledger, "it is not closed; bodies go only as a whole, after the end"));
    }
    log.store().drop_bodies(ledger).await?;
    in_vault(vault, move |vault| vault.destroy_ledger(ledger)).await?;
    Ok(())
}

async fn head(log: &Log, ledger: Uuid) -> Answer<Head> {
    log.head(ledger).await?.ok_or(LifeError::NoLedger(ledger))
}

/// On top of the last `ledger.*` record that was seen, so that two operators do not act on one state.
async fn append(log: &Log, ledger: Uuid, what: &Clear, stamp: Stamp) -> Answer<Span> {
    let version = log.stream_version(ledger, &Stream::new(clear::STREAM, ledger)).await?;
    written(ledger, log.append(expecting(stamp.append(ledger, what), version)).await)
}

fn expecting(mut append: Append, version: Option<u64>) -> Append {
    append.expect = vec![Expectation { stream: Stream::new(clear::STREAM, append.ledger), version }];
    append
}

fn written(ledger: Uuid, outcome: Outcome) -> Answer<Span> {
    match outcome {
        Outcome::Committed(span) | Outcome::Known(span) => Ok(span),
        other => Err(LifeError::NotWritten(ledger, other)),
    }
}

/// The vault waits for the disk, so it gets a thread that may wait.
async fn in_vault<T: Send + 'static>(
    vault: &Arc<Vault>,
    work: impl FnOnce(&Vault) -> Result<T, VaultError> + Send + 'static,
) -> Answer<T> {
    let vault = vault.clone();
    let done = tokio::task::spawn_blocking(move || work(&vault)).await;
    Ok(done.unwrap_or_else(|e| Err(VaultError::Stopped(e.to_string())))?)
}
