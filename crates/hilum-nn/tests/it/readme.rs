//! What the README shows is true.

#[allow(dead_code, reason = "its main prints what `train` returns")]
#[path = "../../examples/train_classifier.rs"]
mod train_classifier;

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
fn the_readmes_trainings_are_those_of_the_examples() {
    let [u_net, classifier, _] = blocks("rust")[..] else { panic!("two examples and a key map") };
    for (block, example) in [
        (u_net, include_str!("../../examples/train_u_net.rs")),
        (classifier, include_str!("../../examples/train_classifier.rs")),
    ] {
        for line in block.lines().filter(|l| l.len() > 1) {
            // The README leaves out what is done with the loss.
            let line = line.trim().trim_end_matches(';');
            assert!(example.contains(line), "{line}");
        }
    }
}

#[test]
fn the_classifier_of_the_example_tells_fresh_images_right() {
    let right = train_classifier::train().unwrap();
    assert!(right >= 285, "{right} of 300");
}
