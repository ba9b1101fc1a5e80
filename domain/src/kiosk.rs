//! Kiosks: devices at a reception. A kiosk sees its own location and one visit at a time.
//!
//! What makes a create unique: nothing but its id. A location may have several kiosks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::visit::visit_of;
use crate::{codes, events, text};

events! {
    /// What happens to a kiosk.
    KioskEvent {
        Paired = "kiosk.paired" v 1;
        Revoked = "kiosk.revoked" v 1;
        ScanRefused = "kiosk.scan_refused" v 1;
    }
}

/// A device may check people in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Paired {
    /// What people call it.
    pub name: String,
    /// Where it stands.
    pub location: String,
    /// SHA-256 of its secret.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
}

/// It may no more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Revoked {}

codes! {
    /// What a visitor wanted of a kiosk.
    Scan {
        /// To come in.
        CheckIn = 1 "check_in",
        /// To leave.
        CheckOut = 2 "check_out",
        /// To come in without one.
        WalkIn = 3 "walk_in",
    }
}

/// The kiosk took a code, or who somebody is, while the network was down, told the visitor that it is not confirmed yet, and was
/// refused when it came back: somebody must see to that visitor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScanRefused {
    /// The visit behind the code, if there is one.
    pub visit_id: Option<Uuid>,
    /// What the visitor wanted.
    pub scan: Scan,
    /// Why not: the code of the refusal.
    pub refusal: String,
    /// When the kiosk took it, by the kiosk's clock, microseconds UTC.
    pub taken_at_us: i64,
}

/// State of a kiosk.
#[derive(Debug, Default)]
pub struct Kiosk {
    /// Where it stands; empty before it was paired.
    pub location: String,
    /// Does nothing any more.
    pub revoked: bool,
}

impl Aggregate for Kiosk {
    type Event = KioskEvent;
    const STREAM: &'static str = "kiosk";
    fn apply(&mut self, event: KioskEvent) {
        match event {
            KioskEvent::Paired(e) => self.location = e.location,
            KioskEvent::Revoked(_) => self.revoked = true,
            KioskEvent::ScanRefused(_) => {}
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<KioskEvent> {
        tests::samples()
    }
}

impl On<Kiosk> {
    /// May it work at all?
    pub fn must_be_paired(&self) -> Result<(), Rejection> {
        if !self.exists() {
            return Err(Rejection::new("kiosk.unknown"));
        }
        if self.revoked { Err(Rejection::new("kiosk.revoked")) } else { Ok(()) }
    }
}

/// Lets a device check people in. Its secret is shown once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PairKiosk {
    /// What people call it, at most 40 characters.
    pub name: String,
    /// Where it stands, as visits name the place; at most 80 characters.
    pub location: String,
}

impl Command for PairKiosk {
    type On = On<Kiosk>;
    const NAME: &'static str = "pair_kiosk";
    const ROUTE: Route = Route::create("/v1/kiosks");
    const PERMISSION: Permission = Permission("device.pair");
    const REJECTS: &'static [&'static str] = &["text.required", "text.too_long", "text.control_character"];
    fn decide(self, kiosk: &On<Kiosk>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        Ok(vec![kiosk.emit(Paired {
            name: text::line(&self.name, "/name", 40)?,
            location: text::line(&self.location, "/location", 80)?,
            secret_hash: ctx.world.secret("kio", kiosk.id),
        })])
    }
}

/// Shuts a device out at once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeKiosk {}

impl Command for RevokeKiosk {
    type On = On<Kiosk>;
    const NAME: &'static str = "revoke_kiosk";
    const ROUTE: Route = Route::post("/v1/kiosks/{id}/revoke");
    const PERMISSION: Permission = Permission("device.pair");
    const REJECTS: &'static [&'static str] = &["kiosk.unknown", "kiosk.revoked"];
    fn decide(self, kiosk: &On<Kiosk>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        kiosk.must_be_paired()?;
        Ok(vec![kiosk.emit(Revoked {})])
    }
}

/// Writes down that what the kiosk had kept was refused. The server does it for the kiosk, whatever becomes of the
/// kiosk afterwards.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordScanRefusal {
    /// What was scanned or typed; empty for who came without.
    pub code: String,
    /// What for.
    pub scan: Scan,
    /// Code of the refusal.
    pub refusal: String,
    /// When the kiosk took it, microseconds UTC.
    pub taken_at_us: i64,
}

impl Command for RecordScanRefusal {
    type On = On<Kiosk>;
    const NAME: &'static str = "record_scan_refusal";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("kiosk.record_refusal");
    const REJECTS: &'static [&'static str] = &["kiosk.unknown", "kiosk.revoked"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![ctx.actor.id])
    }
    fn decide(self, kiosk: &On<Kiosk>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        kiosk.must_be_paired()?;
        let (visit_id, taken_at_us) = (visit_of(&self.code, ctx), self.taken_at_us);
        Ok(vec![kiosk.emit(ScanRefused { visit_id, scan: self.scan, refusal: self.refusal, taken_at_us })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::World;
    use crate::role::Role;
    use crate::testing::*;

    fn pair() -> PairKiosk {
        PairKiosk { name: "受付 1".into(), location: " 本社 ".into() }
    }

    #[test]
    fn a_kiosk_is_paired_until_it_is_revoked() {
        let (name, location) = ("受付 1".into(), "本社".into());
        let paired = Paired { name, location, secret_hash: hash("keiin_kio_1") };
        let scene = scene().when(ANNA, pair()).then([emit::<Kiosk>(ANNA, paired)]);
        scene.when(ANNA, RevokeKiosk {}).then([emit::<Kiosk>(ANNA, Revoked {})]);
    }

    #[test]
    fn every_refusal() {
        let s = refuses_bad_text(scene(), ANNA, "/name", true, 40, |name| PairKiosk { name, ..pair() });
        let s = refuses_bad_text(s, ANNA, "/location", true, 80, |location| PairKiosk { location, ..pair() });
        let s = s.when(ANNA, RevokeKiosk {}).refused("kiosk.unknown").when(ANNA, pair()).accepted();
        s.when(ANNA, RevokeKiosk {}).accepted().when(ANNA, RevokeKiosk {}).refused("kiosk.revoked");
        covered::<PairKiosk>();
        covered::<RevokeKiosk>();
    }

    #[test]
    fn a_code_that_was_kept_and_refused_is_written_down_by_the_kiosk() {
        let refused = |code: &str| RecordScanRefusal {
            code: code.into(),
            scan: Scan::CheckIn,
            refusal: "visit.expired".into(),
            taken_at_us: SAMPLE_US,
        };
        let event = |visit_id| ScanRefused {
            visit_id,
            scan: Scan::CheckIn,
            refusal: "visit.expired".into(),
            taken_at_us: SAMPLE_US,
        };
        let mut s = scene().by_kiosk(BEN).when(BEN, refused("99999999")).refused("kiosk.unknown").by(Role::Owner);
        let code = s.world.passcode(SAMPLE_ID, 8);
        let s = s.when(BEN, pair()).accepted().by_kiosk(BEN);
        let s = s.when(BEN, refused("99999999")).then([emit::<Kiosk>(BEN, event(None))]);
        let s = s.when(BEN, refused(&code)).then([emit::<Kiosk>(BEN, event(Some(SAMPLE_ID)))]);
        let s = s.by(Role::Owner).when(BEN, RevokeKiosk {}).accepted().by_kiosk(BEN);
        s.when(BEN, refused("99999999")).refused("kiosk.revoked");
        covered::<RecordScanRefusal>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<KioskEvent> {
        vec![
            Paired { name: "受付 1".into(), location: "本社".into(), secret_hash: [0xab; 32] }.into(),
            Revoked {}.into(),
            ScanRefused {
                visit_id: Some(SAMPLE_ID),
                scan: Scan::CheckOut,
                refusal: "visit.expired".into(),
                taken_at_us: SAMPLE_US,
            }
            .into(),
        ]
    }
}
