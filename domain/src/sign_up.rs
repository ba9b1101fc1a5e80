//! Signing up (EL-15..EL-20): address, code by mail, terms, payment where one is asked for, then password and company. All
//! of it stands in the root ledger, under an id that only its own secret leads to, until the company has its own.
//!
//! Invariants: nothing but the address is personal, and it is sealed under the sign-up's own key. Every step may be repeated,
//! the company's ledger and short name are fixed once, and what ends before that leaves no company.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::money::Money;
use crate::provision::{Slug, Taken};
use crate::role::Permission;
use crate::sealed::{Person, Sealed};
use crate::tenant::is_slug;
use crate::terms::{AcceptTerms, Terms};
use crate::{events, text};

/// How long a code is good, microseconds.
pub const CODE_US: i64 = 15 * 60 * 1_000_000;
/// How long a sign-up may take, microseconds.
pub const OPEN_US: i64 = 24 * 3_600 * 1_000_000;
/// Wrong codes that are answered as such; the next one ends the sign-up.
pub const WRONG_CODES: u8 = 5;
/// Digits of a code.
pub const DIGITS: u32 = 6;

events! {
    /// What happens in a sign-up.
    SignUpEvent {
        Requested = "sign_up.requested" v 1;
        CodeIssued = "email_code.issued" v 1;
        CodeRefused = "email_code.refused" v 1;
        CodeVerified = "email_code.verified" v 1;
        PaymentRequested = "payment.requested" v 1;
        PaymentConfirmed = "payment.confirmed" v 1;
        Submitted = "sign_up.submitted" v 1;
        Provisioned = "tenant.provisioned" v 1;
    }
}

/// Somebody gave this address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Requested {
    /// Nothing but the address.
    pub person: Sealed<Person>,
    /// The sign-up ends here.
    pub expires_at_us: i64,
}

/// A code goes to the address; those before are worth nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CodeIssued {
    /// SHA-256 over the sign-up's id and the code.
    #[serde(with = "crate::event::hex32")]
    pub code_hash: [u8; 32],
    /// Good until then.
    pub expires_at_us: i64,
}

/// A wrong code was tried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CodeRefused {
    /// This one was one too many.
    pub locked: bool,
}

/// Whoever signs up reads the mails of that address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CodeVerified {}

/// The payer was sent to a provider.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PaymentRequested {
    /// Which provider.
    pub provider: String,
    /// The payment's name there.
    pub reference: String,
    /// How much.
    pub amount: Money,
}

/// The provider says that it was paid.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PaymentConfirmed {
    /// The payment's name at the provider.
    pub reference: String,
}

/// Password and company were given; which ledger and short name are the company's is fixed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Submitted {
    /// The company's ledger.
    pub tenant: Uuid,
    /// Its short name.
    pub slug: String,
}

/// The company's ledger is open and has its owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Provisioned {
    /// The company's ledger.
    pub tenant: Uuid,
}

/// State of a sign-up.
#[derive(Debug, Default)]
pub struct SignUp {
    /// The sealed address.
    pub person: Option<Sealed<Person>>,
    /// It ends here.
    pub expires_at_us: i64,
    /// The code that counts.
    pub code: Option<CodeIssued>,
    /// One wrong code too many.
    pub locked: bool,
    wrong: u8,
    /// The address was proven.
    pub verified: bool,
    /// Where the payer was sent last.
    pub payment: Option<PaymentRequested>,
    /// It was paid.
    pub paid: bool,
    /// Ledger and short name of the company.
    pub company: Option<Submitted>,
    /// The company is there.
    pub provisioned: bool,
}

impl Aggregate for SignUp {
    type Event = SignUpEvent;
    const STREAM: &'static str = "sign_up";
    fn apply(&mut self, event: SignUpEvent) {
        match event {
            SignUpEvent::Requested(e) => (self.person, self.expires_at_us) = (Some(e.person), e.expires_at_us),
            SignUpEvent::CodeIssued(e) => self.code = Some(e),
            SignUpEvent::CodeRefused(e) => (self.wrong, self.locked) = (self.wrong.saturating_add(1), e.locked),
            SignUpEvent::CodeVerified(_) => self.verified = true,
            SignUpEvent::PaymentRequested(e) => self.payment = Some(e),
            SignUpEvent::PaymentConfirmed(_) => self.paid = true,
            SignUpEvent::Submitted(e) => self.company = Some(e),
            SignUpEvent::Provisioned(_) => self.provisioned = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<SignUpEvent> {
        tests::samples()
    }
}

impl On<SignUp> {
    /// Refuses whoever is too late or tried too often. What is done stays done: a company once fixed is still finished.
    pub fn must_be_open(&self, now_us: i64) -> Result<(), Rejection> {
        if self.locked {
            return Err(Rejection::new("sign_up.locked"));
        }
        if self.company.is_none() && now_us >= self.expires_at_us {
            return Err(Rejection::new("sign_up.expired"));
        }
        Ok(())
    }

    fn must_be_verified(&self, now_us: i64) -> Result<(), Rejection> {
        self.must_be_open(now_us)?;
        if self.verified { Ok(()) } else { Err(Rejection::new("sign_up.code_first")) }
    }

    fn issue_code(&self, ctx: &mut Context) -> Emit {
        let expires_at_us = ctx.now_us + CODE_US;
        let code = ctx.world.mail_code(self.id, DIGITS, expires_at_us);
        self.emit(CodeIssued { code_hash: ctx.world.hash(&keyed(self.id, &code)), expires_at_us })
    }
}

/// A hash of six digits alone would be one of a million that anybody can list.
fn keyed(sign_up: Uuid, code: &str) -> String {
    format!("{sign_up}/{code}")
}

/// Begins a sign-up. Whether the address is known anywhere is not asked.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestSignUp {
    /// Address of the first owner.
    pub email: String,
}

impl Command for RequestSignUp {
    type On = On<SignUp>;
    const NAME: &'static str = "request_sign_up";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("sign_up.request");
    const REJECTS: &'static [&'static str] = &["member.bad_email"];
    fn decide(self, sign_up: &On<SignUp>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let email = text::email(&self.email).ok_or(Rejection::at("member.bad_email", "/email"))?;
        let person = ctx.seal(sign_up.id, &Person { email, ..Person::default() });
        let requested = sign_up.emit(Requested { person, expires_at_us: ctx.now_us + OPEN_US });
        Ok(vec![requested, sign_up.issue_code(ctx)])
    }
}

/// Sends another code.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewEmailCode {}

impl Command for RenewEmailCode {
    type On = On<SignUp>;
    const NAME: &'static str = "renew_email_code";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("sign_up.verify");
    const REJECTS: &'static [&'static str] = &["sign_up.locked", "sign_up.expired"];
    fn decide(self, sign_up: &On<SignUp>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        sign_up.must_be_open(ctx.now_us)?;
        Ok(if sign_up.verified { vec![] } else { vec![sign_up.issue_code(ctx)] })
    }
}

/// Shows that the address is one's own. A wrong code is an event, too: whether it was right is seen in the state.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyEmailCode {
    /// Six digits, as mailed; spaces and full-width digits are welcome.
    pub code: String,
}

impl Command for VerifyEmailCode {
    type On = On<SignUp>;
    const NAME: &'static str = "verify_email_code";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("sign_up.verify");
    const REJECTS: &'static [&'static str] = &["sign_up.locked", "sign_up.expired", "sign_up.code_expired"];
    fn decide(self, sign_up: &On<SignUp>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        sign_up.must_be_open(ctx.now_us)?;
        if sign_up.verified {
            return Ok(vec![]);
        }
        let current = sign_up.code.as_ref().filter(|code| ctx.now_us < code.expires_at_us);
        let current = current.ok_or(Rejection::at("sign_up.code_expired", "/code"))?;
        let digits: String = self.code.nfkc().filter(char::is_ascii_digit).collect();
        Ok(vec![match ctx.world.hash(&keyed(sign_up.id, &digits)) == current.code_hash {
            true => sign_up.emit(CodeVerified {}),
            false => sign_up.emit(CodeRefused { locked: sign_up.wrong >= WRONG_CODES }),
        }])
    }
}

/// Agrees to the texts in force, before there is a company.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptFirstTerms {
    /// SHA-256 of the terms of use that were shown, 64 hexadecimal digits.
    pub terms: String,
    /// SHA-256 of the privacy policy that was shown.
    pub privacy: String,
}

impl Command for AcceptFirstTerms {
    type On = (On<SignUp>, On<Terms>);
    const NAME: &'static str = "accept_first_terms";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("sign_up.accept");
    const REJECTS: &'static [&'static str] =
        &["sign_up.locked", "sign_up.expired", "sign_up.code_first", "terms.not_in_force"];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, target])
    }
    fn decide(self, (sign_up, terms): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        sign_up.must_be_verified(ctx.now_us)?;
        let AcceptFirstTerms { terms: shown, privacy } = self;
        AcceptTerms { terms: shown, privacy }.agree(terms, &ctx.world.texts())
    }
}

/// Writes down where the payer is sent.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestPayment {
    /// Which provider.
    pub provider: String,
    /// The payment's name there.
    pub reference: String,
    /// How much.
    pub amount: Money,
}

impl Command for RequestPayment {
    type On = (On<SignUp>, On<Terms>);
    const NAME: &'static str = "request_payment";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("sign_up.pay");
    const REJECTS: &'static [&'static str] =
        &["sign_up.locked", "sign_up.expired", "sign_up.code_first", "sign_up.terms_first", "sign_up.already_paid"];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, target])
    }
    fn decide(self, (sign_up, terms): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        sign_up.must_be_verified(ctx.now_us)?;
        if !terms.covers(&ctx.world.texts()) {
            return Err(Rejection::new("sign_up.terms_first"));
        }
        if sign_up.paid {
            return Err(Rejection::new("sign_up.already_paid"));
        }
        let RequestPayment { provider, reference, amount } = self;
        Ok(vec![sign_up.emit(PaymentRequested { provider, reference, amount })])
    }
}

/// Writes down that the provider was paid; money that came late has come all the same.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmPayment {
    /// The payment's name at the provider.
    pub reference: String,
}

impl Command for ConfirmPayment {
    type On = On<SignUp>;
    const NAME: &'static str = "confirm_payment";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("sign_up.pay");
    const REJECTS: &'static [&'static str] = &["sign_up.unknown_payment"];
    fn decide(self, sign_up: &On<SignUp>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if sign_up.payment.as_ref().is_none_or(|payment| payment.reference != self.reference) {
            return Err(Rejection::at("sign_up.unknown_payment", "/reference"));
        }
        Ok(if sign_up.paid { vec![] } else { vec![sign_up.emit(PaymentConfirmed { reference: self.reference })] })
    }
}

/// Fixes the company's ledger and short name. What a short name makes unique is its stream: of two that ask for one at
/// once, one gets it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitSignUp {
    /// The company's ledger.
    pub tenant: Uuid,
    /// Short name, checked before with the rest of the form.
    pub slug: String,
    /// Does the deployment ask for a payment?
    pub must_pay: bool,
}

impl Command for SubmitSignUp {
    type On = (On<SignUp>, On<Terms>, On<Slug>);
    const NAME: &'static str = "submit_sign_up";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("sign_up.submit");
    const REJECTS: &'static [&'static str] = &[
        "sign_up.locked", "sign_up.expired", "sign_up.code_first", "sign_up.terms_first", "sign_up.payment_first",
        "sign_up.slug_fixed", "tenant.bad_slug", "tenant.slug_taken",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, target, ctx.world.fingerprint(Slug::STREAM, &self.slug)])
    }
    fn decide(self, (sign_up, terms, slug): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        sign_up.must_be_verified(ctx.now_us)?;
        match &sign_up.company {
            Some(fixed) if fixed.slug == self.slug => return Ok(vec![]),
            Some(fixed) => return Err(Rejection::expected("sign_up.slug_fixed", "/slug", fixed.slug.as_str())),
            None => {}
        }
        if !terms.covers(&ctx.world.texts()) {
            return Err(Rejection::new("sign_up.terms_first"));
        }
        if self.must_pay && !sign_up.paid {
            return Err(Rejection::new("sign_up.payment_first"));
        }
        if !is_slug(&self.slug) {
            return Err(Rejection::at("tenant.bad_slug", "/slug"));
        }
        if slug.tenant.is_some() {
            return Err(Rejection::at("tenant.slug_taken", "/slug"));
        }
        let SubmitSignUp { tenant, slug: name, .. } = self;
        Ok(vec![slug.emit(Taken { tenant, slug: name.clone() }), sign_up.emit(Submitted { tenant, slug: name })])
    }
}

/// Writes down that the company is there.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvisionTenant {}

impl Command for ProvisionTenant {
    type On = On<SignUp>;
    const NAME: &'static str = "provision_tenant";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("sign_up.provision");
    const REJECTS: &'static [&'static str] = &["sign_up.not_submitted"];
    fn decide(self, sign_up: &On<SignUp>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let Some(company) = &sign_up.company else { return Err(Rejection::new("sign_up.not_submitted")) };
        let provisioned = Provisioned { tenant: company.tenant };
        Ok(if sign_up.provisioned { vec![] } else { vec![sign_up.emit(provisioned)] })
    }
}

#[cfg(test)]
mod tests;
