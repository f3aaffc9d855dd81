//! A plain trunk with chosen bright balls, and a network that answers "bright", so that every expectation can be computed by hand.

use hilum_imaging::{Affine, Recipe, Volume, Window};
use hilum_infer::card::{
    Architecture, DenseLevel, DetectionMetrics, FalsePositives, Hashes, InputContract, Metrics, ModelCard, PostFilter,
    SpineColumn, Task, TrainingFacts,
};
use hilum_infer::{Model, SliceStack};
use hilum_nn::{Network, Op, Tensor, UNet2d, Weights};
use ndarray::{Array3, Axis};

pub(crate) const SHAPE: [usize; 3] = [24, 120, 150];
pub(crate) const SPACING: [f64; 3] = [3.0, 2.5, 2.5];
pub(crate) const ORIGIN: [f64; 3] = [-180.0, -150.0, 40.0];

/// A ball: centre in patient mm, radius in mm, HU.
pub(crate) type Ball = ([f64; 3], f64, i16);

/// An elliptic trunk of 40 HU with a spine at x = 7, y = 60, and the balls, on the supine, head-last grid.
pub(crate) fn trunk(balls: &[Ball]) -> Volume {
    let geometry = Affine::axial(ORIGIN, SPACING).expect("spans");
    let hu = Array3::from_shape_fn(SHAPE, |(z, y, x)| {
        let p = geometry.patient_from_index([z, y, x].map(|i| i as f64));
        let ball = balls.iter().find(|(c, r, _)| (0..3).map(|k| (p[k] - c[k]).powi(2)).sum::<f64>() <= r * r);
        let body = ((p[0] - 7.0) / 160.0).powi(2) + (p[1] / 110.0).powi(2) <= 1.0;
        let spine = (p[0] - 7.0).powi(2) + (p[1] - 60.0).powi(2) <= 20.0 * 20.0;
        match (ball, body) {
            (Some((_, _, hu)), _) => *hu,
            (None, true) if spine => 500,
            (None, true) => 40,
            (None, false) => -1000,
        }
    });
    Volume { hu, geometry }
}

/// The same patient stored with its axes reversed where `flips` says so, and rows and columns exchanged.
pub(crate) fn stored(volume: &Volume, flips: [bool; 3], transposed: bool) -> Volume {
    let mut hu = volume.hu.view();
    let (mut origin, mut steps) = (volume.geometry.origin(), volume.geometry.steps());
    for a in 0..3 {
        if flips[a] {
            hu.invert_axis(Axis(a));
            let last = (hu.len_of(Axis(a)) - 1) as f64;
            for k in 0..3 {
                origin[k] += last * steps[a][k];
                steps[a][k] = -steps[a][k];
            }
        }
    }
    if transposed {
        hu.swap_axes(1, 2);
        steps.swap(1, 2);
    }
    Volume { hu: hu.as_standard_layout().into_owned(), geometry: Affine::new(origin, steps).expect("spans") }
}

pub(crate) fn stack_of(volume: &Volume) -> SliceStack {
    let (slices, rows, columns) = volume.hu.dim();
    SliceStack { slices, rows, columns, geometry: volume.geometry }
}

pub(crate) fn card() -> ModelCard {
    let none = DetectionMetrics {
        sensitivity: Vec::new(),
        false_positives: FalsePositives { count: 0, patients: 0, per_patient: 0.0, ci95: [0.0, 0.0] },
        dice: None,
    };
    ModelCard {
        statement: "Synthetic-trained: a test.".to_owned(),
        name: "bright".to_owned(),
        task: Task::UrinaryStoneSegmentation,
        synthetic_trained: true,
        classes: vec!["urinary_stone".to_owned()],
        threshold: 0.6,
        mask_threshold: 0.5,
        trained_at: "2026-11-21T00:00:00Z".to_owned(),
        training_seconds: 0,
        software_version: "0.1.0".to_owned(),
        engine: "test".to_owned(),
        input: InputContract {
            modality: "CT".to_owned(),
            plane: "axial".to_owned(),
            unit: "HU".to_owned(),
            slice_distance_mm: [1.0, 5.0],
            suitable_for: "tests".to_owned(),
        },
        preprocessing: Recipe {
            in_plane_mm: 2.5,
            window: Window { center: 500.5, width: 1001.0 },
            context_step_mm: 3.0,
            context_slices: 1,
            multiple_of: 16,
        },
        network: Architecture::Unet2d(UNet2d { in_channels: 3, out_channels: 1, base: 4, depth: 2 }),
        post_filter: PostFilter {
            min_voxels: 2,
            min_volume_mm3: 1.0,
            largest_stone_mm: 30.0,
            dense_share: 0.5,
            dense: vec![DenseLevel { hu: 250, up_to_hu: None }, DenseLevel { hu: 160, up_to_hu: Some(400) }],
            spine: SpineColumn { half_width_mm: 18.0, front_mm: 15.0 },
        },
        hashes: Hashes { plan: String::new(), data: String::new(), weights: String::new(), onnx: String::new() },
        training: TrainingFacts {
            data: "none".to_owned(),
            training_patients: 0,
            validation_patients: 0,
            training_patches: 0,
            epochs: 0,
            best_epoch: 0,
            best_validation_loss: 0.0,
            stopped_because: "a test".to_owned(),
        },
        metrics: Metrics {
            patients_from: "none".to_owned(),
            matching_rule: "none".to_owned(),
            patients: 0,
            stones: 0,
            model: none.clone(),
            baseline: none,
        },
    }
}

/// A network that looks at one channel only: score = sigmoid(40 (value - 0.3)), so that 0.5 lies at about 300 HU.
pub(crate) fn bright(channel: usize) -> Model {
    let mut builder = Network::builder(3);
    builder.then("head", Op::Conv2d { out_channels: 1, kernel: 1, bias: true });
    builder.then("score", Op::Sigmoid);
    let network = builder.build().expect("a network");
    let mut weight = vec![0.0; 3];
    weight[channel] = 40.0;
    let tensors = vec![
        Tensor { name: "head.weight".to_owned(), shape: vec![1, 3, 1, 1], data: weight },
        Tensor { name: "head.bias".to_owned(), shape: vec![1], data: vec![-12.0] },
    ];
    let weights = Weights::new(&network, tensors).expect("weights of this network");
    Model::new(card(), network, weights, "test".to_owned()).expect("a model")
}
