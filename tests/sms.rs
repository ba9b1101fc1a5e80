//! Whoever sends SMS for a server, on this machine: takes messages over HTTP and shows them to tests. Every deployment of the
//! tests knows the shared one; those that must see it fail start one of their own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};

use crate::client::Call;
use crate::company::{Company, Credential, text};

/// What servers show there.
pub const TOKEN: &str = "sms-token-quokka-4417";

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Message {
    /// Request line.
    pub asked: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// What it says.
    pub body: Value,
}

impl Message {
    /// The code in it: the last word.
    pub fn code(&self) -> String {
        let text = text(&self.body, "text");
        text.rsplit('#').next().expect("a code").to_owned()
    }
}

/// A running provider. It ends with the test.
pub struct Exchange {
    /// Where messages are posted to.
    pub url: String,
    /// What it answers.
    pub status: AtomicU16,
    messages: Mutex<Vec<Message>>,
}

impl Exchange {
    /// A new one, which takes everything over.
    pub fn start() -> Arc<Exchange> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/send", listener.local_addr().expect("it has an address"));
        let exchange = Arc::new(Exchange { url, status: AtomicU16::new(202), messages: Mutex::default() });
        let own = exchange.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A caller that went away is nobody's fault here.
                let _ = own.take(stream);
            }
        });
        exchange
    }

    /// The one that every deployment knows.
    pub fn shared() -> &'static Exchange {
        static SHARED: OnceLock<Arc<Exchange>> = OnceLock::new();
        SHARED.get_or_init(Exchange::start)
    }

    fn take(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut asked = String::new();
        reader.read_line(&mut asked)?;
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(": ") else { break };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.messages.lock().expect("no test panicked here").push(Message {
            asked: asked.trim().to_owned(),
            headers,
            body,
        });
        let (status, to) = (self.status.load(Ordering::SeqCst), &self.url);
        let head = format!("HTTP/1.1 {status} x\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        reader.get_mut().write_all(head.as_bytes())
    }

    /// Everything that came to this number, oldest first.
    pub fn messages(&self, number: &str) -> Vec<Message> {
        let messages = self.messages.lock().expect("no test panicked here");
        messages.iter().filter(|message| message.body["to"] == number).cloned().collect()
    }

    /// The code that came to this number last.
    #[track_caller]
    pub fn code(&self, number: &str) -> String {
        self.messages(number).last().unwrap_or_else(|| panic!("nothing came to {number}")).code()
    }

    /// Settings of a server that uses it; its token goes into this folder.
    pub fn settings(&self, folder: &Path) -> String {
        let file = folder.join("sms.token");
        std::fs::write(&file, TOKEN).expect("the token can be written");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("it is ours");
        format!("\n[sms]\nurl = {:?}\ntoken_file = {file:?}\nfrom = \"Keiin\"\na_day_company = 1000000\n", self.url)
    }
}

/// A number that nobody else has, in E.164.
pub fn new_number() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("+8180{:08}", NEXT.fetch_add(1, Ordering::SeqCst))
}

impl Company {
    /// Codes by SMS are a second factor here.
    pub fn allow_sms(&self) {
        self.set_sms(true);
    }

    /// Whether they are.
    pub fn set_sms(&self, on: bool) {
        let mut settings = self.get("/v1/security");
        if settings["sms"] != json!(on) {
            settings["sms"] = json!(on);
            let owner = self.log_in(&format!("owner@{}.example", self.slug));
            let call = owner.on(Call::new("POST", "/v1/security").json(&settings));
            self.client.send(&call).expect(200);
        }
    }

    /// Has a code sent to a phone that somebody is about to enrol.
    #[track_caller]
    pub fn text_to(&self, login: &Credential, number: &str) -> String {
        let call = Call::new("POST", "/v1/me/phone/begin").json(&json!({ "number": number }));
        self.client.send(&login.on(call)).expect(202);
        Exchange::shared().code(number)
    }

    /// Enrols a new phone: its number, and the recovery codes that came with it.
    #[track_caller]
    pub fn enrol_phone(&self, login: &Credential) -> (String, Value) {
        let number = new_number();
        let body = json!({ "code": self.text_to(login, &number) });
        let made = self.client.send(&login.on(Call::new("POST", "/v1/me/phone").json(&body))).expect(201).json();
        (number, made["recovery_codes"].clone())
    }

    /// A new member who has enrolled a phone: address, login and number.
    pub fn phoned(&self) -> (String, Credential, String) {
        self.allow_sms();
        let (id, login) = self.new_member("viewer");
        let number = self.enrol_phone(&login).0;
        (text(&self.get(&format!("/v1/members/{id}")), "email"), login, number)
    }

    /// Has a code sent for a login that waits.
    #[track_caller]
    pub fn text_for(&self, pending: &str, number: &str) -> String {
        self.client.post("/v1/sessions/sms", &json!({ "pending": pending })).expect(202);
        Exchange::shared().code(number)
    }
}
