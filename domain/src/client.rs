//! Clients: the companies and people that documents go to.
//!
//! What makes a create unique: nothing but its id. Two companies may share a name, branches share their company's
//! registration number; a retried request is held by its Idempotency-Key. What looks like a duplicate is told, not refused.
//!
//! Name and address are printed on papers that the law wants kept, so they stand in the events as they are, also of a person
//! (様). How a person's name is read is not printed: it is sealed under a subject of its own, like every contact.

mod contact;
#[cfg(test)]
mod tests;
mod v1;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::sealed::{Person, Sealed};
use crate::{codes, events, registration_number, text};

pub use contact::{Contact, ContactInput, MOST as CONTACTS_MOST};
pub use v1::{ChangedV1, RegisteredV1};

events! {
    /// What happens to a client.
    ClientEvent {
        Registered = "client.registered" v 2, was RegisteredV1 v 1;
        Changed = "client.changed" v 2, was ChangedV1 v 1;
        NumberOverridden = "client.registration_number_overridden" v 1;
        Archived = "client.archived" v 1;
    }
}

codes! {
    /// What stands after the name on paper.
    Honorific {
        /// 御中: a company.
        Onchu = 1 "onchu",
        /// 様: a person.
        Sama = 2 "sama",
    }
}

/// What is printed of a client. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Profile {
    /// Registered name.
    pub name: String,
    /// After the name.
    pub honorific: Honorific,
    /// Normalised, or empty.
    pub registration_number: String,
    /// Does the number's check digit fit? No formula is published for persons; for a company somebody said why not.
    pub registration_number_checks: bool,
    /// Seven digits, or empty.
    pub postal_code: String,
    /// Prefecture.
    pub region: String,
    /// City, ward.
    pub locality: String,
    /// Block and house.
    pub street_address: String,
    /// Building and floor.
    pub extended_address: String,
}

/// A new client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registered {
    /// Who.
    pub profile: Profile,
    /// How a company's name is read, in katakana; may be empty.
    pub reading: String,
    /// How a person's name is read.
    pub person: Option<Sealed<Person>>,
    /// Whom to write to there, the main one first.
    pub contacts: Vec<Sealed<Contact>>,
}

/// Everything after the change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// Who.
    pub profile: Profile,
    /// How a company's name is read, in katakana; may be empty.
    pub reading: String,
    /// How a person's name is read.
    pub person: Option<Sealed<Person>>,
    /// Whom to write to there, the main one first.
    pub contacts: Vec<Sealed<Contact>>,
}

/// A company's number is taken although its check digit does not fit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NumberOverridden {
    /// Which.
    pub registration_number: String,
    /// Why it is right all the same.
    pub reason: String,
}

/// No new documents; the history stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Archived {}

/// State of a client.
#[derive(Debug, Default)]
pub struct Client {
    /// As printed; `None` before anything happened.
    pub profile: Option<Profile>,
    /// Whose fields the person's are, where the client is one.
    pub person: Option<Uuid>,
    /// Whose fields the contacts' are.
    pub contacts: Vec<Uuid>,
    /// The number that somebody said is right although its check digit does not fit; empty if none.
    pub overridden: String,
    /// No new documents.
    pub archived: bool,
}

impl Client {
    fn told(&mut self, profile: Profile, person: Option<Sealed<Person>>, contacts: Vec<Sealed<Contact>>) {
        self.profile = Some(profile);
        self.person = person.map(|person| person.subject);
        self.contacts = contacts.into_iter().map(|contact| contact.subject).collect();
    }
}

impl Aggregate for Client {
    type Event = ClientEvent;
    const STREAM: &'static str = "client";
    fn apply(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Registered(e) => self.told(e.profile, e.person, e.contacts),
            ClientEvent::Changed(e) => self.told(e.profile, e.person, e.contacts),
            ClientEvent::NumberOverridden(e) => self.overridden = e.registration_number,
            ClientEvent::Archived(_) => self.archived = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<ClientEvent> {
        tests::samples()
    }
}

impl On<Client> {
    /// For a document: the client as printed, refused at `/client_id` where no document may go to it.
    pub fn addressable(&self) -> Result<&Profile, Rejection> {
        let profile = self.profile.as_ref().ok_or(Rejection::at("document.unknown_client", "/client_id"))?;
        if self.archived { Err(Rejection::at("document.client_archived", "/client_id")) } else { Ok(profile) }
    }

    fn must_be_live(&self) -> Result<(), Rejection> {
        if !self.exists() {
            return Err(Rejection::new("client.unknown"));
        }
        if self.archived { Err(Rejection::new("client.archived")) } else { Ok(()) }
    }
}

/// What both commands say of a client. Absent = empty.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterClient {
    /// Registered name, at most 80 characters.
    pub name: String,
    /// After the name on paper.
    pub honorific: Honorific,
    /// Qualified-invoice number (`T` and 13 digits) or empty.
    #[serde(default)]
    pub registration_number: String,
    /// Seven digits, with or without hyphen, or empty.
    #[serde(default)]
    pub postal_code: String,
    /// Prefecture, at most 40 characters.
    #[serde(default)]
    pub region: String,
    /// City, ward; at most 80 characters.
    #[serde(default)]
    pub locality: String,
    /// Block and house, at most 120 characters.
    #[serde(default)]
    pub street_address: String,
    /// Building and floor, at most 120 characters.
    #[serde(default)]
    pub extended_address: String,
    /// How the name is read, in kana of any width, at most 80 characters; kept in katakana.
    #[serde(default)]
    pub reading: String,
    /// Why a company's number is right although its check digit does not fit, at most 200 characters. Kept only then.
    #[serde(default)]
    pub registration_number_override: String,
    /// Whom to write to, the main one first; at most ten.
    #[serde(default)]
    pub contacts: Vec<ContactInput>,
}

/// Both commands' codes beside their own.
macro_rules! rejects {
    ($($own:literal),*) => { &[
        $($own,)*
        "client.bad_email",
        "client.bad_phone",
        "client.bad_postal_code",
        "client.too_many_contacts",
        "client.unknown_contact",
        "registration_number.bad_format",
        "registration_number.wrong_check_digit",
        "text.required",
        "text.too_long",
        "text.control_character",
        "text.not_kana",
    ] };
}

/// What was said, checked.
struct Told {
    profile: Profile,
    reading: String,
    person: Option<Sealed<Person>>,
    contacts: Vec<Sealed<Contact>>,
    overridden: Option<NumberOverridden>,
}

impl RegisterClient {
    fn check(&self, so_far: &Client, ctx: &mut Context) -> Result<Told, Rejection> {
        let number = match self.registration_number.trim() {
            "" => String::new(),
            number => registration_number::normalise(number)
                .ok_or(Rejection::at("registration_number.bad_format", "/registration_number"))?,
        };
        let checks = number.is_empty() || registration_number::checks(&number);
        let why = text::optional_line(&self.registration_number_override, "/registration_number_override", 200)?;
        let is_doubtful = !checks && self.honorific == Honorific::Onchu;
        if is_doubtful && why.is_empty() && so_far.overridden != number {
            return Err(Rejection::at("registration_number.wrong_check_digit", "/registration_number"));
        }
        let overridden = (is_doubtful && !why.is_empty())
            .then(|| NumberOverridden { registration_number: number.clone(), reason: why });
        let profile = Profile {
            name: text::line(&self.name, "/name", 80)?,
            honorific: self.honorific,
            registration_number: number,
            registration_number_checks: checks,
            postal_code: text::postal_code(&self.postal_code)
                .ok_or(Rejection::at("client.bad_postal_code", "/postal_code"))?,
            region: text::optional_line(&self.region, "/region", 40)?,
            locality: text::optional_line(&self.locality, "/locality", 80)?,
            street_address: text::optional_line(&self.street_address, "/street_address", 120)?,
            extended_address: text::optional_line(&self.extended_address, "/extended_address", 120)?,
        };
        let contacts = contact::seal_all(&self.contacts, &so_far.contacts, ctx)?;
        let reading = text::reading(&self.reading, "/reading", 80)?;
        if self.honorific == Honorific::Onchu || reading.is_empty() {
            return Ok(Told { profile, reading, person: None, contacts, overridden });
        }
        let known = so_far.person.filter(|subject| !ctx.world.is_erased(*subject));
        let subject = known.unwrap_or_else(|| ctx.fresh_id());
        let person = ctx.seal(subject, &Person { kana: reading, ..Person::default() });
        Ok(Told { profile, reading: String::new(), person: Some(person), contacts, overridden })
    }
}

impl Command for RegisterClient {
    type On = On<Client>;
    const NAME: &'static str = "register_client";
    const ROUTE: Route = Route::create("/v1/clients");
    const PERMISSION: Permission = Permission("client.register");
    const REJECTS: &'static [&'static str] = rejects!();
    fn decide(self, client: &On<Client>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let Told { profile, reading, person, contacts, overridden } = self.check(client, ctx)?;
        let registered = client.emit(Registered { profile, reading, person, contacts });
        Ok([registered].into_iter().chain(overridden.map(|event| client.emit(event))).collect())
    }
}

/// Replaces what is known of a client. Absent = empty.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct ChangeClient(pub RegisterClient);

impl Command for ChangeClient {
    type On = On<Client>;
    const NAME: &'static str = "change_client";
    const ROUTE: Route = Route::put("/v1/clients/{id}");
    const PERMISSION: Permission = Permission("client.change");
    const REJECTS: &'static [&'static str] = rejects!("client.unknown", "client.archived", "client.erased_contact");
    fn decide(self, client: &On<Client>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        client.must_be_live()?;
        let Told { profile, reading, person, contacts, overridden } = self.0.check(client, ctx)?;
        let changed = client.emit(Changed { profile, reading, person, contacts });
        Ok([changed].into_iter().chain(overridden.map(|event| client.emit(event))).collect())
    }
}

/// Takes a client out of use; documents that exist stay.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveClient {}

impl Command for ArchiveClient {
    type On = On<Client>;
    const NAME: &'static str = "archive_client";
    const ROUTE: Route = Route::post("/v1/clients/{id}/archive");
    const PERMISSION: Permission = Permission("client.archive");
    const REJECTS: &'static [&'static str] = &["client.unknown", "client.archived"];
    fn decide(self, client: &On<Client>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        client.must_be_live()?;
        Ok(vec![client.emit(Archived {})])
    }
}
