//! F19. The request arrives, the answer does not: a proxy cuts every connection after so many bytes of the answer. Sent
//! again, the request is found done.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keiin_tests::load::{Silence, Target, Writer, settle};
use keiin_tests::oracle::examine;
use keiin_tests::{Client, Company, Deployment, Seeded, long, report};

/// Passes everything on, and of each answer only the first `let_through` bytes.
struct Proxy {
    url: String,
    let_through: Arc<AtomicU64>,
    cut: Arc<AtomicU64>,
}

impl Proxy {
    fn to(server: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (let_through, cut) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::new(AtomicU64::new(0)));
        let (most, count) = (let_through.clone(), cut.clone());
        std::thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let Ok(to) = TcpStream::connect(&server) else { continue };
                let (most, count) = (most.load(Ordering::SeqCst), count.clone());
                std::thread::spawn(move || pass(from, to, most, &count));
            }
        });
        Proxy { url, let_through, cut }
    }
}

fn pass(mut from: TcpStream, to: TcpStream, most: u64, cut: &AtomicU64) {
    let (Ok(mut requests), Ok(mut answers)) = (from.try_clone(), to.try_clone()) else { return };
    let mut upstream = to;
    std::thread::spawn(move || std::io::copy(&mut requests, &mut upstream));
    let (mut left, mut buffer) = (most, [0; 4_096]);
    // The answer is awaited even when nothing of it may pass: the request is done by then.
    while let Ok(count @ 1..) = answers.read(&mut buffer) {
        let passing = (count as u64).min(left) as usize;
        if from.write_all(&buffer[..passing]).is_err() {
            break;
        }
        left -= passing as u64;
        if passing < count {
            cut.fetch_add(1, Ordering::SeqCst);
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = answers.shutdown(Shutdown::Both);
}

#[test]
fn f19_a_lost_answer_is_asked_for_again_and_nothing_is_done_twice() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "cut-a"), Company::sign_up(&server, "cut-b")];
    let targets = Target::of(&companies);
    let mut writers = Writer::some(4, 0, deployment.folder());
    let proxy = Proxy::to(server.client().address().to_owned());
    let client = Client::new(&proxy.url);
    let mut chance = Seeded::from_env_or(19);
    let rounds = if long() { 400 } else { 25 };
    let mut lost = 0;
    for round in 0..rounds {
        let most = match round % 4 {
            0 => 0,
            1 => chance.between(1, 40),
            2 => chance.between(40, 600),
            _ => chance.between(600, 1_400),
        };
        proxy.let_through.store(most, Ordering::SeqCst);
        for writer in &mut writers {
            match writer.once(&client, &targets) {
                Ok(_) => {}
                Err(Silence::Lost) => lost += 1,
                Err(refused) => panic!("{refused:?}"),
            }
        }
        // Now and then the second answer is lost as well.
        if round % 3 == 0 {
            proxy.let_through.store(u64::MAX, Ordering::SeqCst);
            settle(&mut writers, &client, &targets);
        }
    }
    settle(&mut writers, &server.client(), &targets);
    assert_eq!(server.stop(), 0);
    let found = examine(&deployment, &companies);
    let cut = proxy.cut.load(Ordering::SeqCst);
    report!(
        "F19 rounds={rounds} cut={cut} lost_answers={lost} acked={} lost={} doubled={}",
        found.acked,
        found.count("O1"),
        found.count("O2")
    );
    found.expect_none();
    assert!(lost > rounds, "only {lost} answers were lost");
}
