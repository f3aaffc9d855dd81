//! What can be wrong with a provider, with what it says, and with how somebody comes back from it.

use thiserror::Error;

/// Why nobody is signed in. It holds nothing that the provider said: that may name somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenIdFault {
    /// No connection, or no answer in time.
    #[error("the provider does not answer; sign in with a password, or try again later")]
    Unreachable,
    /// The file of authorities cannot be used.
    #[error("the file that authorities names cannot be used")]
    Authorities,
    /// An answer is longer than anything that such an answer needs.
    #[error("an answer of the provider is too long")]
    TooLong,
    /// It sends us elsewhere, which no such request may (its address is configured, or stands in its own discovery document).
    #[error("the provider answers with a redirect, which is not followed")]
    Redirected,
    /// It answers with an error.
    #[error("the provider answers with HTTP {0}")]
    Refused(u16),
    /// An answer is no JSON, or lacks what it must have.
    #[error("{0} of the provider cannot be read")]
    Unreadable(&'static str),
    /// The discovery document is of another issuer (OpenID Connect Discovery 4.3).
    #[error("the provider's discovery document is of another issuer than the configured one")]
    OtherIssuer,
    /// An address in the discovery document could be overheard.
    #[error("{0} of the provider is no https address")]
    Insecure(&'static str),
    /// None of its ways to know a client is ours.
    #[error("the provider takes no client secret by HTTP Basic or in the request's body")]
    ClientAuthentication,
    /// It does not take us for the client that we say we are.
    #[error("the provider does not take our client_id, or the secret that belongs to it")]
    ClientRefused,
    /// It does not take the code: used, too old, or another client's.
    #[error("the provider does not take the code that it gave")]
    CodeRefused,
    /// Nobody went to the provider with this state in this browser, or they came back already.
    #[error("this sign-in was not begun in this browser, or is over; begin again")]
    State,
    /// Whoever went did not agree, or the provider does not let them.
    #[error("the provider did not let you in")]
    Denied,
    /// The provider reports an error.
    #[error("the provider reports an error")]
    Reported,
    /// The answer is of another issuer (RFC 9207), or does not say whose it is where it must.
    #[error("the answer came from another provider")]
    AnswerIssuer,
    /// The ID token is no JWS in compact form, or asks for what we do not do.
    #[error("the ID token cannot be read")]
    Token,
    /// `alg` is none of RS256, PS256, ES256, EdDSA.
    #[error("the ID token is signed in a way that is not taken")]
    Algorithm,
    /// The provider has no such key.
    #[error("the ID token is signed with a key that the provider does not have")]
    UnknownKey,
    /// The signature is wrong.
    #[error("the signature of the ID token is wrong")]
    Signature,
    /// `iss` is another one.
    #[error("the ID token is of another issuer")]
    Issuer,
    /// `aud` does not name this client.
    #[error("the ID token is for somebody else")]
    Audience,
    /// `azp` is another client, or lacks where it must be.
    #[error("the ID token was issued to another client")]
    AuthorizedParty,
    /// `exp` is over, or `nbf` not reached.
    #[error("the ID token is no longer, or not yet, valid; check the clocks of this server and of the provider")]
    Expired,
    /// `iat` lies too far away.
    #[error("the ID token was not issued now; check the clocks of this server and of the provider")]
    IssuedAt,
    /// `nonce` is another one.
    #[error("the ID token is of another sign-in")]
    Nonce,
    /// `at_hash` is of another access token.
    #[error("the ID token does not belong to the access token that came with it")]
    AccessTokenHash,
    /// `sub` is missing or no such name.
    #[error("the ID token names nobody")]
    Subject,
}

impl OpenIdFault {
    /// Stable, for programs, pages and the trail.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "openid_unreachable",
            Self::Authorities => "openid_authorities",
            Self::TooLong => "openid_answer_too_long",
            Self::Redirected => "openid_redirected",
            Self::Refused(_) => "openid_refused",
            Self::Unreadable(_) => "openid_unreadable",
            Self::OtherIssuer => "openid_other_issuer",
            Self::Insecure(_) => "openid_insecure",
            Self::ClientAuthentication => "openid_client_authentication",
            Self::ClientRefused => "openid_client_refused",
            Self::CodeRefused => "openid_code_refused",
            Self::State => "openid_state",
            Self::Denied => "openid_denied",
            Self::Reported => "openid_reported",
            Self::AnswerIssuer => "openid_answer_issuer",
            Self::Token => "openid_token",
            Self::Algorithm => "openid_algorithm",
            Self::UnknownKey => "openid_unknown_key",
            Self::Signature => "openid_signature",
            Self::Issuer => "openid_issuer",
            Self::Audience => "openid_audience",
            Self::AuthorizedParty => "openid_authorized_party",
            Self::Expired => "openid_expired",
            Self::IssuedAt => "openid_issued_at",
            Self::Nonce => "openid_nonce",
            Self::AccessTokenHash => "openid_access_token_hash",
            Self::Subject => "openid_subject",
        }
    }
}
