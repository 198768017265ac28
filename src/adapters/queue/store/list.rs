//! Lists of jobs, newest first, at a cost that does not grow with the number of jobs.

use rusqlite::{Connection, ToSql};

use super::rows::{JOB, summary};
use crate::{
    domain::JobSummary,
    ports::driven::{JobFilter, JobPage, PageRequest},
};

/// Rows that are looked at for one page when no index covers all filters together; the page may be short then.
const LOOKED_AT: u32 = 2_000;

/// Where a list finds its jobs, newest first: the narrowest index that there is for the filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    All,
    Worker,
    Target,
    Status,
    Operation,
    StatusAndOperation,
}

impl Source {
    const fn of(filter: &JobFilter) -> Self {
        match filter {
            JobFilter { worker: Some(_), .. } => Self::Worker,
            JobFilter { target: Some(_), .. } => Self::Target,
            JobFilter { status: Some(_), operation: Some(_), .. } => Self::StatusAndOperation,
            JobFilter { status: Some(_), .. } => Self::Status,
            JobFilter { operation: Some(_), .. } => Self::Operation,
            JobFilter { .. } => Self::All,
        }
    }

    /// Whether its index answers all filters by itself.
    const fn covers(self, filter: &JobFilter) -> bool {
        match self {
            Self::Worker => filter.target.is_none() && filter.status.is_none() && filter.operation.is_none(),
            Self::Target => filter.status.is_none() && filter.operation.is_none(),
            _ => true,
        }
    }

    const fn sql(self) -> &'static str {
        match self {
            Self::All => "SELECT id FROM job WHERE id < :before ORDER BY id DESC LIMIT :limit",
            Self::Worker => {
                "SELECT DISTINCT job_id AS id FROM execution INDEXED BY execution_by_worker \
                 WHERE worker = :worker AND job_id < :before ORDER BY job_id DESC LIMIT :limit"
            }
            Self::Target => {
                "SELECT id FROM job INDEXED BY job_by_target \
                 WHERE target = :target AND id < :before ORDER BY id DESC LIMIT :limit"
            }
            Self::Status => {
                "SELECT id FROM job INDEXED BY job_by_status \
                 WHERE status = :status AND id < :before ORDER BY id DESC LIMIT :limit"
            }
            Self::Operation => {
                "SELECT id FROM job INDEXED BY job_by_operation \
                 WHERE operation = :operation AND id < :before ORDER BY id DESC LIMIT :limit"
            }
            Self::StatusAndOperation => {
                "SELECT id FROM job INDEXED BY job_by_status_operation \
                 WHERE status = :status AND operation = :operation AND id < :before ORDER BY id DESC LIMIT :limit"
            }
        }
    }
}

/// One page. What the index does not answer is checked row by row, on a bounded number of rows.
pub(in crate::adapters::queue) fn page(connection: &Connection, request: &PageRequest) -> rusqlite::Result<JobPage> {
    let filter = &request.filter;
    let source = Source::of(filter);
    let limit = if source.covers(filter) { request.limit + 1 } else { LOOKED_AT };
    let before = request.before.map_or([0xff; 16], |id| *id.as_uuid().as_bytes());
    let status = filter.status.map(crate::domain::status::JobStatus::as_str);
    let operation = filter.operation.map(crate::domain::operation::OperationKind::name);
    let target = filter.target.as_ref().map(ToString::to_string);
    let worker = filter.worker.as_ref().map(ToString::to_string);
    let mut values: Vec<(&str, &dyn ToSql)> = vec![(":before", &before), (":limit", &limit)];
    match source {
        Source::All => {}
        Source::Worker => values.push((":worker", &worker)),
        Source::Target => values.push((":target", &target)),
        Source::Status => values.push((":status", &status)),
        Source::Operation => values.push((":operation", &operation)),
        Source::StatusAndOperation => values.extend([(":status", &status as &dyn ToSql), (":operation", &operation)]),
    }

    let sql = format!("SELECT {JOB} FROM job JOIN ({}) AS found USING (id) ORDER BY id DESC", source.sql());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(&values[..])?;
    let (mut page, mut looked_at, mut last) = (JobPage::default(), 0, None);
    while let Some(row) = rows.next()? {
        // One more than asked for shows that there is a next page.
        if page.jobs.len() == request.limit as usize {
            page.next = page.jobs.last().map(|job| job.id);
            return Ok(page);
        }
        let job = summary(row)?;
        (looked_at, last) = (looked_at + 1, Some(job.id));
        if fits(&job, filter) {
            page.jobs.push(job);
        }
    }
    page.next = last.filter(|_| looked_at == LOOKED_AT);
    Ok(page)
}

fn fits(job: &JobSummary, filter: &JobFilter) -> bool {
    filter.status.is_none_or(|status| job.status == status)
        && filter.operation.is_none_or(|operation| job.kind() == operation)
        && filter.target.as_ref().is_none_or(|target| job.target == *target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::queue::store::migrate;

    #[test]
    fn every_list_searches_an_index_and_sorts_no_more_than_a_page() {
        let mut connection = Connection::open_in_memory().expect("opens");
        migrate(&mut connection).expect("migrates");
        for source in
            [Source::All, Source::Worker, Source::Target, Source::Status, Source::Operation, Source::StatusAndOperation]
        {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", source.sql())).expect("prepares");
            let mut rows = statement.raw_query();
            let mut plan = String::new();
            while let Some(row) = rows.next().expect("explains") {
                plan.push_str(row.get_ref(3).expect("a line").as_str().expect("text"));
                plan.push_str("; ");
            }
            assert!(plan.contains("SEARCH") && !plan.contains("SCAN"), "{source:?}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{source:?}: {plan}");
        }
    }

    #[test]
    fn a_page_that_looked_at_many_jobs_in_vain_goes_on() {
        let mut connection = Connection::open_in_memory().expect("opens");
        migrate(&mut connection).expect("migrates");
        let id = |number: u32| {
            let bytes = 0x0190_0000_0000_7000_8000_0000_0000_0000_u128 + u128::from(number);
            uuid::Uuid::from_u128(bytes).into_bytes()
        };
        // The one that is looked for is older than more jobs than one page looks at.
        for number in 0..=LOOKED_AT + 10 {
            let status = if number == 5 { "failed" } else { "completed" };
            connection
                .prepare_cached(
                    "INSERT INTO job (id, operation, effect, target, status, timeout, max_attempts, created_at, \
                     deadline_at, created_by, bytes) \
                     VALUES (?1, 'node.load.get', 'read', 'web-1', ?2, 1, 1, 1, 1, 'a', 1)",
                )
                .and_then(|mut insert| insert.execute((id(number), status)))
                .expect("inserts");
        }
        let filter = JobFilter {
            target: Some("web-1".parse().expect("a target")),
            status: Some(crate::domain::JobStatus::Failed),
            ..JobFilter::default()
        };
        let first = page(&connection, &PageRequest { filter: filter.clone(), before: None, limit: 20 }).expect("reads");
        assert!(first.jobs.is_empty() && first.next.is_some(), "{first:?}");
        let second = page(&connection, &PageRequest { filter, before: first.next, limit: 20 }).expect("reads");
        let found: Vec<[u8; 16]> = second.jobs.iter().map(|job| *job.id.as_uuid().as_bytes()).collect();
        assert_eq!((found, second.next), (vec![id(5)], None));
    }
}
