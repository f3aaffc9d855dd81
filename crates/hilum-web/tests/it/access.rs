//! Who comes in where: every operation of the pinned OpenAPI document, with nobody's, a lesser role's and another institution's key.

use std::collections::BTreeMap;

use hilum_engine::{Permission, Role};
use serde_json::{Value, json};

use crate::client::{Running, start, token, token_at};
use crate::openapi::{Operation, pinned, told};
use crate::synthetic::series;

/// Every door there is, and who may come in. One that is missing here, or says otherwise, fails: so nobody opens one by accident.
const DOORS: &str = "\
GET /api/v1/accounts manage
POST /api/v1/accounts manage
PATCH /api/v1/accounts/{id} manage
GET /api/v1/accounts/{id}/identities manage
POST /api/v1/accounts/{id}/identities manage
DELETE /api/v1/accounts/{id}/identities/{identity} manage
POST /api/v1/accounts/{id}/link manage
POST /api/v1/accounts/{id}/second-factor/reset manage
GET /api/v1/activity view
GET /api/v1/audit audit
GET /api/v1/events view
GET /api/v1/identities signed in
POST /api/v1/identities signed in
DELETE /api/v1/identities/{id} signed in
GET /api/v1/institutions signed in
POST /api/v1/institutions manage
POST /api/v1/links/check nobody
POST /api/v1/links/use nobody
GET /api/v1/models signed in
GET /api/v1/node operate
GET /api/v1/openapi.json nobody
GET /api/v1/openid nobody
POST /api/v1/openid/{provider} nobody
GET /api/v1/openid/{provider}/callback nobody
GET /api/v1/operations/deliveries operate
POST /api/v1/operations/deliveries/retry operate
GET /api/v1/operations/forwards operate
POST /api/v1/operations/forwards/retry operate
GET /api/v1/operations/health operate
GET /api/v1/operations/jobs operate
GET /api/v1/operations/storage operate
POST /api/v1/peers/{ae_title}/echo operate
POST /api/v1/peers/{ae_title}/search store
GET /api/v1/quality/agreement quality
GET /api/v1/quarantine view
GET /api/v1/quick-texts review
POST /api/v1/quick-texts review
DELETE /api/v1/quick-texts/{id} review
GET /api/v1/retrievals store
POST /api/v1/retrievals store
POST /api/v1/retrievals/{id}/cancel store
GET /api/v1/samples store
POST /api/v1/samples store
POST /api/v1/samples/cancel store
POST /api/v1/second-factor signed in
PUT /api/v1/second-factor signed in
POST /api/v1/second-factor/recovery-codes signed in
POST /api/v1/second-factor/remove signed in
POST /api/v1/second-factor/reset-seen signed in
GET /api/v1/session signed in
POST /api/v1/session nobody
DELETE /api/v1/session signed in
PUT /api/v1/session/password signed in
POST /api/v1/session/second-factor nobody
POST /api/v1/studies/search view
GET /api/v1/studies/{study_uid} view
GET /api/v1/studies/{study_uid}/acquisition view
GET /api/v1/studies/{study_uid}/measurements view
POST /api/v1/studies/{study_uid}/measurements review
DELETE /api/v1/studies/{study_uid}/measurements/{id} review
PUT /api/v1/studies/{study_uid}/priority predict
POST /api/v1/studies/{study_uid}/reading predict
POST /api/v1/studies/{study_uid}/reading/cancel predict
POST /api/v1/studies/{study_uid}/reading/resume predict
GET /api/v1/studies/{study_uid}/report view
GET /api/v1/studies/{study_uid}/report.csv view
GET /api/v1/studies/{study_uid}/report.pdf view
GET /api/v1/studies/{study_uid}/report.xlsx view
GET /api/v1/studies/{study_uid}/report/key-images/{file} view
GET /api/v1/studies/{study_uid}/report/options view
GET /api/v1/studies/{study_uid}/report/versions view
GET /api/v1/studies/{study_uid}/report/versions/{version} view
GET /api/v1/studies/{study_uid}/report/versions/{version}/key-images/{file} view
PUT /api/v1/studies/{study_uid}/report/versions/{version}/label-use curate
GET /api/v1/studies/{study_uid}/report/versions/{version}/mask view
GET /api/v1/studies/{study_uid}/report/versions/{version}/report.csv view
GET /api/v1/studies/{study_uid}/report/versions/{version}/report.pdf view
GET /api/v1/studies/{study_uid}/report/versions/{version}/report.xlsx view
GET /api/v1/studies/{study_uid}/report/versions/{version}/review view
PUT /api/v1/studies/{study_uid}/report/versions/{version}/review/conclusion review
POST /api/v1/studies/{study_uid}/report/versions/{version}/review/findings review
PUT /api/v1/studies/{study_uid}/report/versions/{version}/review/findings/{number} review
PUT /api/v1/studies/{study_uid}/report/versions/{version}/review/findings/{number}/mask review
POST /api/v1/studies/{study_uid}/report/versions/{version}/sign review
GET /api/v1/studies/{study_uid}/report/versions/{version}/signed.json view
GET /api/v1/system signed in
GET /api/v1/tokens signed in
POST /api/v1/tokens signed in
DELETE /api/v1/tokens/{id} signed in
GET /api/v1/worklist/filters view
POST /api/v1/worklist/filters view
DELETE /api/v1/worklist/filters/{id} view
GET /dicom-web/instances view
GET /dicom-web/series view
GET /dicom-web/studies view
POST /dicom-web/studies store
GET /dicom-web/studies/{study_uid} view
POST /dicom-web/studies/{study_uid} store
DELETE /dicom-web/studies/{study_uid} delete
GET /dicom-web/studies/{study_uid}/instances view
GET /dicom-web/studies/{study_uid}/metadata view
GET /dicom-web/studies/{study_uid}/rendered view
GET /dicom-web/studies/{study_uid}/series view
GET /dicom-web/studies/{study_uid}/series/{series_uid} view
DELETE /dicom-web/studies/{study_uid}/series/{series_uid} delete
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances view
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid} view
DELETE /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid} delete
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/bulkdata/{*path} view
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/frames/{frames} view
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/frames/{frames}/rendered view
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/frames/{frames}/thumbnail view
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/metadata view
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/rendered view
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/thumbnail view
GET /dicom-web/studies/{study_uid}/series/{series_uid}/metadata view
GET /dicom-web/studies/{study_uid}/series/{series_uid}/rendered view
GET /dicom-web/studies/{study_uid}/series/{series_uid}/thumbnail view
GET /dicom-web/studies/{study_uid}/thumbnail view
GET /dicom-web/subscribers/{ae_title} view
GET /dicom-web/workitems view
POST /dicom-web/workitems store
GET /dicom-web/workitems/{workitem} view
POST /dicom-web/workitems/{workitem} store
POST /dicom-web/workitems/{workitem}/cancelrequest store
PUT /dicom-web/workitems/{workitem}/state store
DELETE /dicom-web/workitems/{workitem}/subscribers/{ae_title} store
POST /dicom-web/workitems/{workitem}/subscribers/{ae_title} store
POST /dicom-web/workitems/{workitem}/subscribers/{ae_title}/suspend store
GET /dicom-web/ws/subscribers/{ae_title} view
GET /healthz nobody
GET /readyz nobody
GET /wado view
";

/// What somebody of another institution gets who names what is ours: nothing is there (`hidden`), only what is its own (`own`), or no
/// (`refused`), where it asks for rights or sends nothing that could be kept. A new operation needs its line.
const ELSEWHERE: &str = "\
DELETE /api/v1/accounts/{id}/identities/{identity} hidden
DELETE /api/v1/identities/{id} hidden
DELETE /api/v1/quick-texts/{id} hidden
DELETE /api/v1/session own
DELETE /api/v1/studies/{study_uid}/measurements/{id} hidden
DELETE /api/v1/tokens/{id} hidden
DELETE /api/v1/worklist/filters/{id} hidden
DELETE /dicom-web/studies/{study_uid} hidden
DELETE /dicom-web/studies/{study_uid}/series/{series_uid} hidden
DELETE /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid} hidden
DELETE /dicom-web/workitems/{workitem}/subscribers/{ae_title} hidden
GET /api/v1/accounts own
GET /api/v1/accounts/{id}/identities hidden
GET /api/v1/activity own
GET /api/v1/audit own
GET /api/v1/events streams
GET /api/v1/identities own
GET /api/v1/institutions own
GET /api/v1/models own
GET /api/v1/node hidden
GET /api/v1/operations/forwards own
GET /api/v1/operations/deliveries own
GET /api/v1/operations/health hidden
GET /api/v1/operations/jobs own
GET /api/v1/operations/storage own
GET /api/v1/quality/agreement own
GET /api/v1/quarantine own
GET /api/v1/quick-texts own
GET /api/v1/retrievals hidden
GET /api/v1/samples hidden
GET /api/v1/session own
GET /api/v1/studies/{study_uid} hidden
GET /api/v1/studies/{study_uid}/acquisition hidden
GET /api/v1/studies/{study_uid}/measurements hidden
GET /api/v1/studies/{study_uid}/report/versions/{version}/mask hidden
GET /api/v1/studies/{study_uid}/report hidden
GET /api/v1/studies/{study_uid}/report.csv hidden
GET /api/v1/studies/{study_uid}/report.pdf hidden
GET /api/v1/studies/{study_uid}/report.xlsx hidden
GET /api/v1/studies/{study_uid}/report/key-images/{file} hidden
GET /api/v1/studies/{study_uid}/report/options hidden
GET /api/v1/studies/{study_uid}/report/versions hidden
GET /api/v1/studies/{study_uid}/report/versions/{version} hidden
GET /api/v1/studies/{study_uid}/report/versions/{version}/key-images/{file} hidden
GET /api/v1/studies/{study_uid}/report/versions/{version}/report.csv hidden
GET /api/v1/studies/{study_uid}/report/versions/{version}/report.pdf hidden
GET /api/v1/studies/{study_uid}/report/versions/{version}/report.xlsx hidden
GET /api/v1/studies/{study_uid}/report/versions/{version}/review hidden
GET /api/v1/studies/{study_uid}/report/versions/{version}/signed.json hidden
GET /api/v1/system own
GET /api/v1/tokens own
GET /api/v1/worklist/filters own
GET /dicom-web/instances hidden
GET /dicom-web/series hidden
GET /dicom-web/studies hidden
GET /dicom-web/studies/{study_uid} hidden
GET /dicom-web/studies/{study_uid}/instances hidden
GET /dicom-web/studies/{study_uid}/metadata hidden
GET /dicom-web/studies/{study_uid}/rendered hidden
GET /dicom-web/studies/{study_uid}/series hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid} hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid} hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/bulkdata/{path} hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/frames/{frames} hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/frames/{frames}/rendered hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/frames/{frames}/thumbnail hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/metadata hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/rendered hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/thumbnail hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid}/metadata hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid}/rendered hidden
GET /dicom-web/studies/{study_uid}/series/{series_uid}/thumbnail hidden
GET /dicom-web/studies/{study_uid}/thumbnail hidden
GET /dicom-web/subscribers/{ae_title} refused
GET /dicom-web/workitems hidden
GET /dicom-web/workitems/{workitem} hidden
GET /dicom-web/ws/subscribers/{ae_title} refused
GET /wado hidden
PATCH /api/v1/accounts/{id} hidden
POST /api/v1/accounts refused
POST /api/v1/accounts/{id}/identities hidden
POST /api/v1/accounts/{id}/link hidden
POST /api/v1/accounts/{id}/second-factor/reset hidden
POST /api/v1/identities hidden
POST /api/v1/institutions refused
POST /api/v1/operations/forwards/retry own
POST /api/v1/operations/deliveries/retry own
POST /api/v1/peers/{ae_title}/echo hidden
POST /api/v1/peers/{ae_title}/search hidden
POST /api/v1/quick-texts own
POST /api/v1/retrievals hidden
POST /api/v1/retrievals/{id}/cancel hidden
POST /api/v1/samples hidden
POST /api/v1/samples/cancel hidden
POST /api/v1/second-factor refused
POST /api/v1/second-factor/recovery-codes refused
POST /api/v1/second-factor/remove refused
POST /api/v1/second-factor/reset-seen own
POST /api/v1/studies/search own
POST /api/v1/studies/{study_uid}/measurements hidden
POST /api/v1/studies/{study_uid}/reading hidden
POST /api/v1/studies/{study_uid}/reading/cancel hidden
POST /api/v1/studies/{study_uid}/reading/resume hidden
POST /api/v1/studies/{study_uid}/report/versions/{version}/review/findings hidden
POST /api/v1/studies/{study_uid}/report/versions/{version}/sign refused
POST /api/v1/tokens refused
POST /api/v1/worklist/filters own
POST /dicom-web/studies refused
POST /dicom-web/studies/{study_uid} refused
POST /dicom-web/workitems own
POST /dicom-web/workitems/{workitem} hidden
POST /dicom-web/workitems/{workitem}/cancelrequest hidden
POST /dicom-web/workitems/{workitem}/subscribers/{ae_title} hidden
POST /dicom-web/workitems/{workitem}/subscribers/{ae_title}/suspend hidden
PUT /api/v1/second-factor refused
PUT /api/v1/session/password refused
PUT /api/v1/studies/{study_uid}/priority hidden
PUT /api/v1/studies/{study_uid}/report/versions/{version}/label-use hidden
PUT /api/v1/studies/{study_uid}/report/versions/{version}/review/conclusion hidden
PUT /api/v1/studies/{study_uid}/report/versions/{version}/review/findings/{number} hidden
PUT /api/v1/studies/{study_uid}/report/versions/{version}/review/findings/{number}/mask hidden
PUT /dicom-web/workitems/{workitem}/state hidden
";

/// The permission that a word of the document names.
fn permission(needs: &str) -> Option<Permission> {
    serde_json::from_value(json!(needs)).ok()
}

/// Cookie and page's token of an account that signed in.
pub async fn session_of(server: &Running, login: &str) -> (String, String) {
    let password = "only for a server that is gone soon";
    let scope = server.engine.console_scope().await.unwrap();
    let account = server.engine.account_with_login(&scope, login).await.unwrap();
    server.engine.set_password(&scope, account.id, password).await.unwrap();
    let body = json!({"login": login, "password": password}).to_string();
    let headers = [("Content-Type", "application/json")];
    let answer = server.send_bare("POST", "/api/v1/session", &headers, body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    (cookie, answer.json()["csrf"].as_str().unwrap().to_owned())
}

/// A study that is there, with the parts of its address.
async fn kept(server: &Running) -> BTreeMap<&'static str, String> {
    let series = series(1, 3, 40);
    server.store(&series.instances.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>()).await;
    server.engine.run_until_idle().await.unwrap();
    let (sop, bytes) = &series.instances[1];
    let facts = hilum_dicom::read_facts(bytes).unwrap();
    let headers = [("Content-Type", "application/dicom+json")];
    let stated = crate::ups::wanted().to_string();
    let created = server.send("POST", "/dicom-web/workitems?1.2.826.0.1", &headers, stated.as_bytes()).await;
    assert_eq!(created.status, 201, "{}", created.text());
    BTreeMap::from([
        ("{workitem}", "1.2.826.0.1".to_owned()),
        ("{ae_title}", "PACS".to_owned()),
        ("{study_uid}", series.study.to_string()),
        ("{series_uid}", facts.series.uid.to_string()),
        ("{sop_uid}", sop.clone()),
        ("{frames}", "1".to_owned()),
        ("{path}", "7FE00010".to_owned()),
        ("{file}", "0.png".to_owned()),
        ("{id}", "1".to_owned()),
        ("{identity}", "1".to_owned()),
        ("{provider}", "hospital".to_owned()),
        ("{version}", "1".to_owned()),
        ("{number}", "1".to_owned()),
        ("{ae_title}", "PACS".to_owned()),
    ])
}

/// The address of an operation, with what is kept.
fn path(door: &Operation, parts: &BTreeMap<&str, String>) -> String {
    let filled = parts.iter().fold(door.path.clone(), |path, (name, value)| path.replace(name, value));
    if filled != "/wado" {
        return filled;
    }
    let [study, series, sop] = ["{study_uid}", "{series_uid}", "{sop_uid}"].map(|name| &parts[name]);
    format!("/wado?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={sop}")
}

async fn knock(
    server: &Running,
    door: &Operation,
    parts: &BTreeMap<&str, String>,
    key: Option<&str>,
) -> crate::client::Answer {
    let authorization = key.map(|key| format!("Bearer {key}"));
    let headers = [("Authorization", authorization.as_deref().unwrap_or("")), ("Content-Type", "application/json")];
    let headers = if key.is_some() { &headers[..] } else { &headers[1..] };
    let body: &[u8] = if door.method == "GET" || door.method == "DELETE" { b"" } else { b"{}" };
    server.send_bare(&door.method, &path(door, parts), headers, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_is_listed_with_who_may_come_in() {
    let server = start().await;
    let mut lines: Vec<String> =
        server.doors.iter().map(|door| format!("{} {} {}", door.method, door.path, told(door.needs))).collect();
    lines.sort_by_key(|line| line.split(' ').nth(1).map(str::to_owned));
    let listed: Vec<&str> = DOORS.lines().collect();
    let missing: Vec<&String> = lines.iter().filter(|line| !listed.contains(&line.as_str())).collect();
    let gone: Vec<&&str> = listed.iter().filter(|line| !lines.iter().any(|own| own == *line)).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not listed: {missing:#?}; listed and not there: {gone:#?}");
    assert_eq!(lines.len(), listed.len(), "a door is there twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_without_a_key() {
    let server = start().await;
    let parts = kept(&server).await;
    for door in &pinned() {
        if door.needs == "nobody" {
            continue;
        }
        for key in [None, Some("hilum_0000000000000000000000000000000000000000000000000000000000000000"), Some("")] {
            let answer = knock(&server, door, &parts, key).await;
            assert_eq!(answer.status, 401, "{} {key:?}: {}", door.name(), answer.text());
            assert_eq!(answer.json()["code"], "not_signed_in");
            assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        }
        let basic = [("Authorization", "Basic aGlsdW06aGlsdW0="), ("Content-Type", "application/json")];
        let answer = server.send_bare(&door.method, &path(door, &parts), &basic, b"").await;
        assert_eq!(answer.status, 401, "{}", door.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lesser_role_is_refused_and_told_which_one_may() {
    let server = start().await;
    let parts = kept(&server).await;
    let mut keys = Vec::new();
    for role in Role::ALL {
        keys.push((role, token(&server.engine, role.as_str(), &[role]).await));
    }
    for door in &pinned() {
        let Some(permission) = permission(&door.needs) else { continue };
        for (role, key) in &keys {
            if role.permissions().contain(permission) {
                continue;
            }
            let answer = knock(&server, door, &parts, Some(key)).await;
            assert_eq!(answer.status, 403, "{} as {role:?}: {}", door.name(), answer.text());
            let message = answer.json()["message"].as_str().unwrap().to_owned();
            let may = Role::ALL.into_iter().find(|role| role.permissions().contain(permission)).unwrap();
            assert!(message.contains(may.as_str()), "{message}");
        }
    }
    // It is all still there.
    assert_eq!(server.get("/dicom-web/instances").await.json().as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_institution_sees_nothing_not_even_that_something_is_there() {
    let server = start().await;
    let parts = kept(&server).await;
    let stranger = token_at(&server.engine, "stranger", "ELSEWHERE", &Role::ALL).await;
    let in_person = session_of(&server, "stranger").await;
    let bearer = format!("Bearer {stranger}");
    let with_token = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let with_session = [
        ("Cookie", in_person.0.as_str()),
        ("X-Hilum-Csrf", in_person.1.as_str()),
        ("Content-Type", "application/json"),
    ];
    let mut entries: BTreeMap<&str, &str> = ELSEWHERE.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    // Signing out comes last.
    let mut doors = pinned();
    doors.sort_by_key(|door| (door.name() == "DELETE /api/v1/session", door.name()));
    for door in doors.iter().filter(|door| door.needs != "nobody") {
        let name = door.name();
        let entry = entries.remove(name.as_str());
        let entry = entry.unwrap_or_else(|| panic!("{name}: ELSEWHERE does not say what another institution gets"));
        let headers =
            if door.said["security"].as_array().unwrap().len() == 1 { &with_session[..] } else { &with_token };
        let own_work = crate::ups::wanted().to_string();
        let body: &[u8] = match (door.method.as_str(), door.path.as_str()) {
            ("GET" | "DELETE", _) => b"",
            (_, "/dicom-web/workitems") => own_work.as_bytes(),
            (_, path) if path.contains("/subscribers/") => b"",
            (_, "/api/v1/accounts") => br#"{"login": "mole", "roles": [{"institution": "LOCAL", "role": "viewer"}]}"#,
            (_, "/api/v1/accounts/{id}") => br#"{"name": "Mole", "disabled": true}"#,
            (_, "/api/v1/institutions") => br#"{"code": "LOCAL", "name": "Mole"}"#,
            (_, "/api/v1/tokens") => {
                br#"{"name": "mole", "days": 1, "roles": [{"institution": "LOCAL", "role": "viewer"}]}"#
            }
            (_, "/api/v1/identities") => br#"{"provider": "none"}"#,
            (_, "/api/v1/accounts/{id}/identities") => br#"{"provider": "none", "subject": "mole"}"#,
            ("POST", "/api/v1/second-factor") => br#"{"password": "x"}"#,
            (_, "/api/v1/second-factor" | "/api/v1/second-factor/remove" | "/api/v1/second-factor/recovery-codes") => {
                br#"{"code": "000000"}"#
            }
            (_, "/api/v1/worklist/filters") => br#"{"name": "mole", "filter": {"modality": ["CT"]}}"#,
            (_, path) if path.ends_with("/priority") => br#"{"priority": "stat"}"#,
            (_, "/api/v1/retrievals") => br#"{"peer": "PACS", "studies": ["1.2.3"]}"#,
            (_, "/api/v1/quick-texts") => br#"{"language": "en", "title": "mole", "text": "mole"}"#,
            (_, path) if path.ends_with("/findings/{number}") => br#"{"revision": 0, "verdict": "rejected"}"#,
            (_, path) if path.ends_with("/measurements") => {
                br#"{"series_uid": "1.2.3", "kind": "length", "points": [[0, 0, 0], [1, 0, 0]]}"#
            }
            (_, path) if path.ends_with("/mask") => br#"{"revision": 0, "runs": [[0, 0, 0, 1]]}"#,
            (_, path) if path.ends_with("/findings") => br#"{"revision": 0}"#,
            (_, path) if path.ends_with("/conclusion") => br#"{"revision": 0, "conclusion": {"en": "mole"}}"#,
            (_, path) if path.ends_with("/sign") => br#"{"revision": 0, "accept_rest": true, "password": "x"}"#,
            (_, path) if path.ends_with("/label-use") => br#"{"label_use": "approved"}"#,
            (_, "/api/v1/session/password") => br#"{"old": "x", "new": "y"}"#,
            _ => b"{}",
        };
        if entry == "streams" {
            // It has no end: what another institution hears is tested in `events`.
            continue;
        }
        let answer = server.send_bare(&door.method, &path(door, &parts), headers, body).await;
        let nothing = answer.status == 204 || answer.status == 200 && answer.body == b"[]";
        let as_said = match entry {
            "hidden" => answer.status == 404 || nothing,
            "own" => matches!(answer.status, 200 | 201 | 204),
            "refused" => matches!(answer.status, 401 | 403 | 409 | 415 | 426),
            other => panic!("{name}: no kind of entry is called {other}"),
        };
        assert!(as_said, "{name} {entry}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        let ours = [parts["{study_uid}"].as_str(), parts["{sop_uid}"].as_str(), "LOCAL", "\"all\""];
        assert!(!ours.iter().any(|ours| said.contains(ours)), "{name} tells of another institution: {said}");
    }
    assert!(entries.is_empty(), "ELSEWHERE names what is not there: {entries:?}");
    let headers = [("Authorization", bearer.as_str())];
    for path in ["/dicom-web/studies", "/dicom-web/series", "/dicom-web/instances", "/dicom-web/studies?PatientName=*"]
    {
        let answer = server.send_bare("GET", path, &headers, b"").await;
        assert!(answer.status == 204 || answer.json() == json!([]), "{path}: {}", answer.text());
    }
    let activity = server.send_bare("GET", "/api/v1/activity", &headers, b"").await.json();
    let nothing = |value: &Value| match value {
        Value::Number(number) => number.as_u64() == Some(0),
        Value::Array(list) => list.is_empty(),
        Value::Null | Value::Bool(_) => true,
        _ => false,
    };
    assert!(activity.as_object().unwrap().values().all(nothing), "{activity}");
    assert_eq!(server.send_bare("GET", "/api/v1/quarantine", &headers, b"").await.json(), json!([]));
    // The same study of theirs is another one.
    let series = series(1, 1, 40);
    let body = crate::synthetic::multipart("bound", &[&series.instances[0].1]);
    let headers = [headers[0], ("Content-Type", "multipart/related; type=\"application/dicom\"; boundary=bound")];
    assert_eq!(server.send_bare("POST", "/dicom-web/studies", &headers, &body).await.status, 200);
    let found = server.send_bare("GET", "/dicom-web/instances", &headers[..1], b"").await.json();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(server.get("/dicom-web/instances").await.json().as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_in_one_institution_are_none_in_another_that_one_may_only_look_at() {
    let server = start().await;
    let parts = kept(&server).await;
    let both = token_at(&server.engine, "both", "ELSEWHERE", &Role::ALL).await;
    let scope = server.engine.console_scope().await.unwrap();
    let account = server.engine.account_with_login(&scope, "both").await.unwrap();
    let look = hilum_engine::Grant { institution: "LOCAL".parse().unwrap(), role: Role::Viewer };
    let roles: Vec<_> = account.roles.iter().cloned().chain([look]).collect();
    let patch = hilum_engine::accounts::AccountPatch { roles: Some(roles.clone()), ..Default::default() };
    server.engine.change_account(&scope, account.id, &patch).await.unwrap();
    let key = server.engine.add_token(&scope, account.id, "both", &roles, 1).await.unwrap().0;
    let study = format!("/dicom-web/studies/{}", parts["{study_uid}"]);
    let bearer = format!("Bearer {key}");
    let headers = [("Authorization", bearer.as_str())];
    assert_eq!(server.send_bare("GET", &format!("{study}/metadata"), &headers, b"").await.status, 200);
    assert_eq!(server.send_bare("DELETE", &study, &headers, b"").await.status, 403);
    let cancel = format!("/api/v1/studies/{}/reading/cancel", parts["{study_uid}"]);
    assert_eq!(server.send_bare("POST", &cancel, &headers, b"").await.status, 403);
    // The token that was made before knows nothing of the new role.
    let bearer = format!("Bearer {both}");
    let headers = [("Authorization", bearer.as_str())];
    assert_eq!(server.send_bare("GET", &format!("{study}/metadata"), &headers, b"").await.status, 404);
    assert_eq!(server.get("/dicom-web/instances").await.json().as_array().unwrap().len(), 3);
}

#[test]
fn every_permission_has_a_role_and_none_has_all() {
    for permission in Permission::ALL {
        let roles = Role::ALL.into_iter().filter(|role| role.permissions().contain(permission)).count();
        assert!((1..Role::ALL.len()).contains(&roles), "{permission:?}");
    }
}
