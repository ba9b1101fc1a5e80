//! Erasing a person destroys their keys: afterwards neither what they were called nor the key is in any file of the data
//! directory, while every proof that was handed out before still verifies.

use std::path::Path;

use keiin_eventlog::note::VerifierKey;
use keiin_eventlog::proof::Proof;
use keiin_eventlog::record::Leaf;
use keiin_tests::canary::{assert_absent, assert_present};
use keiin_tests::company::{text, verify};
use keiin_tests::{Call, Company, Deployment, keiin, report};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use uuid::Uuid;

/// What is known of the visitor.
const VISITOR: &[(&str, &str)] = &[
    ("visitor_name", "鸛籠 靉鼕"),
    ("visitor_kana", "コウノトリカゴ"),
    ("visitor_company", "Perspicacious Gnomon KK"),
    ("visitor_email", "gnomon.visitor@erased-canary.example"),
    ("note", "Allergic to calamansi"),
];
/// What is known of the recipient of a document.
const RECIPIENT: &[(&str, &str)] = &[
    ("to_name", "Recipient Quincunx Abseil"),
    ("to_email", "quincunx@erased-canary.example"),
    ("message", "With our ululating regards"),
];
/// A person of whom nothing is erased.
const NEIGHBOUR: &str = "Neighbour Hullabaloo";

/// The person's keys as the vault keeps them.
fn wrapped_keys(data: &Path, subject: &str) -> Vec<Vec<u8>> {
    let vault =
        Connection::open_with_flags(data.join("vault.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the vault opens");
    let mut query = vault.prepare("SELECT wrapped FROM subject_key WHERE subject = ?1").expect("the vault has keys");
    let subject: Uuid = subject.parse().expect("an id");
    let rows = query.query_map([subject.as_bytes()], |row| row.get(0)).expect("the vault can be read");
    rows.collect::<Result<_, _>>().expect("keys are bytes")
}

/// Files that hold these bytes.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let finder = memchr::memmem::Finder::new(bytes);
    let files = keiin_tests::canary::files(folder).into_iter();
    let holds = files.filter(|file| std::fs::read(file).is_ok_and(|content| finder.find(&content).is_some()));
    holds.map(|file| file.display().to_string()).collect()
}

/// A receipt that somebody took home, and what is needed to check it.
struct Receipt {
    position: u64,
    leaf: Leaf,
    leaf_bytes: Vec<u8>,
    proof: Proof,
}

fn receipt(company: &Company, position: u64) -> Receipt {
    company.checkpoint();
    let event = company.get(&format!("/v1/events/{position}"));
    let leaf_bytes = hex::decode(text(&event, "leaf")).expect("hex");
    let proof = company.send(Call::new("GET", &format!("/v1/events/{position}/proof"))).expect(200).text();
    let leaf = Leaf::decode(&leaf_bytes).expect("a leaf");
    Receipt { position, leaf, leaf_bytes, proof: proof.parse().expect("a receipt") }
}

impl Receipt {
    fn verifies(&self, key: &str) {
        let key: VerifierKey = key.parse().expect("a key");
        let hash = keiin_eventlog::record::Hash::of_leaf(&self.leaf_bytes);
        self.proof.verify(&hash, &[key]).expect("a receipt verifies for ever");
        assert_eq!(self.leaf.position, self.position);
    }
}

/// The position and the subject of the event that made an object.
fn made(company: &Company, object: &str, field: &str) -> (u64, String) {
    let events = company.get(&format!("/v1/events?object={object}&limit=200"));
    let first = events["items"].as_array().and_then(|all| all.last()).expect("it was made").clone();
    let position = first["position"].as_u64().expect("a position");
    let event = company.get(&format!("/v1/events/{position}"));
    (position, text(&event["event"][field], "subject"))
}

#[test]
fn an_erased_person_is_in_no_file_and_the_proofs_still_verify() {
    let deployment = Deployment::new();
    let (data, folder) = (deployment.data(), deployment.folder().to_owned());
    let mut server = deployment.serve();
    let company = Company::sign_up(&server, "erase");
    let with = |mut body: Value, fields: &[(&str, &str)]| {
        fields.iter().for_each(|(name, value)| body[*name] = json!(value));
        body
    };
    let visit = company.ok(Call::new("POST", "/v1/visits").json(&with(company.visit_body(), VISITOR)));
    let visit = text(&visit, "id");
    let path = format!("/v1/visits/{visit}");
    let mut moved = with(company.visit_body(), VISITOR);
    moved["location"] = json!("Annexe");
    company.ok(Call::new("PUT", &path).if_match(&company.etag(&path)).json(&moved));
    let neighbour = with(company.visit_body(), &[("visitor_name", NEIGHBOUR)]);
    let neighbour = text(&company.ok(Call::new("POST", "/v1/visits").json(&neighbour)), "id");
    let delivery = with(json!({ "document_ids": [company.new_document()] }), RECIPIENT);
    let delivery = text(&company.ok(Call::new("POST", "/v1/deliveries").key("send").json(&delivery)), "id");
    company.settle();
    let canaries: Vec<&str> = VISITOR.iter().chain(RECIPIENT).map(|(_, value)| *value).collect();

    let (visit_at, visitor) = made(&company, &visit, "visitor");
    let (delivery_at, recipient) = made(&company, &delivery, "recipient");
    let receipts = [receipt(&company, visit_at), receipt(&company, delivery_at)];
    let old_checkpoint = folder.join("old.checkpoint");
    std::fs::write(&old_checkpoint, company.checkpoint()).expect("the checkpoint can be kept");
    let key = company.key();
    // Killed, so that the write-ahead logs are still there.
    server.kill();
    assert!(data.join("read.db-wal").metadata().is_ok_and(|wal| wal.len() > 0));

    canaries.iter().for_each(|canary| drop(assert_present(&data, canary)));
    let keys = [wrapped_keys(&data, &visitor), wrapped_keys(&data, &recipient)].concat();
    assert!(keys.len() >= 2, "each of the two has a key");
    keys.iter().for_each(|key| assert_ne!(holding(&data, key), [""; 0], "the key is in the vault"));

    for subject in [&visitor, &recipient] {
        let erase = ["erase-subject", "--data", deployment.data_arg(), "--tenant", "erase", "--subject", subject];
        keiin(&[&erase[..], &["--format", "json"]].concat()).expect(0);
        keiin(&erase).expect(2);
    }
    let gone = || {
        canaries.iter().for_each(|canary| assert_absent(&folder, canary, |_| false));
        keys.iter().for_each(|key| assert_eq!(holding(&folder, key), [""; 0], "a wrapped key is still there"));
        assert_present(&data, NEIGHBOUR);
    };
    gone();

    let server = deployment.serve();
    let company = company.at(&server);
    gone();
    assert_eq!(company.get(&path)["visitor"], json!({ "erased": true }));
    assert_eq!(company.get(&format!("/v1/deliveries/{delivery}"))["to"], json!({ "erased": true }));
    assert_eq!(company.get(&format!("/v1/visits/{neighbour}"))["visitor"]["name"], NEIGHBOUR);
    for list in ["visits", "deliveries", "mails", "events", "documents"] {
        let all = company.get(&format!("/v1/{list}?limit=200")).to_string();
        canaries.iter().for_each(|canary| assert!(!all.contains(canary), "{list} shows {canary}"));
    }
    let event = company.get(&format!("/v1/events/{visit_at}"));
    assert_eq!(event["event"]["visitor"], json!({ "subject": visitor, "erased": true }), "{event}");
    let erased = company.get("/v1/events?kind=ledger.subject_erased");
    assert_eq!(erased["items"].as_array().map(Vec::len), Some(2), "{erased}");

    // The receipts from before, a new receipt of the same record, the whole ledger, and the checkpoint from before.
    for receipt_before in &receipts {
        receipt_before.verifies(&key);
        let now = receipt(&company, receipt_before.position);
        assert_eq!(now.leaf_bytes, receipt_before.leaf_bytes);
        now.verifies(&key);
    }
    let file = deployment.export("erase", "erased.keiin", &["--open"]);
    verify(&file, &key);
    let arg = |path: &Path| path.to_str().expect("temporary paths are text").to_owned();
    keiin(&["verify", &arg(&file), "--checkpoint", &arg(&old_checkpoint), "--key", &key]).expect(0);
    canaries.iter().for_each(|canary| assert_absent(&folder, canary, |_| false));

    assert_eq!(server.stop(), 0);
    keiin(&["rebuild", "--data", deployment.data_arg()]).expect(0);
    gone();
    report!("erase canaries={} keys={} left=0 receipts_verified=4", canaries.len(), keys.len());
}

#[test]
fn an_erased_member_cannot_log_in_and_what_they_did_stays() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "former");
    let (member, login) = company.new_member("member");
    let register = Call::new("POST", "/v1/clients").json(&json!({ "name": "Their client", "honorific": "onchu" }));
    let client = text(&company.client.send(&login.on(register)).expect(201).json(), "id");
    let path = format!("/v1/members/{member}");
    let email = text(&company.get(&path), "email");
    let name = text(&company.get(&path), "name");
    company.ok(Call::new("POST", &format!("{path}/remove")).if_match(&company.etag(&path)));
    company.settle();
    assert_eq!(server.stop(), 0);
    assert_present(&deployment.data(), &email);
    let erase = ["erase-subject", "--data", deployment.data_arg(), "--tenant", "former", "--subject", &member];
    keiin(&erase).expect(0);
    assert_absent(deployment.folder(), &email, |_| false);
    assert_absent(deployment.folder(), &name, |_| false);
    let server = deployment.serve();
    let company = company.at(&server);
    assert_eq!(company.client.send(&login.on(Call::new("GET", "/v1/me"))).status, 401);
    let events = company.get(&format!("/v1/events?object={client}"));
    assert_eq!(events["items"][0]["actor"]["id"], json!(member), "{events}");
    company.checkpoint();
    verify(&deployment.export("former", "former.keiin", &[]), &company.key());
}

/// What is searched is kept a second time, in another spelling: that goes too. And whoever was erased comes back only as
/// somebody new.
#[test]
fn an_erased_contact_is_not_found_and_not_written_again() {
    let deployment = Deployment::new();
    let data = deployment.data();
    let mut server = deployment.serve();
    let mut company = Company::sign_up(&server, "contact");
    let client = |contact: Value| json!({ "name": "Plain KK", "honorific": "onchu", "contacts": [contact] });
    let made = company.ok(Call::new("POST", "/v1/clients").json(&client(json!({ "name": "Zanzibar Quill" }))));
    let (path, contact) = (format!("/v1/clients/{}", text(&made, "id")), text(&made["contacts"][0], "id"));
    let found =
        |company: &Company| company.get("/v1/clients?q=ZANZIBAR%E3%80%80quill")["items"].as_array().map(Vec::len);
    assert_eq!(found(&company), Some(1));
    server.kill();
    assert_present(&data, "zanzibarquill");
    let erase = ["erase-subject", "--data", deployment.data_arg(), "--tenant", "contact", "--subject", &contact];
    keiin(&erase).expect(0);
    assert_absent(deployment.folder(), "zanzibarquill", |_| false);
    server = deployment.serve();
    company = company.at(&server);
    assert_eq!(found(&company), Some(0));

    let change = |body: &Value| company.send(Call::new("PUT", &path).if_match(&company.etag(&path)).json(body));
    let refused = change(&client(json!({ "id": contact, "name": "Zanzibar Quill" }))).expect(422).json();
    assert_eq!(refused["code"], "client.erased_contact");
    assert_eq!(refused["errors"][0]["pointer"], "/contacts/0/id");
    assert_eq!(change(&client(json!({ "id": contact }))).expect(200).json()["contacts"], json!([]));
    let anew = change(&client(json!({ "name": "Zanzibar Quill" }))).expect(200).json();
    assert_ne!(text(&anew["contacts"][0], "id"), contact);

    // The same where the client is a person: how their name is read is theirs.
    let person = json!({ "name": "木村 花", "honorific": "sama", "reading": "きむら はな" });
    let made = company.ok(Call::new("POST", "/v1/clients").json(&person));
    let trail = company.get(&format!("/v1/events?object={}", text(&made, "id")))["items"][0]["position"].clone();
    let subject = company.get(&format!("/v1/events/{trail}"))["event"]["person"]["subject"].clone();
    let subject = subject.as_str().expect("whose the reading is").to_owned();
    server.kill();
    keiin(&["erase-subject", "--data", deployment.data_arg(), "--tenant", "contact", "--subject", &subject]).expect(0);
    server = deployment.serve();
    let company = company.at(&server);
    let path = format!("/v1/clients/{}", text(&made, "id"));
    assert_eq!(company.get(&path).get("reading"), None);
    let again = Call::new("PUT", &path).if_match(&company.etag(&path)).json(&person);
    assert_eq!(company.ok(again)["reading"], "キムラ ハナ");
}
