//! The application: services, configuration, command line and the one composition root.
