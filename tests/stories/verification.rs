//! RN-C37: stored records are verified by schedule, the company sees what came of it, gets it signed, and can repeat it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keiin_eventlog::note::{Note, NoteError, VerifierKey};
use keiin_tests::{Call, Company, Deployment, Server, keiin};
use rusqlite::Connection;
use serde_json::{Value, json};

const NOTE: &str = "/v1/log/verification.note";

fn note(company: &Company) -> String {
    company.send(Call::new("GET", NOTE)).expect(200).text()
}

fn trust(company: &Company) -> String {
    let page = company.client.send(&company.login.on(Call::new("GET", "/trust?lang=en"))).expect(200).text();
    page.replace("&#x2f;", "/")
}

/// What stands behind a name in the report.
fn line<'a>(note: &'a Note, name: &str) -> &'a str {
    let found = note.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {name} in {}", note.text()))
}

#[test]
fn rn_c37_a_company_gets_the_signed_report_of_its_verification_and_can_repeat_it() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let [company, other] = ["verified", "other"].map(|slug| Company::sign_up(&server, slug));
    assert_eq!(company.get("/v1/log/verification"), json!({ "every_s": 43_200 }));
    let early = company.send(Call::new("GET", NOTE));
    assert_eq!((early.status, early.code().as_str()), (404, "verification.not_yet"), "{}", early.text());
    assert!(trust(&company).contains("Your ledger has not been verified to the end yet"));

    company.new_document();
    company.settle();
    let before_us = keiin::clock::now_us();
    company.verify();
    let report = company.get("/v1/log/verification")["last"].clone();
    let key: VerifierKey = company.key().parse().expect("a key");
    let signed = Note::parse(note(&company).as_bytes()).expect("a note");
    signed.verify(std::slice::from_ref(&key)).expect("signed by the published key");
    assert_eq!(line(&signed, "origin"), key.name());
    assert_eq!(line(&signed, "result"), "verified");
    for name in ["origin", "root", "result"] {
        assert_eq!(report[name], line(&signed, name));
    }
    for name in ["records", "commits", "signatures"] {
        assert_eq!(report[name].to_string(), line(&signed, name));
    }
    let times = ["began", "ended"].map(|name| keiin_domain::date::parse_instant(line(&signed, name)).expect("a time"));
    assert!(before_us < times[0] && times[0] <= times[1] && times[1] <= keiin::clock::now_us(), "{times:?}");
    assert!(report["signatures"].as_u64() > Some(5) && report["signatures"] == report["commits"], "{report}");

    // Nobody can change a figure, and it is no checkpoint.
    let forged = note(&company).replace("result verified", "result verifi3d");
    let forged = Note::parse(forged.as_bytes()).expect("still a note").verify(std::slice::from_ref(&key)).map(|_| ());
    assert_eq!(forged, Err(NoteError::BadSignature(key.name().to_owned())));
    assert!(keiin_eventlog::checkpoint::Checkpoint::parse(signed.text()).is_err());

    // The same again, without the server: the same number of records gives the same root.
    let bundle = deployment.export(&company.id, "again.keiin", &[]);
    let file = bundle.to_str().expect("text");
    let again = keiin(&["verify", file, "--deep", "--key", &company.key(), "--format", "json"]).expect(0);
    let again: Value = serde_json::from_str(again.stdout.lines().next().expect("a line")).expect("JSON");
    assert_eq!(again["verdict"], "verified", "{again}");
    assert_eq!((&again["size"], &again["root"]), (&report["records"], &report["root"]));
    // And later, when the ledger has grown: what was verified is its beginning.
    company.mark();
    let size = company.checkpoint().lines().nth(1).expect("a size").to_owned();
    let proof = company.get(&format!("/v1/log/consistency?from={}&to={size}", report["records"]));
    assert_eq!(proof["root_from"], STANDARD.encode(hex::decode(line(&signed, "root")).expect("hex")));

    // On the page: to the company what is its own, to others nothing of it.
    let page = trust(&company);
    assert!(page.contains(line(&signed, "root")) && page.contains(&company.key()) && page.contains(NOTE), "{page}");
    for foreign in [trust(&other), company.client.get("/trust?lang=en").expect(200).text()] {
        assert!(!foreign.contains(&company.id) && !foreign.contains(line(&signed, "root")), "{foreign}");
        assert!(foreign.contains("Every 12 hours all stored records are read again"), "{foreign}");
    }
    assert_ne!(note(&other), note(&company));
    assert_eq!(company.client.get(NOTE).status, 401);

    // It is still there after a restart, byte for byte.
    let kept = note(&company);
    assert_eq!(server.stop(), 0);
    let server = deployment.serve();
    assert_eq!(note(&company.at(&server)), kept);
    damaged(&deployment, server, &company, &other);
}

/// Of a ledger in which something is wrong there is no report, neither a new one nor the old one.
fn damaged(deployment: &Deployment, server: Server, company: &Company, other: &Company) {
    assert_eq!(server.stop(), 0);
    let log = Connection::open(deployment.data().join("log.db")).expect("the log opens");
    let id = company.id.replace('-', "");
    let third = format!("substr(leaf, 17, 16) = x'{id}' AND substr(leaf, 9, 8) = x'0000000000000003'");
    let changed = log.execute(&format!("UPDATE record SET body = zeroblob(length(body)) WHERE {third}"), []);
    assert_eq!(changed, Ok(1));
    drop(log);
    let server = deployment.serve();
    let found = server.admin().post("/scrub", &json!({})).expect(200).json();
    assert_eq!((&found["damage"][0]["ledger"], &found["damage"][0]["position"]), (&json!(company.id), &json!(3)));
    let (company, other) = (company.at(&server), other.at(&server));
    for path in [NOTE, "/v1/log/verification"] {
        let refused = company.send(Call::new("GET", path));
        assert_eq!((refused.status, refused.code().as_str()), (503, "service.unavailable"), "{path}");
    }
    assert!(!trust(&company).contains(NOTE));
    assert_eq!(other.get("/v1/log/verification")["last"]["result"], "verified");
}
