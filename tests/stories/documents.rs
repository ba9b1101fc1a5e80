//! Documents, from the quote to the receipt, as several people work on them.

use keiin_tests::company::text;
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Server};
use serde_json::{Value, json};

fn company(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

/// Somebody does something with a document, as it is now.
fn act(company: &Company, who: &Credential, id: &str, verb: &str, body: &Value) -> Answer {
    let path = format!("/v1/documents/{id}");
    let (method, to) = match verb {
        "" => ("PATCH", path.clone()),
        "lines" => ("PUT", format!("{path}/lines")),
        verb => ("POST", format!("{path}/{verb}")),
    };
    let call = Call::new(method, &to).if_match(&company.etag(&path)).json(body);
    let call = if verb == "payments" { call.key(&format!("pay {id} {}", company.next())) } else { call };
    company.client.send(&who.on(call))
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}: {}", answer.asked, answer.text());
}

/// A line of one.
fn line(unit_price: &str, more: &Value) -> Value {
    let mut line = json!({ "description": "Work", "quantity": "1", "unit_price": unit_price, "tax_rate": "10" });
    for (name, value) in more.as_object().expect("fields") {
        line[name] = value.clone();
    }
    line
}

fn draft(company: &Company, client: &str, more: &Value) -> Value {
    let mut body = company.draft_body(client);
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    company.ok(Call::new("POST", "/v1/documents").json(&body))
}

fn convert(company: &Company, origin: &str, document_type: &str) -> Answer {
    let body = json!({ "origin_id": origin, "document_type": document_type });
    company.send(Call::new("POST", "/v1/documents/conversions").json(&body))
}

/// ML-10: one company, one list, whoever looks.
#[test]
fn ml_10_every_member_sees_the_same_documents() {
    let (_deployment, _server, company) = company("shared");
    let (first, second) = (company.new_member("member").1, company.new_member("accountant").1);
    let body = company.draft_body(&company.new_client());
    let id = text(&company.client.send(&first.on(Call::new("POST", "/v1/documents").json(&body))).json(), "id");
    company.new_document();
    act(&company, &second, &id, "issue", &json!({})).expect(200);
    let list = |who: &Credential| company.client.send(&who.on(Call::new("GET", "/v1/documents"))).expect(200).json();
    assert_eq!(list(&first), list(&second));
    assert_eq!(list(&first)["counts"], json!({ "issued": 2 }));
}

/// ML-12: who wrote, who changed and who issued a document, and what stood there before.
#[test]
fn ml_12_three_people_leave_three_entries() {
    let (_deployment, _server, company) = company("three");
    let people = ["member", "accountant", "admin"].map(|role| company.new_member(role));
    let [(writer, writes), (editor, edits), (issuer, issues)] = &people;
    let body = company.draft_body(&company.new_client());
    let drafted = company.client.send(&writes.on(Call::new("POST", "/v1/documents").json(&body))).expect(201).json();
    let id = text(&drafted, "id");
    act(&company, edits, &id, "", &json!({ "title": "December" })).expect(200);
    act(&company, issues, &id, "issue", &json!({})).expect(200);

    let trail = company.get(&format!("/v1/events?object={id}"));
    let entries = trail["items"].as_array().expect("a list").iter().rev();
    let entries: Vec<_> = entries.filter(|e| e["actor"]["kind"] == "member").collect();
    let said: Vec<_> = entries.iter().map(|e| (text(e, "kind"), text(&e["actor"], "id"))).collect();
    let wanted = [("document.drafted", writer), ("document.changed", editor), ("document.issued", issuer)];
    assert_eq!(said, wanted.map(|(kind, who)| (kind.to_owned(), who.clone())));
    assert!(entries.iter().all(|entry| text(&entry["actor"], "name").starts_with("Member")));
    let changed = company.get(&format!("/v1/events/{}", entries[1]["position"])).to_string();
    assert!(changed.contains("December") && changed.contains(&text(&drafted, "title")), "{changed}");
}

/// Four eyes: where the company wants it, nothing goes out that only its writer has seen.
#[test]
fn nobody_approves_what_they_asked_for_themselves() {
    let (_deployment, _server, company) = company("eyes");
    let mut about = json!({ "name": "Eyes KK", "registration_number": "T7000012050002", "approval_required": true });
    let put = |about: &Value| Call::new("PUT", "/v1/tenant").if_match(&company.etag("/v1/tenant")).json(about);
    company.ok(put(&about));
    let (admin, accountant) = (company.new_member("admin").1, company.new_member("accountant").1);
    let id = company.new_draft();
    let none = json!({});
    let state = |field: &str| company.get(&format!("/v1/documents/{id}"))[field].clone();

    is_refused(&act(&company, &admin, &id, "issue", &none), 409, "document.not_approved");
    is_refused(&act(&company, &company.login, &id, "approve", &none), 409, "document.not_requested");
    act(&company, &admin, &id, "request_approval", &none).expect(200);
    assert_eq!(state("approval"), "requested");
    let waiting = company.get("/v1/documents?approval=requested");
    assert_eq!(waiting["items"][0]["id"], json!(id));
    // Neither whoever asked, nor whoever may not, nor a program.
    is_refused(&act(&company, &admin, &id, "approve", &none), 403, "document.own_approval");
    is_refused(&act(&company, &admin, &id, "reject", &json!({ "reason": "x" })), 403, "document.own_approval");
    is_refused(&act(&company, &accountant, &id, "approve", &none), 403, "access.forbidden");
    is_refused(&act(&company, &company.token, &id, "approve", &none), 403, "access.forbidden");
    is_refused(&act(&company, &admin, &id, "issue", &none), 409, "document.not_approved");

    // What is given back says why; what is changed must be looked at again.
    act(&company, &company.login, &id, "reject", &json!({ "reason": "The price is last year's" })).expect(200);
    assert_eq!((state("approval"), state("approval_reason")), (json!("rejected"), json!("The price is last year's")));
    act(&company, &accountant, &id, "lines", &json!({ "lines": [line("1200", &none)] })).expect(200);
    assert_eq!((state("approval"), state("approval_reason")), (json!("none"), Value::Null));
    act(&company, &admin, &id, "request_approval", &none).expect(200);
    act(&company, &company.login, &id, "approve", &none).expect(200);
    act(&company, &accountant, &id, "", &json!({ "note": "Thank you" })).expect(200);
    is_refused(&act(&company, &admin, &id, "issue", &none), 409, "document.not_approved");
    act(&company, &admin, &id, "request_approval", &none).expect(200);
    act(&company, &company.login, &id, "approve", &none).expect(200);
    let issued = act(&company, &admin, &id, "issue", &none).expect(200).json();
    assert_eq!((&issued["status"], &issued["totals"]["total"]["amount"]), (&json!("issued"), &json!(1320)));
    let answers = company.get(&format!("/v1/events?object={id}&kind=document.approved"));
    let by: Vec<String> =
        answers["items"].as_array().expect("a list").iter().map(|e| text(&e["actor"], "id")).collect();
    assert_eq!(by, [company.owner.as_str(); 2]);

    // Where the company does not ask for it, nobody has to.
    about["approval_required"] = json!(false);
    company.ok(put(&about));
    act(&company, &accountant, &company.new_draft(), "issue", &none).expect(200);
}

/// Quote → order confirmation → delivery slip → acceptance → invoice → receipt: each made from the one before.
#[test]
fn a_deal_goes_from_the_quote_to_the_receipt() {
    let (_deployment, _server, company) = company("deal");
    let client = company.new_client();
    let lines = json!([line("40000", &json!({})), line("20000", &json!({ "tax_rate": "8", "unit": "箱" }))]);
    let quote = draft(&company, &client, &json!({ "document_type": "quote", "title": "Jigs", "lines": lines }));
    let (mut at, mut chain) = (text(&quote, "id"), vec![text(&quote, "id")]);
    is_refused(&convert(&company, &at, "invoice"), 409, "document.not_issued");
    for next in ["order_confirmation", "delivery_slip", "acceptance", "invoice"] {
        company.issue(&at);
        is_refused(&convert(&company, &at, "quote"), 422, "document.not_convertible");
        let made = convert(&company, &at, next).expect(201);
        let (id, made) = (text(&made.json(), "id"), made.json());
        assert_eq!((&made["document_type"], &made["status"]), (&json!(next), &json!("draft")));
        assert_eq!(made["origin"]["id"], json!(at));
        for same in ["client", "title", "lines", "totals", "tax_rounding"] {
            assert_eq!(made[same], company.get(&format!("/v1/documents/{at}"))[same], "{same} of the {next}");
        }
        chain.push(id.clone());
        at = id;
    }
    let invoice = company.issue(&at);
    is_refused(&convert(&company, &invoice, "receipt"), 409, "document.not_paid");
    is_refused(&convert(&company, &chain[0], "receipt"), 422, "document.not_convertible");
    let pay = |amount: i64| json!({ "amount": { "amount": amount, "currency": "JPY" }, "date": "2026-11-30" });
    act(&company, &company.token, &invoice, "payments", &pay(30_000)).expect(200);
    is_refused(&convert(&company, &invoice, "receipt"), 409, "document.not_paid");
    act(&company, &company.token, &invoice, "payments", &pay(35_600)).expect(200);
    let receipt = convert(&company, &invoice, "receipt").expect(201).json();
    assert_eq!((&receipt["proviso"], &receipt["has_tax_stamp"]), (&json!("Jigs"), &json!(true)));
    chain.push(text(&receipt, "id"));
    for two in chain.windows(2) {
        let before = company.get(&format!("/v1/documents/{}", two[0]));
        assert_eq!(before["conversions"][0]["id"], json!(two[1]), "{before}");
    }
    let numbers: Vec<String> =
        chain[..5].iter().map(|id| text(&company.get(&format!("/v1/documents/{id}")), "number")).collect();
    let series: Vec<&str> = numbers.iter().map(|number| &number[..3]).collect();
    assert_eq!(series, ["QUO", "CNF", "DLV", "ACC", "INV"]);
    is_refused(&convert(&company, "00000000-0000-7000-8000-000000000000", "invoice"), 422, "document.unknown_origin");
}

/// Withholding tax of model.md: with the tax not stated apart, 110,000 → 11,231; with it apart, 100,000 → 10,210. And what
/// the form is told while somebody types is what is saved.
#[test]
fn what_the_payer_keeps_back_is_not_to_be_paid() {
    let (_deployment, _server, company) = company("fees");
    let client = company.new_client();
    for (price, inclusive, withheld, payable) in
        [("110000", true, 11_231, 98_769), ("100000", false, 10_210, 99_790), ("1000000", false, 102_100, 997_900)]
    {
        let fee = json!({ "has_jp_withholding_tax": true, "tax_inclusive": inclusive });
        let lines = json!([line(price, &fee)]);
        let before = company.mark();
        let asked = Call::new("POST", "/v1/documents/totals").json(&json!({ "lines": lines }));
        let told = company.client.send(&company.login.on(asked)).expect(200).json();
        assert_eq!(company.event_after(before), None, "nothing is written");
        let made = draft(&company, &client, &json!({ "lines": lines }));
        assert_eq!(made["jp_withholding_tax"]["amount"], json!(withheld), "{made}");
        assert_eq!(told["payable"]["amount"], json!(payable));
        for same in ["totals", "jp_withholding_tax"] {
            assert_eq!(told[same], made[same]);
        }
        assert_eq!(told["lines"][0]["amount"], made["lines"][0]["amount"]);

        let id = company.issue(&text(&made, "id"));
        let pay = |amount: i64| json!({ "amount": { "amount": amount, "currency": "JPY" }, "date": "2026-11-30" });
        let more = act(&company, &company.token, &id, "payments", &pay(payable + 1));
        is_refused(&more, 422, "document.overpaid");
        let paid = act(&company, &company.token, &id, "payments", &pay(payable)).expect(200).json();
        assert_eq!(paid["status"], "paid");
    }
    let asked = |body: Value| company.send(Call::new("POST", "/v1/documents/totals").json(&body));
    // The company's own rounding, unless the request says another.
    let lines = json!([line("15", &json!({}))]);
    let tax = |body: Value| asked(body).expect(200).json()["totals"]["tax"]["amount"].clone();
    assert_eq!(
        (tax(json!({ "lines": lines })), tax(json!({ "lines": lines, "tax_rounding": "ceil" }))),
        (json!(1), json!(2))
    );
    let bad = asked(json!({ "lines": [line("1", &json!({})), line("ten", &json!({}))] }));
    is_refused(&bad, 422, "money.bad_decimal");
    assert_eq!(bad.json()["errors"][0]["pointer"], "/lines/1/unit_price");
}

/// 電子帳簿保存法: what is kept is found by date, amount and counterparty, by ranges, two or more together.
#[test]
fn documents_are_found_by_date_amount_and_counterparty_together() {
    let (_deployment, _server, company) = company("search");
    let (one, other) = (company.new_client(), company.new_client());
    let rows = [
        (&one, "2026-10-31", "1000"),
        (&one, "2026-11-01", "1000"),
        (&one, "2026-11-30", "50000"),
        (&other, "2026-11-01", "1000"),
        (&other, "2026-12-01", "50000"),
    ];
    let ids = rows.map(|(client, date, price)| {
        let more = json!({ "date": date, "lines": [line(price, &json!({}))] });
        text(&draft(&company, client, &more), "id")
    });
    let found = |query: &str| {
        let list = company.get(&format!("/v1/documents?{query}"));
        let mut at: Vec<usize> = list["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|d| ids.iter().position(|id| d["id"] == json!(id)).expect("one of them"))
            .collect();
        at.sort_unstable();
        at
    };
    assert_eq!(found("from=2026-11-01&to=2026-11-30"), [1, 2, 3]);
    assert_eq!(found("total_min=1101"), [2, 4]);
    assert_eq!(found("total_min=1100&total_max=1100"), [0, 1, 3]);
    assert_eq!(found(&format!("client_id={one}")), [0, 1, 2]);
    assert_eq!(found(&format!("client_id={one}&from=2026-11-01&to=2026-11-30")), [1, 2]);
    assert_eq!(found("from=2026-11-01&to=2026-11-30&total_max=1100"), [1, 3]);
    assert_eq!(found(&format!("client_id={one}&total_min=1100&total_max=1100")), [0, 1]);
    assert_eq!(found(&format!("client_id={one}&from=2026-11-01&to=2026-11-30&total_min=50000&total_max=60000")), [2]);
    // The page shows the same, with what was asked for.
    let page = format!("/documents?client_id={one}&from=2026-11-01&to=2026-11-30&total_min=50000");
    let html = company.client.send(&company.login.on(Call::new("GET", &page))).expect(200).text();
    assert!(html.contains(&ids[2]) && !html.contains(&ids[1]), "{html}");
    assert_eq!(html.matches("chip chip-on").count(), 4);
    for bad in ["total_min=x", "total_min=-1", "from=2026-02-30", "approval=maybe"] {
        is_refused(&company.send(Call::new("GET", &format!("/v1/documents?{bad}"))), 400, "request.bad_parameter");
    }
}
