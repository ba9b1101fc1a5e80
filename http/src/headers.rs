//! Headers that every answer bears, whoever made it: a handler, a layer that refused, a time limit, a panic.

use axum::http::HeaderMap;
use axum::http::header::{self, HeaderName, HeaderValue};

/// Nothing is inline and nothing comes from elsewhere.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                   form-action 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The kiosk's page alone may compile WebAssembly: its reader of QR codes is made of it. That is no `eval`: it runs what this
/// server served and nothing that stands in a text.
pub const KIOSK_CSP: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
                             connect-src 'self'; form-action 'self'; manifest-src 'self'; base-uri 'none'; \
                             frame-ancestors 'none'";

/// On every answer; what it has already stays.
static ALWAYS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, CSP),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(), geolocation=()"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Two years, as the preload list asks for.
const HSTS: &str = "max-age=63072000; includeSubDomains";

/// The policy of a page whose form ends at another origin: browsers look at where the answer redirects to as well.
pub fn policy_with_form_to(origin: &str) -> String {
    CSP.replace("form-action 'self'", &format!("form-action 'self' {origin}"))
}

/// Puts them on; `https` where browsers reach us over TLS (MN-14).
pub fn secure(headers: &mut HeaderMap, https: bool) {
    for (name, value) in &ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
}
