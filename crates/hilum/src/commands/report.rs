//! `hilum report`

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use hilum_dicom::StudyUid;
use hilum_engine::{
    Engine, EngineError, Language, ReportPart, Scope,
    views::{ReadingState, ReadingStatus},
};
use indicatif::ProgressBar;

use crate::{
    cli::{ReportArguments, ReportFormat, ReportLanguage},
    commands::{DATA, block_on, with_engine},
    failure::WrongCall,
    job_lock::JobLock,
    progress,
    settings::Settings,
};

pub fn run(settings: &Settings, arguments: &ReportArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let study: StudyUid =
        arguments.study.parse().map_err(|error| WrongCall(format!("STUDY is no Study Instance UID: {error}")))?;
    let data_dir = settings.data_dir(DATA);
    if !data_dir.exists() {
        return Err(WrongCall(format!("data folder {} does not exist", data_dir.display())).into());
    }
    let scope = Scope::console(arguments.institution.clone());
    let file = block_on(with_engine(settings, &data_dir, async |engine| {
        let state = read_when_due(engine, &scope, &study, &data_dir).await?;
        match engine.report(&scope, &study, part(arguments)).await {
            Err(EngineError::NotFound { what: "result object" }) => {
                bail!(
                    "this report has no such object: it found no stones, assessed nothing, or its series has changed since"
                )
            }
            Err(EngineError::NotFound { .. }) => bail!("there is no report of this study: {}", why_not(&state)),
            report => Ok(report?),
        }
    }))?;
    let out = arguments.out.clone().unwrap_or_else(|| default_name(&study, arguments.format));
    if out == Path::new("-") {
        return Ok(std::io::stdout().write_all(&file)?);
    }
    std::fs::write(&out, &file).with_context(|| format!("report file {}", out.display()))?;
    println!("{}", out.display());
    Ok(())
}

/// Reads the study where that is due: here, or, where a server works on the data folder, by waiting for the server.
async fn read_when_due(
    engine: &Engine,
    scope: &Scope,
    study: &StudyUid,
    data_dir: &Path,
) -> anyhow::Result<ReadingState> {
    let state = async || Ok::<_, EngineError>(engine.study(scope, study).await?.summary.reading);
    let first = state().await?;
    if !is_due(&first) {
        return Ok(first);
    }
    let bar = progress::bar("reading");
    let look = async || {
        // A bar that cannot look is no reason to stop the work; the work itself reports what is wrong.
        if let Ok(state) = state().await {
            show(&bar, &state);
        }
    };
    if let Some(_lock) = JobLock::acquire(data_dir)? {
        progress::follow(Box::pin(engine.run_until_idle()), look).await?;
    } else {
        while is_due(&state().await?) {
            look().await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    bar.finish_and_clear();
    Ok(state().await?)
}

fn is_due(state: &ReadingState) -> bool {
    match state.state {
        ReadingStatus::Receiving | ReadingStatus::Queued | ReadingStatus::Reading => true,
        ReadingStatus::Done
        | ReadingStatus::Refused
        | ReadingStatus::NotApplicable
        | ReadingStatus::NoModel
        | ReadingStatus::Cancelled
        | ReadingStatus::Failed => false,
    }
}

fn show(bar: &ProgressBar, state: &ReadingState) {
    progress::set_total(bar, 100);
    bar.set_position((state.progress * 100.0) as u64);
}

fn why_not(state: &ReadingState) -> String {
    let word = match state.state {
        ReadingStatus::Receiving => "its instances still arrive",
        ReadingStatus::Queued => "its reading waits",
        ReadingStatus::Reading => "it is being read",
        ReadingStatus::Done => "its reading is done, but the report is missing",
        ReadingStatus::Refused => "it was refused",
        ReadingStatus::NotApplicable => "nothing in it is read by the service",
        ReadingStatus::NoModel => "no model is installed",
        ReadingStatus::Cancelled => "its reading was cancelled",
        ReadingStatus::Failed => "its reading failed",
    };
    match &state.reason {
        Some(reason) => format!("{word} ({})", reason.text),
        None => word.to_owned(),
    }
}

fn part(arguments: &ReportArguments) -> ReportPart {
    match arguments.format {
        ReportFormat::Json => ReportPart::Json,
        ReportFormat::Xlsx => ReportPart::Xlsx,
        ReportFormat::Csv => ReportPart::Csv,
        ReportFormat::Sr => ReportPart::Sr,
        ReportFormat::Seg => ReportPart::Seg,
        ReportFormat::Pdf => ReportPart::Pdf(match arguments.lang {
            ReportLanguage::Ko => Language::Ko,
            ReportLanguage::En => Language::En,
        }),
    }
}

/// A name without identity: eight digits of a hash of the Study Instance UID tell reports apart.
fn default_name(study: &StudyUid, format: ReportFormat) -> PathBuf {
    let mut hash = DefaultHasher::new();
    study.as_str().hash(&mut hash);
    PathBuf::from(format!("report-{:08x}.{}", hash.finish() as u32, format.extension()))
}
