//! `hilum quality`: what it lists of signed reports.

use hilum_engine::accounts::NewAccount;
use hilum_engine::review::{NewStone, Signing};
use hilum_engine::views::StudySearch;
use hilum_engine::{Engine, EngineConfig, Grant, InstitutionCode, Role, Scope, Whence, WorkControl, Zone};
use serde_json::json;

use crate::program::{assert_code, command, out, small_study};

const PASSWORD: &str = "only for a test that is gone soon";

fn listed(data: &std::path::Path, more: &[&str]) -> String {
    let output = command().arg("quality").args(more).arg("--data").arg(data).output().unwrap();
    assert_code(&output, 0);
    out(&output)
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_reports_are_counted_by_model_and_month_and_before_there_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let (dicom, data) = (small_study(folder.path(), 31), folder.path().join("data"));
    let engine = Engine::open(EngineConfig { shipped_model: false, ..EngineConfig::new(&data) }).await.unwrap();
    engine.import(&Scope::local(), &[dicom], Zone::Clinical, &WorkControl::new()).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert!(listed(&data, &[]).starts_with("no report was signed yet"));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&listed(&data, &["--json"])).unwrap(), json!([]));

    let radiologist = Grant { institution: InstitutionCode::local(), role: Role::Radiologist };
    let kim = NewAccount { login: "kim".to_owned(), name: "김민지".to_owned(), roles: vec![radiologist] };
    let (account, _) = engine.add_account(&Scope::local(), &kim).await.unwrap();
    engine.set_password(&Scope::local(), account.id, PASSWORD).await.unwrap();
    let caller = engine.sign_in("kim", PASSWORD, None, Whence::default()).await.unwrap().caller;
    let scope = caller.scope();
    let study = engine.studies(&scope, &StudySearch::default()).await.unwrap().items[0].study_uid.parse().unwrap();
    let missed = NewStone { revision: 0, edits: hilum_clinical::report::StoneEdits::default(), comment: String::new() };
    engine.add_stone(&scope, &study, 1, &missed).await.unwrap();
    let signing = Signing { revision: 1, ..Signing::default() };
    engine.sign_report(&scope, &caller, &study, 1, &signing).await.unwrap();
    engine.close().await;

    let text = listed(&data, &[]);
    let columns: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(columns[1..], ["LOCAL", "-", "1", "0", "0", "0", "0", "1", "-"], "{text}");
    let rows: serde_json::Value = serde_json::from_str(&listed(&data, &["--json"])).unwrap();
    assert_eq!(
        (&rows[0]["added"], &rows[0]["found"]["of"], &rows[0]["found"]["share"]),
        (&json!(1), &json!(1), &json!(0.0))
    );
    assert!(rows[0]["unchanged"]["share"].is_null(), "{rows}");
}
