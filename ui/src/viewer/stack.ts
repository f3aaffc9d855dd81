import type { Picture } from "./picture";
import { cross, dot, type Grid, length, minus, type Point3, times, unit } from "./space";

/** One image of a series, as its header places it. */
export interface Slice {
  /** Fetches and decodes its pixels. */
  load: (signal: AbortSignal) => Promise<Picture>;
  sopUid: string;
  instanceNumber: number;
  /** Centre of the first pixel (Image Position); null where it says nothing. */
  position: Point3 | null;
  /** Directions of a row and of a column. */
  orientation: [Point3, Point3] | null;
  /** Between rows and between columns (mm). */
  spacing: [number, number] | null;
  rows: number;
  columns: number;
  frameOfReference: string | null;
}

/** Slices in the order in which they are scrolled, and their grid where they form a regular volume. */
export interface Stack {
  slices: Slice[];
  grid: Grid | null;
}

/** Slices may lie this far from where they should: a share of their distance. */
const tolerance = 0.02;

/**
 * Orders slices as scanners number them where that is an order in space, else from the head down; refuses a grid for what is no regular volume:
 * other orientations, other sizes, gaps, a tilted gantry. The engine's own check decides what is measured; this one is for images that it has not seen.
 */
export function stackOf(unordered: Slice[]): Stack {
  const numbered = [...unordered].sort((a, b) => a.instanceNumber - b.instanceNumber);
  const [first] = numbered;
  if (!first?.orientation || !first.position) return { slices: numbered, grid: null };
  const { orientation: [row, column], spacing } = first;
  const normal = unit(cross(row, column));
  const same = (slice: Slice) =>
    slice.position !== null && slice.orientation !== null && slice.spacing !== null && spacing !== null &&
    slice.rows === first.rows && slice.columns === first.columns &&
    Math.abs(slice.spacing[0] - spacing[0]) < 1e-3 && Math.abs(slice.spacing[1] - spacing[1]) < 1e-3 &&
    dot(slice.orientation[0], row) > 0.9999 && dot(slice.orientation[1], column) > 0.9999;
  const along = (slice: Slice) => (slice.position ? dot(slice.position, normal) : 0);
  if (!numbered.every((slice) => slice.position && slice.orientation)) return { slices: numbered, grid: null };
  const steps = numbered.slice(1).map((slice, at) => along(slice) - along(numbered[at] ?? slice));
  const monotonic = steps.every((step) => step > 0) || steps.every((step) => step < 0);
  // "Down" of an axial stack is from head to feet; of another one there is no such custom, and the normal's own direction serves.
  const down = normal[2] > 0 ? -1 : 1;
  const slices = monotonic ? numbered : [...numbered].sort((a, b) => (along(a) - along(b)) * down);
  if (!slices.every(same) || !spacing) return { slices, grid: null };
  const plane: [Point3, Point3] = [times(unit(row), spacing[1]), times(unit(column), spacing[0])];
  if (slices.length === 1) {
    // One image has millimetres in its own plane; how thick it is does not matter there.
    return { slices, grid: { origin: first.position, step: [...plane, normal], size: [first.columns, first.rows, 1] } };
  }
  const begin = slices[0]?.position ?? [0, 0, 0];
  const end = slices[slices.length - 1]?.position ?? [0, 0, 0];
  const step = times(minus(end, begin), 1 / (slices.length - 1));
  const distance = length(step);
  if (distance < 1e-3 || Math.abs(Math.abs(dot(unit(step), normal)) - 1) > 1e-4) return { slices, grid: null };
  const placed = slices.every(({ position }, at) => {
    const expected: Point3 = [begin[0] + step[0] * at, begin[1] + step[1] * at, begin[2] + step[2] * at];
    return position !== null && length(minus(position, expected)) < Math.max(tolerance * distance, 0.01);
  });
  if (!placed) return { slices, grid: null };
  const grid: Grid = {
    origin: begin,
    step: [...plane, step],
    size: [first.columns, first.rows, slices.length],
  };
  return { slices, grid };
}
