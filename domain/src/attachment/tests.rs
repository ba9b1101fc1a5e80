use super::*;
use crate::testing::*;

const FILE: Uuid = Uuid::from_u128(0xa7);
const ORDER: Uuid = Uuid::from_u128(0x50);

fn receive() -> ReceiveAttachment {
    ReceiveAttachment {
        name: " 約款.pdf ".into(),
        size: 1_234,
        sha256: [3; 32],
        pages: 2,
        is_printable: true,
        is_scanned: false,
    }
}

fn received(name: &str) -> Received {
    Received {
        name: sealed(FILE, &Label { text: name.into() }),
        size: 1_234,
        sha256: [3; 32],
        pages: 2,
        is_printable: true,
        is_scanned: false,
        received_by: Some(ME),
    }
}

#[test]
fn a_file_is_taken_under_a_subject_of_its_own() {
    scene().when(FILE, receive()).then([emit::<Attachment>(FILE, received("約款.pdf"))]);
}

#[test]
fn names_hold_no_folders() {
    let named = |name: &str| ReceiveAttachment { name: name.into(), ..receive() };
    let mut s = scene();
    for name in ["../約款.pdf", "a\\b.pdf", ".pdf"] {
        s = s.when(FILE, named(name)).refused_at("attachment.bad_name", "/name");
    }
    refuses_bad_text(s, FILE, "/name", true, 120, |name| named(&name));
    covered::<ReceiveAttachment>();
}

#[test]
fn what_no_order_names_can_be_taken_back_once() {
    let s = scene().when(FILE, RemoveAttachment {}).refused("attachment.unknown");
    let s = s.given::<Attachment>(FILE, received("約款.pdf"));
    let used = s.clone().given::<Attachment>(FILE, EnclosedIn { order_id: ORDER });
    used.when(FILE, RemoveAttachment {}).refused("attachment.enclosed");
    let s = s.when(FILE, RemoveAttachment {}).then([emit::<Attachment>(FILE, Removed {})]);
    s.when(FILE, RemoveAttachment {}).refused("attachment.already_removed");
    covered::<RemoveAttachment>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<AttachmentEvent> {
    vec![
        Received {
            name: sealed(SAMPLE_ID, &Label { text: "約款.pdf".into() }),
            size: 24_576,
            sha256: [0xcd; 32],
            pages: 2,
            is_printable: true,
            is_scanned: true,
            received_by: Some(SAMPLE_ID),
        }
        .into(),
        EnclosedIn { order_id: SAMPLE_ID }.into(),
        Removed {}.into(),
    ]
}
