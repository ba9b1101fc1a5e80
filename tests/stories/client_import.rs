//! Clients from a CSV file: the check says what is wrong with each row and writes nothing; the import takes the good rows,
//! gives the bad ones back, and is carried out once, also when the server is killed in the middle.

use std::time::Duration;

use keiin_tests::{Answer, Call, Company, Deployment, Seeded, report};
use serde_json::{Value, json};

const FILE: &str = "取引先名,ふりがな,敬称,登録番号,郵便番号,担当者,メールアドレス,社内番号\r\n\
    髙橋製作所,ﾀｶﾊｼｾｲｻｸｼｮ,,T7000012050002,105-0011,﨑山 一郎,a@example.jp,1\r\n\
    \"複数行の\r\n名前\",,,,,,,2\r\n\
    =HYPERLINK(\"x\"),,御中,,,,,3\r\n\
    \r\n\
    番号違い,,,T8000012050002,,,,4\r\n\
    髙橋製作所,,,,,,,5\r\n\
    山田 花子,やまだ はなこ,様,,,,,6\r\n\
    漢字よみ,漢字,,,,,,7\r\n";

fn import(company: &Company, query: &str, key: &str, file: &[u8]) -> Answer {
    company.send(Call::new("POST", &format!("/v1/clients/imports{query}")).key(key).bytes("text/csv", file))
}

fn names(company: &Company) -> Vec<String> {
    let (mut found, mut cursor) = (vec![], String::new());
    loop {
        let page = company.get(&format!("/v1/clients?limit=200{cursor}"));
        let items = page["items"].as_array().expect("a list").clone();
        found.extend(items.iter().map(|client| client["name"].as_str().expect("a name").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    found.sort();
    found
}

fn faults(report: &Value, list: &str) -> Vec<(u64, String)> {
    let all = report[list].as_array().expect("a list");
    let one = |fault: &Value| (fault["line"].as_u64().unwrap(), fault["code"].as_str().unwrap().to_owned());
    all.iter().map(one).collect()
}

#[test]
fn a_file_is_checked_row_by_row_and_its_good_rows_are_taken() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "imports");
    let mark = company.get("/v1/events?limit=1")["items"][0]["position"].clone();
    let checked = import(&company, "?check=true", "a", FILE.as_bytes()).expect(200).json();
    let wrong = [(3, "text.control_character"), (7, "registration_number.wrong_check_digit"), (10, "text.not_kana")];
    let wrong = wrong.map(|(line, code)| (line, code.to_owned()));
    assert_eq!(faults(&checked, "errors"), wrong, "{checked}");
    assert_eq!(faults(&checked, "duplicates"), [(8, "import.duplicate_row".to_owned())]);
    assert_eq!((&checked["encoding"], &checked["rows"], &checked["good"]), (&json!("utf8"), &json!(7), &json!(4)));
    assert_eq!(checked["ignored_columns"], json!(["社内番号"]));
    assert_eq!(checked["errors"][1]["column"], 4);
    assert_eq!(company.get("/v1/events?limit=1")["items"][0]["position"], mark, "a check writes nothing");
    assert!(names(&company).is_empty());

    // The same in CP932; duplicates left out.
    let cp932 = encoding_rs::SHIFT_JIS.encode(FILE).0.into_owned();
    let done = import(&company, "?duplicates=skip", "b", &cp932).expect(200).json();
    assert_eq!((&done["encoding"], &done["imported"], &done["skipped"]), (&json!("cp932"), &json!(3), &json!(1)));
    let taken = ["=HYPERLINK(\"x\")", "山田 花子", "髙橋製作所"];
    assert_eq!(names(&company), taken);
    let rejected = done["rejected"].as_str().expect("rows that were not taken");
    assert!(
        rejected.starts_with("\u{FEFF}取引先名,") && rejected.lines().next().unwrap().ends_with(",理由"),
        "{rejected}"
    );
    assert_eq!(rejected.matches("番号違い").count(), 1);
    // Again: the same answer, nothing new. Another file under that key is refused.
    let again = import(&company, "?duplicates=skip", "b", &cp932).expect(200).json();
    assert_eq!((&again["imported"], &again["skipped"]), (&json!(3), &json!(1)));
    assert_eq!(names(&company), taken);
    let other = import(&company, "", "b", "name\nOther\n".as_bytes());
    assert_eq!((other.status, other.json()["code"].as_str()), (422, Some("idempotency.key_reused")));
    // Under another key everything is a duplicate, and said to be one.
    let twice = import(&company, "?check=true", "c", &cp932).expect(200).json();
    assert_eq!(faults(&twice, "duplicates").len(), 4);
    let events = company.get("/v1/events?kind=client.registered");
    assert_eq!(events["items"].as_array().map(Vec::len), Some(3));
    report!("import rows=7 good=4 bad=3 encodings=utf8,cp932");
}

/// A row that is wrong in several places says all of them at once, and each once.
#[test]
fn every_fault_of_a_row_is_told() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "faults");
    let file = "取引先名,ふりがな,敬称,登録番号,郵便番号,担当者,メールアドレス,電話番号\r\n\
        ,漢字,殿,T1,12,,nobody,内線\r\n\
        よい会社,,,,,,,\r\n\
        番号違い,,御中,T8000012050002,105-0011,鈴木,x,\r\n";
    let report = import(&company, "?check=true", "a", file.as_bytes()).expect(200).json();
    let codes = |line: u64| -> Vec<String> {
        let all = faults(&report, "errors").into_iter();
        let mut found: Vec<String> = all.filter(|(at, _)| *at == line).map(|(_, code)| code).collect();
        found.sort();
        found
    };
    let first = [
        "client.bad_email", "client.bad_honorific", "client.bad_phone", "client.bad_postal_code",
        "registration_number.bad_format", "text.not_kana", "text.required",
    ];
    assert_eq!(codes(2), first, "{report}");
    assert_eq!(codes(4), ["client.bad_email", "registration_number.wrong_check_digit"]);
    assert_eq!((&report["rows"], &report["good"]), (&json!(3), &json!(1)));
    let rejected = report["rejected"].as_str().expect("rows that were not taken");
    assert_eq!(rejected.matches(" / ").count(), 6 + 1, "{rejected}");
}

#[test]
fn what_is_no_list_of_clients_is_refused() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "strange");
    let long = format!("name\n{}", "x\n".repeat(5_001));
    for (file, status, code) in [
        (&b""[..], 422, "import.no_name_column"),
        (b"name\na\0b\n", 422, "import.unreadable"),
        (b"name\n\"a\n", 422, "import.open_quote"),
        (b"\xFF\xFEn\0a\0m\0e\0", 422, "import.unreadable"),
        (b"name,NAME\na,b\n", 422, "import.column_twice"),
        (long.as_bytes(), 422, "import.too_many_rows"),
    ] {
        let answer = import(&company, "", "x", file);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.text());
    }
    // A cell of 10 MiB is not even waited for.
    let request = format!(
        "POST /v1/clients/imports HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/csv\r\n\
         Content-Length: {}\r\n{}\r\nname\n",
        10 << 20,
        company.token.lines(),
    );
    let (answer, _) = company.client.raw(request.as_bytes(), Duration::from_secs(5));
    assert!(String::from_utf8_lossy(&answer).contains("\"code\":\"request.too_large\""));
    let long_name = format!("name\n{}\n", "x".repeat(1 << 20));
    let report = import(&company, "", "y", long_name.as_bytes()).expect(200).json();
    assert_eq!(faults(&report, "errors"), [(2, "text.too_long".to_owned())]);
    let template = company.send(Call::new("GET", "/v1/clients/imports/template.csv")).expect(200).text();
    let semicolons = template.trim_end().replace(',', ";") + "\n株式会社甲;;;;;;;;;;;;;;\n";
    assert_eq!(import(&company, "", "z", semicolons.as_bytes()).expect(200).json()["imported"], 1);
}

#[test]
fn killed_in_the_middle_and_sent_again_nothing_is_doubled() {
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    let mut company = Company::sign_up(&server, "crash");
    let rows = 400;
    let file: String = (0..rows).map(|n| format!("Client {n:03}\n")).collect();
    let file = format!("name\n{file}");
    let (mut chance, mut in_the_middle) = (Seeded::from_env_or(11), 0);
    for _ in 0..4 {
        let (sender, body) = (company.token.clone(), file.clone());
        let client = server.client();
        let sent = std::thread::spawn(move || {
            let call = Call::new("POST", "/v1/clients/imports").key("one").bytes("text/csv", body);
            client.send(&sender.on(call))
        });
        std::thread::sleep(Duration::from_millis(chance.between(150, 900)));
        server.kill();
        // No answer comes from a server that is killed: the thread may end in a panic.
        drop(sent.join());
        server = deployment.serve();
        company = company.at(&server);
        let so_far = names(&company).len();
        in_the_middle += usize::from(so_far > 0 && so_far < rows);
    }
    let done = import(&company, "", "one", file.as_bytes()).expect(200).json();
    assert_eq!((&done["imported"], &done["duplicates"]), (&json!(rows), &json!([])));
    let all = names(&company);
    let mut once = all.clone();
    once.dedup();
    assert_eq!((all.len(), once.len()), (rows, rows));
    report!("import killed=4 in_the_middle={in_the_middle} rows={rows} doubled=0");
}
