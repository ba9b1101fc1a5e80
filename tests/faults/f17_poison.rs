//! F17. A record that cannot be folded: of a kind that this program does not know, or sealed under a key that is not there.
//! Only that company's read models stop, at that record, with the reason; nothing is skipped, nothing spins, the others do
//! not notice; once the cause is gone they go on from there.

use std::time::{Duration, Instant};

use keiin_domain::envelope;
use keiin_eventlog::record::{Party, Stream};
use keiin_eventlog::seal::{self, BodyPlace};
use keiin_eventlog::store::{Append, Draft, Outcome};
use keiin_tests::load::{Target, Writer};
use keiin_tests::oracle::examine;
use keiin_tests::{Call, Company, Deployment, Server, keiin, report};
use rusqlite::Connection;
use serde_json::json;
use uuid::Uuid;

use crate::damage::{Node, block_on};

/// Writes a sealed event that only a later program knows, as that program would. Returns its position.
fn write_from_the_future(deployment: &Deployment, ledger: Uuid, stream: &str, kind: &str, version: u16) -> u64 {
    block_on(async {
        let node = Node::open(&deployment.data()).await.expect("it opens");
        let key = node.vault.current_body_key(ledger).expect("a data key");
        let (event_kind, event_version) = (kind, version);
        let text = envelope::write(None, b"bytes of a layout to come");
        let place = BodyPlace { ledger, event_version, event_kind };
        let body = seal::seal_body(&key, place, &seal::fresh_salt(), &text).expect("sealed");
        let draft = Draft {
            stream: Stream::new(stream, Uuid::from_u128(0x77 + u128::from(version))),
            event_kind: event_kind.to_owned(),
            event_version,
            sealed_epoch: Some(key.epoch()),
            body,
        };
        let append = Append {
            ledger,
            append_id: Uuid::from_u128(0x0190_0000_0000_7000_9000_0000_0000_0077 + u128::from(version)),
            time_us: keiin::clock::now_us() as u64,
            actor: Party { kind: 2, id: Uuid::from_u128(5) },
            on_behalf_of: None,
            cause: None,
            expect: vec![],
            drafts: vec![draft],
        };
        match node.log.append(append).await {
            Outcome::Committed(span) => span.first,
            other => panic!("{other:?}"),
        }
    })
}

/// CPU time of a process so far, user and system.
fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("our own child");
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime");
    Duration::from_millis(ticks * 10)
}

/// The share of a core that a server takes while nobody asks it anything.
fn idle_share(server: &Server) -> f64 {
    std::thread::sleep(Duration::from_millis(500));
    let (before, started) = (cpu(server.pid()), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    (cpu(server.pid()) - before).as_secs_f64() / started.elapsed().as_secs_f64()
}

/// The other company writes and sees what it wrote, soon.
fn works(company: &Company) -> Duration {
    let started = Instant::now();
    for _ in 0..5 {
        let id = company.new_client();
        company.get(&format!("/v1/clients/{id}"));
    }
    started.elapsed() / 5
}

/// A noun of a later program is in the audit trail and stops nothing; a later version of a noun that we do know stops its
/// read model.
#[test]
fn f17_an_event_of_a_later_program_stops_one_company_s_read_model_and_nothing_else() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let [hit, other] = [Company::sign_up(&server, "poisoned"), Company::sign_up(&server, "bystander")];
    let client = hit.new_client();
    assert_eq!(server.stop(), 0);
    let ledger: Uuid = hit.id.parse().expect("an id");
    write_from_the_future(&deployment, ledger, "parcel", "parcel.received", 1);
    let server = deployment.serve();
    let shown = hit.at(&server).get("/v1/events?limit=200").to_string();
    assert!(shown.contains("parcel.received"), "{shown}");
    assert_eq!(server.stop(), 0);

    let position = write_from_the_future(&deployment, ledger, "client", "client.registered", 9);
    let server = Server::start_unready(&deployment.data(), &["serve"]);
    let [hit, other] = [hit.at(&server), other.at(&server)];
    let why = server.admin().get("/readyz").expect(503).text();
    assert!(why.contains("read model(s) have stopped"), "{why}");
    let connection = Connection::open(deployment.data().join("read.db")).expect("the read models open");
    let find = "SELECT projection, next, stopped FROM positions WHERE ledger = ?1 AND stopped IS NOT NULL";
    let stopped: Vec<(String, i64, String)> = {
        let mut query = connection.prepare(find).expect("a query");
        let rows = query.query_map([ledger.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.expect("rows").collect::<Result<_, _>>().expect("rows")
    };
    assert!(!stopped.is_empty() && stopped.iter().all(|(_, next, _)| *next as u64 == position), "{stopped:?}");
    let share = idle_share(&server);
    assert!(share < 0.05, "{:.1} % of a core while nobody asks", share * 100.0);
    let lag = works(&other);
    assert!(lag < Duration::from_secs(1), "{lag:?}");
    // What was folded before is still served, and what is written now is in the ledger whatever the read models say.
    hit.get(&format!("/v1/clients/{client}"));
    let made = hit.send(Call::new("POST", "/v1/clients").json(&json!({ "name": "Later", "honorific": "onchu" })));
    assert!(matches!(made.status, 201 | 404 | 503), "{} {}", made.status, made.text());
    report!(
        "F17 unknown_version position={position} stopped={stopped:?} idle_cpu_percent={:.1} other_ms={}",
        share * 100.0,
        lag.as_millis()
    );
    assert_eq!(server.stop(), 0);
}

/// The key that the newest records are sealed under is not in the vault that was put back. With the right vault in place
/// everything is folded that was waiting, and it is what a rebuild gives.
#[test]
fn f17_what_waits_for_a_repair_goes_on_from_there_after_it() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "keyless"), Company::sign_up(&server, "lucky")];
    assert_eq!(server.stop(), 0);
    let rotate = ["keys", "rotate", "--which", "data", "--data", deployment.data_arg(), "--tenant", "keyless"];
    keiin(&rotate).expect(0);
    let server = deployment.serve();
    let targets = Target::of(&companies[..1]);
    let mut writers = Writer::some(1, 0, deployment.folder());
    let before = writers[0].once(&server.client(), &targets).expect("answered");
    (0..5).for_each(|_| drop(writers[0].once(&server.client(), &targets).expect("answered")));
    companies[0].at(&server).checkpoint();
    assert_eq!(server.stop(), 0);

    let ledger: Uuid = companies[0].id.parse().expect("an id");
    let vault = deployment.data().join("vault.db");
    let taken = {
        let connection = Connection::open(&vault).expect("the vault opens");
        let find = "SELECT wrapped FROM data_key WHERE ledger = ?1 AND epoch = 2";
        let wrapped: Vec<u8> = connection.query_row(find, [ledger.as_bytes()], |row| row.get(0)).expect("a key");
        connection.execute("DELETE FROM data_key WHERE ledger = ?1 AND epoch = 2", [ledger.as_bytes()]).expect("taken");
        wrapped
    };
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(deployment.data().join(format!("read.db{suffix}")));
    }
    let server = Server::start_unready(&deployment.data(), &["serve"]);
    let why = server.admin().get("/readyz").expect(503).text();
    assert!(why.contains("read model(s) have stopped"), "{why}");
    let [hit, lucky] = [companies[0].at(&server), companies[1].at(&server)];
    works(&lucky);
    let share = idle_share(&server);
    assert!(share < 0.05, "{:.1} % of a core while nobody asks", share * 100.0);
    // Nothing is skipped: what stands behind the first record that cannot be read is not shown either.
    let shown = hit.send(Call::new("GET", &format!("/v1/clients/{}", before.id)));
    assert!(matches!(shown.status, 404 | 401 | 503), "{}", shown.text());
    assert_eq!(server.stop(), 0);

    let connection = Connection::open(&vault).expect("the vault opens");
    let put = "INSERT INTO data_key (ledger, epoch, wrapped) VALUES (?1, 2, ?2)";
    connection.execute(put, (ledger.as_bytes(), taken)).expect("put back");
    drop(connection);
    examine(&deployment, &companies).expect_none();
    report!("F17 missing_key idle_cpu_percent={:.1} resumed=1", share * 100.0);
}
