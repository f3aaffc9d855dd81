//! Windows of any shape, from the definitions.

use hilum_nn::{Convolution, Pooling};

use super::Map;

/// `[d, h, w]` from sides per axis.
fn three(sides: &[usize], fill: usize) -> [usize; 3] {
    match *sides {
        [h, w] => [fill, h, w],
        [d, h, w] => [d, h, w],
        _ => panic!("{sides:?}"),
    }
}

fn positions(size: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..size.iter().product()).map(move |i: usize| [i / (size[1] * size[2]), i / size[2] % size[1], i % size[2]])
}

fn index(m: &Map, n: usize, c: usize, [z, y, x]: [usize; 3]) -> usize {
    (((n * m.c + c) * m.d + z) * m.h + y) * m.w + x
}

/// Input position under a tap of the window of output `o`, where it lies in the input.
fn under(o: [usize; 3], k: [usize; 3], c: &Convolution, size: [usize; 3]) -> Option<[usize; 3]> {
    let (stride, padding, dilation) = (three(&c.stride, 1), three(&c.padding, 0), three(&c.dilation, 1));
    let mut at = [0; 3];
    for a in 0..3 {
        at[a] = (o[a] * stride[a] + k[a] * dilation[a]).checked_sub(padding[a]).filter(|v| *v < size[a])?;
    }
    Some(at)
}

pub(super) fn conv(x: &Map, weight: &[f64], bias: Option<&Vec<f64>>, c: &Convolution) -> Map {
    let (kernel, stride, padding, dilation) =
        (three(&c.kernel, 1), three(&c.stride, 1), three(&c.padding, 0), three(&c.dilation, 1));
    let size =
        std::array::from_fn(|a| (x.size()[a] + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1) / stride[a] + 1);
    let mut y = Map::volume(x.n, c.out_channels, size);
    let (ins, outs) = (x.c / c.groups, c.out_channels / c.groups);
    for n in 0..x.n {
        for o in 0..c.out_channels {
            for at in positions(size) {
                let mut sum = bias.map_or(0.0, |b| b[o]);
                for i in 0..ins {
                    for (t, k) in positions(kernel).enumerate() {
                        if let Some(from) = under(at, k, c, x.size()) {
                            let taps: usize = kernel.iter().product();
                            sum += weight[(o * ins + i) * taps + t] * x.data[index(x, n, o / outs * ins + i, from)];
                        }
                    }
                }
                let to = index(&y, n, o, at);
                y.data[to] = sum;
            }
        }
    }
    y
}

pub(super) fn transposed(
    x: &Map,
    weight: &[f64],
    bias: Option<&Vec<f64>>,
    c: &Convolution,
    output_padding: &[usize],
) -> Map {
    let (kernel, stride, padding, dilation, more) = (
        three(&c.kernel, 1),
        three(&c.stride, 1),
        three(&c.padding, 0),
        three(&c.dilation, 1),
        three(output_padding, 0),
    );
    let size = std::array::from_fn(|a| {
        (x.size()[a] - 1) * stride[a] + dilation[a] * (kernel[a] - 1) + more[a] + 1 - 2 * padding[a]
    });
    let mut y = Map::volume(x.n, c.out_channels, size);
    let taps: usize = kernel.iter().product();
    for n in 0..x.n {
        for o in 0..c.out_channels {
            for at in positions(size) {
                let to = index(&y, n, o, at);
                y.data[to] = bias.map_or(0.0, |b| b[o]);
            }
            for i in 0..x.c {
                for at in positions(x.size()) {
                    for (t, k) in positions(kernel).enumerate() {
                        if let Some(onto) = under(at, k, c, size) {
                            let to = index(&y, n, o, onto);
                            y.data[to] += weight[(i * c.out_channels + o) * taps + t] * x.data[index(x, n, i, at)];
                        }
                    }
                }
            }
        }
    }
    y
}

/// Maximum, or mean with or without counting the padding.
pub(super) fn pool(x: &Map, p: &Pooling, mean: Option<bool>) -> Map {
    let (kernel, stride, padding) = (three(&p.kernel, 1), three(&p.stride, 1), three(&p.padding, 0));
    let size = std::array::from_fn(|a| {
        let room = (x.size()[a] + 2 * padding[a]) as f64 - kernel[a] as f64;
        let windows = room / stride[a] as f64;
        let count = if p.ceil { windows.ceil() } else { windows.floor() } as usize + 1;
        // A last window that starts in the padding is left out.
        count - usize::from(p.ceil && (count - 1) * stride[a] >= x.size()[a] + padding[a])
    });
    let mut y = Map::volume(x.n, x.c, size);
    for n in 0..x.n {
        for c in 0..x.c {
            for at in positions(size) {
                let (mut inside, mut counted) = (Vec::new(), 0);
                for k in positions(kernel) {
                    let padded: [usize; 3] = std::array::from_fn(|a| at[a] * stride[a] + k[a]);
                    // A window over the end is cut off at the padding's end.
                    counted += usize::from((0..3).all(|a| padded[a] < x.size()[a] + 2 * padding[a]));
                    if (0..3).all(|a| padded[a] >= padding[a] && padded[a] < x.size()[a] + padding[a]) {
                        inside.push(x.data[index(x, n, c, std::array::from_fn(|a| padded[a] - padding[a]))]);
                    }
                }
                let to = index(&y, n, c, at);
                y.data[to] = match mean {
                    None => inside.into_iter().fold(f64::NEG_INFINITY, f64::max),
                    Some(true) => inside.iter().sum::<f64>() / counted as f64,
                    Some(false) => inside.iter().sum::<f64>() / inside.len() as f64,
                };
            }
        }
    }
    y
}

pub(super) fn global_mean(x: &Map) -> Map {
    let pixels: usize = x.size().iter().product();
    let mut y = Map::volume(x.n, x.c, [1; 3]);
    for (mean, plane) in y.data.iter_mut().zip(x.data.chunks(pixels)) {
        *mean = plane.iter().sum::<f64>() / pixels as f64;
    }
    y
}

/// Mean or maximum over windows from floor(i * in / out) to ceil((i + 1) * in / out); 0 positions keep the input's.
pub(super) fn adaptive(x: &Map, size: &[usize], mean: bool) -> Map {
    let wanted = three(size, 1);
    let size: [usize; 3] = std::array::from_fn(|a| if wanted[a] == 0 { x.size()[a] } else { wanted[a] });
    let mut y = Map::volume(x.n, x.c, size);
    for n in 0..x.n {
        for c in 0..x.c {
            for at in positions(size) {
                let under = |a: usize, p: usize| {
                    let (i, len, out) = (at[a] as f64, x.size()[a] as f64, size[a] as f64);
                    p as f64 >= (i * len / out).floor() && (p as f64) < ((i + 1.0) * len / out).ceil()
                };
                let inside = positions(x.size()).filter(|p| (0..3).all(|a| under(a, p[a])));
                let values: Vec<f64> = inside.map(|p| x.data[index(x, n, c, p)]).collect();
                let to = index(&y, n, c, at);
                y.data[to] = if mean {
                    values.iter().sum::<f64>() / values.len() as f64
                } else {
                    values.into_iter().fold(f64::NEG_INFINITY, f64::max)
                };
            }
        }
    }
    y
}

pub(super) fn sum(inputs: &[&Map]) -> Map {
    let mut y = inputs[0].clone();
    for x in &inputs[1..] {
        y.data.iter_mut().zip(&x.data).for_each(|(y, x)| *y += x);
    }
    y
}
