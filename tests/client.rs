//! A blocking client for the JSON API: every status is an answer, redirects are not followed, nothing is retried.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http;
use ureq::tls::{RootCerts, TlsConfig};

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Speaks to one server, with one credential or none.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub url: String,
    token: Option<String>,
}

/// A request in the making.
#[derive(Clone, Debug)]
pub struct Call {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call {
    /// A request without a body.
    pub fn new(method: &str, path: &str) -> Call {
        Call { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// Where it goes.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same to another path.
    pub fn to(self, path: String) -> Call {
        Call { path, ..self }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Call {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `Idempotency-Key`.
    pub fn key(self, key: &str) -> Call {
        self.header("Idempotency-Key", key)
    }

    /// `If-Match` with the entity tag of an earlier answer.
    pub fn if_match(self, etag: &str) -> Call {
        self.header("If-Match", etag)
    }

    /// A JSON body.
    pub fn json(self, body: &Value) -> Call {
        self.bytes("application/json", body.to_string().into_bytes())
    }

    /// A body of any kind.
    pub fn bytes(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Call {
        self.body = body.into();
        self.header("Content-Type", content_type)
    }
}

impl Client {
    /// A client without a credential. `url` has no slash at the end.
    pub fn new(url: &str) -> Client {
        Client::with(url, TlsConfig::default())
    }

    /// The same; the server's certificate is checked against these (PEM).
    pub fn trusting(url: &str, roots: &[u8]) -> Client {
        let root = ureq::tls::Certificate::from_pem(roots).expect("a certificate in PEM");
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[root]));
        Client::with(url, tls.unversioned_rustls_crypto_provider(provider).build())
    }

    /// The same; it shows this certificate of its own (PEM, with its key).
    pub fn showing(url: &str, roots: &[u8], certificate: &[u8], key: &[u8]) -> Client {
        let pem = |text: &[u8]| ureq::tls::Certificate::from_pem(text).expect("a certificate in PEM");
        let key = ureq::tls::PrivateKey::from_pem(key).expect("a key in PEM");
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[pem(roots)]));
        let tls = tls.client_cert(Some(ureq::tls::ClientCert::new_with_certs(&[pem(certificate)], key)));
        Client::with(url, tls.unversioned_rustls_crypto_provider(provider).build())
    }

    /// The same server over plain HTTP, by somebody who waits no longer than this for an answer.
    pub fn hurried(&self, patience: Duration) -> Client {
        Client { token: self.token.clone(), ..Client::waiting(&self.url, TlsConfig::default(), patience) }
    }

    fn with(url: &str, tls: TlsConfig) -> Client {
        Client::waiting(url, tls, PATIENCE)
    }

    fn waiting(url: &str, tls: TlsConfig, patience: Duration) -> Client {
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            // Each request has its own connection: the server closes one whose body it did not read.
            .max_idle_connections(0)
            .timeout_global(Some(patience))
            .build();
        Client { agent: config.new_agent(), url: url.to_owned(), token: None }
    }

    /// The same server, with a bearer token.
    pub fn with_token(&self, token: &str) -> Client {
        Client { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same server, as a stranger.
    pub fn without_token(&self) -> Client {
        Client { token: None, ..self.clone() }
    }

    /// Sends a request; `Err` when no whole answer came (refused, reset, too slow).
    pub fn try_send(&self, call: &Call) -> Result<Answer, ureq::Error> {
        let mut request =
            http::Request::builder().method(call.method.as_str()).uri(format!("{}{}", self.url, call.path));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let takes_body = matches!(call.method.as_str(), "POST" | "PUT" | "PATCH");
        let response = if takes_body || !call.body.is_empty() {
            let request = request.body(call.body.clone()).map_err(ureq::Error::Http)?;
            self.agent.run(self.agent.configure_request(request).allow_non_standard_methods(true).build())?
        } else {
            self.agent.run(request.body(()).map_err(ureq::Error::Http)?)?
        };
        let (head, mut body) = response.into_parts();
        let headers =
            head.headers.iter().map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
        let headers = headers.collect();
        let is_endless = head.headers.get("content-type").is_some_and(|media| media == "text/event-stream");
        let body = if is_endless {
            first_message(body.into_reader())?
        } else {
            body.with_config().limit(64 << 20).read_to_vec()?
        };
        Ok(Answer { asked: format!("{} {}", call.method, call.path), status: head.status.as_u16(), headers, body })
    }

    /// Sends a request to a server that is expected to be up.
    pub fn send(&self, call: &Call) -> Answer {
        self.try_send(call).unwrap_or_else(|e| panic!("{} {}{}: {e}", call.method, self.url, call.path))
    }

    /// GET.
    pub fn get(&self, path: &str) -> Answer {
        self.send(&Call::new("GET", path))
    }

    /// POST with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(&Call::new("POST", path).json(body))
    }

    /// Bytes as they are, over a connection of their own, for what no well-behaved client sends. Returns what came back
    /// until the server closed, or stopped sending for `quiet`, and how long the first byte took.
    pub fn raw(&self, request: &[u8], quiet: Duration) -> (Vec<u8>, Duration) {
        let address: SocketAddr = self.address().parse().expect("an address and a port");
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server accepts connections");
        stream.set_read_timeout(Some(quiet)).expect("a time-out can be set");
        let started = Instant::now();
        stream.write_all(request).expect("the request can be written");
        let (mut answer, mut first, mut buffer) = (Vec::new(), None, [0; 8192]);
        while let Ok(n) = stream.read(&mut buffer) {
            if n == 0 {
                break;
            }
            first.get_or_insert_with(|| started.elapsed());
            answer.extend_from_slice(&buffer[..n]);
        }
        (answer, first.unwrap_or_else(|| started.elapsed()))
    }

    /// `127.0.0.1:PORT`, for a `Host` header.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://").trim_start_matches("https://")
    }
}

/// An event stream up to its first blank line: it has no end.
fn first_message(mut stream: impl Read) -> std::io::Result<Vec<u8>> {
    let (mut message, mut byte) = (Vec::new(), [0]);
    while !message.ends_with(b"\n\n") && stream.read(&mut byte)? > 0 {
        message.push(byte[0]);
    }
    Ok(message)
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Method and path, for messages.
    pub asked: String,
    /// HTTP status.
    pub status: u16,
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    /// As sent.
    pub body: Vec<u8>,
}

impl Answer {
    /// The answer itself if it has this status; fails with the body otherwise.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        self
    }

    /// First header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub fn headers_of(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{}: {} is no JSON: {e}", self.asked, self.text()))
    }

    /// `code` of a problem; empty if the body is none.
    pub fn code(&self) -> String {
        let problem: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Ledger position of a write, from `Keiin-Position`.
    #[track_caller]
    pub fn position(&self) -> u64 {
        let value = self.header("keiin-position").unwrap_or_else(|| panic!("{}: no Keiin-Position", self.asked));
        value.parse().expect("Keiin-Position is a number")
    }

    /// `ETag`, for the next [`Call::if_match`].
    #[track_caller]
    pub fn etag(&self) -> &str {
        self.header("etag").unwrap_or_else(|| panic!("{}: no ETag", self.asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Answers each connection once with `answer`, and gives back what was asked.
    fn server(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            let mut asked = Vec::new();
            while !String::from_utf8_lossy(&asked).contains("END") {
                let n = stream.read(&mut buffer).unwrap();
                asked.extend_from_slice(&buffer[..n]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (url, asked)
    }

    #[test]
    fn a_refusal_is_an_answer_with_its_code() {
        let problem =
            "HTTP/1.1 409 Conflict\r\nContent-Length: 25\r\nKeiin-Position: 7\r\n\r\n{\"code\":\"member.invited\"}";
        let (url, asked) = server(problem);
        let client = Client::new(&url).with_token("keiin_pat_x");
        let answer = client.send(&Call::new("POST", "/v1/members").key("k1").json(&serde_json::json!({"name": "END"})));
        assert_eq!((answer.status, answer.code().as_str(), answer.position()), (409, "member.invited", 7));
        let asked = asked.join().unwrap().to_lowercase();
        assert!(asked.starts_with("post /v1/members http/1.1\r\n"), "{asked}");
        assert!(
            asked.contains("authorization: bearer keiin_pat_x\r\n") && asked.contains("idempotency-key: k1\r\n"),
            "{asked}"
        );
    }

    #[test]
    fn a_redirect_is_not_followed_and_a_cut_answer_is_an_error() {
        let (url, _) = server("HTTP/1.1 303 See Other\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n");
        let answer = Client::new(&url).send(&Call::new("GET", "/").header("X-Mark", "END"));
        assert_eq!((answer.status, answer.header("location")), (303, Some("/login")));
        let (url, _) = server("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
        assert!(Client::new(&url).try_send(&Call::new("GET", "/").header("X-Mark", "END")).is_err());
    }

    #[test]
    fn raw_bytes_go_out_as_they_are() {
        let (url, asked) = server("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
        let (answer, took) = Client::new(&url).raw(b"BREW /pot HTTP/1.1\r\nEND: 1\r\n\r\n", Duration::from_secs(5));
        assert!(answer.starts_with(b"HTTP/1.1 401") && took < Duration::from_secs(5));
        assert!(asked.join().unwrap().starts_with("BREW /pot"));
    }
}
