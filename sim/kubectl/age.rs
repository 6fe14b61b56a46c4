//! Points in time as kubectl shows them: ages and dates.
//!
//! Source: apimachinery `util/duration` (`HumanDuration`), Go's `time.RFC1123Z`.

use jiff::Timestamp;
use serde_json::Value;

const SECOND: i64 = 1_000_000;

/// A timestamp of an object in microseconds since 1970, or `None` when it is missing or null.
pub(crate) fn instant(value: &Value) -> Option<i64> {
    value.as_str()?.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

/// The time from `value` to `now` (microseconds), as kubectl prints ages; `<unknown>` for a missing timestamp.
pub(crate) fn since(value: &Value, now: i64) -> String {
    match instant(value) {
        Some(then) => human_duration(now.saturating_sub(then)),
        None => "<unknown>".to_owned(),
    }
}

/// A duration in microseconds in kubectl's short form: `5s`, `2m1s`, `10m`, `3h20m`, `2d4h`, `2y3d`.
pub fn human_duration(duration: i64) -> String {
    let seconds = duration / SECOND;
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    if seconds < 0 {
        return "0s".to_owned();
    }
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let two = |whole: i64, unit: &str, part: i64, part_unit: &str| match part {
        0 => format!("{whole}{unit}"),
        part => format!("{whole}{unit}{part}{part_unit}"),
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 192 => two(hours / 24, "d", hours % 24, "h"),
        () if hours < 24 * 365 * 2 => format!("{}d", hours / 24),
        () if hours < 24 * 365 * 8 => two(hours / 24 / 365, "y", hours / 24 % 365, "d"),
        () => format!("{}y", hours / 24 / 365),
    }
}

/// A timestamp as `Fri, 20 Nov 2026 17:35:30 +0000`; Go's zero time when it is missing.
pub(crate) fn date(value: &Value) -> String {
    match instant(value).and_then(|instant| Timestamp::from_microsecond(instant).ok()) {
        Some(timestamp) => timestamp.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
        None => "Mon, 01 Jan 0001 00:00:00 +0000".to_owned(),
    }
}

/// A timestamp as Go prints a `metav1.Time` with `%s`: `2026-11-20 17:35:30 +0000 UTC`.
pub(crate) fn plain_date(value: &Value) -> String {
    match instant(value).and_then(|instant| Timestamp::from_microsecond(instant).ok()) {
        Some(timestamp) => timestamp.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
        None => "0001-01-01 00:00:00 +0000 UTC".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_or_two_units() {
        let hour = 3600 * SECOND;
        let table = [
            (-2 * SECOND, "<invalid>"),
            (-SECOND, "0s"),
            (119 * SECOND, "119s"),
            (120 * SECOND, "2m"),
            (121 * SECOND, "2m1s"),
            (600 * SECOND + 1, "10m"),
            (179 * 60 * SECOND, "179m"),
            (3 * hour, "3h"),
            (3 * hour + 60 * SECOND, "3h1m"),
            (47 * hour, "47h"),
            (49 * hour, "2d1h"),
            (192 * hour, "8d"),
            (24 * 365 * 2 * hour, "2y"),
            (24 * (365 * 2 + 1) * hour, "2y1d"),
            (24 * 365 * 9 * hour, "9y"),
        ];
        for (duration, text) in table {
            assert_eq!(human_duration(duration), text);
        }
    }
}
