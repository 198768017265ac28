//! Tokens: JSON Web Tokens signed with HS256, and the key that signs them.

mod claims;
mod hs256;
mod jwt_authenticator;
pub mod signing_key;
mod token;

pub use jwt_authenticator::JwtAuthenticator;
pub use signing_key::SigningKeyError;
pub use token::{TokenInfo, describe, issue};
