//! The HTTP API: routes, wire types, problems, the API document and the server loop.
