//! What a rejection means to a program: its HTTP status. 404 unknown, 409 in conflict with what has happened, 410 expired,
//! withdrawn or gone, 403 not with this role, 422 refused by a rule that the request can be changed to meet.

/// A code and its status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Problem {
    /// `noun.reason`, as in `REJECTS`.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
}

const fn problem(code: &'static str, status: u16) -> Problem {
    Problem { code, status }
}

/// Every code that a command can reject with, sorted. A test holds the list to the catalog.
pub const PROBLEMS: &[Problem] = &[
    problem("client.archived", 409),
    problem("client.bad_email", 422),
    problem("client.bad_postal_code", 422),
    problem("client.unknown", 404),
    problem("delivery.already_expired", 409),
    problem("delivery.already_revoked", 409),
    problem("delivery.bad_email", 422),
    problem("delivery.bad_expiry", 422),
    problem("delivery.bad_view_limit", 422),
    problem("delivery.expired", 410),
    problem("delivery.not_due", 409),
    problem("delivery.not_issued", 409),
    problem("delivery.revoked", 410),
    problem("delivery.unknown", 404),
    problem("delivery.unknown_document", 422),
    problem("delivery.view_limit", 410),
    problem("document.already_issued", 409),
    problem("document.bad_amount", 422),
    problem("document.below_payments", 422),
    problem("document.cancelled", 409),
    problem("document.client_archived", 422),
    problem("document.due_before_date", 422),
    problem("document.has_payments", 409),
    problem("document.negative_total", 422),
    problem("document.no_lines", 422),
    problem("document.not_issued", 409),
    problem("document.not_payable", 422),
    problem("document.not_qualified", 422),
    problem("document.overpaid", 422),
    problem("document.too_many_lines", 422),
    problem("document.unknown", 404),
    problem("document.unknown_client", 422),
    problem("kiosk.revoked", 410),
    problem("kiosk.unknown", 404),
    problem("member.already_invited", 409),
    problem("member.already_member", 409),
    problem("member.bad_email", 422),
    problem("member.bad_role", 422),
    problem("member.invitation_expired", 410),
    problem("member.invitation_gone", 410),
    problem("member.last_owner", 409),
    problem("member.owner_only", 403),
    problem("member.password_too_long", 422),
    problem("member.password_too_short", 422),
    problem("member.unknown", 404),
    problem("member.wrong_state", 409),
    problem("money.bad_decimal", 422),
    problem("money.overflow", 422),
    problem("registration_number.bad_format", 422),
    problem("registration_number.wrong_check_digit", 422),
    problem("session.inactive_member", 409),
    problem("session.unknown", 404),
    problem("tax.mixed_inclusion", 422),
    problem("tax.totals_differ", 422),
    problem("tenant.bad_slug", 422),
    problem("tenant.exists", 409),
    problem("tenant.slug_taken", 409),
    problem("text.control_character", 422),
    problem("text.required", 422),
    problem("text.too_long", 422),
    problem("token.already_revoked", 409),
    problem("token.bad_expiry", 422),
    problem("token.no_scopes", 422),
    problem("token.not_a_member", 403),
    problem("token.unknown", 404),
    problem("token.unknown_scope", 422),
    problem("visit.already_checked_in", 409),
    problem("visit.already_checked_out", 409),
    problem("visit.bad_email", 422),
    problem("visit.bad_period", 422),
    problem("visit.bad_time", 422),
    problem("visit.cancelled", 410),
    problem("visit.code_replaced", 410),
    problem("visit.expired", 410),
    problem("visit.in_the_past", 422),
    problem("visit.not_checked_in", 409),
    problem("visit.own_only", 403),
    problem("visit.too_early", 422),
    problem("visit.unknown", 404),
    problem("visit.unknown_code", 404),
    problem("visit.unknown_host", 422),
    problem("visit.wrong_state", 409),
];

/// The status of a code.
pub fn status(code: &str) -> Option<u16> {
    let at = PROBLEMS.binary_search_by(|p| p.code.cmp(code)).ok()?;
    Some(PROBLEMS[at].status)
}
