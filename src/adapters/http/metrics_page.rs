//! The metrics page on the wire: Prometheus's text format 0.0.4, in time or not at all.

use std::{io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};
use poem::{
    IntoResponse, Request, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};

use super::{
    problem::{ApiError, header_of},
    problem_kind::ProblemKind,
};
use crate::ports::driving::{Page, Scrape, ScrapeError};

/// The one content type that every Prometheus takes.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A page that takes longer is of no use.
const LONGEST: Duration = Duration::from_secs(10);
/// What the scraper needs of its own timeout for everything but waiting.
const MARGIN: Duration = Duration::from_millis(500);
/// A smaller page is not worth compressing.
const WORTH_COMPRESSING: usize = 1024;

/// A page, compressed when the scraper takes that.
pub(super) enum MetricsPage {
    Plain(Page),
    Compressed(Vec<u8>),
}

impl IntoResponse for MetricsPage {
    fn into_response(self) -> Response {
        let builder = Response::builder()
            .content_type(CONTENT_TYPE)
            .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .header(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        match self {
            Self::Plain(page) => builder.body(page.to_string()),
            Self::Compressed(bytes) => {
                builder.header(header::CONTENT_ENCODING, HeaderValue::from_static("gzip")).body(bytes)
            }
        }
    }
}

impl ApiResponse for MetricsPage {
    fn meta() -> MetaResponses {
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let content = vec![MetaMediaType { content_type: CONTENT_TYPE, schema }];
        let description = "All metrics of this process";
        let headers = vec![
            header_of("Cache-Control", "`no-store`", true),
            header_of("Content-Encoding", "`gzip`, where the scraper takes it and the page is worth it", false),
            header_of("Vary", "`Accept-Encoding`", true),
        ];
        MetaResponses {
            responses: vec![MetaResponse { description, status: Some(200), status_range: None, content, headers }],
        }
    }

    fn register(_: &mut Registry) {}
}

/// Answers a scrape.
pub(super) async fn page(scrape: &dyn Scrape, request: &Request) -> Result<MetricsPage, ApiError> {
    let page = scrape.page(deadline(request)).await.map_err(|error| {
        let kind = match error {
            ScrapeError::Failed(_) => ProblemKind::ScrapeFailed,
            ScrapeError::TimedOut => ProblemKind::ScrapeTimeout,
        };
        ApiError::new(kind, error.to_string())
    })?;
    let gzip = request.headers().get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    if page.len() < WORTH_COMPRESSING || !gzip.into_iter().any(takes_gzip) {
        return Ok(MetricsPage::Plain(page));
    }
    // A page of 10,000 series takes milliseconds.
    let plain = Page::clone(&page);
    match tokio::task::spawn_blocking(move || compress(&plain)).await {
        Ok(Ok(bytes)) => Ok(MetricsPage::Compressed(bytes)),
        _ => Ok(MetricsPage::Plain(page)),
    }
}

fn compress(page: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(page.len() / 8), Compression::new(1));
    encoder.write_all(page.as_bytes())?;
    encoder.finish()
}

/// The time that the scraper will wait, as it says itself.
fn deadline(request: &Request) -> Duration {
    let said = request.header("x-prometheus-scrape-timeout-seconds").and_then(|value| value.parse::<f64>().ok());
    let said = said.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    said.map_or(LONGEST, |said| said.saturating_sub(MARGIN).min(LONGEST))
}

/// Whether a line of `Accept-Encoding` takes gzip (RFC 9110 §12.5.3).
fn takes_gzip(line: &str) -> bool {
    line.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            let weight = part.to_ascii_lowercase();
            weight.strip_prefix("q=").and_then(|weight| weight.parse::<f64>().ok()).is_some_and(|weight| weight <= 0.0)
        });
        (name.eq_ignore_ascii_case("gzip") || name == "*") && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_only_when_it_is_offered() {
        for (line, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            assert_eq!(takes_gzip(line), expected, "{line}");
        }
    }

    #[test]
    fn the_deadline_leaves_the_scraper_time_to_read() {
        let ask = |value: &str| {
            deadline(&Request::builder().header("X-Prometheus-Scrape-Timeout-Seconds", value).finish()).as_secs_f64()
        };
        for (said, expected) in [("2.5", 2.0), ("0.2", 0.0), ("60", 10.0), ("soon", 10.0), ("-1", 10.0)] {
            assert!((ask(said) - expected).abs() < 1e-9, "{said}");
        }
    }
}
