//! Every address that is answered, and who may come in there. A route is made here only, so that none is without its lock.

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRequestParts, Request},
    handler::Handler,
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodFilter, on},
};
use hilum_engine::accounts::{Caller, Shown};
use hilum_engine::audit::{Action, AuditEvent, Detail};
use hilum_engine::{Actor, Permission, Role, Scope, Whence};

use crate::{
    cookie,
    error::ApiError,
    guard::Arrival,
    limits,
    openapi::{self, Handles, Said, Sketch},
    server::Server,
};

/// Who may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Anybody: signing in, and whether the server is there.
    Nobody,
    /// Whoever is signed in, or shows a token.
    SignedIn,
    /// Whoever may do this in some institution. In which ones is the catalogue's to say, for every row.
    May(Permission),
}

/// One address with one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// `GET`, `POST` ...
    pub method: Method,
    /// `/api/v1/studies/{study_uid}`
    pub path: String,
    /// Who may come in.
    pub needs: Needs,
}

/// Routes with their locks.
pub(crate) struct Doors {
    server: Server,
    prefix: &'static str,
    router: Router<Server>,
    list: Vec<(Door, Sketch)>,
    whole_bodies: bool,
}

impl Doors {
    pub(crate) fn below(server: &Server, prefix: &'static str) -> Self {
        Self { server: server.clone(), prefix, router: Router::new(), list: Vec::new(), whole_bodies: false }
    }

    /// What is sent to the next doors is taken whole, within the limits of [`limits::whole_body`], once the caller is let in.
    pub(crate) fn with_whole_bodies(mut self) -> Self {
        self.whole_bodies = true;
        self
    }

    /// Answers a method at an address below the prefix. What its types do not say of it is said beside it.
    pub(crate) fn open<H, T, X>(
        mut self,
        method: Method,
        path: &str,
        needs: Needs,
        handler: H,
        said: impl Into<Said>,
    ) -> Self
    where
        H: Handler<T, Server> + Handles<X>,
        T: 'static,
    {
        let sketch = Sketch::of::<H, X>(said.into());
        let server = self.server.clone();
        let lock = from_fn(move |request: Request, next: Next| {
            let server = server.clone();
            async move { pass(&server, needs, request, next).await }
        });
        // A method without a filter is none that is ever used here; its door then stays shut.
        let Ok(filter) = MethodFilter::try_from(method.clone()) else { return self };
        let path = format!("{}{path}", self.prefix);
        let mut route = on(filter, handler);
        if self.whole_bodies {
            route = route.layer(from_fn_with_state(self.server.clone(), limits::whole_body));
        }
        self.router = self.router.route(&path, route.layer(lock));
        self.list.push((Door { method, path, needs }, sketch));
        self
    }

    pub(crate) fn get<H, T, X>(self, path: &str, needs: Needs, handler: H, said: impl Into<Said>) -> Self
    where
        H: Handler<T, Server> + Handles<X>,
        T: 'static,
    {
        self.open(Method::GET, path, needs, handler, said)
    }

    pub(crate) fn post<H, T, X>(self, path: &str, needs: Needs, handler: H, said: impl Into<Said>) -> Self
    where
        H: Handler<T, Server> + Handles<X>,
        T: 'static,
    {
        self.open(Method::POST, path, needs, handler, said)
    }

    pub(crate) fn delete<H, T, X>(self, path: &str, needs: Needs, handler: H, said: impl Into<Said>) -> Self
    where
        H: Handler<T, Server> + Handles<X>,
        T: 'static,
    {
        self.open(Method::DELETE, path, needs, handler, said)
    }

    /// These and those.
    pub(crate) fn and(mut self, others: Self) -> Self {
        self.router = self.router.merge(others.router);
        self.list.extend(others.list);
        self
    }

    pub(crate) fn router(self) -> Router<Server> {
        self.router
    }

    pub(crate) fn list(self) -> Vec<Door> {
        self.list.into_iter().map(|(door, _)| door).collect()
    }

    /// OpenAPI of all of them.
    pub(crate) fn document(&self) -> serde_json::Value {
        openapi::document(&self.list)
    }
}

/// The server as a caller sees it: what a handler asks for is asked in the caller's name.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) server: Server,
    pub(crate) caller: Arc<Caller>,
    pub(crate) scope: Scope,
}

impl std::ops::Deref for App {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// The same, for those who signed in: a program's token is no proof of its owner's presence.
#[derive(Clone)]
pub(crate) struct InPerson(pub(crate) App);

impl FromRequestParts<Server> for InPerson {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, ApiError> {
        let app = App::from_request_parts(parts, server).await?;
        if app.caller.shown == Shown::Session {
            return Ok(Self(app));
        }
        let message = "this is for those who signed in; a token may not do it";
        Err(ApiError::new(StatusCode::FORBIDDEN, "needs_session", message))
    }
}

/// Who came in.
#[derive(Clone)]
struct Entered(Arc<Caller>, Scope);

impl FromRequestParts<Server> for App {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, ApiError> {
        // Behind a door that needs nobody there is nobody.
        let Entered(caller, scope) = parts.extensions.get::<Entered>().cloned().ok_or_else(not_signed_in)?;
        Ok(Self { server: server.clone(), caller, scope })
    }
}

async fn pass(server: &Server, needs: Needs, mut request: Request, next: Next) -> Response {
    if needs == Needs::Nobody {
        return next.run(request).await;
    }
    let arrival = match Arrival::of(request.extensions()) {
        Ok(arrival) => arrival,
        Err(error) => return error.into_response(),
    };
    match entered(server, needs, arrival.whence, request.method(), request.headers()).await {
        Ok(entered) => {
            request.extensions_mut().insert(entered);
            next.run(request).await
        }
        Err(error) => {
            let unknown = error.status == StatusCode::UNAUTHORIZED;
            let mut response = error.into_response();
            if unknown {
                let challenge = header::HeaderValue::from_static("Bearer realm=\"hilum\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

/// What a request shows of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential<'h> {
    Nothing,
    /// An Authorization header without a token.
    Unreadable,
    Token(&'h str),
    Session(&'h str),
}

impl<'h> Credential<'h> {
    /// What is shown on purpose counts, and nothing else beside it.
    fn of(headers: &'h HeaderMap) -> Self {
        let Some(shown) = headers.get(header::AUTHORIZATION) else {
            return cookie::session(headers).map_or(Self::Nothing, Self::Session);
        };
        match shown.to_str().unwrap_or_default().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Self::Token(token.trim()),
            _ => Self::Unreadable,
        }
    }
}

impl Server {
    /// Who a caller is now that came in with these headers before, without counting as its presence; none where it is nobody any more.
    pub(crate) async fn still(&self, headers: &HeaderMap) -> Option<Arc<Caller>> {
        let caller = match Credential::of(headers) {
            Credential::Token(token) => self.engine.caller_of_token(token).await,
            Credential::Session(session) => self.engine.onlooker_of_session(session).await,
            Credential::Nothing | Credential::Unreadable => return None,
        };
        match caller {
            Ok(caller) => caller,
            Err(error) => {
                tracing::warn!(code = error.code(), "whether somebody is still signed in could not be found out");
                None
            }
        }
    }
}

async fn entered(
    server: &Server,
    needs: Needs,
    whence: Whence,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Entered, ApiError> {
    let credential = Credential::of(headers);
    let caller = match credential {
        Credential::Token(token) => server.engine.caller_of_token(token).await?.map(|caller| (caller, String::new())),
        Credential::Session(session) => server.engine.caller_of_session(session).await?,
        Credential::Nothing | Credential::Unreadable => None,
    };
    let Some((caller, csrf)) = caller else {
        // A page that asks whether it is signed in shows nothing, and is nobody who was turned away.
        if credential != Credential::Nothing {
            turned_away(server, AuditEvent::new(Actor::Stranger, Action::Admit).whence(whence), "not_signed_in", None)
                .await?;
        }
        return Err(not_signed_in());
    };
    let refused = |code, permission| {
        let event = AuditEvent::new(Actor::Account(caller.id), Action::Admit).whence(whence);
        let event = caller.grants.iter().take(1).fold(event, |event, grant| event.of(grant.institution.clone()));
        turned_away(server, event, code, permission)
    };
    if whence.address.is_some_and(|address| !address.is_loopback()) {
        server.requests.take(caller.id).map_err(ApiError::too_many_requests)?;
    }
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && caller.shown == Shown::Session {
        let shown = headers.get(cookie::CSRF).map(header::HeaderValue::as_bytes).unwrap_or_default();
        if !same(shown, csrf.as_bytes()) {
            refused("csrf", None).await?;
            let message = format!("a change needs the header {} with what GET /api/v1/session says", cookie::CSRF);
            return Err(ApiError::new(StatusCode::FORBIDDEN, "csrf", message));
        }
    }
    let scope = caller.scope().whence(whence);
    match needs {
        Needs::May(permission) if !scope.may_somewhere(permission) => {
            refused("forbidden", Some(permission)).await?;
            Err(forbidden(permission))
        }
        _ => Ok(Entered(caller, scope)),
    }
}

/// It is in the trail before it is answered.
async fn turned_away(
    server: &Server,
    event: AuditEvent,
    code: &'static str,
    permission: Option<Permission>,
) -> Result<(), ApiError> {
    let detail = Detail { code: Some(code.into()), permission, ..Detail::default() };
    Ok(server.engine.audit_refusal(event.with(detail)).await?)
}

/// In a time that does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

pub(crate) fn not_signed_in() -> ApiError {
    let message = "sign in, or send a token as Authorization: Bearer ...";
    ApiError::new(StatusCode::UNAUTHORIZED, "not_signed_in", message)
}

fn forbidden(permission: Permission) -> ApiError {
    let roles = Role::ALL.into_iter().filter(|role| role.permissions().contain(permission));
    let roles: Vec<&str> = roles.map(Role::as_str).collect();
    let message = format!("this needs the role {}; ask your administrator", roles.join(" or "));
    ApiError::new(StatusCode::FORBIDDEN, "forbidden", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_header_that_is_shown_counts_and_no_cookie_beside_it() {
        let cookie = (header::COOKIE, "hilum-session=abc");
        let shown = |line| (header::AUTHORIZATION, line);
        for (lines, expected) in [
            (vec![], Credential::Nothing),
            (vec![cookie.clone()], Credential::Session("abc")),
            (vec![shown("Bearer t1")], Credential::Token("t1")),
            (vec![shown("bearer  t1 "), cookie.clone()], Credential::Token("t1")),
            (vec![shown("Basic t1"), cookie.clone()], Credential::Unreadable),
            (vec![shown("t1"), cookie.clone()], Credential::Unreadable),
            (vec![shown("Bearer t\u{e9}"), cookie], Credential::Unreadable),
        ] {
            let lines = lines.into_iter().map(|(name, line)| (name, HeaderValue::from_bytes(line.as_bytes()).unwrap()));
            let headers: HeaderMap = lines.collect();
            assert_eq!(Credential::of(&headers), expected, "{headers:?}");
        }
    }
}
