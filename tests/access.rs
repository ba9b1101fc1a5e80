//! What an owner does about the rights of others: permission sets, suspensions, calls to make sure, secretaries.

use keiin_domain::date;
use serde_json::{Value, json};

use crate::company::{PASSWORD, text};
use crate::mailbox::vault_secret;
use crate::{Call, Company, Credential};

impl Company {
    /// Suspends a member.
    pub fn suspend(&self, member: &str, emergency: bool) -> Value {
        let path = format!("/v1/members/{member}");
        let body = json!({ "reason": format!("Suspended at {}", self.slug), "emergency": emergency });
        self.ok_logged_in(Call::new("POST", &format!("{path}/suspend")).if_match(&self.etag(&path)).json(&body))
    }

    /// What `record_phone_check` takes: it was them.
    pub fn phone_check(&self) -> Value {
        json!({
            "number_source": "contract", "number": "03-1234-5678", "called_at": date::instant(keiin::clock::now_us()),
            "result": "confirmed", "note": format!("Asked at {}", self.slug),
        })
    }

    /// A permission set of the company with these permissions.
    pub fn new_permission_set(&self, permissions: &[&str]) -> String {
        let body = json!({ "name": format!("Set {} of {}", self.next(), self.slug), "permissions": permissions });
        text(&self.ok(Call::new("POST", "/v1/permission_sets").json(&body)), "id")
    }

    /// Somebody takes a secretary on: the tie of the two, the secretary's member id and address.
    pub fn assign_secretary(&self, lawyer: &Credential) -> (String, String, String) {
        let n = self.next();
        let email = format!("secretary{n}@{}.example", self.slug);
        let body = json!({ "name": format!("Secretary {n} of {}", self.slug), "email": email });
        let call = Call::new("POST", "/v1/secretaries").key(&format!("secretary {n}")).json(&body);
        let tie = self.client.send(&lawyer.on(call)).expect(201).json();
        (text(&tie, "id"), text(&tie["secretary"], "id"), email)
    }

    /// The newest secret in a mail about a tie: `sec` of the button for the secretary, `srv` of the link for the lawyer.
    pub fn secretary_secret(&self, tie: &str, kind: &str) -> String {
        vault_secret(&self.data, kind, &self.id, tie)
    }

    /// The button in the mail to a secretary is pressed.
    pub fn confirm_secretary(&self, tie: &str) {
        let secret = self.secretary_secret(tie, "sec");
        self.client.post(&format!("/v1/secretary_confirmations/{secret}/confirm"), &json!({})).expect(200);
    }

    /// A secretary who has joined: their id and a login. They act for nobody unless their mailbox confirms.
    pub fn join_secretary(&self, member: &str, email: &str) -> Credential {
        let link = self.mailed_link(member);
        let secret = link.rsplit('/').next().expect("a link has a path");
        let body = json!({ "name": format!("Secretary of {}", self.slug), "password": PASSWORD });
        self.client.post(&format!("/v1/invitations/{secret}/accept"), &body).expect(200);
        self.log_in(email)
    }

    /// A secretary of the owner, confirmed: their id and a login.
    pub fn new_secretary(&self) -> (String, Credential) {
        let (tie, member, email) = self.assign_secretary(&self.token);
        let login = self.join_secretary(&member, &email);
        self.confirm_secretary(&tie);
        (member, login)
    }

    /// Somebody who registered by a link that was sent to them: their address and a login.
    pub fn new_recipient(&self) -> (String, Credential) {
        let (delivery, link) = self.new_delivery();
        self.client.post(&format!("/v1/links/{link}/open"), &json!({})).expect(200);
        let body = json!({ "name": format!("Recipient of {}", self.slug), "password": PASSWORD });
        self.client.post(&format!("/v1/links/{link}/register"), &body).expect(200);
        let email = text(&self.get(&format!("/v1/deliveries/{delivery}"))["to"], "email");
        let login = self.log_in(&email);
        (email, login)
    }

    /// Sends a document to somebody; the delivery's id.
    pub fn send_to(&self, email: &str, document: &str) -> String {
        let n = self.next();
        let body = json!({ "document_ids": [document], "to_name": format!("Recipient {n}"), "to_email": email });
        text(&self.ok(Call::new("POST", "/v1/deliveries").key(&format!("to {n}")).json(&body)), "id")
    }
}
