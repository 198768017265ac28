//! Who may call what: the scope that each operation states in the document is the one that is enforced.

use poem::{
    Request, RequestBody, Result,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, OAuthScopes,
    registry::{MetaOperation, MetaSecurityScheme, Registry},
};

use super::{problem::ApiError, problem_kind::ProblemKind};
use crate::{
    domain::{self, Caller},
    ports::driven::{AuthError, Authenticator},
};

/// The scopes, as the document names them.
#[derive(OAuthScopes)]
pub(super) enum Scope {
    #[oai(rename = "read")]
    Read,
    #[oai(rename = "write")]
    Write,
    #[oai(rename = "admin")]
    Admin,
}

/// The caller of an operation, whose token and scope were verified before the handler was called.
pub(super) struct Verified(pub(super) Caller);

impl<'a> ApiExtractor<'a> for Verified {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            "bearer",
            MetaSecurityScheme {
                ty: "http",
                description: Some("A token made by `osapi token generate`."),
                name: None,
                key_in: None,
                scheme: Some("bearer"),
                bearer_format: Some("JWT"),
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["bearer"]
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> Result<Self> {
        let caller = request.data::<Caller>().or_else(|| request.extensions().get::<Caller>());
        caller.cloned().map(Self).ok_or_else(|| unauthorized(AuthError::Missing, domain::Scope::Read).into())
    }
}

/// The scope that an operation states; none for a public one.
pub(super) fn scope(operation: &MetaOperation) -> Option<domain::Scope> {
    let stated = operation.security.iter().flat_map(|schemes| schemes.values().flatten()).next()?;
    domain::Scope::ALL.into_iter().find(|scope| scope.as_str() == *stated)
}

/// The caller, if its token allows `required`.
pub(super) fn verify(
    request: &Request,
    authenticator: &dyn Authenticator,
    required: domain::Scope,
) -> Result<Caller, AuthError> {
    let header = request.header(header::AUTHORIZATION).ok_or(AuthError::Missing)?;
    let (scheme, token) = header.split_once(' ').ok_or(AuthError::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthError::Missing);
    }
    let caller = authenticator.authenticate(token.trim())?;
    if caller.scope.includes(required) { Ok(caller) } else { Err(AuthError::Scope) }
}

/// The refusal for a token, on a route that needs the role `required`.
pub(super) fn unauthorized(error: AuthError, required: domain::Scope) -> ApiError {
    let invalid = "Bearer error=\"invalid_token\"";
    match error {
        AuthError::Scope => ApiError::new(ProblemKind::MissingRole, format!("the route needs the role `{required}`")),
        AuthError::Missing => challenge(ProblemKind::NoToken, error, "Bearer"),
        AuthError::Expired => challenge(ProblemKind::ExpiredToken, error, invalid),
        _ => challenge(ProblemKind::InvalidToken, error, invalid),
    }
}

/// RFC 6750 §3.
fn challenge(kind: ProblemKind, error: AuthError, words: &'static str) -> ApiError {
    ApiError::new(kind, error.to_string()).with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(words))
}
