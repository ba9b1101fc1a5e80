//! F21. Killed while the read models are rebuilt and people write: the next start has whole read models, old or new, and
//! folds what is missing. Meanwhile the old ones are served. (Rebuilds that are left to finish: `tests/stories/rebuild.rs`.)

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use keiin_tests::load::{Target, Writer, settle};
use keiin_tests::oracle::examine;
use keiin_tests::{Call, Company, Deployment, Seeded, long, report};

#[test]
fn f21_killed_in_a_rebuild_the_read_models_are_whole_again() {
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    let companies = [Company::sign_up(&server, "rebuilt-a"), Company::sign_up(&server, "rebuilt-b")];
    companies.iter().for_each(|company| (0..20).for_each(|_| drop(company.new_draft())));
    let targets = Target::of(&companies);
    let mut writers = Writer::some(3, 0, deployment.folder());
    let list = companies[0].token.on(Call::new("GET", "/v1/documents?limit=5"));
    let mut chance = Seeded::from_env_or(21);
    let kills = if long() { 100 } else { 8 };
    let (mut within, seen) = (0, AtomicUsize::new(0));
    for _ in 0..kills {
        let (client, stop, rebuilding) = (server.client(), AtomicBool::new(false), AtomicBool::new(false));
        let (admin, wait) = (server.admin(), Duration::from_millis(chance.between(2, 120)));
        within += std::thread::scope(|scope| {
            for writer in &mut writers {
                scope.spawn(|| writer.write(&client, &targets, &stop));
            }
            scope.spawn(|| {
                rebuilding.store(true, Ordering::SeqCst);
                while admin.try_send(&Call::new("POST", "/rebuild")).is_ok() {}
                rebuilding.store(false, Ordering::SeqCst);
            });
            scope.spawn(|| {
                while let Ok(answer) = client.try_send(&list) {
                    let items = answer.expect(200).json()["items"].as_array().map(Vec::len);
                    assert_eq!(items, Some(5), "half a list while the read models are rebuilt");
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            });
            while !rebuilding.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            std::thread::sleep(wait);
            let within = usize::from(rebuilding.load(Ordering::SeqCst));
            server.kill();
            stop.store(true, Ordering::Relaxed);
            within
        });
        server = deployment.serve();
        settle(&mut writers, &server.client(), &targets);
    }
    assert_eq!(server.stop(), 0);
    let found = examine(&deployment, &companies);
    report!(
        "F21 kills={kills} within_a_rebuild={within} lists_seen={} acked={} lost={} different={}",
        seen.into_inner(),
        found.acked,
        found.count("O1"),
        found.count("O5")
    );
    found.expect_none();
    assert!(within * 2 > kills, "only {within} kills met a rebuild");
}
