//! What a rejection means to a program: its HTTP status. It follows from the code's reason, so that a new noun needs no
//! entry here: `unknown` 404, `already_…` and `wrong_state` 409, `expired`, `revoked` and `gone` 410; every other rule
//! refused 422, unless it is listed.

use std::collections::BTreeSet;

use crate::catalog::{Visit, catalog};
use crate::command::Command;

/// A code and its status.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// `noun.reason`, as in `REJECTS`.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
}

/// Codes whose reason does not say it: 403 not with this role, 404 unknown, 409 in conflict with what has happened, 410
/// expired, withdrawn or gone.
const LISTED: &[(&str, u16)] = &[
    ("access.confirm_first", 403),
    ("application.disabled", 409),
    ("application.grant_type", 403),
    ("application.public", 409),
    ("application.scope", 403),
    ("attachment.enclosed", 409),
    ("authorization.code_expired", 410),
    ("authorization.not_a_member", 403),
    ("blocklist_entry.full", 409),
    ("calendar_feed.none", 409),
    ("calendar_feed.not_a_member", 403),
    ("client.archived", 409),
    ("delivery.attachment_erased", 410),
    ("delivery.locked", 403),
    ("delivery.not_due", 409),
    ("delivery.not_issued", 409),
    ("delivery.not_opened", 409),
    ("delivery.not_printed", 409),
    ("delivery.on_hold", 403),
    ("delivery.passcode_required", 403),
    ("delivery.replaced", 410),
    ("delivery.view_limit", 410),
    ("device.alert_expired", 410),
    ("device.alert_gone", 410),
    ("document.cancelled", 409),
    ("document.has_payments", 409),
    ("document.not_approved", 409),
    ("document.not_issued", 409),
    ("document.not_paid", 409),
    ("document.not_requested", 409),
    ("document.other_revision", 409),
    ("document.own_approval", 403),
    ("factor.account_linked", 409),
    ("factor.copied_passkey", 403),
    ("factor.exists", 409),
    ("factor.no_phone", 409),
    ("factor.none", 409),
    ("factor.not_a_member", 403),
    ("factor.own", 403),
    ("factor.phone_exists", 409),
    ("factor.provider_off", 409),
    ("factor.sms_off", 409),
    ("factor.unknown_passkey", 404),
    ("grant.management_never", 403),
    ("grant.not_approved", 409),
    ("grant.not_due", 409),
    ("grant.not_over", 409),
    ("grant.over", 409),
    ("grant.own_approval", 403),
    ("grant.own_review", 403),
    ("grant.second_person", 403),
    ("identity.check_first", 409),
    ("identity.own", 403),
    ("item.archived", 409),
    ("mail.not_failed", 409),
    ("member.invitation_expired", 410),
    ("member.invitation_gone", 410),
    ("member.last_owner", 409),
    ("member.owner_only", 403),
    ("member.reset_expired", 410),
    ("member.reset_gone", 410),
    ("operator.not_screened", 409),
    ("operator.own_account", 403),
    ("operator.removed", 409),
    ("operator.second_person", 403),
    ("permission_set.beyond_own", 403),
    ("permission_set.in_use", 409),
    ("permission_set.name_taken", 409),
    ("postal_item.attachment_erased", 410),
    ("postal_item.document_changed", 409),
    ("postal_item.handed_over", 403),
    ("postal_item.no_file", 409),
    ("postal_item.not_issued", 409),
    ("recurrence.may_not_issue", 403),
    ("recurrence.not_paused", 409),
    ("recurrence.over", 409),
    ("secretary.not_a_member", 403),
    ("secretary.other_role", 409),
    ("sending_order.handed_over", 409),
    ("sending_order.not_approved", 409),
    ("sending_order.not_asked", 409),
    ("sending_order.not_printed", 409),
    ("sending_order.own_approval", 403),
    ("session.inactive_member", 409),
    ("session.over", 409),
    ("sign_up.code_expired", 410),
    ("sign_up.code_first", 403),
    ("sign_up.locked", 403),
    ("sign_up.not_submitted", 409),
    ("sign_up.payment_first", 403),
    ("sign_up.slug_fixed", 409),
    ("sign_up.terms_first", 403),
    ("sign_up.unknown_payment", 404),
    ("template.archived", 409),
    ("tenant.exists", 409),
    ("tenant.slug_taken", 409),
    ("terms.not_in_force", 409),
    ("token.not_a_member", 403),
    ("visit.ask_reception", 403),
    ("visit.cancelled", 410),
    ("visit.code_replaced", 410),
    ("visit.not_checked_in", 409),
    ("visit.not_checked_out", 409),
    ("visit.not_named", 409),
    ("visit.not_over", 409),
    ("visit.not_screened", 403),
    ("visit.notice_gone", 410),
    ("visit.own_only", 403),
    ("visit.unknown_code", 404),
    ("visit.visitor_gone", 410),
    ("webhook.off", 409),
    ("webhook.unsigned", 409),
];

fn of(code: &str) -> u16 {
    if let Some((_, status)) = LISTED.iter().find(|(listed, _)| *listed == code) {
        return *status;
    }
    match code.split_once('.').map_or(code, |(_, reason)| reason) {
        "unknown" => 404,
        "wrong_state" => 409,
        reason if reason.starts_with("already_") => 409,
        "expired" | "revoked" | "gone" => 410,
        _ => 422,
    }
}

/// Every code that a command can reject with, sorted.
pub fn problems() -> BTreeSet<Problem> {
    struct Collect(BTreeSet<Problem>);
    impl Visit for Collect {
        fn command<C: Command>(&mut self) {
            self.0.extend(C::REJECTS.iter().map(|code| Problem { code, status: of(code) }));
        }
    }
    let mut all = Collect(BTreeSet::new());
    catalog(&mut all);
    all.0
}

/// The status of a code; `None` if no command rejects with it.
pub fn status(code: &str) -> Option<u16> {
    problems().into_iter().find(|p| p.code == code).map(|p| p.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_exists_and_differs_from_what_its_reason_says() {
        assert!(LISTED.is_sorted());
        for (code, listed) in LISTED {
            assert_eq!(status(code), Some(*listed), "{code}");
            let (_, reason) = code.split_once('.').unwrap();
            assert_ne!(of(&format!("noun.{reason}")), *listed, "{code} need not be listed");
        }
    }

    #[test]
    fn statuses_follow_from_reasons() {
        for (code, expected) in [
            ("member.unknown", 404),
            ("visit.already_checked_in", 409),
            ("member.wrong_state", 409),
            ("delivery.expired", 410),
            ("kiosk.revoked", 410),
            ("tax.totals_differ", 422),
            ("delivery.unknown_document", 422),
        ] {
            assert_eq!(status(code), Some(expected), "{code}");
        }
        assert_eq!(status("no.such_code"), None);
    }
}
