//! Figures on paper: medians, percentiles, and the budget beside each.

use std::time::Duration;

/// The value below which this share of all values lies. `sorted` must be in order.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// Two of them.
pub(crate) fn p50_p99(sorted: &[Duration]) -> String {
    format!("{}, {}", time(percentile(sorted, 50)), time(percentile(sorted, 99)))
}

/// The middle one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// So many in this time, each second.
pub(crate) fn per_second(count: usize, time: Duration) -> f64 {
    f64::from(u32::try_from(count).expect("a bounded load")) / time.as_secs_f64()
}

/// What each took of this time.
pub(crate) fn each(time: Duration, count: usize) -> Duration {
    time / u32::try_from(count).expect("a bounded load")
}

/// Begins a part of the report.
pub(crate) fn part(title: &str) {
    println!("\n{title}");
}

/// One figure.
pub(crate) fn line(what: &str, figure: &str, budget: &str) {
    let budget = if budget.is_empty() { String::new() } else { format!("  budget {budget}") };
    println!("  {what:<56} {figure:>24}{budget}");
}

/// So many each second.
pub(crate) fn rate(per_second: f64) -> String {
    format!("{per_second:.0}/s")
}

/// A time, to three digits.
pub(crate) fn time(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        ..1_000.0 => format!("{micros:.0} µs"),
        ..10_000.0 => format!("{:.2} ms", micros / 1e3),
        ..1_000_000.0 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

/// An amount of memory.
pub(crate) fn mebibytes(kibibytes: u64) -> String {
    format!("{}.{} MiB", kibibytes / 1024, kibibytes % 1024 * 10 / 1024)
}
