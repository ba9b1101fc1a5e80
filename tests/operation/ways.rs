//! Requests for what people do about how they log in.

use serde_json::json;

use super::Example;
use crate::client::Call;
use crate::company::{Company, Credential, PASSWORD};
use crate::sms::new_number;

/// What is asked for here.
pub const OPERATIONS: &[&str] = &[
    "finish_log_in", "confirm_me", "unlink_account", "begin_totp", "enrol_totp", "remove_totp", "issue_recovery_codes",
    "begin_passkey", "log_in_by_passkey", "confirm_by_passkey", "begin_new_passkey", "register_passkey",
    "rename_passkey", "remove_passkey", "send_login_code", "send_confirm_code", "begin_phone", "register_phone",
    "remove_phone",
];

/// Fills in one of them.
pub fn fill(company: &Company, name: &str, example: &mut Example) {
    match name {
        "finish_log_in" => {
            let (email, mut totp) = company.enrolled();
            example.sender = Credential::Nobody;
            example.body = Some(json!({ "pending": company.pending(&email), "code": totp.next_code() }));
        }
        "confirm_me" => {
            example.sender = company.new_member("viewer").1;
            example.body = Some(json!({ "proof": PASSWORD }));
        }
        "unlink_account" => {
            example.sender = company.new_member("viewer").1;
            example.body = Some(json!({ "provider": "google" }));
        }
        "begin_totp" => example.sender = company.new_member("viewer").1,
        "enrol_totp" => {
            let member = company.new_member("viewer").1;
            let mut totp = company.begin_totp(&member);
            example.sender = member;
            example.body = Some(json!({ "code": totp.next_code() }));
        }
        "remove_totp" | "issue_recovery_codes" => {
            let (email, mut totp) = company.enrolled();
            example.sender = company.log_in_with_code(&email, &totp.next_code());
        }
        "begin_passkey" => example.sender = Credential::Nobody,
        "log_in_by_passkey" | "confirm_by_passkey" => {
            let member = company.new_member("viewer").1;
            let mut key = company.new_passkey(&member).0;
            example.body = Some(company.passkey_proof(&mut key));
            example.sender = if name == "confirm_by_passkey" { member } else { Credential::Nobody };
        }
        "begin_new_passkey" => example.sender = company.new_member("viewer").1,
        "register_passkey" => {
            example.sender = company.new_member("viewer").1;
            example.body = Some(company.made_passkey(&example.sender).1);
        }
        "rename_passkey" | "remove_passkey" => {
            example.sender = company.new_member("viewer").1;
            company.new_passkey(&example.sender);
            let mine = company.client.send(&example.sender.on(Call::new("GET", "/v1/me/passkeys"))).expect(200);
            let mut body = json!({ "passkey_id": mine.json()["items"][0]["id"] });
            if name == "rename_passkey" {
                body["name"] = json!(format!("Key of {}", company.slug));
            }
            example.body = Some(body);
        }
        "send_login_code" => {
            example.sender = Credential::Nobody;
            example.body = Some(json!({ "pending": company.pending(&company.phoned().0) }));
        }
        "send_confirm_code" | "remove_phone" => example.sender = company.phoned().1,
        "begin_phone" => {
            company.allow_sms();
            example.sender = company.new_member("viewer").1;
            example.body = Some(json!({ "number": new_number() }));
        }
        "register_phone" => {
            company.allow_sms();
            example.sender = company.new_member("viewer").1;
            example.body = Some(json!({ "code": company.text_to(&example.sender, &new_number()) }));
        }
        other => panic!("{other} is no way to log in"),
    }
}
