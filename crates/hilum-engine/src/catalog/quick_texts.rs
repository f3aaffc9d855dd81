//! Texts that an account uses again in its conclusions; nobody else sees them.

use super::entity::quick_text;
use super::{Catalog, CatalogError};
use crate::access::{AccountId, Scope};
use crate::error::EngineError;
use crate::report::Language;
use crate::review::{NewQuickText, QuickText};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, Set};

const ACT: &str = "look after quick texts";

/// An account has at most so many.
const MOST: u64 = 100;

impl Catalog {
    /// The account's own texts, in the order in which they were written.
    pub(crate) async fn quick_texts(&self, _scope: &Scope, account: AccountId) -> Result<Vec<QuickText>, CatalogError> {
        let rows = quick_text::Entity::find()
            .filter(quick_text::Column::AccountId.eq(account.0))
            .order_by_asc(quick_text::Column::Id)
            .all(&self.read)
            .await
            .map_err(CatalogError::during(ACT))?;
        rows.into_iter().map(view).collect()
    }

    /// One more.
    pub(crate) async fn add_quick_text(
        &self,
        _scope: &Scope,
        account: AccountId,
        new: &NewQuickText,
    ) -> Result<QuickText, EngineError> {
        let txn = self.begin(ACT).await?;
        let known = quick_text::Entity::find().filter(quick_text::Column::AccountId.eq(account.0)).count(&txn).await;
        if known.map_err(CatalogError::during(ACT))? >= MOST {
            return Err(EngineError::Conflict("you have 100 quick texts; remove one first"));
        }
        let row = quick_text::ActiveModel {
            account_id: Set(account.0),
            language: Set(word(new.language).to_owned()),
            title: Set(new.title.clone()),
            text: Set(new.text.clone()),
            ..Default::default()
        };
        let row = row.insert(&txn).await.map_err(CatalogError::during(ACT))?;
        txn.commit().await.map_err(CatalogError::during(ACT))?;
        Ok(view(row)?)
    }

    /// One less.
    pub(crate) async fn remove_quick_text(
        &self,
        _scope: &Scope,
        account: AccountId,
        id: i64,
    ) -> Result<(), EngineError> {
        let removed = quick_text::Entity::delete_many()
            .filter(quick_text::Column::Id.eq(id))
            .filter(quick_text::Column::AccountId.eq(account.0))
            .exec(&self.write)
            .await
            .map_err(CatalogError::during(ACT))?;
        if removed.rows_affected == 0 { Err(EngineError::NotFound { what: "quick text" }) } else { Ok(()) }
    }
}

fn word(language: Language) -> &'static str {
    match language {
        Language::Ko => "ko",
        Language::En => "en",
    }
}

fn view(row: quick_text::Model) -> Result<QuickText, CatalogError> {
    let language = match row.language.as_str() {
        "ko" => Language::Ko,
        "en" => Language::En,
        _ => return Err(CatalogError::Corrupt { what: "quick text" }),
    };
    Ok(QuickText { id: row.id, language, title: row.title, text: row.text })
}
