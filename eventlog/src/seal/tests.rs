use super::*;

const LEDGER: Uuid = Uuid::from_u128(0x018f0000_0000_7000_8000_00000000000a);
const BODY: &str = "404142434445464748494a4b4c4d4e4f21def2c9d630a0937bb746011e303b41eb805911439e39dc6f19ad03e960ed5e249c271c44b1a301136f8b5a580cfd4ed8aa6b569d";
const SECRET: &str = "c67faa1c1f0a5a4640f570e494b0df51431b26e62f749bae93adc767ad2c27bf";

fn counting(from: u8) -> [u8; 32] {
    std::array::from_fn(|i| from + i as u8)
}

fn salt() -> Salt {
    std::array::from_fn(|i| 0x40 + i as u8)
}

fn place() -> BodyPlace<'static> {
    BodyPlace { ledger: LEDGER, event_version: 1, event_kind: "member.invited" }
}

/// The vector of the format (`docs/LOG-FORMAT.md`, section 6).
#[test]
fn the_vector_seals_alike() {
    let key = BodyKey::new(&Key::new(counting(0)), LEDGER, 1);
    let body = seal_body(&key, place(), &salt(), b"hello").unwrap();
    assert_eq!(hex::encode(&body), BODY);
    let secret = key.record_secret(&salt());
    assert_eq!(hex::encode(secret.expose()), SECRET);
    assert_eq!(open_box(&secret, &place().aad(), &body).unwrap(), b"hello");
}

#[test]
fn no_changed_byte_opens() {
    let key = BodyKey::new(&Key::new(counting(0)), LEDGER, 1);
    let body = hex::decode(BODY).unwrap();
    let secret = key.record_secret(&salt());
    for at in 0..body.len() {
        let mut other = body.clone();
        other[at] ^= 1;
        let secret = if at < 16 { key.record_secret(&salt_of(&other).unwrap()) } else { secret.clone() };
        assert!(open_box(&secret, &place().aad(), &other).is_err(), "byte {at}");
        assert!(open_box(&secret, &place().aad(), &body[..at]).is_err(), "cut at {at}");
    }
    let elsewhere = BodyPlace { event_kind: "member.removed", ..place() };
    assert_eq!(open_box(&secret, &elsewhere.aad(), &body), Err(SealError::Changed));
    assert_eq!(open_box(&Key::new(counting(1)), &place().aad(), &body), Err(SealError::WrongKey));
}

#[test]
fn limits_are_exact() {
    let key = BodyKey::new(&Key::new(counting(0)), LEDGER, 1);
    let longest = seal_body(&key, place(), &salt(), &vec![0; MAX_PLAINTEXT]).unwrap();
    assert_eq!(longest.len(), MAX_BODY);
    let longer = seal_body(&key, place(), &salt(), &vec![0; MAX_PLAINTEXT + 1]);
    assert_eq!(longer, Err(SealError::TooLong));
}

#[test]
fn a_value_opens_for_its_subject_and_key_version_only() {
    let key = Key::new(counting(7));
    let id = SubjectKeyId { ledger: LEDGER, subject: Uuid::from_u128(5), version: 1 };
    let sealed = seal_value(&key, id, &salt(), "田中 花子".as_bytes()).unwrap();
    assert_eq!(open_value(&key, id, &sealed).unwrap(), "田中 花子".as_bytes());
    for other in [
        SubjectKeyId { subject: Uuid::from_u128(6), ..id },
        SubjectKeyId { version: 2, ..id },
        SubjectKeyId { ledger: Uuid::nil(), ..id },
    ] {
        assert_eq!(open_value(&key, other, &sealed), Err(SealError::WrongKey));
    }
}

#[test]
fn a_wrapped_key_opens_under_its_name_only() {
    let (parent, key) = (Key::new(counting(1)), Key::new(counting(2)));
    let key_name = KeyName { key_type: KeyType::Data, ledger: LEDGER, id: Uuid::nil(), version: 3 };
    let wrapped = wrap_key(&parent, key_name, &[9; 12], &key);
    assert_eq!(unwrap_key(&parent, key_name, &wrapped).unwrap().expose(), key.expose());
    for other in [
        KeyName { key_type: KeyType::Subject, ..key_name },
        KeyName { ledger: Uuid::nil(), ..key_name },
        KeyName { id: LEDGER, ..key_name },
        KeyName { version: 4, ..key_name },
    ] {
        assert_eq!(unwrap_key(&parent, other, &wrapped).err(), Some(SealError::Changed));
    }
    assert_eq!(unwrap_key(&key, key_name, &wrapped).err(), Some(SealError::Changed));
    assert_eq!(unwrap_key(&parent, key_name, &wrapped[1..]).err(), Some(SealError::Length));
}

#[test]
fn a_chunk_opens_at_its_place_only() {
    let key = Key::new(counting(3));
    let sealed = seal_chunk(&key, 4, false, &salt(), b"page").unwrap();
    assert_eq!(open_chunk(&key, 4, false, &sealed).unwrap(), b"page");
    assert_eq!(open_chunk(&key, 5, false, &sealed), Err(SealError::Changed));
    assert_eq!(open_chunk(&key, 4, true, &sealed), Err(SealError::Changed));
}

#[test]
fn keyed_names_differ_by_every_part() {
    let root = Key::new(counting(0));
    let all = [
        fingerprint(&root, LEDGER, "invoice_number", "A-1"),
        fingerprint(&root, LEDGER, "invoice_numberA", "-1"),
        fingerprint(&root, Uuid::nil(), "invoice_number", "A-1"),
        append_id(&root, LEDGER, Uuid::from_u128(1), "invite_member", "k"),
        append_id(&root, LEDGER, Uuid::from_u128(2), "invite_member", "k"),
        append_id(&root, LEDGER, Uuid::from_u128(1), "remove_member", "k"),
        append_id(&root, LEDGER, Uuid::from_u128(1), "invite_member", "l"),
    ];
    let different: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert_eq!(all[0], fingerprint(&root, LEDGER, "invoice_number", "A-1"));
}

#[test]
fn a_key_is_never_printed() {
    assert_eq!(format!("{:?}", Key::new(counting(0))), "Key(secret)");
}
