//! The browsable page over the document. It reads `/openapi.json` of its own server and loads nothing from elsewhere.

/// The page.
pub(super) const PAGE: &str = include_str!("docs.html");
