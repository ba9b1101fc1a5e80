//! Second factors: who has one, and how many recovery codes are left.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::factor::passkey::{PasskeyAdded, PasskeyRemoved};
use keiin_domain::factor::phone::{PhoneEnrolled, PhoneRemoved};
use keiin_domain::factor::{Factor, FactorEvent};
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Kind, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Value, Writes, blob, cell, int};
use crate::view::{Row, Seen, Time, col};

/// One row a member who ever had one.
pub static FACTORS: Table = Table {
    name: "factors",
    key: &[blob("id")],
    columns: &[int("totp"), int("codes"), int("enrolled_at"), int("since"), int("version"), int("position")],
    indexes: &[],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "factor", revision: 1, tables: &[&FACTORS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Factor::STREAM {
        return Ok(());
    }
    match fact.read()? {
        FactorEvent::TotpEnrolled(_) => {
            let columns = [("totp", cell(true)), ("codes", cell(0i64)), ("enrolled_at", cell(fact.time_us()))];
            out.born(&FACTORS, fact, columns);
        }
        FactorEvent::TotpUsed(_) => out.changed(&FACTORS, fact, []),
        FactorEvent::RecoveryCodesIssued(e) => {
            out.changed(&FACTORS, fact, [("codes", cell(e.codes.len() as i64))]);
        }
        FactorEvent::RecoveryCodeUsed(_) => {
            out.changed(&FACTORS, fact, []);
            out.add(&FACTORS, key(fact), "codes", -1);
        }
        // The first factor begins the row; passkeys and phones have tables of their own.
        FactorEvent::PasskeyAdded(PasskeyAdded { first: true, .. })
        | FactorEvent::PhoneEnrolled(PhoneEnrolled { first: true, .. }) => {
            out.born(&FACTORS, fact, [("totp", cell(false)), ("codes", cell(0i64))]);
        }
        FactorEvent::PasskeyRemoved(PasskeyRemoved { last: true, .. })
        | FactorEvent::PhoneRemoved(PhoneRemoved { last: true }) => {
            out.changed(&FACTORS, fact, [("codes", cell(0i64))]);
        }
        FactorEvent::PasskeyAdded(_)
        | FactorEvent::PasskeyRenamed(_)
        | FactorEvent::PasskeyUsed(_)
        | FactorEvent::PasskeyRemoved(_)
        | FactorEvent::AccountLinked(_)
        | FactorEvent::AccountUnlinked(_)
        | FactorEvent::PhoneEnrolled(_)
        | FactorEvent::PhoneRemoved(_)
        | FactorEvent::CodeSent(_)
        | FactorEvent::PhoneUsed(_) => out.changed(&FACTORS, fact, []),
        FactorEvent::TotpRemoved(_) | FactorEvent::Reset(_) => {
            out.changed(&FACTORS, fact, [("totp", cell(false)), ("codes", cell(0i64))]);
        }
    }
    Ok(())
}

fn key(fact: &Fact) -> Vec<Value> {
    vec![fact.id()]
}

/// A member's second factors, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FactorView {
    /// The member.
    pub id: Uuid,
    /// Stream version, for If-Match; absent before the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// An authenticator app is asked for.
    pub totp: bool,
    /// Passkeys.
    pub passkeys: u64,
    /// A phone is there for codes by SMS. Whether they are asked for, the company says.
    pub phone: bool,
    /// Recovery codes that are still good.
    pub recovery_codes_left: u64,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrolled_at: Option<Time>,
}

const FROM: &str =
    "(SELECT f.*, (SELECT count(*) FROM passkeys p WHERE p.ledger = f.ledger AND p.member_id = f.id) AS passkeys,
        (SELECT count(*) FROM phones p WHERE p.ledger = f.ledger AND p.id = f.id) AS phones
      FROM factors f)";

fn view(row: &Row) -> Seen<FactorView> {
    let totp: bool = col(row, "totp")?;
    Ok(FactorView {
        id: col(row, "id")?,
        version: Some(col(row, "version")?),
        totp,
        passkeys: col(row, "passkeys")?,
        phone: col::<u64>(row, "phones")? > 0,
        recovery_codes_left: col(row, "codes")?,
        enrolled_at: col::<Option<Time>>(row, "enrolled_at")?.filter(|_| totp),
    })
}

fn of(read: &Read, who: &Who, member: Uuid) -> Result<FactorView, Refusal> {
    match read.one(who, FROM, Some(member), view) {
        Err(Refusal::NotFound) => {
            let (version, totp, passkeys, phone, recovery_codes_left, enrolled_at) = Default::default();
            Ok(FactorView { id: member, version, totp, passkeys, phone, recovery_codes_left, enrolled_at })
        }
        found => found,
    }
}

/// One's own second factors.
pub struct GetMyFactor;

impl Query for GetMyFactor {
    const NAME: &'static str = "get_my_factor";
    const PATH: &'static str = "/v1/me/factor";
    const PERMISSION: Permission = Permission("me.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[];
    type Answer = FactorView;
    async fn run(read: &Read, who: &Who, _: &Params) -> Result<Self::Answer, Refusal> {
        of(read, who, who.person())
    }
}

/// A member's second factors.
pub struct GetFactor;

impl Query for GetFactor {
    const NAME: &'static str = "get_factor";
    const PATH: &'static str = "/v1/factors/{id}";
    const PERMISSION: Permission = Permission("security.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = FactorView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let member = params.id("id").ok_or(Refusal::NotFound)?;
        read.one(who, crate::member::FROM, Some(member), |row| col::<Uuid>(row, "id"))?;
        of(read, who, member)
    }
}
