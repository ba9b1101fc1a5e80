//! F4. The disk is full: what does not fit is refused with 507, everything that only reads goes on, and when there is room
//! again the same server writes again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use keiin_tests::company::verify;
use keiin_tests::load::{Silence, Target, Writer, settle};
use keiin_tests::oracle::examine;
use keiin_tests::{Call, Company, Deployment, Server, keiin, long, report};
use serde_json::json;

const LEDGERS_FREE: &str = "keiin_disk_free_bytes{of=\"ledgers\"}";

/// A file system of a few MiB, unmounted in the end.
struct SmallDisk(PathBuf);

fn as_root(program: &str, args: &[&str]) -> bool {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let mut command = if is_root { Command::new(program) } else { Command::new("sudo") };
    if !is_root {
        command.args(["-n", program]);
    }
    command.args(args).status().is_ok_and(|status| status.success())
}

impl SmallDisk {
    fn mount(mib: u32) -> SmallDisk {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let path = folder.to_str().expect("temporary paths are text");
        let size = format!("size={mib}m,mode=777");
        let mounted = as_root("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", path]);
        assert!(mounted, "a small file system cannot be mounted: run this as root, or allow `sudo -n mount`");
        SmallDisk(folder)
    }

    /// Takes all room but this many KiB. Removing the file gives it back.
    fn fill(&self, but_kib: usize) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).expect("there is room for a name");
        while file.write_all(&[0xa5; 4_096]).is_ok() {}
        let len = file.metadata().expect("it is there").len();
        file.set_len(len.saturating_sub(but_kib as u64 * 1_024)).expect("a file can be shortened");
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        as_root("umount", &[self.0.to_str().expect("text")]);
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Writes until a whole round is refused; what was answered, by status and code.
fn until_full(writers: &mut [Writer], server: &Server, targets: &[Target]) -> BTreeMap<String, usize> {
    let (mut answers, client, deadline) = (BTreeMap::new(), server.client(), Instant::now() + Duration::from_secs(60));
    for round in 0.. {
        let mut refused = 0;
        for writer in &mut *writers {
            match writer.once(&client, targets) {
                Ok(_) => *answers.entry("201".to_owned()).or_default() += 1,
                Err(Silence::Refused(status, code)) => {
                    refused += usize::from(status == 507);
                    *answers.entry(format!("{status} {code}")).or_default() += 1;
                }
                Err(Silence::Lost) => panic!("no answer\n{}", server.log_tail()),
            }
        }
        if refused == writers.len() {
            return answers;
        }
        assert!(Instant::now() < deadline, "not full after {round} rounds: {answers:?}");
    }
    unreachable!("rounds do not end")
}

/// A figure of the operators' port.
fn figure(server: &Server, name: &str) -> f64 {
    let figures = server.admin().get("/metrics").expect(200).text();
    let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {figures}"))
}

/// How often the server's log said that the ledgers' disk is full, and that there is room again.
fn said(server: &Server) -> [usize; 2] {
    let log = std::fs::read_to_string(&server.log).expect("the log is there");
    let told = |text: &str| log.lines().filter(|line| line.contains("Ledgers") && line.contains(text)).count();
    [told("the disk is full"), told("there is room on the disk again")]
}

fn settles(company: &Company) -> bool {
    let call = company.token.on(Call::new("GET", "/v1/clients?limit=1"));
    company.client.try_send(&call).is_ok_and(|answer| answer.status == 200)
}

fn export(deployment: &Deployment, company: &Company, name: &str) -> PathBuf {
    let file = deployment.folder().join(name);
    let path = file.to_str().expect("text");
    keiin(&["export", "--data", deployment.data_arg(), "--tenant", &company.id, "--out", path]).expect(0);
    file
}

fn is_below(path: &Path, most: u64) -> bool {
    path.metadata().is_ok_and(|file| file.len() < most)
}

#[test]
fn f04_disk_full_refuses_cleanly_and_heals() {
    let disk = SmallDisk::mount(24);
    let deployment = Deployment::on(&disk.0);
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "full-a"), Company::sign_up(&server, "full-b")];
    let client = companies[0].new_client();
    let targets = Target::of(&companies);
    let mut writers = Writer::some(4, 0, deployment.folder());
    let rounds = if long() { 20 } else { 4 };
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..rounds {
        companies.iter().for_each(|company| drop(company.checkpoint()));
        // None at all, or room for a part of something.
        let filler = disk.fill([0, 300, 12, 800, 100][round % 5]);
        for (answer, count) in until_full(&mut writers, &server, &targets) {
            *totals.entry(answer).or_default() += count;
        }
        // A form that needs the vault first is refused as cleanly.
        let invite = json!({ "name": "Somebody", "email": format!("m{round}@full.example"), "role": "member" });
        let invited = companies[0].send(Call::new("POST", "/v1/members").key(&format!("invite {round}")).json(&invite));
        assert!(matches!(invited.status, 201 | 503 | 507), "{} {}", invited.status, invited.text());
        // The operator is told once, not with every request, and sees how little is left.
        let full = round + 1;
        assert_eq!(said(&server), [full, round], "{}", server.log_tail());
        assert_eq!(figure(&server, "keiin_disk_full"), 1.0);
        let least = figure(&server, LEDGERS_FREE);
        assert!(least < 1_048_576.0, "{least} bytes are free");

        // Reading, exporting and verifying go on.
        companies[0].get(&format!("/v1/clients/{client}"));
        companies[1].get("/v1/events?limit=5");
        server.client().get("/livez").expect(200);
        let exported = export(&deployment, &companies[0], &format!("full-{round}.keiin"));
        verify(&exported, &companies[0].key());
        assert!(is_below(&deployment.data().join("log.db"), 24 << 20));

        std::fs::remove_file(filler).expect("removed");
        let started = Instant::now();
        settle(&mut writers, &server.client(), &targets);
        assert!(started.elapsed() < Duration::from_secs(10), "writing again took {:?}", started.elapsed());
        assert!(companies.iter().all(settles));
        // Whoever looked meanwhile was shown it; the look is written down once there is room.
        let looks = format!("/v1/events?object={client}&kind=data.viewed");
        while companies[0].get(&looks)["items"] == json!([]) {
            assert!(started.elapsed() < Duration::from_secs(30), "the look at {client} was lost");
            std::thread::sleep(Duration::from_millis(100));
        }
        companies.iter().for_each(|company| _ = company.mark());
        // And that it is over, once nothing was refused for a while.
        while said(&server) != [full, full] {
            assert!(started.elapsed() < Duration::from_secs(60), "no word of its end\n{}", server.log_tail());
            std::thread::sleep(Duration::from_millis(500));
            companies[0].mark();
        }
        assert!(figure(&server, LEDGERS_FREE) > least + 1_048_576.0);
        while figure(&server, "keiin_disk_full") != 0.0 {
            assert!(started.elapsed() < Duration::from_secs(60), "the vault's end of it is not seen");
            companies[0].new_client();
            std::thread::sleep(Duration::from_millis(500));
        }
    }
    assert_eq!(server.stop(), 0);
    let found = examine(&deployment, &companies);
    report!(
        "F4 rounds={rounds} answers={totals:?} acked={} lost={} doubled={}",
        found.acked,
        found.count("O1"),
        found.count("O2")
    );
    found.expect_none();
    assert!(
        totals
            .keys()
            .all(|answer| ["201", "503 service.behind", "507 service.storage_full"].contains(&answer.as_str())),
        "{totals:?}"
    );
}
