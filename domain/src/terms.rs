//! Terms of use and privacy policy: which text somebody agreed to, by version and SHA-256 of the very text that was shown
//! (EL-57, MN-06, FM-31). The stream's id is that of a sign-up, and later of the company.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::{codes, events};

codes! {
    /// What is agreed to.
    TextName {
        /// Terms of use.
        Terms = 1 "terms",
        /// Privacy policy.
        Privacy = 2 "privacy",
    }
}

/// A text that the deployment shows, in one language.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Text {
    /// Which one.
    pub name: TextName,
    /// As the text names it; the same in every language.
    pub version: String,
    /// `ja`, `en`.
    pub lang: String,
    /// Of the text's bytes.
    #[serde(with = "crate::event::hex32")]
    pub sha256: [u8; 32],
}

events! {
    /// What happens to an agreement.
    TermsEvent {
        Accepted = "terms.accepted" v 1;
    }
}

/// Somebody who speaks for the company agreed to these texts, which were shown to them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Accepted {
    /// Terms and privacy policy.
    pub texts: Vec<Text>,
}

/// State of an agreement.
#[derive(Debug, Default)]
pub struct Terms {
    /// The texts that were agreed to last.
    pub accepted: Vec<Text>,
}

impl Aggregate for Terms {
    type Event = TermsEvent;
    const STREAM: &'static str = "terms";
    fn apply(&mut self, event: TermsEvent) {
        let TermsEvent::Accepted(e) = event;
        self.accepted = e.texts;
    }
    #[cfg(test)]
    fn samples() -> Vec<TermsEvent> {
        tests::samples()
    }
}

impl Terms {
    /// Was every text in force agreed to, in whatever language?
    pub fn covers(&self, in_force: &[Text]) -> bool {
        let agreed = |text: &Text| self.accepted.iter().any(|a| (a.name, &a.version) == (text.name, &text.version));
        in_force.iter().all(agreed)
    }
}

/// Agrees to the texts in force, each named by the SHA-256 of what was shown. Texts that were replaced meanwhile are not
/// agreed to.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptTerms {
    /// SHA-256 of the terms of use, 64 hexadecimal digits.
    pub terms: String,
    /// SHA-256 of the privacy policy.
    pub privacy: String,
}

impl AcceptTerms {
    /// What agreeing comes to; nothing if it was agreed to before.
    pub fn agree(&self, terms: &On<Terms>, in_force: &[Text]) -> Result<Vec<Emit>, Rejection> {
        let named = |name: TextName, hash: &str, pointer: &str| {
            let shown = |text: &&Text| text.name == name && hex(&text.sha256) == hash;
            in_force.iter().find(shown).cloned().ok_or_else(|| Rejection::at("terms.not_in_force", pointer))
        };
        let texts =
            vec![named(TextName::Terms, &self.terms, "/terms")?, named(TextName::Privacy, &self.privacy, "/privacy")?];
        let known = terms.covers(&texts);
        Ok(if known { vec![] } else { vec![terms.emit(Accepted { texts })] })
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Command for AcceptTerms {
    type On = On<Terms>;
    const NAME: &'static str = "accept_terms";
    const ROUTE: Route = Route::post("/v1/terms/accept");
    const PERMISSION: Permission = Permission("terms.accept");
    const REJECTS: &'static [&'static str] = &["terms.not_in_force"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![ctx.tenant])
    }
    fn decide(self, terms: &On<Terms>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        self.agree(terms, &ctx.world.texts())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testing::*;

    /// Agrees to the English texts of the test world.
    pub fn accept() -> AcceptTerms {
        AcceptTerms { terms: hex(&hash("terms en 2")), privacy: hex(&hash("privacy en 2")) }
    }

    /// What that comes to.
    pub fn accepted() -> Accepted {
        Accepted { texts: texts("2").into_iter().filter(|text| text.lang == "en").collect() }
    }

    #[test]
    fn el_57_an_agreement_names_version_and_hash_of_what_was_shown() {
        let scene = scene().when(TENANT, accept()).then([emit::<Terms>(TENANT, accepted())]);
        assert!(scene.now::<Terms>(TENANT).covers(&texts("2")));
        scene.when(TENANT, accept()).then([]);
    }

    #[test]
    fn el_57_a_new_version_waits_for_a_new_agreement() {
        let old = Accepted { texts: texts("1").into_iter().filter(|text| text.lang == "ja").collect() };
        let scene = scene().given::<Terms>(TENANT, old);
        let terms = scene.now::<Terms>(TENANT);
        assert!(terms.covers(&texts("1")) && !terms.covers(&texts("2")));
        scene.when(TENANT, accept()).then([emit::<Terms>(TENANT, accepted())]);
    }

    #[test]
    fn every_refusal() {
        let replaced = AcceptTerms { terms: hex(&hash("terms en 1")), ..accept() };
        let s = scene().when(TENANT, replaced).refused_at("terms.not_in_force", "/terms");
        let crossed = AcceptTerms { privacy: accept().terms, ..accept() };
        s.when(TENANT, crossed).refused_at("terms.not_in_force", "/privacy");
        covered::<AcceptTerms>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<TermsEvent> {
        let text = |name, byte| Text { name, version: "2026-11-22".into(), lang: "ja".into(), sha256: [byte; 32] };
        vec![Accepted { texts: vec![text(TextName::Terms, 1), text(TextName::Privacy, 2)] }.into()]
    }
}
