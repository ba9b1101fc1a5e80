//! Read models folded from the ledger, and the queries over them.
//!
//! Architecture invariant: everything here can be dropped and rebuilt from the ledger at any time. A noun's file holds its
//! tables, its fold, its views and its queries, top-down; the same noun has the same file name in `domain` and `http`.

pub mod account;
pub mod application;
pub mod attachment;
pub mod authorization;
pub mod batch;
pub mod blocklist;
pub mod calendar_feed;
pub mod catalog;
pub mod client;
pub mod cursor;
pub mod database;
pub mod delivery;
pub mod device;
pub mod document;
pub mod event;
pub mod fact;
pub mod factor;
pub mod grant;
pub mod inbox;
pub mod item;
pub mod kiosk;
pub mod lifecycle;
pub mod mail;
pub mod mail_template;
pub mod member;
pub mod operator;
pub mod passkey;
pub mod permission_set;
pub mod phone;
pub mod postal_item;
pub mod query;
pub mod reception;
pub mod recurrence;
pub mod runner;
pub mod search;
pub mod secretary;
pub mod security;
pub mod sending_order;
pub mod session;
pub mod sign_up;
mod sink;
pub mod table;
pub mod template;
pub mod tenant;
pub mod token;
pub mod view;
pub mod visit;
pub mod visit_policy;
pub mod webhook;

/// Every projection, in one visible list; folded in this order.
pub static PROJECTIONS: &[runner::Projection] = &[
    tenant::PROJECTION,
    member::PROJECTION,
    permission_set::PROJECTION,
    secretary::PROJECTION,
    client::PROJECTION,
    document::PROJECTION,
    item::PROJECTION,
    template::PROJECTION,
    recurrence::PROJECTION,
    batch::PROJECTION,
    attachment::PROJECTION,
    sending_order::PROJECTION,
    delivery::PROJECTION,
    postal_item::PROJECTION,
    visit::PROJECTION,
    calendar_feed::PROJECTION,
    visit::AFTER_PROJECTION,
    visit_policy::PROJECTION,
    blocklist::PROJECTION,
    kiosk::PROJECTION,
    reception::PROJECTION,
    token::PROJECTION,
    application::PROJECTION,
    authorization::PROJECTION,
    factor::PROJECTION,
    passkey::PROJECTION,
    account::PROJECTION,
    phone::PROJECTION,
    security::PROJECTION,
    session::PROJECTION,
    device::PROJECTION,
    operator::PROJECTION,
    grant::PROJECTION,
    sign_up::PROJECTION,
    webhook::PROJECTION,
    mail_template::PROJECTION,
    mail::PROJECTION,
    event::PROJECTION,
];

/// Every query, in one visible list.
pub fn queries(v: &mut impl catalog::VisitQueries) {
    v.query::<tenant::GetTenant>();
    v.query::<member::ListMembers>();
    v.query::<member::GetMember>();
    v.query::<lifecycle::GetLifecycle>();
    v.query::<secretary::ListSecretaries>();
    v.query::<secretary::GetSecretary>();
    v.query::<permission_set::ListPermissionSets>();
    v.query::<permission_set::GetPermissionSet>();
    v.query::<client::ListClients>();
    v.query::<client::GetClient>();
    v.query::<document::ListDocuments>();
    v.query::<document::GetDocument>();
    v.query::<document::GetNumberSeries>();
    v.query::<item::ListItems>();
    v.query::<item::GetItem>();
    v.query::<template::ListTemplates>();
    v.query::<template::GetTemplate>();
    v.query::<recurrence::ListRecurrences>();
    v.query::<recurrence::GetRecurrence>();
    v.query::<batch::ListBatches>();
    v.query::<batch::GetBatch>();
    v.query::<delivery::ListDeliveries>();
    v.query::<delivery::GetDelivery>();
    v.query::<attachment::GetAttachment>();
    v.query::<sending_order::ListSendingOrders>();
    v.query::<sending_order::GetSendingOrder>();
    v.query::<postal_item::ListPostalItems>();
    v.query::<postal_item::GetPostalItem>();
    v.query::<postal_item::GetPrintQueue>();
    v.query::<postal_item::GetHandedOver>();
    v.query::<inbox::ListInbox>();
    v.query::<visit::ListVisits>();
    v.query::<visit::GetVisit>();
    v.query::<calendar_feed::ListCalendarFeeds>();
    v.query::<visit::ListWaitingVisits>();
    v.query::<visit::ListVisitHistory>();
    v.query::<visit::GetPresentVisitors>();
    v.query::<visit::GetVisitFigures>();
    v.query::<visit_policy::GetVisitPolicy>();
    v.query::<blocklist::ListBlocklistEntries>();
    v.query::<blocklist::GetBlocklistEntry>();
    v.query::<kiosk::ListKiosks>();
    v.query::<kiosk::GetKiosk>();
    v.query::<kiosk::ListScanRefusals>();
    v.query::<reception::GetReception>();
    v.query::<reception::GetFlow>();
    v.query::<reception::GetHosts>();
    v.query::<reception::GetNotice>();
    v.query::<token::ListTokens>();
    v.query::<token::GetToken>();
    v.query::<application::ListApplications>();
    v.query::<application::GetApplication>();
    v.query::<authorization::ListAuthorizations>();
    v.query::<authorization::ListMyAuthorizations>();
    v.query::<authorization::GetAuthorization>();
    v.query::<factor::GetMyFactor>();
    v.query::<factor::GetFactor>();
    v.query::<passkey::ListPasskeys>();
    v.query::<account::ListAccounts>();
    v.query::<phone::ListPhones>();
    v.query::<security::GetSecurity>();
    v.query::<grant::GetSupport>();
    v.query::<grant::ListGrants>();
    v.query::<grant::GetGrant>();
    v.query::<session::ListSessions>();
    v.query::<session::GetSession>();
    v.query::<device::ListDevices>();
    v.query::<device::GetDevice>();
    v.query::<mail::ListMails>();
    v.query::<mail::GetMail>();
    v.query::<mail_template::GetMailTemplates>();
    v.query::<mail_template::GetMailTemplate>();
    v.query::<webhook::ListWebhooks>();
    v.query::<webhook::GetWebhook>();
    v.query::<webhook::delivery::ListWebhookDeliveries>();
    v.query::<webhook::delivery::GetWebhookDelivery>();
    v.query::<event::ListEvents>();
    v.query::<event::GetEvent>();
}
