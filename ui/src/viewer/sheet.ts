import { type Picture, type Samples } from "./picture";
import { type Axis, cross, dot, type Grid, type View } from "./space";

/** A flat picture that is looked at: greys `[row, column]` in HU times a line, or colours `[row, column, red green blue]`. */
export type Sheet = Picture;

/** How a plane of a grid lies on the canvas: the axes that go across and down, and whether against their direction. */
export interface Lie {
  across: Axis;
  acrossBack: boolean;
  down: Axis;
  downBack: boolean;
}

/** The plane of a view as it is looked at. */
export function lieOf(grid: Grid, { axis, normal, up }: View): Lie {
  const right = cross(up, normal);
  const [one, other] = ([0, 1, 2] as const).filter((each) => each !== axis);
  const along = (each: Axis, way: typeof right) => dot(grid.step[each], way);
  const [across, down] = Math.abs(along(one ?? 0, right)) >= Math.abs(along(other ?? 1, right)) ? [one, other] : [other, one];
  return { across: across ?? 0, acrossBack: along(across ?? 0, right) < 0, down: down ?? 1, downBack: along(down ?? 1, up) > 0 };
}

/** HU of voxels that are not there: below every window. */
const absent = -32768;

/** What a line through the voxels of a slice is made of. */
interface Line {
  start: number;
  step: number;
}

/**
 * A layer of a volume, or several seen through one another (their largest value, or their mean), as a flat picture `[down, across]` in HU. Slices that are not there are black.
 * `slices`: the pictures of the grid's slices, by `z`.
 */
export function sheetOf(grid: Grid, lie: Lie, layers: readonly [number, number], mean: boolean, slices: (z: number) => Picture | undefined): Sheet {
  const axis = ([0, 1, 2] as const).find((each) => each !== lie.across && each !== lie.down) ?? 2;
  const [columns, rows] = [grid.size[lie.across], grid.size[lie.down]];
  const [from, to] = [Math.max(0, layers[0]), Math.min(grid.size[axis] - 1, layers[1])];
  const whole = from === to && axis === 2 && lie.across === 0 && !lie.acrossBack && !lie.downBack && slices(from);
  // A slice as it is stored is looked at as it is stored.
  if (whole) return whole;
  const samples = new Float32Array(rows * columns).fill(absent);
  const counts = mean && to > from ? new Uint16Array(rows * columns) : null;
  /** Voxels along `of`, into the picture. */
  const place = (of: Axis): Line => {
    const [back, length, step] = of === lie.across ? [lie.acrossBack, columns, 1] : [lie.downBack, rows, columns];
    return back ? { start: (length - 1) * step, step: -step } : { start: 0, step };
  };
  const strides = [1, grid.size[0]] as const;
  const [x, y] = [grid.size[0], grid.size[1]];
  const [alongX, alongY, alongZ] = [place(0), place(1), place(2)];
  for (let z = axis === 2 ? from : 0; z <= (axis === 2 ? to : grid.size[2] - 1); z += 1) {
    const picture = slices(z);
    if (!picture || picture.colour || picture.samples.length < x * y) continue;
    const { samples: stored, slope, intercept } = picture;
    const add = (source: number, sourceStep: number, target: number, targetStep: number, count: number) =>
      addLine(samples, counts, target, targetStep, stored, source, sourceStep, count, slope, intercept);
    if (axis === 2) {
      for (let row = 0; row < y; row += 1) add(row * x, 1, alongX.start + alongY.start + row * alongY.step, alongX.step, x);
      continue;
    }
    const base = alongZ.start + z * alongZ.step;
    const line = axis === 0 ? alongY : alongX;
    for (let layer = from; layer <= to; layer += 1) {
      if (axis === 0) add(layer, strides[1], base + line.start, line.step, y);
      else add(layer * x, 1, base + line.start, line.step, x);
    }
  }
  if (counts) for (let at = 0; at < samples.length; at += 1) if ((counts[at] ?? 0) > 1) samples[at] = (samples[at] ?? 0) / (counts[at] ?? 1);
  return { rows, columns, colour: false, samples, slope: 1, intercept: 0, inverse: slices(axis === 2 ? from : 0)?.inverse ?? false };
}

/** A line of voxels onto a line of the picture: the larger value, or (with `counts`) the sum. */
function addLine(
  into: Float32Array, counts: Uint16Array | null, target: number, targetStep: number,
  stored: Samples, source: number, sourceStep: number, count: number, slope: number, intercept: number,
) {
  let [to, from] = [target, source];
  for (let at = 0; at < count; at += 1, to += targetStep, from += sourceStep) {
    const value = (stored[from] as number) * slope + intercept;
    if (counts) {
      const before = counts[to] as number;
      into[to] = before === 0 ? value : (into[to] as number) + value;
      counts[to] = before + 1;
    } else if (value > (into[to] as number)) into[to] = value;
  }
}
