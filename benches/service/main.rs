//! What the service does in a second, and what it needs for that: the release binary, over loopback HTTP.
//!
//! `docs/benchmarks.md` says what each figure means. Client and service share the processors, and with whatever else
//! the machine does: ratios within one run say more than figures of two runs.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod client;
mod comparisons;
mod fleet;
mod footprint;
mod full_store;
mod instructions;
mod jobs;
mod large_store;
mod pages;
mod report;
mod scene;
mod server;
mod submits;

use scene::Effort;

/// A part of the report, by name.
type Part = (&'static str, fn(Effort));

const PARTS: &[Part] = &[
    ("footprint", footprint::run),
    ("submits", submits::run),
    ("jobs", jobs::run),
    ("pages", pages::run),
    ("metrics", comparisons::metrics),
    ("durability", comparisons::durability),
    ("instructions", instructions::run),
    ("fleet", fleet::run),
    ("large-store", large_store::run),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let effort = if words.iter().any(|word| word == "--quick") { Effort::Quick } else { Effort::Full };
    let chosen: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    if let ["against", other] = chosen[..] {
        return comparisons::against(other, effort);
    }
    for (name, run) in PARTS {
        if chosen.is_empty() || chosen.contains(name) {
            run(effort);
        }
    }
}
