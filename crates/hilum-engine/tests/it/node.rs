//! What the network node must not forget: forwards, storage commitment, pulls, the worklist.

use crate::fixture::{Ct, change_object, config, execute, number, objects, sender_of, viewer};
use dicom_core::Tag;
use hilum_dicom::matching::{Pattern, QueryOptions};
use hilum_dicom::{AeTitle, DataSet, read_facts};
use hilum_engine::commitment::{CommitmentOutcome, CommitmentReference, Safekeeping, Untold};
use hilum_engine::forwarding::{ForwardEnd, ForwardOutcome, ForwardSearch, ForwardState};
use hilum_engine::routing::{Route, Rule, Rules};
use hilum_engine::worklist::{Order, OrderError};
use hilum_engine::{AcceptError, Accepted, Engine, EngineConfig, InstitutionCode, Scope, Sender, Source, Zone};
use std::path::Path;
use tempfile::tempdir;

fn title(text: &str) -> AeTitle {
    text.parse().unwrap()
}

fn code(text: &str) -> InstitutionCode {
    text.parse().unwrap()
}

fn forward_to(peer: &str) -> Rule {
    Rule { forward: vec![title(peer)], ..Rule::default() }
}

async fn engine_with(data: &Path, rules: Vec<Rule>) -> Engine {
    Engine::open(EngineConfig { rules: Rules::new(rules), ..config(data) }).await.unwrap()
}

async fn send_as(engine: &Engine, sender: &str, ct: &Ct) -> Vec<Accepted> {
    let mut outcomes = Vec::new();
    for file in ct.files() {
        outcomes.push(
            engine.accept_from(&Scope::local(), Zone::Clinical, file.clone(), sender_of(sender, &file)).await.unwrap(),
        );
    }
    outcomes
}

#[test]
fn every_rule_that_holds_adds_its_peers_and_the_first_institution_counts() {
    let file = Ct { slices: 1, ..Ct::default() }.files().remove(0);
    let facts = read_facts(&file).unwrap();
    let rules = Rules::new(vec![
        Rule { source: Some(Pattern::new("MR*")), ..forward_to("NEVER") },
        Rule { modality: vec!["MR".into()], ..forward_to("NEVER") },
        Rule { description: Some(Pattern::new("*chest*")), ..forward_to("NEVER") },
        Rule { description: Some(Pattern::new("*kub*")), institution: Some(code("SITE_A")), ..forward_to("PACS") },
        Rule { source: Some(Pattern::new("CT?")), institution: Some(code("SITE_B")), ..forward_to("VNA") },
        Rule {
            modality: vec!["MR".into(), "CT".into()],
            forward: vec![title("PACS"), title("CT1")],
            ..Rule::default()
        },
    ]);
    let route = rules.route(Some(&title("CT1")), &facts);
    assert_eq!(route, Route { institution: Some(code("SITE_A")), forward: vec![title("PACS"), title("VNA")] });
    // What comes through another door has no sender, and its caller says whose it is.
    let route = rules.route(None, &facts);
    assert_eq!(route, Route { institution: None, forward: vec![title("PACS"), title("CT1")] });
    assert_eq!(rules.institutions_of(&title("XR1")).collect::<Vec<_>>(), [&code("SITE_A")]);
}

#[tokio::test]
async fn a_forward_is_there_with_its_instance_once_and_after_the_engine_is_opened_anew() {
    let data = tempdir().unwrap();
    let ct = Ct { slices: 2, ..Ct::default() };
    {
        let engine = engine_with(data.path(), vec![forward_to("PACS"), forward_to("VNA")]).await;
        assert_eq!(send_as(&engine, "CT1", &ct).await, [Accepted::Kept, Accepted::Kept]);
        assert_eq!(send_as(&engine, "CT1", &ct).await, [Accepted::AlreadyThere, Accepted::AlreadyThere]);
    }
    // Another configuration now: what was decided when they arrived stays.
    let engine = engine_with(data.path(), Vec::new()).await;
    let mut peers = engine.peers_with_due_forwards().await.unwrap();
    peers.sort();
    assert_eq!(peers, [title("PACS"), title("VNA")]);
    let due = engine.due_forwards(&title("PACS"), 10).await.unwrap();
    assert_eq!(due.len(), 2);
    let bytes = engine.read_instance(&due[0].instance).await.unwrap();
    assert!(ct.files().contains(&bytes));
    let ends: Vec<ForwardEnd> =
        due.iter().map(|due| ForwardEnd { row: due.row, outcome: ForwardOutcome::Sent }).collect();
    engine.end_forwards(&ends).await.unwrap();
    assert_eq!(engine.peers_with_due_forwards().await.unwrap(), [title("VNA")]);
    let sent = ForwardSearch { state: Some(ForwardState::Sent), ..ForwardSearch::default() };
    assert_eq!(engine.forwards(&Scope::local(), &sent).await.unwrap().items.len(), 2);
    let other = Scope::console(code("SITE_B"));
    assert_eq!(engine.forwards(&other, &ForwardSearch::default()).await.unwrap().items.len(), 0);
    let first = ForwardSearch { limit: Some(3), ..ForwardSearch::default() };
    let page = engine.forwards(&Scope::local(), &first).await.unwrap();
    let rest = ForwardSearch { after: page.next, ..ForwardSearch::default() };
    let pages = [page.items, engine.forwards(&Scope::local(), &rest).await.unwrap().items];
    assert_eq!(pages.each_ref().map(Vec::len), [3, 1]);
    let ids: Vec<i64> = pages.iter().flatten().map(|one| one.id).collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
}

#[tokio::test]
async fn a_refusal_is_tried_again_ever_later_and_given_up_and_a_peer_that_is_away_never() {
    let data = tempdir().unwrap();
    let engine = engine_with(data.path(), vec![forward_to("PACS"), forward_to("AWAY")]).await;
    send_as(&engine, "CT1", &Ct { slices: 1, ..Ct::default() }).await;
    let refused = engine.due_forwards(&title("PACS"), 10).await.unwrap().remove(0).row;
    let away = engine.due_forwards(&title("AWAY"), 10).await.unwrap().remove(0).row;
    let next_in = async |row: i64| {
        number(data.path(), &format!("SELECT next_at - updated_at FROM forward WHERE id = {row}")).await
    };
    let mut pauses = Vec::new();
    for _ in 0..25 {
        let reason = || "no".to_owned();
        let ends = [
            ForwardEnd { row: refused, outcome: ForwardOutcome::Refused { reason: reason() } },
            ForwardEnd { row: away, outcome: ForwardOutcome::NotReached { reason: reason() } },
        ];
        engine.end_forwards(&ends).await.unwrap();
        pauses.push(next_in(away).await / 1000);
    }
    assert_eq!(pauses[..4], [30, 60, 120, 240]);
    assert_eq!(pauses[24], 3600);
    assert!(engine.peers_with_due_forwards().await.unwrap().is_empty());
    let state = async |state| {
        let search = ForwardSearch { state: Some(state), ..ForwardSearch::default() };
        engine.forwards(&Scope::local(), &search).await.unwrap().items.into_iter().map(|f| f.id).collect::<Vec<_>>()
    };
    assert_eq!((state(ForwardState::Failed).await, state(ForwardState::Waiting).await), (vec![refused], vec![away]));
    assert_eq!(engine.retry_forwards(&Scope::local(), Some(&title("PACS"))).await.unwrap(), 1);
    assert_eq!(engine.peers_with_due_forwards().await.unwrap(), [title("PACS")]);
}

#[tokio::test]
async fn an_object_that_is_not_what_its_sender_said_is_refused_and_nothing_of_it_is_kept() {
    let data = tempdir().unwrap();
    let engine = engine_with(data.path(), Vec::new()).await;
    let file = Ct { slices: 1, ..Ct::default() }.files().remove(0);
    let right = sender_of("CT1", &file);
    let other_class = Sender { sop_class: "1.2.840.10008.5.1.4.1.1.4".parse().unwrap(), ..right.clone() };
    let other_instance = Sender { sop: "1.2.3".parse().unwrap(), ..right.clone() };
    for sender in [other_class, other_instance] {
        let refused = engine.accept_from(&Scope::local(), Zone::Clinical, file.clone(), sender).await;
        assert!(matches!(refused, Err(AcceptError::NotAsAnnounced)), "{refused:?}");
    }
    assert_eq!((number(data.path(), "SELECT count(*) FROM instance").await, objects(data.path()).len()), (0, 0));
    assert!(engine.accept_from(&Scope::local(), Zone::Clinical, file, right).await.is_ok());
}

#[tokio::test]
async fn what_a_rule_gives_to_an_institution_is_seen_there_alone() {
    let data = tempdir().unwrap();
    let rule = Rule { institution: Some(code("SITE_A")), ..Rule::default() };
    let engine = engine_with(data.path(), vec![rule]).await;
    let ct = Ct { slices: 1, ..Ct::default() };
    send_as(&engine, "CT1", &ct).await;
    let there = viewer(code("SITE_A"));
    assert!(engine.study(&there, &ct.study_uid()).await.is_ok());
    assert!(engine.study(&Scope::local(), &ct.study_uid()).await.is_err());
}

#[tokio::test]
async fn safekeeping_is_said_of_what_is_there_with_its_bytes_and_its_class_alone() {
    let data = tempdir().unwrap();
    let engine = engine_with(data.path(), Vec::new()).await;
    let ct = Ct { slices: 2, ..Ct::default() };
    send_as(&engine, "CT1", &ct).await;
    let references: Vec<CommitmentReference> = ct
        .files()
        .iter()
        .map(|file| read_facts(file).unwrap())
        .map(|facts| CommitmentReference { sop_class: facts.sop_class, sop: facts.sop })
        .collect();
    let other_class =
        CommitmentReference { sop_class: "1.2.840.10008.5.1.4.1.1.4".parse().unwrap(), ..references[0].clone() };
    let missing = CommitmentReference { sop: "1.2.3".parse().unwrap(), ..references[0].clone() };
    let asked = [references[0].clone(), other_class, missing, references[1].clone()];
    use Safekeeping::{Damaged, Kept, Missing, OtherClass};
    let scope = Scope::local();
    assert_eq!(engine.safekeeping(&scope, &asked).await.unwrap(), [Kept, OtherClass, Missing, Kept]);
    let elsewhere = Scope::console(code("SITE_A"));
    assert_eq!(engine.safekeeping(&elsewhere, &asked[..1]).await.unwrap(), [Missing]);
    // Its size and its header are still right.
    change_object(data.path(), 0, |bytes| *bytes.last_mut().unwrap() ^= 1);
    assert_eq!(engine.safekeeping(&scope, &asked).await.unwrap(), [Damaged, OtherClass, Missing, Kept]);
    change_object(data.path(), 1, |bytes| bytes.truncate(100));
    assert_eq!(engine.safekeeping(&scope, &asked).await.unwrap(), [Damaged, OtherClass, Missing, Damaged]);
}

#[tokio::test]
async fn a_result_of_storage_commitment_is_taken_from_whom_it_was_asked_and_told_until_it_is_heard() {
    let data = tempdir().unwrap();
    let engine = engine_with(data.path(), Vec::new()).await;
    let scope = Scope::local();
    let reference = CommitmentReference { sop_class: "1.2.3".parse().unwrap(), sop: "1.2.4".parse().unwrap() };
    let outcome = CommitmentOutcome { committed: vec![reference.clone()], failed: vec![(reference, 0x0112)] };
    engine.commitment_asked(&scope, "1.2.99", &title("PACS")).await.unwrap();
    assert_eq!(engine.commitment_outcome(&scope, "1.2.99").await.unwrap(), None);
    assert!(!engine.take_commitment("1.2.99", &title("OTHER"), &outcome).await.unwrap());
    assert!(!engine.take_commitment("1.2.98", &title("PACS"), &outcome).await.unwrap());
    assert!(engine.take_commitment("1.2.99", &title("PACS"), &outcome).await.unwrap());
    // Told twice, the first result stands.
    assert!(engine.take_commitment("1.2.99", &title("PACS"), &CommitmentOutcome::default()).await.unwrap());
    assert_eq!(engine.commitment_outcome(&scope, "1.2.99").await.unwrap(), Some(outcome.clone()));

    // What was asked for is noted, and left to whoever looks after it.
    let asked = Untold::Asked { asked: outcome.committed.clone() };
    engine.keep_untold_commitment(&scope, "1.2.77", &title("CT1"), &asked).await.unwrap();
    engine.keep_untold_commitment(&scope, "1.2.78", &title("CT1"), &asked).await.unwrap();
    assert!(engine.untold_commitments().await.unwrap().is_empty());
    engine.commitment_told(&scope, "1.2.78", &title("CT2")).await.unwrap();
    assert_eq!(number(data.path(), "SELECT count(*) FROM commitment WHERE role = 'told'").await, 2);
    engine.commitment_told(&scope, "1.2.78", &title("CT1")).await.unwrap();
    assert_eq!(number(data.path(), "SELECT count(*) FROM commitment WHERE role = 'told'").await, 1);
    let result = Untold::Result(outcome.clone());
    for _ in 0..2 {
        engine.keep_untold_commitment(&scope, "1.2.77", &title("CT1"), &result).await.unwrap();
    }
    let untold = engine.untold_commitments().await.unwrap();
    assert_eq!((untold.len(), &untold[0].what, &untold[0].peer), (1, &result, &title("CT1")));
    engine.end_untold_commitment(untold[0].row, false).await.unwrap();
    assert!(engine.untold_commitments().await.unwrap().is_empty(), "its pause is not over");
    engine.end_untold_commitment(untold[0].row, true).await.unwrap();
    assert_eq!(number(data.path(), "SELECT count(*) FROM commitment WHERE role = 'told' AND state = 'open'").await, 0);
}

#[tokio::test]
async fn a_study_is_pulled_until_it_is_whole_and_one_that_never_is_not_at_every_turn() {
    let data = tempdir().unwrap();
    let engine = engine_with(data.path(), Vec::new()).await;
    let (scope, peer) = (Scope::local(), title("PACS"));
    let ct = Ct { slices: 2, ..Ct::default() };
    let study = ct.study_uid();
    let due = async |announced| engine.is_pull_due(&scope, &peer, &study, announced).await.unwrap();
    assert!(due(2).await && due(0).await);
    let first = ct.files().remove(0);
    engine.accept_from(&scope, Zone::Clinical, first.clone(), sender_of("PACS", &first)).await.unwrap();
    assert!(due(2).await && !due(0).await && !due(1).await);
    engine.end_pull(&scope, &peer, &study, 2).await.unwrap();
    assert!(!due(2).await, "it waits");
    assert!(due(3).await, "there is more of it now");
    send_as(&engine, "PACS", &ct).await;
    engine.end_pull(&scope, &peer, &study, 2).await.unwrap();
    assert!(!due(2).await);
    assert_eq!(number(data.path(), "SELECT count(*) FROM pulled_study").await, 0);
}

#[tokio::test]
async fn what_hilum_made_of_a_study_does_not_stand_for_images_that_have_not_come() {
    let data = tempdir().unwrap();
    let engine = engine_with(data.path(), Vec::new()).await;
    let (scope, peer) = (Scope::local(), title("PACS"));
    let images = Ct { slices: 4, ..Ct::default() };
    for file in &images.files()[..3] {
        engine.accept_from(&scope, Zone::Clinical, file.clone(), sender_of("PACS", file)).await.unwrap();
    }
    for file in (Ct { series: 2, slices: 2, ..Ct::default() }).files() {
        engine.accept_instance(&scope, Zone::Clinical, file, Source::Result).await.unwrap();
    }
    let study = images.study_uid();
    let due = async |announced| engine.is_pull_due(&scope, &peer, &study, announced).await.unwrap();
    assert!(due(4).await, "one image has not come");
    assert!(!due(3).await);
    // What the peer has of ours is among those that it announces.
    let sent = "INSERT INTO forward (institution_id, instance_row, peer, state, tries, next_at, created_at, updated_at) \
                SELECT institution_id, id, 'PACS', 'sent', 1, 0, 0, 0 FROM instance WHERE source = 'result'";
    execute(data.path(), sent).await;
    assert!(due(6).await && !due(5).await);
    let elsewhere = engine.is_pull_due(&scope, &title("OTHER"), &study, 5).await.unwrap();
    assert!(elsewhere, "another peer has nothing of ours");
}

const NAME: Tag = Tag(0x0010, 0x0010);
const ID: Tag = Tag(0x0010, 0x0020);
const ACCESSION: Tag = Tag(0x0008, 0x0050);
const STEPS: Tag = Tag(0x0040, 0x0100);
const MODALITY: Tag = Tag(0x0008, 0x0060);

pub fn order(id: &str, accession: &str, modality: &str) -> DataSet {
    let mut step = DataSet::new();
    step.set(MODALITY, modality);
    let mut order = DataSet::new();
    order.set(NAME, "Hong^Gildong==홍^길동").set(ID, id).set(ACCESSION, accession).set_items(STEPS, vec![step]);
    order
}

#[tokio::test]
async fn orders_are_found_page_by_page_in_their_institution() {
    let data = tempdir().unwrap();
    let engine = engine_with(data.path(), Vec::new()).await;
    let scope = Scope::local();
    let orders = |modality: &str| -> Vec<Order> {
        (0..450).map(|n| order(&format!("P{n}"), &format!("A{n}"), modality).try_into().unwrap()).collect()
    };
    let all = async |scope: &Scope, keys: &DataSet| {
        let (mut found, mut after) = (0, None);
        loop {
            let page = engine.worklist(scope, keys, QueryOptions::default(), after).await.unwrap();
            found += page.orders.len();
            match page.next {
                Some(next) => after = Some(next),
                None => return found,
            }
        }
    };
    let summary = engine.import_worklist(&scope, orders("CT"), false).await.unwrap();
    assert_eq!((summary.new, summary.changed, summary.unchanged), (450, 0, 0));
    let summary = engine.import_worklist(&scope, orders("MR"), false).await.unwrap();
    assert_eq!((summary.new, summary.changed, summary.unchanged), (0, 450, 0));
    let mut keys = DataSet::new();
    keys.set(NAME, "*길동*");
    assert_eq!(all(&scope, &keys).await, 450);
    assert_eq!(all(&Scope::console(code("SITE_A")), &keys).await, 0);
    keys.set(ID, "P449");
    assert_eq!(all(&scope, &keys).await, 1);
    assert!(engine.import_worklist(&viewer(code("SITE_A")), Vec::new(), true).await.is_err());

    let mut nobody = order("", "A", "CT");
    nobody.set(NAME, "");
    assert_eq!(Order::try_from(nobody), Err(OrderError::NoPatient));
    let mut nothing = order("P", "A", "CT");
    nothing.set_items(STEPS, Vec::new());
    assert_eq!(Order::try_from(nothing), Err(OrderError::NoStep));
}
