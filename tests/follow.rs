//! Follows an event feed as a program would: over a connection of its own, with the cursor of the last message kept, so
//! that it can come back.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Client;
use crate::company::Credential;

/// Longest wait for an answer to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open stream.
pub struct Follow {
    reader: BufReader<TcpStream>,
    /// Of the answer, as it stands there, in lower case.
    pub head: String,
    /// HTTP status.
    pub status: u16,
    /// Cursor of the last message, or of the last sign of life.
    pub last: Option<String>,
    /// Bytes of a message that has not come to its end.
    rest: Vec<u8>,
    /// What is still to come of a piece of the answer.
    chunk: usize,
    /// The line that says so, as far as it was read.
    size: String,
}

/// What came next.
#[derive(Debug)]
pub enum Next {
    /// An event.
    Event(Event),
    /// A message without an event.
    Alive,
    /// The server ended the stream.
    Ended,
    /// The connection broke.
    Cut,
    /// Nothing, as long as one was ready to wait.
    Quiet,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its cursor.
    pub id: String,
    /// Event kind.
    pub kind: String,
    /// As the list shows it.
    pub data: Value,
}

impl Event {
    /// Its place in the ledger.
    pub fn position(&self) -> u64 {
        self.data["position"].as_u64().expect("events have a position")
    }
}

impl Follow {
    /// Opens `/v1/events/stream` with this query string (with its `?`, or empty), after the message `last`.
    pub fn open(client: &Client, credential: &Credential, query: &str, last: Option<&str>) -> Follow {
        let stream = TcpStream::connect(client.address()).expect("the server accepts connections");
        Follow::on(stream, client, credential, query, last).expect("an answer")
    }

    /// The same on a connection that exists already; fails when that breaks.
    pub fn on(
        mut stream: TcpStream,
        client: &Client,
        credential: &Credential,
        query: &str,
        last: Option<&str>,
    ) -> std::io::Result<Follow> {
        let last_line = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let (host, lines) = (client.address(), credential.lines());
        write!(stream, "GET /v1/events/stream{query} HTTP/1.1\r\nHost: {host}\r\n{lines}{last_line}\r\n")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut reader = BufReader::with_capacity(4096, stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let (head, last) = (head.to_lowercase(), last.map(str::to_owned));
        Ok(Follow { reader, head, status, last, rest: Vec::new(), chunk: 0, size: String::new() })
    }

    /// What comes next, within this time.
    pub fn next(&mut self, patience: Duration) -> Next {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(end) = self.rest.windows(2).position(|two| two == b"\n\n") {
                let message: Vec<u8> = self.rest.drain(..end + 2).collect();
                return self.message(&String::from_utf8(message).expect("a feed is text"));
            }
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.reader.get_ref().set_read_timeout(Some(left)).expect("a time-out can be set");
            match self.read_some() {
                Ok(true) => {}
                Ok(false) => return Next::Ended,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if Instant::now() >= deadline {
                        return Next::Quiet;
                    }
                }
                Err(_) => return Next::Cut,
            }
        }
    }

    /// The next event, whatever comes between; `None` when the stream is over or `patience` is.
    pub fn event(&mut self, patience: Duration) -> Option<Event> {
        let deadline = Instant::now() + patience;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Next::Event(event) => return Some(event),
                Next::Alive => {}
                Next::Ended | Next::Cut | Next::Quiet => return None,
            }
        }
    }

    /// Every event up to this position.
    #[track_caller]
    pub fn up_to(&mut self, position: u64) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        while events.last().is_none_or(|event| event.position() < position) {
            let event = self.event(PATIENCE);
            events.push(event.unwrap_or_else(|| panic!("no {position} after {:?}", events.last())));
        }
        events
    }

    /// Waits until everything that is there was sent: the client has a cursor then.
    #[track_caller]
    pub fn caught_up(mut self) -> Follow {
        while !matches!(self.next(PATIENCE), Next::Alive) {}
        self
    }

    /// How long until the server ends the stream; `None` if it does not.
    pub fn ended_within(&mut self, patience: Duration) -> Option<Duration> {
        let started = Instant::now();
        loop {
            match self.next(patience.saturating_sub(started.elapsed())) {
                Next::Ended => return Some(started.elapsed()),
                Next::Event(_) | Next::Alive => {}
                Next::Cut | Next::Quiet => return None,
            }
        }
    }

    /// Reads what is there of the current piece, or begins the next one; false at the end.
    fn read_some(&mut self) -> std::io::Result<bool> {
        if self.chunk == 0 {
            // What a time-out cut off is kept.
            if self.reader.read_line(&mut self.size)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let size = std::mem::take(&mut self.size);
            if size.trim().is_empty() {
                return Ok(true);
            }
            self.chunk = usize::from_str_radix(size.trim(), 16).map_err(|_| ErrorKind::InvalidData)?;
            return Ok(self.chunk > 0);
        }
        let mut buffer = [0; 4096];
        let most = self.chunk.min(buffer.len());
        let n = self.reader.read(&mut buffer[..most])?;
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.rest.extend_from_slice(&buffer[..n]);
        self.chunk -= n;
        Ok(true)
    }

    fn message(&mut self, text: &str) -> Next {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let id = field("id").map(str::to_owned);
        self.last = id.clone().or(self.last.take());
        match (id, field("event"), field("data")) {
            (Some(id), Some(kind), Some(data)) => Next::Event(Event {
                id,
                kind: kind.to_owned(),
                data: serde_json::from_str(data).unwrap_or_else(|e| panic!("{data}: {e}")),
            }),
            (_, None, None) => Next::Alive,
            other => panic!("half a message: {other:?}"),
        }
    }
}
