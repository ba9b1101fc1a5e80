//! The business rules of Keiin: pure decisions over events.
//!
//! Architecture invariant: no IO, async, clock, randomness, SQL, HTTP or cryptography in this crate. What is impure enters
//! through [`context::Context`]. Each noun is one file, read top-down: events, state, commands, rules, tests.

pub mod access;
pub mod access_token;
pub mod application;
pub mod attachment;
pub mod authorization;
pub mod batch;
pub mod blocklist;
pub mod calendar_feed;
pub mod catalog;
pub mod client;
pub mod command;
pub mod context;
pub mod data;
pub mod date;
pub mod delivery;
pub mod device;
pub mod document;
pub mod envelope;
pub mod event;
pub mod factor;
pub mod grant;
pub mod holiday;
pub mod identity;
pub mod item;
pub mod json;
pub mod kiosk;
pub mod log;
pub mod mail;
pub mod mail_template;
pub mod member;
pub mod money;
pub mod operator;
pub mod owners;
pub mod paper;
pub mod password;
pub mod permission_set;
pub mod postage;
pub mod postal_item;
pub mod problem;
pub mod provision;
pub mod reception;
pub mod recurrence;
pub mod registration_number;
pub mod retention;
pub mod role;
pub mod sealed;
pub mod secretary;
pub mod security;
pub mod sending_order;
pub mod series;
pub mod session;
pub mod sign_up;
pub mod tax;
pub mod template;
pub mod tenant;
pub mod terms;
#[cfg(test)]
mod testing;
pub mod text;
pub mod token;
pub mod visit;
pub mod visit_policy;
pub mod webhook;
pub mod withholding;

/// The catalog: every command, aggregate and class of personal data, in one visible list.
pub fn nouns(v: &mut impl catalog::Visit) {
    v.personal::<sealed::Person>();
    v.personal::<client::Contact>();
    v.personal::<sealed::Origin>();
    v.personal::<identity::PhoneCall>();
    v.personal::<sealed::Label>();
    v.personal::<postal_item::PostalAddress>();
    v.personal::<factor::phone::PhoneNumber>();
    v.personal::<reception::Answers>();
    v.reading("me.read");

    v.aggregate::<provision::Slug>();
    v.command::<provision::TakeSlug>();

    v.aggregate::<sign_up::SignUp>();
    v.command::<sign_up::RequestSignUp>();
    v.command::<sign_up::RenewEmailCode>();
    v.command::<sign_up::VerifyEmailCode>();
    v.command::<sign_up::AcceptFirstTerms>();
    v.command::<sign_up::RequestPayment>();
    v.command::<sign_up::ConfirmPayment>();
    v.command::<sign_up::SubmitSignUp>();
    v.command::<sign_up::ProvisionTenant>();

    v.reading("tenant.read");
    v.aggregate::<tenant::Tenant>();
    v.command::<tenant::OpenTenant>();
    v.command::<tenant::ChangeTenant>();
    v.aggregate::<terms::Terms>();
    v.command::<terms::AcceptTerms>();

    v.reading("member.read");
    v.aggregate::<member::Member>();
    v.aggregate::<owners::Owners>();
    v.command::<member::InviteMember>();
    v.command::<member::RevokeInvitation>();
    v.command::<member::AcceptInvitation>();
    v.command::<member::ChangeRole>();
    v.command::<member::SuspendMember>();
    v.command::<member::ReinstateMember>();
    v.aggregate::<identity::Identity>();
    v.command::<identity::RecordPhoneCheck>();
    v.command::<member::RemoveMember>();
    v.command::<member::ExpireInvitation>();
    v.command::<member::password::ChangePassword>();
    v.command::<member::password::ResetPassword>();
    v.command::<member::password::RequestPasswordReset>();
    v.command::<member::password::SetPassword>();

    v.reading("permission_set.read");
    v.aggregate::<permission_set::PermissionSet>();
    v.aggregate::<permission_set::PermissionSets>();
    v.command::<permission_set::DefinePermissionSet>();
    v.command::<permission_set::ChangePermissionSet>();
    v.command::<permission_set::DeletePermissionSet>();

    v.reading("secretary.read");
    v.aggregate::<secretary::Secretary>();
    v.aggregate::<secretary::Secretaries>();
    v.command::<secretary::AssignSecretary>();
    v.command::<secretary::ConfirmSecretary>();
    v.command::<secretary::RefuseSecretary>();
    v.command::<secretary::EndSecretary>();

    v.aggregate::<factor::Factor>();
    v.command::<factor::EnrolTotp>();
    v.command::<factor::RemoveTotp>();
    v.command::<factor::IssueRecoveryCodes>();
    v.command::<factor::ResetFactor>();
    v.command::<factor::UseFactor>();
    v.command::<factor::passkey::AddPasskey>();
    v.command::<factor::passkey::RenamePasskey>();
    v.command::<factor::passkey::RemovePasskey>();
    v.command::<factor::passkey::UsePasskey>();
    v.command::<factor::account::LinkAccount>();
    v.command::<factor::account::UnlinkAccount>();
    v.command::<factor::phone::SendCode>();
    v.command::<factor::phone::EnrolPhone>();
    v.command::<factor::phone::RemovePhone>();
    v.command::<factor::phone::UsePhone>();

    v.reading("security.read");
    v.aggregate::<security::Security>();
    v.command::<security::ChangeSecurity>();

    v.reading("client.read");
    v.aggregate::<client::Client>();
    v.command::<client::RegisterClient>();
    v.command::<client::ChangeClient>();
    v.command::<client::ArchiveClient>();

    v.reading("document.read");
    v.aggregate::<document::Document>();
    v.aggregate::<series::Series>();
    v.command::<document::DraftDocument>();
    v.command::<document::SetLines>();
    v.command::<document::ChangeDocument>();
    v.command::<document::RequestApproval>();
    v.command::<document::ApproveDocument>();
    v.command::<document::RejectDocument>();
    v.command::<document::IssueDocument>();
    v.command::<document::CorrectDocument>();
    v.command::<document::ConvertDocument>();
    v.command::<document::AddLine>();
    v.command::<document::DraftFromTemplate>();
    v.command::<document::CancelDocument>();
    v.command::<document::RecordPayment>();
    v.aggregate::<paper::Paper>();
    v.command::<paper::RecordRendering>();
    v.aggregate::<item::Item>();
    v.command::<item::RegisterItem>();
    v.command::<item::ChangeItem>();
    v.command::<item::ArchiveItem>();
    v.aggregate::<template::Template>();
    v.command::<template::DefineTemplate>();
    v.command::<template::ChangeTemplate>();
    v.command::<template::ArchiveTemplate>();
    v.command::<template::SaveAsTemplate>();
    v.aggregate::<recurrence::Recurrence>();
    v.command::<recurrence::SetUpRecurrence>();
    v.command::<recurrence::ChangeRecurrence>();
    v.command::<recurrence::PauseRecurrence>();
    v.command::<recurrence::ResumeRecurrence>();
    v.command::<recurrence::EndRecurrence>();
    v.command::<recurrence::FireRecurrence>();
    v.aggregate::<batch::Batch>();
    v.aggregate::<batch::Part>();
    v.command::<batch::OrderBatch>();
    v.command::<batch::CancelBatch>();
    v.command::<batch::IssueInBatch>();

    v.reading("delivery.read");
    v.aggregate::<delivery::Delivery>();
    v.command::<delivery::SendDocument>();
    v.command::<delivery::ResendLink>();
    v.command::<delivery::DownloadDocument>();
    v.command::<delivery::RevokeLink>();
    v.command::<delivery::OpenLink>();
    v.command::<delivery::RefuseOpen>();
    v.command::<delivery::ExpireLink>();
    v.reading("inbox.read");
    v.command::<delivery::RegisterRecipient>();
    v.command::<delivery::OpenDelivery>();
    v.command::<delivery::TakeFile>();
    v.command::<delivery::TakeFiles>();
    v.command::<delivery::ReplyToDelivery>();
    v.command::<delivery::AcceptQuote>();

    v.aggregate::<attachment::Attachment>();
    v.command::<attachment::ReceiveAttachment>();
    v.command::<attachment::RemoveAttachment>();

    v.reading("sending_order.read");
    v.aggregate::<sending_order::SendingOrder>();
    v.command::<sending_order::PlaceSendingOrder>();
    v.command::<sending_order::ApproveSendingOrder>();
    v.command::<sending_order::RejectSendingOrder>();
    v.command::<sending_order::ReleaseSendingOrder>();
    v.command::<sending_order::CancelSendingOrder>();
    v.command::<sending_order::HandOver>();

    v.reading("postal_item.read");
    v.aggregate::<postal_item::PostalItem>();
    v.aggregate::<postal_item::PostalAccess>();
    v.command::<postal_item::QueuePostalItem>();
    v.command::<postal_item::PrintPostalItem>();
    v.command::<postal_item::DispatchPostalItem>();
    v.command::<postal_item::ReturnPostalItem>();
    v.command::<postal_item::CancelPostalItem>();
    v.command::<postal_item::RequeuePostalItem>();
    v.command::<postal_item::AccessPostalItem>();

    v.reading("visit.read");
    v.aggregate::<visit::Visit>();
    v.command::<visit::RegisterVisit>();
    v.command::<visit::ChangeVisit>();
    v.command::<visit::RescheduleAppointment>();
    v.command::<visit::CancelVisit>();
    v.command::<visit::AddVisitors>();
    v.command::<visit::RemindVisitor>();
    v.command::<visit::CorrectVisit>();
    v.command::<visit::ReceiveVisitor>();
    v.command::<visit::ReleaseVisitor>();
    v.command::<visit::CheckIn>();
    v.command::<visit::CheckOut>();
    v.command::<visit::WalkIn>();

    v.aggregate::<calendar_feed::CalendarFeed>();
    v.command::<calendar_feed::IssueCalendarFeed>();
    v.command::<calendar_feed::EndCalendarFeed>();
    v.command::<visit::AnnounceVisitor>();
    v.command::<visit::EscalateVisit>();
    v.command::<visit::AcknowledgeVisit>();
    v.command::<visit::AnswerNotice>();
    v.command::<visit::ScreenVisitor>();
    v.command::<visit::LetVisitorIn>();
    v.command::<visit::TurnVisitorAway>();
    v.command::<visit::EraseVisitor>();
    v.command::<visit::RetireVisitor>();

    v.personal::<blocklist::Blocked>();
    v.reading("blocklist_entry.read");
    v.aggregate::<blocklist::BlocklistEntry>();
    v.aggregate::<blocklist::Blocklist>();
    v.command::<blocklist::AddToBlocklist>();
    v.command::<blocklist::RemoveFromBlocklist>();
    v.reading("visit_policy.read");
    v.aggregate::<visit_policy::VisitPolicy>();
    v.command::<visit_policy::ChangeVisitPolicy>();

    v.reading("device.read");
    v.aggregate::<kiosk::Kiosk>();
    v.command::<kiosk::PairKiosk>();
    v.command::<kiosk::RevokeKiosk>();
    v.command::<kiosk::RecordScanRefusal>();
    v.reading("kiosk.see");

    v.reading("reception.read");
    v.aggregate::<reception::Reception>();
    v.command::<reception::ChangeReception>();

    v.reading("token.read");
    v.aggregate::<token::Token>();
    v.command::<token::IssueToken>();
    v.command::<token::RevokeToken>();

    v.reading("application.read");
    v.aggregate::<application::Application>();
    v.command::<application::RegisterApplication>();
    v.command::<application::ChangeApplication>();
    v.command::<application::RotateApplicationSecret>();
    v.command::<application::RevokeApplicationTokens>();
    v.command::<application::DisableApplication>();

    v.aggregate::<authorization::Authorization>();
    v.command::<authorization::GiveAuthorization>();
    v.command::<authorization::RedeemCode>();
    v.command::<authorization::RefreshAccess>();
    v.command::<authorization::IssueAccess>();
    v.command::<authorization::RevokeAuthorization>();

    v.aggregate::<access_token::AccessToken>();
    v.command::<access_token::RevokeAccess>();

    v.aggregate::<session::Session>();
    v.command::<session::StartSession>();
    v.command::<session::EndSession>();
    v.command::<session::ConfirmSession>();
    v.command::<session::RevokeSession>();
    v.command::<session::RefuseLogin>();

    v.aggregate::<device::Device>();
    v.command::<device::ForgetDevice>();
    v.command::<device::DisownLogin>();

    v.aggregate::<access::Access>();
    v.command::<access::RecordDenial>();
    v.aggregate::<data::Data>();
    v.command::<data::RecordView>();
    v.command::<data::RecordVendorView>();

    v.reading("support.read");
    v.aggregate::<grant::Support>();
    v.command::<grant::ChangeSupport>();
    v.reading("grant.read");
    v.aggregate::<grant::Grant>();
    v.command::<grant::RequestGrant>();
    v.command::<grant::ApproveGrant>();
    v.command::<grant::OpenGrant>();
    v.command::<grant::EndGrant>();
    v.command::<grant::ExpireGrant>();
    v.command::<grant::ReviewGrant>();
    v.reading("operator.read");
    v.aggregate::<operator::Operator>();
    v.aggregate::<operator::Certificate>();
    v.aggregate::<operator::Operators>();
    v.command::<operator::RegisterOperator>();
    v.command::<operator::ScreenOperator>();
    v.command::<operator::ApproveOperator>();
    v.command::<operator::ReplaceCertificate>();
    v.command::<operator::ReviewOperator>();
    v.command::<operator::RemoveOperator>();

    v.reading("mail.read");
    v.aggregate::<mail::Mail>();
    v.command::<mail::RecordMail>();
    v.command::<mail::RecordBounce>();
    v.command::<mail::RecordComplaint>();
    v.command::<mail::SendMailAgain>();

    v.reading("mail_template.read");
    v.aggregate::<mail_template::MailTemplate>();
    v.command::<mail_template::SetMailTemplate>();
    v.command::<mail_template::ClearMailTemplate>();

    v.reading("webhook.read");
    v.aggregate::<webhook::Webhook>();
    v.aggregate::<webhook::Webhooks>();
    v.command::<webhook::RegisterWebhook>();
    v.command::<webhook::ChangeWebhook>();
    v.command::<webhook::RotateWebhookSecret>();
    v.command::<webhook::EnableWebhook>();
    v.command::<webhook::DisableWebhook>();
    v.command::<webhook::PingWebhook>();
    v.command::<webhook::ReplayWebhook>();
    v.command::<webhook::RemoveWebhook>();
    v.command::<webhook::GiveUpWebhook>();
    v.command::<webhook::SuspendWebhook>();

    for permission in ["event.read", "event.read_own", "log.read"] {
        v.reading(permission);
    }
    v.aggregate::<log::Log>();
    v.command::<log::RecordExport>();
    v.command::<log::RecordAuditDownload>();
}
