//! The one place where the process asks what time it is.

/// Microseconds since 1970-01-01 UTC, as the machine's clock says. It may step back; nothing relies on it for order.
#[expect(clippy::disallowed_methods, reason = "the clock enters here and is passed on as a number")]
pub fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}

/// Seconds east of Greenwich in Japan, where there is no summer time.
pub const JAPAN_S: i64 = 32_400;
