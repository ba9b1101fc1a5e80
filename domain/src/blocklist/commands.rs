//! Who keeps the list.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Added, BlockKind, Blocked, Blocklist, BlocklistEntry, ENTRIES_MAX, Grown, Removed, Shrunk};
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::text;

/// Puts somebody on the blocklist.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddToBlocklist {
    /// What it names.
    pub kind: BlockKind,
    /// A name or reading, a company, a mail address or a host as `@example.com`; at most 80 characters.
    pub value: String,
    /// What the reception should know, at most 400 characters.
    #[serde(default)]
    pub reason: String,
}

impl AddToBlocklist {
    /// What is compared.
    fn checked(&self) -> Result<String, Rejection> {
        let value = text::line(&self.value, "/value", 80)?;
        if self.kind == BlockKind::Email {
            let address = if value.starts_with('@') { format!("a{value}") } else { value.clone() };
            text::email(&address).ok_or(Rejection::at("blocklist_entry.bad_email", "/value"))?;
        }
        Ok(value)
    }
}

impl Command for AddToBlocklist {
    type On = (On<BlocklistEntry>, On<Blocklist>);
    const NAME: &'static str = "add_to_blocklist";
    const ROUTE: Route = Route::create("/v1/blocklist_entries");
    const PERMISSION: Permission = Permission("blocklist_entry.add");
    const REJECTS: &'static [&'static str] = &[
        "blocklist_entry.already_listed", "blocklist_entry.full", "blocklist_entry.bad_email", "text.required",
        "text.too_long", "text.control_character",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let form = self.kind.form(&self.checked()?);
        Ok(vec![ctx.world.subject_for(self.kind.namespace(), &form), ctx.tenant])
    }
    fn decide(self, (entry, list): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let blocked = Blocked { value: self.checked()?, reason: text::prose(&self.reason, "/reason", 400)? };
        if entry.is_listed {
            return Err(Rejection::at("blocklist_entry.already_listed", "/value"));
        }
        if list.entries.len() >= ENTRIES_MAX {
            return Err(Rejection::new("blocklist_entry.full"));
        }
        let added = Added { kind: self.kind, entry: ctx.seal(entry.id, &blocked) };
        Ok(vec![entry.emit(added), list.emit(Grown { entry: entry.id })])
    }
}

/// Takes an entry off the blocklist; what it named is erased.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveFromBlocklist {}

impl Command for RemoveFromBlocklist {
    type On = (On<BlocklistEntry>, On<Blocklist>);
    const NAME: &'static str = "remove_from_blocklist";
    const ROUTE: Route = Route::post("/v1/blocklist_entries/{id}/remove");
    const PERMISSION: Permission = Permission("blocklist_entry.remove");
    const REJECTS: &'static [&'static str] = &["blocklist_entry.unknown", "blocklist_entry.gone"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (entry, list): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        match (entry.exists(), entry.is_listed) {
            (false, _) => Err(Rejection::new("blocklist_entry.unknown")),
            (_, false) => Err(Rejection::new("blocklist_entry.gone")),
            _ => Ok(vec![entry.emit(Removed {}), list.emit(Shrunk { entry: entry.id })]),
        }
    }
}
