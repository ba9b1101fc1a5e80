//! Sign-ups over the API, step by step.

use serde_json::{Value, json};

use crate::client::{Answer, Call, Client};
use crate::company::text;

/// A sign-up, and the secret that leads to it.
pub struct SignUp {
    /// Without a credential.
    pub client: Client,
    /// The secret.
    pub secret: String,
    /// The first answer.
    pub begun: Value,
}

impl SignUp {
    /// Somebody gives an address.
    #[track_caller]
    pub fn begin(client: &Client, email: &str) -> SignUp {
        let begun = client.post("/v1/sign_ups", &json!({ "email": email })).expect(201).json();
        SignUp { client: client.clone(), secret: text(&begun, "secret"), begun }
    }

    /// The same, where no mail server is set: the code is shown, and the address proven with it.
    #[track_caller]
    pub fn verified(client: &Client, email: &str) -> SignUp {
        let sign_up = SignUp::begin(client, email);
        sign_up.post("verify", &json!({ "code": text(&sign_up.begun, "development_code") })).expect(200);
        sign_up
    }

    /// The same, and the texts in force agreed to.
    #[track_caller]
    pub fn agreed(client: &Client, email: &str) -> SignUp {
        let sign_up = SignUp::verified(client, email);
        sign_up.post("terms", &agreement(client)).expect(200);
        sign_up
    }

    /// Where a step is taken.
    pub fn path(&self, step: &str) -> String {
        format!("/v1/sign_ups/{}/{step}", self.secret)
    }

    /// Takes a step.
    pub fn post(&self, step: &str, body: &Value) -> Answer {
        self.client.post(&self.path(step), body)
    }

    /// As it stands.
    #[track_caller]
    pub fn standing(&self) -> Value {
        self.client.get(&format!("/v1/sign_ups/{}", self.secret)).expect(200).json()
    }
}

/// The hashes of the English texts in force.
#[track_caller]
pub fn agreement(client: &Client) -> Value {
    let texts = client.send(&Call::new("GET", "/v1/texts")).expect(200).json();
    let all = texts["items"].as_array().expect("texts").clone();
    let hash =
        |name: &str| all.iter().find(|t| t["name"] == name && t["lang"] == "en").expect("a text")["sha256"].clone();
    json!({ "terms": hash("terms"), "privacy": hash("privacy") })
}
