//! Visits from a CSV file: the check says what is wrong with each row and writes nothing; the import takes the good rows,
//! gives the bad ones back, and is carried out once, also when the server is killed in the middle.

use std::time::Duration;

use keiin_tests::company::text;
use keiin_tests::{Answer, Call, Company, Deployment};
use serde_json::json;

const FILE: &str = "来訪者,会社名,メールアドレス,言語,担当者,開始,終了,場所,曜日,社内番号\r\n\
    髙橋 﨑子,みなと商事,t@example.jp,日本語,,2031/4/1 9:00,2031/4/1 10:00,本社,,1\r\n\
    業者 太郎,,,,,2031-04-01 09:00,2031-09-30 18:00,本社,月水金,2\r\n\
    誰か,,,仏語,居ない 人,2031/4/1 9:00,2031/4/1 8:00,,,3\r\n\
    髙橋 﨑子,,,,,2031/4/1 9:00,2031/4/1 10:00,本社,,4\r\n";

fn import(company: &Company, query: &str, key: &str, file: &[u8]) -> Answer {
    company.send(Call::new("POST", &format!("/v1/visits/imports{query}")).key(key).bytes("text/csv", file))
}

fn count(company: &Company) -> usize {
    company.get("/v1/visits?limit=200")["items"].as_array().expect("a list").len()
}

#[test]
fn visits_from_a_file_are_checked_row_by_row_and_taken_once() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "list");
    let mark = company.get("/v1/events?limit=1")["items"][0]["position"].clone();
    let checked = import(&company, "?check=true", "a", FILE.as_bytes()).expect(200).json();
    assert_eq!((&checked["rows"], &checked["good"], &checked["imported"]), (&json!(4), &json!(3), &json!(0)));
    let mut told: Vec<(u64, String, String)> = checked["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|e| (e["line"].as_u64().expect("a line"), text(e, "code"), text(e, "field")))
        .collect();
    told.sort();
    let wanted = [
        (4, "import.bad_language", "言語"),
        (4, "import.unknown_host", "担当者"),
        (4, "text.required", "場所"),
        (4, "visit.bad_period", "終了"),
    ];
    assert_eq!(told, wanted.map(|(line, code, field)| (line, code.to_owned(), field.to_owned())), "{checked}");
    assert_eq!(checked["duplicates"][0]["line"], 5);
    assert_eq!(checked["ignored_columns"], json!(["社内番号"]));
    assert_eq!(company.get("/v1/events?limit=1")["items"][0]["position"], mark, "a check writes nothing");

    let cp932 = encoding_rs::SHIFT_JIS.encode(FILE).0.into_owned();
    let done = import(&company, "?duplicates=skip", "b", &cp932).expect(200).json();
    assert_eq!((&done["encoding"], &done["imported"], &done["skipped"]), (&json!("cp932"), &json!(2), &json!(1)));
    assert!(text(&done, "rejected").contains("居ない 人"), "{done}");
    import(&company, "?duplicates=skip", "b", &cp932).expect(200);
    assert_eq!(count(&company), 2, "the same again doubles nothing");
    let period = company.get("/v1/visits?q=業者");
    assert_eq!(period["items"][0]["weekdays"], json!(["mon", "wed", "fri"]));
    assert_eq!(company.get("/v1/mails?template=visit_pass")["items"].as_array().map(Vec::len), Some(1));
    let nothing = import(&company, "", "c", "来訪者,場所\na,b\n".as_bytes());
    assert_eq!((nothing.status, nothing.code().as_str()), (422, "import.no_column"));

    // Members import for themselves: the same rule as for one visit.
    let (_, login) = company.new_member("member");
    let rows = "visitor_name,location,host,starts_at,ends_at\nA,B,,2031-04-01 09:00,2031-04-01 10:00\n\
        A,B,owner@list.example,2031-04-01 09:00,2031-04-01 10:00\n";
    let rows = Call::new("POST", "/v1/visits/imports").key("d").bytes("text/csv", rows.as_bytes());
    let report = company.client.send(&login.on(rows)).expect(200).json();
    assert_eq!((&report["imported"], &report["errors"][0]["code"]), (&json!(1), &json!("visit.own_only")));
}

#[test]
fn an_import_that_was_killed_in_the_middle_is_finished_by_the_next_and_doubles_nothing() {
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    let mut company = Company::sign_up(&server, "killed");
    let row = |n: usize| format!("Visitor {n},Gate,,2031-04-01 09:00,2031-04-01 10:00\n");
    let file = "visitor_name,location,host,starts_at,ends_at\n".to_owned() + &(0..150).map(row).collect::<String>();
    for wait in [150, 400, 700] {
        let (sender, body, client) = (company.token.clone(), file.clone(), server.client());
        let sent = std::thread::spawn(move || {
            client.send(&sender.on(Call::new("POST", "/v1/visits/imports").key("once").bytes("text/csv", body)))
        });
        std::thread::sleep(Duration::from_millis(wait));
        server.kill();
        // No answer comes from a server that is killed: the thread may end in a panic.
        drop(sent.join());
        server = deployment.serve();
        company = company.at(&server);
    }
    let done = import(&company, "", "once", file.as_bytes()).expect(200).json();
    assert_eq!((&done["imported"], &done["rows"]), (&json!(150), &json!(150)));
    assert_eq!(count(&company), 150);
}
