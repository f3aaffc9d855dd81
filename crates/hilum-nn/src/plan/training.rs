//! The training plan: forward, loss, backward and update over one arena, in which activations and gradients share memory by liveness.

use super::backward::Gradients;
use super::inference::ForwardPlan;
use super::layer::TrainLayer;
use super::layout::{Buffer, Lowered, Step, place};
use super::{Algorithm, CompileError, Options, RunError, VolumeShape, check_length};
use crate::graph::Parameter;
use crate::kernels::Kernels;
use crate::kernels::buffer::{Aligned, View};
use crate::kernels::pointwise;
use crate::kernels::pool::Pool;
use crate::loss::LossConfig;
use crate::network::Network;
use crate::optim::{AdamConfig, Moments};
use crate::weights::{Tensor, Weights};

/// A network in training at one input shape.
pub struct Trainer {
    network: Network,
    shape: VolumeShape,
    loss: LossConfig,
    adam: AdamConfig,
    kernels: &'static Kernels,
    pool: Pool,
    weights: Weights,
    gradients: Vec<Vec<f32>>,
    moments: Vec<Option<Moments>>,
    arena: Aligned,
    scratch: Aligned,
    partial: Vec<f64>,
    layers: Vec<TrainLayer>,
    input: View,
    input_lanes: Vec<usize>,
    output: View,
    output_gradient: Option<View>,
    output_lanes: Vec<usize>,
    logits: Vec<f32>,
    steps: u64,
    evaluation: Option<(u64, ForwardPlan)>,
}

impl Trainer {
    /// Plans forward, backward and update. The network must end in a sigmoid; the losses take the logits before it.
    pub fn compile(
        network: &Network,
        weights: Weights,
        shape: impl Into<VolumeShape>,
        loss: LossConfig,
        adam: AdamConfig,
        options: Options,
    ) -> Result<Self, CompileError> {
        let shape = shape.into();
        weights.check(network)?;
        let kernels = options.kernels()?;
        let graph = network.graph();
        let mut lowered = Lowered::of(&graph, shape, false)?;
        if !lowered.sigmoid {
            return Err(CompileError::NoSigmoid(graph.output().name.clone()));
        }
        let mut gradients = Gradients::of(&lowered, &graph, shape.n);
        let floats = place_all(&mut lowered, &mut gradients)?;
        let layers: Vec<_> =
            (0..lowered.steps.len()).map(|i| TrainLayer::of(i, &lowered, &gradients, &graph, kernels)).collect();
        let output = lowered.output;
        let output_channels: usize = lowered.lanes[output].iter().sum();
        let pixels: usize = lowered.sizes[output].iter().product();
        let trainable = graph.parameters().iter().map(|p| p.role.trainable());
        let mut trainer = Self {
            network: network.clone(),
            shape,
            loss,
            adam,
            kernels,
            pool: options.pool()?,
            gradients: weights.tensors().iter().map(|t| vec![0.0; t.data.len()]).collect(),
            moments: weights
                .tensors()
                .iter()
                .zip(trainable)
                .map(|(t, on)| on.then(|| Moments::new(t.data.len())))
                .collect(),
            weights,
            arena: Aligned::zeroed(floats),
            scratch: Aligned::zeroed(layers.iter().map(TrainLayer::scratch_len).max().unwrap_or(0)),
            partial: vec![0.0; layers.iter().map(TrainLayer::partial_len).max().unwrap_or(0)],
            layers,
            input: lowered.view(0),
            input_lanes: lowered.lanes[0].clone(),
            output: lowered.view(output),
            output_gradient: gradients.exists(output).then(|| gradients.view(&lowered, output)),
            output_lanes: lowered.lanes[output].clone(),
            logits: vec![0.0; shape.n * output_channels * pixels],
            steps: 0,
            evaluation: None,
        };
        trainer.pack();
        Ok(trainer)
    }

    /// One step of Adam on a batch: `x` `[n, c, h, w]`, `y` `[n, out, h', w']` in 0..=1. Returns the loss before the step.
    pub fn step(&mut self, x: &[f32], y: &[f32], lr: f32) -> Result<f32, RunError> {
        let loss = self.backpropagate(x, y)?;
        self.steps += 1;
        let Self { pool, weights, gradients, moments, adam, steps, .. } = self;
        adam.update(pool, &mut weights.tensors, gradients, moments, lr, *steps);
        for layer in &self.layers {
            layer.update_running_statistics(&mut self.weights.tensors);
        }
        self.pack();
        Ok(loss)
    }

    /// The loss of a batch in training mode (batch statistics) with the gradient of every trainable parameter; changes nothing.
    pub fn gradients(&mut self, x: &[f32], y: &[f32]) -> Result<(f32, Vec<Tensor>), RunError> {
        let loss = self.backpropagate(x, y)?;
        let graph = self.network.graph();
        let trainable = graph.parameters().iter().zip(&self.gradients).filter(|(p, _)| p.role.trainable());
        let tensor =
            |(p, g): (&Parameter, &Vec<f32>)| Tensor { name: p.name.clone(), shape: p.shape.clone(), data: g.clone() };
        Ok((loss, trainable.map(tensor).collect()))
    }

    /// The loss in inference mode (running statistics); changes nothing.
    pub fn evaluate(&mut self, x: &[f32], y: &[f32]) -> Result<f32, RunError> {
        check_length("target", y.len(), self.logits.len())?;
        let (version, plan) = match &mut self.evaluation {
            Some(ready) => ready,
            // The training plan of the same network and shape exists, so this one does too.
            none => none.insert((
                u64::MAX,
                ForwardPlan::new(&self.network, self.shape, self.kernels, self.pool.threads(), Algorithm::Auto)
                    .map_err(|e| RunError::Plan(e.to_string()))?,
            )),
        };
        if *version != self.steps {
            plan.load(&self.weights, &mut self.pool);
            *version = self.steps;
        }
        plan.run(&mut self.pool, x, &mut self.logits, |v| v)?;
        Ok(self.loss.value(&mut self.pool, &self.logits, y, self.output_lanes.iter().sum(), self.output.pixels())
            as f32)
    }

    /// A copy of the current weights, running statistics included.
    pub fn weights(&self) -> Weights {
        self.weights.clone()
    }

    /// Bytes of activations, gradients, packed weights, optimiser state and scratch of this plan.
    pub fn peak_bytes(&self) -> usize {
        let parameters: usize = self.weights.tensors().iter().map(|t| t.data.len()).sum();
        let packed: usize = self.layers.iter().map(TrainLayer::packed_bytes).sum();
        let evaluation = self.evaluation.as_ref().map_or(0, |(_, plan)| plan.bytes());
        self.arena.bytes()
            + self.scratch.bytes()
            + packed
            + evaluation
            + 4 * parameters * size_of::<f32>()
            + self.partial.len() * size_of::<f64>()
            + self.logits.len() * size_of::<f32>()
    }

    fn backpropagate(&mut self, x: &[f32], y: &[f32]) -> Result<f32, RunError> {
        let channels: usize = self.input_lanes.iter().sum();
        check_length("input", x.len(), self.input.n * self.input.pixels() * channels)?;
        check_length("target", y.len(), self.logits.len())?;
        let (k, pool, arena) = (self.kernels, &mut self.pool, &mut self.arena);
        pointwise::import(pool, arena, x, self.input, &self.input_lanes);
        for layer in &mut self.layers {
            layer.forward(k, pool, arena, &mut self.partial, self.steps);
        }
        pointwise::export(pool, arena, self.output, &self.output_lanes, &mut self.logits, |v| v);
        let channels = self.output_lanes.iter().sum();
        let loss = self.loss.gradient(pool, &mut self.logits, y, channels, self.output.pixels()) as f32;
        if !loss.is_finite() {
            return Err(RunError::NotFinite(loss.to_string()));
        }
        if let Some(view) = self.output_gradient {
            pointwise::import(pool, arena, &self.logits, view, &self.output_lanes);
        }
        for layer in self.layers.iter_mut().rev() {
            layer.backward(k, pool, arena, &mut self.partial, &mut self.scratch, &mut self.gradients);
        }
        Ok(loss)
    }

    /// Brings the weights into the order in which kernels read them.
    fn pack(&mut self) {
        for layer in &mut self.layers {
            layer.pack(&self.weights, &mut self.pool);
        }
    }
}

/// Forward at times 1.., the loss after it, backward after that; then everything is placed in one arena.
fn place_all(lowered: &mut Lowered, gradients: &mut Gradients) -> Result<usize, CompileError> {
    let count = lowered.steps.len();
    let (loss, backward) = (count + 1, |i: usize| 2 * count + 1 - i);
    let touch = |l: &mut Lowered, value: usize, time: usize| {
        if let Some(home) = l.homes[value] {
            l.buffers[home.buffer].touch(time);
        }
    };
    touch(lowered, 0, 0);
    touch(lowered, lowered.output, loss);
    gradients.touch(lowered.output, loss);
    for (i, step) in lowered.steps.clone().into_iter().enumerate() {
        let (x, y) = (step.reads(), step.writes());
        touch(lowered, x, i + 1);
        touch(lowered, y, i + 1);
        let keeps = match step {
            Step::Conv { .. } | Step::Norm { .. } | Step::MaxPool { .. } | Step::Relu { .. } => [true, false],
            Step::Sigmoid { .. } => [false, true],
            Step::Operator { keeps, .. } => keeps,
            Step::Copy { .. } | Step::Sum { .. } => [false, false],
        };
        for value in [x, y].into_iter().zip(keeps).filter_map(|(v, kept)| kept.then_some(v)) {
            touch(lowered, value, backward(i));
        }
        gradients.touch(x, backward(i));
        gradients.touch(y, backward(i));
    }
    let mut all: Vec<Buffer> = lowered.buffers.iter().chain(&gradients.buffers).cloned().collect();
    let floats = place(&mut all)?;
    gradients.buffers = all.split_off(lowered.buffers.len());
    lowered.buffers = all;
    Ok(floats)
}
