//! An authenticator app, as a phone has it.

use std::time::Duration;

use serde_json::{Value, json};
use totp_rs::{Builder, Secret, Totp};

use crate::client::Call;
use crate::company::{Company, Credential, PASSWORD, cookie, text};

const STEP_S: u64 = 30;

/// Shows codes, none of them twice: as long as a server takes the next step's code, nobody waits.
pub struct Authenticator {
    totp: Totp,
    shown: u64,
}

impl Authenticator {
    /// From the key that a person would type.
    pub fn new(secret: &str) -> Authenticator {
        let secret = Secret::try_from_base32(secret).expect("a key in base 32");
        Authenticator { totp: Builder::new().with_secret(secret).build().expect("a key of 160 bits"), shown: 0 }
    }

    /// A code that was not shown before.
    pub fn next_code(&mut self) -> String {
        loop {
            let now = keiin::clock::now_us() as u64 / 1_000_000 / STEP_S;
            let step = now.max(self.shown + 1);
            if step <= now + 1 {
                self.shown = step;
                return self.code_of(step);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The code of the step that was shown last.
    pub fn same_code(&self) -> String {
        self.code_of(self.shown)
    }

    fn code_of(&self, step: u64) -> String {
        self.totp.generate(step * STEP_S).to_string()
    }
}

impl Company {
    /// A new member who has set an app up: address and app.
    pub fn enrolled(&self) -> (String, Authenticator) {
        let (id, login) = self.new_member("viewer");
        let mut app = self.begin_totp(&login);
        self.enrol(&login, &mut app);
        (text(&self.get(&format!("/v1/members/{id}")), "email"), app)
    }

    /// The app that somebody is setting up.
    pub fn begin_totp(&self, login: &Credential) -> Authenticator {
        let begun = self.client.send(&login.on(Call::new("POST", "/v1/me/factor/totp/begin"))).expect(200).json();
        Authenticator::new(&text(&begun, "secret"))
    }

    /// Switches it on; the answer, with the recovery codes.
    pub fn enrol(&self, login: &Credential, app: &mut Authenticator) -> Value {
        let body = json!({ "code": app.next_code() });
        self.client.send(&login.on(Call::new("POST", "/v1/me/factor/totp").json(&body))).expect(200).json()
    }

    /// The first step of a login with a second factor.
    pub fn pending(&self, email: &str) -> String {
        let body = json!({ "email": email, "password": PASSWORD, "company": self.slug });
        text(&self.client.post("/v1/sessions", &body).expect(202).json(), "pending")
    }

    /// Both steps.
    pub fn log_in_with_code(&self, email: &str, code: &str) -> Credential {
        let body = json!({ "pending": self.pending(email), "code": code });
        cookie(&self.client.post("/v1/sessions/code", &body).expect(201))
    }

    /// Who has this address.
    pub fn member_at(&self, email: &str) -> String {
        let found = self.get(&format!("/v1/members?q={email}"));
        text(&found["items"][0], "id")
    }
}
