//! F20, on one machine. Whoever writes to a data directory has it alone: a second process ends at once, names the first,
//! and has changed nothing; a dead one holds nothing.

use keiin_tests::oracle::examine;
use keiin_tests::{Company, Deployment, keiin, report};

#[test]
fn f20_a_second_process_on_one_data_directory_is_refused() {
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    let companies = [Company::sign_up(&server, "alone")];
    companies[0].new_client();
    let data = deployment.data_arg();
    let writers: [&[&str]; 6] = [
        &["serve", "--data", data, "--listen", "127.0.0.1:0"],
        &["rebuild", "--data", data],
        &["restore", "--data", data],
        &["keys", "rotate", "--data", data],
        &["keys", "rotate", "--which", "kek", "--data", data],
        &["erase-subject", "--data", data, "--tenant", "alone", "--subject", &companies[0].owner],
    ];
    for args in writers {
        let ran = keiin(args).expect(2);
        assert!(ran.stderr.contains(&format!("in use by process {}", server.pid())), "{args:?}: {}", ran.stderr);
    }
    companies[0].mark();
    // Reading beside it is allowed.
    keiin(&["doctor", "--data", data]).expect(0);
    server.kill();
    let server = deployment.serve();
    assert_eq!(server.stop(), 0);
    examine(&deployment, &companies).expect_none();
    report!("F20 second_processes=6 refused=6 after_kill=free");
}
