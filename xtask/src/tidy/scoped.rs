//! Every function of the catalogue that others call takes the caller's `Scope`, or stands here with the reason why it needs none.

use quote::ToTokens as _;
use syn::{FnArg, ImplItem, Item, Visibility};

use crate::run;

/// Functions without a `Scope`: what they give or change is nobody's data, or its rows were chosen by one that has a `Scope`.
const WITHOUT: &[(&str, &str)] = &[
    ("record_events", "events carry their actors"),
    ("audit_head", "a hash"),
    ("has_event", "whether a hash is there"),
    ("audit_rows", "the chain as a whole, to verify it at the console; it holds no identity"),
    ("audit_entries", "the chain as a whole, to send it to the syslog server; it holds no identity"),
    ("close", "ends the connections"),
    ("system_scope", "makes the scope of this machine's own jobs"),
    ("console_scope", "makes the scope of a command on this machine"),
    ("record_batch", "every request holds the institution of its sender's scope"),
    ("removals", "objects whose rows a scope has deleted"),
    ("is_deleted", "of an object whose row a scope has deleted"),
    ("removed", "of an object whose row a scope has deleted"),
    ("clear_leftover", "what a process that died left without a row"),
    ("holders", "keys of objects, to compare the store with the catalogue"),
    ("holder_of", "the key of an object, to compare the store with the catalogue"),
    ("count_holders", "how many keys there are"),
    ("forget_metadata", "packed metadata are made again from the objects"),
    ("faults", "what the database says of its own file"),
    ("recount", "counts are made again from the rows"),
    ("copy_to", "a backup"),
    ("expect_empty", "a restore begins with nothing"),
    ("fill_from", "a restore"),
    ("size", "how long a synthetic catalogue is"),
];

/// Adds what breaks the rule.
pub(super) fn check(wrong: &mut Vec<String>) -> anyhow::Result<()> {
    let folder = run::root().join("crates/hilum-engine/src/catalog");
    let mut met = Vec::new();
    for entry in walkdir::WalkDir::new(&folder) {
        let path = entry?.into_path();
        let apart = ["entity", "migration"].iter().any(|apart| path.starts_with(folder.join(apart)));
        if apart || path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let file = syn::parse_file(&std::fs::read_to_string(&path)?)?;
        for name in unscoped(&file) {
            if !WITHOUT.iter().any(|(allowed, _)| *allowed == name) {
                let path = path.strip_prefix(run::root()).unwrap_or(&path).display();
                wrong.push(format!(
                    "{path}: {name} takes no Scope; who asks must be known, or the reason stand in xtask/src/tidy/scoped.rs"
                ));
            }
            met.push(name);
        }
    }
    for (name, _) in WITHOUT.iter().filter(|(name, _)| !met.iter().any(|met| met == name)) {
        wrong.push(format!("xtask/src/tidy/scoped.rs: the catalogue has no {name} without a Scope any more"));
    }
    Ok(())
}

/// Functions that ask the database, may be called from outside, and do not know who asks.
fn unscoped(file: &syn::File) -> Vec<String> {
    let of_catalog = |item: &Item| match item {
        Item::Impl(found) if found.trait_.is_none() && found.self_ty.to_token_stream().to_string() == "Catalog" => {
            found.items.clone()
        }
        _ => Vec::new(),
    };
    let functions = file.items.iter().flat_map(of_catalog).filter_map(|item| match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    });
    functions
        .filter(|function| match &function.vis {
            Visibility::Public(_) => true,
            Visibility::Restricted(to) => to.path.is_ident("crate"),
            Visibility::Inherited => false,
        })
        .filter(|function| function.sig.asyncness.is_some() && function.sig.receiver().is_some())
        .filter(|function| {
            !function.sig.inputs.iter().any(|input| match input {
                FnArg::Typed(typed) => typed.ty.to_token_stream().to_string().ends_with("Scope"),
                FnArg::Receiver(_) => false,
            })
        })
        .map(|function| function.sig.ident.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_does_not_know_who_asks_is_named() {
        let file = syn::parse_str(
            "impl Catalog {
                pub(crate) async fn studies(&self, scope: &Scope) {}
                pub(crate) async fn patients(&self, text: &str) {}
                pub async fn names<'s>(&'s self) {}
                pub(super) async fn within(&self) {}
                async fn own(&self) {}
                pub fn kind(&self) {}
            }
            impl Other { pub async fn studies(&self) {} }
            impl Trait for Catalog { async fn studies(&self) {} }",
        )
        .unwrap();
        assert_eq!(unscoped(&file), ["patients", "names"]);
    }
}
