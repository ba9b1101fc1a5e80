//! Where something goes by post. Sealed: it is a person's address where the recipient is one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client::{Honorific, Profile};
use crate::command::{Rejection, present};
use crate::sealed::Personal;
use crate::text;

/// To whom, and what the cover sheet says. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PostalAddress {
    /// Company, or person.
    pub name: String,
    /// Where in the company; may be empty.
    pub department: String,
    /// Whose hands in the company, without 様; may be empty.
    pub attention: String,
    /// After the name, or after the department; whoever is in `attention` is 様.
    pub honorific: Honorific,
    /// Seven digits.
    pub postal_code: String,
    /// Prefecture; may be empty, the postal code says it.
    pub region: String,
    /// City, ward; may be empty.
    pub locality: String,
    /// Block and house.
    pub street_address: String,
    /// Building and floor; may be empty.
    pub extended_address: String,
    /// On the cover sheet; may be empty.
    pub message: String,
}

impl Personal for PostalAddress {
    const CLASS: &'static str = "postal_address";
}

impl PostalAddress {
    /// A client's, if it is known well enough to write on an envelope: postal code and street.
    pub fn of_client(profile: &Profile) -> Option<PostalAddress> {
        let Profile { name, honorific, postal_code, region, locality, street_address, extended_address, .. } =
            profile.clone();
        let (department, attention, message) = Default::default();
        let is_known = !postal_code.is_empty() && !street_address.is_empty();
        is_known.then_some(PostalAddress {
            name,
            department,
            attention,
            honorific,
            postal_code,
            region,
            locality,
            street_address,
            extended_address,
            message,
        })
    }
}

/// An address as sent.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressInput {
    /// Company, or person; at most 80 characters.
    pub name: String,
    /// After the name; 御中 if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub honorific: Option<Honorific>,
    /// Seven digits, with or without hyphen.
    pub postal_code: String,
    /// Prefecture, at most 40 characters.
    #[serde(default)]
    pub region: String,
    /// City, ward; at most 80 characters.
    #[serde(default)]
    pub locality: String,
    /// Block and house, at most 120 characters.
    pub street_address: String,
    /// Building and floor, at most 120 characters.
    #[serde(default)]
    pub extended_address: String,
}

impl AddressInput {
    /// Checked; `at` is the pointer to it.
    pub(super) fn check(&self, at: &str) -> Result<PostalAddress, Rejection> {
        let part = |name: &str| format!("{at}/{name}");
        let postal_code = text::postal_code(&self.postal_code).filter(|code| !code.is_empty());
        let (department, attention, message) = Default::default();
        Ok(PostalAddress {
            name: text::line(&self.name, &part("name"), 80)?,
            department,
            attention,
            honorific: self.honorific.unwrap_or(Honorific::Onchu),
            postal_code: postal_code
                .ok_or_else(|| Rejection::at("postal_item.bad_postal_code", part("postal_code")))?,
            region: text::optional_line(&self.region, &part("region"), 40)?,
            locality: text::optional_line(&self.locality, &part("locality"), 80)?,
            street_address: text::line(&self.street_address, &part("street_address"), 120)?,
            extended_address: text::optional_line(&self.extended_address, &part("extended_address"), 120)?,
            message,
        })
    }
}
