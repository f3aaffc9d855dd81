//! Pseudonyms: the same each time, another in every institution, and nobody in the database.

use crate::fixture::{config, engine, number, texts};
use hilum_engine::audit::{Action, AuditSearch, Outcome};
use hilum_engine::pseudonyms::{Identity, Pseudonym};
use hilum_engine::{AccountId, Engine, ErrorKind, InstitutionCode, Permission, Role, Scope, WorkControl};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tempfile::tempdir;

fn patient(issuer: &str, id: &str) -> Identity {
    Identity { issuer: issuer.to_owned(), patient_id: id.to_owned() }
}

fn at(institution: &str) -> Scope {
    Scope::console(institution.parse().unwrap())
}

/// Everything that the table of pseudonyms and the audit trail hold, and the bytes of the catalogue's file where it is one.
async fn dump(data: &Path) -> String {
    let rows = "SELECT CAST(id AS TEXT) || institution_id || pseudonym || key_id || lookup || identity FROM pseudonym";
    let mut said = texts(data, rows).await.concat();
    said += &texts(data, "SELECT action || COALESCE(actor, '') || studies || detail FROM audit_event").await.concat();
    for file in ["catalog.sqlite", "catalog.sqlite-wal"] {
        said += &String::from_utf8_lossy(&std::fs::read(data.join(file)).unwrap_or_default());
    }
    said
}

#[tokio::test]
async fn the_database_holds_no_identity_and_only_who_may_re_identify_gets_it_back() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let hong = patient("병원 등록번호", "HGD-19700101");
    let pseudonym = engine.pseudonym(&at("LOCAL"), &hong).await.unwrap();
    assert_eq!(engine.pseudonym(&at("LOCAL"), &hong).await.unwrap(), pseudonym);
    assert_ne!(engine.pseudonym(&at("SITE_B"), &hong).await.unwrap(), pseudonym);
    assert_ne!(engine.pseudonym(&at("LOCAL"), &patient("", "HGD-19700101")).await.unwrap(), pseudonym);
    // What is concatenated alike is not the same patient.
    assert_ne!(engine.pseudonym(&at("LOCAL"), &patient("병원 등록번호H", "GD-19700101")).await.unwrap(), pseudonym);
    let said = dump(data.path()).await;
    for text in ["HGD", "19700101", "등록번호"] {
        assert!(!said.contains(text), "{text}");
    }
    let role = |role: Role, institution: &str| {
        Scope::account(AccountId(7), vec![(institution.parse().unwrap(), role.permissions())])
    };
    assert_eq!(engine.reidentify(&role(Role::DataSteward, "LOCAL"), &pseudonym).await.unwrap(), hong);
    for (scope, kind) in [
        (role(Role::DataSteward, "SITE_B"), ErrorKind::NotFound),
        (role(Role::Radiologist, "LOCAL"), ErrorKind::Forbidden),
        (role(Role::Researcher, "LOCAL"), ErrorKind::Forbidden),
        (role(Role::Administrator, "LOCAL"), ErrorKind::Forbidden),
    ] {
        assert_eq!(engine.reidentify(&scope, &pseudonym).await.unwrap_err().kind(), kind);
    }
    let none: Pseudonym = "P-AAAAAAAAAAAAAAAA".parse().unwrap();
    let missing = engine.reidentify(&role(Role::DataSteward, "LOCAL"), &none).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    let refused = engine.pseudonym(&role(Role::Viewer, "LOCAL"), &hong).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);

    let search = AuditSearch { action: Some(Action::Reidentify), ..AuditSearch::default() };
    let told = engine.audit_trail(&engine.console_scope().await.unwrap(), &search).await.unwrap().items;
    let done: Vec<_> = told.iter().filter(|event| event.outcome == Outcome::Done).collect();
    assert_eq!((done.len(), done[0].institution.as_deref(), done[0].detail.pseudonym), (1, Some("LOCAL"), Some(1)));
    assert_eq!(done[0].actor.id.as_deref(), Some("7"));
    let refused = told.iter().filter(|event| event.outcome == Outcome::Refused);
    assert!(
        refused.clone().count() > 0
            && refused.clone().all(|event| event.detail.permission == Some(Permission::Reidentify))
    );
}

#[tokio::test]
async fn a_row_that_was_given_another_ones_identity_is_refused() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let mut pseudonyms = Vec::new();
    for id in ["A", "B"] {
        pseudonyms.push(engine.pseudonym(&at("LOCAL"), &patient("", id)).await.unwrap());
    }
    engine.close().await;
    crate::fixture::execute(
        data.path(),
        "UPDATE pseudonym SET identity = (SELECT identity FROM pseudonym WHERE id = 2) WHERE id = 1",
    )
    .await;
    let engine = Engine::open(config(data.path())).await.unwrap();
    let error = engine.reidentify(&at("LOCAL"), &pseudonyms[0]).await.unwrap_err();
    assert!(error.code() == "secret_forged" && error.to_string().contains("moved from another row"), "{error}");
    assert_eq!(engine.reidentify(&at("LOCAL"), &pseudonyms[1]).await.unwrap(), patient("", "B"));
}

const INSTITUTIONS: [&str; 3] = ["LOCAL", "SITE_A", "SITE_B"];

#[derive(Clone, Debug)]
enum Act {
    Ask(usize, String, String),
    Rotate,
    Forget,
}

fn act() -> impl Strategy<Value = Act> {
    let ask =
        (0..INSTITUTIONS.len(), "[ab]{0,2}", "[ab가\\\\\"]{1,3}").prop_map(|(at, issuer, id)| Act::Ask(at, issuer, id));
    prop_oneof![12 => ask, 1 => Just(Act::Rotate), 1 => Just(Act::Forget)]
}

async fn acted(engine: &Engine, acts: &[Act]) {
    let console = engine.console_scope().await.unwrap();
    let mut known: BTreeMap<(usize, String, String), Pseudonym> = BTreeMap::new();
    for act in acts {
        match act {
            Act::Ask(institution, issuer, id) => {
                let given = engine.pseudonym(&at(INSTITUTIONS[*institution]), &patient(issuer, id)).await.unwrap();
                let before = known.entry((*institution, issuer.clone(), id.clone())).or_insert_with(|| given.clone());
                assert_eq!(*before, given);
            }
            Act::Rotate => drop(engine.rotate_keys(&console, &WorkControl::new()).await.unwrap()),
            Act::Forget => {
                for key in engine.key_list(&console).await.unwrap() {
                    let forgotten = engine.forget_key(&console, &key.id).await;
                    assert_eq!(forgotten.is_ok(), !key.current && key.needed_for.is_empty(), "{key:?}");
                }
            }
        }
    }
    assert_eq!(known.values().collect::<BTreeSet<_>>().len(), known.len(), "two patients have one pseudonym");
    for ((institution, issuer, id), pseudonym) in &known {
        for (index, code) in INSTITUTIONS.iter().enumerate() {
            let code: InstitutionCode = code.parse().unwrap();
            let steward = Scope::account(AccountId(3), vec![(code, Role::DataSteward.permissions())]);
            let found = engine.reidentify(&steward, pseudonym).await;
            if index == *institution {
                assert_eq!(found.unwrap(), patient(issuer, id));
            } else {
                assert_eq!(found.unwrap_err().kind(), ErrorKind::NotFound);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_patient_keeps_one_pseudonym_that_no_other_has_however_keys_change(acts in prop::collection::vec(act(), 1..30)) {
        let data = tempdir().unwrap();
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
            let engine = engine(data.path()).await;
            acted(&engine, &acts).await;
            assert!(number(data.path(), "SELECT count(*) FROM pseudonym").await <= acts.len() as i64);
        });
    }
}
