//! Idempotency keys: the same request sent twice makes one job.

use std::str::FromStr;

use uuid::Uuid;

/// Namespace of the fingerprints; any fixed value does.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f73_6170_695f_6669_6e67_6572_7072_696e);

/// The value of an `Idempotency-Key` header: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// The text cannot be an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 255 visible ASCII characters")]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// The key as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidIdempotencyKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidIdempotencyKey) }
    }
}

/// Tells whether two requests under one key are the same request.
///
/// A `UUIDv5` (RFC 9562 §5.5) of the request's meaning, so that formatting makes no difference. It is no secret and no
/// proof against the key's owner, who alone could profit from a collision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestFingerprint(Uuid);

impl RequestFingerprint {
    /// The fingerprint of a request in its canonical form.
    #[must_use]
    pub fn of(canonical_request: &[u8]) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, canonical_request))
    }

    /// For the store.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for RequestFingerprint {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

/// What the queue needs to recognise a repeated request. Keys are private to the token subject that sent them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The token's subject.
    pub subject: String,
    /// The key it sent.
    pub key: IdempotencyKey,
    /// What it asked for.
    pub fingerprint: RequestFingerprint,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_1_to_255_visible_characters() {
        assert_eq!("a-Z_9~!".parse::<IdempotencyKey>().expect("valid").as_str(), "a-Z_9~!");
        assert!("x".repeat(255).parse::<IdempotencyKey>().is_ok());
        for text in ["", "a b", "a\tb", "é", "\u{7f}", &"x".repeat(256)] {
            assert_eq!(text.parse::<IdempotencyKey>(), Err(InvalidIdempotencyKey), "{text:?}");
        }
    }

    #[test]
    fn equal_requests_have_equal_fingerprints_and_others_do_not() {
        assert_eq!(RequestFingerprint::of(b"a"), RequestFingerprint::of(b"a"));
        assert_ne!(RequestFingerprint::of(b"a"), RequestFingerprint::of(b"b"));
    }
}
