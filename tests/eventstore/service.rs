//! The protocol's services, as one node answers them.
#![expect(clippy::result_large_err, reason = "tonic's Status is what a service answers with")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::log::{Decision, Event, Expected, Proposed};
use crate::{Cluster, Fault, Line};
use event_store::client as wire;
use wire::gossip::gossip_server::{Gossip, GossipServer};
use wire::server_features::server_features_server::{ServerFeatures, ServerFeaturesServer};
use wire::streams::streams_server::{Streams, StreamsServer};
use wire::streams::{
    AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq, ReadResp, TombstoneReq,
    TombstoneResp, append_req, append_resp, read_req, read_resp,
};

/// Generated from `protos/`.
#[allow(missing_docs, dead_code, clippy::all)]
mod event_store {
    pub mod client {
        tonic::include_proto!("event_store.client");
        pub mod gossip {
            tonic::include_proto!("event_store.client.gossip");
        }
        pub mod server_features {
            tonic::include_proto!("event_store.client.server_features");
        }
        pub mod streams {
            tonic::include_proto!("event_store.client.streams");
        }
    }
}

/// Generated from `protos/`.
#[allow(missing_docs, dead_code, clippy::all)]
mod google {
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}

/// What servers take in one append call unless told otherwise.
const MAX_APPEND: usize = 1 << 20;
/// What this peer says it is. It answers as this release does, in what it answers at all.
const VERSION: &str = "24.6.0";
/// After so many events that concern nobody, a filtered subscription says how far it is.
const CHECKPOINT_EVERY: usize = 32;

type Answers = Pin<Box<dyn Stream<Item = Result<ReadResp, Status>> + Send>>;

/// One node's answers.
#[derive(Clone)]
struct Services {
    cluster: Arc<Cluster>,
    node: usize,
}

pub(crate) fn router(cluster: Arc<Cluster>, node: usize) -> Router {
    let services = Services { cluster, node };
    Server::builder()
        .add_service(StreamsServer::new(services.clone()))
        .add_service(ServerFeaturesServer::new(services.clone()))
        .add_service(GossipServer::new(services))
}

impl Services {
    /// A node that does not lead says who does, to those who insist on the leader.
    fn must_lead(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let leader = self.cluster.leader.load(Ordering::SeqCst);
        if leader == self.node || metadata.get("requires-leader").is_none_or(|value| value != "true") {
            return Ok(());
        }
        let mut status = Status::not_found("Leader info available");
        let port = self.cluster.ports[leader].to_string();
        for (key, value) in
            [("exception", "not-leader"), ("leader-endpoint-host", "127.0.0.1"), ("leader-endpoint-port", &port)]
        {
            status.metadata_mut().insert(key, value.parse().expect("plain ASCII"));
        }
        Err(status)
    }
}

fn missing(what: &str) -> Status {
    Status::invalid_argument(format!("{what} is missing"))
}

fn uuid(wire: Option<wire::Uuid>) -> Result<Uuid, Status> {
    match wire.and_then(|wire| wire.value) {
        Some(wire::uuid::Value::Structured(id)) => {
            Ok(Uuid::from_u64_pair(id.most_significant_bits as u64, id.least_significant_bits as u64))
        }
        Some(wire::uuid::Value::String(id)) => Uuid::try_parse(&id).map_err(|_| missing("a readable event id")),
        None => Err(missing("the event id")),
    }
}

fn name(stream: Option<wire::StreamIdentifier>) -> Result<String, Status> {
    String::from_utf8(stream.ok_or_else(|| missing("the stream"))?.stream_name).map_err(|_| missing("a stream name"))
}

/// The whole of an append call: where to, on which condition, what.
async fn received(mut calls: Streaming<AppendReq>) -> Result<(String, Expected, Vec<Proposed>), Status> {
    use append_req::Content;
    use append_req::options::ExpectedStreamRevision as Revision;
    let Some(Content::Options(options)) = calls.message().await?.and_then(|call| call.content) else {
        return Err(missing("the options"));
    };
    let expected = match options.expected_stream_revision.ok_or_else(|| missing("the expected revision"))? {
        Revision::Revision(last) => Expected::Last(last as i64),
        Revision::NoStream(_) => Expected::Last(-1),
        Revision::Any(_) => Expected::Any,
        Revision::StreamExists(_) => Expected::Exists,
    };
    let (mut events, mut size) = (vec![], 0);
    while let Some(call) = calls.message().await? {
        let Some(Content::ProposedMessage(event)) = call.content else { return Err(missing("an event")) };
        for property in ["type", "content-type"] {
            if !event.metadata.contains_key(property) {
                return Err(missing(&format!("Required Metadata Property '{property}'")));
            }
        }
        size += event.data.len() + event.custom_metadata.len() + 2 * event.metadata["type"].len();
        if size > MAX_APPEND {
            return Err(Status::invalid_argument(format!("Maximum Append Size of {MAX_APPEND} Exceeded.")));
        }
        let id = uuid(event.id)?;
        events.push(Proposed { id, properties: event.metadata, metadata: event.custom_metadata, data: event.data });
    }
    Ok((name(options.stream_identifier)?, expected, events))
}

fn answer(decision: Decision, expected: Expected) -> Result<Response<AppendResp>, Status> {
    use append_resp::success::{CurrentRevisionOption, PositionOption};
    use append_resp::wrong_expected_version::{CurrentRevisionOption as Current, ExpectedRevisionOption as Wanted};
    let result = match decision {
        Decision::Written { last, position } => append_resp::Result::Success(append_resp::Success {
            current_revision_option: Some(CurrentRevisionOption::CurrentRevision(last)),
            position_option: Some(PositionOption::Position(append_resp::Position {
                commit_position: position,
                prepare_position: position,
            })),
        }),
        Decision::WrongExpectedVersion(last) => {
            append_resp::Result::WrongExpectedVersion(append_resp::WrongExpectedVersion {
                current_revision_option: Some(match u64::try_from(last) {
                    Ok(last) => Current::CurrentRevision(last),
                    Err(_) => Current::CurrentNoStream(wire::Empty {}),
                }),
                expected_revision_option: Some(match expected {
                    Expected::Last(last) if last >= 0 => Wanted::ExpectedRevision(last as u64),
                    Expected::Last(_) => Wanted::ExpectedNoStream(wire::Empty {}),
                    Expected::Any => Wanted::ExpectedAny(wire::Empty {}),
                    Expected::Exists => Wanted::ExpectedStreamExists(wire::Empty {}),
                }),
                ..Default::default()
            })
        }
        Decision::InvalidTransaction => {
            let mut status = Status::invalid_argument("Invalid Transaction");
            status.metadata_mut().insert("exception", "invalid-transaction".parse().expect("plain ASCII"));
            return Err(status);
        }
    };
    Ok(Response::new(AppendResp { result: Some(result) }))
}

#[tonic::async_trait]
impl Streams for Services {
    type ReadStream = Answers;
    type BatchAppendStream = Pin<Box<dyn Stream<Item = Result<BatchAppendResp, Status>> + Send>>;

    async fn append(&self, request: Request<Streaming<AppendReq>>) -> Result<Response<AppendResp>, Status> {
        let line = request.extensions().get::<Line>().cloned().ok_or_else(|| missing("the connection"))?;
        self.must_lead(request.metadata())?;
        let (stream, expected, events) = received(request.into_inner()).await?;
        self.cluster.note(&events);
        let fault = self.cluster.take_fault();
        match fault {
            Some(Fault::DropBefore) => line.cut(),
            Some(Fault::SilenceBefore) => return std::future::pending().await,
            Some(Fault::Busy) => return Err(Status::unavailable("Server Is Too Busy")),
            Some(Fault::Late(after)) => {
                line.cut();
                let cluster = self.cluster.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    cluster.log.write(&stream, expected, events);
                });
            }
            fault => {
                let decision = self.cluster.log.write(&stream, expected, events);
                match fault {
                    Some(Fault::DropAfter) => line.cut(),
                    Some(Fault::SilenceAfter) => return std::future::pending().await,
                    Some(Fault::TimedOut) => return Err(Status::aborted("Operation timed out: Commit phase timeout")),
                    Some(Fault::Slow(after)) => tokio::time::sleep(after).await,
                    _ => {}
                }
                return answer(decision, expected);
            }
        }
        Err(Status::unavailable("the connection was cut"))
    }

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Answers>, Status> {
        self.must_lead(request.metadata())?;
        let options = request.into_inner().options.ok_or_else(|| missing("the options"))?;
        let (answers, stream) = mpsc::channel(64);
        let cluster = self.cluster.clone();
        let reading = Reading::new(options)?;
        tokio::spawn(async move {
            // It ends early when nobody listens any more.
            let _ = reading.run(&cluster, &answers).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn delete(&self, _: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        Err(Status::unimplemented("delete"))
    }

    async fn tombstone(&self, _: Request<TombstoneReq>) -> Result<Response<TombstoneResp>, Status> {
        Err(Status::unimplemented("tombstone"))
    }

    async fn batch_append(
        &self,
        _: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<Self::BatchAppendStream>, Status> {
        Err(Status::unimplemented("batch append"))
    }
}

/// What a read call asks for: a stream or all of them, forwards; to the end, or for ever.
struct Reading {
    stream: Option<String>,
    from: u64,
    prefixes: Vec<String>,
    count: Option<u64>,
}

type Sent = Result<(), mpsc::error::SendError<Result<ReadResp, Status>>>;

impl Reading {
    fn new(options: read_req::Options) -> Result<Reading, Status> {
        use read_req::options::{CountOption, FilterOption, StreamOption, all_options, filter_options, stream_options};
        if options.read_direction != 0 {
            return Err(Status::unimplemented("reading backwards"));
        }
        let count = match options.count_option.ok_or_else(|| missing("the count"))? {
            CountOption::Count(count) => Some(count),
            CountOption::Subscription(_) => None,
        };
        let prefixes = match options.filter_option.ok_or_else(|| missing("the filter"))? {
            FilterOption::NoFilter(_) => vec![String::new()],
            FilterOption::Filter(filter) => match filter.filter {
                Some(filter_options::Filter::StreamIdentifier(by)) if by.regex.is_empty() => by.prefix,
                _ => return Err(Status::unimplemented("this filter")),
            },
        };
        let (stream, from) = match options.stream_option.ok_or_else(|| missing("the stream"))? {
            StreamOption::All(all) => match all.all_option.ok_or_else(|| missing("the position"))? {
                // A subscription goes on after its position, a read begins at it.
                all_options::AllOption::Position(at) => (None, at.commit_position + u64::from(count.is_none())),
                all_options::AllOption::Start(_) => (None, 0),
                all_options::AllOption::End(_) => return Err(Status::unimplemented("reading from the end")),
            },
            StreamOption::Stream(stream) => {
                let from = match stream.revision_option.ok_or_else(|| missing("the revision"))? {
                    stream_options::RevisionOption::Revision(at) => at + u64::from(count.is_none()),
                    stream_options::RevisionOption::Start(_) => 0,
                    stream_options::RevisionOption::End(_) => {
                        return Err(Status::unimplemented("reading from the end"));
                    }
                };
                (Some(name(stream.stream_identifier)?), from)
            }
        };
        Ok(Reading { stream, from, prefixes, count })
    }

    async fn run(mut self, cluster: &Cluster, answers: &mpsc::Sender<Result<ReadResp, Status>>) -> Sent {
        use read_resp::Content;
        let send = |content| answers.send(Ok(ReadResp { content: Some(content) }));
        let Some(count) = self.count else {
            let mut changed = cluster.log.changed();
            let confirmed = read_resp::SubscriptionConfirmation { subscription_id: Uuid::from_u128(1).to_string() };
            send(Content::Confirmation(confirmed)).await?;
            let (mut caught_up, mut passed) = (false, 0);
            loop {
                changed.mark_unchanged();
                for event in self.events(cluster).unwrap_or_default() {
                    let (revision, position) = (event.revision, event.position);
                    self.from = 1 + if self.stream.is_some() { revision } else { position };
                    if self.wants(&event) {
                        send(Content::Event(read_event(event))).await?;
                        continue;
                    }
                    passed += 1;
                    if passed % CHECKPOINT_EVERY == 0 {
                        let at = read_resp::Checkpoint { commit_position: position, prepare_position: position };
                        send(Content::Checkpoint(at)).await?;
                    }
                }
                if !caught_up {
                    send(Content::CaughtUp(read_resp::CaughtUp {})).await?;
                    caught_up = true;
                }
                tokio::select! {
                    _ = changed.changed() => {}
                    () = answers.closed() => return Ok(()),
                }
            }
        };
        let Some(events) = self.events(cluster) else {
            let stream_name = self.stream.unwrap_or_default().into_bytes();
            let stream_identifier = Some(wire::StreamIdentifier { stream_name });
            return send(Content::StreamNotFound(read_resp::StreamNotFound { stream_identifier })).await;
        };
        let wanted = events.into_iter().filter(|event| self.wants(event));
        for event in wanted.take(usize::try_from(count).unwrap_or(usize::MAX)) {
            send(Content::Event(read_event(event))).await?;
        }
        Ok(())
    }

    fn events(&self, cluster: &Cluster) -> Option<Vec<Event>> {
        match &self.stream {
            Some(stream) => cluster.log.stream(stream, self.from),
            None => Some(cluster.log.all(self.from)),
        }
    }

    fn wants(&self, event: &Event) -> bool {
        self.prefixes.iter().any(|prefix| event.stream.starts_with(prefix))
    }
}

fn read_event(event: Event) -> read_resp::ReadEvent {
    use read_resp::read_event::{Position, RecordedEvent};
    let mut metadata = event.event.properties;
    metadata.insert("created".to_owned(), "17000000000000000".to_owned());
    let recorded = RecordedEvent {
        id: Some(wire::Uuid { value: Some(wire::uuid::Value::String(event.event.id.to_string())) }),
        stream_identifier: Some(wire::StreamIdentifier { stream_name: event.stream.into_bytes() }),
        stream_revision: event.revision,
        prepare_position: event.position,
        commit_position: event.position,
        metadata,
        custom_metadata: event.event.metadata,
        data: event.event.data,
    };
    let position = Some(Position::CommitPosition(event.position));
    read_resp::ReadEvent { event: Some(recorded), link: None, position }
}

#[tonic::async_trait]
impl ServerFeatures for Services {
    async fn get_supported_methods(
        &self,
        _: Request<wire::Empty>,
    ) -> Result<Response<wire::server_features::SupportedMethods>, Status> {
        let method = |name: &str| wire::server_features::SupportedMethod {
            method_name: name.to_owned(),
            service_name: "event_store.client.streams.streams".to_owned(),
            features: vec![],
        };
        let methods = ["append", "read"].map(method).into();
        let version = VERSION.to_owned();
        Ok(Response::new(wire::server_features::SupportedMethods { methods, event_store_server_version: version }))
    }
}

#[tonic::async_trait]
impl Gossip for Services {
    async fn read(&self, _: Request<wire::Empty>) -> Result<Response<wire::gossip::ClusterInfo>, Status> {
        use wire::gossip::member_info::VNodeState;
        let leader = self.cluster.leader.load(Ordering::SeqCst);
        let member = |(node, port): (usize, &u16)| wire::gossip::MemberInfo {
            instance_id: Some(wire::Uuid {
                value: Some(wire::uuid::Value::String(Uuid::from_u128(node as u128 + 1).to_string())),
            }),
            time_stamp: 0,
            state: if node == leader { VNodeState::Leader } else { VNodeState::Follower }.into(),
            is_alive: self.cluster.running[node].load(Ordering::SeqCst),
            http_end_point: Some(wire::gossip::EndPoint { address: "127.0.0.1".to_owned(), port: u32::from(*port) }),
        };
        let members = self.cluster.ports.iter().enumerate().map(member).collect();
        Ok(Response::new(wire::gossip::ClusterInfo { members }))
    }
}
