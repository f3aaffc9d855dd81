//! The training plan: forward, loss, backward and update over one arena, in which activations and gradients share memory by liveness.

use super::backward::Gradients;
use super::choice::{Choices, Computation, Tables};
use super::finite::{Place, check_gradients, check_values};
use super::inference::ForwardPlan;
use super::layer::TrainLayer;
use super::layout::{Buffer, Lowered, Step, place};
use super::profile::{Act, Label, Lap, Part, Stopwatch};
use super::recompute::Recomputed;
use super::training_choice::{TrainingChoice, choose_training};
use super::{Algorithm, CompileError, Options, RunError, VolumeShape, allocate, check_floats, check_length};
use crate::graph::{Graph, Parameter};
use crate::kernels::Kernels;
use crate::kernels::buffer::{Aligned, View};
use crate::kernels::pointwise;
use crate::kernels::pool::Pool;
use crate::loss::{Activation, Extent, Loss, Target, Workspace};
use crate::network::Network;
use crate::optim::{Memory, OptimiserState, StateError, Update};
use crate::weights::{Tensor, Weights};

/// A network in training at one input shape.
pub struct Trainer {
    network: Network,
    shape: VolumeShape,
    loss: Loss,
    update: Update,
    algorithm: Algorithm,
    choices: Choices,
    kernels: &'static Kernels,
    pool: Pool,
    weights: Weights,
    gradients: Vec<Vec<f32>>,
    memory: Memory,
    arena: Aligned,
    scratch: Aligned,
    partial: Vec<f64>,
    layers: Vec<TrainLayer>,
    /// For every layer, those to compute again before it runs backward.
    again: Vec<Vec<usize>>,
    /// What every layer writes.
    places: Vec<Option<Place>>,
    labels: Vec<Label>,
    input: View,
    input_lanes: Vec<usize>,
    output: View,
    output_gradient: Option<View>,
    output_lanes: Vec<usize>,
    logits: Vec<f32>,
    workspace: Workspace,
    evaluation: Option<(u64, ForwardPlan)>,
}

impl Trainer {
    /// Plans forward, backward and update. For a sigmoid's losses the network must end in a sigmoid, for softmax's in its logits; the losses take the
    /// logits.
    pub fn compile(
        network: &Network,
        weights: Weights,
        shape: impl Into<VolumeShape>,
        loss: impl Into<Loss>,
        update: impl Into<Update>,
        options: Options,
    ) -> Result<Self, CompileError> {
        Self::compile_with(network, weights, shape, loss, update, options, Algorithm::Auto)
    }

    /// As [`Trainer::compile`], with the algorithm of all 3x3 convolutions, forward and backward, or the kernels of every convolution and of its gradients
    /// chosen by the caller or by measurements ([`Computation`]).
    pub fn compile_with(
        network: &Network,
        weights: Weights,
        shape: impl Into<VolumeShape>,
        loss: impl Into<Loss>,
        update: impl Into<Update>,
        options: Options,
        computation: impl Into<Computation>,
    ) -> Result<Self, CompileError> {
        let (shape, computation) = (shape.into(), computation.into());
        weights.check(network)?;
        let update = update.into();
        update.check()?;
        let kernels = options.kernels()?;
        let graph = network.graph();
        let lowered = Lowered::of(&graph, shape, false)?;
        let loss = loss.into();
        loss.check(graph.output().channels)?;
        match (loss.activation, lowered.sigmoid) {
            (Activation::Sigmoid, false) => return Err(CompileError::NoSigmoid(graph.output().name.clone())),
            (Activation::Softmax, true) => return Err(CompileError::NoLogits(graph.output().name.clone())),
            (Activation::Sigmoid, true) | (Activation::Softmax, false) => {}
        }
        let mut pool = options.pool()?;
        let learning = graph.parameters().iter().zip(weights.tensors());
        let lengths = learning.map(|(p, t)| p.role.trainable().then_some(t.data.len()));
        // Weights, their gradients and the optimiser's memory.
        let own = weights.tensors().iter().map(|t| 2 * t.data.len()).sum::<usize>()
            + update.optimiser.memory_len() * lengths.clone().flatten().sum::<usize>();
        let (chosen, choices) = choose_training(&lowered, &graph, shape.n, &computation, kernels, &mut pool)?;
        let planned = |keep| Planned::of(lowered.clone(), &graph, shape.n, own, pool.threads(), kernels, &chosen, keep);
        let Planned { lowered, gradients, recomputed, mut layers, arena, scratch } =
            planned(true).or_else(|error| match error {
                CompileError::TooLarge { .. } => planned(false).map_err(|_| error),
                other => Err(other),
            })?;
        layers.iter_mut().try_for_each(TrainLayer::reserve)?;
        let label =
            |(s, l): (&Step, &TrainLayer)| Label::of(s, &lowered, &graph, shape.n, l.algorithms()).with_statistics();
        let labels = lowered.steps.iter().zip(&layers).map(label).collect();
        let output = lowered.output;
        let output_channels: usize = lowered.lanes[output].iter().sum();
        let pixels: usize = lowered.sizes[output].iter().product();
        let memory = Memory::new(&update.optimiser, lengths);
        let mut trainer = Self {
            network: network.clone(),
            shape,
            loss,
            update,
            algorithm: computation.algorithm,
            choices,
            kernels,
            gradients: weights.tensors().iter().map(|t| vec![0.0; t.data.len()]).collect(),
            memory,
            weights,
            arena,
            scratch: allocate(scratch)?,
            again: recomputed.before,
            pool,
            partial: vec![0.0; layers.iter().map(TrainLayer::partial_len).max().unwrap_or(0)],
            layers,
            labels,
            places: lowered.steps.iter().map(|s| Place::of(s, &lowered, &graph)).collect(),
            input: lowered.view(0),
            input_lanes: lowered.lanes[0].clone(),
            output: lowered.view(output),
            output_gradient: gradients.exists(output).then(|| gradients.view(&lowered, output)),
            output_lanes: lowered.lanes[output].clone(),
            logits: vec![0.0; shape.n * output_channels * pixels],
            workspace: Workspace::default(),
            evaluation: None,
        };
        trainer.pack(&mut |_, _| {});
        Ok(trainer)
    }

    /// One step of the optimiser on a batch: `x` `[n, c, h, w]`; `y` as its [`Target`] says, by itself or with weights of pixels.
    /// Returns the loss before the step. NaN and infinity in input, target, the network's result, loss or gradients are refused with the layer or
    /// parameter where they arose, and change nothing.
    pub fn step<'a>(&mut self, x: &[f32], y: impl Into<Target<'a>>, lr: f32) -> Result<f32, RunError> {
        self.step_watched(x, y.into(), lr, &mut |_, _| {})
    }

    /// Takes `rounds` steps and gives the shortest time of every part, in the order in which they run.
    pub fn profile<'a>(
        &mut self,
        x: &[f32],
        y: impl Into<Target<'a>>,
        lr: f32,
        rounds: usize,
    ) -> Result<Vec<Part>, RunError> {
        let graph = self.network.graph();
        let learning = graph.parameters().iter().filter(|p| p.role.trainable());
        let learning: usize = learning.map(|p| p.shape.iter().product::<usize>()).sum();
        // Gradients are read; weights and the optimiser's memory are read and written.
        let update = (3 + 2 * self.update.optimiser.memory_len()) * learning;
        let (y, mut watch) = (y.into(), Stopwatch::new(&self.labels, update));
        for _ in 0..rounds {
            watch.start();
            self.step_watched(x, y, lr, &mut |act, step| watch.lap(act, step))?;
        }
        Ok(watch.parts())
    }

    fn step_watched(&mut self, x: &[f32], y: Target<'_>, lr: f32, lap: Lap<'_>) -> Result<f32, RunError> {
        let loss = self.backpropagate(x, y, lap)?;
        let Self { network, pool, weights, gradients, memory, update, .. } = self;
        // A finite norm says that all gradients are.
        if !update.clipping.apply(pool, gradients, memory).is_some_and(f64::is_finite) {
            check_gradients(pool, network, gradients)?;
        }
        update.optimiser.update(pool, &mut weights.tensors, gradients, memory, lr);
        for layer in &self.layers {
            layer.update_running_statistics(&mut self.weights.tensors);
        }
        lap(Act::Update, None);
        self.pack(lap);
        Ok(loss)
    }

    /// The loss of a batch in training mode (batch statistics) with the gradient of every trainable parameter; changes nothing.
    pub fn gradients<'a>(&mut self, x: &[f32], y: impl Into<Target<'a>>) -> Result<(f32, Vec<Tensor>), RunError> {
        let loss = self.backpropagate(x, y.into(), &mut |_, _| {})?;
        check_gradients(&mut self.pool, &self.network, &self.gradients)?;
        let graph = self.network.graph();
        let trainable = graph.parameters().iter().zip(&self.gradients).filter(|(p, _)| p.role.trainable());
        let tensor =
            |(p, g): (&Parameter, &Vec<f32>)| Tensor { name: p.name.clone(), shape: p.shape.clone(), data: g.clone() };
        Ok((loss, trainable.map(tensor).collect()))
    }

    /// The loss in inference mode (running statistics), computed as the rule or the named algorithm has it; changes nothing.
    pub fn evaluate<'a>(&mut self, x: &[f32], y: impl Into<Target<'a>>) -> Result<f32, RunError> {
        let (target, extent) = (y.into(), self.extent());
        self.loss.check_target(target, extent)?;
        let (version, plan) = match &mut self.evaluation {
            Some(ready) => ready,
            // The training plan of the same network and shape exists, so this one does too.
            none => none.insert((
                u64::MAX,
                ForwardPlan::new(
                    &self.network,
                    self.shape,
                    Tables { f32: self.kernels, bf16: None },
                    &mut self.pool,
                    &self.algorithm.into(),
                )
                .map_err(|e| RunError::Plan(e.to_string()))?,
            )),
        };
        if *version != self.memory.steps {
            plan.load(&self.weights, &mut self.pool);
            *version = self.memory.steps;
        }
        plan.run(&mut self.pool, x, &mut self.logits, |v| v, &mut |_, _| {})?;
        finite_loss(self.loss.value(&mut self.pool, &self.logits, target, extent, &mut self.workspace), target)
    }

    /// How every convolution and its gradients are computed, and on what that rests. [`Computation::choices`] takes it for another training with the
    /// same bits.
    pub fn choices(&self) -> &Choices {
        &self.choices
    }

    /// A copy of the current weights, running statistics included.
    pub fn weights(&self) -> Weights {
        self.weights.clone()
    }

    /// What the optimiser remembers: with the weights, what a later trainer needs to go on as if there had been no break.
    pub fn optimiser_state(&self) -> OptimiserState {
        self.memory.export(&self.update.optimiser, self.network.graph().parameters())
    }

    /// Goes on from a state saved with the weights that this trainer was compiled with; the next steps give the bits of an unbroken training.
    pub fn restore(&mut self, state: &OptimiserState) -> Result<(), StateError> {
        self.memory.import(&self.update.optimiser, self.network.graph().parameters(), state)?;
        self.evaluation = None;
        Ok(())
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
            + (2 * parameters + self.memory.floats()) * size_of::<f32>()
            + self.partial.len() * size_of::<f64>()
            + self.logits.len() * size_of::<f32>()
    }

    fn extent(&self) -> Extent {
        Extent { images: self.output.n, channels: self.output_lanes.iter().sum(), pixels: self.output.pixels() }
    }

    fn backpropagate(&mut self, x: &[f32], y: Target<'_>, lap: Lap<'_>) -> Result<f32, RunError> {
        let channels: usize = self.input_lanes.iter().sum();
        check_length("input", x.len(), self.input.n * self.input.pixels() * channels)?;
        let extent = self.extent();
        self.loss.check_target(y, extent)?;
        let (k, pool, arena) = (self.kernels, &mut self.pool, &mut self.arena);
        if !pointwise::import(pool, arena, x, self.input, &self.input_lanes) {
            check_values("input", x)?;
        }
        lap(Act::Loss, None);
        for i in 0..self.layers.len() {
            let (before, layer) = self.layers.split_at_mut(i);
            layer[0].forward(k, pool, arena, &mut self.partial, &mut self.scratch, self.memory.steps, before);
            lap(Act::Forward, Some(i));
        }
        if !pointwise::export(pool, arena, self.output, &self.output_lanes, &mut self.logits, |v| v) {
            // The layer's name is worth a second pass.
            pointwise::import(pool, arena, x, self.input, &self.input_lanes);
            for (i, place) in self.places.iter().enumerate() {
                let (before, layer) = self.layers.split_at_mut(i);
                layer[0].forward(k, pool, arena, &mut self.partial, &mut self.scratch, self.memory.steps, before);
                place.as_ref().map_or(Ok(()), |p| p.check(arena))?;
            }
        }
        let loss = finite_loss(self.loss.gradient(pool, &mut self.logits, y, extent, &mut self.workspace), y)?;
        if let Some(view) = self.output_gradient {
            pointwise::import(pool, arena, &self.logits, view, &self.output_lanes);
        }
        lap(Act::Loss, None);
        for i in (0..self.layers.len()).rev() {
            for &producer in &self.again[i] {
                self.layers[producer].recompute(k, pool, arena);
                lap(Act::Again, Some(producer));
            }
            let layer = &mut self.layers[i];
            if layer.weight_gradient(k, pool, arena, &mut self.partial, &mut self.scratch, &mut self.gradients) {
                lap(Act::Weights, Some(i));
            }
            if layer.hands_down() {
                layer.backward(k, pool, arena, &mut self.partial, &mut self.scratch, &mut self.gradients);
                lap(Act::Data, Some(i));
            }
        }
        Ok(loss)
    }

    /// Brings the weights into the order in which kernels read them.
    fn pack(&mut self, lap: Lap<'_>) {
        for (i, layer) in self.layers.iter_mut().enumerate() {
            layer.pack(self.kernels, &self.weights, &mut self.pool);
            lap(Act::Pack, Some(i));
        }
    }
}

fn finite_loss(loss: f64, target: Target<'_>) -> Result<f32, RunError> {
    let loss = loss as f32;
    if !loss.is_finite() {
        check_values("target", target.values)?;
        return Err(RunError::NotFinite(loss.to_string()));
    }
    Ok(loss)
}

/// A training plan before it takes memory for weights.
struct Planned {
    lowered: Lowered,
    gradients: Gradients,
    recomputed: Recomputed,
    layers: Vec<TrainLayer>,
    arena: Aligned,
    scratch: usize,
}

impl Planned {
    /// `own`: floats that it needs besides. `keep`: whether all activations stay until the backward pass, as far as that needs them.
    fn of(
        mut lowered: Lowered,
        graph: &Graph,
        n: usize,
        own: usize,
        threads: usize,
        k: &Kernels,
        choices: &[Option<TrainingChoice>],
        keep: bool,
    ) -> Result<Self, CompileError> {
        let mut gradients = Gradients::of(&lowered, graph, n);
        let mut recomputed = if keep { Recomputed::none(&lowered) } else { Recomputed::norms(&lowered, n) };
        let floats = place_all(&mut lowered, &mut gradients, &mut recomputed)?;
        check_floats(floats as u128 + own as u128)?;
        // Before the layers are made: a giant is refused at once.
        let arena = allocate(floats)?;
        let layers: Vec<_> = (0..lowered.steps.len())
            .map(|i| TrainLayer::of(i, &lowered, &gradients, &recomputed, graph, k, choices))
            .collect();
        let scratch = layers.iter().map(|l| l.scratch_len(threads)).max().unwrap_or(0);
        let packed: usize = layers.iter().map(TrainLayer::packed_len).sum();
        check_floats([floats, own, packed, scratch].iter().map(|&floats| floats as u128).sum())?;
        Ok(Self { lowered, gradients, recomputed, layers, arena, scratch })
    }
}

/// Forward at times 1.., the loss after it, backward after that; then everything is placed in one arena.
fn place_all(
    lowered: &mut Lowered,
    gradients: &mut Gradients,
    recomputed: &mut Recomputed,
) -> Result<usize, CompileError> {
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
        let kept = |(v, kept): (usize, bool)| (kept && !recomputed.has(v)).then_some(v);
        for value in [x, y].into_iter().zip(keeps).filter_map(kept) {
            touch(lowered, value, backward(i));
        }
        gradients.touch(x, backward(i));
        gradients.touch(y, backward(i));
    }
    let buffers = lowered.buffers.iter().chain(&gradients.buffers).chain(&recomputed.buffers);
    let mut all: Vec<Buffer> = buffers.cloned().collect();
    let floats = place(&mut all)?;
    recomputed.buffers = all.split_off(lowered.buffers.len() + gradients.buffers.len());
    gradients.buffers = all.split_off(lowered.buffers.len());
    lowered.buffers = all;
    Ok(floats)
}
