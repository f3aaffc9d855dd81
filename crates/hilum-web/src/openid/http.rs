//! Requests to a provider: no redirect is followed, no answer is longer than a limit, and none takes longer than one.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{Request, StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::{PATIENCE, fault::OpenIdFault};
use crate::outgoing::{self, HttpClient};

/// Longest answer, bytes. Discovery documents have some 5 KiB, sets of keys and tokens as much.
const LONGEST: usize = 256 * 1024;

#[derive(Clone, Debug)]
pub(super) struct Http {
    client: HttpClient,
    turns: Arc<Semaphore>,
}

impl Http {
    /// The error is why the authorities cannot be used.
    pub(super) fn new(authorities: Option<&Path>, turns: Arc<Semaphore>) -> Result<Self, String> {
        Ok(Self { client: outgoing::client(authorities)?, turns })
    }

    /// A JSON document; `what` is its name in the error.
    pub(super) async fn get<T: DeserializeOwned>(&self, address: &str, what: &'static str) -> Result<T, OpenIdFault> {
        let request = Request::get(address).header(header::ACCEPT, "application/json").body(Full::default());
        let (status, body) = self.send(request.map_err(|_| OpenIdFault::Unreadable(what))?).await?;
        if status != StatusCode::OK {
            return Err(OpenIdFault::Refused(status.as_u16()));
        }
        serde_json::from_slice(&body).map_err(|_| OpenIdFault::Unreadable(what))
    }

    /// Sends a form; status and body of the answer.
    pub(super) async fn post(
        &self,
        address: &str,
        authorization: Option<String>,
        form: String,
    ) -> Result<(StatusCode, Bytes), OpenIdFault> {
        let request = Request::post(address)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request =
            authorization.into_iter().fold(request, |request, value| request.header(header::AUTHORIZATION, value));
        let request = request.body(Full::from(form)).map_err(|_| OpenIdFault::Unreadable("token_endpoint"))?;
        self.send(request).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), OpenIdFault> {
        let answer = async {
            let turn = self.turns.acquire().await;
            let _turn = turn.map_err(|_| OpenIdFault::Unreachable)?;
            let response = self.client.request(request).await.map_err(|_| OpenIdFault::Unreachable)?;
            let (parts, body) = response.into_parts();
            if parts.status.is_redirection() {
                return Err(OpenIdFault::Redirected);
            }
            let body = Limited::new(body, LONGEST).collect().await.map_err(|error| {
                let too_long = error.downcast_ref::<LengthLimitError>().is_some();
                if too_long { OpenIdFault::TooLong } else { OpenIdFault::Unreachable }
            })?;
            Ok((parts.status, body.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, answer).await.unwrap_or(Err(OpenIdFault::Unreachable))
    }
}
