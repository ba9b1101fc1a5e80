//! What an owner does about the rights of others: permission sets, suspensions, calls to make sure.

use keiin_domain::date;
use serde_json::{Value, json};

use crate::company::text;
use crate::{Call, Company};

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
}
