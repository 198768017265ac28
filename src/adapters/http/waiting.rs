//! Whether a request waits for a job: its time is then not that of the service.

use std::time::Duration;

use poem::Request;
use poem_openapi::registry::MetaOperation;

use super::{
    parameters::{Wait, Word},
    prefer::Prefer,
};

/// How the requests of a route say that they are willing to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// They never wait.
    Never,
    /// By `Prefer: wait=N`.
    Prefer,
    /// By `?wait=N`, and by default.
    Query,
}

impl Waiting {
    /// What the parameters of an operation say.
    pub(super) fn of(operation: &MetaOperation) -> Self {
        let has = |name: &str| operation.params.iter().any(|parameter| parameter.name == name);
        match (has("wait"), has("Prefer")) {
            (true, _) => Self::Query,
            (false, true) => Self::Prefer,
            (false, false) => Self::Never,
        }
    }

    /// Whether this request waits.
    pub(super) fn asked(self, request: &Request) -> bool {
        let wait = match self {
            Self::Never => None,
            Self::Prefer => {
                let lines = request.headers().get_all("prefer").iter().filter_map(|line| line.to_str().ok());
                Prefer::read(lines).wait
            }
            Self::Query => {
                let mut pairs = request.uri().query().into_iter().flat_map(|query| query.split('&'));
                let said = pairs.find_map(|pair| pair.strip_prefix("wait="));
                said.map_or(Some(Wait::default()), |said| Wait::read(said).ok()).map(|wait| wait.0)
            }
        };
        wait.is_some_and(|wait| wait > Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_waits_when_it_says_so_in_the_way_of_its_route() {
        let query = |uri: &str| Waiting::Query.asked(&Request::builder().uri_str(uri).finish());
        assert_eq!(["/x", "/x?wait=5", "/x?a=1&wait=1"].map(query), [true; 3]);
        assert_eq!(["/x?wait=0", "/x?wait=soon", "/x?wait="].map(query), [false; 3]);
        let prefer = |value: &str| Waiting::Prefer.asked(&Request::builder().header("prefer", value).finish());
        assert_eq!(["wait=5", "wait=0", "respond-async"].map(prefer), [true, false, false]);
        assert!(!Waiting::Never.asked(&Request::builder().uri_str("/x?wait=5").header("prefer", "wait=5").finish()));
    }
}
