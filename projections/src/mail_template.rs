//! The company's own words of mails. Every wording is kept with the position from which it holds: a mail has the words that were
//! in force when the record that asked for it was written.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::mail_template::{MailKind, MailTemplate, MailTemplateEvent, Variable, Wording};
use keiin_domain::role::Permission;
use keiin_domain::visit::VisitorLanguage;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Kind, OURS, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Json, Row, Seen, Time, col, json};

/// One row a wording, with the position from which it holds.
pub static MAIL_TEMPLATES: Table = Table {
    name: "mail_templates",
    key: &[int("position")],
    columns: &[blob("id"), text("kind"), text("language"), text("wording"), int("set_at")],
    indexes: &["kind, language, position"],
    only_grows: true,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "mail_template", revision: 1, tables: &[&MAIL_TEMPLATES], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != MailTemplate::STREAM {
        return Ok(());
    }
    let (kind, language, wording) = match fact.read()? {
        MailTemplateEvent::Set(e) => {
            (e.kind, e.language, Some(json(&Wording { subject: e.subject_line, text: e.text })))
        }
        MailTemplateEvent::Cleared(e) => (e.kind, e.language, None),
    };
    let columns = [
        ("id", fact.id()),
        ("kind", cell(kind.name())),
        ("language", cell(language.name())),
        ("wording", cell(wording)),
        ("set_at", cell(fact.time_us())),
    ];
    out.put(&MAIL_TEMPLATES, [cell(fact.leaf.position)], columns);
    Ok(())
}

/// Words of a mail in one language.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MailTemplateView {
    /// Kind and language: `delivery-ja`.
    pub id: String,
    /// `delivery`, `delivery_again`, `inbox`, `visit_pass`, `visit_changed`, `visit_reminder` or `visit_cancelled`.
    pub kind: String,
    /// `ja` or `en`.
    pub language: String,
    /// Did the company write it?
    pub is_own: bool,
    /// Since when it is as it is, if the company ever wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Subject line that is in force, with names in braces.
    pub subject: String,
    /// Text that is in force, with names in braces.
    pub text: String,
    /// What it says where a company wrote nothing.
    pub standard: WordingView,
    /// With what its names stand for in an example.
    pub example: WordingView,
    /// What may stand in braces.
    pub variables: Vec<VariableView>,
}

/// Words.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WordingView {
    /// Subject line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

impl From<Wording> for WordingView {
    fn from(Wording { subject, text }: Wording) -> Self {
        WordingView { subject, text }
    }
}

/// A name that may stand in braces.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VariableView {
    /// As it is written between the braces.
    pub name: String,
    /// What it stands for.
    pub meaning: Meaning,
    /// For example.
    pub example: String,
    /// Must it be in the text?
    pub is_required: bool,
    /// May it be in the subject?
    pub in_subject: bool,
}

/// In each language.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Meaning {
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

/// A wording with example values, for a look at it before it is kept. The company is the one that asks.
pub fn example(read: &Read, who: &Who, language: VisitorLanguage, wording: &Wording) -> Result<Wording, Refusal> {
    let sql = format!("SELECT name FROM tenants t WHERE {OURS}");
    let company: Option<String> = read.rows(who, &sql, vec![], |row| col(row, "name"))?.pop();
    let (subject, text) = wording.fill(|name| match (name, &company) {
        ("company", Some(company)) => company.clone(),
        _ => word(read, &format!("mail-example-{name}"), language),
    });
    Ok(Wording { subject, text })
}

/// A text of the server's; nothing where there is no server around the read models.
fn word(read: &Read, key: &str, language: VisitorLanguage) -> String {
    read.beside.as_ref().map(|server| server.word(key, language)).unwrap_or_default()
}

fn variable(read: &Read, language: VisitorLanguage, variable: &Variable) -> VariableView {
    let meaning = |language| word(read, &format!("mail-variable-{}", variable.name), language);
    VariableView {
        name: variable.name.to_owned(),
        meaning: Meaning { ja: meaning(VisitorLanguage::Ja), en: meaning(VisitorLanguage::En) },
        example: word(read, &format!("mail-example-{}", variable.name), language),
        is_required: variable.is_required,
        in_subject: variable.in_subject,
    }
}

/// What the company says now in a mail, if it says it in its own words.
pub fn own(read: &Read, who: &Who, kind: MailKind, language: VisitorLanguage) -> Result<Option<Wording>, Refusal> {
    let sql = format!("SELECT * FROM mail_templates t WHERE {OURS} AND t.kind = ? AND t.language = ? AND {NEWEST}");
    let said = read.rows(who, &sql, vec![cell(kind.name()), cell(language.name())], written)?.pop();
    Ok(said.and_then(|said| said.wording))
}

/// The mail and language of an id: `delivery-ja`.
pub fn of_id(id: &str) -> Option<(MailKind, VisitorLanguage)> {
    let (kind, language) = id.split_once('-')?;
    Some((MailKind::from_name(kind)?, VisitorLanguage::from_name(language)?))
}

/// What a company wrote last: which mail, in which language, what, since when.
struct Written {
    kind: String,
    language: String,
    wording: Option<Wording>,
    since: Time,
}

fn written(row: &Row) -> Seen<Written> {
    Ok(Written {
        kind: col(row, "kind")?,
        language: col(row, "language")?,
        wording: col::<Option<Json<Wording>>>(row, "wording")?.map(|Json(wording)| wording),
        since: col(row, "set_at")?,
    })
}

const NEWEST: &str = "NOT EXISTS (SELECT 1 FROM mail_templates x WHERE x.ledger = t.ledger AND x.kind = t.kind
    AND x.language = t.language AND x.position > t.position)";

fn view(
    read: &Read,
    who: &Who,
    (kind, language): (MailKind, VisitorLanguage),
    written: &[Written],
) -> Result<MailTemplateView, Refusal> {
    let said = written.iter().find(|said| said.kind == kind.name() && said.language == language.name());
    let own = said.and_then(|said| said.wording.clone());
    let standard = read.beside.as_ref().map(|server| server.standard(kind, language)).unwrap_or_default();
    let Wording { subject, text } = own.clone().unwrap_or_else(|| standard.clone());
    let example = example(read, who, language, &Wording { subject: subject.clone(), text: text.clone() })?;
    Ok(MailTemplateView {
        id: format!("{}-{}", kind.name(), language.name()),
        kind: kind.name().to_owned(),
        language: language.name().to_owned(),
        is_own: own.is_some(),
        since: said.map(|said| said.since),
        subject,
        text,
        standard: standard.into(),
        example: example.into(),
        variables: kind.variables().iter().map(|one| variable(read, language, one)).collect(),
    })
}

/// All of them, whether the company wrote them or not.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MailTemplatesView {
    /// Mail by mail, each in both languages.
    pub items: Vec<MailTemplateView>,
}

/// The words of all mails that a company can put in its own.
pub struct GetMailTemplates;

impl Query for GetMailTemplates {
    const NAME: &'static str = "get_mail_templates";
    const PATH: &'static str = "/v1/mail-templates";
    const PERMISSION: Permission = Permission("mail_template.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[];
    type Answer = MailTemplatesView;
    async fn run(read: &Read, who: &Who, _: &Params) -> Result<Self::Answer, Refusal> {
        let sql = format!("SELECT * FROM mail_templates t WHERE {OURS} AND {NEWEST}");
        let written = read.rows(who, &sql, vec![], written)?;
        let all = MailKind::ALL.iter().flat_map(|kind| VisitorLanguage::ALL.iter().map(|language| (*kind, *language)));
        let items = all.map(|which| view(read, who, which, &written)).collect::<Result<_, _>>()?;
        Ok(MailTemplatesView { items })
    }
}

/// The words of one mail in one language.
pub struct GetMailTemplate;

impl Query for GetMailTemplate {
    const NAME: &'static str = "get_mail_template";
    const PATH: &'static str = "/v1/mail-templates/{id}";
    const PERMISSION: Permission = Permission("mail_template.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Text }];
    type Answer = MailTemplateView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let id = params.text("id").unwrap_or_default();
        // A command's answer knows the stream.
        let (filter, values) = match (of_id(id), Uuid::parse_str(id)) {
            (Some((kind, language)), _) => {
                ("t.kind = ? AND t.language = ?", vec![cell(kind.name()), cell(language.name())])
            }
            (None, Ok(stream)) => ("t.id = ?", vec![cell(stream)]),
            (None, Err(_)) => return Err(Refusal::NotFound),
        };
        let sql = format!("SELECT * FROM mail_templates t WHERE {OURS} AND {filter} AND {NEWEST}");
        let written = read.rows(who, &sql, values, written)?;
        let of_stream = || {
            let said = written.first()?;
            Some((MailKind::from_name(&said.kind)?, VisitorLanguage::from_name(&said.language)?))
        };
        let which = of_id(id).or_else(of_stream).ok_or(Refusal::NotFound)?;
        view(read, who, which, &written)
    }
}
