use super::*;
use crate::attachment::{Attachment, EnclosedIn, MAX_TOTAL_BYTES, Received, Removed};
use crate::client::{Client, Registered as ClientRegistered};
use crate::command::Emit;
use crate::context::World;
use crate::delivery::{Delivery, DownloadDocument, Downloaded, InboxDelivered, OpenLink};
use crate::document::{Corrected, Document, DocumentType};
use crate::member::{Member, Registered, Suspended};
use crate::paper::{Paper, Rendered, RenderingFailed};
use crate::postal_item::{AddressInput, PostalItem, PrintPostalItem, Printed};
use crate::role::Role;
use crate::sealed::Label;
use crate::testing::*;

const ORDER: Uuid = Uuid::from_u128(0x50);
const DOCUMENT: Uuid = Uuid::from_u128(0xd1);
const SECOND: Uuid = Uuid::from_u128(0xd2);

/// A client with an address and two invoices for it, of which the first is printed on two pages.
fn ready() -> Scene {
    let (reading, person, contacts) = Default::default();
    let client = ClientRegistered { profile: sample_profile(), reading, person, contacts };
    let scene = [DOCUMENT, SECOND].into_iter().fold(scene().given::<Client>(ANNA, client), |scene, id| {
        let scene = scene.given::<Document>(id, drafted(DocumentType::Invoice, ANNA));
        scene.given::<Document>(id, issued("INV-2026-0001"))
    });
    scene.given::<Paper>(DOCUMENT, Rendered { revision: 1, sha256: [2; 32], size: 9 })
}

fn by_mail(email: &str) -> MailRecipient {
    MailRecipient { to_name: "吉田 一郎".into(), to_email: email.into(), passcode: String::new() }
}

/// To one by mail and one by post.
fn place() -> PlaceSendingOrder {
    PlaceSendingOrder {
        document_ids: vec![DOCUMENT],
        attachments: vec![],
        by_mail: vec![by_mail("Yoshida@example.jp")],
        by_post: vec![PostRecipient { department: "経理部".into(), ..PostRecipient::default() }],
        client_id: Some(ANNA),
        message: "ご確認ください。".into(),
        expires_in_days: None,
        view_limit: None,
        asks_approval: false,
    }
}

fn asking() -> PlaceSendingOrder {
    PlaceSendingOrder { asks_approval: true, ..place() }
}

fn reject() -> RejectSendingOrder {
    RejectSendingOrder { reason: "宛先が違います。".into() }
}

fn cancel() -> CancelSendingOrder {
    CancelSendingOrder { reason: String::new() }
}

fn address() -> PostalAddress {
    let address = PostalAddress::of_client(&sample_profile()).expect("it is complete");
    PostalAddress { department: "経理部".into(), message: "ご確認ください。".into(), ..address }
}

fn recipient() -> Person {
    Person { note: "ご確認ください。".into(), ..person("吉田 一郎", "yoshida@example.jp") }
}

/// What [`place`] makes; `first` is the first id that it takes.
fn placed(first: u128) -> Placed {
    let id = |n: u128| Uuid::from_u128(first + n);
    let to = sealed(id(1), &recipient());
    Placed {
        documents: vec![Enclosed { document_id: DOCUMENT, revision: 1 }],
        attachments: vec![],
        client_id: Some(ANNA),
        by_mail: vec![ByMail { delivery_id: id(0), recipient: to, has_passcode: false }],
        by_post: vec![ByPost {
            postal_item_id: id(2),
            recipient: sealed(id(3), &address()),
            service: Service::Letter,
            extras: vec![],
            envelope: None,
            has_cover: true,
            postage: None,
        }],
        expires_in_days: 14,
        view_limit: None,
        asks_approval: false,
        placed_by: Some(ME),
    }
}

fn released(order: PlaceSendingOrder) -> Scene {
    let scene = ready().when(ORDER, order).accepted().when(ORDER, ReleaseSendingOrder {}).accepted();
    scene.by_system()
}

fn failed(n: u32, code: &str, pointer: &str) -> Emit {
    emit::<SendingOrder>(ORDER, Failed { n, code: code.into(), pointer: pointer.into() })
}

/// Kinds of events that come of a recipient's turn.
fn kinds(scene: &mut Scene, n: u32) -> Vec<String> {
    let emits = scene.ask(ORDER, HandOver { n }).expect("their turn came");
    emits.into_iter().map(|emit| emit.event.kind).collect()
}

#[test]
fn everybody_is_reached_by_their_way_each_in_one_append_and_once() {
    let s = ready().when(ORDER, place()).then([emit::<SendingOrder>(ORDER, placed(FRESH.as_u128()))]);
    let placed = s.now::<SendingOrder>(ORDER).placed.clone().expect("it is there");
    let s = s.when(ORDER, HandOver { n: 0 }).then([]);
    let s = s.when(ORDER, ReleaseSendingOrder {}).then([emit::<SendingOrder>(ORDER, Released { by: ME })]);
    let mut s = s.by_system();
    assert_eq!(kinds(&mut s, 0), ["delivery.link_issued", "sending_order.handed_over"]);
    assert_eq!(kinds(&mut s, 1), ["postal_item.queued", "sending_order.handed_over"]);
    let s = s.when(ORDER, HandOver { n: 0 }).accepted().when(ORDER, HandOver { n: 1 }).accepted();
    // Under the ids and subjects of the order.
    let delivery = s.now::<Delivery>(placed.by_mail[0].delivery_id);
    assert_eq!((delivery.recipient.as_ref(), delivery.is_in_inbox), (Some(&placed.by_mail[0].recipient), false));
    let item = s.now::<PostalItem>(placed.by_post[0].postal_item_id);
    let queued = item.queued.as_ref().expect("it is queued");
    assert_eq!((&queued.recipient, queued.sheets), (&placed.by_post[0].recipient, 3));
    // Asked again, after a crash or by another node: nothing.
    let s = s.when(ORDER, HandOver { n: 0 }).then([]).when(ORDER, HandOver { n: 1 }).then([]);
    _ = s.when(ORDER, cancel()).refused("sending_order.handed_over");
}

#[test]
fn two_nodes_hand_one_recipient_over_once() {
    released(place()).race((ORDER, HandOver { n: 0 }), (ORDER, HandOver { n: 0 })).then([]);
}

#[test]
fn who_has_an_account_when_their_turn_comes_gets_it_into_their_inbox() {
    let mut s = ready().when(ORDER, place()).accepted();
    let member = s.world.subject_of("member", "yoshida@example.jp");
    let person = sealed(member, &recipient());
    let registered = Registered { person: person.clone(), role: Role::Recipient };
    let s = s.given::<Member>(member, registered).when(ORDER, ReleaseSendingOrder {}).accepted().by_system();
    let delivered = InboxDelivered {
        documents: vec![Enclosed { document_id: DOCUMENT, revision: 1 }],
        attachments: vec![],
        recipient: person,
        member_id: member,
        sent_by: None,
    };
    let delivery = s.now::<SendingOrder>(ORDER).placed.as_ref().expect("it is there").by_mail[0].delivery_id;
    let handed_over = emit::<SendingOrder>(ORDER, HandedOver { n: 0 });
    let s2 = s.clone().when(ORDER, HandOver { n: 0 });
    s2.then([emit::<Delivery>(delivery, delivered), handed_over]);
    // A suspended account takes nothing.
    let s = s.given::<Member>(member, Suspended { reason: String::new(), emergency: false });
    s.when(ORDER, HandOver { n: 0 }).then([failed(0, "delivery.recipient_suspended", "/to_email")]);
}

#[test]
fn a_passcode_is_kept_for_the_link() {
    let guarded = MailRecipient { passcode: " 0423 ".into(), ..by_mail("yoshida@example.jp") };
    let s = released(PlaceSendingOrder { by_mail: vec![guarded], by_post: vec![], client_id: None, ..place() });
    let mut s = s.when(ORDER, HandOver { n: 0 }).accepted();
    let delivery = s.now::<SendingOrder>(ORDER).placed.as_ref().expect("it is there").by_mail[0].delivery_id;
    assert!(s.now::<Delivery>(delivery).has_passcode && s.world.is_password(delivery, "0423"));
}

#[test]
fn what_is_being_printed_waits_and_what_cannot_be_printed_is_told() {
    let s = released(PlaceSendingOrder { document_ids: vec![DOCUMENT, SECOND], ..place() });
    let s = s.when(ORDER, HandOver { n: 1 }).refused("sending_order.not_printed");
    let lacks = RenderingFailed { revision: 1, missing: vec!["/title: 🀄".into()] };
    let s = s.given::<Paper>(SECOND, lacks);
    s.when(ORDER, HandOver { n: 1 }).then([failed(1, "delivery.unprintable", "/document_ids/1")]);
}

#[test]
fn nothing_goes_out_but_what_was_looked_at() {
    let s = released(place());
    let corrected = Corrected { revision: 2, reason: "単価".into(), body: Default::default() };
    let s = s.given::<Document>(DOCUMENT, corrected);
    s.when(ORDER, HandOver { n: 0 }).then([failed(0, "sending_order.document_changed", "/document_ids/0")]);
}

#[test]
fn who_was_erased_gets_nothing() {
    let mut s = released(place());
    let placed = s.now::<SendingOrder>(ORDER).placed.clone().expect("it is there");
    s.world.erased.extend([placed.by_mail[0].recipient.subject, placed.by_post[0].recipient.subject]);
    let s = s.when(ORDER, HandOver { n: 0 }).then([failed(0, "sending_order.erased", "")]);
    s.when(ORDER, HandOver { n: 1 }).then([failed(1, "sending_order.erased", "")]);
}

#[test]
fn a_second_person_approves_or_says_no() {
    let s = ready().when(ORDER, asking()).accepted();
    let s = s.when(ORDER, ReleaseSendingOrder {}).refused("sending_order.not_approved");
    let s = s.when(ORDER, ApproveSendingOrder {}).refused("sending_order.own_approval");
    let s = s.when(ORDER, reject()).refused("sending_order.own_approval");
    let s = s.by_login(BEN, SECOND);
    let no = s.clone().when(ORDER, reject());
    let no = no.then([emit::<SendingOrder>(ORDER, Rejected { reason: "宛先が違います。".into() })]);
    let no = no.when(ORDER, ReleaseSendingOrder {}).refused("sending_order.wrong_state");
    _ = no.when(ORDER, cancel()).refused("sending_order.wrong_state");
    let s = s.when(ORDER, ApproveSendingOrder {}).then([emit::<SendingOrder>(ORDER, Approved {})]);
    let s = s.when(ORDER, ApproveSendingOrder {}).refused("sending_order.not_asked");
    let s = s.when(ORDER, reject()).refused("sending_order.not_asked");
    _ = s.when(ORDER, ReleaseSendingOrder {}).accepted();
}

#[test]
fn what_was_cancelled_goes_out_no_further() {
    let s = released(place()).when(ORDER, HandOver { n: 0 }).accepted();
    s.clone().race((ORDER, cancel()), (ORDER, HandOver { n: 1 })).then([]);
    let s = s.when(ORDER, cancel()).then([emit::<SendingOrder>(ORDER, Cancelled { reason: String::new() })]);
    let s = s.when(ORDER, HandOver { n: 1 }).then([]);
    _ = s.when(ORDER, ReleaseSendingOrder {}).refused("sending_order.wrong_state");
}

const FILE: Uuid = Uuid::from_u128(0xa7);

/// An attachment of five pages.
fn received(id: Uuid, size: u32, is_printable: bool) -> Received {
    Received {
        name: sealed(id, &Label { text: "約款.pdf".into() }),
        size,
        sha256: [3; 32],
        pages: 5,
        is_printable,
        is_scanned: false,
        received_by: Some(ME),
    }
}

fn attached() -> Attached {
    Attached { attachment_id: FILE, sha256: [3; 32], size: 1_000, pages: 5 }
}

fn with_file() -> PlaceSendingOrder {
    PlaceSendingOrder { attachments: vec![FILE], ..place() }
}

#[test]
fn own_files_go_out_with_the_documents_by_every_way() {
    let s = ready().given::<Attachment>(FILE, received(FILE, 1_000, true));
    let expected = Placed { attachments: vec![attached()], ..placed(FRESH.as_u128()) };
    let s = s.when(ORDER, with_file()).then([
        emit::<SendingOrder>(ORDER, expected.clone()),
        emit::<Attachment>(FILE, EnclosedIn { order_id: ORDER }),
    ]);
    let s = s.when(ORDER, ReleaseSendingOrder {}).accepted().by_system();
    let s = s.when(ORDER, HandOver { n: 0 }).accepted().when(ORDER, HandOver { n: 1 }).accepted();
    let (delivery, item) = (expected.by_mail[0].delivery_id, expected.by_post[0].postal_item_id);
    assert_eq!(s.now::<Delivery>(delivery).attachments, [attached()]);
    let queued = s.now::<PostalItem>(item).state.queued.expect("it is queued");
    assert_eq!((&queued.attachments[..], queued.sheets), (&[attached()][..], 8), "a cover, two pages, five pages");
    // What is printed, and what the recipient takes, is that file.
    let print = || PrintPostalItem { with_label: false };
    let printed = Printed { files: queued.files, attachments: vec![attached()], has_cover: true, has_label: false };
    let s = s.when(item, print()).then([emit::<PostalItem>(item, printed)]);
    let s = s.by_link("keiin_lnk_1").when(delivery, OpenLink::default()).accepted();
    let take = |id| DownloadDocument { attachment_id: Some(id), ..DownloadDocument::default() };
    let s = s.when(delivery, take(SECOND)).refused_at("delivery.unknown_attachment", "/attachment_id");
    let neither = DownloadDocument::default();
    let both = DownloadDocument { document_id: Some(DOCUMENT), ..take(FILE) };
    let s = s.when(delivery, neither).refused_at("delivery.one_file", "/document_id");
    let s = s.when(delivery, both).refused_at("delivery.one_file", "/document_id");
    let taken = Downloaded { document_id: None, revision: None, attachment_id: Some(FILE), sha256: [3; 32] };
    let mut s = s.when(delivery, take(FILE)).then([emit::<Delivery>(delivery, taken)]);
    // Erased, it goes out no more.
    s.world.erased.push(FILE);
    let s = s.when(delivery, take(FILE)).refused("delivery.attachment_erased");
    s.by_system().when(item, print()).refused("postal_item.attachment_erased");
}

#[test]
fn a_file_that_was_erased_after_the_order_stops_it() {
    let s = ready().given::<Attachment>(FILE, received(FILE, 1_000, true)).when(ORDER, with_file()).accepted();
    let mut s = s.when(ORDER, ReleaseSendingOrder {}).accepted().by_system();
    s.world.erased.push(FILE);
    s.when(ORDER, HandOver { n: 0 }).then([failed(0, "sending_order.attachment_erased", "/attachments/0")]);
}

#[test]
fn a_file_that_is_taken_back_meanwhile_goes_into_no_order() {
    let s = ready().given::<Attachment>(FILE, received(FILE, 1_000, true));
    s.race((FILE, crate::attachment::RemoveAttachment {}), (ORDER, with_file()))
        .refused_at("sending_order.attachment_erased", "/attachments/0");
}

fn every_refusal_of_a_file() {
    let s = ready().when(ORDER, with_file()).refused_at("sending_order.unknown_attachment", "/attachments/0");
    let with = |attachments: Vec<Uuid>| PlaceSendingOrder { attachments, ..place() };
    let s = s.when(ORDER, with(vec![FILE, FILE])).refused_at("sending_order.attachment_twice", "/attachments/1");
    let many = (0..11).map(Uuid::from_u128).collect();
    let s = s.when(ORDER, with(many)).refused_at("sending_order.too_many_attachments", "/attachments");
    let removed = s.clone().given::<Attachment>(FILE, received(FILE, 1_000, true));
    let removed = removed.given::<Attachment>(FILE, Removed {});
    removed.when(ORDER, with_file()).refused_at("sending_order.attachment_erased", "/attachments/0");
    let wide = s.clone().given::<Attachment>(FILE, received(FILE, 1_000, false));
    let wide = wide.when(ORDER, with_file());
    let wide = wide.refused_at("sending_order.attachment_not_printable", "/attachments/0");
    wide.when(ORDER, PlaceSendingOrder { by_post: vec![], ..with_file() }).accepted();
    let large = s.given::<Attachment>(FILE, received(FILE, MAX_TOTAL_BYTES, true));
    let large = large.given::<Attachment>(SECOND, received(SECOND, 1, true));
    let large = large.when(ORDER, with(vec![FILE, SECOND]));
    large.refused_at("sending_order.attachments_too_large", "/attachments").when(ORDER, with_file()).accepted();
}

#[test]
fn every_refusal_of_an_order() {
    every_refusal_of_a_file();
    let mut s = ready();
    let mut refused = |code, pointer: &str, change: &dyn Fn(&mut PlaceSendingOrder)| {
        let mut order = place();
        change(&mut order);
        s = s.clone().when(ORDER, order).refused_at(code, pointer);
    };
    refused("delivery.no_document", "/document_ids", &|o| o.document_ids.clear());
    refused("delivery.too_many_documents", "/document_ids", &|o| {
        o.document_ids = (0..21).map(Uuid::from_u128).collect()
    });
    refused("delivery.document_twice", "/document_ids/1", &|o| o.document_ids.push(DOCUMENT));
    refused("delivery.unknown_document", "/document_ids/0", &|o| o.document_ids = vec![BEN]);
    refused("delivery.bad_expiry", "/expires_in_days", &|o| o.expires_in_days = Some(91));
    refused("delivery.bad_view_limit", "/view_limit", &|o| o.view_limit = Some(0));
    refused("delivery.bad_email", "/by_mail/0/to_email", &|o| o.by_mail[0].to_email = "yoshida".into());
    refused("delivery.bad_passcode", "/by_mail/0/passcode", &|o| o.by_mail[0].passcode = "042".into());
    refused("sending_order.no_recipient", "/by_mail", &|o| (o.by_mail, o.by_post) = (vec![], vec![]));
    refused("sending_order.too_many_recipients", "/by_mail", &|o| o.by_mail = vec![by_mail("a@example.jp"); 50]);
    refused("sending_order.recipient_twice", "/by_mail/1/to_email", &|o| o.by_mail.push(by_mail("YOSHIDA@example.jp")));
    refused("postal_item.unknown_client", "/client_id", &|o| o.client_id = Some(BEN));
    refused("postal_item.no_recipient", "/client_id", &|o| o.client_id = None);
    refused("postal_item.bad_postal_code", "/by_post/0/to/postal_code", &|o| {
        let mut to: AddressInput =
            serde_json::from_str(r#"{"name":"吉田 一郎","postal_code":"105","street_address":"虎ノ門2-2-5"}"#)
                .expect("an address");
        to.locality = "港区".into();
        o.by_post[0].to = Some(to);
    });
    refused("postal_item.bad_extra", "/by_post/0/extras/1", &|o| o.by_post[0].extras = vec![Extra::Express; 2]);
    refused("postal_item.bad_postage", "/by_post/0/postage", &|o| o.by_post[0].postage = Some(Money::yen(0)));
    refused("postal_item.too_thick", "/by_post/0/envelope", &|o| {
        (o.by_post[0].service, o.by_post[0].envelope) = (Some(Service::LetterPackLight), Some(Envelope::Long3));
    });
    // Of things that are otherwise.
    let draft = scene().given::<Document>(DOCUMENT, drafted(DocumentType::Invoice, ANNA));
    _ = draft.when(ORDER, place()).refused_at("delivery.not_issued", "/document_ids/0");
    let lacks = RenderingFailed { revision: 1, missing: vec!["/title: 🀄".into()] };
    let unprintable = PlaceSendingOrder { document_ids: vec![SECOND], ..place() };
    _ = ready()
        .given::<Paper>(SECOND, lacks)
        .when(ORDER, unprintable)
        .refused_at("delivery.unprintable", "/document_ids/0");
    let other = ready().given::<Client>(BEN, registered_client("別の会社"));
    let other = other.when(ORDER, PlaceSendingOrder { client_id: Some(BEN), ..place() });
    let s2 = other.refused_at("postal_item.no_address", "/client_id");
    let somewhere = AddressInput { name: "別の会社".into(), ..to_somewhere() };
    let to = PostRecipient { to: Some(somewhere), ..PostRecipient::default() };
    let mine = PlaceSendingOrder { client_id: Some(BEN), by_post: vec![to], ..place() };
    _ = s2.when(ORDER, mine).refused_at("postal_item.other_client", "/document_ids/0");
    let heavy = ready().given::<Paper>(SECOND, Rendered { revision: 1, sha256: [250; 32], size: 9 });
    let many = PlaceSendingOrder { document_ids: vec![SECOND], ..place() };
    let heavy = heavy.when(ORDER, many);
    let s3 = heavy.refused_at("postal_item.too_heavy", "/document_ids");
    refuses_bad_text(s3, ORDER, "/by_mail/0/to_name", true, 80, |name| PlaceSendingOrder {
        by_mail: vec![MailRecipient { to_name: name, ..by_mail("a@example.jp") }],
        ..place()
    });
    covered::<PlaceSendingOrder>();
}

fn to_somewhere() -> AddressInput {
    AddressInput {
        name: "吉田 一郎".into(),
        honorific: None,
        postal_code: "105-8445".into(),
        region: String::new(),
        locality: String::new(),
        street_address: "虎ノ門2-2-5".into(),
        extended_address: String::new(),
    }
}

#[test]
fn every_refusal_of_the_rest() {
    let s = scene().when(ORDER, ApproveSendingOrder {}).refused("sending_order.unknown");
    let s = s.when(ORDER, reject()).refused("sending_order.unknown");
    let s = s.when(ORDER, ReleaseSendingOrder {}).refused("sending_order.unknown");
    let s = s.when(ORDER, cancel()).refused("sending_order.unknown");
    _ = s.when(ORDER, HandOver { n: 0 }).refused("sending_order.unknown");
    let s = released(place()).when(ORDER, HandOver { n: 2 }).refused("sending_order.unknown_recipient");
    _ = refuses_bad_text(s, ORDER, "/reason", false, 400, |reason| CancelSendingOrder { reason });
    let s = ready().when(ORDER, asking()).accepted().by_login(BEN, SECOND);
    _ = refuses_bad_text(s, ORDER, "/reason", true, 400, |reason| RejectSendingOrder { reason });
    a_second_person_approves_or_says_no();
    everybody_is_reached_by_their_way_each_in_one_append_and_once();
    what_is_being_printed_waits_and_what_cannot_be_printed_is_told();
    covered::<ApproveSendingOrder>();
    covered::<RejectSendingOrder>();
    covered::<ReleaseSendingOrder>();
    covered::<CancelSendingOrder>();
    covered::<HandOver>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<SendingOrderEvent> {
    let by_post = ByPost {
        postal_item_id: SAMPLE_ID,
        recipient: sealed(SAMPLE_ID, &address()),
        service: Service::Letter,
        extras: vec![Extra::Express],
        envelope: Some(Envelope::Long3),
        has_cover: true,
        postage: Some(Money::yen(410)),
    };
    let placed = Placed {
        documents: vec![Enclosed { document_id: SAMPLE_ID, revision: 1 }],
        attachments: vec![SAMPLE_FILE],
        client_id: Some(SAMPLE_ID),
        by_mail: vec![ByMail { delivery_id: SAMPLE_ID, recipient: somebody(), has_passcode: true }],
        by_post: vec![by_post],
        expires_in_days: 14,
        view_limit: Some(3),
        asks_approval: true,
        placed_by: Some(SAMPLE_ID),
    };
    let (reason, code, pointer) =
        ("宛先の確認".to_owned(), "delivery.unprintable".to_owned(), "/document_ids/0".to_owned());
    vec![
        placed.into(),
        Approved {}.into(),
        Rejected { reason: reason.clone() }.into(),
        Released { by: SAMPLE_ID }.into(),
        Cancelled { reason }.into(),
        HandedOver { n: 0 }.into(),
        Failed { n: 1, code, pointer }.into(),
    ]
}
