//! The commands that look after accounts.

use clap::{Args, Subcommand};
use hilum_engine::{Grant, InstitutionCode, Role};

/// `ROLE`, or `ROLE@INSTITUTION`.
fn grant(text: &str) -> Result<Grant, String> {
    let (role, institution) = text.split_once('@').unwrap_or((text, InstitutionCode::LOCAL));
    let role: Role = role.parse().map_err(|error| format!("{error}"))?;
    let institution = institution.parse().map_err(|error| format!("{error}"))?;
    Ok(Grant { institution, role })
}

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add an account; prints a link with which its holder chooses a password
    Add(UserAddArguments),
    /// List accounts
    List(UserListArguments),
    /// Let nobody sign in with an account any longer; what it did stays
    Disable(UserArguments),
    /// Let somebody sign in with an account again
    Enable(UserArguments),
    /// Give an account these roles instead of those that it has
    Roles(UserRolesArguments),
    /// Print a link with which the account's holder chooses a new password
    Link(UserArguments),
    /// Take away the second factor of somebody who has lost it; its owner is told at the next sign-in
    ResetSecondFactor(UserArguments),
    /// List the identities at OpenID providers that an account signs in by
    Identities(UserIdentitiesArguments),
    /// Let whom an OpenID provider knows sign in with an account
    LinkIdentity(UserLinkIdentityArguments),
    /// Let an identity sign in with an account no longer, and take the roles that its claims gave
    UnlinkIdentity(UserUnlinkIdentityArguments),
}

#[derive(Debug, Args)]
pub struct UserArguments {
    /// Login
    pub login: String,
}

#[derive(Debug, Args)]
pub struct UserAddArguments {
    /// Login: letters, digits and . _ - @
    pub login: String,
    /// Name of the account's holder
    #[arg(long, default_value = "")]
    pub name: String,
    /// Role, in an institution: viewer, radiologist, researcher, data_steward, administrator; may be given again
    #[arg(long = "role", value_name = "ROLE[@INSTITUTION]", required = true, value_parser = grant)]
    pub roles: Vec<Grant>,
    /// Read a password from standard input instead of making a link
    #[arg(long)]
    pub password_stdin: bool,
}

#[derive(Debug, Args)]
pub struct UserListArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct UserIdentitiesArguments {
    /// Login
    pub login: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct UserLinkIdentityArguments {
    /// Login
    pub login: String,
    /// The provider: the id of its [[openid]] table
    #[arg(long, value_name = "ID")]
    pub provider: String,
    /// Whom the provider calls so: the claim `sub` of its ID tokens, which is no e-mail address
    #[arg(long, value_name = "SUB")]
    pub subject: String,
}

#[derive(Debug, Args)]
pub struct UserUnlinkIdentityArguments {
    /// Login
    pub login: String,
    /// Number of the identity, as `hilum user identities` prints it
    pub id: i64,
}

#[derive(Debug, Args)]
pub struct UserRolesArguments {
    /// Login
    pub login: String,
    /// Role, in an institution; may be given again
    #[arg(long = "role", value_name = "ROLE[@INSTITUTION]", required = true, value_parser = grant)]
    pub roles: Vec<Grant>,
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token with which a program asks in the name of an account; it is printed once
    Add(TokenAddArguments),
    /// List an account's tokens
    List(TokenListArguments),
    /// Let a token work no longer
    Revoke(TokenRevokeArguments),
}

#[derive(Debug, Args)]
pub struct TokenAddArguments {
    /// Login of the account
    pub login: String,
    /// What it is for
    #[arg(long)]
    pub name: String,
    /// Days that it works
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=366))]
    pub days: u32,
    /// Which of the account's roles it has [default: all of them]; may be given again
    #[arg(long = "role", value_name = "ROLE[@INSTITUTION]", value_parser = grant)]
    pub roles: Vec<Grant>,
}

#[derive(Debug, Args)]
pub struct TokenListArguments {
    /// Login of the account
    pub login: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct TokenRevokeArguments {
    /// Login of the account
    pub login: String,
    /// Number of the token, as `hilum token list` prints it
    pub id: i64,
}

#[derive(Debug, Subcommand)]
pub enum InstitutionCommand {
    /// Add an institution, or name one
    Add(InstitutionAddArguments),
    /// List institutions
    List(InstitutionListArguments),
}

#[derive(Debug, Args)]
pub struct InstitutionAddArguments {
    /// Short code: letters, digits, - and _
    pub code: InstitutionCode,
    /// Name
    #[arg(long, default_value = "")]
    pub name: String,
}

#[derive(Debug, Args)]
pub struct InstitutionListArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
