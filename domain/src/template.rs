//! Templates: named presets of documents. A draft that is made from one holds its values from then on; what becomes of the
//! template later changes no document.
//!
//! Texts may hold placeholders ([`PLACEHOLDERS`]), filled in from the document's date. What is filled in is never longer than
//! its placeholder, so a text that fits here fits in the document.
//!
//! What makes a create unique: nothing but its id; people may call two templates the same.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::Date;
use crate::document::{Document, DocumentType, Drafted, Head, Line, LineInput, compute};
use crate::money::Rounding;
use crate::role::Permission;
use crate::{events, text};

/// What texts of a template may hold in braces, beside the year and the month of the document's date.
pub const PLACEHOLDERS: [&str; 7] =
    ["year", "month", "day", "prev_month", "prev_month_year", "next_month", "next_month_year"];
/// Most days until a document of a template is due.
pub const DUE_DAYS_MAX: u16 = 365;

events! {
    /// What happens to a template.
    TemplateEvent {
        Defined = "template.defined" v 1;
        Changed = "template.changed" v 1;
        Archived = "template.archived" v 1;
    }
}

/// What a document is made from. Part of events: frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Preset {
    /// What people call it.
    pub name: String,
    /// Never changes.
    pub document_type: DocumentType,
    /// Subject line, with placeholders.
    pub title: String,
    /// With placeholders; may be empty.
    pub note: String,
    /// On a receipt, for what; may be empty.
    pub proviso: String,
    /// A receipt's frame for the revenue stamp.
    pub has_tax_stamp: bool,
    /// The frame for the seal.
    pub has_hanko: bool,
    /// Days from the document's date until it is due; `None` = it has no such day.
    pub due_days: Option<u16>,
    /// Of tax and of lines; `None` = the company's own on that day.
    pub tax_rounding: Option<Rounding>,
    /// Descriptions with placeholders. Amounts as the lines come to by this rounding, else rounded down.
    pub lines: Vec<Line>,
}

impl Preset {
    /// A draft for somebody, on a day.
    pub fn draft(&self, client_id: Uuid, date: Date, company: Rounding) -> Result<Drafted, Rejection> {
        let tax_rounding = self.tax_rounding.unwrap_or(company);
        let lines = self.lines.iter().map(LineInput::from);
        let lines = lines.map(|line| LineInput { description: fill(&line.description, date), ..line });
        let here = |refused: Rejection| Rejection::at(refused.code, "/template_id");
        let body = compute(&lines.collect::<Vec<_>>(), None, tax_rounding).map_err(here)?;
        let head = Head {
            client_id,
            title: fill(&self.title, date),
            date,
            date_due: self.due_days.map(|days| date.plus(i32::from(days))),
            note: fill(&self.note, date),
            proviso: self.proviso.clone(),
            has_tax_stamp: self.has_tax_stamp,
            has_hanko: self.has_hanko,
        };
        Ok(Drafted { document_type: self.document_type, origin: None, head, tax_rounding, body })
    }
}

/// A text with its placeholders filled in.
pub fn fill(text: &str, date: Date) -> String {
    let (year, month, day) = date.ymd();
    let other = |by: i32| {
        let months = year * 12 + month as i32 - 1 + by;
        (months.div_euclid(12), months.rem_euclid(12) + 1)
    };
    let ((prev_year, prev), (next_year, next)) = (other(-1), other(1));
    let values = [year, month as i32, day as i32, prev, prev_year, next, next_year];
    let named = PLACEHOLDERS.iter().zip(values);
    named.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), &value.to_string()))
}

/// Refuses braces that are no placeholder.
fn known(text: String, pointer: &str) -> Result<String, Rejection> {
    let rest = PLACEHOLDERS.iter().fold(text.clone(), |text, name| text.replace(&format!("{{{name}}}"), ""));
    if rest.contains(['{', '}']) { Err(Rejection::at("template.unknown_placeholder", pointer)) } else { Ok(text) }
}

/// A new template.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Defined {
    /// As written.
    pub preset: Preset,
}

/// Everything after the change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// As written.
    pub preset: Preset,
}

/// No new documents from it; the history stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Archived {}

/// State of a template.
#[derive(Debug, Default)]
pub struct Template {
    /// `None` before anything happened.
    pub preset: Option<Preset>,
    /// No new documents from it.
    pub archived: bool,
}

impl Aggregate for Template {
    type Event = TemplateEvent;
    const STREAM: &'static str = "template";
    fn apply(&mut self, event: TemplateEvent) {
        match event {
            TemplateEvent::Defined(Defined { preset }) | TemplateEvent::Changed(Changed { preset }) => {
                self.preset = Some(preset);
            }
            TemplateEvent::Archived(_) => self.archived = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<TemplateEvent> {
        tests::samples()
    }
}

impl On<Template> {
    fn live(&self) -> Result<&Preset, Rejection> {
        let preset = self.preset.as_ref().ok_or(Rejection::new("template.unknown"))?;
        if self.archived { Err(Rejection::new("template.archived")) } else { Ok(preset) }
    }

    /// For a document: what it is made from, refused at `/template_id` where nothing may be.
    pub fn usable(&self) -> Result<&Preset, Rejection> {
        let preset = self.preset.as_ref().ok_or(Rejection::at("document.unknown_template", "/template_id"))?;
        if self.archived { Err(Rejection::at("document.template_archived", "/template_id")) } else { Ok(preset) }
    }
}

/// A new template. `title`, `note` and the lines' descriptions may hold `{year}`, `{month}`, `{day}`, `{prev_month}`,
/// `{prev_month_year}`, `{next_month}` and `{next_month_year}` of the document's date.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefineTemplate {
    /// What people call it, at most 60 characters.
    pub name: String,
    /// Never changes.
    pub document_type: DocumentType,
    /// Subject line, at most 80 characters.
    pub title: String,
    /// As printed, at most 400 characters.
    #[serde(default)]
    pub note: String,
    /// On a receipt, for what; at most 80 characters.
    #[serde(default)]
    pub proviso: String,
    /// A receipt's frame for the revenue stamp.
    #[serde(default)]
    pub has_tax_stamp: bool,
    /// The frame for the seal.
    #[serde(default)]
    pub has_hanko: bool,
    /// Days from the document's date until it is due, at most 365.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub due_days: Option<u16>,
    /// Of tax and of lines; the company's own if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub tax_rounding: Option<Rounding>,
    /// At most 100.
    pub lines: Vec<LineInput>,
}

impl DefineTemplate {
    fn check(self) -> Result<Preset, Rejection> {
        if self.due_days.is_some_and(|days| days > DUE_DAYS_MAX) {
            return Err(Rejection::at("template.bad_due_days", "/due_days"));
        }
        let lines = compute(&self.lines, None, self.tax_rounding.unwrap_or_default())?.lines;
        let lines = lines.into_iter().enumerate().map(|(n, line)| {
            let description = known(line.description.clone(), &format!("/lines/{n}/description"))?;
            Ok(Line { description, ..line })
        });
        Ok(Preset {
            lines: lines.collect::<Result<_, Rejection>>()?,
            name: text::line(&self.name, "/name", 60)?,
            document_type: self.document_type,
            title: known(text::line(&self.title, "/title", 80)?, "/title")?,
            note: known(text::prose(&self.note, "/note", 400)?, "/note")?,
            proviso: text::optional_line(&self.proviso, "/proviso", 80)?,
            has_tax_stamp: self.has_tax_stamp,
            has_hanko: self.has_hanko,
            due_days: self.due_days,
            tax_rounding: self.tax_rounding,
        })
    }
}

impl Command for DefineTemplate {
    type On = On<Template>;
    const NAME: &'static str = "define_template";
    const ROUTE: Route = Route::create("/v1/templates");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &[
        "template.unknown_placeholder", "template.bad_due_days", "document.too_many_lines", "document.negative_total",
        "money.bad_decimal", "money.overflow", "tax.mixed_inclusion", "text.required", "text.too_long",
        "text.control_character",
    ];
    fn decide(self, template: &On<Template>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        Ok(vec![template.emit(Defined { preset: self.check()? })])
    }
}

/// Replaces a template. Its type stays; documents that were made from it stay as they are.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct ChangeTemplate(pub DefineTemplate);

impl Command for ChangeTemplate {
    type On = On<Template>;
    const NAME: &'static str = "change_template";
    const ROUTE: Route = Route::put("/v1/templates/{id}");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &[
        "template.unknown", "template.archived", "template.other_type", "template.unknown_placeholder",
        "template.bad_due_days", "document.too_many_lines", "document.negative_total", "money.bad_decimal",
        "money.overflow", "tax.mixed_inclusion", "text.required", "text.too_long", "text.control_character",
    ];
    fn decide(self, template: &On<Template>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let before = template.live()?;
        if self.0.document_type != before.document_type {
            let right = before.document_type.name();
            return Err(Rejection::expected("template.other_type", "/document_type", right));
        }
        let preset = self.0.check()?;
        Ok(if preset == *before { vec![] } else { vec![template.emit(Changed { preset })] })
    }
}

/// Takes a template out of use; documents that were made from it stay.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveTemplate {}

impl Command for ArchiveTemplate {
    type On = On<Template>;
    const NAME: &'static str = "archive_template";
    const ROUTE: Route = Route::post("/v1/templates/{id}/archive");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &["template.unknown", "template.archived"];
    fn decide(self, template: &On<Template>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        template.live()?;
        Ok(vec![template.emit(Archived {})])
    }
}

/// Saves a document as a template: everything but its client and its dates, of which the days until it is due remain.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveAsTemplate {
    /// Which.
    pub document_id: Uuid,
    /// What people will call it, at most 60 characters.
    pub name: String,
}

impl Command for SaveAsTemplate {
    type On = (On<Template>, On<Document>);
    const NAME: &'static str = "save_as_template";
    const ROUTE: Route = Route::create("/v1/templates/from_document");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &[
        "template.unknown_document", "template.unknown_placeholder", "text.required", "text.too_long",
        "text.control_character",
    ];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.document_id])
    }
    fn decide(self, (template, document): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let unknown = Rejection::at("template.unknown_document", "/document_id");
        let Drafted { document_type, head, tax_rounding, body, .. } = document.draft.as_ref().ok_or(unknown)?;
        for text in [&head.title, &head.note].into_iter().chain(body.lines.iter().map(|line| &line.description)) {
            known(text.clone(), "/document_id")?;
        }
        let days = head.date_due.and_then(|due| u16::try_from(due.0 - head.date.0).ok());
        let preset = Preset {
            name: text::line(&self.name, "/name", 60)?,
            document_type: *document_type,
            title: head.title.clone(),
            note: head.note.clone(),
            proviso: head.proviso.clone(),
            has_tax_stamp: head.has_tax_stamp,
            has_hanko: head.has_hanko,
            due_days: days.filter(|days| *days <= DUE_DAYS_MAX),
            tax_rounding: Some(*tax_rounding),
            lines: body.lines.clone(),
        };
        Ok(vec![template.emit(Defined { preset })])
    }
}
