import { add, type Axis, axes, type Grid, indexFromPatient, length, patientFromIndex, type Point3, times } from "./space";

/** `GET .../report/versions/{version}/mask`, as crates/hilum-engine/src/results/label_map.rs gives it. */
export interface LabelMap {
  version: number;
  series_uid: string;
  /** Voxels `[z, y, x]`. */
  shape: [number, number, number];
  origin_mm: Point3;
  step_mm: [Point3, Point3, Point3];
  stones: { number: number; runs: [number, number, number, number][]; corrected: boolean }[];
}

/** A stone as it is drawn: its voxels in the grid of the images that are looked at. */
export interface DrawnStone {
  number: number;
  /** `x + size[0] * (y + size[1] * z)` of each voxel. */
  voxels: Set<number>;
  /** Smallest and largest index along each axis. */
  bounds: { low: Point3; high: Point3 };
  /** In patient coordinates. */
  centre: Point3;
}

/** Room between a stone and its box (mm), so that stones below 3 mm are seen, too. */
export const margin = 6;

export const voxelOf = (grid: Grid, [x, y, z]: Point3): number => x + grid.size[0] * (y + grid.size[1] * z);
export const indexOf = (grid: Grid, voxel: number): Point3 => {
  const [columns, rows] = grid.size;
  return [voxel % columns, Math.floor(voxel / columns) % rows, Math.floor(voxel / (columns * rows))];
};

/** A stone of these voxels; null where there are none. */
export function stoneOf(grid: Grid, number: number, voxels: Set<number>): DrawnStone | null {
  if (voxels.size === 0) return null;
  const low: Point3 = [Infinity, Infinity, Infinity];
  const high: Point3 = [-Infinity, -Infinity, -Infinity];
  let sum: Point3 = [0, 0, 0];
  for (const voxel of voxels) {
    const index = indexOf(grid, voxel);
    sum = add(sum, index);
    for (const axis of axes) {
      low[axis] = Math.min(low[axis], index[axis]);
      high[axis] = Math.max(high[axis], index[axis]);
    }
  }
  const mean = times(sum, 1 / voxels.size);
  // The middle of a horseshoe is not in it: the voxel nearest to the middle is.
  const distance = (voxel: number) => length(add(indexOf(grid, voxel), times(mean, -1)));
  const nearest = [...voxels].reduce((best, voxel) => (distance(voxel) < distance(best) ? voxel : best));
  return { number, voxels, bounds: { low, high }, centre: patientFromIndex(grid, indexOf(grid, nearest)) };
}

const gridOf = (map: LabelMap): Grid => ({ origin: map.origin_mm, step: map.step_mm, size: [map.shape[2], map.shape[1], map.shape[0]] });

/** Voxels as runs along rows, `[z, y, first x, length]`, in the stack that a label map is of. */
export function runsIn(map: LabelMap, grid: Grid, voxels: Set<number>): [number, number, number, number][] {
  const to = gridOf(map);
  const indices = [...voxels].map((voxel) => indexFromPatient(to, patientFromIndex(grid, indexOf(grid, voxel))).map(Math.round) as Point3);
  indices.sort((a, b) => a[2] - b[2] || a[1] - b[1] || a[0] - b[0]);
  const runs: [number, number, number, number][] = [];
  for (const [x, y, z] of indices) {
    const last = runs.at(-1);
    if (last && last[0] === z && last[1] === y && last[2] + last[3] === x) last[3] += 1;
    else runs.push([z, y, x, 1]);
  }
  return runs;
}

/** Voxels with a disc of a layer added or taken away: those whose middles lie within `radius` mm of a point. */
export function painted(grid: Grid, voxels: Set<number>, axis: Axis, point: Point3, radius: number, adds: boolean): Set<number> {
  const changed = new Set(voxels);
  const middle = indexFromPatient(grid, point);
  const [u, v] = across(axis);
  const layer = Math.round(middle[axis]);
  const range = (of: Axis) => {
    const reach = radius / length(grid.step[of]);
    return [Math.max(0, Math.ceil(middle[of] - reach)), Math.min(grid.size[of] - 1, Math.floor(middle[of] + reach))] as const;
  };
  const [[uLow, uHigh], [vLow, vHigh]] = [range(u), range(v)];
  for (let j = vLow; j <= vHigh; j += 1) {
    for (let i = uLow; i <= uHigh; i += 1) {
      const far = Math.hypot((i - middle[u]) * length(grid.step[u]), (j - middle[v]) * length(grid.step[v]));
      if (far > radius) continue;
      const index: Point3 = [0, 0, 0];
      index[axis] = layer;
      index[u] = i;
      index[v] = j;
      if (adds) changed.add(voxelOf(grid, index));
      else changed.delete(voxelOf(grid, index));
    }
  }
  return changed;
}

/** The stones of a label map in the grid of the images: both lie in the same patient, and their slices may be counted from either end. */
export function stonesIn(grid: Grid, map: LabelMap): DrawnStone[] {
  const from = gridOf(map);
  return map.stones.flatMap(({ number, runs }) => {
    const voxels = new Set<number>();
    for (const [z, y, first, count] of runs) {
      for (let x = first; x < first + count; x += 1) {
        const index = indexFromPatient(grid, patientFromIndex(from, [x, y, z])).map(Math.round) as Point3;
        if (axes.every((axis) => index[axis] >= 0 && index[axis] < grid.size[axis])) voxels.add(voxelOf(grid, index));
      }
    }
    return stoneOf(grid, number, voxels) ?? [];
  });
}

/** The box around a stone with its margin, in indices that need not be whole. */
export function boxOf(grid: Grid, { bounds }: DrawnStone): { low: Point3; high: Point3 } {
  const room = axes.map((axis) => 0.5 + margin / length(grid.step[axis])) as Point3;
  return {
    low: axes.map((axis) => bounds.low[axis] - room[axis]) as Point3,
    high: axes.map((axis) => bounds.high[axis] + room[axis]) as Point3,
  };
}

/** The two axes of a layer. */
export const across = (axis: Axis): [Axis, Axis] => (axis === 0 ? [1, 2] : axis === 1 ? [0, 2] : [0, 1]);

/**
 * A stone in some layers (`first` to `last`, seen through one another) as two SVG paths in the indices of the layer's two axes: the cells, and
 * the line around them. Null where it is not in them.
 */
export function pathsOf(grid: Grid, stone: DrawnStone, axis: Axis, first: number, last: number): { fill: string; line: string } | null {
  if (last < stone.bounds.low[axis] || first > stone.bounds.high[axis]) return null;
  const [u, v] = across(axis);
  const width = grid.size[u];
  const cells = new Set<number>();
  for (const voxel of stone.voxels) {
    const index = indexOf(grid, voxel);
    if (index[axis] >= first && index[axis] <= last) cells.add(index[u] + width * index[v]);
  }
  if (cells.size === 0) return null;
  const has = (a: number, b: number) => a >= 0 && a < width && cells.has(a + width * b);
  let fill = "";
  let line = "";
  for (const cell of cells) {
    const [a, b] = [cell % width, Math.floor(cell / width)];
    const [left, right, top, bottom] = [a - 0.5, a + 0.5, b - 0.5, b + 0.5];
    fill += `M${left} ${top}H${right}V${bottom}H${left}Z`;
    if (!has(a - 1, b)) line += `M${left} ${top}V${bottom}`;
    if (!has(a + 1, b)) line += `M${right} ${top}V${bottom}`;
    if (!has(a, b - 1)) line += `M${left} ${top}H${right}`;
    if (!has(a, b + 1)) line += `M${left} ${bottom}H${right}`;
  }
  return { fill, line };
}
