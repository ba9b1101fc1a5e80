//! A provider of identities (OpenID Connect) that others wrote, and the browser that goes there and back: `oidc/provider.py`
//! on Authlib, whose answers can be made wrong one thing at a time.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::client::{Answer, Call, Client};
use crate::company::{Company, Credential, Deployment, text};
use crate::{authlib, root};

/// What the server is known by there.
const CLIENT: &str = "keiin-test";
const SECRET: &str = "only-the-two-of-them-know";

/// A running provider. Dropping it ends it.
pub struct Provider {
    child: Child,
    /// Its name.
    pub issuer: String,
    client: Client,
}

impl Provider {
    /// Starts one whose name ends in `path`.
    pub fn start(path: &str) -> Provider {
        let mut child = Command::new(authlib())
            .arg(root().join("tests/oidc/provider.py"))
            .args([path, CLIENT, SECRET])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut issuer = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut issuer).expect("it prints its name");
        let issuer = issuer.trim().to_owned();
        let client = Client::new(issuer.strip_suffix(path).unwrap_or_else(|| panic!("no provider: {issuer:?}")));
        Provider { child, issuer, client }
    }

    /// Settings by which a server knows it as `name`.
    pub fn settings(&self, name: &str, issuer: &str) -> String {
        format!("\n[oidc.{name}]\nclient_id = {CLIENT:?}\nclient_secret = {SECRET:?}\nissuer = {issuer:?}\n")
    }

    /// Whoever comes next is this person, and the answers tell these lies. Gives back what was asked so far.
    pub fn says(&self, person: &Value, lies: &Value) -> Value {
        self.client.post("/as", &json!({ "person": person, "lies": lies })).expect(200).json()["asked"].clone()
    }

    /// Where a browser that was sent there is sent back to.
    #[track_caller]
    pub fn visit(&self, url: &str) -> String {
        let path = url.strip_prefix(&self.client.url).unwrap_or_else(|| panic!("{url} is elsewhere"));
        let answer = self.client.send(&Call::new("GET", path)).expect(302);
        answer.header("location").expect("it leads back").to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // Its own child, by its id.
        self.child.kill().expect("it runs until then");
        self.child.wait().expect("it has ended");
    }
}

/// A person at the provider whose address is verified.
pub fn verified(subject: &str, email: &str) -> Value {
    json!({ "sub": subject, "email": email, "email_verified": true })
}

/// A browser without a page: keeps cookies, follows nothing by itself.
#[derive(Clone)]
pub struct Tab {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Tab {
    /// A new one.
    pub fn new(company: &Company) -> Tab {
        Tab { client: company.client.without_token(), cookies: BTreeMap::new() }
    }

    /// One in which somebody is logged in.
    pub fn of(company: &Company, login: &Credential) -> Tab {
        let mut tab = Tab::new(company);
        let Credential::Cookie(cookie) = login else { panic!("no login of a browser") };
        let (name, value) = cookie.split_once('=').expect("a cookie");
        tab.cookies.insert(name.to_owned(), value.to_owned());
        tab
    }

    /// Sends a request with the cookies, and keeps those that come.
    pub fn send(&mut self, call: Call) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let call = call.header("Accept", "text/html").header("Accept-Language", "en");
        let answer = self.client.send(&call.header("Cookie", &cookies.join("; ")));
        for set in answer.headers_of("set-cookie") {
            let (name, value) = set.split(';').next().expect("a value").split_once('=').expect("a name");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Opens a page of the server, by its path or its whole URL.
    pub fn open(&mut self, url: &str) -> Answer {
        let path = url.strip_prefix(&self.client.url).unwrap_or(url).to_owned();
        self.send(Call::new("GET", &path))
    }

    /// Is somebody logged in here?
    pub fn login(&self) -> Option<Credential> {
        self.cookies
            .get("keiin")
            .filter(|value| !value.is_empty())
            .map(|value| Credential::Cookie(format!("keiin={value}")))
    }

    /// Leaves for the provider; where to.
    #[track_caller]
    pub fn leave(&mut self, path: &str) -> String {
        self.open(path).expect(303).header("location").expect("it leads to the provider").to_owned()
    }

    /// There and back.
    #[track_caller]
    pub fn log_in(&mut self, provider: &Provider, path: &str) -> Answer {
        let url = self.leave(path);
        let back = provider.visit(&url);
        self.open(&back)
    }

    /// Begins to link an account; where the page leads.
    #[track_caller]
    pub fn link(&mut self, path: &str) -> String {
        let answer = self.send(Call::new("POST", path).bytes("application/x-www-form-urlencoded", ""));
        let refresh = answer.expect(200).header("refresh").expect("it leads on").to_owned();
        refresh.strip_prefix("0;url=").expect("at once").to_owned()
    }
}

/// A deployment that knows providers by these settings.
pub fn deployment(settings: &[String]) -> Deployment {
    let deployment = Deployment::new();
    let file = deployment.data().join("keiin.toml");
    let text = std::fs::read_to_string(&file).expect("init wrote the settings") + &settings.concat();
    std::fs::write(&file, text).expect("the settings can be written");
    deployment
}

impl Company {
    /// Lets people in by the accounts of these providers.
    pub fn allow_providers(&self, providers: &[&str]) {
        self.ok_logged_in(Call::new("POST", "/v1/security").json(&json!({ "providers": providers })));
    }

    /// A member, their address and a login.
    pub fn new_person(&self) -> (String, String, Credential) {
        let (id, login) = self.new_member("member");
        let email = text(&self.get(&format!("/v1/members/{id}")), "email");
        (id, email, login)
    }

    /// Events of a kind, newest first, with what they say.
    pub fn told(&self, kind: &str) -> Vec<Value> {
        self.mark();
        let found = self.get(&format!("/v1/events?kind={kind}&limit=200"));
        let items = found["items"].as_array().expect("a list").clone();
        items.iter().map(|event| self.get(&format!("/v1/events/{}", event["position"]))["event"].clone()).collect()
    }
}
