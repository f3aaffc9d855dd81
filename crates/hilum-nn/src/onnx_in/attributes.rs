//! A node's attributes with their defaults, refused by name where they say what this engine does not do.

use super::OnnxError;
use super::model::{Attribute, Node};

/// The attributes of one node.
pub(super) struct Attributes<'a>(pub(super) &'a Node<'a>);

impl<'a> Attributes<'a> {
    fn find(&self, name: &str) -> Option<&'a Attribute<'a>> {
        self.0.attributes.iter().find(|a| a.name == name)
    }

    pub(super) fn refuse(&self, attribute: &str, got: String, supported: &'static str) -> OnnxError {
        let Node { op, .. } = self.0;
        OnnxError::Attribute {
            node: self.0.shown(),
            op: (*op).to_owned(),
            attribute: attribute.to_owned(),
            got,
            supported,
        }
    }

    /// Refuses attributes that no converter looks at.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), OnnxError> {
        match self.0.attributes.iter().find(|a| !known.contains(&a.name)) {
            Some(a) => Err(self.refuse(a.name, "given".to_owned(), "its absence")),
            None => Ok(()),
        }
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.find(name).and_then(|a| a.int).unwrap_or(default)
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.find(name).and_then(|a| a.float).unwrap_or(default)
    }

    pub(super) fn text(&self, name: &str) -> &'a str {
        self.find(name).and_then(|a| a.text).unwrap_or_default()
    }

    /// A list; empty where it is not given.
    pub(super) fn ints(&self, name: &str) -> &'a [i64] {
        self.find(name).map_or(&[], |a| &a.ints)
    }

    /// Refuses a number that is not `wanted`.
    pub(super) fn expect_int(
        &self,
        name: &str,
        default: i64,
        wanted: i64,
        shown: &'static str,
    ) -> Result<(), OnnxError> {
        let got = self.int(name, default);
        if got == wanted { Ok(()) } else { Err(self.refuse(name, got.to_string(), shown)) }
    }

    /// Refuses a list that is given and has an entry other than `wanted`.
    pub(super) fn expect_all(&self, name: &str, wanted: i64, shown: &'static str) -> Result<(), OnnxError> {
        let got = self.ints(name);
        if got.iter().all(|v| *v == wanted) { Ok(()) } else { Err(self.refuse(name, format!("{got:?}"), shown)) }
    }
}
