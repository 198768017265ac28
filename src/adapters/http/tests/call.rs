//! A request to the application and its answer. Every answer is held to the rules that all of them keep.

use poem::{
    Body, Endpoint, Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header},
};
use serde_json::Value;

use super::documented::check_documented;
use crate::adapters::http::{App, problem_kind::ProblemKind};

/// A request, as a client would send it.
#[derive(Debug)]
pub(super) struct Call {
    method: Method,
    uri: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Body,
    version: Version,
}

/// A request without a token.
pub(super) fn call(method: &str, uri: &str) -> Call {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    Call { method, uri: uri.to_owned(), headers: Vec::new(), body: Body::empty(), version: Version::HTTP_11 }
}

/// A request of somebody who may read.
pub(super) fn get(uri: &str) -> Call {
    call("GET", uri).token("read")
}

/// A request of somebody who may write.
pub(super) fn post(uri: &str) -> Call {
    call("POST", uri).token("write")
}

impl Call {
    pub(super) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = name.parse().expect("a header name");
        self.headers.push((name, HeaderValue::from_bytes(value.as_ref()).expect("a header value")));
        self
    }

    /// The tokens that the scene knows are the names of the roles.
    pub(super) fn token(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// A body of which no header tells.
    pub(super) fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// A body whose length is declared.
    pub(super) fn bytes(self, content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let typed = self.header("content-type", content_type);
        typed.header("content-length", bytes.len().to_string()).body(Body::from_vec(bytes))
    }

    pub(super) fn json(self, text: &str) -> Self {
        self.bytes("application/json", text)
    }

    /// A body of JSON whose length nobody knows before its end.
    pub(super) fn chunked(self, body: Body) -> Self {
        self.header("content-type", "application/json").header("transfer-encoding", "chunked").body(body)
    }

    /// In an older version of HTTP, which needs no `Host`.
    pub(super) fn version_1_0(mut self) -> Self {
        self.version = Version::HTTP_10;
        self
    }

    pub(super) fn request(self) -> Request {
        let uri: Uri = self.uri.parse().expect("an URI that HTTP can carry");
        let mut request = Request::builder().method(self.method).uri(uri).body(self.body);
        if self.version >= Version::HTTP_11 && !self.headers.iter().any(|(name, _)| name == header::HOST) {
            request.headers_mut().insert(header::HOST, HeaderValue::from_static("here"));
        }
        request.set_version(self.version);
        for (name, value) in self.headers {
            request.headers_mut().append(name, value);
        }
        request
    }

    /// The answer of an application.
    pub(super) async fn to(self, app: &App) -> Answer {
        Answer::of(app, self.request()).await
    }
}

/// An answer that keeps the rules of all answers.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    async fn of(app: &App, request: Request) -> Self {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = app.call(request).await.expect("every request has an answer");
        let (parts, body) = response.into_parts();
        let body = body.into_vec().await.expect("answers are complete");
        let answer = Self { status: parts.status.as_u16(), headers: parts.headers, body };
        let ids = answer.headers.get_all("x-request-id").iter().count();
        assert_eq!(ids, 1, "every answer carries one request id: {answer:?}");
        if answer.status >= 400 && method != Method::HEAD {
            answer.problem();
        }
        check_documented(&method, &path, &answer);
        answer
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().expect("text"));
        assert!(values.next().is_none(), "{name} is there more than once");
        value
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    /// The problem that it is, which has all that every problem has (RFC 9457), and nothing more.
    pub(super) fn problem(&self) -> Problem {
        assert_eq!(self.header(header::CONTENT_TYPE.as_str()), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or_else(|| panic!("no {name}: {json}")).to_owned();
        assert_eq!(json["status"], self.status, "{json}");
        let kind = ProblemKind::ALL.iter().find(|kind| kind.uri() == text("type"));
        let kind = *kind.unwrap_or_else(|| panic!("not of a known type: {json}"));
        assert_eq!((text("title").as_str(), self.status), (kind.title(), kind.status().as_u16()));
        assert_eq!(Some(text("request_id").as_str()), self.header("x-request-id"));
        let known = ["type", "title", "status", "detail", "request_id", "errors", "job_id"];
        let members: Vec<&String> = json.as_object().expect("an object").keys().collect();
        assert!(members.iter().all(|member| known.contains(&member.as_str())), "{json}");
        let errors: Vec<(String, String)> = json["errors"].as_array().map_or_else(Vec::new, |errors| {
            assert!(!errors.is_empty(), "no list is better than an empty one");
            let word = |error: &Value, name: &str| error[name].as_str().expect("text").to_owned();
            errors.iter().map(|error| (word(error, "field"), word(error, "message"))).collect()
        });
        let detail = text("detail");
        let said = errors.iter().map(|(_, message)| message).chain([&detail]);
        for words in said {
            assert!(!words.is_empty() && !words.ends_with('.'), "errors read like `{words}` nowhere else");
        }
        Problem { kind, detail, errors, job_id: json["job_id"].as_str().map(str::to_owned) }
    }
}

/// What a problem says of its own.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) kind: ProblemKind,
    pub(super) detail: String,
    pub(super) errors: Vec<(String, String)>,
    pub(super) job_id: Option<String>,
}

impl Problem {
    /// The one field that is wrong, and what is wrong with it.
    pub(super) fn field(&self) -> (&str, &str) {
        let [(field, message)] = &self.errors[..] else { panic!("not one field: {self:?}") };
        (field, message)
    }
}
