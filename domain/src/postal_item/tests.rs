use super::*;
use crate::client::{Client, Honorific, Profile, Registered};
use crate::command::Emit;
use crate::document::{Corrected, Document, DocumentType};
use crate::paper::{Paper, Rendered, RenderingFailed};
use crate::role::Role;
use crate::testing::*;

const ITEM: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_00aa_1234_5678);
const DOCUMENT: Uuid = Uuid::from_u128(0xd1);
const OTHER: Uuid = Uuid::from_u128(0xd2);

/// The first byte is the number of pages.
fn file(pages: u8) -> [u8; 32] {
    let mut sha256 = [7; 32];
    sha256[0] = pages;
    sha256
}

fn printed(pages: u8) -> Rendered {
    Rendered { revision: 1, sha256: file(pages), size: 9 }
}

fn registered(profile: Profile) -> Registered {
    let (reading, person, contacts) = Default::default();
    Registered { profile, reading, person, contacts }
}

/// A client with an address, a document of two pages for it and one of three for somebody else.
fn ready() -> Scene {
    let scene = scene().given::<Client>(ANNA, registered(sample_profile()));
    let scene = scene
        .given::<Document>(DOCUMENT, drafted(DocumentType::Invoice, ANNA))
        .given::<Document>(DOCUMENT, issued("INV-2026-0001"));
    let scene = scene.given::<Paper>(DOCUMENT, printed(2));
    let scene = scene
        .given::<Document>(OTHER, drafted(DocumentType::Invoice, BEN))
        .given::<Document>(OTHER, issued("INV-2026-0001"));
    scene.given::<Paper>(OTHER, printed(3))
}

fn order() -> QueuePostalItem {
    QueuePostalItem {
        document_ids: vec![DOCUMENT],
        client_id: Some(ANNA),
        to: None,
        department: "経理部".into(),
        attention: String::new(),
        service: None,
        extras: vec![],
        envelope: None,
        without_cover: false,
        message: "お世話になっております。".into(),
        postage: None,
    }
}

fn somewhere() -> AddressInput {
    AddressInput {
        name: "吉田 一郎".into(),
        honorific: Some(Honorific::Sama),
        postal_code: "〒105-8445".into(),
        region: "東京都".into(),
        locality: "港区".into(),
        street_address: "虎ノ門2-2-5".into(),
        extended_address: String::new(),
    }
}

fn address() -> PostalAddress {
    PostalAddress {
        department: "経理部".into(),
        message: "お世話になっております。".into(),
        ..PostalAddress::of_client(&sample_profile()).expect("it is complete")
    }
}

fn queued_event() -> Queued {
    Queued {
        files: vec![PostedFile { document_id: DOCUMENT, revision: 1, sha256: file(2), pages: 2 }],
        attachments: vec![],
        client_id: Some(ANNA),
        recipient: sealed(FRESH, &address()),
        service: Service::Letter,
        extras: vec![],
        envelope: Envelope::Long3,
        has_cover: true,
        sheets: 3,
        weight_g: 19,
        postage: Money::yen(110),
        ordered_on: Date::of(2026, 11, 2),
        ordered_by: Some(ME),
    }
}

fn queued(command: QueuePostalItem) -> Scene {
    ready().when(ITEM, command).accepted()
}

fn print() -> PrintPostalItem {
    PrintPostalItem { with_label: false }
}

fn hand_over() -> DispatchPostalItem {
    DispatchPostalItem {
        carrier: Carrier::JapanPost,
        tracking_number: String::new(),
        postage: None,
        dispatched_on: None,
    }
}

fn came_back() -> ReturnPostalItem {
    ReturnPostalItem { reason: ReturnReason::Moved, returned_on: None }
}

fn cancel() -> CancelPostalItem {
    CancelPostalItem { reason: "誤り".into() }
}

fn again() -> RequeuePostalItem {
    RequeuePostalItem { to: somewhere(), department: String::new(), attention: String::new(), message: String::new() }
}

fn look(purpose: PostalPurpose) -> AccessPostalItem {
    AccessPostalItem { purpose }
}

fn emitted(event: impl Into<PostalEvent>) -> Emit {
    emit::<PostalItem>(ITEM, event)
}

#[test]
fn ml_32_an_order_is_printed_handed_over_comes_back_and_goes_out_again() {
    let scene = ready().when(ITEM, order()).then([emitted(queued_event())]);
    let (files, has_cover) = (queued_event().files, true);
    let printed = |files, has_label| Printed { files, attachments: vec![], has_cover, has_label };
    let scene = scene.when(ITEM, PrintPostalItem { with_label: true });
    let scene = scene.then([emitted(printed(files.clone(), true))]);
    let scene = scene.when(ITEM, print()).then([emitted(printed(files, false))]);
    let (carrier, dispatched_on) = (Carrier::JapanPost, Date::of(2026, 11, 2));
    let out = Dispatched { carrier, tracking_number: String::new(), postage: Money::yen(110), dispatched_on };
    let scene = scene.when(ITEM, hand_over()).then([emitted(out)]);
    let scene = scene.at("2026-11-09T09:00:00+09:00").when(ITEM, came_back());
    let returned_on = Date::of(2026, 11, 9);
    let scene = scene.then([emitted(Returned { reason: ReturnReason::Moved, returned_on })]);
    let to = somewhere().check("/to").expect("it is complete");
    let scene = scene.when(ITEM, again()).then([emitted(Requeued { recipient: sealed(FRESH, &to) })]);
    let item = scene.now::<PostalItem>(ITEM);
    assert!(item.is_open());
    assert_eq!(item.recipient.as_ref().and_then(|to| to.open(&Opener::default())), Some(to));
}

#[test]
fn what_it_costs_follows_from_the_sheets_unless_somebody_says_it() {
    let asked = |command: QueuePostalItem| {
        let scene = queued(command);
        let event = scene.now::<PostalItem>(ITEM).state.queued.expect("it was queued");
        (event.envelope, event.sheets, event.weight_g, event.postage.amount)
    };
    assert_eq!(asked(order()), (Envelope::Long3, 3, 19, 110));
    assert_eq!(asked(QueuePostalItem { without_cover: true, ..order() }), (Envelope::Long3, 2, 15, 110));
    let flat = QueuePostalItem { envelope: Some(Envelope::Kaku2), ..order() };
    assert_eq!(asked(flat), (Envelope::Kaku2, 3, 33, 140));
    let express = QueuePostalItem { extras: vec![Extra::Express, Extra::SpecificRecord], ..order() };
    assert_eq!(asked(express).3, 110 + 300 + 210);
    let pack = QueuePostalItem { service: Some(Service::LetterPackLight), ..order() };
    assert_eq!(asked(pack), (Envelope::Kaku2, 3, 33, 430));
    let agreed = QueuePostalItem { postage: Some(Money::yen(99)), ..order() };
    assert_eq!(asked(agreed).3, 99);
    // What belongs to nobody in particular goes to whoever is named.
    let both =
        QueuePostalItem { document_ids: vec![DOCUMENT, OTHER], client_id: None, to: Some(somewhere()), ..order() };
    assert_eq!(asked(both), (Envelope::Long3, 6, 32, 110));
}

#[test]
fn ml_33_whoever_handles_the_post_sees_it_until_it_is_handed_over() {
    let scene = queued(order()).by(Role::PostalClerk);
    let scene = scene.when(ITEM, look(PostalPurpose::Print)).accepted();
    let scene = scene.when(ITEM, print()).accepted().when(ITEM, look(PostalPurpose::Label)).accepted();
    let scene = scene.when(ITEM, hand_over()).accepted();
    let scene = scene.when(ITEM, look(PostalPurpose::Label)).refused("postal_item.handed_over");
    let scene = scene.when(ITEM, look(PostalPurpose::Preview)).refused("postal_item.handed_over");
    // Who ordered it sees it as before.
    let scene = scene.by(Role::Member).when(ITEM, look(PostalPurpose::Preview)).accepted();
    // What came back is out of the clerk's sight until it is to go out again.
    let scene = scene.by(Role::PostalClerk).when(ITEM, came_back()).accepted();
    let scene = scene.when(ITEM, look(PostalPurpose::Label)).refused("postal_item.handed_over");
    let scene = scene.by(Role::Owner).when(ITEM, again()).accepted().by(Role::PostalClerk);
    let scene = scene.when(ITEM, look(PostalPurpose::Label)).accepted().by(Role::Owner);
    let scene = scene.when(ITEM, cancel()).accepted().by(Role::PostalClerk);
    scene.when(ITEM, look(PostalPurpose::Print)).refused("postal_item.handed_over");
}

#[test]
fn looking_meets_the_hand_over() {
    let scene = queued(order()).when(ITEM, print()).accepted().by(Role::PostalClerk);
    let outcome = scene.race((ITEM, hand_over()), (ITEM, look(PostalPurpose::Print)));
    outcome.refused("postal_item.handed_over");
}

#[test]
fn ml_34_each_look_is_an_event_beside_the_item_and_beside_its_documents() {
    let accessed = |at: Uuid, purpose| emit::<PostalAccess>(at, Accessed { item: ITEM, purpose });
    let scene = queued(order());
    let mut scene = scene.when(ITEM, look(PostalPurpose::Print));
    for purpose in [PostalPurpose::Print, PostalPurpose::Preview] {
        let both = [accessed(ITEM, purpose), accessed(DOCUMENT, purpose)];
        scene = scene.then(both.clone()).when(ITEM, look(purpose)).then(both).when(ITEM, look(PostalPurpose::Preview));
    }
    let scene = scene.accepted();
    let version = scene.now::<PostalItem>(ITEM).version;
    let scene = scene.when(ITEM, look(PostalPurpose::Label)).then([accessed(ITEM, PostalPurpose::Label)]);
    let scene = scene.when(ITEM, look(PostalPurpose::Manifest)).then([accessed(ITEM, PostalPurpose::Manifest)]);
    assert_eq!(scene.now::<PostalItem>(ITEM).version, version, "the item itself has not moved");
    scene.when(BEN, look(PostalPurpose::Label)).refused("postal_item.unknown");
    let gone = queued(order()).when(ITEM, cancel()).accepted().by(Role::PostalClerk);
    gone.when(ITEM, look(PostalPurpose::Label)).refused("postal_item.handed_over");
    covered::<AccessPostalItem>();
}

#[test]
fn a_document_that_changed_is_not_printed() {
    let corrected = Corrected { revision: 2, reason: "数量".into(), body: Default::default() };
    let scene = queued(order()).given::<Document>(DOCUMENT, corrected);
    scene.when(ITEM, print()).refused("postal_item.document_changed");
    let void = crate::document::Cancelled { reason: "重複".into() };
    let scene = queued(order()).given::<Document>(DOCUMENT, void.clone());
    let scene = scene.when(ITEM, print()).refused("postal_item.document_changed");
    let scene = scene.when(BEN, print()).refused("postal_item.unknown");
    let scene = scene.when(ITEM, cancel()).accepted().when(ITEM, print()).refused("postal_item.wrong_state");
    scene.when(ITEM, cancel()).refused("postal_item.wrong_state");
    let with_file = Queued { attachments: vec![SAMPLE_FILE], ..queued_event() };
    let mut erased = ready().given::<PostalItem>(ITEM, with_file);
    erased.world.erased.push(SAMPLE_ID);
    erased.when(ITEM, print()).refused("postal_item.attachment_erased");
    covered::<PrintPostalItem>();
    let back = queued(order()).when(ITEM, print()).accepted().when(ITEM, hand_over()).accepted();
    let back = back.when(ITEM, came_back()).accepted().given::<Document>(DOCUMENT, void);
    back.when(ITEM, again()).refused("postal_item.document_changed");
    let cancel = crate::document::CancelDocument { reason: "重複".into() };
    let outcome = queued(order()).race((DOCUMENT, cancel), (ITEM, print()));
    outcome.refused("postal_item.document_changed");
}

#[test]
fn every_refusal_of_an_order() {
    let s = ready().when(ITEM, QueuePostalItem { document_ids: vec![], ..order() });
    let s = s.refused_at("postal_item.no_document", "/document_ids");
    let many = (0..21).map(Uuid::from_u128).collect();
    let s = s.when(ITEM, QueuePostalItem { document_ids: many, ..order() });
    let s = s.refused_at("postal_item.too_many_documents", "/document_ids");
    let s = s.when(ITEM, QueuePostalItem { document_ids: vec![DOCUMENT, DOCUMENT], ..order() });
    let s = s.refused_at("postal_item.document_twice", "/document_ids/1");
    let s = s.when(ITEM, QueuePostalItem { document_ids: vec![DOCUMENT, BEN], ..order() });
    let s = s.refused_at("postal_item.unknown_document", "/document_ids/1");
    let s = s.when(ITEM, QueuePostalItem { document_ids: vec![DOCUMENT, OTHER], ..order() });
    let s = s.refused_at("postal_item.other_client", "/document_ids/1");
    let s = s.when(ITEM, QueuePostalItem { client_id: Some(BEN), ..order() });
    let s = s.refused_at("postal_item.unknown_client", "/client_id");
    let s = s.when(ITEM, QueuePostalItem { client_id: None, ..order() });
    let s = s.refused_at("postal_item.no_recipient", "/client_id");
    for (extras, at) in [
        (vec![Extra::Express, Extra::Express], "/extras/1"),
        (vec![Extra::SimpleRegistered, Extra::SpecificRecord], "/extras/1"),
    ] {
        let command = QueuePostalItem { extras, ..order() };
        ready().when(ITEM, command).refused_at("postal_item.bad_extra", at);
    }
    let pack = QueuePostalItem { service: Some(Service::LetterPackPlus), ..order() };
    let s = s.when(ITEM, QueuePostalItem { extras: vec![Extra::Express], ..pack.clone() });
    let s = s.refused_at("postal_item.bad_extra", "/extras/0");
    let s = s.when(ITEM, QueuePostalItem { envelope: Some(Envelope::Long3), ..pack });
    let mut s = s.refused_at("postal_item.too_thick", "/envelope");
    for yen in [0, -1, 100_001] {
        let command = QueuePostalItem { postage: Some(Money::yen(yen)), ..order() };
        s = s.when(ITEM, command).refused_at("postal_item.bad_postage", "/postage");
    }
    let bad = AddressInput { postal_code: "12".into(), ..somewhere() };
    let s = s.when(ITEM, QueuePostalItem { to: Some(bad.clone()), ..order() });
    let s = s.refused_at("postal_item.bad_postal_code", "/to/postal_code");
    let none = AddressInput { postal_code: String::new(), ..somewhere() };
    let s = s.when(ITEM, QueuePostalItem { to: Some(none), ..order() });
    let s = s.refused_at("postal_item.bad_postal_code", "/to/postal_code");
    let s = refuses_bad_text(s, ITEM, "/department", false, 80, |department| QueuePostalItem { department, ..order() });
    let s = refuses_bad_text(s, ITEM, "/attention", false, 80, |attention| QueuePostalItem { attention, ..order() });
    let s = refuses_bad_text(s, ITEM, "/message", false, 600, |message| QueuePostalItem { message, ..order() });
    let to = |to| QueuePostalItem { to: Some(to), ..order() };
    let s = refuses_bad_text(s, ITEM, "/to/name", true, 80, |name| to(AddressInput { name, ..somewhere() }));
    let s = refuses_bad_text(s, ITEM, "/to/region", false, 40, |region| to(AddressInput { region, ..somewhere() }));
    let s =
        refuses_bad_text(s, ITEM, "/to/locality", false, 80, |locality| to(AddressInput { locality, ..somewhere() }));
    let s = refuses_bad_text(s, ITEM, "/to/street_address", true, 120, |street_address| {
        to(AddressInput { street_address, ..somewhere() })
    });
    let s = refuses_bad_text(s, ITEM, "/to/extended_address", false, 120, |extended_address| {
        to(AddressInput { extended_address, ..somewhere() })
    });
    for profile in [
        Profile { postal_code: String::new(), ..sample_profile() },
        Profile { street_address: String::new(), ..sample_profile() },
    ] {
        let poor = s.clone().given::<Client>(
            ANNA,
            crate::client::Changed { profile, reading: String::new(), person: None, contacts: vec![] },
        );
        poor.when(ITEM, order()).refused_at("postal_item.no_address", "/client_id");
    }
    let at = "/document_ids/0";
    let thick = s.clone().given::<Paper>(DOCUMENT, printed(9));
    let folded = QueuePostalItem { envelope: Some(Envelope::Long3), ..order() };
    thick.when(ITEM, folded).refused_at("postal_item.too_thick", "/envelope");
    let heavy = s.clone().given::<Paper>(DOCUMENT, printed(255));
    heavy.when(ITEM, order()).refused_at("postal_item.too_heavy", "/document_ids");
    let missing = s.clone().given::<Paper>(DOCUMENT, printed(0));
    missing.when(ITEM, order()).refused_at("postal_item.no_file", at);
    let failed = RenderingFailed { revision: 1, missing: vec!["note: 𠮷".into()] };
    s.clone().given::<Paper>(DOCUMENT, failed).when(ITEM, order()).refused_at("postal_item.unprintable", at);
    let corrected = Corrected { revision: 2, reason: "数量".into(), body: Default::default() };
    s.clone().given::<Document>(DOCUMENT, corrected).when(ITEM, order()).refused_at("postal_item.no_file", at);
    let void = crate::document::Cancelled { reason: "重複".into() };
    s.given::<Document>(DOCUMENT, void).when(ITEM, order()).refused_at("postal_item.not_issued", at);
    let draft = scene().given::<Client>(ANNA, registered(sample_profile()));
    let draft = draft.given::<Document>(DOCUMENT, drafted(DocumentType::Invoice, ANNA)).when(ITEM, order());
    draft.refused_at("postal_item.not_issued", at);
    covered::<QueuePostalItem>();
}

#[test]
fn every_refusal_after_the_order() {
    let tracked = queued(QueuePostalItem { extras: vec![Extra::SimpleRegistered], ..order() });
    let s = tracked.when(ITEM, hand_over()).refused("postal_item.wrong_state");
    let s = s.when(BEN, hand_over()).refused("postal_item.unknown").when(ITEM, print()).accepted();
    let s = s.when(ITEM, hand_over()).refused_at("postal_item.tracking_required", "/tracking_number");
    let with = |number: &str| DispatchPostalItem { tracking_number: number.into(), ..hand_over() };
    let s = s.when(ITEM, with("12")).refused_at("postal_item.bad_tracking", "/tracking_number");
    let s = s.when(ITEM, with("123-45-67890-1")).refused_at("postal_item.bad_check_digit", "/tracking_number");
    let s = refuses_bad_text(s, ITEM, "/tracking_number", false, 40, |text| with(&text));
    let mut s = s;
    for yen in [0, 100_001] {
        let command = DispatchPostalItem { postage: Some(Money::yen(yen)), ..with("123-45-67890-3") };
        s = s.when(ITEM, command).refused_at("postal_item.bad_postage", "/postage");
    }
    let tomorrow = DispatchPostalItem { dispatched_on: Some(Date::of(2026, 11, 3)), ..with("123-45-67890-3") };
    let s = s.when(ITEM, tomorrow).refused_at("postal_item.bad_day", "/dispatched_on");
    let plain = queued(order()).when(ITEM, print()).accepted();
    let plain = plain.when(ITEM, with("123-45-67890-3")).refused_at("postal_item.not_tracked", "/tracking_number");
    // A licensed carrier tracks whatever it takes.
    let sagawa = DispatchPostalItem { carrier: Carrier::Sagawa, ..hand_over() };
    let plain = plain.when(ITEM, sagawa.clone()).refused_at("postal_item.tracking_required", "/tracking_number");
    let plain = plain.when(ITEM, DispatchPostalItem { tracking_number: "5125-4751-4334".into(), ..sagawa }).accepted();
    let out = plain.now::<PostalItem>(ITEM).state.dispatched.expect("it is out");
    assert_eq!((out.carrier, out.tracking_number.as_str()), (Carrier::Sagawa, "512547514334"));
    let paid = DispatchPostalItem { postage: Some(Money::yen(470)), ..with("123-45-67890-3") };
    let s = s.when(ITEM, paid).accepted();
    assert_eq!(s.now::<PostalItem>(ITEM).state.dispatched.expect("it is out").tracking_number, "12345678903");
    covered::<DispatchPostalItem>();

    let back = |day| ReturnPostalItem { returned_on: Some(day), ..came_back() };
    let s = s.when(ITEM, back(Date::of(2026, 11, 1))).refused_at("postal_item.bad_day", "/returned_on");
    let s = s.when(ITEM, back(Date::of(2026, 11, 3))).refused_at("postal_item.bad_day", "/returned_on");
    let s = s.when(BEN, came_back()).refused("postal_item.unknown").when(ITEM, came_back()).accepted();
    let s = s.when(ITEM, came_back()).refused("postal_item.wrong_state");
    covered::<ReturnPostalItem>();

    let s = s.when(ITEM, cancel()).refused("postal_item.wrong_state");
    let s = s.when(BEN, cancel()).refused("postal_item.unknown");
    let s = refuses_bad_text(s, ITEM, "/reason", false, 400, |reason| CancelPostalItem { reason });
    covered::<CancelPostalItem>();

    let s = s.when(BEN, again()).refused("postal_item.unknown");
    let with = |to| RequeuePostalItem { to, ..again() };
    let s = s.when(ITEM, with(AddressInput { postal_code: "1".into(), ..somewhere() }));
    let s = s.refused_at("postal_item.bad_postal_code", "/to/postal_code");
    let s = refuses_bad_text(s, ITEM, "/to/name", true, 80, |name| with(AddressInput { name, ..somewhere() }));
    let s =
        refuses_bad_text(s, ITEM, "/department", false, 80, |department| RequeuePostalItem { department, ..again() });
    let s = refuses_bad_text(s, ITEM, "/attention", false, 80, |attention| RequeuePostalItem { attention, ..again() });
    let s = refuses_bad_text(s, ITEM, "/message", false, 600, |message| RequeuePostalItem { message, ..again() });
    let s = s.when(ITEM, again()).accepted().when(ITEM, again()).refused("postal_item.wrong_state");
    let void = crate::document::Cancelled { reason: "重複".into() };
    let s = s.when(ITEM, print()).accepted();
    let out = DispatchPostalItem { tracking_number: "12345678903".into(), ..hand_over() };
    let s = s.when(ITEM, out).accepted().when(ITEM, came_back()).accepted().given::<Document>(DOCUMENT, void);
    s.when(ITEM, again()).refused("postal_item.document_changed");
    covered::<RequeuePostalItem>();
}

#[test]
fn an_item_has_a_name_that_people_can_read_out() {
    assert_eq!(reference(ITEM), "N893-8NKR");
    assert_eq!(reference(Uuid::nil()), "0000-0000");
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<PostalEvent> {
    let files = || vec![PostedFile { document_id: SAMPLE_ID, revision: 1, sha256: [0xab; 32], pages: 2 }];
    let recipient = || {
        let to = PostalAddress { attention: "𠮷田 一郎".into(), ..address() };
        sealed(Uuid::from_u128(SAMPLE_ID.as_u128() + 1), &to)
    };
    vec![
        Queued {
            files: files(),
            attachments: vec![SAMPLE_FILE],
            client_id: Some(SAMPLE_ID),
            recipient: recipient(),
            extras: vec![Extra::Express, Extra::SpecificRecord],
            ordered_by: Some(SAMPLE_ID),
            ..queued_event()
        }
        .into(),
        Printed { files: files(), attachments: vec![SAMPLE_FILE], has_cover: true, has_label: true }.into(),
        Dispatched {
            carrier: Carrier::JapanPost,
            tracking_number: "12345678901".into(),
            postage: Money::yen(620),
            dispatched_on: SAMPLE_DAY,
        }
        .into(),
        Returned { reason: ReturnReason::UnknownAddress, returned_on: SAMPLE_DAY }.into(),
        Requeued { recipient: recipient() }.into(),
        Cancelled { reason: "誤送付".into() }.into(),
    ]
}

/// The same for looks.
pub fn access_samples() -> Vec<PostalAccessEvent> {
    vec![Accessed { item: SAMPLE_ID, purpose: PostalPurpose::Print }.into()]
}
