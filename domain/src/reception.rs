//! The reception: what a company's kiosks ask of visitors, in which order and words, what visitors agree to, and which of
//! the kiosks' ways are open (RN-C22). The stream's id is the company's. As long as nobody changed anything, kiosks ask
//! whoever was not expected for their name, and for company and purpose if they like.
//!
//! What a visitor answers is sealed with the visitor: see [`Answers`].

mod answer;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::answer::*;
use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::member::Member;
use crate::role::Permission;
use crate::{codes, events, text};

/// Most questions of one reception.
pub const QUESTIONS_MAX: usize = 20;
/// Most choices of one question.
pub const CHOICES_MAX: usize = 10;
/// Most members whose names kiosks may show one by one.
pub const HOSTS_MAX: usize = 200;
/// Most people whom one visitor brings along, themselves included.
pub const PEOPLE_MAX: u32 = 99;

codes! {
    /// What a question is about: five that every reception knows, and three kinds of a company's own.
    Field {
        /// The visitor's name.
        Name = 1 "name",
        /// Where they come from.
        Company = 2 "company",
        /// What they come for.
        Purpose = 3 "purpose",
        /// Whom they come to see.
        Host = 4 "host",
        /// How many they are.
        People = 5 "people",
        /// One line in their own words.
        Text = 6 "text",
        /// One of several.
        Choice = 7 "choice",
        /// Yes or no.
        YesNo = 8 "yes_no",
    }
}

impl Field {
    /// A company's own question, of which there may be several.
    pub fn is_own(self) -> bool {
        matches!(self, Field::Text | Field::Choice | Field::YesNo)
    }

    /// What it is called where the company does not say.
    fn words(self) -> Words {
        let (ja, en) = match self {
            Field::Name => ("お名前", "Name"),
            Field::Company => ("会社名", "Company"),
            Field::Purpose => ("ご用件", "Purpose"),
            Field::Host => ("訪問先", "Person to see"),
            Field::People => ("人数", "Number of people"),
            Field::Text | Field::Choice | Field::YesNo => ("", ""),
        };
        Words { ja: ja.into(), en: en.into() }
    }
}

codes! {
    /// Whose names a kiosk may show to whoever looks for the person to see.
    HostNames {
        /// Nobody's.
        Nobody = 1 "nobody",
        /// Those of chosen members.
        Chosen = 2 "chosen",
        /// Those of all members.
        Everybody = 3 "everybody",
    }
}

events! {
    /// What happens to a reception.
    ReceptionEvent {
        Changed = "reception.changed" v 1;
    }
}

/// The same in both languages. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Words {
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

/// One question. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Question {
    /// What it is about.
    pub field: Field,
    /// How it is put; each question of a reception in words of its own.
    pub label: Words,
    /// What one chooses from; empty for other kinds.
    pub choices: Vec<Words>,
    /// Asked of whoever was not expected.
    pub walk_in: bool,
    /// Asked of whoever was expected, after their code was found good.
    pub check_in: bool,
    /// Nobody comes in without an answer.
    pub required: bool,
}

/// What visitors agree to. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Consent {
    /// The text.
    pub words: Words,
    /// SHA-256 of the Japanese text, a line feed and the English text: by it a check-in says what was agreed to.
    #[serde(with = "crate::event::hex32")]
    pub hash: [u8; 32],
}

/// The reception after the change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// In the order in which they are asked.
    pub questions: Vec<Question>,
    /// Asked before anybody comes in; `None` = nothing is.
    pub consent: Option<Consent>,
    /// Whoever was not expected can write themselves down.
    pub walk_ins: bool,
    /// Visitors check out at the kiosk.
    pub check_outs: bool,
    /// Whose names kiosks may show.
    pub hosts: HostNames,
    /// Of [`HostNames::Chosen`], sorted.
    pub shown_hosts: Vec<Uuid>,
}

/// State of a reception.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reception(pub Changed);

impl Default for Reception {
    fn default() -> Reception {
        let asked = |field: Field, required| Question {
            field,
            label: field.words(),
            choices: vec![],
            walk_in: true,
            check_in: false,
            required,
        };
        let questions = vec![asked(Field::Name, true), asked(Field::Company, false), asked(Field::Purpose, false)];
        let (hosts, shown_hosts) = (HostNames::Nobody, vec![]);
        Reception(Changed { questions, consent: None, walk_ins: true, check_outs: true, hosts, shown_hosts })
    }
}

impl Aggregate for Reception {
    type Event = ReceptionEvent;
    const STREAM: &'static str = "reception";
    const LAST: bool = true;
    fn apply(&mut self, event: ReceptionEvent) {
        let ReceptionEvent::Changed(e) = event;
        self.0 = e;
    }
    #[cfg(test)]
    fn samples() -> Vec<ReceptionEvent> {
        tests::samples()
    }
}

/// The same in both languages, as sent.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenWords {
    /// Japanese.
    #[serde(default)]
    pub ja: String,
    /// English.
    #[serde(default)]
    pub en: String,
}

/// One question, as sent.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenQuestion {
    /// What it is about.
    pub field: Field,
    /// How it is put, at most 80 characters in each language. Questions that every reception knows have words of their own.
    #[serde(default)]
    pub label: GivenWords,
    /// Two to ten to choose from, at most 80 characters each, in both languages.
    #[serde(default)]
    pub choices: Vec<GivenWords>,
    /// Asked of whoever was not expected.
    #[serde(default)]
    pub walk_in: bool,
    /// Asked of whoever was expected.
    #[serde(default)]
    pub check_in: bool,
    /// Nobody comes in without an answer.
    #[serde(default)]
    pub required: bool,
}

/// Replaces what kiosks ask, and which of their ways are open. They follow at their next screen.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeReception {
    /// In the order in which they are asked, at most 20.
    #[serde(default)]
    pub questions: Vec<GivenQuestion>,
    /// What visitors agree to before they come in, at most 4000 characters in each language; absent = nothing.
    #[serde(default)]
    pub consent: GivenWords,
    /// Whoever was not expected can write themselves down; absent = no.
    #[serde(default)]
    pub walk_ins: bool,
    /// Visitors check out at the kiosk; absent = no.
    #[serde(default)]
    pub check_outs: bool,
    /// Whose names kiosks may show to whoever looks for the person to see.
    pub hosts: HostNames,
    /// Of `chosen`: members, at most 200.
    #[serde(default)]
    pub shown_hosts: Vec<Uuid>,
}

impl GivenWords {
    /// One line in each language, or none in both.
    fn line(&self, pointer: &str) -> Result<Words, Rejection> {
        let ja = text::optional_line(&self.ja, &format!("{pointer}/ja"), 80)?;
        Ok(Words { ja, en: text::optional_line(&self.en, &format!("{pointer}/en"), 80)? })
    }
}

impl Words {
    fn is_empty(&self) -> bool {
        self.ja.is_empty() && self.en.is_empty()
    }

    /// Both languages, or where one is missing.
    fn whole(self, pointer: &str) -> Result<Words, Rejection> {
        match (self.ja.is_empty(), self.en.is_empty()) {
            (true, _) => Err(Rejection::at("text.required", format!("{pointer}/ja"))),
            (_, true) => Err(Rejection::at("text.required", format!("{pointer}/en"))),
            _ => Ok(self),
        }
    }
}

impl GivenQuestion {
    fn check(&self, pointer: &str) -> Result<Question, Rejection> {
        let label = self.label.line(&format!("{pointer}/label"))?;
        let label = if label.is_empty() { self.field.words() } else { label }.whole(&format!("{pointer}/label"))?;
        let allowed = if self.field == Field::Choice { 2..=CHOICES_MAX } else { 0..=0 };
        if !allowed.contains(&self.choices.len()) {
            return Err(Rejection::at("reception.bad_choices", format!("{pointer}/choices")));
        }
        let mut choices: Vec<Words> = vec![];
        for (n, choice) in self.choices.iter().enumerate() {
            let pointer = format!("{pointer}/choices/{n}");
            let choice = choice.line(&pointer)?.whole(&pointer)?;
            if choices.iter().any(|other| other.ja == choice.ja || other.en == choice.en) {
                return Err(Rejection::at("reception.bad_choices", pointer));
            }
            choices.push(choice);
        }
        if self.check_in && self.field == Field::Host {
            return Err(Rejection::at("reception.host_is_known", format!("{pointer}/check_in")));
        }
        let Self { field, walk_in, check_in, required, .. } = *self;
        Ok(Question { field, label, choices, walk_in, check_in, required })
    }
}

impl ChangeReception {
    fn questions(&self) -> Result<Vec<Question>, Rejection> {
        if self.questions.len() > QUESTIONS_MAX {
            return Err(Rejection::at("reception.too_many_questions", "/questions"));
        }
        let mut questions: Vec<Question> = vec![];
        for (n, given) in self.questions.iter().enumerate() {
            let pointer = format!("/questions/{n}");
            let question = given.check(&pointer)?;
            let same = |other: &Question| {
                !question.field.is_own() && other.field == question.field || other.label.ja == question.label.ja
            };
            if questions.iter().any(same) {
                return Err(Rejection::at("reception.same_question", format!("{pointer}/label")));
            }
            questions.push(question);
        }
        let names = |q: &Question| q.field == Field::Name && q.walk_in && q.required;
        if self.walk_ins && !questions.iter().any(names) {
            return Err(Rejection::at("reception.name_required", "/questions"));
        }
        Ok(questions)
    }

    fn consent(&self, ctx: &mut Context) -> Result<Option<Consent>, Rejection> {
        let ja = text::prose(&self.consent.ja, "/consent/ja", 4_000)?;
        let words = Words { ja, en: text::prose(&self.consent.en, "/consent/en", 4_000)? };
        if words.is_empty() {
            return Ok(None);
        }
        let words = words.whole("/consent")?;
        let hash = ctx.world.hash(&format!("{}\n{}", words.ja, words.en));
        Ok(Some(Consent { words, hash }))
    }
}

impl Command for ChangeReception {
    type On = (On<Reception>, Vec<On<Member>>);
    const NAME: &'static str = "change_reception";
    const ROUTE: Route = Route::post("/v1/reception");
    const PERMISSION: Permission = Permission("reception.change");
    const REJECTS: &'static [&'static str] = &[
        "reception.too_many_questions", "reception.same_question", "reception.bad_choices", "reception.host_is_known",
        "reception.name_required", "reception.too_many_hosts", "visit.unknown_host", "text.required", "text.too_long",
        "text.control_character",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        if self.shown_hosts.len() > HOSTS_MAX {
            return Err(Rejection::at("reception.too_many_hosts", "/shown_hosts"));
        }
        let mut hosts = self.shown_hosts.clone();
        hosts.sort();
        hosts.dedup();
        Ok([ctx.tenant].into_iter().chain(hosts).collect())
    }
    fn decide(self, (reception, hosts): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if let Some(unknown) = hosts.iter().find(|host| !host.exists()) {
            let at = self.shown_hosts.iter().position(|id| *id == unknown.id).unwrap_or_default();
            return Err(Rejection::at("visit.unknown_host", format!("/shown_hosts/{at}")));
        }
        let (questions, consent) = (self.questions()?, self.consent(ctx)?);
        let shown_hosts = hosts.iter().filter(|_| self.hosts == HostNames::Chosen).map(|host| host.id).collect();
        let (walk_ins, check_outs, hosts) = (self.walk_ins, self.check_outs, self.hosts);
        let after = Changed { questions, consent, walk_ins, check_outs, hosts, shown_hosts };
        if after == reception.0 { Ok(vec![]) } else { Ok(vec![reception.emit(after)]) }
    }
}
