//! The reception: what kiosks ask, for the page that changes it and for the kiosks themselves; whom visitors find there; and
//! whether the host was told.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::reception::{Changed, Consent, HostNames, Question, Reception, ReceptionEvent, Words};
use keiin_domain::role::{Permission, Role};
use keiin_eventlog::record::Hash;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::search::folded;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Json, Named, col, json};

/// Most names that a kiosk is shown at once.
const NAMES_MAX: usize = 8;
/// Most members among whom a kiosk looks.
const MEMBERS_MAX: usize = 5_000;

/// One row a company that ever changed its reception.
pub static RECEPTION: Table = Table {
    name: "reception",
    key: &[blob("id")],
    columns: &[
        text("questions"),
        text("consent"),
        text("consent_hash"),
        int("walk_ins"),
        int("check_outs"),
        text("hosts"),
        text("shown_hosts"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &[],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "reception", revision: 1, tables: &[&RECEPTION], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Reception::STREAM {
        return Ok(());
    }
    let ReceptionEvent::Changed(e) = fact.read()?;
    let columns = [
        ("questions", cell(json(&e.questions))),
        ("consent", cell(e.consent.as_ref().map(|consent| json(&consent.words)))),
        ("consent_hash", cell(e.consent.map(|consent| hex(consent.hash)))),
        ("walk_ins", cell(e.walk_ins)),
        ("check_outs", cell(e.check_outs)),
        ("hosts", cell(e.hosts.name())),
        ("shown_hosts", cell(json(&e.shown_hosts))),
    ];
    out.born(&RECEPTION, fact, columns);
    Ok(())
}

fn hex(hash: [u8; 32]) -> String {
    Hash(hash).to_string()
}

/// What visitors agree to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConsentView {
    /// The text.
    #[serde(flatten)]
    pub words: Words,
    /// SHA-256 of the Japanese text, a line feed and the English text: by it a check-in says what was agreed to.
    pub hash: String,
}

/// What kiosks ask and which of their ways are open.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FlowView {
    /// In the order in which they are asked.
    pub questions: Vec<Question>,
    /// Asked before anybody comes in; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentView>,
    /// Whoever was not expected can write themselves down.
    pub walk_ins: bool,
    /// Visitors check out at the kiosk.
    pub check_outs: bool,
    /// Whose names kiosks may show.
    pub hosts: HostNames,
}

/// The reception, as its settings show it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReceptionView {
    /// What kiosks ask.
    #[serde(flatten)]
    pub flow: FlowView,
    /// Whose names kiosks may show, where they are chosen.
    pub shown_hosts: Vec<Uuid>,
}

impl From<Changed> for ReceptionView {
    fn from(e: Changed) -> ReceptionView {
        let consent = e.consent.map(|Consent { words, hash }| ConsentView { words, hash: hex(hash) });
        let Changed { questions, walk_ins, check_outs, hosts, shown_hosts, .. } = e;
        ReceptionView { flow: FlowView { questions, consent, walk_ins, check_outs, hosts }, shown_hosts }
    }
}

fn reception(read: &Read, who: &Who) -> Result<ReceptionView, Refusal> {
    let found = read.one(who, "reception", Some(who.ledger), |row| {
        let hosts = HostNames::from_name(&col::<String>(row, "hosts")?).unwrap_or(HostNames::Nobody);
        let words = col::<Option<Json<Words>>>(row, "consent")?.map(|json| json.0);
        let hash: Option<String> = col(row, "consent_hash")?;
        let consent = words.zip(hash).map(|(words, hash)| ConsentView { words, hash });
        let flow = FlowView {
            questions: col::<Json<_>>(row, "questions")?.0,
            consent,
            walk_ins: col(row, "walk_ins")?,
            check_outs: col(row, "check_outs")?,
            hosts,
        };
        Ok(ReceptionView { flow, shown_hosts: col::<Json<_>>(row, "shown_hosts")?.0 })
    });
    if matches!(found, Err(Refusal::NotFound)) { Ok(Reception::default().0.into()) } else { found }
}

/// The caller's company's reception.
pub struct GetReception;

impl Query for GetReception {
    const NAME: &'static str = "get_reception";
    const PATH: &'static str = "/v1/reception";
    const PERMISSION: Permission = Permission("reception.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[];
    type Answer = ReceptionView;
    async fn run(read: &Read, who: &Who, _: &Params) -> Result<Self::Answer, Refusal> {
        reception(read, who)
    }
}

/// The same for a kiosk, without who may be shown.
pub struct GetFlow;

impl Query for GetFlow {
    const NAME: &'static str = "get_kiosk_flow";
    const PATH: &'static str = "/v1/kiosk/flow";
    const PERMISSION: Permission = Permission("kiosk.see");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[];
    type Answer = FlowView;
    async fn run(read: &Read, who: &Who, _: &Params) -> Result<Self::Answer, Refusal> {
        Ok(reception(read, who)?.flow)
    }
}

/// Members whose name a kiosk may show and who are called somewhat like this; nobody as long as nothing is typed.
pub struct GetHosts;

impl Query for GetHosts {
    const NAME: &'static str = "get_kiosk_hosts";
    const PATH: &'static str = "/v1/kiosk/hosts";
    const PERMISSION: Permission = Permission("kiosk.see");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "q", kind: Kind::Text }];
    type Answer = Listing<Named>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let nobody = Listing { items: vec![], next: None, counts: None, figures: None };
        let typed = folded(params.text("q").unwrap_or(""));
        let reception = reception(read, who)?;
        let chosen = match reception.flow.hosts {
            _ if typed.is_empty() => return Ok(nobody),
            HostNames::Nobody => return Ok(nobody),
            HostNames::Chosen => Some(reception.shown_hosts),
            HostNames::Everybody => None,
        };
        let active = Filter::new().and("t.status = ?", Some("active")).and("t.role <> ?", Some(Role::Recipient.name()));
        let named = |row: &_| Ok(Named { id: col(row, "id")?, name: col(row, "name")? });
        let mut items = read.some(who, "members", active.among("t.id", chosen), MEMBERS_MAX, named)?;
        items.retain(|host| host.name.as_ref().is_some_and(|name| folded(name).contains(&typed)));
        items.sort_by(|a, b| a.name.cmp(&b.name));
        items.truncate(NAMES_MAX);
        Ok(Listing { items, ..nobody })
    }
}

/// Whether the host of a visitor who just came was told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NoticeView {
    /// Their mail server has taken the message over.
    pub told: bool,
}

/// The same as an answer to the kiosk: of a visit at its own place, and whether, not whom.
pub struct GetNotice;

impl Query for GetNotice {
    const NAME: &'static str = "get_kiosk_notice";
    const PATH: &'static str = "/v1/kiosk/visits/{id}/notice";
    const PERMISSION: Permission = Permission("kiosk.see");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = NoticeView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let sql = "(SELECT v.ledger, v.id, k.id AS kiosk_id, (SELECT max(CASE e.state WHEN 'sent' THEN 1 ELSE 0 END)
              FROM effects e WHERE e.ledger = v.ledger AND e.object_id = v.id AND e.template = 'arrival'
              AND e.queued_at >= v.arrived_at) AS told
            FROM visits v JOIN kiosks k ON k.ledger = v.ledger AND k.location = v.location)";
        let filter = Filter::new().and("t.id = ?", params.id("id")).and("t.kiosk_id = ?", Some(who.actor.id));
        let sql = format!("(SELECT x.*, 0 AS since FROM {sql} x)");
        let mut found = read.some(who, &sql, filter, 1, |row| col::<Option<bool>>(row, "told"))?;
        let told = found.pop().ok_or(Refusal::NotFound)?.unwrap_or(false);
        Ok(NoticeView { told })
    }
}
