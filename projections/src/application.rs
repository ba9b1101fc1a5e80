//! Applications: which programs may act through OAuth 2.0, and what they may at most.

use keiin_domain::application::{Application, ApplicationEvent, GrantType};
use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Json, Row, Seen, Time, col, json};

/// One row an application.
pub static APPLICATIONS: Table = Table {
    name: "applications",
    key: &[blob("id")],
    columns: &[
        text("name"),
        int("confidential"),
        text("redirect_uris"),
        text("scopes"),
        text("grant_types"),
        int("revocations"),
        int("disabled"),
        int("registered_at"),
        int("secret_at"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "application", revision: 1, tables: &[&APPLICATIONS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Application::STREAM {
        return Ok(());
    }
    match fact.read()? {
        ApplicationEvent::Registered(e) => {
            let columns = [
                ("name", cell(e.name)),
                ("confidential", cell(e.confidential)),
                ("redirect_uris", cell(json(&e.redirect_uris))),
                ("scopes", cell(json(&e.scopes))),
                ("grant_types", cell(json(&e.grant_types))),
                ("revocations", cell(0u32)),
                ("disabled", cell(false)),
                ("registered_at", cell(fact.time_us())),
            ];
            out.born(&APPLICATIONS, fact, columns);
        }
        ApplicationEvent::Changed(e) => {
            let columns = [
                ("name", cell(e.name)),
                ("redirect_uris", cell(json(&e.redirect_uris))),
                ("scopes", cell(json(&e.scopes))),
                ("grant_types", cell(json(&e.grant_types))),
            ];
            out.changed(&APPLICATIONS, fact, columns);
        }
        ApplicationEvent::SecretIssued(_) => {
            out.changed(&APPLICATIONS, fact, [("secret_at", cell(fact.time_us()))]);
        }
        ApplicationEvent::TokensRevoked(_) => {
            out.add(&APPLICATIONS, [fact.id()], "revocations", 1);
            out.changed(&APPLICATIONS, fact, []);
        }
        ApplicationEvent::Disabled(_) => out.changed(&APPLICATIONS, fact, [("disabled", cell(true))]),
    }
    Ok(())
}

/// An application, as shown. Its secret was shown once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApplicationView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// By which it names itself at `/oauth/…`: company and application.
    pub client_id: String,
    /// What people call it.
    pub name: String,
    /// It has a secret.
    pub confidential: bool,
    /// `active` or `disabled`.
    pub status: String,
    /// Where the browser may be sent after a consent.
    pub redirect_uris: Vec<String>,
    /// Most that it may ever do.
    pub scopes: Vec<String>,
    /// How it comes by tokens.
    pub grant_types: Vec<GrantType>,
    /// How many members it acts for now.
    pub authorizations: u64,
    /// Since when.
    pub registered_at: Time,
    /// Since when it has its present secret; absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_at: Option<Time>,
}

/// Applications with their `status` and how many authorizations they have.
pub const FROM: &str = "(SELECT a.*, CASE WHEN a.disabled = 1 THEN 'disabled' ELSE 'active' END AS status,
        (SELECT count(*) FROM authorizations g WHERE g.ledger = a.ledger AND g.application_id = a.id AND g.ended = ''
            AND g.revocations = a.revocations AND g.expires_at > :now AND a.disabled = 0) AS authorizations
      FROM applications a)";

/// By which an application names itself: `<company>.<application>`. It says where to look, and is no secret.
pub fn client_id(ledger: Uuid, application: Uuid) -> String {
    format!("{ledger}.{application}")
}

fn view(row: &Row, who: &Who) -> Seen<ApplicationView> {
    let id = col(row, "id")?;
    Ok(ApplicationView {
        id,
        version: col(row, "version")?,
        position: col(row, "position")?,
        client_id: client_id(who.ledger, id),
        name: col(row, "name")?,
        confidential: col(row, "confidential")?,
        status: col(row, "status")?,
        redirect_uris: col::<Json<_>>(row, "redirect_uris")?.0,
        scopes: col::<Json<_>>(row, "scopes")?.0,
        grant_types: col::<Json<_>>(row, "grant_types")?.0,
        authorizations: col(row, "authorizations")?,
        registered_at: col(row, "registered_at")?,
        secret_at: col(row, "secret_at")?,
    })
}

/// All applications, newest first.
pub struct ListApplications;

impl Query for ListApplications {
    const NAME: &'static str = "list_applications";
    const PATH: &'static str = "/v1/applications";
    const PERMISSION: Permission = Permission("application.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "status", kind: Kind::OneOf(&["active", "disabled"]) }];
    const LIST: bool = true;
    type Answer = Listing<ApplicationView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new().and("t.status = ?", params.text("status"));
        read.list(who, FROM, filter, params, |row| view(row, who))
    }
}

/// One application.
pub struct GetApplication;

impl Query for GetApplication {
    const NAME: &'static str = "get_application";
    const PATH: &'static str = "/v1/applications/{id}";
    const PERMISSION: Permission = Permission("application.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = ApplicationView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.one(who, FROM, params.id("id"), |row| view(row, who))
    }
}
