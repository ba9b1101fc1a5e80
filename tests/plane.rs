//! A deployment with operators, made by the very commands of docs/OPERATING.md, and what operators do there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::{Answer, Call, Client};
use crate::company::{Company, Deployment, text};
use crate::root;
use crate::server::{Server, binary};

/// A server whose operators' port speaks TLS. `suzuki` is in support, `takahashi` in engineering; both work.
pub struct Plane {
    /// Its data.
    pub deployment: Deployment,
    /// Running; a story may stop it and serve again.
    pub server: Server,
}

/// The blocks of commands in the documentation's section about operators.
fn documented() -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/OPERATING.md")).expect("the documentation is there");
    let section = text.split("\n## ").find(|section| section.starts_with("Operators\n")).expect("a section");
    let blocks = section.split("```sh\n").skip(1).map(|block| block.split("```").next().expect("it ends").to_owned());
    blocks.collect()
}

impl Plane {
    /// Runs the documented commands and serves; with more lines for `[operators]`.
    pub fn with(settings: &str) -> Plane {
        let deployment = Deployment::new();
        let folder = deployment.folder();
        std::os::unix::fs::symlink(deployment.data(), folder.join("keiin-data")).expect("a link can be made");
        let path =
            format!("{}:{}", binary().parent().expect("a folder").display(), std::env::var("PATH").unwrap_or_default());
        for block in documented() {
            let out = Command::new("sh").args(["-ec", &block]).current_dir(folder).env("PATH", &path).output();
            let out = out.expect("sh runs");
            assert!(out.status.success(), "{block}\n{}", String::from_utf8_lossy(&out.stderr));
        }
        let operators = folder.join("operators").display().to_string();
        let own = format!(
            "\n[operators]\nca = \"{operators}/ca.pem\"\ncert = \"{operators}/port.pem\"\nkey = \"{operators}/port.key\"\n{settings}\n"
        );
        let file = deployment.data().join("keiin.toml");
        let before = fs::read_to_string(&file).expect("init wrote the settings");
        fs::write(&file, before + &own).expect("the settings can be written");
        let server = deployment.serve();
        Plane { deployment, server }
    }

    /// The same without more settings.
    pub fn new() -> Plane {
        Plane::with("")
    }

    /// A file beside the authority's.
    pub fn file(&self, name: &str) -> PathBuf {
        self.deployment.folder().join("operators").join(name)
    }

    fn url(&self) -> String {
        self.server.printed["admin_url"].as_str().expect("serve prints it").to_owned()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.file(name)).expect("the documented commands made it")
    }

    /// Whoever reaches the operators' port and shows no certificate.
    pub fn stranger(&self) -> Client {
        Client::trusting(&self.url(), &self.read("ca.pem"))
    }

    /// An operator by the name of their certificate's file.
    pub fn operator(&self, who: &str) -> Client {
        let (certificate, key) = (self.read(&format!("{who}.pem")), self.read(&format!("{who}.key")));
        Client::showing(&self.url(), &self.read("ca.pem"), &certificate, &key)
    }

    /// A certificate of the authority for somebody else; its SHA-256.
    pub fn issue(&self, who: &str) -> String {
        let made = format!(
            "umask 077\nopenssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={who} -keyout {who}.key -out {who}.csr\n\
             openssl x509 -req -in {who}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -extfile person.ext -out {who}.pem\n\
             openssl x509 -noout -fingerprint -sha256 -in {who}.pem"
        );
        let out = Command::new("sh").args(["-ec", &made]).current_dir(self.file("")).output().expect("sh runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let printed = String::from_utf8_lossy(&out.stdout);
        printed.trim().rsplit('=').next().expect("a fingerprint").to_owned()
    }

    /// What the plane shows them.
    pub fn shown(&self, who: &Client) -> Value {
        who.get("/operator/v1/plane").expect(200).json()
    }

    /// The id of an account by its person's address.
    pub fn account(&self, email: &str) -> String {
        let shown = self.shown(&self.operator("suzuki"));
        let all = shown["operators"].as_array().expect("accounts");
        text(all.iter().find(|account| account["email"] == email).expect("they have an account"), "id")
    }

    /// An operator asks a company for a grant of these classes.
    pub fn ask(&self, who: &str, company: &Company, more: &Value) -> Answer {
        let mut body = json!({
            "company": company.slug, "purpose": "inquiry", "classes": ["internal"], "hours": 24,
            "reason": format!("A question of {}", company.slug),
        });
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        self.operator(who).post("/operator/v1/grants", &body)
    }

    /// `suzuki` asks and `takahashi` approves; the grant waits for the company.
    pub fn approved(&self, company: &Company, more: &Value) -> String {
        let grant = text(&self.ask("suzuki", company, more).expect(200).json(), "id");
        self.act("takahashi", company, &grant, "approve", &json!({})).expect(200);
        grant
    }

    /// The same, and the company's owner opens it.
    pub fn opened(&self, company: &Company, more: &Value) -> String {
        let grant = self.approved(company, more);
        self.open(company, &grant).expect(200);
        grant
    }

    /// The company's owner opens a grant.
    pub fn open(&self, company: &Company, grant: &str) -> Answer {
        let path = format!("/v1/grants/{grant}");
        let call = Call::new("POST", &format!("{path}/open")).if_match(&company.etag(&path)).json(&json!({}));
        company.client.send(&company.login.on(call))
    }

    /// An operator does something with a grant.
    pub fn act(&self, who: &str, company: &Company, grant: &str, verb: &str, body: &Value) -> Answer {
        let path = format!("/operator/v1/companies/{}/grants/{grant}/{verb}", company.slug);
        self.operator(who).post(&path, body)
    }

    /// An operator looks at something of a company.
    pub fn look(&self, who: &str, company: &Company, path: &str) -> Answer {
        self.operator(who).get(&format!("/operator/v1/companies/{}/{path}", company.slug))
    }
}

impl Default for Plane {
    fn default() -> Plane {
        Plane::new()
    }
}
