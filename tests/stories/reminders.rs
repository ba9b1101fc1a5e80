//! Visitors are reminded on the day before, once, also after a stop; of a period pass once a week.

use std::time::Duration;

use keiin_tests::company::text;
use keiin_tests::{Company, Deployment, Server};
use serde_json::{Value, json};

use crate::appointments::{at, at_kiosk, change, kiosk, nine_to_ten, register, with};

/// The server sleeps over the time of the reminder, twice; each visitor of tomorrow gets one mail, the cancelled none.
#[test]
fn a_reminder_goes_out_once_on_the_day_before_also_after_a_stop() {
    let deployment = Deployment::new();
    let server = Server::serve_at("@2026-10-30 03:00:00", &deployment.data());
    let company = Company::sign_up(&server, "tomorrow");
    let comes = text(&register(&company, &nine_to_ten(&company)), "id");
    let quiet = text(&register(&company, &with(nine_to_ten(&company), json!({ "visitor_email": "" }))), "id");
    let off = text(&register(&company, &nine_to_ten(&company)), "id");
    change(&company, &off, "/cancel", "POST", &json!({})).expect(200);
    drop(server);
    let reminders = |company: &Company| {
        let list = company.get("/v1/mails?template=visit_reminder");
        list["items"].as_array().expect("a list").clone()
    };
    // 08:00 on the day before in Japan, and from then on until after nine: nothing is due yet.
    let (server, company) = at("2026-11-01T08:59:00", &deployment, &company);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(reminders(&company), Vec::<Value>::new());
    drop(server);
    for time in ["2026-11-01T20:00:00", "2026-11-01T21:00:00"] {
        let (server, company) = at(time, &deployment, &company);
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while reminders(&company).is_empty() && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
        let found = reminders(&company);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (&found[0]["object"]["id"], &found[0]["to"]["email"]),
            (&json!(comes), &json!("yoshida@example.jp"))
        );
        assert!(text(&found[0], "subject").starts_with("明日: "), "{}", found[0]);
        assert_eq!(company.get("/v1/events?kind=visit.reminded")["items"].as_array().map(Vec::len), Some(1));
        assert_eq!(company.get(&format!("/v1/visits/{quiet}"))["status"], "expected");
        drop(server);
    }
}

/// A supplier of Mondays and Wednesdays is reminded of the first day and then of each week, also when they came between; the
/// days that are called off are left out.
#[test]
fn a_period_pass_is_reminded_of_once_a_week() {
    let deployment = Deployment::new();
    let server = Server::serve_at("@2026-10-30 03:00:00", &deployment.data());
    let company = Company::sign_up(&server, "weekly");
    let office = kiosk(&company, "本社");
    let period = json!({ "weekdays": ["mon", "wed"], "starts_at": "2026-11-03T09:00:00+09:00", "ends_at": "2026-11-18T18:00:00+09:00" });
    let supplier = register(&company, &with(nine_to_ten(&company), period.clone()));
    let off = text(&register(&company, &with(nine_to_ten(&company), period)), "id");
    drop(server);
    // The number of reminders after rounds at this time of this day of November.
    let reminded = |day: u32, time: &str, wanted: usize| {
        let (server, company) = at(&format!("2026-11-{day:02}T{time}"), &deployment, &company);
        let sent = || company.get("/v1/events?kind=visit.reminded")["items"].as_array().map_or(0, Vec::len);
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while sent() < wanted && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
        company.settle();
        assert_eq!(sent(), wanted, "{day} at {time}");
        (server, company)
    };
    // The pass begins on a Tuesday, but its first day is the Wednesday.
    drop(reminded(2, "12:00:00", 0));
    drop(reminded(3, "12:00:00", 2));
    let (server, company) = at("2026-11-04T09:00:00", &deployment, &company);
    at_kiosk(&company, &office, "check_in", &text(&supplier, "secret")).expect(200);
    at_kiosk(&company, &office, "check_out", &text(&supplier, "secret")).expect(200);
    change(&company, &off, "/cancel", "POST", &json!({})).expect(200);
    drop(server);
    drop(reminded(8, "12:00:00", 3));
    drop(reminded(10, "12:00:00", 3));
    let (_server, company) = reminded(15, "20:00:00", 4);
    let mails = company.get("/v1/mails?template=visit_reminder&limit=1");
    assert_eq!(mails["items"][0]["object"]["id"], supplier["id"]);
    assert!(text(&mails["items"][0], "body").contains("2026"), "{mails}");
}
