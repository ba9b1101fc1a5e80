//! The ports: plain or TLS, how patient they are, and how they end.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::{admin_router, router};
use crate::app::App;
use crate::tls::{Caller, Port, Tls, TlsListener, redirect};

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
    let (stop, stopped) = watch::channel(false);
    let feed = app.clone();
    tokio::spawn(async move {
        stop_signal().await;
        // Event streams would not end by themselves.
        feed.feed.end();
        let _ = stop.send(true);
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
    let stalled = Duration::from_secs(app.config.limits.stalled_s);
    let acceptor = |tls: &Option<Arc<Tls>>, port| tls.as_ref().map(|tls| tls.acceptor(port)).transpose();
    let people = acceptor(&sockets.tls, Port::Public)?;
    let operators = acceptor(&sockets.admin_tls, Port::Operators)?;
    let public = serving(sockets.public, people, stalled, router(app.clone()), until(stopped.clone()));
    let admin = serving(sockets.admin, operators, stalled, admin_router(app), until(stopped.clone()));
    let both = async { tokio::try_join!(public, admin) };
    let patience = async {
        until(stopped).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
    };
    tokio::select! {
        ended = both => { ended?; }
        // Connections that never end (a slow reader) do not keep the process alive.
        () = patience => {}
    }
    Ok(())
}

/// Ends when it is told to, or when its port fails.
pub(super) type Serving = Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>>;

/// One port, plain or over TLS: the same patience, the same end, and for every request the peer: its address, over TLS the
/// certificate that it showed as well.
pub(super) fn serving(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    stalled: Duration,
    routes: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Serving {
    let plain = socket.tap_io(move |io| {
        if let Err(error) = patience_with(io, stalled) {
            tracing::warn!(%error, "a connection keeps the system's settings");
        }
    });
    match tls {
        None => {
            let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
            Box::pin(axum::serve(plain, routes).with_graceful_shutdown(stop).into_future())
        }
        Some(acceptor) => {
            let routes = routes.into_make_service_with_connect_info::<Caller>();
            let listener = TlsListener::new(plain, acceptor);
            Box::pin(axum::serve(listener, routes).with_graceful_shutdown(stop).into_future())
        }
    }
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
