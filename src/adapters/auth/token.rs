//! Making tokens, and saying what is in one.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{
    DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::ErrorKind, get_current_timestamp,
};

use super::{
    claims::{AUDIENCE, Claims, ISSUER},
    hs256,
};
use crate::{domain::Scope, ports::driven::AuthError};

/// What a valid token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Whose it is.
    pub subject: String,
    /// What it allows.
    pub scope: Scope,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When its time is over.
    pub expires_at: Timestamp,
}

/// Makes a token.
///
/// # Errors
/// [`AuthError::Malformed`] when its end is beyond what a timestamp can say.
pub fn issue(
    key: &[u8],
    subject: &str,
    scope: Scope,
    now: Timestamp,
    expires_in: Duration,
) -> Result<String, AuthError> {
    hs256::install();
    let expires_at = now.checked_add(expires_in).map_err(|_| AuthError::Malformed)?;
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: subject.to_owned(),
        iat: now.as_second(),
        nbf: now.as_second(),
        exp: expires_at.as_second(),
        role: scope,
    };
    // HS256 is the default of the header.
    encode(&Header::default(), &claims, &EncodingKey::from_secret(key)).map_err(|_| AuthError::Malformed)
}

/// What a token says, if it is valid now. Its issuer's clock may be ahead by `clock_skew`.
///
/// # Errors
/// Why it proves nothing.
pub fn describe(key: &[u8], token: &str, clock_skew: Duration) -> Result<TokenInfo, AuthError> {
    let claims = verified(&DecodingKey::from_secret(key), &validation(clock_skew), token)?;
    let at = |second| Timestamp::from_second(second).map_err(|_| AuthError::Malformed);
    Ok(TokenInfo { subject: claims.sub, scope: claims.role, issued_at: at(claims.iat)?, expires_at: at(claims.exp)? })
}

/// What the library checks: signature, issuer, audience, and the beginning, with room for a clock that is ahead. It takes
/// a token at the second of its end, and with the same room, so the end is checked in [`verified`].
pub(super) fn validation(clock_skew: Duration) -> Validation {
    hs256::install();
    let leeway = clock_skew.as_secs();
    let mut validation = Validation { leeway, validate_exp: false, validate_nbf: true, ..Validation::default() };
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation
}

/// The claims of a valid token.
pub(super) fn verified(key: &DecodingKey, validation: &Validation, token: &str) -> Result<Claims, AuthError> {
    let token = decode::<Claims>(token, key, validation).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => AuthError::Signature,
        ErrorKind::ExpiredSignature => AuthError::Expired,
        ErrorKind::ImmatureSignature => AuthError::NotYetValid,
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => AuthError::WrongIssuer,
        _ => AuthError::Malformed,
    })?;
    // Extensions that must be understood (RFC 7515 §4.1.11): none is.
    if token.header.crit.is_some() {
        return Err(AuthError::Malformed);
    }
    let now = i64::try_from(get_current_timestamp()).unwrap_or(i64::MAX);
    let leeway = i64::try_from(validation.leeway).unwrap_or(i64::MAX);
    if token.claims.exp <= now {
        return Err(AuthError::Expired);
    }
    if token.claims.iat > now.saturating_add(leeway) {
        return Err(AuthError::NotYetValid);
    }
    Ok(token.claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
    const HOUR: Duration = Duration::from_hours(1);
    const SKEW: Duration = Duration::from_secs(30);

    fn describe(key: &[u8], token: &str) -> Result<TokenInfo, AuthError> {
        super::describe(key, token, SKEW)
    }

    /// The library compares with the system's clock, so the tests do too.
    #[expect(clippy::disallowed_methods, reason = "tokens are verified against the system's clock")]
    fn now() -> Timestamp {
        Timestamp::now()
    }

    fn token(change: impl FnOnce(&mut serde_json::Value)) -> String {
        hs256::install();
        let second = now().as_second();
        let mut claims = serde_json::json!({
            "iss": "osapi", "aud": "osapi", "sub": "alice", "role": "write",
            "iat": second, "nbf": second, "exp": second + 60,
        });
        change(&mut claims);
        encode(&Header::default(), &claims, &EncodingKey::from_secret(KEY)).expect("encodes")
    }

    #[test]
    fn a_token_reads_back_what_was_put_in() {
        let made = issue(KEY, "alice", Scope::Write, now(), HOUR).expect("issues");
        let info = describe(KEY, &made).expect("valid");
        assert_eq!((info.subject.as_str(), info.scope), ("alice", Scope::Write));
        assert_eq!(info.expires_at.as_second() - info.issued_at.as_second(), 3600);
    }

    #[test]
    fn every_wrong_claim_is_refused_for_its_own_reason() {
        type Change = fn(&mut serde_json::Value);
        let rows: [(Change, AuthError); 12] = [
            (|claims| claims["exp"] = (now().as_second() - 1).into(), AuthError::Expired),
            // At the second of its end it has expired.
            (|claims| claims["exp"] = now().as_second().into(), AuthError::Expired),
            (|claims| claims["nbf"] = (now().as_second() + 60).into(), AuthError::NotYetValid),
            (|claims| claims["iat"] = (now().as_second() + 60).into(), AuthError::NotYetValid),
            (|claims| claims["iss"] = "somebody".into(), AuthError::WrongIssuer),
            (|claims| claims["aud"] = "somebody".into(), AuthError::WrongIssuer),
            (|claims| claims["role"] = "king".into(), AuthError::Malformed),
            (|claims| drop(claims.as_object_mut().expect("an object").remove("role")), AuthError::Malformed),
            (|claims| drop(claims.as_object_mut().expect("an object").remove("exp")), AuthError::Malformed),
            (|claims| drop(claims.as_object_mut().expect("an object").remove("nbf")), AuthError::Malformed),
            (|claims| drop(claims.as_object_mut().expect("an object").remove("iss")), AuthError::Malformed),
            (|claims| drop(claims.as_object_mut().expect("an object").remove("aud")), AuthError::Malformed),
        ];
        assert!(describe(KEY, &token(|_| {})).is_ok());
        for (number, (change, expected)) in rows.into_iter().enumerate() {
            assert_eq!(describe(KEY, &token(change)), Err(expected), "row {number}");
        }
    }

    #[test]
    fn an_issuer_whose_clock_is_a_little_ahead_is_believed_and_one_that_is_far_ahead_is_not() {
        let ahead = |seconds: i64| {
            token(|claims| {
                claims["iat"] = (now().as_second() + seconds).into();
                claims["nbf"] = claims["iat"].clone();
            })
        };
        for seconds in [1, 10, 25] {
            assert!(describe(KEY, &ahead(seconds)).is_ok(), "{seconds}");
        }
        assert_eq!(describe(KEY, &ahead(40)), Err(AuthError::NotYetValid));
        assert_eq!(super::describe(KEY, &ahead(10), Duration::ZERO), Err(AuthError::NotYetValid));
        assert!(super::describe(KEY, &ahead(40), Duration::from_mins(1)).is_ok());
        // The room is for the beginning alone.
        let ended = token(|claims| claims["exp"] = (now().as_second() - 5).into());
        assert_eq!(describe(KEY, &ended), Err(AuthError::Expired));
    }

    #[test]
    fn a_token_with_an_extension_that_must_be_understood_is_refused() {
        let good = token(|_| {});
        let claims: serde_json::Value = jsonwebtoken::dangerous::insecure_decode(&good).expect("readable").claims;
        for crit in [vec!["b64".to_owned()], vec![]] {
            let header = Header { crit: Some(crit), ..Header::default() };
            let made = encode(&header, &claims, &EncodingKey::from_secret(KEY)).expect("encodes");
            assert_eq!(describe(KEY, &made), Err(AuthError::Malformed));
        }
    }

    #[test]
    fn another_key_another_algorithm_and_none_are_refused() {
        let good = token(|_| {});
        assert_eq!(describe(b"another key, just as long as that", &good), Err(AuthError::Signature));
        let claims = good.split('.').nth(1).expect("claims");
        // {"alg":"none"} and {"alg":"HS512","typ":"JWT"}, base64url.
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9"] {
            for signature in ["", "AAAA"] {
                let forged = format!("{header}.{claims}.{signature}");
                assert_eq!(describe(KEY, &forged), Err(AuthError::Malformed), "{forged}");
            }
        }
        for nonsense in ["", ".", "..", "x.y.z", &good[1..]] {
            assert_eq!(describe(KEY, nonsense), Err(AuthError::Malformed), "{nonsense}");
        }
    }
}
