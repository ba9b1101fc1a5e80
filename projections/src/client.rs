//! Clients: the companies and people that documents go to. What is printed of one is no secret of anybody; how a person's
//! name is read, and everything about contacts, is personal.

use keiin_domain::client::{CONTACTS_MOST, Client, ClientEvent, Contact, Profile};
use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::money::Money;
use keiin_domain::role::Permission;
use keiin_domain::sealed::{Person, Sealed};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Source, Who};
use crate::runner::Projection;
use crate::search;
use crate::table::{Columns, Table, Writes, blob, cell, counted, counts, int, personal, text};
use crate::view::{Named, Row, Seen, col, filled};

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
        text("reading"),
        blob("subject"),
        personal("person_reading"),
        personal("person_search"),
        text("search"),
        text("overridden"),
        text("override_reason"),
        counted("status", &COUNTS),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &[
        // The list is decided in this index alone, newest first. Entries are bounded: see `search::indexed`.
        "status, since, id, search, person_search",
        "name",
        "registration_number",
    ],
    only_grows: false,
};

/// How many there are by status.
pub static COUNTS: Table = counts("client_counts");

/// One row a contact; `place` 0 is the main one, `since` is the client's.
pub static CONTACTS: Table = Table {
    name: "client_contacts",
    key: &[blob("id"), int("place")],
    columns: &[
        blob("subject"),
        personal("name"),
        personal("reading"),
        personal("department"),
        personal("email"),
        personal("phone"),
        personal("search"),
        int("since"),
    ],
    indexes: &["since, id, search"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection =
    Projection { name: "client", revision: 4, tables: &[&CLIENTS, &COUNTS, &CONTACTS], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Client::STREAM {
        return Ok(());
    }
    match fact.read()? {
        ClientEvent::Registered(e) => {
            let mut columns = columns(e.profile, e.reading, e.person, keys);
            columns.push(("status", cell("active")));
            out.born(&CLIENTS, fact, columns);
            contacts(fact, e.contacts, keys, out);
        }
        ClientEvent::Changed(e) => {
            let so_many = e.contacts.len();
            out.changed(&CLIENTS, fact, columns(e.profile, e.reading, e.person, keys));
            contacts(fact, e.contacts, keys, out);
            (so_many..CONTACTS_MOST).for_each(|place| out.delete(&CONTACTS, [fact.id(), cell(place as u64)]));
        }
        ClientEvent::NumberOverridden(e) => {
            let columns = [("overridden", cell(e.registration_number)), ("override_reason", cell(e.reason))];
            out.changed(&CLIENTS, fact, columns);
        }
        ClientEvent::Archived(_) => out.changed(&CLIENTS, fact, [("status", cell("archived"))]),
    }
    Ok(())
}

fn columns(profile: Profile, reading: String, person: Option<Sealed<Person>>, keys: &Opener) -> Columns {
    let kana = person.as_ref().and_then(|person| person.open(keys)).map(|person| person.kana);
    vec![
        ("search", cell(searched(&[&profile.name, &reading, &profile.registration_number]))),
        ("person_search", cell(kana.as_deref().map(|kana| searched(&[kana])))),
        ("person_reading", cell(kana)),
        ("name", cell(profile.name)),
        ("honorific", cell(profile.honorific.name())),
        ("registration_number", cell(profile.registration_number)),
        ("postal_code", cell(profile.postal_code)),
        ("region", cell(profile.region)),
        ("locality", cell(profile.locality)),
        ("street_address", cell(profile.street_address)),
        ("extended_address", cell(profile.extended_address)),
        ("reading", cell(reading)),
        ("subject", cell(person.map(|person| person.subject))),
    ]
}

fn searched(texts: &[&str]) -> String {
    search::indexed(search::lines(texts))
}

fn contacts(fact: &Fact, contacts: Vec<Sealed<Contact>>, keys: &Opener, out: &mut Writes) {
    let born = fact.leaf.stream_version == 0;
    for (place, contact) in contacts.into_iter().enumerate() {
        let mut columns = vec![("subject", cell(contact.subject))];
        columns.extend(born.then(|| ("since", cell(fact.leaf.position))));
        if let Some(contact) = contact.open(keys) {
            let Contact { name, reading, email, phone, department } = &contact;
            columns.extend([
                ("search", cell(searched(&[name, reading, email, phone, department]))),
                ("name", cell(contact.name)),
                ("reading", cell(contact.reading)),
                ("department", cell(contact.department)),
                ("email", cell(contact.email)),
                ("phone", cell(contact.phone)),
            ]);
        }
        let key = || [fact.id(), cell(place as u64)];
        out.put(&CONTACTS, key(), columns);
        if !born {
            out.inherit(&CONTACTS, key(), "since", &CLIENTS, [fact.id()]);
        }
    }
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
    /// How the name is read, in katakana; absent also where the person was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<String>,
    /// Why the number is right although its check digit does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_number_override: Option<String>,
    /// Whom to write to there before others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Recipient>,
    /// Everybody there, the main one first. Only in the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contacts: Option<Vec<ContactView>>,
    /// Other clients in use that have the same registration number or the same name. Only in the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<Vec<Named>>,
    /// Gets no new documents.
    pub archived: bool,
    /// How many documents there are for it.
    pub documents: u64,
    /// What is still to be paid of its invoices.
    pub open: Money,
}

/// Somebody at a client; only `id` and `erased` once they were erased.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ContactView {
    /// Whom it is about: erasing them names it.
    pub id: Uuid,
    /// As the person writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// In katakana.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<String>,
    /// Where in the company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// Mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Telephone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The person was erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

impl ContactView {
    fn read(row: &Row) -> Seen<ContactView> {
        let text = |column| told(row, column);
        Ok(ContactView {
            id: col(row, "subject")?,
            erased: col::<Option<String>>(row, "name")?.is_none(),
            name: text("name")?,
            reading: text("reading")?,
            department: text("department")?,
            email: text("email")?,
            phone: text("phone")?,
        })
    }
}

/// Somebody to write to; only `erased` once the person was erased.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
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

/// Clients with their main contact, the number of their `documents` and what is
/// `open`.
pub const FROM: &str = "(SELECT c.*, m.subject AS main, m.name AS contact_name, m.email AS contact_email,
        (SELECT count(*) FROM documents d WHERE d.ledger = c.ledger AND d.client_id = c.id) AS documents,
        (SELECT CAST(coalesce(sum(d.total - d.withheld - d.paid), 0) AS BIGINT) FROM documents d
         WHERE d.ledger = c.ledger AND d.client_id = c.id AND d.document_type = 'invoice' AND d.revision > 0
           AND d.cancelled = 0 AND d.paid < d.total - d.withheld) AS open
      FROM clients c LEFT JOIN client_contacts m ON m.ledger = c.ledger AND m.id = c.id AND m.place = 0)";

/// Text, if there is any.
fn told(row: &Row, column: &str) -> Seen<Option<String>> {
    Ok(col::<Option<String>>(row, column)?.and_then(filled))
}

fn view(row: &Row) -> Seen<ClientView> {
    let text = |column| col::<String>(row, column).map(filled);
    let (main, overridden): (Option<Uuid>, Option<String>) = (col(row, "main")?, col(row, "overridden")?);
    let registration_number = text("registration_number")?;
    let is_overridden = overridden.is_some() && overridden == registration_number;
    Ok(ClientView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        name: col(row, "name")?,
        honorific: col(row, "honorific")?,
        registration_number,
        registration_number_override: told(row, "override_reason")?.filter(|_| is_overridden),
        reading: text("reading")?.map_or_else(|| told(row, "person_reading"), |reading| Ok(Some(reading)))?,
        postal_code: text("postal_code")?,
        region: text("region")?,
        locality: text("locality")?,
        street_address: text("street_address")?,
        extended_address: text("extended_address")?,
        contact: main.map(|_| Recipient::read(row, "contact_name", "contact_email")).transpose()?,
        contacts: None,
        duplicates: None,
        archived: col::<String>(row, "status")? == "archived",
        documents: col(row, "documents")?,
        open: col(row, "open")?,
    })
}

/// Every status a client can have.
const STATUS: &[&str] = &["active", "archived"];

/// Where the list's clients are found: under their status by what is known of themselves, and by the people there.
fn sources(params: &Params) -> Vec<Source<'static>> {
    let [name, person] = ["t.search", "t.person_search"].map(search::has);
    let (asked, text) = (params.text("status"), params.text("q"));
    let statuses = STATUS.iter().filter(|status| asked.is_none_or(|asked| asked == **status));
    let own = |status| {
        let filter = Filter::new().and("t.status = ?", Some(status)).search(&format!("{name} OR {person}"), text);
        Source { rows: CLIENTS.name, filter, each: 1 }
    };
    let people = text.map(|text| {
        let of = "EXISTS (SELECT 1 FROM clients c WHERE c.ledger = t.ledger AND c.id = t.id AND c.status = ?)";
        let filter = Filter::new().search(&search::has("t.search"), Some(text)).and(of, asked);
        Source { rows: CONTACTS.name, filter, each: CONTACTS_MOST }
    });
    statuses.copied().map(own).chain(people).collect()
}

/// All clients, newest first.
pub struct ListClients;

impl Query for ListClients {
    const NAME: &'static str = "list_clients";
    const PATH: &'static str = "/v1/clients";
    const PERMISSION: Permission = Permission("client.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] =
        &[Param { name: "status", kind: Kind::OneOf(STATUS) }, Param { name: "q", kind: Kind::Text }];
    const LIST: bool = true;
    type Answer = Listing<ClientView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let page = read.list_within(who, sources(params), FROM, params, view)?;
        Ok(Listing { counts: read.counted(who, &COUNTS)?, ..page })
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
        let client = read.one(who, FROM, params.id("id"), view)?;
        let people = "SELECT * FROM client_contacts t WHERE t.ledger = :ledger AND t.id = ? ORDER BY t.place";
        let contacts = read.rows(who, people, vec![cell(client.id)], ContactView::read)?;
        let number = client.registration_number.as_deref().unwrap_or_default();
        let duplicates = duplicates(read, who, Some(client.id), &client.name, number)?;
        Ok(ClientView { contacts: Some(contacts), duplicates: Some(duplicates), ..client })
    }
}

/// Other clients in use with the same name or the same registration number; at most ten.
pub fn duplicates(read: &Read, who: &Who, id: Option<Uuid>, name: &str, number: &str) -> Result<Vec<Named>, Refusal> {
    // Each of the two by its own index: with OR, SQLite reads every client of the company.
    let alike = "SELECT t.id, t.name FROM clients t WHERE t.ledger = :ledger AND t.status = 'active' AND t.id <> ?
        AND t.id IN (SELECT n.id FROM clients n WHERE n.ledger = :ledger AND n.name = ?
            UNION SELECT r.id FROM clients r WHERE r.ledger = :ledger AND r.registration_number = nullif(?, ''))
        ORDER BY +t.since LIMIT 10";
    let values = vec![cell(id.unwrap_or_default()), cell(name), cell(number)];
    read.rows(who, alike, values, |row| Ok(Named { id: col(row, "id")?, name: col(row, "name")? }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use keiin_eventlog::sql::Scope;

    use super::*;
    use crate::database::Database;
    use crate::query::first;
    use crate::table::Value;

    /// A million clients are a list like any other only as long as nothing is read but these indexes, each in the list's order.
    #[test]
    fn what_is_asked_of_all_clients_reads_one_index() {
        let dir = tempfile::tempdir().unwrap();
        let mut database = Database::sqlite(dir.path().join("read.db")).open(&[PROJECTION]).unwrap().connection;
        let mut plan = |params: &[(&str, &str)], further: bool| -> Vec<String> {
            let given: BTreeMap<_, _> = params.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
            let mut sources = sources(&Params::read(given, &[ListClients::PARAMS]).unwrap());
            for source in &mut sources {
                let filter = std::mem::take(&mut source.filter);
                source.filter = filter.and("(t.since, t.id) < (?, x'00')", further.then_some(9u64));
            }
            let (sql, mut values) = first(sources, 51);
            values.push(Value::Integer(51));
            let sql = format!("EXPLAIN QUERY PLAN {}", sql.replace(":ledger", "x'00'"));
            let rows = database.query(Scope::All, &sql, &values).unwrap();
            rows.iter().map(|row| row.get(3).unwrap()).collect()
        };
        let all: &[&[(&str, &str)]] =
            &[&[], &[("status", "archived")], &[("q", "x")], &[("status", "archived"), ("q", "x")]];
        for (params, further) in all.iter().flat_map(|params| [(params, false), (params, true)]) {
            let steps = plan(params, further);
            let (read, rest): (Vec<_>, Vec<_>) = steps.iter().partition(|step| step.starts_with("SEARCH"));
            let start = if further { " AND (since,id)<(?,?))" } else { ")" };
            let mut indexes = vec![format!("SEARCH t USING COVERING INDEX clients_0 (ledger=? AND status=?{start}")];
            if params.iter().all(|(name, _)| *name != "status") {
                indexes.push(indexes[0].clone());
            }
            if params.iter().any(|(name, _)| *name == "q") {
                indexes.push(format!("SEARCH t USING COVERING INDEX client_contacts_0 (ledger=?{start}"));
            }
            // Of whom somebody was found there the status is looked up.
            let read = read.into_iter().filter(|step| !step.ends_with("USING PRIMARY KEY (ledger=? AND id=?)"));
            assert_eq!(read.collect::<Vec<_>>(), indexes.iter().collect::<Vec<_>>(), "{params:?}: {steps:#?}");
            // Scanned and sorted are the first of each index alone.
            let whole = |step: &&&String| step.starts_with("SCAN") && !["SCAN o", "SCAN s"].contains(&step.as_str());
            assert_eq!(rest.iter().find(whole), None, "{params:?}: {steps:#?}");
            let sorted = steps.iter().rposition(|step| step.contains("ORDER BY"));
            assert!(sorted.is_none_or(|at| at == steps.len() - 1), "{params:?}: {steps:#?}");
            assert!(steps.iter().filter(|step| step.contains("ORDER BY")).count() <= 1, "{params:?}: {steps:#?}");
        }
    }
}
