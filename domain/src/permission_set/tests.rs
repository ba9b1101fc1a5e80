use super::*;
use crate::member::{ChangeRole, Member, Registered, RemoveMember, RoleChanged};
use crate::owners::Owners;
use crate::testing::*;

const SET: Uuid = Uuid::from_u128(0x5e7);
const OTHER: Uuid = Uuid::from_u128(0x5e8);

fn names(permissions: &[&str]) -> Vec<String> {
    permissions.iter().map(|p| (*p).to_owned()).collect()
}

fn define(permissions: &[&str]) -> DefinePermissionSet {
    DefinePermissionSet { name: "請求書の確認".into(), permissions: names(permissions) }
}

fn change(name: &str, permissions: &[&str]) -> ChangePermissionSet {
    ChangePermissionSet { name: name.into(), permissions: names(permissions) }
}

fn defined(name: &str) -> Defined {
    Defined { name: name.into(), permissions: names(&["document.read"]) }
}

fn with_set() -> Scene {
    let anna = Registered { person: sealed(ANNA, &person("佐藤 杏奈", "")), role: Role::Member };
    scene()
        .given::<PermissionSet>(SET, defined("閲覧"))
        .given::<PermissionSets>(TENANT, Named { permission_set: SET, name: "閲覧".into() })
        .given::<Member>(ANNA, anna)
}

fn give() -> ChangeRole {
    ChangeRole { role: RoleChoice::Own(SET) }
}

#[test]
fn el_22_a_company_makes_a_set_gives_it_and_takes_it_back() {
    let scene = scene().when(SET, define(&["document.read", "document.issue", "document.read"])).then([
        emit::<PermissionSet>(
            SET,
            Defined { name: "請求書の確認".into(), permissions: names(&["document.issue", "document.read"]) },
        ),
        emit::<PermissionSets>(TENANT, Named { permission_set: SET, name: "請求書の確認".into() }),
    ]);
    assert!(scene.now::<PermissionSet>(SET).rights().has(Permission("document.issue")));

    let given =
        RoleChanged { from: Role::Member, to: Role::Custom, from_permission_set: None, to_permission_set: Some(SET) };
    let scene = with_set().when(ANNA, give()).then([
        emit::<Member>(ANNA, given),
        emit::<PermissionSets>(TENANT, Given { permission_set: SET, member: ANNA }),
    ]);
    assert_eq!(scene.now::<Member>(ANNA).permission_set, Some(SET));
    let scene = scene.when(ANNA, give()).then([]);
    let scene = scene.when(SET, DeletePermissionSet {}).refused("permission_set.in_use");
    let scene = scene.when(ANNA, ChangeRole { role: Role::Viewer.into() }).accepted();
    assert_eq!(scene.now::<Member>(ANNA).permission_set, None);
    let scene = scene.when(SET, DeletePermissionSet {}).then([
        emit::<PermissionSet>(SET, Deleted {}),
        emit::<PermissionSets>(TENANT, Dropped { permission_set: SET }),
    ]);
    scene.when(ANNA, give()).refused_at("member.bad_role", "/role");
}

#[test]
fn whoever_leaves_holds_nothing() {
    let scene = with_set().when(ANNA, give()).accepted().when(ANNA, RemoveMember {}).accepted();
    scene.when(SET, DeletePermissionSet {}).accepted();
}

#[test]
fn of_giving_and_deleting_at_once_one_wins() {
    with_set().race((ANNA, give()), (SET, DeletePermissionSet {})).refused("permission_set.in_use");
    with_set().race((SET, DeletePermissionSet {}), (ANNA, give())).refused_at("member.bad_role", "/role");
    let (make, rename) = (define(&["document.read"]), change("請求書の確認", &["document.read"]));
    with_set().race((OTHER, make), (SET, rename)).refused_at("permission_set.name_taken", "/name");
}

#[test]
fn nobody_makes_or_gives_more_than_they_may() {
    let scene = with_set().by(Role::Viewer);
    let scene = scene.when(OTHER, define(&["document.read"])).accepted();
    let scene = scene.when(OTHER, change("別", &["mail.read"]));
    let scene = scene.refused_at("permission_set.beyond_own", "/permissions/0");
    scene.by(Role::Receptionist).when(ANNA, give()).refused_at("permission_set.beyond_own", "/role");
}

#[test]
fn every_refusal() {
    let s = refuses_bad_text(scene(), SET, "/name", true, 40, |name| DefinePermissionSet {
        name,
        ..define(&["visit.read"])
    });
    let s = s.when(SET, define(&[])).refused_at("permission_set.no_permissions", "/permissions");
    for never in ["member.change_role", "tenant.read", "kiosk.check_in", "document.*", "", "permission_set.define"] {
        let tried = s.clone().when(SET, define(&["visit.read", never]));
        tried.refused_at("permission_set.unknown_permission", "/permissions/1");
    }
    let s = s.when(SET, define(&["visit.register"]));
    let s = s.refused_expecting("permission_set.needs_read", "/permissions/0", "visit.read");
    let s = s.by(Role::Viewer).when(SET, define(&["mail.read"]));
    let s = s.refused_at("permission_set.beyond_own", "/permissions/0").by(Role::Owner);
    let s = s.when(SET, define(&["visit.read"])).accepted();
    let s = s.when(OTHER, define(&["visit.read"])).refused_at("permission_set.name_taken", "/name");
    let mut full = s.clone();
    for n in 1..SETS_MAX {
        let set = Named { permission_set: Uuid::from_u128(n as u128), name: n.to_string() };
        full = full.given::<PermissionSets>(TENANT, set);
    }
    full.when(OTHER, define(&["visit.read"])).refused("permission_set.too_many");
    covered::<DefinePermissionSet>();

    let s = s.when(OTHER, change("別", &["visit.read"])).refused("permission_set.unknown");
    let s = s.when(OTHER, DeletePermissionSet {}).refused("permission_set.unknown");
    let s = s.given::<PermissionSets>(TENANT, Named { permission_set: OTHER, name: "Other".into() });
    let s = s.when(SET, change("OTHER", &["visit.read"])).refused_at("permission_set.name_taken", "/name");
    let s = refuses_bad_text(s, SET, "/name", true, 40, |name| change(&name, &["visit.read"]));
    let s = s.when(SET, change("別", &[])).refused_at("permission_set.no_permissions", "/permissions");
    let s = s.when(SET, change("別", &["x"])).refused_at("permission_set.unknown_permission", "/permissions/0");
    let s = s.when(SET, change("別", &["visit.cancel"]));
    let s = s.refused_expecting("permission_set.needs_read", "/permissions/0", "visit.read");
    let s = s.by(Role::Viewer).when(SET, change("別", &["mail.read"]));
    let s = s.refused_at("permission_set.beyond_own", "/permissions/0").by(Role::Owner);
    let s = s.when(SET, change("請求書の確認", &["visit.read"])).then([]);
    let held = Given { permission_set: SET, member: ANNA };
    let held = s.clone().given::<PermissionSets>(TENANT, held);
    held.when(SET, DeletePermissionSet {}).refused("permission_set.in_use");
    let s = s.when(SET, DeletePermissionSet {}).accepted();
    let s = s.when(SET, DeletePermissionSet {}).refused("permission_set.gone");
    s.when(SET, change("別", &["visit.read"])).refused("permission_set.gone");
    covered::<ChangePermissionSet>();
    covered::<DeletePermissionSet>();
}

#[test]
fn an_owner_who_is_given_a_set_has_left_the_owners() {
    let owner = |id| Registered { person: sealed(id, &person("所有者", "")), role: Role::Owner };
    let scene = with_set().given::<Member>(BEN, owner(BEN));
    let scene = scene.given::<Owners>(TENANT, crate::owners::OwnerAdded { member: BEN });
    scene.when(BEN, give()).refused("member.last_owner");
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<PermissionSetEvent> {
    vec![
        Defined { name: "請求書の確認".into(), permissions: names(&["document.issue", "document.read"]) }.into(),
        Changed { name: "請求書の確認".into(), permissions: names(&["document.read"]) }.into(),
        Deleted {}.into(),
    ]
}

/// The same of the boundary.
pub fn boundary_samples() -> Vec<PermissionSetsEvent> {
    vec![
        Named { permission_set: SAMPLE_ID, name: "請求書の確認".into() }.into(),
        Dropped { permission_set: SAMPLE_ID }.into(),
        Given { permission_set: SAMPLE_ID, member: SAMPLE_ID }.into(),
        Taken { member: SAMPLE_ID }.into(),
    ]
}
