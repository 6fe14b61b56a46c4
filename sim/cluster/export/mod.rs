//! Objects as the real API would show them.

mod event;
mod meta;
mod node;
mod object;
mod pod;

use crate::engine::Time;

/// RFC 3339 in UTC with whole seconds, as `metav1.Time` is written.
pub fn rfc3339(epoch_seconds: i64, at: Time) -> String {
    let second = epoch_seconds.saturating_add(i64::try_from(at.as_secs()).unwrap_or(i64::MAX));
    jiff::Timestamp::from_second(second).map_or_else(|_| "9999-12-31T23:59:59Z".to_owned(), |t| t.to_string())
}

/// RFC 3339 in UTC with microseconds, as `metav1.MicroTime` is written.
pub fn rfc3339_micro(epoch_seconds: i64, at: Time) -> String {
    let seconds = rfc3339(epoch_seconds, at);
    format!("{}.{:06}Z", seconds.trim_end_matches('Z'), at.as_micros() % 1_000_000)
}
