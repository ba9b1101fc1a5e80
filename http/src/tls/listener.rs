//! Connections that have agreed on TLS.
//!
//! Each handshake is a task of its own: one that stalls keeps nobody else from being accepted, is cut off after
//! [`PATIENCE`], and gives way earlier when too many wait.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Longest handshake.
const PATIENCE: Duration = Duration::from_secs(10);
/// Handshakes at once; the oldest gives way to the next.
const HANDSHAKES: usize = 4_096;

/// Tasks of which the oldest is ended when there are too many.
pub(super) struct Crowd<T> {
    tasks: JoinSet<T>,
    /// Oldest first; may hold some that have ended.
    order: VecDeque<AbortHandle>,
    most: usize,
}

impl<T: Send + 'static> Crowd<T> {
    pub(super) fn new(most: usize) -> Crowd<T> {
        Crowd { tasks: JoinSet::new(), order: VecDeque::new(), most }
    }

    pub(super) fn add(&mut self, task: impl Future<Output = T> + Send + 'static) {
        while self.order.front().is_some_and(AbortHandle::is_finished) {
            self.order.pop_front();
        }
        if self.tasks.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        self.order.push_back(self.tasks.spawn(task));
    }

    /// What the next task gave that was not ended; waits for ever while there is none. May be dropped at any point.
    pub(super) async fn next(&mut self) -> T {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(done)) => return done,
                Some(Err(_)) => {}
                None => return std::future::pending().await,
            }
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Where it is.
    pub address: SocketAddr,
    /// SHA-256 of the certificate that it showed over TLS; an authority of ours issued it, or the handshake had failed.
    pub certificate: Option<[u8; 32]>,
}

/// SHA-256 of the certificate that the other end showed.
pub fn certificate(io: &TlsStream<TcpStream>) -> Option<[u8; 32]> {
    let shown = io.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    shown.map(|leaf| Sha256::digest(leaf).into())
}

/// TLS over another listener.
pub struct TlsListener<L> {
    plain: L,
    acceptor: TlsAcceptor,
    handshakes: Crowd<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl<L> TlsListener<L> {
    /// Speaks TLS on what `plain` accepts.
    pub fn new(plain: L, acceptor: TlsAcceptor) -> TlsListener<L> {
        TlsListener { plain, acceptor, handshakes: Crowd::new(HANDSHAKES) }
    }
}

impl<L: Listener<Io = TcpStream, Addr = SocketAddr>> Listener for TlsListener<L> {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (io, peer) = self.plain.accept() => {
                    let handshake = tokio::time::timeout(PATIENCE, self.acceptor.accept(io));
                    self.handshakes.add(async move {
                        match handshake.await {
                            Ok(Ok(io)) => return Some((io, peer)),
                            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS was agreed on"),
                            Err(_) => tracing::debug!(%peer, "a TLS handshake was cut off"),
                        }
                        None
                    });
                }
                agreed = self.handshakes.next() => if let Some(agreed) = agreed { return agreed },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.plain.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_gives_way() {
        let mut crowd = Crowd::new(3);
        for name in 0..4 {
            // The first two stall for ever.
            crowd.add(async move {
                if name < 2 {
                    std::future::pending::<()>().await;
                }
                name
            });
        }
        let first = (crowd.next().await, crowd.next().await);
        assert!(matches!(first, (2, 3) | (3, 2)), "{first:?}");
        assert_eq!(crowd.tasks.len(), 1, "the oldest was ended, the other staller stays");
    }
}
