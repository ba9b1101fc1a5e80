//! The ports: plain or TLS, how patient they are, and how they end.
//!
//! HTTP/1.1 and nothing else. Who is slow pays for it alone: a head that is not there in time ends its connection, and so does
//! an answer that is not taken.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::serve::{Listener, ListenerExt};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::{admin_router, router};
use crate::app::App;
use crate::tls::{Caller, Port, Tls, TlsListener, certificate, redirect};

/// Bytes that wait in the kernel for a slow peer, beside those on their way.
const UNSENT: u32 = 64 << 10;

/// Where we listen.
pub struct Sockets {
    /// For people.
    pub public: TcpListener,
    /// For operators.
    pub admin: TcpListener,
    /// Leads to https.
    pub redirect: Option<TcpListener>,
    /// Spoken on the first.
    pub tls: Option<Arc<Tls>>,
    /// Spoken on the second; the same, or its own.
    pub admin_tls: Option<Arc<Tls>>,
}

/// Serves until a signal says stop; requests under way are finished.
pub async fn run(app: Arc<App>, sockets: Sockets) -> anyhow::Result<()> {
    let stopped = app.stopping.subscribe();
    let stopping = app.clone();
    tokio::spawn(async move {
        stop_signal().await;
        stopping.stopping.send_replace(true);
    });
    let until = |mut stopped: watch::Receiver<bool>| async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    for tls in [&sockets.tls, &sockets.admin_tls].into_iter().flatten() {
        // Of one certificate for both the second call has nothing to do.
        tokio::spawn(tls.clone().keep_fresh());
    }
    if let Some(plain) = sockets.redirect {
        let (lead, stop) = (redirect(plain, app.public_url()), until(stopped.clone()));
        tokio::spawn(async {
            tokio::select! { never = lead => match never {}, () = stop => {} }
        });
    }
    let limits = &app.config.limits;
    let patience =
        Patience { head: Duration::from_secs(limits.head_s), stalled: Duration::from_secs(limits.stalled_s) };
    let acceptor = |tls: &Option<Arc<Tls>>, port| tls.as_ref().map(|tls| tls.acceptor(port)).transpose();
    let people = acceptor(&sockets.tls, Port::Public)?;
    let operators = acceptor(&sockets.admin_tls, Port::Operators)?;
    let public = serving(sockets.public, people, patience, router(app.clone()), until(stopped.clone()));
    let admin = serving(sockets.admin, operators, patience, admin_router(app), until(stopped.clone()));
    let both = async { tokio::join!(public, admin) };
    let longest = async {
        until(stopped).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
    };
    tokio::select! {
        ((), ()) = both => {}
        // Connections that never end (a slow reader) do not keep the process alive.
        () = longest => {}
    }
    Ok(())
}

/// Ends when it is told to and what was under way is finished.
pub(crate) type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How long a peer may take.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// For the head of a request, from the connection's beginning or from the answer before.
    pub head: Duration,
    /// With what we sent it.
    pub stalled: Duration,
}

/// One port, plain or over TLS: the same patience, the same end, and for every request the [`Caller`].
pub(crate) fn serving(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    patience: Patience,
    routes: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Serving {
    let plain = socket.tap_io(move |io| {
        if let Err(error) = patience_with(io, patience.stalled) {
            tracing::warn!(%error, "a connection keeps the system's settings");
        }
    });
    match tls {
        None => Box::pin(accepting(plain, |_| None, patience.head, routes, stop)),
        Some(acceptor) => {
            Box::pin(accepting(TlsListener::new(plain, acceptor), certificate, patience.head, routes, stop))
        }
    }
}

/// Answers whoever connects. When it is told to stop, it takes no more connections and no more requests, and ends when the
/// last answer has left.
async fn accepting<L: Listener<Addr = SocketAddr>>(
    mut listener: L,
    certificate: fn(&L::Io) -> Option<[u8; 32]>,
    head: Duration,
    routes: Router,
    stop: impl Future<Output = ()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head);
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let (io, address) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let caller = Caller { address, certificate: certificate(&io) };
        let routes = TowerToHyperService::new(routes.clone());
        let answer = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(caller);
            routes.call(request)
        });
        let connection = connections.watch(http.serve_connection(TokioIo::new(io), answer));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::trace!(%address, %error, "a connection ended early");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}

/// A peer that is gone, or does not read, is cut off after `stalled`; until then the kernel holds little for it. Small
/// answers leave at once.
fn patience_with(io: &TcpStream, stalled: Duration) -> std::io::Result<()> {
    let socket = socket2::SockRef::from(io);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT)?;
    socket.set_tcp_user_timeout(Some(stalled))
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
}
