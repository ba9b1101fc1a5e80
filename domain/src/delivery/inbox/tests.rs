use super::super::tests::*;
use super::*;
use crate::attachment::Attached;
use crate::date::Date;
use crate::delivery::{Closed, Delivery, Downloaded, InboxDelivered, SendDocument};
use crate::member::{Invited, RemoveMember, SuspendMember};
use crate::testing::*;

/// Where [`send`] mails to.
const ADDRESS: &str = "yoshida@example.jp";
const PASSWORD: &str = "correct horse battery";
const SECRET: &str = "keiin_lnk_1";

fn register() -> RegisterRecipient {
    RegisterRecipient { name: "吉田 一郎".into(), password: PASSWORD.into(), passcode: String::new() }
}

fn recipient(scene: &mut Scene) -> Uuid {
    scene.world.subject_of("member", ADDRESS)
}

/// A link was opened; who holds it acts.
fn opened() -> Scene {
    sent(send()).by_link(SECRET).when(DELIVERY, open()).accepted()
}

/// The recipient registered by the first delivery, and looks into their inbox.
fn inside() -> (Scene, Uuid) {
    let mut scene = opened().when(DELIVERY, register()).accepted();
    let member = recipient(&mut scene);
    (scene.by(Role::Recipient).by_login(member, BEN), member)
}

/// A company's member acts.
fn office(scene: Scene) -> Scene {
    scene.by(Role::Owner)
}

#[test]
fn ml_38_who_holds_the_link_registers_and_later_documents_go_into_the_inbox() {
    let mut scene = opened();
    let member = recipient(&mut scene);
    let person = sealed(member, &person("吉田 一郎", ADDRESS));
    let scene = scene.when(DELIVERY, register()).then([
        emit::<Delivery>(DELIVERY, RecipientRegistered { member_id: member }),
        emit::<Member>(member, Registered { person, role: Role::Recipient }),
    ]);
    let again = Uuid::from_u128(0xdf);
    let to = Person { note: send().message, ..crate::testing::person("吉田 一郎", ADDRESS) };
    let delivered = InboxDelivered {
        documents: scene.now::<Delivery>(DELIVERY).state.documents,
        attachments: vec![],
        recipient: sealed(member, &to),
        member_id: member,
        sent_by: Some(ME),
    };
    let scene = office(scene).when(again, send()).then([emit::<Delivery>(again, delivered)]);
    // Another address is somebody else.
    let other = SendDocument { to_email: "other@example.jp".into(), ..send() };
    let other_id = Uuid::from_u128(0xe0);
    let scene = scene.when(other_id, other).accepted();
    assert!(!scene.now::<Delivery>(other_id).is_in_inbox);
    // Once they are gone it is a link again.
    let scene = scene.when(member, RemoveMember {}).accepted();
    let third = Uuid::from_u128(0xe1);
    assert!(!scene.when(third, send()).accepted().now::<Delivery>(third).is_in_inbox);
}

#[test]
fn an_account_takes_the_link_its_passcode_and_nobody_elses_place() {
    let s = ready().by_link(SECRET).when(DELIVERY, register()).refused("delivery.unknown");
    let s = office(s).when(DELIVERY, send()).accepted().by_link(SECRET);
    let s = s.when(DELIVERY, register()).refused("delivery.not_opened");
    let s = s.when(DELIVERY, open()).accepted();
    let named = |name| RegisterRecipient { name, ..register() };
    let s = refuses_bad_text(s, DELIVERY, "/name", true, 80, named);
    let weak = [
        ("member.password_too_short", "short"),
        ("member.password_common", "password1234567"),
        ("member.password_personal", "yoshida@example.jp-1"),
        ("member.password_pattern", "abcabcabcabcabcabc"),
    ];
    let mut s = s;
    for (code, password) in weak {
        s = s
            .when(DELIVERY, RegisterRecipient { password: password.into(), ..register() })
            .refused_at(code, "/password");
    }
    let long = RegisterRecipient { password: "あ".repeat(129), ..register() };
    let mut s = s.when(DELIVERY, long).refused_at("member.password_too_long", "/password");
    let member = recipient(&mut s);
    let invited = Invited {
        person: somebody(),
        role: Role::Member,
        permission_set: None,
        invited_by: Some(ME),
        secret_hash: [1; 32],
        expires_at_us: us("2026-11-05T09:00:00+09:00"),
    };
    let waits = s.clone().given::<Member>(member, invited);
    waits.when(DELIVERY, register()).refused("member.already_invited");
    let s = s.when(DELIVERY, register()).accepted().when(DELIVERY, register()).refused("member.already_member");
    s.clone().by_link("keiin_lnk_9").when(DELIVERY, register()).refused("delivery.replaced");
    s.clone().at("2026-11-16T09:00:00+09:00").when(DELIVERY, register()).refused("delivery.expired");
    let s = office(s).when(DELIVERY, revoke()).accepted().by_link(SECRET);
    s.when(DELIVERY, register()).refused("delivery.revoked");

    let s = sent(guarded()).by_link(SECRET).when(DELIVERY, crate::delivery::OpenLink { passcode: "0423".into() });
    let typed = |passcode: &str| RegisterRecipient { passcode: passcode.into(), ..register() };
    let mut s = s.accepted().when(DELIVERY, typed("")).refused_at("delivery.passcode_required", "/passcode");
    s.clone().when(DELIVERY, typed("0423")).accepted();
    for _ in 0..crate::delivery::PASSCODE_TRIES {
        s = s.when(DELIVERY, typed("1111")).then([refusal(Closed::WrongPasscode)]);
    }
    s.when(DELIVERY, typed("0423")).refused("delivery.locked");
    let s = opened().given::<Member>(ME, Registered { person: somebody(), role: Role::Owner });
    let hold = SuspendMember { reason: "乗っ取り".into(), emergency: true };
    let s = s.given::<Member>(ME, crate::member::Suspended { reason: hold.reason, emergency: hold.emergency });
    s.when(DELIVERY, register()).refused("delivery.on_hold");
    covered::<RegisterRecipient>();
}

/// Attachments in an inbox.
fn own_files() {
    let (s, member) = inside();
    let again = Uuid::from_u128(0xdf);
    let delivered = InboxDelivered {
        documents: s.now::<Delivery>(DELIVERY).state.documents,
        attachments: vec![Attached { attachment_id: ANNA, ..SAMPLE_FILE }],
        recipient: somebody(),
        member_id: member,
        sent_by: None,
    };
    let s = printed(s).given::<Delivery>(again, delivered);
    let file = |id| TakeFile { document_id: None, attachment_id: Some(id) };
    let downloaded = Downloaded { document_id: None, revision: None, attachment_id: Some(ANNA), sha256: [0xef; 32] };
    let downloaded = || emit::<Delivery>(again, downloaded.clone());
    let document = emit::<Delivery>(
        again,
        Downloaded { document_id: Some(DOCUMENT), revision: Some(1), attachment_id: None, sha256: [7; 32] },
    );
    let s = s.when(again, file(ANNA)).then([downloaded()]);
    let s = s.when(again, TakeFiles {}).then([document.clone(), downloaded()]);
    let s = s.when(again, file(BEN)).refused_at("delivery.unknown_attachment", "/attachment_id");
    let mut s = s.when(again, TakeFile::default()).refused_at("delivery.one_file", "/document_id");
    s.world.erased.push(ANNA);
    let s = s.when(again, file(ANNA)).refused("delivery.attachment_erased");
    s.when(again, TakeFiles {}).then([document]);
}

#[test]
fn an_inbox_is_of_one_recipient_and_shows_what_was_not_withdrawn() {
    let (s, member) = inside();
    let view = |view, day| emit::<Delivery>(DELIVERY, Opened { view, day: Some(day) });
    let s = s.when(DELIVERY, OpenDelivery {}).then([view(2, Date::of(2026, 11, 2))]);
    // Coming back to it on the same day says nothing new.
    let s = s.at("2026-11-02T23:59:59+09:00").when(DELIVERY, OpenDelivery {}).then([]);
    // Its link is over, the inbox is not.
    let s = s.at("2026-12-24T09:00:00+09:00").when(DELIVERY, OpenDelivery {}).then([view(3, Date::of(2026, 12, 24))]);
    let file = TakeFile { document_id: Some(DOCUMENT), attachment_id: None };
    let s = s.when(DELIVERY, file.clone()).refused("delivery.not_printed");
    let s = s.when(DELIVERY, TakeFiles {}).refused("delivery.not_printed");
    let s = printed(s).when(DELIVERY, file.clone()).then([taken()]).when(DELIVERY, TakeFiles {}).then([taken()]);
    let other = TakeFile { document_id: Some(BEN), attachment_id: None };
    let s = s.when(DELIVERY, other).refused_at("delivery.unknown_document", "/document_id");

    own_files();
    let nobody = s.clone().by_login(ANNA, BEN);
    let nobody = nobody.when(DELIVERY, OpenDelivery {}).refused("delivery.unknown");
    let nobody = nobody.when(DELIVERY, file.clone()).refused("delivery.unknown");
    nobody.when(DELIVERY, TakeFiles {}).refused("delivery.unknown");
    let hold = crate::member::Suspended { reason: "乗っ取り".into(), emergency: true };
    let held = s.clone().given::<Member>(ME, hold);
    let held = held.when(DELIVERY, OpenDelivery {}).refused("delivery.on_hold");
    let held = held.when(DELIVERY, file.clone()).refused("delivery.on_hold");
    held.when(DELIVERY, TakeFiles {}).refused("delivery.on_hold");
    let s = office(s).when(DELIVERY, revoke()).accepted().by(Role::Recipient).by_login(member, BEN);
    let s = s.when(DELIVERY, OpenDelivery {}).refused("delivery.revoked");
    let s = s.when(DELIVERY, file).refused("delivery.revoked");
    s.when(DELIVERY, TakeFiles {}).refused("delivery.revoked");
    covered::<OpenDelivery>();
    covered::<TakeFile>();
    covered::<TakeFiles>();
}

#[test]
fn an_answer_is_sealed_under_who_wrote_it() {
    let (s, member) = inside();
    let reply = |text: &str| ReplyToDelivery { text: text.into() };
    let note = Person { note: "承知しました。\n来週お返事します。".into(), ..Person::default() };
    let s = s.when(DELIVERY, reply(" 承知しました。\r\n来週お返事します。"));
    let s = s.then([emit::<Delivery>(DELIVERY, Replied { reply: sealed(member, &note) })]);
    let s = s.when(DELIVERY, reply(" ")).refused_at("text.required", "/text");
    let s = s.when(DELIVERY, reply(&"あ".repeat(2_001))).refused_at("text.too_long", "/text");
    let s = s.when(DELIVERY, reply("\u{7}")).refused_at("text.control_character", "/text");
    s.clone().by_login(ANNA, BEN).when(DELIVERY, reply("x")).refused("delivery.unknown");
    let hold = crate::member::Suspended { reason: "乗っ取り".into(), emergency: true };
    s.clone().given::<Member>(ME, hold).when(DELIVERY, reply("x")).refused("delivery.on_hold");
    let s = office(s).when(DELIVERY, revoke()).accepted().by(Role::Recipient).by_login(member, BEN);
    s.when(DELIVERY, reply("x")).refused("delivery.revoked");
    covered::<ReplyToDelivery>();
}

#[test]
fn a_quote_is_accepted_once_a_revision_and_as_long_as_it_holds() {
    let (s, member) = inside();
    let accept = |revision| AcceptQuote { document_id: DOCUMENT, revision };
    let s = s.when(DELIVERY, accept(2)).refused_at("document.other_revision", "/revision");
    let accepted = Accepted { revision: 1, delivery_id: DELIVERY };
    let s = s.when(DELIVERY, accept(1)).then([emit::<Document>(DOCUMENT, accepted)]);
    let s = s.when(DELIVERY, accept(1)).refused("document.already_accepted");
    let corrected = crate::document::Corrected { revision: 2, reason: "数量".into(), body: Default::default() };
    let s = s.given::<Document>(DOCUMENT, corrected).when(DELIVERY, accept(2)).accepted();
    let unknown = AcceptQuote { document_id: BEN, revision: 1 };
    let s = s.when(DELIVERY, unknown).refused_at("delivery.unknown_document", "/document_id");
    s.clone().by_login(ANNA, BEN).when(DELIVERY, accept(2)).refused("delivery.unknown");
    let hold = crate::member::Suspended { reason: "乗っ取り".into(), emergency: true };
    s.clone().given::<Member>(ME, hold).when(DELIVERY, accept(2)).refused("delivery.on_hold");
    let gone = s.clone().given::<Document>(DOCUMENT, crate::document::Cancelled { reason: "重複".into() });
    gone.when(DELIVERY, accept(2)).refused("document.cancelled");
    let s = office(s).when(DELIVERY, revoke()).accepted().by(Role::Recipient).by_login(member, BEN);
    s.when(DELIVERY, accept(2)).refused("delivery.revoked");

    // Until the last day that stands on it.
    let (s, _) = inside();
    let head = crate::document::Head {
        date_due: Some(crate::date::Date::of(2026, 11, 30)),
        ..drafted(DocumentType::Quote, ANNA).head
    };
    let s = s.given::<Document>(DOCUMENT, crate::document::Changed { head });
    s.clone().at("2026-11-30T23:59:59+09:00").when(DELIVERY, accept(1)).accepted();
    s.at("2026-12-01T00:00:00+09:00").when(DELIVERY, accept(1)).refused("document.offer_over");
    let invoice = drafted(DocumentType::Invoice, ANNA);
    let (s, _) = inside();
    s.given::<Document>(DOCUMENT, invoice).when(DELIVERY, accept(1)).refused_at("document.no_quote", "/document_id");
    covered::<AcceptQuote>();
}

#[test]
fn what_is_in_an_inbox_is_not_sent_again_and_a_suspended_recipient_gets_nothing() {
    let (s, member) = inside();
    let again = Uuid::from_u128(0xdf);
    let s = office(s).when(again, send()).accepted();
    let s = s.when(again, resend()).refused("delivery.in_inbox");
    let s =
        s.when(again, revoke()).then([emit::<Delivery>(again, crate::delivery::Withdrawn { reason: revoke().reason })]);
    let s = s.when(again, revoke()).refused("delivery.already_revoked");
    let hold = crate::member::Suspended { reason: "退職".into(), emergency: false };
    let s = s.given::<Member>(member, hold);
    s.when(Uuid::from_u128(0xe0), send()).refused_at("delivery.recipient_suspended", "/to_email");
    // What was registered for is in the inbox for longer than its link.
    let (s, _) = inside();
    office(s).at("2026-12-24T09:00:00+09:00").when(DELIVERY, revoke()).accepted();
}
