//! Whole commands over HTTP, on connections that stay open, against the router that serves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use keiin_domain::catalog;
use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::role::Role;
use keiin_domain::token::IssueToken;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::deployment::Deployment;
use super::{Clock, Measured, Settings};
use crate::app::App;
use crate::execute::{Call, execute};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::serve::{self, Patience, serving};
use crate::signup::{self, NewTenant};
use crate::{clock, metrics};

pub async fn run(place: &Deployment, settings: &Settings) -> anyhow::Result<Measured> {
    let app = place.app.clone();
    let _mails = app.start();
    let mut tokens = vec![];
    for n in 0..settings.ledgers {
        let token = company(&app, n).await.map_err(|p| anyhow::anyhow!("no company was made ({})", p.code))?;
        tokens.push(token);
    }
    metrics::start()?;
    app.runner.catch_up().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let patience = Patience { head: Duration::from_secs(30), stalled: Duration::from_secs(30) };
    let server = tokio::spawn(serving(listener, None, patience, serve::router(app), std::future::pending()));

    let tokens = Arc::new(tokens);
    let clock = Clock::start();
    let mut clients = JoinSet::new();
    for n in 0..settings.clients {
        clients.spawn(client(n, address, settings.clone(), tokens.clone()));
    }
    let mut latencies = vec![];
    while let Some(done) = clients.join_next().await {
        latencies.extend(done??);
    }
    let took = clock.stop();
    server.abort();
    Ok(Measured { events: latencies.len() as u64, took, latencies, more: vec![] })
}

/// Signs a company up; its owner.
pub async fn owner(app: &App, n: u64) -> Result<Principal, Problem> {
    let email = "owner@example.jp";
    let form = NewTenant {
        company: format!("株式会社 {n}"),
        slug: format!("bench-{n}"),
        name: "田中 花子".into(),
        password: "correct horse battery".into(),
    };
    let call = Call::internal(clock::now_us());
    let ledger = signup::at_once(app, email, form, &call).await?;
    let id = app.vault.subject_for(ledger, "member", email)?;
    let actor = Actor::new(actor_kind::MEMBER, id, Role::Owner);
    Ok(Principal { member: Some(id), ..Principal::new(ledger, actor) })
}

/// An access token of a new company's owner.
async fn company(app: &App, n: u64) -> Result<String, Problem> {
    let owner = owner(app, n).await?;
    let scopes = catalog::scopes().into_iter().collect();
    let issue = IssueToken { name: "bench".into(), scopes, expires_in_days: Some(1) };
    let done = execute(app, &owner.allow::<IssueToken>()?, issue, &Call::internal(clock::now_us())).await?;
    done.secrets.into_iter().next().map(|(_, token)| token).ok_or_else(|| Problem::failed("a token has a secret"))
}

async fn client(
    number: u64,
    address: SocketAddr,
    settings: Settings,
    tokens: Arc<Vec<String>>,
) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut latencies, mut answer) = (vec![], vec![]);
    for n in (number..settings.events).step_by(settings.clients as usize) {
        let request = request(n, &tokens[n as usize % tokens.len()]);
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        read_answer(&mut stream, &mut answer).await?;
        latencies.push(asked.elapsed());
        anyhow::ensure!(
            answer.starts_with(b"HTTP/1.1 201"),
            "a command was refused: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    Ok(latencies)
}

/// Registers a client. As long as the events of the other loads, with what comes along in the record.
fn request(n: u64, token: &str) -> String {
    let body = format!(
        r#"{{"name":"株式会社 {n:012}","honorific":"onchu","postal_code":"105-8445","region":"東京都","locality":"港区","street_address":"虎ノ門2-2-5","extended_address":"{}"}}"#,
        "x".repeat(110)
    );
    format!(
        "POST /v1/clients HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: bench-{n}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// One answer, whole, into `answer`.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> anyhow::Result<()> {
    answer.clear();
    loop {
        let got = stream.read_buf(answer).await?;
        anyhow::ensure!(got > 0, "the server has closed the connection");
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&answer[..end])?.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.context("an answer has a length")?.trim().parse()?;
        if answer.len() >= end + 4 + length {
            return Ok(());
        }
    }
}
