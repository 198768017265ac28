//! What makes a histogram consistent, and what it says about a quantile.

use std::collections::BTreeMap;

use super::{Labels, Page, Sample};

#[derive(Default)]
struct Parts {
    /// Upper bound and cumulative count, in the order of the page.
    buckets: Vec<(f64, f64)>,
    sum: Option<f64>,
    count: Option<f64>,
}

fn bound(sample: &Sample) -> Result<f64, String> {
    match sample.labels.get("le").map(String::as_str) {
        Some("+Inf") => Ok(f64::INFINITY),
        Some(text) => text.parse().map_err(|_| "a bound that is not a number".to_owned()),
        None => Err("a bucket without a bound".to_owned()),
    }
}

pub(super) fn check(samples: &[Sample]) -> Result<(), String> {
    let mut histograms: BTreeMap<Labels, Parts> = BTreeMap::new();
    for sample in samples {
        let labels = sample.labels.iter().filter(|(name, _)| *name != "le");
        let parts = histograms.entry(labels.map(|(name, value)| (name.clone(), value.clone())).collect()).or_default();
        match sample.name.rsplit_once('_').map(|(_, suffix)| suffix) {
            Some("bucket") => parts.buckets.push((bound(sample)?, sample.value)),
            Some("sum") => parts.sum = Some(sample.value),
            _ => parts.count = Some(sample.value),
        }
    }
    histograms.values().try_for_each(check_one)
}

fn check_one(parts: &Parts) -> Result<(), String> {
    let (Some(_), Some(count)) = (parts.sum, parts.count) else {
        return Err("a histogram without its sum or count".to_owned());
    };
    if parts.buckets.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err("bounds do not ascend".to_owned());
    }
    if parts.buckets.windows(2).any(|pair| pair[0].1 > pair[1].1) {
        return Err("counts of buckets decrease".to_owned());
    }
    match parts.buckets.last() {
        Some((bound, last)) if bound.is_infinite() && (last - count).abs() < f64::EPSILON => Ok(()),
        _ => Err("the last bucket is not +Inf with the count".to_owned()),
    }
}

impl Page {
    /// What `histogram_quantile(q, …)` gives for all series of a histogram together.
    pub(crate) fn quantile(&self, q: f64, family: &str) -> f64 {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for sample in self.samples(&format!("{family}_bucket")) {
            let bound = bound(sample).expect("the page was checked");
            match buckets.iter_mut().find(|(other, _)| other.total_cmp(&bound).is_eq()) {
                Some((_, count)) => *count += sample.value,
                None => buckets.push((bound, sample.value)),
            }
        }
        let rank = q * buckets.last().expect("the histogram is there").1;
        let at = buckets.iter().position(|(_, count)| *count >= rank).expect("the last one holds all");
        let (lower, before) = at.checked_sub(1).map_or((0.0, 0.0), |previous| buckets[previous]);
        let (upper, count) = buckets[at];
        if upper.is_infinite() { lower } else { lower + (upper - lower) * (rank - before) / (count - before) }
    }
}
