//! How long a job may run and how long it may take altogether.

use std::time::Duration;

use super::FieldError;

/// Allowed run time of one execution, in seconds.
pub const TIMEOUT_SECONDS: std::ops::RangeInclusive<u64> = 1..=3600;
/// Allowed time from acceptance to the last possible start, in seconds.
pub const DEADLINE_SECONDS: std::ops::RangeInclusive<u64> = 1..=86_400;

/// What applies to a request that does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// Run time of one execution.
    pub timeout: Duration,
    /// From acceptance to the end of waiting.
    pub deadline: Duration,
    /// How often an execution may be started.
    pub max_attempts: u32,
}

/// The limits of one job. The timeout is never longer than the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// Longest run of one execution; at its start it is also capped by what is left until the deadline.
    pub timeout: Duration,
    /// From acceptance to the end of waiting.
    pub deadline: Duration,
}

fn in_range(
    field: &str,
    seconds: Option<u64>,
    range: &std::ops::RangeInclusive<u64>,
    default: Duration,
) -> Result<Duration, FieldError> {
    match seconds {
        None => Ok(default),
        Some(seconds) if range.contains(&seconds) => Ok(Duration::from_secs(seconds)),
        Some(_) => Err(FieldError::new(field, format!("expected {} to {} seconds", range.start(), range.end()))),
    }
}

/// Every limit that is out of its range, in seconds.
#[must_use]
pub fn out_of_ranges(timeout_seconds: Option<u64>, deadline_seconds: Option<u64>) -> Vec<FieldError> {
    let timeout = in_range("timeout_seconds", timeout_seconds, &TIMEOUT_SECONDS, Duration::ZERO);
    let deadline = in_range("deadline_seconds", deadline_seconds, &DEADLINE_SECONDS, Duration::ZERO);
    timeout.err().into_iter().chain(deadline.err()).collect()
}

impl TimeLimits {
    /// The limits of a request: what it asks for, in seconds, completed by `defaults`.
    ///
    /// The `own` timeout of its operation wins over a default one, and is capped by one that was asked for. A default
    /// or own timeout gives way to a shorter deadline; a timeout that was asked for does not.
    ///
    /// # Errors
    /// Every field that is out of range, or a timeout above the deadline.
    pub fn resolve(
        timeout_seconds: Option<u64>,
        deadline_seconds: Option<u64>,
        own: Option<Duration>,
        defaults: &Defaults,
    ) -> Result<Self, Vec<FieldError>> {
        let timeout = in_range("timeout_seconds", timeout_seconds, &TIMEOUT_SECONDS, defaults.timeout);
        let deadline = in_range("deadline_seconds", deadline_seconds, &DEADLINE_SECONDS, defaults.deadline);
        match (timeout, deadline) {
            (Ok(timeout), Ok(deadline)) if timeout_seconds.is_some() && timeout > deadline => {
                let allowed = format!("expected at most deadline_seconds, which is {}", deadline.as_secs());
                Err(vec![FieldError::new("timeout_seconds", allowed)])
            }
            (Ok(timeout), Ok(deadline)) => {
                let timeout = match own {
                    Some(own) if timeout_seconds.is_some() => own.min(timeout),
                    Some(own) => own,
                    None => timeout,
                };
                Ok(Self { timeout: timeout.min(deadline), deadline })
            }
            (timeout, deadline) => Err(timeout.err().into_iter().chain(deadline.err()).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: Defaults =
        Defaults { timeout: Duration::from_secs(30), deadline: Duration::from_hours(1), max_attempts: 3 };

    fn resolve(timeout: Option<u64>, deadline: Option<u64>) -> Result<(u64, u64), Vec<String>> {
        TimeLimits::resolve(timeout, deadline, None, &DEFAULTS)
            .map(|limits| (limits.timeout.as_secs(), limits.deadline.as_secs()))
            .map_err(|errors| errors.into_iter().map(|error| error.field).collect())
    }

    #[test]
    fn the_edges_of_the_ranges_are_allowed() {
        assert_eq!(resolve(None, None), Ok((30, 3600)));
        assert_eq!(resolve(Some(1), Some(1)), Ok((1, 1)));
        assert_eq!(resolve(Some(3600), Some(86_400)), Ok((3600, 86_400)));
    }

    #[test]
    fn each_field_out_of_range_is_named() {
        let timeout = || vec!["timeout_seconds".to_owned()];
        assert_eq!(resolve(Some(0), None), Err(timeout()));
        assert_eq!(resolve(Some(3601), None), Err(timeout()));
        assert_eq!(resolve(None, Some(86_401)), Err(vec!["deadline_seconds".to_owned()]));
        assert_eq!(resolve(Some(0), Some(0)), Err(vec!["timeout_seconds".to_owned(), "deadline_seconds".to_owned()]));
    }

    #[test]
    fn a_requested_timeout_above_the_deadline_is_refused_and_a_default_one_gives_way() {
        assert_eq!(resolve(Some(11), Some(10)), Err(vec!["timeout_seconds".to_owned()]));
        assert_eq!(resolve(None, Some(10)), Ok((10, 10)));
    }
    #[test]
    fn the_operations_own_timeout_wins_over_the_default_and_is_capped_by_what_was_asked_for() {
        let timeout = |asked, deadline, own| {
            let limits = TimeLimits::resolve(asked, deadline, Some(Duration::from_secs(own)), &DEFAULTS);
            limits.map(|limits| limits.timeout.as_secs())
        };
        assert_eq!(timeout(None, None, 120), Ok(120));
        assert_eq!(timeout(None, None, 5), Ok(5));
        assert_eq!(timeout(Some(60), None, 120), Ok(60));
        assert_eq!(timeout(Some(60), None, 5), Ok(5));
        assert_eq!(timeout(None, Some(10), 120), Ok(10));
    }
}
