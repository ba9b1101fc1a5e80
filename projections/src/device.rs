//! Devices: by which browsers and programs somebody has logged in, so that they can forget what they do not know.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::device::{Device, DeviceEvent};
use keiin_domain::role::{Permission, Role};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::event;
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int};
use crate::view::{Row, Seen, Time, col};

/// One row a device and member.
pub static DEVICES: Table = Table {
    name: "devices",
    key: &[blob("id")],
    columns: &[
        blob("member_id"),
        int("seen_at"),
        int("used_at"),
        int("used_position"),
        int("known"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "device", revision: 1, tables: &[&DEVICES], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Device::STREAM {
        return Ok(());
    }
    // The first record of an append says where it came from.
    let opening = fact.leaf.position - u64::from(fact.leaf.index);
    let used = [("used_at", cell(fact.time_us())), ("used_position", cell(opening))];
    match fact.read()? {
        DeviceEvent::Seen(e) => {
            let first = [("member_id", cell(e.member_id)), ("seen_at", cell(fact.time_us())), ("known", cell(true))];
            out.born(&DEVICES, fact, [&first[..], &used[..]].concat());
        }
        DeviceEvent::Used(_) => out.changed(&DEVICES, fact, used),
        DeviceEvent::Forgotten(_) | DeviceEvent::Disowned(_) => {
            out.changed(&DEVICES, fact, [("known", cell(false))]);
        }
    }
    Ok(())
}

/// A device, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// Where its last login came from; absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Which browser or program; absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// First login by it.
    pub seen_at: Time,
    /// Last login by it.
    pub used_at: Time,
}

/// Devices as they are kept.
pub const FROM: &str = "devices";

/// A row, and where the record stands whose context says where from: that is sealed, and read models have no copy of it.
fn view(row: &Row) -> Seen<(DeviceView, u64)> {
    let opening = col(row, "used_position")?;
    let view = DeviceView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        ip: None,
        user_agent: None,
        seen_at: col(row, "seen_at")?,
        used_at: col(row, "used_at")?,
    };
    Ok((view, opening))
}

async fn with_origin(read: &Read, who: &Who, found: (DeviceView, u64)) -> Result<DeviceView, Refusal> {
    let (view, opening) = found;
    let origin = event::origin_at(read, who, opening).await?;
    let (ip, user_agent) = origin.map(|origin| (origin.ip, origin.user_agent)).unzip();
    Ok(DeviceView { ip, user_agent, ..view })
}

/// One's own devices that are not forgotten, newest first.
pub struct ListDevices;

impl Query for ListDevices {
    const NAME: &'static str = "list_devices";
    const PATH: &'static str = "/v1/devices";
    const CLASS: DataClass = DataClass::Personal;
    const PERMISSION: Permission = Permission("me.read");
    const PARAMS: &'static [Param] = &[];
    const LIST: bool = true;
    type Answer = Listing<DeviceView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let known = Filter::new().and("t.member_id = ?", Some(who.person())).and("t.known = ?", Some(true));
        let Listing { items, next, counts, figures } = read.list(who, FROM, known, params, view)?;
        let mut devices = vec![];
        for found in items {
            devices.push(with_origin(read, who, found).await?);
        }
        Ok(Listing { items: devices, next, counts, figures })
    }
}

/// One device: one's own, or as owner or admin anybody's.
pub struct GetDevice;

impl Query for GetDevice {
    const NAME: &'static str = "get_device";
    const PATH: &'static str = "/v1/devices/{id}";
    const CLASS: DataClass = DataClass::Personal;
    const PERMISSION: Permission = Permission("me.read");
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = DeviceView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let found = read.one(who, FROM, params.id("id"), |row| Ok((col::<Uuid>(row, "member_id")?, view(row)?)))?;
        let anybodys = matches!(who.actor.role, Role::Owner | Role::Admin | Role::System);
        if anybodys || found.0 == who.person() { with_origin(read, who, found.1).await } else { Err(Refusal::NotFound) }
    }
}
