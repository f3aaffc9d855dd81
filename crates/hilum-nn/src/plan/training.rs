//! The training plan: forward, loss, backward and update over one arena, in which activations and gradients share memory by liveness.

use super::backward::{Gradients, Write};
use super::inference::{ForwardPlan, NORM_EPS};
use super::layout::{Buffer, Lowered, Step, lies_in, place};
use super::{Algorithm, CompileError, InputShape, Options, RunError, check_length};
use crate::graph::{Graph, Parameter};
use crate::kernels::Kernels;
use crate::kernels::buffer::{Aligned, LANES, View};
use crate::kernels::conv::{Conv, Start};
use crate::kernels::conv_grad::WeightGradient;
use crate::kernels::norm::{self, Lanes, Statistics, Target};
use crate::kernels::pack::{self, Packing, Source};
use crate::kernels::pointwise;
use crate::kernels::pool::Pool;
use crate::loss::LossConfig;
use crate::network::{Network, Op};
use crate::optim::{AdamConfig, Moments};
use crate::weights::{Tensor, Weights};

/// How much of a batch's statistics enters the running ones, PyTorch's default.
const NORM_MOMENTUM: f64 = 0.1;

/// A network in training at one input shape.
pub struct Trainer {
    network: Network,
    shape: InputShape,
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

/// A convolution and its two gradients.
struct ConvLayer {
    forward: Conv,
    packing: Packing,
    packed: Aligned,
    bias: Aligned,
    dy: View,
    data: Option<DataGradient>,
    weight_gradient: WeightGradient,
    /// Index of the weight tensor; the bias, if any, follows it.
    weight: usize,
    has_bias: bool,
    out_lanes: Vec<usize>,
}

struct DataGradient {
    conv: Conv,
    packing: Packing,
    packed: Aligned,
    write: Write,
}

struct NormLayer {
    x: View,
    y: View,
    dy: View,
    target: Option<Write>,
    stats: Statistics,
    scale: Vec<Lanes>,
    shift: Vec<Lanes>,
    relu: bool,
    /// Index of the weight; bias, running mean and running variance follow.
    weight: usize,
    slots: Vec<Option<usize>>,
}

/// Where a parameterless layer's gradient comes from and goes to; `None` where nothing before it learns.
type Through = Option<(View, Write)>;

enum TrainLayer {
    Conv(Box<ConvLayer>),
    Norm(Box<NormLayer>),
    MaxPool { x: View, y: View, gradient: Through },
    Relu { x: View, y: View, gradient: Through },
    Sigmoid { x: View, y: View, lanes: Vec<usize>, gradient: Through },
    Copy { forward: Option<(View, View)>, gradient: Through },
}

impl Trainer {
    /// Plans forward, backward and update. The network must end in a sigmoid; the losses take the logits before it.
    pub fn compile(
        network: &Network,
        weights: Weights,
        shape: InputShape,
        loss: LossConfig,
        adam: AdamConfig,
        options: Options,
    ) -> Result<Self, CompileError> {
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
        let (h, w) = lowered.sizes[output];
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
            logits: vec![0.0; shape.n * output_channels * h * w],
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
        self.update_running_statistics();
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
        Ok(self.loss.value(
            &mut self.pool,
            &self.logits,
            y,
            self.output_lanes.iter().sum(),
            self.output.h * self.output.w,
        ) as f32)
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
        check_length("input", x.len(), self.input.n * self.input.h * self.input.w * channels)?;
        check_length("target", y.len(), self.logits.len())?;
        let (k, pool, arena) = (self.kernels, &mut self.pool, &mut self.arena);
        pointwise::import(pool, arena, x, self.input, &self.input_lanes);
        for layer in &mut self.layers {
            layer.forward(k, pool, arena, &mut self.partial);
        }
        pointwise::export(pool, arena, self.output, &self.output_lanes, &mut self.logits, |v| v);
        let channels = self.output_lanes.iter().sum();
        let loss = self.loss.gradient(pool, &mut self.logits, y, channels, self.output.h * self.output.w) as f32;
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

    fn update_running_statistics(&mut self) {
        for layer in &self.layers {
            let TrainLayer::Norm(norm) = layer else { continue };
            let count = (norm.x.n * norm.x.h * norm.x.w) as f64;
            // Running variance is the unbiased one, normalisation uses the biased one (as PyTorch).
            let unbias = if count > 1.0 { count / (count - 1.0) } else { 1.0 };
            let blend = |old: f32, new: f64| (f64::from(old) * (1.0 - NORM_MOMENTUM) + new * NORM_MOMENTUM) as f32;
            for (slot, channel) in norm.slots.iter().enumerate() {
                let Some(c) = *channel else { continue };
                let (block, lane) = (slot / LANES, slot % LANES);
                let mean = &mut self.weights.tensors[norm.weight + 2].data[c];
                *mean = blend(*mean, f64::from(norm.stats.blocks[block].mean[lane]));
                let variance = &mut self.weights.tensors[norm.weight + 3].data[c];
                *variance = blend(*variance, f64::from(norm.stats.variance[block][lane]) * unbias);
            }
        }
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
        let kept = match step {
            Step::Conv { .. } | Step::Norm { .. } | Step::MaxPool { .. } | Step::Relu { .. } => Some(x),
            Step::Sigmoid { .. } => Some(y),
            Step::Copy { .. } => None,
        };
        if let Some(value) = kept {
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

impl TrainLayer {
    fn of(index: usize, lowered: &Lowered, gradients: &Gradients, graph: &Graph, k: &Kernels) -> Self {
        let view = |v: usize| lowered.view(v);
        let dy = |v: usize| gradients.view(lowered, v);
        let write = || gradients.write(lowered, index);
        let through = |y: usize| write().map(|w| (dy(y), w));
        match lowered.steps[index] {
            Step::Conv { node, x, y, .. } => {
                let (x_lanes, y_lanes) = (&lowered.lanes[x], &lowered.lanes[y]);
                let (xv, yv, dyv) = (view(x), view(y), dy(y));
                let same = match graph.nodes()[node].op {
                    Op::Conv2d { kernel, .. } => Some(kernel),
                    _ => None,
                };
                let (forward, source) = match same {
                    Some(kernel) => (Conv::same(k, xv, x_lanes, yv, kernel), Source::Forward),
                    None => (Conv::up(k, xv, x_lanes, yv), Source::Up),
                };
                let kernel = same.unwrap_or(1);
                let data = write().map(|write| {
                    let (conv, source) = match same {
                        Some(kernel) => (Conv::same(k, dyv, y_lanes, write.view, kernel), Source::Flipped),
                        None => (Conv::down(k, dyv, y_lanes, write.view), Source::Down),
                    };
                    let packing = Packing::new(k, source, kernel, x_lanes, y_lanes);
                    DataGradient { packed: Aligned::zeroed(conv.weight_len()), conv, packing, write }
                });
                let weight_gradient = match same {
                    Some(kernel) => WeightGradient::same(k, xv, x_lanes, dyv, y_lanes, kernel),
                    None => WeightGradient::up(k, xv, x_lanes, dyv, y_lanes),
                };
                let weight = graph.nodes()[node].first_parameter;
                let has_bias = matches!(
                    graph.nodes()[node].op,
                    Op::Conv2d { bias: true, .. } | Op::ConvTranspose2d { bias: true, .. }
                );
                Self::Conv(Box::new(ConvLayer {
                    packing: Packing::new(k, source, kernel, y_lanes, x_lanes),
                    packed: Aligned::zeroed(forward.weight_len()),
                    forward,
                    bias: Aligned::zeroed(y_lanes.len() * LANES),
                    dy: dyv,
                    data,
                    weight_gradient,
                    weight,
                    has_bias,
                    out_lanes: y_lanes.clone(),
                }))
            }
            Step::Norm { node, x, y, relu } => {
                let blocks = lowered.lanes[x].len();
                Self::Norm(Box::new(NormLayer {
                    x: view(x),
                    y: view(y),
                    dy: dy(y),
                    target: write(),
                    stats: Statistics::new(blocks),
                    scale: vec![[0.0; LANES]; blocks],
                    shift: vec![[0.0; LANES]; blocks],
                    relu,
                    weight: graph.nodes()[node].first_parameter,
                    slots: pack::channels(&lowered.lanes[x]),
                }))
            }
            Step::MaxPool { x, y } => Self::MaxPool { x: view(x), y: view(y), gradient: through(y) },
            Step::Relu { x, y } => Self::Relu { x: view(x), y: view(y), gradient: through(y) },
            Step::Sigmoid { x, y } => {
                Self::Sigmoid { x: view(x), y: view(y), lanes: lowered.lanes[x].clone(), gradient: through(y) }
            }
            Step::Copy { x, y, first_block } => {
                let blocks = lowered.lanes[x].len();
                let moved = !lies_in(&lowered.homes, x, y, first_block);
                Self::Copy {
                    forward: moved.then(|| (view(x), view(y).part(first_block, blocks))),
                    gradient: through(y).map(|(dy, w)| (dy.part(first_block, blocks), w)),
                }
            }
        }
    }

    fn forward(&mut self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, partial: &mut [f64]) {
        match self {
            Self::Conv(c) => {
                let start = if c.has_bias { Start::Bias } else { Start::Zero };
                c.forward.run(pool, arena, &c.packed, &c.bias, start, false);
            }
            Self::Norm(n) => {
                norm::batch_statistics(k, pool, arena, partial, n.x, NORM_EPS, &mut n.stats);
                for (b, block) in n.stats.blocks.iter().enumerate() {
                    for l in 0..LANES {
                        n.scale[b][l] = block.weight[l] * block.inv_std[l];
                        n.shift[b][l] = block.bias[l] - block.mean[l] * n.scale[b][l];
                    }
                }
                norm::apply(k, pool, arena, n.x, n.y, &n.scale, &n.shift, n.relu);
            }
            Self::MaxPool { x, y, .. } => pointwise::max_pool(k, pool, arena, *x, *y),
            Self::Relu { x, y, .. } => pointwise::relu(k, pool, arena, *x, *y),
            Self::Sigmoid { x, y, lanes, .. } => pointwise::sigmoid(pool, arena, *x, *y, lanes),
            Self::Copy { forward: Some((x, y)), .. } => pointwise::copy(pool, arena, *x, *y, false),
            Self::Copy { forward: None, .. } => {}
        }
    }

    fn backward(
        &mut self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        partial: &mut [f64],
        scratch: &mut [f32],
        gradients: &mut [Vec<f32>],
    ) {
        let prepare = |pool: &mut Pool, arena: &mut Aligned, write: &Write| {
            write.zero.iter().for_each(|&v| pointwise::zero(pool, arena, v));
        };
        match self {
            Self::Conv(c) => {
                c.weight_gradient.run(pool, arena, scratch, &mut gradients[c.weight]);
                if c.has_bias {
                    let slots = pack::channels(&c.out_lanes);
                    let bias = &mut gradients[c.weight + 1];
                    norm::channel_sums(k, pool, arena, partial, c.dy, |b, sums| scatter(bias, &slots, b, &sums));
                }
                if let Some(data) = &c.data {
                    prepare(pool, arena, &data.write);
                    let start = if data.write.add { Start::Output } else { Start::Zero };
                    data.conv.run(pool, arena, &data.packed, &[], start, false);
                }
            }
            Self::Norm(n) => {
                let target = match &n.target {
                    Some(write) => {
                        prepare(pool, arena, write);
                        Target::View { dx: write.view, add: write.add }
                    }
                    None => Target::InPlace,
                };
                let (weight, bias) = gradients[n.weight..].split_at_mut(1);
                norm::backward(k, pool, arena, partial, n.x, n.dy, target, &n.stats, n.relu, |b, [db, dw]| {
                    scatter(&mut bias[0], &n.slots, b, &db);
                    scatter(&mut weight[0], &n.slots, b, &dw);
                });
            }
            Self::MaxPool { x, gradient: Some((dy, write)), .. } => {
                prepare(pool, arena, write);
                pointwise::max_pool_grad(k, pool, arena, *x, *dy, write.view, write.add);
            }
            Self::Relu { x, gradient: Some((dy, write)), .. } => {
                prepare(pool, arena, write);
                pointwise::relu_grad(k, pool, arena, *x, *dy, write.view, write.add);
            }
            Self::Sigmoid { y, gradient: Some((dy, write)), .. } => {
                prepare(pool, arena, write);
                pointwise::sigmoid_grad(pool, arena, *y, *dy, write.view, write.add);
            }
            Self::Copy { gradient: Some((dy, write)), .. } => {
                prepare(pool, arena, write);
                pointwise::copy(pool, arena, *dy, write.view, write.add);
            }
            Self::MaxPool { gradient: None, .. }
            | Self::Relu { gradient: None, .. }
            | Self::Sigmoid { gradient: None, .. }
            | Self::Copy { gradient: None, .. } => {}
        }
    }

    fn pack(&mut self, weights: &Weights, pool: &mut Pool) {
        let tensors = weights.tensors();
        match self {
            Self::Conv(c) => {
                c.packing.pack(pool, &tensors[c.weight].data, &mut c.packed);
                if c.has_bias {
                    let data = &tensors[c.weight + 1].data;
                    c.bias[..data.len()].copy_from_slice(data);
                }
                if let Some(data) = &mut c.data {
                    data.packing.pack(pool, &tensors[c.weight].data, &mut data.packed);
                }
            }
            Self::Norm(n) => {
                for (slot, channel) in n.slots.iter().enumerate() {
                    let Some(c) = *channel else { continue };
                    n.stats.blocks[slot / LANES].weight[slot % LANES] = tensors[n.weight].data[c];
                    n.stats.blocks[slot / LANES].bias[slot % LANES] = tensors[n.weight + 1].data[c];
                }
            }
            Self::MaxPool { .. } | Self::Relu { .. } | Self::Sigmoid { .. } | Self::Copy { .. } => {}
        }
    }

    fn scratch_len(&self) -> usize {
        match self {
            Self::Conv(c) => c.weight_gradient.scratch_len(),
            _ => 0,
        }
    }

    fn partial_len(&self) -> usize {
        match self {
            Self::Conv(c) => norm::partial_len(c.dy),
            Self::Norm(n) => norm::partial_len(n.x),
            _ => 0,
        }
    }

    fn packed_bytes(&self) -> usize {
        match self {
            Self::Conv(c) => c.packed.bytes() + c.bias.bytes() + c.data.as_ref().map_or(0, |d| d.packed.bytes()),
            _ => 0,
        }
    }
}

/// One block's lanes into a tensor of channels.
fn scatter(tensor: &mut [f32], slots: &[Option<usize>], block: usize, lanes: &Lanes) {
    for (channel, value) in slots[block * LANES..(block + 1) * LANES].iter().zip(lanes) {
        if let Some(c) = *channel {
            tensor[c] = *value;
        }
    }
}
