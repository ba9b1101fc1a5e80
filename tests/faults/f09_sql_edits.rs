//! F9. Somebody with the database, but not the signing key, edits rows: single fields, whole chains made to fit again, rows
//! deleted, swapped, put in again. And somebody edits the read models only.

use keiin_eventlog::record::{Hash, Leaf, Record};
use keiin_eventlog::verify::{Options, Verdict, verify};
use keiin_tests::oracle::{dump, rebuilt};
use keiin_tests::{Company, Deployment, Seeded, keiin, long, report};
use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::damage::{Fate, Subject, bundle};

/// What stands in the file, whether it fits or not.
fn rows(connection: &Connection, ledger: Uuid) -> Vec<(i64, Record)> {
    let mut query = connection
        .prepare(
            "SELECT r.no, r.leaf, r.body, CASE WHEN r.no = c.record + c.last - c.first THEN c.signature END
             FROM ledger l JOIN ledger_commit c ON c.ledger = l.no
             JOIN record r ON r.no BETWEEN c.record AND c.record + c.last - c.first
             WHERE l.id = ?1 ORDER BY c.last, r.no",
        )
        .expect("a query");
    let rows = query.query_map([ledger.as_bytes()], |row| {
        Ok((row.get(0)?, Record { leaf: row.get(1)?, body: row.get(2)?, signature: row.get(3)? }))
    });
    rows.expect("rows").collect::<Result<_, _>>().expect("rows")
}

fn put(connection: &Connection, no: i64, leaf: &[u8], body: Option<&[u8]>) {
    connection
        .execute("UPDATE record SET leaf = ?2, body = ?3 WHERE no = ?1", params![no, leaf, body])
        .expect("edited");
}

/// One edit, and its name.
fn edit(connection: &Connection, ledger: Uuid, chance: &mut Seeded) -> &'static str {
    let rows = rows(connection, ledger);
    // Not the first: most edits need a record before.
    let at = chance.between(1, rows.len() as u64 - 1) as usize;
    let (no, record) = &rows[at];
    let mut leaf = Leaf::decode(&record.leaf).expect("a leaf");
    match chance.between(0, 8) {
        0 => {
            let mut body = record.body.clone().expect("a body");
            let place = chance.between(0, body.len() as u64 - 1) as usize;
            body[place] ^= 1 << chance.between(0, 7);
            put(connection, *no, &record.leaf, Some(&body));
            "a body"
        }
        1 => {
            let body = vec![chance.bits() as u8; 100];
            (leaf.body_len, leaf.body_hash) = (100, Hash::of(&body));
            put(connection, *no, &leaf.encode(), Some(&body));
            "a body and its hash"
        }
        2 => {
            leaf.time_us ^= 1 << chance.between(0, 40);
            put(connection, *no, &leaf.encode(), record.body.as_deref());
            "a time"
        }
        3 => {
            leaf.actor.id = Uuid::from_u128(u128::from(chance.bits()) | 1);
            put(connection, *no, &leaf.encode(), record.body.as_deref());
            rehash(connection, ledger, at);
            "an actor, and every link after it"
        }
        4 => {
            let body = vec![chance.bits() as u8; 77];
            (leaf.body_len, leaf.body_hash) = (77, Hash::of(&body));
            put(connection, *no, &leaf.encode(), Some(&body));
            rehash(connection, ledger, at);
            "a body, and every link after it"
        }
        5 => {
            connection.execute("DELETE FROM record WHERE no = ?1", [no]).expect("deleted");
            "a row deleted"
        }
        6 => {
            let (other, with) = &rows[(at + 1) % rows.len()];
            put(connection, *no, &with.leaf, with.body.as_deref());
            put(connection, *other, &record.leaf, record.body.as_deref());
            "two rows swapped"
        }
        7 => {
            connection.execute("DELETE FROM record WHERE no = ?1", [no]).expect("deleted");
            let (_, other) = &rows[at - 1];
            connection
                .execute("INSERT INTO record VALUES (?1, ?2, ?3)", params![no, other.leaf, other.body])
                .expect("inserted");
            "a row replaced by a copy of another"
        }
        _ => {
            cut(connection, ledger, &rows);
            "the last commit taken back"
        }
    }
}

/// Mends every link from `at` on, the head included, as anybody can who knows the format.
fn rehash(connection: &Connection, ledger: Uuid, at: usize) {
    let rows = rows(connection, ledger);
    let mut prev = rows[at].1.hash();
    for (no, record) in &rows[at + 1..] {
        let mut leaf = Leaf::decode(&record.leaf).expect("a leaf");
        leaf.prev = prev;
        let bytes = leaf.encode();
        prev = Hash::of_leaf(&bytes);
        put(connection, *no, &bytes, record.body.as_deref());
    }
    connection
        .execute("UPDATE ledger SET last_hash = ?2 WHERE id = ?1", params![ledger.as_bytes(), prev.0])
        .expect("head");
}

/// Takes the last commit away so that everything that is left fits.
fn cut(connection: &Connection, ledger: Uuid, rows: &[(i64, Record)]) {
    let find = "SELECT c.ledger, c.first FROM ledger_commit c JOIN ledger l ON l.no = c.ledger WHERE l.id = ?1
                ORDER BY c.last DESC LIMIT 1";
    let (no, first): (i64, i64) =
        connection.query_row(find, [ledger.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).expect("a commit");
    for (row, _) in &rows[first as usize..] {
        connection.execute("DELETE FROM record WHERE no = ?1", [row]).expect("deleted");
    }
    for table in ["ledger_commit", "append"] {
        connection
            .execute(&format!("DELETE FROM {table} WHERE ledger = ?1 AND first >= ?2"), [no, first])
            .expect("cut");
    }
    let (_, last) = &rows[first as usize - 1];
    let leaf = Leaf::decode(&last.leaf).expect("a leaf");
    let head = params![no, first, last.hash().0, leaf.time_us as i64, leaf.append_id.as_bytes()];
    let update = "UPDATE ledger SET size = ?2, last_hash = ?3, last_time_us = ?4, last_append = ?5 WHERE no = ?1";
    connection.execute(update, head).expect("head");
}

#[test]
fn f09_no_edit_by_sql_survives_the_verifier_or_the_server() {
    let subject = Subject::new(&["dba-a", "dba-b"]);
    let companies: Vec<Uuid> = subject.companies.iter().map(|c| c.id.parse().expect("an id")).collect();
    let mut chance = Seeded::from_env_or(9);
    println!("seed {}", chance.0);
    let (edits, every) = if long() { (1_000, 1) } else { (300, 6) };
    let (mut refuted, mut refused) = (0, 0);
    for n in 0..edits {
        let (copy, ledger) = (subject.copy(), companies[n % companies.len()]);
        let connection = Connection::open(copy.data.join("log.db")).expect("the log opens");
        let what = edit(&connection, ledger, &mut chance);
        let records: Vec<Record> = rows(&connection, ledger).into_iter().map(|(_, record)| record).collect();
        drop(connection);
        let good = &subject.ledgers[&ledger];
        // Whoever made the edit writes the export, with the last checkpoint that the signer made.
        let options = Options { keys: good.keys.clone(), deep: true, ..Options::default() };
        let report = verify(&bundle(&records, &good.checkpoint)[..], &options);
        assert_ne!(report.verdict, Verdict::Verified, "edit {n}, {what}");
        refuted += 1;
        if n % every == 0 {
            match subject.fate(&copy.data) {
                Fate::Refused(ledgers) => {
                    assert_eq!(ledgers.keys().collect::<Vec<_>>(), [&ledger], "edit {n}, {what}");
                    refused += 1;
                }
                other => panic!("edit {n}, {what}: {other:?}"),
            }
        }
    }
    report!("F9 edits={edits} refuted={refuted} opened={refused} refused={refused}");
}

/// The read models are not the record: an edit there shows against a rebuild, and a rebuild undoes it.
#[test]
fn f09_an_edit_of_the_read_models_is_seen_and_undone_by_a_rebuild() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "read-model");
    let client = company.new_client();
    company.new_document();
    company.settle();
    assert_eq!(server.stop(), 0);
    let good = dump(&deployment.data());
    assert_eq!(good, rebuilt(&deployment));
    let edits = [
        format!("UPDATE clients SET name = 'Somebody else' WHERE id = x'{}'", client.replace('-', "")),
        "UPDATE documents SET total = total + 1".to_owned(),
        "DELETE FROM events WHERE position = 4".to_owned(),
    ];
    for sql in edits {
        let connection = Connection::open(deployment.data().join("read.db")).expect("the read models open");
        assert!(connection.execute(&sql, []).expect("edited") > 0, "{sql}");
        drop(connection);
        let edited = dump(&deployment.data());
        assert_ne!(edited, good, "{sql}");
        assert_ne!(edited, rebuilt(&deployment), "{sql}: not seen");
        keiin(&["rebuild", "--data", deployment.data_arg()]).expect(0);
        assert_eq!(dump(&deployment.data()), good, "{sql}: not undone");
    }
}
