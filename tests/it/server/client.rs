//! A client of the API that is as strict as a generated one.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::{Agent, http};

use crate::exposition::Page;

/// Speaks to one server with one token.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    url: String,
    token: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers)).to_str().unwrap()
    }

    /// The JSON of an answer that must have this status.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.json()
    }

    /// The problem of an answer that must be one with this status, whole and consistent.
    pub(crate) fn problem(&self, status: u16) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        for word in ["type", "title", "detail"] {
            assert!(problem[word].as_str().is_some_and(|text| !text.is_empty()), "no {word}: {problem}");
        }
        problem
    }
}

impl Client {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(90)));
        Self { agent: config.build().into(), url: url.to_owned(), token: Some(token.to_owned()) }
    }

    /// The same with another token, or none.
    pub(crate) fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// The same for a server elsewhere.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// Sends a request; an error when no answer came.
    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = self.agent.run(request.body(body).unwrap())?;
        let body = answer.body_mut().with_config().limit(100 << 20).read_to_string()?;
        Ok(Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body })
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], &[])
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], &[])
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body)
    }

    pub(crate) fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers: Vec<_> =
            [("content-type", "application/json")].into_iter().chain(headers.iter().copied()).collect();
        self.send("POST", path, &headers, body.to_string().as_bytes())
    }

    /// Submits a job, which must be accepted.
    pub(crate) fn submit(&self, operation: &Value, target: &str, headers: &[(&str, &str)]) -> Value {
        let body = json!({ "operation": operation, "target": target });
        self.post_with("/api/v1/jobs", headers, &body).expect(201)
    }

    /// The job with this id, once it has ended.
    pub(crate) fn ended(&self, id: &str) -> Value {
        loop {
            let job = self.send("GET", &format!("/api/v1/jobs/{id}"), &[("prefer", "wait=30")], &[]).expect(200);
            if !matches!(job["status"].as_str(), Some("queued" | "running")) {
                return job;
            }
        }
    }

    pub(crate) fn stats(&self) -> Value {
        self.get("/api/v1/jobs/stats").expect(200)
    }

    /// Asks for the figures until they satisfy `condition`.
    pub(crate) fn stats_until(&self, condition: impl Fn(&Value) -> bool) -> Value {
        std::iter::repeat_with(|| self.stats()).find(condition).unwrap()
    }

    /// The metrics page, which must keep all the rules.
    pub(crate) fn metrics(&self) -> Page {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{}", answer.body);
        Page::parse(&answer.body).unwrap()
    }
}
