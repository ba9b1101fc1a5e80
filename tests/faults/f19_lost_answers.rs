//! F19. The request arrives, the answer does not: a proxy cuts every connection after so many bytes of the answer. Sent
//! again, the request is found done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keiin_tests::load::{Silence, Target, Writer, settle};
use keiin_tests::oracle::examine;
use keiin_tests::{Client, Company, Deployment, Seeded, long, report};

use crate::proxy::{Fate, Requests};

#[test]
fn f19_a_lost_answer_is_asked_for_again_and_nothing_is_done_twice() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "cut-a"), Company::sign_up(&server, "cut-b")];
    let targets = Target::of(&companies);
    let mut writers = Writer::some(4, 0, deployment.folder());
    let let_through = Arc::new(AtomicU64::new(u64::MAX));
    let most = let_through.clone();
    let proxy =
        Requests::to(server.client().address().to_owned(), move || Fate::CutAnswer(most.load(Ordering::SeqCst)));
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
        let_through.store(most, Ordering::SeqCst);
        for writer in &mut writers {
            match writer.once(&client, &targets) {
                Ok(_) => {}
                Err(Silence::Lost) => lost += 1,
                Err(refused) => panic!("{refused:?}"),
            }
        }
        // Now and then the second answer is lost as well.
        if round % 3 == 0 {
            let_through.store(u64::MAX, Ordering::SeqCst);
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
