//! `hilum user`, `hilum token`, `hilum institution`: accounts, from whoever may read the data folder.

use std::io::Read as _;

use anyhow::Context;
use hilum_engine::accounts::{AccountPatch, AccountView, InstitutionView, NewAccount};
use hilum_engine::{Engine, Grant, Scope};

use crate::{
    cli::{InstitutionCommand, TokenCommand, UserCommand},
    commands::{DATA, block_on},
    failure::WrongCall,
    node::table,
    settings::Settings,
};

pub fn user(settings: &Settings, command: &UserCommand) -> anyhow::Result<()> {
    with_engine(settings, async |engine, scope| match command {
        UserCommand::Add(arguments) => {
            let password = arguments.password_stdin.then(password_from_input).transpose()?;
            let (login, name, roles) = (arguments.login.clone(), arguments.name.clone(), arguments.roles.clone());
            let (account, link) = engine.add_account(scope, &NewAccount { login, name, roles }).await?;
            match password {
                Some(password) => engine.set_password(scope, account.id, &password).await?,
                None => println!("{}", address(settings, &link)),
            }
            Ok(())
        }
        UserCommand::List(arguments) => {
            let accounts = engine.accounts(scope).await?;
            if arguments.json {
                println!("{}", serde_json::to_string_pretty(&accounts)?);
                return Ok(());
            }
            let mut rows =
                vec![["login", "name", "state", "second factor", "last sign-in", "roles"].map(str::to_owned).to_vec()];
            rows.extend(accounts.into_iter().map(row));
            print_table(&rows);
            Ok(())
        }
        UserCommand::Disable(arguments) => {
            change(engine, scope, &arguments.login, |patch| patch.disabled = Some(true)).await
        }
        UserCommand::Enable(arguments) => {
            change(engine, scope, &arguments.login, |patch| patch.disabled = Some(false)).await
        }
        UserCommand::Roles(arguments) => {
            change(engine, scope, &arguments.login, |patch| patch.roles = Some(arguments.roles.clone())).await
        }
        UserCommand::Link(arguments) => {
            let account = engine.account_with_login(scope, &arguments.login).await?;
            let link = engine.account_link(scope, account.id).await?;
            println!("{}", address(settings, &link));
            Ok(())
        }
        UserCommand::ResetSecondFactor(arguments) => {
            let account = engine.account_with_login(scope, &arguments.login).await?;
            Ok(engine.reset_second_factor(scope, account.id).await?)
        }
        UserCommand::Identities(arguments) => {
            let account = engine.account_with_login(scope, &arguments.login).await?;
            let identities = engine.identities(scope, account.id).await?;
            if arguments.json {
                println!("{}", serde_json::to_string_pretty(&identities)?);
                return Ok(());
            }
            let mut rows = vec![["number", "provider", "subject", "linked", "last used"].map(str::to_owned).to_vec()];
            rows.extend(identities.into_iter().map(|one| {
                let used = one.last_used_at.unwrap_or_else(|| "never".to_owned());
                vec![one.id.to_string(), one.issuer, one.subject, one.linked_at, used]
            }));
            print_table(&rows);
            Ok(())
        }
        UserCommand::LinkIdentity(arguments) => {
            let account = engine.account_with_login(scope, &arguments.login).await?;
            let known = settings.openid.iter().find(|provider| provider.id.as_str() == arguments.provider);
            let provider = known.ok_or_else(|| {
                let message = format!(
                    "no provider has the id {}. Add it as [[openid]] to the configuration file, and name the file with --config.",
                    arguments.provider
                );
                WrongCall(message)
            })?;
            engine.link_identity(scope, account.id, provider.issuer.as_str(), &arguments.subject).await?;
            Ok(())
        }
        UserCommand::UnlinkIdentity(arguments) => {
            let account = engine.account_with_login(scope, &arguments.login).await?;
            Ok(engine.unlink_identity(scope, account.id, arguments.id).await?)
        }
    })
}

pub fn token(settings: &Settings, command: &TokenCommand) -> anyhow::Result<()> {
    with_engine(settings, async |engine, scope| match command {
        TokenCommand::Add(arguments) => {
            let account = engine.account_with_login(scope, &arguments.login).await?;
            let mut all = account.roles.clone();
            all.extend(account.claimed_roles.iter().filter(|role| !account.roles.contains(role)).cloned());
            let roles = if arguments.roles.is_empty() { &all } else { &arguments.roles };
            let (token, _) = engine.add_token(scope, account.id, &arguments.name, roles, arguments.days).await?;
            println!("{token}");
            Ok(())
        }
        TokenCommand::List(arguments) => {
            let account = engine.account_with_login(scope, &arguments.login).await?;
            let tokens = engine.tokens_of(scope, account.id).await?;
            if arguments.json {
                println!("{}", serde_json::to_string_pretty(&tokens)?);
                return Ok(());
            }
            let mut rows = vec![["number", "name", "works until", "last used", "roles"].map(str::to_owned).to_vec()];
            rows.extend(tokens.into_iter().map(|token| {
                let used = token.last_used_at.unwrap_or_else(|| "never".to_owned());
                vec![token.id.to_string(), token.name, token.expires_at, used, roles_of(&token.roles)]
            }));
            print_table(&rows);
            Ok(())
        }
        TokenCommand::Revoke(arguments) => {
            let account = engine.account_with_login(scope, &arguments.login).await?;
            Ok(engine.revoke_token(scope, account.id, arguments.id).await?)
        }
    })
}

pub fn institution(settings: &Settings, command: &InstitutionCommand) -> anyhow::Result<()> {
    with_engine(settings, async |engine, scope| match command {
        InstitutionCommand::Add(arguments) => {
            let new = InstitutionView { code: arguments.code.clone(), name: arguments.name.clone() };
            Ok(engine.add_institution(scope, &new).await?)
        }
        InstitutionCommand::List(arguments) => {
            let institutions = engine.institutions(scope).await?;
            if arguments.json {
                println!("{}", serde_json::to_string_pretty(&institutions)?);
                return Ok(());
            }
            let mut rows = vec![["code", "name"].map(str::to_owned).to_vec()];
            rows.extend(institutions.into_iter().map(|one| vec![one.code.as_str().to_owned(), one.name]));
            print_table(&rows);
            Ok(())
        }
    })
}

pub(super) fn with_engine(
    settings: &Settings,
    work: impl AsyncFnOnce(&Engine, &Scope) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let data_dir = settings.data_dir(DATA);
    block_on(super::with_engine(settings, &data_dir, async |engine| {
        let scope = engine.console_scope().await?;
        work(engine, &scope).await
    }))
}

async fn change(
    engine: &Engine,
    scope: &Scope,
    login: &str,
    what: impl FnOnce(&mut AccountPatch),
) -> anyhow::Result<()> {
    let account = engine.account_with_login(scope, login).await?;
    let mut patch = AccountPatch::default();
    what(&mut patch);
    engine.change_account(scope, account.id, &patch).await?;
    Ok(())
}

/// A password never stands on a command line, where others see it.
fn password_from_input() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("standard input")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Where a link is opened. The secret is a fragment: browsers send that to nobody.
pub fn address(settings: &Settings, link: &str) -> String {
    format!("http://{}/welcome#{link}", settings.http)
}

fn row(account: AccountView) -> Vec<String> {
    let state = match (account.disabled, &account.locked_until) {
        (true, _) => "disabled".to_owned(),
        (false, Some(until)) => format!("locked until {until}"),
        (false, None) => "active".to_owned(),
    };
    let signed_in = account.last_sign_in.unwrap_or_else(|| "never".to_owned());
    let claimed = roles_of(&account.claimed_roles);
    let claimed = if claimed.is_empty() { claimed } else { format!("by claims: {claimed}") };
    let roles = [roles_of(&account.roles), claimed].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
    let factor = if account.second_factor { "yes" } else { "no" }.to_owned();
    vec![account.login, account.name, state, factor, signed_in, roles.join("; ")]
}

fn roles_of(roles: &[Grant]) -> String {
    let told: Vec<String> =
        roles.iter().map(|grant| format!("{}@{}", grant.role.as_str(), grant.institution.as_str())).collect();
    told.join(", ")
}

pub(super) fn print_table(rows: &[Vec<String>]) {
    for line in table::lines(rows) {
        println!("{line}");
    }
}
