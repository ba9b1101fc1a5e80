//! Tables of read models, and what a fold may do to them. Declared as data, so that one fold serves every engine, the live
//! tables, the rebuild in memory and the scrub after an erasure.
//!
//! Every table's key begins with the ledger: no query can forget whose rows it reads.

use keiin_domain::date::Date;
pub use keiin_eventlog::sql::Value;
use keiin_eventlog::sql::{Connection, Scope, SqlError, ToValue};
use uuid::Uuid;

use crate::fact::Fact;

/// A column after the key.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Portable type: BIGINT, TEXT or BLOB.
    pub kind: &'static str,
    /// Emptied when the row's `subject` is erased.
    pub personal: bool,
    /// Where it is kept how many rows of a company hold each value.
    pub counts: Option<&'static Table>,
}

const fn column(name: &'static str, kind: &'static str) -> Column {
    Column { name, kind, personal: false, counts: None }
}

/// A number, a time or a flag.
pub const fn int(name: &'static str) -> Column {
    column(name, "BIGINT")
}

/// Text that concerns nobody in person.
pub const fn text(name: &'static str) -> Column {
    column(name, "TEXT")
}

/// An id, a hash or encoded bytes.
pub const fn blob(name: &'static str) -> Column {
    column(name, "BLOB")
}

/// Text about the person whose id is in the column `subject`.
pub const fn personal(name: &'static str) -> Column {
    Column { personal: true, ..column(name, "TEXT") }
}

/// Text by whose values the rows of a company are counted in a table made by [`counts`], so that a list of many can say how many
/// there are without reading them. Whatever a fold writes is counted where it is written: no fold adds.
pub const fn counted(name: &'static str, counts: &'static Table) -> Column {
    Column { counts: Some(counts), ..column(name, "TEXT") }
}

/// A table for a column that is [`counted`]: a row a value that there is. It belongs to the same projection.
pub const fn counts(name: &'static str) -> Table {
    Table { name, key: COUNTED, columns: COUNT, indexes: &[], only_grows: false }
}

const COUNTED: &[Column] = &[text("value")];
const COUNT: &[Column] = &[int("n")];

/// A table of a read model. Its primary key is (ledger, `key`).
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Key columns after the ledger.
    pub key: &'static [Column],
    /// The others. One called `subject` makes the personal columns erasable.
    pub columns: &'static [Column],
    /// Column lists of further indexes, each behind the ledger.
    pub indexes: &'static [&'static str],
    /// Rows are put in the order of their keys, once, and never changed: a rebuild need not keep them. Nothing personal.
    pub only_grows: bool,
}

impl Table {
    /// All columns, in the order of its rows' values.
    pub fn names(&self) -> Vec<&'static str> {
        ["ledger"].into_iter().chain(self.key.iter().chain(self.columns).map(|c| c.name)).collect()
    }

    /// Columns of its indexes behind the key's, each to be put behind the ledger.
    pub fn indexed(&self) -> impl Iterator<Item = &'static str> {
        self.indexes.iter().copied().chain(self.is_personal().then_some("subject"))
    }

    /// Does it hold text about persons?
    pub fn is_personal(&self) -> bool {
        self.columns.iter().any(|c| c.personal)
    }

    /// The column that is counted, and where its counts are.
    pub fn counted(&self) -> Option<(&'static Column, &'static Table)> {
        let found = self.columns.iter().find_map(|column| Some((column, column.counts?)));
        debug_assert!(found.is_none() || !self.only_grows, "a rebuild counts what it still has in memory");
        found
    }

    /// The place of a column behind the key.
    pub fn place(&self, column: &str) -> usize {
        let at = self.columns.iter().position(|c| c.name == column);
        at.unwrap_or_else(|| panic!("{} has no column {column}", self.name))
    }
}

/// One change.
#[derive(Clone, Debug)]
pub enum Write {
    /// Inserts or replaces: values of key and columns, in the table's order.
    Put(&'static Table, Vec<Value>, Vec<Value>),
    /// Sets some columns of a row, if it is there.
    Set(&'static Table, Vec<Value>, Vec<(&'static str, Value)>),
    /// Sets a column of a row, if it is there, to what the row of another table, with this key, holds under the same name.
    Inherit(&'static Table, Vec<Value>, &'static str, &'static Table, Vec<Value>),
    /// Adds to a number of a row, if it is there.
    Add(&'static Table, Vec<Value>, &'static str, i64),
    /// Removes a row.
    Delete(&'static Table, Vec<Value>),
    /// Empties the personal columns of every row about a person.
    Scrub(&'static Table, Uuid),
}

/// Some columns of a row and what they shall hold.
pub type Columns = Vec<(&'static str, Value)>;

/// The changes of one fold, in order.
#[derive(Default, Debug)]
pub struct Writes(pub Vec<Write>);

impl Writes {
    /// Inserts or replaces a row. Columns that are not named are NULL.
    pub fn put(&mut self, table: &'static Table, key: impl Into<Vec<Value>>, columns: impl Into<Columns>) {
        let mut row = vec![Value::Null; table.columns.len()];
        // Most folds name columns in the table's order: then the next one is found at once.
        let mut next = 0;
        for (name, value) in columns.into() {
            let is_next = table.columns.get(next).is_some_and(|column| column.name == name);
            let place = if is_next { next } else { table.place(name) };
            (row[place], next) = (value, place + 1);
        }
        self.0.push(Write::Put(table, key.into(), row));
    }
    /// Sets some columns.
    pub fn set(&mut self, table: &'static Table, key: impl Into<Vec<Value>>, columns: impl Into<Columns>) {
        self.0.push(Write::Set(table, key.into(), columns.into()));
    }
    /// Sets a column to what the row of another table holds, which an earlier record wrote.
    pub fn inherit(
        &mut self,
        table: &'static Table,
        key: impl Into<Vec<Value>>,
        column: &'static str,
        from: &'static Table,
        its_key: impl Into<Vec<Value>>,
    ) {
        self.0.push(Write::Inherit(table, key.into(), column, from, its_key.into()));
    }
    /// Adds to a number.
    pub fn add(&mut self, table: &'static Table, key: impl Into<Vec<Value>>, column: &'static str, by: i64) {
        self.0.push(Write::Add(table, key.into(), column, by));
    }
    /// Removes a row.
    pub fn delete(&mut self, table: &'static Table, key: impl Into<Vec<Value>>) {
        self.0.push(Write::Delete(table, key.into()));
    }
    /// The first record of an object: its row, under the stream's id. `since`, by which lists are sorted, is the record's
    /// position unless the columns say something else.
    pub fn born(&mut self, table: &'static Table, fact: &Fact, columns: impl Into<Columns>) {
        let position = cell(fact.leaf.position);
        let mut all = vec![("since", position.clone()), ("position", position)];
        all.push(("version", cell(fact.leaf.stream_version)));
        all.extend(columns.into());
        self.put(table, [fact.id()], all);
    }
    /// A later record of an object: sets columns of its row.
    pub fn changed(&mut self, table: &'static Table, fact: &Fact, columns: impl Into<Columns>) {
        let mut columns = columns.into();
        columns.extend([("version", cell(fact.leaf.stream_version)), ("position", cell(fact.leaf.position))]);
        self.set(table, [fact.id()], columns);
    }
}

/// What events hold, as a column holds it: ids as 16 bytes, days as days since 1970, flags as 0 and 1, `None` as NULL.
pub trait Cell {
    /// The column's value.
    fn cell(self) -> Value;
}

macro_rules! cells {
    ($($from:ty)+) => { $(impl Cell for $from { fn cell(self) -> Value { self.to_value() } })+ };
}

cells! { String &str i64 u64 u32 u16 u8 bool Uuid [u8; 32] }

impl Cell for Date {
    fn cell(self) -> Value {
        self.0.to_value()
    }
}

impl<T: Cell> Cell for Option<T> {
    fn cell(self) -> Value {
        self.map_or(Value::Null, Cell::cell)
    }
}

/// A column's value.
pub fn cell(value: impl Cell) -> Value {
    value.cell()
}

/// An id as a column value.
pub fn id(id: Uuid) -> Value {
    cell(id)
}

/// Every row of every table as text, in key order: two read models are the same if their dumps are, also on two engines.
pub fn dump(connection: &mut Connection, tables: &[&'static Table]) -> Result<String, SqlError> {
    let mut out = String::new();
    for table in tables {
        let key: Vec<&str> = table.key.iter().map(|c| c.name).collect();
        let (columns, key) = (table.names().join(", "), key.join(", "));
        let sql = format!("SELECT {columns} FROM {} ORDER BY ledger, {key}", table.name);
        for row in connection.query(Scope::All, &sql, &[])? {
            out.push_str(table.name);
            row.values().iter().for_each(|value| out.push_str(&format!(" {value:?}")));
            out.push('\n');
        }
    }
    Ok(out)
}
