//! `/api/v1`: what the user interface and scripts ask. JSON in the words of `hilum_engine::views`.

mod accounts;
mod audit;
mod events;
mod identities;
mod measurements;
mod openid;
mod operations;
mod report;
mod review;
mod second_factor;
mod session;
mod studies;
mod worklist;

pub(crate) use events::Listeners;

use axum::{
    Extension, Json,
    extract::Path,
    http::{Method, header},
    response::{IntoResponse, Response},
};
use hilum_dicom::StudyUid;
use hilum_engine::Permission;
use hilum_engine::audit::AuditView;
use hilum_engine::deliveries::DeliveryView;
use hilum_engine::forwarding::ForwardView;
use hilum_engine::views::{Activity, QuarantineEntry, StudySummary, SystemView};
use serde_json::json;

use crate::{
    doors::{App, Doors, Needs},
    error::ApiError,
    openapi::{Document, Said, Sketch, Takes},
    server::Server,
};

type ApiResult<T> = Result<Json<T>, ApiError>;

pub(crate) fn doors(server: &Server) -> Doors {
    own_doors(server)
        .and(review_doors(server))
        .and(worklist_doors(server))
        .and(operation_doors(server))
        .and(viewer_doors(server))
}

fn own_doors(server: &Server) -> Doors {
    let (view, predict, manage) =
        (Needs::May(Permission::View), Needs::May(Permission::Predict), Needs::May(Permission::Manage));
    Doors::below(server, "/api/v1")
        .with_whole_bodies()
        .get("/openapi.json", Needs::Nobody, document, document_said())
        .get("/session", Needs::SignedIn, session::show, "Who is signed in")
        .post("/session", Needs::Nobody, session::sign_in, Said::from("Signs in").refuses(&[401]))
        .delete("/session", Needs::SignedIn, session::sign_out, "Signs out")
        .open(
            Method::PUT,
            "/session/password",
            Needs::SignedIn,
            session::change_password,
            "Another password; every session ends, and a new one begins",
        )
        .post(
            "/session/second-factor",
            Needs::Nobody,
            second_factor::begin_at_sign_in,
            Said::from("A secret for an authenticator, where nobody signs in without one and the account has none")
                .refuses(&[401, 409]),
        )
        .post(
            "/second-factor",
            Needs::SignedIn,
            second_factor::begin,
            Said::from("A new secret for an authenticator, which counts once a code of it is shown").refuses(&[409]),
        )
        .open(
            Method::PUT,
            "/second-factor",
            Needs::SignedIn,
            second_factor::confirm,
            Said::from("Lets the authenticator count, and gives recovery codes").refuses(&[409]),
        )
        .post(
            "/second-factor/remove",
            Needs::SignedIn,
            second_factor::remove,
            Said::from("Takes the second factor away").refuses(&[409]),
        )
        .post(
            "/second-factor/recovery-codes",
            Needs::SignedIn,
            second_factor::renew_recovery_codes,
            Said::from("New recovery codes; those from before work no longer").refuses(&[409]),
        )
        .post(
            "/second-factor/reset-seen",
            Needs::SignedIn,
            second_factor::saw_reset,
            "The caller knows that an administrator took the second factor away",
        )
        .post(
            "/links/check",
            Needs::Nobody,
            session::check_link,
            Said::from("What a link that works once is for").refuses(&[404]),
        )
        .post(
            "/links/use",
            Needs::Nobody,
            session::use_link,
            Said::from("Chooses a password by a link that works once, and signs in").refuses(&[404, 409]),
        )
        .get("/accounts", manage, accounts::list, "Accounts of the institutions where the caller manages accounts")
        .post(
            "/accounts",
            manage,
            accounts::add,
            Said::from("Adds an account, and makes the link with which its holder chooses a password")
                .refuses(&[404, 409]),
        )
        .open(
            Method::PATCH,
            "/accounts/{id}",
            manage,
            accounts::change,
            Said::from("Renames, disables or enables an account, or gives it other roles").refuses(&[409]),
        )
        .post("/accounts/{id}/link", manage, accounts::link, "A new link with which the holder chooses a password")
        .post(
            "/accounts/{id}/second-factor/reset",
            manage,
            second_factor::reset,
            Said::from("Takes away the second factor of somebody who has lost it").refuses(&[409]),
        )
        .get(
            "/accounts/{id}/identities",
            manage,
            identities::of_account,
            "Identities at OpenID providers that an account signs in by",
        )
        .post(
            "/accounts/{id}/identities",
            manage,
            identities::link,
            Said::from("Lets whom an OpenID provider knows sign in with an account").refuses(&[409]),
        )
        .delete(
            "/accounts/{id}/identities/{identity}",
            manage,
            identities::unlink,
            Said::from("Lets an identity sign in with an account no longer").refuses(&[409]),
        )
        .get("/identities", Needs::SignedIn, identities::own, "The caller's own identities at OpenID providers")
        .post(
            "/identities",
            Needs::SignedIn,
            identities::begin_link,
            Said::from("Where a browser goes to link an identity to the caller's account").refuses(&[404, 502]),
        )
        .delete(
            "/identities/{id}",
            Needs::SignedIn,
            identities::unlink_own,
            Said::from("Takes back one of the caller's own identities").refuses(&[409]),
        )
        .get("/openid", Needs::Nobody, openid::list, "OpenID providers that people may sign in by")
        .post(
            "/openid/{provider}",
            Needs::Nobody,
            openid::begin,
            Said::from("Where a browser goes to sign in by a provider").refuses(&[404, 502]),
        )
        .get(
            "/openid/{provider}/callback",
            Needs::Nobody,
            openid::callback,
            Said::from("Where a provider sends the browser back to; goes on to a page")
                .gives(303, "", json!(null))
                .refuses(&[404]),
        )
        .get("/institutions", Needs::SignedIn, accounts::institutions, "Institutions that the caller has to do with")
        .post(
            "/institutions",
            manage,
            accounts::add_institution,
            Said::from("Adds an institution, or names one").refuses(&[409]),
        )
        .get("/tokens", Needs::SignedIn, accounts::tokens, "The caller's own tokens")
        .post(
            "/tokens",
            Needs::SignedIn,
            accounts::add_token,
            Said::from("Makes a token for one of the caller's programs").refuses(&[404, 409]),
        )
        .delete("/tokens/{id}", Needs::SignedIn, accounts::revoke_token, "Takes back one of the caller's tokens")
        .get("/system", Needs::SignedIn, system, "Version, model and zone")
        .get(
            "/audit",
            Needs::May(Permission::Audit),
            audit::list,
            Said::from("A page of the audit trail, the last event first").of::<AuditView>(),
        )
        .get("/activity", view, activity, "Imports and readings under way")
        .get("/quarantine", view, quarantine, "Objects that were kept aside")
        .post("/studies/search", view, studies::search, Said::from("A page of the study list").of::<StudySummary>())
        .get("/studies/{study_uid}", view, studies::study, "One study with its series")
        .post(
            "/studies/{study_uid}/reading",
            predict,
            studies::ask_for_reading,
            Said::from("Lets a study be read, also where it was read before").refuses(&[409]),
        )
        .post(
            "/studies/{study_uid}/reading/cancel",
            predict,
            studies::cancel_reading,
            Said::from("Stops a reading that waits or runs").refuses(&[409]),
        )
        .post(
            "/studies/{study_uid}/reading/resume",
            predict,
            studies::resume_reading,
            Said::from("Lets a cancelled or failed reading start again").refuses(&[409]),
        )
        .get("/studies/{study_uid}/report", view, report::json, "The report as data")
        .get(
            "/studies/{study_uid}/report/options",
            view,
            report::options,
            "The guideline options, weighed again with what is told of the patient",
        )
        .get("/studies/{study_uid}/report.pdf", view, report::pdf, report::file("The report as a page", report::PDF))
        .get(
            "/studies/{study_uid}/report.csv",
            view,
            report::csv,
            report::file("The stones, comma-separated", report::CSV),
        )
        .get(
            "/studies/{study_uid}/report.xlsx",
            view,
            report::xlsx,
            report::file("The report as a workbook", report::XLSX),
        )
        .get(
            "/studies/{study_uid}/report/key-images/{file}",
            view,
            report::key_image,
            report::file("A key image of the report", report::PNG),
        )
}

/// The list as it lives: what changes, how urgent a study is, kept filters.
fn worklist_doors(server: &Server) -> Doors {
    let (view, predict) = (Needs::May(Permission::View), Needs::May(Permission::Predict));
    Doors::below(server, "/api/v1")
        .with_whole_bodies()
        .get("/events", view, events::events, events::said())
        .get(
            "/studies/{study_uid}/acquisition",
            view,
            worklist::acquisition,
            "How each series of a study was taken, as its headers say it",
        )
        .open(
            Method::PUT,
            "/studies/{study_uid}/priority",
            predict,
            worklist::set_priority,
            "Says how urgent a study is; no order changes that any more",
        )
        .get("/worklist/filters", view, worklist::filters, "The caller's own filters of the study list")
        .post(
            "/worklist/filters",
            view,
            worklist::save_filter,
            Said::from("Keeps a filter under its name, in place of the one that had it").refuses(&[409]),
        )
        .delete("/worklist/filters/{id}", view, worklist::remove_filter, "Forgets one of the caller's own filters")
}

/// Running an installation, and fetching from its peers.
fn operation_doors(server: &Server) -> Doors {
    let (operate, store) = (Needs::May(Permission::Operate), Needs::May(Permission::Store));
    let of_peer = |summary: &'static str| Said::from(summary).refuses(&[404, 502]);
    Doors::below(server, "/api/v1")
        .with_whole_bodies()
        .get("/operations/jobs", operate, operations::jobs, "Work that is due, runs or stopped")
        .get("/operations/storage", operate, operations::storage, "What the store holds, and how much is free")
        .get(
            "/operations/forwards",
            operate,
            operations::forwards,
            Said::from("A page of what goes on to peers").of::<ForwardView>(),
        )
        .post("/operations/forwards/retry", operate, operations::retry_forwards, "Makes all that was not sent due now")
        .get(
            "/operations/deliveries",
            operate,
            operations::deliveries,
            Said::from("A page of what goes to medical records").of::<DeliveryView>(),
        )
        .post(
            "/operations/deliveries/retry",
            operate,
            operations::retry_deliveries,
            "Makes all that was not delivered due now",
        )
        .get(
            "/operations/health",
            operate,
            operations::health,
            Said::from("What is weak in settings and surroundings").refuses(&[404]),
        )
        .get("/models", Needs::SignedIn, operations::models, "The models that are installed, with their cards")
        .get(
            "/node",
            operate,
            operations::node,
            Said::from("Where the DICOM node listens, its peers, rules and schedules").refuses(&[404]),
        )
        .post("/peers/{ae_title}/echo", operate, operations::echo, of_peer("Asks a peer whether it is there (C-ECHO)"))
        .post("/peers/{ae_title}/search", store, operations::search, of_peer("Asks a peer for studies (C-FIND)"))
        .get(
            "/retrievals",
            store,
            operations::retrievals,
            Said::from("What is being fetched from peers, the last first").refuses(&[404]),
        )
        .post(
            "/retrievals",
            store,
            operations::retrieve,
            Said::from("Begins to fetch studies from a peer").refuses(&[404, 409]),
        )
        .post("/retrievals/{id}/cancel", store, operations::cancel_retrieval, "Stops fetching; what came stays")
        .get(
            "/samples",
            store,
            operations::samples,
            Said::from("Where the making of sample patients stands").refuses(&[404]),
        )
        .post(
            "/samples",
            store,
            operations::make_samples,
            Said::from("Makes synthetic patients, and takes them in").refuses(&[404]),
        )
        .post(
            "/samples/cancel",
            store,
            operations::cancel_samples,
            Said::from("Stops that after the patient in hand").refuses(&[404]),
        )
}

/// Versions, reviews, signatures, and what is learned from them.
fn review_doors(server: &Server) -> Doors {
    const VERSION: &str = "/studies/{study_uid}/report/versions/{version}";
    let (view, judges) = (Needs::May(Permission::View), Needs::May(Permission::Review));
    let (curate, quality) = (Needs::May(Permission::Curate), Needs::May(Permission::Quality));
    let at = |rest: &str| format!("{VERSION}{rest}");
    let said = |summary: &'static str| Said::from(summary).refuses(&[409]);
    Doors::below(server, "/api/v1")
        .with_whole_bodies()
        .get(
            "/studies/{study_uid}/report/versions",
            view,
            review::versions,
            "Every version of the report, with its state",
        )
        .get(VERSION, view, review::json, "A version of the report as data")
        .get(&at("/report.pdf"), view, review::pdf, report::file("A version of the report as pages", report::PDF))
        .get(
            &at("/report.xlsx"),
            view,
            review::xlsx,
            report::file("A version of the report as a workbook", report::XLSX),
        )
        .get(
            &at("/report.csv"),
            view,
            review::csv,
            report::file("The stones of a version, comma-separated", report::CSV),
        )
        .get(
            &at("/key-images/{file}"),
            view,
            review::key_image,
            report::file("A key image of a version of the report", report::PNG),
        )
        .get(
            &at("/signed.json"),
            view,
            review::signed,
            Said::from("Of a signed version: the bytes whose SHA-256 the signature names").gives(
                200,
                "application/json",
                json!({"type": "object"}),
            ),
        )
        .get(&at("/review"), view, review::review, "What physicians have said of a version")
        .open(
            Method::PUT,
            &at("/review/findings/{number}"),
            judges,
            review::judge,
            said("Accepts, edits or rejects a finding, or states a stone that was added anew or takes it back"),
        )
        .open(
            Method::PUT,
            &at("/review/findings/{number}/mask"),
            judges,
            review::correct_mask,
            said("Puts a physician's mask in the place of the network's; the stone is measured again"),
        )
        .post(&at("/review/findings"), judges, review::add_stone, said("Adds a stone that the model did not find"))
        .open(Method::PUT, &at("/review/conclusion"), judges, review::conclude, said("Writes the conclusion"))
        .post(
            &at("/sign"),
            judges,
            review::sign,
            said("Signs the review: a further version, which nobody changes any more"),
        )
        .open(
            Method::PUT,
            &at("/label-use"),
            curate,
            review::set_label_use,
            said("Says whether a signed review may become labels of a data set"),
        )
        .get(
            "/quality/agreement",
            quality,
            review::agreement,
            "How often physicians agreed with each model, by month, in the caller's institutions",
        )
        .get("/quick-texts", judges, review::quick_texts, "The caller's own texts for conclusions")
        .post("/quick-texts", judges, review::add_quick_text, said("Keeps a text for conclusions"))
        .delete("/quick-texts/{id}", judges, review::remove_quick_text, "Removes one of the caller's own texts")
}

/// What is drawn over images.
fn viewer_doors(server: &Server) -> Doors {
    let (view, judges) = (Needs::May(Permission::View), Needs::May(Permission::Review));
    Doors::below(server, "/api/v1")
        .with_whole_bodies()
        .get(
            "/studies/{study_uid}/report/versions/{version}/mask",
            view,
            review::mask,
            Said::from("The voxels of a version's stones, as runs along rows, with their place in the patient")
                .refuses(&[409]),
        )
        .get(
            "/studies/{study_uid}/measurements",
            view,
            measurements::list,
            "What people measured in the study's images",
        )
        .post(
            "/studies/{study_uid}/measurements",
            judges,
            measurements::add,
            Said::from("Keeps a measurement with its study").refuses(&[409]),
        )
        .delete(
            "/studies/{study_uid}/measurements/{id}",
            judges,
            measurements::remove,
            "Takes back a measurement of the caller's own",
        )
}

/// It holds no data: what it says stands in the source.
async fn document(Extension(Document(document)): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

fn document_said() -> Said {
    Said::from("This document").gives(200, "application/json", json!({"type": "object"}))
}

async fn system(app: App) -> Json<SystemView> {
    Json(SystemView { loopback_only: app.loopback_only, ..app.engine.system() })
}

async fn activity(app: App) -> ApiResult<Activity> {
    Ok(Json(app.engine.activity(&app.scope).await?))
}

async fn quarantine(app: App) -> ApiResult<Vec<QuarantineEntry>> {
    Ok(Json(app.engine.quarantine(&app.scope).await?))
}

/// The study of an address.
fn study_uid(text: &str) -> Result<StudyUid, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request(format!("the address names no study: {error}")))
}

/// The number of an address that names nothing else.
struct Number(i64);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Number {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await?;
        text.parse().map(Self).map_err(|_| ApiError::bad_request("the address names no number"))
    }
}

impl Takes for Number {
    fn told(_sketch: &mut Sketch) {}
}

/// The study of an address that names nothing else.
pub(crate) struct StudyPath(pub(crate) StudyUid);

impl Takes for StudyPath {
    fn told(_sketch: &mut Sketch) {}
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for StudyPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await?;
        study_uid(&text).map(Self)
    }
}
