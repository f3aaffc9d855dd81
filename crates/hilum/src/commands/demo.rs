//! `hilum demo`: the server, with synthetic patients that arrive while it runs.

use std::sync::Arc;

use anyhow::Context;
use hilum_engine::accounts::NewAccount;
use hilum_engine::{Engine, EngineConfig, EngineError, Grant, InstitutionCode, Role, Scope, WorkControl, Zone};
use hilum_imaging::phantom::{PatientPosition, PhantomRecipe, StonePlan};

use crate::{
    cli::ServeArguments,
    commands::{
        block_on,
        serve::{LOG, listen_where_told},
    },
    failure::sentence,
    phantom_files::{self, SeriesSet},
    progress,
    server::Server,
    settings::Settings,
    shutdown::Shutdown,
};

/// Apart from the default data folder, so that synthetic patients never stand among real ones.
const DATA: &str = "hilum-data/demo";

pub fn run(mut settings: Settings, arguments: &ServeArguments) -> anyhow::Result<()> {
    settings.start_log(LOG)?;
    listen_where_told(&mut settings, arguments);
    let data_dir = settings.data_dir(DATA);
    settings.data = Some(data_dir.clone());
    block_on(async {
        let shutdown = Shutdown::on_signals()?;
        let engine = EngineConfig { demo: true, ..settings.engine(&data_dir) };
        let server = Server::open(Arc::new(settings), &data_dir, engine).await?;
        let engine = server.engine.clone();
        let patients = async {
            tokio::select! {
                arrived = send_patients(&engine) => arrived,
                () = shutdown.asked() => Ok(()),
            }
        };
        let patients = async {
            // The server stays useful without them.
            if let Err(error) = patients.await {
                tracing::error!(error = sentence(&error), "synthetic patients");
            }
        };
        let (served, ()) = tokio::join!(server.run(&shutdown), patients);
        served
    })
}

const LOGIN: &str = "demo";

/// An account for whoever looks on, with a password that is new at every start.
pub async fn account(engine: &Engine) -> anyhow::Result<(&'static str, String)> {
    let scope = engine.console_scope().await?;
    let id = match engine.account_with_login(&scope, LOGIN).await {
        Ok(account) => account.id,
        Err(EngineError::NotFound { .. }) => {
            let roles = [Role::Administrator, Role::DataSteward, Role::Radiologist];
            let roles = roles.map(|role| Grant { institution: InstitutionCode::local(), role }).to_vec();
            let new = NewAccount { login: LOGIN.to_owned(), name: "Demo".to_owned(), roles };
            engine.add_account(&scope, &new).await?.0.id
        }
        Err(error) => return Err(error.into()),
    };
    let password = uuid::Uuid::new_v4().to_string();
    engine.set_password(&scope, id, &password).await?;
    Ok((LOGIN, password))
}

/// The patients: with stones and without, supine and prone. No model was trained or tuned on these seeds.
pub fn patients() -> [PhantomRecipe; 4] {
    let recipe = |seed, stones| PhantomRecipe { seed, stones, ..PhantomRecipe::default() };
    [
        recipe(40_001, StonePlan::Count(1)),
        recipe(40_002, StonePlan::Count(3)),
        recipe(40_003, StonePlan::Chosen(Vec::new())),
        PhantomRecipe { position: PatientPosition::HeadFirstProne, ..recipe(40_004, StonePlan::Count(2)) },
    ]
}

/// Makes each patient and imports it, one after the other; those of an earlier start are left as they are.
async fn send_patients(engine: &Engine) -> anyhow::Result<()> {
    let scope = Scope::local();
    let bar = progress::bar("making synthetic patients");
    progress::set_total(&bar, patients().len() as u64);
    for recipe in patients() {
        send_once(engine, &scope, recipe).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Makes a patient and takes it in, unless it is there.
pub async fn send_once(engine: &Engine, scope: &Scope, recipe: PhantomRecipe) -> anyhow::Result<()> {
    let study = phantom_files::study_uid(&recipe)?;
    match engine.study(scope, &study).await {
        Ok(_) => Ok(()),
        Err(EngineError::NotFound { .. }) => send(engine, scope, recipe).await,
        Err(error) => Err(error.into()),
    }
}

async fn send(engine: &Engine, scope: &Scope, recipe: PhantomRecipe) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("folder for synthetic patients")?;
    let out = folder.path().to_owned();
    let files =
        tokio::task::spawn_blocking(move || phantom_files::write(&out, &recipe, SeriesSet::WithLocalizer)).await??;
    let paths = [files.folder.join("dicom")];
    engine.import(scope, &paths, Zone::Clinical, &WorkControl::new()).await?;
    Ok(())
}
