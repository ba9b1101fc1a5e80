//! Templates: what documents are made from. Nothing here is personal.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::role::Permission;
use keiin_domain::template::{Preset, Template, TemplateEvent};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::document::LineView;
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::search;
use crate::table::{Columns, Table, Writes, blob, cell, int, text};
use crate::view::{Json, Row, Seen, col, json};

/// One row a template.
pub static TEMPLATES: Table = Table {
    name: "templates",
    key: &[blob("id")],
    columns: &[
        text("name"),
        text("document_type"),
        text("title"),
        text("note"),
        text("proviso"),
        int("has_tax_stamp"),
        int("has_hanko"),
        int("due_days"),
        text("tax_rounding"),
        text("lines"),
        text("search"),
        text("status"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "status, since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "template", revision: 2, tables: &[&TEMPLATES], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Template::STREAM {
        return Ok(());
    }
    match fact.read()? {
        TemplateEvent::Defined(e) => {
            let mut columns = columns(e.preset);
            columns.push(("status", cell("active")));
            out.born(&TEMPLATES, fact, columns);
        }
        TemplateEvent::Changed(e) => out.changed(&TEMPLATES, fact, columns(e.preset)),
        TemplateEvent::Archived(_) => out.changed(&TEMPLATES, fact, [("status", cell("archived"))]),
    }
    Ok(())
}

fn columns(preset: Preset) -> Columns {
    vec![
        ("search", cell(search::lines(&[&preset.name, &preset.title]))),
        ("name", cell(preset.name)),
        ("document_type", cell(preset.document_type.name())),
        ("title", cell(preset.title)),
        ("note", cell(preset.note)),
        ("proviso", cell(preset.proviso)),
        ("has_tax_stamp", cell(preset.has_tax_stamp)),
        ("has_hanko", cell(preset.has_hanko)),
        ("due_days", cell(preset.due_days)),
        ("tax_rounding", cell(preset.tax_rounding.map(|rounding| rounding.name()))),
        ("lines", cell(json(&preset.lines))),
    ]
}

/// A template, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TemplateView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// What people call it.
    pub name: String,
    /// `quote`, `order_slip`, `order_confirmation`, `delivery_slip`, `acceptance`, `invoice` or `receipt`.
    pub document_type: String,
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
    /// Days from a document's date until it is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_days: Option<u16>,
    /// `floor`, `half_up` or `ceil`; absent where it is the company's own on that day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_rounding: Option<String>,
    /// Descriptions with placeholders.
    pub lines: Vec<LineView>,
    /// No new documents from it.
    pub archived: bool,
}

/// What the list shows.
pub const FROM: &str = "templates";

fn view(row: &Row) -> Seen<TemplateView> {
    let Json(lines) = col(row, "lines")?;
    Ok(TemplateView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        name: col(row, "name")?,
        document_type: col(row, "document_type")?,
        title: col(row, "title")?,
        note: col(row, "note")?,
        proviso: col(row, "proviso")?,
        has_tax_stamp: col(row, "has_tax_stamp")?,
        has_hanko: col(row, "has_hanko")?,
        due_days: col(row, "due_days")?,
        tax_rounding: col(row, "tax_rounding")?,
        lines,
        archived: col::<String>(row, "status")? == "archived",
    })
}

/// All templates, newest first.
pub struct ListTemplates;

impl Query for ListTemplates {
    const NAME: &'static str = "list_templates";
    const PATH: &'static str = "/v1/templates";
    const PERMISSION: Permission = Permission("document.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] =
        &[Param { name: "status", kind: Kind::OneOf(&["active", "archived"]) }, Param { name: "q", kind: Kind::Text }];
    const LIST: bool = true;
    type Answer = Listing<TemplateView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new().and("t.status = ?", params.text("status"));
        let page = read.list(who, FROM, filter.search(&search::has("t.search"), params.text("q")), params, view)?;
        Ok(Listing { counts: read.counts(who, FROM, Filter::new())?, ..page })
    }
}

/// One template.
pub struct GetTemplate;

impl Query for GetTemplate {
    const NAME: &'static str = "get_template";
    const PATH: &'static str = "/v1/templates/{id}";
    const PERMISSION: Permission = Permission("document.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = TemplateView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, FROM, params.id("id"), view)
    }
}
