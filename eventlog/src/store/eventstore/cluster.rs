//! What the engine says to a cluster and hears from it. The only file that names the client's crate, so that moving to its
//! successor is a change of this file's imports.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use eventstore::{
    AppendToStreamOptions, Client, ClientSettings, Error, EventData, ExpectedRevision, Position, ReadAllOptions,
    ReadStream, ReadStreamOptions, RecordedEvent, StreamPosition, SubscribeToAllOptions, Subscription,
    SubscriptionEvent, SubscriptionFilter,
};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::OpenError;
use crate::chain::Commit;
use crate::framed;
use crate::near::is_near;
use crate::record::{Hash, Record};
use crate::store::{Read, StoreError};

/// The type of every event.
const EVENT_TYPE: &str = "keiin.record.1";
/// A client that fails is replaced when it is this old: it never looks for another node of the cluster by itself.
const CLIENT_AGE: Duration = Duration::from_secs(3);

/// A cluster, connected to when somebody asks.
pub(super) struct Cluster {
    // A ledger's stream is this and the ledger's id.
    prefix: String,
    settings: ClientSettings,
    runtime: Handle,
    client: Mutex<Option<(Client, Instant)>>,
}

/// A commit as the bytes that are sent, however often.
pub(super) struct Prepared {
    /// Position of its first record.
    pub first: u64,
    events: Vec<EventData>,
}

impl Prepared {
    pub fn new(commit: &Commit) -> Prepared {
        let event = |record: &Record| {
            let (data, signature) = framed::write(record);
            EventData::binary(EVENT_TYPE, data.into()).id(event_id(&record.hash())).metadata(signature.into())
        };
        let first = commit.head.size - commit.records.len() as u64;
        Prepared { first, events: commit.records.iter().map(event).collect() }
    }

    /// The ledger's size once it is written.
    pub fn size(&self) -> u64 {
        self.first + self.events.len() as u64
    }
}

/// A UUIDv8 of the first 16 bytes of the leaf hash.
fn event_id(hash: &Hash) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.0[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// A record as the cluster holds it.
pub(super) struct Stored {
    /// Its number in the stream, which must be its position.
    pub revision: u64,
    /// `None` if the event is none of ours.
    pub record: Option<Record>,
}

impl Stored {
    fn new(event: &RecordedEvent) -> Stored {
        Stored { revision: event.revision, record: framed::read(&event.data, &event.custom_metadata) }
    }
}

/// A place in the order of all events of the cluster.
#[derive(Clone, Copy)]
pub(super) struct Place(Position);

impl Place {
    pub fn encode(self) -> Vec<u8> {
        [self.0.commit.to_be_bytes(), self.0.prepare.to_be_bytes()].concat()
    }

    pub fn decode(bytes: &[u8]) -> Option<Place> {
        let (commit, prepare) = bytes.split_first_chunk::<8>()?;
        let prepare = u64::from_be_bytes(prepare.try_into().ok()?);
        Some(Place(Position { commit: u64::from_be_bytes(*commit), prepare }))
    }
}

/// What a follower of the whole cluster sees.
pub(super) struct Sighting {
    /// Everything up to here was seen.
    pub place: Place,
    /// This ledger has this record; `None` if it concerns no ledger.
    pub record: Option<(Uuid, u64)>,
}

impl Sighting {
    fn new(event: &RecordedEvent, prefix: &str) -> Sighting {
        let ledger = event.stream_id.strip_prefix(prefix).and_then(|id| Uuid::try_parse(id).ok());
        Sighting { place: Place(event.position), record: ledger.map(|ledger| (ledger, event.revision)) }
    }
}

/// How an append call ended.
pub(super) enum Answer {
    /// These bytes are in the stream, at their place.
    Landed,
    /// They are not, and at this place never will be.
    Lost,
    /// The server will not take them, whenever they are sent.
    Never(String),
    /// One or the other, or not yet.
    Unknown(String),
}

/// Reads the connection string as the client understands it, and refuses what would send anything in the clear to another
/// machine.
pub(super) fn settings(url: &str) -> Result<ClientSettings, OpenError> {
    let settings: ClientSettings = url.parse().map_err(|e| OpenError::Url(format!("{e}")))?;
    let private = settings.is_secure_mode_enabled() && settings.is_tls_certificate_verification_enabled();
    match settings.hosts().iter().find(|endpoint| !is_near(&endpoint.host)) {
        Some(far) if !private => Err(OpenError::InClear(far.host.clone())),
        _ => Ok(settings),
    }
}

impl Cluster {
    /// Reads the connection string; connects to nobody. Must be called on a tokio runtime.
    pub fn new(url: &str, name: &str) -> Result<Cluster, OpenError> {
        let settings = settings(url)?;
        may_install_tls_provider()?;
        Ok(Cluster { prefix: format!("{name}-"), settings, runtime: Handle::current(), client: Mutex::default() })
    }

    /// The runtime that carries its connections.
    pub fn runtime(&self) -> Handle {
        self.runtime.clone()
    }

    fn client(&self) -> Result<Client, Error> {
        let mut client = lock(&self.client);
        if let Some((client, _)) = &*client {
            return Ok(client.clone());
        }
        let new = Client::with_runtime_handle(self.runtime.clone(), self.settings.clone())?;
        *client = Some((new.clone(), Instant::now()));
        Ok(new)
    }

    /// After a failed call. A client that has lost its connection once is of no use, and one that keeps failing may hold on
    /// to a node that has left the cluster.
    fn failed(&self, error: Error) -> StoreError {
        let ended = matches!(error, Error::ConnectionClosed | Error::GrpcConnectionError(_));
        let mut client = lock(&self.client);
        if client.as_ref().is_some_and(|(_, made)| ended || made.elapsed() > CLIENT_AGE) {
            *client = None;
        }
        unavailable(match error {
            Error::NotLeaderException(leader) => format!("its leader is {}:{} now", leader.host, leader.port),
            error => error.to_string(),
        })
    }

    fn stream(&self, ledger: Uuid) -> String {
        format!("{}{ledger}", self.prefix)
    }

    /// One append call: the whole commit or nothing, and only on the revision that it was made for.
    pub async fn append(&self, ledger: Uuid, commit: &Prepared, limit: Duration) -> Answer {
        let expected = commit.first.checked_sub(1).map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact);
        let options = AppendToStreamOptions::default().expected_revision(expected);
        let options = options.requires_leader(true).deadline(limit);
        let call =
            async { self.client()?.append_to_stream(self.stream(ledger), &options, commit.events.clone()).await };
        // The client's own deadline is only a request to the server.
        let error = match timeout(limit, call).await {
            Ok(Ok(_)) => return Answer::Landed,
            Ok(Err(error)) => error,
            Err(_) => Error::DeadlineExceeded,
        };
        match error {
            Error::WrongExpectedVersion { .. } => Answer::Lost,
            // Some of the ids are there and others are not: another commit begins with the same records.
            Error::Grpc { message, .. } if message == "Invalid Transaction" => Answer::Lost,
            Error::Grpc { message, .. } if message.starts_with("Maximum Append Size") => Answer::Never(message),
            Error::ResourceDeleted => Answer::Never(format!("somebody has deleted the stream {}", self.stream(ledger))),
            error => Answer::Unknown(self.failed(error).to_string()),
        }
    }

    /// The records of a ledger from this position on.
    pub async fn records(&self, ledger: Uuid, from: u64) -> Read<Records<'_>> {
        let options = ReadStreamOptions::default().position(StreamPosition::Position(from)).requires_leader(true);
        let read = async { self.client()?.read_stream(self.stream(ledger), &options).await };
        Ok(Records { cluster: self, events: read.await.map_err(|e| self.failed(e))? })
    }

    /// Everything after a place that is there now, of all ledgers and of others who use the cluster. What stands at the
    /// place itself may come once more.
    pub async fn all(&self, after: Option<Place>) -> Read<All<'_>> {
        let options = ReadAllOptions::default().position(position(after)).forwards();
        let read = async { self.client()?.read_all(&options).await };
        Ok(All { cluster: self, events: read.await.map_err(|e| self.failed(e))? })
    }

    /// Everything of our ledgers after a place, also what is yet to come.
    pub async fn subscribe(&self, after: Option<Place>) -> Read<News<'_>> {
        let filter = SubscriptionFilter::on_stream_name().add_prefix(&self.prefix);
        let options = SubscribeToAllOptions::default().position(position(after)).filter(filter);
        let client = self.client().map_err(|e| self.failed(e))?;
        Ok(News { cluster: self, subscription: client.subscribe_to_all(&options).await })
    }
}

fn position(after: Option<Place>) -> StreamPosition<Position> {
    after.map_or(StreamPosition::Start, |place| StreamPosition::Position(place.0))
}

/// Records of one stream that are being read.
pub(super) struct Records<'a> {
    cluster: &'a Cluster,
    events: ReadStream,
}

impl Records<'_> {
    pub async fn next(&mut self) -> Read<Option<Stored>> {
        match self.events.next().await {
            Ok(event) => Ok(event.map(|event| Stored::new(event.get_original_event()))),
            // No stream: no record yet.
            Err(Error::ResourceNotFound) => Ok(None),
            Err(error) => Err(self.cluster.failed(error)),
        }
    }
}

/// All streams, as far as they go.
pub(super) struct All<'a> {
    cluster: &'a Cluster,
    events: ReadStream,
}

impl All<'_> {
    pub async fn next(&mut self) -> Read<Option<Sighting>> {
        let event = self.events.next().await.map_err(|e| self.cluster.failed(e))?;
        Ok(event.map(|event| Sighting::new(event.get_original_event(), &self.cluster.prefix)))
    }
}

/// A catch-up subscription to our ledgers.
pub(super) struct News<'a> {
    cluster: &'a Cluster,
    subscription: Subscription,
}

impl News<'_> {
    /// The next sighting; fails when the subscription ends. A server that ended one *without* an error would find the client
    /// asking again for ever, without a pause: poll this on a thread that has nothing else to do.
    pub async fn next(&mut self) -> Read<Sighting> {
        loop {
            match self.subscription.next_subscription_event().await.map_err(|e| self.cluster.failed(e))? {
                SubscriptionEvent::EventAppeared(event) => {
                    return Ok(Sighting::new(event.get_original_event(), &self.cluster.prefix));
                }
                SubscriptionEvent::Checkpoint(place) => return Ok(Sighting { place: Place(place), record: None }),
                _ => {}
            }
        }
    }
}

/// The first client of a process installs a rustls default provider, and panics in the background if it finds another.
fn may_install_tls_provider() -> Result<(), OpenError> {
    static OURS: Mutex<bool> = Mutex::new(false);
    let mut ours = lock(&OURS);
    if !*ours && rustls::crypto::CryptoProvider::get_default().is_some() {
        return Err(OpenError::TlsProvider);
    }
    *ours = true;
    Ok(())
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

pub(super) fn unavailable(reason: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("cluster: {reason}"))
}
