//! `node.uptime.get`: `/proc/uptime` (`proc_uptime(5)`).

use super::host_files::HostFiles;

/// Seconds since the host started.
pub(super) fn read(files: &HostFiles) -> Result<f64, String> {
    parse(&files.read_text("/proc/uptime")?).ok_or_else(|| "/proc/uptime does not begin with seconds".to_owned())
}

fn parse(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_number_counts() {
        assert_eq!(parse("351735.47 234388.90\n"), Some(351_735.47));
        for wrong in ["", "soon 1", "-1 2", "NaN", "inf 3"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in ".*") {
            let _ = parse(&text);
        }
    }
}
