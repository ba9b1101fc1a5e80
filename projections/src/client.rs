//! Clients: the companies that documents go to. The company's name and address concern nobody in person; the contact's
//! name and address do.

use keiin_domain::client::{Client, ClientEvent, Profile};
use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::role::Permission;
use keiin_domain::sealed::{Person, Sealed};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Columns, Table, Writes, blob, cell, int, personal, text};
use crate::view::{Row, Seen, col, filled};

/// One row a client.
pub static CLIENTS: Table = Table {
    name: "clients",
    key: &[blob("id")],
    columns: &[
        text("name"),
        text("honorific"),
        text("registration_number"),
        text("postal_code"),
        text("region"),
        text("locality"),
        text("street_address"),
        text("extended_address"),
        blob("subject"),
        personal("contact_name"),
        personal("contact_email"),
        text("status"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "status"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "client", revision: 1, tables: &[&CLIENTS], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Client::STREAM {
        return Ok(());
    }
    match fact.read()? {
        ClientEvent::Registered(e) => {
            let mut columns = columns(e.profile, e.contact, keys);
            columns.push(("status", cell("active")));
            out.born(&CLIENTS, fact, columns);
        }
        ClientEvent::Changed(e) => out.changed(&CLIENTS, fact, columns(e.profile, e.contact, keys)),
        ClientEvent::Archived(_) => out.changed(&CLIENTS, fact, [("status", cell("archived"))]),
    }
    Ok(())
}

fn columns(profile: Profile, contact: Option<Sealed<Person>>, keys: &Opener) -> Columns {
    let subject = contact.as_ref().map(|c| c.subject);
    let (name, email) = contact.and_then(|c| c.open(keys)).map(|p| (p.name, p.email)).unzip();
    vec![
        ("name", cell(profile.name)),
        ("honorific", cell(profile.honorific.name())),
        ("registration_number", cell(profile.registration_number)),
        ("postal_code", cell(profile.postal_code)),
        ("region", cell(profile.region)),
        ("locality", cell(profile.locality)),
        ("street_address", cell(profile.street_address)),
        ("extended_address", cell(profile.extended_address)),
        ("subject", cell(subject)),
        ("contact_name", cell(name)),
        ("contact_email", cell(email)),
    ]
}

/// A client, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClientView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// Registered name.
    pub name: String,
    /// `onchu` or `sama`.
    pub honorific: String,
    /// `T` and 13 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_number: Option<String>,
    /// Seven digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Prefecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// City, ward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    /// Block and house.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_address: Option<String>,
    /// Building and floor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_address: Option<String>,
    /// Whom to write to there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Recipient>,
    /// Gets no new documents.
    pub archived: bool,
    /// How many documents there are for it.
    pub documents: u64,
}

/// Somebody to write to; only `erased` once the person was erased.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Recipient {
    /// May be empty for a contact of whom only the address is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// May be empty for a contact of whom only the name is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The person was erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

impl Recipient {
    /// From two columns that are emptied together.
    pub fn read(row: &Row, name: &str, email: &str) -> Seen<Recipient> {
        let name: Option<String> = col(row, name)?;
        Ok(Recipient { erased: name.is_none(), name, email: col(row, email)? })
    }
}

/// Clients with the number of their `documents`.
pub const FROM: &str =
    "(SELECT c.*, (SELECT count(*) FROM documents d WHERE d.ledger = c.ledger AND d.client_id = c.id) AS documents
      FROM clients c)";

fn view(row: &Row) -> Seen<ClientView> {
    let text = |column| col::<String>(row, column).map(filled);
    let subject: Option<Uuid> = col(row, "subject")?;
    Ok(ClientView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        name: col(row, "name")?,
        honorific: col(row, "honorific")?,
        registration_number: text("registration_number")?,
        postal_code: text("postal_code")?,
        region: text("region")?,
        locality: text("locality")?,
        street_address: text("street_address")?,
        extended_address: text("extended_address")?,
        contact: subject.map(|_| Recipient::read(row, "contact_name", "contact_email")).transpose()?,
        archived: col::<String>(row, "status")? == "archived",
        documents: col(row, "documents")?,
    })
}

/// All clients, newest first.
pub struct ListClients;

impl Query for ListClients {
    const NAME: &'static str = "list_clients";
    const PATH: &'static str = "/v1/clients";
    const PERMISSION: Permission = Permission("client.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] =
        &[Param { name: "status", kind: Kind::OneOf(&["active", "archived"]) }, Param { name: "q", kind: Kind::Text }];
    const LIST: bool = true;
    type Answer = Listing<ClientView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let searched = ["name", "registration_number", "contact_name", "contact_email"];
        let filter = Filter::new().and("t.status = ?", params.text("status")).like(&searched, params.text("q"));
        let page = read.list(who, FROM, filter, params, view)?;
        Ok(Listing { counts: read.counts(who, "clients", Filter::new())?, ..page })
    }
}

/// One client.
pub struct GetClient;

impl Query for GetClient {
    const NAME: &'static str = "get_client";
    const PATH: &'static str = "/v1/clients/{id}";
    const PERMISSION: Permission = Permission("client.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = ClientView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, FROM, params.id("id"), view)
    }
}
