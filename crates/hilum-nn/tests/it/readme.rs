//! What the README shows is true.

use hilum_nn::{Activation, Loss, Schedule, Update};
use serde::Deserialize;

const README: &str = include_str!("../../README.md");

/// The README's blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    README.split(start.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Experiment {
    loss: Loss,
    update: Update,
    schedule: Schedule,
}

#[test]
fn the_readmes_experiment_is_read() {
    let [text] = blocks("toml")[..] else { panic!("one experiment") };
    let Experiment { loss, update, schedule } = toml::from_str(text).unwrap();
    schedule.check().unwrap();
    assert_eq!((loss.activation, loss.ignore, loss.terms.len()), (Activation::Softmax, Some(255), 2));
    assert_eq!((update.optimiser.name(), update.clipping.norm), ("sgd", Some(12.0)));
    assert_eq!(schedule.rate(0, &[]), 0.01);
}

#[test]
fn the_readmes_training_is_that_of_the_example() {
    let example = include_str!("../../examples/train_u_net.rs");
    for line in blocks("rust")[0].lines().filter(|l| l.len() > 1) {
        // The README leaves out what is done with the loss.
        let line = line.trim().trim_end_matches(';');
        assert!(example.contains(line), "{line}");
    }
}
