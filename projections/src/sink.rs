//! Where the changes of a fold go: into the live tables, or into memory while a rebuild folds.

use std::collections::BTreeMap;

use keiin_eventlog::sql::{SqlError, Tx};
use uuid::Uuid;

use crate::table::{Table, Value, Write, id};

/// Applies one change to the live tables of a ledger, inside the caller's transaction.
pub fn write_live(tx: &mut Tx<'_>, ledger: Uuid, write: Write) -> Result<(), SqlError> {
    let (sql, values) = match write {
        Write::Put(table, key, row) => {
            let names = table.names();
            let marks: Vec<String> = (1..=names.len()).map(|n| format!("${n}")).collect();
            let set: Vec<String> = table.columns.iter().map(|c| format!("{0} = excluded.{0}", c.name)).collect();
            let sql = format!(
                "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}",
                table.name,
                names.join(", "),
                marks.join(", "),
                names[..=table.key.len()].join(", "),
                set.join(", ")
            );
            (sql, [key, row].concat())
        }
        Write::Set(table, key, columns) => {
            let (key_is, behind) = (key_is(table), key.len() + 2);
            let set: Vec<String> =
                columns.iter().enumerate().map(|(n, (name, _))| format!("{name} = ${}", behind + n)).collect();
            let sql = format!("UPDATE {} SET {} WHERE {key_is}", table.name, set.join(", "));
            (sql, key.into_iter().chain(columns.into_iter().map(|(_, value)| value)).collect())
        }
        Write::Add(table, key, column, by) => {
            (format!("UPDATE {} SET {column} = {column} + {by} WHERE {}", table.name, key_is(table)), key)
        }
        Write::Delete(table, key) => (format!("DELETE FROM {} WHERE {}", table.name, key_is(table)), key),
        Write::Scrub(table, subject) => {
            let personal = table.columns.iter().filter(|c| c.personal);
            let empty: Vec<String> = personal.map(|c| format!("{} = NULL", c.name)).collect();
            let sql = format!("UPDATE {} SET {} WHERE ledger = $1 AND subject = $2", table.name, empty.join(", "));
            (sql, vec![id(subject)])
        }
    };
    let values: Vec<Value> = [id(ledger)].into_iter().chain(values).collect();
    tx.execute(&sql, &values).map(|_| ())
}

fn key_is(table: &Table) -> String {
    let names: Vec<String> =
        table.key.iter().enumerate().map(|(n, c)| format!(" AND {} = ${}", c.name, n + 2)).collect();
    format!("ledger = $1{}", names.join(""))
}

/// Rows of one ledger in memory while a rebuild folds; written out sorted, in bulk.
pub struct Memory {
    ledger: Uuid,
    tables: BTreeMap<&'static str, (&'static Table, Rows)>,
}

type Rows = BTreeMap<Vec<Value>, Vec<Value>>;

impl Memory {
    /// Nothing yet.
    pub fn of(ledger: Uuid) -> Memory {
        Memory { ledger, tables: BTreeMap::new() }
    }

    /// Applies one change.
    pub fn write(&mut self, write: Write) {
        match write {
            Write::Put(table, key, row) => {
                self.rows(table).insert(key, row);
            }
            Write::Set(table, key, columns) => {
                if let Some(row) = self.rows(table).get_mut(&key) {
                    for (name, value) in columns {
                        row[table.place(name)] = value;
                    }
                }
            }
            Write::Add(table, key, column, by) => {
                if let Some(row) = self.rows(table).get_mut(&key)
                    && let Value::Integer(n) = &mut row[table.place(column)]
                {
                    *n += by;
                }
            }
            Write::Delete(table, key) => {
                self.rows(table).remove(&key);
            }
            Write::Scrub(table, subject) => {
                let (at, subject) = (table.place("subject"), id(subject));
                for row in self.rows(table).values_mut().filter(|row| row[at] == subject) {
                    for (_, value) in table.columns.iter().zip(row).filter(|(column, _)| column.personal) {
                        *value = Value::Null;
                    }
                }
            }
        }
    }

    /// Moves rows into the tables, each called by its name and `suffix`: those of every table, or only of those that
    /// only grow, so that a long ledger needs little memory.
    pub fn write_out(&mut self, tx: &mut Tx<'_>, suffix: &str, only_grown: bool) -> Result<(), SqlError> {
        let ledger = id(self.ledger);
        for (table, rows) in self.tables.values_mut().filter(|(table, _)| table.only_grows || !only_grown) {
            let full = |(key, row): (Vec<Value>, Vec<Value>)| {
                let mut full = Vec::with_capacity(1 + key.len() + row.len());
                full.push(ledger.clone());
                full.extend(key);
                full.extend(row);
                full
            };
            let rows: Vec<Vec<Value>> = std::mem::take(rows).into_iter().map(full).collect();
            tx.insert(&format!("{}{suffix}", table.name), &table.names(), rows)?;
        }
        Ok(())
    }

    fn rows(&mut self, table: &'static Table) -> &mut Rows {
        &mut self.tables.entry(table.name).or_insert_with(|| (table, Rows::new())).1
    }
}

#[cfg(test)]
mod tests {
    use keiin_eventlog::sql::Scope;

    use super::*;
    use crate::database::Database;
    use crate::runner::Projection;
    use crate::table::{Writes, blob, cell, dump, int, personal};

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
        w.put(&PEOPLE, b.clone(), row(9, "replaced"));
        w.put(&PEOPLE, b, row(20, "佐藤 健"));
        w.put(&PEOPLE, a.clone(), row(10, "田中 花子"));
        w.add(&PEOPLE, a.clone(), "visits", 2);
        w.set(&PEOPLE, a, [("name", cell("田中 華子"))]);
        w.delete(&PEOPLE, vec![id(Uuid::from_u128(3))]);
        w.0.push(Write::Scrub(&PEOPLE, Uuid::from_u128(20)));
        w.0
    }

    #[test]
    fn what_is_written_live_is_what_is_written_out_also_after_a_scrub() {
        let dir = tempfile::tempdir().unwrap();
        static TABLES: &[&Table] = &[&PEOPLE];
        let projection = Projection { name: "people", revision: 1, tables: TABLES, fold: |_, _, _| Ok(()) };
        let mut database = Database::sqlite(dir.path().join("read.db")).open(&[projection]).unwrap().connection;
        let [one, two] = [98, 99].map(Uuid::from_u128);
        let mut memory = Memory::of(two);
        database
            .write(Scope::All, |tx| {
                for write in writes() {
                    write_live(tx, one, write.clone())?;
                    memory.write(write);
                }
                memory.write_out(tx, "", false)
            })
            .unwrap();
        let rows = dump(&mut database, &[&PEOPLE]).unwrap();
        assert!(rows.contains("田中 華子") && !rows.contains("佐藤") && rows.contains("Integer(2)"), "{rows}");
        let (live, written_out) = rows.split_at(rows.len() / 2);
        assert_eq!(live.replace(&format!("{:?}", id(one)), ""), written_out.replace(&format!("{:?}", id(two)), ""));
    }
}
