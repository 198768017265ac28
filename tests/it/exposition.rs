//! A strict reader of the Prometheus text format 0.0.4.
//!
//! It refuses what Prometheus would read but should never see: doubled series, families in pieces, doubled suffixes,
//! histograms that contradict themselves. `broken_pages` shows that each rule can be broken.

mod broken_pages;
mod histograms;
mod lines;

use std::collections::{BTreeMap, HashSet};

use lines::{Line, read_line};

/// Labels by name.
pub(crate) type Labels = BTreeMap<String, String>;

/// One line with a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) value: f64,
}

/// Everything under one `# TYPE`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) samples: Vec<Sample>,
}

/// A page that keeps all the rules.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    pub(crate) families: BTreeMap<String, Family>,
}

impl Page {
    /// Reads a page; the error names the line and the rule that it breaks.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let body = text.strip_suffix('\n').ok_or("the page does not end with a line feed")?;
        let mut reader = Reader::default();
        for (number, line) in body.split('\n').enumerate() {
            reader.read(line).map_err(|error| format!("line {}: {error}: {line}", number + 1))?;
        }
        reader.end_family()?;
        Ok(Self { families: reader.families })
    }

    /// The samples with this name, whatever their family.
    pub(crate) fn samples<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.families.values().flat_map(|family| &family.samples).filter(move |sample| sample.name == name)
    }

    /// The value of the one sample with this name and exactly these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: Labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples(name).find(|sample| sample.labels == labels).map(|sample| sample.value)
    }

    /// The sum over all samples with this name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.samples(name).map(|sample| sample.value).sum()
    }

    /// How many lines carry a value.
    pub(crate) fn len(&self) -> usize {
        self.families.values().map(|family| family.samples.len()).sum()
    }

    /// Names of families whose series did not fit into their limit.
    pub(crate) fn overflowed(&self) -> Vec<&str> {
        let overflow = |sample: &Sample| sample.labels.contains_key("otel_metric_overflow");
        let names = self.families.iter().filter(|(_, family)| family.samples.iter().any(overflow));
        names.map(|(name, _)| name.as_str()).collect()
    }
}

#[derive(Default)]
struct Reader {
    families: BTreeMap<String, Family>,
    current: Option<(String, Family)>,
    seen: HashSet<(String, Labels)>,
}

impl Reader {
    fn read(&mut self, line: &str) -> Result<(), String> {
        match read_line(line)? {
            Line::Help { name, text } => {
                self.end_family()?;
                check_name(name)?;
                if self.families.contains_key(name) {
                    return Err("the family was there before".to_owned());
                }
                let family = Family { kind: String::new(), help: text.to_owned(), samples: Vec::new() };
                self.current = Some((name.to_owned(), family));
            }
            Line::Type { name, kind } => {
                let (_, family) =
                    self.current.as_mut().filter(|(own, _)| own == name).ok_or("a type without the help before it")?;
                if !family.kind.is_empty() {
                    return Err("a second type".to_owned());
                }
                check_kind(name, kind)?;
                kind.clone_into(&mut family.kind);
            }
            Line::Sample(sample) => self.sample(sample)?,
        }
        Ok(())
    }

    fn sample(&mut self, sample: Sample) -> Result<(), String> {
        let (family_name, family) = self.current.as_mut().ok_or("a sample outside of a family")?;
        let suffix = sample.name.strip_prefix(family_name.as_str()).ok_or("a sample of another family")?;
        let fits = match family.kind.as_str() {
            "" => return Err("a sample before the type".to_owned()),
            "histogram" => matches!(suffix, "_bucket" | "_sum" | "_count"),
            _ => suffix.is_empty(),
        };
        if !fits {
            return Err("a sample of another family".to_owned());
        }
        if sample.labels.contains_key("le") != (suffix == "_bucket") {
            return Err("`le` belongs to buckets, and to nothing else".to_owned());
        }
        if !sample.value.is_finite() || family.kind != "gauge" && sample.value < 0.0 {
            return Err("a value that this type cannot have".to_owned());
        }
        if !self.seen.insert((sample.name.clone(), sample.labels.clone())) {
            return Err("the series was there before".to_owned());
        }
        family.samples.push(sample);
        Ok(())
    }

    fn end_family(&mut self) -> Result<(), String> {
        let Some((name, family)) = self.current.take() else { return Ok(()) };
        if family.samples.is_empty() {
            return Err(format!("{name}: a family without samples"));
        }
        if family.kind == "histogram" {
            histograms::check(&family.samples).map_err(|error| format!("{name}: {error}"))?;
        }
        self.families.insert(name, family);
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let words: Vec<&str> = name.split('_').collect();
    if words.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("a doubled word in a name".to_owned());
    }
    if words.contains(&"ratio") {
        return Err("`ratio`: the unit was 1".to_owned());
    }
    Ok(())
}

fn check_kind(name: &str, kind: &str) -> Result<(), String> {
    if !matches!(kind, "counter" | "gauge" | "histogram") {
        return Err("an unknown type".to_owned());
    }
    if (kind == "counter") != name.ends_with("_total") {
        return Err("`_total` is the ending of counters, and of nothing else".to_owned());
    }
    Ok(())
}
