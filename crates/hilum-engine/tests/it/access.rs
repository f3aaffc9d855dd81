//! Nobody sees anything of an institution where nothing lets them look: whatever is asked, of whatever is kept, whoever asks.

use crate::fixture::{Ct, engine};
use crate::node::order;
use dicom_core::Tag;
use hilum_clinical::report::{Conclusion, StoneEdits};
use hilum_dicom::DataSet;
use hilum_dicom::matching::{Level, QueryOptions};
use hilum_engine::review::{LabelUse, NewConclusion, NewStone};
use hilum_engine::views::StudySearch;
use hilum_engine::worklist::Order;
use hilum_engine::{
    AccountId, Engine, ErrorKind, Find, InstitutionCode, Permission, Permissions, ReportPart, Role, Scope, Selection,
    Source, Zone,
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use tempfile::tempdir;

const INSTITUTIONS: [&str; 3] = ["LOCAL", "SITE_A", "SITE_B"];
const PATIENTS: [(&str, &str); 3] =
    [("P1", "Hong^Gildong==홍^길동"), ("P2", "Kim^Minji==김^민지"), ("P3", "Lee^Dongmyung==이^동명")];

fn code(index: usize) -> InstitutionCode {
    INSTITUTIONS[index].parse().unwrap()
}

/// Study `number` of an archive; one with the same number in another institution is the same study, sent to both.
fn study(number: usize) -> Ct {
    let (patient_id, name) = PATIENTS[number % PATIENTS.len()];
    Ct { study: 100 + number as u64, slices: 1 + number % 2, size: 16, patient_id, name, ..Ct::default() }
}

fn caller(roles: &[Vec<Role>]) -> Scope {
    let rights = roles.iter().enumerate().filter(|(_, roles)| !roles.is_empty()).map(|(index, roles)| {
        let none = Permissions::default();
        (code(index), roles.iter().fold(none, |all, role| all.and(role.permissions())))
    });
    Scope::account(AccountId(7), rights.collect())
}

fn ask(level: Level, keys: &[(Tag, &str)]) -> Find {
    let mut wanted = DataSet::new();
    for (tag, value) in keys {
        wanted.set(*tag, *value);
    }
    Find { zone: Zone::Clinical, level, keys: wanted, options: QueryOptions::default(), after: None, limit: 1000 }
}

const STUDY: Tag = Tag(0x0020, 0x000D);
const NAME: Tag = Tag(0x0010, 0x0010);
const SOP: Tag = Tag(0x0008, 0x0018);

async fn filled(data: &std::path::Path, kept: &BTreeSet<(usize, usize)>) -> Engine {
    let engine = engine(data).await;
    for &(institution, number) in kept {
        let scope = Scope::console(code(institution));
        for file in study(number).files() {
            engine.accept_instance(&scope, Zone::Clinical, file, Source::Stow).await.unwrap();
        }
        let order = order(PATIENTS[number % PATIENTS.len()].0, &format!("{institution}-{number}"), "CT");
        engine.import_worklist(&scope, vec![Order::try_from(order).unwrap()], false).await.unwrap();
    }
    engine.run_until_idle().await.unwrap();
    engine
}

async fn sees_only_its_own(engine: &Engine, kept: &BTreeSet<(usize, usize)>, roles: &[Vec<Role>]) {
    let scope = caller(roles);
    let looks = |institution: usize| scope.may(Permission::View, &code(institution));
    let seen: Vec<usize> =
        kept.iter().filter(|(institution, _)| looks(*institution)).map(|(_, number)| *number).collect();
    let uid = |number: usize| study(number).study_uid().to_string();
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    let expected = sorted(seen.iter().map(|&number| uid(number)).collect());

    let list = engine.studies(&scope, &StudySearch { limit: Some(200), ..StudySearch::default() }).await.unwrap();
    assert_eq!(sorted(list.items.into_iter().map(|one| one.study_uid).collect()), expected, "{roles:?}");
    for (index, (_, name)) in PATIENTS.iter().enumerate() {
        let family = name.split(['^', '=']).next().unwrap();
        let search = StudySearch { text: Some(family.to_lowercase()), limit: Some(200), ..StudySearch::default() };
        let found = engine.studies(&scope, &search).await.unwrap().items.len();
        assert_eq!(
            found,
            seen.iter().filter(|&&number| number % PATIENTS.len() == index).count(),
            "{family} {roles:?}"
        );
        let found = engine.find(&scope, &ask(Level::Study, &[(NAME, &format!("{family}*"))])).await.unwrap();
        assert_eq!(found.answers.len(), seen.iter().filter(|&&number| number % PATIENTS.len() == index).count());
    }
    let images: usize = seen.iter().map(|&number| study(number).slices).sum();
    for (level, tag, count) in
        [(Level::Study, STUDY, expected.len()), (Level::Series, STUDY, expected.len()), (Level::Image, SOP, images)]
    {
        let found = engine.find(&scope, &ask(level, &[(tag, "")])).await.unwrap();
        assert_eq!(found.answers.len(), count, "{level:?} {roles:?}");
        assert_eq!(engine.count(&scope, &ask(level, &[])).await.unwrap(), count as u64, "{level:?} {roles:?}");
    }
    // A patient is one of an institution: nobody else's studies are among theirs.
    let patients = engine.count(&scope, &ask(Level::Patient, &[])).await.unwrap();
    let own: BTreeSet<(usize, &str)> = kept
        .iter()
        .filter(|(institution, _)| looks(*institution))
        .map(|(institution, number)| (*institution, PATIENTS[number % PATIENTS.len()].0))
        .collect();
    assert_eq!(patients, own.len() as u64, "{roles:?}");

    for number in 0..6 {
        let one = study(number).study_uid();
        let times = seen.iter().filter(|&&other| other == number).count();
        let selection = Selection::study(one.clone());
        let instances = engine.instances(&scope, Zone::Clinical, &selection).await.unwrap();
        assert_eq!(instances.len(), times * study(number).slices, "{roles:?}");
        if times > 0 {
            engine.study(&scope, &one).await.unwrap();
            continue;
        }
        assert_eq!(engine.study(&scope, &one).await.unwrap_err().kind(), ErrorKind::NotFound);
        let report = engine.report(&scope, &one, ReportPart::Json).await;
        assert_eq!(report.unwrap_err().kind(), ErrorKind::NotFound);
        for hidden in [
            engine.report_versions(&scope, &one).await.map(drop),
            engine.report_of_version(&scope, &one, 1, ReportPart::Json).await.map(drop),
            engine.review(&scope, &one, 1).await.map(drop),
        ] {
            assert_eq!(hidden.unwrap_err().kind(), ErrorKind::NotFound, "{roles:?}");
        }
        let stone = NewStone { revision: 0, edits: StoneEdits::default(), comment: String::new() };
        let conclusion = NewConclusion { revision: 0, conclusion: Conclusion::default() };
        // Whether it is there is told neither by what is refused.
        for (permission, refused) in [
            (Permission::Delete, engine.delete(&scope, Zone::Clinical, &selection).await.map(drop)),
            (Permission::Predict, engine.cancel_reading(&scope, &one).await.map(drop)),
            (Permission::Predict, engine.resume_reading(&scope, &one).await.map(drop)),
            (Permission::Review, engine.add_stone(&scope, &one, 1, &stone).await.map(drop)),
            (Permission::Review, engine.conclude(&scope, &one, 1, &conclusion).await.map(drop)),
            (Permission::Curate, engine.set_label_use(&scope, &one, 1, LabelUse::Approved).await.map(drop)),
        ] {
            let kind = if scope.may_somewhere(permission) { ErrorKind::NotFound } else { ErrorKind::Forbidden };
            assert_eq!(refused.unwrap_err().kind(), kind, "{permission:?} {roles:?}");
        }
    }
    let activity = engine.activity(&scope).await.unwrap();
    assert!(activity.readings.iter().all(|reading| expected.contains(&reading.study_uid)), "{roles:?}");
    let orders = engine.worklist(&scope, &DataSet::new(), QueryOptions::default(), None).await.unwrap();
    assert_eq!(orders.orders.len(), expected.len(), "{roles:?}");
}

fn roles() -> impl Strategy<Value = Vec<Vec<Role>>> {
    let one = prop::sample::subsequence(Role::ALL.to_vec(), 0..=2);
    prop::collection::vec(one, INSTITUTIONS.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_sees_anything_of_an_institution_where_nothing_lets_them_look(
        kept in prop::collection::btree_set((0..INSTITUTIONS.len(), 0_usize..6), 1..10),
        callers in prop::collection::vec(roles(), 5),
    ) {
        let data = tempdir().unwrap();
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
            let engine = filled(data.path(), &kept).await;
            for roles in &callers {
                sees_only_its_own(&engine, &kept, roles).await;
            }
        });
    }
}
