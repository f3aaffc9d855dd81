//! `[emr]`: medical records that reports go to, and that tell of patients.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use hilum_emr::{facts::RESULTS, fhir::PatientReference, hl7::CharacterSet};
use hilum_engine::{
    InstitutionCode, Language, ResultsWhen,
    deliveries::{DeliveryRule, DestinationName},
};
use serde::Deserialize;

/// The table of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EmrTable {
    sending_application: Option<String>,
    sending_facility: Option<String>,
    #[serde(default)]
    destinations: Vec<DestinationEntry>,
    #[serde(default)]
    sources: Vec<SourceEntry>,
    listen: Option<SocketAddr>,
    #[serde(default)]
    listen_tls: bool,
    #[serde(default)]
    senders: Vec<SenderEntry>,
}

/// One `[[emr.sources]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceEntry {
    name: String,
    fhir: String,
    token_file: Option<PathBuf>,
    authorities: Option<PathBuf>,
    patient_system: Option<String>,
    institution: Option<InstitutionCode>,
    answer_seconds: Option<u64>,
}

/// One `[[emr.senders]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SenderEntry {
    name: String,
    application: String,
    facility: Option<String>,
    address: Option<IpAddr>,
    institution: Option<InstitutionCode>,
    character_set: Option<CharacterSetName>,
    #[serde(default)]
    codes: BTreeMap<String, String>,
}

/// One `[[emr.destinations]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DestinationEntry {
    name: String,
    mllp: Option<String>,
    fhir: Option<String>,
    token_file: Option<PathBuf>,
    authorities: Option<PathBuf>,
    patient_system: Option<String>,
    patient: Option<PatientBy>,
    #[serde(default)]
    tls: bool,
    #[serde(default)]
    when: ResultsWhen,
    institution: Option<InstitutionCode>,
    receiving_application: Option<String>,
    receiving_facility: Option<String>,
    character_set: Option<CharacterSetName>,
    character_set_name: Option<String>,
    language: Option<Language>,
    pdf: Option<bool>,
    answer_seconds: Option<u64>,
}

/// A character set as the configuration calls it.
#[derive(Clone, Copy, Debug, Deserialize)]
enum CharacterSetName {
    #[serde(rename = "ascii")]
    Ascii,
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "ks-x-1001")]
    KsX1001,
    #[serde(rename = "cp949")]
    Cp949,
}

impl From<CharacterSetName> for CharacterSet {
    fn from(name: CharacterSetName) -> Self {
        match name {
            CharacterSetName::Ascii => Self::Ascii,
            CharacterSetName::Utf8 => Self::Utf8,
            CharacterSetName::KsX1001 => Self::KsX1001,
            CharacterSetName::Cp949 => Self::Cp949,
        }
    }
}

/// How FHIR resources refer to their patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PatientBy {
    Identifier,
    Search,
}

/// Medical records, and who we are to them.
#[derive(Clone, Debug, Default)]
pub struct EmrSettings {
    /// MSH-3 and MSH-4 of what is sent.
    pub sending: (String, String),
    /// Where reports go, and who is asked of their patients.
    pub destinations: Vec<Destination>,
    /// Where messages are taken.
    pub listen: Option<SocketAddr>,
    /// They come encrypted, with the certificate of `[tls]`.
    pub listen_tls: bool,
    /// Whose messages are taken.
    pub senders: Vec<Sender>,
}

/// A medical record that tells of patients.
#[derive(Clone, Debug)]
pub struct Sender {
    /// What it is called in listings, reports and the audit trail.
    pub name: DestinationName,
    /// MSH-3 of its messages.
    pub application: String,
    /// MSH-4, where that is looked at.
    pub facility: Option<String>,
    /// Where it calls from, where that is looked at.
    pub address: Option<IpAddr>,
    /// Whose patients it tells of.
    pub institution: InstitutionCode,
    /// Of messages that name none.
    pub character_set: CharacterSet,
    /// Its own codes of laboratory results, with what they are in LOINC.
    pub codes: BTreeMap<String, String>,
}

/// A medical record that reports go to.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Name, institution and occasion.
    pub rule: DeliveryRule,
    /// Where it is.
    pub by: By,
    /// Of texts and of the page.
    pub language: Language,
    /// The page goes along.
    pub pdf: bool,
    /// How long an answer may take.
    pub patience: Duration,
}

/// How a medical record is spoken to.
#[derive(Clone, Debug)]
pub enum By {
    /// HL7 v2 over MLLP.
    Mllp(Mllp),
    /// FHIR R4 over HTTP.
    Fhir(Fhir),
    /// The same, and it is asked what it knows of the patient.
    Ask(Fhir),
}

/// A FHIR server.
#[derive(Clone, Debug)]
pub struct Fhir {
    /// Base of its addresses, without a slash at its end.
    pub base: String,
    /// The file with our token, read for every request: it may be renewed.
    pub token_file: Option<PathBuf>,
    /// Whose certificates are good; those that browsers believe where none is named.
    pub authorities: Option<PathBuf>,
    /// System of Patient ID.
    pub patient_system: Option<String>,
    /// How resources refer to the patient.
    pub patient: PatientReference,
}

/// A receiver of HL7 v2 messages.
#[derive(Clone, Debug)]
pub struct Mllp {
    /// Name or IP address.
    pub host: String,
    pub port: u16,
    /// Encrypted, with the authorities of `[tls]`.
    pub tls: bool,
    /// MSH-5 and MSH-6.
    pub receiving: (String, String),
    pub character_set: CharacterSet,
    /// What MSH-18 says instead of the set's own name.
    pub character_set_name: Option<String>,
}

/// How long an answer may take where nothing is said: archives of documents are slow.
const PATIENCE: u64 = 30;

impl EmrTable {
    /// Relative paths start at the file's folder.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let of = self.destinations.iter_mut().flat_map(DestinationEntry::files);
        of.chain(self.sources.iter_mut().flat_map(SourceEntry::files)).flatten()
    }

    /// The files with tokens.
    pub(super) fn secret_files(&self) -> impl Iterator<Item = &PathBuf> {
        let sources = self.sources.iter().filter_map(|entry| entry.token_file.as_ref());
        self.destinations.iter().filter_map(|entry| entry.token_file.as_ref()).chain(sources)
    }
}

impl EmrSettings {
    /// The error names the key. `has_tls`: whether there is `[tls]`, and `has_authorities`, whether it says whose certificates are good.
    pub(super) fn read(table: Option<EmrTable>, has_tls: bool, has_authorities: bool) -> Result<Self, String> {
        let Some(table) = table else { return Ok(Self::default()) };
        let EmrTable { sending_application, sending_facility, destinations, sources, listen, listen_tls, senders } =
            table;
        let senders = read_senders(senders)?;
        check_listening(listen, listen_tls && !has_tls, &senders)?;
        let sending = (
            named("sending_application", sending_application.unwrap_or_else(|| "HILUM".to_owned()))?,
            named("sending_facility", sending_facility.unwrap_or_default())?,
        );
        let mut read: Vec<Destination> = Vec::new();
        let of = destinations.into_iter().map(|entry| {
            let name = entry.name.clone();
            entry.destination(has_authorities).map_err(|error| format!("emr: destinations: {name:?}: {error}"))
        });
        let from = sources.into_iter().map(|entry| {
            let name = entry.name.clone();
            entry.source().map_err(|error| format!("emr: sources: {name:?}: {error}"))
        });
        for one in of.chain(from) {
            let one = one?;
            if read.iter().any(|known| known.rule.name == one.rule.name) {
                return Err(format!("emr: {:?}: name is given twice", one.rule.name.as_str()));
            }
            read.push(one);
        }
        Ok(Self { sending, destinations: read, listen, listen_tls, senders })
    }

    /// What the engine records deliveries by.
    pub fn rules(&self) -> Vec<DeliveryRule> {
        self.destinations.iter().map(|destination| destination.rule.clone()).collect()
    }

    /// The destination of a name.
    pub fn find(&self, name: &DestinationName) -> Option<&Destination> {
        self.destinations.iter().find(|destination| destination.rule.name == *name)
    }
}

impl SourceEntry {
    fn files(&mut self) -> [Option<&mut PathBuf>; 2] {
        [self.token_file.as_mut(), self.authorities.as_mut()]
    }

    fn source(self) -> Result<Destination, String> {
        let entry = DestinationEntry {
            name: self.name,
            fhir: Some(self.fhir),
            token_file: self.token_file,
            authorities: self.authorities,
            patient_system: self.patient_system,
            institution: self.institution,
            answer_seconds: self.answer_seconds,
            ..DestinationEntry::default()
        };
        let destination = entry.destination(false)?;
        let By::Fhir(server) = destination.by else { return Err("expected fhir = \"https://...\"".to_owned()) };
        if server.patient_system.is_none() {
            return Err("patient_system is needed: a number without it may be another hospital's patient".to_owned());
        }
        Ok(Destination { by: By::Ask(server), ..destination })
    }
}

impl DestinationEntry {
    fn files(&mut self) -> [Option<&mut PathBuf>; 2] {
        [self.token_file.as_mut(), self.authorities.as_mut()]
    }

    fn destination(self, has_authorities: bool) -> Result<Destination, String> {
        let name = self.name.parse().map_err(|error| format!("name: {error}"))?;
        let rule = DeliveryRule {
            name,
            institution: self.institution.clone().unwrap_or_else(InstitutionCode::local),
            when: self.when,
        };
        let (language, pdf) = (self.language.unwrap_or(Language::Ko), self.pdf.unwrap_or(true));
        let seconds = self.answer_seconds.unwrap_or(PATIENCE);
        if !(1..=600).contains(&seconds) {
            return Err("answer_seconds is 1 to 600".to_owned());
        }
        let by = match (self.mllp.is_some(), self.fhir.is_some()) {
            (true, false) => self.mllp(language, has_authorities).map(By::Mllp)?,
            (false, true) => self.fhir().map(By::Fhir)?,
            _ => return Err("expected mllp = \"host:port\" or fhir = \"https://...\", and not both".to_owned()),
        };
        Ok(Destination { rule, by, language, pdf, patience: Duration::from_secs(seconds) })
    }

    fn mllp(self, language: Language, has_authorities: bool) -> Result<Mllp, String> {
        let fhir_alone = [
            ("token_file", self.token_file.is_some()),
            ("authorities", self.authorities.is_some()),
            ("patient_system", self.patient_system.is_some()),
            ("patient", self.patient.is_some()),
        ];
        if let Some((key, _)) = fhir_alone.iter().find(|(_, given)| *given) {
            return Err(format!("{key} belongs to a destination with fhir"));
        }
        let address = self.mllp.unwrap_or_default();
        let character_set: CharacterSet = self.character_set.map(Into::into).unwrap_or_default();
        if character_set == CharacterSet::Ascii && language == Language::Ko {
            return Err("character_set = \"ascii\" has no Korean: set language = \"en\"".to_owned());
        }
        if self.tls && !has_authorities {
            return Err("tls needs a [tls] table with certificate, key and authorities".to_owned());
        }
        let (host, port) = host_and_port(&address)?;
        Ok(Mllp {
            host,
            port,
            tls: self.tls,
            receiving: (
                named("receiving_application", self.receiving_application.unwrap_or_default())?,
                named("receiving_facility", self.receiving_facility.unwrap_or_default())?,
            ),
            character_set,
            character_set_name: self.character_set_name.map(|name| named("character_set_name", name)).transpose()?,
        })
    }

    fn fhir(self) -> Result<Fhir, String> {
        let hl7_alone = [
            ("tls", self.tls),
            ("receiving_application", self.receiving_application.is_some()),
            ("receiving_facility", self.receiving_facility.is_some()),
            ("character_set", self.character_set.is_some()),
            ("character_set_name", self.character_set_name.is_some()),
        ];
        if let Some((key, _)) = hl7_alone.iter().find(|(_, given)| *given) {
            return Err(format!("{key} belongs to a destination with mllp"));
        }
        let base = self.fhir.unwrap_or_default().trim_end_matches('/').to_owned();
        if !hilum_web::is_safe(&base) || base.contains(['?', '#']) {
            return Err(
                "fhir: expected \"https://...\" without user, query or fragment; \"http://\" on this machine alone"
                    .to_owned(),
            );
        }
        let patient_system = self.patient_system.map(|system| named("patient_system", system)).transpose()?;
        if patient_system.as_ref().is_some_and(|system| !system.contains(':') || system.contains([' ', '|'])) {
            return Err("patient_system: expected a URI like \"urn:oid:1.2.410.100000\"".to_owned());
        }
        Ok(Fhir {
            base,
            token_file: self.token_file,
            authorities: self.authorities,
            patient_system,
            patient: match self.patient {
                Some(PatientBy::Search) => PatientReference::Search,
                Some(PatientBy::Identifier) | None => PatientReference::Identifier,
            },
        })
    }
}

fn read_senders(entries: Vec<SenderEntry>) -> Result<Vec<Sender>, String> {
    let mut senders: Vec<Sender> = Vec::new();
    for entry in entries {
        let wrong = |error: String| format!("emr: senders: {:?}: {error}", entry.name);
        let sender = Sender {
            name: entry.name.parse().map_err(|error| wrong(format!("name: {error}")))?,
            application: named("application", entry.application.clone()).map_err(wrong)?,
            facility: entry.facility.clone().map(|name| named("facility", name)).transpose().map_err(wrong)?,
            address: entry.address,
            institution: entry.institution.clone().unwrap_or_else(InstitutionCode::local),
            character_set: entry.character_set.map(Into::into).unwrap_or_default(),
            codes: entry.codes.clone(),
        };
        if sender.application.is_empty() {
            return Err(wrong("application: a sender says MSH-3".to_owned()));
        }
        if let Some((own, loinc)) =
            sender.codes.iter().find(|(_, loinc)| !RESULTS.iter().any(|(known, _)| known == loinc))
        {
            let known: Vec<&str> = RESULTS.iter().map(|(code, _)| *code).collect();
            return Err(wrong(format!("codes: {own} = {loinc:?}: read are {}", known.join(", "))));
        }
        if senders.iter().any(|known| known.name == sender.name) {
            return Err(wrong("name is given twice".to_owned()));
        }
        senders.push(sender);
    }
    Ok(senders)
}

/// Beyond this machine a name alone is no proof: anybody can write MSH-3.
fn check_listening(listen: Option<SocketAddr>, tls_is_missing: bool, senders: &[Sender]) -> Result<(), String> {
    let Some(listen) = listen else {
        return if senders.is_empty() { Ok(()) } else { Err("emr: senders need listen = \"ADDR:PORT\"".to_owned()) };
    };
    if senders.is_empty() {
        return Err("emr: listen needs [[emr.senders]]: from nobody else messages are taken".to_owned());
    }
    if tls_is_missing {
        return Err("emr: listen_tls needs a [tls] table, whose certificate it shows".to_owned());
    }
    if let Some(anywhere) = senders.iter().find(|sender| !listen.ip().is_loopback() && sender.address.is_none()) {
        return Err(format!(
            "emr: senders: {:?}: address is needed where listen is not on loopback",
            anywhere.name.as_str()
        ));
    }
    Ok(())
}

/// Names of applications, facilities and character sets: ASCII, so that the header is the same bytes in every set.
fn named(key: &str, text: String) -> Result<String, String> {
    let plain = text.len() <= 180 && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if plain { Ok(text) } else { Err(format!("{key}: expected at most 180 characters of ASCII")) }
}

fn host_and_port(address: &str) -> Result<(String, u16), String> {
    let wrong = || "mllp: expected \"host:port\", with an IPv6 address in brackets".to_owned();
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    let port: u16 = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    if host.is_empty() || host.contains(char::is_whitespace) || bare.is_none() && host.contains(':') {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<EmrSettings, String> {
        EmrSettings::read(Some(toml::from_str(text).map_err(|error: toml::de::Error| error.to_string())?), false, false)
    }

    #[test]
    fn a_destination_has_the_defaults_of_a_korean_hospital() {
        let settings = read("[[destinations]]\nname = \"ocs\"\nmllp = \"[::1]:2575\"\n").unwrap();
        let destination = &settings.destinations[0];
        let By::Mllp(mllp) = &destination.by else { panic!("{destination:?}") };
        assert_eq!((mllp.host.as_str(), mllp.port, mllp.character_set), ("::1", 2575, CharacterSet::Utf8));
        assert!(destination.language == Language::Ko && destination.pdf && destination.patience.as_secs() == 30);
        assert_eq!(settings.sending, ("HILUM".to_owned(), String::new()));
        assert_eq!(settings.rules().len(), 1);
    }

    #[test]
    fn a_fhir_server_is_encrypted_or_on_this_machine() {
        for base in ["https://emr.example/fhir/", "http://127.0.0.1:8090/fhir", "http://localhost", "http://[::1]:80/x"]
        {
            let settings = read(&format!("[[destinations]]\nname = \"fhir\"\nfhir = \"{base}\"\n")).unwrap();
            let By::Fhir(fhir) = &settings.destinations[0].by else { panic!("{settings:?}") };
            assert_eq!(fhir.base, base.trim_end_matches('/'));
        }
    }

    #[test]
    fn what_is_wrong_in_the_table_is_named_by_its_key() {
        for (line, named) in [
            ("name = \"OCS\"\nmllp = \"a:1\"", "name"),
            ("name = \"ocs\"", "mllp"),
            ("name = \"ocs\"\nmllp = \"a:1\"\nfhir = \"https://a\"", "not both"),
            ("name = \"ocs\"\nmllp = \"a:1\"\npatient = \"search\"", "patient"),
            ("name = \"ocs\"\nfhir = \"https://a\"\ntls = true", "tls"),
            ("name = \"ocs\"\nfhir = \"http://emr.example/fhir\"", "https"),
            ("name = \"ocs\"\nfhir = \"https://a:b@emr.example/fhir\"", "https"),
            ("name = \"ocs\"\nfhir = \"https:///fhir\"", "https"),
            ("name = \"ocs\"\nfhir = \"https://a\"\npatient_system = \"KSH\"", "patient_system"),
            ("name = \"ocs\"\nmllp = \"a\"", "mllp"),
            ("name = \"ocs\"\nmllp = \"::1:2575\"", "mllp"),
            ("name = \"ocs\"\nmllp = \"a:0\"", "mllp"),
            ("name = \"ocs\"\nmllp = \"a:1\"\ntls = true", "tls"),
            ("name = \"ocs\"\nmllp = \"a:1\"\ncharacter_set = \"ascii\"", "language"),
            ("name = \"ocs\"\nmllp = \"a:1\"\ncharacter_set = \"latin\"", "character_set"),
            ("name = \"ocs\"\nmllp = \"a:1\"\nanswer_seconds = 0", "answer_seconds"),
            ("name = \"ocs\"\nmllp = \"a:1\"\nreceiving_facility = \"병원\"", "receiving_facility"),
        ] {
            let error = read(&format!("[[destinations]]\n{line}\n")).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
        let his = "[[senders]]\nname = \"his\"\napplication = \"HIS\"\n";
        for (text, named) in [
            ("listen = \"127.0.0.1:2575\"".to_owned(), "senders"),
            (his.to_owned(), "listen"),
            (format!("listen = \"10.0.0.1:2575\"\n{his}"), "address"),
            (format!("listen = \"127.0.0.1:2575\"\nlisten_tls = true\n{his}"), "listen_tls"),
            (format!("listen = \"127.0.0.1:2575\"\n{his}codes = {{ L1 = \"1-8\" }}"), "codes"),
            (format!("listen = \"127.0.0.1:2575\"\n{his}{his}"), "twice"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
        let address =
            format!("listen = \"10.0.0.1:2575\"\n{his}address = \"10.0.0.2\"\ncodes = {{ L1 = \"5802-4\" }}\n");
        assert_eq!(read(&address).unwrap().senders[0].codes["L1"], "5802-4");
        let twice = "[[destinations]]\nname = \"ocs\"\nmllp = \"a:1\"\n".repeat(2);
        assert!(read(&twice).unwrap_err().contains("twice"));
    }
}
