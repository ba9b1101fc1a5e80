//! Refusals, as `application/problem+json` (RFC 9457). A handler returns a [`Problem`]; one layer renders it in the
//! caller's language with the request's id, as JSON for programs and as a page for people.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use keiin_domain::command::{Fault, Rejection};
use keiin_eventlog::sql::SqlError;
use keiin_eventlog::store::StoreError;
use keiin_eventlog::vault::VaultError;
use keiin_projections::query::Refusal;
use keiin_projections::runner::ReadModelError;

use crate::room;

/// Codes that this layer answers with itself, beside the rejections of the domain.
pub const CODES: &[(&str, u16)] = &[
    ("request.not_found", 404),
    ("request.method_not_allowed", 405),
    ("request.not_json", 400),
    ("request.bad_field", 400),
    ("request.bad_parameter", 400),
    ("request.bad_header", 400),
    ("request.too_large", 413),
    ("request.wrong_content_type", 415),
    ("request.too_many", 429),
    ("request.cross_site", 403),
    ("request.version_required", 428),
    ("request.version_mismatch", 412),
    ("request.conflict", 409),
    ("request.timeout", 503),
    ("idempotency.key_required", 400),
    ("idempotency.key_reused", 422),
    ("access.unauthenticated", 401),
    ("access.forbidden", 403),
    ("access.wrong_credentials", 401),
    ("access.wrong_code", 401),
    ("access.wrong_passcode", 403),
    ("access.wrong_passkey", 401),
    ("access.provider_state", 401),
    ("access.provider_refused", 401),
    ("access.provider_answer", 401),
    ("access.provider_unreachable", 503),
    ("access.unverified_address", 401),
    ("access.other_account", 401),
    ("access.unknown_account", 401),
    ("access.account_taken", 409),
    ("access.bad_passkey", 422),
    ("access.passkey_exists", 409),
    ("access.second_factor_required", 403),
    ("access.sms_failed", 503),
    ("access.sms_limit", 429),
    ("access.network", 403),
    ("access.gone", 410),
    ("access.locked", 403),
    ("access.certificate", 401),
    ("access.grant", 403),
    ("document.not_printed", 503),
    ("document.unprintable", 422),
    ("document.not_pint", 422),
    ("document.too_many", 422),
    ("postal_item.bad_selection", 422),
    ("postal_item.bad_layout", 422),
    ("attachment.none", 422),
    ("attachment.too_many", 422),
    ("attachment.too_large", 413),
    ("attachment.not_pdf", 422),
    ("attachment.broken", 422),
    ("attachment.encrypted", 422),
    ("attachment.too_many_pages", 422),
    ("attachment.active_content", 422),
    ("attachment.embedded_file", 422),
    ("attachment.dynamic_form", 422),
    ("attachment.infected", 422),
    ("attachment.not_scanned", 503),
    ("attachment.gone", 410),
    ("client.bad_honorific", 422),
    ("grant.no_company", 422),
    ("import.unreadable", 422),
    ("import.open_quote", 422),
    ("import.no_name_column", 422),
    ("import.no_column", 422),
    ("import.unknown_host", 422),
    ("import.bad_language", 422),
    ("import.bad_weekday", 422),
    ("import.column_twice", 422),
    ("import.too_many_rows", 422),
    ("import.duplicate_row", 422),
    ("import.duplicate_client", 422),
    ("import.gone", 410),
    ("invitation.other_address", 403),
    ("oauth.unknown_client", 400),
    ("oauth.redirect_uri", 400),
    ("sign_up.already_done", 409),
    ("sign_up.closed", 403),
    ("sign_up.wrong_code", 422),
    ("secretary.not_confirmed", 403),
    ("event.cursor_gone", 410),
    ("proof.not_yet", 503),
    ("verification.not_yet", 404),
    ("service.moved", 410),
    ("service.storage_full", 507),
    ("service.unavailable", 503),
    ("service.unconfirmed", 503),
    ("service.behind", 503),
    ("service.failed", 500),
];

/// A refusal on its way to the caller.
#[derive(Clone, Debug)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable `noun.reason`, documented at `/problems/<code>`.
    pub code: &'static str,
    /// Where in the request.
    pub errors: Vec<Fault>,
    /// Seconds after which another try makes sense.
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A refusal with one of [`CODES`].
    pub fn new(code: &'static str) -> Problem {
        let status = status_of(code);
        let retry_after = matches!(status.as_u16(), 429 | 503 | 507).then_some(1);
        Problem { status, code, errors: vec![], retry_after }
    }

    /// The same, at a place in the request.
    pub fn at(code: &'static str, pointer: impl Into<String>) -> Problem {
        let errors = vec![Fault { pointer: pointer.into(), expected: None }];
        Problem { errors, ..Problem::new(code) }
    }

    /// Whoever asks for something that is not there, or not theirs, gets this.
    pub fn not_found() -> Problem {
        Problem::new("request.not_found")
    }

    /// Something broke. The cause goes to the log, never to the caller.
    pub fn failed(cause: impl std::fmt::Display) -> Problem {
        tracing::error!(%cause, "request failed");
        Problem::new("service.failed")
    }

    /// The disk is full. Nothing was written.
    pub fn full(store: room::Store, cause: impl std::fmt::Display) -> Problem {
        store.refused(&cause);
        Problem::new("service.storage_full")
    }

    /// The store cannot answer now.
    pub fn unavailable(cause: impl std::fmt::Display) -> Problem {
        tracing::warn!(%cause, "not available");
        Problem::new("service.unavailable")
    }
}

impl Problem {
    /// Perhaps durable, perhaps not.
    pub fn unconfirmed(cause: impl std::fmt::Display) -> Problem {
        tracing::warn!(%cause, "outcome not known");
        Problem::new("service.unconfirmed")
    }
}

/// The status of a code; a domain code that is not listed is a rule that refused.
pub fn status_of(code: &str) -> StatusCode {
    let own = CODES.iter().find(|(known, _)| *known == code).map(|(_, status)| *status);
    let status = own.or_else(|| keiin_domain::problem::status(code)).unwrap_or(422);
    StatusCode::from_u16(status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY)
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Problem {
        if rejection.code.ends_with(".unknown") && status_of(rejection.code) == StatusCode::NOT_FOUND {
            return Problem::not_found();
        }
        Problem { errors: rejection.at, ..Problem::new(rejection.code) }
    }
}

impl From<SqlError> for Problem {
    fn from(error: SqlError) -> Problem {
        match error {
            SqlError::Full => Problem::full(room::Store::Beside, error),
            SqlError::Busy | SqlError::Away(_) => Problem::unavailable(error),
            SqlError::Unknown(_) => Problem::unconfirmed(error),
            SqlError::Failed(_) => Problem::failed(error),
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Problem {
        match error {
            VaultError::Sql(error) => error.into(),
            VaultError::Stopped(_) => Problem::unavailable(error),
            // Somebody erased the person while this was decided.
            VaultError::Erased(_) => Problem::new("request.conflict"),
            error => Problem::failed(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::Unavailable(cause) => Problem::unavailable(cause),
            damaged => Problem::failed(damaged),
        }
    }
}

impl From<ReadModelError> for Problem {
    fn from(error: ReadModelError) -> Problem {
        match error {
            ReadModelError::Sql(SqlError::Failed(cause)) => Problem::failed(cause),
            ReadModelError::Store(error) => error.into(),
            // Nothing was written, and the same may succeed later.
            passing => Problem::unavailable(passing),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::NotFound => Problem::not_found(),
            Refusal::Forbidden(code) => Problem::new(code),
            Refusal::BadParameter(name) => Problem::at("request.bad_parameter", format!("/{name}")),
            Refusal::Failed(error) => error.into(),
        }
    }
}

/// Only status and headers; the rendering layer finds the problem in the extensions and writes the body.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(axum::http::header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = axum::http::HeaderValue::from_static("Bearer realm=\"keiin\"");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(self);
        response
    }
}
