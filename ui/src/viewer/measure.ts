import { across } from "./stones";
import { add, type Axis, dot, type Grid, indexFromPatient, length, minus, patientFromIndex, type Point3, times } from "./space";

export const measurementKinds = ["length", "ellipse", "probe"] as const;
export type MeasurementKind = (typeof measurementKinds)[number];

/** Points of a measurement: two of a length, centre and ends of two half axes of an ellipse, one of a probe. */
export const pointsOf: Record<MeasurementKind, number> = { length: 2, ellipse: 3, probe: 1 };

export interface Statistics {
  count: number;
  mean: number;
  /** Of the pixels themselves, as numpy's `std` has it (not of a larger population). */
  sd: number;
  min: number;
  max: number;
}

/** HU of the voxel `[x, y, z]`; undefined where it is not there or not loaded. */
export type Voxels = (index: Point3) => number | undefined;

export function statistics(values: number[]): Statistics | null {
  if (values.length === 0) return null;
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
  return { count, mean, sd: Math.sqrt(variance), min: Math.min(...values), max: Math.max(...values) };
}

/** The half axes of an ellipse, made perpendicular: the second one is what of it stands upright on the first. */
export function halfAxes([centre, one, other]: Point3[]): { centre: Point3; a: Point3; b: Point3 } | null {
  if (!centre || !one || !other) return null;
  const a = minus(one, centre);
  const lean = minus(other, centre);
  const square = dot(a, a);
  if (square === 0) return null;
  return { centre, a, b: minus(lean, times(a, dot(lean, a) / square)) };
}

/** Values of the layer's voxels whose centres lie inside an ellipse. */
function insideEllipse(grid: Grid, axis: Axis, points: Point3[], voxels: Voxels): number[] {
  const axesOf = halfAxes(points);
  if (!axesOf) return [];
  const { centre, a, b } = axesOf;
  const [aa, bb] = [dot(a, a), dot(b, b)];
  if (aa === 0 || bb === 0) return [];
  const corners = [add(a, b), minus(a, b), minus(b, a), times(add(a, b), -1)].map((way) => indexFromPatient(grid, add(centre, way)));
  const layer = Math.round(indexFromPatient(grid, centre)[axis]);
  const [u, v] = across(axis);
  const range = (of: Axis) => {
    const all = corners.map((corner) => corner[of]);
    return [Math.max(0, Math.floor(Math.min(...all))), Math.min(grid.size[of] - 1, Math.ceil(Math.max(...all)))] as const;
  };
  const [[uLow, uHigh], [vLow, vHigh]] = [range(u), range(v)];
  const values: number[] = [];
  for (let j = vLow; j <= vHigh; j += 1) {
    for (let i = uLow; i <= uHigh; i += 1) {
      const index: Point3 = [0, 0, 0];
      index[axis] = layer;
      index[u] = i;
      index[v] = j;
      const from = minus(patientFromIndex(grid, index), centre);
      if ((dot(from, a) / aa) ** 2 + (dot(from, b) / bb) ** 2 > 1) continue;
      const value = voxels(index);
      if (value !== undefined) values.push(value);
    }
  }
  return values;
}

/** What a measurement amounts to. Of a stack whose geometry was refused there are no millimetres. */
export interface Measured {
  mm: number | null;
  /** mm², of an ellipse. */
  area: number | null;
  hu: Statistics | null;
}

export function measured(kind: MeasurementKind, points: Point3[], grid: Grid, axis: Axis, voxels: Voxels, regular: boolean): Measured {
  const [first, second] = points;
  const nothing: Measured = { mm: null, area: null, hu: null };
  if (!first) return nothing;
  switch (kind) {
    case "length":
      return { ...nothing, mm: regular && second ? length(minus(second, first)) : null };
    case "ellipse": {
      const ellipse = halfAxes(points);
      const area = regular && ellipse ? Math.PI * length(ellipse.a) * length(ellipse.b) : null;
      return { ...nothing, area, hu: statistics(insideEllipse(grid, axis, points, voxels)) };
    }
    case "probe": {
      const value = voxels(indexFromPatient(grid, first).map(Math.round) as Point3);
      return { ...nothing, hu: value === undefined ? null : statistics([value]) };
    }
  }
}
