//! Clients: the companies and people that documents go to.
//!
//! What makes a create unique: nothing but its id. Two companies may share a name, branches share their company's
//! registration number; a retried request is held by its Idempotency-Key.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::sealed::{Person, Sealed};
use crate::{codes, events, registration_number, text};

events! {
    /// What happens to a client.
    ClientEvent {
        Registered = "client.registered" v 1;
        Changed = "client.changed" v 1;
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
    /// Does the number's check digit fit? Only a person's may not: no formula is published for them.
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
    /// The company.
    pub profile: Profile,
    /// Whom to write to there.
    pub contact: Option<Sealed<Person>>,
}

/// Everything after the change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// The company.
    pub profile: Profile,
    /// Whom to write to there; `None` = nobody any more.
    pub contact: Option<Sealed<Person>>,
}

/// No new documents; the history stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Archived {}

/// State of a client.
#[derive(Debug, Default)]
pub struct Client {
    /// As printed; `None` before anything happened.
    pub profile: Option<Profile>,
    /// Whose fields the contact's are.
    pub contact_subject: Option<Uuid>,
    /// No new documents.
    pub archived: bool,
}

impl Aggregate for Client {
    type Event = ClientEvent;
    const STREAM: &'static str = "client";
    fn apply(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Registered(Registered { profile, contact })
            | ClientEvent::Changed(Changed { profile, contact }) => {
                self.profile = Some(profile);
                self.contact_subject = contact.map(|c| c.subject);
            }
            ClientEvent::Archived(_) => self.archived = true,
        }
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

    /// The contact's fields under their subject; a first contact gets a fresh one.
    fn seal_contact(&self, contact: Option<Person>, ctx: &mut Context) -> Option<Sealed<Person>> {
        let contact = contact?;
        let subject = self.contact_subject.unwrap_or_else(|| ctx.fresh_id());
        Some(ctx.seal(subject, &contact))
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
    /// Whom to write to, at most 80 characters.
    #[serde(default)]
    pub contact_name: String,
    /// Where to write to them.
    #[serde(default)]
    pub contact_email: String,
}

impl RegisterClient {
    fn check(&self) -> Result<(Profile, Option<Person>), Rejection> {
        let number = match self.registration_number.trim() {
            "" => String::new(),
            number => registration_number::normalise(number)
                .ok_or(Rejection::at("registration_number.bad_format", "/registration_number"))?,
        };
        let checks = number.is_empty() || registration_number::checks(&number);
        if !checks && self.honorific == Honorific::Onchu {
            return Err(Rejection::at("registration_number.wrong_check_digit", "/registration_number"));
        }
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
        let name = text::optional_line(&self.contact_name, "/contact_name", 80)?;
        let email = match self.contact_email.trim() {
            "" => String::new(),
            email => text::email(email).ok_or(Rejection::at("client.bad_email", "/contact_email"))?,
        };
        let somebody = !name.is_empty() || !email.is_empty();
        Ok((profile, somebody.then(|| Person { name, email, ..Person::default() })))
    }
}

impl Command for RegisterClient {
    type On = On<Client>;
    const NAME: &'static str = "register_client";
    const ROUTE: Route = Route::create("/v1/clients");
    const PERMISSION: Permission = Permission("client.register");
    const REJECTS: &'static [&'static str] = &[
        "client.bad_email",
        "client.bad_postal_code",
        "registration_number.bad_format",
        "registration_number.wrong_check_digit",
        "text.required",
        "text.too_long",
        "text.control_character",
    ];
    fn decide(self, client: &On<Client>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let (profile, contact) = self.check()?;
        Ok(vec![client.emit(Registered { profile, contact: client.seal_contact(contact, ctx) })])
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
    const REJECTS: &'static [&'static str] = &[
        "client.unknown",
        "client.archived",
        "client.bad_email",
        "client.bad_postal_code",
        "registration_number.bad_format",
        "registration_number.wrong_check_digit",
        "text.required",
        "text.too_long",
        "text.control_character",
    ];
    fn decide(self, client: &On<Client>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        client.must_be_live()?;
        let (profile, contact) = self.0.check()?;
        Ok(vec![client.emit(Changed { profile, contact: client.seal_contact(contact, ctx) })])
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
