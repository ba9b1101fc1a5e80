//! Rules of clients.

use super::*;
use crate::testing::*;

const CLIENT: Uuid = Uuid::from_u128(0xc1);

fn register() -> RegisterClient {
    RegisterClient {
        name: "国立印刷局".into(),
        honorific: Honorific::Onchu,
        registration_number: "ｔ7000012050002".into(),
        postal_code: "105-8445".into(),
        region: "東京都".into(),
        locality: "港区".into(),
        street_address: "虎ノ門2-2-5".into(),
        extended_address: String::new(),
        reading: "ｺｸﾘﾂ いんさつきょく".into(),
        registration_number_override: String::new(),
        contacts: vec![contact("𠮷田 一郎", "Yoshida@example.jp")],
    }
}

fn contact(name: &str, email: &str) -> ContactInput {
    ContactInput { name: name.into(), email: email.into(), ..ContactInput::default() }
}

fn known(id: Uuid, name: &str, email: &str) -> ContactInput {
    ContactInput { id: Some(id), ..contact(name, email) }
}

fn boxed(subject: Uuid, name: &str, email: &str) -> Sealed<Contact> {
    sealed(subject, &Contact { name: name.into(), email: email.into(), ..Contact::default() })
}

fn fresh(n: u128) -> Uuid {
    Uuid::from_u128(FRESH.as_u128() + n)
}

fn registered(contacts: Vec<Sealed<Contact>>) -> Registered {
    let reading = "コクリツ インサツキョク".into();
    Registered { profile: registered_profile(), reading, person: None, contacts }
}

fn changed(contacts: Vec<Sealed<Contact>>) -> Changed {
    let Registered { profile, reading, person, contacts } = registered(contacts);
    Changed { profile, reading, person, contacts }
}

fn registered_profile() -> Profile {
    Profile {
        registration_number: "T7000012050002".into(),
        postal_code: "1058445".into(),
        region: "東京都".into(),
        locality: "港区".into(),
        street_address: "虎ノ門2-2-5".into(),
        ..profile("国立印刷局")
    }
}

#[test]
fn contacts_are_sealed_each_under_a_subject_of_their_own() {
    let (first, second) = (("𠮷田 一郎", "yoshida@example.jp"), ("鈴木", "suzuki@example.jp"));
    let two = || vec![contact(first.0, first.1), contact(second.0, second.1)];
    let both = vec![boxed(FRESH, first.0, first.1), boxed(fresh(1), second.0, second.1)];
    let scene = scene()
        .when(CLIENT, RegisterClient { contacts: two(), ..register() })
        .then([emit::<Client>(CLIENT, registered(both))]);
    assert_eq!(scene.now::<Client>(CLIENT).contacts, [FRESH, fresh(1)]);

    // Who is named stays who they are, also in another place; somebody new gets a subject of their own.
    let contacts = vec![known(fresh(1), second.0, second.1), contact("", "keiri@example.jp")];
    let then = vec![boxed(fresh(1), second.0, second.1), boxed(fresh(2), "", "keiri@example.jp")];
    let scene = scene
        .when(CLIENT, ChangeClient(RegisterClient { contacts, ..register() }))
        .then([emit::<Client>(CLIENT, changed(then))]);

    // Emptied is removed, and nobody comes back under their old subject.
    let contacts = vec![known(fresh(1), " ", ""), ContactInput::default()];
    let scene = scene
        .when(CLIENT, ChangeClient(RegisterClient { contacts, ..register() }))
        .then([emit::<Client>(CLIENT, changed(vec![]))]);
    let again = ChangeClient(RegisterClient { contacts: vec![known(fresh(1), "鈴木", "")], ..register() });
    scene.when(CLIENT, again).refused_at("client.unknown_contact", "/contacts/0/id");
}

#[test]
fn how_a_persons_name_is_read_is_sealed() {
    let somebody =
        RegisterClient { name: "𠮷田 一郎".into(), honorific: Honorific::Sama, contacts: vec![], ..register() };
    let kana = |subject| sealed(subject, &Person { kana: "コクリツ インサツキョク".into(), ..Person::default() });
    let profile = Profile { name: "𠮷田 一郎".into(), honorific: Honorific::Sama, ..registered_profile() };
    let event = Registered { profile, reading: String::new(), person: Some(kana(FRESH)), contacts: vec![] };
    let scene = scene().when(CLIENT, somebody.clone()).then([emit::<Client>(CLIENT, event)]);
    let scene = scene.when(CLIENT, ChangeClient(somebody)).accepted();
    assert_eq!(scene.now::<Client>(CLIENT).person, Some(FRESH), "the same person");
}

#[test]
fn a_wrong_check_digit_of_a_company_is_overridden_with_a_reason() {
    let number = "T8000012050002";
    let reason = "国税庁の公表サイトで確認";
    let odd = RegisterClient { registration_number: number.into(), ..register() };
    let sure = RegisterClient { registration_number_override: format!(" {reason} "), ..odd.clone() };
    let scene = scene().when(CLIENT, sure.clone()).accepted();
    let client = scene.now::<Client>(CLIENT);
    assert_eq!((client.version, client.overridden.as_str()), (Some(1), number));
    assert!(!client.profile.as_ref().unwrap().registration_number_checks);
    // The same number needs no second reason, another one does; a good one keeps none.
    let scene = scene.when(CLIENT, ChangeClient(odd)).accepted();
    assert_eq!(scene.now::<Client>(CLIENT).version, Some(2));
    let other = RegisterClient { registration_number: "T8000012050003".into(), ..register() };
    let scene = scene.when(CLIENT, ChangeClient(other));
    let scene = scene.refused_at("registration_number.wrong_check_digit", "/registration_number");
    let good = RegisterClient { registration_number: "T7000012050002".into(), ..sure.clone() };
    let scene = scene.when(CLIENT, ChangeClient(good)).accepted();
    assert_eq!(scene.now::<Client>(CLIENT).version, Some(3));
    let overridden = NumberOverridden { registration_number: number.into(), reason: reason.into() };
    let contacts = vec![boxed(fresh(3), "𠮷田 一郎", "yoshida@example.jp")];
    let profile =
        Profile { registration_number: number.into(), registration_number_checks: false, ..registered_profile() };
    let changed = Changed { profile, ..changed(contacts) };
    let scene = scene.when(CLIENT, ChangeClient(sure));
    scene.then([emit::<Client>(CLIENT, changed), emit::<Client>(CLIENT, overridden)]);
}

#[test]
fn only_a_person_may_have_a_number_whose_check_digit_does_not_fit() {
    let odd = RegisterClient { registration_number: "T8000012050002".into(), ..register() };
    let scene =
        scene().when(CLIENT, odd.clone()).refused_at("registration_number.wrong_check_digit", "/registration_number");
    let scene = scene.when(CLIENT, RegisterClient { honorific: Honorific::Sama, ..odd }).accepted();
    let profile = scene.now::<Client>(CLIENT).state.profile.unwrap();
    assert!(!profile.registration_number_checks, "recorded, not silently passed");
}

#[test]
fn every_refusal() {
    let number = |number: &str| RegisterClient { registration_number: number.into(), ..register() };
    let s = scene().when(CLIENT, number("7000012050002"));
    let s = s.refused_at("registration_number.bad_format", "/registration_number");
    let s = s.when(CLIENT, number("T8000012050002"));
    let s = s.refused_at("registration_number.wrong_check_digit", "/registration_number");
    let s = s.when(CLIENT, RegisterClient { postal_code: "105".into(), ..register() });
    let s = s.refused_at("client.bad_postal_code", "/postal_code");
    let one = |contact: ContactInput| RegisterClient { contacts: vec![contact], ..register() };
    let s = s.when(CLIENT, one(contact("", "yoshida"))).refused_at("client.bad_email", "/contacts/0/email");
    let phone = |phone: &str| ContactInput { phone: phone.into(), ..contact("鈴木", "") };
    let s = s.when(CLIENT, one(phone("内線12"))).refused_at("client.bad_phone", "/contacts/0/phone");
    let alone = ContactInput { department: "経理部".into(), ..ContactInput::default() };
    let s = s.when(CLIENT, one(alone)).refused_at("text.required", "/contacts/0/name");
    let s = s.when(CLIENT, one(known(ANNA, "鈴木", ""))).refused_at("client.unknown_contact", "/contacts/0/id");
    let many = RegisterClient { contacts: vec![contact("鈴木", ""); CONTACTS_MOST + 1], ..register() };
    let s = s.when(CLIENT, many).refused_at("client.too_many_contacts", "/contacts");
    let s = s.when(CLIENT, RegisterClient { reading: "国立".into(), ..register() });
    let s = s.refused_at("text.not_kana", "/reading");
    let s = refuses_bad_text(s, CLIENT, "/name", true, 80, |name| RegisterClient { name, ..register() });
    let s = refuses_bad_text(s, CLIENT, "/region", false, 40, |region| RegisterClient { region, ..register() });
    let s = refuses_bad_text(s, CLIENT, "/locality", false, 80, |locality| RegisterClient { locality, ..register() });
    let s = refuses_bad_text(s, CLIENT, "/street_address", false, 120, |street_address| RegisterClient {
        street_address,
        ..register()
    });
    let s = refuses_bad_text(s, CLIENT, "/extended_address", false, 120, |extended_address| RegisterClient {
        extended_address,
        ..register()
    });
    let s = refuses_bad_text(s, CLIENT, "/contacts/0/name", false, 80, |name| one(contact(&name, "a@b.jp")));
    let s = refuses_bad_text(s, CLIENT, "/contacts/0/department", false, 80, |department| {
        one(ContactInput { department, ..contact("鈴木", "") })
    });
    let s = refuses_bad_text(s, CLIENT, "/registration_number_override", false, 200, |why| RegisterClient {
        registration_number_override: why,
        ..register()
    });
    covered::<RegisterClient>();

    let s = s.when(CLIENT, ChangeClient(register())).refused("client.unknown");
    let s = s.when(CLIENT, ArchiveClient {}).refused("client.unknown");
    let s = s.when(CLIENT, register()).accepted();
    let s =
        s.when(CLIENT, ChangeClient(number("T"))).refused_at("registration_number.bad_format", "/registration_number");
    let s = s.when(CLIENT, ChangeClient(number("T8000012050002")));
    let s = s.refused_at("registration_number.wrong_check_digit", "/registration_number");
    let s = s.when(CLIENT, ChangeClient(RegisterClient { postal_code: "x".into(), ..register() }));
    let s = s.refused_at("client.bad_postal_code", "/postal_code");
    let one = |contact: ContactInput| ChangeClient(RegisterClient { contacts: vec![contact], ..register() });
    let s = s.when(CLIENT, one(contact("", "x"))).refused_at("client.bad_email", "/contacts/0/email");
    let s = s.when(CLIENT, one(phone("x"))).refused_at("client.bad_phone", "/contacts/0/phone");
    let s = s.when(CLIENT, one(known(ANNA, "鈴木", ""))).refused_at("client.unknown_contact", "/contacts/0/id");
    let mut s = s.when(CLIENT, one(contact("鈴木", ""))).accepted();
    let erased = s.now::<Client>(CLIENT).contacts[0];
    s.world.erased.push(erased);
    let s = s.when(CLIENT, one(known(erased, "鈴木", ""))).refused_at("client.erased_contact", "/contacts/0/id");
    let s = s.when(CLIENT, one(known(erased, "", ""))).accepted();
    let contacts = vec![contact("鈴木", ""); CONTACTS_MOST + 1];
    let s = s.when(CLIENT, ChangeClient(RegisterClient { contacts, ..register() }));
    let s = s.refused_at("client.too_many_contacts", "/contacts");
    let s = s.when(CLIENT, ChangeClient(RegisterClient { reading: "x".into(), ..register() }));
    let s = s.refused_at("text.not_kana", "/reading");
    let renamed = |name| ChangeClient(RegisterClient { name, ..register() });
    let s = refuses_bad_text(s, CLIENT, "/name", true, 80, renamed);
    let s = s.when(CLIENT, ArchiveClient {}).then([emit::<Client>(CLIENT, Archived {})]);
    let s = s.when(CLIENT, ChangeClient(register())).refused("client.archived");
    s.when(CLIENT, ArchiveClient {}).refused("client.archived");
    covered::<ChangeClient>();
    covered::<ArchiveClient>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<ClientEvent> {
    let somebody = sealed(
        fresh(7),
        &Contact {
            name: "𠮷田 一郎".into(),
            reading: "ヨシダ イチロウ".into(),
            email: "yoshida@example.jp".into(),
            department: "経理部".into(),
            phone: "03-1234-5678".into(),
        },
    );
    let (profile, reading) = (sample_profile(), "コクリツインサツキョク".to_owned());
    let person = Some(sealed(SAMPLE_ID, &Person { kana: "ヨシダ イチロウ".into(), ..Person::default() }));
    let profile_again = Profile { honorific: Honorific::Sama, ..sample_profile() };
    vec![
        Registered { profile, reading, person: None, contacts: vec![somebody.clone()] }.into(),
        Changed { profile: profile_again, reading: String::new(), person, contacts: vec![somebody] }.into(),
        NumberOverridden { registration_number: "T8000012050002".into(), reason: "公表サイトで確認".into() }.into(),
        Archived {}.into(),
    ]
}
