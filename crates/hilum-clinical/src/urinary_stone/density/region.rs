//! Which voxels are one stone: by the density, not by the edge of the network's mask.
//!
//! A stone is what lies above half of its own height over the background around it. Two peaks without a valley below half the height of the lower one
//! are one stone, whether the mask joins them or not; with such a valley they are two.

use super::lattice::{Lattice, median, noise};

/// One stone in a patch.
#[derive(Clone, Debug)]
pub(super) struct Region {
    /// Flat indices above half height.
    pub core: Vec<usize>,
    /// Its height over its surroundings, HU.
    pub height: f64,
    /// Positions, in the list of marked voxels, of those that belong to it.
    pub marked: Vec<usize>,
}

/// How the marked voxels of a patch fall into stones.
#[derive(Clone, Debug, Default)]
pub(super) struct Partition {
    pub regions: Vec<Region>,
    /// Positions of marked voxels of candidates that do not stand out from what is around them, a list for each candidate.
    pub faint: Vec<Vec<usize>>,
}

/// Mark, within a patch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marked {
    pub at: usize,
    pub candidate: usize,
}

/// A peak below this many standard deviations of the noise, or this many HU, is not told from its surroundings.
const CLEAR_SD: f64 = 4.0;
const CLEAR_HU: f64 = 40.0;
/// Half height counts from this many standard deviations of the noise on: below, noise joins with noise.
const LEVEL_SD: f64 = 2.5;
/// So many peaks of one candidate are looked at: what has more is no stone.
const MOST_PEAKS: usize = 60;
/// A further stone in the same patch stands out more, and has more voxels than noise could join.
const FURTHER_SD: f64 = 6.0;
const FURTHER_HU: f64 = 100.0;
const FURTHER_VOXELS: usize = 3;

/// Height of a peak over its surroundings.
struct Peak {
    background: f64,
    noise: f64,
    height: f64,
    core: Vec<usize>,
}

pub(super) fn partition(lattice: &Lattice, hu: &[f64], marked: &[Marked]) -> Partition {
    let mut order: Vec<usize> = (0..marked.len()).collect();
    order.sort_by(|a, b| hu[marked[*b].at].total_cmp(&hu[marked[*a].at]).then(marked[*a].at.cmp(&marked[*b].at)));
    let mut owner: Vec<Option<usize>> = vec![None; lattice.len()];
    let mut visited = vec![false; lattice.len()];
    let mut regions: Vec<Region> = Vec::new();
    let all: Vec<bool> = lattice.set(&marked.iter().map(|m| m.at).collect::<Vec<_>>());
    let reach = lattice.grown(&all, 3.0, ((3.0 / lattice.spacing[0]) as usize).max(1));
    let candidates = marked.iter().map(|m| m.candidate + 1).max().unwrap_or(0);
    let starts: Vec<Vec<usize>> =
        (0..candidates).map(|c| marked.iter().filter(|m| m.candidate == c).map(|m| m.at).collect()).collect();
    let mut has_stone = vec![false; candidates];
    // A candidate whose brightest free voxel does not stand out holds nothing more.
    let mut peaks_left = vec![MOST_PEAKS; candidates];
    for position in order {
        let Marked { at, candidate } = marked[position];
        if owner[at].is_some() || visited[at] || peaks_left[candidate] == 0 {
            continue;
        }
        peaks_left[candidate] -= 1;
        let peak = grow(lattice, hu, at, &starts[candidate], &reach);
        if peak.height < (CLEAR_SD * peak.noise).max(CLEAR_HU) {
            peaks_left[candidate] = 0;
            continue;
        }
        // What noise alone could dig is no valley.
        let saddle = peak.background + (0.5 * peak.height - 2.0 * peak.noise).max(0.25 * peak.height);
        let around = lattice.flood(&[at], |v| hu[v] >= saddle && (reach[v] || owner[v].is_some()));
        let joined = around.iter().find_map(|v| owner[*v]);
        for v in &around {
            visited[*v] = true;
        }
        if let Some(stone) = joined {
            has_stone[candidate] = true;
            for v in peak.core.iter().filter(|v| all[**v]) {
                owner[*v].get_or_insert(stone);
            }
            continue;
        }
        let further = has_stone[candidate];
        let enough = peak.core.len() >= FURTHER_VOXELS && peak.height >= (FURTHER_SD * peak.noise).max(FURTHER_HU);
        if further && !enough {
            continue;
        }
        has_stone[candidate] = true;
        for v in &peak.core {
            owner[*v] = Some(regions.len());
            visited[*v] = true;
        }
        regions.push(Region { core: peak.core, height: peak.height, marked: Vec::new() });
    }
    share_out(lattice, marked, &owner, &has_stone, regions)
}

/// Marked voxels go to the stone that owns them, others to the nearest stone that their candidate has a part in.
fn share_out(
    lattice: &Lattice,
    marked: &[Marked],
    owner: &[Option<usize>],
    has_stone: &[bool],
    mut regions: Vec<Region>,
) -> Partition {
    let mut faint: Vec<Vec<usize>> = vec![Vec::new(); has_stone.len()];
    let mut stones_of: Vec<Vec<usize>> = vec![Vec::new(); has_stone.len()];
    for m in marked {
        if let Some(stone) = owner[m.at]
            && !stones_of[m.candidate].contains(&stone)
        {
            stones_of[m.candidate].push(stone);
        }
    }
    for (position, m) in marked.iter().enumerate() {
        let own = &stones_of[m.candidate];
        let stone = match (owner[m.at], own.as_slice()) {
            (Some(stone), _) => Some(stone),
            (None, []) => None,
            (None, [only]) => Some(*only),
            (None, several) => several.iter().copied().min_by(|a, b| {
                let gap = |stone: usize| {
                    regions[stone].core.iter().map(|v| distance(lattice, *v, m.at)).fold(f64::INFINITY, f64::min)
                };
                gap(*a).total_cmp(&gap(*b))
            }),
        };
        match stone {
            Some(stone) => regions[stone].marked.push(position),
            None => faint[m.candidate].push(position),
        }
    }
    regions.retain(|region| !region.marked.is_empty());
    faint.retain(|list| !list.is_empty());
    Partition { regions, faint }
}

fn distance(lattice: &Lattice, a: usize, b: usize) -> f64 {
    let (a, b) = (lattice.index(a), lattice.index(b));
    (0..3).map(|k| ((a[k] as f64 - b[k] as f64) * lattice.spacing[k]).powi(2)).sum::<f64>().sqrt()
}

/// The voxels above half height around a peak; the background and the height are found from them in turn.
fn grow(lattice: &Lattice, hu: &[f64], peak: usize, start: &[usize], reach: &[bool]) -> Peak {
    let (mut background, mut noise) = surroundings(lattice, hu, start);
    let mut height = hu[peak] - background;
    let mut core = vec![peak];
    for _ in 0..3 {
        if height <= 0.0 {
            break;
        }
        let level = background + (0.5 * height).max(LEVEL_SD * noise);
        core = lattice.flood(&[peak], |v| hu[v] >= level);
        // What runs out of the patch is joined with bone or the like: the mask bounds it.
        if core.iter().any(|v| lattice.on_border(*v)) {
            core = lattice.flood(&[peak], |v| hu[v] >= level && reach[v]);
        }
        if core.is_empty() {
            core = vec![peak];
        }
        (background, noise) = surroundings(lattice, hu, &core);
        height = plateau(hu, &core) - background;
    }
    Peak { background, noise, height, core }
}

/// Mean of the upper fifth of the voxels.
pub(super) fn plateau(hu: &[f64], core: &[usize]) -> f64 {
    let mut values: Vec<f64> = core.iter().map(|v| hu[*v]).collect();
    values.sort_by(|a, b| b.total_cmp(a));
    let upper = values.len().div_ceil(5).max(1).min(values.len());
    values[..upper].iter().sum::<f64>() / upper as f64
}

/// Density (of the denser tissue) and noise of the shell between about 2 and 6 mm from a set, in the slices of the set.
fn surroundings(lattice: &Lattice, hu: &[f64], set: &[usize]) -> (f64, f64) {
    let set = lattice.set(set);
    let (near, far) = (lattice.grown(&set, 2.0, 0), lattice.grown(&set, 6.0, 0));
    let within: Vec<bool> = (0..hu.len()).map(|v| far[v] && !near[v]).collect();
    let mut shell: Vec<f64> = (0..hu.len()).filter(|v| within[*v]).map(|v| hu[v]).collect();
    let noise = noise(lattice, hu, &within);
    let middle = median(&mut shell).unwrap_or(0.0);
    // Between two tissues the denser one counts: half height over fat alone may lie below the kidney's density.
    shell.sort_by(f64::total_cmp);
    let upper = shell.get(shell.len() * 17 / 20).map_or(middle, |upper| upper - 1.04 * noise);
    (upper.max(middle), noise)
}
