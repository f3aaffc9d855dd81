//! Rules of routing: whose data an instance is, and which peers it goes on to. Pure; decided once, when the instance arrives.

use crate::access::InstitutionCode;
use hilum_dicom::matching::Pattern;
use hilum_dicom::{AeTitle, InstanceFacts};

/// What instances a rule is about, and what becomes of them. A condition that is not given holds for every instance.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Calling AE title, with wild cards. Only what came over DIMSE has one.
    pub source: Option<Pattern>,
    /// Modality (0008,0060): any of these.
    pub modality: Vec<String>,
    /// Study or Series Description, with wild cards, in lower case: descriptions match whatever their case.
    pub description: Option<Pattern>,
    /// Whose data they are. For what comes over DIMSE; importers and web clients say it themselves.
    pub institution: Option<InstitutionCode>,
    /// AE titles of the peers that they go on to.
    pub forward: Vec<AeTitle>,
}

/// The rules in their order.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Rule>);

/// What the rules say of one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Whose data it is, where a rule says so: the first one that does.
    pub institution: Option<InstitutionCode>,
    /// Where it goes on to: what every rule says, each peer once, the sender itself left out.
    pub forward: Vec<AeTitle>,
}

impl Rule {
    fn holds(&self, source: Option<&AeTitle>, facts: &InstanceFacts) -> bool {
        let from = |pattern: &Pattern| source.is_some_and(|title| pattern.matches(title.as_str()));
        let modality = facts.series.modality.as_deref().unwrap_or_default();
        let described = |pattern: &Pattern| {
            [&facts.study.description, &facts.series.description]
                .into_iter()
                .flatten()
                .any(|description| pattern.matches(&description.to_lowercase()))
        };
        self.source.as_ref().is_none_or(from)
            && (self.modality.is_empty() || self.modality.iter().any(|asked| asked == modality))
            && self.description.as_ref().is_none_or(described)
    }
}

impl Rules {
    /// In the order in which they are looked at.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    /// In the order in which they are looked at.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }

    /// What they say of an instance; `source` is who sent it over DIMSE.
    pub fn route(&self, source: Option<&AeTitle>, facts: &InstanceFacts) -> Route {
        let mut route = Route::default();
        for rule in self.0.iter().filter(|rule| rule.holds(source, facts)) {
            if source.is_some() && route.institution.is_none() {
                route.institution.clone_from(&rule.institution);
            }
            for peer in &rule.forward {
                if Some(peer) != source && !route.forward.contains(peer) {
                    route.forward.push(peer.clone());
                }
            }
        }
        route
    }

    /// The institutions that data of a source may have been given to.
    pub fn institutions_of(&self, source: &AeTitle) -> impl Iterator<Item = &InstitutionCode> {
        let may = |rule: &&Rule| rule.source.as_ref().is_none_or(|pattern| pattern.matches(source.as_str()));
        self.0.iter().filter(may).filter_map(|rule| rule.institution.as_ref())
    }
}
