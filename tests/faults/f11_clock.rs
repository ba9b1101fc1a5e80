//! F11. The clock steps back an hour or a year, forward ten years, and back again. Order is position; a time below the one
//! before is flagged, never changed; what has expired once stays expired; nothing answers 500.

use keiin_tests::company::{PASSWORD, read_export};
use keiin_tests::oracle::examine;
use keiin_tests::{Answer, Call, Company, Deployment, Server, report};
use serde_json::json;

/// A server whose clock is off by this much.
fn serve(deployment: &Deployment, offset: &str) -> Server {
    Server::serve_at(offset, &deployment.data())
}

#[track_caller]
fn not_failed(answer: Answer) -> Answer {
    assert!(answer.status < 500 || answer.status == 503, "{} {}: {}", answer.status, answer.asked, answer.text());
    answer
}

#[test]
fn f11_clock_steps_change_no_order_and_revive_nothing() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut company = Company::sign_up(&server, "clock");
    let old_login = company.log_in("owner@clock.example");
    let (delivery, link) = company.new_delivery();
    let (_, invitation) = company.invite("member");
    company.mark();
    company.settle();
    company.checkpoint();
    assert_eq!(server.stop(), 0);

    let mut positions = vec![];
    for offset in ["-1h", "-1y", "+10y", "-1h", "+0"] {
        let server = serve(&deployment, offset);
        company = company.at(&server);
        // The token may have expired in ten years; a fresh login works with every clock.
        let login = company.log_in("owner@clock.example");
        let body = json!({ "name": format!("Client at {offset}"), "honorific": "onchu" });
        let made = not_failed(company.client.send(&login.on(Call::new("POST", "/v1/clients").json(&body)))).expect(201);
        positions.push(made.position());
        for path in ["/v1/clients", "/v1/events", "/v1/deliveries", "/v1/mails", "/v1/members"] {
            not_failed(company.client.send(&login.on(Call::new("GET", path)))).expect(200);
        }
        let old = company.client.send(&old_login.on(Call::new("GET", "/v1/me"))).status;
        let opened = not_failed(company.client.post(&format!("/v1/links/{link}/open"), &json!({}))).status;
        let accept = json!({ "name": "", "password": PASSWORD });
        let invited = not_failed(company.client.post(&format!("/v1/invitations/{invitation}/accept"), &accept)).status;
        match positions.len() {
            1 | 2 => assert_eq!((old, opened, invited), (200, 200, 422), "{offset}: not over yet"),
            // Ten years on, everything that had an end is over.
            3 => assert_eq!((old, opened, invited), (401, 410, 410), "{offset}"),
            // An end that was seen stays, with the clock set right again.
            _ => assert_eq!((old, opened), (401, 410), "{offset}: revived"),
        }
        let seen = company.client.send(&login.on(Call::new("GET", &format!("/v1/deliveries/{delivery}"))));
        not_failed(seen).expect(200);
        assert_eq!(server.stop(), 0);
    }
    assert!(positions.is_sorted(), "{positions:?}");

    // On the right clock again; the oracle's own requests need a token that is alive.
    let server = deployment.serve();
    company = company.at(&server);
    company.login = company.log_in("owner@clock.example");
    let scopes: Vec<String> = keiin_domain::catalog::scopes().into_iter().collect();
    company.token = company.issue_token(&scopes).1;
    assert_eq!(server.stop(), 0);
    examine(&deployment, &[company]).expect_none();
    let records = read_export(&deployment.folder().join("oracle-clock.keiin"));
    let mut before = 0;
    let mut flagged = 0;
    for record in &records {
        assert_eq!(record.leaf.time_went_back, record.leaf.time_us < before, "position {}", record.leaf.position);
        flagged += usize::from(record.leaf.time_went_back);
        before = record.leaf.time_us;
    }
    assert!(flagged >= 3, "{flagged} records are flagged");
    report!("F11 steps=5 events={} flagged={flagged} revived=0 failed=0", records.len());
}
