//! What whoever asks for work may do: create work items, look at them, change them, claim and end them, want them cancelled, be told of them.

use super::{input, performed, service};
use crate::access::{Permission, Scope};
use crate::audit::{Action, AuditEvent, Subject};
use crate::catalog::{Changed, Subscribe, Which, WorkFilter, WorkItem};
use crate::engine::Engine;
use crate::error::EngineError;
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use hilum_dicom::matching::{Query, QueryOptions};
use hilum_dicom::ups::{
    Notice, StepError, StepState, Transition, check_cancel_request, check_changes, check_final_state, check_new,
    put_changes, transition,
};
use hilum_dicom::{AeTitle, DataSet, SopUid, json};
use uuid::Uuid;

/// Work items that are looked at between two pages of a search.
const PAGE: u64 = 200;
/// The most that a requester or another performer may have a work item say, in bytes of DICOM JSON: a search reads whole work items, and every
/// change writes one.
const LONGEST: usize = 256 << 10;

/// A work item that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedWorkItem {
    /// Its SOP Instance UID.
    pub uid: SopUid,
    /// It says something that its creator did not state.
    pub modified: bool,
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct FoundWorkItems {
    /// Whole work items, in the order in which they are to be performed.
    pub items: Vec<DataSet>,
    /// There are more.
    pub more: bool,
}

/// What an application entity subscribes to.
#[derive(Clone, Debug)]
pub enum Subscription {
    /// A work item.
    Item(SopUid),
    /// All of them.
    Worklist,
    /// Those that match keys.
    Filtered(DataSet),
}

impl Subscription {
    fn wanted(&self) -> Subscribe<'_> {
        match self {
            Self::Item(uid) => Subscribe::Item(uid),
            Self::Worklist => Subscribe::Worklist(None),
            Self::Filtered(keys) => Subscribe::Worklist(Some(keys.clone())),
        }
    }
}

impl Engine {
    /// Keeps a new work item of the caller's institution; without a UID it gets one.
    pub async fn create_work_item(
        &self,
        scope: &Scope,
        uid: Option<SopUid>,
        stated: &DataSet,
    ) -> Result<CreatedWorkItem, EngineError> {
        self.may_change_work(scope, scope.may(Permission::Store, scope.home())).await?;
        let mut new = check_new(stated)?;
        let said = stated.text(tags::SOP_INSTANCE_UID).and_then(|uid| uid.parse::<SopUid>().ok());
        let uid = match (uid, said) {
            (Some(uid), Some(said)) if uid != said => {
                return Err(EngineError::BadRequest {
                    field: "SOP Instance UID",
                    expected: "the same in the address and in the data set",
                });
            }
            (Some(uid), _) | (None, Some(uid)) => uid,
            (None, None) => SopUid::from_u128(Uuid::new_v4().as_u128()),
        };
        if uid.check_for_writing().is_err() {
            return Err(EngineError::BadRequest {
                field: "SOP Instance UID",
                expected: "components without leading zeros (PS3.5 9.1)",
            });
        }
        if new.data_set.text(tags::WORKLIST_LABEL).is_none() {
            // PS3.4 Table CC.2.5-3: the keeper supplies one.
            new.data_set.set(tags::WORKLIST_LABEL, "Hilum");
            new.modified = true;
        }
        check_length(&new.data_set)?;
        let own = self.performs(&new.data_set);
        self.catalog().create_work_item(scope, &uid, new.data_set, own).await?;
        self.tell_work();
        Ok(CreatedWorkItem { uid, modified: new.modified })
    }

    /// A work item, whole but for its Transaction UID.
    pub async fn work_item(&self, scope: &Scope, uid: &SopUid) -> Result<DataSet, EngineError> {
        let found = self.catalog().work_item(scope, uid).await?;
        let item = found.ok_or(EngineError::NotFound { what: "work item" })?;
        match input::study_of(&item.data_set) {
            Some(study) => self.note_view(scope, Subject::Worklist, &study, None).await?,
            None => self.audit_query(scope, Subject::Worklist, &DataSet::new()).await?,
        }
        Ok(item.data_set)
    }

    /// Work items that match, in the order in which they are to be performed: high priority first, then those that are to begin first.
    pub async fn search_work_items(
        &self,
        scope: &Scope,
        keys: &DataSet,
        options: QueryOptions,
        offset: usize,
        limit: usize,
    ) -> Result<FoundWorkItems, EngineError> {
        let query = Query::read(keys, options).map_err(|error| EngineError::BadQuery(error.to_string()))?;
        if keys.get(tags::TRANSACTION_UID).is_some() {
            // It is the lock of whoever performs: nobody finds out which one it is by asking.
            return Err(EngineError::BadQuery("(0008,1195): the Transaction UID is no key".to_owned()));
        }
        self.audit_query(scope, Subject::Worklist, keys).await?;
        let plain = |tag: Tag| -> Vec<String> {
            let values = keys.texts(tag);
            let is_plain = |text: &String| !text.is_empty() && !text.contains(['*', '?', '"']);
            if values.iter().all(is_plain) { values.to_vec() } else { Vec::new() }
        };
        let filter = WorkFilter {
            states: plain(tags::PROCEDURE_STEP_STATE),
            uids: plain(tags::SOP_INSTANCE_UID),
            patient: match plain(tags::PATIENT_ID).as_slice() {
                [one] => Some(one.clone()),
                _ => None,
            },
        };
        let mut found = FoundWorkItems::default();
        let (mut passed, mut after): (usize, Option<WorkItem>) = (0, None);
        loop {
            let page = self.catalog().work_items(scope, &filter, after.as_ref(), PAGE).await?;
            let last = page.len() < PAGE as usize;
            after = page.last().cloned();
            for item in page.into_iter().filter(|item| query.matches(&item.data_set)) {
                if passed < offset {
                    passed += 1;
                } else if found.items.len() < limit {
                    found.items.push(item.data_set);
                } else {
                    found.more = true;
                    return Ok(found);
                }
            }
            if last {
                return Ok(found);
            }
        }
    }

    /// Changes what a work item says: as long as it waits, whoever may; then whoever claimed it.
    pub async fn update_work_item(
        &self,
        scope: &Scope,
        uid: &SopUid,
        transaction: Option<&str>,
        changes: &DataSet,
    ) -> Result<(), EngineError> {
        self.may_change_work(scope, scope.may_somewhere(Permission::Store)).await?;
        let mut changes = changes.clone();
        changes.remove(tags::TRANSACTION_UID);
        let update = |item: &mut WorkItem| {
            match (item.state, transaction) {
                (StepState::Completed | StepState::Canceled, _) => return Err(StepError::Ended(item.state).into()),
                (StepState::Scheduled, Some(_)) => return Err(StepError::NotInProgress.into()),
                (StepState::InProgress, None) => return Err(StepError::NoTransaction.into()),
                (StepState::InProgress, named) if item.transaction.as_deref() != named => {
                    return Err(StepError::WrongTransaction.into());
                }
                (StepState::Scheduled | StepState::InProgress, _) => {}
            }
            check_changes(&changes)?;
            let before = item.data_set.clone();
            put_changes(&mut item.data_set, &changes);
            check_length(&item.data_set)?;
            if item.state == StepState::Scheduled {
                item.own = self.performs(&item.data_set);
                item.next_at = item.own.then_some(0);
            }
            Ok(Changed { outcome: (), notices: notices(&before, &item.data_set), code: Some("updated") })
        };
        let which = Which::Uid(uid);
        let done = self.catalog().change_work_item(scope, Permission::Store, which, update).await;
        self.judged_work(scope, done).await
    }

    /// Claims a work item under a Transaction UID, or ends it as whoever claimed it; the state that it had already, where it had that.
    pub async fn change_work_item_state(
        &self,
        scope: &Scope,
        uid: &SopUid,
        wanted: StepState,
        transaction: &str,
    ) -> Result<Option<StepState>, EngineError> {
        self.may_change_work(scope, scope.may_somewhere(Permission::Store)).await?;
        let change =
            |item: &mut WorkItem| match transition(item.state, item.transaction.as_deref(), wanted, transaction)? {
                Transition::Already(state) => Ok(Changed { outcome: Some(state), notices: Vec::new(), code: None }),
                Transition::To(state) => {
                    if state.is_final() {
                        check_final_state(&item.data_set, state)?;
                        item.transaction = None;
                    } else {
                        item.transaction = Some(transaction.to_owned());
                    }
                    // Whoever claims it performs it, and nobody else.
                    (item.own, item.next_at) = (false, None);
                    performed::enter(item, state);
                    let notices = vec![Notice::of_state(&item.data_set)];
                    Ok(Changed { outcome: None, notices, code: Some(performed::code_of(state)) })
                }
            };
        let which = Which::Uid(uid);
        let done = self.catalog().change_work_item(scope, Permission::Store, which, change).await;
        self.judged_work(scope, done).await
    }

    /// Asks whoever performs a work item to stop; what nobody has begun is cancelled at once. `false`: it was cancelled before.
    pub async fn request_work_item_cancel(
        &self,
        scope: &Scope,
        uid: &SopUid,
        request: &DataSet,
    ) -> Result<bool, EngineError> {
        self.may_change_work(scope, scope.may_somewhere(Permission::Store)).await?;
        check_cancel_request(request)?;
        check_length(request)?;
        let mut request = request.clone();
        if request.text(tags::REQUESTING_AE).is_none() {
            // Over HTTP nobody has an AE title; ours stands for the server that passes it on.
            request.set(tags::REQUESTING_AE, self.ups().ae_title.as_str());
        }
        let known = self.catalog().work_item(scope, uid).await?.ok_or(EngineError::NotFound { what: "work item" })?;
        let heard = known.own || self.catalog().has_subscribers(scope, &known).await?;
        let ask = |item: &mut WorkItem| {
            let asked = Notice::of_cancel_request(&request);
            match item.state {
                StepState::Canceled => return Ok(Changed { outcome: false, notices: Vec::new(), code: None }),
                StepState::Completed => return Err(StepError::Ended(item.state).into()),
                StepState::Scheduled => {
                    // PS3.4 CC.2.2.3: by way of IN PROGRESS, whatever a subscriber waits for.
                    performed::enter(item, StepState::InProgress);
                    let claimed = Notice::of_state(&item.data_set);
                    let why = performed::Why::asked(&request, performed::UNSPECIFIED);
                    performed::cancel(item, &why)?;
                    (item.own, item.next_at) = (false, None);
                    let notices = vec![asked, claimed, Notice::of_state(&item.data_set)];
                    return Ok(Changed { outcome: true, notices, code: Some("canceled") });
                }
                StepState::InProgress if !item.own && !heard => return Err(StepError::NobodyToTell.into()),
                StepState::InProgress => {}
            }
            item.cancel_request = item.own.then(|| request.clone());
            item.next_at = item.own.then_some(0);
            Ok(Changed { outcome: true, notices: vec![asked], code: Some("cancel_requested") })
        };
        let which = Which::Uid(uid);
        let done = self.catalog().change_work_item(scope, Permission::Store, which, ask).await;
        self.judged_work(scope, done).await
    }

    /// An application entity is told of work items from now on.
    pub async fn subscribe_to_work(
        &self,
        scope: &Scope,
        to: &Subscription,
        title: &AeTitle,
        locked: bool,
    ) -> Result<(), EngineError> {
        self.may_change_work(scope, scope.may_somewhere(Permission::Store)).await?;
        if let Subscription::Filtered(keys) = to {
            Query::read(keys, QueryOptions::default()).map_err(|error| EngineError::BadQuery(error.to_string()))?;
        }
        let done = self.catalog().subscribe(scope, &to.wanted(), title, locked).await;
        self.judged_work(scope, done).await
    }

    /// It is not told any more.
    pub async fn unsubscribe_from_work(
        &self,
        scope: &Scope,
        from: &Subscription,
        title: &AeTitle,
    ) -> Result<(), EngineError> {
        self.may_change_work(scope, scope.may_somewhere(Permission::Store)).await?;
        let done = self.catalog().unsubscribe(scope, &from.wanted(), title).await;
        self.judged_work(scope, done).await
    }

    /// It is told of nothing new; of what it is subscribed to already it is.
    pub async fn suspend_work_subscription(&self, scope: &Scope, title: &AeTitle) -> Result<(), EngineError> {
        self.may_change_work(scope, scope.may_somewhere(Permission::Store)).await?;
        let done = self.catalog().suspend_subscription(scope, title).await;
        self.judged_work(scope, done).await
    }

    /// Whether a service of ours performs it, or has to say that it cannot.
    fn performs(&self, item: &DataSet) -> bool {
        self.ups().perform && service::addressed(item, &self.ups().ae_title) != service::Addressed::Elsewhere
    }

    async fn may_change_work(&self, scope: &Scope, may: bool) -> Result<(), EngineError> {
        let event = AuditEvent::by(scope, Action::ChangeWorkItem).of(scope.home().clone());
        self.judged(event, Permission::Store, if may { Ok(()) } else { Err(EngineError::Forbidden) }).await
    }

    async fn judged_work<T>(&self, scope: &Scope, done: Result<T, EngineError>) -> Result<T, EngineError> {
        let event = AuditEvent::by(scope, Action::ChangeWorkItem).of(scope.home().clone());
        let done = self.judged(event, Permission::Store, done).await?;
        self.tell_work();
        Ok(done)
    }
}

fn check_length(data_set: &DataSet) -> Result<(), EngineError> {
    let mut text = String::new();
    json::write_data_set(data_set, &mut text);
    if text.len() <= LONGEST {
        return Ok(());
    }
    Err(EngineError::BadRequest { field: "work item", expected: "a data set of at most 256 KiB as DICOM JSON" })
}

/// What subscribers are told of a change.
fn notices(before: &DataSet, after: &DataSet) -> Vec<Notice> {
    let changed = |tags: &[Tag]| tags.iter().any(|tag| before.get(*tag) != after.get(*tag));
    let mut notices = Vec::new();
    if changed(&[tags::INPUT_READINESS_STATE]) {
        notices.push(Notice::of_state(after));
    }
    if changed(&[tags::SCHEDULED_STATION_NAME_CODE_SEQUENCE, tags::SCHEDULED_HUMAN_PERFORMERS_SEQUENCE]) {
        notices.extend(Notice::of_assignment(after));
    }
    if changed(&[tags::PROCEDURE_STEP_PROGRESS_INFORMATION_SEQUENCE]) {
        notices.push(Notice::of_progress(after));
    }
    notices
}
