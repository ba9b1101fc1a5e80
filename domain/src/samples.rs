//! One event of every kind and version that this build writes: the golden files hold their bytes, the documentation their
//! fields. A value here never changes; a new version of a kind gets a new sample, and its old golden file stays.

use uuid::Uuid;

use crate::client::{self, Client, Honorific, Profile};
use crate::command::Emit;
use crate::date::Date;
use crate::delivery::{self, Closed, Delivery};
use crate::document::{self, Document, DocumentType, Line};
use crate::member::{self, Member};
use crate::money::{Decimal, Money, Rounding};
use crate::owners::{OwnerAdded, OwnerLeft, Owners};
use crate::provision::{self, Slug};
use crate::role::Role;
use crate::sealed::{Person, Sealed};
use crate::series::{NumberTaken, Series};
use crate::session::{self, LoginMethod, LoginRefusal, Session, SessionEnd};
use crate::tax::{RateTotal, TaxRate, Totals};
use crate::tenant::{self, Tenant};
use crate::testing::{emit, sealed};
use crate::token::{self, Token};
use crate::visit::{self, Code, Visit};
use crate::{access, kiosk, log, mail};

const ID: Uuid = Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0001);
const TIME_US: i64 = 1_793_577_600_000_000;

fn somebody() -> Sealed<Person> {
    sealed(
        Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0002),
        &Person {
            name: "𠮷田 一郎".into(),
            kana: "ヨシダ イチロウ".into(),
            email: "yoshida@example.jp".into(),
            company: "国立印刷局".into(),
            note: "受付にて".into(),
        },
    )
}

fn profile() -> Profile {
    Profile {
        name: "国立印刷局".into(),
        honorific: Honorific::Onchu,
        registration_number: "T7000012050002".into(),
        registration_number_checks: true,
        postal_code: "1058445".into(),
        region: "東京都".into(),
        locality: "港区".into(),
        street_address: "虎ノ門2-2-5".into(),
        extended_address: "共同通信会館".into(),
    }
}

fn lines() -> Vec<Line> {
    vec![Line {
        description: "紙".into(),
        quantity: Decimal(15_000),
        unit: "箱".into(),
        unit_price: Decimal(-1_234_567),
        tax_rate: TaxRate::Reduced,
        tax_inclusive: true,
        amount: Money::yen(-185),
    }]
}

fn totals() -> Totals {
    let part = RateTotal { tax_rate: TaxRate::Reduced, subtotal: Money::yen(-172), tax: Money::yen(-13) };
    Totals { by_rate: vec![part], subtotal: Money::yen(-172), tax: Money::yen(-13), total: Money::yen(-185) }
}

/// The samples, in the order of the catalog.
pub fn samples() -> Vec<Emit> {
    let day = Date::of(2026, 11, 2);
    let (secret_hash, text) = ([0xab; 32], |text: &str| text.to_owned());
    vec![
        emit::<Tenant>(ID, tenant::Opened { name: text("ミナト"), slug: text("minato"), terms: text("2026-11-01") }),
        emit::<Tenant>(
            ID,
            tenant::Changed {
                name: text("株式会社ミナト製作所"),
                registration_number: text("T7000012050002"),
                address: text("東京都港区"),
                bank_details: text("みなと銀行\n普通 1234567"),
            },
        ),
        emit::<Slug>(ID, provision::Taken { tenant: ID, slug: text("minato") }),
        emit::<Member>(ID, member::Registered { person: somebody(), role: Role::Owner }),
        emit::<Member>(
            ID,
            member::Invited { person: somebody(), role: Role::Accountant, secret_hash, expires_at_us: TIME_US },
        ),
        emit::<Member>(ID, member::InvitationRevoked {}),
        emit::<Member>(ID, member::Joined { person: somebody() }),
        emit::<Member>(ID, member::RoleChanged { from: Role::Member, to: Role::Auditor }),
        emit::<Member>(ID, member::Suspended { reason: text("端末の紛失") }),
        emit::<Member>(ID, member::Reinstated {}),
        emit::<Member>(ID, member::Removed {}),
        emit::<Owners>(ID, OwnerAdded { member: ID }),
        emit::<Owners>(ID, OwnerLeft { member: ID }),
        emit::<Client>(ID, client::Registered { profile: profile(), contact: Some(somebody()) }),
        emit::<Client>(ID, client::Changed { profile: profile(), contact: Some(somebody()) }),
        emit::<Client>(ID, client::Archived {}),
        emit::<Document>(
            ID,
            document::Drafted {
                document_type: DocumentType::Invoice,
                client_id: ID,
                title: text("11月分"),
                date: day,
                date_due: Some(day.plus(28)),
                note: text("お振込みください。"),
                tax_rounding: Rounding::HalfUp,
                lines: lines(),
                totals: totals(),
            },
        ),
        emit::<Document>(ID, document::LinesSet { lines: lines(), totals: totals() }),
        emit::<Document>(
            ID,
            document::Changed {
                client_id: ID,
                title: text("12月分"),
                date: day,
                date_due: Some(day.plus(58)),
                note: text("お振込みください。"),
            },
        ),
        emit::<Document>(
            ID,
            document::Issued {
                number: text("INV-2026-0001"),
                issued_on: day,
                sender: document::Sender {
                    name: text("株式会社ミナト製作所"),
                    registration_number: text("T7000012050002"),
                    address: text("東京都港区"),
                    bank_details: text("みなと銀行"),
                },
                recipient: profile(),
                totals: totals(),
            },
        ),
        emit::<Document>(
            ID,
            document::Corrected { revision: 2, reason: text("数量の誤り"), lines: lines(), totals: totals() },
        ),
        emit::<Document>(ID, document::Cancelled { reason: text("重複") }),
        emit::<Document>(ID, document::PaymentRecorded { amount: Money::yen(109_978), date: day }),
        emit::<Series>(ID, NumberTaken { number: 1, document: ID }),
        emit::<Delivery>(
            ID,
            delivery::LinkIssued {
                document_id: ID,
                revision: 1,
                recipient: somebody(),
                secret_hash,
                expires_at_us: TIME_US,
                view_limit: Some(3),
            },
        ),
        emit::<Delivery>(ID, delivery::LinkOpened { view: 1 }),
        emit::<Delivery>(ID, delivery::LinkExpired {}),
        emit::<Delivery>(ID, delivery::LinkRevoked { reason: text("誤送付") }),
        emit::<Delivery>(ID, delivery::OpenRefused { reason: Closed::ViewLimit }),
        emit::<Visit>(
            ID,
            visit::Registered {
                visitor: somebody(),
                host_id: ID,
                location: text("本社"),
                starts_at_us: TIME_US,
                ends_at_us: TIME_US + 1,
                code: Code { secret_hash, passcode: text("01234567") },
            },
        ),
        emit::<Visit>(
            ID,
            visit::Changed {
                visitor: somebody(),
                host_id: ID,
                location: text("本社"),
                starts_at_us: TIME_US,
                ends_at_us: TIME_US + 1,
                code: Some(Code { secret_hash, passcode: text("01234567") }),
            },
        ),
        emit::<Visit>(ID, visit::Cancelled { reason: text("延期") }),
        emit::<Visit>(ID, visit::CheckedIn { late: true, day }),
        emit::<Visit>(ID, visit::CheckedOut {}),
        emit::<Visit>(ID, visit::WalkedIn { visitor: somebody(), location: text("本社"), passcode: text("01234567") }),
        emit::<kiosk::Kiosk>(ID, kiosk::Paired { name: text("受付 1"), location: text("本社"), secret_hash }),
        emit::<kiosk::Kiosk>(ID, kiosk::Revoked {}),
        emit::<Token>(
            ID,
            token::Issued {
                member_id: ID,
                name: text("会計連携"),
                scopes: vec![text("documents:read")],
                secret_hash,
                expires_at_us: TIME_US,
            },
        ),
        emit::<Token>(ID, token::Revoked {}),
        emit::<Session>(ID, session::Started { member_id: ID, method: LoginMethod::Password }),
        emit::<Session>(ID, session::Ended { reason: SessionEnd::Logout }),
        emit::<Session>(ID, session::Refused { member_id: Some(ID), reason: LoginRefusal::WrongPassword }),
        emit::<access::Access>(ID, access::Denied { operation: text("remove_member"), count: 7 }),
        emit::<mail::Mail>(ID, mail::Sent { effect_position: 41, n: 0, template: text("delivery") }),
        emit::<mail::Mail>(
            ID,
            mail::Failed {
                effect_position: 41,
                n: 0,
                template: text("delivery"),
                code: 550,
                diagnostic: text("no such mailbox"),
            },
        ),
        emit::<log::Log>(ID, log::Exported { from: 0, size: 400 }),
    ]
}
