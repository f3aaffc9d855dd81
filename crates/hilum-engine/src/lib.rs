//! The application: journey, catalogue, storage, reading, reports, jobs.
