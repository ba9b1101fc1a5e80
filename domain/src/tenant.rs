//! The company: its name, how it rounds tax, what it prints on documents.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::member::{Member, Registered};
use crate::money::Rounding;
use crate::owners::{OwnerAdded, Owners};
use crate::role::{Permission, Role};
use crate::sealed::Person;
use crate::terms::{Accepted, Terms, Text, TextName};
use crate::{events, password, registration_number, text};

/// March: when most companies' year ends.
pub const FISCAL_YEAR_END: u8 = 3;
/// Corporation Tax Act, Enforcement Regulations 59: seven years, ten where a loss is carried forward.
pub const RETENTION_YEARS: u8 = 7;

events! {
    /// What happens to the company as a whole.
    TenantEvent {
        Opened = "tenant.opened" v 1;
        Changed = "tenant.changed" v 2, was ChangedV1 v 1;
    }
}

/// The company signed up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Opened {
    /// Registered name.
    pub name: String,
    /// Short name in addresses; changeable, so it is in no leaf and no origin.
    pub slug: String,
    /// Version of the terms that were accepted.
    pub terms: String,
}

/// The company said something else of itself: everything after the change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// Registered name.
    pub name: String,
    /// Normalised, or empty.
    pub registration_number: String,
    /// One line.
    pub address: String,
    /// Several lines.
    pub bank_details: String,
    /// Of tax and lines, where a document says nothing else.
    pub tax_rounding: Rounding,
    /// Must somebody else look at a document before it is issued?
    pub approval_required: bool,
    /// Month in which the fiscal year ends, 1 to 12.
    pub fiscal_year_end: u8,
    /// How long documents of a fiscal year are kept after it: 7 years, or 10.
    pub retention_years: u8,
}

/// As it was written before companies had rules for documents. Frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedV1 {
    name: String,
    registration_number: String,
    address: String,
    bank_details: String,
}

impl From<ChangedV1> for Changed {
    fn from(old: ChangedV1) -> Changed {
        let ChangedV1 { name, registration_number, address, bank_details } = old;
        let (tax_rounding, approval_required) = (Rounding::Floor, false);
        let (fiscal_year_end, retention_years) = (FISCAL_YEAR_END, RETENTION_YEARS);
        Changed {
            name,
            registration_number,
            address,
            bank_details,
            tax_rounding,
            approval_required,
            fiscal_year_end,
            retention_years,
        }
    }
}

/// State of the company.
#[derive(Debug, Default)]
pub struct Tenant {
    /// Registered name.
    pub name: String,
    /// Short name.
    pub slug: String,
    /// Normalised, or empty: without it no qualified invoice can be issued.
    pub registration_number: String,
    /// One line.
    pub address: String,
    /// Several lines.
    pub bank_details: String,
    /// See [`Changed`].
    pub tax_rounding: Rounding,
    /// See [`Changed`].
    pub approval_required: bool,
}

impl Aggregate for Tenant {
    type Event = TenantEvent;
    const STREAM: &'static str = "tenant";
    fn apply(&mut self, event: TenantEvent) {
        match event {
            TenantEvent::Opened(e) => (self.name, self.slug) = (e.name, e.slug),
            TenantEvent::Changed(e) => {
                self.name = e.name;
                self.registration_number = e.registration_number;
                self.address = e.address;
                self.bank_details = e.bank_details;
                self.tax_rounding = e.tax_rounding;
                self.approval_required = e.approval_required;
            }
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<TenantEvent> {
        tests::samples()
    }
}

/// `[a-z0-9-]`, 3 to 40 characters, no hyphen at either end.
pub fn is_slug(slug: &str) -> bool {
    (3..=40).contains(&slug.len())
        && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !slug.starts_with('-')
        && !slug.ends_with('-')
}

/// Opens a company: the first command in its ledger. That the short name is its own, and the address its owner's, was seen
/// to before, in the root ledger.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenTenant {
    /// Registered name of the company, at most 80 characters.
    pub company: String,
    /// Short name in addresses: `[a-z0-9-]`, 3 to 40 characters.
    pub slug: String,
    /// Name of the first owner, at most 80 characters.
    pub name: String,
    /// Address of the first owner.
    pub email: String,
    /// 15 to 128 characters.
    pub password: String,
    /// What was agreed to on the way here.
    #[serde(skip)]
    pub agreed: Vec<Text>,
}

impl OpenTenant {
    /// Everything that can be said before a ledger exists: `decide` says the same.
    pub fn check(&self) -> Result<(), Rejection> {
        text::line(&self.company, "/company", 80)?;
        text::line(&self.name, "/name", 80)?;
        if !is_slug(&self.slug) {
            return Err(Rejection::at("tenant.bad_slug", "/slug"));
        }
        text::email(&self.email).ok_or(Rejection::at("member.bad_email", "/email"))?;
        password::check(&self.password, &[&self.company, &self.slug, &self.name, &self.email])
    }
}

impl Command for OpenTenant {
    type On = (On<Tenant>, On<Member>, On<Owners>, On<Terms>);
    const NAME: &'static str = "open_tenant";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("tenant.open");
    const REJECTS: &'static [&'static str] = &[
        "tenant.bad_slug", "tenant.exists", "member.bad_email", "member.password_too_short",
        "member.password_too_long", "member.password_common", "member.password_personal", "member.password_pattern",
        "text.required", "text.too_long", "text.control_character",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let email = text::email(&self.email).ok_or(Rejection::at("member.bad_email", "/email"))?;
        Ok(vec![ctx.tenant, ctx.world.subject_for("member", &email), ctx.tenant, ctx.tenant])
    }
    fn decide(self, (tenant, member, owners, terms): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        self.check()?;
        if tenant.exists() {
            return Err(Rejection::new("tenant.exists"));
        }
        let email = text::email(&self.email).ok_or(Rejection::at("member.bad_email", "/email"))?;
        let person = Person { name: text::line(&self.name, "/name", 80)?, email, ..Person::default() };
        ctx.world.set_password(member.id, member.id, &self.password);
        let version = self.agreed.iter().find(|text| text.name == TextName::Terms).map(|text| text.version.clone());
        Ok(vec![
            tenant.emit(Opened {
                name: text::line(&self.company, "/company", 80)?,
                slug: self.slug,
                terms: version.unwrap_or_default(),
            }),
            terms.emit(Accepted { texts: self.agreed }),
            member.emit(Registered { person: ctx.seal(member.id, &person), role: Role::Owner }),
            owners.emit(OwnerAdded { member: member.id }),
        ])
    }
}

/// Replaces what the company says of itself. Absent = empty.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTenant {
    /// Registered name, at most 80 characters.
    pub name: String,
    /// Qualified-invoice number (`T` and 13 digits) or empty.
    #[serde(default)]
    pub registration_number: String,
    /// One line as printed on documents, at most 200 characters.
    #[serde(default)]
    pub address: String,
    /// As printed on documents, at most 400 characters.
    #[serde(default)]
    pub bank_details: String,
    /// Of tax and lines, where a document says nothing else; `floor` if absent.
    #[serde(default)]
    pub tax_rounding: Rounding,
    /// Must somebody else look at a document before it is issued?
    #[serde(default)]
    pub approval_required: bool,
    /// Month in which the fiscal year ends, 1 to 12; March if absent.
    #[serde(default = "fiscal_year_end")]
    pub fiscal_year_end: u8,
    /// How long documents of a fiscal year are kept after it: 7 (if absent) or 10 years.
    #[serde(default = "retention_years")]
    pub retention_years: u8,
}

fn fiscal_year_end() -> u8 {
    FISCAL_YEAR_END
}

fn retention_years() -> u8 {
    RETENTION_YEARS
}

impl Command for ChangeTenant {
    type On = On<Tenant>;
    const NAME: &'static str = "change_tenant";
    const ROUTE: Route = Route::put("/v1/tenant");
    const PERMISSION: Permission = Permission("tenant.change");
    const REJECTS: &'static [&'static str] = &[
        "registration_number.wrong_check_digit",
        "registration_number.bad_format",
        "tenant.bad_month",
        "tenant.bad_retention",
        "text.required",
        "text.too_long",
        "text.control_character",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![ctx.tenant])
    }
    fn decide(self, tenant: &On<Tenant>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let number = match self.registration_number.trim() {
            "" => String::new(),
            number => registration_number::corporate(number, "/registration_number")?,
        };
        if !(1..=12).contains(&self.fiscal_year_end) {
            return Err(Rejection::at("tenant.bad_month", "/fiscal_year_end"));
        }
        if !matches!(self.retention_years, 7 | 10) {
            return Err(Rejection::at("tenant.bad_retention", "/retention_years"));
        }
        Ok(vec![tenant.emit(Changed {
            name: text::line(&self.name, "/name", 80)?,
            registration_number: number,
            address: text::optional_line(&self.address, "/address", 200)?,
            bank_details: text::prose(&self.bank_details, "/bank_details", 400)?,
            tax_rounding: self.tax_rounding,
            approval_required: self.approval_required,
            fiscal_year_end: self.fiscal_year_end,
            retention_years: self.retention_years,
        })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::tests::accepted as agreed;
    use crate::testing::*;

    fn open() -> OpenTenant {
        OpenTenant {
            company: "株式会社ミナト製作所".into(),
            slug: "minato".into(),
            name: "田中 花子".into(),
            email: "Hanako@example.jp".into(),
            password: "correct horse battery".into(),
            agreed: agreed().texts,
        }
    }

    fn change() -> ChangeTenant {
        ChangeTenant {
            name: "株式会社ミナト製作所".into(),
            registration_number: "ｔ7000012050002".into(),
            address: "東京都港区芝公園1-1-1".into(),
            bank_details: "みなと銀行 芝支店\r\n普通 1234567".into(),
            tax_rounding: Rounding::HalfUp,
            approval_required: true,
            fiscal_year_end: 12,
            retention_years: 10,
        }
    }

    #[test]
    fn a_company_begins_with_its_first_owner() {
        let mut scene = scene();
        let owner = scene.world.subject_of("member", "hanako@example.jp");
        let opened = Opened { name: "株式会社ミナト製作所".into(), slug: "minato".into(), terms: "2".into() };
        let person = sealed(owner, &person("田中 花子", "hanako@example.jp"));
        let scene = scene.when(TENANT, open()).then([
            emit::<Tenant>(TENANT, opened),
            emit::<Terms>(TENANT, agreed()),
            emit::<Member>(owner, Registered { person, role: Role::Owner }),
            emit::<Owners>(TENANT, OwnerAdded { member: owner }),
        ]);
        assert_eq!(scene.world.passwords[&owner], "correct horse battery");
        scene.when(TENANT, open()).refused("tenant.exists");
    }

    #[test]
    fn what_is_printed_of_a_company_is_replaced_as_a_whole() {
        scene().when(TENANT, change()).then([emit::<Tenant>(
            TENANT,
            Changed {
                name: "株式会社ミナト製作所".into(),
                registration_number: "T7000012050002".into(),
                address: "東京都港区芝公園1-1-1".into(),
                bank_details: "みなと銀行 芝支店\n普通 1234567".into(),
                tax_rounding: Rounding::HalfUp,
                approval_required: true,
                fiscal_year_end: 12,
                retention_years: 10,
            },
        )]);
        let none = ChangeTenant { registration_number: " ".into(), ..change() };
        let scene = scene().when(TENANT, none).accepted();
        assert_eq!(scene.now::<Tenant>(TENANT).registration_number, "");
    }

    #[test]
    fn slugs_are_short_and_plain() {
        for good in ["abc", "a-1", &"a".repeat(40)] {
            assert!(is_slug(good), "{good}");
        }
        for bad in ["", "ab", "-ab", "ab-", "Abc", "a_b", "a b", "港区港", &"a".repeat(41)] {
            assert!(!is_slug(bad), "{bad}");
        }
    }

    #[test]
    fn every_refusal() {
        let s = refuses_bad_text(scene(), TENANT, "/company", true, 80, |company| OpenTenant { company, ..open() });
        let s = refuses_bad_text(s, TENANT, "/name", true, 80, |name| OpenTenant { name, ..open() });
        let s = s.when(TENANT, OpenTenant { slug: "Minato".into(), ..open() }).refused_at("tenant.bad_slug", "/slug");
        let s = s.when(TENANT, OpenTenant { email: "a@b".into(), ..open() }).refused_at("member.bad_email", "/email");
        let with = |password: String| OpenTenant { password, ..open() };
        let s = s.when(TENANT, with("a".repeat(14))).refused_at("member.password_too_short", "/password");
        let s = s.when(TENANT, with("a".repeat(129))).refused_at("member.password_too_long", "/password");
        let s = s.when(TENANT, with("password12345678".into())).refused_at("member.password_common", "/password");
        let s = s.when(TENANT, with("hanako-minato-26".into())).refused_at("member.password_personal", "/password");
        let s = s.when(TENANT, with("123456789012345".into())).refused_at("member.password_pattern", "/password");
        s.when(TENANT, open()).accepted().when(TENANT, open()).refused("tenant.exists");
        covered::<OpenTenant>();

        let s = refuses_bad_text(scene(), TENANT, "/name", true, 80, |name| ChangeTenant { name, ..change() });
        let s = refuses_bad_text(s, TENANT, "/address", false, 200, |address| ChangeTenant { address, ..change() });
        let s = s.when(TENANT, ChangeTenant { bank_details: "長".repeat(401), ..change() });
        let s = s.refused_at("text.too_long", "/bank_details");
        for fiscal_year_end in [0, 13] {
            let change = ChangeTenant { fiscal_year_end, ..change() };
            scene().when(TENANT, change).refused_at("tenant.bad_month", "/fiscal_year_end");
        }
        for retention_years in [0, 6, 8, 11] {
            let change = ChangeTenant { retention_years, ..change() };
            scene().when(TENANT, change).refused_at("tenant.bad_retention", "/retention_years");
        }
        let number = |number: &str| ChangeTenant { registration_number: number.into(), ..change() };
        let s = s.when(TENANT, number("T0000012050002"));
        let s = s.refused_at("registration_number.bad_format", "/registration_number");
        s.when(TENANT, number("T8000012050002"))
            .refused_at("registration_number.wrong_check_digit", "/registration_number");
        covered::<ChangeTenant>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<TenantEvent> {
        vec![
            Opened { name: "ミナト".into(), slug: "minato".into(), terms: "2026-11-01".into() }.into(),
            Changed {
                name: "株式会社ミナト製作所".into(),
                registration_number: "T7000012050002".into(),
                address: "東京都港区".into(),
                bank_details: "みなと銀行\n普通 1234567".into(),
                tax_rounding: Rounding::HalfUp,
                approval_required: true,
                fiscal_year_end: 12,
                retention_years: 10,
            }
            .into(),
        ]
    }
}
