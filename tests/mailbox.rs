//! What only the recipient of a mail sees: links that set a password are in no answer of the server, so a test reads them
//! where the server keeps them for sending.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use keiin::config::Config;
use keiin::datadir::DataDir;
use keiin::stores::Stores;
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::log::Log;
use keiin_eventlog::record::{Leaf, Record};
use keiin_eventlog::vault::Vault;
use serde_json::json;
use uuid::Uuid;

use crate::company::PATIENCE;
use crate::{Answer, Call, Company, Credential};

/// What a test changes everybody's password to.
pub const OTHER_PASSWORD: &str = "eleven quiet otters under a lamp";

/// The vault of a deployment, read beside its server.
pub fn vault(data: &Path) -> Vault {
    let (stores, keyring) = kept(data);
    Vault::open_reader(&stores.vault, keyring.kek().expect("the key is there")).expect("the vault can be read")
}

/// The newest secret of a kind that leads to an object.
pub fn vault_secret(data: &Path, kind: &str, company: &str, object: &str) -> String {
    let ids = [company, object].map(|id| Uuid::parse_str(id).expect("an id"));
    let entries = vault(data).list(kind, ids[0], Some(ids[1])).expect("the vault answers");
    let newest = entries.into_iter().next_back().expect("there is such a secret");
    String::from_utf8(newest.value).expect("secrets are text")
}

/// The same, to change what stands in it while there is no server.
pub fn vault_at_rest(data: &Path) -> Vault {
    let (stores, keyring) = kept(data);
    Vault::open(&stores.vault, keyring.kek().expect("the key is there")).expect("the vault can be opened")
}

/// Where a deployment keeps what.
pub fn stores(data: &Path) -> Stores {
    Stores::of(&config(data), &DataDir::new(data)).expect("the stores are named")
}

fn config(data: &Path) -> Config {
    Config::read(&data.join("keiin.toml")).expect("the settings are read")
}

fn kept(data: &Path) -> (Stores, Keyring) {
    let (config, dir) = (config(data), DataDir::new(data));
    (stores(data), Keyring::open(&dir.keys(&config.keys)).expect("the keys are there"))
}

/// Every record of the deployment's own ledger, read beside its server or after it.
pub fn root_records(data: &Path) -> Vec<Record> {
    let stores = stores(data);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let log = Log::open(stores.open_log_reader().await.expect("the ledgers can be read"));
        log.read(Uuid::nil(), 0, 10_000).await.expect("the ledger is read")
    })
}

/// Has every company that signed up got its welcome?
pub fn are_welcomed(data: &Path) -> bool {
    let all: Vec<Leaf> = root_records(data).iter().map(|r| Leaf::decode(&r.leaf).expect("a leaf")).collect();
    let asked = all.iter().filter(|leaf| leaf.event_kind == "tenant.provisioned").map(|leaf| leaf.position);
    let came: BTreeSet<Option<u64>> =
        all.iter().filter(|leaf| leaf.event_kind == "mail.sent").map(|leaf| leaf.cause).collect();
    asked.into_iter().all(|position| came.contains(&Some(position)))
}

impl Company {
    /// Waits until the outbox is empty, and that of the sign-ups, so that the server writes nothing of its own any more.
    pub fn settle(&self) {
        self.settle_within(PATIENCE);
    }

    /// The same where mails may be tried again, or wait for the lease of a node that is gone.
    pub fn settle_within(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.get("/v1/mails?status=queued&limit=1")["items"] != json!([]) || !are_welcomed(&self.data) {
            assert!(Instant::now() < deadline, "mails are still queued after {patience:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The owner makes a member set a new password.
    pub fn require_reset(&self, member: &str) -> Answer {
        let path = format!("/v1/members/{member}");
        let call = Call::new("POST", &format!("{path}/reset_password")).if_match(&self.etag(&path));
        self.client.send(&self.login.on(call.key(&format!("reset {}", self.next())))).expect(200)
    }

    /// The secret by which a member says that their newest login was not them, waiting until it was mailed.
    pub fn alert_secret(&self, member: &str, login: &Credential) -> String {
        // What a login leaves is read a moment later; what its own writer was answered is read at once.
        self.mark();
        let devices = self.client.send(&login.on(Call::new("GET", "/v1/devices"))).expect(200).json();
        let device = devices["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{member} has no device: {devices}"));
        self.mailed(device, "new_device");
        vault_secret(&self.data, "nme", &self.id, device)
    }

    /// The newest secret for a new password of a member, waiting until it was mailed.
    pub fn reset_secret(&self, member: &str) -> String {
        self.mailed(member, "password_re");
        vault_secret(&self.data, "rst", &self.id, member)
    }

    /// Waits for a mail about an object whose template begins like this.
    pub fn mailed(&self, object: &str, template: &str) -> serde_json::Value {
        for _ in 0..1_000 {
            let mails = self.get("/v1/mails?limit=200");
            let items = mails["items"].as_array().expect("a list");
            let about = |mail: &&serde_json::Value| {
                mail["object"]["id"] == object && mail["template"].as_str().is_some_and(|t| t.starts_with(template))
            };
            if let Some(mail) = items.iter().find(about) {
                return mail.clone();
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("no mail {template} about {object}");
    }
}
