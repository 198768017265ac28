//! `node.load.get`: `/proc/loadavg` (`proc_loadavg(5)`), and the processors that are online.

use super::host_files::HostFiles;
use crate::domain::operation::node_load_get::NodeLoad;

pub(super) fn read(files: &HostFiles) -> Result<NodeLoad, String> {
    let averages = averages(&files.read_text("/proc/loadavg")?);
    let averages = averages.ok_or_else(|| "/proc/loadavg does not begin with three averages".to_owned())?;
    Ok(NodeLoad { load1: averages[0], load5: averages[1], load15: averages[2], cpus: cpus(files)? })
}

fn averages(text: &str) -> Option<[f64; 3]> {
    let mut numbers = text
        .split_whitespace()
        .map(|word| word.parse().ok().filter(|average: &f64| average.is_finite() && *average >= 0.0));
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

/// Processors that are online; old and small systems have only the second file.
fn cpus(files: &HostFiles) -> Result<u32, String> {
    let online = files.read_text("/sys/devices/system/cpu/online").ok().and_then(|text| count(text.trim()));
    if let Some(online) = online {
        return Ok(online);
    }
    let listed = files.read_text("/proc/cpuinfo")?.lines().filter(|line| line.starts_with("processor")).count();
    match u32::try_from(listed) {
        Ok(listed) if listed > 0 => Ok(listed),
        _ => Err("neither /sys/devices/system/cpu/online nor /proc/cpuinfo lists a processor".to_owned()),
    }
}

/// The length of a list such as `0-3,8`.
fn count(text: &str) -> Option<u32> {
    let mut total: u32 = 0;
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        total = total.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_of_processors_are_counted() {
        for (list, expected) in [
            ("0", Some(1)),
            ("0-3", Some(4)),
            ("0-1,4,6-7", Some(5)),
            ("", None),
            ("3-0", None),
            ("0-4294967295", None),
        ] {
            assert_eq!(count(list), expected, "{list}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in ".*") {
            let _ = (averages(&text), count(&text));
        }

        #[test]
        fn averages_read_back(load in prop::array::uniform3(0.0..1e6_f64)) {
            let [one, five, fifteen] = load;
            prop_assert_eq!(averages(&format!("{one} {five} {fifteen} 1/234 5678\n")), Some(load));
        }
    }
}
