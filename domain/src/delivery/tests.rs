use super::*;
use crate::date::Date;
use crate::document::{Body, Cancelled, DocumentType, Drafted, Head, Issued};
use crate::member::{Member, Registered, Reinstated, Suspended};
use crate::money::Rounding;
use crate::paper::{Paper, RenderingFailed};
use crate::role::Role;
use crate::tax::Totals;
use crate::testing::*;

const DELIVERY: Uuid = Uuid::from_u128(0xde);
const DOCUMENT: Uuid = Uuid::from_u128(0xd1);

fn drafted() -> Drafted {
    let head = Head {
        client_id: ANNA,
        title: "見積".into(),
        date: Date::of(2026, 11, 2),
        date_due: None,
        note: String::new(),
        proviso: String::new(),
        has_tax_stamp: false,
        has_hanko: false,
    };
    let (document_type, tax_rounding) = (DocumentType::Quote, Rounding::Floor);
    Drafted { document_type, origin: None, head, tax_rounding, body: Body::default() }
}

fn issued() -> Issued {
    Issued {
        number: "QUO-2026-0001".into(),
        issued_on: Date::of(2026, 11, 2),
        sender: Default::default(),
        recipient: profile("国立印刷局"),
        totals: Totals::default(),
        secret_hash: [0; 32],
    }
}

/// A document is out.
fn ready() -> Scene {
    scene().given::<Document>(DOCUMENT, drafted()).given::<Document>(DOCUMENT, issued())
}

fn send() -> SendDocument {
    SendDocument {
        document_id: DOCUMENT,
        to_name: "吉田 一郎".into(),
        to_email: "Yoshida@example.jp".into(),
        message: "いつもお世話になっております。\nご確認ください。".into(),
        expires_in_days: None,
        view_limit: None,
    }
}

fn sent(command: SendDocument) -> Scene {
    ready().when(DELIVERY, command).accepted()
}

fn revoke() -> RevokeLink {
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
            document_id: DOCUMENT,
            revision: 1,
            recipient: sealed(FRESH, &recipient),
            secret_hash: hash("keiin_lnk_1"),
            expires_at_us: us("2026-11-16T09:00:00+09:00"),
            view_limit: None,
            sent_by: Some(ME),
        },
    )]);
}

#[test]
fn opening_is_counted_and_impossible_after_expiry() {
    let scene = sent(send());
    let scene = scene.when(DELIVERY, OpenLink {}).then([emit::<Delivery>(DELIVERY, LinkOpened { view: 1 })]);
    let scene = scene.at("2026-11-16T08:59:59.999999+09:00").when(DELIVERY, OpenLink {});
    let scene = scene.then([emit::<Delivery>(DELIVERY, LinkOpened { view: 2 })]);
    scene.at("2026-11-16T09:00:00+09:00").when(DELIVERY, OpenLink {}).refused("delivery.expired");
}

#[test]
fn a_clock_that_steps_back_revives_nothing() {
    let refused = OpenRefused { reason: Closed::Expired };
    let scene = sent(send())
        .at("2026-11-16T09:00:00+09:00")
        .when(DELIVERY, RefuseOpen {})
        .then([emit::<Delivery>(DELIVERY, LinkExpired {}), emit::<Delivery>(DELIVERY, refused.clone())]);
    let scene = scene.at("2026-11-03T09:00:00+09:00").when(DELIVERY, OpenLink {}).refused("delivery.expired");
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
    let scene = scene.race((DELIVERY, OpenLink {}), (DELIVERY, OpenLink {})).refused("delivery.view_limit");
    let refused = OpenRefused { reason: Closed::ViewLimit };
    let scene = scene.when(DELIVERY, RefuseOpen {}).then([emit::<Delivery>(DELIVERY, refused)]);
    // Used up, it can still be withdrawn.
    let scene = scene.when(DELIVERY, revoke()).accepted().when(DELIVERY, OpenLink {}).refused("delivery.revoked");
    let refused = OpenRefused { reason: Closed::Revoked };
    scene.when(DELIVERY, RefuseOpen {}).then([emit::<Delivery>(DELIVERY, refused)]);
}

#[test]
fn fm_29_what_a_suspended_member_sent_does_not_open_until_they_are_back() {
    let me = Registered { person: sealed(ME, &person("田中 花子", "")), role: Role::Owner };
    let scene = sent(send()).given::<Member>(ME, me);
    let ordinary = Suspended { reason: "休職".into(), emergency: false };
    scene.clone().given::<Member>(ME, ordinary).when(DELIVERY, OpenLink {}).accepted();
    let urgent = Suspended { reason: "乗っ取りの疑い".into(), emergency: true };
    let scene = scene.given::<Member>(ME, urgent).when(DELIVERY, OpenLink {}).refused("delivery.on_hold");
    let refused = OpenRefused { reason: Closed::OnHold };
    let scene = scene.when(DELIVERY, RefuseOpen {}).then([emit::<Delivery>(DELIVERY, refused)]);
    scene.given::<Member>(ME, Reinstated {}).when(DELIVERY, OpenLink {}).accepted();
}

#[test]
fn what_opens_is_not_written_down_as_refused() {
    sent(send()).when(DELIVERY, RefuseOpen {}).then([]);
}

#[test]
fn sending_meets_a_cancellation() {
    let cancel = crate::document::CancelDocument { reason: "重複".into() };
    let scene = ready().race((DOCUMENT, cancel), (DELIVERY, send()));
    scene.refused_at("delivery.not_issued", "/document_id");
}

#[test]
fn every_refusal() {
    let s = ready().when(DELIVERY, SendDocument { document_id: BEN, ..send() });
    let s = s.refused_at("delivery.unknown_document", "/document_id");
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
    let failed = RenderingFailed { revision: 1, missing: vec!["note: 𠮷".into()] };
    let unprintable = s.clone().given::<Paper>(DOCUMENT, failed);
    unprintable.when(DELIVERY, send()).refused_at("delivery.unprintable", "/document_id");
    let s = s.given::<Document>(DOCUMENT, Cancelled { reason: "重複".into() });
    s.when(DELIVERY, send()).refused_at("delivery.not_issued", "/document_id");
    let draft = scene().given::<Document>(DOCUMENT, drafted());
    draft.when(DELIVERY, send()).refused_at("delivery.not_issued", "/document_id");
    covered::<SendDocument>();

    let s = ready().when(DELIVERY, revoke()).refused("delivery.unknown");
    let s = s.when(DELIVERY, OpenLink {}).refused("delivery.unknown");
    let s = s.when(DELIVERY, RefuseOpen {}).refused("delivery.unknown");
    let s = s.when(DELIVERY, ExpireLink {}).refused("delivery.unknown");
    let s = s.when(DELIVERY, SendDocument { view_limit: Some(1), ..send() }).accepted();
    let s = s.when(DELIVERY, ExpireLink {}).refused("delivery.not_due");
    let s = refuses_bad_text(s, DELIVERY, "/reason", false, 400, |reason| RevokeLink { reason });
    let late = s.clone().at("2026-11-16T09:00:00+09:00");
    let late = late.when(DELIVERY, revoke()).refused("delivery.already_expired");
    late.when(DELIVERY, OpenLink {}).refused("delivery.expired");
    let s = s.when(DELIVERY, OpenLink {}).accepted().when(DELIVERY, OpenLink {}).refused("delivery.view_limit");
    let s = s.when(DELIVERY, revoke()).then([emit::<Delivery>(DELIVERY, LinkRevoked { reason: "誤送付".into() })]);
    let s = s.when(DELIVERY, revoke()).refused("delivery.already_revoked");
    s.when(DELIVERY, OpenLink {}).refused("delivery.revoked");
    covered::<RevokeLink>();
    let urgent = Suspended { reason: "乗っ取りの疑い".into(), emergency: true };
    sent(send()).given::<Member>(ME, urgent).when(DELIVERY, OpenLink {}).refused("delivery.on_hold");
    covered::<OpenLink>();
    covered::<RefuseOpen>();
    covered::<ExpireLink>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<DeliveryEvent> {
    vec![
        LinkIssued {
            document_id: SAMPLE_ID,
            revision: 1,
            recipient: somebody(),
            secret_hash: [0xab; 32],
            expires_at_us: SAMPLE_US,
            view_limit: Some(3),
            sent_by: Some(SAMPLE_ID),
        }
        .into(),
        LinkOpened { view: 1 }.into(),
        LinkExpired {}.into(),
        LinkRevoked { reason: "誤送付".into() }.into(),
        OpenRefused { reason: Closed::ViewLimit }.into(),
    ]
}
