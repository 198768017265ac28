//! The edge of the hexagon: traits and their error types, and nothing else.
