//! The people to write to at a client. Each is sealed under a subject of their own, so that one can be erased alone.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Rejection, present};
use crate::context::Context;
use crate::sealed::{Person, Personal, Sealed};
use crate::text;

/// Most people of one client.
pub const MOST: usize = 10;

/// Somebody at a client. The first five fields stand where [`Person`] has its own: boxes of the first version, in which the
/// last two were always empty, read as a contact without department and phone.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Contact {
    /// As the person writes it.
    pub name: String,
    /// In katakana; may be empty.
    pub reading: String,
    /// Mail address; may be empty.
    pub email: String,
    /// Where in the company; may be empty.
    pub department: String,
    /// As dialled in Japan, or with `+`; may be empty.
    pub phone: String,
}

impl Personal for Contact {
    const CLASS: &'static str = "contact";
}

/// What the first version sealed, as it is read now: the same bytes, see [`Contact`].
pub fn reread(old: Sealed<Person>) -> Sealed<Contact> {
    Sealed::new(old.subject, old.key_version, old.sealed)
}

/// Somebody to write to. Without any text nobody: it is left out.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactInput {
    /// Whom it is about, where they are known already; absent for somebody new.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub id: Option<Uuid>,
    /// At most 80 characters. Name or mail address must be there.
    #[serde(default)]
    pub name: String,
    /// In kana, at most 80 characters.
    #[serde(default)]
    pub reading: String,
    /// Where in the company, at most 80 characters.
    #[serde(default)]
    pub department: String,
    /// Mail address.
    #[serde(default)]
    pub email: String,
    /// Digits of any width with `+`, `-`, brackets and spaces; at most 30.
    #[serde(default)]
    pub phone: String,
}

impl ContactInput {
    fn check(&self, at: &str) -> Result<Contact, Rejection> {
        let part = |name: &str| format!("{at}/{name}");
        let email = match self.email.trim() {
            "" => String::new(),
            email => text::email(email).ok_or_else(|| Rejection::at("client.bad_email", part("email")))?,
        };
        let contact = Contact {
            name: text::optional_line(&self.name, &part("name"), 80)?,
            reading: text::reading(&self.reading, &part("reading"), 80)?,
            email,
            department: text::optional_line(&self.department, &part("department"), 80)?,
            phone: text::phone(&self.phone).ok_or_else(|| Rejection::at("client.bad_phone", part("phone")))?,
        };
        let is_somebody = !contact.name.is_empty() || !contact.email.is_empty() || contact == Contact::default();
        if is_somebody { Ok(contact) } else { Err(Rejection::at("text.required", part("name"))) }
    }
}

/// Everybody, sealed, the main one first. `known` are the client's so far: who is named keeps their subject.
pub fn seal_all(inputs: &[ContactInput], known: &[Uuid], ctx: &mut Context) -> Result<Vec<Sealed<Contact>>, Rejection> {
    if inputs.len() > MOST {
        return Err(Rejection::at("client.too_many_contacts", "/contacts"));
    }
    let mut sealed: Vec<Sealed<Contact>> = vec![];
    for (n, input) in inputs.iter().enumerate() {
        let at = format!("/contacts/{n}");
        let contact = input.check(&at)?;
        let is_double = input.id.is_some_and(|id| sealed.iter().any(|other| other.subject == id));
        if is_double || input.id.is_some_and(|id| !known.contains(&id)) {
            return Err(Rejection::at("client.unknown_contact", format!("{at}/id")));
        }
        if contact == Contact::default() {
            continue;
        }
        if input.id.is_some_and(|id| ctx.world.is_erased(id)) {
            return Err(Rejection::at("client.erased_contact", format!("{at}/id")));
        }
        let subject = input.id.unwrap_or_else(|| ctx.fresh_id());
        sealed.push(ctx.seal(subject, &contact));
    }
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{decode, encode};

    #[test]
    fn a_box_of_the_first_version_is_a_contact() {
        let old = Person { name: "𠮷田 一郎".into(), email: "yoshida@example.jp".into(), ..Person::default() };
        let read: Contact = decode(&encode(&old)).expect("the same layout");
        assert_eq!((read.name, read.email), (old.name, old.email));
        assert_eq!((read.reading, read.department, read.phone), Default::default());
    }
}
