//! `keiin migrate`: a deployment goes from files to PostgreSQL and back, a company to another deployment; nobody works on
//! either side meanwhile; a move that is killed anywhere is finished by the same command.

use std::path::Path;
use std::time::Duration;

use keiin_test_postgres::Server as Postgres;
use keiin_tests::company::{Company, Deployment, text, verify};
use keiin_tests::load::{Journal, Target, Writer};
use keiin_tests::oracle::examine;
use keiin_tests::server::{finish, under};
use keiin_tests::{Call, Demo, Server, keiin, long, report, tool};
use serde_json::{Value, json};

/// Ledgers, vault and anchor of a receiver.
fn databases() -> Vec<String> {
    ["--database", "--vault", "--anchor"]
        .into_iter()
        .flat_map(|flag| [flag.into(), Postgres::shared().database()])
        .collect()
}

/// The arguments that move everything.
fn moving<'a>(from: &'a Path, to: &'a Path, stores: &'a [String]) -> Vec<&'a str> {
    let [from, to] = [from, to].map(|path| path.to_str().expect("temporary paths are text"));
    let fixed = ["migrate", "--from", from, "--to", to, "--format", "json"];
    fixed.into_iter().chain(stores.iter().map(String::as_str)).collect()
}

fn new_client(name: &str) -> Call {
    Call::new("POST", "/v1/clients").key(name).json(&json!({ "name": name, "honorific": "onchu" }))
}

/// The demonstration moves from files to PostgreSQL with keys of its own; the old deployment takes nothing more, and a
/// second move takes nothing of what came since.
#[test]
fn a_deployment_moves_to_postgresql() {
    let demo = Demo::copy();
    let (from, to) = (demo.data(), demo.folder().join("moved"));
    let ledger = demo.text("tenant").to_owned();
    let before = demo.folder().join("before.keiin").display().to_string();
    keiin(&["export", "--data", &from.display().to_string(), "--tenant", &ledger, "--out", &before]).expect(0);
    let stores = databases();
    let migrate = moving(&from, &to, &stores);
    let moved = keiin(&migrate).expect(0).json();
    assert_eq!(moved["moved"], 2, "the company's ledger and the root ledger");

    let server = Server::serve(&to);
    let client = server.client().with_token(demo.text("api_token"));
    assert!(client.get("/v1/documents?limit=1").expect(200).json()["items"][0].is_object());
    let body = json!({
        "name": "株式会社引越先", "honorific": "onchu", "contacts": [{ "name": "引越 花子", "email": "hanako@moved.example" }],
    });
    let made = text(&client.post("/v1/clients", &body).expect(201).json(), "id");
    let key = client.get("/v1/log/key").expect(200).json()["vkey"].as_str().expect("a key").to_owned();
    std::thread::sleep(Duration::from_millis(1_500));
    let after = demo.folder().join("after.keiin").display().to_string();
    keiin(&["export", "--data", &to.display().to_string(), "--tenant", &ledger, "--out", &after]).expect(0);
    let verdict = verify(Path::new(&after), &key);
    let old = keiin(&["verify", &before, "--deep", "--format", "json"]).expect(0).json();
    assert_eq!(verdict["origin"], old["origin"]);
    assert!(verdict["events"].as_u64() > old["events"].as_u64().map(|n| n + 1));
    assert_eq!(server.stop(), 0);

    // Once more, after the receiver has gone on: a person whom only its vault knows is still readable.
    keiin(&migrate).expect(0);
    let server = Server::serve(&to);
    let client = server.client().with_token(demo.text("api_token"));
    let shown = client.get(&format!("/v1/clients/{made}")).expect(200).text();
    assert!(shown.contains("引越 花子"), "{shown}");
    // And not to a third place.
    let third = demo.folder().join("third");
    let refused = keiin(&moving(&from, &third, &[]));
    assert!(refused.code != 0 && refused.stderr.contains("moved to another place"), "{}", refused.stderr);

    let (old, left) = demo.serve();
    // It stays ready: nothing here waits for what only the receiver can sign.
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(old.client().get("/readyz").status, 200);
    let refused = left.post("/v1/clients", &json!({ "name": "株式会社置去り", "honorific": "onchu" }));
    assert_eq!((refused.status, refused.json()["code"].clone()), (410, Value::from("service.moved")));
    left.get("/v1/documents").expect(200);
}

/// And the other way: what was on PostgreSQL goes on in files, with its people, papers, logins and read models.
#[test]
fn a_deployment_moves_from_postgresql_to_files() {
    let deployment = Deployment::on_postgres(Postgres::shared());
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "movers")];
    let company = &companies[0];
    let (document, client, (visit, _)) = (company.new_document(), company.new_client(), company.new_visit());
    let mut writer = Writer::some(1, 0, deployment.folder()).remove(0);
    for _ in 0..5 {
        writer.once(&server.client(), &Target::of(&companies)).expect("answered");
    }
    let paths = [("documents", document), ("clients", client), ("visits", visit)];
    let paths = paths.map(|(noun, id)| format!("/v1/{noun}/{id}"));
    let before = paths.each_ref().map(|path| company.get(path));
    Journal::create(deployment.folder(), "seen").checkpoint(&company.id, &company.checkpoint());
    company.settle();
    assert_eq!(server.stop(), 0);

    let (from, to) = (deployment.data(), deployment.folder().join("files"));
    let moved = keiin(&moving(&from, &to, &[])).expect(0).json();
    assert_eq!(moved["moved"], 2, "the company's ledger and the root ledger");
    assert!(to.join("log.db").is_file());
    let old = Server::serve(&from);
    assert_eq!(company.at(&old).send(new_client("too late")).status, 410);
    assert_eq!(old.stop(), 0);

    let deployment = deployment.moved("files");
    let server = deployment.serve();
    let company = company.at(&server);
    assert_eq!(paths.each_ref().map(|path| company.get(path)), before);
    company.log_in("owner@movers.example");
    company.issue(&company.new_draft());
    company.settle();
    assert_eq!(server.stop(), 0);
    examine(&deployment, &companies).expect_none();
}

/// One company leaves a deployment for another that exists.
#[test]
fn a_company_moves_to_another_deployment() {
    let (here, there) = (Deployment::new(), Deployment::on_postgres(Postgres::shared()));
    let (company, stays) = {
        let server = here.serve();
        let company = Company::sign_up(&server, "movers");
        company.new_document();
        company.settle();
        let stays = Company::sign_up(&server, "stayers");
        server.stop();
        (company, stays)
    };
    let neighbour = {
        let server = there.serve();
        let neighbour = Company::sign_up(&server, "neighbours");
        server.stop();
        neighbour
    };
    let args = ["migrate", "--from", here.data_arg(), "--to", there.data_arg(), "--tenant"];
    keiin(&[&args[..], &["movers"]].concat()).expect(0);
    let server = there.serve();
    let moved = company.at(&server);
    moved.new_document();
    moved.log_in("owner@movers.example");
    neighbour.at(&server).new_client();
    moved.checkpoint();
    verify(&there.export("movers", "movers.keiin", &[]), &moved.key());

    let old = here.serve();
    assert_eq!(company.at(&old).send(new_client("too late")).status, 410);
    stays.at(&old).new_client();
}

/// A node on another machine holds no file that the move could find locked; on either side it is noticed all the same, and
/// nothing is moved.
#[test]
fn nothing_moves_while_a_node_of_either_side_runs() {
    let busy = Deployment::on_postgres(Postgres::shared());
    let server = busy.serve();
    let company = Company::sign_up(&server, "minato");
    let elsewhere = busy.node("elsewhere");
    let idle = Deployment::new();
    for (from, to) in [(&elsewhere, &idle.folder().join("new")), (&idle.data(), &elsewhere)] {
        let refused = keiin(&moving(from, to, &[])).expect(3);
        assert!(refused.stderr.contains("stop every node on both sides"), "{}", refused.stderr);
    }
    let to = busy.folder().join("files");
    let cluster = ["--database", "esdb://127.0.0.1:2113?tls=false"].map(str::to_owned);
    let refused = keiin(&moving(&idle.data(), &to, &cluster)).expect(2);
    assert!(refused.stderr.contains("not moved into an EventStoreDB cluster") && !to.exists(), "{}", refused.stderr);
    company.new_client();
    assert_eq!(server.stop(), 0);
    keiin(&moving(&elsewhere, &to, &[])).expect(0);
}

/// Whoever can write to the stores, but has no key of ours, puts another log in the place of ours, sound in itself: it is
/// not handed over to anybody.
#[test]
fn a_log_that_others_signed_is_not_moved() {
    let (ours, theirs) = (Deployment::new(), Deployment::new());
    for (deployment, name) in [(&ours, "ours"), (&theirs, "theirs")] {
        let server = deployment.serve();
        let company = Company::sign_up(&server, name);
        company.settle();
        company.checkpoint();
        std::thread::sleep(Duration::from_millis(1_500));
        assert_eq!(server.stop(), 0);
    }
    for name in ["log.db", "anchor.db"] {
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(ours.data().join(format!("{name}{suffix}")));
        }
        std::fs::copy(theirs.data().join(name), ours.data().join(name)).expect("copied");
    }
    let refused = keiin(&moving(&ours.data(), &ours.folder().join("moved"), &[]));
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("is not what its keys signed"), "{}", refused.stderr);
}

/// Moves under strace, killed at the `at`-th of these calls of any thread; whether it came to its end.
fn moves_until(args: &[&str], calls: &str, at: u32) -> bool {
    let strace = tool("strace", "strace").display().to_string();
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:signal=KILL:when={at}"));
    let wrapper = [&strace, "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    let ran = finish(&mut under(&wrapper, args));
    assert!(matches!(ran.code, 0 | 137), "{calls} {at}: {ran:?}");
    ran.code == 0
}

/// Killed again and again, each time a little further on; the oracle judges what arrived.
fn killed_and_repeated(deployment: Deployment, stores: &[String], calls: &str, step: usize) {
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "killed-a"), Company::sign_up(&server, "killed-b")];
    let targets = Target::of(&companies);
    let mut writers = Writer::some(2, 0, deployment.folder());
    for n in 0..12 {
        writers[n % 2].once(&server.client(), &targets).expect("answered");
    }
    let mut seen = Journal::create(deployment.folder(), "seen");
    for company in &companies {
        seen.checkpoint(&company.id, &company.checkpoint());
        company.settle();
    }
    assert_eq!(server.stop(), 0);

    let (from, to) = (deployment.data(), deployment.folder().join("moved"));
    let args = moving(&from, &to, stores);
    let step = if long() { 1 } else { step };
    // Each begins where the last one was stopped, and gets further before it is.
    let killed = (1..).step_by(step).take_while(|at| !moves_until(&args, calls, *at)).count();
    keiin(&args).expect(0);
    assert!(killed > 5, "only {killed} moves were killed");
    let old = Server::serve(&from);
    for company in &companies {
        assert_eq!(company.at(&old).send(new_client("too late")).status, 410);
    }
    assert_eq!(old.stop(), 0);
    let found = examine(&deployment.moved("moved"), &companies);
    report!(
        "move to {}: killed={killed} acked={} lost={} doubled={}",
        if stores.is_empty() { "files" } else { "PostgreSQL" },
        found.acked,
        found.count("O1"),
        found.count("O2")
    );
    assert_eq!(found.acked, 12);
    found.expect_none();
}

#[test]
fn a_killed_move_from_postgresql_to_files_is_finished_by_the_same_command() {
    let calls = "fsync,fdatasync,rename,renameat,renameat2";
    killed_and_repeated(Deployment::on_postgres(Postgres::shared()), &[], calls, 1);
}

#[test]
fn a_killed_move_from_files_to_postgresql_is_finished_by_the_same_command() {
    // Every message to the databases, and what reaches the receiver's own directory.
    killed_and_repeated(Deployment::new(), &databases(), "sendto,fsync,fdatasync,rename", 5);
}
