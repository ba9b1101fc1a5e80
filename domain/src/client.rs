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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const CLIENT: Uuid = Uuid::from_u128(0xc1);

    fn register() -> RegisterClient {
        RegisterClient {
            name: "国立印刷局".into(),
            honorific: Honorific::Onchu,
            registration_number: "ｔ7000012050002".into(),
            postal_code: "105-8445".into(),
            region: "東京都".into(),
            locality: "港区".into(),
            street_address: "虎ノ門2-2-5".into(),
            extended_address: String::new(),
            contact_name: "𠮷田 一郎".into(),
            contact_email: "Yoshida@example.jp".into(),
        }
    }

    fn registered_profile() -> Profile {
        Profile {
            registration_number: "T7000012050002".into(),
            postal_code: "1058445".into(),
            region: "東京都".into(),
            locality: "港区".into(),
            street_address: "虎ノ門2-2-5".into(),
            ..profile("国立印刷局")
        }
    }

    #[test]
    fn the_contact_is_sealed_under_a_subject_of_their_own() {
        let contact = Some(sealed(FRESH, &person("𠮷田 一郎", "yoshida@example.jp")));
        let scene = scene()
            .when(CLIENT, register())
            .then([emit::<Client>(CLIENT, Registered { profile: registered_profile(), contact })]);
        assert_eq!(scene.now::<Client>(CLIENT).contact_subject, Some(FRESH));

        // The same subject as long as there is a contact; the next one after that is somebody else.
        let renamed = RegisterClient { contact_name: "吉田 一郎".into(), ..register() };
        let contact = Some(sealed(FRESH, &person("吉田 一郎", "yoshida@example.jp")));
        let scene = scene
            .when(CLIENT, ChangeClient(renamed))
            .then([emit::<Client>(CLIENT, Changed { profile: registered_profile(), contact })]);
        let nobody = RegisterClient { contact_name: String::new(), contact_email: String::new(), ..register() };
        let scene = scene
            .when(CLIENT, ChangeClient(nobody))
            .then([emit::<Client>(CLIENT, Changed { profile: registered_profile(), contact: None })]);
        let scene = scene.when(CLIENT, ChangeClient(register())).accepted();
        assert_eq!(scene.now::<Client>(CLIENT).contact_subject, Some(Uuid::from_u128(FRESH.as_u128() + 1)));
    }

    #[test]
    fn a_contact_may_have_a_name_or_an_address_only() {
        for (name, email) in [("𠮷田 一郎", ""), ("", "yoshida@example.jp")] {
            let half = RegisterClient { contact_name: name.into(), contact_email: email.into(), ..register() };
            let contact = Some(sealed(FRESH, &person(name, email)));
            let registered = Registered { profile: registered_profile(), contact };
            scene().when(CLIENT, half).then([emit::<Client>(CLIENT, registered)]);
        }
    }

    #[test]
    fn only_a_person_may_have_a_number_whose_check_digit_does_not_fit() {
        let odd = RegisterClient { registration_number: "T8000012050002".into(), ..register() };
        let scene = scene()
            .when(CLIENT, odd.clone())
            .refused_at("registration_number.wrong_check_digit", "/registration_number");
        let scene = scene.when(CLIENT, RegisterClient { honorific: Honorific::Sama, ..odd }).accepted();
        let profile = scene.now::<Client>(CLIENT).state.profile.unwrap();
        assert!(!profile.registration_number_checks, "recorded, not silently passed");
    }

    #[test]
    fn every_refusal() {
        let number = |number: &str| RegisterClient { registration_number: number.into(), ..register() };
        let s = scene().when(CLIENT, number("7000012050002"));
        let s = s.refused_at("registration_number.bad_format", "/registration_number");
        let s = s.when(CLIENT, number("T8000012050002"));
        let s = s.refused_at("registration_number.wrong_check_digit", "/registration_number");
        let s = s.when(CLIENT, RegisterClient { postal_code: "105".into(), ..register() });
        let s = s.refused_at("client.bad_postal_code", "/postal_code");
        let s = s.when(CLIENT, RegisterClient { contact_email: "yoshida".into(), ..register() });
        let s = s.refused_at("client.bad_email", "/contact_email");
        let s = refuses_bad_text(s, CLIENT, "/name", true, 80, |name| RegisterClient { name, ..register() });
        let s = refuses_bad_text(s, CLIENT, "/region", false, 40, |region| RegisterClient { region, ..register() });
        let s =
            refuses_bad_text(s, CLIENT, "/locality", false, 80, |locality| RegisterClient { locality, ..register() });
        let s = refuses_bad_text(s, CLIENT, "/street_address", false, 120, |street_address| RegisterClient {
            street_address,
            ..register()
        });
        let s = refuses_bad_text(s, CLIENT, "/extended_address", false, 120, |extended_address| RegisterClient {
            extended_address,
            ..register()
        });
        let s = refuses_bad_text(s, CLIENT, "/contact_name", false, 80, |contact_name| RegisterClient {
            contact_name,
            ..register()
        });
        covered::<RegisterClient>();

        let s = s.when(CLIENT, ChangeClient(register())).refused("client.unknown");
        let s = s.when(CLIENT, ArchiveClient {}).refused("client.unknown");
        let s = s.when(CLIENT, register()).accepted();
        let s = s
            .when(CLIENT, ChangeClient(number("T")))
            .refused_at("registration_number.bad_format", "/registration_number");
        let s = s.when(CLIENT, ChangeClient(number("T8000012050002")));
        let s = s.refused_at("registration_number.wrong_check_digit", "/registration_number");
        let s = s.when(CLIENT, ChangeClient(RegisterClient { postal_code: "x".into(), ..register() }));
        let s = s.refused_at("client.bad_postal_code", "/postal_code");
        let s = s.when(CLIENT, ChangeClient(RegisterClient { contact_email: "x".into(), ..register() }));
        let s = s.refused_at("client.bad_email", "/contact_email");
        let renamed = |name| ChangeClient(RegisterClient { name, ..register() });
        let s = refuses_bad_text(s, CLIENT, "/name", true, 80, renamed);
        let s = s.when(CLIENT, ArchiveClient {}).then([emit::<Client>(CLIENT, Archived {})]);
        let s = s.when(CLIENT, ChangeClient(register())).refused("client.archived");
        s.when(CLIENT, ArchiveClient {}).refused("client.archived");
        covered::<ChangeClient>();
        covered::<ArchiveClient>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<ClientEvent> {
        vec![
            Registered { profile: sample_profile(), contact: Some(somebody()) }.into(),
            Changed { profile: sample_profile(), contact: Some(somebody()) }.into(),
            Archived {}.into(),
        ]
    }
}
