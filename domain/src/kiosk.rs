//! Kiosks: devices at a reception. A kiosk sees its own location and one visit at a time.
//!
//! What makes a create unique: nothing but its id. A location may have several kiosks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::{events, text};

events! {
    /// What happens to a kiosk.
    KioskEvent {
        Paired = "kiosk.paired" v 1;
        Revoked = "kiosk.revoked" v 1;
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

#[cfg(test)]
mod tests {
    use super::*;
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

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<KioskEvent> {
        vec![
            Paired { name: "受付 1".into(), location: "本社".into(), secret_hash: [0xab; 32] }.into(),
            Revoked {}.into(),
        ]
    }
}
