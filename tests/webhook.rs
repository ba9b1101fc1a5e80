//! Whoever is told by webhooks, on this machine: takes messages over HTTP, answers as it is told, and shows them to tests.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Call;
use crate::company::{Company, Deployment, text};

/// Longest wait for a message.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Message {
    /// Request line.
    pub asked: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// What it says, byte for byte.
    pub body: String,
}

impl Message {
    /// What it says.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// A header, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// How a receiver answers.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Status and whatever else stands in the head, such as `410 Gone\r\nX: y`.
    pub head: String,
    /// What it says.
    pub body: Vec<u8>,
    /// How long it thinks before.
    pub after: Duration,
}

impl Manner {
    /// At once, with this head and no body.
    pub fn says(head: &str) -> Manner {
        Manner { head: head.to_owned(), body: vec![], after: Duration::ZERO }
    }
}

/// A running receiver. It ends with the test.
pub struct Receiver {
    /// Where it listens, `127.0.0.1:port`.
    pub address: String,
    manner: Mutex<Manner>,
    messages: Mutex<Vec<Message>>,
}

impl Receiver {
    /// One that takes everything.
    pub fn start() -> Arc<Receiver> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address").to_string();
        let manner = Mutex::new(Manner::says("204 No Content"));
        let receiver = Arc::new(Receiver { address, manner, messages: Mutex::default() });
        let own = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                // A caller that went away is nobody's fault here.
                std::thread::spawn(move || own.take(stream).ok());
            }
        });
        receiver
    }

    /// A path there.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// From now on it answers like this.
    pub fn answers(&self, manner: Manner) {
        *self.manner.lock().expect("no test panicked here") = manner;
    }

    /// Every message so far.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().expect("no test panicked here").clone()
    }

    /// The first message that this is true of, now or in a while.
    #[track_caller]
    pub fn message(&self, is: impl Fn(&Message) -> bool) -> Message {
        let until = Instant::now() + PATIENCE;
        loop {
            let messages = self.messages();
            if let Some(found) = messages.iter().find(|message| is(message)) {
                return found.clone();
            }
            assert!(Instant::now() < until, "no such message came, but: {messages:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The first message of this kind.
    #[track_caller]
    pub fn of_kind(&self, kind: &str) -> Message {
        self.message(|message| message.json()["type"] == kind)
    }

    fn take(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut asked = String::new();
        reader.read_line(&mut asked)?;
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            // Whoever went away within the head has sent nothing.
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let Some((name, value)) = line.trim().split_once(": ") else { break };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        let manner = self.manner.lock().expect("no test panicked here").clone();
        let message = Message { asked: asked.trim().to_owned(), headers, body };
        self.messages.lock().expect("no test panicked here").push(message);
        std::thread::sleep(manner.after);
        let length = manner.body.len();
        let mut stream = reader.into_inner();
        write!(stream, "HTTP/1.1 {}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n", manner.head)?;
        stream.write_all(&manner.body)
    }
}

/// What a program prints that reads this; it must end well.
#[track_caller]
pub fn piped(program: &Path, args: &[&str], input: &str) -> String {
    let command = Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = command.expect("it runs");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let done = child.wait_with_output().expect("it ends");
    assert!(done.status.success(), "{}", done.status);
    String::from_utf8(done.stdout).expect("text")
}

impl Deployment {
    /// From the next start on companies may have messages sent to these receivers, and sentences as if they were Slack.
    pub fn may_send_to(&self, receivers: &[&Receiver]) {
        let addresses: Vec<String> = receivers.iter().map(|receiver| format!("\"{}\"", receiver.address)).collect();
        let list = addresses.join(", ");
        let settings = self.data().join("keiin.toml");
        let text = std::fs::read_to_string(&settings).expect("init wrote the settings");
        let text = format!("{text}\n[webhooks]\nallow_private = [{list}]\nslack_hosts = [{list}]\n");
        std::fs::write(&settings, text).expect("the settings can be written");
    }
}

impl Company {
    /// An endpoint that no message reaches.
    pub fn new_webhook(&self) -> String {
        self.make_room();
        let url = format!("https://receiver.invalid/{}", self.slug);
        text(&self.webhook(&json!({ "url": url, "events": ["token.revoked"] })), "id")
    }

    /// Takes the oldest endpoint away where there are nearly as many as a company can have.
    pub fn make_room(&self) {
        let all = self.get("/v1/webhooks?limit=200");
        let all = all["items"].as_array().expect("a list");
        if let Some(oldest) = all.last().filter(|_| all.len() >= 15) {
            self.do_webhook(&text(oldest, "id"), "remove", &json!({}));
        }
    }

    /// An endpoint.
    #[track_caller]
    pub fn webhook(&self, body: &Value) -> Value {
        self.ok(Call::new("POST", "/v1/webhooks").json(body))
    }

    /// Does something with an endpoint.
    #[track_caller]
    pub fn do_webhook(&self, id: &str, what: &str, body: &Value) -> Value {
        let path = format!("/v1/webhooks/{id}");
        self.ok(Call::new("POST", &format!("{path}/{what}")).if_match(&self.etag(&path)).json(body))
    }

    /// A message that waits.
    pub fn new_webhook_delivery(&self) -> String {
        let webhook = self.new_webhook();
        self.do_webhook(&webhook, "ping", &json!({}));
        text(&self.webhook_delivery(&webhook, |_| true), "id")
    }

    /// A mail that was refused, by both numbers of its id.
    pub fn failed_mail(&self) -> (u64, u64) {
        let email = format!("nobody{}@bounce.invalid", self.next());
        let body = json!({ "name": "Nobody", "email": email, "role": "viewer" });
        let member = self.ok(Call::new("POST", "/v1/members").key(&email).json(&body));
        let until = Instant::now() + PATIENCE;
        loop {
            let mails = self.get("/v1/mails?status=failed");
            let mail =
                mails["items"].as_array().and_then(|mails| mails.iter().find(|m| m["object"]["id"] == member["id"]));
            if let Some((position, n)) = mail.and_then(|mail| mail["id"].as_str()?.split_once('-')) {
                return (position.parse().expect("a number"), n.parse().expect("a number"));
            }
            assert!(Instant::now() < until, "no mail failed");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The newest message to an endpoint of which this is true, now or in a while.
    #[track_caller]
    pub fn webhook_delivery(&self, webhook: &str, is: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let page = self.get(&format!("/v1/webhook_deliveries?webhook_id={webhook}"));
            if let Some(found) = page["items"].as_array().and_then(|items| items.iter().find(|item| is(item))) {
                return found.clone();
            }
            assert!(Instant::now() < until, "no such message: {page:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
