//! Sites and rejections on synthetic patients: `sites FIRST-SEED PATIENTS NETWORK-PATIENTS`. Prints the section as Markdown.
//!
//! Two ways: the truth of stones and of what mimics stones as candidates (every candidate is judged, none is missed), and the candidates of the shipped
//! network with and without the stage.

mod network;
mod tables;
mod truth;

use hilum_imaging::phantom::{PhantomRecipe, StonePlan};
use hilum_learn::cohort::Cohort;
use hilum_learn::plan::{Plan, Protocol};

/// The protocols that the shipped model was trained for: slice distances, kernels, positions and contrast as its plan has them.
fn protocols() -> Vec<Protocol> {
    let plan = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plans/urinary-stone-unet.toml");
    Plan::read(&plan).expect("the shipped model's plan").0.protocol
}

fn recipes(first_seed: u64, patients: usize, stones: StonePlan) -> Vec<PhantomRecipe> {
    Cohort { name: "sites".to_owned(), first_seed, patients, stones }.recipes(&protocols())
}

fn main() {
    // `cargo bench` adds `--bench`; without numbers (as in `cargo test --benches`) there is nothing to measure.
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let [first_seed, patients, with_network] = numbers[..] else { return };
    let judged = truth::judge(&recipes(first_seed, patients as usize, StonePlan::Count(5)));
    println!("{}", tables::of_truth(first_seed, &judged));
    // Other patients than above: their stones are drawn as patients have them.
    let first_read = first_seed + patients;
    let read = network::read(&recipes(first_read, with_network as usize, StonePlan::Random));
    println!("{}", tables::of_network(first_read, &read));
}
