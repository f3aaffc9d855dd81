//! `[[openid]]`: providers that people sign in by.

use std::path::{Path, PathBuf};

use hilum_engine::{Grant, InstitutionCode, Role};
use hilum_web::{ClaimRole, ClientSecret, OpenIdProvider};
use serde::Deserialize;

/// One table of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenIdEntry {
    id: String,
    name: String,
    issuer: String,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    client_secret_env: Option<String>,
    scopes: Option<Vec<String>>,
    login_claim: Option<String>,
    #[serde(default)]
    roles: Vec<RoleEntry>,
    new_accounts: Option<bool>,
    end_session: Option<bool>,
    authorities: Option<PathBuf>,
}

/// One table of `[[openid.roles]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleEntry {
    claim: String,
    value: String,
    role: String,
    institution: Option<String>,
}

impl OpenIdEntry {
    /// The file with the client's secret, where one is named.
    pub(super) fn secret_file(&self) -> Option<&PathBuf> {
        self.client_secret_file.as_ref()
    }

    /// Relative paths start at the file's folder.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.client_secret_file.as_mut().into_iter().chain(self.authorities.as_mut())
    }

    fn provider(self) -> Result<OpenIdProvider, String> {
        let id = self.id.parse().map_err(|error| format!("id = {:?}: {error}", self.id))?;
        let issuer = self.issuer.parse().map_err(|error| format!("issuer = {:?}: {error}", self.issuer))?;
        let shown = |key: &str, text: &str, longest: usize| {
            let fits = (1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control);
            if fits { Ok(()) } else { Err(format!("{key}: expected 1 to {longest} characters in one line")) }
        };
        shown("name", &self.name, 60)?;
        shown("client_id", &self.client_id, 255)?;
        let scopes = self.scopes.unwrap_or_else(|| ["openid", "profile"].map(str::to_owned).to_vec());
        // RFC 6749 3.3.
        let token = |scope: &String| {
            !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        };
        if !scopes.iter().all(token) || !scopes.iter().any(|scope| scope == "openid") {
            return Err("scopes: expected words without spaces, \"openid\" among them".to_owned());
        }
        let login_claim = self.login_claim.unwrap_or_else(|| "preferred_username".to_owned());
        shown("login_claim", &login_claim, 255)?;
        let roles = self.roles.into_iter().map(RoleEntry::role).collect::<Result<_, _>>()?;
        Ok(OpenIdProvider {
            id,
            name: self.name,
            issuer,
            client_id: self.client_id,
            client_secret: secret(self.client_secret_file.as_deref(), self.client_secret_env.as_deref())?,
            scopes,
            login_claim,
            roles,
            new_accounts: self.new_accounts.unwrap_or(true),
            end_session: self.end_session.unwrap_or(true),
            authorities: self.authorities,
        })
    }
}

impl RoleEntry {
    fn role(self) -> Result<ClaimRole, String> {
        let Self { claim, value, role, institution } = self;
        if claim.is_empty() || value.is_empty() {
            return Err("roles: claim and value are not empty: an empty one would give a role to anybody".to_owned());
        }
        let role: Role = role.parse().map_err(|error| format!("roles: role = {role:?}: {error}"))?;
        let institution = match institution {
            Some(code) => code.parse().map_err(|error| format!("roles: institution = {code:?}: {error}"))?,
            None => InstitutionCode::local(),
        };
        Ok(ClaimRole { claim, value, grant: Grant { institution, role } })
    }
}

/// The error names the key and the place, and nothing of the secret.
fn secret(file: Option<&Path>, variable: Option<&str>) -> Result<Option<ClientSecret>, String> {
    let text = match (file, variable) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err("client_secret_file and client_secret_env: give one of them".to_owned()),
        (Some(file), None) => {
            std::fs::read_to_string(file).map_err(|error| format!("client_secret_file {}: {error}", file.display()))?
        }
        (None, Some(variable)) => std::env::var(variable)
            .map_err(|_| format!("client_secret_env: the environment variable {variable} is not set"))?,
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("client_secret: expected one line that holds the secret alone".to_owned());
    }
    Ok(Some(ClientSecret::new(text.to_owned())))
}

/// The error names table and key.
pub(super) fn providers(entries: Vec<OpenIdEntry>) -> Result<Vec<OpenIdProvider>, String> {
    let mut providers: Vec<OpenIdProvider> = Vec::new();
    for entry in entries {
        let provider = entry.provider().map_err(|error| format!("openid: {error}"))?;
        if providers.iter().any(|known| known.id == provider.id || known.issuer == provider.issuer) {
            return Err(format!("openid: {}: each table has an id and an issuer of its own", provider.id.as_str()));
        }
        providers.push(provider);
    }
    Ok(providers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str =
        "id = \"hospital\"\nname = \"Hospital\"\nissuer = \"https://login.example\"\nclient_id = \"hilum\"\n";

    fn entry(text: &str) -> OpenIdEntry {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_provider_is_read_with_its_secret_which_nothing_shows() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("openid.secret");
        std::fs::write(&file, "unlooked-for\n").unwrap();
        let text = format!(
            "{LEAST}client_secret_file = {:?}\n[[roles]]\nclaim = \"groups\"\nvalue = \"radiology-ksh\"\nrole = \"radiologist\"\n",
            file.display().to_string()
        );
        let provider = providers(vec![entry(&text)]).unwrap().remove(0);
        assert_eq!(provider.client_secret, Some(ClientSecret::new("unlooked-for".into())));
        assert_eq!((provider.scopes.len(), provider.login_claim.as_str()), (2, "preferred_username"));
        assert_eq!(provider.roles[0].grant, Grant { institution: InstitutionCode::local(), role: Role::Radiologist });
        assert!(!format!("{provider:?}").contains("unlooked-for"));
        std::fs::write(&file, "two\nlines of unlooked-for").unwrap();
        let error = providers(vec![entry(&text)]).unwrap_err();
        assert!(error.starts_with("openid: client_secret: ") && !error.contains("unlooked-for"), "{error}");
    }

    #[test]
    fn what_is_wrong_in_the_table_is_named_by_its_key() {
        let with = |key: &str, value: &str| {
            let lines = LEAST.lines().filter(|line| !line.starts_with(key));
            format!("{key} = {value}\n{}", lines.collect::<Vec<_>>().join("\n"))
        };
        for (key, value) in [
            ("id", "\"Hospital\""),
            ("id", "\"../a\""),
            ("issuer", "\"http://login.example\""),
            ("issuer", "\"https://login.example/?a\""),
            ("client_id", "\"\""),
            ("scopes", "[\"profile\"]"),
            ("scopes", "[\"openid profile\"]"),
            ("client_secret_file", "\"/nowhere/openid.secret\""),
            ("client_secret_env", "\"HILUM_NOT_SET_ANYWHERE\""),
            ("roles", "[{ claim = \"groups\", value = \"\", role = \"viewer\" }]"),
            ("roles", "[{ claim = \"groups\", value = \"a\", role = \"surgeon\" }]"),
            ("roles", "[{ claim = \"groups\", value = \"a\", role = \"viewer\", institution = \"a b\" }]"),
        ] {
            let error = providers(vec![entry(&with(key, value))]).unwrap_err();
            assert!(error.starts_with("openid: ") && error.contains(key), "{key} = {value}: {error}");
        }
        let twice = providers(vec![entry(LEAST), entry(LEAST)]).unwrap_err();
        assert!(twice.contains("of its own"), "{twice}");
    }
}
