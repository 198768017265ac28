//! Proving who calls: JWT verification and issue, and the signing key file.
