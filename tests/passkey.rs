//! A passkey in software: what a browser and its authenticator answer to the server's challenges (WebAuthn Level 3), and the
//! same with something wrong in it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use rcgen::{KeyPair, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::{Answer, Call};
use crate::company::{Company, Credential, text};

/// The person was there.
pub const PRESENT: u8 = 1;
/// The authenticator checked finger, face or PIN.
pub const VERIFIED: u8 = 4;
const HAS_KEY: u8 = 0x40;

/// One key, and what it says about itself. Change a field to make it lie.
pub struct SoftKey {
    key: KeyPair,
    /// The credential's id.
    pub id: Vec<u8>,
    /// Whose it says that it is.
    pub user: String,
    /// Signatures so far; each adds one.
    pub counter: u32,
    /// Of what it answers.
    pub flags: u8,
    /// The page that asks.
    pub origin: String,
    /// The site that it is for.
    pub site: String,
}

impl SoftKey {
    /// A new one for the site that a server shows itself as on this machine.
    pub fn new(origin: &str) -> SoftKey {
        let key = KeyPair::generate().expect("a key on P-256");
        let id = Sha256::digest(key.public_key_raw()).to_vec();
        let (origin, site) = (origin.to_owned(), "localhost".to_owned());
        SoftKey { key, id, user: String::new(), counter: 0, flags: PRESENT | VERIFIED, origin, site }
    }

    /// What `navigator.credentials.create` answers to these options.
    pub fn make(&mut self, options: &Value) -> Value {
        let options = &options["publicKey"];
        self.user = text(&options["user"], "id");
        let raw = self.key.public_key_raw();
        let mut data = self.data(self.flags | HAS_KEY);
        data.extend([0; 16]);
        data.extend((self.id.len() as u16).to_be_bytes());
        data.extend(&self.id);
        // COSE: an EC2 key for ES256 on P-256.
        data.extend([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32]);
        data.extend(&raw[1..33]);
        data.extend([0x22, 0x58, 32]);
        data.extend(&raw[33..65]);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).expect("short"));
        object.extend(data);
        let client = self.client("webauthn.create", options);
        let response = json!({ "clientDataJSON": b64(&client), "attestationObject": b64(&object) });
        self.credential(response)
    }

    /// What `navigator.credentials.get` answers to these options.
    pub fn show(&mut self, options: &Value) -> Value {
        self.counter += 1;
        let client = self.client("webauthn.get", &options["publicKey"]);
        let data = self.data(self.flags);
        let signed = [&data[..], &Sha256::digest(&client)].concat();
        let signature = self.key.sign(&signed).expect("it signs");
        let response = json!({
            "clientDataJSON": b64(&client), "authenticatorData": b64(&data), "signature": b64(&signature),
            "userHandle": self.user,
        });
        self.credential(response)
    }

    fn credential(&self, response: Value) -> Value {
        let id = b64(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {} })
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let (challenge, origin) = (text(options, "challenge"), &self.origin);
        let data = json!({ "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false });
        data.to_string().into_bytes()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let mut data = Sha256::digest(self.site.as_bytes()).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }
}

fn b64(bytes: &[u8]) -> String {
    BASE64URL.encode(bytes)
}

impl Company {
    /// A key for this server.
    pub fn soft_key(&self) -> SoftKey {
        let (scheme, host) = self.client.url.split_once("://").expect("a URL");
        let port = host.rsplit(':').next().expect("a port");
        SoftKey::new(&format!("{scheme}://localhost:{port}"))
    }

    /// The first half of making a passkey.
    pub fn begin_new_passkey(&self, login: &Credential) -> Value {
        self.client.send(&login.on(Call::new("POST", "/v1/me/passkeys/begin"))).expect(200).json()
    }

    /// What the second half takes.
    pub fn made_passkey(&self, login: &Credential) -> (SoftKey, Value) {
        let (mut key, begun) = (self.soft_key(), self.begin_new_passkey(login));
        let credential = key.make(&begun["options"]);
        let name = format!("Key {} of {}", self.next(), self.slug);
        (key, json!({ "ceremony": begun["ceremony"], "name": name, "credential": credential }))
    }

    /// A passkey of somebody who is logged in, and the answer.
    pub fn new_passkey(&self, login: &Credential) -> (SoftKey, Value) {
        let (key, body) = self.made_passkey(login);
        let made = self.client.send(&login.on(Call::new("POST", "/v1/me/passkeys").json(&body))).expect(201);
        (key, made.json())
    }

    /// What a passkey says to a fresh challenge: the body of a login or a confirmation.
    pub fn passkey_proof(&self, key: &mut SoftKey) -> Value {
        let begun = self.client.post("/v1/sessions/passkey/begin", &json!({})).expect(200).json();
        json!({ "ceremony": begun["ceremony"], "credential": key.show(&begun["options"]) })
    }

    /// A login by a passkey alone.
    pub fn log_in_by_passkey(&self, key: &mut SoftKey) -> Answer {
        self.client.post("/v1/sessions/passkey", &self.passkey_proof(key))
    }
}
