//! Requests about documents.

use serde_json::{Value, json};

use super::Example;
use crate::attachments::{a4, form};
use crate::client::Call;
use crate::company::{Company, lines, text};

/// What is asked for here.
pub const OPERATIONS: &[&str] = &[
    "draft_document", "set_lines", "change_document", "request_approval", "approve_document", "reject_document",
    "issue_document", "correct_document", "convert_document", "cancel_document", "record_payment", "send_document",
    "register_item", "change_item", "archive_item", "add_line", "define_template", "change_template",
    "archive_template", "save_as_template", "draft_from_template", "set_up_recurrence", "change_recurrence",
    "pause_recurrence", "resume_recurrence", "end_recurrence", "order_batch", "cancel_batch", "place_sending_order",
    "approve_sending_order", "reject_sending_order", "release_sending_order", "cancel_sending_order", "compute_totals",
    "get_document_pdf", "get_document_pint", "get_number_series", "check_file", "queue_postal_item",
    "print_postal_item", "dispatch_postal_item", "return_postal_item", "cancel_postal_item", "requeue_postal_item",
    "get_print_queue", "get_handed_over", "get_postal_item_pdf", "get_postal_item_label", "make_print_job",
    "make_label_sheet", "make_manifest", "receive_attachments", "remove_attachment", "get_attachment_pdf",
];

/// The object that an operation is about, made for it.
pub fn object(company: &Company, name: &str) -> Option<String> {
    match name {
        "get_document" | "set_lines" | "change_document" | "issue_document" | "request_approval" | "add_line" => {
            Some(company.new_draft())
        }
        "get_recurrence" | "change_recurrence" | "pause_recurrence" | "end_recurrence" => {
            Some(company.new_recurrence(false))
        }
        "resume_recurrence" => Some(company.new_recurrence(true)),
        "get_batch" | "cancel_batch" => Some(company.new_batch()),
        "get_attachment" | "remove_attachment" | "get_attachment_pdf" => Some(company.new_attachment()),
        "get_sending_order" | "release_sending_order" | "cancel_sending_order" => {
            Some(company.new_sending_order(false))
        }
        "approve_sending_order" | "reject_sending_order" => Some(company.new_sending_order(true)),
        "get_postal_item"
        | "print_postal_item"
        | "cancel_postal_item"
        | "get_postal_item_pdf"
        | "get_postal_item_label" => Some(company.new_postal_item("queued")),
        "dispatch_postal_item" => Some(company.new_postal_item("printed")),
        "return_postal_item" => Some(company.new_postal_item("dispatched")),
        "requeue_postal_item" => Some(company.new_postal_item("returned")),
        "get_item" | "change_item" | "archive_item" => Some(company.new_item()),
        "get_template" | "change_template" | "archive_template" => Some(company.new_template()),
        "approve_document" | "reject_document" => Some(requested(company)),
        "correct_document" | "cancel_document" | "record_payment" => Some(company.new_document()),
        "get_document_pdf" | "get_document_pint" => {
            let id = text(&company.ok(Call::new("POST", "/v1/documents").json(&due(company))), "id");
            company.printed(&company.issue(&id));
            Some(id)
        }
        _ => None,
    }
}

/// Fills in one of them.
pub fn fill(company: &Company, name: &str, example: &mut Example) {
    match name {
        "draft_document" => example.body = Some(company.draft_body(&company.new_client())),
        "set_lines" | "compute_totals" => example.body = Some(json!({ "lines": lines() })),
        "register_item" | "change_item" => example.body = Some(company.item_body()),
        "define_template" | "change_template" => example.body = Some(company.template_body()),
        "set_up_recurrence" => example.body = Some(company.recurrence_body()),
        "change_recurrence" => {
            let mut body = company.recurrence_body();
            body.as_object_mut().expect("fields").remove("client_id");
            example.body = Some(body);
        }
        "order_batch" => example.body = Some(json!({ "documents": [company.new_draft()] })),
        "make_print_job" | "make_label_sheet" | "make_manifest" => {
            example.body = Some(json!({ "item_ids": [company.new_postal_item("queued")] }));
        }
        "queue_postal_item" => example.body = Some(company.postal_item_body()),
        "return_postal_item" => example.body = Some(json!({ "reason": "moved" })),
        "requeue_postal_item" => example.body = Some(json!({ "to": company.address_body() })),
        "add_line" => example.body = Some(json!({ "item_id": company.new_item() })),
        "save_as_template" => {
            let name = format!("Saved by {}", company.slug);
            example.body = Some(json!({ "document_id": company.new_draft(), "name": name }));
        }
        "draft_from_template" => {
            example.body = Some(json!({ "template_id": company.new_template(), "client_id": company.new_client() }));
        }
        "change_document" => {
            let title = format!("Changed {} of {}", company.next(), company.slug);
            example.body = Some(json!({ "title": title, "client_id": company.new_client() }));
        }
        // Only people approve, no program.
        "approve_document" | "approve_sending_order" => example.sender = company.login.clone(),
        "reject_document" => {
            example.sender = company.login.clone();
            example.body = Some(reason(company));
        }
        "correct_document" => {
            example.body = Some(json!({ "lines": lines(), "reason": format!("A slip of {}", company.slug) }));
        }
        "convert_document" => {
            let origin = company.issue(&company.new_draft_of("quote"));
            example.body = Some(json!({ "origin_id": origin, "document_type": "invoice" }));
        }
        "check_file" => {
            let document = company.printed(&company.new_document());
            example.sender = crate::company::Credential::Nobody;
            example.params.insert("sha256", text(&document["pdf"], "sha256"));
        }
        "cancel_document" => example.body = Some(reason(company)),
        "record_payment" => {
            example.body = Some(json!({ "amount": { "amount": 100, "currency": "JPY" }, "date": "2026-11-20" }));
        }
        "receive_attachments" => {
            let name = format!("Brought {} by {}", company.next(), company.slug);
            let file = form(&[], &[(&name, &a4(&name))]);
            example.form = Some(String::from_utf8(file).expect("it is made of ASCII"));
        }
        "place_sending_order" => example.body = Some(company.sending_order_body(false)),
        "reject_sending_order" => {
            example.sender = company.login.clone();
            example.body = Some(reason(company));
        }
        "cancel_sending_order" => example.body = Some(reason(company)),
        "send_document" => {
            example.body = Some(json!({
                "document_ids": [company.new_document()], "to_name": format!("Somebody of {}", company.slug),
                "to_email": format!("somebody@{}.example", company.slug), "view_limit": 3,
            }));
        }
        _ => {}
    }
}

/// What `draft_document` takes: with a day by which to pay, without which nothing is sent over Peppol.
fn due(company: &Company) -> Value {
    let mut body = company.draft_body(&company.new_client());
    body["date_due"] = json!("2026-12-31");
    body
}

fn reason(company: &Company) -> Value {
    json!({ "reason": format!("Because of {}", company.slug) })
}

/// A draft that waits for approval; the owner may give it, because somebody else asked.
fn requested(company: &Company) -> String {
    let (id, (_, login)) = (company.new_draft(), company.new_member("accountant"));
    let path = format!("/v1/documents/{id}");
    let ask = Call::new("POST", &format!("{path}/request_approval")).if_match(&company.etag(&path));
    text(&company.client.send(&login.on(ask)).expect(200).json(), "id")
}
