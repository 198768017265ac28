//! What is known about a family of series before any is recorded.

/// What an instrument does, and with it how its family is typed on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Counts up as things happen.
    Counter,
    /// Counts up and down as things happen.
    UpDownCounter,
    /// Holds the last value that was set.
    Gauge,
    /// Sorts values into buckets.
    Histogram,
    /// A total that is read when the page is made; its series vanish with their subject.
    ObservableCounter,
    /// A value that is read when the page is made; its series vanish with their subject.
    ObservableGauge,
    /// Written by the exporter itself.
    Info,
}

impl Kind {
    /// The word behind `# TYPE`.
    #[must_use]
    pub const fn exported(self) -> &'static str {
        match self {
            Self::Counter | Self::ObservableCounter => "counter",
            Self::Histogram => "histogram",
            Self::UpDownCounter | Self::Gauge | Self::ObservableGauge | Self::Info => "gauge",
        }
    }
}

/// What may change about a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stability {
    /// Name, labels and meaning change with a major version only.
    Stable,
    /// It follows the runtime underneath and may change with any version.
    Development,
}

impl Stability {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Development => "development",
        }
    }
}

/// A label of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name on the page.
    pub name: &'static str,
    /// What its values are, for the documentation.
    pub values: &'static str,
    /// How many values it can take.
    pub at_most: usize,
}

/// A family of series: one `# TYPE` on the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Family {
    /// The name of the instrument, without what the exporter adds for unit and kind.
    pub instrument: &'static str,
    /// The name on the page.
    pub name: &'static str,
    /// What its instrument does.
    pub kind: Kind,
    /// The unit of its values, by UCUM: `s`, `By`, or an annotation such as `{job}`, which the exporter does not write.
    pub unit: &'static str,
    /// Its labels, ordered by name: that is the order in which they are recorded.
    pub labels: &'static [Label],
    /// The text behind `# HELP`.
    pub help: &'static str,
    /// What may change about it.
    pub stability: Stability,
    /// The upper bounds of a histogram's buckets, in its unit; empty for all other kinds.
    pub buckets: &'static [f64],
    /// Whether every API process reports the same value, so that a query takes `max()` and never `sum()`.
    pub same_everywhere: bool,
    /// Series per route of the API, where the product of its labels would be far more than can occur.
    pub per_route: Option<usize>,
}

impl Family {
    /// A stable family without labels.
    #[must_use]
    pub(super) const fn new(
        kind: Kind,
        instrument: &'static str,
        name: &'static str,
        unit: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            instrument,
            name,
            kind,
            unit,
            labels: &[],
            help,
            stability: Stability::Stable,
            buckets: &[],
            same_everywhere: false,
            per_route: None,
        }
    }

    pub(super) const fn labels(mut self, labels: &'static [Label]) -> Self {
        self.labels = labels;
        self
    }

    pub(super) const fn buckets(mut self, buckets: &'static [f64]) -> Self {
        self.buckets = buckets;
        self
    }

    pub(super) const fn same_everywhere(mut self) -> Self {
        self.same_everywhere = true;
        self
    }

    pub(super) const fn per_route(mut self, series: usize) -> Self {
        self.per_route = Some(series);
        self
    }

    pub(super) const fn in_development(mut self) -> Self {
        self.stability = Stability::Development;
        self
    }

    /// How many series it can have when the API has so many routes; what would come after is put into one series with
    /// the label `otel_metric_overflow`.
    #[must_use]
    pub fn series_limit(&self, routes: usize) -> usize {
        let limit = match self.per_route {
            Some(series) => series * routes,
            None => self.labels.iter().map(|label| label.at_most).product(),
        };
        limit.max(1)
    }
}
