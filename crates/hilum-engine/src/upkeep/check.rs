//! `hilum check`: every object against its digest and its row, every row against its object, the database against itself.

use crate::control::WorkControl;
use crate::engine::Engine;
use crate::error::{AcceptError, EngineError};
use crate::recovery::{self, Lost};
use crate::storage::{Found, Holding, ObjectKey, StorageError};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// What to look at, and whether to mend it.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// Do not read the objects: only whether each is where its row says.
    pub quick: bool,
    /// Give objects without a row their row again, and set counts right. Only while nobody else writes.
    pub repair: bool,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The bytes of an object are not those that were received.
    Damaged {
        /// `instance`, `quarantine` or `report`; `none` when no row has the object.
        of: String,
        /// SOP Instance UID, when a row has it.
        uid: Option<String>,
        /// Where it lies under the data folder.
        object: String,
    },
    /// A row whose object is not there.
    Missing {
        /// `instance`, `quarantine`, `report` or `metadata`.
        of: String,
        /// SOP Instance UID; of the study for a report, of the series for its packed metadata.
        uid: String,
        /// Where it should be under the data folder.
        object: String,
    },
    /// An object that no row has.
    WithoutRow {
        /// Where it lies under the data folder.
        object: String,
    },
    /// An object that no row has and that cannot get one.
    Refused {
        /// Where it lies under the data folder.
        object: String,
        /// Why.
        reason: String,
    },
    /// The database is damaged.
    Catalogue {
        /// In SQLite's words.
        text: String,
    },
    /// A segment cannot be read.
    Unreadable {
        /// Its file name.
        segment: String,
        /// The operating system's reason.
        reason: String,
    },
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Objects that were looked at.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows that were looked at.
    pub rows: u64,
    /// What is wrong and still is.
    pub faults: Vec<Fault>,
    /// Objects that have their row again.
    pub rows_restored: u64,
    /// Counts that were set right.
    pub counts_corrected: u64,
    /// Stopped before the end.
    pub cancelled: bool,
}

/// Rows looked at in one go.
const CHUNK: u64 = 1000;
/// An object that was just appended gets its row within this time.
const UNDER_WAY: Duration = Duration::from_secs(3);

impl Engine {
    /// What the database finds wrong with itself; empty when it is sound.
    pub async fn catalogue_faults(&self) -> Result<Vec<String>, EngineError> {
        Ok(self.catalog().faults().await?)
    }

    /// Checks the data folder. Damage is named by UID and place, never by patient.
    pub async fn check(&self, options: CheckOptions, control: &WorkControl) -> Result<CheckReport, EngineError> {
        self.caught_up().await;
        let mut report = CheckReport::default();
        let faults = self.catalog().faults().await?;
        report.faults.extend(faults.into_iter().map(|text| Fault::Catalogue { text }));
        control.expect(self.catalog().count_holders().await?);
        control.counted();
        let mut without_row = Vec::new();
        for holding in self.storage().holdings()? {
            self.check_holding(holding, options, control, &mut report, &mut without_row).await?;
        }
        self.check_rows(options, control, &mut report).await?;
        if !without_row.is_empty() && !control.is_cancelled() {
            // What a running server has just appended is on its way to a row.
            tokio::time::sleep(UNDER_WAY).await;
        }
        for key in without_row {
            if self.catalog().holder_of(&key).await?.is_some() || self.catalog().is_deleted(&key).await? {
                continue;
            }
            let object = key.as_str().to_owned();
            if !options.repair {
                report.faults.push(Fault::WithoutRow { object });
                continue;
            }
            match Box::pin(self.adopt(&key)).await {
                Ok(()) => report.rows_restored += 1,
                Err(error) => report.faults.push(Fault::Refused { object, reason: error.to_string() }),
            }
        }
        if options.repair && !control.is_cancelled() {
            report.counts_corrected = self.catalog().recount().await?;
        }
        report.cancelled = control.is_cancelled();
        Ok(report)
    }

    async fn adopt(&self, key: &ObjectKey) -> Result<(), AcceptError> {
        let provenance = recovery::provenance(self.storage(), key).await?;
        recovery::take_up(self, key, &provenance, Lost::WithTheCatalogue).await
    }

    async fn check_holding(
        &self,
        holding: Holding,
        options: CheckOptions,
        control: &WorkControl,
        report: &mut CheckReport,
        without_row: &mut Vec<ObjectKey>,
    ) -> Result<(), EngineError> {
        let name = holding.name().to_owned();
        let unreadable = |error: StorageError| Fault::Unreadable { segment: name.clone(), reason: reason(&error) };
        let opened = tokio::task::spawn_blocking(move || holding.open(options.quick)).await;
        let mut objects = match opened.map_err(ended_early)? {
            Ok(objects) => objects,
            Err(error) => {
                report.faults.push(unreadable(error));
                return Ok(());
            }
        };
        while !control.is_cancelled() {
            let (back, step) = tokio::task::spawn_blocking(move || {
                let step = objects.next_object();
                (objects, step)
            })
            .await
            .map_err(ended_early)?;
            objects = back;
            let Found { key, length, whole } = match step {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(error) => {
                    report.faults.push(unreadable(error));
                    break;
                }
            };
            report.objects += 1;
            report.bytes += length;
            let holder = self.catalog().holder_of(&key).await?;
            if !whole {
                let object = key.as_str().to_owned();
                let of = holder.as_ref().map_or("none", |holder| holder.kind.as_str()).to_owned();
                report.faults.push(Fault::Damaged { of, uid: holder.map(|holder| holder.uid), object });
            } else if holder.is_none() {
                without_row.push(key);
            }
        }
        Ok(())
    }

    async fn check_rows(
        &self,
        options: CheckOptions,
        control: &WorkControl,
        report: &mut CheckReport,
    ) -> Result<(), EngineError> {
        let mut last = None;
        while !control.is_cancelled() {
            let rows = self.catalog().holders(last.as_ref(), CHUNK).await?;
            if rows.is_empty() {
                break;
            }
            let keys: Vec<ObjectKey> = rows.iter().map(crate::catalog::Holder::key).collect();
            let storage = Arc::clone(self.storage());
            let there = tokio::task::spawn_blocking(move || storage.are_there(&keys));
            for (row, there) in rows.iter().zip(there.await.map_err(ended_early)??) {
                if !there {
                    if options.repair && row.kind == "metadata" {
                        self.catalog().forget_metadata(row).await?;
                        continue;
                    }
                    let object = row.key().as_str().to_owned();
                    report.faults.push(Fault::Missing { of: row.kind.clone(), uid: row.uid.clone(), object });
                }
            }
            report.rows += rows.len() as u64;
            control.advance(rows.len() as u64);
            last = rows.into_iter().next_back();
        }
        Ok(())
    }
}

fn reason(error: &StorageError) -> String {
    match error {
        StorageError::Io { source, .. } => source.kind().to_string(),
        other => other.to_string(),
    }
}

fn ended_early(error: tokio::task::JoinError) -> EngineError {
    EngineError::Internal(format!("a check ended early: {error}"))
}
