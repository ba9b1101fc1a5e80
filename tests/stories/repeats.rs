//! What repeats: lines from the catalog, drafts from templates.

use keiin_tests::company::text;
use keiin_tests::{Answer, Call, Company, Deployment, Server};
use serde_json::{Value, json};

fn company(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, code: &str, pointer: &str) {
    let seen = (answer.status, answer.code());
    assert_eq!(seen, (status, code.to_owned()), "{}: {}", answer.asked, answer.text());
    assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{}", answer.text());
}

/// Changes an object as it is now.
fn act(company: &Company, method: &str, object: &str, verb: &str, body: &Value) -> Answer {
    let etag = company.etag(object);
    company.send(Call::new(method, &format!("{object}{verb}")).if_match(&etag).json(body))
}

#[test]
fn a_line_from_the_catalog_keeps_what_it_was_filled_in_with() {
    let (_deployment, _server, company) = company("catalog");
    let jig =
        json!({ "code": "JIG-1", "description": "搬送治具", "unit": "台", "unit_price": "120000.5", "tax_rate": "8" });
    let item = text(&company.ok(Call::new("POST", "/v1/items").json(&jig)), "id");
    let (path, draft) = (format!("/v1/items/{item}"), format!("/v1/documents/{}", company.new_draft()));
    let added = json!({ "item_id": item, "quantity": "2" });
    let added = act(&company, "POST", &draft, "/add_line", &added).expect(200).json();
    let line = &added["lines"][1];
    assert_eq!(
        (&line["description"], &line["unit"], &line["tax_rate"]),
        (&json!("搬送治具"), &json!("台"), &json!("8"))
    );
    assert_eq!((&line["amount"]["amount"], &added["totals"]["total"]["amount"]), (&json!(240_001), &json!(260_301)));

    let dearer = json!({ "description": "搬送治具", "unit_price": "999999", "tax_rate": "10" });
    act(&company, "PUT", &path, "", &dearer).expect(200);
    act(&company, "POST", &path, "/archive", &json!({})).expect(200);
    assert_eq!(company.get(&draft)["lines"], added["lines"], "as it was written");
    is_refused(
        &act(&company, "POST", &draft, "/add_line", &json!({ "item_id": item })),
        422,
        "document.item_archived",
        "/item_id",
    );

    // Found by code and by name, and no more among those in use.
    let other = company.new_item();
    let ids = |query: &str| {
        let list = company.get(&format!("/v1/items?{query}"));
        list["items"].as_array().expect("a list").iter().map(|i| text(i, "id")).collect::<Vec<_>>()
    };
    assert_eq!((ids("q=%E6%B2%BB%E5%85%B7"), ids("status=active")), (vec![item.clone()], vec![other.clone()]));
    assert_eq!(
        (ids("q=i-"), ids("status=archived"), ids("")),
        (vec![other.clone()], vec![item.clone()], vec![other, item])
    );
}

#[test]
fn a_document_becomes_a_template_and_a_template_a_document() {
    let (_deployment, _server, company) = company("templates");
    let (client, draft) = (company.new_client(), company.new_draft());
    let save = json!({ "document_id": draft, "name": "月次保守" });
    let saved = company.ok(Call::new("POST", "/v1/templates/from_document").json(&save));
    let (id, document) = (text(&saved, "id"), company.get(&format!("/v1/documents/{draft}")));
    for same in ["document_type", "title", "lines", "tax_rounding"] {
        assert_eq!(saved[same], document[same], "{same}");
    }

    // Placeholders; what is in other braces is refused where it stands.
    let path = format!("/v1/templates/{id}");
    let line = |description: &str| json!({ "description": description, "quantity": "1", "unit_price": "50000", "tax_rate": "10" });
    let mut preset = json!({ "name": "月次保守", "document_type": "invoice", "title": "{year}年{month}月分", "due_days": 30,
        "note": "{next_month_year}年{next_month}月末日までに", "lines": [line("{prev_month_year}年{prev_month}月分")] });
    act(&company, "PUT", &path, "", &preset).expect(200);
    preset["lines"][0] = line("{monat}月分");
    is_refused(&act(&company, "PUT", &path, "", &preset), 422, "template.unknown_placeholder", "/lines/0/description");
    let ask = json!({ "template_id": id, "client_id": client, "date": "2027-01-31" });
    let made = company.ok(Call::new("POST", "/v1/documents/from_template").json(&ask));
    assert_eq!((&made["title"], &made["note"]), (&json!("2027年1月分"), &json!("2027年2月末日までに")));
    assert_eq!(made["lines"][0]["description"], "2026年12月分");
    assert_eq!((&made["date_due"], &made["client"]["id"]), (&json!("2027-03-02"), &json!(client)));
    assert_eq!((&made["status"], &made["totals"]["total"]["amount"]), (&json!("draft"), &json!(55_000)));

    act(&company, "POST", &path, "/archive", &json!({})).expect(200);
    let again = company.send(Call::new("POST", "/v1/documents/from_template").json(&ask));
    is_refused(&again, 422, "document.template_archived", "/template_id");
}

/// Without a script: the same by forms alone.
#[test]
fn the_catalog_and_templates_work_by_forms_alone() {
    let (_deployment, _server, company) = company("forms");
    let (client, draft) = (company.new_client(), company.new_draft());
    let post = |path: &str, fields: &[(&str, &str)]| {
        let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let call = Call::new("POST", path).bytes("application/x-www-form-urlencoded", body.join("&"));
        let answer = company.client.send(&company.login.on(call)).expect(303);
        answer.header("location").expect("it leads on").to_owned()
    };
    let item = [
        ("description", "コピー用紙"),
        ("unit_price", "2480"),
        ("tax_rate", "10"),
        ("tax_inclusive:bool", "false"),
        ("_next", "/items/{id}"),
    ];
    let page = |path: &str| company.client.send(&company.login.on(Call::new("GET", path))).expect(200).text();
    let item = post("/do/v1/items", &item);
    assert!(page(&item).contains("コピー用紙"));
    let edit = page(&format!("/documents/{draft}/edit"));
    let id = item.rsplit('/').next().expect("an id");
    assert!(edit.contains(&format!("<option value=\"{id}\">")) && edit.contains("<datalist id=\"catalog\""), "{edit}");
    let tag = company.etag(&format!("/v1/documents/{draft}"));
    let add = [("item_id", id), ("quantity", "3"), ("_if_match", tag.trim_matches('"')), ("_next", "/documents")];
    post(&format!("/do/v1/documents/{draft}/add_line"), &add);
    assert_eq!(company.get(&format!("/v1/documents/{draft}"))["lines"][1]["amount"]["amount"], 7_440);

    let save = [("document_id", draft.as_str()), ("name", "写し"), ("_next", "/templates/{id}")];
    let template = post("/do/v1/templates/from_document", &save);
    assert!(page(&template).contains("写し") && page("/templates").contains("写し"));
    let id = template.rsplit('/').next().expect("an id");
    let make = [("template_id", id), ("client_id", client.as_str()), ("_next", "/documents/{id}")];
    assert!(page(&post("/do/v1/documents/from_template", &make)).contains("コピー用紙"));
}
