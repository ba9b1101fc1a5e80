use super::*;
use crate::role::Role;
use crate::testing::*;

fn add(kind: BlockKind, value: &str) -> AddToBlocklist {
    AddToBlocklist { kind, value: value.into(), reason: "昨年の件".into() }
}

/// The scene with one entry, and its id.
fn listed(kind: BlockKind, value: &str) -> (Scene, Uuid) {
    let mut s = scene().by(Role::Receptionist).when(ANNA, add(kind, value)).accepted();
    let entry = s.world.subject_of(kind.namespace(), &kind.form(value));
    (s, entry)
}

#[test]
fn an_entry_is_listed_until_it_is_removed() {
    let (s, entry) = listed(BlockKind::Name, "𠮷田 一郎");
    assert_eq!(s.now::<Blocklist>(TENANT).entries, [entry]);
    let s = s.when(ANNA, add(BlockKind::Name, "吉田　一郎")).refused_at("blocklist_entry.already_listed", "/value");
    let s = s
        .when(entry, RemoveFromBlocklist {})
        .then([emit::<BlocklistEntry>(entry, Removed {}), emit::<Blocklist>(TENANT, Shrunk { entry })]);
    let blocked = Blocked { value: "吉田 一郎".into(), reason: "昨年の件".into() };
    s.when(ANNA, add(BlockKind::Name, "吉田 一郎")).then([
        emit::<BlocklistEntry>(entry, Added { kind: BlockKind::Name, entry: sealed(entry, &blocked) }),
        emit::<Blocklist>(TENANT, Grown { entry }),
    ]);
}

#[test]
fn what_reads_the_same_is_one_fact() {
    for (kind, one, other) in [
        (BlockKind::Name, "髙橋 誠", "高橋誠"),
        (BlockKind::Name, "ﾀｶﾊｼ ﾏｺﾄ", "たかはし　まこと"),
        (BlockKind::Name, "Emily CLARK", "ｅｍｉｌｙ　ｃｌａｒｋ"),
        (BlockKind::Company, "株式会社ミナト", "ﾐﾅﾄ㈱"),
        (BlockKind::Company, "Minato Co., Ltd.", "minato"),
        (BlockKind::Email, "Eve@Example.com", "ｅｖｅ@example.com"),
    ] {
        assert_eq!(kind.form(one), kind.form(other), "{one}");
    }
    assert_ne!(BlockKind::Name.form("田中 花"), BlockKind::Name.form("山中 花"));
    assert_eq!(BlockKind::Company.form("株式会社"), "株式会社", "nothing but a legal form is still something");
}

#[test]
fn every_refusal() {
    let (s, entry) = listed(BlockKind::Name, "x");
    let with = |value: String| AddToBlocklist { value, ..add(BlockKind::Company, "") };
    let s = refuses_bad_text(s, ANNA, "/value", true, 80, with);
    let reason = |reason| AddToBlocklist { reason, ..add(BlockKind::Company, "y") };
    let s = s.when(ANNA, reason("長".repeat(401))).refused_at("text.too_long", "/reason");
    for bad in ["example.com", "@", "@example", "a@b"] {
        let outcome = s.clone().when(ANNA, add(BlockKind::Email, bad));
        outcome.refused_at("blocklist_entry.bad_email", "/value");
    }
    let s = s.when(ANNA, add(BlockKind::Email, "@example.com")).accepted();
    let s = s.when(ANNA, add(BlockKind::Name, "x")).refused_at("blocklist_entry.already_listed", "/value");
    let mut full = s.clone();
    for n in 2..ENTRIES_MAX {
        full = full.given::<Blocklist>(TENANT, Grown { entry: Uuid::from_u128(0xb10c_0000 + n as u128) });
    }
    full.when(ANNA, add(BlockKind::Name, "z")).refused("blocklist_entry.full");
    covered::<AddToBlocklist>();
    let s = s.when(BEN, RemoveFromBlocklist {}).refused("blocklist_entry.unknown");
    let s = s.when(entry, RemoveFromBlocklist {}).accepted();
    s.when(entry, RemoveFromBlocklist {}).refused("blocklist_entry.gone");
    covered::<RemoveFromBlocklist>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<BlocklistEntryEvent> {
    let blocked = Blocked { value: "𠮷田 一郎".into(), reason: "昨年の件".into() };
    let entry = sealed(Uuid::from_u128(SAMPLE_ID.as_u128() + 1), &blocked);
    vec![Added { kind: BlockKind::Name, entry }.into(), Removed {}.into()]
}

/// The same, of the boundary.
pub fn boundary_samples() -> Vec<BlocklistEvent> {
    vec![Grown { entry: SAMPLE_ID }.into(), Shrunk { entry: SAMPLE_ID }.into()]
}
