//! Companies for stories, made over the API as a customer would make them: [`Deployment`] is a data directory whose limits
//! no sweep reaches, [`Company`] has an owner, an access token with every scope, and makes one of every object on demand.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keiin_domain::date;
use keiin_eventlog::bundle::{Entry, Reader};
use keiin_eventlog::record::{Hash, Leaf};
use keiin_test_postgres::Server as Postgres;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Call, Client};
use crate::server::{Server, keiin};
use crate::sign_up::SignUp;
use crate::sms::Exchange;

/// Longest wait for what the server does beside its requests: mails, checkpoints.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The password of everybody.
pub const PASSWORD: &str = "correct horse battery staple";
/// Where kiosks stand and visits take place.
pub const PLACE: &str = "Reception";
const HOUR_US: i64 = 3_600_000_000;

/// A data directory of its own, and the folder around it.
pub struct Deployment {
    pub(crate) folder: TempDir,
    pub(crate) data: PathBuf,
}

impl Deployment {
    /// `keiin init`, with the limits that a customer's server has. With `KEIIN_TEST_ENGINE=postgres` its stores are
    /// databases of a throw-away server.
    pub fn limited() -> Deployment {
        let postgres = std::env::var("KEIIN_TEST_ENGINE").is_ok_and(|engine| engine == "postgres");
        let urls = if postgres { [0; 3].map(|_| Postgres::shared().database()) } else { [const { String::new() }; 3] };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        Deployment::init(folder, data, urls.each_ref().map(String::as_str))
    }

    /// On three empty databases of this server.
    pub fn on_postgres(server: &Postgres) -> Deployment {
        Deployment::at(&server.database(), &server.database(), &server.database())
    }

    /// On these databases.
    pub fn at(database: &str, vault: &str, anchor: &str) -> Deployment {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        Deployment::init(folder, data, [database, vault, anchor]).unlimited()
    }

    fn init(folder: TempDir, data: PathBuf, urls: [&str; 3]) -> Deployment {
        let deployment = Deployment { folder, data };
        let mut args = vec!["init", "--data", deployment.data_arg()];
        for (flag, url) in
            ["--database", "--vault", "--anchor"].into_iter().zip(urls).filter(|(_, url)| !url.is_empty())
        {
            args.extend([flag, url]);
        }
        keiin(&args).expect(0);
        deployment
    }

    /// With the data directory on another disk; journals, exports and the server's log stay on the usual one.
    pub fn on(disk: &Path) -> Deployment {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::os::unix::fs::symlink(folder.path().join("server.log"), disk.join("data.log")).expect("a link");
        Deployment::init(folder, disk.join("data"), [""; 3]).unlimited()
    }

    /// `keiin init`, and limits that a program's thousands of requests do not reach.
    pub fn new() -> Deployment {
        Deployment::limited().unlimited()
    }

    pub(crate) fn unlimited(self) -> Deployment {
        let settings = self.data().join("keiin.toml");
        let text = std::fs::read_to_string(&settings).expect("init wrote the settings");
        let text = format!(
            "{text}\n[limits]\nrequests_a_minute = 10000000\nlogins_a_minute = 10000000\n\
                            requests_a_minute_company = 10000000\nstreams_a_person = 10000\nstreams_a_company = 10000\n\
                            codes_an_hour = 10000000\nsign_ups_an_hour = 10000000\n{}",
            Exchange::shared().settings(self.folder())
        );
        std::fs::write(&settings, text).expect("the settings can be written");
        self
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// The data directory, for a command line.
    pub fn data_arg(&self) -> &'static str {
        // A handful of paths a test run.
        self.data().to_str().expect("temporary paths are text").to_owned().leak()
    }

    /// Around the data directory: the server's log and exports go here.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A server on it.
    pub fn serve(&self) -> Server {
        Server::serve(&self.data())
    }

    /// The ledger of a company as a bundle, written beside the data directory; with more arguments for `keiin export`.
    pub fn export(&self, company: &str, name: &str, more: &[&str]) -> PathBuf {
        let out = self.folder.path().join(name);
        let path = out.to_str().expect("temporary paths are text");
        let fixed = ["export", "--data", self.data_arg(), "--tenant", company, "--out", path, "--format", "json"];
        keiin(&[&fixed[..], more].concat()).expect(0);
        out
    }
}

impl Default for Deployment {
    fn default() -> Deployment {
        Deployment::new()
    }
}

/// What a request shows of its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    Nobody,
    /// An access token or a kiosk's secret.
    Bearer(String),
    /// A login.
    Cookie(String),
}

impl Credential {
    /// The request with it.
    pub fn on(&self, call: Call) -> Call {
        match self {
            Credential::Nobody => call,
            Credential::Bearer(secret) => call.header("Authorization", &format!("Bearer {secret}")),
            Credential::Cookie(cookie) => call.header("Cookie", cookie),
        }
    }

    /// As header lines of a request that is written by hand.
    pub fn lines(&self) -> String {
        match self {
            Credential::Nobody => String::new(),
            Credential::Bearer(secret) => format!("Authorization: Bearer {secret}\r\n"),
            Credential::Cookie(cookie) => format!("Cookie: {cookie}\r\n"),
        }
    }
}

/// A company and its owner.
pub struct Company {
    /// Without a credential.
    pub client: Client,
    /// Short name. Every text in the company contains it, so that it can be recognised where it must not be.
    pub slug: String,
    /// The ledger.
    pub id: String,
    /// The owner's member id.
    pub owner: String,
    /// A token of the owner with every scope that a token can have.
    pub token: Credential,
    /// A login of the owner.
    pub login: Credential,
    /// Of its deployment.
    pub data: PathBuf,
    /// For the operators' port of its server.
    pub admin: Client,
    counter: Cell<u64>,
}

impl Company {
    /// Signs a company up, logs its owner in and issues a token.
    pub fn sign_up(server: &Server, slug: &str) -> Company {
        let client = server.client();
        let body = json!({
            "company": format!("{slug} KK"), "slug": slug, "name": format!("Owner of {slug}"), "password": PASSWORD,
        });
        let sign_up = SignUp::agreed(&client, &format!("owner@{slug}.example"));
        let answer = sign_up.post("tenant", &body).expect(201);
        let login = cookie(&answer);
        let mut company = Company {
            id: text(&answer.json(), "id"),
            slug: slug.to_owned(),
            owner: String::new(),
            token: login.clone(),
            login,
            data: server.log.with_extension(""),
            admin: server.admin(),
            counter: Cell::new(0),
            client,
        };
        company.owner = text(&company.get("/v1/me"), "id");
        let scopes: Vec<String> = keiin_domain::catalog::scopes().into_iter().collect();
        company.token = company.issue_token(&scopes).1;
        let about = json!({
            "name": format!("{slug} KK"), "registration_number": "T7000012050002", "address": format!("{slug} 1-2-3"),
        });
        let call = Call::new("PUT", "/v1/tenant").if_match(&company.etag("/v1/tenant"));
        company.ok(call.json(&about));
        company
    }

    /// The same company on a server that was started again.
    pub fn at(&self, server: &Server) -> Company {
        Company {
            client: server.client(),
            admin: server.admin(),
            slug: self.slug.clone(),
            id: self.id.clone(),
            owner: self.owner.clone(),
            token: self.token.clone(),
            login: self.login.clone(),
            data: server.log.with_extension(""),
            counter: self.counter.clone(),
        }
    }

    /// The same company for another thread; each lane has numbers of its own.
    pub fn lane(&self, lane: u64) -> Company {
        Company {
            client: self.client.clone(),
            admin: self.admin.clone(),
            slug: self.slug.clone(),
            id: self.id.clone(),
            owner: self.owner.clone(),
            token: self.token.clone(),
            login: self.login.clone(),
            data: self.data.clone(),
            counter: Cell::new((lane + 1) * 1_000_000),
        }
    }

    /// A number that was not used before.
    pub fn next(&self) -> u64 {
        self.counter.set(self.counter.get() + 1);
        self.counter.get()
    }

    /// Sends with the owner's token.
    pub fn send(&self, call: Call) -> Answer {
        self.client.send(&self.token.on(call))
    }

    /// Sends with the owner's token, and expects that it is done.
    #[track_caller]
    pub fn ok(&self, call: Call) -> Value {
        done(self.send(call))
    }

    /// Sends with the owner's login, and expects that it is done.
    #[track_caller]
    pub fn ok_logged_in(&self, call: Call) -> Value {
        done(self.client.send(&self.login.on(call)))
    }

    /// Reads with the owner's token.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.send(Call::new("GET", path)).expect(200).json()
    }

    /// The version of an object, for If-Match.
    #[track_caller]
    pub fn etag(&self, path: &str) -> String {
        self.send(Call::new("GET", path)).expect(200).etag().to_owned()
    }

    /// A client of the company.
    pub fn new_client(&self) -> String {
        let n = self.next();
        let body = json!({
            "name": format!("Client {n} of {}", self.slug), "honorific": "onchu",
            "contacts": [{ "name": format!("Contact {n} of {}", self.slug),
                "email": format!("contact{n}@{}.example", self.slug) }],
        });
        text(&self.ok(Call::new("POST", "/v1/clients").json(&body)), "id")
    }

    /// What `draft_document` takes.
    pub fn draft_body(&self, client: &str) -> Value {
        let title = format!("Invoice {} of {}", self.next(), self.slug);
        json!({ "document_type": "invoice", "client_id": client, "title": title, "date": "2026-11-20", "lines": lines() })
    }

    /// A draft of an invoice.
    pub fn new_draft(&self) -> String {
        self.new_draft_of("invoice")
    }

    /// A draft over ¥1,100.
    pub fn new_draft_of(&self, document_type: &str) -> String {
        let mut body = self.draft_body(&self.new_client());
        body["document_type"] = json!(document_type);
        text(&self.ok(Call::new("POST", "/v1/documents").json(&body)), "id")
    }

    /// An issued invoice over ¥1,100.
    pub fn new_document(&self) -> String {
        self.issue(&self.new_draft())
    }

    /// Issues a draft.
    pub fn issue(&self, id: &str) -> String {
        let path = format!("/v1/documents/{id}");
        text(&self.ok(Call::new("POST", &format!("{path}/issue")).if_match(&self.etag(&path))), "id")
    }

    /// A document sent to somebody: the delivery and the secret of its link.
    pub fn new_delivery(&self) -> (String, String) {
        let n = self.next();
        let body = json!({
            "document_ids": [self.new_document()], "to_name": format!("Recipient {n} of {}", self.slug),
            "to_email": format!("recipient{n}@{}.example", self.slug),
        });
        let call = Call::new("POST", "/v1/deliveries").key(&format!("delivery {n}")).json(&body);
        let id = text(&self.ok(call), "id");
        let secret = last_segment(&self.mailed_link(&id));
        (id, secret)
    }

    /// What `register_visit` takes: now, at the kiosk's place, to the owner.
    pub fn visit_body(&self) -> Value {
        let (n, now_us) = (self.next(), keiin::clock::now_us());
        json!({
            "visitor_name": format!("Visitor {n} of {}", self.slug), "visitor_email": format!("visitor{n}@{}.example", self.slug),
            "host_id": self.owner, "location": PLACE,
            "starts_at": date::instant(now_us), "ends_at": date::instant(now_us + HOUR_US),
        })
    }

    /// A visit, and the secret of its pass.
    pub fn new_visit(&self) -> (String, String) {
        let visit = self.ok(Call::new("POST", "/v1/visits").json(&self.visit_body()));
        (text(&visit, "id"), text(&visit, "secret"))
    }

    /// A kiosk and its secret.
    pub fn new_kiosk(&self) -> (String, Credential) {
        let body = json!({ "name": format!("Kiosk {} of {}", self.next(), self.slug), "location": PLACE });
        let kiosk = self.ok(Call::new("POST", "/v1/kiosks").json(&body));
        (text(&kiosk, "id"), Credential::Bearer(text(&kiosk, "secret")))
    }

    /// A token of the owner with these scopes.
    pub fn issue_token(&self, scopes: &[String]) -> (String, Credential) {
        let body = json!({ "name": format!("Token {} of {}", self.next(), self.slug), "scopes": scopes });
        let token = self.ok_logged_in(Call::new("POST", "/v1/tokens").json(&body));
        (text(&token, "id"), Credential::Bearer(text(&token, "secret")))
    }

    /// Somebody invited: their id and the secret of the invitation.
    pub fn invite(&self, role: &str) -> (String, String) {
        let n = self.next();
        let body = json!({ "name": format!("Member {n} of {}", self.slug), "email": self.address(n), "role": role });
        let id = text(&self.ok(Call::new("POST", "/v1/members").key(&format!("invite {n}")).json(&body)), "id");
        let secret = last_segment(&self.mailed_link(&id));
        (id, secret)
    }

    fn address(&self, n: u64) -> String {
        format!("member{n}@{}.example", self.slug)
    }

    /// Somebody who accepted: their id and a login.
    pub fn new_member(&self, role: &str) -> (String, Credential) {
        let (id, secret) = self.invite(role);
        let n = self.counter.get();
        let body = json!({ "name": format!("Member {n} of {}", self.slug), "password": PASSWORD });
        done(self.client.post(&format!("/v1/invitations/{secret}/accept"), &body));
        (id, self.log_in(&self.address(n)))
    }

    /// A login with everybody's password.
    pub fn log_in(&self, email: &str) -> Credential {
        let body = json!({ "email": email, "password": PASSWORD, "company": self.slug });
        cookie(&self.client.post("/v1/sessions", &body).expect(201))
    }

    /// The link in the mail about an object.
    pub fn mailed_link(&self, object: &str) -> String {
        let mails = self.get("/v1/mails?limit=200");
        let items = mails["items"].as_array().expect("a list");
        let mail = items.iter().find(|mail| mail["object"]["id"] == object);
        text(mail.unwrap_or_else(|| panic!("no mail about {object}: {mails}")), "link")
    }

    /// Writes something and returns its position: everything before it is in the read models by then.
    pub fn mark(&self) -> u64 {
        let body = json!({ "name": format!("Mark {} of {}", self.next(), self.slug), "honorific": "onchu" });
        self.send(Call::new("POST", "/v1/clients").json(&body)).expect(201).position()
    }

    /// Waits until a checkpoint covers everything that is in the ledger now; its text.
    pub fn checkpoint(&self) -> String {
        let newest = self.get("/v1/events?limit=1")["items"][0]["position"].as_u64().expect("an event");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.client.get(&format!("/log/{}/checkpoint", self.id));
            let note = answer.text();
            let size: Option<u64> = note.lines().nth(1).and_then(|line| line.parse().ok());
            if answer.status == 200 && size > Some(newest) {
                return note;
            }
            assert!(Instant::now() < deadline, "no checkpoint of size {} in {PATIENCE:?}: {note}", newest + 1);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The key that checks the ledger.
    pub fn key(&self) -> String {
        text(&self.get("/v1/log/key"), "vkey")
    }
}

/// A record of an opened export.
#[derive(Debug)]
pub struct Exported {
    /// What everybody can read of it.
    pub leaf: Leaf,
    /// Of the leaf's bytes, as 64 hex digits.
    pub hash: String,
    /// The event; null where nothing was sealed.
    pub event: Value,
}

/// Reads an opened export, once it was verified.
pub fn read_export(file: &Path) -> Vec<Exported> {
    let mut reader = Reader::new(std::fs::File::open(file).expect("the export is there")).expect("a bundle");
    let (mut entry, mut records) = (Entry::default(), Vec::new());
    while reader.read(&mut entry).expect("a whole bundle") {
        let json = entry.opening.as_ref().map(|opening| opening.json.as_str());
        let event = json.map_or(Value::Null, |json| serde_json::from_str(json).expect("opened events are JSON"));
        let hash = Hash::of_leaf(&entry.leaf).to_string();
        records.push(Exported { leaf: Leaf::decode(&entry.leaf).expect("a leaf"), hash, event });
    }
    records
}

/// Verifies an export with every check, the key pinned and nothing left open that can be closed; the report.
#[track_caller]
pub fn verify(file: &Path, key: &str) -> Value {
    let path = file.to_str().expect("temporary paths are text");
    let pinned = ["--key", key, "--require", "key_pinned,newest_key_pinned,commit_signatures"];
    let report = keiin(&[&["verify", path, "--deep", "--format", "json"], &pinned[..]].concat()).expect(0).json();
    assert_eq!(report["verdict"], "verified", "{report}");
    report
}

/// Lines over ¥1,000 at 10 %.
pub fn lines() -> Value {
    json!([{ "description": "Work", "quantity": "1", "unit_price": "1000", "tax_rate": "10" }])
}

/// The login in an answer's cookie.
#[track_caller]
pub fn cookie(answer: &Answer) -> Credential {
    let set = answer.header("set-cookie").unwrap_or_else(|| panic!("{}: no cookie", answer.asked));
    Credential::Cookie(set.split(';').next().expect("a cookie has a value").to_owned())
}

#[track_caller]
fn done(answer: Answer) -> Value {
    assert!((200..300).contains(&answer.status), "{} {}: {}", answer.status, answer.asked, answer.text());
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// A field that is text.
#[track_caller]
pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

fn last_segment(link: &str) -> String {
    link.rsplit('/').next().expect("a link has a path").to_owned()
}
