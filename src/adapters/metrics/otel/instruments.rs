//! Instruments, built from rows of the catalogue.

use std::collections::HashMap;

use opentelemetry::{
    KeyValue,
    metrics::{
        AsyncInstrument, BoundCounter, BoundHistogram, BoundUpDownCounter, Counter, Gauge, Histogram, Meter,
        UpDownCounter,
    },
};
use opentelemetry_sdk::metrics::{Aggregation, Instrument, Stream};

use super::{
    config::SetupError,
    observation::{Observation, Observed},
};
use crate::adapters::metrics::catalogue::{Family, Kind, families};

pub(super) type BoundCount = BoundCounter<u64>;
pub(super) type BoundLevel = BoundUpDownCounter<i64>;
pub(super) type BoundTimes = BoundHistogram<f64>;

/// Builds instruments. All of them belong to one meter: the same name from two would be on the page twice.
pub(super) struct Instruments {
    pub(super) meter: Meter,
    pub(super) observed: Observed,
}

impl Instruments {
    pub(super) fn counter(&self, family: &Family) -> Counter<u64> {
        debug_assert_eq!(family.kind, Kind::Counter, "{}", family.name);
        self.meter.u64_counter(family.instrument).with_description(family.help).with_unit(family.unit).build()
    }

    pub(super) fn up_down_counter(&self, family: &Family) -> UpDownCounter<i64> {
        debug_assert_eq!(family.kind, Kind::UpDownCounter, "{}", family.name);
        self.meter.i64_up_down_counter(family.instrument).with_description(family.help).with_unit(family.unit).build()
    }

    pub(super) fn gauge(&self, family: &Family) -> Gauge<f64> {
        debug_assert_eq!(family.kind, Kind::Gauge, "{}", family.name);
        self.meter.f64_gauge(family.instrument).with_description(family.help).with_unit(family.unit).build()
    }

    pub(super) fn histogram(&self, family: &Family) -> Histogram<f64> {
        debug_assert_eq!(family.kind, Kind::Histogram, "{}", family.name);
        self.meter.f64_histogram(family.instrument).with_description(family.help).with_unit(family.unit).build()
    }

    /// An instrument whose series are those that `read` reports for the observation of the page.
    pub(super) fn observable(
        &self,
        family: &Family,
        read: impl Fn(&Observation, &mut dyn FnMut(f64, &[KeyValue])) + Send + Sync + 'static,
    ) {
        let (observed, name) = (self.observed.clone(), family.name);
        let callback = move |instrument: &dyn AsyncInstrument<f64>| {
            observed.guarded(name, |observation| {
                read(observation, &mut |value, labels| instrument.observe(value, labels));
            });
        };
        match family.kind {
            Kind::ObservableCounter => {
                self.meter
                    .f64_observable_counter(family.instrument)
                    .with_description(family.help)
                    .with_unit(family.unit)
                    .with_callback(callback)
                    .build();
            }
            kind => {
                debug_assert_eq!(kind, Kind::ObservableGauge, "{}", family.name);
                self.meter
                    .f64_observable_gauge(family.instrument)
                    .with_description(family.help)
                    .with_unit(family.unit)
                    .with_callback(callback)
                    .build();
            }
        }
    }
}

/// The labels of one series, in the order of the catalogue.
pub(super) fn labels<const N: usize>(family: &Family, values: [&str; N]) -> [KeyValue; N] {
    debug_assert_eq!(family.labels.len(), N, "{}", family.name);
    let mut names = family.labels.iter().map(|label| label.name);
    values.map(|value| KeyValue::new(names.next().unwrap_or_default(), value.to_owned()))
}

/// A count as the page writes it.
#[expect(clippy::cast_precision_loss, reason = "Prometheus's values are floats, exact up to 2^53")]
pub(super) const fn exact(value: u64) -> f64 {
    value as f64
}

/// The view that gives every instrument its own number of series and its buckets.
pub(super) fn view(routes: usize) -> Result<impl Fn(&Instrument) -> Option<Stream> + Send + Sync, SetupError> {
    let families: HashMap<&str, &Family> = families().map(|family| (family.instrument, family)).collect();
    for family in families.values() {
        stream(family, routes)?;
    }
    Ok(move |instrument: &Instrument| families.get(instrument.name()).and_then(|family| stream(family, routes).ok()))
}

fn stream(family: &Family, routes: usize) -> Result<Stream, SetupError> {
    let mut stream = Stream::builder().with_cardinality_limit(family.series_limit(routes));
    if family.kind == Kind::Histogram {
        let boundaries = family.buckets.to_vec();
        stream = stream.with_aggregation(Aggregation::ExplicitBucketHistogram { boundaries, record_min_max: false });
    }
    stream.build().map_err(|error| SetupError(format!("{}: {error}", family.name)))
}
