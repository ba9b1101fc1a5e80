//! Where the changes of a fold go: into the live tables, or into memory while a rebuild folds.

use std::collections::BTreeMap;

use keiin_eventlog::sql::{SqlError, Tx};
use uuid::Uuid;

use crate::table::{Table, Value, Write, id};

/// The live tables of a ledger, inside the caller's transaction.
pub struct Live<'a, 't> {
    tx: &'a mut Tx<'t>,
    ledger: Uuid,
    /// How many rows more or fewer hold a value of a counted column, by the table of the counts.
    counted: BTreeMap<(&'static str, Value), i64>,
}

impl<'a, 't> Live<'a, 't> {
    /// Applies changes in their order.
    pub fn write(tx: &'a mut Tx<'t>, ledger: Uuid, writes: Vec<Write>) -> Result<(), SqlError> {
        let mut live = Live { tx, ledger, counted: BTreeMap::new() };
        writes.into_iter().try_for_each(|write| live.apply(write))?;
        live.count()
    }

    fn apply(&mut self, write: Write) -> Result<(), SqlError> {
        let Some(Counting { table, key, column, counts, after }) = counting(&write) else {
            return self.run(write).map(|_| ());
        };
        // Most rows are new: then nothing needs to be read.
        if let Write::Put(_, _, row) = &write
            && self.execute(insert(table) + " DO NOTHING", [&key[..], row].concat())? > 0
        {
            self.add(counts, after, 1);
            return Ok(());
        }
        let was = format!("SELECT {column} FROM {} WHERE {}", table.name, key_is(table));
        let was = self.tx.row(&was, &[vec![id(self.ledger)], key].concat())?;
        let was = was.map(|row| row.values()[0].clone());
        self.run(write)?;
        if let Some(was) = was {
            self.add(counts, Some(was), -1);
            self.add(counts, after, 1);
        }
        Ok(())
    }

    fn add(&mut self, counts: &'static Table, value: Option<Value>, by: i64) {
        if let Some(value) = value.filter(|value| *value != Value::Null) {
            *self.counted.entry((counts.name, value)).or_default() += by;
        }
    }

    /// Writes the counts that are others now.
    fn count(&mut self) -> Result<(), SqlError> {
        for ((table, value), by) in std::mem::take(&mut self.counted).into_iter().filter(|(_, by)| *by != 0) {
            let sql = format!(
                "INSERT INTO {table} (ledger, value, n) VALUES ($1, $2, $3)
                 ON CONFLICT (ledger, value) DO UPDATE SET n = {table}.n + excluded.n"
            );
            self.execute(sql, vec![value.clone(), Value::Integer(by)])?;
            if by < 0 {
                self.execute(format!("DELETE FROM {table} WHERE ledger = $1 AND value = $2 AND n = 0"), vec![value])?;
            }
        }
        Ok(())
    }

    fn run(&mut self, write: Write) -> Result<u64, SqlError> {
        let (sql, values) = match write {
            Write::Put(table, key, row) => {
                let set: Vec<String> = table.columns.iter().map(|c| format!("{0} = excluded.{0}", c.name)).collect();
                (format!("{} DO UPDATE SET {}", insert(table), set.join(", ")), [key, row].concat())
            }
            Write::Set(table, key, columns) => {
                let (key_is, behind) = (key_is(table), key.len() + 2);
                let set: Vec<String> =
                    columns.iter().enumerate().map(|(n, (name, _))| format!("{name} = ${}", behind + n)).collect();
                let sql = format!("UPDATE {} SET {} WHERE {key_is}", table.name, set.join(", "));
                (sql, key.into_iter().chain(columns.into_iter().map(|(_, value)| value)).collect())
            }
            Write::Inherit(table, key, column, from, its_key) => {
                let its_is = names_are(from, "f.", key.len() + 2);
                let sql = format!(
                    "UPDATE {} SET {column} = (SELECT f.{column} FROM {} f WHERE f.ledger = $1{its_is}) WHERE {}",
                    table.name,
                    from.name,
                    key_is(table)
                );
                (sql, [key, its_key].concat())
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
        self.execute(sql, values)
    }

    /// `$1` is the ledger.
    fn execute(&mut self, sql: String, values: Vec<Value>) -> Result<u64, SqlError> {
        self.tx.execute(&sql, &[vec![id(self.ledger)], values].concat())
    }
}

/// A change that may give a row another value in a counted column.
struct Counting {
    table: &'static Table,
    key: Vec<Value>,
    column: &'static str,
    counts: &'static Table,
    /// What the row holds afterwards, where it is there.
    after: Option<Value>,
}

fn counting(write: &Write) -> Option<Counting> {
    let (Write::Put(table, key, _) | Write::Set(table, key, _) | Write::Delete(table, key)) = write else {
        return None;
    };
    let (column, counts) = table.counted()?;
    let after = match write {
        Write::Put(_, _, row) => Some(row[table.place(column.name)].clone()),
        Write::Set(_, _, columns) => Some(columns.iter().rfind(|(name, _)| *name == column.name)?.1.clone()),
        _ => None,
    };
    Some(Counting { table, key: key.clone(), column: column.name, counts, after })
}

fn insert(table: &Table) -> String {
    let names = table.names();
    let marks: Vec<String> = (1..=names.len()).map(|n| format!("${n}")).collect();
    let key = names[..=table.key.len()].join(", ");
    format!("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({key})", table.name, names.join(", "), marks.join(", "))
}

fn key_is(table: &Table) -> String {
    format!("ledger = $1{}", names_are(table, "", 2))
}

/// That the key behind the ledger is the values from number `first` on.
fn names_are(table: &Table, of: &str, first: usize) -> String {
    table.key.iter().enumerate().map(|(n, c)| format!(" AND {of}{} = ${}", c.name, n + first)).collect()
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
            Write::Inherit(table, key, column, from, its_key) => {
                let held = self.rows(from).get(&its_key).map(|row| row[from.place(column)].clone());
                if let Some(row) = self.rows(table).get_mut(&key) {
                    row[table.place(column)] = held.unwrap_or(Value::Null);
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
        if !only_grown {
            self.count();
        }
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

    /// Rows of counted tables, as [`Live`] counts them.
    fn count(&mut self) {
        let mut counted: Vec<(&'static Table, BTreeMap<Value, i64>)> = vec![];
        for (table, rows) in self.tables.values() {
            let Some((column, counts)) = table.counted() else { continue };
            let (at, mut held) = (table.place(column.name), BTreeMap::new());
            for value in rows.values().map(|row| &row[at]).filter(|value| **value != Value::Null) {
                match held.get_mut(value) {
                    Some(n) => *n += 1,
                    None => drop(held.insert(value.clone(), 1)),
                }
            }
            counted.push((counts, held));
        }
        for (counts, held) in counted {
            self.rows(counts).extend(held.into_iter().map(|(value, n)| (vec![value], vec![Value::Integer(n)])));
        }
    }

    fn rows(&mut self, table: &'static Table) -> &mut Rows {
        &mut self.tables.entry(table.name).or_insert_with(|| (table, Rows::new())).1
    }
}

#[cfg(test)]
mod tests {
    use keiin_eventlog::postgres::Address;
    use keiin_eventlog::sql::{Connection, Scope};
    use keiin_test_postgres::Server;

    use super::*;
    use crate::database::Database;
    use crate::runner::Projection;
    use crate::table::{Columns, Writes, blob, cell, counted, counts, dump, int, personal};

    static PEOPLE: Table = Table {
        name: "people",
        key: &[blob("id")],
        columns: &[blob("subject"), personal("name"), int("visits"), counted("state", &PEOPLE_COUNTS)],
        indexes: &["visits"],
        only_grows: false,
    };
    static PEOPLE_COUNTS: Table = counts("people_counts");
    static PASSES: Table = Table {
        name: "passes",
        key: &[blob("id"), int("n")],
        columns: &[int("visits")],
        indexes: &[],
        only_grows: false,
    };

    /// A place on each engine with these tables; the folder must live as long as it.
    fn opened() -> (tempfile::TempDir, [Connection; 2]) {
        static TABLES: &[&Table] = &[&PEOPLE, &PEOPLE_COUNTS, &PASSES];
        let dir = tempfile::tempdir().unwrap();
        let file = Database::sqlite(dir.path().join("read.db"));
        let server = Database::postgres(Address::parse(&Server::shared().database()).unwrap());
        let projection = || Projection { name: "people", revision: 1, tables: TABLES, fold: |_, _, _| Ok(()) };
        let open = |database: Database| database.open(&[projection()]).unwrap().connection;
        (dir, [open(file), open(server)])
    }

    fn key(n: u128) -> Vec<Value> {
        vec![id(Uuid::from_u128(n))]
    }

    fn row(n: u128, name: &str, state: &str) -> Columns {
        let subject = ("subject", cell(Uuid::from_u128(n)));
        vec![subject, ("name", cell(name)), ("visits", cell(0u64)), ("state", cell(state))]
    }

    fn writes() -> Vec<Write> {
        let (a, b, pass) = (key(1), key(2), [key(1), vec![cell(7u64)]].concat());
        let mut w = Writes::default();
        w.put(&PEOPLE, b.clone(), row(9, "replaced", "expected"));
        w.put(&PEOPLE, b, row(20, "佐藤 健", "arrived"));
        w.put(&PEOPLE, a.clone(), row(10, "田中 花子", "arrived"));
        w.add(&PEOPLE, a.clone(), "visits", 2);
        w.put(&PASSES, pass.clone(), []);
        w.inherit(&PASSES, pass, "visits", &PEOPLE, a.clone());
        w.inherit(&PASSES, [key(8), vec![cell(7u64)]].concat(), "visits", &PEOPLE, a.clone());
        w.set(&PEOPLE, a, [("name", cell("田中 華子"))]);
        w.delete(&PEOPLE, key(3));
        w.0.push(Write::Scrub(&PEOPLE, Uuid::from_u128(20)));
        w.0
    }

    /// Any number, the same at every run.
    fn any(seed: &mut u64, below: u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % below
    }

    /// People come, come again, change and go.
    fn any_writes(seed: &mut u64) -> Vec<Write> {
        let mut w = Writes::default();
        for _ in 0..any(seed, 6) {
            let (key, state) = (key(any(seed, 5).into()), ["expected", "arrived", "left"][any(seed, 3) as usize]);
            match any(seed, 5) {
                0 | 1 => w.put(&PEOPLE, key, row(1, "", state)),
                2 => w.set(&PEOPLE, key, [("name", cell("")), ("state", cell(state))]),
                3 => w.set(&PEOPLE, key, [("visits", cell(3u64))]),
                _ => w.delete(&PEOPLE, key),
            }
        }
        w.0
    }

    /// Folds live for one company and in memory for another; what each then has, without the company.
    fn both(connection: &mut Connection, folds: Vec<Vec<Write>>) -> [String; 2] {
        let companies = [98, 99].map(Uuid::from_u128);
        let mut memory = Memory::of(companies[1]);
        for writes in folds {
            let live = |tx: &mut Tx<'_>| Live::write(tx, companies[0], writes.clone());
            connection.write(Scope::Ledger(companies[0]), live).unwrap();
            writes.into_iter().for_each(|write| memory.write(write));
        }
        connection.write(Scope::Ledger(companies[1]), |tx| memory.write_out(tx, "", false)).unwrap();
        let all = dump(connection, &[&PEOPLE, &PEOPLE_COUNTS, &PASSES]).unwrap();
        companies.map(|company| {
            let company = format!(" {:?}", id(company));
            let own = all.lines().filter(|line| line.contains(&company));
            own.map(|line| line.replacen(&company, "", 1) + "\n").collect()
        })
    }

    #[test]
    fn what_is_written_live_is_what_is_written_out_also_after_a_scrub() {
        let (_dir, engines) = opened();
        for mut connection in engines {
            let [live, written_out] = both(&mut connection, vec![writes()]);
            assert!(live.contains("田中 華子") && !live.contains("佐藤"), "{live}");
            assert!(live.contains("people_counts Text(\"arrived\") Integer(2)"), "{live}");
            assert!(!live.contains("expected"), "nobody is: {live}");
            let passes: Vec<&str> = live.lines().filter(|line| line.starts_with("passes")).collect();
            assert!(passes.len() == 1 && passes[0].ends_with("Integer(7) Integer(2)"), "{passes:?}");
            assert_eq!(live, written_out);
        }
    }

    #[test]
    fn counts_are_those_of_the_rows_whatever_was_written() {
        let (_dir, [mut sqlite, mut postgres]) = opened();
        let seed = &mut 7;
        let mut most = 0;
        for _ in 0..40 {
            let folds: Vec<Vec<Write>> = (0..4).map(|_| any_writes(seed)).collect();
            for connection in [&mut sqlite, &mut postgres] {
                let [live, written_out] = both(connection, folds.clone());
                assert_eq!(live, written_out);
                let recount =
                    "SELECT ledger, state, count(*) FROM people GROUP BY ledger, state ORDER BY ledger, state";
                let rows = connection.query(Scope::All, recount, &[]).unwrap();
                let held =
                    connection.query(Scope::All, "SELECT ledger, value, n FROM people_counts ORDER BY 1, 2", &[]);
                let [rows, held] =
                    [rows, held.unwrap()].map(|rows| rows.iter().map(|r| r.values().to_vec()).collect::<Vec<_>>());
                assert_eq!(held, rows, "{folds:?}");
                most = most.max(rows.len());
                let empty = |table: &str| format!("DELETE FROM {table}");
                for table in [&PEOPLE, &PEOPLE_COUNTS] {
                    connection.write(Scope::All, |tx| tx.execute(&empty(table.name), &[])).unwrap();
                }
            }
        }
        assert_eq!(most, 6, "every state was held at once, by both companies");
    }
}
