//! C-FIND out of the catalogue and the worklist, page by page as the requestor takes them.

use std::collections::VecDeque;

use futures::{StreamExt, TryStreamExt, stream};
use hilum_dicom::{
    DataSet,
    matching::{Level, QueryOptions},
};
use hilum_dimse::{FindHandler, FindRequest, Matches, Refusal};
use hilum_engine::{Answer, Cursor, Engine, EngineError, Find, Scope, Zone, audit::Subject};

use super::{Node, refusal_of};

/// Entities of a page: what is in memory of an answer at a time.
const PAGE: usize = 200;

impl FindHandler for Node {
    fn find(&self, request: FindRequest) -> Matches<'_> {
        let FindRequest { caller, level, keys, options, .. } = request;
        let scope = self.scope_of(&caller);
        match level {
            Some(level) => archive(self.engine.clone(), scope, level, keys, options),
            None => worklist(self.engine.clone(), scope, keys, options),
        }
    }

    fn supports(&self, proposed: QueryOptions) -> QueryOptions {
        proposed
    }
}

/// Pages behind one another; `fetch` gives a page and where the next one begins.
fn pages<P, F>(first: P, fetch: impl FnMut(P) -> F + Send + 'static) -> Matches<'static>
where
    P: Send + 'static,
    F: Future<Output = Result<(Vec<DataSet>, Option<P>), EngineError>> + Send,
{
    let pages = stream::try_unfold((Some(first), fetch), async |(at, mut fetch)| {
        let Some(at) = at else { return Ok(None) };
        let (page, next) = fetch(at).await.map_err(|error| told(&error))?;
        Ok(Some((stream::iter(VecDeque::from(page).into_iter().map(Ok)), (next, fetch))))
    });
    pages.try_flatten().boxed()
}

fn told(error: &EngineError) -> Refusal {
    tracing::warn!(code = error.code(), "a query is not answered");
    refusal_of(error)
}

fn archive(engine: Engine, scope: Scope, level: Level, keys: DataSet, options: QueryOptions) -> Matches<'static> {
    pages(None, move |after: Option<Cursor>| {
        let (engine, scope) = (engine.clone(), scope.clone());
        let find = Find { zone: Zone::Clinical, level, keys: keys.clone(), options, after, limit: PAGE };
        async move {
            let found = engine.find(&scope, &find).await?;
            let answers = found.answers.iter().map(Answer::data_set).collect::<Result<_, _>>()?;
            Ok((answers, found.next.map(Some)))
        }
    })
}

fn worklist(engine: Engine, scope: Scope, keys: DataSet, options: QueryOptions) -> Matches<'static> {
    pages(None, move |after: Option<i64>| {
        let (engine, scope, keys) = (engine.clone(), scope.clone(), keys.clone());
        async move {
            if after.is_none() {
                engine.audit_query(&scope, Subject::Worklist, &keys).await?;
            }
            let page = engine.worklist(&scope, &keys, options, after).await?;
            Ok((page.orders, page.next.map(Some)))
        }
    })
}
