//! How the mirror learns what other nodes write.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use super::cluster::{Place, Sighting};
use super::{Inner, PAUSES};
use crate::store::{Read, StoreError};

/// The place in the cluster is kept after so many sightings; a restart goes on from there.
const PLACE_EVERY: u32 = 64;

impl Inner {
    /// Until the store is dropped: reads `$all` from the kept place on and catches up every ledger that moved.
    pub(super) async fn follow(self: Arc<Inner>, mut stop: watch::Receiver<bool>) {
        let mut follower =
            Follower { inner: self, sizes: HashMap::new(), refused: HashSet::new(), place: None, since_kept: 0 };
        let mut pause = PAUSES.0;
        loop {
            let ended = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                ended = follower.run() => ended,
            };
            pause = if ended.is_ok() { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = sleep(pause) => {}
            }
        }
    }
}

struct Follower {
    inner: Arc<Inner>,
    // Sizes that the mirror has at least.
    sizes: HashMap<Uuid, u64>,
    // Ledgers whose stream holds what is no record of theirs. Only a restart looks again.
    refused: HashSet<Uuid>,
    place: Option<Place>,
    since_kept: u32,
}

impl Follower {
    /// Catches up, then waits for more. Ends with the connection.
    async fn run(&mut self) -> Read<()> {
        if self.place.is_none() {
            self.place = self.inner.mirror.place().await?.and_then(|place| Place::decode(&place));
        }
        let inner = self.inner.clone();
        let mut all = inner.cluster.all(self.place).await?;
        while let Some(sighting) = all.next().await? {
            self.saw(sighting).await?;
        }
        self.keep().await?;
        inner.caught_up.send_replace(true);
        let mut news = inner.cluster.subscribe(self.place).await?;
        loop {
            self.saw(news.next().await?).await?;
        }
    }

    async fn saw(&mut self, sighting: Sighting) -> Read<()> {
        if let Some((ledger, position)) = sighting.record.filter(|(ledger, _)| !self.refused.contains(ledger)) {
            let mut size = self.sizes.get(&ledger).copied().unwrap_or(0);
            if size <= position {
                size = self.inner.mirror.head(ledger).await?.map_or(0, |head| head.size);
            }
            let caught_up = if size > position { Ok(size) } else { self.inner.catch_up(ledger).await };
            match caught_up {
                Ok(size) => {
                    self.sizes.insert(ledger, size);
                }
                // It concerns nobody else. Its appends are told the reason, its reads end before the damage.
                Err(StoreError::Damaged { .. }) => {
                    self.refused.insert(ledger);
                }
                Err(error) => return Err(error),
            }
        }
        self.place = Some(sighting.place);
        self.since_kept += 1;
        if self.since_kept >= PLACE_EVERY { self.keep().await } else { Ok(()) }
    }

    async fn keep(&mut self) -> Read<()> {
        let Some(place) = self.place.filter(|_| self.since_kept > 0) else { return Ok(()) };
        self.since_kept = 0;
        self.inner.mirror.put_place(place.encode()).await
    }
}
