//! Who is told of work items (PS3.4 CC.2.3, Table CC.2.3-2), and what they have not been told yet.

use super::super::entity::{institution, work_event, work_item, work_subscriber, work_subscription};
use super::super::{Catalog, CatalogError, now};
use super::{Which, WorkItem, find, item_of, told};
use crate::access::{InstitutionCode, Permission, Scope};
use crate::audit::{Action, AuditEvent, Detail, Subject};
use crate::error::EngineError;
use hilum_dicom::matching::{Query, QueryOptions};
use hilum_dicom::ups::{Notice, WELL_KNOWN_EVENTS};
use hilum_dicom::{AeTitle, DataSet, SopUid, json};
use sea_orm::sea_query::{Expr, ExprTrait, Query as Sql};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Set,
};
use std::sync::atomic::{AtomicU16, Ordering};

const ACT: &str = "follow a work item";
/// Work items that are subscribed to in one transaction.
const PAGE: u64 = 100;

/// Global Subscription State.
const NONE: &str = "none";

/// Which subscription.
#[derive(Clone, Debug)]
pub(crate) enum Subscribe<'a> {
    /// To one work item.
    Item(&'a SopUid),
    /// To the worklist, or to what keys leave of it.
    Worklist(Option<DataSet>),
}

/// What a subscriber is to be told.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct WorkEvent {
    /// Rises from one to the next.
    pub(crate) id: i64,
    /// DICOM JSON.
    pub(crate) message: String,
}

fn word(locked: bool) -> &'static str {
    if locked { "locked" } else { "unlocked" }
}

fn filter_of(text: Option<&str>) -> Result<Option<Query>, CatalogError> {
    let corrupt = || CatalogError::Corrupt { what: "filter of a subscription" };
    let Some(text) = text else { return Ok(None) };
    let json = serde_json::from_str(text).map_err(|_| corrupt())?;
    let keys = DataSet::from_json(&json).map_err(|_| corrupt())?;
    Query::read(&keys, QueryOptions::default()).map(Some).map_err(|_| corrupt())
}

impl Catalog {
    /// An application entity is told of a work item, or of all of them, from now on; the lock keeps what has ended.
    pub(crate) async fn subscribe(
        &self,
        scope: &Scope,
        wanted: &Subscribe<'_>,
        title: &AeTitle,
        locked: bool,
    ) -> Result<(), EngineError> {
        let visible = self.visible(scope).await?;
        let institutions = self.where_may(scope, Permission::Store).await?;
        let txn = self.begin(ACT).await?;
        match wanted {
            Subscribe::Item(uid) => {
                let row = find(&txn, &visible, Which::Uid(uid)).await?;
                let row = row.ok_or(EngineError::NotFound { what: "work item" })?;
                self.require(scope, Permission::Store, row.institution_id)?;
                let subscriber = subscriber(&txn, row.institution_id, title).await?;
                let item = item_of(&txn, row).await?;
                put(&txn, item.row, subscriber.id, locked).await?;
                write_event(&txn, subscriber.id, item.uid.as_str(), &Notice::of_state(&item.data_set)).await?;
                Ok(self.commit_told(txn, ACT, &[told(scope, &item, "subscribed")]).await?)
            }
            Subscribe::Worklist(filter) => {
                let filter = filter.as_ref().map(|keys| {
                    let mut text = String::new();
                    json::write_data_set(keys, &mut text);
                    text
                });
                let (mut rows, mut events) = (Vec::new(), Vec::new());
                for institution in institutions {
                    let row = subscriber(&txn, institution, title).await?.id;
                    let changed = work_subscriber::ActiveModel {
                        id: Set(row),
                        worklist: Set(word(locked).to_owned()),
                        filter: Set(filter.clone()),
                        ..Default::default()
                    };
                    rows.push(changed.update(&txn).await.map_err(CatalogError::during(ACT))?);
                    let code = code_of(&txn, institution).await?;
                    events.extend(code.map(|code| of_worklist(scope, "subscribed").of(code)));
                }
                // What is created from here on is subscribed to when it is created; what is there already is, a page at a time.
                self.commit_told(txn, ACT, &events).await?;
                for row in rows {
                    self.subscribe_to_all(&row).await?;
                }
                Ok(())
            }
        }
    }

    /// Subscribes to what there is, as long as the subscriber wants it: others write between two pages.
    async fn subscribe_to_all(&self, subscriber: &work_subscriber::Model) -> Result<(), CatalogError> {
        let (row, locked) = (subscriber.id, subscriber.worklist == word(true));
        let query = filter_of(subscriber.filter.as_deref())?;
        let mut after = 0;
        loop {
            let txn = self.begin(ACT).await?;
            let now = work_subscriber::Entity::find_by_id(row).one(&txn).await.map_err(CatalogError::during(ACT))?;
            if now.is_none_or(|now| now.worklist != subscriber.worklist || now.filter != subscriber.filter) {
                return Ok(());
            }
            let own = Sql::select()
                .column(work_subscription::Column::WorkItemRow)
                .from(work_subscription::Entity)
                .and_where(work_subscription::Column::SubscriberRow.eq(row))
                .to_owned();
            let page = work_item::Entity::find()
                .filter(work_item::Column::InstitutionId.eq(subscriber.institution_id))
                .filter(work_item::Column::Id.gt(after))
                .filter(work_item::Column::Id.not_in_subquery(own))
                .order_by_asc(work_item::Column::Id)
                .limit(PAGE)
                .all(&txn)
                .await
                .map_err(CatalogError::during(ACT))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for model in page {
                let item = item_of(&txn, model).await?;
                if query.as_ref().is_some_and(|query| !query.matches(&item.data_set)) {
                    continue;
                }
                put(&txn, item.row, row, locked).await?;
                if locked {
                    write_event(&txn, row, item.uid.as_str(), &Notice::of_state(&item.data_set)).await?;
                }
            }
            txn.commit().await.map_err(CatalogError::during(ACT))?;
        }
    }

    /// An application entity is not told of a work item any more, or of none at all.
    pub(crate) async fn unsubscribe(
        &self,
        scope: &Scope,
        wanted: &Subscribe<'_>,
        title: &AeTitle,
    ) -> Result<(), EngineError> {
        let visible = self.visible(scope).await?;
        let institutions = self.where_may(scope, Permission::Store).await?;
        let txn = self.begin(ACT).await?;
        let events = match wanted {
            Subscribe::Item(uid) => {
                let row = find(&txn, &visible, Which::Uid(uid)).await?;
                let row = row.ok_or(EngineError::NotFound { what: "work item" })?;
                self.require(scope, Permission::Store, row.institution_id)?;
                let item = item_of(&txn, row).await?;
                let known = subscribers_of(item.institution_row, title);
                work_subscription::Entity::delete_many()
                    .filter(work_subscription::Column::WorkItemRow.eq(item.row))
                    .filter(work_subscription::Column::SubscriberRow.in_subquery(known))
                    .exec(&txn)
                    .await
                    .map_err(CatalogError::during(ACT))?;
                vec![told(scope, &item, "unsubscribed")]
            }
            Subscribe::Worklist(_) => {
                let mut events = Vec::new();
                for institution in institutions {
                    let suspended = set_no_worklist(&txn, institution, title).await?;
                    let known = subscribers_of(institution, title);
                    let ended = work_subscription::Entity::delete_many()
                        .filter(work_subscription::Column::SubscriberRow.in_subquery(known))
                        .exec(&txn)
                        .await
                        .map_err(CatalogError::during(ACT))?;
                    if suspended || ended.rows_affected > 0 {
                        let code = code_of(&txn, institution).await?;
                        events.extend(code.map(|code| of_worklist(scope, "unsubscribed").of(code)));
                    }
                }
                events
            }
        };
        Ok(self.commit_told(txn, ACT, &events).await?)
    }

    /// An application entity hears nothing of work items to come; of those that it is subscribed to it does.
    pub(crate) async fn suspend_subscription(&self, scope: &Scope, title: &AeTitle) -> Result<(), EngineError> {
        let institutions = self.where_may(scope, Permission::Store).await?;
        let txn = self.begin(ACT).await?;
        let mut events = Vec::new();
        for institution in institutions {
            if set_no_worklist(&txn, institution, title).await? {
                let code = code_of(&txn, institution).await?;
                events.extend(code.map(|code| of_worklist(scope, "suspended").of(code)));
            }
        }
        Ok(self.commit_told(txn, ACT, &events).await?)
    }

    /// What an application entity is to be told behind `after`, or behind what it was sent last.
    pub(crate) async fn work_events(
        &self,
        scope: &Scope,
        title: &AeTitle,
        after: Option<i64>,
        limit: u64,
    ) -> Result<Vec<WorkEvent>, CatalogError> {
        let sql = format!(
            "SELECT e.id AS id, e.message AS message FROM work_event e JOIN work_subscriber s ON s.id = e.subscriber_row \
             WHERE s.ae_title = ? AND s.institution_id IN ({}) AND e.id > {} ORDER BY e.id LIMIT {limit}",
            self.visible_list(scope).await?,
            after.map_or("s.told_up_to".to_owned(), |after| after.to_string()),
        );
        WorkEvent::find_by_statement(self.statement(&sql, [title.as_str().into()]))
            .all(&self.read)
            .await
            .map_err(CatalogError::during("look for what is to be told"))
    }

    /// An application entity was sent everything up to an event.
    pub(crate) async fn work_events_told(
        &self,
        scope: &Scope,
        title: &AeTitle,
        up_to: i64,
    ) -> Result<(), CatalogError> {
        work_subscriber::Entity::update_many()
            .col_expr(work_subscriber::Column::ToldUpTo, Expr::value(up_to))
            .filter(work_subscriber::Column::AeTitle.eq(title.as_str()))
            .filter(work_subscriber::Column::InstitutionId.is_in(self.visible(scope).await?))
            .filter(work_subscriber::Column::ToldUpTo.lt(up_to))
            .exec(&self.write)
            .await
            .map_err(CatalogError::during(ACT))?;
        Ok(())
    }

    /// Whether anybody is told of a work item.
    pub(crate) async fn has_subscribers(&self, scope: &Scope, item: &WorkItem) -> Result<bool, CatalogError> {
        if !self.visible(scope).await?.contains(&item.institution_row) {
            return Ok(false);
        }
        let found = work_subscription::Entity::find()
            .filter(work_subscription::Column::WorkItemRow.eq(item.row))
            .one(&self.read)
            .await;
        Ok(found.map_err(CatalogError::during(ACT))?.is_some())
    }

    /// Everybody who is subscribed to anything is told.
    pub(crate) async fn tell_all_subscribers(&self, scope: &Scope, notice: &Notice) -> Result<(), CatalogError> {
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let some =
            Sql::select().column(work_subscription::Column::SubscriberRow).from(work_subscription::Entity).to_owned();
        let rows = work_subscriber::Entity::find()
            .filter(work_subscriber::Column::InstitutionId.is_in(visible))
            .filter(work_subscriber::Column::Worklist.ne(NONE).or(work_subscriber::Column::Id.in_subquery(some)))
            .all(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        for row in rows {
            write_event(&txn, row.id, WELL_KNOWN_EVENTS, notice).await?;
        }
        txn.commit().await.map_err(CatalogError::during(ACT))
    }

    /// Whoever is subscribed to the worklist is subscribed to what is new in it, and told so.
    pub(super) async fn subscribe_to_new(
        &self,
        txn: &DatabaseTransaction,
        item: &WorkItem,
    ) -> Result<(), CatalogError> {
        let rows = work_subscriber::Entity::find()
            .filter(work_subscriber::Column::InstitutionId.eq(item.institution_row))
            .filter(work_subscriber::Column::Worklist.ne(NONE))
            .all(txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        for row in rows {
            if filter_of(row.filter.as_deref())?.is_some_and(|query| !query.matches(&item.data_set)) {
                continue;
            }
            put(txn, item.row, row.id, row.worklist == word(true)).await?;
            write_event(txn, row.id, item.uid.as_str(), &Notice::of_state(&item.data_set)).await?;
            if let Some(notice) = Notice::of_assignment(&item.data_set) {
                write_event(txn, row.id, item.uid.as_str(), &notice).await?;
            }
        }
        Ok(())
    }

    /// Whoever is subscribed to a work item is told.
    pub(super) async fn tell_subscribers(
        &self,
        txn: &DatabaseTransaction,
        item: &WorkItem,
        notices: &[Notice],
    ) -> Result<(), CatalogError> {
        if notices.is_empty() {
            return Ok(());
        }
        let subscribers: Vec<i64> = work_subscription::Entity::find()
            .select_only()
            .column(work_subscription::Column::SubscriberRow)
            .filter(work_subscription::Column::WorkItemRow.eq(item.row))
            .order_by_asc(work_subscription::Column::SubscriberRow)
            .into_tuple()
            .all(txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        for subscriber in subscribers {
            for notice in notices {
                write_event(txn, subscriber, item.uid.as_str(), notice).await?;
            }
        }
        Ok(())
    }
}

fn of_worklist(scope: &Scope, code: &'static str) -> AuditEvent {
    let detail = Detail { subject: Some(Subject::Worklist), code: Some(code.into()), ..Detail::default() };
    AuditEvent::by(scope, Action::ChangeWorkItem).with(detail)
}

fn subscribers_of(institution: i64, title: &AeTitle) -> sea_orm::sea_query::SelectStatement {
    Sql::select()
        .column(work_subscriber::Column::Id)
        .from(work_subscriber::Entity)
        .and_where(work_subscriber::Column::InstitutionId.eq(institution))
        .and_where(work_subscriber::Column::AeTitle.eq(title.as_str()))
        .to_owned()
}

/// The subscriber's row, made where it is missing.
async fn subscriber(
    txn: &DatabaseTransaction,
    institution: i64,
    title: &AeTitle,
) -> Result<work_subscriber::Model, CatalogError> {
    let known = work_subscriber::Entity::find()
        .filter(work_subscriber::Column::InstitutionId.eq(institution))
        .filter(work_subscriber::Column::AeTitle.eq(title.as_str()))
        .one(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    if let Some(known) = known {
        return Ok(known);
    }
    work_subscriber::ActiveModel {
        institution_id: Set(institution),
        ae_title: Set(title.to_string()),
        worklist: Set(NONE.to_owned()),
        filter: Set(None),
        told_up_to: Set(0),
        ..Default::default()
    }
    .insert(txn)
    .await
    .map_err(CatalogError::during(ACT))
}

/// What an institution is called.
async fn code_of(txn: &DatabaseTransaction, institution: i64) -> Result<Option<InstitutionCode>, CatalogError> {
    let found = institution::Entity::find_by_id(institution).one(txn).await;
    Ok(found.map_err(CatalogError::during(ACT))?.and_then(|row| row.code.parse().ok()))
}

/// No Global Subscription; whether there was one.
async fn set_no_worklist(txn: &DatabaseTransaction, institution: i64, title: &AeTitle) -> Result<bool, CatalogError> {
    let done = work_subscriber::Entity::update_many()
        .col_expr(work_subscriber::Column::Worklist, Expr::value(NONE))
        .col_expr(work_subscriber::Column::Filter, Expr::value(Option::<String>::None))
        .filter(work_subscriber::Column::AeTitle.eq(title.as_str()))
        .filter(work_subscriber::Column::InstitutionId.eq(institution))
        .filter(work_subscriber::Column::Worklist.ne(NONE))
        .exec(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    Ok(done.rows_affected > 0)
}

/// The subscription with this lock, whatever it had.
async fn put(txn: &DatabaseTransaction, item: i64, subscriber: i64, locked: bool) -> Result<(), CatalogError> {
    use sea_orm::sea_query::OnConflict;
    work_subscription::Entity::insert(work_subscription::ActiveModel {
        work_item_row: Set(item),
        subscriber_row: Set(subscriber),
        locked: Set(locked),
        ..Default::default()
    })
    .on_conflict(
        OnConflict::columns([work_subscription::Column::WorkItemRow, work_subscription::Column::SubscriberRow])
            .update_column(work_subscription::Column::Locked)
            .to_owned(),
    )
    .exec_without_returning(txn)
    .await
    .map_err(CatalogError::during(ACT))?;
    Ok(())
}

/// Message ID (0000,0110) tells messages of one sender apart.
static MESSAGES: AtomicU16 = AtomicU16::new(1);

async fn write_event(
    txn: &DatabaseTransaction,
    subscriber: i64,
    uid: &str,
    notice: &Notice,
) -> Result<(), CatalogError> {
    let mut message = String::new();
    json::write_data_set(&notice.message(uid, MESSAGES.fetch_add(1, Ordering::Relaxed)), &mut message);
    let event = work_event::ActiveModel {
        subscriber_row: Set(subscriber),
        message: Set(message),
        at: Set(now()),
        ..Default::default()
    };
    work_event::Entity::insert(event).exec_without_returning(txn).await.map_err(CatalogError::during(ACT))?;
    Ok(())
}
