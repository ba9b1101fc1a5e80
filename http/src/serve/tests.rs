//! What the layers do where no request from outside can bring it about.

use std::net::SocketAddr;

use super::*;
use crate::config::Config;
use crate::datadir::DataDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What no request from outside brings about.
fn broken() -> Router<Arc<App>> {
    Router::new()
        .route(
            "/panics",
            get(|| async {
                if true {
                    panic!("on purpose")
                }
            }),
        )
        .route("/stalls", get(|| async { std::future::pending::<()>().await }))
        .route("/away", get(|| async { Problem::unavailable("a test") }))
        .route("/full", get(|| async { Problem::full(crate::room::Store::Beside, "a test") }))
}

async fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.to_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_a_time_limit_and_an_absent_store_bear_the_security_headers() {
    let folder = std::env::temp_dir().join(format!("keiin-serve-{}", random::digits(12)));
    let data = DataDir::new(&folder);
    data.create("localhost", &[]).unwrap();
    let mut config = Config { public_url: "https://keiin.example".into(), ..Config::default() };
    config.limits.request_s = 1;
    let app = App::open(config, data).await.unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let stop = std::future::pending();
    let routes = layered(app.clone(), broken().nest("/v1", broken()));
    let patience = Patience { head: Duration::from_secs(30), stalled: Duration::from_secs(30) };
    tokio::spawn(serving(socket, None, patience, routes, stop));
    for (path, status, code) in [
        ("/v1/panics", 500, "service.failed"),
        ("/panics", 500, "service.failed"),
        ("/v1/stalls", 503, "request.timeout"),
        ("/stalls", 503, "request.timeout"),
        ("/away", 503, "service.unavailable"),
        ("/full", 507, "service.storage_full"),
        ("/none", 404, "request.not_found"),
    ] {
        let answer = ask(address, path).await;
        assert!(answer.starts_with(&format!("http/1.1 {status}")), "{path}: {answer}");
        assert!(answer.contains("x-request-id: "), "{path}: {answer}");
        if path.starts_with("/v1/") {
            assert!(answer.contains(code), "{path}: {answer}");
        }
        let mut every = HeaderMap::new();
        headers::secure(&mut every, true);
        for (name, value) in &every {
            let line = format!("{name}: {}\r\n", value.to_str().unwrap()).to_lowercase();
            assert!(answer.contains(&line), "{path} has no {line}: {answer}");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
