//! Tables of read models, and what a fold may do to them. Declared as data, so that one fold serves the live tables, the
//! rebuild in memory and the scrub after an erasure.
//!
//! Every table's key begins with the ledger: no query can forget whose rows it reads.

use std::collections::BTreeMap;

use keiin_domain::date::Date;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
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
}

/// A number, a time or a flag.
pub const fn int(name: &'static str) -> Column {
    Column { name, kind: "BIGINT", personal: false }
}

/// Text that concerns nobody in person.
pub const fn text(name: &'static str) -> Column {
    Column { name, kind: "TEXT", personal: false }
}

/// An id, a hash or encoded bytes.
pub const fn blob(name: &'static str) -> Column {
    Column { name, kind: "BLOB", personal: false }
}

/// Text about the person whose id is in the column `subject`.
pub const fn personal(name: &'static str) -> Column {
    Column { name, kind: "TEXT", personal: true }
}

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
    /// Statements that make this table under another name (for a rebuild beside the live one).
    fn ddl(&self, name: &str) -> Vec<String> {
        let all = || self.key.iter().chain(self.columns);
        let columns: Vec<String> = all().map(|c| format!("{} {}", c.name, c.kind)).collect();
        let key: Vec<&str> = self.key.iter().map(|c| c.name).collect();
        let mut statements = vec![format!(
            "CREATE TABLE {name} (ledger BLOB NOT NULL, {}, PRIMARY KEY (ledger, {})) WITHOUT ROWID",
            columns.join(", "),
            key.join(", ")
        )];
        let subject = self.is_personal().then_some("subject");
        for (n, columns) in self.indexes.iter().copied().chain(subject).enumerate() {
            statements.push(format!("CREATE INDEX {name}_{n} ON {name} (ledger, {columns})"));
        }
        statements
    }

    /// What the planner shall believe of this table: a company has many rows, a further column narrows a lot. Measured
    /// statistics would be of the table when it was small, and connections read them only when they open.
    fn advise(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut insert = connection.prepare_cached("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)")?;
        let stat = |columns: usize| format!("10000000 1000000{}", " 100".repeat(columns));
        connection.execute("DELETE FROM sqlite_stat1 WHERE tbl = ?", [self.name])?;
        insert.execute((self.name, self.name, format!("10000000 1000000{}", " 1".repeat(self.key.len()))))?;
        let subject = self.is_personal().then_some("subject");
        for (n, columns) in self.indexes.iter().copied().chain(subject).enumerate() {
            insert.execute((self.name, format!("{}_{n}", self.name), stat(columns.split(',').count())))?;
        }
        Ok(())
    }

    fn is_personal(&self) -> bool {
        self.columns.iter().any(|c| c.personal)
    }

    fn place(&self, column: &str) -> usize {
        let at = self.columns.iter().position(|c| c.name == column);
        at.unwrap_or_else(|| panic!("{} has no column {column}", self.name))
    }
}

/// One change of a row.
#[derive(Clone, Debug)]
pub enum Write {
    /// Inserts or replaces: values of key and columns, in the table's order.
    Put(&'static Table, Vec<Value>, Vec<Value>),
    /// Sets some columns of a row, if it is there.
    Set(&'static Table, Vec<Value>, Vec<(&'static str, Value)>),
    /// Adds to a number of a row, if it is there.
    Add(&'static Table, Vec<Value>, &'static str, i64),
    /// Removes a row.
    Delete(&'static Table, Vec<Value>),
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
        for (name, value) in columns.into() {
            row[table.place(name)] = value;
        }
        self.0.push(Write::Put(table, key.into(), row));
    }
    /// Sets some columns.
    pub fn set(&mut self, table: &'static Table, key: impl Into<Vec<Value>>, columns: impl Into<Columns>) {
        self.0.push(Write::Set(table, key.into(), columns.into()));
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
    ($($from:ty => |$value:ident| $cell:expr;)+) => {
        $(impl Cell for $from { fn cell(self) -> Value { let $value = self; $cell } })+
    };
}

cells! {
    String => |text| Value::Text(text);
    &str => |text| Value::Text(text.to_owned());
    i64 => |number| Value::Integer(number);
    u64 => |number| Value::Integer(number as i64);
    u32 => |number| Value::Integer(i64::from(number));
    u16 => |number| Value::Integer(i64::from(number));
    u8 => |number| Value::Integer(i64::from(number));
    bool => |flag| Value::Integer(i64::from(flag));
    Date => |day| Value::Integer(i64::from(day.0));
    Uuid => |id| Value::Blob(id.as_bytes().to_vec());
    [u8; 32] => |hash| Value::Blob(hash.to_vec());
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

/// Where folds go.
pub trait Sink {
    /// Applies one change for a ledger.
    fn write(&mut self, ledger: Uuid, write: Write) -> rusqlite::Result<()>;
    /// Empties the personal columns of every row about a person.
    fn scrub(&mut self, ledger: Uuid, tables: &[&'static Table], subject: Uuid) -> rusqlite::Result<()>;
}

/// The live tables, inside the caller's transaction.
pub struct Live<'a>(pub &'a Connection);

impl Sink for Live<'_> {
    fn write(&mut self, ledger: Uuid, write: Write) -> rusqlite::Result<()> {
        let (sql, values) = match write {
            Write::Put(table, key, row) => {
                let marks = vec!["?"; 1 + key.len() + row.len()].join(", ");
                (format!("INSERT OR REPLACE INTO {} VALUES ({marks})", table.name), [key, row].concat())
            }
            Write::Set(table, key, columns) => {
                let names: Vec<String> = columns.iter().map(|(name, _)| format!("{name} = ?")).collect();
                let values =
                    columns.into_iter().map(|(_, value)| value).chain([id(ledger)]).chain(key).collect::<Vec<_>>();
                let sql = format!("UPDATE {} SET {} WHERE {}", table.name, names.join(", "), key_is(table));
                self.0.prepare_cached(&sql)?.execute(params_from_iter(values))?;
                return Ok(());
            }
            Write::Add(table, key, column, by) => {
                let sql = format!("UPDATE {} SET {column} = {column} + {by} WHERE {}", table.name, key_is(table));
                (sql, key)
            }
            Write::Delete(table, key) => (format!("DELETE FROM {} WHERE {}", table.name, key_is(table)), key),
        };
        self.0.prepare_cached(&sql)?.execute(params_from_iter([id(ledger)].into_iter().chain(values)))?;
        Ok(())
    }

    fn scrub(&mut self, ledger: Uuid, tables: &[&'static Table], subject: Uuid) -> rusqlite::Result<()> {
        for table in tables.iter().filter(|t| t.is_personal()) {
            let empty: Vec<String> =
                table.columns.iter().filter(|c| c.personal).map(|c| format!("{} = NULL", c.name)).collect();
            let sql = format!("UPDATE {} SET {} WHERE ledger = ? AND subject = ?", table.name, empty.join(", "));
            self.0.execute(&sql, [id(ledger), id(subject)])?;
        }
        Ok(())
    }
}

fn key_is(table: &Table) -> String {
    let names: Vec<String> = table.key.iter().map(|c| format!(" AND {} = ?", c.name)).collect();
    format!("ledger = ?{}", names.join(""))
}

/// Rows of one ledger in memory while a rebuild folds; written out sorted, in bulk. Keys are compared as SQLite compares
/// them.
#[derive(Default)]
pub struct Memory {
    tables: BTreeMap<&'static str, (&'static Table, Rows)>,
}

type Rows = BTreeMap<Vec<Ordered>, Vec<Value>>;

/// A key value in SQLite's order within one type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Ordered {
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl Ordered {
    fn of(value: &Value) -> Ordered {
        match value {
            Value::Integer(n) => Ordered::Int(*n),
            Value::Text(t) => Ordered::Text(t.clone()),
            Value::Blob(b) => Ordered::Blob(b.clone()),
            other => panic!("{other:?} cannot be part of a key"),
        }
    }
    fn value(&self) -> Value {
        match self {
            Ordered::Int(n) => Value::Integer(*n),
            Ordered::Text(t) => Value::Text(t.clone()),
            Ordered::Blob(b) => Value::Blob(b.clone()),
        }
    }
}

impl Memory {
    fn rows(&mut self, table: &'static Table) -> &mut Rows {
        &mut self.tables.entry(table.name).or_insert_with(|| (table, Rows::new())).1
    }

    /// Moves all rows into the tables beside the live ones.
    pub fn write_out(&mut self, connection: &mut Connection) -> rusqlite::Result<()> {
        self.write_some(connection, |_| true)
    }

    /// Moves the rows of tables that only grow, so that a long ledger needs little memory.
    pub fn write_out_grown(&mut self, connection: &mut Connection) -> rusqlite::Result<()> {
        self.write_some(connection, |table| table.only_grows)
    }

    fn write_some(&mut self, connection: &mut Connection, which: fn(&Table) -> bool) -> rusqlite::Result<()> {
        let transaction = connection.transaction()?;
        for (table, rows) in self.tables.values_mut().filter(|(table, rows)| which(table) && !rows.is_empty()) {
            let marks = vec!["?"; table.key.len() + table.columns.len()].join(", ");
            let mut insert =
                transaction.prepare_cached(&format!("INSERT INTO {}_beside VALUES (?, {marks})", table.name))?;
            for (key, row) in std::mem::take(rows) {
                insert.execute(params_from_iter(key.iter().map(Ordered::value).chain(row)))?;
            }
        }
        transaction.commit()
    }
}

/// Makes empty tables beside the live ones, without indexes.
pub fn create_beside(connection: &Connection, tables: &[&'static Table]) -> rusqlite::Result<()> {
    for table in tables {
        let beside = format!("{}_beside", table.name);
        connection.execute_batch(&format!("DROP TABLE IF EXISTS {beside}; {}", table.ddl(&beside)[0]))?;
    }
    Ok(())
}

/// Puts the tables beside in the place of the live ones, inside the caller's transaction: no reader sees a part.
pub fn swap(connection: &Connection, tables: &[&'static Table]) -> rusqlite::Result<()> {
    for table in tables {
        connection.execute_batch(&format!("DROP TABLE {0}; ALTER TABLE {0}_beside RENAME TO {0}", table.name))?;
        // An index's name is free once the old table is gone.
        for index in &table.ddl(table.name)[1..] {
            connection.execute_batch(index)?;
        }
        table.advise(connection)?;
    }
    Ok(())
}

impl Sink for Memory {
    fn write(&mut self, ledger: Uuid, write: Write) -> rusqlite::Result<()> {
        let full = |key: &[Value]| -> Vec<Ordered> { [id(ledger)].iter().chain(key).map(Ordered::of).collect() };
        match write {
            Write::Put(table, key, row) => {
                self.rows(table).insert(full(&key), row);
            }
            Write::Set(table, key, columns) => {
                if let Some(row) = self.rows(table).get_mut(&full(&key)) {
                    for (name, value) in columns {
                        row[table.place(name)] = value;
                    }
                }
            }
            Write::Add(table, key, column, by) => {
                if let Some(row) = self.rows(table).get_mut(&full(&key))
                    && let Value::Integer(n) = &mut row[table.place(column)]
                {
                    *n += by;
                }
            }
            Write::Delete(table, key) => {
                self.rows(table).remove(&full(&key));
            }
        }
        Ok(())
    }

    fn scrub(&mut self, ledger: Uuid, tables: &[&'static Table], subject: Uuid) -> rusqlite::Result<()> {
        for table in tables.iter().filter(|t| t.is_personal()) {
            let (at, subject) = (table.place("subject"), id(subject));
            let of_ledger = Ordered::of(&id(ledger));
            for (_, row) in self.rows(table).iter_mut().filter(|(key, row)| key[0] == of_ledger && row[at] == subject) {
                for (column, value) in table.columns.iter().zip(row) {
                    if column.personal {
                        *value = Value::Null;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Makes the tables that are not there yet.
pub fn create(connection: &Connection, tables: &[&'static Table]) -> rusqlite::Result<()> {
    // Any ANALYZE makes the table of statistics.
    connection.execute_batch("ANALYZE sqlite_schema")?;
    for table in tables {
        let there: bool =
            connection
                .query_row("SELECT count(*) FROM sqlite_master WHERE name = ?", [table.name], |row| row.get(0))?;
        if !there {
            for statement in table.ddl(table.name) {
                connection.execute_batch(&statement)?;
            }
            table.advise(connection)?;
        }
    }
    Ok(())
}

/// Every row of every table as text, in key order: two read models are the same if their dumps are.
pub fn dump(connection: &Connection, tables: &[&'static Table]) -> rusqlite::Result<String> {
    let mut out = String::new();
    for table in tables {
        let mut rows = connection.prepare(&format!("SELECT * FROM {}", table.name))?;
        let columns = rows.column_count();
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            out.push_str(table.name);
            for at in 0..columns {
                out.push_str(&format!(" {:?}", row.get::<_, Value>(at)?));
            }
            out.push('\n');
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    static PEOPLE: Table = Table {
        name: "people",
        key: &[blob("id")],
        columns: &[blob("subject"), personal("name"), int("visits")],
        indexes: &["visits"],
        only_grows: false,
    };

    fn writes() -> Vec<Write> {
        let [a, b] = [1, 2].map(|n| vec![id(Uuid::from_u128(n))]);
        let row = |n: u128, name: &str| {
            vec![("subject", cell(Uuid::from_u128(n))), ("name", cell(name)), ("visits", cell(0u64))]
        };
        let mut w = Writes::default();
        w.put(&PEOPLE, b.clone(), row(20, "佐藤 健"));
        w.put(&PEOPLE, a.clone(), row(10, "田中 花子"));
        w.add(&PEOPLE, a.clone(), "visits", 2);
        w.set(&PEOPLE, a, [("name", cell("田中 華子"))]);
        w.delete(&PEOPLE, vec![id(Uuid::from_u128(3))]);
        w.0
    }

    #[test]
    fn live_and_rebuilt_tables_are_the_same_also_after_a_scrub() {
        let ledger = Uuid::from_u128(99);
        let mut connection = Connection::open_in_memory().unwrap();
        create(&connection, &[&PEOPLE]).unwrap();
        let mut memory = Memory::default();
        for write in writes() {
            Live(&connection).write(ledger, write.clone()).unwrap();
            memory.write(ledger, write).unwrap();
        }
        Live(&connection).scrub(ledger, &[&PEOPLE], Uuid::from_u128(20)).unwrap();
        memory.scrub(ledger, &[&PEOPLE], Uuid::from_u128(20)).unwrap();
        let live = dump(&connection, &[&PEOPLE]).unwrap();
        create_beside(&connection, &[&PEOPLE]).unwrap();
        memory.write_out(&mut connection).unwrap();
        swap(&connection, &[&PEOPLE]).unwrap();
        assert_eq!(dump(&connection, &[&PEOPLE]).unwrap(), live);
        assert!(live.contains("田中 華子") && !live.contains("佐藤") && live.contains("Integer(2)"), "{live}");
    }
}
