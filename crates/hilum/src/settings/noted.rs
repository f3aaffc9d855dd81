//! The configuration by its keys, as the audit trail compares it from one start to the next.

use std::collections::BTreeMap;

use hilum_engine::audit::SettingName;
use toml::{Table, Value};

/// Each key with its value as text: those of a table as `table.key`, lists of tables as one.
pub(super) fn by_key(table: Table) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (name, value) in table {
        if let Value::Table(own) = value {
            values.extend(own.into_iter().map(|(key, value)| (format!("{name}.{key}"), value.to_string())));
        } else {
            values.insert(name, value.to_string());
        }
    }
    values
}

/// With names that the trail takes. The parser has refused every other one.
pub(super) fn named(values: BTreeMap<String, String>) -> BTreeMap<SettingName, String> {
    values.into_iter().filter_map(|(name, value)| Some((SettingName::try_from(name).ok()?, value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_told_apart_by_its_keys() {
        let text = "http = \"127.0.0.1:1\"\n[https]\nself_signed = true\n[[peers]]\nport = 1\n[[peers]]\nport = 2\n";
        let values = named(by_key(text.parse().unwrap()));
        let names: Vec<String> = values.keys().cloned().map(String::from).collect();
        assert_eq!(names, ["http", "https.self_signed", "peers"]);
        let other = named(by_key(text.replace("port = 2", "port = 3").parse().unwrap()));
        let differ: Vec<_> = values.keys().filter(|name| values[*name] != other[*name]).collect();
        assert_eq!(differ.len(), 1);
    }
}
