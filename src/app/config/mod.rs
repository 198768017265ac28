//! Configuration: the keys, their defaults, where values come from and what is said about wrong ones.
