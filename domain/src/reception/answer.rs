//! What visitors answer, and what they agree to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Field, HostNames, PEOPLE_MAX, Question, Reception, Words};
use crate::command::Rejection;
use crate::sealed::Personal;
use crate::text;

/// Longest answer in one's own words, in characters.
const ANSWER_MAX: usize = 200;

/// A visitor's answers. Each has the question as it was put then, so a later change rewrites no answer.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Answers {
    /// In the order in which they were asked; what was left out is missing.
    pub answers: Vec<Answer>,
}

impl Personal for Answers {
    const CLASS: &'static str = "answers";
}

/// One answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Answer {
    /// As it was put.
    pub question: Words,
    /// As it was given; in one's own words the same in both languages.
    pub answer: Words,
}

/// What somebody agreed to. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Agreed {
    /// Which text: see [`super::Consent`].
    #[serde(with = "crate::event::hex32")]
    pub text_hash: [u8; 32],
}

/// One answer, as sent.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenAnswer {
    /// The question's Japanese words.
    pub question: String,
    /// The answer: a line of at most 200 characters; of a choice its Japanese words; `yes` or `no`; a number of people.
    #[serde(default)]
    pub answer: String,
}

/// When a question is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Of whoever was not expected. What every reception knows has fields of its own there.
    WalkIn,
    /// Of whoever was expected.
    CheckIn,
}

impl Question {
    /// Is its answer among [`Answers`] then?
    pub fn is_answered(&self, asked: Asked) -> bool {
        match asked {
            Asked::WalkIn => self.walk_in && self.field.is_own(),
            Asked::CheckIn => self.check_in,
        }
    }

    /// The answer as it is kept; `None` where there is none.
    fn answer(&self, given: &str, pointer: &str) -> Result<Option<Answer>, Rejection> {
        let given = text::optional_line(given, pointer, ANSWER_MAX)?;
        if given.is_empty() {
            return if self.required { Err(required(pointer)) } else { Ok(None) };
        }
        let bad = || Rejection::at("reception.bad_answer", pointer);
        let answer = match self.field {
            Field::Choice => self.choices.iter().find(|choice| choice.ja == given).ok_or_else(bad)?.clone(),
            Field::YesNo => match given.as_str() {
                "yes" => Words { ja: "はい".into(), en: "Yes".into() },
                "no" => Words { ja: "いいえ".into(), en: "No".into() },
                _ => return Err(bad()),
            },
            Field::People => {
                let people = text::compatible(&given).parse().ok().filter(|n| (1..=PEOPLE_MAX).contains(n));
                let people: String = people.ok_or_else(bad)?.to_string();
                Words { ja: people.clone(), en: people }
            }
            Field::Name | Field::Company | Field::Purpose | Field::Host | Field::Text => {
                Words { ja: given.clone(), en: given }
            }
        };
        Ok(Some(Answer { question: self.label.clone(), answer }))
    }
}

fn required(pointer: &str) -> Rejection {
    Rejection::at("reception.answer_required", pointer)
}

impl Reception {
    /// What was answered, held against what is asked now. The pointer of a fault is where the page has the question: its
    /// place among those that are asked then.
    pub fn answers(&self, asked: Asked, given: &[GivenAnswer]) -> Result<Option<Answers>, Rejection> {
        let questions: Vec<&Question> = self.0.questions.iter().filter(|q| q.is_answered(asked)).collect();
        for (n, answer) in given.iter().enumerate() {
            if !questions.iter().any(|q| q.label.ja == answer.question) {
                return Err(Rejection::at("reception.unknown_question", format!("/answers/{n}/question")));
            }
        }
        let mut answers = vec![];
        for (n, question) in questions.into_iter().enumerate() {
            let given = given.iter().find(|answer| answer.question == question.label.ja);
            let answer = given.map_or("", |given| given.answer.as_str());
            answers.extend(question.answer(answer, &format!("/answers/{n}/answer"))?);
        }
        Ok((!answers.is_empty()).then_some(Answers { answers }))
    }

    /// What was agreed to, where that is asked: `given` are the text's 64 hex digits.
    pub fn agreed(&self, given: &str) -> Result<Option<Agreed>, Rejection> {
        let given = text::optional_line(given, "/consent", 64)?;
        let Some(consent) = &self.0.consent else { return Ok(None) };
        if given.is_empty() {
            return Err(Rejection::at("reception.consent_required", "/consent"));
        }
        let hash: String = consent.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        if given != hash {
            return Err(Rejection::at("reception.consent_changed", "/consent"));
        }
        Ok(Some(Agreed { text_hash: consent.hash }))
    }

    /// Must a walk-in say this?
    pub fn demands(&self, field: Field) -> bool {
        self.0.questions.iter().any(|q| q.field == field && q.walk_in && q.required)
    }

    /// Refuses a walk-in that says nothing where something must be said.
    pub fn must_be_filled(&self, field: Field, is_filled: bool, pointer: &str) -> Result<(), Rejection> {
        if self.demands(field) && !is_filled { Err(required(pointer)) } else { Ok(()) }
    }

    /// May kiosks show this member's name?
    pub fn shows(&self, member: Uuid) -> bool {
        match self.0.hosts {
            HostNames::Nobody => false,
            HostNames::Chosen => self.0.shown_hosts.contains(&member),
            HostNames::Everybody => true,
        }
    }
}
