//! `hilum check`, `hilum backup` and `hilum restore`

use std::path::Path;

use anyhow::bail;
use hilum_engine::{
    CataloguePlace, EngineConfig, WorkControl,
    upkeep::{self, CheckOptions, CheckReport, Fault},
};

use crate::{
    cli::{BackupArguments, CheckArguments, RestoreArguments},
    commands::{DATA, block_on, with_engine},
    failure::WrongCall,
    job_lock::JobLock,
    progress,
    settings::Settings,
};

pub fn check(settings: &Settings, arguments: &CheckArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let data_dir = existing(settings)?;
    // Repairing beside a server would take what it has just received for something lost.
    let lock = JobLock::acquire(&data_dir)?;
    if arguments.repair && lock.is_none() {
        bail!("another Hilum process works on the data folder {}: stop it, then repair", data_dir.display());
    }
    let options = CheckOptions { quick: arguments.quick, repair: arguments.repair };
    let report = block_on(with_engine(settings, &data_dir, async |engine| {
        let following = WorkControl::new();
        Ok(progress::watched("checking", &following, engine.check(options, &following)).await??)
    }))?;
    drop(lock);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        tell(&report);
    }
    if report.cancelled {
        bail!("stopped before the end");
    }
    match report.faults.len() {
        0 => Ok(()),
        count => bail!(
            "{count} faults; damaged and missing objects come back from a backup (`hilum restore`), rows by `--repair`"
        ),
    }
}

fn tell(report: &CheckReport) {
    let CheckReport { objects, bytes, rows, faults, rows_restored, counts_corrected, .. } = report;
    let mib = *bytes as f64 / (1024.0 * 1024.0);
    println!("{objects} objects ({mib:.1} MiB) and {rows} rows looked at");
    if *rows_restored > 0 {
        println!("{rows_restored} objects have their row again; their series are read again when the server starts");
    }
    if *counts_corrected > 0 {
        println!("{counts_corrected} counts were wrong and are right now");
    }
    for fault in faults {
        match fault {
            Fault::Damaged { of, uid, object } => {
                println!("damaged    {of} {} in {object}", uid.as_deref().unwrap_or("without a row"));
            }
            Fault::Missing { of, uid, object } => println!("missing    {of} {uid}: nothing in {object}"),
            Fault::WithoutRow { object } => println!("no row     {object}"),
            Fault::Refused { object, reason } => println!("refused    {object}: {reason}"),
            Fault::Catalogue { text } => println!("catalogue  {text}"),
            Fault::Unreadable { segment, reason } => println!("unreadable {segment}: {reason}"),
        }
    }
}

pub fn backup(settings: &Settings, arguments: &BackupArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let data_dir = existing(settings)?;
    let summary = block_on(with_engine(settings, &data_dir, async |engine| {
        let following = WorkControl::new();
        Ok(progress::watched("copying", &following, Box::pin(engine.backup(&arguments.folder, &following))).await??)
    }))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
        return Ok(());
    }
    let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
    println!(
        "backup of {} objects in {}: {:.1} MiB copied, {:.1} MiB were there before",
        summary.rows,
        arguments.folder.display(),
        mib(summary.bytes_copied),
        mib(summary.bytes_there)
    );
    println!("the configuration file, model folders of your own and keys are not in it");
    if !summary.keys.is_empty() {
        let (keys, place) = (summary.keys.join(", "), settings.key_place());
        println!(
            "it needs the keys {keys}: keep a copy of {place} apart from it, or what is encrypted is lost with them"
        );
    }
    Ok(())
}

pub fn restore(settings: &Settings, arguments: &RestoreArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let data_dir = settings.data_dir(DATA);
    let following = WorkControl::new();
    let EngineConfig { catalogue: place, storage, keys, .. } = settings.engine(&data_dir);
    let keys = (!arguments.without_keys).then_some(&keys);
    let summary = block_on(async {
        let work = Box::pin(upkeep::restore(&arguments.backup, &data_dir, &place, &storage, keys, &following));
        Ok(progress::watched("copying", &following, work).await??)
    })?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        println!("{} objects of the backup of {} are in {}", summary.rows, summary.made_at, data_dir.display());
        if let CataloguePlace::Server(url) = &place {
            println!("their rows are in {url}");
        }
        println!("`hilum check --data {}` reads all of them once", data_dir.display());
    }
    Ok(())
}

/// Nothing is made where somebody mistyped a folder.
pub(super) fn existing(settings: &Settings) -> anyhow::Result<std::path::PathBuf> {
    let data_dir = settings.data_dir(DATA);
    if is_data_folder(&data_dir) {
        return Ok(data_dir);
    }
    Err(WrongCall(format!("{} is no data folder; name yours with --data", data_dir.display())).into())
}

/// Whether there is one.
pub(super) fn is_data_folder(data_dir: &Path) -> bool {
    // With catalogue and objects elsewhere, only its name is there.
    let named = ["catalog.sqlite", "folder.id"].iter().any(|name| data_dir.join(name).is_file());
    named || data_dir.join("objects").is_dir()
}
