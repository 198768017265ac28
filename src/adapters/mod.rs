//! The outside world: one folder per port, with the adapters that serve it. No adapter names one from another folder.
