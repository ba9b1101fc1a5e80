//! Postal items: what goes out on paper, to whom, and what became of it. Names stand in lists; addresses and messages only in
//! the detail, at which each look is recorded.
//!
//! Whoever handles the post (`postal_clerk`) sees what is still to go out and nothing else (ML-33).

mod views;

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::postage::{self, Extra, Service};
use keiin_domain::postal_item::{PostalAddress, PostalEvent, PostalItem, reference};
use keiin_domain::role::{Permission, Role};
use keiin_domain::sealed::Sealed;
use uuid::Uuid;

pub use self::views::*;
use crate::attachment;
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::search;
use crate::table::{Columns, Table, Value, Writes, blob, cell, counted, counts, int, personal, text};
use crate::view::{Json, Row, Seen, col, filled, json};

/// One row an item.
pub static ITEMS: Table = Table {
    name: "postal_items",
    key: &[blob("id")],
    columns: &[
        text("reference"),
        counted("status", &COUNTS),
        blob("client_id"),
        blob("subject"),
        personal("name"),
        personal("department"),
        personal("attention"),
        personal("honorific"),
        personal("postal_code"),
        personal("region"),
        personal("locality"),
        personal("street_address"),
        personal("extended_address"),
        personal("message"),
        personal("search"),
        text("service"),
        text("extras"),
        text("envelope"),
        int("has_cover"),
        int("sheets"),
        int("weight_g"),
        int("postage"),
        int("paid"),
        text("carrier"),
        text("tracking_number"),
        blob("ordered_by"),
        int("ordered_at"),
        int("printed_at"),
        int("dispatched_on"),
        int("returned_on"),
        text("return_reason"),
        text("cancelled_reason"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since", "status, since", "reference"],
    only_grows: false,
};

/// How many there are by status.
pub static COUNTS: Table = counts("postal_counts");

/// One row a document of an item.
pub static POSTED: Table = Table {
    name: "postal_documents",
    key: &[blob("postal_item_id"), blob("document_id")],
    columns: &[int("n"), int("revision"), int("pages"), blob("sha256")],
    indexes: &["document_id"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection =
    Projection { name: "postal_item", revision: 2, tables: &[&ITEMS, &COUNTS, &POSTED], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != PostalItem::STREAM {
        return Ok(());
    }
    match fact.read()? {
        PostalEvent::Queued(e) => {
            for (n, one) in (0u32..).zip(&e.files) {
                let columns = [
                    ("n", cell(n)),
                    ("revision", cell(one.revision)),
                    ("pages", cell(one.pages)),
                    ("sha256", cell(one.sha256)),
                ];
                out.put(&POSTED, [fact.id(), cell(one.document_id)], columns);
            }
            let mut columns = recipient(&e.recipient, keys);
            columns.extend([
                ("reference", cell(reference(fact.leaf.stream.id))),
                ("status", cell("queued")),
                ("client_id", cell(e.client_id)),
                ("service", cell(e.service.name())),
                ("extras", cell(json(&e.extras))),
                ("envelope", cell(e.envelope.name())),
                ("has_cover", cell(e.has_cover)),
                ("sheets", cell(e.sheets)),
                ("weight_g", cell(e.weight_g)),
                ("postage", cell(e.postage.amount)),
                ("ordered_by", cell(e.ordered_by)),
                ("ordered_at", cell(fact.time_us())),
            ]);
            out.born(&ITEMS, fact, columns);
        }
        PostalEvent::Printed(_) => {
            out.changed(&ITEMS, fact, [("status", cell("printed")), ("printed_at", cell(fact.time_us()))]);
        }
        PostalEvent::Dispatched(e) => {
            let columns = [
                ("status", cell("dispatched")),
                ("carrier", cell(e.carrier.name())),
                ("tracking_number", cell(e.tracking_number)),
                ("paid", cell(e.postage.amount)),
                ("dispatched_on", cell(e.dispatched_on)),
            ];
            out.changed(&ITEMS, fact, columns);
        }
        PostalEvent::Returned(e) => {
            let columns = [
                ("status", cell("returned")),
                ("return_reason", cell(e.reason.name())),
                ("returned_on", cell(e.returned_on)),
            ];
            out.changed(&ITEMS, fact, columns);
        }
        PostalEvent::Requeued(e) => {
            let mut columns = recipient(&e.recipient, keys);
            let over = ["paid", "carrier", "tracking_number", "printed_at", "dispatched_on", "returned_on"];
            columns.extend(over.into_iter().chain(["return_reason"]).map(|column| (column, Value::Null)));
            columns.push(("status", cell("queued")));
            out.changed(&ITEMS, fact, columns);
        }
        PostalEvent::Cancelled(e) => {
            let columns = [("status", cell("cancelled")), ("cancelled_reason", cell(e.reason))];
            out.changed(&ITEMS, fact, columns);
        }
    }
    Ok(())
}

fn recipient(sealed: &Sealed<PostalAddress>, keys: &Opener) -> Columns {
    let to = sealed.open(keys);
    let part = |of: fn(&PostalAddress) -> &str| cell(to.as_ref().map(of));
    vec![
        ("subject", cell(sealed.subject)),
        ("search", cell(to.as_ref().map(|to| search::folded(&to.name)))),
        ("name", part(|to| &to.name)),
        ("department", part(|to| &to.department)),
        ("attention", part(|to| &to.attention)),
        ("honorific", part(|to| to.honorific.name())),
        ("postal_code", part(|to| &to.postal_code)),
        ("region", part(|to| &to.region)),
        ("locality", part(|to| &to.locality)),
        ("street_address", part(|to| &to.street_address)),
        ("extended_address", part(|to| &to.extended_address)),
        ("message", part(|to| &to.message)),
    ]
}

/// Items as they are kept.
pub const FROM: &str = "postal_items";

/// That a pattern stands in the recipient's name, the number or title of a document, or in what is printed outside, which is of
/// digits and letters from A to Z.
fn searched() -> String {
    let found = search::in_any(&["o.number_search", "o.search"]);
    format!(
        "{} OR t.id IN (SELECT x.postal_item_id FROM documents o JOIN postal_documents x ON x.ledger = o.ledger
           AND x.document_id = o.id WHERE o.ledger = :ledger AND ({found}))",
        search::in_any(&["t.search", "lower(t.reference)", "lower(t.tracking_number)"])
    )
}

fn view(row: &Row) -> Seen<PostalItemView> {
    let text = |column| Ok::<_, crate::view::SqlError>(col::<Option<String>>(row, column)?.and_then(filled));
    let name: Option<String> = col(row, "name")?;
    let Json(extras) = col::<Json<Vec<String>>>(row, "extras")?;
    let service: String = col(row, "service")?;
    let known: Vec<Extra> = extras.iter().filter_map(|extra| Extra::from_name(extra)).collect();
    let is_tracked = Service::from_name(&service).is_some_and(|service| postage::is_tracked(service, &known));
    Ok(PostalItemView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        reference: col(row, "reference")?,
        status: col(row, "status")?,
        to: PostalRecipient {
            erased: name.is_none(),
            name,
            department: text("department")?,
            attention: text("attention")?,
            honorific: text("honorific")?,
        },
        address: None,
        message: None,
        client_id: col(row, "client_id")?,
        documents: vec![],
        attachments: vec![],
        service,
        extras,
        is_tracked,
        envelope: col(row, "envelope")?,
        has_cover: col(row, "has_cover")?,
        sheets: col(row, "sheets")?,
        weight_g: col(row, "weight_g")?,
        postage: col(row, "postage")?,
        paid: col(row, "paid")?,
        carrier: text("carrier")?,
        tracking_number: text("tracking_number")?,
        ordered_by: col(row, "ordered_by")?,
        ordered_at: col(row, "ordered_at")?,
        printed_at: col(row, "printed_at")?,
        dispatched_on: col(row, "dispatched_on")?,
        returned_on: col(row, "returned_on")?,
        return_reason: text("return_reason")?,
        cancelled_reason: text("cancelled_reason")?,
    })
}

/// The same with what only the detail shows.
fn detail(row: &Row) -> Seen<PostalItemView> {
    let text = |column| Ok::<_, crate::view::SqlError>(col::<Option<String>>(row, column)?.unwrap_or_default());
    let shown = view(row)?;
    let address = PostalAddressView {
        postal_code: text("postal_code")?,
        region: text("region")?,
        locality: text("locality")?,
        street_address: text("street_address")?,
        extended_address: text("extended_address")?,
    };
    let (address, message) = ((!shown.to.erased).then_some(address), filled(text("message")?));
    Ok(PostalItemView { address, message, ..shown })
}

/// Fills the documents in.
fn posted(read: &Read, who: &Who, mut items: Vec<PostalItemView>) -> Result<Vec<PostalItemView>, Refusal> {
    if items.is_empty() {
        return Ok(items);
    }
    let ids: Vec<Value> = items.iter().map(|one| cell(one.id)).collect();
    let sql = format!(
        "SELECT x.*, o.document_type, o.number, o.title FROM postal_documents x
         JOIN documents o ON o.ledger = x.ledger AND o.id = x.document_id
         WHERE x.ledger = :ledger AND x.postal_item_id IN ({}) ORDER BY x.n",
        vec!["?"; ids.len()].join(", ")
    );
    let found = read.rows(who, &sql, ids, |row| {
        let document = PostedView {
            id: col(row, "document_id")?,
            document_type: col(row, "document_type")?,
            number: col::<Option<_>>(row, "number")?.unwrap_or_default(),
            title: col(row, "title")?,
            revision: col(row, "revision")?,
            pages: col(row, "pages")?,
            sha256: col::<[u8; 32]>(row, "sha256")?.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        Ok((col::<Uuid>(row, "postal_item_id")?, document))
    })?;
    let attachments = attachment::of(read, who, &items.iter().map(|one| one.id).collect::<Vec<_>>())?;
    for item in &mut items {
        item.attachments = crate::delivery::of(item.id, &attachments);
    }
    for (item, document) in found {
        items.iter_mut().filter(|one| one.id == item).for_each(|one| one.documents.push(document.clone()));
    }
    Ok(items)
}

/// What is still to go out; whoever handles the post sees nothing else.
const OPEN: [&str; 2] = ["queued", "printed"];

fn visible(who: &Who) -> Filter {
    open(who.actor.role == Role::PostalClerk)
}

fn open(only: bool) -> Filter {
    Filter::new().and("t.status IN ('queued', 'printed') AND ? = 1", only.then_some(true))
}

const SERVICES: &[&str] = &["letter", "letter_pack_light", "letter_pack_plus"];

/// All postal items, newest first. `from` and `to` are days on which they were ordered.
pub struct ListPostalItems;

impl Query for ListPostalItems {
    const NAME: &'static str = "list_postal_items";
    const PATH: &'static str = "/v1/postal-items";
    const PERMISSION: Permission = Permission("postal_item.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[
        Param { name: "status", kind: Kind::OneOf(&["queued", "printed", "dispatched", "returned", "cancelled"]) },
        Param { name: "service", kind: Kind::OneOf(SERVICES) },
        Param { name: "document_id", kind: Kind::Id },
        Param { name: "from", kind: Kind::Day },
        Param { name: "to", kind: Kind::Day },
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<PostalItemView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = visible(who)
            .and("t.status = ?", params.text("status"))
            .and("t.service = ?", params.text("service"))
            .and(
                "t.id IN (SELECT x.postal_item_id FROM postal_documents x WHERE x.ledger = t.ledger AND x.document_id = ?)",
                params.id("document_id"),
            )
            .and("t.ordered_at >= ?", params.day_start_us("from"))
            .and("t.ordered_at < ?", params.day_end_us("to"))
            .search(&searched(), params.text("q"));
        let page = read.list(who, FROM, filter, params, view)?;
        let mut counts = read.counted(who, &COUNTS)?;
        if who.actor.role == Role::PostalClerk {
            counts.iter_mut().for_each(|counts| counts.retain(|status, _| OPEN.contains(&status.as_str())));
        }
        Ok(Listing { counts, items: posted(read, who, page.items)?, ..page })
    }
}

/// One postal item with its address.
pub struct GetPostalItem;

impl Query for GetPostalItem {
    const NAME: &'static str = "get_postal_item";
    const PATH: &'static str = "/v1/postal-items/{id}";
    const PERMISSION: Permission = Permission("postal_item.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = PostalItemView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let found = read.one(who, FROM, params.id("id"), detail)?;
        let is_open = OPEN.contains(&found.status.as_str());
        if who.actor.role == Role::PostalClerk && !is_open {
            return Err(Refusal::Forbidden("postal_item.handed_over"));
        }
        posted(read, who, vec![found])?.pop().ok_or(Refusal::NotFound)
    }
}

/// What waits at the print station, the oldest first.
pub struct GetPrintQueue;

impl Query for GetPrintQueue {
    const NAME: &'static str = "get_print_queue";
    const PATH: &'static str = "/v1/postal-items/queue";
    const PERMISSION: Permission = Permission("postal_item.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[
        Param { name: "status", kind: Kind::OneOf(&["queued", "printed"]) },
        Param { name: "service", kind: Kind::OneOf(SERVICES) },
    ];
    type Answer = PrintQueue;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = open(true).and("t.status = ?", params.text("status")).and("t.service = ?", params.text("service"));
        let items = read.oldest(who, FROM, filter, crate::query::MAX_LIMIT, view)?;
        let counts = read.counted(who, &COUNTS)?.unwrap_or_default();
        let count = |status: &str| counts.get(status).copied().unwrap_or_default();
        Ok(PrintQueue { items: posted(read, who, items)?, queued: count("queued"), printed: count("printed") })
    }
}

fn handed_over(row: &Row) -> Seen<HandedOver> {
    Ok(HandedOver {
        id: col(row, "id")?,
        version: col(row, "version")?,
        reference: col(row, "reference")?,
        status: col(row, "status")?,
        service: col(row, "service")?,
        dispatched_on: col(row, "dispatched_on")?,
        return_reason: col(row, "return_reason")?,
    })
}

/// What was handed over under a reference or tracking number (`code`), typed or scanned from an envelope that came back.
pub struct GetHandedOver;

impl Query for GetHandedOver {
    const NAME: &'static str = "get_handed_over";
    const PATH: &'static str = "/v1/postal-items/handed-over";
    const PERMISSION: Permission = Permission("postal_item.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "code", kind: Kind::Text }];
    type Answer = HandedOverList;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let Some(code) = params.text("code") else { return Ok(HandedOverList { items: vec![] }) };
        let found = |column: &str, value: String| {
            let filter = Filter::new()
                .and("t.status NOT IN ('queued', 'printed') AND ? = 1", Some(true))
                .and(&format!("t.{column} = ?"), Some(value));
            read.some(who, "postal_items", filter, 20, handed_over)
        };
        let items = match postage::tracking_number(code) {
            Some(number) => found("tracking_number", number)?,
            None => found("reference", spelled(code))?,
        };
        Ok(HandedOverList { items })
    }
}

/// A reference as it is kept, whatever was read into it: no small letters, no O, I or L.
fn spelled(code: &str) -> String {
    let known = |c: char| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let letters: String = code.chars().filter(char::is_ascii_alphanumeric).map(known).collect();
    match letters.split_at_checked(4) {
        Some((first, second)) => format!("{first}-{second}"),
        None => letters,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_found_however_it_was_typed() {
        for typed in ["n893-8nkr", "N8938NKR", " N893 8NKR ", "n893ー8nkr"] {
            assert_eq!(spelled(typed), "N893-8NKR", "{typed}");
        }
        assert_eq!((spelled("O1lI-0000"), spelled("12")), ("0111-0000".to_owned(), "12".to_owned()));
    }
}
