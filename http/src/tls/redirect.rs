//! The plain port beside TLS: it answers every request with 308 to the https address, and does nothing else (MN-14).
//!
//! It reads one head of at most 16 KiB a connection and no body, and has no connection for longer than [`PATIENCE`].

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::listener::Crowd;
use crate::headers;

/// Longest connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD: usize = 16 << 10;
/// Connections at once; the oldest gives way to the next.
const CONNECTIONS: usize = 1_024;

/// Leads to `https`, an address without a slash at its end, until it is dropped.
pub async fn redirect(mut listener: TcpListener, https: String) -> Infallible {
    let mut connections = Crowd::new(CONNECTIONS);
    loop {
        tokio::select! {
            (io, _) = Listener::accept(&mut listener) => {
                let answer = tokio::time::timeout(PATIENCE, answer(io, https.clone()));
                connections.add(async { drop(answer.await) });
            }
            () = connections.next() => {}
        }
    }
}

async fn answer(io: TcpStream, https: String) {
    let lead = service_fn(move |request: Request<Incoming>| {
        let answer = lead(&https, &request);
        async { Ok::<_, Infallible>(answer) }
    });
    let connection =
        http1::Builder::new().keep_alive(false).max_buf_size(HEAD).serve_connection(TokioIo::new(io), lead);
    if let Err(error) = connection.await {
        tracing::trace!(%error, "a plain connection ended");
    }
}

/// To the same path; never to a host that the request names.
fn lead<B>(https: &str, request: &Request<B>) -> Response<Body> {
    let path = request.uri().path_and_query().map(|asked| asked.as_str()).filter(|path| path.starts_with('/'));
    let target = HeaderValue::from_str(&format!("{https}{}", path.unwrap_or("/")));
    let mut response = Response::new(Body::empty());
    match target {
        Ok(target) => {
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            response.headers_mut().insert(header::LOCATION, target);
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    // No HSTS: over plain HTTP it must not be sent and is not believed (RFC 6797, section 7.2).
    headers::secure(response.headers_mut(), false);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_chooses_the_path_and_nothing_else() {
        for (asked, target) in [
            ("/a?b=c", "https://keiin.example/a?b=c"),
            ("http://evil.example/x", "https://keiin.example/x"),
            ("//evil.example/x", "https://keiin.example//evil.example/x"),
            ("*", "https://keiin.example/"),
        ] {
            let request = Request::builder().uri(asked).header("host", "evil.example").body(()).unwrap();
            let response = lead("https://keiin.example", &request);
            assert_eq!(
                (response.status(), &response.headers()["location"]),
                (StatusCode::PERMANENT_REDIRECT, &HeaderValue::from_static(target))
            );
        }
    }
}
