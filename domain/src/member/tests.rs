use super::*;
use crate::owners::{OwnerAdded, OwnerLeft};
use crate::permission_set::{PermissionSet, RoleChoice};
use crate::testing::*;

const ADDRESS: &str = "anna@example.jp";

fn invited() -> Invited {
    Invited {
        person: sealed(ANNA, &person("佐藤 杏奈", ADDRESS)),
        role: Role::Member,
        permission_set: None,
        invited_by: Some(ME),
        secret_hash: [1; 32],
        expires_at_us: us("2026-11-05T09:00:00+09:00"),
    }
}

fn active(role: Role) -> Registered {
    Registered { person: sealed(ANNA, &person("佐藤 杏奈", ADDRESS)), role }
}

fn invite(email: &str) -> InviteMember {
    InviteMember { name: "佐藤 杏奈".into(), email: email.into(), role: Role::Member.into() }
}

fn accept() -> AcceptInvitation {
    AcceptInvitation { name: "佐藤 杏奈".into(), password: "correct horse battery".into() }
}

fn changed(from: Role, to: Role) -> RoleChanged {
    RoleChanged { from, to, from_permission_set: None, to_permission_set: None }
}

fn suspend() -> SuspendMember {
    SuspendMember { reason: "端末の紛失".into(), emergency: false }
}

/// Two owners: Anna and Ben.
fn two_owners() -> Scene {
    scene()
        .given::<Member>(ANNA, active(Role::Owner))
        .given::<Member>(BEN, active(Role::Owner))
        .given::<Owners>(TENANT, OwnerAdded { member: ANNA })
        .given::<Owners>(TENANT, OwnerAdded { member: BEN })
}

/// One owner: Anna.
fn one_owner() -> Scene {
    scene().given::<Member>(ANNA, active(Role::Owner)).given::<Owners>(TENANT, OwnerAdded { member: ANNA })
}

#[test]
fn an_invitation_is_bound_to_one_address_and_works_for_72_hours() {
    let mut scene = scene();
    let anna = scene.world.subject_of("member", ADDRESS);
    let scene = scene.when(FRESH, invite(" Anna@Example.JP ")).then([emit::<Member>(
        anna,
        Invited {
            person: sealed(anna, &person("佐藤 杏奈", ADDRESS)),
            role: Role::Member,
            permission_set: None,
            invited_by: Some(ME),
            secret_hash: hash("keiin_inv_1"),
            expires_at_us: us("2026-11-05T09:00:00+09:00"),
        },
    )]);
    let scene = scene.at("2026-11-05T08:59:59+09:00").when(FRESH, invite(ADDRESS));
    let scene = scene.refused_at("member.already_invited", "/email");
    // Expired, the same address may be invited again, with a new link.
    let scene = scene.at("2026-11-05T09:00:00+09:00").when(FRESH, invite(ADDRESS)).then([
        emit::<Member>(
            anna,
            InvitationExpired { invited: Some(sealed(anna, &person("佐藤 杏奈", ADDRESS))), invited_by: Some(ME) },
        ),
        emit::<Member>(
            anna,
            Invited {
                person: sealed(anna, &person("佐藤 杏奈", ADDRESS)),
                role: Role::Member,
                permission_set: None,
                invited_by: Some(ME),
                secret_hash: hash("keiin_inv_2"),
                expires_at_us: us("2026-11-08T09:00:00+09:00"),
            },
        ),
    ]);
    assert_eq!(scene.now::<Member>(anna).status, Some(MemberStatus::Invited));
}

#[test]
fn ml_44_an_invitation_expires_with_its_inviter_and_address() {
    let scene = scene().given::<Member>(ANNA, invited()).by_system();
    let scene = scene.at("2026-11-05T08:59:59+09:00").when(ANNA, ExpireInvitation {}).then([]);
    let expired = InvitationExpired { invited: Some(invited().person), invited_by: Some(ME) };
    let scene = scene.at("2026-11-05T09:00:00+09:00").when(ANNA, ExpireInvitation {});
    let scene = scene.then([emit::<Member>(ANNA, expired)]);
    let scene = scene.when(ANNA, ExpireInvitation {}).then([]);
    scene.when(ANNA, accept()).refused("member.invitation_expired");
    covered::<ExpireInvitation>();
}

#[test]
fn an_invitation_is_accepted_once() {
    let joined = Joined {
        person: sealed(ANNA, &person("佐藤 杏奈", "")),
        invited: Some(invited().person),
        invited_by: Some(ME),
    };
    let scene = scene().given::<Member>(ANNA, invited());
    scene.clone().race((ANNA, accept()), (ANNA, accept())).refused("member.invitation_gone");
    let scene = scene.when(ANNA, accept()).then([emit::<Member>(ANNA, joined)]);
    assert_eq!(scene.world.passwords[&ANNA], "correct horse battery");
    assert_eq!(scene.now::<Member>(ANNA).status, Some(MemberStatus::Active));
}

#[test]
fn passwords_have_15_to_128_characters_whatever_they_are() {
    for password in ["夏は夜月のころはさらなり闇もな".to_owned(), "月火水木金土日一二三四五六七八九".repeat(8)]
    {
        let command = AcceptInvitation { password, ..accept() };
        scene().given::<Member>(ANNA, invited()).when(ANNA, command).accepted();
    }
}

#[test]
fn a_refused_acceptance_leaves_no_password() {
    let weak = AcceptInvitation { password: "short".into(), ..accept() };
    let scene = scene().given::<Member>(ANNA, invited());
    let scene = scene.when(ANNA, weak).refused_at("member.password_too_short", "/password");
    assert!(scene.world.passwords.is_empty());
}

#[test]
fn the_last_owner_cannot_go_whatever_the_way() {
    one_owner().when(ANNA, RemoveMember {}).refused("member.last_owner");
    one_owner().when(ANNA, suspend()).refused("member.last_owner");
    one_owner().when(ANNA, ChangeRole { role: Role::Admin.into() }).refused("member.last_owner");
    // A suspended owner cannot act, so they do not count.
    two_owners().when(BEN, suspend()).accepted().when(ANNA, RemoveMember {}).refused("member.last_owner");
}

#[test]
fn of_two_owners_who_remove_each_other_at_once_one_stays() {
    two_owners().race((ANNA, RemoveMember {}), (BEN, RemoveMember {})).refused("member.last_owner");
    two_owners().race((ANNA, suspend()), (BEN, ChangeRole { role: Role::Admin.into() })).refused("member.last_owner");
}

#[test]
fn owners_are_counted_through_every_change() {
    let scene = two_owners().when(ANNA, suspend()).then([
        emit::<Member>(ANNA, Suspended { reason: "端末の紛失".into(), emergency: false }),
        emit::<Owners>(TENANT, OwnerLeft { member: ANNA }),
    ]);
    // Suspended they may lose the role, or be let in again; the boundary knows already that they left.
    let demoted = changed(Role::Owner, Role::Admin);
    scene.clone().when(ANNA, ChangeRole { role: Role::Admin.into() }).then([emit::<Member>(ANNA, demoted)]);
    scene.clone().when(ANNA, RemoveMember {}).then([emit::<Member>(ANNA, Removed {})]);
    scene
        .when(ANNA, ReinstateMember {})
        .then([emit::<Member>(ANNA, Reinstated {}), emit::<Owners>(TENANT, OwnerAdded { member: ANNA })]);
    let promoted = changed(Role::Admin, Role::Owner);
    one_owner()
        .given::<Member>(BEN, active(Role::Admin))
        .when(BEN, ChangeRole { role: Role::Owner.into() })
        .then([emit::<Member>(BEN, promoted), emit::<Owners>(TENANT, OwnerAdded { member: BEN })]);
}

#[test]
fn an_admin_gives_every_role_but_the_owners() {
    let scene = one_owner().given::<Member>(BEN, active(Role::Member)).by(Role::Admin);
    for role in
        Role::OF_MEMBERS.into_iter().filter(|role| role.is_for_members() && !matches!(role, Role::Owner | Role::Member))
    {
        scene.clone().when(BEN, ChangeRole { role: role.into() }).accepted();
    }
    let scene = scene.when(BEN, ChangeRole { role: Role::Owner.into() }).refused("member.owner_only");
    scene.clone().when(BEN, suspend()).accepted().when(BEN, ReinstateMember {}).accepted();
    scene.when(BEN, RemoveMember {}).accepted();
}

#[test]
fn nothing_to_change_is_no_event() {
    scene().given::<Member>(ANNA, active(Role::Admin)).when(ANNA, ChangeRole { role: Role::Admin.into() }).then([]);
}

#[test]
fn a_removed_member_can_come_back_by_a_new_invitation() {
    let mut scene = scene();
    let anna = scene.world.subject_of("member", ADDRESS);
    let scene = scene.given::<Member>(anna, active(Role::Member)).when(anna, RemoveMember {}).accepted();
    let scene = scene.when(FRESH, invite(ADDRESS)).accepted().when(anna, accept()).accepted();
    assert_eq!(scene.now::<Member>(anna).status, Some(MemberStatus::Active));
}

#[test]
fn every_refusal_of_an_invitation() {
    let mut s = scene();
    let anna = s.world.subject_of("member", ADDRESS);
    let s = s.when(FRESH, invite("anna")).refused_at("member.bad_email", "/email");
    let s = s
        .when(FRESH, InviteMember { role: Role::Device.into(), ..invite(ADDRESS) })
        .refused_at("member.bad_role", "/role");
    let s = s
        .when(FRESH, InviteMember { role: Role::Owner.into(), ..invite(ADDRESS) })
        .refused_at("member.owner_only", "/role");
    let set = crate::permission_set::Defined { name: "閲覧".into(), permissions: vec!["mail.read".into()] };
    let s = s.given::<PermissionSet>(BEN, set).by(Role::Viewer);
    let s = s.when(FRESH, InviteMember { role: RoleChoice::Own(BEN), ..invite(ADDRESS) });
    let s = s.refused_at("permission_set.beyond_own", "/role").by(Role::Owner);
    let s = refuses_bad_text(s, FRESH, "/name", true, 80, |name| InviteMember { name, ..invite(ADDRESS) });
    let s = s.when(FRESH, invite(ADDRESS)).accepted();
    let s = s.when(FRESH, invite(ADDRESS)).refused_at("member.already_invited", "/email");
    let s = s.when(anna, accept()).accepted();
    let s = s.when(FRESH, invite(ADDRESS)).refused_at("member.already_member", "/email");
    let s = s.when(anna, suspend()).accepted();
    s.when(FRESH, invite(ADDRESS)).refused_at("member.already_member", "/email");
    covered::<InviteMember>();
}

#[test]
fn every_refusal_of_an_acceptance() {
    scene().when(ANNA, accept()).refused("member.unknown");
    let s = scene().given::<Member>(ANNA, invited());
    s.clone().at("2026-11-05T09:00:00+09:00").when(ANNA, accept()).refused("member.invitation_expired");
    let long = AcceptInvitation { password: "字".repeat(129), ..accept() };
    let s = s.when(ANNA, long).refused_at("member.password_too_long", "/password");
    let short = AcceptInvitation { password: "字".repeat(14), ..accept() };
    let s = s.when(ANNA, short).refused_at("member.password_too_short", "/password");
    for (code, password) in [
        ("member.password_common", "password12345678"),
        ("member.password_personal", "佐藤杏奈佐藤杏奈佐藤杏奈佐藤杏奈"),
        ("member.password_pattern", "123456789012345"),
    ] {
        let weak = AcceptInvitation { password: password.into(), ..accept() };
        s.clone().when(ANNA, weak).refused_at(code, "/password");
    }
    let s = refuses_bad_text(s, ANNA, "/name", true, 80, |name| AcceptInvitation { name, ..accept() });
    s.when(ANNA, RevokeInvitation {}).accepted().when(ANNA, accept()).refused("member.invitation_gone");
    covered::<AcceptInvitation>();
}

#[test]
fn every_refusal_of_what_is_done_to_a_member() {
    let unknown = scene();
    let s = unknown.when(ANNA, RevokeInvitation {}).refused("member.unknown");
    let s = s.when(ANNA, ChangeRole { role: Role::Admin.into() }).refused("member.unknown");
    let s = s.when(ANNA, suspend()).refused("member.unknown");
    let s = s.when(ANNA, ReinstateMember {}).refused("member.unknown");
    s.when(ANNA, RemoveMember {}).refused("member.unknown");

    let s = scene().given::<Member>(ANNA, invited());
    let s = s.when(ANNA, suspend()).refused("member.wrong_state");
    let s = s.when(ANNA, ReinstateMember {}).refused("member.wrong_state");
    let s = s.when(ANNA, RemoveMember {}).refused("member.wrong_state");
    let s = s.when(ANNA, ChangeRole { role: Role::Owner.into() }).refused("member.wrong_state");
    let s = s.when(ANNA, ChangeRole { role: Role::System.into() }).refused_at("member.bad_role", "/role");
    let customer = scene().given::<Member>(ANNA, active(Role::Recipient));
    customer.when(ANNA, ChangeRole { role: Role::Member.into() }).refused_at("member.is_recipient", "/role");
    let s = s.when(ANNA, RevokeInvitation {}).accepted();
    let s = s.when(ANNA, RevokeInvitation {}).refused("member.wrong_state");
    s.when(ANNA, ChangeRole { role: Role::Admin.into() }).refused("member.wrong_state");

    let s = two_owners().by(Role::Admin);
    let s = s.when(ANNA, ChangeRole { role: Role::Admin.into() }).refused("member.owner_only");
    let s = s.when(ANNA, suspend()).refused("member.owner_only");
    let s = s.when(ANNA, RemoveMember {}).refused("member.owner_only");
    let s = refuses_bad_text(s, ANNA, "/reason", true, 400, |reason| SuspendMember { reason, emergency: false });
    let s = s.by(Role::Owner).when(ANNA, suspend()).accepted();
    s.by(Role::Admin).when(ANNA, ReinstateMember {}).refused("member.owner_only");

    let s = two_owners().stale();
    let s = s.when(ANNA, ChangeRole { role: Role::Admin.into() }).refused("access.confirm_first");
    let s = s.when(ANNA, suspend()).refused("access.confirm_first");
    s.when(ANNA, RemoveMember {}).refused("access.confirm_first");
    let s = two_owners().when(ANNA, suspend()).accepted().stale();
    s.when(ANNA, ReinstateMember {}).refused("access.confirm_first");

    let set = crate::permission_set::Defined { name: "閲覧".into(), permissions: vec!["mail.read".into()] };
    let s = two_owners().given::<PermissionSet>(SAMPLE_ID, set).by(Role::Viewer);
    let s = s.when(ANNA, ChangeRole { role: RoleChoice::Own(SAMPLE_ID) });
    s.refused_at("permission_set.beyond_own", "/role");
    one_owner().when(ANNA, ChangeRole { role: Role::Viewer.into() }).refused("member.last_owner");
    one_owner().when(ANNA, suspend()).refused("member.last_owner");
    one_owner().when(ANNA, RemoveMember {}).refused("member.last_owner");

    let urgent = SuspendMember { emergency: true, ..suspend() };
    let s = two_owners().when(ANNA, urgent).accepted();
    s.when(ANNA, ReinstateMember {}).refused("identity.check_first");

    covered::<RevokeInvitation>();
    covered::<ChangeRole>();
    covered::<SuspendMember>();
    covered::<ReinstateMember>();
    covered::<RemoveMember>();
}

#[test]
fn an_erased_person_changes_no_decision() {
    // The box is empty as after an erasure: the same decisions as with it.
    let erased = Invited { person: Sealed::new(ANNA, 1, vec![]), ..invited() };
    let s = scene().given::<Member>(ANNA, erased).when(ANNA, accept()).accepted();
    s.when(ANNA, RemoveMember {}).then([emit::<Member>(ANNA, Removed {})]);
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<MemberEvent> {
    vec![
        Registered { person: somebody(), role: Role::Owner }.into(),
        Invited {
            person: somebody(),
            role: Role::Custom,
            permission_set: Some(SAMPLE_ID),
            invited_by: Some(SAMPLE_ID),
            secret_hash: [0xab; 32],
            expires_at_us: SAMPLE_US,
        }
        .into(),
        InvitationRevoked { invited: Some(somebody()), invited_by: Some(SAMPLE_ID) }.into(),
        InvitationExpired { invited: Some(somebody()), invited_by: Some(SAMPLE_ID) }.into(),
        Joined { person: somebody(), invited: Some(somebody()), invited_by: Some(SAMPLE_ID) }.into(),
        RoleChanged {
            from: Role::Member,
            to: Role::Custom,
            from_permission_set: None,
            to_permission_set: Some(SAMPLE_ID),
        }
        .into(),
        Suspended { reason: "端末の紛失".into(), emergency: false }.into(),
        Reinstated {}.into(),
        Removed {}.into(),
        PasswordChanged { credential: SAMPLE_ID, kept_session: Some(SAMPLE_ID) }.into(),
        PasswordResetRequired { secret_hash: [0xab; 32], expires_at_us: SAMPLE_US }.into(),
        PasswordResetRequested { secret_hash: [0xab; 32], expires_at_us: SAMPLE_US }.into(),
    ]
}
