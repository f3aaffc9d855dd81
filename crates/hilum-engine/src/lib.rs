//! The application: journey, catalogue, storage, reading, reports, jobs.

pub mod access;
pub mod accounts;
pub mod acquisition;
mod admission;
pub mod archive;
pub mod audit;
pub mod catalog;
pub mod commitment;
mod control;
pub mod deliveries;
mod engine;
mod error;
pub mod export;
mod find;
pub mod forwarding;
pub mod guidelines;
pub mod import;
mod intake;
mod jobs;
mod journey;
pub mod keys;
pub mod live;
pub mod measurement;
mod models;
pub mod nifti;
pub mod operations;
pub mod patient_facts;
mod promise;
pub mod pseudonyms;
mod pulling;
mod reading;
mod reception;
mod recorder;
mod recovery;
pub mod report;
pub mod results;
pub mod review;
pub mod routing;
pub mod storage;
mod study_list;
pub mod tagging;
pub mod upkeep;
pub mod ups;
pub mod views;
mod work_views;
pub mod worklist;

pub use access::{AccountId, Actor, Grant, InstitutionCode, Permission, Permissions, Role, Scope, Whence};
pub use archive::{BULK_BASE, InstanceBytes, PatientKey, SelectedInstances, Selection, StoredInstance};
pub use catalog::{
    Answer, Attribute, BadPostgresUrl, CataloguePlace, Cursor, Deleted, Encryption, Find, Found, PostgresUrl, Values,
    WorkToFetch, attributes,
};
pub use control::WorkControl;
pub use engine::{Accepted, Engine, EngineConfig, Source, Zone};
pub use error::{AcceptError, EngineError, ErrorKind};
pub use import::ImportSummary;
pub use intake::{Received, Sender};
pub use models::InstallError;
pub use reading::{measured_stones, point_spread};
pub use report::{Language, ReportPart};
pub use results::{ResultKind, ResultRules, ResultsWhen};
pub use storage::{BucketSettings, BucketUrl, Credentials, Endpoint, StoragePlace};
