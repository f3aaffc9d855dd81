//! HTTP, and the only crate that knows it: STOW-RS, the application's API, signing in by OpenID providers and the embedded user interface.
//!
//! In the clear the server answers on loopback, and to the proxies that it is told to trust; everybody else comes by HTTPS. [`guard`] keeps web
//! pages of other sites out. What an error means in HTTP stands in one table, in [`error`]. Logs hold method, route pattern, status, time and
//! the request's number, never an address, a body or a name.

mod accept;
mod api;
mod connection;
mod cookie;
mod dicomweb;
mod doors;
mod ending;
mod error;
mod guard;
mod https;
mod limits;
mod names;
mod openapi;
mod openid;
mod outgoing;
mod sent;
mod server;
mod site;
mod stream;
mod ui;

pub use doors::{Door, Needs};
pub use https::{Https, HttpsError};
pub use names::{InvalidPublicName, PublicName};
pub use openid::{
    ClaimRole, ClientSecret, InvalidIssuer, Issuer, OpenIdFault, OpenIdProvider, ProviderFacts, ProviderId,
    UnusableProvider, ask_provider,
};
pub use outgoing::{Outbound, Outgoing, OutgoingFault, is_safe};
pub use server::{BindError, WebConfig, WebServer};
pub use site::{
    EchoView, HealthFinding, NewRetrieval, NodeView, PeerMatches, PeerSearch, PeerStudy, PeerView, PullView,
    ResultsView, Retrieval, RetrievalState, RuleView, SamplesView, Site, SiteFault, StudyName,
};
