//! `hilum retrieve`

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use hilum_dicom::DataSet;
use hilum_dimse::{Peer, Progress, Question, RetrieveReport, Scu, ScuConfig, Services};
use hilum_engine::Engine;
use serde::Serialize;

use crate::{
    cli::RetrieveArguments,
    commands::{DATA, block_on},
    failure::WrongCall,
    node::{
        self, Node,
        advice::explain,
        ask,
        fetch::{Fetch, Sink},
        keys,
    },
    progress,
    settings::{RetrieveBy, Settings},
    shutdown::Shutdown,
};

/// What came of a study.
#[derive(Serialize)]
struct Retrieved {
    study: String,
    completed: u16,
    failed: u16,
    cancelled: bool,
}

pub fn run(settings: &Settings, arguments: &RetrieveArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let known = settings.peer(&arguments.peer)?;
    let question = keys::studies(&arguments.keys, "retrieve")?;
    let by = arguments.by.unwrap_or(known.retrieve_by);
    let data_dir = settings.data_dir(DATA);
    block_on(async {
        let shutdown = Shutdown::on_signals()?;
        let scu = Scu::new(settings.calling()?);
        let studies = wanted(settings, &scu, &known.peer, &question, arguments).await?;
        let engine = Engine::open(settings.engine(&data_dir))
            .await
            .with_context(|| format!("data folder {}", data_dir.display()))?;
        let scu = Scu::new(ScuConfig { spool_folder: engine.spool_folder(), ..settings.calling()? });
        let sink = Sink::new(Node::new(engine.clone(), settings)?);
        let receiver = match by {
            RetrieveBy::Get => None,
            RetrieveBy::Move => node::listen(settings, &engine, Services::storing(Arc::clone(&sink) as _)).await?,
        };
        let received_here = by == RetrieveBy::Get || receiver.is_some();
        let fetch = Fetch { scu: &scu, known, by, ae_title: &settings.ae_title, sink: &sink };
        let work = fetch_all(settings, &fetch, &studies, arguments, &shutdown);
        let done = node::while_listening(receiver, Box::pin(work)).await;
        engine.close().await;
        let done = done?;
        tell(&done, arguments.json)?;
        judge(&done, &sink, received_here, settings, by)
    })
}

/// The studies to retrieve, by their UIDs.
async fn wanted(
    settings: &Settings,
    scu: &Scu,
    peer: &Peer,
    question: &Question,
    arguments: &RetrieveArguments,
) -> anyhow::Result<Vec<String>> {
    let given = question.keys.iter().filter(|(_, _, value)| !value.is_empty()).count();
    if let (Some(study), 1) = (&arguments.keys.study, given) {
        return Ok(vec![study.to_string()]);
    }
    let limit = arguments.limit as usize;
    let (found, more) =
        ask::matches(scu, peer, question, limit).await.map_err(|error| explain(&error, peer, settings))?;
    if more {
        let message =
            format!("more than {limit} studies match; narrow the keys, or raise --limit. Nothing was retrieved.");
        return Err(WrongCall(message).into());
    }
    let agreeing: Vec<&DataSet> = found.iter().filter(|found| ask::agrees(question, found)).collect();
    if agreeing.is_empty() {
        bail!("{} has no study that matches", peer.ae_title);
    }
    agreeing
        .into_iter()
        .map(|found| Ok(keys::uid_of(found, keys::STUDY_UID, "Study Instance UIDs")?.to_owned()))
        .collect()
}

async fn fetch_all(
    settings: &Settings,
    fetch: &Fetch<'_>,
    studies: &[String],
    arguments: &RetrieveArguments,
    shutdown: &Shutdown,
) -> anyhow::Result<Vec<Retrieved>> {
    let bar = progress::bar("retrieving");
    let told: Mutex<Option<Progress>> = Mutex::new(None);
    let mut done = Vec::new();
    for study in studies {
        if shutdown.is_asked() {
            break;
        }
        let series = arguments.keys.series.as_ref().map(AsRef::as_ref);
        let hear = |progress| *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
        let work = fetch.fetch(study, series, shutdown.asked(), hear);
        let report = progress::follow(work, async || {
            if let Some(Progress { remaining, completed, failed, warning }) =
                *told.lock().unwrap_or_else(PoisonError::into_inner)
            {
                let settled = u64::from(completed) + u64::from(failed) + u64::from(warning);
                progress::set_total(&bar, settled + u64::from(remaining));
                bar.set_position(settled);
            }
        })
        .await;
        let report = report.map_err(|error| explain(&error, &fetch.known.peer, settings))?;
        done.push(retrieved(study, &report));
    }
    bar.finish_and_clear();
    Ok(done)
}

fn retrieved(study: &str, report: &RetrieveReport) -> Retrieved {
    let Progress { completed, failed, warning, .. } = report.progress;
    Retrieved {
        study: study.to_owned(),
        completed: completed.saturating_add(warning),
        failed,
        cancelled: report.status == 0xFE00,
    }
}

fn tell(done: &[Retrieved], json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(done)?);
        return Ok(());
    }
    for Retrieved { study, completed, failed, .. } in done {
        println!(
            "study {study}: {completed} instances{}",
            if *failed > 0 { format!(", {failed} failed") } else { String::new() }
        );
    }
    Ok(())
}

/// Whether everything came and is kept.
fn judge(
    done: &[Retrieved],
    sink: &Sink,
    received_here: bool,
    settings: &Settings,
    by: RetrieveBy,
) -> anyhow::Result<()> {
    if done.iter().any(|study| study.cancelled) {
        bail!("stopped before the end; what came is kept, and retrieving again goes on");
    }
    let failed: u64 = done.iter().map(|study| u64::from(study.failed)).sum();
    let completed: u64 = done.iter().map(|study| u64::from(study.completed)).sum();
    if sink.refused() > 0 {
        bail!("{} instances came and could not be kept; HILUM_LOG=warn says why", sink.refused());
    }
    if failed > 0 {
        bail!("the peer could not send {failed} instances; its log says why");
    }
    if completed == 0 {
        bail!("the peer has nothing of what was asked for");
    }
    if received_here && sink.kept() == 0 {
        let us = &settings.ae_title;
        let address = settings.dimse;
        match by {
            RetrieveBy::Move => bail!(
                "the peer says it sent {completed} instances, and none came here: is {us} at {address} in its configuration?"
            ),
            RetrieveBy::Get => bail!("the peer says it sent {completed} instances, and none came"),
        }
    }
    Ok(())
}
