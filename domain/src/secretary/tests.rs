use super::*;
use crate::member::{Joined, Registered};
use crate::testing::*;

const ADDRESS: &str = "sumi@example.jp";

fn assign() -> AssignSecretary {
    AssignSecretary { name: "墨田 澄".into(), email: ADDRESS.into() }
}

/// The lawyer ([`ME`]) has taken somebody on; the tie and the secretary.
fn assigned() -> (Scene, Uuid, Uuid) {
    let mut scene = scene().by(Role::Lawyer);
    let secretary = scene.world.subject_of("member", ADDRESS);
    let tie = scene.world.subject_of("secretary", &format!("{secretary} {ME}"));
    (scene.when(FRESH, assign()).accepted(), tie, secretary)
}

#[test]
fn fm_26_a_secretary_acts_for_nobody_until_their_mailbox_confirms() {
    let mut begin = scene().by(Role::Lawyer);
    let secretary = begin.world.subject_of("member", ADDRESS);
    let tie = begin.world.subject_of("secretary", &format!("{secretary} {ME}"));
    let scene = begin.when(FRESH, assign()).then([
        emit::<Member>(
            secretary,
            Invited {
                person: sealed(secretary, &person("墨田 澄", ADDRESS)),
                role: Role::Secretary,
                permission_set: None,
                invited_by: Some(ME),
                secret_hash: hash("keiin_inv_1"),
                expires_at_us: us("2026-11-05T09:00:00+09:00"),
            },
        ),
        emit::<Secretary>(
            tie,
            Assigned {
                secretary,
                lawyer: ME,
                secret_hash: hash("keiin_sec_2"),
                expires_at_us: us("2026-11-05T09:00:00+09:00"),
            },
        ),
    ]);
    assert!(scene.now::<Secretaries>(secretary).lawyers.is_empty());
    // Joining is not enough.
    let joined = Joined { person: sealed(secretary, &person("墨田 澄", "")), invited: None, invited_by: Some(ME) };
    let scene = scene.given::<Member>(secretary, joined);
    assert!(scene.now::<Secretaries>(secretary).lawyers.is_empty());
    let scene = scene.by_link("keiin_sec_2").when(tie, ConfirmSecretary {}).then([
        emit::<Secretary>(tie, Confirmed { secret_hash: hash("keiin_srv_3") }),
        emit::<Secretaries>(secretary, Tied { lawyer: ME }),
    ]);
    assert_eq!(scene.now::<Secretaries>(secretary).lawyers, [ME]);
    // FM-27: every press is told, and each mail's link ends it.
    let again = emit::<Secretary>(tie, Confirmed { secret_hash: hash("keiin_srv_4") });
    let scene = scene.when(tie, ConfirmSecretary {}).then([again]);
    for link in ["keiin_srv_3", "keiin_srv_4"] {
        let ended = scene.clone().by_link(link).when(tie, RefuseSecretary {}).then([
            emit::<Secretary>(tie, Revoked { by_link: true }),
            emit::<Secretaries>(secretary, Untied { lawyer: ME }),
        ]);
        assert!(ended.now::<Secretaries>(secretary).lawyers.is_empty());
        ended.when(tie, RefuseSecretary {}).refused("secretary.gone");
    }
}

#[test]
fn a_secretary_of_one_lawyer_becomes_another_ones_without_a_second_account() {
    let (scene, tie, secretary) = assigned();
    let scene = scene.by_link("keiin_sec_2").when(tie, ConfirmSecretary {}).accepted();
    let mut scene = scene.by(Role::Lawyer).by_login(BEN, SAMPLE_ID);
    let second = scene.world.subject_of("secretary", &format!("{secretary} {BEN}"));
    let scene = scene.when(FRESH, assign()).then([emit::<Secretary>(
        second,
        Assigned {
            secretary,
            lawyer: BEN,
            secret_hash: hash("keiin_sec_4"),
            expires_at_us: us("2026-11-05T09:00:00+09:00"),
        },
    )]);
    assert_eq!(scene.now::<Secretaries>(secretary).lawyers, [ME], "the second lawyer's needs a press of its own");
    let scene = scene.by_link("keiin_sec_4").when(second, ConfirmSecretary {}).accepted();
    assert_eq!(scene.now::<Secretaries>(secretary).lawyers, [ME, BEN]);
    // One ends it for oneself; an admin for anybody.
    let scene = scene.by(Role::Lawyer).when(second, EndSecretary {}).refused("secretary.unknown");
    let scene = scene.when(tie, EndSecretary {}).accepted();
    assert_eq!(scene.now::<Secretaries>(secretary).lawyers, [BEN]);
    let scene = scene.by(Role::Admin).when(second, EndSecretary {}).accepted();
    // What is over can begin anew, from the start.
    let scene = scene.by(Role::Lawyer).when(FRESH, assign()).accepted();
    assert!(!scene.now::<Secretary>(tie).confirmed);
    scene.by_link("keiin_sec_2").when(tie, ConfirmSecretary {}).refused("secretary.gone");
}

#[test]
fn every_refusal() {
    let s = scene().by_system().when(FRESH, assign()).refused("secretary.not_a_member").by(Role::Lawyer);
    let s = s.when(FRESH, AssignSecretary { email: "x".into(), ..assign() }).refused_at("member.bad_email", "/email");
    let mut s = refuses_bad_text(s, FRESH, "/name", true, 80, |name| AssignSecretary { name, ..assign() });
    let anna = s.world.subject_of("member", "anna@example.jp");
    let registered = Registered { person: sealed(anna, &person("佐藤 杏奈", "")), role: Role::Member };
    let s = s.given::<Member>(anna, registered);
    let s = s.when(FRESH, AssignSecretary { email: "anna@example.jp".into(), ..assign() });
    let s = s.refused_at("secretary.other_role", "/email").by_login(anna, SAMPLE_ID);
    let s = s.when(FRESH, AssignSecretary { email: "anna@example.jp".into(), ..assign() });
    s.refused_at("secretary.own", "/email");
    let (s, tie, _) = assigned();
    // Waiting, the mail can be sent again.
    let s = s.when(FRESH, assign()).accepted();
    let late = s.clone().at("2026-11-05T09:00:00+09:00").by_link("keiin_sec_3");
    late.when(tie, ConfirmSecretary {}).refused("secretary.expired");
    let s = s.by_link("keiin_sec_2").when(tie, ConfirmSecretary {}).refused("secretary.gone");
    let s = s.by_link("keiin_sec_3").when(tie, ConfirmSecretary {}).accepted().by(Role::Lawyer);
    s.clone().when(FRESH, assign()).refused_at("secretary.already_confirmed", "/email");
    covered::<AssignSecretary>();
    let s = s.when(ANNA, ConfirmSecretary {}).refused("secretary.unknown");
    covered::<ConfirmSecretary>();
    let s = s.when(ANNA, RefuseSecretary {}).refused("secretary.unknown");
    let s = s.by_link("keiin_srv_9").when(tie, RefuseSecretary {}).refused("secretary.gone");
    covered::<RefuseSecretary>();
    let s = s.by(Role::Lawyer).when(ANNA, EndSecretary {}).refused("secretary.unknown");
    s.when(tie, EndSecretary {}).accepted().when(tie, EndSecretary {}).refused("secretary.gone");
    covered::<EndSecretary>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<SecretaryEvent> {
    vec![
        Assigned { secretary: SAMPLE_ID, lawyer: SAMPLE_ID, secret_hash: [0xab; 32], expires_at_us: SAMPLE_US }.into(),
        Confirmed { secret_hash: [0xcd; 32] }.into(),
        Revoked { by_link: true }.into(),
    ]
}

/// The same of the boundary.
pub fn boundary_samples() -> Vec<SecretariesEvent> {
    vec![Tied { lawyer: SAMPLE_ID }.into(), Untied { lawyer: SAMPLE_ID }.into()]
}
