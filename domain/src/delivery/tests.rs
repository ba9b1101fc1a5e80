use super::*;
use crate::attachment::Attached;
use crate::command::Emit;
use crate::document::{Cancelled, Document, DocumentType};
use crate::member::{Member, Registered, Reinstated, Suspended};
use crate::paper::{Paper, Rendered, RenderingFailed};
use crate::role::Role;
use crate::testing::*;

pub(super) const DELIVERY: Uuid = Uuid::from_u128(0xde);
pub(super) const DOCUMENT: Uuid = Uuid::from_u128(0xd1);

/// A document is out.
pub(super) fn ready() -> Scene {
    scene()
        .given::<Document>(DOCUMENT, drafted(DocumentType::Quote, ANNA))
        .given::<Document>(DOCUMENT, issued("QUO-2026-0001"))
}

pub(super) fn send() -> SendDocument {
    SendDocument {
        document_ids: vec![DOCUMENT],
        to_name: "吉田 一郎".into(),
        to_email: "Yoshida@example.jp".into(),
        message: "いつもお世話になっております。\nご確認ください。".into(),
        expires_in_days: None,
        view_limit: None,
        passcode: String::new(),
    }
}

/// With the passcode `0423`.
pub(super) fn guarded() -> SendDocument {
    SendDocument { passcode: " 0423 ".into(), ..send() }
}

pub(super) fn open() -> OpenLink {
    OpenLink::default()
}

fn typed(passcode: &str) -> OpenLink {
    OpenLink { passcode: passcode.into() }
}

fn take(passcode: &str) -> DownloadDocument {
    DownloadDocument { document_id: Some(DOCUMENT), attachment_id: None, passcode: passcode.into() }
}

pub(super) fn printed(scene: Scene) -> Scene {
    scene.given::<Paper>(DOCUMENT, Rendered { revision: 1, sha256: [7; 32], size: 9 })
}

pub(super) fn taken() -> Emit {
    let (document_id, revision) = (Some(DOCUMENT), Some(1));
    emit::<Delivery>(DELIVERY, Downloaded { document_id, revision, attachment_id: None, sha256: [7; 32] })
}

pub(super) fn refusal(reason: Closed) -> Emit {
    emit::<Delivery>(DELIVERY, OpenRefused { reason })
}

pub(super) fn sent(command: SendDocument) -> Scene {
    ready().when(DELIVERY, command).accepted()
}

pub(super) fn revoke() -> RevokeLink {
    RevokeLink { reason: "誤送付".into() }
}

#[test]
fn a_link_is_made_for_one_recipient_and_a_fortnight() {
    let recipient = Person {
        note: "いつもお世話になっております。\nご確認ください。".into(),
        ..person("吉田 一郎", "yoshida@example.jp")
    };
    ready().when(DELIVERY, send()).then([emit::<Delivery>(
        DELIVERY,
        LinkIssued {
            documents: vec![Enclosed { document_id: DOCUMENT, revision: 1 }],
            attachments: vec![],
            recipient: sealed(FRESH, &recipient),
            secret_hash: hash("keiin_lnk_1"),
            expires_at_us: us("2026-11-16T09:00:00+09:00"),
            view_limit: None,
            has_passcode: false,
            sent_by: Some(ME),
        },
    )]);
}

#[test]
fn opening_is_counted_and_impossible_after_expiry() {
    let scene = sent(send());
    let scene = scene.when(DELIVERY, open()).then([emit::<Delivery>(DELIVERY, LinkOpened { view: 1 })]);
    let scene = scene.at("2026-11-16T08:59:59.999999+09:00").when(DELIVERY, open());
    let scene = scene.then([emit::<Delivery>(DELIVERY, LinkOpened { view: 2 })]);
    scene.at("2026-11-16T09:00:00+09:00").when(DELIVERY, open()).refused("delivery.expired");
}

#[test]
fn a_clock_that_steps_back_revives_nothing() {
    let refused = OpenRefused { reason: Closed::Expired };
    let scene = sent(send())
        .at("2026-11-16T09:00:00+09:00")
        .when(DELIVERY, RefuseOpen {})
        .then([emit::<Delivery>(DELIVERY, LinkExpired {}), emit::<Delivery>(DELIVERY, refused.clone())]);
    let scene = scene.at("2026-11-03T09:00:00+09:00").when(DELIVERY, open()).refused("delivery.expired");
    scene.when(DELIVERY, RefuseOpen {}).then([emit::<Delivery>(DELIVERY, refused)]);
}

#[test]
fn the_timer_writes_an_expiry_once() {
    let scene = sent(send()).by_system().when(DELIVERY, ExpireLink {}).refused("delivery.not_due");
    let scene = scene.at("2026-11-16T09:00:00+09:00").when(DELIVERY, ExpireLink {});
    scene.then([emit::<Delivery>(DELIVERY, LinkExpired {})]).when(DELIVERY, ExpireLink {}).then([]);
    sent(send()).when(DELIVERY, revoke()).accepted().by_system().when(DELIVERY, ExpireLink {}).then([]);
}

#[test]
fn views_are_limited_also_when_two_open_at_once() {
    let scene = sent(SendDocument { view_limit: Some(1), ..send() });
    let scene = scene.race((DELIVERY, open()), (DELIVERY, open())).refused("delivery.view_limit");
    let refused = OpenRefused { reason: Closed::ViewLimit };
    let scene = scene.when(DELIVERY, RefuseOpen {}).then([emit::<Delivery>(DELIVERY, refused)]);
    // Used up, it can still be withdrawn.
    let scene = scene.when(DELIVERY, revoke()).accepted().when(DELIVERY, open()).refused("delivery.revoked");
    let refused = OpenRefused { reason: Closed::Revoked };
    scene.when(DELIVERY, RefuseOpen {}).then([emit::<Delivery>(DELIVERY, refused)]);
}

#[test]
fn fm_29_what_a_suspended_member_sent_does_not_open_until_they_are_back() {
    let me = Registered { person: sealed(ME, &person("田中 花子", "")), role: Role::Owner };
    let scene = sent(send()).given::<Member>(ME, me);
    let ordinary = Suspended { reason: "休職".into(), emergency: false };
    scene.clone().given::<Member>(ME, ordinary).when(DELIVERY, open()).accepted();
    let urgent = Suspended { reason: "乗っ取りの疑い".into(), emergency: true };
    let scene = scene.given::<Member>(ME, urgent).when(DELIVERY, open()).refused("delivery.on_hold");
    let refused = OpenRefused { reason: Closed::OnHold };
    let scene = scene.when(DELIVERY, RefuseOpen {}).then([emit::<Delivery>(DELIVERY, refused)]);
    scene.given::<Member>(ME, Reinstated {}).when(DELIVERY, open()).accepted();
}

pub(super) fn resend() -> ResendLink {
    ResendLink { expires_in_days: None }
}

#[test]
fn ml_36_sending_again_ends_the_link_before_and_begins_anew() {
    let limited = SendDocument { view_limit: Some(1), ..guarded() };
    let scene = sent(limited).by_link("keiin_lnk_1").when(DELIVERY, typed("0423")).accepted();
    let scene = scene.when(DELIVERY, typed("0423")).refused("delivery.view_limit");
    let scene = scene.at("2026-11-16T09:00:00+09:00").when(DELIVERY, ExpireLink {}).accepted();
    let reissued = LinkReissued { secret_hash: hash("keiin_lnk_2"), expires_at_us: us("2026-11-30T09:00:00+09:00") };
    let scene = scene.when(DELIVERY, resend()).then([emit::<Delivery>(DELIVERY, reissued)]);
    let scene = scene.when(DELIVERY, typed("0423")).refused("delivery.replaced");
    let scene = scene.when(DELIVERY, RefuseOpen {}).then([refusal(Closed::Replaced)]);
    let scene = scene.by_link("keiin_lnk_2").when(DELIVERY, typed("0423"));
    let scene = scene.then([emit::<Delivery>(DELIVERY, LinkOpened { view: 2 })]);
    scene.when(DELIVERY, typed("0423")).refused("delivery.view_limit");
}

#[test]
fn two_guesses_at_once_are_two_guesses() {
    let scene = sent(guarded());
    let scene = scene.race((DELIVERY, typed("1111")), (DELIVERY, typed("2222"))).then([refusal(Closed::WrongPasscode)]);
    assert_eq!(scene.now::<Delivery>(DELIVERY).wrong, 2);
    let scene = scene.when(DELIVERY, typed("３")).accepted().when(DELIVERY, typed("4444")).accepted();
    let scene = scene.when(DELIVERY, typed("5555")).accepted().when(DELIVERY, typed("0423")).refused("delivery.locked");
    let scene = scene.when(DELIVERY, RefuseOpen {}).then([refusal(Closed::Locked)]);
    // The company sends it again, with the same passcode.
    scene.when(DELIVERY, resend()).accepted().when(DELIVERY, typed("0423")).accepted();
}

#[test]
fn each_opening_allows_each_file_once_where_openings_are_limited() {
    let scene =
        printed(sent(SendDocument { view_limit: Some(2), ..guarded() }).when(DELIVERY, typed("0423")).accepted());
    let scene = scene.when(DELIVERY, take("0423")).then([taken()]);
    let scene = scene.when(DELIVERY, take("0423")).refused("delivery.view_limit");
    let scene = scene.when(DELIVERY, typed("0423")).accepted().when(DELIVERY, take("0423")).then([taken()]);
    scene.when(DELIVERY, take("1111")).refused("delivery.view_limit");
    let free = printed(sent(send()).when(DELIVERY, open()).accepted());
    free.when(DELIVERY, take("")).then([taken()]).when(DELIVERY, take("")).then([taken()]);
    let wrong = printed(sent(guarded()).when(DELIVERY, typed("0423")).accepted());
    wrong.when(DELIVERY, take("1111")).then([refusal(Closed::WrongPasscode)]);
}

/// A link with one attachment, opened.
fn with_a_file() -> Scene {
    let issued = LinkIssued {
        documents: vec![Enclosed { document_id: DOCUMENT, revision: 1 }],
        attachments: vec![Attached { attachment_id: ANNA, ..SAMPLE_FILE }],
        recipient: somebody(),
        secret_hash: hash("keiin_lnk_1"),
        expires_at_us: us("2026-11-16T09:00:00+09:00"),
        view_limit: Some(1),
        has_passcode: false,
        sent_by: None,
    };
    let scene = printed(ready()).given::<Delivery>(DELIVERY, issued).by_link("keiin_lnk_1");
    scene.when(DELIVERY, open()).accepted()
}

#[test]
fn an_attachment_is_taken_like_a_document_and_counted_for_itself() {
    let file = || DownloadDocument { attachment_id: Some(ANNA), ..DownloadDocument::default() };
    let attachment = Downloaded { document_id: None, revision: None, attachment_id: Some(ANNA), sha256: [0xef; 32] };
    let scene = with_a_file().when(DELIVERY, file()).then([emit::<Delivery>(DELIVERY, attachment)]);
    scene.when(DELIVERY, file()).refused("delivery.view_limit").when(DELIVERY, take("")).then([taken()]);
}

fn refused_files() {
    let s = with_a_file().when(DELIVERY, DownloadDocument::default()).refused_at("delivery.one_file", "/document_id");
    let other = DownloadDocument { attachment_id: Some(BEN), ..DownloadDocument::default() };
    let mut s = s.when(DELIVERY, other).refused_at("delivery.unknown_attachment", "/attachment_id");
    s.world.erased.push(ANNA);
    let gone = DownloadDocument { attachment_id: Some(ANNA), ..DownloadDocument::default() };
    s.when(DELIVERY, gone).refused("delivery.attachment_erased");
}

#[test]
fn what_opens_is_not_written_down_as_refused() {
    sent(send()).when(DELIVERY, RefuseOpen {}).then([]);
}

#[test]
fn sending_meets_a_cancellation() {
    let cancel = crate::document::CancelDocument { reason: "重複".into() };
    let scene = ready().race((DOCUMENT, cancel), (DELIVERY, send()));
    scene.refused_at("delivery.not_issued", "/document_ids/0");
}

#[test]
fn every_refusal() {
    let s = ready().when(DELIVERY, SendDocument { document_ids: vec![DOCUMENT, BEN], ..send() });
    let s = s.refused_at("delivery.unknown_document", "/document_ids/1");
    let s = s.when(DELIVERY, SendDocument { document_ids: vec![], ..send() });
    let s = s.refused_at("delivery.no_document", "/document_ids");
    let s = s.when(DELIVERY, SendDocument { document_ids: vec![DOCUMENT, DOCUMENT], ..send() });
    let s = s.refused_at("delivery.document_twice", "/document_ids/1");
    let many = (0..21).map(Uuid::from_u128).collect();
    let s = s.when(DELIVERY, SendDocument { document_ids: many, ..send() });
    let s = s.refused_at("delivery.too_many_documents", "/document_ids");
    let s = s.when(DELIVERY, SendDocument { passcode: "123".into(), ..send() });
    let s = s.refused_at("delivery.bad_passcode", "/passcode");
    let with = |passcode| SendDocument { passcode, ..send() };
    let s = refuses_bad_text(s, DELIVERY, "/passcode", false, 40, with);
    let s = s.when(DELIVERY, SendDocument { to_email: "a b@c.jp".into(), ..send() });
    let mut s = s.refused_at("delivery.bad_email", "/to_email");
    for days in [0, 91, u32::MAX] {
        let command = SendDocument { expires_in_days: Some(days), ..send() };
        s = s.when(DELIVERY, command).refused_at("delivery.bad_expiry", "/expires_in_days");
    }
    for limit in [0, 1_001] {
        let command = SendDocument { view_limit: Some(limit), ..send() };
        s = s.when(DELIVERY, command).refused_at("delivery.bad_view_limit", "/view_limit");
    }
    let s = refuses_bad_text(s, DELIVERY, "/to_name", true, 80, |to_name| SendDocument { to_name, ..send() });
    let s = refuses_bad_text(s, DELIVERY, "/message", false, 1_000, |message| SendDocument { message, ..send() });
    let mut s = s;
    let member = s.world.subject_of("member", "yoshida@example.jp");
    let customer = Registered { person: somebody(), role: Role::Recipient };
    let suspended = Suspended { reason: "退職".into(), emergency: false };
    let held = s.clone().given::<Member>(member, customer.clone()).given::<Member>(member, suspended);
    held.when(DELIVERY, send()).refused_at("delivery.recipient_suspended", "/to_email");
    let inside = s.clone().given::<Member>(member, customer).when(DELIVERY, send()).accepted();
    let failed = RenderingFailed { revision: 1, missing: vec!["note: 𠮷".into()] };
    let unprintable = s.clone().given::<Paper>(DOCUMENT, failed);
    unprintable.when(DELIVERY, send()).refused_at("delivery.unprintable", "/document_ids/0");
    let s = s.given::<Document>(DOCUMENT, Cancelled { reason: "重複".into() });
    s.when(DELIVERY, send()).refused_at("delivery.not_issued", "/document_ids/0");
    let draft = scene().given::<Document>(DOCUMENT, drafted(DocumentType::Quote, ANNA));
    draft.when(DELIVERY, send()).refused_at("delivery.not_issued", "/document_ids/0");
    covered::<SendDocument>();

    let s = ready().when(DELIVERY, revoke()).refused("delivery.unknown");
    let s = s.when(DELIVERY, open()).refused("delivery.unknown");
    let s = s.when(DELIVERY, RefuseOpen {}).refused("delivery.unknown");
    let s = s.when(DELIVERY, ExpireLink {}).refused("delivery.unknown");
    let s = s.when(DELIVERY, SendDocument { view_limit: Some(1), ..send() }).accepted();
    let s = s.when(DELIVERY, ExpireLink {}).refused("delivery.not_due");
    let s = refuses_bad_text(s, DELIVERY, "/reason", false, 400, |reason| RevokeLink { reason });
    let late = s.clone().at("2026-11-16T09:00:00+09:00");
    let late = late.when(DELIVERY, revoke()).refused("delivery.already_expired");
    late.when(DELIVERY, open()).refused("delivery.expired");
    let s = s.when(DELIVERY, open()).accepted().when(DELIVERY, open()).refused("delivery.view_limit");
    let s = s.when(DELIVERY, revoke()).then([emit::<Delivery>(DELIVERY, LinkRevoked { reason: "誤送付".into() })]);
    let s = s.when(DELIVERY, revoke()).refused("delivery.already_revoked");
    s.when(DELIVERY, open()).refused("delivery.revoked");
    covered::<RevokeLink>();
    let urgent = Suspended { reason: "乗っ取りの疑い".into(), emergency: true };
    let held = printed(sent(send()).when(DELIVERY, open()).accepted()).given::<Member>(ME, urgent);
    let held = held.when(DELIVERY, open()).refused("delivery.on_hold");
    held.when(DELIVERY, take("")).refused("delivery.on_hold");
    let old = printed(sent(send()).by_link("keiin_lnk_1")).when(DELIVERY, resend()).accepted();
    let old = old.when(DELIVERY, open()).refused("delivery.replaced");
    old.when(DELIVERY, take("")).refused("delivery.replaced");
    let s = refuses_bad_text(sent(send()), DELIVERY, "/passcode", false, 40, |passcode| OpenLink { passcode });
    let s = printed(s.when(DELIVERY, open()).accepted());
    let taking = |passcode| DownloadDocument { document_id: Some(DOCUMENT), attachment_id: None, passcode };
    refuses_bad_text(s, DELIVERY, "/passcode", false, 40, taking);
    let s = sent(guarded()).when(DELIVERY, open()).refused_at("delivery.passcode_required", "/passcode");
    let mut s = printed(s.when(DELIVERY, typed("0423")).accepted());
    s = s.when(DELIVERY, take(" ")).refused_at("delivery.passcode_required", "/passcode");
    for _ in 0..PASSCODE_TRIES {
        s = s.when(DELIVERY, typed("9999")).then([refusal(Closed::WrongPasscode)]);
    }
    let s = s.when(DELIVERY, typed("0423")).refused("delivery.locked");
    s.when(DELIVERY, take("0423")).refused("delivery.locked");
    covered::<OpenLink>();
    ready().when(DELIVERY, take("")).refused("delivery.unknown");
    let s =
        sent(SendDocument { view_limit: Some(1), ..send() }).when(DELIVERY, take("")).refused("delivery.not_opened");
    let other = DownloadDocument { document_id: Some(BEN), ..DownloadDocument::default() };
    let s = s.when(DELIVERY, other).refused_at("delivery.unknown_document", "/document_id");
    let s = s.when(DELIVERY, open()).accepted().when(DELIVERY, take("")).refused("delivery.not_printed");
    let s = printed(s).when(DELIVERY, take("")).then([taken()]).when(DELIVERY, take("")).refused("delivery.view_limit");
    s.clone().at("2026-11-16T09:00:00+09:00").when(DELIVERY, take("")).refused("delivery.expired");
    s.when(DELIVERY, revoke()).accepted().when(DELIVERY, take("")).refused("delivery.revoked");
    refused_files();
    covered::<DownloadDocument>();
    let s = ready().when(DELIVERY, resend()).refused("delivery.unknown");
    let s = s.when(DELIVERY, send()).accepted();
    let never = ResendLink { expires_in_days: Some(0) };
    let s = s.when(DELIVERY, never).refused_at("delivery.bad_expiry", "/expires_in_days");
    s.when(DELIVERY, revoke()).accepted().when(DELIVERY, resend()).refused("delivery.already_revoked");
    inside.when(DELIVERY, resend()).refused("delivery.in_inbox");
    covered::<ResendLink>();
    covered::<RefuseOpen>();
    covered::<ExpireLink>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<DeliveryEvent> {
    vec![
        LinkIssued {
            documents: vec![Enclosed { document_id: SAMPLE_ID, revision: 1 }],
            attachments: vec![SAMPLE_FILE],
            recipient: somebody(),
            secret_hash: [0xab; 32],
            expires_at_us: SAMPLE_US,
            view_limit: Some(3),
            has_passcode: true,
            sent_by: Some(SAMPLE_ID),
        }
        .into(),
        LinkReissued { secret_hash: [0xab; 32], expires_at_us: SAMPLE_US }.into(),
        Downloaded {
            document_id: Some(SAMPLE_ID),
            revision: Some(2),
            attachment_id: Some(SAMPLE_ID),
            sha256: [0xcd; 32],
        }
        .into(),
        LinkOpened { view: 1 }.into(),
        LinkExpired {}.into(),
        LinkRevoked { reason: "誤送付".into() }.into(),
        OpenRefused { reason: Closed::ViewLimit }.into(),
        RecipientRegistered { member_id: SAMPLE_ID }.into(),
        InboxDelivered {
            documents: vec![Enclosed { document_id: SAMPLE_ID, revision: 1 }],
            attachments: vec![SAMPLE_FILE],
            recipient: somebody(),
            member_id: SAMPLE_ID,
            sent_by: Some(SAMPLE_ID),
        }
        .into(),
        Opened { view: 2, day: Some(SAMPLE_DAY) }.into(),
        Replied { reply: somebody() }.into(),
        Withdrawn { reason: "誤送付".into() }.into(),
    ]
}
