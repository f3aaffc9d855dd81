//! A catalogue on a PostgreSQL server: what differs from one in the data folder. The other tests run over it too, where
//! `HILUM_TEST_CATALOGUE=postgres` says so.

use crate::fixture::{Ct, config, query_server, send, server_place, store};
use crate::postgres_server as postgres;
use bytes::Bytes;
use hilum_engine::upkeep::{CheckOptions, restore};
use hilum_engine::views::StudySearch;
use hilum_engine::{
    AcceptError, Accepted, CataloguePlace, Engine, EngineConfig, ErrorKind, PostgresUrl, Scope, Source, WorkControl,
    Zone,
};
use std::path::Path;
use tempfile::tempdir;

async fn on_server(data: &Path) -> Option<Engine> {
    let catalogue = server_place(data)?;
    Some(Engine::open(EngineConfig { catalogue, ..config(data) }).await.unwrap())
}

async fn refused(data: &Path, url: &str) -> String {
    let catalogue = CataloguePlace::Server(url.parse().unwrap());
    Engine::open(EngineConfig { catalogue, ..config(data) }).await.unwrap_err().to_string()
}

async fn accept(engine: &Engine, bytes: &Bytes) -> Result<Accepted, AcceptError> {
    engine.accept_instance(&Scope::local(), Zone::Clinical, bytes.clone(), Source::Dimse).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_engines_record_interleaved_instances_of_one_series_with_right_counts() {
    let data = tempdir().unwrap();
    let (Some(first), Some(second)) = (on_server(data.path()).await, on_server(data.path()).await) else { return };
    let files = Ct { slices: 60, ..Ct::default() }.files();
    let sending: Vec<_> = files
        .iter()
        .enumerate()
        .flat_map(|(index, bytes)| {
            // Every third one comes in at both doors.
            let both = index.is_multiple_of(3);
            let engines = [&first, &second];
            engines.into_iter().enumerate().filter(move |(nr, _)| both || index % 2 == *nr).map(|(_, engine)| {
                let (engine, bytes) = (engine.clone(), bytes.clone());
                tokio::spawn(async move { accept(&engine, &bytes).await.unwrap() })
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for one in sending {
        outcomes.push(one.await.unwrap());
    }
    let of = |outcome: &Accepted| outcomes.iter().filter(|one| *one == outcome).count();
    assert_eq!((of(&Accepted::Kept), of(&Accepted::AlreadyThere)), (60, 20));
    let counts = "SELECT (SELECT count(*) FROM patient), (SELECT count(*) FROM study), (SELECT count(*) FROM instance), \
                  study.series_count, study.instance_count, series.instance_count, series.frame_count \
                  FROM study JOIN series ON series.study_row = study.id";
    assert_eq!(query_server(data.path(), counts), "1|1|60|1|60|60|60");
    first.run_until_idle().await.unwrap();
    let report = second.check(CheckOptions::default(), &WorkControl::new()).await.unwrap();
    assert_eq!((report.objects, report.faults), (60, vec![]));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_user_and_password() {
    let data = tempdir().unwrap();
    let said = refused(data.path(), "postgres://keeper:s3cret@127.0.0.1:1/archive").await;
    assert!(said.contains("postgres://127.0.0.1:1/archive was not reached") && said.contains("refused"), "{said}");
    assert!(said.contains("[catalogue] url") && !said.contains("keeper") && !said.contains("s3cret"), "{said}");
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_refused_with_what_to_do() {
    let Some(socket) = postgres::shared() else { return };
    let data = tempdir().unwrap();
    let said = refused(data.path(), &postgres::url(socket, "nobody_made_it")).await;
    assert!(said.contains("nobody_made_it") && said.contains("does not exist"), "{said}");
    let name = format!("ascii_{}", std::process::id());
    let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'");
    postgres::query(socket, "postgres", &sql).unwrap();
    let said = refused(data.path(), &postgres::url(socket, &name)).await;
    assert!(said.contains("SQL_ASCII") && said.contains("ENCODING 'UTF8'"), "{said}");
}

#[test]
fn an_address_is_checked_and_never_shown_with_its_password() {
    let url: PostgresUrl = "postgres://keeper:s3cret@db.example:6543/archive?sslmode=require".parse().unwrap();
    let config = EngineConfig { catalogue: CataloguePlace::Server(url.clone()), ..EngineConfig::new("data") };
    for shown in [url.to_string(), format!("{url:?}"), format!("{config:?}"), format!("{config:#?}")] {
        assert!(shown.contains("postgres://db.example:6543/archive"), "{shown}");
        assert!(!shown.contains("s3cret") && !shown.contains("keeper"), "{shown}");
    }
    for bad in [
        "mysql://keeper:s3cret@db/archive",
        "postgres://keeper:s3cret@db",
        "postgres://keeper:s3cret@db/archive?pasword=s3cret",
        "postgres://keeper:s3cret@db:port/archive",
        "postgres://keeper:s3cret@db/archive?sslmode=s3cret",
    ] {
        let said = bad.parse::<PostgresUrl>().unwrap_err().to_string();
        assert!(said.contains("expected postgres://") && !said.contains("s3cret"), "{said}");
    }
}

#[tokio::test]
async fn a_catalogue_belongs_to_the_data_folder_that_holds_its_objects() {
    let (data, other) = (tempdir().unwrap(), tempdir().unwrap());
    let Some(engine) = on_server(data.path()).await else { return };
    send(&engine, &Ct { slices: 1, ..Ct::default() }.files()).await;
    drop(engine);
    assert!(on_server(data.path()).await.is_some());
    let catalogue = server_place(data.path()).unwrap();
    let error = Engine::open(EngineConfig { catalogue, ..config(other.path()) }).await.unwrap_err();
    assert!(error.to_string().contains("lie in another data folder"), "{error}");
}

#[tokio::test]
async fn a_backup_goes_from_a_server_into_a_file_and_into_another_server() {
    let folders: Vec<_> = (0..4).map(|_| tempdir().unwrap()).collect();
    let [data, backup, in_file, in_server] = [0, 1, 2, 3].map(|index| folders[index].path().join("data"));
    let Some(engine) = on_server(&data).await else { return };
    let study = Ct { slices: 5, ..Ct::default() };
    send(&engine, &study.files()).await;
    send(&engine, &Ct { slices: 1, hu: 900, ..Ct::default() }.files()).await;
    send(
        &engine,
        &Ct { study: 2, slices: 2, patient_id: "B", name: "Kim^Minji=金^旼志=김^민지", ..Ct::default() }.files(),
    )
    .await;
    engine.run_until_idle().await.unwrap();
    let before = listed(&engine, "").await;
    let made = engine.backup(&backup, &WorkControl::new()).await.unwrap();
    drop(engine);

    for (folder, place) in [(&in_file, CataloguePlace::Folder), (&in_server, server_place(&in_server).unwrap())] {
        let restored = restore(&backup, folder, &place, &store(folder), None, &WorkControl::new()).await.unwrap();
        assert_eq!(restored.rows, made.rows);
        let engine = Engine::open(EngineConfig { catalogue: place.clone(), ..config(folder) }).await.unwrap();
        assert_eq!(listed(&engine, "").await, before);
        assert_eq!(listed(&engine, "민지").await.len(), 1, "the index of words was made again");
        let report = engine.check(CheckOptions::default(), &WorkControl::new()).await.unwrap();
        assert_eq!((report.rows, report.faults), (made.rows, vec![]));
        // The next rows get numbers of their own.
        send(&engine, &Ct { study: 3, slices: 2, ..Ct::default() }.files()).await;
        assert_eq!(listed(&engine, "").await.len(), before.len() + 1);
        let again = folder.join("again");
        let error = restore(&backup, &again, &place, &store(&again), None, &WorkControl::new()).await;
        assert_eq!(error.is_err(), place != CataloguePlace::Folder, "a catalogue on a server that is not empty stays");
    }
}

async fn listed(engine: &Engine, text: &str) -> Vec<String> {
    let search = StudySearch { text: Some(text.to_owned()), ..StudySearch::default() };
    let page = engine.studies(&Scope::local(), &search).await.unwrap();
    page.items.iter().map(|study| serde_json::to_string(study).unwrap()).collect()
}

#[tokio::test]
async fn a_server_that_goes_away_refuses_what_comes_and_loses_nothing_that_was_acknowledged() {
    let Some(server) = postgres::Server::start(postgres::THROW_AWAY).unwrap() else { return };
    let data = tempdir().unwrap();
    let url = postgres::create(server.socket(), "archive").unwrap();
    let catalogue = CataloguePlace::Server(url.parse().unwrap());
    let engine = Engine::open(EngineConfig { catalogue, ..config(data.path()) }).await.unwrap();
    let files = Ct { slices: 3, ..Ct::default() }.files();
    assert_eq!(accept(&engine, &files[0]).await.unwrap(), Accepted::Kept);

    // Connections break, and the server is there again at once.
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'archive' AND pid <> pg_backend_pid()";
    postgres::query(server.socket(), "postgres", end).unwrap();
    let after_break = match accept(&engine, &files[1]).await {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
            accept(&engine, &files[1]).await.unwrap()
        }
        Ok(accepted) => accepted,
    };
    assert_eq!(after_break, Accepted::Kept);

    drop(server);
    let error = tokio::time::timeout(std::time::Duration::from_mins(1), accept(&engine, &files[2])).await.unwrap();
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "catalogue_unavailable"), "{error}");
}
