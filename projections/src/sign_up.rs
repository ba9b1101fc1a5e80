//! Sign-ups, in the root ledger: as much as their mails need.

use keiin_domain::command::Aggregate;
use keiin_domain::sign_up::{SignUp, SignUpEvent};
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Read, Refusal};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, personal, text};
use crate::view::Seen;

/// One row a sign-up.
pub static SIGN_UPS: Table = Table {
    name: "sign_ups",
    key: &[blob("id")],
    columns: &[
        blob("subject"),
        personal("email"),
        int("expires_at"),
        int("code_expires_at"),
        int("verified"),
        text("slug"),
    ],
    indexes: &[],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "sign_up", revision: 2, tables: &[&SIGN_UPS], fold };

/// Sign-ups that ended before this time and whose address is still known, the oldest first.
pub fn over(read: &Read, before_us: i64, limit: usize) -> Result<Vec<Uuid>, Refusal> {
    let sql = "SELECT id FROM sign_ups WHERE email <> '' AND expires_at <= $1 ORDER BY expires_at LIMIT $2";
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, &values![before_us, limit as u64])?))?;
    Ok(rows.iter().map(|row| row.get(0)).collect::<Seen<_>>()?)
}

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != SignUp::STREAM {
        return Ok(());
    }
    let mut set = |column, value| out.set(&SIGN_UPS, [fact.id()], [(column, value)]);
    match fact.read()? {
        SignUpEvent::Requested(e) => {
            let email = e.person.open(keys).map(|person| person.email);
            let row = [
                ("subject", cell(e.person.subject)),
                ("email", cell(email)),
                ("expires_at", cell(e.expires_at_us)),
                ("verified", cell(false)),
            ];
            out.put(&SIGN_UPS, [fact.id()], row);
        }
        SignUpEvent::CodeIssued(e) => set("code_expires_at", cell(e.expires_at_us)),
        SignUpEvent::CodeVerified(_) => set("verified", cell(true)),
        SignUpEvent::Submitted(e) => set("slug", cell(e.slug)),
        SignUpEvent::CodeRefused(_)
        | SignUpEvent::PaymentRequested(_)
        | SignUpEvent::PaymentConfirmed(_)
        | SignUpEvent::Provisioned(_) => {}
    }
    Ok(())
}
