//! An EventStoreDB cluster inside the test process: it speaks the published protocol, decides about writes as the real server
//! does, and fails on demand. Its log lives as long as the [`Peer`], also through stops of its nodes.
//!
//! Built from `protos/`, which come from the client's crate. What the engine never calls (batch append, delete, tombstone,
//! persistent subscriptions) is answered as unimplemented.

mod log;
mod service;

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

pub use log::{Decision, Event, Expected, Log, Proposed};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// What goes wrong with one append call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The connection ends; nothing was written.
    DropBefore,
    /// It is written, then the connection ends.
    DropAfter,
    /// No answer ever; nothing was written.
    SilenceBefore,
    /// It is written; no answer ever.
    SilenceAfter,
    /// The connection ends at once; the write was under way and is tried after this time.
    Late(Duration),
    /// The answer comes after this time.
    Slow(Duration),
    /// "Server Is Too Busy"; nothing was written.
    Busy,
    /// It is written, and the server says that the operation timed out.
    TimedOut,
}

/// The cluster. Ends with the value.
pub struct Peer {
    cluster: Arc<Cluster>,
    nodes: Mutex<Vec<Node>>,
}

/// What all nodes share.
pub(crate) struct Cluster {
    log: Log,
    ports: Vec<u16>,
    leader: AtomicUsize,
    running: Vec<std::sync::atomic::AtomicBool>,
    faults: Mutex<VecDeque<Fault>>,
    overtaking: Mutex<VecDeque<(String, Vec<Proposed>)>>,
    proposals: Mutex<Vec<Vec<Proposed>>>,
}

impl Cluster {
    /// What must happen before a call is decided.
    fn note(&self, events: &[Proposed]) {
        if let Some((stream, first)) = lock(&self.overtaking).pop_front() {
            self.log.write(&stream, Expected::Any, first);
        }
        lock(&self.proposals).push(events.to_vec());
    }

    fn take_fault(&self) -> Option<Fault> {
        lock(&self.faults).pop_front()
    }
}

#[derive(Default)]
struct Node {
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Node {
    fn stop(&self) {
        lock(&self.tasks).drain(..).for_each(|task| task.abort());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl Peer {
    /// One node.
    pub async fn start() -> Peer {
        Peer::cluster(1).await
    }

    /// So many nodes; the first leads.
    pub async fn cluster(nodes: usize) -> Peer {
        let mut listeners = vec![];
        for _ in 0..nodes {
            listeners.push(TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port on loopback"));
        }
        let port = |listener: &TcpListener| listener.local_addr().expect("a bound socket has an address").port();
        let cluster = Arc::new(Cluster {
            log: Log::default(),
            ports: listeners.iter().map(port).collect(),
            leader: AtomicUsize::new(0),
            running: (0..nodes).map(|_| true.into()).collect(),
            faults: Mutex::default(),
            overtaking: Mutex::default(),
            proposals: Mutex::default(),
        });
        let nodes = listeners.into_iter().enumerate().map(|(at, listener)| serve(cluster.clone(), at, listener));
        Peer { nodes: Mutex::new(nodes.collect()), cluster }
    }

    /// The connection string of the whole cluster.
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.cluster.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("esdb://{}?tls=false&discoveryInterval=5&maxDiscoverAttempts=20&gossipTimeout=500", hosts.join(","))
    }

    /// The connection string of one node.
    pub fn url_of(&self, node: usize) -> String {
        format!("esdb://127.0.0.1:{}?tls=false&discoveryInterval=5", self.cluster.ports[node])
    }

    /// Another node leads from now on.
    pub fn elect(&self, node: usize) {
        self.cluster.leader.store(node, Ordering::SeqCst);
    }

    /// Lets the next append calls fail, one after the other.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.cluster.faults).extend(faults);
    }

    /// Writes these just before the next append call is decided, at the end of their stream.
    pub fn overtake(&self, stream: &str, events: Vec<Proposed>) {
        lock(&self.cluster.overtaking).push_back((stream.to_owned(), events));
    }

    /// No further faults.
    pub fn clear_faults(&self) {
        lock(&self.cluster.faults).clear();
    }

    /// Ends a node: its connections break, its port refuses new ones. Its data stay.
    pub fn stop(&self, node: usize) {
        self.cluster.running[node].store(false, Ordering::SeqCst);
        lock(&self.nodes)[node].stop();
    }

    /// Starts a stopped node again on its port.
    pub async fn start_again(&self, node: usize) {
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", self.cluster.ports[node])).await {
                Ok(listener) => break listener,
                // The old socket goes away with its task.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        self.cluster.running[node].store(true, Ordering::SeqCst);
        let node_again = serve(self.cluster.clone(), node, listener);
        lock(&self.nodes)[node] = node_again;
    }

    /// What each append call that reached the leader brought, in the order of arrival.
    pub fn proposals(&self) -> Vec<Vec<Proposed>> {
        lock(&self.cluster.proposals).clone()
    }

    /// What is stored, and a way to write past the protocol.
    pub fn log(&self) -> &Log {
        &self.cluster.log
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        lock(&self.nodes).iter().for_each(Node::stop);
    }
}

fn serve(cluster: Arc<Cluster>, node: usize, listener: TcpListener) -> Node {
    let serving = Node::default();
    let (connected, incoming) = mpsc::channel(16);
    let server = service::router(cluster, node).serve_with_incoming(ReceiverStream::new(incoming));
    let server = tokio::spawn(async move {
        // It ends when it is told to.
        let _ = server.await;
    });
    let tasks = serving.tasks.clone();
    let accept = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (near, far) = tokio::io::duplex(256 << 10);
            let carrier = tokio::spawn(carry(socket, far)).abort_handle();
            lock(&tasks).push(carrier.clone());
            if connected.send(Ok::<_, io::Error>(Connection { io: near, line: Line(carrier) })).await.is_err() {
                return;
            }
        }
    });
    lock(&serving.tasks).extend([server.abort_handle(), accept.abort_handle()]);
    serving
}

async fn carry(mut socket: TcpStream, mut far: DuplexStream) {
    let _ = socket.set_nodelay(true);
    let _ = tokio::io::copy_bidirectional(&mut socket, &mut far).await;
}

/// Cuts the connection that a call came in on.
#[derive(Clone)]
pub(crate) struct Line(AbortHandle);

impl Line {
    fn cut(&self) {
        self.0.abort();
    }
}

/// The server's end of a connection.
struct Connection {
    io: DuplexStream,
    line: Line,
}

impl Connected for Connection {
    type ConnectInfo = Line;

    fn connect_info(&self) -> Line {
        self.line.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
